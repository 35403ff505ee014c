"""A stretch of a chromosome: its variants, their linkage with the lead, and the genes below."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from dashboard.charts.chosen_mark import CLICKED, Marks
from dashboard.charts.frame import WIDE, AnyChart, finish, haloed, pixels, spread, tooltip, wide_or
from dashboard.charts.manhattan import WHERE, megabase_axis
from dashboard.theme import LIGHT, Palette

POINTS = 380  # pixels of the points
TRACK = 34  # pixels a track of genes: the name above, the gene below
LABEL_GAP = 17
UNKNOWN = "not known"
LEAD = "lead"
BINS = ("0–0.2", "0.2–0.4", "0.4–0.6", "0.6–0.8", "0.8–1")
SIZES = (34, 42, 52, 62, 74)
SHAPES = {"lof": "triangle-down", "missense": "square"}
CLASS_WORDS = {"lof": "loss of function", "missense": "missense", "synonymous": "synonymous"}
_MOST_ARROWS = 6  # of a gene, along its introns


def region(
    points: pd.DataFrame,
    genes: pd.DataFrame,
    *,
    chrom: str,
    start: int,
    end: int,
    lead: str = "",
    lines: pd.DataFrame | None = None,
    test: str = "",
    marks: Marks | None = None,
    palette: Palette = LIGHT,
) -> AnyChart:
    """Return variants of a region above its genes; a click names a variant, or a gene below, in
    the selection `hit`.

    `points` has variant_index, chrom, pos, neg_log10_p, variant_id, gene, consequence_class, r2
    (NaN where it is not known), is_lead; `genes` has gene, strand, start, end, exon_starts,
    exon_ends, track. `lead` names the lead variant, `lines` (label, y) are drawn where the points
    are. `marks` are what is chosen.
    """
    lines = pd.DataFrame({"label": [], "y": []}) if lines is None else lines
    rows = _rows(points, palette)
    n_tracks = int(genes.track.max()) + 1 if len(genes) else 1
    highest = max([6.0, *rows.neg_log10_p, *lines.y]) * 1.06
    height = POINTS + 14 + TRACK * n_tracks
    # One scale for both: −log10 p above 0, tracks of genes below it.
    y_scale = alt.Scale(
        domain=[-n_tracks, -0.001, 0, highest], range=[height, POINTS + 14, POINTS, 0], nice=False
    )
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 1000, 10**5) if highest / s <= 8)
    y_axis = alt.Axis(
        title="−log10 p",
        values=list(range(0, int(highest) + 1, step)),
        titleY=POINTS / 2,
        labelOverlap=False,
    )
    x_scale = alt.Scale(domain=[int(start), int(end)], nice=False, clamp=True)
    x_axis = megabase_axis(chrom)
    y = {"scale": y_scale, "axis": y_axis}
    x = {"scale": x_scale, "axis": x_axis}
    layers: list[AnyChart] = [_lines(lines, highest, x, y, palette)] if len(lines) else []
    if marks is not None:
        layers = [*marks.below(x, height, palette), *layers]
    layers += _genes(genes, int(start), int(end), x, y, palette)
    layers.append(_points(rows, x, y, palette))
    if marks is not None:
        layers += marks.above(x, y, POINTS, palette)
    n_genes = len(genes)
    span = f"chromosome {chrom}, {int(start):,} to {int(end):,}"
    made = finish(
        alt.layer(*layers),
        palette,
        title=f"Region {chrom}:{int(start):,}–{int(end):,}",
        subtitle=[
            f"{len(rows):,} variants, {n_genes:,} genes" + (f"; {test} test" if test else ""),
            f"r² to {lead or 'the lead variant'} among cases and controls",
            "No recombination map",
            _shape_words(rows),
        ],
        description=(
            f"{len(rows):,} variants on {span}, coloured by r² to {lead or 'the lead variant'}, "
            f"above {n_genes:,} genes: {', '.join(genes.gene.head(20)) if n_genes else 'none'}. "
            f"The largest −log10 p is {max([0.0, *rows.neg_log10_p]):.1f}."
        ),
        height=height,
        canvas=True,
    )
    return made if marks is None else marks.put_in(made, (int(start), int(end)))


def _rows(points: pd.DataFrame, palette: Palette) -> pd.DataFrame:
    """Return the points as they are drawn: the closest to the lead last, the lead on top."""
    kept = ["variant_index", "chrom", "pos", "neg_log10_p", "variant_id", "gene", "r2", "is_lead"]
    rows = points[kept].copy()
    bins = np.nan_to_num(rows.r2.to_numpy(np.float64) * len(BINS)).astype(int)
    bins = bins.clip(0, len(BINS) - 1)
    is_known = rows.r2.notna().to_numpy()
    rows["step"] = np.where(is_known, np.array(BINS)[bins], UNKNOWN)
    rows["size"] = np.where(is_known, np.array(SIZES)[bins], SIZES[0])
    rows["consequence"] = points.consequence_class.astype(object)
    rows["shape"] = rows.consequence.map(SHAPES).fillna("circle")
    rows["consequence"] = rows.consequence.map(CLASS_WORDS).fillna("other or not known")
    rows.loc[rows.is_lead, ["step", "shape"]] = LEAD, "diamond"
    rows.loc[rows.is_lead, "size"] = 190
    rows["r2_words"] = [f"{r2:.2f}" if r2 == r2 else "not known" for r2 in rows.r2]
    rows["gene"] = rows.gene.fillna("").replace("", "none")
    order = np.lexsort((rows.neg_log10_p, rows.r2.fillna(-1), rows.is_lead))
    return rows.iloc[order].drop(columns="r2").reset_index(drop=True)


def _points(rows: pd.DataFrame, x: dict, y: dict, palette: Palette) -> alt.Chart:
    colours = dict(zip(BINS, palette.ld, strict=True))
    colours |= {UNKNOWN: palette.excluded, LEAD: palette.lead}
    legend = alt.Legend(
        title="r² to the lead variant",
        columns=pixels(f"width > {WIDE} ? 7 : 3"),
        symbolOpacity=1,
        symbolStrokeWidth=0.6,
        symbolType="circle",
    )
    return (
        alt.Chart(rows)
        .transform_calculate(where=WHERE)
        .mark_point(filled=True, opacity=1, stroke=palette.ink, strokeWidth=0.6)
        .encode(
            x=alt.X("pos:Q", **x),
            y=alt.Y("neg_log10_p:Q", **y),
            fill=alt.Fill(
                "step:N",
                scale=alt.Scale(domain=[*colours], range=[*colours.values()]),
                legend=legend,
            ),
            shape=alt.Shape("shape:N", scale=None),
            size=alt.Size("size:Q", scale=None),
            tooltip=tooltip(
                variant_id=("Variant", ""),
                where=("Position", ""),
                gene=("Gene", ""),
                consequence=("Consequence", ""),
                neg_log10_p=("−log10 p", ".2f"),
                r2_words=("r² to the lead", ""),
            ),
        )
        .add_params(
            alt.selection_point(name="hit", fields=list(CLICKED), empty=False, toggle=False)
        )
    )


def _lines(lines: pd.DataFrame, highest: float, x: dict, y: dict, palette: Palette) -> AnyChart:
    """Return the lines of a correction with their names on them, at the right."""
    rules = (
        alt.Chart(lines)
        .mark_rule(strokeWidth=1.3, color=palette.muted, x=0, x2=pixels("width"))
        .encode(y=alt.Y("y:Q", **y))
    )
    exact = [POINTS * (1 - value / highest) - 10 for value in lines.y]
    names: list[alt.Chart] = []
    for name, place in zip(lines.label, spread(exact, LABEL_GAP, 8, POINTS - 8), strict=True):
        names += haloed(
            alt.Chart(pd.DataFrame({"label": [name]})),
            palette,
            text=alt.Text("label:N"),
            x=pixels("width - 2"),
            y=place,
            align="right",
            baseline="middle",
            fontSize=wide_or(13, 12),
        )
    return alt.layer(rules, *names)


def _genes(
    genes: pd.DataFrame, start: int, end: int, x: dict, y: dict, palette: Palette
) -> list[AnyChart]:
    """Return the gene tracks: introns as lines, exons as boxes, the strand, the names."""
    if not len(genes):
        words = alt.Chart(pd.DataFrame({"label": ["No gene is known here"], "y": [-0.5]}))
        return [
            words.mark_text(x=2, align="left", color=palette.muted).encode(
                text=alt.Text("label:N"), y=alt.Y("y:Q", **y)
            )
        ]
    rows = genes.assign(
        first=genes.start.clip(lower=start), last=genes.end.clip(upper=end), y=-(genes.track + 0.72)
    )
    rows["middle"] = (rows["first"] + rows["last"]) / 2
    # A name at an end of the region reads inwards.
    inner = (rows["middle"] - start) / (end - start)
    rows["reads"] = np.select([inner < 0.08, inner > 0.92], ["left", "right"], "center")
    rows["named_at"] = np.select(
        [inner < 0.08, inner > 0.92], [rows["first"], rows["last"]], rows["middle"]
    )
    rows["where"] = [f"{a:,} to {b:,}" for a, b in zip(genes.start, genes.end, strict=True)]
    rows["strand"] = rows.strand.astype(object).where(rows.strand.notna(), "not known")
    rows["is_wide_only"] = ~_fits_narrow(rows, start, end)
    named = rows.drop(columns=["exon_starts", "exon_ends"])
    at: dict[str, Any] = {"x": alt.X("first:Q", **x), "x2": "last:Q", "y": alt.Y("y:Q", **y)}
    tips = tooltip(gene=("Gene", ""), where=("Bases", ""), strand=("Strand", ""))
    introns = (
        alt.Chart(named).mark_rule(strokeWidth=1.4, color=palette.bar).encode(**at, tooltip=tips)
    )
    boxes = (
        alt.Chart(_boxes(rows, start, end))
        .mark_rule(strokeWidth=11, color=palette.bar)
        .encode(**at, tooltip=tips)
    )
    arrows = (
        alt.Chart(_arrows(rows, start, end))
        .mark_text(fontSize=14, fontWeight="bold", color=palette.bar, baseline="middle")
        .encode(x=alt.X("place:Q", **x), y=alt.Y("y:Q", **y), text=alt.Text("arrow:N"))
    )
    middle = alt.X("named_at:Q", **x)
    names = (
        alt.Chart(named)
        .transform_filter(f"width > {WIDE} || !datum.is_wide_only")
        .transform_calculate(
            label="datum.strand == '+' ? datum.gene + ' →' : datum.strand == '-' ? "
            "'← ' + datum.gene : datum.gene"
        )
        .mark_text(
            dy=-15, fontStyle="italic", fontSize=13, baseline="middle", align=pixels("datum.reads")
        )
        .encode(x=middle, y=alt.Y("y:Q", **y), text=alt.Text("label:N"), tooltip=tips)
    )
    return [introns, arrows, boxes, names]


def _boxes(rows: pd.DataFrame, start: int, end: int) -> pd.DataFrame:
    """Return the exons within the region; the whole gene where its exons are not known."""
    spans = [
        (row.gene, row.where, row.strand, row.y, max(first, start), min(last, end))
        for row in rows.itertuples()
        for first, last in zip(
            row.exon_starts if len(row.exon_starts) else [row.start],
            row.exon_ends if len(row.exon_ends) else [row.end],
            strict=True,
        )
        if last >= start and first <= end
    ]
    boxes = pd.DataFrame(spans, columns=["gene", "where", "strand", "y", "first", "last"])
    # An exon narrower than a pixel is still to be seen.
    least = (end - start) / 900
    boxes["last"] = np.maximum(boxes["last"], boxes["first"] + least)
    return boxes


def _arrows(rows: pd.DataFrame, start: int, end: int) -> pd.DataFrame:
    """Return chevrons along the introns of genes that are wide enough to show them."""
    spans = [
        (place, row.y, {"+": "›", "-": "‹"}[row.strand])
        for row in rows.itertuples()
        if row.strand in ("+", "-")
        for n in [int((row.last - row.first) / (end - start) * 30)]
        if n >= 1
        for place in np.linspace(row.first, row.last, min(n, _MOST_ARROWS) + 2)[1:-1]
    ]
    return pd.DataFrame(spans, columns=["place", "y", "arrow"])


def _fits_narrow(rows: pd.DataFrame, start: int, end: int) -> pd.Series:
    """Return which names have room on a telephone, the longest genes first, bool."""
    fits = pd.Series(False, rows.index)
    taken: dict[int, list[tuple[float, float]]] = {}
    order = (rows["first"] - rows["last"]).sort_values(kind="stable").index
    for row in rows.loc[order].itertuples():
        # 7.5 of some 260 pixels a character; the arrow of the strand takes two more.
        half = 7.5 / 260 * (end - start) * (len(row.gene) + 2) / 2
        spans = taken.setdefault(row.track, [])
        if all(row.middle + half < a or row.middle - half > b for a, b in spans):
            spans.append((row.middle - half, row.middle + half))
            fits[row.Index] = True
    return fits


def _shape_words(rows: pd.DataFrame) -> str:
    words = {"triangle-down": "▼ loss of function", "square": "■ missense"}
    there = [text for shape, text in words.items() if (rows["shape"] == shape).any()]
    return ", ".join(there)
