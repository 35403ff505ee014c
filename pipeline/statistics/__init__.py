"""Statistics on arrays, pure: association tests, exact tests, multiple testing, intervals.

p-values are -log10 p throughout, which neither underflows nor overflows; NaN means no test.
"""

from __future__ import annotations

from pipeline.statistics.association import (
    TABLES,
    TESTS,
    OddsRatio,
    Table,
    TestResult,
    allele_counts,
    alleles_odds_ratio,
    alleles_test,
    allelic,
    allelic_odds_ratio,
    dominant,
    expected_too_small,
    fisher,
    fold_genotypes,
    genotypic,
    genotypic_df4,
    recessive,
    table_too_small,
    trend,
)
from pipeline.statistics.chi_squared import chi_squared_neg_log10_p
from pipeline.statistics.classification import (
    Calibration,
    Calls,
    Correlation,
    calibration,
    calls,
    liability_r2,
    liability_r2_of,
    mean_correlation,
    score_correlation,
)
from pipeline.statistics.exact import fisher_2x2, fisher_2x3, hwe_exact
from pipeline.statistics.intervals import (
    Interval,
    auc_delong,
    auc_difference,
    mean_interval,
    wilson,
)
from pipeline.statistics.multiple import (
    bonferroni_neg_log10,
    genomic_lambda,
    n_discoveries,
)
from pipeline.statistics.x_chromosome import (
    x_allele_counts,
    x_trend,
)

__all__ = [
    "TABLES",
    "TESTS",
    "Calibration",
    "Calls",
    "Correlation",
    "Interval",
    "OddsRatio",
    "Table",
    "TestResult",
    "allele_counts",
    "alleles_odds_ratio",
    "alleles_test",
    "allelic",
    "allelic_odds_ratio",
    "auc_delong",
    "auc_difference",
    "bonferroni_neg_log10",
    "calibration",
    "calls",
    "chi_squared_neg_log10_p",
    "dominant",
    "expected_too_small",
    "fisher",
    "fisher_2x2",
    "fisher_2x3",
    "fold_genotypes",
    "genomic_lambda",
    "genotypic",
    "genotypic_df4",
    "hwe_exact",
    "liability_r2",
    "liability_r2_of",
    "mean_correlation",
    "mean_interval",
    "n_discoveries",
    "recessive",
    "score_correlation",
    "table_too_small",
    "trend",
    "wilson",
    "x_allele_counts",
    "x_trend",
]
