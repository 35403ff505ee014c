"""How the network scores cases and controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from dashboard.charts.frame import COUNT, SHORT_COUNT, AnyChart, finish, tooltip
from dashboard.theme import DASH_REFERENCE, LIGHT, Palette

HEIGHT = 282
_CLASSES = {"control": "Controls", "case": "Cases"}


def score_histogram(
    bins: Mapping[str, Sequence[float]], thresholds: Sequence[float], *, palette: Palette = LIGHT
) -> AnyChart:
    """Return the people in each bin of the score, cases over controls.

    `bins` has left, right and the counts case and control, a list each; `thresholds`, dashed, are
    those of the folds.
    """
    wide = pd.DataFrame(bins)
    rows = wide.melt(["left", "right"], list(_CLASSES), "of", "n")
    rows["name"] = rows["of"].map(_CLASSES)
    rows["bin"] = [f"{a:.3g} to {b:.3g}" for a, b in zip(rows.left, rows.right, strict=True)]
    totals = {name: int(wide[of].sum()) for of, name in _CLASSES.items()}
    x = alt.X(
        "left:Q",
        scale=alt.Scale(domain=[wide.left.min(), wide.right.max()], nice=False),
        axis=alt.Axis(title="Probability of a case", tickCount=6),
    )
    y = alt.Y(
        "n:Q",
        stack=None,
        axis=alt.Axis(title="People", tickCount=5, labelExpr=SHORT_COUNT, tickMinStep=1),
    )
    colour = alt.Color(
        "name:N",
        scale=alt.Scale(domain=list(_CLASSES.values()), range=[palette.control, palette.case]),
        legend=alt.Legend(title=None, orient="top"),
    )
    tips = tooltip(name=("Group", ""), bin=("Probability", ""), n=("People", COUNT))
    bars = (
        alt.Chart(rows)
        .mark_rect(opacity=0.45)
        .encode(x=x, x2=alt.X2("right:Q"), y=y, y2=alt.Y2Datum(0), color=colour, tooltip=tips)
    )
    # The last bin has a right end too.
    last = rows[rows.right == wide.right.max()].assign(left=wide.right.max())
    outline = (
        alt.Chart(pd.concat([rows, last]))
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(x=x, y=y, color=colour)
    )
    cut = (
        alt.Chart(pd.DataFrame({"left": list(thresholds)}))
        .mark_rule(strokeDash=DASH_REFERENCE, strokeWidth=1.5, color=palette.reference)
        .encode(x=x)
    )
    several = len(set(thresholds)) > 1
    dashed = "each fold's own threshold" if several else f"threshold {thresholds[0]:.3g}"
    return finish(
        alt.layer(bars, outline, cut),
        palette,
        title="Scores of cases and controls",
        subtitle=f"Test people in each bin; dashed: {dashed}",
        description=f"Histogram of the scores of {totals['Controls']:,} controls and "
        f"{totals['Cases']:,} cases; {dashed}.",
        height=HEIGHT,
    )
