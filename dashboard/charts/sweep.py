"""A sweep drawn: every trial as a line through its settings, what mattered, value by trial."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from dashboard.charts.frame import AnyChart, finish, haloed, pixels, tooltip
from dashboard.fields import option_words
from dashboard.theme import LIGHT, Palette, mix

AXIS = 66  # pixels from one axis of the parallel coordinates to the next
BAR = 42  # pixels a bar of importance
HISTORY = 260
EDGE = 8  # pixels kept free at both ends of an axis
N_BEST = 3

METRICS = {"auc": "AUC", "loss": "loss"}
_SHADES = {"complete": 1.2, "pruned": 1.0, "best": 3.0}  # line widths


def parallel_coordinates(
    trials: pd.DataFrame, axes: pd.DataFrame, metric: str = "auc", *, palette: Palette = LIGHT
) -> AnyChart:
    """Return one line a trial through an axis a field, from above downwards, its value at the foot.

    `trials` has number, state (complete, pruned, failed), value (NaN where there is none) and a
    column for each field. `axes` has name (the column), label, low, high, log and choices (None
    for numbers). The three best trials are thick, pruned ones grey; failed ones are not drawn.
    """
    drawn = trials[trials["state"] != "failed"]
    best = _best_numbers(trials, metric)
    places, ticks = [], []
    described: list[Mapping[str, Any]] = axes.to_dict("records")
    values = trials["value"].dropna()
    if len(values):
        described.append(
            {"name": "value", "label": f"{METRICS[metric]} of validation people",
             "low": values.min(), "high": values.max(), "log": False, "choices": None}
        )  # fmt: skip
    for row, axis in enumerate(described):
        position, marked = _axis(drawn[axis["name"]], axis)
        places.append(
            pd.DataFrame({"number": drawn["number"], "row": float(row), "position": position})
        )
        ticks.append(marked.assign(row=float(row)))
    lines = pd.concat(places, ignore_index=True).dropna(subset="position")
    known = drawn.set_index("number")
    lines["kind"] = lines["number"].map(known["state"])
    lines.loc[lines["number"].isin(best), "kind"] = "best"
    lines["words"] = lines["number"].map(_outcomes(known, metric))
    height = AXIS * len(described)
    bars, marks, *words = _axes(described, pd.concat(ticks, ignore_index=True), height, palette)
    return finish(
        alt.layer(bars, marks, *_trial_lines(lines, height, palette), *words),
        palette,
        title="What was tried",
        subtitle=[f"Thick: the {min(N_BEST, len(best))} best trials", "Grey: given up early"],
        description=_described(trials, metric, best),
        height=height,
    )


def importance_bars(shares: pd.DataFrame, *, palette: Palette = LIGHT) -> AnyChart:
    """Return a bar a field, the longest first.

    `shares` has label and share (0 to 1, together 1) of what single fields explain.
    """
    table = shares.sort_values("share", ascending=False, ignore_index=True)
    table["row"] = table.index.astype(float)
    table["words"] = [f"{share:.0%}" for share in table["share"]]
    height = BAR * len(table)
    y = alt.Y("row:Q", axis=None, scale=alt.Scale(domain=[0, len(table)], range=[0, height]))
    x = alt.X(
        "share:Q",
        axis=None,
        scale=alt.Scale(domain=[0, 1], range=[0, pixels("width")], nice=False),
    )
    base = alt.Chart(table).encode(y=y)
    bars = base.mark_bar(orient="horizontal", size=8, color=palette.bar, yOffset=30).encode(
        x=x, tooltip=tooltip(label=("Setting", ""), words=("Share", ""))
    )
    names = haloed(base, palette, text=alt.Text("label:N"), align="left", x=0, dy=14)
    words = haloed(
        base, palette, text=alt.Text("words:N"), align="right", x=pixels("width"), dy=14,
        fontWeight=600,
    )  # fmt: skip
    return finish(
        alt.layer(bars, *names, *words),
        palette,
        title="What mattered",
        subtitle="Share of what single settings explain",
        description="; ".join(
            f"{label}: {word}" for label, word in zip(table.label, table.words, strict=True)
        )
        + " of what single settings explain of the differences between trials.",
        height=height,
    )


def sweep_history(
    trials: pd.DataFrame, metric: str = "auc", *, palette: Palette = LIGHT
) -> AnyChart:
    """Return the value of every trial in turn, and the best so far as a line.

    `trials` as for `parallel_coordinates`; trials without a value are ticks at the foot.
    """
    ended = trials.dropna(subset="value").sort_values("number", ignore_index=True)
    name = METRICS[metric]
    ended["best"] = ended["value"].cummax() if metric == "auc" else ended["value"].cummin()
    ended["words"] = [f"{value:.3f}" for value in ended["value"]]
    last = int(trials["number"].max())
    values = ended["value"] if len(ended) else pd.Series([0.0, 1.0])
    low, high = float(values.min()), float(values.max())
    room = 0.06 * (high - low) or 0.05
    x = alt.X(
        "number:Q",
        axis=alt.Axis(title="Trial", format="d", tickMinStep=1, grid=False),
        scale=alt.Scale(domain=[0.5, last + 0.5], nice=False),
    )
    scale = alt.Scale(domain=[low - room, high + room], nice=False, zero=False)
    axis = alt.Axis(title=f"{name} of validation people", format=".3~f", tickCount=5, grid=True)

    def y(column: str) -> alt.Y:
        return alt.Y(f"{column}:Q", scale=scale, axis=axis)

    tail = pd.DataFrame({"number": [last + 0.5], "best": ended["best"].tail(1).tolist() or [None]})
    steps = pd.concat([ended[["number", "best"]], tail], ignore_index=True).dropna()
    best = alt.Chart(steps).mark_line(
        interpolate="step-after", strokeWidth=2.6, color=palette.honest
    )
    dots = alt.Chart(ended).mark_point(size=60, filled=True, color=palette.auc, opacity=0.9)
    without = trials[trials["value"].isna()].assign(
        words=lambda rows: rows["state"].map({"pruned": "given up", "failed": "failed"})
    )
    ticks = alt.Chart(without).mark_rule(
        color=palette.excluded, strokeWidth=2, y=HISTORY - 12, y2=HISTORY
    )
    layers = [
        best.encode(x=x, y=y("best")),
        dots.encode(x=x, y=y("value"),
                    tooltip=tooltip(number=("Trial", "d"), words=(name, ""))),
        ticks.encode(x=x, tooltip=tooltip(number=("Trial", "d"), words=("Outcome", ""))),
    ]  # fmt: skip
    return finish(
        alt.layer(*layers),
        palette,
        title=f"{name} by trial",
        subtitle=["Line: the best so far", f"Ticks: {len(without)} without a value"],
        description=_described(trials, metric, _best_numbers(trials, metric)),
        height=HISTORY,
    )


def _best_numbers(trials: pd.DataFrame, metric: str) -> list[int]:
    ended = trials.dropna(subset="value")
    ordered = ended.sort_values(["value", "number"], ascending=[metric == "loss", True])
    return ordered["number"].head(N_BEST).tolist()


def _axis(values: pd.Series, axis: Mapping[str, Any]) -> tuple[pd.Series, pd.DataFrame]:
    """Return where values lie on an axis (0 to 1, NaN for none) and its ticks with their words."""
    if axis["choices"] is not None:
        options = list(dict.fromkeys([*axis["choices"], *values.dropna().tolist()]))
        place = {option: (i + 0.5) / len(options) for i, option in enumerate(options)}
        ticks = pd.DataFrame(
            {"position": list(place.values()), "words": [value_words(option) for option in options],
             "align": "center"}
        )  # fmt: skip
        return values.map(place).astype(float), ticks
    numbers = pd.to_numeric(values).astype(float)
    known = numbers[numbers > 0] if axis["log"] else numbers.dropna()
    low = min([float(axis["low"]), *known])
    high = max([float(axis["high"]), *known])
    if axis["log"]:
        place = np.log(numbers.where(numbers > 0) / low) / (np.log(high / low) or 1.0)
        middle = float(np.sqrt(low * high))
    else:
        place = (numbers - low) / ((high - low) or 1.0)
        middle = (low + high) / 2
    marked = {0.0: (low, "left"), 0.5: (middle, "center"), 1.0: (high, "right")}
    is_whole = all(float(number).is_integer() for number in (low, high, *known))
    if low == high:
        marked = {0.0: (low, "left")}
    elif is_whole and not middle.is_integer():
        del marked[0.5]
    ticks = pd.DataFrame(
        [
            {"position": position, "words": number_words(number), "align": align}
            for position, (number, align) in marked.items()
        ]
    )
    return place, ticks


def number_words(number: float) -> str:
    """Return a number to three digits, never as a power of ten: 0.00001, 0.00447, 5,000."""
    rounded = float(f"{number:.3g}")
    return f"{rounded:,.0f}" if rounded.is_integer() else np.format_float_positional(rounded)


def value_words(value: Any) -> str:
    """Return what was tried as people read it; "" for a number that is missing."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        return number_words(value) if math.isfinite(value) else ""
    if value in (None, ""):
        return "none"
    return option_words(value).replace(",", ", ")


