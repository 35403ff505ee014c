"""What the tests of all kept variants look like together."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import special

from pipeline.association import Association, odds_ratios
from pipeline.cohort import Cohort
from pipeline.quality import Filtered
from pipeline.summaries.genome import thin
from pipeline.summaries.variants import name_variants


def top_table(cohort: Cohort, filtered: Filtered, found: Association, n: int = 200) -> pd.DataFrame:
    """Return the variants of smallest p with their tests and counts, smallest first."""
    log_p = found.neg_log10_p
    tested = np.flatnonzero(~np.isnan(log_p))
    if len(tested) > n:
        tested = tested[log_p[tested] >= np.partition(log_p[tested], -n)[-n]]
    rows = tested[np.argsort(-log_p[tested], kind="stable")[:n]]
    ratio = odds_ratios(cohort, filtered, rows, found)
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


# From the rarest on: name, and the minor allele frequency below which a variant is of it.
STRATA = (
    ("below 0.1%", 0.001),
    ("0.1 to 1%", 0.01),
    ("1 to 5%", 0.05),
    ("5% and more", np.inf),
)


_ALONE = 100  # of each stratum, from the smallest p on, each stands for itself


def minor_frequency(frequency: np.ndarray) -> np.ndarray:
    """Return the frequency of the rarer allele from that of either; NaN stays."""
    return np.minimum(frequency, 1 - frequency)


def stratum_of(minor: float) -> tuple[str, float, float]:
    """Return name, smallest frequency and its open end of the stratum that holds a frequency.

    The name is "" where there is no frequency.
    """
    low = -np.inf
    for name, below in STRATA:
        if minor < below:
            return name, low, below
        low = below
    return "", np.inf, np.inf


def qq_points(
    found: Association,
    frequency: np.ndarray | None = None,
    variants: np.ndarray | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return observed against expected −log10 p, and the 95 % band of the null.

    The band is that of order statistics of independent uniform p (beta quantiles) over all tested
    variants. With `frequency` of either allele, (n_kept,), the points are those of each stratum
    of `STRATA` that has any, each against its own expectation, with `stratum`, `rank` (from 0, the
    rarest first) and `n` (its variants); a variant without a frequency is in none. With
    `variants` (n_kept,) too there is variant_index, -1 for a point that stands for many.
    """
    tested = ~np.isnan(found.neg_log10_p)
    n = int(tested.sum())
    if frequency is None:
        points = _observed(found.neg_log10_p[tested])
    else:
        minor = minor_frequency(frequency)
        stratum = np.searchsorted([below for _, below in STRATA], minor, side="right")
        points = pd.concat(
            [
                _observed(
                    found.neg_log10_p[inside], None if variants is None else variants[inside]
                ).assign(stratum=name, rank=i, n=int(inside.sum()))
                for i, (name, _) in enumerate(STRATA)
                if (inside := tested & (stratum == i)).any()
            ]
            or [_observed(np.array([])).assign(stratum="", rank=0, n=0)],
            ignore_index=True,
        )
    if n == 0:
        return points, pd.DataFrame(columns=["expected", "lower", "upper"])
    band_ranks = np.unique(np.geomspace(1, n, 120).round().astype(int))
    band = pd.DataFrame(
        {
            "expected": -np.log10((band_ranks - 0.5) / n),
            "lower": -np.log10(special.betaincinv(band_ranks, n - band_ranks + 1, 0.975)),
            "upper": -np.log10(special.betaincinv(band_ranks, n - band_ranks + 1, 0.025)),
        }
    )
    return points, band


