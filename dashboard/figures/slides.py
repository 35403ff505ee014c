"""The figures of a part as a room sees them: flat, with few rows, sharp when they are enlarged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboard.charts.audit_protocols import audit_protocols, audit_span
from dashboard.charts.frame import AnyChart
from dashboard.figures.drawn import beside, figure
from dashboard.theme import LIGHT, Palette
from pipeline.story import Part

_FLAT = 330  # pixels of a Manhattan plot: the flatter it is, the larger its letters become


def slide_figures(
    part: Part, palette: Palette = LIGHT, *, line: float | None = None
) -> tuple[AnyChart, ...]:
    """Return one or two charts to stand side by side, none where there is nothing to draw.

    `line` is as for `figure`. Marks are drawn as SVG, since a canvas is blurred when a browser
    enlarges it.
    """
    audits = part.data.get("audits", []) if part.name == "audit" else []
    if len(audits) > 1:
        drawn = [_one_audit(audit, audit_span(audits), palette) for audit in audits]
    else:
        first = figure(part, palette, line=line, height=_FLAT)
        drawn = [one for one in (first, beside(part, palette)) if one is not None]
    for one in drawn:
        one.usermeta = {"embedOptions": {"renderer": "svg"}}
    return tuple(drawn)


def _one_audit(
    audit: tuple[str, Mapping[str, Any]], span: tuple[float, float], palette: Palette
) -> AnyChart:
    """Return the audit of one model, named by it, on the axis of all of them."""
    made = audit_protocols([audit], span=span, palette=palette)
    made.title.text = audit[0]
    return made