def _outcomes(known: pd.DataFrame, metric: str) -> pd.Series:
    words = [
        f"{METRICS[metric]} {value:.3f}" if state == "complete" else "given up"
        for value, state in zip(known["value"], known["state"], strict=True)
    ]
    return pd.Series(words, index=known.index)


def _scales(height: float) -> tuple[alt.X, alt.Y]:
    x_scale = alt.Scale(domain=[0, 1], range=[EDGE, pixels(f"width - {EDGE}")], nice=False)
    y_scale = alt.Scale(domain=[0, height / AXIS], range=[0, height], nice=False)
    return alt.X("position:Q", scale=x_scale, axis=None), alt.Y("row:Q", scale=y_scale, axis=None)


_ON_AXIS = 30  # pixels from the top of a row to its axis; above is the name, below are the ticks


def _axes(
    axes: list[Mapping[str, Any]], ticks: pd.DataFrame, height: float, palette: Palette
) -> list[alt.Chart]:
    """Return the bars, their ticks, and the words that lie over the lines of the trials."""
    x, y = _scales(height)
    names = pd.DataFrame(
        {"row": np.arange(len(axes), dtype=float), "label": [axis["label"] for axis in axes]}
    )
    base = alt.Chart(names).encode(y=y)
    bar = base.mark_rule(
        yOffset=_ON_AXIS, color=palette.muted, strokeWidth=1, x=EDGE, x2=pixels(f"width - {EDGE}")
    )
    marks = alt.Chart(ticks).mark_tick(
        orient="vertical", yOffset=_ON_AXIS, color=palette.muted, size=8, thickness=1.5
    )
    layers = [bar, marks.encode(x=x, y=y)]
    layers += haloed(
        base, palette, text=alt.Text("label:N"), align="left", x=0, dy=11, fontWeight=600
    )
    for align in ("left", "center", "right"):
        some = alt.Chart(ticks[ticks["align"] == align]).encode(x=x, y=y)
        shift = {"left": -EDGE, "center": 0, "right": EDGE}[align]
        layers += haloed(
            some, palette, text=alt.Text("words:N"), align=align, dx=shift, dy=_ON_AXIS + 14,
            fontSize=12, color=palette.muted,
        )  # fmt: skip
    return layers


