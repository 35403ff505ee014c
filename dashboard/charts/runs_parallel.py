"""Runs as lines through what was set differently, their AUC at the foot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from dashboard.charts.frame import AnyChart, finish, haloed, pixels, tooltip
from dashboard.charts.sweep import number_words, value_words
from dashboard.theme import LIGHT, Palette

AXIS = 66  # pixels from one axis to the next
EDGE = 8  # pixels kept free at both ends of an axis
N_BEST = 3
MOST_TICKS = 6  # words on an axis of choices; of more, the first and the last are told
_ON_AXIS = 30  # pixels from the top of a row to its axis; above is the name, below are the ticks
_LOG_FROM = 50  # the largest is so many times the smallest: tenfold steps are told apart


@dataclass(frozen=True)
class Axis:
    """One setting, or the figure at the foot: its label and the value of each run."""

    label: str
    values: tuple[Any, ...]


def runs_parallel(
    runs: Sequence[str], axes: Sequence[Axis], outcome: Axis, *, palette: Palette = LIGHT
) -> AnyChart:
    """Return one line a run through an axis for each setting, from above downwards.

    `runs` are their names; `outcome`, a figure where more is better, is the last axis. The
    best runs are thick, at most three. A run without a value has a gap in its line.
    """
    known = [float(value) for value in outcome.values]
    order = sorted((i for i, v in enumerate(known) if math.isfinite(v)), key=lambda i: -known[i])
    best = order[: min(N_BEST, max(1, len(runs) // 3))]  # of few not all
    rows = [*axes, outcome]
    lines, ticks = [], []
    for row, axis in enumerate(rows):
        places, marked = _placed(axis.values)
        lines.append(
            pd.DataFrame(
                {"number": range(len(runs)), "row": float(row), "position": places,
                 "run": list(runs), "is_best": [i in best for i in range(len(runs))],
                 "words": [f"{v:.3f}" if math.isfinite(v) else "not measured" for v in known]}
            )
        )  # fmt: skip
        ticks.append(marked.assign(row=float(row)))
    drawn = pd.concat(lines, ignore_index=True).dropna(subset="position")
    marks = pd.concat(ticks, ignore_index=True)
    height = AXIS * len(rows)
    names = pd.DataFrame(
        {"row": np.arange(len(rows), dtype=float), "label": [a.label for a in rows]}
    )
    told = ", ".join(f"{runs[i]} with {known[i]:.3f}" for i in best)
    return finish(
        alt.layer(*_axes(names, marks, height, palette), *_lines(drawn, height, outcome, palette),
                  *_words(names, marks, height, palette)),
        palette,
        title="Settings and what came of them",
        subtitle=f"Thick: the best {len(best)} of {len(runs)} runs",
        description=f"{len(runs)} runs by {', '.join(axis.label for axis in rows)}; best: "
        f"{told or 'none'}.",
        height=height,
    )  # fmt: skip


def _placed(values: Sequence[Any]) -> tuple[list[float], pd.DataFrame]:
    """Return where values lie on their axis (0 to 1, NaN for none), and its ticks with words."""
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    finite = [float(v) for v in numbers if math.isfinite(v)]
    if len(numbers) < len(values) or not finite:
        return _choices(values)
    low, high = min(finite), max(finite)
    if low == high:
        places = [0.5 if math.isfinite(v) else math.nan for v in values]
        return places, _ticks({0.5: number_words(low)})
    is_log = low > 0 and high / low >= _LOG_FROM
    of = np.log if is_log else np.asarray
    share = (of(np.array(values, float)) - of(low)) / (of(high) - of(low))
    return share.tolist(), _ticks({0.0: number_words(low), 1.0: number_words(high)})


def _choices(values: Sequence[Any]) -> tuple[list[float], pd.DataFrame]:
    said = [_said(value) for value in values]
    options = list(dict.fromkeys(said))
    place = {option: (i + 0.5) / len(options) for i, option in enumerate(options)}
    shown = options if len(options) <= MOST_TICKS else [options[0], options[-1]]
    return [place[one] for one in said], _ticks({place[option]: option for option in shown})


def _said(value: Any) -> str:
    if value is None:
        return "off"
    if isinstance(value, list | tuple):
        return ", ".join(value_words(one) for one in value) or "none"
    return value_words(value)


def _ticks(words: dict[float, str]) -> pd.DataFrame:
    align = {0.0: "left", 1.0: "right"}
    return pd.DataFrame(
        [{"position": at, "words": text, "align": align.get(at, "center")}
         for at, text in words.items()]
    )  # fmt: skip


def _scales(height: float) -> tuple[alt.X, alt.Y]:
    x_scale = alt.Scale(domain=[0, 1], range=[EDGE, pixels(f"width - {EDGE}")], nice=False)
    y_scale = alt.Scale(domain=[0, height / AXIS], range=[0, height], nice=False)
    return alt.X("position:Q", scale=x_scale, axis=None), alt.Y("row:Q", scale=y_scale, axis=None)


def _axes(
    names: pd.DataFrame, marks: pd.DataFrame, height: float, palette: Palette
) -> list[alt.Chart]:
    x, y = _scales(height)
    bar = alt.Chart(names).mark_rule(
        yOffset=_ON_AXIS, color=palette.muted, strokeWidth=1, x=EDGE, x2=pixels(f"width - {EDGE}")
    )
    tick = alt.Chart(marks).mark_tick(
        orient="vertical", yOffset=_ON_AXIS, color=palette.muted, size=8, thickness=1.5
    )
    return [bar.encode(y=y), tick.encode(x=x, y=y)]


def _lines(drawn: pd.DataFrame, height: float, outcome: Axis, palette: Palette) -> list[alt.Chart]:
    """Return the lines, the best ones last, so that they lie on top."""
    x, y = _scales(height)
    styles = ((False, palette.auc, 1.4, 0.6), (True, palette.honest, 3.0, 1.0))
    return [
        alt.Chart(drawn[drawn["is_best"] == is_best])
        .mark_line(
            strokeWidth=width, color=colour, opacity=opacity, yOffset=_ON_AXIS, strokeJoin="round"
        )
        .encode(
            x=x,
            y=y,
            order=alt.Order("row:Q"),
            detail="number:N",
            tooltip=tooltip(run=("Run", ""), words=(outcome.label, "")),
        )
        for is_best, colour, width, opacity in styles
    ]


def _words(
    names: pd.DataFrame, marks: pd.DataFrame, height: float, palette: Palette
) -> list[alt.Chart]:
    x, y = _scales(height)
    layers = haloed(
        alt.Chart(names).encode(y=y), palette, text=alt.Text("label:N"), align="left", x=0, dy=11,
        fontWeight=600,
    )  # fmt: skip
    for align, shift in (("left", -EDGE), ("center", 0), ("right", EDGE)):
        some = alt.Chart(marks[marks["align"] == align]).encode(x=x, y=y)
        layers += haloed(
            some, palette, text=alt.Text("words:N"), align=align, dx=shift, dy=_ON_AXIS + 14,
            fontSize=12, color=palette.muted,
        )  # fmt: skip
    return layers
