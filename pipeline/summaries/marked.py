"""Where one variant or one gene stands in the pictures, thinned out of them or not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.association import Association, odds_ratios
from pipeline.cohort import Cohort
from pipeline.quality import KEPT, STEPS, Filtered
from pipeline.schema import (
    chromosome_order,
    plain_chromosome,
)
from pipeline.summaries.tested import minor_frequency, stratum_of
from pipeline.summaries.variants import name_variants

_VARIANT_ID = re.compile(r"(?P<chrom>[^_].*?)_(?P<pos>\d{1,9})_(?P<ref>[^_]+)_(?P<alt>.+)")


@dataclass(frozen=True)
class MarkedVariant:
    """One variant of a cohort and where it stands; `gene` are its genes, joined by `;`.

    `removed_by` is the step that removed it, None where it is kept. `neg_log10_p` is NaN where it
    has no test, `log2_odds_ratio` where it has no odds ratio.
    """

    variant_index: int
    variant_id: str
    chrom: str
    pos: int
    gene: str
    removed_by: str | None
    neg_log10_p: float
    log2_odds_ratio: float

    @property
    def is_drawn(self) -> bool:
        """Say whether it has a place in a plot of p."""
        return self.neg_log10_p == self.neg_log10_p


@dataclass(frozen=True)
class GenePlace:
    """Where a gene lies, 1-based and closed; the chromosome has no `chr`."""

    gene: str
    chrom: str
    start: int
    end: int


def marked_variant(
    cohort: Cohort, filtered: Filtered, found: Association | None, variant_id: str
) -> MarkedVariant | None:
    """Return where a variant, named `chrom_pos_ref_alt`, stands; None if the cohort lacks it."""
    index = _index_of(cohort, variant_id)
    if index is None:
        return None
    named = name_variants(cohort, np.array([index])).iloc[0]
    code = int(filtered.removed_by[index])
    log_p = log_ratio = float("nan")
    if code == KEPT and found is not None:
        row = int(np.searchsorted(filtered.kept, index))
        log_p = float(found.neg_log10_p[row])
        ratio = float(odds_ratios(cohort, filtered, np.array([row]), found).odds_ratio[0])
        log_ratio = float(np.log2(ratio)) if ratio > 0 and np.isfinite(ratio) else log_ratio
    return MarkedVariant(
        index, named["variant_id"], named["chrom"], int(named["pos"]),
        named["gene"] if isinstance(named["gene"], str) else "",
        None if code == KEPT else STEPS[code], log_p, log_ratio,
    )  # fmt: skip


def _index_of(cohort: Cohort, variant_id: str) -> int | None:
    match = _VARIANT_ID.fullmatch(variant_id)
    if match is None:
        return None
    chrom = plain_chromosome(match["chrom"])
    rows = cohort.store.rows(
        "SELECT variant_index, chrom FROM variants WHERE pos = $1 AND chrom_order = $2 "
        "AND upper(ref) = upper($3) AND upper(alt) = upper($4) ORDER BY variant_index",
        [int(match["pos"]), chromosome_order(chrom), match["ref"], match["alt"]],
    )
    # Chromosomes that have no number of their own share one.
    same = [index for index, written in rows if plain_chromosome(written) == chrom]
    return int(same[0]) if same else None


def nearest_gene(cohort: Cohort, variant_id: str) -> str:
    """Return the gene that a variant lies in, else the nearest within 1 kb, "" without one."""
    index = _index_of(cohort, variant_id) if cohort.has_genes else None
    if index is None:
        return ""
    rows = cohort.store.rows(
        "SELECT gene FROM annotation.variant_genes WHERE variant_index = $1 "
        "ORDER BY distance, gene LIMIT 1",
        [index],
    )
    return rows[0][0] if rows else ""


def qq_place(
    found: Association, frequency: np.ndarray, row: int
) -> tuple[float, float, str] | None:
    """Return expected, observed −log10 p and the stratum of a kept variant among `qq_points`.

    `row` is its position among the kept variants. Of equal p it stands first; None without a p or
    a frequency.
    """
    observed = float(found.neg_log10_p[row])
    minor = minor_frequency(frequency)
    name, low, high = stratum_of(float(minor[row]))
    if observed != observed or not name:
        return None
    of_stratum = found.neg_log10_p[(minor >= low) & (minor < high)]
    n = int(np.count_nonzero(~np.isnan(of_stratum)))
    rank = int(np.count_nonzero(of_stratum > observed)) + 1
    return float(-np.log10((rank - 0.5) / n)), observed, name


def gene_place(cohort: Cohort, gene: str) -> GenePlace | None:
    """Return where a gene of the joined table lies, the first place where it has several."""
    if not cohort.has_genes:
        return None
    rows = cohort.store.rows(
        "SELECT gene, chrom, gene_start, gene_end FROM annotation.genes "
        "WHERE gene = $1 ORDER BY chrom_order, gene_start LIMIT 1",
        [gene],
    )
    if not rows:
        return None
    name, chrom, start, end = rows[0]
    return GenePlace(name, plain_chromosome(chrom), int(start), int(end))


def gene_variants(
    cohort: Cohort, filtered: Filtered, found: Association, gene: str, n: int = 300
) -> pd.DataFrame:
    """Return the tested variants of a gene, at most `n`, those of the smallest p, smallest first.

    They lie in the gene or within 1 kb of it. Columns: variant_index, neg_log10_p, odds_ratio,
    chrom, pos, rsid, ref, alt, variant_id, gene.
    """
    columns = ["variant_index", "neg_log10_p", "odds_ratio"]
    rows = np.empty(0, np.int64)
    if cohort.has_genes and len(filtered.kept):
        inside = cohort.store.arrays(
            "SELECT DISTINCT variant_index FROM annotation.variant_genes WHERE gene = $1 "
            "ORDER BY variant_index",
            [gene],
        )["variant_index"].astype(np.int64)
        at = np.searchsorted(filtered.kept, inside).clip(max=len(filtered.kept) - 1)
        rows = at[filtered.kept[at] == inside]
        rows = rows[~np.isnan(found.neg_log10_p[rows])]
        rows = rows[np.argsort(-found.neg_log10_p[rows], kind="stable")[:n]]
    table: dict[str, Any] = {
        "variant_index": filtered.kept[rows].astype(np.int64),
        "neg_log10_p": found.neg_log10_p[rows],
        "odds_ratio": odds_ratios(cohort, filtered, rows, found).odds_ratio if len(rows) else [],
    }
    names = name_variants(cohort, np.sort(table["variant_index"]))
    names["variant_index"] = names["variant_index"].astype(np.int64)
    return pd.DataFrame(table, columns=columns).merge(names, on="variant_index", how="left")
