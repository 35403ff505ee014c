"""The report of a run: one HTML file, a PDF, or a ZIP of figures and tables.

Charts are drawn by the dashboard's code, which the pipeline knows nothing of, and drawing takes
much memory: so the work is done by a process of its own, `python -m dashboard.report`.

    cache/runs/<id>/reports/report.<ending>    the newest of each kind, made by a job
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline import runs
from pipeline.errors import InputError, PipelineError, SettingsError
from pipeline.files import PROJECT_ROOT
from pipeline.methods.text import require_metrics
from pipeline.progress import OnProgress, Progress, silent
from pipeline.runs import Run

ENDINGS = ("html", "pdf", "zip")
MENDABLE = 3  # exit status of a process that has told its problem in one sentence; 1 is a crash
PROGRESS = b"progress: "  # what lines of that process start with that are no complaint


class ReportError(PipelineError):
    """A report that cannot be made."""


def made_on() -> str:
    """Return the date that a report bears, as 2026-11-23: today, or that of SOURCE_DATE_EPOCH."""
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return datetime.now(UTC).date().isoformat()
    try:
        return datetime.fromtimestamp(int(text), UTC).date().isoformat()
    except (ValueError, OverflowError, OSError) as error:
        raise SettingsError(
            f"SOURCE_DATE_EPOCH is a number of seconds since 1970, but it is {text!r}; change it."
        ) from error


def ending_of(out: Path) -> str:
    """Return the kind of report that a file name asks for; raises `InputError` for another."""
    ending = out.suffix.lower().removeprefix(".")
    if ending not in ENDINGS:
        raise InputError(
            f"A report is a file that ends in .html, .pdf or .zip, but {out.name} was named; "
            "choose one of these endings."
        )
    return ending


def report_path(run: Run, ending: str) -> Path:
    """Return where the job leaves a report; it may not be there."""
    return run.folder / "reports" / f"report.{ending}"


def write_report(
    run: Run, out: Path, on_progress: OnProgress = silent, made: str | None = None
) -> Path:
    """Write the report of a run into a file, whole or not at all, and return the file.

    `made` is the date it bears, by default that of `made_on`. Two reports of one run and one date
    are the same, byte by byte; nothing of a single person is in them.

    Raises `NotComputedError` for a run without metrics, `InputError` for another ending or a folder
    that is not there, `ReportError` where it cannot be made, and what `on_progress` raises.
    """
    ending_of(out)
    if not out.resolve().parent.is_dir():
        raise InputError(
            f"A report is written into a folder that exists, but {out.resolve().parent} does not; "
            "make it first."
        )
    require_metrics(run)
    command = [
        sys.executable, "-m", "dashboard.report", run.id, "--cache", str(run.cache),
        "--out", str(out.resolve()), "--made", made or made_on(),
    ]  # fmt: skip
    # Through one pipe: a disk that is full could not keep what the process says of it.
    process = subprocess.Popen(
        command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        said = _follow(process, on_progress).decode(errors="replace").strip()
    finally:
        if process.poll() is None:  # `on_progress` has stopped the work
            process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    if process.returncode == MENDABLE:
        raise ReportError(said.splitlines()[-1] if said else "The report could not be made.")
    if process.returncode:
        raise RuntimeError(f"the report ended with status {process.returncode}: {said[-2000:]}")
    return out


def _follow(process: subprocess.Popen[bytes], on_progress: OnProgress) -> bytes:
    """Pass on the progress that the process prints until it ends; return all else that it says."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        if line.startswith(PROGRESS):
            told = json.loads(line.removeprefix(PROGRESS))
            on_progress(Progress(told["phase"], told["done"], told["detail"]))
        else:
            said.append(line)
    process.wait()
    return b"".join(said)


def report_job(cache: Path, payload: dict[str, Any], on_progress: OnProgress) -> dict[str, Any]:
    """Make the report `payload["run"]` of the kind `payload["ending"]`, beside the run."""
    run = runs.load(cache, payload["run"])
    out = report_path(run, payload["ending"])
    out.parent.mkdir(exist_ok=True)
    write_report(run, out, on_progress)
    return {"run": run.id, "ending": payload["ending"], "bytes": out.stat().st_size}
