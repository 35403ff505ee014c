"""Models beside each other, each a dot with its interval."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.charts.frame import WIDE, AnyChart, finish, haloed, pixels, tooltip, wide_or
from dashboard.charts.roles import colour_of, is_hollow
from dashboard.theme import DASH_REFERENCE, LIGHT, Palette

ROW = 44  # pixels a model


def metric_intervals(
    rows: pd.DataFrame,
    *,
    metric: str = "AUC",
    chance: float | None = 0.5,
    chance_name: str = "chance",
    palette: Palette = LIGHT,
) -> AnyChart:
    """Return a dot plot with intervals, in the order given.

    `rows` has model, value, low, high (missing where there is no interval), kind (as in
    `roles.KINDS`). Runs on permuted labels are hollow. `chance` is the dashed line: 0.5 for an
    AUC, the share of the larger class for an accuracy.
    """
    table = rows.reset_index(drop=True).copy()
    table["row"] = table.index.astype(float)
    table["colour"] = [colour_of(kind, palette) for kind in table.kind]
    table["fill"] = [
        palette.background if is_hollow(kind) else colour_of(kind, palette) for kind in table.kind
    ]
    table["words"] = [
        f"{value:.3f}" if pd.isna(low) else f"{value:.3f} ({low:.3f}–{high:.3f})"
        for value, low, high in zip(table.value, table.low, table.high, strict=True)
    ]
    known = [value for value in [chance, *table.value, *table.low, *table.high] if pd.notna(value)]
    low, high = min(known), max(known)
    room = max(0.02, 0.04 * (high - low))
    x_scale = alt.Scale(
        domain=[max(0.0, low - room), min(1.0, high + room)],
        range=[wide_or(265, 6), pixels(f"width - (width > {WIDE} ? 180 : 10)")],
        nice=False,
    )
    height = ROW * len(table)
    x = alt.X(
        "value:Q", scale=x_scale, axis=alt.Axis(title=metric, format=".2~f", tickCount=5, grid=True)
    )
    y = alt.Y("row:Q", axis=None, scale=alt.Scale(domain=[0, len(table)], range=[0, height]))
    base = alt.Chart(table).encode(y=y)
    place = wide_or(22, 31)
    tips = tooltip(model=("Model", ""), words=(metric, ""))
    colour = alt.Color("colour:N", scale=None)
    interval = base.mark_rule(strokeWidth=3, yOffset=place, strokeCap="round").encode(
        x=alt.X("low:Q", scale=x_scale), x2=alt.X2("high:Q"), color=colour, tooltip=tips
    )
    dot = base.mark_point(size=130, strokeWidth=2.5, yOffset=place, opacity=1).encode(
        x=x,
        stroke=alt.Stroke("colour:N", scale=None),
        fill=alt.Fill("fill:N", scale=None),
        tooltip=tips,
    )
    line = wide_or(22, 10)
    names = haloed(base, palette, text=alt.Text("model:N"), align="left", x=0, dy=line)
    values = haloed(
        base,
        palette,
        text=alt.Text("words:N"),
        align="right",
        x=pixels("width"),
        dy=line,
        fontWeight=600,
    )
    layers = [*names, *values, interval, dot]
    if chance is not None:
        guess = alt.Chart(pd.DataFrame({"value": [chance]})).mark_rule(
            strokeDash=DASH_REFERENCE, strokeWidth=1.5, color=palette.reference
        )
        layers.insert(0, guess.encode(x=x))
    dashed = "" if chance is None else f"Dashed: {chance_name}, {chance:.3f}"
    hollow = "Hollow: labels permuted" if any(is_hollow(kind) for kind in table.kind) else ""
    return finish(
        alt.layer(*layers),
        palette,
        title=f"{metric} with 95% intervals",
        subtitle=[dashed, hollow],
        description="; ".join(
            f"{model}: {metric} {words}"
            for model, words in zip(table.model, table.words, strict=True)
        )
        + ".",
        height=height,
    )
