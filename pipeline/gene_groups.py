"""Which of the selected variants belong together: one gene a variant, or one neighbourhood."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.cohort import Cohort

# Variants without a gene that lie closer than this are one neighbourhood; about the reach of
# linkage within a haplotype block.
NEIGHBOURHOOD_BASES = 50_000


def variant_groups(cohort: Cohort, variants: NDArray[np.integer]) -> NDArray[np.int32]:
    """Return the group of each variant, (n_variants,), numbered from 0 in genomic order.

    `variants` are variant indices in genomic order. A variant of several genes belongs to the one
    that holds most of the variants given, the first by name among equals. Variants without a gene
    fall into neighbourhoods: runs on one chromosome in which each lies less than 50 kb from the
    one before. Without a gene table all variants do.
    """
    variants = np.asarray(variants)
    if not len(variants):
        return np.empty(0, np.int32)
    placed = cohort.store.frame_of(
        "SELECT variant_index, chrom, pos FROM variants "
        "WHERE variant_index IN (SELECT wanted_index FROM wanted)",
        variants,
    ).set_index("variant_index")
    placed = placed.loc[variants]
    gene = _gene_of_each(cohort, variants)
    names = np.array([f"gene {name}" if name is not None else "" for name in gene], object)
    alone = np.flatnonzero(names == "")
    names[alone] = neighbourhoods(
        placed["chrom"].to_numpy(str)[alone], placed["pos"].to_numpy(np.int64)[alone]
    )
    return number_in_order(names)


def neighbourhoods(chrom: NDArray[np.str_], pos: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the number of the neighbourhood of each variant, (n_variants,), in genomic order."""
    if not len(pos):
        return np.empty(0, np.int64)
    begins = (chrom[1:] != chrom[:-1]) | (np.diff(pos) >= NEIGHBOURHOOD_BASES)
    return np.concatenate([[0], np.cumsum(begins)])


def number_in_order(names: NDArray) -> NDArray[np.int32]:
    """Return a number for each name, (n,), counted from 0 in the order of first appearance."""
    return pd.factorize(names)[0].astype(np.int32)


def _gene_of_each(cohort: Cohort, variants: NDArray[np.integer]) -> list[str | None]:
    """Return the gene of each variant, None where it has none."""
    if not cohort.has_genes:
        return [None] * len(variants)
    held = cohort.store.frame_of(
        "SELECT variant_index, gene FROM annotation.variant_genes "
        "WHERE variant_index IN (SELECT wanted_index FROM wanted)",
        variants,
    )
    held["n_held"] = held.groupby("gene")["variant_index"].transform("nunique")
    ranked = held.sort_values(["variant_index", "n_held", "gene"], ascending=[True, False, True])
    largest = ranked.drop_duplicates("variant_index").set_index("variant_index")["gene"].to_dict()
    return [largest.get(variant) for variant in variants.tolist()]
