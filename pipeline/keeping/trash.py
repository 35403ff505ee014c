"""Deleted runs: kept for a month, so that they can be had back.

    cache/trash/<run id>-<time of deletion, UTC>/    the run's folder as it was

Deleting and restoring is one rename each. What is said of a run (`run_notes`) stays where it is.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline import jobs, runs
from pipeline.claims import FINAL
from pipeline.errors import InputError, NotFoundError, StaleArtifactError
from pipeline.keeping.activity import try_to_note

KEPT_DAYS = 30
_NAME = re.compile(r"(?P<run>[0-9a-f]{8,64})-(?P<when>\d{8}T\d{9})")
_TIME = "%Y%m%dT%H%M%S%f"  # to the millisecond, as it is written


@dataclass(frozen=True)
class Deleted:
    """A run in the trash; times are in UTC."""

    folder: Path
    run: str
    when: datetime

    @property
    def until(self) -> datetime:
        """When it is removed for good."""
        return self.when + timedelta(days=KEPT_DAYS)


def delete(cache: Path, run_id: str, who: str = "") -> Deleted:
    """Move a run to the trash.

    Raises `NotFoundError`; `InputError` for a run that waits, runs, or is being looked at by a job.
    """
    folder = runs.run_folder(cache, run_id)
    if not folder.is_dir():
        raise NotFoundError(
            f"There is no run {run_id} in this cache; `python -m pipeline runs` lists them."
        )
    _refuse_active(cache, run_id)
    when = datetime.now(UTC)
    place = cache / "trash" / f"{run_id}-{when.strftime(_TIME)[:-3]}"
    place.parent.mkdir(mode=0o700, exist_ok=True)
    folder.rename(place)
    try:
        _refuse_open_jobs(cache, run_id)
    except InputError:  # somebody resumed it in this very instant
        place.rename(folder)
        raise
    try_to_note(cache, "deleted", run_id, who)
    return Deleted(place, run_id, when)


def restore(cache: Path, run_id: str, who: str = "") -> runs.Run:
    """Bring a run back from the trash, the one deleted last where there are several.

    Raises `NotFoundError` when there is none, `InputError` when it has been trained again.
    """
    folder = runs.run_folder(cache, run_id)
    found = [one for one in in_trash(cache) if one.run == run_id]
    if not found:
        raise NotFoundError(
            f"There is no run {run_id} in the trash, where runs stay for {KEPT_DAYS} days; "
            "`python -m pipeline trash` lists them."
        )
    folder.parent.mkdir(exist_ok=True)
    try:
        found[0].folder.rename(folder)
    except OSError as error:
        if not folder.is_dir():
            raise
        raise InputError(
            f"Run {run_id} has been trained again since it was deleted; delete that one first."
        ) from error
    try_to_note(cache, "restored", run_id, who)
    return runs.load(cache, run_id)


def in_trash(cache: Path) -> list[Deleted]:
    """Return the deleted runs, the one deleted last first."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for path in (cache / "trash").iterdir():
            match = _NAME.fullmatch(path.name)
            if match:
                with contextlib.suppress(ValueError):  # digits that are no time
                    when = datetime.strptime(match["when"] + "000", _TIME).replace(tzinfo=UTC)
                    found.append(Deleted(path, match["run"], when))
    return sorted(found, key=lambda one: (one.when, one.run), reverse=True)


def empty_trash(cache: Path, before: datetime | None = None) -> list[str]:
    """Remove for good what was deleted before a time (None: 30 days ago); return the runs' ids."""
    before = before or datetime.now(UTC) - timedelta(days=KEPT_DAYS)
    removed = []
    for one in in_trash(cache):
        if one.when < before:
            # Out of sight first, so that nobody restores what is half removed.
            going = one.folder.with_name(f".gone-{uuid.uuid4().hex[:12]}")
            with contextlib.suppress(FileNotFoundError):  # another process removes it
                one.folder.rename(going)
                removed.append(one.run)
    for path in (cache / "trash").glob(".gone-*"):
        shutil.rmtree(path, ignore_errors=True)
    return removed


def active_runs(cache: Path) -> set[str]:
    """Return the ids that open jobs work on or look at."""
    active = set()
    for job in jobs.jobs(cache, active_only=True):
        active |= {job.id, *map(str, job.payload.values())}
    return active


def _refuse_active(cache: Path, run_id: str) -> None:
    # A run.json that cannot be read tells nothing; the jobs do.
    with contextlib.suppress(StaleArtifactError):
        state = runs.load(cache, run_id).state
        if state not in FINAL:
            raise InputError(
                f"A run is deleted once it has ended, but {run_id} is {state}; cancel it first."
            )
    _refuse_open_jobs(cache, run_id)


def _refuse_open_jobs(cache: Path, run_id: str) -> None:
    if run_id in active_runs(cache):
        raise InputError(
            f"A run is deleted once it has ended, but a job works on {run_id} or looks at it; "
            "cancel it first, or wait."
        )
