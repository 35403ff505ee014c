"""The table that a test reads of each variant, by region, and the test of it.

genotypes by class ── folded: alleles, dominant, recessive ──> table ── chi-squared, Fisher
X: who is not male (allelic: a male's allele once)   Y: none   MT: one allele a person
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.cohort import Cohort
from pipeline.measures import SexCounts
from pipeline.quality import Filtered
from pipeline.settings import AssociationSettings
from pipeline.statistics import (
    TABLES,
    Table,
    TestResult,
    chi_squared_neg_log10_p,
    fisher_2x3,
    fold_genotypes,
    genotypic,
    table_too_small,
    trend,
    x_trend,
)

_MALE, _FEMALE, _UNKNOWN = 0, 1, 2
Pair = tuple[np.ndarray, np.ndarray]  # counts of cases and of controls


@dataclass(frozen=True)
class RegionCounts:
    """Genotypes of cases and controls (n, 3), and the rows where somebody has one copy.

    `sex` counts the rows on X and Y by sex, `is_x` (n_sex_rows,) says which are on X. `mt_rows`
    are those on the mitochondrion.
    """

    case: np.ndarray
    control: np.ndarray
    sex: SexCounts
    is_x: np.ndarray
    mt_rows: np.ndarray


@dataclass(frozen=True)
class Tested:
    """The test of each row, (n,) each, NaN where there is none, and the table that it read.

    `is_doubtful` flags a chi-squared whose table has an expected count below the setting.
    `of_lambda` is the -log10 p that inflation is read from: of the chi-squared, with its true df,
    before any row is switched or hidden.
    """

    statistic: np.ndarray
    df: np.ndarray
    neg_log10_p: np.ndarray
    is_doubtful: np.ndarray
    of_lambda: np.ndarray
    table: Pair


def region_counts(
    cohort: Cohort, filtered: Filtered, rows: np.ndarray | None = None
) -> RegionCounts:
    """Return the counts of the kept variants, or of `rows`: positions among them."""
    sex, kept = filtered.sex_counts, filtered.kept
    case, control = filtered.case[:, :3], filtered.control[:, :3]
    if rows is not None:
        case, control, kept = case[rows], control[rows], kept[rows]
        _, at, of_sex = np.intersect1d(rows, sex.rows, return_indices=True)
        sex = SexCounts(at, sex.case[of_sex], sex.control[of_sex])
    haploid = cohort.haploid_variants
    is_x = np.isin(kept[sex.rows], haploid["x"])
    on_mt = haploid["mt"]
    mt_rows = np.flatnonzero(np.isin(kept, on_mt)) if len(on_mt) else on_mt
    return RegionCounts(case, control, sex, is_x, mt_rows)


def table_of(settings: AssociationSettings) -> Table:
    """Return the table that a test reads."""
    return settings.fisher_table if settings.test == "fisher" else TABLES[settings.test]


def fold_counts(counts: RegionCounts, table: Table) -> Pair:
    """Return the tables of cases and of controls, int32 (n, 3), by region.

    On X `alleles` are two of a female and one of a male (a heterozygous male is missing), the
    others are of who is not male, as PLINK has it. On Y the table is empty. On the mitochondrion
    every table is that of one allele a person, a heterozygote missing.
    """
    folded = (
        np.array(fold_genotypes(counts.case, table), np.int32, order="C"),
        np.array(fold_genotypes(counts.control, table), np.int32, order="C"),
    )
    rows = counts.sex.rows
    if len(rows):
        for tables, female, male in zip(folded, *_by_copies(counts.sex), strict=True):
            on_x = np.array(fold_genotypes(female, table), np.int32)
            if table == "alleles":
                on_x[:, [0, 2]] += male
            tables[rows] = on_x * counts.is_x[:, None]
    if len(counts.mt_rows):
        for tables, genotypes in zip(folded, (counts.case, counts.control), strict=True):
            tables[counts.mt_rows] = genotypes[counts.mt_rows] * [1, 0, 1]
    return folded


def run_test(
    counts: RegionCounts, settings: AssociationSettings, above: np.ndarray | None = None
) -> Tested:
    """Return the test of every row under these settings, `small_expected` applied.

    A row whose Fisher p is surely no better than the -log10 p in `above` (n,) may get 0 in its
    place. Raises ValueError for a test that needs more than counts.
    """
    if settings.test == "logistic":
        raise ValueError("logistic regression needs genotypes, not their counts")
    table = fold_counts(counts, table_of(settings))
    plain = _chi_squared(counts, table, settings.test)
    if settings.test == "fisher":
        nothing, nowhere = np.full(len(counts.case), np.nan), np.zeros(len(counts.case), bool)
        neg_log10_p = fisher_2x3(*table, above)
        return Tested(nothing, nothing.copy(), neg_log10_p, nowhere, plain.neg_log10_p, table)
    shown = plain
    if settings.test == "genotypic_df4":
        df = 2 * plain.df
        shown = TestResult(plain.statistic, df, chi_squared_neg_log10_p(plain.statistic, df))
    flagged = table_too_small(*table, settings.min_expected)
    tested = Tested(
        shown.statistic, shown.df, shown.neg_log10_p, flagged, plain.neg_log10_p, table
    )  # fmt: skip
    if settings.small_expected == "fisher":
        rows = np.flatnonzero(flagged)
        floor = None if above is None else above[rows]
        return replace_rows(tested, rows, fisher_2x3(table[0][rows], table[1][rows], floor))
    if settings.small_expected == "hide":
        return replace_rows(tested, np.flatnonzero(flagged), np.nan)
    return tested


def replace_rows(tested: Tested, rows: np.ndarray, neg_log10_p: np.ndarray | float) -> Tested:
    """Return the tests with another p in some rows, which then have no statistic and no df."""
    columns = {name: getattr(tested, name).copy() for name in ("statistic", "df", "neg_log10_p")}
    columns["statistic"][rows] = columns["df"][rows] = np.nan
    columns["neg_log10_p"][rows] = neg_log10_p
    return Tested(**columns, is_doubtful=tested.is_doubtful, of_lambda=tested.of_lambda,
                  table=tested.table)  # fmt: skip


def _chi_squared(counts: RegionCounts, table: Pair, test: str) -> TestResult:
    """Return Pearson's chi-squared of the tables; of the trend its own, save on MT."""
    if test != "trend":
        return genotypic(*table)
    result = trend(counts.case, counts.control)
    rows, mt_rows = counts.sex.rows, counts.mt_rows
    if len(rows):
        female, male = _by_copies(counts.sex)
        _put(result, rows, x_trend(*female, *male))
        for column in (result.statistic, result.df, result.neg_log10_p):
            column[rows[~counts.is_x]] = np.nan
    if len(mt_rows):
        _put(result, mt_rows, genotypic(table[0][mt_rows], table[1][mt_rows]))
    return result


def _put(result: TestResult, rows: np.ndarray, of_rows: TestResult) -> None:
    for name in ("statistic", "df", "neg_log10_p"):
        getattr(result, name)[rows] = getattr(of_rows, name)


def _by_copies(counts: SexCounts) -> tuple[Pair, Pair]:
    """Return (case, control) of people with two copies (n, 3), and of males (n, 2: ref, alt).

    As PLINK does, who is not known to be male counts with the females.
    """
    female = counts.case[:, _FEMALE] + counts.case[:, _UNKNOWN]
    female_control = counts.control[:, _FEMALE] + counts.control[:, _UNKNOWN]
    male, male_control = counts.case[:, _MALE], counts.control[:, _MALE]
    return (female[:, :3], female_control[:, :3]), (male[:, [0, 2]], male_control[:, [0, 2]])
