"""What logistic regression adjusts for: columns of the phenotypes and principal components."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from pipeline.cohort import Cohort
from pipeline.errors import NotFoundError, SettingsError, StaleArtifactError
from pipeline.people import CaseDefinition
from pipeline.settings import AssociationSettings
from pipeline.sources.phenotypes import NOT_THERE
from pipeline.structure import Structure, read_structure

SEX = "sex"
MOST_LEVELS = 20  # words of one column; with more it is a name rather than a group
LAMBDA_ABOVE = 1.05
# The standard error of lambda over n independent variants is this over sqrt(n): that of a median,
# 1 / (2 f(m) sqrt(n)), of chi-squared with df 1 over its median m = 0.4549, where f(m) = 0.4712.
LAMBDA_ERROR = 2.333
COMPONENT_P = 1e-3  # Bonferroni over the components
_DEPENDENT = 1e-11  # share of a column's variance that the columns before it leave


@dataclass(frozen=True, eq=False)
class Covariates:
    """The covariates of all people of a cohort, in the order of `samples`.

    `matrix` float64 (n_people, k) has a column for each of `names`, of mean 0 and standard
    deviation 1 over who counts and lacks none, and NaN throughout the row of a person who lacks
    one. `notes` are sentences on what was left out.
    """

    names: tuple[str, ...]
    matrix: np.ndarray
    notes: tuple[str, ...]

    @property
    def is_complete(self) -> np.ndarray:
        """Return who lacks none, bool (n_people,)."""
        return ~np.isnan(self.matrix).any(axis=1)


def available_covariates(cohort: Cohort) -> list[str]:
    """Return what `association.covariates` may name: sex, and each column of the phenotypes."""
    written = (name for person in cohort.samples["covariates"] for name in person or ())
    return list(dict.fromkeys([SEX, *written]))


def covariates(cohort: Cohort, settings: AssociationSettings) -> Covariates:
    """Return the covariates that the settings name.

    A column of numbers stands as it is; one of words becomes an indicator of each word but the
    first in alphabetical order. Sex is that stated, unknown is missing. Constant columns and those
    that follow from the columns before them are left out.

    Raises `SettingsError` for an unknown name, a column of more than 20 words, or fewer components
    than asked for; `NotFoundError` for components that were not computed.
    """
    known = available_covariates(cohort)
    columns: dict[str, np.ndarray] = {}
    notes: list[str] = []
    for name in dict.fromkeys(settings.covariates):
        if name not in known:
            raise SettingsError(
                f"association.covariates names columns of the phenotypes, but {name!r} is none of "
                f"{', '.join(known)}; choose among these."
            )
        columns |= _sex(cohort) if name == SEX else _column(cohort, name, notes)
    columns |= _components(cohort, settings.n_components)
    matrix = np.column_stack([*columns.values()]) if columns else _no_column(cohort)
    counts = np.ones(len(matrix), bool) if cohort.kept_people is None else cohort.kept_people
    lacks = np.isnan(matrix).any(axis=1)
    matrix[lacks] = np.nan
    used = counts & ~lacks
    names = tuple(columns)
    stays, left_out = independent_columns(matrix[used], names)
    matrix, names = matrix[:, stays], tuple(np.array(names, object)[stays])
    if used.any() and names:
        matrix = (matrix - matrix[used].mean(axis=0)) / matrix[used].std(axis=0)
    n_lacking = int(np.count_nonzero(counts & lacks))
    if n_lacking:
        notes.append(f"{n_lacking:,} people lack a covariate and are left out of the regression.")
    return Covariates(names, matrix, (*notes, *left_out))


def independent_columns(
    matrix: np.ndarray, names: tuple[str, ...]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return which columns of (n, k) vary and do not follow from those before, and notes.

    The intercept comes before all.
    """
    stays = np.zeros(matrix.shape[1], bool)
    notes = []
    if not matrix.size:
        return stays, ()
    spread = matrix.std(axis=0)
    varies = spread > 1e-10 * np.abs(matrix).max(axis=0)
    standard = (matrix - matrix.mean(axis=0)) / np.where(varies, spread, 1.0)
    left = standard.T @ standard / len(matrix)  # what the columns taken so far leave of each two
    for j, name in enumerate(names):
        if not varies[j]:
            notes.append(f"Covariate {name} is the same in everybody and is left out.")
        elif left[j, j] < _DEPENDENT:
            notes.append(f"Covariate {name} follows from the others and is left out.")
        else:
            left -= np.outer(left[:, j], left[j]) / left[j, j]
            stays[j] = True
    return stays, tuple(notes)


