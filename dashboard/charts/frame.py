"""What every chart shares: the frame around it, tooltips, and labels that keep their distance."""

from __future__ import annotations

import textwrap
from functools import partial
from typing import Any

import altair as alt
import numpy as np
from altair.utils import schemapi

from dashboard.theme import Palette, vega_config

# An encoding is written as its class, `alt.X2("right:Q")`: from a bare string or a dictionary
# Altair takes 5 ms to find it.

# Nor is each small part checked against the schema of Vega-Lite: the tests check whole pictures.
schemapi.disable_debug_mode()

# Points are thinned before they come here, so Altair's limit of 5,000 rows has nothing to guard.
alt.data_transformers.disable_max_rows()

# Pixels. From here on there is room for labels beside the drawing; below, they go above it.
WIDE = 700
SUBTITLE_CHARACTERS = 48  # a line of the subtitle fits on a telephone

COUNT = ","
SHORT_COUNT = "datum.value === 0 ? '0' : format(datum.value, '~s')"  # a label of an axis: 1.5M
SHARE = ".1%"

AnyChart = alt.Chart | alt.LayerChart


def finish(
    chart: AnyChart,
    palette: Palette,
    *,
    title: str,
    description: str,
    height: float,
    subtitle: str | list[str] = "",
    canvas: bool = False,
    see_through: bool = False,
) -> AnyChart:
    """Give a new chart its title, its description for those who cannot see it, and the theme.

    The chart is as wide as what holds it; give it another width by `.properties(width=…)`.
    A chart of many marks is drawn on a canvas, where the browser stays quick; one that is
    `see_through` takes the ground of the sidebar or card that it stands on.
    """
    # Set one by one: `properties` and `configure` copy every layer three times over.
    if title:
        sentences = [subtitle] if isinstance(subtitle, str) else subtitle
        lines = [line for text in sentences for line in textwrap.wrap(text, SUBTITLE_CHARACTERS)]
        chart.title = alt.TitleParams(title, subtitle=lines)
    chart.width, chart.height, chart.description = "container", height, description
    # Streamlit sets the bottom alone where there is no padding, and the rest becomes 0.
    chart.padding = {"left": 4, "right": 10, "top": 6, "bottom": 8}
    chart.autosize = alt.AutoSizeParams(type="fit-x", contains="padding")
    chart.usermeta = {"embedOptions": {"renderer": "canvas" if canvas else "svg"}}
    config = vega_config(palette) | ({"background": "transparent"} if see_through else {})
    chart.config = alt.Config(**config)
    return chart


def unchecked(chart: AnyChart) -> AnyChart:
    """Return the chart, to be drawn without a check against the schema of Vega-Lite.

    The check takes half of the time that a picture takes, and the tests make it.
    """
    object.__setattr__(chart, "to_dict", partial(chart.to_dict, validate=False))
    return chart


def tooltip(**fields: tuple[str, str]) -> list[alt.Tooltip]:
    """Return tooltip lines from `column=("Words", format)`; an empty format is plain text."""
    return [
        alt.Tooltip(f"{column}:Q", title=words, format=form)
        if form
        else alt.Tooltip(f"{column}:N", title=words)
        for column, (words, form) in fields.items()
    ]


def pixels(expression: str) -> Any:
    """Return a Vega expression over `width` and `height` for a place in the drawing."""
    return alt.ExprRef(expression)


def wide_or(wide: float, narrow: float) -> Any:
    """Return `wide` in a chart that has room beside the drawing, `narrow` on a telephone."""
    return pixels(f"width > {WIDE} ? {wide} : {narrow}")


def haloed(chart: alt.Chart, palette: Palette, *, text: Any, **style: Any) -> list[alt.Chart]:
    """Return text with a rim of the background, so that lines and points pass behind it."""
    rim = {"stroke": palette.background, "strokeWidth": 5, "strokeJoin": "round"}
    return [
        chart.mark_text(**{**style, "color": palette.background}, **rim).encode(text=text),
        chart.mark_text(**style).encode(text=text),
    ]


def spread(positions: list[float], gap: float, low: float, high: float) -> list[float]:
    """Return the positions moved as little as needed to lie `gap` apart, between low and high.

    Positions that are too many for the room keep their order and share it evenly.
    """
    n = len(positions)
    if n < 2:
        return [float(np.clip(p, low, high)) for p in positions]
    gap = min(gap, (high - low) / (n - 1))
    order = np.argsort(positions, kind="stable")
    # Least squares under "at least gap apart" is isotonic regression of the shifted positions.
    shifted = np.asarray(positions, float)[order] - gap * np.arange(n)
    blocks: list[list[float]] = []
    for value in shifted:
        blocks.append([value, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (b, m), (a, k) = blocks.pop(), blocks.pop()
            blocks.append([(a * k + b * m) / (k + m), k + m])
    smooth = np.concatenate([np.full(int(k), value) for value, k in blocks])
    smooth = np.clip(smooth, low, high - gap * (n - 1)) + gap * np.arange(n)
    result = np.empty(n)
    result[order] = smooth
    return [float(value) for value in result]
