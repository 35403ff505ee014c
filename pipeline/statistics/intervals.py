"""Confidence intervals of what is measured on test people: shares and areas under the ROC curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special


@dataclass(frozen=True)
class Interval:
    """A value with its confidence limits; NaN where it cannot be had."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """Return value, low and high by name, as the run's metrics hold them."""
        return asdict(self)


def wilson(n_successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Return the share n_successes / n with Wilson's score interval; NaN when n is 0.

    References: Wilson 1927, JASA 22:209-212.
    """
    if n == 0:
        return Interval(np.nan, np.nan, np.nan)
    low, high = _wilson_limits(n_successes / n, n, confidence)
    return Interval(n_successes / n, low, high)


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the mean of independent values with Student's t interval; NaN limits below two."""
    found = np.asarray(values, np.float64)
    if found.size < 2:
        return Interval(float(found.mean()) if found.size else np.nan, np.nan, np.nan)
    error = found.std(ddof=1) / np.sqrt(found.size)
    half = float(-special.stdtrit(found.size - 1, (1 - confidence) / 2) * error)
    mean = float(found.mean())
    return Interval(mean, mean - half, mean + half)


def auc_delong(
    is_case: NDArray[np.bool_], score: NDArray[np.floating], confidence: float = 0.95
) -> Interval:
    """Return the area under the ROC curve of a score, high in cases, with DeLong's interval.

    Both arrays have shape (n_people,); tied scores count one half. The limits are symmetric on the
    logit scale, so they stay within 0 and 1. At an area of exactly 0 or 1 DeLong's variance is 0
    and would claim certainty; there the limits are Wilson's for as many people as the smaller class
    has. NaN with an empty class, NaN limits with a single person in one.
    Raises ValueError for a score that is NaN.

    References: DeLong et al. 1988, Biometrics 44:837-845; Sun and Xu 2014, IEEE Signal Processing
    Letters 21:1389-1393 (midranks, n log n).
    """
    case_placement, control_placement = _placements(is_case, score)
    if not (case_placement.size and control_placement.size):
        return Interval(np.nan, np.nan, np.nan)
    auc = float(case_placement.mean())
    if auc in (0.0, 1.0):
        n_smaller = min(case_placement.size, control_placement.size)
        return Interval(auc, *_wilson_limits(auc, n_smaller, confidence))
    standard_error = _standard_error(case_placement, control_placement)
    margin = _z(confidence) * standard_error / (auc * (1 - auc))
    low, high = special.expit(special.logit(auc) + np.array([-margin, margin]))
    return Interval(auc, float(low), float(high))


def auc_difference(
    is_case: NDArray[np.bool_],
    score_a: NDArray[np.floating],
    score_b: NDArray[np.floating],
    confidence: float = 0.95,
) -> Interval:
    """Return the area of score a minus that of score b on the same people, paired DeLong.

    The arrays have shape (n_people,). The limits are symmetric, cut at -1 and 1. NaN with an empty
    class, NaN limits with a single person in one. Two perfect scores differ by 0 with no width.
    Raises ValueError for a score that is NaN.

    References: as `auc_delong`.
    """
    a, b = _placements(is_case, score_a), _placements(is_case, score_b)
    if not (a[0].size and a[1].size):
        return Interval(np.nan, np.nan, np.nan)
    difference = float(a[0].mean() - b[0].mean())
    # The variance of a difference of means is that of the mean of the paired differences.
    margin = _z(confidence) * _standard_error(a[0] - b[0], a[1] - b[1])
    low, high = np.clip([difference - margin, difference + margin], -1.0, 1.0)
    return Interval(difference, float(low), float(high))


def _placements(
    is_case: NDArray[np.bool_], score: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each case's share of controls below it, and each control's share of cases above it.

    Ties count one half; the mean of either is the area under the curve.
    """
    from scipy.stats import rankdata  # here: it takes half a second of a start

    is_case, score = np.asarray(is_case, bool), np.asarray(score)
    if np.isnan(score).any():
        raise ValueError("A score is NaN; the area under the curve needs one for each person.")
    case, control = score[is_case], score[~is_case]
    rank = rankdata(score)
    n_controls_below = rank[is_case] - rankdata(case)
    n_cases_below = rank[~is_case] - rankdata(control)
    # With an empty class the other one has no share to give, and the caller returns NaN.
    n_case, n_control = max(case.size, 1), max(control.size, 1)
    return n_controls_below / n_control, 1 - n_cases_below / n_case


def _standard_error(of_case: NDArray[np.float64], of_control: NDArray[np.float64]) -> float:
    if min(of_case.size, of_control.size) < 2:
        return float("nan")
    return float(
        np.sqrt(of_case.var(ddof=1) / of_case.size + of_control.var(ddof=1) / of_control.size)
    )


def _wilson_limits(share: float, n: float, confidence: float) -> tuple[float, float]:
    z = _z(confidence)
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    margin = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # Rounding must not leave the value outside of its own limits.
    low, high = min(centre - margin, share), max(centre + margin, share)
    return float(max(low, 0.0)), float(min(high, 1.0))


def _z(confidence: float) -> float:
    return float(special.ndtri((1 + confidence) / 2))
