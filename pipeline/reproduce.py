"""The paper's tables and stages, trained again: its figures beside ours.

    plan ──> submit (one run a row and protocol, through the queue) ──> results

A run is named by what determines it, so what has been trained before is opened, not trained again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline import jobs, runs
from pipeline.analysis import analyse
from pipeline.cohort import Cohort
from pipeline.errors import PipelineError, SettingsError
from pipeline.outline import outline_network
from pipeline.paper_tables import MAJORITY, N_CASE, N_CONTROL, N_VARIANTS, ROWS, Row
from pipeline.presets import PRESETS, apply_preset
from pipeline.runs import Run
from pipeline.settings import AnalysisSettings, with_changes
from pipeline.submit import find_run, submit_training

if TYPE_CHECKING:  # a chart asks for the frame, a plan needs none
    import pandas as pd

Protocol = Literal["honest", "published"]
PROTOCOLS: tuple[Protocol, ...] = ("honest", "published")

QUICK_EPOCHS = 3
# The paper's 2D network in plain Keras, 64 filters, at its own size: 197 s an epoch on two cores.
SECONDS_A_MULTIPLICATION = 8e-11
SECONDS_A_FOLD = 8.0  # choosing variants, building the network, fitting baselines
_LOOKED_AT = 40  # earlier runs, the newest

CAVEATS = (
    f"The paper's figures are of {N_CASE + N_CONTROL:,} people of a Swedish study and "
    f"{N_VARIANTS:,} variants (dbGaP phs000473.v2.p2, given on request). Without them its digits "
    "cannot come out; what can be held against it is how rows stand to each other and to the "
    f"majority line, which is {MAJORITY:.3f} in the paper's study.",
    "The paper states neither seeds nor K, nor all of the network; each preset says what is "
    "assumed. It gives no interval and no AUC, and its 80 % stands in the text alone.",
)


@dataclass(frozen=True)
class Planned:
    """A row of the paper under one protocol: its preset and everything that will be trained.

    `shortened_from` is how many epochs there would be if it were not quick, None when it is not.
    """

    row: Row
    preset: str
    protocol: Protocol
    settings: AnalysisSettings
    shortened_from: int | None = None

    @property
    def n_folds(self) -> int:
        """How many networks are trained."""
        split = self.settings.split
        return split.folds * split.repeats if split.folds else 1


@dataclass(frozen=True)
class Estimate:
    """How long the runs that are not there yet take, and what that is reckoned from."""

    seconds: float
    n_to_train: int
    basis: str


@dataclass(frozen=True)
class Reproduced:
    """A row of the paper beside our run of it; shares in 0 to 1, None where there is none.

    `accuracy`, `auc` and `prediction_error` are {value, low, high} of the test people, over folds
    where there are folds. `majority` is the share of the larger class among them. `same_as` names
    an earlier row that is the same run.
    """

    table: str
    label: str
    setup: str
    observation: str
    preset: str
    assumed: tuple[str, ...]
    paper_train_accuracy: float | None
    paper_test_accuracy: float | None
    paper_accuracy_of: str
    paper_prediction_error: float | None
    protocol: Protocol
    run: str | None
    state: str
    error: str | None
    same_as: str
    shortened_from: int | None
    n_folds: int
    epochs: int | None = None
    n_test: int | None = None
    train_accuracy: float | None = None
    accuracy: dict[str, float | None] | None = None
    auc: dict[str, float | None] | None = None
    loss: float | None = None
    prediction_error: dict[str, Any] | None = None
    majority: float | None = None


def plan(
    which: str,
    settings: AnalysisSettings | None = None,
    *,
    protocols: Sequence[Protocol] = PROTOCOLS,
    quick: bool = False,
    changes: Iterable[str] = (),
) -> tuple[Planned, ...]:
    """Return what to train for table 1, table 2 or the stages, in the order of the paper.

    The presets are applied over `settings`, `changes` ("stage.field=value") over the presets;
    `quick` then cuts the epochs. Raises `SettingsError`.
    """
    if which not in ROWS:
        raise SettingsError(
            f"What can be reproduced is table {', '.join(ROWS)}, but {which!r} was asked for; "
            "choose one of them."
        )
    changes = tuple(changes)
    if any(text.partition("=")[0].strip() == "selection.protocol" for text in changes):
        raise SettingsError(
            "A reproduction is told its protocols apart from its settings, but selection.protocol "
            "was set; use --protocol."
        )
    return tuple(
        _planned(row, protocol, settings or AnalysisSettings(), quick, changes)
        for row in ROWS[which]
        for protocol in protocols
    )


def _planned(
    row: Row, protocol: Protocol, base: AnalysisSettings, quick: bool, changes: tuple[str, ...]
) -> Planned:
    settings = with_changes(apply_preset(row.preset, base), changes)
    settings = with_changes(settings, {"selection.protocol": protocol})
    epochs = settings.training.epochs
    if not quick or epochs <= QUICK_EPOCHS:
        return Planned(row, row.preset, protocol, settings)
    cut = with_changes(settings, {"training.epochs": QUICK_EPOCHS})
    return Planned(row, row.preset, protocol, cut, epochs)


def submit(cache: Path, name: str, planned: Sequence[Planned]) -> list[Run]:
    """Queue what is not trained yet and return the run of each row, in order.

    When one of them cannot be asked for, those queued before it are taken back.
    """
    made: list[Run] = []
    try:
        for one in planned:
            made.append(submit_training(cache, name, one.settings, one.preset))
    except PipelineError:
        cancel(cache, made)
        raise
    return made


def cancel(cache: Path, made: Sequence[Run]) -> None:
    """Stop those of the runs that wait or run."""
    for run in made:
        if jobs.job(cache, run.id).is_open:
            jobs.cancel(cache, run.id)


def find_runs(cache: Path, cohort: Cohort, planned: Sequence[Planned]) -> list[Run | None]:
    """Return the run of each row in this cache, None where there is none; nothing starts."""
    return [find_run(cache, cohort, one.settings) for one in planned]


# ---- how long it takes ----------------------------------------------------------------------


@dataclass(frozen=True)
class _Earlier:
    """A run that has ended: multiplications of an epoch, seconds they took, seconds around them."""

    layout: str
    work: float
    seconds: float
    around: float


def estimate(cache: Path, cohort: Cohort, planned: Sequence[Planned]) -> Estimate:
    """Return how long the runs that are not finished take, one after the other.

    Reckoned from the earlier run of the same layout whose epochs are nearest in size, else by a
    rule of thumb, as if no training stopped early.
    """
    found = find_runs(cache, cohort, planned)
    wanted = {
        one.settings.canonical(): one
        for one, run in zip(planned, found, strict=True)
        if run is None or run.state != "finished"
    }
    if not wanted:
        return Estimate(0.0, 0, "all of them are trained already")
    analysis = analyse(cohort, planned[0].settings)
    n_people = analysis.filtered.n_case + analysis.filtered.n_control
    earlier = _earlier_runs(cache)
    seconds, n_by_rule = 0.0, 0
    for one in wanted.values():
        work = _multiplications(analysis.n_entering, one.settings) * _n_train(n_people, one)
        alike = [run for run in earlier if run.layout == one.settings.encoding.layout]
        rate, around = SECONDS_A_MULTIPLICATION, SECONDS_A_FOLD
        if alike and work:
            nearest = min(alike, key=lambda run: abs(math.log(run.work / work)))
            rate, around = nearest.seconds / nearest.work, nearest.around
        n_by_rule += not alike
        seconds += one.n_folds * (one.settings.training.epochs * work * rate + around)
    by_rule = f"a rule of thumb, {SECONDS_A_MULTIPLICATION * 1e12:.0f} s for 10¹² multiplications"
    basis = "earlier runs of the same layout"
    if n_by_rule:
        basis = by_rule if n_by_rule == len(wanted) else f"{basis} and {by_rule}"
    return Estimate(seconds, len(wanted), basis)


def _n_train(n_people: int, one: Planned) -> float:
    split = one.settings.split
    tested = 1 / split.folds if split.folds else split.test_fraction
    watched = split.validation_fraction if one.protocol == "honest" else 0.0
    return n_people * (1 - tested) * (1 - watched)


def _multiplications(n_variants: int, settings: AnalysisSettings) -> float:
    """Return the multiplications that one person takes, forward, in a convolutional network."""
    if not n_variants or settings.network.family != "convolutional":
        return 0.0
    layers = outline_network(
        n_variants, settings.encoding.layout, settings.network, settings.encoding.row_width
    )
    places = {"convolution": True, "dense": False, "output": False}
    return float(
        sum(
            layer.n_parameters * (math.prod(layer.shape[:-1]) if places[layer.kind] else 1)
            for layer in layers
            if layer.kind in places
        )
    )


def _earlier_runs(cache: Path) -> list[_Earlier]:
    finished = [run for run in runs.list_runs(cache) if run.state == "finished" and run.seconds]
    found = []
    for run in finished[:_LOOKED_AT]:
        metrics, epochs = runs.read_metrics(run), runs.read_progress(run)
        try:
            settings = run.analysis()
        except ValueError:
            continue  # of an older Exolens, whose settings had other names
        per_person = _multiplications(run.selected or 0, settings)
        if not metrics or not epochs or not per_person or not run.seconds:
            continue
        folds = metrics["folds"]
        training = sum(epoch.seconds for epoch in epochs)
        n_train = sum(fold["n_train"] for fold in folds) / len(folds)
        around = max(0.0, run.seconds - training) / len(folds)
        layout = settings.encoding.layout
        found.append(_Earlier(layout, per_person * n_train, training / len(epochs), around))
    return found


# ---- what came of it ------------------------------------------------------------------------


def results(planned: Sequence[Planned], found: Sequence[Run | None]) -> tuple[Reproduced, ...]:
    """Return the paper's figures beside those of our runs (of `submit` or `find_runs`)."""
    first_of: dict[str, str] = {}
    rows = []
    for one, run in zip(planned, found, strict=True):
        same_as = ""
        if run is not None:
            run = runs.load(run.cache, run.id)
            same_as = first_of.get(run.id, "")
            first_of.setdefault(run.id, one.row.label)
        rows.append(_reproduced(one, run, same_as))
    return tuple(rows)


