"""The few figures of a run that a table of many shows, read from its metrics and its epochs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline import runs
from pipeline.errors import StaleArtifactError
from pipeline.runs import Run

SPARK_POINTS = 40  # of the curve in a cell of the table
_NOTHING = {"value": math.nan, "low": math.nan, "high": math.nan}


@dataclass(frozen=True)
class Measure:
    """A figure of a run that a table can show; `is_share` ones are written as percent."""

    name: str
    label: str
    is_share: bool
    help: str


MEASURES = {
    one.name: one
    for one in (
        Measure("auc", "AUC, test", False, "Area under the ROC curve of the test people."),
        Measure("accuracy", "Accuracy, test", True, "Test people who are called rightly."),
        Measure("average_precision", "Average precision, test", False,
                "Mean precision over all recalls of the test people."),
        Measure("loss", "Loss, test", False, "Cross-entropy of the test people, in nats."),
        Measure("best_val_auc", "AUC, validation", False,
                "Of the watched people at the epoch whose weights were kept."),
        Measure("best_val_loss", "Loss, validation", False,
                "Of the watched people at the epoch whose weights were kept."),
        Measure("best_val_accuracy", "Accuracy, validation", True,
                "Of the watched people at the epoch whose weights were kept."),
        Measure("train_auc", "AUC, training", False,
                "Of those who taught it: what is beyond the test people's is learned by heart."),
        Measure("baseline_auc", "AUC of the best baseline", False,
                "The highest of the models that the network has to beat."),
    )
}  # fmt: skip


@dataclass(frozen=True)
class RunSummary:
    """What a table shows of a run; NaN and empty where a run has not come so far.

    `measured` has value, low and high of each of `MEASURES`; those of validation people are of the
    epoch whose weights were kept (of the lowest loss, while it trains), as means over folds.
    `best_epoch` is its mean over folds. `val_loss` is the validation loss by epoch, a mean over
    the folds that reached it, thinned to `SPARK_POINTS`.
    """

    measured: Mapping[str, Mapping[str, float]]
    protocol: str
    n_test: int
    n_folds: int
    best_epoch: float
    n_epochs: int
    val_loss: tuple[float, ...]

    def value(self, measure: str) -> float:
        """Return a figure without its limits."""
        return self.measured.get(measure, _NOTHING)["value"]


def summarise(run: Run) -> RunSummary:
    """Return the figures of a run, from one read of its metrics and one of its epochs.

    A file that is broken counts as not there.
    """
    try:
        metrics = runs.read_metrics(run) or {}
    except StaleArtifactError:
        metrics = {}
    epochs = _epochs(run)
    best_of = {fold["fold"]: fold["best_epoch"] for fold in metrics.get("folds", ())}
    measured = _of_test_people(metrics) if metrics else {}
    best = _best_rows(epochs, best_of)
    if best is not None:
        for place, name in ((2, "best_val_loss"), (3, "best_val_accuracy"), (4, "best_val_auc")):
            measured[name] = _alone(float(epochs[best, place].mean()))
    protocol = metrics.get("protocol") or run.settings.get("selection", {}).get("protocol", "")
    return RunSummary(
        measured=measured,
        protocol=protocol,
        n_test=int(metrics["test"]["n"]) if metrics else 0,
        n_folds=len(best_of) or len(np.unique(epochs[:, 0])),
        best_epoch=math.nan if best is None else float(epochs[best, 1].mean()),
        n_epochs=len(epochs),
        val_loss=_thinned(_mean_by_epoch(epochs)),
    )


def _of_test_people(metrics: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    test, average = metrics["test"], metrics.get("average_precision", {}).get("network")
    baselines = [
        one["auc"] for name, one in metrics.get("baselines", {}).items() if name != "majority"
    ]
    found = {
        "auc": _numbers(test["auc"]),
        "accuracy": _numbers(test["accuracy"]),
        "loss": _alone(test.get("loss")),
        "train_auc": _alone(metrics.get("train", {}).get("auc")),
    }
    if average:
        found["average_precision"] = _numbers(average)
    told = [_numbers(one) for one in baselines if one["value"] is not None]
    if told:
        found["baseline_auc"] = max(told, key=lambda one: one["value"])
    return found


def _epochs(run: Run) -> np.ndarray:
    """Return fold, epoch, validation loss, accuracy and AUC of each epoch, (n_epochs, 5).

    All lines are parsed as one list, three times as fast as one by one; a file with a damaged line
    is read by line.
    """
    names = ("fold", "epoch", "val_loss", "val_accuracy", "val_auc")
    try:
        lines = run.progress_path.read_bytes().split(b"\n")[:-1]
        records = json.loads(b"[" + b",".join(lines) + b"]")
        rows = [[one[name] for name in names] for one in records]
    except FileNotFoundError:
        rows = []
    except (ValueError, KeyError, TypeError):
        rows = [[getattr(one, name) for name in names] for one in runs.read_progress(run)]
    return np.array(rows, dtype=np.float64).reshape(-1, len(names))


def _best_rows(epochs: np.ndarray, best_of: Mapping[int, int]) -> np.ndarray | None:
    """Return the row of the kept epoch of each fold, None without an epoch."""
    rows = []
    for fold in np.unique(epochs[:, 0]):
        own = np.flatnonzero(epochs[:, 0] == fold)
        kept = own[epochs[own, 1] == best_of.get(int(fold), -1)]
        if kept.size:
            rows.append(kept[-1])
        elif np.isfinite(epochs[own, 2]).any():
            rows.append(own[np.nanargmin(epochs[own, 2])])
    return np.array(rows) if rows else None


def _mean_by_epoch(epochs: np.ndarray) -> np.ndarray:
    known = epochs[np.isfinite(epochs[:, 2])]
    if not len(known):
        return np.empty(0)
    number, place = np.unique(known[:, 1], return_inverse=True)
    return np.bincount(place, known[:, 2], number.size) / np.bincount(place)


def _thinned(values: np.ndarray) -> tuple[float, ...]:
    """Return at most `SPARK_POINTS` of the values, the first, the last and the lowest among them.

    The lowest takes the place of its neighbour, so that a table shows where a run was best.
    """
    if values.size > SPARK_POINTS:
        places = np.linspace(0, values.size - 1, SPARK_POINTS).round().astype(int)
        lowest = int(values.argmin())
        nearest = int(np.abs(places - lowest).argmin())
        if 0 < nearest < SPARK_POINTS - 1:
            places[nearest] = lowest
        values = values[places]
    return tuple(round(float(value), 5) for value in values)


def _numbers(interval: Mapping[str, float | None]) -> dict[str, float]:
    return {name: math.nan if interval.get(name) is None else float(interval[name])  # type: ignore[arg-type]
            for name in ("value", "low", "high")}  # fmt: skip


def _alone(value: float | None) -> dict[str, float]:
    return {**_NOTHING, "value": math.nan if value is None else float(value)}
