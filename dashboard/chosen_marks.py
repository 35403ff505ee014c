"""What is chosen as the marks of each picture: where it stands there, thinned away or not."""

from __future__ import annotations

import math

import pandas as pd

from dashboard import chosen, loaders
from dashboard.charts.chosen_mark import Marks, point, span
from dashboard.view import View
from pipeline.genes import GeneTable
from pipeline.settings.regions import read_regions


def along(view: View, chromosomes: pd.DataFrame, chrom: str = "") -> Marks:
    """Return the marks of a Manhattan plot, of the genome or of one chromosome in bases."""
    starts = {chrom: 0.0} if chrom else _starts(chromosomes)
    return Marks(
        points=_variant(view, starts), members=_members(view, starts), gene=_gene(view, starts),
        left_out=_left_out(view, starts),
    )  # fmt: skip


def halves(
    upper: View, lower: View | None, points: pd.DataFrame, chromosomes: pd.DataFrame
) -> Marks:
    """Return the marks of a Miami plot; `points` are those of a lower half that is no analysis."""
    starts = _starts(chromosomes)
    above = _variant(upper, starts)
    if lower is not None:
        below = _variant(lower, starts)
    else:
        known = chosen.variant(upper)
        same = points[:0]
        if known is not None:
            is_same = (points["chrom"] == known.chrom) & (points["pos"] == known.pos)
            same = points[is_same].head(1)
        below = same.assign(y=same["neg_log10_p"], label=chosen.name("variant"))[
            ["x", "y", "label"]
        ]
    below = below.assign(y=-below["y"].astype(float))
    if len(above):
        below = below.assign(label="")  # one label is enough
    return Marks(points=pd.concat([frame for frame in (above, below) if len(frame)] or [above]))


def in_qq(view: View) -> Marks:
    """Return the mark of the QQ plot: the variant against the expectation of its stratum."""
    found = chosen.variant(view)
    if found is None or not found.is_drawn:
        return Marks()
    place = loaders.qq_place(view.cohort, view.settings, view.analysis, found.variant_index)
    if place is None:
        return Marks()
    expected, observed, _ = place
    return Marks(points=point(expected, observed, found.variant_id, found.gene))


def in_volcano(view: View) -> Marks:
    """Return the mark of the volcano plot; a variant without an odds ratio has no place there."""
    found = chosen.variant(view)
    if found is None or not found.is_drawn or math.isnan(found.log2_odds_ratio):
        return Marks()
    made = point(found.log2_odds_ratio, found.neg_log10_p, found.variant_id, found.gene)
    return Marks(points=made)


def of_genes(found: GeneTable, chromosomes: pd.DataFrame) -> Marks:
    """Return the mark of the gene that is chosen in the Manhattan plot of genes."""
    rows = found.table[found.table["gene"] == chosen.name("gene")]
    rows = rows[rows["burden_neg_log10_p"].notna()]
    starts, ends = _starts(chromosomes), dict(zip(chromosomes["chrom"], chromosomes["end"],
                                                  strict=True))  # fmt: skip
    if not len(rows) or rows["chrom"].iloc[0] not in starts:
        return Marks()
    row = rows.iloc[0]
    middle = starts[row["chrom"]] + (float(row["gene_start"]) + float(row["gene_end"])) / 2
    x = min(middle, float(ends[row["chrom"]]))
    made = point(x, float(row["burden_neg_log10_p"]), row["gene"], row["gene"])
    return Marks(points=made)


def _starts(chromosomes: pd.DataFrame) -> dict[str, float]:
    return dict(zip(chromosomes["chrom"], chromosomes["start"].astype(float), strict=True))


def _variant(view: View, starts: dict[str, float]) -> pd.DataFrame:
    found = chosen.variant(view)
    if found is None or not found.is_drawn or found.chrom not in starts:
        return Marks().points
    x = starts[found.chrom] + found.pos
    return point(x, found.neg_log10_p, found.variant_id, found.gene)


def _members(view: View, starts: dict[str, float]) -> pd.DataFrame:
    gene = chosen.name("gene")
    if not gene or view.analysis.association is None:
        return Marks().members
    rows = loaders.gene_variants(view.cohort, view.settings, view.analysis, gene)
    rows = rows[rows["chrom"].isin(list(starts))]
    return pd.DataFrame(
        {
            "x": rows["chrom"].map(starts).astype(float) + rows["pos"].astype(float),
            "y": rows["neg_log10_p"],
            "label": rows["variant_id"],
            "variant_id": rows["variant_id"],
            "gene": gene,
        }
    )


def _gene(view: View, starts: dict[str, float]) -> pd.DataFrame:
    place = loaders.gene_place(view.cohort, chosen.name("gene")) if chosen.name("gene") else None
    if place is None or place.chrom not in starts:
        return Marks().gene
    start = starts[place.chrom]
    return span(start + place.start, start + place.end, place.gene)


def _left_out(view: View, starts: dict[str, float]) -> pd.DataFrame:
    regions = [
        region for region in read_regions(view.settings.quality.without_regions)
        if region.chrom in starts
    ]  # fmt: skip
    rows = [
        span(starts[one.chrom] + one.start, starts[one.chrom] + one.end, one.words)
        for one in regions
    ]
    return pd.concat(rows, ignore_index=True) if rows else Marks().left_out
