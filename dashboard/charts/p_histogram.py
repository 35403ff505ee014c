"""How p-values spread: flat in a study where nothing is associated."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.charts.frame import COUNT, SHORT_COUNT, AnyChart, finish, tooltip
from dashboard.theme import DASH_REFERENCE, LIGHT, Palette


def p_histogram(bins: pd.DataFrame, *, palette: Palette = LIGHT) -> AnyChart:
    """Return bars of counts by p; the dashed line is the height of every bar under no association.

    `bins` has left, right, n and covers 0 to 1; bins may differ in width.
    """
    total = int(bins.n.sum())
    rows = bins.assign(
        expected=total * (bins.right - bins.left),
        bin=[f"{a:g} to {b:g}" for a, b in zip(bins.left, bins.right, strict=True)],
    )
    x = alt.X(
        "left:Q",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(title="p", values=[0, 0.25, 0.5, 0.75, 1], format=".2~f"),
    )
    bars = (
        alt.Chart(rows)
        .mark_rect(color=palette.bar, stroke=palette.background, strokeWidth=1)
        .encode(
            x=x,
            x2=alt.X2("right:Q"),
            y=alt.Y("n:Q", axis=alt.Axis(title="Variants", labelExpr=SHORT_COUNT, tickCount=5)),
            y2=alt.Y2Datum(0),
            tooltip=tooltip(
                bin=("p", ""),
                n=("Variants", COUNT),
                expected=("Expected without association", ",.0f"),
            ),
        )
    )
    level = alt.Chart(rows).encode(x=x, x2=alt.X2("right:Q"), y=alt.Y("expected:Q"))
    rim = level.mark_rule(strokeWidth=4, color=palette.background)
    line = level.mark_rule(strokeDash=DASH_REFERENCE, strokeWidth=2, color=palette.reference)
    return finish(
        alt.layer(bars, rim, line),
        palette,
        title="p-values",
        subtitle=f"{total:,} tests; dashed: no association at all",
        description=f"Histogram of {total:,} p-values with the flat line expected by chance.",
        height=300,
    )
