"""Where the signal is: −log10 p along the genome."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from dashboard.charts.chosen_mark import CLICKED, Marks
from dashboard.charts.frame import (
    WIDE,
    AnyChart,
    finish,
    haloed,
    pixels,
    spread,
    tooltip,
    wide_or,
)
from dashboard.charts.peak_labels import peak_labels
from dashboard.theme import DASH_CUT, LIGHT, Palette

HEIGHT = 480  # pixels: readable from the back of a room
FOLD_FROM = 40  # a taller plot than this is folded, so that the ordinary hits keep their room
FOLD_AT = 20
LABEL_GAP = 17
HANDLE = 26
NAMES = 224  # pixels right of the points for the names of the lines

_DRAWN = ("variant_index", "x", "neg_log10_p", "chrom", "pos", "variant_id", "gene", "parity",
          "n_binned")  # fmt: skip
WHERE = "datum.chrom + ':' + format(datum.pos, ',')"  # spares the browser a column


def manhattan(
    points: pd.DataFrame,
    chromosomes: pd.DataFrame,
    lines: pd.DataFrame,
    *,
    selection_line: tuple[float, int] | None = None,
    height: int = HEIGHT,
    hits: float | None = None,
    test: str = "",
    peaks: pd.DataFrame | None = None,
    chromosome: str | None = None,
    brush: bool = False,
    marks: Marks | None = None,
    palette: Palette = LIGHT,
) -> AnyChart:
    """Return points of −log10 p along the genome; a click names one in the selection `hit`.

    `points` (at most about 10,000) has variant_index, x (cumulative coordinate), neg_log10_p,
    chrom, parity, pos, variant_id, gene, n_binned (how many variants the point stands for).
    `chromosomes` has chrom, start, middle, end; `lines` has label, y. `selection_line` is
    (y, variants above it). From `hits` on, by default the lowest of the lines, a point is a
    diamond in the colour of hits; a point that stands for many answers no click. Above 40 the axis
    is folded, and says so. `peaks` (x, neg_log10_p, label; the highest first) are named, on a
    narrow screen the first few of them. With `chromosome` the points are of that one alone, and x
    is their position in bases. With `brush` a stretch that is dragged is in the selection `span`.
    `marks` are what is chosen, and what is left out.
    """
    if hits is None:
        hits = float(lines.y.min()) if len(lines) else float("inf")
    rows = drawn_rows(points, hits, palette)
    drawn = [*rows.neg_log10_p, *lines.y, *([selection_line[0]] if selection_line else [])]
    has_peaks = peaks is not None and len(peaks) > 0
    highest = max([6.0, *drawn]) * (1.1 if has_peaks else 1.04)
    is_folded = highest > FOLD_FROM
    if chromosome is None:
        x_scale, x_axis = genome_x(chromosomes, right_end())
    else:
        x_scale, x_axis = _chromosome_x(chromosomes, chromosome, rows)
    y_scale, y_axis = folded_y(highest, is_folded, height)

    place = {
        "x": alt.X("x:Q", scale=x_scale, axis=x_axis),
        "y": alt.Y("neg_log10_p:Q", scale=y_scale, axis=y_axis),
        "color": alt.Color("colour:N", scale=None),
    }
    # The browser works through every row of every channel, so that the points which stand for
    # many carry their place and colour alone.
    is_alone = rows.is_hit | (rows.n_binned == 1)
    many = (
        alt.Chart(rows.loc[~is_alone, ["x", "neg_log10_p", "colour"]])
        .mark_point(filled=True, opacity=1, size=15)
        .encode(**place, tooltip=alt.TooltipValue("One dot for many variants of larger p"))
    )
    alone = rows.loc[
        is_alone, ["x", "neg_log10_p", "colour", "variant_index", "variant_id", "gene"]
    ]
    hit = rows.is_hit[is_alone]
    alone["shape"] = hit.map({True: "diamond", False: "circle"}).astype("category")
    alone["size"] = hit.map({True: 95, False: 15}).astype("int32")
    dots = (
        alt.Chart(alone)
        .mark_point(filled=True, opacity=1)
        .encode(
            **place,
            shape=alt.Shape("shape:N", scale=None),
            size=alt.Size("size:Q", scale=None),
            tooltip=tooltip(
                variant_id=("Variant", ""), gene=("Gene", ""), neg_log10_p=("−log10 p", ".2f")
            ),
        )
        .add_params(
            alt.selection_point(name="hit", fields=list(CLICKED), empty=False, toggle=False)
        )
    )
    if brush:
        dots = dots.add_params(alt.selection_interval(name="span", encodings=["x"], empty=False))
    # Lines and their names lie under the points: on a telephone a name must not hide a hit.
    layers: list[AnyChart] = []
    on_x, on_y = {"scale": x_scale, "axis": x_axis}, {"scale": y_scale, "axis": y_axis}
    domain = x_scale.to_dict()["domain"]
    if marks is not None:
        layers += marks.below(on_x, height, palette)
    names = lines[["label", "y"]]
    if is_folded:
        layers.append(fold_band(y_scale, y_axis, palette))
        fold = pd.DataFrame({"label": [f"axis folded above {FOLD_AT}"], "y": [float(FOLD_AT)]})
        names = pd.concat([names, fold], ignore_index=True)
    if len(lines):
        layers.append(
            alt.Chart(lines)
            .mark_rule(strokeWidth=1.3, color=palette.muted, x=0, x2=right_end())
            .encode(y=alt.Y("y:Q", scale=y_scale, axis=y_axis), tooltip=tooltip(label=("Line", "")))
        )
    exact = [place_of(y, highest, is_folded, height) for y in names.y]
    if selection_line is None:
        layers += line_names(names.label, spread(exact, LABEL_GAP, 8, height - 8), palette)
        layers += [many, dots]
    else:
        exact.append(place_of(selection_line[0], highest, is_folded, height))
        places = spread(exact, HANDLE - 2, HANDLE / 2, height - HANDLE / 2)
        layers += line_names(names.label, places[:-1], palette)
        layers += [many, dots]
        layers += _handle(selection_line, y_scale, y_axis, exact[-1], places[-1], palette)
    if peaks is not None and has_peaks:
        layers += peak_labels(
            peaks,
            x=lambda value: (value - domain[0]) / (domain[1] - domain[0]),
            y=lambda value: place_of(value, highest, is_folded, height),
            data_y=lambda place: value_at(place, highest, is_folded, height),
            x_scale=x_scale,
            y_scale=y_scale,
            x_axis=x_axis,
            y_axis=y_axis,
            low_high=(domain[0], domain[1]),
            beside=NAMES,
            top_bottom=(-10, height),  # a name may reach into the room under the title
            palette=palette,
        )
    if marks is not None:
        layers += marks.above(on_x, on_y, height, palette)
    n_hits = int(rows.is_hit.sum())
    n_variants = int(rows.n_binned.sum())
    of = "the genome" if chromosome is None else f"chromosome {chromosome}"
    named = ""
    if peaks is not None and has_peaks:
        named = f" The highest peaks are {', '.join(peaks.label)}."
    made = finish(
        alt.layer(*layers),
        palette,
        title=f"Association along {of}",
        subtitle=[
            f"{n_variants:,} variants, {n_hits:,} with −log10 p ≥ {hits:.2f}",
            f"{test} test" if test else "",
        ],
        description=(
            f"Manhattan plot of {n_variants:,} variants along {of}; {n_hits:,} reach "
            f"{hits:.2f}; the largest −log10 p is {max([0.0, *rows.neg_log10_p]):.1f}.{named}"
        ),
        height=height,
        canvas=True,
    )
    return made if marks is None else marks.put_in(made, (domain[0], domain[1]))


def drawn_rows(points: pd.DataFrame, hits: float, palette: Palette) -> pd.DataFrame:
    """Return the points as they are drawn, the highest last, and no column that is not drawn."""
    rows = points[[*_DRAWN]].sort_values("neg_log10_p")
    rows["is_hit"] = rows.neg_log10_p >= hits
    slate = rows.parity.map({0: palette.chromosome, 1: palette.chromosome_other})
    rows["colour"] = slate.where(~rows.is_hit, palette.hit)
    rows["gene"] = rows.gene.fillna("").replace("", "none")
    # As few bytes as a screen needs: words that repeat are sent once, and no number is wider.
    narrow = dict.fromkeys(("x", "neg_log10_p"), "float32")
    narrow |= dict.fromkeys(("variant_index", "pos", "n_binned"), "int32")
    narrow |= dict.fromkeys(("chrom", "gene", "colour"), "category")
    return rows.drop(columns="parity").astype(narrow)


def genome_x(chromosomes: pd.DataFrame, right: Any) -> tuple[alt.Scale, alt.Axis]:
    """Return the scale of the whole genome, up to the pixel `right`, and its axis."""
    low, high = float(chromosomes.start.min()), float(chromosomes.end.max())
    scale = alt.Scale(
        domain=[low, high],
        range=[6, right],
        nice=False,
    )
    middles = [float(value) for value in chromosomes.middle]
    words = ", ".join(f"'{name}'" for name in chromosomes.chrom)
    axis = alt.Axis(
        title="Chromosome",
        values=middles,
        labelExpr=f"[{words}][indexof({middles}, datum.value)]",
        labelOverlap="greedy",
        labelSeparation=3,
        ticks=False,
        grid=False,
    )
    return scale, axis


def _chromosome_x(
    chromosomes: pd.DataFrame, chromosome: str, rows: pd.DataFrame
) -> tuple[alt.Scale, alt.Axis]:
    """Return the scale of one chromosome and its axis, in Mb."""
    span = chromosomes[chromosomes.chrom == chromosome]
    length = float((span.end - span.start).sum())
    scale = alt.Scale(domain=[0.0, max([1.0, length, *rows.x])], range=[6, right_end()], nice=False)
    return scale, megabase_axis(chromosome)


def megabase_axis(chromosome: str) -> alt.Axis:
    """Return the axis of positions in bases that is labelled in Mb."""
    return alt.Axis(
        title=f"Position on chromosome {chromosome} (Mb)",
        labelExpr="format(datum.value / 1e6, ',~f')",
        tickCount=pixels("width > 900 ? 12 : width > 500 ? 7 : 4"),
        grid=False,
    )


def folded_y(highest: float, is_folded: bool, height: int) -> tuple[alt.Scale, alt.Axis]:
    if not is_folded:
        scale = alt.Scale(domain=[0, highest], range=[height, 0], nice=False)
        return scale, alt.Axis(title="−log10 p", tickCount=6, tickMinStep=1)
    scale = alt.Scale(
        domain=[0, FOLD_AT, highest], range=[height, _fold_place(height), 0], nice=False
    )
    step = next(s for s in (20, 50, 100, 200, 500, 1000, 5000, 10**9) if highest / s <= 5)
    above = [value for value in range(0, int(highest) + 1, step) if value >= FOLD_AT + 0.4 * step]
    values = [0, 5, 10, 15, FOLD_AT, *above]
    return scale, alt.Axis(title="−log10 p", values=values, labelOverlap=False)


def _fold_place(height: int) -> float:
    return 0.3 * height


def place_of(y: float, highest: float, is_folded: bool, height: int) -> float:
    """Return the pixel of a value, from above, as the scale of `_y` will place it."""
    if not is_folded:
        return height * (1 - y / highest)
    fold = _fold_place(height)
    if y <= FOLD_AT:
        return height - (height - fold) * y / FOLD_AT
    return fold * (1 - (y - FOLD_AT) / (highest - FOLD_AT))


def value_at(place: float, highest: float, is_folded: bool, height: int) -> float:
    """Return the value at a pixel: the inverse of `_place`."""
    if not is_folded:
        return highest * (1 - place / height)
    fold = _fold_place(height)
    if place >= fold:
        return FOLD_AT * (height - place) / (height - fold)
    return FOLD_AT + (highest - FOLD_AT) * (1 - place / fold)


def line_names(names: pd.Series, places: list[float], palette: Palette) -> list[AnyChart]:
    """Return the names of the lines at their right end: beside the points, or on them if narrow."""
    layers: list[AnyChart] = []
    for name, place in zip(names, places, strict=True):
        style = {
            "x": pixels(f"width - (width > {WIDE} ? {NAMES - 8} : 2)"),
            "y": place,
            "align": pixels(f"width > {WIDE} ? 'left' : 'right'"),
            "baseline": "middle",
            "fontSize": wide_or(14, 12),
        }
        chart = alt.Chart(pd.DataFrame({"label": [name]}))
        layers += haloed(chart, palette, text=alt.Text("label:N"), **style)
    return layers


def _handle(
    selection_line: tuple[float, int],
    y_scale: alt.Scale,
    y_axis: alt.Axis,
    exact: float,
    place: float,
    palette: Palette,
) -> list[AnyChart]:
    """Return the selection threshold as something that looks movable, with what lies above it.

    The handle stands beside the points, at `place`; where that has no room on them, at `exact`.
    """
    y, n_above = selection_line
    words = f"{n_above:,} variants above"
    chart = alt.Chart(pd.DataFrame({"y": [y], "words": [words]}))
    left = f"(width > {WIDE} ? width - {NAMES - 4} : 12)"

    def x(shift: float) -> alt.XValue:
        return alt.XValue(pixels(f"{left} + {shift}"))

    def down(shift: float) -> object:
        return wide_or(place + shift, exact + shift)

    arrow = {"size": 34, "filled": True, "opacity": 1, "color": palette.background}
    return [
        chart.mark_rule(
            strokeDash=DASH_CUT, strokeWidth=2, color=palette.ink, x=0, x2=right_end()
        ).encode(y=alt.Y("y:Q", scale=y_scale, axis=y_axis)),
        chart.mark_rect(color=palette.ink, cornerRadius=HANDLE / 2).encode(
            x=x(0),
            x2=alt.X2Value(pixels(f"{left} + {7.6 * len(words) + 36}")),
            y=alt.YValue(down(-HANDLE / 2)),
            y2=alt.Y2Value(down(HANDLE / 2)),
        ),
        chart.mark_point(shape="triangle-up", **arrow).encode(x=x(16), y=alt.YValue(down(-5))),
        chart.mark_point(shape="triangle-down", **arrow).encode(x=x(16), y=alt.YValue(down(5))),
        chart.mark_text(
            align="left", baseline="middle", color=palette.background, fontWeight=600
        ).encode(x=x(28), y=alt.YValue(down(0)), text=alt.Text("words:N")),
    ]


def fold_band(y_scale: alt.Scale, y_axis: alt.Axis, palette: Palette) -> AnyChart:
    """Return the mark of the place above which the axis is folded."""
    rule = alt.Chart(pd.DataFrame({"y": [FOLD_AT]})).mark_rule(
        strokeWidth=5, color=palette.removed, x=0, x2=right_end()
    )
    return rule.encode(y=alt.Y("y:Q", scale=y_scale, axis=y_axis))


def right_end() -> object:
    """Return where the points end and the names of the lines begin."""
    return pixels(f"width - (width > {WIDE} ? {NAMES} : 0)")
