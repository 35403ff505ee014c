"""How many are called at each threshold, and what that is worth in a population."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.evidence.scored import Scored
from pipeline.statistics import Calls, Correlation, Interval, calls, liability_r2_of

# Shares of ill people in a population that a page offers, about evenly spread on a log scale.
PREVALENCES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
DEFAULT_PREVALENCE = 0.01  # schizophrenia

_MOST_STEPS = 250
_STEPS = np.array([1.0, 2.0, 2.5, 5.0, 10.0])


@dataclass(frozen=True)
class AtThreshold:
    """What calling people cases is worth.

    `threshold` None stands for each fold's own. `confusion` [[tn, fp], [fn, tp]] is pooled over
    folds; with repeats it counts everybody so often, the limits of `calls` do not. `liability_r2`
    is None where the run was made before it was measured.
    """

    threshold: float | None
    confusion: list[list[int]]
    calls: Calls
    liability_r2: Interval | None


def round_thresholds(
    score: NDArray[np.floating], extra: Sequence[float], most: int = _MOST_STEPS
) -> NDArray[np.float64]:
    """Return round numbers, evenly spread, that enclose scores, and the `extra` ones exactly.

    At most about `most` of them and at least 0.4 times as many, fewer where scores lie within a
    thousandth: the outermost scores are those of single people, and are not told.
    """
    score = np.asarray(score, np.float64)
    least = max(float(np.ptp(score)) / most, 1e-5)
    power = 10.0 ** np.floor(np.log10(least))
    step = power * _STEPS[np.searchsorted(_STEPS, least / power * (1 - 1e-9))]
    first, last = np.floor(score.min() / step), np.ceil(score.max() / step)
    spread = np.round(np.arange(first, last + 1) * step, 10)
    given = np.asarray(extra, np.float64)
    is_far = (np.abs(spread[:, None] - given) > step / 1000).all(axis=1)
    return np.unique(np.concatenate([spread[is_far], given]))


def threshold_table(network: Sequence[Scored]) -> dict[str, Any]:
    """Return how many cases and controls of each fold are called above each threshold.

    Thresholds are about 200 round numbers over the scores of all folds, with 0.5 and each fold's
    own exactly among them; a person is called when the score is above.
    """
    scores = np.concatenate([np.asarray(fold.score, np.float64) for fold in network])
    values = round_thresholds(scores, sorted({0.5, *(fold.threshold for fold in network)}))
    folds = []
    for fold in network:
        score = np.asarray(fold.score, np.float64)
        of_class: dict[str, Any] = {}
        for name, members in (("cases", fold.is_case), ("controls", ~fold.is_case)):
            ordered = np.sort(score[members])
            above = ordered.size - np.searchsorted(ordered, values, side="right")
            of_class |= {f"n_{name}": int(ordered.size), f"{name}_called": above.tolist()}
        folds.append({"own": float(fold.threshold), **of_class})
    return {"values": values.tolist(), "folds": folds}


def threshold_choices(metrics: Mapping[str, Any]) -> list[float]:
    """Return the thresholds that a run can be looked at, ascending; none for an older run."""
    return list(metrics.get("thresholds", {}).get("values", ()))


def own_threshold(metrics: Mapping[str, Any]) -> float | None:
    """Return the threshold of all folds, None where each has its own."""
    own = {fold.get("threshold", 0.5) for fold in metrics["folds"]}
    return own.pop() if len(own) == 1 else None


def at_threshold(
    metrics: Mapping[str, Any],
    threshold: float | None = None,
    prevalence: float = DEFAULT_PREVALENCE,
) -> AtThreshold:
    """Return what calling people cases above a threshold is worth, from a run's metrics.

    `threshold` is one of `threshold_choices`, or None for each fold's own, which older runs have
    too. Raises ValueError for another threshold, or a prevalence outside of 0 to 1.
    """
    test, confidence = metrics["test"], metrics.get("confidence", 0.95)
    confusion = np.asarray(test["confusion"])
    # With repeats the same people are there so often, and tell no more for that.
    n_repeats = max(1, round(confusion.sum() / max(1, test["n"])))
    if threshold is not None:
        table = metrics["thresholds"]
        if threshold not in table["values"]:
            raise ValueError(f"{threshold} is none of the thresholds that were counted")
        confusion = _confusion(table["folds"], table["values"].index(threshold))
    told = metrics.get("liability")
    r2 = None
    if told:
        known = {name: np.nan if value is None else value for name, value in told.items()}
        r2 = liability_r2_of(Correlation(**known), prevalence, confidence)
    return AtThreshold(
        threshold,
        confusion.tolist(),
        calls(confusion / n_repeats, prevalence, confidence),
        r2,
    )


def _confusion(folds: Sequence[Mapping[str, Any]], place: int) -> NDArray[np.intp]:
    case = sum(fold["cases_called"][place] for fold in folds)
    control = sum(fold["controls_called"][place] for fold in folds)
    n_case, n_control = (sum(fold[f"n_{c}"] for fold in folds) for c in ("cases", "controls"))
    return np.array([[n_control - control, control], [n_case - case, case]])
