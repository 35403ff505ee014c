"""Two associations along one genome, one upwards, the other downwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from dashboard.charts.chosen_mark import CLICKED, Marks
from dashboard.charts.frame import COUNT, AnyChart, finish, haloed, spread, tooltip, wide_or
from dashboard.charts.manhattan import (
    FOLD_AT,
    FOLD_FROM,
    NAMES,
    WHERE,
    drawn_rows,
    genome_x,
    line_names,
    right_end,
)
from dashboard.charts.peak_labels import peak_labels
from dashboard.theme import LIGHT, Palette

HEIGHT = 600

_LABEL_GAP = 17


@dataclass(frozen=True)
class _Half:
    """One half: where its values lie, in pixels from the top."""

    highest: float
    middle: float
    sign: int  # 1 upwards, -1 downwards

    @property
    def is_folded(self) -> bool:
        return self.highest > FOLD_FROM

    @property
    def knots(self) -> list[tuple[float, float]]:
        """Return (value, share of the half) of the scale, from the middle outwards."""
        fold = [(float(FOLD_AT), 0.7)] if self.is_folded else []
        return [(0.0, 0.0), *fold, (self.highest, 1.0)]

    def place(self, value: float) -> float:
        """Return the pixel of a value of 0 or more."""
        share = float(np.interp(value, *zip(*self.knots, strict=True)))
        return self.middle - self.sign * share * self.middle

    def value(self, place: float) -> float:
        """Return the signed value at a pixel."""
        share = self.sign * (self.middle - place) / self.middle
        values, shares = zip(*self.knots, strict=True)
        return self.sign * float(np.interp(share, shares, values))

    @property
    def ticks(self) -> list[float]:
        """Return the signed values that are labelled, but 0."""
        if not self.is_folded:
            step = next(s for s in (1, 2, 5, 10) if self.highest / s <= 5)
            return [self.sign * float(v) for v in range(step, int(self.highest) + 1, step)]
        above = self.highest - FOLD_AT
        step = next(s for s in (20, 50, 100, 200, 500, 1000, 5000, 10**9) if above / s <= 3)
        return [
            self.sign * float(v)
            for v in (10, FOLD_AT, *range(FOLD_AT + step, int(self.highest) + 1, step))
        ]


def miami(
    upper: pd.DataFrame,
    lower: pd.DataFrame,
    chromosomes: pd.DataFrame,
    *,
    upper_title: str,
    lower_title: str,
    lines: pd.DataFrame,
    lower_lines: pd.DataFrame | None = None,
    upper_peaks: pd.DataFrame | None = None,
    lower_peaks: pd.DataFrame | None = None,
    height: int = HEIGHT,
    marks: Marks | None = None,
    palette: Palette = LIGHT,
) -> AnyChart:
    """Return two Manhattan plots on one genome, the lower one mirrored.

    Both tables of points have the columns of `manhattan`, and so have the peaks. `lines` (label,
    y) are those of both halves, or of the upper one where `lower_lines` is given; the lowest line
    of a half parts its hits. Each half is folded by itself above 40, and says so. A click is in
    the selection `hit` with its `variant_id`, `gene` and `half` (upper, lower). `marks` are what is
    chosen, with y downwards in the lower half.
    """
    of_lower = lines if lower_lines is None else lower_lines
    middle = height / 2
    sides = (
        ("upper", upper, lines, upper_peaks, upper_title, 1),
        ("lower", lower, of_lower, lower_peaks, lower_title, -1),
    )
    halves = {
        side: _Half(
            max([6.0, *points.neg_log10_p, *own.y]) * (1.1 if peaks is None else 1.18), middle, sign
        )
        for side, points, own, peaks, _, sign in sides
    }
    up, down = halves["upper"], halves["lower"]
    knots = [(-value, down.place(value)) for value, _ in reversed(down.knots)]
    knots += [(value, up.place(value)) for value, _ in up.knots[1:]]
    y_scale = alt.Scale(
        domain=[value for value, _ in knots], range=[place for _, place in knots], nice=False
    )
    y_axis = alt.Axis(
        title="−log10 p",
        values=[*reversed(down.ticks), 0.0, *up.ticks],
        labelExpr="format(abs(datum.value), '~g')",
        labelOverlap=False,
    )
    x_scale, x_axis = genome_x(chromosomes, right_end())
    tables, layers, words = [], [], []
    for side, points, own, _, title, sign in sides:
        hits = float(own.y.min()) if len(own) else float("inf")
        rows = drawn_rows(points, hits, palette).assign(half=side, study=title)
        tables.append(rows.assign(y=sign * rows.neg_log10_p))
        layers += _lines(own, halves[side], y_scale, y_axis, palette)
        words.append(
            f"{title}: {int(rows.n_binned.sum()):,} variants, {int(rows.is_hit.sum()):,} with "
            f"−log10 p ≥ {hits:.2f}" + (", folded above 20" if halves[side].is_folded else "")
        )
    rows = pd.concat(tables, ignore_index=True).sort_values("neg_log10_p")
    layers.append(_dots(rows, x_scale, x_axis, y_scale, y_axis))
    zero = alt.Chart(pd.DataFrame({"y": [0.0]})).mark_rule(
        color=palette.ink, strokeWidth=1.2, x=0, x2=right_end()
    )
    layers.append(zero.encode(y=alt.Y("y:Q", scale=y_scale, axis=y_axis)))
    scales: dict[str, Any] = {
        "x_scale": x_scale,
        "y_scale": y_scale,
        "x_axis": x_axis,
        "y_axis": y_axis,
    }
    for side, _, _, peaks, title, sign in sides:
        if peaks is not None and len(peaks):
            top = 24.0 if sign > 0 else middle
            layers += peak_labels(
                peaks,
                x=_share(x_scale),
                y=halves[side].place,
                data_y=halves[side].value,
                low_high=tuple(x_scale.to_dict()["domain"]),
                beside=NAMES,
                top_bottom=(top, middle if sign > 0 else height - 24.0),
                below=sign < 0,
                palette=palette,
                **scales,
            )
        layers += haloed(
            alt.Chart(pd.DataFrame({"label": [title]})),
            palette,
            text=alt.Text("label:N"),
            x=8,
            y=10 if sign > 0 else height - 10,
            align="left",
            baseline="middle",
            fontWeight=600,
            fontSize=wide_or(15, 13),
        )
    if marks is not None:
        on_x, on_y = {"scale": x_scale, "axis": x_axis}, {"scale": y_scale, "axis": y_axis}
        layers += marks.above(on_x, on_y, height, palette)
    made = finish(
        alt.layer(*layers),
        palette,
        title="Two associations along the genome",
        subtitle=words,
        description="Miami plot. " + "; ".join(words) + ".",
        height=height,
        canvas=True,
    )
    return made if marks is None else marks.put_in(made, tuple(x_scale.to_dict()["domain"]))


def _share(x_scale: alt.Scale) -> Callable[[float], float]:
    low, high = x_scale.to_dict()["domain"]
    return lambda value: (value - low) / (high - low)


def _dots(
    rows: pd.DataFrame, x_scale: alt.Scale, x_axis: alt.Axis, y_scale: alt.Scale, y_axis: alt.Axis
) -> alt.Chart:
    return (
        alt.Chart(rows)
        .transform_calculate(where=WHERE)
        .mark_point(filled=True, opacity=1)
        .encode(
            x=alt.X("x:Q", scale=x_scale, axis=x_axis),
            y=alt.Y("y:Q", scale=y_scale, axis=y_axis),
            color=alt.Color("colour:N", scale=None),
            shape=alt.condition("datum.is_hit", alt.value("diamond"), alt.value("circle")),
            size=alt.condition("datum.is_hit", alt.value(80), alt.value(13)),
            tooltip=tooltip(
                study=("In", ""),
                variant_id=("Variant", ""),
                where=("Position", ""),
                gene=("Gene", ""),
                neg_log10_p=("−log10 p", ".2f"),
                n_binned=("Variants drawn as this point", COUNT),
            ),
        )
        .add_params(
            alt.selection_point(name="hit", fields=[*CLICKED, "half"], empty=False, toggle=False)
        )
    )


def _lines(
    lines: pd.DataFrame,
    half: _Half,
    y_scale: alt.Scale,
    y_axis: alt.Axis,
    palette: Palette,
) -> list[AnyChart]:
    """Return the lines of one half, named at their right end."""
    if not len(lines):
        return []
    rules = (
        alt.Chart(lines.assign(signed=half.sign * lines.y))
        .mark_rule(strokeWidth=1.3, color=palette.muted, x=0, x2=right_end())
        .encode(
            y=alt.Y("signed:Q", scale=y_scale, axis=y_axis), tooltip=tooltip(label=("Line", ""))
        )
    )
    low, high = (8, half.middle - 8) if half.sign > 0 else (half.middle + 8, 2 * half.middle - 8)
    places = spread([half.place(y) for y in lines.y], _LABEL_GAP, low, high)
    return [rules, *line_names(lines.label, places, palette)]
