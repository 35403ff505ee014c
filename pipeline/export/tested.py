"""Odds ratio, error and p of one test: what every format of summary statistics is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.association import associate, association_table
from pipeline.errors import EmptyResultError
from pipeline.export.kept import Kept
from pipeline.logistic import Regression, regress
from pipeline.measures import SexCounts
from pipeline.progress import Clock, OnProgress
from pipeline.quality import count_alleles
from pipeline.schema import CHROMOSOME_ORDER
from pipeline.settings import AssociationSettings

if TYPE_CHECKING:  # loaded by DuckDB when the first frame is asked for
    import pandas as pd

# Tests that have an odds ratio with an error of their own. Of the others the allelic test is told.
WITH_EFFECT = ("allelic", "trend", "logistic")
METHODS = {
    "allelic": "allelic test, odds ratio by Woolf",
    "trend": "Cochran-Armitage trend test, odds ratio a copy in one step from its score",
    "logistic": "logistic regression, additive",
}
_MALE, _FEMALE, _UNKNOWN = 0, 1, 2
_SMALLEST_BY_POWER = 300.0  # beyond, 10 ** -x loses digits and then is zero
Stratum = tuple[np.ndarray, np.ndarray, np.ndarray]  # counts of cases, of controls, doses


@dataclass(frozen=True)
class Tested:
    """Tested variants of chromosomes 1 to 25, sorted, and what their reader has to know.

    `table` has the columns of `association_table`, `number` (1 to 25), `case_frequency` and
    `control_frequency` of ALT. Odds ratio, error and p are those of `test`.
    """

    table: pd.DataFrame
    test: str
    adjusted: tuple[str, ...]
    notes: tuple[str, ...]


def tested_of(kept: Kept, on_progress: OnProgress) -> Tested:
    """Return the kept variants with the effect and p of one test.

    Raises `EmptyResultError` when none has a p on chromosomes 1 to 25.
    """
    clock = Clock("testing variants", on_progress)
    clock.report(0.0)
    settings, notes = _with_effect(kept.settings.association)
    fitted = _regression(kept, settings, on_progress)
    found = associate(kept.cohort, kept.filtered, settings, logistic=fitted)
    table = association_table(kept.cohort, kept.filtered, found)
    if fitted is not None:
        table["n"] = fitted.n_people
        notes += [note.rstrip(".") for note in fitted.notes]
    if found.test == "trend":
        _put_trend_effects(kept, table)
    for role in ("case", "control"):
        table[f"{role}_frequency"] = _frequency(kept, role)
    table["number"] = table["chromosome"].map(CHROMOSOME_ORDER)
    can_hold = table["number"].notna() & table["p_value"].notna()
    if not can_hold.any():
        raise EmptyResultError(
            "Summary statistics hold tested variants of chromosomes 1 to 25, but none of the "
            f"{len(table):,} kept ones is; loosen the thresholds or choose another test."
        )
    n_left_out = int((~can_hold).sum())
    if n_left_out:
        notes.append(
            f"{n_left_out:,} variants without a p, or not on chromosomes 1 to 25, are left out"
        )
    table = table[can_hold].astype({"number": int})
    table = table.sort_values(["number", "base_pair_location"], kind="stable", ignore_index=True)
    clock.report(1.0)
    return Tested(table, found.test, _adjusted(settings), tuple(notes))


def _with_effect(settings: AssociationSettings) -> tuple[AssociationSettings, list[str]]:
    """Return settings whose test has an odds ratio, and what was changed for it."""
    notes = []
    changes = {}
    if settings.test not in WITH_EFFECT:
        changes["test"] = "allelic"
        notes.append(
            f"The test {settings.test} has no odds ratio with an error, so odds ratio, error and "
            "p are those of the allelic test"
        )
    if settings.small_expected == "fisher":
        changes["small_expected"] = "flag"
        notes.append(
            "Odds ratio, error and p are of one test, so Fisher's p does not stand in for small "
            "expected counts"
        )
    return settings.model_copy(update=changes), notes


def _regression(
    kept: Kept, settings: AssociationSettings, on_progress: OnProgress
) -> Regression | None:
    """Return the regression of the kept variants where that is the test, else None."""
    if settings.test != "logistic":
        return None
    return regress(kept.cohort, kept.filtered, settings, on_progress)


def _adjusted(settings: AssociationSettings) -> tuple[str, ...]:
    if settings.test != "logistic":
        return ()
    components = [f"PC{number}" for number in range(1, settings.n_components + 1)]
    return (*settings.covariates, *components)


def _frequency(kept: Kept, role: str) -> NDArray[np.float64]:
    """Return the frequency of ALT among cases or controls, (n_kept,); NaN without a call."""
    sex = kept.filtered.sex_counts
    of_role = getattr(sex, role)
    only = SexCounts(sex.rows, of_role, np.zeros_like(of_role))
    alt, called = count_alleles(getattr(kept.filtered, role), only)
    return np.divide(alt, called, out=np.full(len(alt), np.nan), where=called > 0)


def _put_trend_effects(kept: Kept, table: pd.DataFrame) -> None:
    """Replace odds ratio, error and limits by those of the trend test's own score."""
    filtered = kept.filtered
    copies = np.array([0.0, 1.0, 2.0])
    beta, error = score_effect((filtered.case[:, :3], filtered.control[:, :3], copies))
    on_mt = np.isin(filtered.kept, kept.cohort.haploid_variants["mt"])
    haploid = [counts[on_mt][:, [0, 2]] for counts in (filtered.case, filtered.control)]
    beta[on_mt], error[on_mt] = score_effect((haploid[0], haploid[1], np.array([0.0, 1.0])))
    sex = filtered.sex_counts
    both = [(counts[:, _FEMALE] + counts[:, _UNKNOWN])[:, :3] for counts in (sex.case, sex.control)]
    male = [counts[:, _MALE][:, [0, 2]] for counts in (sex.case, sex.control)]
    # As the test has it, a male's one copy on X weighs as two.
    beta[sex.rows], error[sex.rows] = score_effect(
        (both[0], both[1], copies), (male[0], male[1], np.array([0.0, 2.0]))
    )
    half = 1.959963984540054 * error
    table["odds_ratio"], table["standard_error"] = np.exp(beta), error
    table["ci_lower"], table["ci_upper"] = np.exp(beta - half), np.exp(beta + half)


