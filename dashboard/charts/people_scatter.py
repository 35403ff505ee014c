"""Where people lie by two principal components, coloured by what is known of them."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import pandas as pd

from dashboard.charts.frame import AnyChart, finish, tooltip
from dashboard.theme import LIGHT, Palette

HEIGHT = 420
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")


def people_scatter(
    points: pd.DataFrame,
    groups: Mapping[str, str],
    axes: tuple[str, str],
    *,
    coloured_by: str,
    palette: Palette = LIGHT,
) -> AnyChart:
    """Return a point a person, in the colour and the shape of the group.

    `points` has x, y, group; `groups` maps each group to its colour, in order; `axes` are titles.
    """
    sizes = points["group"].value_counts()
    names = [name for name in groups if sizes.get(name, 0)]
    shown = points.assign(named=points["group"].map({n: f"{n} ({sizes[n]:,})" for n in names}))
    domain = [f"{name} ({sizes[name]:,})" for name in names]
    legend = alt.Legend(title=None, orient="top", columns=4, symbolOpacity=1)
    chart = (
        alt.Chart(shown)
        .mark_point(filled=True, size=28, opacity=0.6)
        .encode(
            x=alt.X("x:Q", axis=alt.Axis(title=axes[0], tickCount=6), scale=alt.Scale(zero=False)),
            y=alt.Y("y:Q", axis=alt.Axis(title=axes[1], tickCount=6), scale=alt.Scale(zero=False)),
            color=alt.Color(
                "named:N",
                scale=alt.Scale(domain=domain, range=[groups[name] for name in names]),
                legend=legend,
            ),
            shape=alt.Shape(
                "named:N",
                scale=alt.Scale(
                    domain=domain,
                    range=[_SHAPES[i % len(_SHAPES)] for i in range(len(names))],
                ),
                legend=legend,
            ),
            tooltip=tooltip(group=(coloured_by, "")),
        )
    )
    return finish(
        chart,
        palette,
        title="Principal components",
        subtitle=f"{len(points):,} people by {coloured_by.lower()}",
        description=f"{len(points):,} people by {axes[0]} and {axes[1]}, coloured by "
        f"{coloured_by.lower()}: " + ", ".join(domain) + ".",
        height=HEIGHT,
        canvas=len(points) > 2_000,
    )
