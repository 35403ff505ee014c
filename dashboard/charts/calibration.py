"""Whether probabilities come true."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.charts.frame import COUNT, SHARE, AnyChart, finish, pixels, tooltip
from dashboard.charts.roles import colour_of
from dashboard.theme import DASH_REFERENCE, LIGHT, Palette

LINE = 22  # pixels of a name
SQUARE = 260
_LEFT = -44


def calibration(bins: pd.DataFrame, *, palette: Palette = LIGHT) -> AnyChart:
    """Return the share of cases in bins of probability, with limits, against the diagonal.

    `bins` has model, kind (as in `roles.KINDS`), words (of its Brier score and calibration error),
    probability, share, low, high, n. The network is filled, what stands beside it hollow.
    """
    names = bins.drop_duplicates("model").reset_index(drop=True)
    top = LINE * len(names) + 8
    axis = {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".0%"}
    flat = alt.Scale(domain=[0, 1], nice=False)
    below = alt.Scale(domain=[0, 1], nice=False, range=[pixels("height"), top])
    x = alt.X("probability:Q", scale=flat, axis=alt.Axis(title="Probability of a case", **axis))
    y = alt.Y("share:Q", scale=below, axis=alt.Axis(title="Share of cases", **axis))
    true = pd.DataFrame({"probability": [0.0, 1.0], "share": [0.0, 1.0]})
    layers = [
        alt.Chart(true)
        .mark_line(strokeDash=DASH_REFERENCE, strokeWidth=1.5, color=palette.reference)
        .encode(x=x, y=y)
    ]
    tips = tooltip(
        model=("Model", ""),
        probability=("Mean probability", SHARE),
        share=("Share of cases", SHARE),
        low=("Lower limit", SHARE),
        high=("Upper limit", SHARE),
        n=("People", COUNT),
    )
    for row, model in enumerate(names.itertuples()):
        colour = colour_of(model.kind, palette)
        is_baseline = model.kind == "baseline"
        fill = palette.background if is_baseline else colour
        base = alt.Chart(bins[bins.model == model.model]).encode(x=x, tooltip=tips)
        layers += [
            base.mark_rule(strokeWidth=2, color=colour, opacity=0.6).encode(
                y=alt.Y("low:Q", scale=below), y2=alt.Y2("high:Q")
            ),
            base.mark_line(
                strokeWidth=1.5, color=colour, strokeDash=[7, 3] if is_baseline else [1, 0]
            ).encode(y=y),
            base.mark_point(size=70, strokeWidth=2, color=colour, fill=fill, opacity=1).encode(y=y),
        ]
        place = LINE * row + LINE / 2 - 4
        name = alt.Chart(pd.DataFrame({"words": [f"{model.model}: {model.words}"]}))
        layers += [
            name.mark_point(
                size=70, strokeWidth=2, color=colour, fill=fill, opacity=1, x=_LEFT + 14, y=place
            ),
            name.mark_text(
                align="left",
                baseline="middle",
                x=_LEFT + 34,
                y=place,
                fontSize=pixels("width < 400 ? 12 : 14"),
            ).encode(text=alt.Text("words:N")),
        ]
    return finish(
        alt.layer(*layers),
        palette,
        title="Do probabilities come true?",
        subtitle="Bins of equally many people; dashed: as promised",
        description="Calibration. "
        + "; ".join(f"{model.model}: {model.words}" for model in names.itertuples())
        + ".",
        height=SQUARE + top,
    )
