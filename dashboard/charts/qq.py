"""Observed against expected p-values."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from dashboard.charts.chosen_mark import CLICKED, Marks
from dashboard.charts.frame import WIDE, AnyChart, finish, pixels, tooltip
from dashboard.theme import DASH_REFERENCE, LIGHT, Palette

HEIGHT = 380
_SHAPES = ("circle", "square", "triangle-up", "diamond")


def qq(
    points: pd.DataFrame,
    band: pd.DataFrame,
    lambda_gc: float | None,
    note: str = "",
    *,
    marks: Marks | None = None,
    palette: Palette = LIGHT,
) -> AnyChart:
    """Return observed against expected −log10 p with its identity line and 95 % band.

    `points` has expected, observed (already thinned), `band` has expected, lower, upper. With
    stratum, rank (0 to 3, the rarest first) and n in `points`, each stratum of allele frequency
    has its own colour and shape.
    `lambda_gc` None means that it is not defined for these variants. With variant_id and gene in
    `points` (empty for a point that stands for many) a click names a variant in the selection
    `hit`; `marks` are what is chosen.
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
        .encode(x=x, y=alt.Y("lower:Q", scale=y_scale, axis=y_axis), y2=alt.Y2("upper:Q"))
    )
    end = min(most_x, most_y)
    identity = (
        alt.Chart(pd.DataFrame({"expected": [0.0, end], "observed": [0.0, end]}))
        .mark_line(strokeDash=DASH_REFERENCE, strokeWidth=1.5, color=palette.reference)
        .encode(x=x, y=alt.Y("observed:Q", scale=y_scale, axis=y_axis))
    )
    strata = _strata(points)
    ranks = dict(zip(points.stratum, points["rank"], strict=True)) if strata else {}
    rows = points
    if strata:
        rows = points.assign(named=points.stratum.map(strata))
    dots = (
        alt.Chart(rows)
        .mark_point(filled=True, size=24, color=palette.bar, opacity=1)
        .encode(
            x=x,
            y=alt.Y("observed:Q", scale=y_scale, axis=y_axis),
            tooltip=tooltip(
                **({"variant_id": ("Variant", "")} if "variant_id" in points else {}),
                **({"named": ("Allele frequency", "")} if strata else {}),
                expected=("Expected −log10 p", ".2f"),
                observed=("Observed −log10 p", ".2f"),
            ),
        )
    )
    if strata:
        dots = dots.encode(**_by_stratum(strata, ranks, palette))
    if "variant_id" in points:
        dots = dots.add_params(
            alt.selection_point(name="hit", fields=list(CLICKED), empty=False, toggle=False)
        )
    layers: list[AnyChart] = [area, identity, dots]
    if marks is not None:
        on_x = {"scale": x_scale, "axis": alt.Axis(title="Expected −log10 p", tickCount=6)}
        layers += marks.above(on_x, {"scale": y_scale, "axis": y_axis}, HEIGHT, palette)
    value = "not defined" if lambda_gc is None else f"{lambda_gc:.3f}"
    made = finish(
        alt.layer(*layers),
        palette,
        title=f"Q–Q plot, λ = {value}",
        subtitle=[
            "Band: 95% of studies without association"
            + (", of all variants together" if strata else ""),
            note,
        ],
        description=f"Observed against expected p-values; genomic inflation lambda is {value}."
        + (f" Strata of allele frequency: {', '.join(strata.values())}." if strata else ""),
        height=HEIGHT,
        canvas=True,
    )
    return made if marks is None else marks.put_in(made, (0.0, most_x))


def _strata(points: pd.DataFrame) -> dict[str, str]:
    """Return the strata that there are with their names in the legend, the rarest first."""
    if "stratum" not in points:
        return {}
    sizes = points.drop_duplicates("stratum").set_index("stratum")["n"]
    return {name: f"{name} ({n:,})" for name, n in sizes.items() if n}


def _by_stratum(strata: dict[str, str], ranks: dict[str, int], palette: Palette) -> dict[str, Any]:
    """Return the encodings that tell strata apart, by colour and by shape."""
    # A stratum keeps its colour where a rarer one is empty.
    order = [ranks[name] for name in strata]
    legend = alt.Legend(
        title="Minor allele frequency (variants)",
        columns=pixels(f"width > {WIDE} ? 4 : width > 240 ? 2 : 1"),
        symbolOpacity=1,
    )
    names = [*strata.values()]
    return {
        "color": alt.Color(
            "named:N",
            scale=alt.Scale(domain=names, range=[palette.strata[i] for i in order]),
            legend=legend,
        ),
        "shape": alt.Shape(
            "named:N",
            scale=alt.Scale(domain=names, range=[_SHAPES[i] for i in order]),
            legend=legend,
        ),
    }
