"""Honest and published order beside the same on permuted labels: one dot each, the gap between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from dashboard.charts.frame import WIDE, AnyChart, finish, haloed, pixels, tooltip, wide_or
from dashboard.charts.roles import colour_of, is_hollow
from dashboard.theme import DASH_REFERENCE, LIGHT, Palette

ROW = 54  # pixels a row
_ROWS = {
    "honest": "Honest",
    "published": "Published order",
    "honest_permuted": "Honest, labels permuted",
    "published_permuted": "Published, labels permuted",
}
METRICS = {"auc": "AUC", "accuracy": "Accuracy"}


def audit_protocols(
    audits: Sequence[tuple[str, Mapping[str, Any]]],
    *,
    metric: str = "auc",
    span: tuple[float, float] | None = None,
    palette: Palette = LIGHT,
) -> AnyChart:
    """Return the dot plot of one audit or more, each a model's name and its summary.

    A summary is that of `pipeline.audit.protocols.Audit.summary`, permutations as far as there are
    any. Permuted labels stand as one small hollow dot each and a larger one at their mean. The
    dashed line is chance (AUC 0.5) or always the larger class; a bracket spans the optimism. The
    axis goes over `span`, by default that of these audits.
    """
    rows, dots = _rows(audits, metric)
    table = pd.DataFrame(rows)
    table["colour"] = [colour_of(kind, palette) if kind else palette.ink for kind in table.kind]
    table["fill"] = [
        palette.background if is_hollow(kind) else colour
        for kind, colour in zip(table.kind, table.colour, strict=True)
    ]
    chance = 0.5 if metric == "auc" else float(audits[0][1]["majority"])
    single = pd.DataFrame(dots, columns=["row", "value", "kind", "number"])
    single["colour"] = [colour_of(kind, palette) for kind in single.kind]
    height = ROW * len(table)
    x_scale = alt.Scale(
        domain=list(span or audit_span(audits, metric)),
        range=[wide_or(235, 6), pixels(f"width - (width > {WIDE} ? 190 : 10)")],
        nice=False,
    )
    axis = alt.Axis(title=f"{METRICS[metric]} on the test people", format=".2~f", tickCount=5)
    y_scale = alt.Scale(domain=[0, len(table)], range=[0, height])
    place, line = wide_or(28, 42), wide_or(28, 20)
    base = alt.Chart(table).encode(y=alt.Y("row:Q", axis=None, scale=y_scale))
    models = base.transform_filter("datum.kind != ''")
    tips = tooltip(model=("Model", ""), words=(METRICS[metric], ""))
    colour = alt.Color("colour:N", scale=None)
    guess = alt.Chart(pd.DataFrame({"value": [chance]})).mark_rule(
        strokeDash=DASH_REFERENCE, strokeWidth=1.5, color=palette.reference
    )
    each = (
        alt.Chart(single)
        .mark_point(size=34, strokeWidth=1.2, opacity=0.75, yOffset=place, filled=False)
        .encode(
            x=alt.X("value:Q", scale=x_scale),
            y=alt.Y("row:Q", axis=None, scale=y_scale),
            color=colour,
            tooltip=tooltip(number=("Permutation", ","), value=(METRICS[metric], ".3f")),
        )
    )
    interval = models.mark_rule(strokeWidth=3, yOffset=place, strokeCap="round").encode(
        x=alt.X("low:Q", scale=x_scale), x2=alt.X2("high:Q"), color=colour, tooltip=tips
    )
    dot = models.mark_point(size=140, strokeWidth=2.5, yOffset=place, opacity=1).encode(
        x=alt.X("value:Q", scale=x_scale, axis=axis),
        stroke=alt.Stroke("colour:N", scale=None),
        fill=alt.Fill("fill:N", scale=None),
        tooltip=tips,
    )
    names = haloed(models, palette, text=alt.Text("name:N"), align="left", x=0, dy=line)
    values = haloed(
        models, palette, text=alt.Text("words:N"), align="right", x=pixels("width"), dy=line,
        fontWeight=600,
    )  # fmt: skip
    heads = base.transform_filter("datum.kind == ''").mark_text(
        align="left", x=0, dy=34, fontWeight=700, fontSize=14, color=palette.ink
    )
    layers = [guess.encode(x=alt.X("value:Q", scale=x_scale)), *names, *values, each, interval, dot]
    layers += [heads.encode(text="name:N")]
    if metric == "auc":
        layers += _brackets(audits, table, x_scale, y_scale, palette)
    reference = "chance" if metric == "auc" else "always the larger class"
    return finish(
        alt.layer(*layers),
        palette,
        title=f"{METRICS[metric]} of one split, honest and published",
        subtitle=[
            f"Dashed: {reference}, {chance:.3f}. Bars: 95% intervals",
            "Hollow: labels permuted, one small dot each, the large one their mean"
            if len(single)
            else "",
        ],
        description=f"{METRICS[metric]} of one split, honest and published: "
        + "; ".join(
            f"{model}: {METRICS[metric]} {words}"
            for model, words, kind in zip(table.model, table.words, table.kind, strict=True)
            if kind
        )
        + ".",
        height=height,
    )


def audit_span(
    audits: Sequence[tuple[str, Mapping[str, Any]]], metric: str = "auc"
) -> tuple[float, float]:
    """Return from where to where an axis goes that holds all of these audits."""
    rows, dots = _rows(audits, metric)
    chance = 0.5 if metric == "auc" else float(audits[0][1]["majority"])
    ends = [row[end] for row in rows for end in ("value", "low", "high")]
    known = [chance, *(end for end in ends if not np.isnan(end)), *(dot[1] for dot in dots)]
    room = max(0.02, 0.05 * (max(known) - min(known)))
    return max(0.0, min(known) - room), min(1.0, max(known) + room)


def _rows(
    audits: Sequence[tuple[str, Mapping[str, Any]]], metric: str
) -> tuple[list[dict[str, Any]], list[tuple[float, float, str, int]]]:
    rows: list[dict[str, Any]] = []
    dots: list[tuple[float, float, str, int]] = []
    for model, found in audits:
        if len(audits) > 1:
            rows.append(_row(float(len(rows)), model, "", model, np.nan))
        for kind, name in _ROWS.items():
            measured = found[kind]
            at = float(len(rows))
            if not is_hollow(kind):
                one = measured[metric]
                rows.append(_row(at, name, kind, model, one["value"], one["low"], one["high"]))
            elif measured:
                values = [one[metric]["value"] for one in measured]
                dots += [(at, value, kind, i) for i, value in enumerate(values, start=1)]
                rows.append(_row(at, name, kind, model, float(np.mean(values))))
    return rows, dots


def _row(
    at: float,
    name: str,
    kind: str,
    model: str,
    value: float,
    low: float = np.nan,
    high: float = np.nan,
) -> dict[str, Any]:
    words = f"{value:.3f}" if np.isnan(low) else f"{value:.3f} ({low:.3f}–{high:.3f})"
    words = f"mean {words}" if kind and np.isnan(low) else words
    return {
        "row": at, "name": name, "kind": kind, "model": f"{model}: {name}" if kind else model,
        "value": value, "low": low, "high": high, "words": words,
    }  # fmt: skip


def _brackets(
    audits: Sequence[tuple[str, Mapping[str, Any]]],
    table: pd.DataFrame,
    x_scale: alt.Scale,
    y_scale: alt.Scale,
    palette: Palette,
) -> list[alt.Chart]:
    """Return a bracket from the honest to the published AUC of each model, with its width."""
    tops = table.loc[table.kind == "published", "row"]
    parts = []
    for top, (_, found) in zip(tops, audits, strict=True):
        gap = found["optimism"]
        ends = sorted((found["honest"]["auc"]["value"], found["published"]["auc"]["value"]))
        words = f"optimism {gap['value']:+.3f} ({gap['low']:+.3f} to {gap['high']:+.3f})"
        parts.append({"row": top, "start": ends[0], "end": ends[1], "middle": sum(ends) / 2,
                      "words": words})  # fmt: skip
    base = alt.Chart(pd.DataFrame(parts)).encode(y=alt.Y("row:Q", axis=None, scale=y_scale))
    style = {"color": palette.ink, "strokeWidth": 1.5}
    span = base.mark_rule(**style).encode(x=alt.X("start:Q", scale=x_scale), x2=alt.X2("end:Q"))
    caps = [
        base.mark_tick(orient="vertical", size=9, thickness=1.5, color=palette.ink).encode(
            x=alt.X(f"{end}:Q", scale=x_scale)
        )
        for end in ("start", "end")
    ]
    # At the right edge, where it fits whatever the gap; rows leave room between them for it.
    words = haloed(
        base, palette, text=alt.Text("words:N"), align="right", x=pixels("width"), dy=2,
        fontSize=12, fontWeight=600,
    )  # fmt: skip
    return [span, *caps, *words]
