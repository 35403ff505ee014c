"""Tests on X outside the pseudo-autosomal regions, where a male has one copy.

`female_*` are genotype counts (n_variants, 3: hom-ref, het, hom-alt), `male_*` are counts of males
(n_variants, 2: reference, alternate). A heterozygous male call is an error and counts as missing,
as in PLINK. People of unknown sex are not males: PLINK counts them with the females.
Within the pseudo-autosomal regions use the tests of the autosomes on everybody.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.statistics.association import Counts, TestResult, allele_counts
from pipeline.statistics.chi_squared import chi_squared_neg_log10_p


def x_allele_counts(female: Counts, male: Counts) -> NDArray[np.int64]:
    """Return reference and alternate alleles, (n_variants, 2): two a female, one a male."""
    return allele_counts(female) + male


def x_trend(
    female_case: Counts, female_control: Counts, male_case: Counts, male_control: Counts
) -> TestResult:
    """Return the trend chi-squared on X, df 1: males coded 0 / 2, sex adjusted for.

    It is the score test of the alternate dose in a logistic regression with sex as covariate:
    scores and variances are summed over the two sexes, each within itself, so that different
    shares of males among cases and controls do not count as association. With one sex it is
    `trend` of that sex. A sex with no cases, no controls or one genotype adds nothing; NaN when
    neither adds.

    References: Mantel 1963, JASA 58:690-700 (with n in place of n - 1); coding: Clayton 2008,
    Biostatistics 9:593-600.
    """
    strata = (
        _score((female_case, female_control), np.array([0.0, 1.0, 2.0])),
        _score((male_case, male_control), np.array([0.0, 2.0])),
    )
    score = strata[0][0] + strata[1][0]
    variance = strata[0][1] + strata[1][1]
    statistic = np.full(len(score), np.nan)
    np.divide(score**2, variance, out=statistic, where=variance > 0)
    df = np.where(np.isnan(statistic), np.nan, 1.0)
    return TestResult(statistic, df, chi_squared_neg_log10_p(statistic, df))


def _score(
    tables: tuple[Counts, Counts], dose: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return score and variance of one sex, (n_variants,): 0 where it is not informative."""
    case, control = (table.astype(np.float64) for table in tables)
    n_case, n_control = case.sum(axis=1), control.sum(axis=1)
    n = np.maximum(n_case + n_control, 1.0)
    dose_sum = (case + control) @ dose
    # Integers until the division: the spread of a single genotype is exactly 0.
    spread = n * ((case + control) @ dose**2) - dose_sum**2
    score = case @ dose - n_case * dose_sum / n
    return np.where(spread > 0, score, 0.0), n_case * n_control * spread / n**3