def _observed(log_p: np.ndarray, variants: np.ndarray | None = None) -> pd.DataFrame:
    """Return expected and observed, thinned: the 100 largest stand each for itself, and say who."""
    observed = np.sort(log_p)[::-1]
    n = len(observed)
    if n == 0:
        return pd.DataFrame(columns=["expected", "observed"])
    ranks = np.unique(np.geomspace(1, n, 300).round().astype(int))
    ranks = np.union1d(ranks, np.arange(1, min(n, _ALONE) + 1))
    points = pd.DataFrame(
        {"expected": -np.log10((ranks - 0.5) / n), "observed": observed[ranks - 1]}
    )
    if variants is not None:
        largest = np.argpartition(log_p, n - min(n, _ALONE))[n - min(n, _ALONE) :]
        largest = largest[np.argsort(-log_p[largest], kind="stable")]
        points["variant_index"] = np.int64(-1)
        points.loc[: len(largest) - 1, "variant_index"] = variants[largest]
    return points


def peaks(points: pd.DataFrame, line: float, window: int = 500_000, n: int = 12) -> pd.DataFrame:
    """Return the peaks of a Manhattan plot, highest first: x, neg_log10_p, label.

    A peak reaches `line` (−log10 p) and no higher one lies within `window` bases on its
    chromosome. The label is the gene (the first two where several are near), else the rsID, else
    the position.
    """
    high = points[points["neg_log10_p"] >= line].sort_values(
        "neg_log10_p", ascending=False, kind="stable"
    )
    chrom, pos = high["chrom"].to_numpy(), high["pos"].to_numpy(np.int64)
    free = np.ones(len(high), bool)
    rows: list[int] = []
    while free.any() and len(rows) < n:
        row = int(free.argmax())
        rows.append(row)
        free &= (chrom != chrom[row]) | (np.abs(pos - pos[row]) > window)
    chosen = high.iloc[rows]
    return pd.DataFrame(
        {
            "x": chosen["x"].to_numpy(np.float64),
            "neg_log10_p": chosen["neg_log10_p"].to_numpy(np.float64),
            "label": [_label(row) for row in chosen.to_dict("records")],
        }
    )


def _label(row: dict) -> str:
    """Return what a point is called in a plot: its gene, else its rsID, else its position."""
    gene, rsid = row.get("gene"), row.get("rsid")
    if isinstance(gene, str) and gene:
        names = gene.split(";")
        return ", ".join(names[:2]) + (" …" if len(names) > 2 else "")
    return rsid if isinstance(rsid, str) and rsid else f"{row['chrom']}:{row['pos']:,}"


def volcano_points(cohort: Cohort, filtered: Filtered, found: Association) -> pd.DataFrame:
    """Return the log2 odds ratio of each tested variant against its −log10 p, at most 7,200.

    The 3,000 of smallest p stand each for itself, as every hit does up to then; of the others one
    stands for each cell of a grid, with `n_binned` variants. A variant without an odds ratio
    (an empty cell) has no place. Columns: variant_index, log2_odds_ratio, neg_log10_p, n_binned,
    and its names.
    """
    log_ratio = np.log2(odds_ratios(cohort, filtered, found=found).odds_ratio)
    rows = np.flatnonzero(~np.isnan(found.neg_log10_p) & np.isfinite(log_ratio))
    x = log_ratio[rows] - (log_ratio[rows].min() if len(rows) else 0.0)
    chosen, n_binned = thin(x, found.neg_log10_p[rows], float(np.max(x, initial=1e-9)))
    rows = rows[chosen]
    points = pd.DataFrame(
        {
            "variant_index": filtered.kept[rows],
            "log2_odds_ratio": log_ratio[rows],
            "neg_log10_p": found.neg_log10_p[rows],
            "n_binned": n_binned,
        }
    )
    names = name_variants(cohort, np.sort(filtered.kept[rows]))
    names["variant_index"] = names["variant_index"].astype(np.int64)
    return points.merge(names, on="variant_index", how="left")


def p_bins(found: Association, n_bins: int = 40) -> pd.DataFrame:
    """Return how many p lie in each of equal bins of 0 to 1: left, right, n."""
    p = 10.0 ** -found.neg_log10_p[~np.isnan(found.neg_log10_p)]
    counts, edges = np.histogram(p, bins=n_bins, range=(0, 1))
    return pd.DataFrame({"left": edges[:-1], "right": edges[1:], "n": counts})
