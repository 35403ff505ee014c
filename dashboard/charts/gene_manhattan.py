"""Genes along the genome by their burden, and who carries one of them."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.charts.chosen_mark import Marks
from dashboard.charts.frame import COUNT, SHARE, AnyChart, finish, spread, tooltip
from dashboard.charts.manhattan import (
    FOLD_AT,
    FOLD_FROM,
    HEIGHT,
    LABEL_GAP,
    NAMES,
    fold_band,
    folded_y,
    genome_x,
    line_names,
    place_of,
    right_end,
    value_at,
)
from dashboard.charts.peak_labels import peak_labels
from dashboard.theme import LIGHT, Palette

_NAMED, _NAMED_ALWAYS = 12, 3  # genes with a name: those past a line, but never fewer than a few
_DRAWN = ("gene", "chrom", "gene_start", "gene_end", "x", "neg_log10_p", "n_case_carriers",
          "n_control_carriers", "n_qualifying", "odds_ratio", "n_binned")  # fmt: skip
_WHERE = "datum.chrom + ':' + format(datum.gene_start, ',') + '–' + format(datum.gene_end, ',')"
CLASS_WORDS = {
    "qualifying": "qualifying",
    "lof": "loss of function",
    "missense": "missense",
    "synonymous": "synonymous",
    "other": "other",
}


def gene_manhattan(
    genes: pd.DataFrame,
    chromosomes: pd.DataFrame,
    lines: pd.DataFrame,
    *,
    test: str = "",
    height: int = HEIGHT,
    marks: Marks | None = None,
    palette: Palette = LIGHT,
) -> AnyChart:
    """Return −log10 p of the burden of genes; a click names one in the selection `gene`.

    `genes` has gene, chrom, gene_start, gene_end, x, neg_log10_p, parity, n_case_carriers,
    n_control_carriers, n_qualifying, odds_ratio, n_binned (how many genes the point stands for).
    `chromosomes` has chrom, start, middle, end; `lines` has label, y. From the lowest line on a
    gene is a diamond in the colour of hits, and named; above 40 the axis is folded. `marks` are
    what is chosen.
    """
    hits = float(lines.y.min()) if len(lines) else float("inf")
    rows = genes[[*_DRAWN]].sort_values("neg_log10_p")  # the highest are drawn last, on top
    rows["is_hit"] = rows.neg_log10_p >= hits
    slate = genes.parity.map({0: palette.chromosome, 1: palette.chromosome_other})
    rows["colour"] = slate.loc[rows.index].where(~rows.is_hit, palette.hit)
    rows = rows.assign(
        x=rows.x.round(1).astype("float64"),
        neg_log10_p=rows.neg_log10_p.round(4),
        odds_ratio=rows.odds_ratio.round(4),
    )
    n_genes, n_hits = int(rows.n_binned.sum()), int(rows.is_hit.sum())
    named = rows.iloc[::-1].head(min(_NAMED, max(n_hits, _NAMED_ALWAYS)))
    highest = max([6.0, *rows.neg_log10_p, *lines.y]) * 1.1
    is_folded = highest > FOLD_FROM
    x_scale, x_axis = genome_x(chromosomes, right_end())
    y_scale, y_axis = folded_y(highest, is_folded, height)

    dots = (
        alt.Chart(rows)
        .transform_calculate(where=_WHERE, ratio="datum.odds_ratio === null ? 'none (an empty "
                             "cell)' : format(datum.odds_ratio, '.2f')")
        .mark_point(filled=True, opacity=1)
        .encode(
            x=alt.X("x:Q", scale=x_scale, axis=x_axis),
            y=alt.Y("neg_log10_p:Q", scale=y_scale, axis=y_axis),
            color=alt.Color("colour:N", scale=None),
            shape=alt.condition("datum.is_hit", alt.value("diamond"), alt.value("circle")),
            size=alt.condition("datum.is_hit", alt.value(95), alt.value(22)),
            tooltip=tooltip(
                gene=("Gene", ""),
                where=("Position", ""),
                neg_log10_p=("−log10 p", ".2f"),
                ratio=("Odds ratio", ""),
                n_case_carriers=("Carriers, cases", COUNT),
                n_control_carriers=("Carriers, controls", COUNT),
                n_qualifying=("Qualifying variants", COUNT),
                n_binned=("Genes drawn as this point", COUNT),
            ),
        )
        .add_params(alt.selection_point(name="gene", fields=["gene"], empty=False, toggle=False))
    )  # fmt: skip
    layers: list[AnyChart] = []
    names = lines[["label", "y"]]
    if is_folded:
        layers.append(fold_band(y_scale, y_axis, palette))
        fold = pd.DataFrame({"label": [f"axis folded above {FOLD_AT}"], "y": [float(FOLD_AT)]})
        names = pd.concat([names, fold], ignore_index=True)
    if len(lines):
        layers.append(
            alt.Chart(lines)
            .mark_rule(strokeWidth=1.3, color=palette.muted, x=0, x2=right_end())
            .encode(y=alt.Y("y:Q", scale=y_scale, axis=y_axis), tooltip=tooltip(label=("Line", "")))
        )
    exact = [place_of(y, highest, is_folded, height) for y in names.y]
    layers += line_names(names.label, spread(exact, LABEL_GAP, 8, height - 8), palette)
    layers.append(dots)
    low, high = float(chromosomes.start.min()), float(chromosomes.end.max())
    if len(named):
        layers += peak_labels(
            named[["x", "neg_log10_p"]].assign(label=named.gene),
            x=lambda value: (value - low) / (high - low),
            y=lambda value: place_of(value, highest, is_folded, height),
            data_y=lambda place: value_at(place, highest, is_folded, height),
            x_scale=x_scale,
            y_scale=y_scale,
            x_axis=x_axis,
            y_axis=y_axis,
            low_high=(low, high),
            beside=NAMES,
            top_bottom=(0, height),
            palette=palette,
        )
    if marks is not None:
        on_x, on_y = {"scale": x_scale, "axis": x_axis}, {"scale": y_scale, "axis": y_axis}
        layers += marks.above(on_x, on_y, height, palette)
    past = f"{n_hits:,} with −log10 p ≥ {hits:.2f}" if len(lines) else ""
    most = f" The highest are {', '.join(named.gene)}." if len(named) else ""
    made = finish(
        alt.layer(*layers),
        palette,
        title="Burden of genes along the genome",
        subtitle=[
            ", ".join(part for part in (f"{n_genes:,} genes tested", past) if part),
            f"{test} test of carriers" if test else "",
        ],
        description=(
            f"Manhattan plot of the burden of {n_genes:,} genes; {past or 'no line is drawn'}; the "
            f"largest −log10 p is {max([0.0, *rows.neg_log10_p]):.1f}.{most}"
        ),
        height=height,
        canvas=True,
    )
    return made if marks is None else marks.put_in(made, (low, high))


def carriers_by_class(
    table: pd.DataFrame, gene: str, *, max_maf: float | None = None, palette: Palette = LIGHT
) -> AnyChart:
    """Return the share of carriers among cases and controls, by consequence class of one gene.

    `table` has consequence_class, role (`case`, `control`), n_carriers, n_people, in the order to
    draw. `max_maf` is the largest frequency of a variant that counts, for the subtitle.
    """
    rows = table.assign(
        words=table.consequence_class.map(CLASS_WORDS),
        group=table.role.map({"case": "cases", "control": "controls"}),
        share=(table.n_carriers / table.n_people.where(table.n_people > 0)).fillna(0.0),
        counted=[
            f"{n:,} of {of:,}" for n, of in zip(table.n_carriers, table.n_people, strict=True)
        ],
    )
    order = list(dict.fromkeys(rows.words))
    widest = max([*rows.share, 1e-6])
    y = alt.Y("words:N", sort=order, axis=alt.Axis(title=None, ticks=False, labelLimit=0))
    offset = alt.YOffset("group:N", sort=["cases", "controls"])
    x = alt.X(
        "share:Q",
        # Room for the words at the end of the longest bar.
        scale=alt.Scale(domain=[0, widest * 1.6], nice=False),
        axis=alt.Axis(title="Share of people who carry one", format="~p", tickCount=4),
    )
    colour = alt.Color(
        "group:N",
        scale=alt.Scale(domain=["cases", "controls"], range=[palette.case, palette.control]),
        legend=alt.Legend(title=None),
    )
    base = alt.Chart(rows)
    bars = base.mark_bar().encode(
        x=x,
        y=y,
        yOffset=offset,
        color=colour,
        tooltip=tooltip(
            words=("Variants", ""), group=("People", ""), counted=("Carriers", ""),
            share=("Share", SHARE),
        ),
    )  # fmt: skip
    words = base.mark_text(align="left", dx=5, fontSize=13, color=palette.ink).encode(
        x=x, y=y, yOffset=offset, text=alt.Text("counted:N")
    )
    told = "; ".join(
        f"{row.words} {row.counted} {row.group}" for row in rows.itertuples(index=False)
    )
    return finish(
        alt.layer(bars, words),
        palette,
        title=f"Carriers of {gene}",
        subtitle=(
            f"people with at least one such variant, minor allele frequency up to {max_maf:g}"
            if max_maf is not None
            else "people with at least one such variant"
        ),
        description=f"Carriers of {gene} by consequence: {told}.",
        height=26 + 46 * len(order),
    )
