"""One figure in every group of people, each a dot with its interval and its count."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.charts.frame import WIDE, AnyChart, finish, haloed, pixels, tooltip, wide_or
from dashboard.charts.roles import colour_of
from dashboard.theme import DASH_REFERENCE, LIGHT, Palette

ROW = 40  # pixels a group


def group_metrics(
    rows: pd.DataFrame, *, metric: str, overall: float | None, kind: str, palette: Palette = LIGHT
) -> AnyChart:
    """Return a dot plot of groups in the order given; the lowest is named and stands out.

    `rows` has by, name, n, n_case, value, low, high, limits missing where there are none. `overall`
    is the dashed line, the figure of all test people; `kind` that of the run (see `roles.KINDS`).
    """
    table = rows.reset_index(drop=True).copy()
    table["row"] = table.index.astype(float)
    table["group"] = table.by + ": " + table.name
    table["words"] = [
        f"{value:.2f}" if pd.isna(low) else f"{value:.2f} ({low:.2f}–{high:.2f})"
        for value, low, high in zip(table.value, table.low, table.high, strict=True)
    ]
    table["counted"] = [f"{words} of {n:,}" for words, n in zip(table.words, table.n, strict=True)]
    worst = int(table.value.idxmin())
    table["colour"] = [
        palette.hit if row == worst else colour_of(kind, palette) for row in range(len(table))
    ]
    known = [v for v in [overall, *table.value, *table.low, *table.high] if pd.notna(v)]
    low, high = min(known), max(known)
    room = max(0.02, 0.04 * (high - low))
    height = ROW * len(table)
    x_scale = alt.Scale(
        domain=[max(0.0, low - room), min(1.0, high + room)],
        range=[wide_or(250, 6), pixels(f"width - (width > {WIDE} ? 200 : 10)")],
        nice=False,
    )
    x = alt.X(
        "value:Q", scale=x_scale, axis=alt.Axis(title=metric, format=".2~f", tickCount=5, grid=True)
    )
    y = alt.Y("row:Q", axis=None, scale=alt.Scale(domain=[0, len(table)], range=[0, height]))
    base = alt.Chart(table).encode(y=y)
    tips = tooltip(
        group=("Group", ""), words=(metric, ""), n=("Test people", ","), n_case=("Cases", ",")
    )
    colour = alt.Color("colour:N", scale=None)
    place, line = wide_or(20, 29), wide_or(20, 10)
    layers = [
        *haloed(base, palette, text=alt.Text("group:N"), align="left", x=0, dy=line),
        *haloed(
            base,
            palette,
            text=alt.Text("counted:N"),
            align="right",
            x=pixels("width"),
            dy=line,
            fontWeight=600,
        ),
        base.mark_rule(strokeWidth=3, yOffset=place, strokeCap="round").encode(
            x=alt.X("low:Q", scale=x_scale), x2=alt.X2("high:Q"), color=colour, tooltip=tips
        ),
        base.mark_point(size=110, strokeWidth=2.5, yOffset=place, opacity=1, filled=True).encode(
            x=x, color=colour, tooltip=tips
        ),
    ]
    dashed = ""
    if overall is not None:
        everybody = alt.Chart(pd.DataFrame({"value": [overall]})).mark_rule(
            strokeDash=DASH_REFERENCE, strokeWidth=1.5, color=palette.reference
        )
        layers.insert(0, everybody.encode(x=x))
        dashed = f"Dashed: all test people, {overall:.2f}"
    lowest = table.loc[worst]
    return finish(
        alt.layer(*layers),
        palette,
        title=f"{metric} in groups of test people",
        subtitle=[f"Lowest: {lowest.group}, {lowest.words} of {lowest.n:,} people", dashed],
        description="; ".join(
            f"{group}: {metric} {words} people"
            for group, words in zip(table.group, table.counted, strict=True)
        )
        + ".",
        height=height,
    )
