"""Tests of genotypes against case / control, for all variants at once, from counts alone.

`case` and `control` are integer arrays (n_variants, 3): people with 0, 1 and 2 alternate alleles,
missing calls left out. ALT is the effect allele.

Reference: Clarke et al. 2011, Nature Protocols 6:121-133. The statistics equal those of PLINK 1.9
`--model --cell 0` (GENO, ALLELIC, TREND, DOM, REC) and `--assoc`; the exact p those of
`--model fisher` and `--assoc fisher`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import special

from pipeline.genotypes import over_rows
from pipeline.statistics.chi_squared import chi_squared_neg_log10_p
from pipeline.statistics.exact import fisher_2x3

Counts = NDArray[np.integer]
Table = Literal["genotypes", "alleles", "dominant", "recessive"]


@dataclass(frozen=True)
class TestResult:
    """Statistic, degrees of freedom and -log10 p of each variant, (n_variants,); NaN: no test."""

    __test__ = False  # the name tells pytest otherwise

    statistic: NDArray[np.float64]
    df: NDArray[np.float64]
    neg_log10_p: NDArray[np.float64]


@dataclass(frozen=True)
class OddsRatio:
    """Allelic odds ratio, error of its logarithm, and limits, (n_variants,); NaN: empty cell."""

    odds_ratio: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    ci_low: NDArray[np.float64]
    ci_high: NDArray[np.float64]


def genotypic(case: Counts, control: Counts) -> TestResult:
    """Return Pearson's chi-squared of the genotype x class table of each variant.

    A genotype that nobody has is left out: df = genotypes present - 1. NaN with one genotype, or
    with no case or no control.
    """
    return _result(*_genotypic_statistic(case, control))


def genotypic_df4(case: Counts, control: Counts) -> TestResult:
    """Return the statistic of `genotypic` with the paper's df, 2 (genotypes present - 1).

    The paper's "3 x 3" table has a third column of totals: it adds nothing to the statistic and
    doubles the df, so p is too large. NaN as `genotypic`.
    """
    statistic, df = _genotypic_statistic(case, control)
    return _result(statistic, 2 * df)


def allelic(case: Counts, control: Counts) -> TestResult:
    """Return Pearson's chi-squared of the 2 x 2 table of alleles x class, df 1.

    No continuity correction. NaN with an empty margin.
    """
    return alleles_test(allele_counts(case), allele_counts(control))


def trend(case: Counts, control: Counts) -> TestResult:
    """Return the Cochran-Armitage chi-squared of alternate alleles (0, 1, 2) x class, df 1.

    It is the score test of an additive logistic regression. NaN with one genotype, or with no case
    or no control.

    References: Armitage 1955, Biometrics 11:375-386.
    """
    statistic = np.empty(len(case))
    over_rows(_trend, len(case), _as_counts(case), _as_counts(control), statistic)
    return _result(statistic, np.where(np.isnan(statistic), np.nan, 1.0))


def dominant(case: Counts, control: Counts) -> TestResult:
    """Return Pearson's chi-squared of people without ALT | with one or two x class, df 1.

    NaN with an empty margin.
    """
    return genotypic(fold_genotypes(case, "dominant"), fold_genotypes(control, "dominant"))


def recessive(case: Counts, control: Counts) -> TestResult:
    """Return Pearson's chi-squared of people with none or one ALT | with two x class, df 1.

    NaN with an empty margin.
    """
    return genotypic(fold_genotypes(case, "recessive"), fold_genotypes(control, "recessive"))


def fisher(case: Counts, control: Counts) -> TestResult:
    """Return Fisher's exact test of a genotype x class table: statistic and df are NaN.

    Two-sided by the probability of tables, no mid-p; a genotype that nobody has is left out. For
    another table (alleles, dominant, recessive) give its folded counts (`fold_genotypes`). NaN
    with one genotype, or with no case or no control.
    """
    none = np.full(len(case), np.nan)
    return TestResult(none, none.copy(), fisher_2x3(case, control))


def fold_genotypes(genotypes: Counts, table: Table) -> Counts:
    """Return genotype counts (n_variants, 3) as the columns of a test's table, (n_variants, 3).

    A 2 x 2 table has nobody in its middle column: `alleles` are reference and alternate alleles,
    `dominant` and `recessive` people without and with the genotype.
    """
    if table == "genotypes":
        return genotypes
    folded = np.zeros(genotypes.shape, np.int32)
    hom_ref, het, hom_alt = genotypes.T
    if table == "alleles":
        folded[:, 0], folded[:, 2] = 2 * hom_ref + het, het + 2 * hom_alt
    elif table == "dominant":
        folded[:, 0], folded[:, 2] = hom_ref, het + hom_alt
    else:
        folded[:, 0], folded[:, 2] = hom_ref + het, hom_alt
    return folded


TESTS: dict[str, Callable[[Counts, Counts], TestResult]] = {
    "genotypic": genotypic,
    "genotypic_df4": genotypic_df4,
    "allelic": allelic,
    "trend": trend,
    "dominant": dominant,
    "recessive": recessive,
    "fisher": fisher,
}
# The table whose expected counts say whether the chi-squared of a test may be trusted. The trend
# weighs alleles, so a rare homozygote does not spoil it; a regression is additive as well.
TABLES: dict[str, Table] = {
    "genotypic": "genotypes",
    "genotypic_df4": "genotypes",
    "allelic": "alleles",
    "trend": "alleles",
    "dominant": "dominant",
    "recessive": "recessive",
    "fisher": "genotypes",
    "logistic": "alleles",
}


def expected_too_small(
    case: Counts, control: Counts, min_expected: float, test: str
) -> NDArray[np.bool_]:
    """Return whether a test's table has an expected count below `min_expected`, (n_variants,).

    The table is that of `TABLES`. False where there is no test: nothing is in doubt.
    Raises KeyError for a test that is not in `TESTS`.
    """
    if test not in TESTS:
        raise KeyError(test)
    table = TABLES[test]
    return table_too_small(
        fold_genotypes(case, table), fold_genotypes(control, table), min_expected
    )


def table_too_small(case: Counts, control: Counts, min_expected: float) -> NDArray[np.bool_]:
    """Return whether a folded table has an expected count below `min_expected`, (n_variants,).

    Columns that are empty are left out; False with one column, or with an empty row.
    """
    too_small = np.empty(len(case), np.bool_)
    tables = _as_counts(case), _as_counts(control)
    over_rows(_expected_too_small, len(case), *tables, float(min_expected), too_small)
    return too_small


def allelic_odds_ratio(case: Counts, control: Counts, confidence: float = 0.95) -> OddsRatio:
    """Return the odds of ALT in cases over those in controls, with Woolf's interval.

    `standard_error` is that of the natural logarithm of the odds ratio. NaN with an empty cell.

    References: Woolf 1955, Annals of Human Genetics 19:251-253.
    """
    return alleles_odds_ratio(allele_counts(case), allele_counts(control), confidence)


def allele_counts(genotypes: Counts) -> NDArray[np.int64]:
    """Return reference and alternate alleles, (n_variants, 2), of genotype counts (n, 3)."""
    alleles = 2 * genotypes[:, [0, 2]].astype(np.int64)
    alleles += genotypes[:, [1]]
    return alleles


def alleles_test(case: Counts, control: Counts) -> TestResult:
    """Return the chi-squared of allele counts (n_variants, 2: reference, alternate), df 1."""
    statistic = np.empty(len(case))
    over_rows(_alleles_test, len(case), _as_counts(case), _as_counts(control), statistic)
    return _result(statistic, np.where(np.isnan(statistic), np.nan, 1.0))


def alleles_expected_too_small(
    case: Counts, control: Counts, min_expected: float
) -> NDArray[np.bool_]:
    """Return `expected_too_small` of tables of alleles (n_variants, 2)."""
    case_ref, case_alt, control_ref, control_alt = _columns(case, control)
    n_case, n_control = case_ref + case_alt, control_ref + control_alt
    fewer_alleles = np.minimum(case_ref + control_ref, case_alt + control_alt)
    smallest = np.minimum(n_case, n_control) * fewer_alleles
    return (smallest > 0) & (smallest < min_expected * (n_case + n_control))


def alleles_odds_ratio(case: Counts, control: Counts, confidence: float = 0.95) -> OddsRatio:
    """Return `allelic_odds_ratio` of tables of alleles (n_variants, 2: reference, alternate)."""
    case_ref, case_alt, control_ref, control_alt = cells = _columns(case, control)
    empty = (case_ref == 0) | (case_alt == 0) | (control_ref == 0) | (control_alt == 0)
    for cell in cells:
        cell[empty] = np.nan
    log_odds_ratio = np.log(case_alt * control_ref / (case_ref * control_alt))
    standard_error = np.sqrt(1 / case_ref + 1 / case_alt + 1 / control_ref + 1 / control_alt)
    margin = special.ndtri((1 + confidence) / 2) * standard_error
    return OddsRatio(
        odds_ratio=np.exp(log_odds_ratio),
        standard_error=standard_error,
        ci_low=np.exp(log_odds_ratio - margin),
        ci_high=np.exp(log_odds_ratio + margin),
    )


def _result(statistic: NDArray[np.float64], df: NDArray[np.float64]) -> TestResult:
    return TestResult(statistic, df, chi_squared_neg_log10_p(statistic, df))


def _columns(case: Counts, control: Counts) -> list[NDArray[np.float64]]:
    """Return reference and alternate alleles of cases, then of controls, as floats."""
    return [table[:, allele].astype(np.float64) for table in (case, control) for allele in (0, 1)]


def _as_counts(counts: Counts) -> NDArray[np.int32]:
    """Return the counts in the one type and layout that the kernels are compiled for."""
    view = np.ascontiguousarray(counts, np.int32).view()
    view.flags.writeable = False
    return view


def _genotypic_statistic(
    case: Counts, control: Counts
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    statistic, df = np.empty(len(case)), np.empty(len(case))
    over_rows(_genotypic, len(case), _as_counts(case), _as_counts(control), statistic, df)
    return statistic, df


@njit(nogil=True, cache=True, error_model="numpy")
def _genotypic(start, stop, case, control, statistic, df):
    for i in range(start, stop):
        n_case = np.float64(case[i, 0]) + case[i, 1] + case[i, 2]
        n_control = np.float64(control[i, 0]) + control[i, 1] + control[i, 2]
        total, present = 0.0, 0
        for genotype in range(3):
            a, b = np.float64(case[i, genotype]), np.float64(control[i, genotype])
            if a + b > 0:
                present += 1
                total += (a * n_control - b * n_case) ** 2 / (a + b)
        testable = present > 1 and n_case > 0 and n_control > 0
        statistic[i] = total / (n_case * n_control) if testable else np.nan
        df[i] = present - 1 if testable else np.nan


@njit(nogil=True, cache=True, error_model="numpy")
def _trend(start, stop, case, control, statistic):
    for i in range(start, stop):
        n_case = np.float64(case[i, 0]) + case[i, 1] + case[i, 2]
        n_control = np.float64(control[i, 0]) + control[i, 1] + control[i, 2]
        het, hom_alt = (
            np.float64(case[i, 1]) + control[i, 1],
            np.float64(case[i, 2]) + control[i, 2],
        )
        n, alleles = n_case + n_control, het + 2 * hom_alt
        excess = n * (np.float64(case[i, 1]) + 2.0 * case[i, 2]) - n_case * alleles
        spread = n * (het + 4 * hom_alt) - alleles**2
        if spread > 0 and n_case > 0 and n_control > 0:
            statistic[i] = n * excess**2 / (n_case * n_control * spread)
        else:
            statistic[i] = np.nan


@njit(nogil=True, cache=True, error_model="numpy")
def _alleles_test(start, stop, case, control, statistic):
    for i in range(start, stop):
        a, b = np.float64(case[i, 0]), np.float64(case[i, 1])
        c, d = np.float64(control[i, 0]), np.float64(control[i, 1])
        margins = (a + b) * (c + d) * (a + c) * (b + d)
        statistic[i] = (a * d - b * c) ** 2 * (a + b + c + d) / margins if margins > 0 else np.nan


@njit(nogil=True, cache=True)
def _expected_too_small(start, stop, case, control, min_expected, too_small):
    for i in range(start, stop):
        n_case = np.float64(case[i, 0]) + case[i, 1] + case[i, 2]
        n_control = np.float64(control[i, 0]) + control[i, 1] + control[i, 2]
        present, fewest = 0, np.inf
        for genotype in range(3):
            n = np.float64(case[i, genotype]) + control[i, genotype]
            if n > 0:
                present += 1
                fewest = min(fewest, n)
        smaller_class = min(n_case, n_control)
        too_small[i] = (
            present > 1
            and smaller_class > 0
            and fewest * smaller_class < min_expected * (n_case + n_control)
        )
