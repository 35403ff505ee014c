"""Thresholds to science in one step: the one object that every picture of a page reads."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.association import Association, associate
from pipeline.cohort import Cohort
from pipeline.errors import EmptyResultError, NotComputedError, PipelineError
from pipeline.logistic import n_missing, read_regression, regress
from pipeline.permutation import MaxT, read_max_t
from pipeline.quality import Filtered, filter_variants
from pipeline.samples import with_people
from pipeline.selection import rank
from pipeline.settings import AnalysisSettings, AssociationSettings

_AT_ONCE = 40_000_000  # genotypes that logistic regression does within about a second


@dataclass(frozen=True)
class Analysis:
    """What these thresholds keep and what it shows.

    `association` is None when nothing can be tested; `problem` then says why, and
    `n_to_regress` how many variants wait for logistic regression (0: that is not the reason).
    `max_t` are the permutations when these are the correction and are done. `entering` are the
    variant indices that the selection would take on all people (an honest run takes them on its
    training people), `n_genes_entering` their genes (None without a gene table).
    """

    filtered: Filtered
    association: Association | None
    problem: str
    n_to_regress: int
    max_t: MaxT | None
    entering: np.ndarray
    n_genes_entering: int | None

    @property
    def n_entering(self) -> int:
        return len(self.entering)

    def line(self, settings: AssociationSettings) -> float:
        """Return the -log10 p that a hit has to pass; infinite when nothing can."""
        lacks_permutations = settings.correction == "permutation" and self.max_t is None
        if self.association is None or lacks_permutations:
            return float("inf")
        return self.association.line(settings.correction, self.max_t)

    def lines(self, settings: AssociationSettings) -> pd.DataFrame:
        """Return the lines of a Manhattan plot: the usual ones, and that of the correction.

        Columns `label` and `y` (-log10 p); none where nothing is tested.
        """
        tested = self.association
        if tested is None:
            return pd.DataFrame(columns=["label", "y"])
        lines = {
            "5e-8 genome-wide": -math.log10(5e-8),
            f"Bonferroni of {tested.n_tested:,} tests": tested.bonferroni,
            "1e-5 suggestive": 5.0,
        }
        if settings.correction == "bh":
            lines["Benjamini-Hochberg"] = tested.line("bh")
        if settings.correction == "raw":
            lines["0.05 uncorrected"] = tested.line("raw")
        if settings.correction == "permutation" and self.max_t:
            lines[f"{len(self.max_t.largest):,} permutations"] = self.line(settings)
        return pd.DataFrame(
            [{"label": label, "y": y} for label, y in lines.items() if math.isfinite(y)]
        )


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
    asked = settings.association
    found, max_t, problem, n_to_regress = None, None, "", 0
    try:
        found = _association(cohort, filtered, asked)
        if asked.correction == "permutation" and asked.test != "logistic":
            max_t = read_max_t(cohort, filtered, asked)
    except NotComputedError as error:
        problem, n_to_regress = str(error), n_missing(cohort, filtered, asked)
    except PipelineError as error:
        problem = str(error)
    entering = np.empty(0, np.int64)
    ranking = AssociationSettings(test=settings.selection.test)
    try:
        ranks_as_asked = (asked.test, asked.fisher_table, asked.small_expected) == (
            ranking.test, ranking.fisher_table, "flag"
        )  # fmt: skip
        ranked = found if found and ranks_as_asked else associate(cohort, filtered, ranking)
        entering = filtered.kept[rank(ranked.neg_log10_p, settings.selection)]
    except EmptyResultError:
        pass  # `problem` has told it
    n_genes = _n_genes(cohort, entering) if found or n_to_regress else None
    return Analysis(filtered, found, problem, n_to_regress, max_t, entering, n_genes)


def _association(cohort: Cohort, filtered: Filtered, settings: AssociationSettings) -> Association:
    """Return the association; logistic regressions that are not done yet only when they are few."""
    if settings.test != "logistic":
        return associate(cohort, filtered, settings)
    done = read_regression(cohort, filtered, settings)
    if done is None and n_missing(cohort, filtered, settings) * _n_people(filtered) <= _AT_ONCE:
        done = regress(cohort, filtered, settings)
    return associate(cohort, filtered, settings, done)


def computed(cohort: Cohort) -> str:
    """Return a text that changes when regressions or permutations of a cohort come or go."""
    folder = cohort.store.path.parent
    stamps = []
    for path in sorted([*folder.glob("logistic/*.npy"), *folder.glob("permutations-*.npy")]):
        with suppress(FileNotFoundError):  # forgotten meanwhile
            stamps.append(f"{path.name} {path.stat().st_mtime_ns}")
    return "\n".join(stamps)


def _n_people(filtered: Filtered) -> int:
    return filtered.n_case + filtered.n_control


def _n_genes(cohort: Cohort, variants: np.ndarray) -> int | None:
    if not cohort.has_genes:
        return None
    counted = cohort.store.frame_of(
        "SELECT count(DISTINCT gene) AS n FROM annotation.variant_genes "
        "WHERE variant_index IN (SELECT wanted_index FROM wanted)",
        variants,
    )
    return int(counted["n"].iloc[0])
