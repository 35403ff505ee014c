"""Where the signal is: −log10 p along the genome."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.charts.frame import (
    COUNT,
    WIDE,
    AnyChart,
    finish,
    haloed,
    pixels,
    spread,
    tooltip,
    wide_or,
)
from dashboard.theme import DASH_CUT, LIGHT, Palette

HEIGHT = 480  # pixels: readable from the back of a room
FOLD_FROM = 40  # a taller plot than this is folded, so that the ordinary hits keep their room
FOLD_AT = 20
LABEL_GAP = 17
HANDLE = 26
NAMES = 224  # pixels right of the points for the names of the lines


def manhattan(
    points: pd.DataFrame,
    chromosomes: pd.DataFrame,
    lines: pd.DataFrame,
    *,
    selection_line: tuple[float, int] | None = None,
    height: int = HEIGHT,
    hits: float | None = None,
    test: str = "",
    palette: Palette = LIGHT,
) -> AnyChart:
    """Return points of −log10 p along the genome; a click names one in the selection `hit`.

    `points` (at most about 10,000) has variant_index, x (cumulative coordinate), neg_log10_p,
    chrom, parity, pos, variant_id, gene, n_binned (how many variants the point stands for).
    `chromosomes` has chrom, start, middle, end; `lines` has label, y. `selection_line` is
    (y, variants above it). From `hits` on, by default the lowest of the lines, a point is a
    diamond in the colour of hits. Above 40 the axis is folded, and says so.
    """
    if hits is None:
        hits = float(lines.y.min()) if len(lines) else float("inf")
    rows = points.copy()
    rows["is_hit"] = rows.neg_log10_p >= hits
    slate = rows.parity.map({0: palette.chromosome, 1: palette.chromosome_other})
    rows["colour"] = slate.where(~rows.is_hit, palette.hit)
    rows = rows.sort_values("neg_log10_p")  # the highest are drawn last, on top
    rows["where"] = [f"{chrom}:{pos:,}" for chrom, pos in zip(rows.chrom, rows.pos, strict=True)]
    rows["gene"] = rows.gene.fillna("").replace("", "none")

    drawn = [*rows.neg_log10_p, *lines.y, *([selection_line[0]] if selection_line else [])]
    highest = max([6.0, *drawn]) * 1.04
    is_folded = highest > FOLD_FROM
    x_scale, x_axis = _x(chromosomes)
    y_scale, y_axis = _y(highest, is_folded, height)

    is_hit = "datum.is_hit"
    dots = (
        alt.Chart(rows)
        .mark_point(filled=True, opacity=1)
        .encode(
            x=alt.X("x:Q", scale=x_scale, axis=x_axis),
            y=alt.Y("neg_log10_p:Q", scale=y_scale, axis=y_axis),
            color=alt.Color("colour:N", scale=None),
            shape=alt.condition(is_hit, alt.value("diamond"), alt.value("circle")),
            size=alt.condition(is_hit, alt.value(95), alt.value(15)),
            tooltip=tooltip(
                variant_id=("Variant", ""),
                where=("Position", ""),
                gene=("Gene", ""),
                neg_log10_p=("−log10 p", ".2f"),
                n_binned=("Variants drawn as this point", COUNT),
            ),
        )
        .add_params(
            alt.selection_point(name="hit", fields=["variant_index"], empty=False, toggle=False)
        )
    )
    # Lines and their names lie under the points: on a telephone a name must not hide a hit.
    layers: list[AnyChart] = []
    names = lines[["label", "y"]]
    if is_folded:
        layers.append(_fold(y_scale, y_axis, palette))
        fold = pd.DataFrame({"label": [f"axis folded above {FOLD_AT}"], "y": [float(FOLD_AT)]})
        names = pd.concat([names, fold], ignore_index=True)
    if len(lines):
        layers.append(
            alt.Chart(lines)
            .mark_rule(strokeWidth=1.3, color=palette.muted, x=0, x2=_right())
            .encode(y=alt.Y("y:Q", scale=y_scale, axis=y_axis), tooltip=tooltip(label=("Line", "")))
        )
    exact = [_place(y, highest, is_folded, height) for y in names.y]
    if selection_line is None:
        layers += _names(names.label, spread(exact, LABEL_GAP, 8, height - 8), palette)
        layers.append(dots)
    else:
        exact.append(_place(selection_line[0], highest, is_folded, height))
        places = spread(exact, HANDLE - 2, HANDLE / 2, height - HANDLE / 2)
        layers += _names(names.label, places[:-1], palette)
        layers.append(dots)
        layers += _handle(selection_line, y_scale, y_axis, exact[-1], places[-1], palette)
    n_hits = int(rows.is_hit.sum())
    n_variants = int(rows.n_binned.sum())
    return finish(
        alt.layer(*layers),
        palette,
        title="Association along the genome",
        subtitle=[
            f"{n_variants:,} variants, {n_hits:,} with −log10 p ≥ {hits:.2f}",
            f"{test} test" if test else "",
        ],
        description=(
            f"Manhattan plot of {n_variants:,} variants; {n_hits:,} reach {hits:.2f}; "
            f"the largest −log10 p is {max([0.0, *rows.neg_log10_p]):.1f}."
        ),
        height=height,
        canvas=True,
    )


def _x(chromosomes: pd.DataFrame) -> tuple[alt.Scale, alt.Axis]:
    low, high = float(chromosomes.start.min()), float(chromosomes.end.max())
    scale = alt.Scale(
        domain=[low, high],
        range=[6, _right()],
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


def _y(highest: float, is_folded: bool, height: int) -> tuple[alt.Scale, alt.Axis]:
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


def _place(y: float, highest: float, is_folded: bool, height: int) -> float:
    """Return the pixel of a value, from above, as the scale of `_y` will place it."""
    if not is_folded:
        return height * (1 - y / highest)
    fold = _fold_place(height)
    if y <= FOLD_AT:
        return height - (height - fold) * y / FOLD_AT
    return fold * (1 - (y - FOLD_AT) / (highest - FOLD_AT))


def _names(names: pd.Series, places: list[float], palette: Palette) -> list[AnyChart]:
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
        layers += haloed(chart, palette, text="label:N", **style)
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
            strokeDash=DASH_CUT, strokeWidth=2, color=palette.ink, x=0, x2=_right()
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
        ).encode(x=x(28), y=alt.YValue(down(0)), text="words:N"),
    ]


def _fold(y_scale: alt.Scale, y_axis: alt.Axis, palette: Palette) -> AnyChart:
    """Return the mark of the place above which the axis is folded."""
    rule = alt.Chart(pd.DataFrame({"y": [FOLD_AT]})).mark_rule(
        strokeWidth=5, color=palette.removed, x=0, x2=_right()
    )
    return rule.encode(y=alt.Y("y:Q", scale=y_scale, axis=y_axis))


def _right() -> object:
    """Return where the points end and the names of the lines begin."""
    return pixels(f"width - (width > {WIDE} ? {NAMES} : 0)")
