"""A sweep on disk: what is tried on which people, every trial, and the run of the best.

    cache/sweeps/<id>/
      sweep.json          settings, fingerprint of the cohort, versions, how it stands
      trials.jsonl        one trial a line
      private/people.npz  who trains, stops and judges the trials; test people are not in it
      at-work-…           there while the trials of one worker may go on

The id is the hash of what determines the trials. Budget and number of trials are not part of it:
asking for more goes on from the trials there are.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipeline import jobs, runs
from pipeline.claims import State, now
from pipeline.errors import NotFoundError, StaleArtifactError
from pipeline.files import append_json_line, place_folder, read_json, write_json
from pipeline.settings import AnalysisSettings
from pipeline.settings.sweep import SweepSettings

if TYPE_CHECKING:
    import pandas as pd

FORMAT_VERSION = 1
_SWEEP_ID = re.compile(r"[0-9a-f]{8,64}")
_BUDGET = {"minutes", "trials", "parallel"}


LEAST_FOR_IMPORTANCE = 8  # trials that came to their end


@dataclass(frozen=True)
class Trial:
    """One trial: what was tried and what came of it.

    `value` is the AUC or loss of the people that judge, None unless `complete`; `curve` the AUC of
    the people that stop it, epoch by epoch (NaN where there is none); `selected` how many variants
    entered; `reason` why it was given up or failed.
    """

    number: int
    parameters: dict[str, Any]
    state: Literal["complete", "pruned", "failed"]
    value: float | None = None
    epochs: int = 0
    seconds: float = 0.0
    curve: tuple[float, ...] = ()
    selected: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Sweep:
    """A sweep as its reader sees it; times are ISO 8601 in UTC.

    `relatives` and `genes` name who was related and the gene table, "" for none. `spent_s` is the
    time that all its parts took, `importance` the share of each field in what single fields
    explain, `run` the training of the best settings once it has been asked for.
    """

    folder: Path
    id: str
    cohort: str
    fingerprint: str
    relatives: str
    genes: str
    settings: dict[str, Any]
    sweep: dict[str, Any]
    versions: dict[str, str | None]
    created: str
    is_finished: bool = False
    spent_s: float = 0.0
    importance: dict[str, float] | None = None
    run: str | None = None
    state: State = "interrupted"
    error: str | None = None
    trials: tuple[Trial, ...] = ()

    @property
    def base(self) -> AnalysisSettings:
        """The settings that every trial changes."""
        return AnalysisSettings.model_validate(self.settings)

    @property
    def asked(self) -> SweepSettings:
        """What was asked for."""
        return SweepSettings.model_validate(self.sweep)

    @property
    def best(self) -> Trial | None:
        """The trial of the best value, the earliest of equals; None while none has one."""
        return best_of(self.trials, self.asked.metric)

    @property
    def people_path(self) -> Path:
        return self.folder / "private" / "people.npz"

    def table(self) -> pd.DataFrame:
        """Return one row a trial: number, state, value, epochs, seconds, reason, a column a field.

        Columns of fields are named `stage.field`; `value` is NaN where there is none.
        """
        import pandas as pd

        names = [one.name for one in self.asked.ranges()]
        plain = ("number", "state", "value", "epochs", "seconds", "selected", "reason")
        rows = [
            {name: getattr(trial, name) for name in plain}
            | {name: trial.parameters.get(name) for name in names}
            for trial in self.trials
        ]
        table = pd.DataFrame(rows, columns=[*plain, *names])
        table["value"] = table["value"].astype(float)
        return table

    def axes(self) -> pd.DataFrame:
        """Return one row a field: name, label, low, high, log, choices (None for numbers)."""
        import pandas as pd

        rows = [
            {"name": one.name, "label": one.label, "low": one.low, "high": one.high,
             "log": one.log, "choices": list(one.choices) or None}
            for one in self.asked.ranges()
        ]  # fmt: skip
        return pd.DataFrame(rows).astype({"choices": object})


def best_of(trials: tuple[Trial, ...], metric: str) -> Trial | None:
    """Return the best trial by the metric, `auc` or `loss`, the earliest of equals."""
    ended = [trial for trial in trials if trial.state == "complete" and trial.value is not None]
    sign = -1 if metric == "auc" else 1
    return min(ended, key=lambda t: (sign * (t.value or 0.0), t.number), default=None)


def sweep_identity(
    fingerprint: str,
    settings: AnalysisSettings,
    sweep: SweepSettings,
    relatives: str = "",
    genes: str = "",
) -> str:
    """Return the id of a sweep: 16 hexadecimal digits of the hash of what determines its trials."""
    what = {
        "format": FORMAT_VERSION,
        "run": runs.run_identity(fingerprint, settings, relatives, genes),
        "sweep": sweep.model_dump(mode="json", exclude=_BUDGET),
        "ranges": [repr(one) for one in sweep.ranges()],
    }
    text = json.dumps(what, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def sweep_folder(cache: Path, sweep_id: str) -> Path:
    """Return where a sweep lies. Raises `NotFoundError` for what cannot be an id."""
    if not _SWEEP_ID.fullmatch(sweep_id):
        raise NotFoundError(
            f"A sweep is named by hexadecimal digits, but {sweep_id[:80]!r} was given; ask for it "
            "again to see its id."
        )
    return cache / "sweeps" / sweep_id


def create(
    cache: Path,
    cohort: str,
    fingerprint: str,
    settings: AnalysisSettings,
    sweep: SweepSettings,
    relatives: str = "",
    genes: str = "",
) -> Sweep:
    """Return the sweep of this cohort and these settings, made when it is not there yet."""
    sweep_id = sweep_identity(fingerprint, settings, sweep, relatives, genes)
    made = Sweep(
        folder=sweep_folder(cache, sweep_id),
        id=sweep_id,
        cohort=cohort,
        fingerprint=fingerprint,
        relatives=relatives,
        genes=genes,
        settings=settings.model_dump(mode="json"),
        sweep=sweep.model_dump(mode="json"),
        versions=_versions(),
        created=now(),
    )
    place_folder(made.folder, {"sweep.json": _record(made)})
    return read_sweep(cache, sweep_id)


def read_sweep(cache: Path, sweep_id: str) -> Sweep:
    """Return a sweep with its trials.

    Raises `NotFoundError` when there is none, `StaleArtifactError` for another format.
    """
    folder = sweep_folder(cache, sweep_id)
    try:
        record = read_json(folder / "sweep.json")
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no sweep {sweep_id} in this cache; ask for one.") from error
    if not isinstance(record, dict) or record.pop("format", None) != FORMAT_VERSION:
        raise StaleArtifactError(
            f"Sweep {sweep_id} is of another format than this Exolens reads ({FORMAT_VERSION}); "
            f"delete {folder} and ask for it again."
        )
    try:
        found = Sweep(folder=folder, **record)
    except TypeError as error:
        raise StaleArtifactError(
            f"The file {folder / 'sweep.json'} lacks a part ({error}); delete the folder and ask "
            "for the sweep again."
        ) from error
    state, problem = _state(cache, found)
    return replace(found, state=state, error=problem, trials=read_trials(folder))


def list_sweeps(cache: Path) -> list[Sweep]:
    """Return all sweeps that can be read, newest first."""
    found = []
    for path in (cache / "sweeps").glob("*/sweep.json"):
        with suppress(NotFoundError, StaleArtifactError):
            found.append(read_sweep(cache, path.parent.name))
    return sorted(found, key=lambda sweep: (sweep.created, sweep.id), reverse=True)


def update(sweep: Sweep, /, **changes: Any) -> Sweep:
    """Return the sweep after writing these changes; only its worker calls this."""
    changed = replace(sweep, **changes)
    write_json(changed.folder / "sweep.json", _record(changed))
    return changed


def append_trial(sweep: Sweep, trial: Trial) -> None:
    """Add a trial that has ended; one writer at a time."""
    append_json_line(sweep.folder / "trials.jsonl", trial)


def read_trials(folder: Path) -> tuple[Trial, ...]:
    """Return the trials of a sweep in the order of their numbers; a half-written line is left."""
    try:
        lines = (folder / "trials.jsonl").read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return ()
    trials = {}
    for line in lines:
        try:
            stored: dict[str, Any] = json.loads(line)
            curve = tuple(np.nan if auc is None else auc for auc in stored.pop("curve", ()))
            trials[stored["number"]] = Trial(curve=curve, **stored)
        except (ValueError, TypeError, KeyError):
            break  # damaged on disk
    return tuple(trials[number] for number in sorted(trials))


def job_id(sweep_id: str) -> str:
    """Return the id of the job that works on a sweep."""
    return f"sweep-{sweep_id}"


def show(sweep: Sweep) -> dict[str, Any]:
    """Return the sweep in the JSON shape that scripts rely on."""
    best = sweep.best
    plain = ("number", "parameters", "value", "state", "epochs", "seconds", "selected", "reason")
    return {
        "sweep": sweep.id,
        "cohort": sweep.cohort,
        "state": sweep.state,
        "settings": sweep.sweep,
        "base": sweep.settings,
        "fingerprint": sweep.fingerprint,
        "versions": sweep.versions,
        "seconds": sweep.spent_s,
        "error": sweep.error,
        "trials": [{name: getattr(trial, name) for name in plain} for trial in sweep.trials],
        "best": best
        and {"number": best.number, "value": best.value, "parameters": best.parameters},
        "importance": sweep.importance,
        "run": sweep.run,
    }


_DERIVED = {"folder", "state", "error", "trials"}
_STORED = tuple(field.name for field in fields(Sweep) if field.name not in _DERIVED)


def _record(sweep: Sweep) -> Mapping[str, Any]:
    return {"format": FORMAT_VERSION, **{name: getattr(sweep, name) for name in _STORED}}


def _state(cache: Path, sweep: Sweep) -> tuple[State, str | None]:
    """Return how a sweep stands, and why it failed: what its job says, unless it is finished."""
    try:
        job = jobs.job(cache, job_id(sweep.id))
    except (NotFoundError, StaleArtifactError):
        return ("finished" if sweep.is_finished else "interrupted"), None
    if sweep.is_finished and not job.is_open:
        return "finished", None
    if job.state == "finished":
        return "interrupted", None
    return job.state, job.error


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for package in ("optuna", "keras", "tensorflow", "numpy"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found
