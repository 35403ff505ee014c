"""The trend of an AUC over training people, carried on to twice as many, with what is uncertain.

    AUC(n) = a - b (n / N)^-c     while it rises, a at most 1, b at least 0, c from 0.1 to 2
    AUC(n) = a + b log(n / N)     where it does not, or where there are fewer than four sizes

N are all training people there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.statistics import Interval

_EXPONENTS = np.geomspace(0.1, 2.0, 301)
_FEWEST_SIZES = 4  # of a curve with three parameters


@dataclass(frozen=True, eq=False)
class Trends:
    """Trends of several curves, arrays of shape (n_curves,); `c` is 0 where it is a line in log n.

    `n_all` are the people N that sizes are counted in.
    """

    a: NDArray[np.float64]
    b: NDArray[np.float64]
    c: NDArray[np.float64]
    n_all: float

    def at(self, n: NDArray[np.floating] | float) -> NDArray[np.float64]:
        """Return the AUC at `n` training people, shape (n_curves, n_sizes), within 0 and 1."""
        x = np.atleast_1d(np.asarray(n, np.float64)) / self.n_all
        a, b, c = self.a[:, None], self.b[:, None], self.c[:, None]
        rising = a - b * x ** -np.where(c > 0, c, 1.0)
        return np.clip(np.where(c > 0, rising, a + b * np.log(x)), 0.0, 1.0)

    def words(self) -> str:
        """Return the first trend as a formula."""
        a, b, c = self.a[0], self.b[0], self.c[0]
        of = f"n / {self.n_all:,.0f}"
        if c > 0:
            return f"AUC = {a:.3f} − {b:.3f} ({of})^−{c:.2f}"
        return f"AUC = {a:.3f} {'+' if b >= 0 else '−'} {abs(b):.3f} log({of})"


@dataclass(frozen=True, eq=False)
class Extrapolated:
    """A trend with intervals over test people and over who trains.

    `sizes` are training people with the trend and its limits, all (n_sizes,). `now` is the trend at
    all people, `twice` at twice as many, `gain` the difference of the two.
    """

    words: str
    sizes: NDArray[np.float64]
    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    now: Interval
    twice: Interval
    gain: Interval


def fit_trends(
    n: NDArray[np.floating], auc: NDArray[np.floating], weight: NDArray[np.floating]
) -> Trends:
    """Return the weighted least-squares trend of each curve.

    `n` and `weight` have shape (n_sizes,), `auc` (n_curves, n_sizes). At a given c the curve is
    linear in a and b, so that c alone is searched for.

    References: Figueroa et al. 2012, BMC Medical Informatics and Decision Making 12:8 (inverse
    power law); Golub and Pereyra 1973, SIAM J Numer Anal 10:413-432 (separable least squares).
    """
    n, auc = np.asarray(n, np.float64), np.atleast_2d(np.asarray(auc, np.float64))
    w = np.asarray(weight, np.float64) / np.sum(weight)
    x = n / n.max()
    a, slope = _line(np.log(x), auc, w)
    b, c = slope.copy(), np.zeros(len(auc))
    if len(n) < _FEWEST_SIZES:
        return Trends(a, b, c, float(n.max()))
    rises = np.flatnonzero(slope > 0)
    lowest = np.full(len(rises), np.inf)
    for exponent in _EXPONENTS:
        falls = x**-exponent
        level, step = _line(falls, auc[rises], w)
        over = level > 1
        to_one = ((1 - auc[rises]) * w) @ falls / (w @ falls**2)
        level, step = np.where(over, 1.0, level), np.where(over, to_one, -step)
        step = np.maximum(step, 0.0)
        error = ((auc[rises] - level[:, None] + step[:, None] * falls) ** 2) @ w
        closer = error < lowest
        lowest[closer] = error[closer]
        a[rises[closer]], b[rises[closer]] = level[closer], step[closer]
        c[rises[closer]] = exponent
    return Trends(a, b, c, float(n.max()))


def extrapolate(
    is_case: NDArray[np.bool_],
    scores: NDArray[np.floating],
    share_of: NDArray[np.intp],
    shares: NDArray[np.floating],
    n_train: NDArray[np.floating],
    seed: int,
    confidence: float = 0.95,
    n_resamples: int = 1000,
) -> Extrapolated:
    """Return the trend of fits on nested parts of the training people, up to twice as many.

    `scores` (n_fits, n_test) are those of the test people, whose cases are `is_case` (n_test,);
    `share_of` (n_fits,) says at which of `shares` (n_sizes,), the last of which is 1, a fit was
    made; `n_train` (n_sizes,) are the people of each share.

    The trend is that of the mean over draws, weighted by the precision of a mean over draws that
    share people. In each resample test people are drawn anew within each class, and what another
    draw of training people would have given is added, as large as draws differ; with one draw, as
    large as points lie off the line.
    """
    rng = np.random.default_rng([seed, 1])
    shares = np.asarray(shares, np.float64)
    n_draws = np.bincount(share_of, minlength=len(shares))
    observed = bootstrap_aucs(is_case, scores, None, rng)[0]
    drawn = bootstrap_aucs(is_case, scores, n_resamples, rng)
    means = mean_by_share(np.vstack([observed, drawn]), share_of, len(shares))
    weight = 1 / (1 + (1 - shares) / (n_draws * shares))
    means[1:] += _other_draws(observed, drawn, share_of, shares, n_draws, weight, rng)
    trends = fit_trends(n_train, means, weight)
    n_all = float(n_train[-1])
    sizes = np.unique(np.concatenate([np.linspace(n_train[0], 2 * n_all, 41), [n_all]]))
    along = trends.at(sizes)
    ends = trends.at(np.array([n_all, 2 * n_all]))
    tail = (1 - confidence) / 2
    low, high = np.quantile(along[1:], [tail, 1 - tail], axis=0)
    words = Trends(trends.a[:1], trends.b[:1], trends.c[:1], n_all).words()
    return Extrapolated(
        words=words,
        sizes=sizes,
        value=along[0],
        low=np.minimum(low, along[0]),
        high=np.maximum(high, along[0]),
        now=_interval(ends[:, 0], tail),
        twice=_interval(ends[:, 1], tail),
        gain=_interval(ends[:, 1] - ends[:, 0], tail),
    )


def bootstrap_aucs(
    is_case: NDArray[np.bool_],
    scores: NDArray[np.floating],
    n_resamples: int | None,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return the AUC of each score on people drawn with replacement, (n_resamples, n_scores).

    `scores` have shape (n_scores, n_people). Cases and controls are drawn apart, the same people
    for all scores; ties count one half. With None nobody is drawn: one row, everybody once.
    """
    is_case = np.asarray(is_case, bool)
    n_rows = 1 if n_resamples is None else n_resamples
    times = np.ones((n_rows, is_case.size))
    if n_resamples is not None:
        for who in (is_case, ~is_case):
            n = int(who.sum())
            times[:, who] = rng.multinomial(n, np.full(n, 1 / n), size=n_resamples)
    aucs = np.empty((n_rows, len(scores)))
    for i, score in enumerate(scores):
        order = np.argsort(score, kind="stable")
        begins = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
        cases = np.add.reduceat(times[:, order] * is_case[order], begins, axis=1)
        controls = np.add.reduceat(times[:, order] * ~is_case[order], begins, axis=1)
        below = np.cumsum(controls, axis=1) - controls / 2
        aucs[:, i] = (cases * below).sum(axis=1)
    return aucs / (is_case.sum() * (~is_case).sum())