def _reproduced(one: Planned, run: Run | None, same_as: str) -> Reproduced:
    row = one.row
    measured: dict[str, Any] = {}
    metrics = runs.read_metrics(run) if run is not None and run.state == "finished" else None
    if run is not None and metrics:
        test = metrics["test"]
        confusion = test["confusion"]
        measured = {
            "epochs": run.epochs,
            "n_test": test["n"],
            "train_accuracy": metrics["train"]["accuracy"],
            "accuracy": test["accuracy"],
            "auc": test["auc"],
            "loss": test["loss"],
            "prediction_error": metrics["prediction_error"],
            "majority": max(map(sum, confusion)) / max(1, sum(map(sum, confusion))),
        }
    return Reproduced(
        table=row.table,
        label=row.label,
        setup=row.setup,
        observation=row.observation,
        preset=one.preset,
        assumed=PRESETS[one.preset].assumed,
        paper_train_accuracy=_share(row.train_accuracy),
        paper_test_accuracy=_share(row.test_accuracy),
        paper_accuracy_of=row.accuracy_of,
        paper_prediction_error=_share(row.prediction_error),
        protocol=one.protocol,
        run=run.id if run else None,
        state=run.state if run else "not trained",
        error=run.error if run else None,
        same_as=same_as,
        shortened_from=one.shortened_from,
        n_folds=one.n_folds,
        **measured,
    )


def _share(percent: float | None) -> float | None:
    return None if percent is None else round(percent / 100, 6)


def as_frame(rows: Sequence[Reproduced]) -> pd.DataFrame:
    """Return the accuracies on test people as a table: what a chart draws.

    Columns: label, setup, who (paper, honest, published), value, low, high, majority; NaN where
    there is none. Each row of the paper comes once as `paper`, in its order, then our runs of it.
    """
    import pandas as pd

    drawn: list[dict[str, Any]] = []
    seen: set[str] = set()
    for row in rows:
        place = {"label": row.label, "setup": row.setup}
        if row.label not in seen:
            seen.add(row.label)
            drawn.append(place | {"who": "paper", "value": row.paper_test_accuracy})
        ours = row.accuracy or {}
        drawn.append(place | {"who": row.protocol, "majority": row.majority} | ours)
    columns = ["label", "setup", "who", "value", "low", "high", "majority"]
    frame = pd.DataFrame(drawn, columns=columns)
    return frame.astype({name: float for name in columns[3:]})
