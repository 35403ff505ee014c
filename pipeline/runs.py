"""A run on disk: settings, progress, metrics, and how it stands.

    cache/runs/<id>/
      run.json             what the run is and how it stands
      progress.jsonl       one EpochRecord a line
      metrics.json         the test people, once, and the baselines
      selection.parquet    the variants that entered
      model.keras          or model-<fold>.keras
      checkpoints/         where the training of each fold stands, until the run has ended
      log.txt              what the worker printed
      weights.json         when the models were removed to save space, and which (`retention`)
      private/predictions.parquet    by person; never shown, never exported unasked

One process writes a run; anybody reads it. What people say of a run lies outside its folder
(`run_notes`), so that it outlives the run. `run.json` says what its writer last knew: when the
writer was killed, a reader finds that out from the process and from the claim on the run's job.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import importlib.metadata
import json
import os
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from pipeline.claims import (
    FINAL,
    Holder,
    State,
    holder,
    is_alive,
    job_folder,
    newest_try,
    now,
    read_claim,
)
from pipeline.epochs import EpochRecord, restored
from pipeline.errors import NotFoundError, StaleArtifactError
from pipeline.files import append_json_line, place_folder, read_json, write_json
from pipeline.keeping.run_index import Stamp, read_index, stamp_of, write_index
from pipeline.settings import AnalysisSettings

FORMAT_VERSION = 3
_RUN_ID = re.compile(r"[0-9a-f]{8,64}")
_UNINDEXED = 100  # runs read one by one before the index is written anew


@dataclass(frozen=True)
class Run:
    """A run as its reader sees it; times are ISO 8601 in UTC, `seconds` those of the last try.

    `memory` is what `peak_memory` found, None before the end and in runs of earlier versions.
    """

    folder: Path
    id: str
    cohort: str
    fingerprint: str
    settings: dict[str, Any]
    preset: str
    relatives: str
    genes: str
    seed: int
    versions: dict[str, str | None]
    created: str
    state: State = "queued"
    started: str | None = None
    finished: str | None = None
    seconds: float | None = None
    worker: Holder | None = None
    error: str | None = None
    selected: int | None = None
    epochs: int | None = None
    memory: dict[str, Any] | None = None

    @property
    def pid(self) -> int | None:
        return self.worker.pid if self.worker else None

    @property
    def host(self) -> str | None:
        return self.worker.host if self.worker else None

    @property
    def cache(self) -> Path:
        return self.folder.parents[1]

    @property
    def progress_path(self) -> Path:
        return self.folder / "progress.jsonl"

    @property
    def metrics_path(self) -> Path:
        return self.folder / "metrics.json"

    @property
    def selection_path(self) -> Path:
        return self.folder / "selection.parquet"

    @property
    def predictions_path(self) -> Path:
        return self.folder / "private" / "predictions.parquet"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    def checkpoint_path(self, fold: int) -> Path:
        """Return where the training of a fold keeps how it stands."""
        return self.checkpoints / f"{fold}.npz"

    @property
    def log_path(self) -> Path:
        return self.folder / "log.txt"

    def model_path(self, fold: int | None = None) -> Path:
        """Return where the model of a fold lies, or the only model."""
        return self.folder / ("model.keras" if fold is None else f"model-{fold}.keras")

    def analysis(self) -> AnalysisSettings:
        """Return the settings as the model that stages take."""
        return AnalysisSettings.model_validate(self.settings)


@dataclass(frozen=True)
class Listed:
    """A run among many: the epochs it did, and as JSON the measures that a list shows of it."""

    run: Run
    epochs: int
    measures: str

    @property
    def metrics(self) -> dict[str, Any] | None:
        """The measures of the test people and of the baselines, without curves; None before."""
        return json.loads(self.measures)


def run_identity(
    cohort_fingerprint: str, settings: AnalysisSettings, relatives: str = "", genes: str = ""
) -> str:
    """Return the id of a run: 16 hexadecimal digits of the hash of all that determines it.

    `relatives` names the grouping of the people that stay on one side of a split, `genes` the gene
    table that the network goes by, "" for none.
    """
    what = {
        "format": FORMAT_VERSION,
        "cohort": cohort_fingerprint,
        # How the Manhattan plot is tested tells nothing of the network: selection has its own test.
        "settings": settings.model_dump(mode="json", exclude={"association"}),
        "relatives": relatives,
        "genes": genes,
    }
    text = json.dumps(what, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_folder(cache: Path, run_id: str) -> Path:
    """Return where a run lies; ids come from links and command lines, so they are checked.

    Raises `NotFoundError` for what cannot be an id.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise NotFoundError(
            f"A run is named by hexadecimal digits, but {run_id[:80]!r} was given; "
            "`python -m pipeline runs` lists them."
        )
    return cache / "runs" / run_id


