"""A worker with toy handlers, run as `python -m tests.toy_worker CACHE IDLE_S [CRASH_AT]`.

With CRASH_AT the process kills itself just before its CRASH_AT-th change to the disk, counted
from the moment that it takes a job.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline import jobs
from pipeline.errors import InputError
from pipeline.progress import OnProgress, Progress
from pipeline.worker import work

Payload = dict[str, Any]


def count(payload: Payload, on_progress: OnProgress, job_dir: Path) -> Payload:
    """Report `steps` steps of `pause` seconds; note the pid in the file `tally` at the start."""
    with (job_dir / "tally").open("a") as tally:
        tally.write(f"{os.getpid()}\n")
    for step in range(payload.get("steps", 1)):
        on_progress(Progress("counting", step / payload.get("steps", 1), None, str(step)))
        with (job_dir / "steps").open("a") as steps:
            steps.write(f"{step}\n")
        time.sleep(payload.get("pause", 0.0))
    print("counted")
    return {"steps": payload.get("steps", 1)}


def fail(payload: Payload, on_progress: OnProgress, job_dir: Path) -> Payload:
    """Raise a problem of the user's, or a bug."""
    if payload["how"] == "user":
        raise InputError("The file is empty; give another.")
    os.write(2, b"said below Python\n")
    raise ZeroDivisionError("a bug")


def crash_at(change: int) -> None:
    """Kill this process before its `change`-th rename or removal after it has begun to take."""
    state = {"left": change, "armed": False}

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def before(*args: Any, **kwargs: Any) -> Any:
            if state["armed"]:
                state["left"] -= 1
                if state["left"] <= 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return before

    def taking(*args: Any) -> Any:
        state["armed"] = state["armed"] or jobs.is_waiting(args[0])
        return take(*args)

    take, jobs.take = jobs.take, taking
    for name in ("rename", "replace", "unlink"):
        setattr(Path, name, counted(getattr(Path, name)))


if __name__ == "__main__":
    if len(sys.argv) > 3:
        crash_at(int(sys.argv[3]))
    work(Path(sys.argv[1]), {"train": count, "ingest": count, "simulate": fail}, float(sys.argv[2]))
