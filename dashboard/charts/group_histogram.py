"""Groups of people over one figure: each group's outline as shares of it, with lines that part."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import pandas as pd

from dashboard.charts.frame import COUNT, SHARE, AnyChart, finish, tooltip
from dashboard.theme import DASH_REFERENCE, LIGHT, Palette

HEIGHT = 260


def group_histogram(
    bins: pd.DataFrame,
    colours: Mapping[str, str],
    lines: Mapping[str, float],
    *,
    title: str,
    axis: str,
    counted: str = "People",
    subtitle: str | list[str] = "",
    palette: Palette = LIGHT,
) -> AnyChart:
    """Return one filled outline a group, as shares of the group, so that sizes do not matter.

    `bins` has left, right, n, group; `colours` the groups in order; `lines` values by their words.
    """
    rows = bins[bins["group"].isin(colours)].copy()
    totals = rows.groupby("group")["n"].sum()
    present = [group for group in colours if totals.get(group, 0)]
    rows = rows[rows["group"].isin(present)]
    rows["share"] = rows["n"] / rows["group"].map(totals)
    rows["bin"] = [f"{a:,.3g} to {b:,.3g}" for a, b in zip(rows.left, rows.right, strict=True)]
    named = {group: f"{group} ({totals[group]:,})" for group in present}
    rows["named"] = rows["group"].map(named)
    colour = alt.Color(
        "named:N",
        scale=alt.Scale(domain=list(named.values()), range=[colours[group] for group in present]),
        legend=alt.Legend(title=None, orient="top"),
    )
    x = alt.X("left:Q", axis=alt.Axis(title=axis, tickCount=6), scale=alt.Scale(zero=False))
    y = alt.Y("share:Q", stack=None, axis=alt.Axis(title="Share of the group", format="%"))
    bars = (
        alt.Chart(rows)
        .mark_rect(opacity=0.45)
        .encode(
            x=x,
            x2=alt.X2("right:Q"),
            y=y,
            y2=alt.Y2Datum(0),
            color=colour,
            tooltip=tooltip(
                group=("Group", ""), bin=(axis, ""), n=(counted, COUNT), share=("Share", SHARE)
            ),
        )
    )
    outline = (
        alt.Chart(rows).mark_line(interpolate="step-after", strokeWidth=2).encode(
            x=x, y=y, color=colour
        )
    )  # fmt: skip
    layers: list[alt.Chart] = [bars, outline]
    for level, (words, value) in enumerate(lines.items()):
        mark = alt.Chart(pd.DataFrame({"value": [value], "words": [words]})).encode(x="value:Q")
        layers.append(mark.mark_rule(strokeDash=DASH_REFERENCE, color=palette.reference))
        layers.append(
            mark.mark_text(align="right", dx=-4, y=8 + 15 * level, color=palette.muted).encode(
                text=alt.Text("words:N")
            )
        )
    return finish(
        alt.layer(*layers),
        palette,
        title=title,
        subtitle=subtitle,
        description=f"Histogram of {axis}: "
        + ", ".join(f"{group} {totals[group]:,}" for group in present)
        + f" {counted.lower()}.",
        height=HEIGHT,
    )