def create(
    cache: Path,
    cohort: str,
    fingerprint: str,
    settings: AnalysisSettings,
    preset: str = "",
    relatives: str = "",
    genes: str = "",
) -> Run:
    """Return the run of this cohort and these settings, made (queued) when it is not there yet."""
    run_id = run_identity(fingerprint, settings, relatives, genes)
    folder = run_folder(cache, run_id)
    run = Run(
        folder=folder,
        id=run_id,
        cohort=cohort,
        fingerprint=fingerprint,
        settings=settings.model_dump(mode="json"),
        preset=preset,
        relatives=relatives,
        genes=genes,
        seed=settings.training.seed,
        versions=dict(_versions()),
        created=now(),
    )
    if not place_folder(folder, {"run.json": _record(run)}):
        try:
            return load(cache, run_id)
        except (NotFoundError, StaleArtifactError):
            _write(run)  # a folder without a readable run.json is nobody's run
    run.predictions_path.parent.mkdir(mode=0o700, exist_ok=True)
    return run


def load(cache: Path, run_id: str) -> Run:
    """Return a run.

    Raises `NotFoundError` when there is none, `StaleArtifactError` when its run.json is broken or
    of another format.
    """
    return _settled(_read(run_folder(cache, run_id)))


def list_runs(cache: Path) -> list[Run]:
    """Return all runs, newest first.

    A run whose run.json cannot be read is listed as failed, with the reason as its error.
    """
    return [one.run for one in listed(cache)]


def listed(cache: Path) -> list[Listed]:
    """Return all runs with what a list shows of them, newest first.

    The content of a run that has ended is taken from memory, else from the index, as long as its
    run.json is the one that was read then; all others are read.
    """
    try:
        entries = list(os.scandir(cache / "runs"))
    except FileNotFoundError:
        return []
    known, n_unsaved = _known(cache)
    found: list[Listed] = []
    kept: dict[str, tuple[Stamp, Listed]] = {}
    for entry in entries:
        if not _RUN_ID.fullmatch(entry.name):
            continue
        # Before the content is read, so that what is written meanwhile is seen the next time.
        stamp = stamp_of(f"{entry.path}/run.json")
        if stamp is None:
            continue  # deleted meanwhile, or not a run at all
        was = known.get(entry.name)
        if was and was[0] == stamp:
            kept[entry.name] = was
            found.append(was[1])
            continue
        try:
            left = _read(Path(entry.path))
        except NotFoundError:
            continue
        except StaleArtifactError as error:
            found.append(Listed(_unreadable(Path(entry.path), stamp, str(error)), 0, "null"))
            continue
        one = Listed(_settled(left), _epochs_done(left), _measures(left))
        found.append(one)
        if left.state in FINAL:
            kept[entry.name] = (stamp, one)
            n_unsaved += 1
    n_unsaved += max(0, len(known) - len(kept))
    if n_unsaved >= _UNINDEXED:
        _save_index(cache, kept)
        n_unsaved = 0
    _KNOWN[cache] = (kept, n_unsaved)
    return sorted(found, key=lambda one: (one.run.created, one.run.id), reverse=True)


# What `listed` read before of each cache, and how much of it the index lacks: a page asks again
# with every move.
_KNOWN: dict[Path, tuple[dict[str, tuple[Stamp, Listed]], int]] = {}


def _known(cache: Path) -> tuple[dict[str, tuple[Stamp, Listed]], int]:
    if cache in _KNOWN:
        return _KNOWN[cache]
    known = {}
    folder = cache / "runs"
    with _no_collection():
        entries = read_index(_index_path(cache), FORMAT_VERSION).items()
        for run_id, (stamp, record, measures) in entries:
            with contextlib.suppress(StaleArtifactError, KeyError):  # damaged: read from the run
                run = _run_of(folder / run_id, record)
                known[run_id] = (stamp, Listed(run, record["epochs_done"], measures))
    return known, 0


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Let nothing look for garbage, which among so many new objects takes longer than the rest."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _index_path(cache: Path) -> Path:
    return cache / "index" / "runs.json"


