"""An AUC over training people, with its trend up to twice as many."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from dashboard.charts.frame import COUNT, WIDE, AnyChart, finish, haloed, pixels, tooltip
from dashboard.theme import DASH_CUT, DASH_REFERENCE, LIGHT, Palette

HEIGHT = 340
ROOM = 0.02  # of AUC above and below what is drawn


def people_curve(
    points: pd.DataFrame,
    trend: pd.DataFrame | None = None,
    *,
    n_all: int,
    n_test: int,
    title: str = "AUC over training people",
    palette: Palette = LIGHT,
) -> AnyChart:
    """Return the AUC at growing numbers of training people, as dots with intervals.

    `points` has n_train, value, low, high, n_draws, n_selected, and `draws`, the AUC of each draw,
    drawn small where there are several; `trend` n_train, value, low, high
    from the fewest to twice `n_all` people, dashed beyond `n_all`; None while it is not known.
    `n_test` people were tested.
    """
    table = points.copy()
    table["words"] = _with_limits(table)
    every = [table] if trend is None else [table, trend]
    low = min(0.5, *(float(one["low"].min()) for one in every)) - ROOM
    high = max(0.5, *(float(one["high"].max()) for one in every)) + ROOM
    x = alt.X(
        "n_train:Q",
        scale=alt.Scale(domain=[0, 2.06 * n_all], nice=False),
        axis=alt.Axis(
            title="Training people",
            format=",d",
            tickCount=pixels(f"width > {WIDE} ? 8 : 4"),
            labelFlush=True,
        ),
    )
    y_scale = alt.Scale(domain=[max(0.0, low), min(1.0, high)], nice=False, zero=False)
    y = alt.Y("value:Q", scale=y_scale, axis=alt.Axis(title="AUC", format=".2f", tickCount=6))
    chance = alt.Chart(pd.DataFrame({"value": [0.5]})).mark_rule(
        strokeDash=DASH_REFERENCE, strokeWidth=1.5, color=palette.reference
    )
    layers: list[alt.Chart] = [chance.encode(y=y)]
    if trend is not None:
        layers += _trend(trend, x, y, y_scale, n_all, palette)
    tips = tooltip(
        n_train=("Training people", COUNT),
        words=("AUC", ""),
        n_draws=("Draws", COUNT),
        n_selected=("Variants chosen, mean of draws", ",.0f"),
    )
    base = alt.Chart(table)
    several = table.loc[table.n_draws > 1, ["n_train", "draws"]].explode("draws")
    if len(several):
        each = alt.Chart(several.rename(columns={"draws": "value"}).astype(float))
        small = each.mark_point(
            xOffset=8, size=22, filled=True, opacity=0.7, color=palette.chromosome_other
        )
        layers.append(small.encode(x=x, y=y))
    layers.append(
        base.mark_rule(strokeWidth=3, strokeCap="round", color=palette.honest).encode(
            x=x, y=alt.Y("low:Q", scale=y_scale), y2=alt.Y2("high:Q"), tooltip=tips
        )
    )
    layers.append(
        base.mark_point(
            size=120, filled=True, opacity=1, color=palette.honest, stroke=palette.background
        ).encode(x=x, y=y, tooltip=tips)
    )
    if trend is not None:
        layers += _ends(trend, x, y, y_scale, n_all, palette)
    at = "; ".join(
        f"{int(row.n_train):,} people: {row.words}" for row in table.itertuples(index=False)
    )
    twice = "" if trend is None else f"; expected at {2 * n_all:,}: {_with_limits(trend).iloc[-1]}"
    return finish(
        alt.layer(*layers),
        palette,
        title=title,
        subtitle=[
            f"Dots: {n_test:,} test people, 95% intervals",
            "Small: single draws of the training people" if len(several) else "",
            "" if trend is None else "Line: trend with 95% band; dashed: expected",
            "Grey: chance, 0.5",
        ],
        description=f"AUC over training people. {at}{twice}.",
        height=HEIGHT,
    )


def _trend(
    trend: pd.DataFrame, x: alt.X, y: alt.Y, y_scale: alt.Scale, n_all: int, palette: Palette
) -> list[alt.Chart]:
    table = trend.copy()
    table["words"] = _with_limits(table)
    tips = tooltip(n_train=("Training people", ",.0f"), words=("Trend", ""))
    band = alt.Chart(table).mark_area(opacity=0.16, color=palette.honest)
    layers = [band.encode(x=x, y=alt.Y("low:Q", scale=y_scale), y2=alt.Y2("high:Q"), tooltip=tips)]
    for part, dash in (
        (table[table.n_train <= n_all], [1, 0]),
        (table[table.n_train >= n_all], list(DASH_CUT)),
    ):
        line = alt.Chart(part).mark_line(strokeWidth=2, strokeDash=dash, color=palette.honest)
        layers.append(line.encode(x=x, y=y, tooltip=tips))
    return layers


def _ends(
    trend: pd.DataFrame, x: alt.X, y: alt.Y, y_scale: alt.Scale, n_all: int, palette: Palette
) -> list[alt.Chart]:
    """Return the trend with all people, named, and with twice as many, drawn and named."""
    now = trend[trend.n_train == n_all]
    now = now.assign(named=[f"now {value:.2f}" for value in now.value])
    twice = trend.iloc[[-1]]
    twice = twice.assign(named=[f"twice as many {value:.2f}" for value in twice.value])
    base = alt.Chart(twice)
    style = {"strokeWidth": 2.5, "stroke": palette.honest, "fill": palette.background}
    # Neither name lies where whiskers do, also where a telephone puts them close together.
    above = {"align": "left", "baseline": "bottom", "dx": 6, "dy": -4}
    below = {"align": "right", "baseline": "top", "dx": 6, "dy": 6}
    return [
        base.mark_rule(strokeWidth=3, strokeCap="round", color=palette.honest).encode(
            x=x, y=alt.Y("low:Q", scale=y_scale), y2=alt.Y2("high:Q")
        ),
        base.mark_point(size=120, filled=True, opacity=1, **style).encode(x=x, y=y),
        *_named(alt.Chart(now).encode(x=x, y=alt.Y("high:Q", scale=y_scale)), above, palette),
        *_named(base.encode(x=x, y=alt.Y("low:Q", scale=y_scale)), below, palette),
    ]


def _named(base: alt.Chart, place: dict[str, Any], palette: Palette) -> list[alt.Chart]:
    return haloed(base, palette, text=alt.Text("named:N"), fontWeight=600, **place)


def _with_limits(rows: pd.DataFrame) -> pd.Series:
    words = [
        f"{value:.3f} ({low:.3f}–{high:.3f})"
        for value, low, high in zip(rows.value, rows.low, rows.high, strict=True)
    ]
    return pd.Series(words, index=rows.index, dtype=object)
