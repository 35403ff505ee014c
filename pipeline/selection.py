"""Which variants enter the network: ranked by association of the people who may be looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.association import associate
from pipeline.cohort import Cohort
from pipeline.errors import EmptyResultError, LeakageError
from pipeline.quality import Filtered, keeps_by_labels
from pipeline.settings import AssociationSettings, QualitySettings, SelectionSettings


@dataclass(frozen=True)
class Selection:
    """Variant indices in genomic order with the -log10 p that chose them, and who was looked at.

    `looked_at` are the positions in the cohort, sorted, of the people whose labels and genotypes
    chose. `n_ranked` variants had a p.
    """

    variants: np.ndarray
    neg_log10_p: np.ndarray
    looked_at: np.ndarray
    n_ranked: int


def select(
    cohort: Cohort,
    counted: Filtered,
    looked_at: np.ndarray,
    settings: SelectionSettings,
    quality: QualitySettings,
) -> Selection:
    """Return the variants that enter, chosen on the counts of the people `looked_at`.

    `counted` holds the counts of those people alone. The rules of `quality` that read labels are
    applied on them too. A variant enters when its p is below `max_p`, or when it is among the
    `top` smallest (ties: genomic order). Raises `EmptyResultError` when none does.
    """
    found = associate(cohort, counted, AssociationSettings(test=settings.test))
    log_p = np.where(_keeps(counted, quality), found.neg_log10_p, np.nan)
    chosen = rank(log_p, settings)
    n_ranked = int(np.count_nonzero(~np.isnan(log_p)))
    if not len(chosen):
        raise EmptyResultError(
            f"The network needs variants, but none of {n_ranked:,} tested has p below "
            f"{settings.max_p:g}; raise selection.max_p or loosen the quality thresholds."
        )
    return Selection(counted.kept[chosen], log_p[chosen], np.sort(looked_at), n_ranked)


def rank(neg_log10_p: np.ndarray, settings: SelectionSettings) -> np.ndarray:
    """Return the rows, in increasing order, that p lets in: below `max_p`, or the `top` smallest.

    NaN (no test) never enters; of equal p the earlier row does.
    """
    if settings.top is None:
        return np.flatnonzero(neg_log10_p > -np.log10(settings.max_p))
    ranked = np.flatnonzero(~np.isnan(neg_log10_p))
    order = np.argsort(-neg_log10_p[ranked], kind="stable")
    return np.sort(ranked[order[: settings.top]])


def refuse_leak(selection: Selection, test_people: np.ndarray, protocol: str) -> None:
    """Raise `LeakageError` when test people were looked at under the honest protocol."""
    if protocol == "published":
        return
    seen = np.intersect1d(selection.looked_at, test_people)
    if len(seen):
        raise LeakageError(
            f"Under the honest protocol variants are ranked on training people, but {len(seen):,} "
            "test people were looked at; rank them again, or choose the protocol `published`."
        )


def _keeps(counted: Filtered, quality: QualitySettings) -> np.ndarray:
    control = counted.control.copy()
    control[counted.sex_counts.rows] = counted.sex_counts.control[:, 1]  # females only on X
    return keeps_by_labels(quality, counted.case, counted.control, control)