def _save_index(cache: Path, kept: Mapping[str, tuple[Stamp, Listed]]) -> None:
    told = {
        run_id: (stamp, _record(one.run) | {"epochs_done": one.epochs}, one.measures)
        for run_id, (stamp, one) in kept.items()
    }
    # A full disk, or one that may only be read: the next one who may writes it.
    with contextlib.suppress(OSError):
        write_index(_index_path(cache), FORMAT_VERSION, told)


def _unreadable(folder: Path, stamp: Stamp, error: str) -> Run:
    made = datetime.fromtimestamp(stamp[0] / 1e9, UTC)
    return Run(
        folder=folder,
        id=folder.name,
        cohort="",
        fingerprint="",
        settings={},
        preset="",
        relatives="",
        genes="",
        seed=0,
        versions={},
        created=made.isoformat(timespec="milliseconds"),
        state="failed",
        error=error,
    )


def _measures(run: Run) -> str:
    """Return the measures of a run without its curves, as JSON; null while there are none."""
    try:
        metrics = read_metrics(run)
        if metrics is None:
            return "null"
        baselines = {
            name: {key: measured[key] for key in ("n", "accuracy", "auc")}
            for name, measured in metrics["baselines"].items()
        }
        return json.dumps({"test": metrics["test"], "baselines": baselines}, allow_nan=False)
    except (StaleArtifactError, KeyError, TypeError, AttributeError, ValueError):
        return "null"  # torn by a power cut; the page of the run says so


def update_state(
    run: Run,
    state: State | None = None,
    *,
    error: str | None = None,
    selected: int | None = None,
    epochs: int | None = None,
    memory: dict[str, Any] | None = None,
) -> Run:
    """Return the run after writing how it stands now; only its worker calls this.

    `running` notes this process, the time and the versions; a final state notes the end. Without
    a state only `selected` (variants that entered), `epochs` (epochs done) or `memory` (see
    `peak_memory`) are written.
    """
    current = _read(run.folder)
    changes: dict[str, Any] = {}
    if state is not None:
        changes = {"state": state, "error": error, "finished": None, "seconds": None}
        if state == "queued":
            changes |= {"started": None, "worker": None, "memory": None}
        elif state == "running":
            changes |= {"started": now(), "worker": holder(), "versions": dict(_versions())}
        else:
            end = now()
            changes |= {"finished": end, "seconds": _seconds(current.started, end)}
    if selected is not None:
        changes["selected"] = selected
    if epochs is not None:
        changes["epochs"] = epochs
    if memory is not None:
        changes["memory"] = memory
    current = replace(current, **changes)
    _write(current)
    return current


def follow_job(cache: Path, run_id: str, state: State, error: str | None = None) -> None:
    """Write the state of the run's job into run.json, unless the work has written it already."""
    run = _read(run_folder(cache, run_id))
    if run.state != state or state == "running":
        update_state(run, state, error=error)


def append_progress(run: Run, record: EpochRecord) -> None:
    """Append one epoch to the run's progress."""
    append_json_line(run.progress_path, record)


def clear_progress(run: Run) -> None:
    """Forget what an earlier try came to, when a run starts from its beginning again."""
    run.progress_path.unlink(missing_ok=True)
    run.metrics_path.unlink(missing_ok=True)


def read_progress(run: Run, since_line: int = 0) -> list[EpochRecord]:
    """Return the epochs from line `since_line` on; a line still being written is left for later."""
    try:
        text = run.progress_path.read_bytes()
    except FileNotFoundError:
        return []
    lines = text.split(b"\n")[:-1]  # what follows the last newline is half a line, or nothing
    records = []
    for line in lines[since_line:]:
        try:
            records.append(restored(json.loads(line)))
        except (ValueError, TypeError, AttributeError):
            break  # damaged on disk; the lines before it keep their numbers
    return records


def write_metrics(run: Run, metrics: Mapping[str, Any]) -> None:
    """Write the metrics, whole."""
    write_json(run.metrics_path, metrics)


def read_metrics(run: Run) -> dict[str, Any] | None:
    """Return the metrics, None while there are none."""
    return read_json(run.metrics_path, optional=True)


