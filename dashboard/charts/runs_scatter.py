"""A setting against a figure, one dot a run with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import altair as alt
import pandas as pd

from dashboard.charts.frame import AnyChart, finish, pixels, tooltip
from dashboard.charts.roles import colour_of
from dashboard.theme import LIGHT, Palette

HEIGHT = 320
SPREAD, STEP = 32, 10  # pixels of the dots of one setting, at most, and from one to the next
EDGE = 30  # pixels kept free left and right of the outermost values
_LOG_FROM = 50  # the largest is so many times the smallest: tenfold steps are told apart


def runs_scatter(
    points: pd.DataFrame,
    *,
    setting: str,
    measure: str,
    choices: Sequence[str] | None = None,
    form: str = ".2~f",
    palette: Palette = LIGHT,
) -> AnyChart:
    """Return a dot for each run at its setting, the figure upwards, with its limits where known.

    `points` has run, kind (honest, published), x, value, low, high, and words (the figure as
    text); x are numbers, or words among `choices`, which stand side by side in that order.
    """
    table = points.assign(colour=[colour_of(kind, palette) for kind in points.kind])
    table["shift"] = _apart(table)
    told = pd.concat([table.value, table.low, table.high]).dropna()
    room = 0.08 * (told.max() - told.min()) or 0.02
    y_scale = alt.Scale(domain=[told.min() - room, told.max() + room], nice=False, zero=False)
    y = alt.Y(
        "value:Q", scale=y_scale, axis=alt.Axis(title=None, format=form, tickCount=5, grid=True)
    )
    base = alt.Chart(table)
    x = _across(table, setting, choices)
    tips = tooltip(run=("Run", ""), x_words=(setting, ""), words=(measure, ""))
    colour = alt.Color("colour:N", scale=None)
    interval = base.mark_rule(strokeWidth=2, opacity=0.6, xOffset=pixels("datum.shift")).encode(
        x=x, y=alt.Y("low:Q", scale=y_scale), y2=alt.Y2("high:Q"), color=colour, tooltip=tips
    )
    dot = base.mark_point(size=90, filled=True, opacity=0.9, xOffset=pixels("datum.shift")).encode(
        x=x, y=y, color=colour, tooltip=tips
    )
    kinds = list(dict.fromkeys(table.kind))
    words = {"honest": "Green: honest protocol", "published": "Violet: published protocol"}
    return finish(
        alt.layer(interval, dot),
        palette,
        title=measure,
        subtitle=[words[kind] for kind in kinds if kind in words] if len(kinds) > 1 else "",
        description=f"{measure} of {len(table)} runs by {setting}; "
        f"from {table.value.min():.3f} to {table.value.max():.3f}.",
        height=HEIGHT,
    )


def _apart(table: pd.DataFrame) -> pd.Series:
    """Return how many pixels a dot moves aside, so that those of one setting stand side by side."""
    same = table.groupby("x")["value"]
    rank, n = same.rank(method="first") - 1, same.transform("size")
    step = (SPREAD / (n - 1).clip(lower=1)).clip(upper=STEP)
    return (rank - (n - 1) / 2) * step


def _across(table: pd.DataFrame, setting: str, choices: Sequence[str] | None) -> alt.X:
    if choices is not None:
        return alt.X(
            "x:N",
            sort=list(choices),
            scale=alt.Scale(domain=list(choices), type="point", padding=0.6),
            axis=alt.Axis(title=setting, labelAngle=0, labelLimit=120, grid=False),
        )
    low, high = float(table.x.min()), float(table.x.max())
    is_log = low > 0 and high / low >= _LOG_FROM
    if low == high:
        domain = [low - 0.5, high + 0.5]
    elif is_log:
        room = (high / low) ** 0.04
        domain = [low / room, high * room]
    else:
        room = 0.04 * (high - low)
        domain = [low - room, high + room]
    scale = alt.Scale(
        type="log" if is_log else "linear",
        domain=domain,
        range=[EDGE, pixels(f"width - {EDGE}")],
        nice=False,
        zero=False,
    )
    values = sorted(set(table.x))
    few = {"values": values} if len(values) <= 6 and not _are_close(values, is_log) else {}
    words = "datum.value !== 0 && abs(datum.value) < 0.001 ? format(datum.value, '.1~e') : format(datum.value, ',~r')"  # noqa: E501
    return alt.X("x:Q", scale=scale, axis=alt.Axis(title=setting, labelExpr=words, **few))


def _are_close(values: list[float], is_log: bool) -> bool:
    """Say whether labels of these values would cover each other."""
    at = [math.log(value) if is_log else value for value in values]
    gaps = [b - a for a, b in pairwise(at)]
    return bool(gaps) and min(gaps) < 0.14 * (at[-1] - at[0])
