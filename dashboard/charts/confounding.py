"""One model among people who are alike: a dot with its interval for each set of people."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.charts.frame import WIDE, AnyChart, finish, haloed, pixels, tooltip, wide_or
from dashboard.theme import DASH_REFERENCE, LIGHT, Palette

ROW = 62  # pixels a set of people
_NAME_PIXELS = 330  # of a name beside its value on a wide screen, less on a telephone
_SHAPES = {"whole": "circle", "part": "circle", "pooled": "diamond"}


def strata_intervals(
    rows: pd.DataFrame, *, title: str, whole: float | None, palette: Palette = LIGHT
) -> AnyChart:
    """Return a dot plot of AUC with intervals, in the order given.

    `rows` has people, counts (in words), value, low, high (missing where too few people are
    there), kind: `whole` for all people, `part` for a stratum, `pooled` (a diamond) over strata.
    `whole` is the AUC of all people, a thin line beside the dashed one of chance.
    """
    table = rows.reset_index(drop=True).copy()
    table["row"] = table.index.astype(float)
    table["colour"] = [
        palette.chromosome if kind == "part" else palette.honest for kind in table.kind
    ]
    table["shape"] = [_SHAPES[kind] for kind in table.kind]
    table["size"] = [190 if kind == "pooled" else 130 for kind in table.kind]
    table["words"] = [
        "too few people" if pd.isna(value) else f"{value:.2f} ({low:.2f}–{high:.2f})"
        for value, low, high in zip(table.value, table.low, table.high, strict=True)
    ]
    known = [v for v in [0.5, whole, *table.value, *table.low, *table.high] if pd.notna(v)]
    low, high = min(known), max(known)
    room = max(0.02, 0.04 * (high - low))
    x_scale = alt.Scale(
        domain=[max(0.0, low - room), min(1.0, high + room)],
        range=[wide_or(_NAME_PIXELS, 6), pixels(f"width - (width > {WIDE} ? 150 : 10)")],
        nice=False,
    )
    height = ROW * len(table)
    x = alt.X(
        "value:Q", scale=x_scale, axis=alt.Axis(title="AUC", format=".2~f", tickCount=5, grid=True)
    )
    y = alt.Y("row:Q", axis=None, scale=alt.Scale(domain=[0, len(table)], range=[0, height]))
    base = alt.Chart(table).encode(y=y)
    tips = tooltip(people=("People", ""), counts=("Of them", ""), words=("AUC", ""))
    colour = alt.Color("colour:N", scale=None)
    seen = base.transform_filter("isValid(datum.value)")
    place = wide_or(22, 46)
    interval = seen.mark_rule(strokeWidth=3, yOffset=place, strokeCap="round").encode(
        x=alt.X("low:Q", scale=x_scale), x2=alt.X2("high:Q"), color=colour, tooltip=tips
    )
    dot = seen.mark_point(yOffset=place, opacity=1, filled=True).encode(
        x=x,
        color=colour,
        shape=alt.Shape("shape:N", scale=None),
        size=alt.Size("size:Q", scale=None),
        tooltip=tips,
    )
    lines = [
        (value, dash, colour)
        for value, dash, colour in (
            (0.5, DASH_REFERENCE, palette.reference),
            (whole, (1, 0), palette.honest),
        )
        if value is not None
    ]
    guides = [
        alt.Chart(pd.DataFrame({"value": [value]}))
        .mark_rule(strokeDash=dash, strokeWidth=1.5, color=colour, opacity=0.7)
        .encode(x=x)
        for value, dash, colour in lines
    ]
    first, second = wide_or(14, 9), wide_or(33, 27)
    names = haloed(
        base, palette, text=alt.Text("people:N"), align="left", x=0, dy=first,
        limit=wide_or(_NAME_PIXELS - 14, 210), fontWeight=600,
    )  # fmt: skip
    counts = haloed(
        base, palette, text=alt.Text("counts:N"), align="left", x=0, dy=second, fontSize=13,
        limit=wide_or(_NAME_PIXELS - 14, 300),
    )  # fmt: skip
    values = haloed(
        base, palette, text=alt.Text("words:N"), align="right", x=pixels("width"),
        dy=wide_or(22, 9), fontWeight=600,
    )  # fmt: skip
    line = "" if whole is None else f"Line: all test people, {whole:.2f}"
    return finish(
        alt.layer(*guides, *names, *counts, *values, interval, dot),
        palette,
        title=title,
        subtitle=[
            line,
            "Dashed: chance, 0.50",
            "Diamond: pooled over strata" if (table.kind == "pooled").any() else "",
        ],
        description="; ".join(
            f"{people} ({counts}): AUC {words}"
            for people, counts, words in zip(table.people, table.counts, table.words, strict=True)
        )
        + ".",
        height=height,
    )
