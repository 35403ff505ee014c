"""Variants and genes that left, stayed and came, from one run to another."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.charts.frame import AnyChart, finish, haloed, pixels, tooltip
from dashboard.theme import LIGHT, Palette

ROW = 62  # pixels of a bar and the words above it
_STATES = {"lost": "In the first alone", "shared": "In both", "gained": "In the second alone"}


def gained_lost(rows: pd.DataFrame, *, palette: Palette = LIGHT) -> AnyChart:
    """Return a bar for each kind of thing, parted into what is in the first, both, the second.

    `rows` has kind (Variants, Genes), lost, shared and gained; a bar is the whole of its row.
    """
    colours = {"lost": palette.removed, "shared": palette.bar, "gained": palette.honest}
    parts, names = [], []
    for row, one in enumerate(rows.itertuples()):
        total, left = one.lost + one.shared + one.gained, 0.0
        for state, words in _STATES.items():
            n = getattr(one, state)
            right = left + n / max(1, total)
            parts.append({"row": float(row), "left": left, "right": right, "n": n, "kind": one.kind,
                          "state": words, "colour": colours[state]})  # fmt: skip
            left = right
        names.append(
            {"row": float(row), "words": f"{one.kind}: {one.lost:,} left, {one.shared:,} stayed, "
             f"{one.gained:,} came"}
        )  # fmt: skip
    table = pd.DataFrame(parts)
    height = ROW * len(rows)
    y = alt.Y("row:Q", axis=None, scale=alt.Scale(domain=[0, len(rows)], range=[0, height]))
    scale = alt.Scale(domain=[0, 1], range=[1, pixels("width - 1")], nice=False)
    bars = (
        alt.Chart(table[table.n > 0])
        .mark_bar(
            orient="horizontal", size=20, yOffset=40, stroke=palette.chromosome_other,
            strokeWidth=0.8,
        )
        .encode(
            x=alt.X("left:Q", scale=scale, axis=None),
            x2=alt.X2("right:Q"),
            y=y,
            color=alt.Color("colour:N", scale=None),
            tooltip=tooltip(kind=("Counted", ""), state=("Where", ""), n=("Number", ",")),
        )
    )  # fmt: skip
    words = haloed(
        alt.Chart(pd.DataFrame(names)).encode(y=y), palette, text=alt.Text("words:N"),
        align="left", x=0, dy=16,
    )  # fmt: skip
    return finish(
        alt.layer(bars, *words),
        palette,
        title="What entered",
        subtitle="Pale: left; dark: stayed; green: came",
        description="; ".join(one["words"] for one in names) + ".",
        height=height,
    )