def score_effect(*strata: Stratum) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the log odds ratio of a copy and its error from the score of the trend test.

    One step of Newton from no effect: score / variance, with the error 1 / sqrt(variance), so
    that (beta / error)^2 is the trend chi-squared itself; it holds for effects that are not
    large. A stratum has counts of cases and controls (n_variants, n_doses) and the doses; scores
    and variances are summed over strata. NaN where no stratum tells anything.

    References: Armitage 1955, Biometrics 11:375-386; Yusuf et al. 1985, Progress in Cardiovascular
    Diseases 27:335-371 (one step).
    """
    score, variance = np.zeros(len(strata[0][0])), np.zeros(len(strata[0][0]))
    for cases, controls, dose in strata:
        case, control = cases.astype(np.float64), controls.astype(np.float64)
        n_case, n_control = case.sum(axis=1), control.sum(axis=1)
        n = np.maximum(n_case + n_control, 1.0)
        total = (case + control) @ dose
        spread = n * ((case + control) @ dose**2) - total**2  # integers: exactly 0 with one dose
        score += np.where(spread > 0, case @ dose - n_case * total / n, 0.0)
        variance += n_case * n_control * spread / n**3
    told = variance > 0
    beta = np.divide(score, variance, out=np.full(len(score), np.nan), where=told)
    error = np.divide(1.0, np.sqrt(variance), out=np.full(len(score), np.nan), where=told)
    return beta, error


def p_text(neg_log10_p: NDArray[np.float64], digits: int = 10) -> list[str]:
    """Return p as text; below the smallest number that a float holds, as `4.5e-400`."""
    texts = []
    for value in np.asarray(neg_log10_p, np.float64).tolist():
        if value <= _SMALLEST_BY_POWER:
            texts.append(f"{10.0**-value:.{digits}g}")
        else:
            power = int(np.ceil(value))
            texts.append(f"{10.0 ** (power - value):.{digits}g}e-{power}")
    return texts
