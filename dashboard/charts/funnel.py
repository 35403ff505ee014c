"""The funnel: what each quality step left, and what it took away."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from dashboard.charts.frame import (
    COUNT,
    SHORT_COUNT,
    WIDE,
    AnyChart,
    finish,
    pixels,
    tooltip,
    wide_or,
)
from dashboard.theme import LIGHT, Palette

PAPER_FIRST_AND_LAST = (1_811_204, 18_970)  # Henriques et al. 2025
ROW = 42  # pixels a step


def funnel(
    steps: pd.DataFrame,
    *,
    log: bool = False,
    paper: tuple[int, int] | None = PAPER_FIRST_AND_LAST,
    palette: Palette = LIGHT,
) -> AnyChart:
    """Return one horizontal bar a step, in the order given.

    `steps` has step, title, variants (left after the step), removed, note, is_off,
    has_no_data. What left is lighter, with its number. `paper` are the variants before the
    first and after the last step; on a linear scale they show only where they lie within the
    cohort's own numbers.
    """
    rows = _rows(steps, palette)
    marks = _paper_rows(rows, paper, log)
    most = float(max([1, *rows.before, *marks.value]))
    least = min([n for n in [*rows.variants, *marks.value] if n > 0], default=1)
    # A bar on a log scale needs a start: one decade below the smallest number.
    start = 10.0 ** max(0, len(str(int(least))) - 2) if log else 0.0
    if log:
        most = max(most, 10 * start)
    height = ROW * len(rows)
    x = _axis(log, start, most)
    y = alt.Y("row:Q", axis=None, scale=alt.Scale(domain=[0, len(rows)], range=[0, height]))

    rows = rows.assign(
        start=start,
        kept_to=rows.variants.clip(lower=start),
        to=rows[["before", "variants"]].max(axis=1).clip(lower=start),
    )
    base = alt.Chart(rows).encode(y=y)
    # The bar stands in the middle of its row, or in the lower half where its name is above it.
    bars = base.mark_rect(yOffset=wide_or(9, 21), y2Offset=wide_or(33, 37))
    thin = base.mark_rect(yOffset=wide_or(18, 26), y2Offset=wide_or(24, 32))
    tips = tooltip(
        title=("Step", ""),
        variants=("Variants left", COUNT),
        removed=("Removed", COUNT),
        state=("State", ""),
    )
    removed = bars.encode(
        x=x("kept_to"),
        x2=alt.X2("to:Q"),
        y2=alt.Y2("row:Q"),
        color=alt.value(palette.removed),
        stroke=alt.value(palette.chromosome_other),
        tooltip=tips,
    ).transform_filter("datum.removed > 0")
    span = {"x": x("start"), "x2": "kept_to:Q", "y2": "row:Q", "tooltip": tips}
    kept = bars.encode(color=alt.value(palette.bar), **span).transform_filter("!datum.is_off")
    unchanged = thin.encode(color=alt.value(palette.chromosome_other), **span).transform_filter(
        "datum.is_off"
    )
    number_left = base.mark_text(align="left", dx=7, dy=wide_or(21, 29)).encode(
        x=x("to"), text=alt.Text("left:N"), color=alt.value(palette.muted)
    )
    layers = [
        removed,
        kept,
        unchanged,
        number_left,
        *_names(base),
        *_paper_layers(marks, x, y, palette),
    ]
    first, last = rows.iloc[0], rows.iloc[-1]
    subtitle = [f"{last.variants:,} of {first.before:,} are kept"]
    if not marks.empty:
        subtitle.append("Purple ticks: the paper's {:,} and {:,}".format(*paper))
    return finish(
        alt.layer(*layers),
        palette,
        title="Variants left after each step",
        subtitle=subtitle,
        description=(
            f"A bar for each of {len(rows)} quality steps in order; {last.variants:,} of "
            f"{first.before:,} variants are left at the end."
        ),
        height=height,
    )


def _rows(steps: pd.DataFrame, palette: Palette) -> pd.DataFrame:
    rows = steps.reset_index(drop=True).copy()
    off = rows.is_off.astype(bool)
    rows["is_off"] = off
    rows["note"] = rows.note.fillna("").astype(str)
    rows["row"] = rows.index.astype(float)
    rows["before"] = rows.variants + rows.removed
    rows["left"] = [
        ("no data" if no_data else "off")
        if is_off
        else f"{-removed:+,}".replace("-", "−")
        if removed
        else "0"
        if row
        else ""
        for row, is_off, no_data, removed in zip(
            rows.index, off, rows.has_no_data, rows.removed, strict=True
        )
    ]
    rows["state"] = rows.note.where(rows.note != "", off.map({True: "off", False: "on"}))
    rows["word"] = off.map({True: palette.muted, False: palette.ink})
    return rows


def _axis(log: bool, start: float, most: float) -> Any:
    """Return a function from a column to its place along the bars."""
    scale = alt.Scale(
        type="log" if log else "linear",
        domain=[start, most],
        range=[wide_or(255, 0), pixels(f"width - (width > {WIDE} ? 175 : 86)")],
        nice=False,
    )
    if log:  # powers of ten alone: between them the labels would run into each other
        decades = [10.0**power for power in range(10) if start <= 10.0**power <= most]
        axis = alt.Axis(title="Variants (logarithmic scale)", labelExpr=SHORT_COUNT, values=decades)
    else:
        axis = alt.Axis(title="Variants", labelExpr=SHORT_COUNT, tickCount=4)
    return lambda column: alt.X(f"{column}:Q", scale=scale, axis=axis)


def _names(base: alt.Chart) -> list[alt.Chart]:
    words = base.encode(color=alt.Color("word:N", scale=None))
    name = words.mark_text(align="left", x=0, dy=wide_or(21, 10)).encode(text=alt.Text("title:N"))
    count = words.mark_text(
        align="right", x=pixels("width"), dy=wide_or(21, 10), fontWeight=600
    ).encode(text=alt.Text("variants:Q", format=COUNT))
    return [name, count]


def _paper_rows(rows: pd.DataFrame, paper: tuple[int, int] | None, log: bool) -> pd.DataFrame:
    """Return the paper's two numbers where they can be drawn without dwarfing the cohort's own."""
    if paper is None or (not log and paper[0] > 1.05 * rows.before.max()):
        return pd.DataFrame({"row": [], "value": [], "words": []}, dtype=float)
    return pd.DataFrame(
        {
            "row": [0.0, float(rows.row[~rows.is_off].max())],
            "value": paper,
            "words": [f"paper {value:,}" for value in paper],
        }
    )


def _paper_layers(marks: pd.DataFrame, x: Any, y: alt.Y, palette: Palette) -> list[alt.Chart]:
    if marks.empty:
        return []
    tick = (
        alt.Chart(marks)
        .mark_rule(strokeWidth=2.5, yOffset=wide_or(4, 17), y2Offset=wide_or(38, 41))
        .encode(
            x=x("value"),
            y=y,
            y2=alt.Y2("row:Q"),
            color=alt.value(palette.published),
            tooltip=tooltip(words=("Henriques et al. 2025", "")),
        )
    )
    return [tick]
