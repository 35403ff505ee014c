"""Curves of several models in one square, their names above it where they cover nothing."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.charts.frame import AnyChart, finish, pixels, tooltip
from dashboard.charts.roles import baseline_styles, colour_of
from dashboard.theme import DASH_REFERENCE, LIGHT, Palette

LINE = 22  # pixels of a name
SQUARE = 330  # pixels of the drawing below the names
_NARROW = 400  # pixels; below, the names are smaller
_LEFT = -44  # the names begin where the labels of the axis do
_AXIS = {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".0%"}


def model_curves(
    curves: pd.DataFrame,
    reference: pd.DataFrame,
    *,
    x: tuple[str, str],
    y: tuple[str, str],
    measure: str,
    interpolate: str,
    title: str,
    subtitle: str | list[str],
    palette: Palette = LIGHT,
) -> AnyChart:
    """Return one line a model, with the band between `low` and `high` where a model has one.

    `curves` has model, kind (as in `roles.KINDS`), words (of its area, such as "0.714 (0.671 to
    0.754)"), the columns that `x` and `y` name with their words, and low and high, missing where
    there is no band; the points of each model in order. `reference` has x and y of the dashed line.
    """
    names = curves.drop_duplicates("model").reset_index(drop=True)
    dashes = baseline_styles(names.model[names.kind == "baseline"])
    top = LINE * len(names) + 8
    square = alt.Scale(domain=[0, 1], nice=False)
    x_axis = alt.X(f"{x[0]}:Q", scale=square, axis=alt.Axis(title=x[1], **_AXIS))
    below = alt.Scale(domain=[0, 1], nice=False, range=[pixels("height"), top])
    y_axis = alt.Y(f"{y[0]}:Q", scale=below, axis=alt.Axis(title=y[1], **_AXIS))
    tips = tooltip(model=("Model", ""), words=(measure, "")) + [
        alt.Tooltip(f"{name}:Q", title=words, format=".1%") for name, words in (x, y)
    ]
    dashed = alt.Chart(reference.rename(columns={"x": x[0], "y": y[0]})).mark_line(
        strokeDash=DASH_REFERENCE, strokeWidth=1.5, color=palette.reference
    )
    bands: list[alt.Chart] = []
    lines: list[alt.Chart] = [dashed.encode(x=x_axis, y=y_axis)]
    legend: list[alt.Chart] = []
    for row, model in enumerate(names.itertuples()):
        colour, dash = colour_of(model.kind, palette), [1, 0]
        if model.kind == "baseline":
            role, dash = dashes[model.model]
            colour = getattr(palette, role)
        style = {
            "strokeDash": dash, "strokeWidth": 2 if model.kind == "baseline" else 3, "color": colour
        }  # fmt: skip
        points = curves[curves.model == model.model]
        with_band = points.dropna(subset=["low", "high"])
        if len(with_band):
            bands.append(
                alt.Chart(with_band)
                .mark_area(opacity=0.18, color=colour, interpolate=interpolate)
                .encode(x=x_axis, y=alt.Y("low:Q", scale=below), y2=alt.Y2("high:Q"))
            )
        lines.append(
            alt.Chart(points)
            .mark_line(interpolate=interpolate, **style)
            .encode(x=x_axis, y=y_axis, order=alt.value(0), tooltip=tips)
        )
        place = LINE * row + LINE / 2 - 4
        name = alt.Chart(pd.DataFrame({"words": [f"{model.model} {model.words}"]}))
        legend += [
            name.mark_rule(**style).encode(
                x=alt.XValue(_LEFT), x2=alt.X2Value(_LEFT + 26), y=alt.YValue(place)
            ),
            name.mark_text(
                align="left",
                baseline="middle",
                x=_LEFT + 34,
                y=place,
                fontSize=pixels(f"width < {_NARROW} ? 12 : 14"),
            ).encode(text=alt.Text("words:N")),
        ]
    return finish(
        alt.layer(*bands, *lines, *legend),
        palette,
        title=title,
        subtitle=subtitle,
        description=f"{title}. "
        + "; ".join(f"{model.model}: {measure} {model.words}" for model in names.itertuples())
        + ".",
        height=SQUARE + top,
    )
