"""The paper's accuracies beside ours, a row of its table each."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.charts.frame import WIDE, AnyChart, finish, haloed, pixels, tooltip, wide_or
from dashboard.theme import DASH_REFERENCE, LIGHT, Palette

ROW = 62  # pixels a row of the paper's table

# Who stands where in a row, in pixels from its top: with room beside the drawing, and without.
_PLACES = {"paper": (15, 25), "honest": (30, 38), "published": (45, 51)}
_WORDS = {"paper": "paper", "honest": "ours, honest", "published": "ours, published"}


def reproduction(
    rows: pd.DataFrame, *, title: str, note: str = "", palette: Palette = LIGHT
) -> AnyChart:
    """Return a dot plot of test accuracies, a row of the paper each, in the order given.

    `rows` has label, setup, who (paper, honest, published), value, low, high, majority, in 0 to 1
    and missing where there is none (see `pipeline.reproduce.as_frame`). Hollow is what the paper
    prints, dashed the majority among our test people; `note` ends the subtitle.
    """
    table = rows.copy()
    order = {label: place for place, label in enumerate(dict.fromkeys(table.label))}
    table["row"] = table.label.map(order).astype(float)
    table["below"] = table.row + 1
    table["word"] = table.who.map(_WORDS)
    table["words"] = [
        _words(*cells) for cells in zip(table.value, table.low, table.high, strict=True)
    ]
    known = [v for name in ("value", "low", "high", "majority") for v in table[name].dropna()]
    low, high = min(known, default=0.5), max(known, default=0.5)
    room = max(0.02, 0.04 * (high - low))
    height = ROW * len(order)
    x_scale = alt.Scale(
        domain=[max(0.0, low - room), min(1.0, high + room)],
        range=[wide_or(270, 8), pixels(f"width - (width > {WIDE} ? 12 : 10)")],
        nice=False,
    )
    axis = alt.Axis(title="Accuracy on test people", format=".2~f", tickCount=5, grid=True)
    x = alt.X("value:Q", scale=x_scale, axis=axis)
    y_scale = alt.Scale(domain=[0, max(1, len(order))], range=[0, height])
    y = alt.Y("row:Q", axis=None, scale=y_scale)
    layers = [
        *_majority(table, x_scale, y_scale, palette),
        *_names(table, y, palette),
        *_dots(table, x, x_scale, y, palette),
    ]
    return finish(
        alt.layer(*layers),
        palette,
        title=title,
        subtitle=["Hollow: what the paper prints", _majority_words(table), note],
        description=f"{title}. {_description(table)}",
        height=height,
    )


def _majority(
    table: pd.DataFrame, x_scale: alt.Scale, y_scale: alt.Scale, palette: Palette
) -> list[alt.Chart]:
    shares = table.dropna(subset=["majority"]).drop_duplicates(["row", "majority"])
    if shares.empty:
        return []
    rule = alt.Chart(shares).mark_rule(
        strokeDash=DASH_REFERENCE, strokeWidth=1.5, color=palette.reference
    )
    return [
        rule.encode(
            x=alt.X("majority:Q", scale=x_scale),
            y=alt.Y("row:Q", scale=y_scale, axis=None),
            y2=alt.Y2("below:Q"),
        )
    ]


def _names(table: pd.DataFrame, y: alt.Y, palette: Palette) -> list[alt.Chart]:
    """Return the name of each row and its network: two lines beside it, or one above it."""
    firsts = table.drop_duplicates("row").copy()
    firsts["both"] = firsts.label + " · " + firsts.setup
    base = alt.Chart(firsts).encode(y=y)
    beside = {"align": "left", "x": 0, "opacity": wide_or(1, 0)}
    above = {"align": "left", "x": 0, "opacity": wide_or(0, 1), "dy": 10, "fontSize": 13}
    return [
        *haloed(base, palette, text=alt.Text("label:N"), dy=22, fontWeight=600, **beside),
        *haloed(
            base, palette, text=alt.Text("setup:N"), dy=41, fontSize=13, color=palette.muted,
            **beside,
        ),
        *haloed(base, palette, text=alt.Text("both:N"), **above),
    ]  # fmt: skip


def _dots(
    table: pd.DataFrame, x: alt.X, x_scale: alt.Scale, y: alt.Y, palette: Palette
) -> list[alt.Chart]:
    present = [who for who in _PLACES if (table.who == who).any()]
    words = [_WORDS[who] for who in present]
    strokes = {"paper": palette.ink, "honest": palette.honest, "published": palette.published}
    fills = strokes | {"paper": palette.background}
    shapes = {"paper": "circle", "honest": "circle", "published": "diamond"}
    legend = alt.Legend(title=None, symbolStrokeWidth=2.5, symbolOpacity=1)

    def scale(of: dict[str, str]) -> alt.Scale:
        return alt.Scale(domain=words, range=[of[who] for who in present])

    stroke = alt.Stroke("word:N", scale=scale(strokes), legend=legend)
    tips = tooltip(
        label=("Row", ""), setup=("Network", ""), word=("By", ""), words=("Accuracy", "")
    )
    layers = []
    for who in present:
        some = table[(table.who == who) & table.value.notna()]
        place = wide_or(*_PLACES[who])
        base = alt.Chart(some).encode(y=y, tooltip=tips)
        if some.low.notna().any():
            layers.append(
                base.mark_rule(strokeWidth=3, yOffset=place, strokeCap="round").encode(
                    x=alt.X("low:Q", scale=x_scale), x2=alt.X2("high:Q"), stroke=stroke
                )
            )
        layers.append(
            base.mark_point(size=110, strokeWidth=2.5, yOffset=place, opacity=1).encode(
                x=x,
                stroke=stroke,
                fill=alt.Fill("word:N", scale=scale(fills), legend=legend),
                shape=alt.Shape("word:N", scale=scale(shapes), legend=legend),
            )
        )
    return layers


def _words(value: float, low: float, high: float) -> str:
    if pd.isna(value):
        return "none"
    return f"{value:.3f}" if pd.isna(low) else f"{value:.3f} ({low:.3f}–{high:.3f})"


def _majority_words(table: pd.DataFrame) -> str:
    shares = table.majority.dropna()
    if shares.empty:
        return ""
    low, high = f"{shares.min():.3f}", f"{shares.max():.3f}"
    return f"Dashed: majority, {low}" if low == high else f"Dashed: majority, {low} to {high}"


def _description(table: pd.DataFrame) -> str:
    said = []
    for label, of_row in table.groupby("label", sort=False):
        figures = ", ".join(
            f"{word} {words}" for word, words in zip(of_row.word, of_row.words, strict=True)
        )
        said.append(f"{label}: {figures}")
    return "; ".join(said) + "."
