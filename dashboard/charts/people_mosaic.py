"""Who is in the cohort: a mosaic whose areas are people, by diagnosis and sex."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.charts.frame import COUNT, SHARE, AnyChart, finish, pixels, spread, tooltip
from dashboard.theme import LIGHT, Palette, mix, text_on

HEIGHT = 300
NAMES = 100  # pixels left of the mosaic for the diagnoses
GAP = 3  # pixels between two rows
TINT = {"female": 0.0, "male": 0.35, "unknown": 0.7}


def people_mosaic(table: pd.DataFrame, *, palette: Palette = LIGHT) -> AnyChart:
    """Return one row a diagnosis, as high as it has people, parted by sex.

    `table` has diagnosis, role (case, control, excluded), sex (female, male, unknown), n.
    """
    colours = {"case": palette.case, "control": palette.control, "excluded": palette.excluded}
    people = table[table.n > 0]
    totals = people.groupby(["diagnosis", "role"], sort=False).n.sum().reset_index()
    n_people = int(totals.n.sum())
    room = HEIGHT - GAP * max(0, len(totals) - 1)
    # A diagnosis of a few people keeps a line that can be seen and hovered.
    high = (totals.n / max(1, n_people) * room).clip(lower=3)
    high *= room / max(high.sum(), 1)
    totals["bottom"] = high.cumsum() + GAP * totals.index
    totals["top"] = totals.bottom - high
    totals["of_all"] = totals.n / max(1, n_people)
    totals["word"] = totals.role.map(colours | {"excluded": palette.muted})

    cells = people.merge(
        totals.rename(columns={"n": "in_diagnosis"}), on=["diagnosis", "role"], sort=False
    )
    cells = cells.assign(rank=cells.sex.map(list(TINT).index)).sort_values(
        ["top", "rank"], kind="stable"
    )
    cells["share"] = cells.n / cells.in_diagnosis
    cells["right"] = cells.groupby("diagnosis", sort=False).share.cumsum()
    cells["left"] = cells.right - cells.share
    cells["middle"] = (cells.left + cells.right) / 2
    cells["centre"] = (cells.top + cells.bottom) / 2
    cells["fill"] = [
        mix(colours[role], palette.background, TINT[sex])
        for role, sex in zip(cells.role, cells.sex, strict=True)
    ]
    cells["word"] = [text_on(fill, palette) for fill in cells.fill]
    cells["number"] = [f"{n:,}" for n in cells.n]
    cells["words"] = [f"{sex} {n:,}" for sex, n in zip(cells.sex, cells.n, strict=True)]

    x_scale = alt.Scale(domain=[0, 1], range=[NAMES, pixels("width")], nice=False)
    y_scale = alt.Scale(domain=[0, HEIGHT], range=[0, HEIGHT], nice=False)
    base = alt.Chart(cells)
    tiles = base.mark_rect(stroke=palette.background, strokeWidth=2).encode(
        x=alt.X("left:Q", scale=x_scale, axis=None),
        x2=alt.X2("right:Q"),
        y=alt.Y("top:Q", scale=y_scale, axis=None),
        y2=alt.Y2("bottom:Q"),
        color=alt.Color("fill:N", scale=None),
        tooltip=tooltip(
            diagnosis=("Diagnosis", ""),
            role=("Counts as", ""),
            sex=("Sex", ""),
            n=("People", COUNT),
            share=("Share of the diagnosis", SHARE),
            of_all=("Diagnosis, share of all", SHARE),
        ),
    )
    # A tile too small for its words stays bare; hovering and the list of diagnoses tell the rest.
    across = f"(datum.right - datum.left) * (width - {NAMES}) - 10"
    words = (
        base.transform_filter("datum.bottom - datum.top > 20")
        .transform_calculate(
            shown=f"{across} > 7.5 * length(datum.words) ? datum.words"
            f" : {across} > 8 * length(datum.number) ? datum.number : ''"
        )
        .mark_text(baseline="middle")
        .encode(
            x=alt.X("middle:Q", scale=x_scale, axis=None),
            y=alt.Y("centre:Q", scale=y_scale, axis=None),
            text=alt.Text("shown:N"),
            color=alt.Color("word:N", scale=None),
        )
    )
    totals["place"] = spread(list((totals.top + totals.bottom) / 2), 38, 16, HEIGHT - 16)
    named = alt.Chart(totals).encode(y=alt.Y("place:Q", scale=y_scale, axis=None))
    name = named.mark_text(align="left", x=0, dy=-8, fontWeight=600, baseline="middle").encode(
        text=alt.Text("diagnosis:N"), color=alt.Color("word:N", scale=None)
    )
    number = named.mark_text(align="left", x=0, dy=9, baseline="middle").encode(
        text=alt.Text("n:Q", format=COUNT), color=alt.value(palette.muted)
    )
    return finish(
        alt.layer(tiles, words, name, number),
        palette,
        title="People by diagnosis and sex",
        subtitle=f"{n_people:,} people",
        description=f"{n_people:,} people: "
        + ", ".join(f"{row.diagnosis} {row.n:,} ({row.role})" for row in totals.itertuples())
        + ".",
        height=HEIGHT,
    )
