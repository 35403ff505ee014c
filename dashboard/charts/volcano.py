"""How strong against how sure: odds ratios and p-values."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from dashboard.charts.chosen_mark import CLICKED, Marks
from dashboard.charts.frame import (
    COUNT,
    AnyChart,
    finish,
    haloed,
    pixels,
    spread,
    tooltip,
    wide_or,
)
from dashboard.charts.manhattan import WHERE
from dashboard.charts.peak_labels import peak_labels
from dashboard.theme import DASH_REFERENCE, LIGHT, Palette

HEIGHT = 420
LABEL_GAP = 17
_KEPT = ("variant_index", "chrom", "pos", "variant_id", "gene", "neg_log10_p", "n_binned")


def volcano(
    points: pd.DataFrame,
    lines: pd.DataFrame | None = None,
    *,
    hits: float | None = None,
    peaks: pd.DataFrame | None = None,
    n_tested: int | None = None,
    test: str = "",
    height: int = HEIGHT,
    marks: Marks | None = None,
    palette: Palette = LIGHT,
) -> AnyChart:
    """Return log2 odds ratios against −log10 p; a click names one in the selection `hit`.

    `points` is as `volcano_points` gives it, `lines` has label, y. From `hits` on, by default the
    lowest of the lines, a point is a diamond in the colour of hits. `peaks` (x, neg_log10_p,
    label; x the log2 odds ratio) are named; by default the 12 highest hits, each gene once. With
    `n_tested` the subtitle says how many variants have no odds ratio. `marks` are what is chosen.
    """
    lines = pd.DataFrame({"label": [], "y": []}) if lines is None else lines
    if hits is None:
        hits = float(lines.y.min()) if len(lines) else float("inf")
    rows = points[[*_KEPT]].assign(x=points.log2_odds_ratio).sort_values("neg_log10_p")
    rows["is_hit"] = rows.neg_log10_p >= hits
    rows["odds_ratio"] = 2.0**rows.x
    rows["gene"] = rows.gene.fillna("").replace("", "none")
    if peaks is None:
        peaks = _top(rows)
    most = float(max([1.0, *np.abs(rows.x)])) * 1.06
    highest = max([6.0, *rows.neg_log10_p, *lines.y]) * 1.1
    x_scale = alt.Scale(domain=[-most, most], nice=False)
    y_scale = alt.Scale(domain=[0, highest], range=[height, 0], nice=False)
    x_axis = alt.Axis(
        title="Odds ratio of the alternate allele (log2 scale)",
        values=_ticks(most),
        labelExpr="format(pow(2, datum.value), '~g')",
        grid=False,
    )
    y_axis = alt.Axis(title="−log10 p", tickCount=6, tickMinStep=1)
    y = {"scale": y_scale, "axis": y_axis}
    centre = (
        alt.Chart(pd.DataFrame({"x": [0.0]}))
        .mark_rule(strokeDash=DASH_REFERENCE, strokeWidth=1.3, color=palette.reference)
        .encode(x=alt.X("x:Q", scale=x_scale, axis=x_axis))
    )
    layers: list[AnyChart] = [centre, *_lines(lines, highest, height, y, palette)]
    layers.append(
        alt.Chart(rows)
        .transform_calculate(where=WHERE)
        .mark_point(filled=True, opacity=1)
        .encode(
            x=alt.X("x:Q", scale=x_scale, axis=x_axis),
            y=alt.Y("neg_log10_p:Q", **y),
            color=alt.condition(
                "datum.is_hit", alt.value(palette.hit), alt.value(palette.chromosome_other)
            ),
            shape=alt.condition("datum.is_hit", alt.value("diamond"), alt.value("circle")),
            size=alt.condition("datum.is_hit", alt.value(80), alt.value(14)),
            tooltip=tooltip(
                variant_id=("Variant", ""),
                where=("Position", ""),
                gene=("Gene", ""),
                odds_ratio=("Odds ratio", ".3~g"),
                neg_log10_p=("−log10 p", ".2f"),
                n_binned=("Variants drawn as this point", COUNT),
            ),
        )
        .add_params(
            alt.selection_point(name="hit", fields=list(CLICKED), empty=False, toggle=False)
        )
    )
    if len(peaks):
        layers += peak_labels(
            peaks,
            x=lambda value: (value + most) / (2 * most),
            y=lambda value: height * (1 - value / highest),
            data_y=lambda place: highest * (1 - place / height),
            x_scale=x_scale,
            y_scale=y_scale,
            x_axis=x_axis,
            y_axis=y_axis,
            low_high=(-most, most),
            beside=0,
            top_bottom=(0, height),
            palette=palette,
        )
    if marks is not None:
        layers += marks.above({"scale": x_scale, "axis": x_axis}, y, height, palette)
    n = int(rows.n_binned.sum())
    without = f"{n_tested - n:,} without an odds ratio (an empty cell)" if n_tested else ""
    up, down = ((rows.is_hit & (np.sign(rows.x) == sign)).sum() for sign in (1, -1))
    made = finish(
        alt.layer(*layers),
        palette,
        title="Strength and certainty",
        subtitle=[
            f"{n:,} variants; of those with −log10 p ≥ {hits:.2f}, {up:,} raise the odds and "
            f"{down:,} lower them",
            without,
            f"{test} test, allelic odds ratios" if test else "",
        ],
        description=(
            f"Odds ratios of {n:,} variants against −log10 p; {up:,} hits raise the odds of being "
            f"a case and {down:,} lower them."
        ),
        height=height,
        canvas=True,
    )
    return made if marks is None else marks.put_in(made, (-most, most))


def _top(rows: pd.DataFrame, n: int = 12) -> pd.DataFrame:
    """Return the highest hit of each gene, the highest first."""
    top = rows[rows.is_hit & (rows.gene != "none")].iloc[::-1].drop_duplicates("gene").head(n)
    return pd.DataFrame({"x": top.x, "neg_log10_p": top.neg_log10_p, "label": top.gene})


def _ticks(most: float) -> list[float]:
    """Return the log2 odds ratios that are labelled: powers of two, not too many."""
    step = next(s for s in (0.5, 1, 2, 3, 5, 10, 100) if most / s <= 4)
    n = int(most / step)
    return [step * i for i in range(-n, n + 1)]


def _lines(
    lines: pd.DataFrame, highest: float, height: int, y: dict, palette: Palette
) -> list[AnyChart]:
    """Return the lines with their names on them, at the right."""
    if not len(lines):
        return []
    layers: list[AnyChart] = [
        alt.Chart(lines)
        .mark_rule(strokeWidth=1.3, color=palette.muted, x=0, x2=pixels("width"))
        .encode(y=alt.Y("y:Q", **y))
    ]
    exact = [height * (1 - value / highest) - 10 for value in lines.y]
    for name, place in zip(lines.label, spread(exact, LABEL_GAP, 8, height - 8), strict=True):
        layers += haloed(
            alt.Chart(pd.DataFrame({"label": [name]})),
            palette,
            text=alt.Text("label:N"),
            x=pixels("width - 2"),
            y=place,
            align="right",
            baseline="middle",
            fontSize=wide_or(13, 12),
        )
    return layers
