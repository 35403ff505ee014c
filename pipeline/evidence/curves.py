"""ROC and precision-recall curves on a common grid, with bands from a bootstrap over people.

The bootstrap draws test people with replacement within each class of each fold; a person is drawn
as often in all models and all repeats. A resample is a weight for each person, so that scores are
sorted once. Over folds a curve is the mean of the folds' at each place of the grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pipeline.evidence.scored import Scored
from pipeline.statistics import Interval

FALSE_POSITIVE_RATE = np.linspace(0, 1, 101)
RECALL = np.linspace(0.01, 1, 100)
N_RESAMPLES = 400

_AT_ONCE = 500_000  # weights held together
_ROUNDING = 1e-7  # of sums of weights


@dataclass(frozen=True, eq=False)
class Curves:
    """What a score ranks, at every place of the grid: the curve itself, or one row a resample.

    `tpr` (n_rows, 101) is the share of cases called at each share of controls called, `precision`
    (n_rows, 100) that of true cases among those called at each recall, `average_precision`
    (n_rows,) the area under precision; NaN where a class is not there.
    """

    tpr: NDArray[np.float64]
    precision: NDArray[np.float64]
    average_precision: NDArray[np.float64]


def person_weights(folds: Sequence[Scored], n_resamples: int, seed: int) -> NDArray[np.uint8]:
    """Return how often each person of the run is drawn, (n_resamples, largest position + 1).

    Drawn within each class of the fold in which a person is tested first.
    """
    n_people = max(int(fold.people.max()) for fold in folds) + 1
    weights = np.zeros((n_resamples, n_people), np.uint8)
    seen = np.zeros(n_people, bool)
    rng = np.random.default_rng(seed)
    for fold in folds:
        for members in (fold.is_case, ~fold.is_case):
            people = fold.people[members & ~seen[fold.people]]
            if not people.size:
                continue
            drawn = rng.integers(people.size, size=(n_resamples, people.size))
            drawn += np.arange(n_resamples)[:, None] * people.size
            counted = np.bincount(drawn.ravel(), minlength=n_resamples * people.size)
            weights[:, people] = counted.reshape(n_resamples, -1)
        seen[fold.people] = True
    return weights


def curves_of(
    is_case: NDArray[np.bool_],
    score: NDArray[np.floating],
    weights: NDArray[np.number] | None = None,
) -> Curves:
    """Return the curves of a score (n_people,) for each row of `weights` (n_rows, n_people).

    Without weights everybody counts once. ROC: straight between two distinct scores, the upper end
    where it rises. Precision at a recall: that of the highest threshold which reaches it, so that
    the mean over all recalls is the average precision.

    References: Fawcett 2006, Pattern Recognition Letters 27:861-874; Davis and Goadrich 2006, ICML
    233-240 (why precision is not joined by straight lines).
    """
    is_case, score = np.asarray(is_case, bool), np.asarray(score)
    if weights is None:
        weights = np.ones((1, is_case.size), np.uint8)
    tpr = np.full((len(weights), FALSE_POSITIVE_RATE.size), np.nan)
    precision = np.full((len(weights), RECALL.size), np.nan)
    area = np.full(len(weights), np.nan)
    for rows, positive, of_case in _called(is_case, score, weights):
        right, area[rows] = _precision(positive, of_case)
        for row, cases, called, exact in zip(
            range(rows.start, rows.stop), of_case, positive, right, strict=True
        ):
            n_case, n_control = cases[-1], called[-1] - cases[-1]
            if not (n_case and n_control):
                continue
            tpr[row] = np.interp(
                FALSE_POSITIVE_RATE * n_control + _ROUNDING,
                np.append(0, called - cases),
                np.append(0, cases) / n_case,
            )
            precision[row] = exact[np.searchsorted(cases, RECALL * n_case - _ROUNDING)]
    return Curves(tpr, precision, area)


def average_precision_of(
    is_case: NDArray[np.bool_], score: NDArray[np.floating], weights: NDArray[np.number]
) -> NDArray[np.float64]:
    """Return the average precision alone, for each row of `weights`; see `curves_of`."""
    area = np.full(len(weights), np.nan)
    for rows, positive, of_case in _called(np.asarray(is_case, bool), np.asarray(score), weights):
        area[rows] = _precision(positive, of_case)[1]
    return area


def _called(
    is_case: NDArray[np.bool_], score: NDArray[np.floating], weights: NDArray[np.number]
) -> Iterator[tuple[slice, NDArray[np.int64], NDArray[np.int64]]]:
    """Yield rows, and how many people and how many cases they call down to each distinct score."""
    order = np.argsort(-score, kind="stable")
    is_end = np.append(np.diff(score[order]) != 0, True)
    case = is_case[order]
    chunk = max(1, _AT_ONCE // is_case.size)
    for start in range(0, len(weights), chunk):
        rows = slice(start, min(start + chunk, len(weights)))
        ordered = np.take(weights[rows], order, axis=1)
        positive = ordered.cumsum(axis=1, dtype=np.int32)
        of_case = (ordered * case).cumsum(axis=1, dtype=np.int32)
        if not is_end.all():
            positive, of_case = positive[:, is_end], of_case[:, is_end]
        yield rows, positive, of_case


def _precision(
    positive: NDArray[np.integer], of_case: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the precision at each distinct score, and the mean over recalls (n_rows,)."""
    # Nobody is called before the first person that a resample drew: 0 of 1.
    right = of_case / np.maximum(positive, 1)
    n_case = of_case[:, -1]
    total = (right[:, 1:] * np.diff(of_case, axis=1)).sum(axis=1) + right[:, 0] * of_case[:, 0]
    has_both = (n_case > 0) & (positive[:, -1] > n_case)
    return right, np.where(has_both, total / np.maximum(n_case, 1), np.nan)


