"""Attributions over folds, by variant, gene and chromosome, and the points of their picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.attribution.stability import across_folds
from pipeline.attribution.stored import VARIANT, Attribution
from pipeline.cohort import Cohort
from pipeline.gene_groups import variant_groups
from pipeline.schema import plain_chromosome

# Drawn one by one: the first by attribution and the first by p; of the others one a cell.
_MOST_ALONE = 800
_COLUMNS, _ROWS = 300, 3
_MOST_TOLD = 200


def name_groups(cohort: Cohort, sites: pd.DataFrame, genes: NDArray) -> NDArray[np.object_]:
    """Return the one gene, or neighbourhood, of each variant, (n_variants,).

    `sites` (variant_index, chrom, pos) are in genomic order, `genes` are names joined by `;` or
    None. A variant of several genes belongs to the one that holds most of these variants
    (`variant_groups`); variants without a gene have the name of their neighbourhood, 1:63.45 Mb.
    """
    groups = variant_groups(cohort, sites["variant_index"].to_numpy())
    names = np.empty(len(sites), object)
    chrom = [plain_chromosome(one) for one in sites["chrom"]]
    frame = pd.DataFrame({"group": groups, "chrom": chrom, "pos": sites["pos"].to_numpy()})
    for rows in frame.groupby("group").indices.values():
        told = [set(genes[row].split(";")) for row in rows if isinstance(genes[row], str)]
        if len(told) == len(rows):
            # All of a group have its gene; where two genes lie alike the first by name is it.
            names[rows] = min(set.intersection(*told))
        else:
            here = frame.iloc[rows]
            # Neighbourhoods lie 50 kb apart, so that their first positions stay apart in Mb.
            names[rows] = f"{here['chrom'].iloc[0]}:{here['pos'].min() / 1e6:.2f} Mb"
    return names


def over_folds(table: pd.DataFrame, n_folds: int) -> pd.DataFrame:
    """Return a row a variant, the one of most attribution first.

    `share` is the mean over folds of the share that a variant has of the fold's attribution, 0 in
    folds that did not choose it; the shares add up to 1. `mean_abs` is the mean likewise, in log
    odds. `case_minus_control`, `neg_log10_p` and the weights are means over the folds that chose
    it, `selected` is the share of folds that did.
    """
    total = table.groupby("fold")["mean_abs"].transform("sum")
    scaled = table.assign(share=(table["mean_abs"] / total.where(total > 0)).fillna(0.0))
    by = scaled.groupby("variant_index", sort=True)
    found = by[[*VARIANT, "rsid", "gene"]].first()
    found["share"] = by["share"].sum() / n_folds
    found["mean_abs"] = by["mean_abs"].sum() / n_folds
    means = ["case_minus_control", "neg_log10_p", "linear_weight", "l1_weight", "l2_weight"]
    found[means] = by[means].mean()
    found["selected"] = by.size() / n_folds
    return found.reset_index().sort_values("share", ascending=False, kind="stable",
                                           ignore_index=True)  # fmt: skip


def by_gene(variants: pd.DataFrame, occlusion: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the share of each gene, the largest first: gene, chrom, pos, n_variants, share, …

    `variants` are those of `over_folds`; `neg_log10_p` is the largest of the gene, `selected` the
    largest share of folds that chose one of its variants. With `occlusion` come mean_change,
    auc_lost, low, high, NaN for the genes that were not hidden.
    """
    found = variants.groupby("gene", sort=True).agg(
        chrom=("chrom", "first"),
        pos=("pos", "min"),
        n_variants=("variant_index", "size"),
        share=("share", "sum"),
        mean_abs=("mean_abs", "sum"),
        neg_log10_p=("neg_log10_p", "max"),
        selected=("selected", "max"),
    )
    found = found.reset_index()
    if occlusion is not None:
        columns = ["gene", "mean_change", "auc_lost", "low", "high"]
        found = found.merge(occlusion.reindex(columns=columns), on="gene", how="left")
    return found.sort_values("share", ascending=False, kind="stable", ignore_index=True)


