"""What a score is worth among people who are alike, and whether it adds to what is known of them.

References: Janes and Pepe 2009, Biometrika 96:371-382 (the covariate-adjusted ROC curve);
Austin 2011, Pharmaceutical Statistics 10:150-161 (people are alike whose log odds lie within 0.2
standard deviations).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pipeline.statistics import Interval, auc_delong, wilson

MIN_OF_CLASS = 5  # cases, and controls, of a stratum whose AUC is told: with fewer it is a person's
CALIPER = 0.2  # standard deviations of log odds within which people are alike


@dataclass(frozen=True)
class Stratum:
    """Test people who are alike; NaN for an AUC with fewer than 5 of a class."""

    label: str
    n: int
    n_case: int
    auc: Interval


@dataclass(frozen=True)
class Strata:
    """A way to part the test people, and the AUC within its parts.

    `pooled` is the share of the pairs of a case and a control of one stratum in which the case
    scores higher: the mean of the strata's AUC weighted by their pairs. `share_of_pairs` of all
    pairs lie within a stratum that has 5 or more of either class; only these count. NaN for none.
    `of_column` says that the label is the name of a column of the phenotypes.
    """

    label: str
    strata: tuple[Stratum, ...]
    pooled: Interval
    n_pairs: int
    share_of_pairs: float
    of_column: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the strata ready for JSON, None for NaN."""
        return {
            "label": self.label,
            "of_column": self.of_column,
            "strata": [
                {"label": s.label, "n": s.n, "n_case": s.n_case, "auc": finite(s.auc)}
                for s in self.strata
            ],
            "pooled": finite(self.pooled),
            "n_pairs": self.n_pairs,
            "share_of_pairs": self.share_of_pairs,
        }


@dataclass(frozen=True)
class Alike:
    """The AUC over the pairs of a case and a control who are alike; NaN for too few people.

    `auc` is the share of these pairs in which the case scores higher; `share_of_pairs` of all pairs
    are alike.
    """

    auc: Interval
    n_pairs: int
    share_of_pairs: float

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON, None for NaN."""
        return {
            "auc": finite(self.auc),
            "n_pairs": self.n_pairs,
            "share_of_pairs": self.share_of_pairs,
        }


def within(
    label: str,
    names: NDArray[np.str_],
    is_case: NDArray[np.bool_],
    score: NDArray[np.floating],
    confidence: float = 0.95,
    of_column: bool = False,
) -> Strata:
    """Return the AUC of a score, high in cases, within people of one name, (n_people,) each.

    Strata stand in the order of their names' first appearance in `np.unique`. The variance of the
    pooled AUC is that of DeLong within each stratum, weighted by the square of its share of pairs;
    limits are symmetric on the logit scale.
    """
    strata, parts = [], []
    for name in np.unique(names):
        chosen = names == name
        n, n_case = int(chosen.sum()), int(is_case[chosen].sum())
        auc = Interval(np.nan, np.nan, np.nan)
        if min(n_case, n - n_case) >= MIN_OF_CLASS:
            auc = auc_delong(is_case[chosen], score[chosen], confidence)
            parts.append(_pairs(is_case[chosen], score[chosen]))
        strata.append(Stratum(str(name), n, n_case, auc))
    n_all = int(is_case.sum()) * int((~is_case).sum())
    n_pairs = sum(pairs for pairs, _, _ in parts)
    share = n_pairs / max(n_all, 1)
    return Strata(label, tuple(strata), _pooled(parts, confidence), n_pairs, share, of_column)


def among_alike(
    is_case: NDArray[np.bool_],
    score: NDArray[np.floating],
    known: NDArray[np.floating],
    spread_of: NDArray[np.floating],
    confidence: float = 0.95,
) -> Alike:
    """Return the AUC of a score, high in cases, among people of like `known`, (n_people,) each.

    `known` are probabilities; two people are alike within 0.2 standard deviations of the log odds
    of `spread_of`. The variance is that of a ratio of two-sample U statistics (DeLong's where all
    are alike); limits are symmetric on the logit scale.
    """
    odds = _logit(known)
    case, control = np.flatnonzero(is_case), np.flatnonzero(~is_case)
    near = CALIPER * _logit(spread_of).std() + 1e-9
    is_pair = np.abs(odds[case][:, None] - odds[control]) <= near
    n_pairs = int(is_pair.sum())
    n_case, n_control = (int(is_pair.any(axis=axis).sum()) for axis in (1, 0))
    share = n_pairs / max(is_pair.size, 1)
    if min(n_case, n_control) < MIN_OF_CLASS:
        return Alike(Interval(np.nan, np.nan, np.nan), n_pairs, share)
    wins = (np.sign(score[case][:, None] - score[control]) + 1) / 2
    auc = float(wins[is_pair].mean())
    if auc in (0.0, 1.0):
        return Alike(
            wilson(auc * min(n_case, n_control), min(n_case, n_control), confidence), n_pairs, share
        )
    off = np.where(is_pair, wins - auc, 0.0)
    small = [k / (k - 1) for k in (n_case, n_control)]
    parts = [k * np.sum(off.sum(axis=axis) ** 2) for k, axis in zip(small, (1, 0), strict=True)]
    return Alike(_limits(auc, np.sqrt(sum(parts)) / n_pairs, confidence), n_pairs, share)


def parts_of(
    values: NDArray[np.floating], cut_on: NDArray[np.floating], n_parts: int
) -> NDArray[np.str_]:
    """Return in which of `n_parts` equal shares of `cut_on` each value lies, "1 of 3" and so on.

    Equal values share a part, so there may be fewer; NaN is `unknown`.
    """
    known = cut_on[~np.isnan(cut_on)]
    if not known.size:
        return np.full(len(values), "unknown")
    cuts = np.unique(np.quantile(known, np.arange(1, n_parts) / n_parts, method="lower"))
    place = np.searchsorted(cuts, values, side="left")
    distinct, place = np.unique(place, return_inverse=True)
    names = np.array([f"{i + 1} of {len(distinct)}" for i in range(len(distinct))])[place]
    return np.where(np.isnan(values), "unknown", names)


def added_beyond(
    is_case: NDArray[np.bool_],
    known: NDArray[np.floating],
    score: NDArray[np.floating],
    confidence: float = 0.95,
) -> Interval:
    """Return the odds ratio of a standard deviation of the log odds of `score` beside `known`.

    The log odds of `known` enter with their square and cube, as what they stand for need not act
    in a line. Where `known` is a noisy view of a confounder, a score that is a clearer one adds to
    it without being anything else (Westfall and Yarkoni 2016, PLoS ONE 11:e0152719).

    Both are probabilities (n_people,) from models that never saw these people. They enter one
    logistic regression with Firth's penalty, which is finite where a score parts the classes; a
    coefficient of `score` other than 0 says that it adds to what is known (a test of the
    coefficient is a test of any gain in prediction, and has more power than a difference of AUC).
    NaN when either class is empty, 1 for a constant score.

    References: Pepe et al. 2013, Statistics in Medicine 32:1467-1482; Vickers et al. 2011, BMC
    Medical Research Methodology 11:13; Firth 1993, Biometrika 80:27-38.
    """
    if not 0 < is_case.sum() < is_case.size:
        return Interval(np.nan, np.nan, np.nan)
    line = _standard_logit(known)
    columns = [line, line**2, line**3, _standard_logit(score)]
    if not columns[-1].any():
        return Interval(1.0, 1.0, 1.0)
    x = np.column_stack([np.ones(is_case.size), *(c for c in columns if c.any())])
    beta, covariance = _firth(x, is_case)
    half = special.ndtri((1 + confidence) / 2) * np.sqrt(covariance[-1, -1])
    low, value, high = np.exp(np.clip(beta[-1] + np.array([-half, 0.0, half]), -50, 50))
    return Interval(float(value), float(low), float(high))


def finite(interval: Interval) -> dict[str, float | None]:
    """Return value, low and high with None for NaN, which JSON has no word for."""
    return {
        name: float(value) if np.isfinite(value) else None
        for name, value in interval.as_dict().items()
    }


def _pairs(is_case: NDArray[np.bool_], score: NDArray[np.floating]) -> tuple[int, float, float]:
    """Return the pairs of a stratum, its AUC and DeLong's variance of it."""
    case, control = np.sort(score[is_case]), np.sort(score[~is_case])
    # Each case's share of controls below it, each control's share of cases above; ties half.
    below = [np.searchsorted(control, case, side=side) for side in ("left", "right")]
    above = [case.size - np.searchsorted(case, control, side=side) for side in ("left", "right")]
    of_case = np.add(*below) / (2 * control.size)
    of_control = np.add(*above) / (2 * case.size)
    variance = of_case.var(ddof=1) / case.size + of_control.var(ddof=1) / control.size
    return case.size * control.size, float(of_case.mean()), float(variance)