def show(run: Run) -> dict[str, Any]:
    """Return the run in the JSON shape that scripts rely on."""
    shown = show_listed(Listed(run, _epochs_done(run), "null"))
    return {**shown, "settings": run.settings, "metrics": read_metrics(run)}


def show_listed(one: Listed) -> dict[str, Any]:
    """Return a run of a list in the JSON shape of `show`, without settings and measures."""
    run = one.run
    return {
        "run": run.id,
        "cohort": run.cohort,
        "state": run.state,
        "pid": run.pid,
        "host": run.host,
        "preset": run.preset,
        "fingerprint": run.fingerprint,
        "seed": run.seed,
        "selected": run.selected,
        "epochs": one.epochs,
        "seconds": _seconds(run.started, now()) if run.state == "running" else run.seconds,
        "memory": run.memory,
        "created": run.created,
        "started": run.started,
        "finished": run.finished,
        "error": run.error,
        "versions": run.versions,
    }


def _epochs_done(run: Run) -> int:
    if run.state == "finished" and run.epochs is not None:
        return run.epochs
    return len(read_progress(run))


_STORED = tuple(field.name for field in fields(Run) if field.name not in {"folder", "worker"})
_STATES = frozenset(get_args(State))
_LATER = {"memory"}  # not there in runs of earlier versions


def _record(run: Run) -> dict[str, Any]:
    stored = {name: getattr(run, name) for name in _STORED}
    worker = asdict(run.worker) if run.worker else None
    return {"format": FORMAT_VERSION, **stored, "worker": worker}


def _write(run: Run) -> None:
    write_json(run.folder / "run.json", _record(run))


def _read(folder: Path) -> Run:
    """Return the run as its writer left it."""
    try:
        record = read_json(folder / "run.json")
    except FileNotFoundError as error:
        raise NotFoundError(
            f"There is no run {folder.name} in this cache; `python -m pipeline runs` lists them."
        ) from error
    if not isinstance(record, dict) or record.get("format") != FORMAT_VERSION:
        found = record.get("format") if isinstance(record, dict) else None
        raise StaleArtifactError(
            f"Run {folder.name} is of format {found}, and this Exolens reads {FORMAT_VERSION}; "
            "train it again."
        )
    return _run_of(folder, record)


def _run_of(folder: Path, record: Mapping[str, Any]) -> Run:
    """Return the run of a record. Raises `StaleArtifactError` when it lacks a part."""
    try:
        if record["state"] not in _STATES or not isinstance(record["created"], str):
            raise TypeError("its state or its date")
        worker = Holder(**record["worker"]) if record["worker"] else None
        stored = {name: record[name] for name in _STORED if name in record or name not in _LATER}
        return Run(folder=folder, worker=worker, **stored)
    except (KeyError, TypeError) as error:
        raise StaleArtifactError(
            f"The run.json of run {folder.name} lacks a part ({error}); train it again."
        ) from error


def _settled(run: Run) -> Run:
    """Return the run as a reader sees it, when its writer may have been killed before writing.

    The claim on the run's job is made in one step before run.json says `running`, and its result
    is written before run.json says how it ended; so where they differ the claim is right.
    """
    if run.state in FINAL:
        return run
    if run.state == "running" and run.worker and is_alive(run.worker, run.cache):
        return run
    attempt = newest_try(job_folder(run.cache, run.id))
    claim = read_claim(run.cache, attempt) if attempt else None
    if claim and claim.finished and claim.finished < run.created:
        claim = None  # of a run of the same id that was deleted
    if claim is None:
        return replace(run, state="interrupted") if run.state == "running" else run
    if claim.state == "running":
        return replace(run, state="running", worker=claim.who, started=claim.started)
    return replace(
        run,
        state=claim.state,
        error=claim.error,
        worker=claim.who,
        finished=claim.finished,
        seconds=_seconds(claim.started, claim.finished),
    )


def _seconds(start: str | None, end: str | None) -> float | None:
    if not start or not end:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


@functools.cache
def _versions() -> tuple[tuple[str, str | None], ...]:
    """Return what a result depends on beside the settings; the packages are not imported."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in ("keras", "tensorflow", "numpy", "scikit-learn"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return (*found.items(), ("exolens_format", str(FORMAT_VERSION)))
