"""How much of the disk the runs take, and which models make room for others.

Metrics, settings, curves and predictions of a run are small and stay. Its models can be large, and
training again gives the same ones. When all models take more than EXOLENS_KEEP_GB, those of the
oldest runs go, until the rest fits. The newest runs, and all that have a star or a title, keep
theirs in any case; nothing of a run that an open job works on or looks at is touched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import jobs, runs
from pipeline.claims import FINAL, now
from pipeline.cohort import open_cohort
from pipeline.errors import NotFoundError, SettingsError, StaleArtifactError
from pipeline.files import read_json, write_json
from pipeline.keeping.activity import try_to_note
from pipeline.keeping.run_notes import Notes, all_notes
from pipeline.keeping.trash import active_runs, delete, empty_trash

DEFAULT_GB = 50.0
NEWEST_KEPT = 20
RESUMABLE_DAYS = 30  # so long the checkpoints of a training that was stopped wait for its resume
_MODELS = "model*.keras"


@dataclass(frozen=True)
class DiskUse:
    """Bytes that runs take; models and checkpoints are part of `run_bytes`, the trash is not."""

    n_runs: int
    run_bytes: int
    model_bytes: int
    checkpoint_bytes: int
    trash_bytes: int
    limit_bytes: int

    def lines(self) -> list[str]:
        """Return it in words."""
        told = [
            f"{self.n_runs:,} runs take {_words(self.run_bytes)}, of which their models "
            f"{_words(self.model_bytes)} (EXOLENS_KEEP_GB keeps {_words(self.limit_bytes)})"
        ]
        if self.checkpoint_bytes:
            told.append(f"{_words(self.checkpoint_bytes)} are where trainings stand")
        if self.trash_bytes:
            told.append(f"{_words(self.trash_bytes)} more lie in the trash")
        return told


def keep_bytes() -> int:
    """Return how many bytes the models of all runs may take (EXOLENS_KEEP_GB, 50)."""
    text = os.environ.get("EXOLENS_KEEP_GB", str(DEFAULT_GB))
    try:
        gigabytes = float(text)
        if not 0 <= gigabytes < 1e9:
            raise ValueError
    except ValueError:
        raise SettingsError(
            "EXOLENS_KEEP_GB is how many GB the models of all runs may take, 0 or more, but it is "
            f"{text!r}; change it."
        ) from None
    return int(gigabytes * 1e9)


def disk_use(cache: Path) -> DiskUse:
    """Return what all runs take; looks at every file, some 0.1 ms a run."""
    n_runs = run_bytes = model_bytes = checkpoint_bytes = 0
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(cache / "runs"):
            if not entry.is_dir(follow_symlinks=False):
                continue
            n_runs += 1
            for path, size in _files(entry.path):
                run_bytes += size
                model_bytes += size if path.endswith(".keras") else 0
                checkpoint_bytes += size if f"{os.sep}checkpoints{os.sep}" in path else 0
    trash_bytes = sum(size for _, size in _files(os.fspath(cache / "trash")))
    return DiskUse(n_runs, run_bytes, model_bytes, checkpoint_bytes, trash_bytes, keep_bytes())


def tidy(cache: Path) -> list[str]:
    """Forget models above the limit, old checkpoints and old trash; return the ids of the first.

    For a worker when it starts and when a job has ended. What the disk refuses is left for later.
    """
    with contextlib.suppress(OSError):
        empty_trash(cache)
    with contextlib.suppress(OSError):
        forget_checkpoints(cache)
    with contextlib.suppress(OSError):
        return forget_models(cache)
    return []


def forget_models(cache: Path) -> list[str]:
    """Remove models of the oldest runs until the rest fits; return the ids of these runs."""
    limit = keep_bytes()
    found = sorted(runs.list_runs(cache), key=_last_trained, reverse=True)
    sizes = {run.id: _model_bytes(run) for run in found}
    total = sum(sizes.values())
    if total <= limit:
        return []
    said = all_notes(cache)
    active = active_runs(cache)
    gone = []
    for run in reversed(found[NEWEST_KEPT:]):
        if total <= limit:
            break
        is_kept = said.get(run.id, Notes()).is_kept or run.id in active
        if not sizes[run.id] or is_kept or not _has_ended(run):
            continue
        _remove_models(run, sizes[run.id], limit)
        total -= sizes[run.id]
        gone.append(run.id)
    return gone


def forget_checkpoints(cache: Path) -> list[str]:
    """Remove where trainings stood that have ended, or that nobody resumed for a month."""
    active = active_runs(cache)
    gone = []
    for run in runs.list_runs(cache):
        if run.state not in FINAL or run.id in active or not run.checkpoints.is_dir():
            continue
        age_days = (time.time() - run.checkpoints.stat().st_mtime) / 86_400
        if (run.state == "finished" or age_days > RESUMABLE_DAYS) and _has_ended(run):
            shutil.rmtree(run.checkpoints, ignore_errors=True)
            gone.append(run.id)
    return gone


def read_removal(run: runs.Run) -> dict[str, Any] | None:
    """Return {removed, bytes, limit_bytes, files} of a run without its models, None with them."""
    try:
        told = read_json(run.folder / "weights.json", optional=True)
    except StaleArtifactError:
        return None
    if told is None or all((run.folder / name).exists() for name in told["files"]):
        return None
    return told


def weights_note(run: runs.Run) -> str:
    """Return when the models of a run were removed and how to have them back, "" when not."""
    told = read_removal(run)
    if told is None:
        return ""
    return (
        f"The models of this run ({_words(told['bytes'])}) were removed on {told['removed'][:10]} "
        f"so that all models fit {_words(told['limit_bytes'])} (EXOLENS_KEEP_GB); "
        f"`python -m pipeline train-again {run.id}` gives the same ones, and a star or a title "
        "keeps them."
    )


def train_again(cache: Path, run_id: str, who: str = "") -> runs.Run:
    """Queue a run that has ended once more, for its models, and return it; the old one is trashed.

    Raises `NotFoundError`; `InputError` when it is active; `StaleArtifactError` when its cohort is
    another one by now.
    """
    run = runs.load(cache, run_id)
    cohort = open_cohort(cache, run.cohort)
    cohort.store.close()
    if cohort.fingerprint != run.fingerprint:
        raise StaleArtifactError(
            f"Training again takes the cohort that run {run_id} was trained on, but {run.cohort} "
            "has been ingested anew since; ingest the old files, or train on the new ones."
        )
    gone = delete(cache, run_id, who)
    again = runs.create(
        cache, run.cohort, run.fingerprint, run.analysis(), run.preset, run.relatives, run.genes
    )
    _hand_on_family(gone.folder, again.folder)
    jobs.submit(cache, "train", {"run": again.id})
    jobs.ensure_worker(cache)
    return runs.load(cache, again.id)


def _hand_on_family(old: Path, new: Path) -> None:
    """Copy what `lineage` keeps in a run: it is of the id, whichever training stands for it."""
    with contextlib.suppress(FileNotFoundError, FileExistsError):
        shutil.copy2(old / "parent.json", new / "parent.json")
    with contextlib.suppress(FileNotFoundError, FileExistsError):
        shutil.copytree(old / "children", new / "children")


def _last_trained(run: runs.Run) -> tuple[str, str]:
    return run.finished or run.created, run.id


def _has_ended(run: runs.Run) -> bool:
    """Return whether a run has ended, looked at now."""
    try:
        return runs.load(run.cache, run.id).state in FINAL
    except (NotFoundError, StaleArtifactError):
        return False


def _model_bytes(run: runs.Run) -> int:
    with contextlib.suppress(FileNotFoundError):
        return sum(
            entry.stat().st_size for entry in os.scandir(run.folder) if _is_model(entry.name)
        )
    return 0


def _is_model(name: str) -> bool:
    return name.startswith("model") and name.endswith(".keras")


def _remove_models(run: runs.Run, n_bytes: int, limit: int) -> None:
    paths = sorted(run.folder.glob(_MODELS))
    told = {
        "removed": now(),
        "bytes": n_bytes,
        "limit_bytes": limit,
        "files": [path.name for path in paths],
    }
    note = run.folder / "weights.json"
    is_told = True
    try:
        write_json(note, told)
    except OSError:
        is_told = False  # a full disk: first the room, then the note
    for path in paths:
        path.unlink(missing_ok=True)
    if not is_told:
        write_json(note, told)
    try_to_note(run.cache, "models removed", run.id)


def _files(folder: str) -> Iterator[tuple[str, int]]:
    """Yield path and bytes of all files below a folder; links are not followed."""
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        with contextlib.suppress(FileNotFoundError):  # removed meanwhile
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            else:
                yield entry.path, entry.stat(follow_symlinks=False).st_size


def _words(n_bytes: int) -> str:
    """Return bytes in words: 850 kB, 12.4 MB, 50 GB."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= size:
            return f"{n_bytes / size:,.1f}".removesuffix(".0") + f" {unit}"
    return f"{n_bytes / 1e3:,.0f} kB"
