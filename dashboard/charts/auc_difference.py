"""The AUC of one run minus that of another, with its interval, beside nothing."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.charts.frame import AnyChart, finish, haloed, pixels
from dashboard.theme import DASH_REFERENCE, LIGHT, Palette

HEIGHT = 96
_LABEL = "datum.value === 0 ? '0' : format(datum.value, '+.2~f')"
_LEAST = 0.05  # the axis reaches so far both ways at least: a hair is not drawn as a gulf


def auc_difference(
    value: float,
    low: float,
    high: float,
    *,
    confidence: float,
    people: str,
    palette: Palette = LIGHT,
) -> AnyChart:
    """Return a dot with its interval on an axis around zero; limits are NaN where there are none.

    `people` says on whom it was measured.
    """
    table = pd.DataFrame({"value": [value], "low": [low], "high": [high], "zero": [0.0]})
    far = max(_LEAST, *(abs(one) for one in (value, low, high) if one == one)) * 1.1
    scale = alt.Scale(domain=[-far, far], range=[6, pixels("width - 10")], nice=False)
    axis = alt.Axis(title=None, labelExpr=_LABEL, tickCount=5, grid=True)
    base = alt.Chart(table)
    zero = base.mark_rule(
        strokeDash=DASH_REFERENCE, strokeWidth=1.5, color=palette.reference, y=22, y2=HEIGHT
    )
    interval = base.mark_rule(strokeWidth=4, strokeCap="round", color=palette.ink, y=60)
    dot = base.mark_point(size=160, filled=True, color=palette.ink, opacity=1, y=60)
    sides = [
        haloed(
            alt.Chart(pd.DataFrame({"words": [words]})), palette, text=alt.Text("words:N"),
            align=align, x=x, y=10, color=palette.muted, baseline="middle",
        )
        for words, align, x in (
            ("← first better", "left", 0),
            ("second better →", "right", pixels("width")),
        )
    ]  # fmt: skip
    words = f"{value:+.3f}" if low != low else f"{value:+.3f} ({low:+.3f} to {high:+.3f})"
    return finish(
        alt.layer(
            zero.encode(x=alt.X("zero:Q", scale=scale, axis=axis)),
            interval.encode(x=alt.X("low:Q", scale=scale), x2=alt.X2("high:Q")),
            dot.encode(x=alt.X("value:Q", scale=scale)),
            *(layer for side in sides for layer in side),
        ),
        palette,
        title="AUC, second minus first",
        subtitle=[words, f"{confidence:.0%} interval, paired (DeLong), of {people}"],
        description=f"The AUC of the second run minus that of the first is {words}, on {people}.",
        height=HEIGHT,
    )
