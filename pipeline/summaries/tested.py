"""What the tests of all kept variants look like together."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from pipeline.association import Association, odds_ratios
from pipeline.cohort import Cohort
from pipeline.quality import Filtered
from pipeline.summaries.variants import name_variants


def top_table(cohort: Cohort, filtered: Filtered, found: Association, n: int = 200) -> pd.DataFrame:
    """Return the variants of smallest p with their tests and counts, smallest first."""
    log_p = found.neg_log10_p
    tested = np.flatnonzero(~np.isnan(log_p))
    rows = tested[np.argsort(-log_p[tested], kind="stable")[:n]]
    ratio = odds_ratios(cohort, filtered, rows)
    table = pd.DataFrame(
        {
            "variant_index": filtered.kept[rows],
            "neg_log10_p": log_p[rows],
            "p_value": 10.0 ** -log_p[rows],
            "odds_ratio": ratio.odds_ratio,
            "ci_low": ratio.ci_low,
            "ci_high": ratio.ci_high,
            "is_doubtful": found.is_doubtful[rows],
        }
    )
    return table.merge(
        name_variants(cohort, np.sort(filtered.kept[rows])), on="variant_index", how="left"
    )


def qq_points(found: Association) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return observed against expected −log10 p, and the 95 % band of the null.

    The band is that of order statistics of independent uniform p (beta quantiles).
    """
    observed = np.sort(found.neg_log10_p[~np.isnan(found.neg_log10_p)])[::-1]
    n = len(observed)
    if n == 0:
        return (pd.DataFrame(columns=["expected", "observed"]),
                pd.DataFrame(columns=["expected", "lower", "upper"]))  # fmt: skip
    ranks = np.unique(np.geomspace(1, n, 600).round().astype(int))
    ranks = np.union1d(ranks, np.arange(1, min(n, 300) + 1))
    points = pd.DataFrame(
        {"expected": -np.log10((ranks - 0.5) / n), "observed": observed[ranks - 1]}
    )
    band_ranks = np.unique(np.geomspace(1, n, 120).round().astype(int))
    band = pd.DataFrame(
        {
            "expected": -np.log10((band_ranks - 0.5) / n),
            "lower": -np.log10(stats.beta.ppf(0.975, band_ranks, n - band_ranks + 1)),
            "upper": -np.log10(stats.beta.ppf(0.025, band_ranks, n - band_ranks + 1)),
        }
    )
    return points, band


def p_bins(found: Association, n_bins: int = 40) -> pd.DataFrame:
    """Return how many p lie in each of equal bins of 0 to 1: left, right, n."""
    p = 10.0 ** -found.neg_log10_p[~np.isnan(found.neg_log10_p)]
    counts, edges = np.histogram(p, bins=n_bins, range=(0, 1))
    return pd.DataFrame({"left": edges[:-1], "right": edges[1:], "n": counts})