def structure_warning(
    cohort: Cohort,
    definition: CaseDefinition,
    lambda_gc: float,
    settings: AssociationSettings,
    n_of_lambda: int,
) -> str:
    """Return why population structure should be adjusted for, in one sentence; empty if nothing is.

    Reasons are a lambda above 1.05 that is two of its standard errors above 1, and a principal
    component whose mean differs between cases and controls (Welch's t test, p below 0.001 /
    components). `n_of_lambda` is the number of variants that lambda comes from.
    """
    if settings.test == "logistic" and settings.n_components:
        return ""
    reasons = []
    by_chance = 1 + 2 * LAMBDA_ERROR / np.sqrt(max(n_of_lambda, 1))
    if lambda_gc > max(LAMBDA_ABOVE, by_chance):
        reasons.append(f"lambda is {lambda_gc:.3f} over {n_of_lambda:,} variants")
    structure = _structure(cohort)
    remedy = "test by logistic regression with principal components"
    if structure is None:
        remedy = f"compute the structure of {cohort.name} and {remedy}"
    else:
        is_case, is_control = cohort.is_in(definition.case), cohort.is_in(definition.control)
        p = welch_p(structure.components[is_case], structure.components[is_control])
        differs = p * len(p) < COMPONENT_P
        if differs.any():
            first = int(np.argmin(np.where(differs, p, np.inf)))
            reasons.append(
                f"principal component {first + 1} differs between cases and controls "
                f"(p = {p[first]:.1g})"
            )
    if not reasons:
        return ""
    return (
        f"{' and '.join(reasons)[0].upper()}{' and '.join(reasons)[1:]}, which speaks for "
        f"population structure that this test does not adjust for; {remedy}."
    )


def welch_p(case: np.ndarray, control: np.ndarray) -> np.ndarray:
    """Return the two-sided p of Welch's t test of each column of (n_case, k) and (n_control, k).

    NaN with fewer than two people on a side, or without spread.
    """
    if min(len(case), len(control)) < 2:
        return np.full(case.shape[1], np.nan)
    error = case.var(axis=0, ddof=1) / len(case), control.var(axis=0, ddof=1) / len(control)
    total = error[0] + error[1]
    spread = error[0] ** 2 / (len(case) - 1) + error[1] ** 2 / (len(control) - 1)
    nan = np.full(case.shape[1], np.nan)
    df = np.divide(total**2, spread, out=nan.copy(), where=spread > 0)
    difference = np.abs(case.mean(axis=0) - control.mean(axis=0))
    t = np.divide(difference, np.sqrt(total), out=nan, where=total > 0)
    return 2 * special.stdtr(df, -t)


def _structure(cohort: Cohort) -> Structure | None:
    try:
        return read_structure(cohort)
    except StaleArtifactError:  # of an ingest before this one: it tells nothing of these people
        return None


def _no_column(cohort: Cohort) -> np.ndarray:
    return np.empty((len(cohort.samples), 0))


def _sex(cohort: Cohort) -> dict[str, np.ndarray]:
    stated = cohort.samples["sex"].to_numpy().astype(str)
    is_male = np.where(stated == "unknown", np.nan, (stated == "male").astype(float))
    return {SEX: is_male}


def _column(cohort: Cohort, name: str, notes: list[str]) -> dict[str, np.ndarray]:
    """Return a column of the phenotypes as numbers, or as an indicator a word but the first."""
    written = [(person or {}).get(name) for person in cohort.samples["covariates"]]
    words = [None if w is None or w.lower() in NOT_THERE else w for w in written]
    values = _numbers(words)
    if values is not None:
        n_minus_9 = int(np.count_nonzero(values == -9))
        if n_minus_9 and not np.any((values < 0) & (values != -9)):
            notes.append(
                f"{n_minus_9:,} people have -9 in {name}, which stands as a number; write NA if it "
                "means missing."
            )
        return {name: values}
    there = sorted({word for word in words if word is not None})
    if len(there) > MOST_LEVELS:
        raise SettingsError(
            f"A covariate of words has at most {MOST_LEVELS} different ones, but {name} has "
            f"{len(there):,} ({', '.join(there[:3])}, …); choose another column, or write it in "
            "numbers."
        )
    lacks = np.array([word is None for word in words])
    return {
        f"{name}={level}": np.where(lacks, np.nan, [word == level for word in words])
        for level in there[1:]
    }


def _numbers(words: list[str | None]) -> np.ndarray | None:
    """Return words as numbers, NaN for None; None unless all are finite numbers."""
    try:
        values = np.array([math.nan if word is None else float(word) for word in words])
    except ValueError:
        return None
    is_there = np.array([word is not None for word in words])
    return values if np.isfinite(values[is_there]).all() else None


def _components(cohort: Cohort, n_components: int) -> dict[str, np.ndarray]:
    if not n_components:
        return {}
    structure = read_structure(cohort)
    if structure is None:
        raise NotFoundError(
            "association.n_components needs principal components, but the structure of "
            f"{cohort.name} was not computed; compute it (structure {cohort.name}) or set that to "
            "0."
        )
    found = structure.components.shape[1]
    if n_components > found:
        raise SettingsError(
            f"association.n_components is {n_components}, but the structure of {cohort.name} has "
            f"{found} components; lower it, or compute the structure with more."
        )
    return {f"pc{i + 1}": structure.components[:, i] for i in range(n_components)}