def mean_by_share(
    aucs: NDArray[np.floating], share_of: NDArray[np.intp], n_shares: int
) -> NDArray[np.float64]:
    """Return the mean over the draws of each share, (n_rows, n_shares)."""
    is_of = share_of[:, None] == np.arange(n_shares)
    return aucs @ (is_of / np.maximum(1, is_of.sum(axis=0)))


def _other_draws(
    observed: NDArray[np.floating],
    drawn: NDArray[np.floating],
    share_of: NDArray[np.intp],
    shares: NDArray[np.floating],
    n_draws: NDArray[np.intp],
    weight: NDArray[np.floating],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return by how much other training people would move each share, (n_resamples, n_shares).

    If each person moved the AUC by a little on their own, a draw at share s would lie off that of
    all people by a Brownian bridge over s, and all people off others of their kind by the same
    amount at every share. One variance says how large both are: that between draws (n_fits,), less
    what other test people make of the same draws, which their resamples (n_resamples, n_fits) hold
    already.
    """
    n_resamples = len(drawn)
    several = np.flatnonzero((n_draws > 1) & (shares < 1))
    if not several.size:
        off = _off_line(observed, share_of, shares, weight)
        return rng.normal(scale=off, size=(n_resamples, len(shares)))
    between = np.array([observed[share_of == i].var(ddof=1) for i in several])
    by_chance = np.array(
        [(drawn - observed)[:, share_of == i].var(axis=1, ddof=1).mean() for i in several]
    )
    at_all = (between - by_chance) * shares[several] / (1 - shares[several])
    variance = max(0.0, float(at_all.mean()))
    most = int(n_draws.max())
    steps = np.diff(shares, prepend=0.0)
    walks = np.cumsum(rng.normal(size=(n_resamples, most, len(shares))) * np.sqrt(steps), axis=2)
    bridges = (walks - shares * walks[:, :, -1:]) / shares
    taken = np.arange(most)[:, None] < n_draws
    within = (bridges * taken).sum(axis=1) / n_draws
    return np.sqrt(variance) * (within + rng.normal(size=(n_resamples, 1)))


def _off_line(
    observed: NDArray[np.floating],
    share_of: NDArray[np.intp],
    shares: NDArray[np.floating],
    weight: NDArray[np.floating],
) -> float:
    """Return the standard deviation of points about their line in log n, 0 with two of them."""
    means = mean_by_share(observed[None], share_of, len(shares))
    w = weight / weight.sum()
    level, slope = _line(np.log(shares), means, w)
    off = means[0] - level[0] - slope[0] * np.log(shares)
    return float(np.sqrt(np.sum(off**2) / (len(shares) - 2))) if len(shares) > 2 else 0.0


def _line(
    x: NDArray[np.floating], y: NDArray[np.floating], w: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return level and slope of the weighted line through each row of y; weights sum to 1."""
    middle = w @ x
    off = x - middle
    slope = (y * w) @ off / (w @ off**2)
    return y @ w - slope * middle, slope


def _interval(values: NDArray[np.float64], tail: float) -> Interval:
    """Return the first value with the limits of the others."""
    low, high = np.quantile(values[1:], [tail, 1 - tail])
    value = float(values[0])
    return Interval(value, float(min(low, value)), float(max(high, value)))
