"""Is it ancestry, batch or quality? The audited model beside models that know no disease.

Models of principal components, sex, quality of the calls, missingness and each column of the
phenotypes are taught by the training people and measured on the same test people as the audited
one; and the audited one is measured again among people who are alike in each. What it is worth
there is what the confounder cannot have given it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.association import associate
from pipeline.audit.confounders import (
    Confounder,
    column_names,
    column_words,
    current_structure,
    find_confounders,
    score_alone,
    sexes,
)
from pipeline.audit.light import Light, Weighed, judge, share_left
from pipeline.audit.models import LOGISTIC, first_plan, model_of
from pipeline.audit.strata import Strata, added_beyond, among_alike, finite, parts_of, within
from pipeline.cohort import Cohort
from pipeline.covariates import LAMBDA_ERROR, MOST_LEVELS, structure_warning
from pipeline.evaluation import evaluate
from pipeline.fold import Plan
from pipeline.progress import Clock, OnProgress, silent
from pipeline.recount import fetch_genotypes, recount
from pipeline.selection import select
from pipeline.settings import AnalysisSettings, AssociationSettings
from pipeline.splits import Roles, assign_roles
from pipeline.statistics import Interval, auc_delong, auc_difference

PHASE = "looking for confounding"
_LEADING = 2  # components whose thirds are strata of their own
_MOST_NUMBERS = 5  # different numbers of a column that are levels, such as batches 1 to 5
_SMALLEST_LEVEL = 10  # test people; smaller levels of a column are told together


@dataclass(frozen=True, eq=False)
class Weights:
    """The audited model against all confounders, and within strata of the test people.

    `added` is the odds ratio of a standard deviation of the audited score's log odds beside all
    confounders together (NaN where there are none).
    """

    audited: Interval
    accuracy: dict[str, float | None]
    n_test: int
    n_test_case: int
    weighed: tuple[Weighed, ...]
    strata: tuple[Strata, ...]
    added: Interval


@dataclass(frozen=True, eq=False)
class Way:
    """A way to part people: the name of each one's stratum, (n_people,).

    `of_column` says that the label is the name of a column of the phenotypes.
    """

    label: str
    names: NDArray[np.str_]
    of_column: bool = False


@dataclass(frozen=True, eq=False)
class Confounding:
    """What a model's accuracy may be made of, in aggregates only.

    `lambda_gc` comes from the association of the training people, over `n_of_lambda` variants;
    `warning` is what `structure_warning` says of them, "" for nothing.
    """

    model: str
    weights: Weights
    light: Light
    lambda_gc: float
    n_of_lambda: int
    warning: str
    n_components: int
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it ready for JSON, None for what cannot be had."""
        weights = self.weights
        return {
            "model": self.model,
            "sentence": f"{self.light.colour.capitalize()}: {self.light.reason}",
            "light": self.light.as_dict(),
            "n_test": weights.n_test,
            "n_test_case": weights.n_test_case,
            "audited": {"auc": finite(weights.audited), "accuracy": weights.accuracy},
            "confounders": [one.as_dict() for one in weights.weighed],
            "strata": [one.as_dict() for one in weights.strata],
            "added": finite(weights.added),
            "lambda": float(self.lambda_gc) if np.isfinite(self.lambda_gc) else None,
            "n_of_lambda": self.n_of_lambda,
            "warning": self.warning,
            "n_components": self.n_components,
            "notes": list(self.notes),
        }


def confounding(
    cohort: Cohort,
    settings: AnalysisSettings,
    model: str = LOGISTIC,
    on_progress: OnProgress = silent,
) -> Confounding:
    """Return whether ancestry, sex, batch or quality could be what a model has learned.

    The audited model is that of `audit` under the honest order, on the first split. Confounders
    are fitted on its training people, their penalty on its validation people. The covariates are
    those of `evaluation.covariates`, or all columns of the phenotype table where none is named.

    Raises `EmptyResultError` when the thresholds let no variant in.
    """
    clock = Clock(PHASE, on_progress)
    plan = first_plan(cohort, settings)
    roles = assign_roles(plan.splits[0], "honest")
    fit = plan.people[roles.fit]
    is_fit = np.isin(np.arange(len(cohort.samples)), fit)
    counted = recount(cohort, plan.filtered, [is_fit], on_progress)[0]
    selection = select(cohort, counted, fit, settings.selection, settings.quality)
    genotypes = fetch_genotypes(cohort, selection.variants, plan.people)
    clock.report(0.1, f"{len(selection.variants):,} variants")
    score = model_of(cohort, settings, model)(genotypes, plan.is_case, roles, selection)
    clock.report(0.5, "the model is trained")

    asked = AssociationSettings(test=settings.selection.test)
    found = associate(cohort, counted, asked)
    trained = replace(cohort, kept_people=is_fit)  # nobody else has a say in the warning
    warning = structure_warning(
        trained, plan.filtered.definition, found.lambda_gc, asked, found.n_of_lambda
    )
    confounders = find_confounders(cohort, plan.people, genotypes, settings.evaluation.covariates)
    # Lambda over few variants is above 1 by chance.
    by_chance = 1 + 2 * LAMBDA_ERROR / np.sqrt(max(found.n_of_lambda, 1))
    surely_inflated = found.lambda_gc if found.lambda_gc > by_chance else 1.0
    told = strata_names(cohort, plan, roles, settings.evaluation.covariates)
    weights = weigh(
        score, plan.is_case, roles, confounders.found, told, settings.evaluation.confidence,
        lambda share: clock.report(0.5 + 0.5 * share, "models without disease"),
    )  # fmt: skip
    return Confounding(
        model=model,
        weights=weights,
        light=judge(
            weights.audited,
            weights.weighed,
            confounders.n_components > 0,
            surely_inflated,
        ),
        lambda_gc=found.lambda_gc,
        n_of_lambda=found.n_of_lambda,
        warning=warning,
        n_components=confounders.n_components,
        notes=confounders.notes,
    )


