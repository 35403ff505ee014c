"""Thresholds to science in one step: the one object that every picture of a page reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.association import Association, associate
from pipeline.cohort import Cohort
from pipeline.errors import EmptyResultError
from pipeline.quality import Filtered, filter_variants
from pipeline.samples import with_people
from pipeline.selection import rank
from pipeline.settings import AnalysisSettings, AssociationSettings


@dataclass(frozen=True)
class Analysis:
    """What these thresholds keep and what it shows.

    `association` is None when nothing can be tested; `problem` then says why. `n_entering` and
    `n_genes_entering` are variants that the selection would take on all people (an honest run
    takes them on its training people), and their genes (None without a gene table).
    """

    filtered: Filtered
    association: Association | None
    problem: str
    n_entering: int
    n_genes_entering: int | None


def analyse(cohort: Cohort, settings: AnalysisSettings) -> Analysis:
    """Return the funnel, the association and what would enter the network.

    `cohort` may be counted over the people kept already (`with_people`), and is else here.
    """
    counted = with_people(cohort, settings.samples)
    try:
        return _analyse(counted, settings)
    finally:
        if counted is not cohort:
            counted.store.close()


def _analyse(cohort: Cohort, settings: AnalysisSettings) -> Analysis:
    filtered = filter_variants(cohort, settings.quality, settings.people)
    try:
        found = associate(cohort, filtered, settings.association)
    except EmptyResultError as problem:
        return Analysis(filtered, None, str(problem), 0, None)
    of_selection = found
    if settings.selection.test != settings.association.test:
        ranking = AssociationSettings(test=settings.selection.test)
        of_selection = associate(cohort, filtered, ranking)
    entering = filtered.kept[rank(of_selection.neg_log10_p, settings.selection)]
    return Analysis(filtered, found, "", len(entering), _n_genes(cohort, entering))


def _n_genes(cohort: Cohort, variants: np.ndarray) -> int | None:
    if not cohort.has_genes:
        return None
    counted = cohort.store.frame_of(
        "SELECT count(DISTINCT gene) AS n FROM annotation.variant_genes "
        "WHERE variant_index IN (SELECT wanted_index FROM wanted)",
        variants,
    )
    return int(counted["n"].iloc[0])
