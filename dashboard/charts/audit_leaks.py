"""What each look at the test people adds to the AUC, on true labels and on permuted ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from dashboard.charts.frame import WIDE, AnyChart, finish, haloed, pixels, tooltip, wide_or
from dashboard.theme import DASH_REFERENCE, LIGHT, Palette

ROW = 58  # pixels a look: true labels above, permuted ones below
_NAMES = {
    "chosen": "Variants chosen on all people",
    "scaled": "Scaled on all people",
    "stopped": "Stopped on test people",
    "published": "All of these, as published",
}


def audit_leaks(found: Mapping[str, Any], *, palette: Palette = LIGHT) -> AnyChart:
    """Return the gains of `pipeline.audit.leaks.Leaks.as_dict`, a row for each look.

    Filled: true labels, with the interval of the paired difference; hollow: permuted labels, where
    every gain is false, with the interval of the mean over permutations.
    """
    rows = []
    for at, leak in enumerate(found["leaks"]):
        name = _NAMES[leak["way"]]
        rows.append(_row(at, 20.0, name, "true labels", leak["gain"]))
        if leak["gain_on_noise"]:
            rows.append(_row(at, 42.0, name, "labels permuted", leak["gain_on_noise"]))
    table = pd.DataFrame(rows)
    table["fill"] = [
        palette.published if labels == "true labels" else palette.background
        for labels in table.labels
    ]
    low = min(0.0, *table.low.dropna(), *table.value)
    high = max(0.0, *table.high.dropna(), *table.value)
    room = max(0.01, 0.05 * (high - low))
    n_rows = len(found["leaks"])
    height = ROW * n_rows
    x_scale = alt.Scale(
        domain=[low - room, high + room],
        range=[wide_or(235, 6), pixels(f"width - (width > {WIDE} ? 205 : 10)")],
        nice=False,
    )
    y_scale = alt.Scale(domain=[0, height], range=[0, height])
    base = alt.Chart(table)
    y = alt.Y("y:Q", axis=None, scale=y_scale)
    tips = tooltip(look=("Look", ""), labels=("Labels", ""), words=("Gain in AUC", ""))
    axis = alt.Axis(title="Gain in AUC over the honest fit", format="+.2~f", tickCount=5)
    interval = base.mark_rule(strokeWidth=3, strokeCap="round", color=palette.published).encode(
        x=alt.X("low:Q", scale=x_scale), x2=alt.X2("high:Q"), y=y, tooltip=tips
    )
    dot = base.mark_point(size=110, strokeWidth=2.2, opacity=1, stroke=palette.published).encode(
        x=alt.X("value:Q", scale=x_scale, axis=axis),
        y=y,
        fill=alt.Fill("fill:N", scale=None),
        tooltip=tips,
    )
    zero = alt.Chart(pd.DataFrame({"value": [0.0]})).mark_rule(
        strokeDash=DASH_REFERENCE, strokeWidth=1.5, color=palette.reference
    )
    first = base.transform_filter("datum.labels == 'true labels'")
    named = haloed(first.encode(y=alt.Y("top:Q", axis=None, scale=y_scale)), palette,
                   text=alt.Text("look:N"), align="left", x=0, dy=wide_or(30, 6))  # fmt: skip
    values = haloed(base.encode(y=y), palette, text=alt.Text("words:N"), align="right",
                    x=pixels("width"), fontSize=12, opacity=wide_or(1, 0))  # fmt: skip
    n = found["n_permutations"]
    return finish(
        alt.layer(zero.encode(x=alt.X("value:Q", scale=x_scale)), *named, *values, interval, dot),
        palette,
        title="What each look at the test people adds",
        subtitle=[
            "Filled: true labels, 95% interval of the paired difference",
            f"Hollow: labels permuted {n} times, where any gain is false" if n > 1 else "",
        ],
        description="Gain in AUC of each look at the test people: "
        + "; ".join(
            f"{look}, {labels}: {words}"
            for look, labels, words in zip(table.look, table.labels, table.words, strict=True)
        )
        + ".",
        height=height,
    )


def _row(at: int, place: float, look: str, labels: str, gain: Mapping[str, Any]) -> dict[str, Any]:
    low, high = (np.nan if gain[end] is None else gain[end] for end in ("low", "high"))
    return {
        "top": float(ROW * at), "y": ROW * at + place, "look": look, "labels": labels,
        "value": gain["value"], "low": low, "high": high,
        "words": f"{gain['value']:+.3f} ({low:+.3f} to {high:+.3f})",
    }  # fmt: skip