def weigh(
    score: NDArray[np.floating],
    is_case: NDArray[np.bool_],
    roles: Roles,
    confounders: Sequence[Confounder],
    ways: Sequence[Way] = (),
    confidence: float = 0.95,
    on_done: Callable[[float], None] = lambda _: None,
) -> Weights:
    """Return a score, high in cases, against confounders and within strata of the test people.

    `score` and `is_case` have shape (n_people,), and so have the names of each of `ways`. Nothing
    is fitted to test people but the two coefficients of `added`.
    """
    test = roles.test
    tested, audited = is_case[test], score[test]
    auc = auc_delong(tested, audited, confidence)
    weighed: list[Weighed] = []
    added = Interval(np.nan, np.nan, np.nan)
    for number, one in enumerate(confounders, 1):
        alone = score_alone(one, is_case, roles)
        # The spread is that of people whose labels it does not know by heart.
        inside = among_alike(tested, audited, alone[test], alone[roles.watch], confidence)
        measured = evaluate(tested, alone[test], confidence=confidence)
        weighed.append(
            Weighed(
                confounder=one,
                auc=auc_delong(tested, alone[test], confidence),
                accuracy=measured["accuracy"],
                difference=auc_difference(tested, audited, alone[test], confidence),
                within=inside,
                left=share_left(auc.value, inside.auc.value),
            )
        )
        if number == len(confounders):  # together, or the only one
            added = added_beyond(tested, alone[test], audited, confidence)
        on_done(number / len(confounders))
    return Weights(
        audited=auc,
        accuracy=evaluate(tested, audited, confidence=confidence)["accuracy"],
        n_test=int(test.size),
        n_test_case=int(tested.sum()),
        weighed=tuple(weighed),
        strata=tuple(
            within(way.label, way.names[test], tested, audited, confidence, way.of_column)
            for way in ways
        ),
        added=added,
    )


def strata_names(
    cohort: Cohort, plan: Plan, roles: Roles, names: tuple[str, ...] = ()
) -> list[Way]:
    """Return ways to part the people of a plan.

    By sex, by thirds of the first components (cut on training people), and by each column of the
    phenotypes: its words, or thirds of its numbers. Ways that part nobody are left out.
    """
    ways = [Way("Sex", sexes(cohort, plan.people))]
    structure = current_structure(cohort)
    if structure is not None:
        for i, values in enumerate(structure.components[plan.people].T[:_LEADING], 1):
            ways.append(Way(f"Thirds of component {i}", parts_of(values, values[roles.train], 3)))
    for name in column_names(cohort, names):
        levels = _levels(column_words(cohort, plan.people, name), roles)
        if levels is not None:
            ways.append(Way(name, levels, of_column=True))
    return [way for way in ways if len(np.unique(way.names[roles.test])) > 1]


def _levels(words: pd.Series, roles: Roles) -> NDArray[np.str_] | None:
    """Return the stratum of each word, None for too many words; small levels become `others`."""
    numbers = pd.to_numeric(words, errors="coerce")
    if words.notna().any() and numbers.notna().sum() == words.notna().sum():
        if numbers.nunique() > _MOST_NUMBERS:
            values = numbers.to_numpy(float)
            return parts_of(values, values[roles.train], 3)
    elif words.nunique() > MOST_LEVELS:
        return None
    told = words.fillna("unknown").to_numpy().astype(str)
    level, n = np.unique(told[roles.test], return_counts=True)
    return np.where(np.isin(told, level[n >= _SMALLEST_LEVEL]), told, "others")