def mean_curves(
    folds: Sequence[Scored], weights: NDArray[np.integer] | None = None
) -> Curves | None:
    """Return the mean of the folds' curves, for all people or for each row of `weights`.

    `weights` are those of `person_weights`. None where no fold has both classes.
    """
    told = [
        curves_of(fold.is_case, fold.score, None if weights is None else weights[:, fold.people])
        for fold in folds
        if fold.has_both
    ]
    if not told:
        return None
    return Curves(
        _mean([one.tpr for one in told]),
        _mean([one.precision for one in told]),
        _mean([one.average_precision for one in told]),
    )


def mean_average_precision(
    folds: Sequence[Scored], weights: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Return the mean of the folds' average precision, for each row of `weights`."""
    return _mean(
        [
            average_precision_of(fold.is_case, fold.score, weights[:, fold.people])
            for fold in folds
            if fold.has_both
        ]
    )


def band(
    resampled: NDArray[np.float64], confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the limits of each place of curves (n_resamples, n_places): pointwise percentiles."""
    tail = 100 * (1 - confidence) / 2
    low, high = np.nanpercentile(resampled, [tail, 100 - tail], axis=0)
    return low, high


def logit_interval(value: float, resampled: NDArray[np.float64], confidence: float) -> Interval:
    """Return a share with limits that are symmetric on the logit scale, from its resamples.

    Percentiles would lie too high: a resample holds people twice, and ranks them rightly more
    often. At exactly 0 or 1 there are no limits.
    """
    inside = resampled[(resampled > 0) & (resampled < 1)]
    if not 0 < value < 1 or inside.size < 2:
        return Interval(value, np.nan, np.nan)
    margin = -special.ndtri((1 - confidence) / 2) * special.logit(inside).std(ddof=1)
    low, high = special.expit(special.logit(value) + np.array([-margin, margin]))
    return Interval(value, float(low), float(high))


def _mean(values: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the mean over folds; a fold that lost a class in a resample is left out of it."""
    stacked = np.stack(values)
    n = np.isfinite(stacked).sum(axis=0)
    return np.divide(np.nansum(stacked, axis=0), n, out=np.full(n.shape, np.nan), where=n > 0)
