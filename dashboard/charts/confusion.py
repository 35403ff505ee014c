"""What was true against what was predicted."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from dashboard.charts.frame import COUNT, SHARE, AnyChart, finish, tooltip
from dashboard.theme import LIGHT, Palette, mix, text_on


def confusion(
    confusion: Sequence[Sequence[int]],
    labels: tuple[str, str] = ("control", "case"),
    *,
    at: str = "",
    palette: Palette = LIGHT,
) -> AnyChart:
    """Return the 2 × 2 table [[tn, fp], [fn, tp]] with counts and the percent of each true class.

    The stronger a cell, the larger its share of the people of its row. A row without people
    shows no percent. `at` says at which threshold people are called cases.
    """
    cells = []
    for true, row in enumerate(confusion):
        total = sum(row)
        for predicted, n in enumerate(row):
            share = n / total if total else 0.0
            colour = (palette.control, palette.case)[true]
            fill = mix(palette.background, colour, 0.08 + 0.92 * share)
            cells.append(
                {
                    "true": labels[true],
                    "predicted": labels[predicted],
                    "n": n,
                    "share": share,
                    "percent": f"{share:.1%} of {labels[true]}s" if total else "no people",
                    "short": f"{share:.1%}" if total else "nobody",
                    "fill": fill,
                    "line": colour,
                    "word": text_on(fill, palette),
                }
            )
    band = {"paddingInner": 0.03, "paddingOuter": 0}
    axis = {"grid": False, "domain": False, "ticks": False, "labelFontSize": 14, "labelAngle": 0}
    base = alt.Chart(pd.DataFrame(cells)).encode(
        x=alt.X(
            "predicted:N",
            sort=list(labels),
            scale=alt.Scale(**band),
            axis=alt.Axis(title="Predicted", orient="top", **axis),
        ),
        y=alt.Y(
            "true:N",
            sort=list(labels),
            scale=alt.Scale(**band),
            axis=alt.Axis(title="True", **axis),
        ),
        tooltip=tooltip(
            true=("True", ""),
            predicted=("Predicted", ""),
            n=("People", COUNT),
            share=("Share of the true class", SHARE),
        ),
    )
    square = base.mark_rect(cornerRadius=4, strokeWidth=1.5).encode(
        fill=alt.Fill("fill:N", scale=None), stroke=alt.Stroke("line:N", scale=None)
    )
    word = alt.Color("word:N", scale=None)
    count = base.mark_text(fontSize=30, fontWeight=600, dy=-10).encode(
        text=alt.Text("n:Q", format=COUNT), color=word
    )
    # A telephone has room for the percent alone; the axis says of what.
    percent = (
        base.transform_calculate(words="width > 420 ? datum.percent : datum.short")
        .mark_text(fontSize=15, dy=19)
        .encode(text=alt.Text("words:N"), color=word)
    )
    (tn, fp), (fn, tp) = confusion
    n = tn + fp + fn + tp
    return finish(
        alt.layer(square, count, percent),
        palette,
        title="True against predicted",
        subtitle=[f"{tn + tp:,} of {n:,} people are called right", at],
        description=(
            f"Confusion matrix of {n:,} people: {tp:,} true positives, {fn:,} false negatives, "
            f"{tn:,} true negatives, {fp:,} false positives."
        ),
        height=300,
    )
