"""Observed against expected p-values."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.charts.frame import AnyChart, finish, tooltip
from dashboard.theme import DASH_REFERENCE, LIGHT, Palette


def qq(
    points: pd.DataFrame,
    band: pd.DataFrame,
    lambda_gc: float | None,
    note: str = "",
    *,
    palette: Palette = LIGHT,
) -> AnyChart:
    """Return observed against expected −log10 p with its identity line and 95 % band.

    `points` has expected, observed (already thinned), `band` has expected, lower, upper.
    `lambda_gc` None means that it is not defined for these variants.
    """
    most_x = float(max([1.0, *points.expected, *band.expected])) * 1.02
    most_y = float(max([1.0, *points.observed, *band.upper])) * 1.04
    x_scale = alt.Scale(domain=[0, most_x], nice=False)
    y_scale = alt.Scale(domain=[0, most_y], nice=False)
    x = alt.X("expected:Q", scale=x_scale, axis=alt.Axis(title="Expected −log10 p", tickCount=6))
    y_axis = alt.Axis(title="Observed −log10 p", tickCount=6)
    area = (
        alt.Chart(band)
        .mark_area(color=palette.removed)
        .encode(x=x, y=alt.Y("lower:Q", scale=y_scale, axis=y_axis), y2="upper:Q")
    )
    end = min(most_x, most_y)
    identity = (
        alt.Chart(pd.DataFrame({"expected": [0.0, end], "observed": [0.0, end]}))
        .mark_line(strokeDash=DASH_REFERENCE, strokeWidth=1.5, color=palette.reference)
        .encode(x=x, y=alt.Y("observed:Q", scale=y_scale, axis=y_axis))
    )
    dots = (
        alt.Chart(points)
        .mark_circle(size=22, color=palette.bar, opacity=1)
        .encode(
            x=x,
            y=alt.Y("observed:Q", scale=y_scale, axis=y_axis),
            tooltip=tooltip(
                expected=("Expected −log10 p", ".2f"), observed=("Observed −log10 p", ".2f")
            ),
        )
    )
    value = "not defined" if lambda_gc is None else f"{lambda_gc:.3f}"
    return finish(
        alt.layer(area, identity, dots),
        palette,
        title=f"Q–Q plot, λ = {value}",
        subtitle=["Band: 95% of studies without association", note],
        description=f"Observed against expected p-values; genomic inflation lambda is {value}.",
        height=380,
        canvas=True,
    )
