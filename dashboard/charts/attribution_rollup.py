"""Which genes and chromosomes the network looked at, and what is lost without each gene."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.charts.chosen_mark import row_outline
from dashboard.charts.frame import AnyChart, finish, haloed, pixels, tooltip
from dashboard.theme import DASH_REFERENCE, LIGHT, Palette

_ROW = 26  # pixels a gene
_NAMES = 150  # pixels left of the drawing for names
_VALUES = 62  # and right of it for values
_LETTERS = 17  # of a name that fit


def gene_shares(
    genes: pd.DataFrame, *, chosen: str | None = None, palette: Palette = LIGHT
) -> AnyChart:
    """Return the share of the attribution of each gene as bars, in the order given.

    `genes` has gene, share (0 to 1 of all), n_variants, mean_abs. A click names a gene in the
    selection `gene`; the `chosen` one is outlined.
    """
    rows = _named(genes).assign(words=[f"{share:.1%}" for share in genes.share])
    x_scale = alt.Scale(
        domain=[0, max(1e-9, rows.share.max() if len(rows) else 1.0)],
        range=[_NAMES, pixels(f"width - {_VALUES}")],
        nice=False,
    )
    base, y = _base(rows)
    x = alt.X("share:Q", scale=x_scale, axis=_axis("Share of the attribution", ".2~%"))
    tips = tooltip(
        gene=("Gene", ""), words=("Share of the attribution", ""), n_variants=("Variants", ","),
        mean_abs=("Mean |attribution|, log odds", ".3f"),
    )  # fmt: skip
    bars = (
        base.mark_bar(color=palette.honest, height=15, orient="horizontal")
        .encode(x=x, y=y, tooltip=tips)
        .add_params(_picked())
    )
    ends = base.mark_text(align="left", dx=5, color=palette.ink, baseline="middle").encode(
        x=x, y=y, text=alt.Text("words:N")
    )
    return _finished(
        [bars, ends, *_names(base, y, palette)],
        palette,
        title="Genes by attribution",
        subtitle=f"the {len(rows):,} of most, {rows.share.sum():.0%} of all together",
        description="Share of the attribution by gene: "
        + "; ".join(f"{gene} {words}" for gene, words in zip(rows.gene, rows.words, strict=True))
        + ".",
        rows=rows,
        chosen=chosen,
    )


def gene_occlusion(
    genes: pd.DataFrame, *, chosen: str | None = None, palette: Palette = LIGHT
) -> AnyChart:
    """Return the AUC that is lost when each gene is hidden, with its interval, in the order given.

    `genes` has gene, auc_lost, low, high, mean_change; a gene that was not hidden is left blank.
    A click names a gene in the selection `gene`; the `chosen` one is outlined.
    """
    rows = _named(genes)
    rows["words"] = [_signed(lost) for lost in genes.auc_lost]
    rows["limits"] = [
        f"{_signed(low)} to {_signed(high)}"
        for low, high in zip(genes.low, genes.high, strict=True)
    ]
    known = rows[["low", "high"]].stack().dropna()
    low, high = min([0.0, *known]), max([0.001, *known])
    x_scale = alt.Scale(
        domain=[low, high], range=[_NAMES, pixels(f"width - {_VALUES}")], nice=False
    )
    base, y = _base(rows)
    x = alt.X("auc_lost:Q", scale=x_scale, axis=_axis("AUC lost without the gene", ".2~f"))
    tips = tooltip(
        gene=("Gene", ""), words=("AUC lost", ""), limits=("95% interval", ""),
        mean_change=("Mean |change| of the log odds", ".3f"),
    )  # fmt: skip
    nothing = alt.Chart(pd.DataFrame({"auc_lost": [0.0]})).mark_rule(
        strokeDash=DASH_REFERENCE, strokeWidth=1.5, color=palette.reference
    )
    shown = base.transform_filter("isValid(datum.auc_lost)")
    spans = shown.mark_rule(strokeWidth=2.5, color=palette.honest, strokeCap="round").encode(
        x=alt.X("low:Q", scale=x_scale), x2=alt.X2("high:Q"), y=y, tooltip=tips
    )
    dots = (
        shown.mark_point(filled=True, size=80, color=palette.honest, opacity=1)
        .encode(x=x, y=y, tooltip=tips)
        .add_params(_picked())
    )
    ends = base.mark_text(
        align="right", x=pixels("width"), color=palette.ink, baseline="middle"
    ).encode(y=y, text=alt.Text("words:N"))
    return _finished(
        [nothing.encode(x=x), spans, dots, ends, *_names(base, y, palette)],
        palette,
        title="The same genes hidden",
        subtitle="each at the training mean; 95% interval, paired",
        description="AUC lost on test people when a gene is hidden: "
        + "; ".join(
            f"{gene} {words}" for gene, words in zip(rows.gene, rows.words, strict=True) if words
        )
        + ".",
        rows=rows,
        chosen=chosen,
    )


def chromosome_shares(chromosomes: pd.DataFrame, *, palette: Palette = LIGHT) -> AnyChart:
    """Return the share of the attribution of each chromosome, beside its share of the variants.

    `chromosomes` has chrom (in the order to draw), share, share_of_variants, n_variants.
    """
    base = alt.Chart(chromosomes)
    x = alt.X(
        "chrom:N",
        sort=list(chromosomes.chrom),
        scale=alt.Scale(paddingInner=0.18, paddingOuter=0.1),
        axis=alt.Axis(
            title="Chromosome", labelAngle=0, labelOverlap="greedy", labelSeparation=4, ticks=False
        ),
    )
    tips = tooltip(
        chrom=("Chromosome", ""), share=("Share of the attribution", ".1%"),
        share_of_variants=("Share of the variants", ".1%"), n_variants=("Variants", ","),
    )  # fmt: skip
    axis = alt.Axis(title="Share of the attribution", format=".0%", tickCount=4)
    bars = base.mark_bar(color=palette.honest).encode(
        x=x, y=alt.Y("share:Q", axis=axis), tooltip=tips
    )
    even = base.mark_tick(thickness=2.5, color=palette.ink).encode(
        x=x, y=alt.Y("share_of_variants:Q", axis=axis), tooltip=tips
    )
    largest = chromosomes.sort_values("share", ascending=False).head(1)
    most = "".join(f" Most on {row.chrom}, {row.share:.0%}." for row in largest.itertuples())
    return finish(
        alt.layer(bars, even),
        palette,
        title="Attribution by chromosome",
        subtitle="line: the share of the variants that lie there",
        description=f"Share of the attribution on {len(chromosomes):,} chromosomes.{most}",
        height=280,
    )


def _signed(value: float) -> str:
    """Return a difference of AUC with its sign, "" for none."""
    if pd.isna(value):
        return ""
    return f"{value:+.3f}".replace("-", "−") if round(value, 3) else "0.000"


def _named(genes: pd.DataFrame) -> pd.DataFrame:
    rows = genes.reset_index(drop=True).copy()
    rows["row"] = rows.index + 0.5
    rows["short"] = [
        name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}-" for name in rows.gene
    ]
    return rows


def _base(rows: pd.DataFrame) -> tuple[alt.Chart, alt.Y]:
    return alt.Chart(rows), alt.Y("row:Q", axis=None, scale=_scale(len(rows)))


def _scale(n_rows: int) -> alt.Scale:
    n = max(1, n_rows)
    return alt.Scale(domain=[0, n], range=[0, _ROW * n], nice=False)


def _picked() -> alt.Parameter:
    return alt.selection_point(name="gene", fields=["gene"], empty=False, toggle=False)


def _axis(title: str, form: str) -> alt.Axis:
    return alt.Axis(title=title, format=form, tickCount=4, grid=True)


def _names(base: alt.Chart, y: alt.Y, palette: Palette) -> list[alt.Chart]:
    return haloed(
        base.encode(y=y), palette, text=alt.Text("short:N"), align="left", x=0, baseline="middle"
    )


def _finished(
    layers: list[AnyChart],
    palette: Palette,
    *,
    title: str,
    subtitle: str,
    description: str,
    rows: pd.DataFrame,
    chosen: str | None,
) -> AnyChart:
    """Return the picture; with `chosen` the row of that gene, "" for none, has an outline."""
    made = finish(
        alt.layer(*([] if chosen is None else [row_outline(_scale(len(rows)), palette)]), *layers),
        palette,
        title=title,
        subtitle=subtitle,
        description=description,
        height=_ROW * max(1, len(rows)),
    )
    if chosen is None:
        return made
    of_gene = rows.loc[rows.gene == chosen, "row"].astype(float)
    outlined = [{"low": at - 0.5, "high": at + 0.5, "gene": chosen} for at in of_gene]
    return made.properties(datasets={"chosen_row": outlined})
