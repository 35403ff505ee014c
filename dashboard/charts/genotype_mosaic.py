"""One variant: the genotypes of cases beside those of controls."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.charts.frame import COUNT, AnyChart, finish, pixels, tooltip
from dashboard.theme import LIGHT, Palette, mix

GENOTYPES = {
    "hom_ref": "hom ref",
    "het": "het",
    "hom_alt": "hom alt",
    "missing": "missing",
}
ROW = 122  # pixels a group: its name, its bar, its four counts
LEAST = 0.006  # of the width: what is there at all can be seen


def genotype_mosaic(table: pd.DataFrame, *, palette: Palette = LIGHT) -> AnyChart:
    """Return a bar of genotypes for cases and one for controls, with every count and percent.

    `table` has group (case, control), genotype (hom_ref, het, hom_alt, missing), n. A genotype
    that anybody has is drawn at least 0.6% wide; the percent under the bar is exact.
    """
    cells = _cells(table, palette)
    n_groups = cells.row.nunique()
    y_scale = alt.Scale(domain=[0, n_groups], range=[0, ROW * n_groups], nice=False)
    y = alt.Y("row:Q", scale=y_scale, axis=None)
    across = alt.Scale(domain=[0, 1], range=[0, pixels("width")], nice=False)
    fill = alt.Color("fill:N", scale=None)
    tips = tooltip(
        group=("Group", ""), word=("Genotype", ""), n=("People", COUNT), share=("Share", ".2%")
    )
    base = alt.Chart(cells).encode(y=y, tooltip=tips)
    bar = (
        base.transform_filter("datum.n > 0")
        .mark_rect(yOffset=24, y2Offset=58)
        .encode(
            x=alt.X("left:Q", scale=across, axis=None),
            x2=alt.X2("right:Q"),
            y2=alt.Y2("row:Q"),
            color=fill,
            stroke=alt.Stroke("line:N", scale=None),
        )
    )
    column = base.encode(x=alt.X("column:Q", scale=across, axis=None))
    swatch = column.mark_square(size=90, dx=0, xOffset=5, yOffset=72, opacity=1).encode(
        fill=alt.Fill("fill:N", scale=None), stroke=alt.Stroke("line:N", scale=None)
    )
    words = {"align": "left", "baseline": "middle"}
    genotype = column.mark_text(dx=15, dy=72, color=palette.muted, **words).encode(
        text=alt.Text("word:N")
    )
    number = column.mark_text(dx=0, dy=90, fontWeight=600, **words).encode(
        text=alt.Text("n:Q", format=COUNT)
    )
    # Beside the count where there is room, else left to the tooltip of the bar.
    percent = column.mark_text(
        dx=pixels("width > 520 ? 58 : 0"),
        dy=pixels("width > 520 ? 90 : 105"),
        color=palette.muted,
        **words,
    ).encode(text=alt.Text("percent:N"))
    heads = cells.drop_duplicates("group")
    head = (
        alt.Chart(heads)
        .mark_text(x=0, dy=12, fontWeight=600, **words)
        .encode(y=y, text=alt.Text("head:N"), color=alt.Color("line:N", scale=None))
    )
    return finish(
        alt.layer(bar, swatch, genotype, number, percent, head),
        palette,
        title="Genotypes",
        description="; ".join(
            f"{row.group} {row.word}: {row.n:,} ({row.percent})" for row in cells.itertuples()
        )
        + ".",
        height=ROW * n_groups,
    )


def _cells(table: pd.DataFrame, palette: Palette) -> pd.DataFrame:
    colours = {"case": palette.case, "control": palette.control}
    names = {"case": "Cases", "control": "Controls"}
    tints = {"hom_ref": 0.78, "het": 0.4, "hom_alt": 0.0}
    cells = table.copy()
    cells["rank"] = cells.genotype.map(list(GENOTYPES).index)
    cells["row"] = cells.group.map({"case": 0.0, "control": 1.0})
    cells["row"] -= cells.row.min()
    cells = cells.sort_values(["row", "rank"]).reset_index(drop=True)
    total = cells.groupby("group").n.transform("sum")
    cells["share"] = (cells.n / total.where(total > 0)).fillna(0.0)
    drawn = cells.share.clip(lower=LEAST).where(cells.n > 0, 0.0)
    drawn /= drawn.groupby(cells.group).transform("sum").replace(0, 1)
    cells["right"] = drawn.groupby(cells.group).cumsum()
    cells["left"] = cells.right - drawn
    cells["column"] = cells["rank"] / len(GENOTYPES)
    cells["word"] = cells.genotype.map(GENOTYPES)
    cells["percent"] = [f"{share:.2%}" for share in cells.share]
    cells["line"] = cells.group.map(colours)
    cells["head"] = [f"{names[g]}, {n:,} people" for g, n in zip(cells.group, total, strict=True)]
    cells["fill"] = [
        palette.excluded
        if genotype == "missing"
        else mix(colours[group], palette.background, tints[genotype])
        for group, genotype in zip(cells.group, cells.genotype, strict=True)
    ]
    return cells
