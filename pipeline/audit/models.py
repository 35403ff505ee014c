"""The models that an audit fits again and again: L2 regression, or the network of the settings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipeline.audit import LOGISTIC
from pipeline.baselines.logistic import logistic_regressions
from pipeline.cohort import Cohort
from pipeline.fold import Plan, fit_fold, plan_folds
from pipeline.kept_weights import kept_weights
from pipeline.selection import Selection
from pipeline.settings import AnalysisSettings
from pipeline.splits import Roles
from pipeline.structure import families

# Codes (n_people, n_variants), who is a case, who is looked at by what, the variants: scores of all
# people, (n_people,), high in cases, called a case above one half. Whom no role but `test` names
# teaches nothing.
Model = Callable[[NDArray[np.uint8], NDArray[np.bool_], Roles, Selection], NDArray[np.floating]]


def first_plan(cohort: Cohort, settings: AnalysisSettings) -> Plan:
    """Return who trains and who is tested; an audit looks at the first split of the plan."""
    related = families(cohort)
    return plan_folds(cohort, settings, related.digest if related else "", cohort.gene_table)


def model_of(cohort: Cohort, settings: AnalysisSettings, name: str) -> Model:
    """Return L2 regression for `logistic_l2`, for any other name the network of the settings."""
    return _logistic if name == LOGISTIC else _network(cohort, settings)


def _logistic(
    genotypes: NDArray[np.uint8], is_case: NDArray[np.bool_], roles: Roles, _: Selection
) -> NDArray[np.floating]:
    parts = genotypes[roles.train], genotypes[roles.watch], genotypes
    fitted = logistic_regressions(
        parts, is_case[roles.train], is_case[roles.watch], (LOGISTIC,), genotypes[roles.fit]
    )
    return fitted[LOGISTIC].score


def _network(cohort: Cohort, settings: AnalysisSettings) -> Model:
    def fit(
        genotypes: NDArray[np.uint8], is_case: NDArray[np.bool_], roles: Roles, chosen: Selection
    ) -> NDArray[np.floating]:
        # TensorFlow is loaded here and not before: an audit of a regression never waits for it.
        from pipeline.training import forget_models, predict_probability

        given = kept_weights(cohort.cache, cohort, chosen.variants, settings)
        fitted = fit_fold(cohort, genotypes, is_case, roles, chosen, settings, file_weights=given)
        entered = np.searchsorted(chosen.variants, fitted.variants)
        score = predict_probability(fitted.model, genotypes[:, entered])
        forget_models()
        return score

    return fit
