"""How many variants each chromosome holds, by kind."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.charts.frame import COUNT, SHORT_COUNT, AnyChart, finish, tooltip
from dashboard.theme import LIGHT, Palette

KINDS = {"snp": "SNP", "indel": "insertion or deletion", "other": "other"}


def variants_by_chromosome(table: pd.DataFrame, *, palette: Palette = LIGHT) -> AnyChart:
    """Return stacked counts; `table` has chrom (in the order to draw), kind, n."""
    rows = table.assign(words=table.kind.map(KINDS), order=table.kind.map(list(KINDS).index))
    used = [words for kind, words in KINDS.items() if kind in set(table.kind)]
    colours = dict(
        zip(KINDS.values(), (palette.bar, palette.excluded, palette.training), strict=True)
    )
    bars = (
        alt.Chart(rows)
        .mark_bar(stroke=palette.background, strokeWidth=0.5)
        .encode(
            x=alt.X(
                "chrom:N",
                sort=list(dict.fromkeys(table.chrom)),
                scale=alt.Scale(paddingInner=0.18, paddingOuter=0.1),
                axis=alt.Axis(title="Chromosome", labelAngle=0, labelOverlap="greedy", ticks=False),
            ),
            y=alt.Y(
                "n:Q",
                stack=True,
                axis=alt.Axis(title="Variants", labelExpr=SHORT_COUNT, tickCount=5),
            ),
            color=alt.Color(
                "words:N",
                scale=alt.Scale(domain=used, range=[colours[words] for words in used]),
                legend=alt.Legend(title=None, columns=3, labelLimit=0) if len(used) > 1 else None,
            ),
            order="order:Q",
            tooltip=tooltip(chrom=("Chromosome", ""), words=("Kind", ""), n=("Variants", COUNT)),
        )
    )
    total = int(table.n.sum())
    return finish(
        bars,
        palette,
        title="Variants by chromosome",
        subtitle=f"{total:,} variants",
        description=f"{total:,} variants on {table.chrom.nunique()} chromosomes, by kind.",
        height=280,
    )
