"""One chart a part of a story."""

from __future__ import annotations

from collections.abc import Callable

from dashboard.charts.arrow_drawing import arrow_drawing
from dashboard.charts.audit_protocols import audit_protocols
from dashboard.charts.confusion import confusion
from dashboard.charts.frame import AnyChart
from dashboard.charts.funnel import funnel
from dashboard.charts.learning_curves import learning_curves
from dashboard.charts.manhattan import HEIGHT, manhattan
from dashboard.charts.metric_intervals import metric_intervals
from dashboard.charts.network_drawing import layer_name, network_drawing
from dashboard.charts.people_mosaic import people_mosaic
from dashboard.theme import LIGHT, Palette
from pipeline.story import Part, n_above


def figure(
    part: Part, palette: Palette = LIGHT, *, line: float | None = None, height: int = HEIGHT
) -> AnyChart | None:
    """Return the chart of a part, None where there is nothing to draw.

    `line` is a threshold of −log10 p that somebody moves over the Manhattan plot, in place of the
    run's own; `height` are the pixels of that plot.
    """
    if not part.data:
        return None
    if part.name == "manhattan":
        moved = None if line is None else (line, n_above(part, line))
        return _manhattan(part, palette, moved or part.data["selection_line"], height)
    draw = _DRAWN.get(part.name)
    return None if draw is None else draw(part, palette)


def beside(part: Part, palette: Palette = LIGHT) -> AnyChart | None:
    """Return a second chart that says what the first is worth, None for most parts."""
    if part.name != "confusion" or not part.data or part.data["models"].empty:
        return None
    return metric_intervals(
        part.data["models"], metric="AUC", chance=0.5, chance_name="chance", palette=palette
    )


def _question(part: Part, palette: Palette) -> AnyChart:
    return arrow_drawing(palette=palette)


def _cohort(part: Part, palette: Palette) -> AnyChart:
    return people_mosaic(part.data["people"], palette=palette)


def _funnel(part: Part, palette: Palette) -> AnyChart:
    steps = part.data["steps"]
    # What is off takes room from what is on; what the source does not say is worth knowing.
    return funnel(steps[~steps.is_off | steps.has_no_data], palette=palette)


def _manhattan(
    part: Part, palette: Palette, selection_line: tuple[float, int] | None, height: int
) -> AnyChart:
    told = part.data
    return manhattan(
        told["points"], told["chromosomes"], told["lines"], hits=told["hits"], test=told["test"],
        peaks=told["peaks"], selection_line=selection_line, height=height, palette=palette,
    )  # fmt: skip


def _network(part: Part, palette: Palette) -> AnyChart:
    layers = [layer | {"name": layer_name(layer["name"])} for layer in part.data["layers"]]
    return network_drawing(layers, palette=palette)


def _curves(part: Part, palette: Palette) -> AnyChart:
    told = part.data
    return learning_curves(
        told["epochs"], told["best"], told["majority"], n_folds=told["n_folds"], palette=palette
    )


def _confusion(part: Part, palette: Palette) -> AnyChart:
    return confusion(part.data["confusion"], at=part.data["at"], palette=palette)


def _audit(part: Part, palette: Palette) -> AnyChart:
    return audit_protocols(part.data["audits"], palette=palette)


_DRAWN: dict[str, Callable[[Part, Palette], AnyChart]] = {
    "question": _question,
    "cohort": _cohort,
    "funnel": _funnel,
    "network": _network,
    "curves": _curves,
    "confusion": _confusion,
    "audit": _audit,
}
