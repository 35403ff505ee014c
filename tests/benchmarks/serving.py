"""A Streamlit server in a process of its own, for benchmarks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.journeys.conftest import ROOT, free_port, wait_until_healthy


@dataclass(frozen=True)
class Serving:
    """Its address, its process, and when that was started (`time.perf_counter`)."""

    url: str
    pid: int
    started: float


@contextmanager
def served(cache: Path, script: Path | None = None) -> Iterator[Serving]:
    """Give a server of the dashboard over this cache, or of another script; end it afterwards."""
    port = free_port()
    log = cache / "server.log"
    command = [sys.executable, "-m", "streamlit", "run", str(script or "dashboard/app.py"),
               "--server.headless", "true", "--server.port", str(port)]  # fmt: skip
    with log.open("wb") as out:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT,
            env=os.environ | {"EXOLENS_CACHE": str(cache)},
        )  # fmt: skip
    try:
        wait_until_healthy(port, process, log)
        yield Serving(f"http://localhost:{port}", process.pid, started)
    finally:
        process.terminate()
        process.wait(20)
