"""Statistics on arrays, pure: association tests, exact tests, multiple testing, intervals.

p-values are -log10 p throughout, which neither underflows nor overflows; NaN means no test.
"""

from __future__ import annotations

from pipeline.statistics.association import (
    TESTS,
    OddsRatio,
    TestResult,
    allele_counts,
    alleles_odds_ratio,
    alleles_test,
    allelic,
    allelic_odds_ratio,
    expected_too_small,
    genotypic,
    genotypic_df4,
    trend,
)
from pipeline.statistics.chi_squared import chi_squared_neg_log10_p
from pipeline.statistics.exact import fisher_2x2, hwe_exact
from pipeline.statistics.intervals import Interval, auc_delong, auc_difference, wilson
from pipeline.statistics.multiple import (
    benjamini_hochberg,
    bonferroni_neg_log10,
    genomic_lambda,
)
from pipeline.statistics.x_chromosome import (
    x_allele_counts,
    x_allelic,
    x_allelic_odds_ratio,
    x_expected_too_small,
    x_trend,
)

__all__ = [
    "TESTS",
    "Interval",
    "OddsRatio",
    "TestResult",
    "allele_counts",
    "alleles_odds_ratio",
    "alleles_test",
    "allelic",
    "allelic_odds_ratio",
    "auc_delong",
    "auc_difference",
    "benjamini_hochberg",
    "bonferroni_neg_log10",
    "chi_squared_neg_log10_p",
    "expected_too_small",
    "fisher_2x2",
    "genomic_lambda",
    "genotypic",
    "genotypic_df4",
    "hwe_exact",
    "trend",
    "wilson",
    "x_allele_counts",
    "x_allelic",
    "x_allelic_odds_ratio",
    "x_expected_too_small",
    "x_trend",
]
