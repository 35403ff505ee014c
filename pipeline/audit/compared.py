"""Networks that were shown their variants in several orders, each order against shuffled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pipeline.statistics import Interval

Order = Literal["genomic", "gene", "p", "shuffled"]
Verdict = Literal["better", "as good", "worse"]


@dataclass(frozen=True)
class Compared:
    """What one order reaches, its mean over trainings, and how that compares with shuffled order.

    `difference` is its AUC minus that of shuffled order on the same people, `p` that of the
    difference, `p_holm` corrected for the orders that were compared; None where nothing is, as
    while trainings are missing, and for shuffled order itself.
    """

    order: Order
    n_seeds: int
    auc: Interval
    difference: Interval | None = None
    p: float = np.nan
    p_holm: float = np.nan
    verdict: Verdict | None = None


def compare(
    is_case: NDArray[np.bool_],
    scores: NDArray[np.floating],
    order_of: NDArray[np.intp],
    orders: Sequence[Order],
    confidence: float = 0.95,
) -> tuple[Compared, ...]:
    """Return what each order reaches, and against shuffled order where that is among them.

    `scores` (n_networks, n_test) are those of networks whose number in `orders` is `order_of`
    (n_networks,). Variances add up: DeLong's over test people, and that of trainings of the same
    order, pooled over orders; limits and p are of the t distribution that has Satterthwaite's
    degrees of freedom. With one training an order its variance is taken for 0. An order is better
    or worse when Holm's p is below 1 - `confidence`, else as good.

    References: DeLong et al. 1988, Biometrics 44:837-845; Satterthwaite 1946, Biometrics Bulletin
    2:110-114; Holm 1979, Scandinavian Journal of Statistics 6:65-70.
    """
    auc, covariance = auc_covariance(is_case, scores)
    mean_of = (order_of == np.arange(len(orders))[:, None]).astype(float)
    n_seeds = mean_of.sum(axis=1)
    mean_of /= n_seeds[:, None]
    mean = mean_of @ auc
    freedom = len(auc) - len(orders)
    of_training = np.sum((auc - mean[order_of]) ** 2) / freedom if freedom else 0.0

    def measured(contrast: NDArray[np.float64], lowest: float) -> tuple[Interval, float]:
        value = float(contrast @ mean)
        of_networks = contrast @ mean_of
        training = of_training * float(of_networks @ of_networks)
        total = float(of_networks @ covariance @ of_networks) + training
        df = total**2 * freedom / training**2 if training else np.inf
        error = np.sqrt(total)
        p = 2 * special.stdtr(df, -abs(value) / error) if error else float(not value)
        half = -special.stdtrit(df, (1 - confidence) / 2) * error
        low, high = np.clip([value - half, value + half], lowest, 1.0)
        return Interval(value, float(low), float(high)), float(p)

    each = np.eye(len(orders))
    found = [
        Compared(order, int(n), measured(each[i], 0.0)[0])
        for i, (order, n) in enumerate(zip(orders, n_seeds, strict=True))
    ]
    if "shuffled" not in orders:
        return tuple(found)
    shuffled = list(orders).index("shuffled")
    against = {i: measured(each[i] - each[shuffled], -1.0) for i in range(len(orders))}
    del against[shuffled]
    corrected = holm(np.array([p for _, p in against.values()]))
    for (i, (difference, p)), p_holm in zip(against.items(), corrected, strict=True):
        verdict: Verdict = "as good"
        if p_holm < 1 - confidence:
            verdict = "better" if difference.value > 0 else "worse"
        found[i] = replace(
            found[i], difference=difference, p=p, p_holm=float(p_holm), verdict=verdict
        )
    return tuple(found)


def auc_covariance(
    is_case: NDArray[np.bool_], scores: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the AUC of each score (n_scores, n_people) and their covariance over people.

    NaN with a single person in a class. References: DeLong et al. 1988, Biometrics 44:837-845.
    """
    from scipy.stats import rankdata  # here: it takes half a second of a start

    is_case = np.asarray(is_case, bool)
    n_case, n_control = int(is_case.sum()), int((~is_case).sum())
    ranks = rankdata(scores, axis=1)
    own_case = rankdata(scores[:, is_case], axis=1)
    own_control = rankdata(scores[:, ~is_case], axis=1)
    of_case = (ranks[:, is_case] - own_case) / n_control
    of_control = 1 - (ranks[:, ~is_case] - own_control) / n_case
    if min(n_case, n_control) < 2:
        return of_case.mean(axis=1), np.full((len(scores), len(scores)), np.nan)
    covariance = [np.atleast_2d(np.cov(part)) / part.shape[1] for part in (of_case, of_control)]
    return of_case.mean(axis=1), covariance[0] + covariance[1]


def holm(p: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return p (n_tests,) corrected so that the chance of any false finding is kept; NaN stays.

    References: Holm 1979, Scandinavian Journal of Statistics 6:65-70.
    """
    corrected = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    ranked = known[np.argsort(p[known], kind="stable")]
    raised = p[ranked] * np.arange(len(ranked), 0, -1)
    corrected[ranked] = np.minimum(1.0, np.maximum.accumulate(raised))
    return corrected
