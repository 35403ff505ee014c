"""Names of the highest points, placed so that none lies on another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import altair as alt
import pandas as pd

from dashboard.charts.frame import WIDE, AnyChart, haloed
from dashboard.theme import Palette

_CHARACTER, _LINE = 7.6, 17  # pixels that a character and a line of a name take
_ABOVE = 17  # from a point to the middle of its name
_MARKER = 7  # pixels around a point that no name may cover
_FAR = 130  # a name is rather left out than moved farther
# A drawing changes its width with the window: from which width on, and how many names it bears.
_TIERS = ((1_000, 12), (WIDE, 8), (230, 4))


def peak_labels(
    peaks: pd.DataFrame,
    *,
    x: Callable[[float], float],
    y: Callable[[float], float],
    data_y: Callable[[float], float],
    x_scale: alt.Scale,
    y_scale: alt.Scale,
    y_axis: alt.Axis,
    x_axis: alt.Axis,
    low_high: tuple[float, float],
    beside: int,
    top_bottom: tuple[float, float],
    below: bool = False,
    palette: Palette,
) -> list[AnyChart]:
    """Return the layers that name `peaks` (x, neg_log10_p, label; the most important first).

    `x` gives the share (0 to 1) of the drawing's width at which a value lies, `y` its pixel and
    `data_y` the value at a pixel; `low_high` are the values at shares 0 and 1. On a wide screen
    `beside` pixels at the right are not of the drawing. Names lie between the pixels `top_bottom`,
    by default above their points, with `below` under them. Fewer are shown on a narrow screen, and
    a line leads to a name that had to move.
    """
    layers: list[AnyChart] = []
    low, high = low_high
    upper = float("inf")
    for least, n in _TIERS:
        # Places hold for the narrowest drawing of a tier; in a wider one names only part.
        width = float(least - (beside if least >= WIDE else 0))
        chosen = peaks.head(n)
        placed = place_labels(
            [(x(row.x) * width, y(row.neg_log10_p)) for row in chosen.itertuples()],
            [str(label) for label in chosen["label"]],
            width,
            *top_bottom,
            below=below,
        )
        rows = pd.DataFrame(
            [
                {
                    "label": row.label,
                    "x": row.x,
                    "y": -row.neg_log10_p if below else row.neg_log10_p,
                    "label_x": low + (high - low) * place[0] / width,
                    "label_y": data_y(place[1]),
                    "moved": place[2],
                }
                for row, place in zip(chosen.itertuples(), placed, strict=True)
                if place is not None
            ],
            columns=["label", "x", "y", "label_x", "label_y", "moved"],
        )
        seen = f"width > {least}" if least > _TIERS[-1][0] else "true"
        if upper < float("inf"):
            seen += f" && width <= {upper:g}"
        upper = least
        chart = alt.Chart(rows).transform_filter(seen)
        at: dict[str, Any] = {
            "x": alt.X("label_x:Q", scale=x_scale, axis=x_axis),
            "y": alt.Y("label_y:Q", scale=y_scale, axis=y_axis),
        }
        if rows["moved"].any():
            layers.append(
                chart.transform_filter("datum.moved")
                .mark_rule(strokeWidth=1, color=palette.muted)
                .encode(**at, x2=alt.X2("x:Q"), y2=alt.Y2("y:Q"))
            )
        style = {"align": "center", "baseline": "middle", "fontSize": 13, "fontWeight": 600}
        layers += haloed(chart.encode(**at), palette, text=alt.Text("label:N"), **style)
    return layers


def place_labels(
    points: list[tuple[float, float]],
    labels: list[str],
    width: float,
    top: float,
    bottom: float,
    *,
    below: bool = False,
) -> list[tuple[float, float, bool] | None]:
    """Return (x, y, has moved) of the middle of each label, None for one without room.

    Pixels, y downwards. The first label takes the place that it likes best; each other one the
    nearest place that covers no label before it and no point.
    """
    away = _ABOVE if below else -_ABOVE
    outward = 1 if below else -1
    moves = sorted(
        (
            (dx, outward * _LINE * level)
            for dx in range(-_FAR, _FAR + 1, 10)
            for level in range(-2, 6)
        ),
        key=lambda move: (abs(move[0]) + 1.3 * abs(move[1]), move),
    )
    boxes: list[tuple[float, float, float, float]] = []
    placed: list[tuple[float, float, bool] | None] = []
    for (x, y), label in zip(points, labels, strict=True):
        half = (len(label) * _CHARACTER + 8) / 2
        found = None
        for dx, dy in moves:
            middle = min(max(x + dx, half), width - half)
            line = y + away + dy
            box = (middle - half, line - _LINE / 2, middle + half, line + _LINE / 2)
            if box[0] < -1 or box[1] < top or box[3] > bottom:
                continue
            if any(_overlap(box, other) for other in boxes):
                continue
            if any(_overlap(box, (a - _MARKER, b - _MARKER, a + _MARKER, b + _MARKER))
                   for a, b in points):  # fmt: skip
                continue
            found = (middle, line, dy != 0 or abs(middle - x) > half)
            boxes.append(box)
            break
        placed.append(found)
    return placed


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
