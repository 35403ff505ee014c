"""What calling people cases at a threshold is worth, and whether probabilities come true."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pipeline.statistics.intervals import Interval, wilson


@dataclass(frozen=True)
class Calls:
    """What it is worth to call people cases, from a confusion matrix.

    Shares have Wilson's limits; `f1` and `mcc` (Matthews' correlation) have none. `ppv` and `npv`
    are those of a population in which the asked share of people is ill, the sample's own share of
    cases notwithstanding; `precision` is the share of true cases among those called so in the
    sample. NaN where nobody is there to count.
    """

    sensitivity: Interval
    specificity: Interval
    precision: Interval
    f1: float
    mcc: float
    ppv: Interval
    npv: Interval


@dataclass(frozen=True, eq=False)
class Calibration:
    """Probabilities against what happened, in bins of as many people each, (n_bins,).

    `probability` is the mean of the bin, `share` that of cases with Wilson's limits `low` and
    `high`, `n` its people. `brier` is the mean squared error, `ece` the expected calibration error:
    the mean distance of bins from the diagonal, weighed by people.
    """

    probability: NDArray[np.float64]
    share: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n: NDArray[np.intp]
    brier: float
    ece: float


def calls(confusion: NDArray[np.integer], prevalence: float, confidence: float = 0.95) -> Calls:
    """Return what the calls of a confusion matrix [[tn, fp], [fn, tp]] are worth.

    `prevalence` is the share of ill people in the population, above 0 and below 1. The limits of
    the predictive values are symmetric on the logit scale; where everybody or nobody is called
    rightly they count half a person more each way. (The adjusted logit of the same paper covered
    a 95 % interval in 85 to 95 % of simulated samples, this one in 94 to 95 %.)

    References: Mercaldo, Lau and Zhou 2007, Statistics in Medicine 26:2170-2183; Matthews 1975,
    Biochim Biophys Acta 405:442-451.
    """
    if not 0 < prevalence < 1:
        raise ValueError(f"a prevalence lies between 0 and 1, not at {prevalence}")
    (tn, fp), (fn, tp) = np.asarray(confusion, dtype=np.float64)
    n_case, n_control = tp + fn, tn + fp
    margins = (tp + fp) * n_case * n_control * (tn + fn)
    return Calls(
        sensitivity=wilson(tp, n_case, confidence),
        specificity=wilson(tn, n_control, confidence),
        precision=wilson(tp, tp + fp, confidence),
        f1=float(2 * tp / (2 * tp + fp + fn)) if n_case + fp else np.nan,
        mcc=float((tp * tn - fp * fn) / np.sqrt(margins)) if margins else np.nan,
        ppv=_predictive(tp, n_case, tn, n_control, prevalence, confidence),
        npv=_predictive(tn, n_control, tp, n_case, 1 - prevalence, confidence),
    )


def calibration(
    is_case: NDArray[np.bool_],
    probability: NDArray[np.floating],
    n_bins: int = 10,
    confidence: float = 0.95,
    min_people: int = 1,
    n_repeats: int = 1,
) -> Calibration:
    """Return how P(case) (n_people,) compares with what happened.

    Bins end at quantiles; people of the same probability share a bin, so there may be fewer. Bins
    are joined with the next until each has `min_people`. When everybody
    is given `n_repeats` times, limits are as wide as those of once and `n` counts once.

    References: Brier 1950, Monthly Weather Review 78:1-3; Naeini et al. 2015, AAAI 2901-2907.
    """
    is_case = np.asarray(is_case, bool)
    probability = np.asarray(probability, np.float64)
    ends = np.quantile(probability, np.linspace(0, 1, n_bins + 1)[1:-1])
    # As scikit-learn does it: a probability that equals an end belongs to the lower bin.
    place = np.unique(np.searchsorted(ends, probability, side="left"), return_inverse=True)[1]
    place = _joined(np.bincount(place), min_people * n_repeats)[place]
    n = np.bincount(place)
    n_case = np.bincount(place, weights=is_case)
    mean = np.bincount(place, weights=probability) / n
    limits = [
        wilson(k / n_repeats, of / n_repeats, confidence) for k, of in zip(n_case, n, strict=True)
    ]
    share = n_case / n
    return Calibration(
        probability=mean,
        share=share,
        low=np.array([limit.low for limit in limits]),
        high=np.array([limit.high for limit in limits]),
        n=n // n_repeats,
        brier=float(np.mean((probability - is_case) ** 2)),
        ece=float(np.average(np.abs(mean - share), weights=n)),
    )


@dataclass(frozen=True)
class Correlation:
    """Pearson's correlation of a score and the diagnosis, of `n` people, a `share` of them cases.

    `n` is as many independent people as say equally much, which need not be whole. NaN where there
    is one class or the score is constant.
    """

    r: float
    n: float
    share: float


def score_correlation(is_case: NDArray[np.bool_], score: NDArray[np.floating]) -> Correlation:
    """Return the correlation of a score (n_people,) with the diagnosis."""
    is_case = np.asarray(is_case, bool)
    score = np.asarray(score, np.float64)
    share = float(is_case.mean()) if is_case.size else np.nan
    is_there = is_case.size >= 4 and 0 < share < 1 and np.ptp(score) > 0
    r = float(np.corrcoef(is_case, score)[0, 1]) if is_there else np.nan
    return Correlation(r, float(is_case.size), share)


def mean_correlation(found: Sequence[Correlation], n_repeats: int = 1) -> Correlation:
    """Return the mean over folds, on Fisher's scale and weighed by people, as one correlation.

    Folds without a correlation count for nothing. When everybody is in `n_repeats` folds, the mean
    says as much as one look at each.
    """
    told = [one for one in found if np.isfinite(one.r) and one.n > 3]
    if not told:
        return Correlation(np.nan, 0.0, np.nan)
    weights = np.array([one.n - 3 for one in told])
    z = np.average([np.arctanh(np.clip(one.r, -1 + 1e-12, 1 - 1e-12)) for one in told],
                   weights=weights)  # fmt: skip
    share = np.average([one.share for one in told], weights=[one.n for one in told])
    return Correlation(float(np.tanh(z)), float(weights.sum() / n_repeats + 3), float(share))


def liability_r2(
    is_case: NDArray[np.bool_],
    score: NDArray[np.floating],
    prevalence: float,
    confidence: float = 0.95,
) -> Interval:
    """Return the share of the variance of liability that a score (n_people,) explains.

    The score has to be about normal, such as the log odds; see `liability_r2_of`.
    """
    return liability_r2_of(score_correlation(is_case, score), prevalence, confidence)


def liability_r2_of(
    correlation: Correlation, prevalence: float, confidence: float = 0.95
) -> Interval:
    """Return the share of the variance of liability that a score of this correlation explains.

    Liability is the normal trait whose upper tail, a share `prevalence` of the population, is ill.
    The squared correlation of score and diagnosis in the sample is put on that scale and corrected
    for the sample's share of cases; its limits are those of the correlation (Fisher's z). NaN
    without a correlation.

    References: Lee et al. 2012, Genetic Epidemiology 36:214-224, equation 15.
    """
    if not 0 < prevalence < 1:
        raise ValueError(f"a prevalence lies between 0 and 1, not at {prevalence}")
    share, r = correlation.share, abs(correlation.r)
    if not np.isfinite(r) or correlation.n <= 3:
        return Interval(np.nan, np.nan, np.nan)
    half = -special.ndtri((1 - confidence) / 2) / np.sqrt(correlation.n - 3)
    low, high = np.tanh(np.arctanh(min(r, 1 - 1e-12)) + np.array([-half, half]))
    threshold = -special.ndtri(prevalence)
    density = math.exp(-(threshold**2) / 2) / math.sqrt(2 * math.pi)
    excess = density / prevalence * (share - prevalence) / (1 - prevalence)
    theta = excess * (excess - threshold)
    scale = (prevalence * (1 - prevalence) / density) ** 2 / (share * (1 - share))

    def on_liability(correlation: float) -> float:
        observed = correlation**2
        return float(min(1.0, observed * scale / (1 + observed * theta * scale)))

    return Interval(on_liability(r), on_liability(max(0.0, low)), on_liability(high))


def _joined(n: NDArray[np.intp], min_people: int) -> NDArray[np.intp]:
    """Return the new number of each bin of `n` people when small ones join their neighbour."""
    number, joined, inside = 0, [], 0
    for i, people in enumerate(n):
        if inside >= min_people and n[i:].sum() >= min_people:
            number, inside = number + 1, 0
        joined.append(number)
        inside += people
    return np.array(joined)


def _predictive(
    n_right: float, n: float, n_other_right: float, n_other: float, share: float, confidence: float
) -> Interval:
    """Return the share of truly such people among those called so, where `share` are such.

    `n_right` of `n` such people, and `n_other_right` of `n_other` others, are called rightly.
    """
    if not (n and n_other):
        return Interval(np.nan, np.nan, np.nan)
    called, falsely = share * n_right / n, (1 - share) * (1 - n_other_right / n_other)
    value = called / (called + falsely) if called + falsely else np.nan
    z = -special.ndtri((1 - confidence) / 2)
    right, other = _inside(n_right, n), _inside(n_other_right, n_other)
    centre = special.logit(share) + np.log(right) - np.log1p(-other)
    half = z * np.sqrt((1 - right) / (right * n) + other / ((1 - other) * n_other))
    low, high = special.expit([centre - half, centre + half])
    if np.isnan(value):
        return Interval(np.nan, np.nan, np.nan)
    return Interval(float(value), float(min(low, value)), float(max(high, value)))


def _inside(k: float, n: float) -> float:
    """Return k / n, half a person away from 0 and 1, where a logit has no variance."""
    return k / n if 0 < k < n else (k + 0.5) / (n + 1)