def by_chromosome(variants: pd.DataFrame, chromosomes: pd.DataFrame) -> pd.DataFrame:
    """Return chrom, n_variants, share and share_of_variants, in the order of the genome.

    `share_of_variants` is what a chromosome would have if all variants counted alike.
    """
    chrom = variants["chrom"].map(plain_chromosome)
    by = variants.assign(chrom=chrom).groupby("chrom")
    found = pd.DataFrame({"n_variants": by.size(), "share": by["share"].sum()})
    order = [one for one in chromosomes["chrom"] if one in found.index]
    found = found.loc[order].reset_index()
    return found.assign(share_of_variants=found["n_variants"] / max(1, len(variants)))


def placed_points(
    variants: pd.DataFrame, chromosomes: pd.DataFrame, chromosome: str | None = None
) -> pd.DataFrame:
    """Return the variants with x, chrom as it is said, and parity (0, 1) of their chromosome.

    `x` is the cumulative coordinate; with `chromosome` they are those of it, and x their position.
    """
    chrom = variants["chrom"].map(plain_chromosome)
    start = chromosomes.set_index("chrom")["start"]
    number = pd.Series(np.arange(len(chromosomes)), index=chromosomes["chrom"])
    x = variants["pos"] + (0 if chromosome else chrom.map(start))
    points = variants.assign(
        chrom=chrom, x=x.astype(float), parity=(chrom.map(number) % 2).astype("uint8")
    )
    return points[points["chrom"] == chromosome] if chromosome else points


def drawn_points(
    variants: pd.DataFrame, chromosomes: pd.DataFrame, chromosome: str | None = None
) -> pd.DataFrame:
    """Return the points that are drawn, at most some 2,500, as `placed_points` and `n_binned`.

    The 800 of most attribution and the 800 of smallest p stand each for itself, of the others the
    one of most attribution for each cell of a grid.
    """
    points = placed_points(variants, chromosomes, chromosome)
    log_p = points["neg_log10_p"].fillna(0.0)
    alone = (points["share"].rank(method="first", ascending=False) <= _MOST_ALONE) | (
        log_p.rank(method="first", ascending=False) <= _MOST_ALONE
    )
    few, many = points[alone].assign(n_binned=1), points[~alone]
    if not len(many):
        return few
    low, high = points["x"].min(), points["x"].max()
    column = ((many["x"] - low) / max(1.0, high - low) * (_COLUMNS - 1)).astype(int)
    row = (log_p[~alone] / max(1e-9, log_p[~alone].max()) * (_ROWS - 1)).astype(int)
    many = many.assign(cell=column * _ROWS + row)
    n_binned = many["cell"].value_counts()
    first = many.sort_values("share", ascending=False, kind="stable").drop_duplicates("cell")
    first = first.assign(n_binned=first["cell"].map(n_binned)).drop(columns="cell")
    return pd.concat([few, first], ignore_index=True)


def summary(made: Attribution) -> dict[str, Any]:
    """Return what `attribute --json` prints: completeness, variants, genes, chromosomes, folds."""
    variants = over_folds(made.table, made.n_folds)
    shown = ["chrom", "pos", "ref", "alt", "rsid", "gene", "share", "mean_abs",
             "case_minus_control", "neg_log10_p", "selected"]  # fmt: skip
    return {
        "folds": made.n_folds,
        "completeness": dict(made.completeness),
        "variants": len(variants),
        "top_variants": variants[shown].head(_MOST_TOLD).to_dict("records"),
        "genes": by_gene(variants, made.occlusion).to_dict("records"),
        "chromosomes": by_chromosome(variants, made.chromosomes).to_dict("records"),
        "stability": {"folds": across_folds(made.table)},
    }
