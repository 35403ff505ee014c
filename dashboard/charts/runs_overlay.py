"""Runs drawn over each other: one line a run, their names above, where they cover nothing."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.charts.frame import AnyChart, finish, pixels, tooltip
from dashboard.theme import CATEGORIES, DASH_REFERENCE, LIGHT, Palette

LINE = 22  # pixels of a name
DRAWING = 250  # pixels of the drawing below the names
MOST = 12  # runs that can be told apart: six colours, solid and dashed
_NARROW = 400  # pixels; below, the names are smaller
_LEFT = -44  # the names begin where the labels of the axis do
_DASHES = {"solid": [1, 0], "dashed": [6, 3]}


def runs_overlay(
    curves: pd.DataFrame,
    *,
    title: str,
    x_title: str,
    y_title: str,
    subtitle: str | list[str] = "",
    best: pd.DataFrame | None = None,
    is_square: bool = False,
    palette: Palette = LIGHT,
) -> AnyChart:
    """Return one line for each run, at most `MOST`, in the order given.

    `curves` has run (its name), words (shown behind the name), x and y; the points of each run in
    order. `best` has run, x and y of a ring on a line. `is_square` draws shares of 0 to 1 both ways
    with the diagonal of chance, else x are whole numbers.
    """
    names = curves.drop_duplicates("run")[["run", "words"]].head(MOST).reset_index(drop=True)
    place = names.index.to_numpy()
    names["colour"] = [CATEGORIES[row % len(CATEGORIES)] for row in place]
    names["dash"] = ["dashed" if row >= len(CATEGORIES) else "solid" for row in place]
    names["place"] = LINE * place + LINE / 2 - 4
    top = LINE * len(names) + 8
    drawn = curves[["run", "x", "y"]].assign(at=range(len(curves))).merge(names, on="run")
    x, y = _axes(drawn, x_title, y_title, is_square, top)
    tips = tooltip(
        run=("Run", ""),
        x=(x_title, ".1%" if is_square else "d"),
        y=(y_title, ".1%" if is_square else ".4f"),
    )
    colour = alt.Color("colour:N", scale=None)
    layers: list[alt.Chart] = []
    if is_square:
        chance = alt.Chart(pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]}))
        dashed = chance.mark_line(
            strokeDash=DASH_REFERENCE, strokeWidth=1.5, color=palette.reference
        )
        layers.append(dashed.encode(x=x, y=y))
    for dash, style in _DASHES.items():
        own = alt.Chart(drawn[drawn.dash == dash])
        line = own.mark_line(interpolate="linear", strokeWidth=2.4, strokeDash=style)
        if len(own.data):
            layers.append(
                line.encode(x=x, y=y, color=colour, detail="run:N", order="at:Q", tooltip=tips)
            )
    single = drawn[drawn.groupby("run")["x"].transform("size") == 1]
    if len(single):  # a line of one point is not seen
        point = alt.Chart(single).mark_point(filled=True, size=40, opacity=1)
        layers.append(point.encode(x=x, y=y, color=colour, tooltip=tips))
    if best is not None:
        ring = alt.Chart(best[["run", "x", "y"]].merge(names, on="run")).mark_point(
            size=90, strokeWidth=2, fill=palette.background, opacity=1
        )
        stroke = alt.Stroke("colour:N", scale=None)
        layers.append(ring.encode(x=x, y=y, stroke=stroke, tooltip=tips))
    legend = _names(names)
    return finish(
        alt.layer(*layers, *legend),
        palette,
        title=title,
        subtitle=subtitle,
        description=f"{title}. "
        + "; ".join(f"{run.run}: {run.words}" for run in names.itertuples())
        + ".",
        height=DRAWING + top,
    )


def _names(names: pd.DataFrame) -> list[alt.Chart]:
    """Return the names above the drawing, each behind a piece of its line."""
    told = names.assign(words=names.run + "  " + names.words)
    colour = alt.Color("colour:N", scale=None)
    layers = [
        alt.Chart(told[told.dash == dash])
        .mark_rule(strokeWidth=2.4, strokeDash=style, y=pixels("datum.place"))
        .encode(x=alt.XValue(_LEFT), x2=alt.X2Value(_LEFT + 26), color=colour)
        for dash, style in _DASHES.items()
        if (told.dash == dash).any()
    ]
    text = alt.Chart(told).mark_text(
        align="left", baseline="middle", x=_LEFT + 34, y=pixels("datum.place"),
        fontSize=pixels(f"width < {_NARROW} ? 12 : 14"),
    )  # fmt: skip
    return [*layers, text.encode(text=alt.Text("words:N"))]


def _axes(
    curves: pd.DataFrame, x_title: str, y_title: str, is_square: bool, top: float
) -> tuple[alt.X, alt.Y]:
    below = [pixels("height"), top]
    extent = {"minExtent": 38, "maxExtent": 38}  # as wide with any numbers
    if is_square:
        share = {"values": [0, 0.25, 0.5, 0.75, 1], "format": ".0%"}
        return (
            alt.X("x:Q", scale=alt.Scale(domain=[0, 1], nice=False),
                  axis=alt.Axis(title=x_title, **share)),
            alt.Y("y:Q", scale=alt.Scale(domain=[0, 1], nice=False, range=below),
                  axis=alt.Axis(title=None, **share, **extent)),
        )  # fmt: skip
    last = max(2, int(curves.x.max()))
    low, high = float(curves.y.min()), float(curves.y.max())
    room = 0.06 * (high - low) or 0.05
    whole = {"values": list(range(1, last + 1))} if last <= 10 else {"tickCount": 8}
    return (
        alt.X("x:Q", scale=alt.Scale(domain=[1, last], nice=False),
              axis=alt.Axis(title=x_title, format="d", tickMinStep=1, grid=False, **whole)),
        alt.Y("y:Q", scale=alt.Scale(domain=[low - room, high + room], nice=False, zero=False,
                                     range=below),
              axis=alt.Axis(title=None, format=".2~f", tickCount=4, grid=True, **extent)),
    )  # fmt: skip
