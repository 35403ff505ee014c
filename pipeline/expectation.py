"""When a job that waits will start, and how long it will take, from what was done before."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from pipeline import jobs, runs
from pipeline.claims import job_folder, live_workers, read_claim
from pipeline.errors import NotFoundError, StaleArtifactError
from pipeline.jobs import Job
from pipeline.runs import Run

_MOST_RUNS = 200  # of the newest, that are looked at for one like it
# What decides how long a training takes, beside the people and variants that it gets.
_STAGES = ("encoding", "network", "training", "split")


@dataclass(frozen=True)
class Expected:
    """Seconds until a job starts, 0 once it runs, and seconds that it takes; None: not known."""

    starts_s: float | None
    takes_s: float | None


def expected(
    cache: Path, open_jobs: Sequence[Job], n_workers: int | None = None
) -> dict[str, Expected]:
    """Return what is expected of each open job, by its id.

    `n_workers` is how many jobs are done at once, by default the workers that live, or may be
    started here. Jobs are taken in the order of the queue by whichever worker is free first; from
    a job of unknown length on nobody knows when one starts.
    """
    if n_workers is None:
        n_workers = max(len(live_workers(cache, everywhere=True)), jobs.worker_limit())
    known = runs.list_runs(cache)[:_MOST_RUNS] if open_jobs else []
    takes = {job.id: _takes_s(cache, job, known) for job in open_jobs}
    found: dict[str, Expected] = {}
    free: list[float | None] = []
    for job in open_jobs:
        if job.position is None:
            free.append(_left_s(job, takes[job.id]))
            found[job.id] = Expected(0.0, takes[job.id])
    free += [0.0] * (n_workers - len(free))
    ends = [end for end in free if end is not None]
    heapq.heapify(ends)
    for job in sorted((j for j in open_jobs if j.position), key=lambda j: j.position or 0):
        start = heapq.heappop(ends) if ends else None
        took = takes[job.id]
        found[job.id] = Expected(start, took)
        if start is not None and took is not None:
            heapq.heappush(ends, start + took)
    return found


def _takes_s(cache: Path, job: Job, known: Sequence[Run]) -> float | None:
    if job.kind == "train":
        return _training_s(cache, job.payload["run"], known)
    return _last_time_s(cache, job)


def _training_s(cache: Path, run_id: str, known: Sequence[Run]) -> float | None:
    """Return the median of finished runs that learned alike, else of those of the same preset."""
    try:
        run = runs.load(cache, run_id)
    except (NotFoundError, StaleArtifactError):
        return None
    done = [
        other for other in known
        if other.id != run.id and other.cohort == run.cohort and other.state == "finished"
        and other.seconds is not None
    ]  # fmt: skip
    alike = [one.seconds for one in done if _learning(one) == _learning(run)]
    of_preset = [one.seconds for one in done if run.preset and one.preset == run.preset]
    seconds = [one for one in alike or of_preset if one is not None]
    return median(seconds) if seconds else None


def _learning(run: Run) -> dict[str, Any]:
    """Return what decides how long a run learns; a seed does not."""
    return {
        stage: {name: value for name, value in run.settings[stage].items() if name != "seed"}
        for stage in _STAGES
    }


def _last_time_s(cache: Path, job: Job) -> float | None:
    """Return how long the job took when it was done before, the newest finished try."""
    folder = job_folder(cache, job.id)
    for attempt in range(job.attempt - 1, 0, -1):
        try:
            claim = read_claim(cache, folder / str(attempt))
        except (NotFoundError, StaleArtifactError):
            continue
        if claim and claim.state == "finished" and claim.started and claim.finished:
            return _seconds(claim.started, claim.finished)
    return None


def _left_s(job: Job, takes_s: float | None) -> float | None:
    if job.remaining_s is not None:
        return job.remaining_s
    if takes_s is None or job.started is None:
        return None
    now = datetime.now(UTC).isoformat()
    return max(0.0, takes_s - _seconds(job.started, now))


def _seconds(start: str, end: str) -> float:
    begun, over = datetime.fromisoformat(start), datetime.fromisoformat(end)
    return (over - begun).total_seconds()
