"""What could tell cases from controls without any disease: ancestry, sex, quality, batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.baselines.logistic import covariate_regression, logistic_regressions
from pipeline.cohort import Cohort
from pipeline.covariates import SEX, available_covariates, covariates
from pipeline.errors import SettingsError, StaleArtifactError
from pipeline.genotypes import GENOTYPE_MISSING
from pipeline.samples import sample_quality
from pipeline.settings import AssociationSettings
from pipeline.sources.phenotypes import NOT_THERE
from pipeline.splits import Roles
from pipeline.structure import Structure, read_structure

MISSINGNESS, TOGETHER, COVARIATE = "missingness", "together", "covariate"
COMPONENTS, QUALITY = "components", "quality"
_PENALISED = "logistic_l2"

_QUALITY = {
    "call_rate": "call rate",
    "mean_depth": "mean depth",
    "het_hom": "heterozygous over homozygous",
    "ti_tv": "Ti/Tv",
    "n_singleton": "singletons",
}
_MOST_COVARIATES = 12  # models of single columns; the others enter together with all


@dataclass(frozen=True, eq=False)
class Confounder:
    """One thing that is not disease, of the people of a plan.

    `matrix` (n_people, n_columns) is NaN where a value is missing; that of `missingness` is uint8,
    1 where a call of an entered variant is missing. `kind` is one of components, sex, quality,
    missingness, covariate, together. Words for sentences: `label` begins one, `meaning` is what a
    model learned that learned this, `like` ends "among people".
    """

    kind: str
    label: str
    meaning: str
    like: str
    columns: tuple[str, ...]
    matrix: NDArray


@dataclass(frozen=True, eq=False)
class Confounders:
    """All that there are, `together` last, and sentences on what could not be looked at.

    `n_components` is 0 where none were computed.
    """

    found: tuple[Confounder, ...]
    notes: tuple[str, ...]
    n_components: int


def find_confounders(
    cohort: Cohort,
    people: NDArray[np.intp],
    genotypes: NDArray[np.uint8],
    names: tuple[str, ...] = (),
) -> Confounders:
    """Return the confounders of `people`, positions in the cohort; no diagnosis is read.

    The more telling stand first: a batch that was written down before the quality that it shows in.

    `genotypes` (n_people, n_variants) are the codes of what enters the model. `names` are the
    covariates to look at, all of the phenotype table by default.
    """
    notes: list[str] = []
    structure = current_structure(cohort)
    found: list[Confounder] = []
    if structure is None:
        notes.append(
            "Ancestry was not looked at: this cohort has no principal components yet; compute "
            "them on the page Cohort."
        )
    else:
        scores = structure.components[people]
        columns = tuple(f"PC{i + 1}" for i in range(scores.shape[1]))
        found.append(
            Confounder(
                COMPONENTS, "Principal components", "ancestry", "of like ancestry", columns, scores
            )
        )
    found += _sex(cohort, people, notes)
    of_columns = _covariates(cohort, people, names, notes)
    quality = _quality(cohort, people, notes)
    if len(of_columns) > _MOST_COVARIATES:
        notes.append(
            f"Of {len(of_columns):,} covariates the first {_MOST_COVARIATES} have models of their "
            "own; name those that matter in evaluation.covariates."
        )
    parts = [*found, *of_columns, *quality]
    found += [*of_columns[:_MOST_COVARIATES], *quality]
    is_missing = (genotypes == GENOTYPE_MISSING).astype(np.uint8)
    varies = is_missing.min(axis=0, initial=1) != is_missing.max(axis=0, initial=0)
    if varies.any():
        found.append(
            Confounder(
                MISSINGNESS, "Missingness", "which calls are missing", "with like missing calls",
                (f"{int(varies.sum()):,} variants with missing calls",), is_missing[:, varies],
            )
        )  # fmt: skip
    else:
        notes.append("Missingness was not looked at: no call of the entered variants is missing.")
    missing_calls = is_missing.sum(axis=1, keepdims=True).astype(float)
    if len(found) > 1:
        # The indicators would be learned by heart, and their score with them: the count stands in.
        found.append(
            Confounder(
                TOGETHER, "All of these together", "these together", "alike in all of these",
                (*(c for part in parts for c in part.columns), "missing calls"),
                np.column_stack([*(part.matrix for part in parts), missing_calls]),
            )
        )  # fmt: skip
    return Confounders(tuple(found), tuple(notes), 0 if structure is None else scores.shape[1])


def score_alone(
    confounder: Confounder, is_case: NDArray[np.bool_], roles: Roles
) -> NDArray[np.float64]:
    """Return the probability of being a case from a confounder alone, (n_people,).

    Logistic regression: weights and scales are those of `roles.train`, the penalty that of the
    lowest log loss on `roles.watch`.
    """
    x, y_train, y_watch = confounder.matrix, is_case[roles.train], is_case[roles.watch]
    parts = x[roles.train], x[roles.watch], x
    if confounder.kind == MISSINGNESS:
        fitted = logistic_regressions(parts, y_train, y_watch, (_PENALISED,))[_PENALISED]
    else:
        fitted = covariate_regression(parts, y_train, y_watch)
    return fitted.score.astype(np.float64)


def current_structure(cohort: Cohort) -> Structure | None:
    """Return the structure in force, None for none or for one of another ingest."""
    try:
        return read_structure(cohort)
    except StaleArtifactError:
        return None


def column_names(cohort: Cohort, names: tuple[str, ...] = ()) -> list[str]:
    """Return the columns of the phenotypes to look at: those named, all of them by default."""
    return [name for name in available_covariates(cohort) if name != SEX and _asked(name, names)]


def column_words(cohort: Cohort, people: NDArray[np.intp], name: str) -> pd.Series:
    """Return a column of the phenotypes as written, None where there is no value."""
    written = cohort.samples["covariates"].iloc[people]
    words = [(person or {}).get(name) for person in written]
    return pd.Series(
        [None if w is None or w.lower() in NOT_THERE else w for w in words], dtype=object
    )


def sexes(cohort: Cohort, people: NDArray[np.intp]) -> NDArray[np.str_]:
    """Return male, female or unknown: as stated, where nothing is stated as X tells it."""
    told = sample_quality(cohort).iloc[people]
    stated = told["sex"].to_numpy().astype(str)
    return np.where(stated == "unknown", told["implied_sex"].to_numpy().astype(str), stated)


def _asked(name: str, names: tuple[str, ...]) -> bool:
    return not names or name in names


def _sex(cohort: Cohort, people: NDArray[np.intp], notes: list[str]) -> list[Confounder]:
    told = sexes(cohort, people)
    if len(np.unique(told)) < 2:
        notes.append(f"Sex was not looked at: that of all people is {told[0]}.")
        return []
    is_male = np.where(told == "unknown", np.nan, told == "male")
    return [Confounder("sex", "Sex", "sex", "of one sex", ("sex",), is_male[:, None])]


def _quality(cohort: Cohort, people: NDArray[np.intp], notes: list[str]) -> list[Confounder]:
    told = sample_quality(cohort).iloc[people][list(_QUALITY)]
    varies = told.columns[told.nunique(dropna=False) > 1]
    if "mean_depth" not in varies:
        notes.append("Depth was not looked at: the genotypes came without it.")
    if not len(varies):
        return []
    columns = tuple(_QUALITY[name] for name in varies)
    return [
        Confounder(
            QUALITY, "Quality of the calls", "how well people were sequenced",
            "of like quality of calls", columns, told[varies].to_numpy(float),
        )
    ]  # fmt: skip


def _covariates(
    cohort: Cohort, people: NDArray[np.intp], names: tuple[str, ...], notes: list[str]
) -> list[Confounder]:
    """Return a confounder for each column of the phenotypes that a regression can use."""
    found = []
    for name in column_names(cohort, names):
        try:
            of_all = covariates(cohort, AssociationSettings(test="logistic", covariates=(name,)))
        except SettingsError:  # more words than groups can have: a name, a date, a free text
            notes.append(f"{name} was not looked at: it has too many different words.")
            continue
        matrix = of_all.matrix[people]
        if not matrix.size or np.isnan(matrix).all():
            continue
        found.append(
            Confounder(
                COVARIATE, f"The column {name}", name, f"alike in {name}", of_all.names, matrix
            )
        )
    return found
