"""One chromosome, and one stretch of it: its points, its genes, its linkage disequilibrium."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.association import Association
from pipeline.cohort import Cohort
from pipeline.ld import r2_to
from pipeline.quality import Filtered
from pipeline.summaries.genome import thin
from pipeline.summaries.variants import consequences_of, has_annotation, name_variants

_MOST_IN_REGION = 5_000
_NAME_SHARE = 0.011  # of a region's width, a character of a gene's name takes at 800 pixels


def chromosome_points(
    cohort: Cohort, filtered: Filtered, found: Association, chrom_order: int
) -> pd.DataFrame:
    """Return the points of a Manhattan plot of one chromosome, at most 10,000.

    The columns are those of `manhattan_points`, but x is the position, in bases.
    """
    rows, pos = _tested(cohort, filtered, found, chrom_order)
    log_p = found.neg_log10_p[rows]
    chosen, n_binned = thin(pos, log_p, max([1, *pos[-1:]]))
    points = pd.DataFrame(
        {
            "variant_index": filtered.kept[rows[chosen]],
            "x": pos[chosen].astype(np.float64),
            "neg_log10_p": log_p[chosen],
            "parity": np.zeros(len(chosen), np.uint8),
            "n_binned": n_binned,
        }
    )
    return _named(cohort, points)


def region_points(
    cohort: Cohort,
    filtered: Filtered,
    found: Association,
    chrom_order: int,
    start: int,
    end: int,
    lead: int | None = None,
) -> pd.DataFrame:
    """Return the tested variants of a region, at most 5,000, those of the smallest p.

    Columns: variant_index, chrom, pos, rsid, ref, alt, variant_id, gene, neg_log10_p,
    consequence_class (None where it is not known), r2 to the lead over cases and controls (NaN
    where it has none), is_lead. `lead` is a variant index, by default that of the smallest p.
    """
    rows, _ = _tested(cohort, filtered, found, chrom_order, start, end)
    log_p = found.neg_log10_p[rows]
    order = np.sort(np.argsort(-log_p, kind="stable")[:_MOST_IN_REGION])
    variants = filtered.kept[rows[order]]
    points = _named(cohort, pd.DataFrame({"variant_index": variants, "neg_log10_p": log_p[order]}))
    if lead is None and len(points):
        lead = int(points["variant_index"].iloc[points["neg_log10_p"].argmax()])
    classes = consequences_of(cohort, variants).drop_duplicates("variant_index")
    points["consequence_class"] = points["variant_index"].map(
        classes.set_index("variant_index")["consequence_class"]
    )
    definition = filtered.definition
    people = cohort.is_in(definition.case + definition.control)
    points["r2"] = r2_to(cohort, lead, variants, people) if lead is not None else np.nan
    points["is_lead"] = points["variant_index"] == (-1 if lead is None else lead)
    return points


def _named(cohort: Cohort, points: pd.DataFrame) -> pd.DataFrame:
    """Return points with the names of their variants, in the same order."""
    names = name_variants(cohort, np.sort(points["variant_index"].to_numpy()))
    names["variant_index"] = names["variant_index"].astype(np.int64)
    return points.merge(names, on="variant_index", how="left")


def _tested(
    cohort: Cohort,
    filtered: Filtered,
    found: Association,
    chrom_order: int,
    start: int = 0,
    end: int = 2**32 - 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows among the kept variants that have a p in a region, and their positions."""
    there = cohort.store.arrays(
        "SELECT variant_index, pos FROM variants WHERE chrom_order = $1 AND pos BETWEEN $2 AND $3 "
        "ORDER BY variant_index",
        [int(chrom_order), max(0, int(start)), max(0, int(end))],
    )
    indices = there["variant_index"].astype(np.int64)
    rows = np.searchsorted(filtered.kept, indices).clip(max=max(0, len(filtered.kept) - 1))
    of_region = np.flatnonzero(filtered.kept[rows] == indices) if len(filtered.kept) else rows[:0]
    rows = rows[of_region]
    has_p = ~np.isnan(found.neg_log10_p[rows])
    return rows[has_p], there["pos"].astype(np.int64)[of_region[has_p]]


def region_genes(cohort: Cohort, chrom_order: int, start: int, end: int) -> pd.DataFrame:
    """Return the genes that reach into a region, each with the track to draw it in.

    Columns gene, strand (None where it is not known), start, end, exon_starts and exon_ends (lists
    of the exons of all its transcripts, joined where they overlap; empty without transcripts),
    track (from 0; genes of one track leave each other room for their names). Genes of the first
    tracks are the longest.
    """
    columns = ["gene", "strand", "start", "end", "exon_starts", "exon_ends", "track"]
    if not has_annotation(cohort, "genes"):
        return pd.DataFrame(columns=columns)
    place = [int(chrom_order), max(0, int(end)), max(0, int(start))]
    genes = cohort.store.frame(
        'SELECT gene, strand, gene_start::BIGINT AS start, gene_end::BIGINT AS "end" '
        "FROM annotation.genes WHERE chrom_order = $1 AND gene_start <= $2 AND gene_end >= $3 "
        "ORDER BY gene_start, gene_end, gene",
        place,
    )
    transcripts: list[tuple] = []
    if has_annotation(cohort, "transcripts"):
        transcripts = cohort.store.rows(
            "SELECT gene, tx_start, tx_end, exon_starts, exon_ends FROM annotation.transcripts "
            "WHERE chrom_order = $1 AND tx_start <= $2 AND tx_end >= $3",
            place,
        )
    exons = [
        _joined(
            [
                span
                for named, first, last, starts, ends in transcripts
                if named == row.gene and first <= row.end and last >= row.start
                for span in zip(starts, ends, strict=True)
            ]
        )
        for row in genes.itertuples()
    ]
    genes["exon_starts"] = [[first for first, _ in spans] for spans in exons]
    genes["exon_ends"] = [[last for _, last in spans] for spans in exons]
    genes["track"] = _tracks(genes, start, end)
    return genes[columns]


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return closed spans in order, those joined that overlap or touch."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((first, last))
    return joined


def _tracks(genes: pd.DataFrame, start: int, end: int) -> list[int]:
    """Return the first track in which each gene and its name are free, the longest gene first."""
    width = max(1, end - start)
    taken: list[list[tuple[float, float]]] = []
    track = dict.fromkeys(genes.index, 0)
    shown = genes.assign(first=genes["start"].clip(lower=start), last=genes["end"].clip(upper=end))
    shown["length"] = shown["last"] - shown["first"]
    for row in shown.sort_values(["length", "start"], ascending=[False, True]).itertuples():
        name = _NAME_SHARE * width * (len(row.gene) + 2)
        middle = (row.first + row.last) / 2
        first, last = min(row.first, middle - name / 2), max(row.last, middle + name / 2)
        free = (
            n for n, spans in enumerate(taken)
            if all(last < other_first or first > other_last for other_first, other_last in spans)
        )  # fmt: skip
        n = next(free, len(taken))
        if n == len(taken):
            taken.append([])
        taken[n].append((first, last))
        track[row.Index] = n
    return [track[index] for index in genes.index]