def _trial_lines(lines: pd.DataFrame, height: float, palette: Palette) -> list[alt.Chart]:
    """Return the lines, what was given up first and the best last, so that these lie on top."""
    x, y = _scales(height)
    colours = {
        "pruned": mix(palette.excluded, palette.background, 0.45),
        "complete": palette.auc,
        "best": palette.honest,
    }
    return [
        alt.Chart(lines[lines["kind"] == kind])
        .mark_line(
            strokeWidth=_SHADES[kind],
            color=colour,
            opacity=0.55 if kind == "complete" else 1,
            yOffset=_ON_AXIS,
            strokeJoin="round",
        )
        .encode(
            x=x,
            y=y,
            order=alt.Order("row:Q"),
            detail="number:N",
            tooltip=tooltip(number=("Trial", "d"), words=("Outcome", "")),
        )
        for kind, colour in colours.items()
    ]


def _described(trials: pd.DataFrame, metric: str, best: list[int]) -> str:
    counts = trials["state"].value_counts()
    text = (
        f"{len(trials)} trials, {counts.get('pruned', 0)} given up, {counts.get('failed', 0)} "
        "failed"
    )
    if not best:
        return f"{text}; none came to its end yet."
    value = trials.loc[trials["number"] == best[0], "value"].iloc[0]
    return f"{text}; the best is trial {best[0]} with {METRICS[metric]} {value:.3f}."