def _pooled(parts: list[tuple[int, float, float]], confidence: float) -> Interval:
    if not parts:
        return Interval(np.nan, np.nan, np.nan)
    n_pairs, auc, variance = (np.array(column, float) for column in zip(*parts, strict=True))
    weight = n_pairs / n_pairs.sum()
    value, error = float(weight @ auc), float(np.sqrt(weight**2 @ variance))
    if not error:  # no variance was seen; Wilson's for as many people as make the pairs
        value = round(value)
        n = float(np.sqrt(n_pairs.sum()))
        return wilson(value * n, n, confidence)
    return _limits(value, error, confidence)


def _limits(auc: float, error: float, confidence: float) -> Interval:
    half = special.ndtri((1 + confidence) / 2) * error / (auc * (1 - auc))
    low, high = special.expit(special.logit(auc) + np.array([-half, half]))
    return Interval(auc, float(low), float(high))


def _logit(probability: NDArray[np.floating]) -> NDArray[np.float64]:
    return special.logit(np.clip(np.asarray(probability, np.float64), 1e-6, 1 - 1e-6))


def _standard_logit(probability: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return log odds of mean 0 and standard deviation 1; 0 throughout where they are constant."""
    odds = _logit(probability)
    spread = odds.std()
    return (odds - odds.mean()) / spread if spread > 1e-9 else np.zeros_like(odds)


def _firth(
    x: NDArray[np.float64], y: NDArray[np.bool_], n_steps: int = 100
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return coefficients and their covariance under Jeffreys' prior."""
    beta = np.zeros(x.shape[1])
    for _ in range(n_steps):
        p = special.expit(x @ beta)
        weighted = x * (p * (1 - p))[:, None]
        covariance = np.linalg.pinv(x.T @ weighted)
        leverage = np.einsum("ij,jk,ik->i", weighted, covariance, x)
        step = covariance @ (x.T @ (y - p + leverage * (0.5 - p)))
        beta += step * min(1.0, 2.0 / max(np.abs(step).max(), 1e-12))
        if np.abs(step).max() < 1e-8:
            break
    return beta, covariance
