"""True against false positives at every threshold."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.charts.frame import AnyChart, finish, haloed, pixels, tooltip
from dashboard.charts.roles import baseline_styles, colour_of
from dashboard.theme import DASH_REFERENCE, LIGHT, Palette

LINE = 22  # pixels between two names


def roc(curves: pd.DataFrame, *, palette: Palette = LIGHT) -> AnyChart:
    """Return ROC curves with their AUCs named in the corner that no useful model enters.

    `curves` has model, kind (honest, published, their permuted runs, baseline), fpr, tpr and auc
    (the words to show, such as "0.714 (0.671–0.754)"), the points of each model in order.
    """
    names = curves.drop_duplicates("model").reset_index(drop=True)
    dashes = baseline_styles(names.model[names.kind == "baseline"])
    scale = alt.Scale(domain=[0, 1], nice=False)
    axis = {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".0%"}
    x = alt.X("fpr:Q", scale=scale, axis=alt.Axis(title="Controls called case", **axis))
    y = alt.Y("tpr:Q", scale=scale, axis=alt.Axis(title="Cases called case", **axis))
    chance = pd.DataFrame({"fpr": [0.0, 1.0], "tpr": [0.0, 1.0]})
    layers = [
        alt.Chart(chance)
        .mark_line(strokeDash=DASH_REFERENCE, strokeWidth=1.5, color=palette.reference)
        .encode(x=x, y=y)
    ]
    for row, model in enumerate(names.itertuples()):
        colour, dash = colour_of(model.kind, palette), [1, 0]
        if model.kind == "baseline":
            role, dash = dashes[model.model]
            colour = getattr(palette, role)
        weight = 2 if model.kind == "baseline" else 3
        style = {"strokeDash": dash, "strokeWidth": weight, "color": colour}
        points = curves[curves.model == model.model]
        layers.append(
            alt.Chart(points)
            .mark_line(interpolate="step-after", **style)
            .encode(
                x=x,
                y=y,
                order=alt.value(0),
                tooltip=tooltip(
                    model=("Model", ""),
                    auc=("AUC", ""),
                    fpr=("Controls called case", ".1%"),
                    tpr=("Cases called case", ".1%"),
                ),
            )
        )
        place = pixels(f"height - {12 + LINE * (len(names) - 1 - row)}")
        name = alt.Chart(pd.DataFrame({"words": [f"{model.model} {model.auc}"]}))
        layers += haloed(
            name,
            palette,
            text=alt.Text("words:N"),
            align="right",
            baseline="middle",
            x=pixels("width - 42"),
            y=place,
        )
        layers.append(
            name.mark_rule(**style).encode(
                x=alt.XValue(pixels("width - 36")),
                x2=alt.X2Value(pixels("width - 6")),
                y=alt.YValue(place),
            )
        )
    return finish(
        alt.layer(*layers),
        palette,
        title="ROC on the test people",
        subtitle="AUC with its 95% interval; dashed: chance",
        description="ROC curves. "
        + "; ".join(f"{model.model}: AUC {model.auc}" for model in names.itertuples())
        + ".",
        height=420,
    )
