"""Groups of variants: one gene each, neighbourhoods for the rest; the outline is a bound."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pipeline.gene_groups import neighbourhoods, number_in_order, variant_groups
from pipeline.gene_outline import outline_gene_network
from pipeline.settings import NetworkSettings


def cohort(places: list[tuple[str, int]], genes: dict[int, list[str]] | None):
    """Return what `variant_groups` asks of a cohort."""
    variants = pd.DataFrame(places, columns=["chrom", "pos"])
    variants.insert(0, "variant_index", np.arange(len(places)))
    held = [(variant, gene) for variant, names in (genes or {}).items() for gene in names]

    def frame_of(sql: str, rows: np.ndarray) -> pd.DataFrame:
        table = variants
        if "annotation" in sql:
            table = pd.DataFrame(held, columns=["variant_index", "gene"])
        # The store promises no order.
        return table[table["variant_index"].isin(rows)].iloc[::-1].reset_index(drop=True)

    return SimpleNamespace(has_genes=genes is not None, store=SimpleNamespace(frame_of=frame_of))


PLACES = [("1", 100), ("1", 200), ("1", 300), ("1", 90_000), ("1", 91_000), ("2", 91_500)]


def test_a_variant_of_several_genes_goes_where_most_are():
    genes = {0: ["B", "A"], 1: ["B"], 2: ["A", "C"], 3: ["A"]}
    # A holds 0, 2 and 3; B two: 0 goes to A, and 1 stays with B.
    groups = variant_groups(cohort(PLACES, genes), np.arange(4))
    np.testing.assert_array_equal(groups, [0, 1, 0, 0])


def test_equal_genes_go_by_name():
    genes = {0: ["B", "A"], 1: ["A", "B"]}
    np.testing.assert_array_equal(variant_groups(cohort(PLACES, genes), np.arange(2)), [0, 0])
    alone = {0: ["B", "A"], 1: ["C"]}
    np.testing.assert_array_equal(variant_groups(cohort(PLACES, alone), np.arange(2)), [0, 1])


def test_only_the_variants_given_count():
    genes = {0: ["A"], 1: ["A", "B"], 2: ["B"], 3: ["B"]}
    # Of 0, 1 and 2, one each lies in A and B besides 1: the first by name.
    groups = variant_groups(cohort(PLACES, genes), np.array([0, 1, 2]))
    np.testing.assert_array_equal(groups, [0, 0, 1])


def test_variants_without_a_gene_are_neighbours_on_one_chromosome():
    groups = variant_groups(cohort(PLACES, {1: ["A"]}), np.arange(6))
    # 0 and 2 are 200 bases apart, with A between; 3 and 4 are far; 5 is on another chromosome.
    np.testing.assert_array_equal(groups, [0, 1, 0, 2, 2, 3])


def test_without_a_gene_table_all_are_neighbourhoods():
    groups = variant_groups(cohort(PLACES, None), np.arange(6))
    np.testing.assert_array_equal(groups, [0, 0, 0, 1, 1, 2])
    assert groups.dtype == np.int32


def test_the_reach_of_a_neighbourhood():
    chrom = np.array(["1", "1", "1"])
    np.testing.assert_array_equal(neighbourhoods(chrom, np.array([1, 50_000, 100_000])), [0, 0, 1])


def test_nothing_is_nothing():
    assert variant_groups(cohort(PLACES, None), np.array([], int)).shape == (0,)
    assert neighbourhoods(np.array([], str), np.array([], int)).shape == (0,)
    np.testing.assert_array_equal(number_in_order(np.array(["b", "a", "b"], object)), [0, 1, 0])


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
@pytest.mark.parametrize("gene_products", [True, False])
def test_the_outline_counts_what_is_largest(output, gene_products):
    settings = NetworkSettings(
        family="gene", filters=4, gene_members=2, output=output, gene_products=gene_products
    )
    groups = np.array([0, 0, 0, 1, 2, 2])
    layers = {layer.name: layer for layer in outline_gene_network(6, groups, settings)}
    n_columns = 18 + (4 if gene_products else 0)
    n_slots = 6 if gene_products else 3
    assert layers["columns"].shape == (n_columns,)
    assert layers["gene_image"].shape == (3, n_slots, 3)
    assert layers["convolution_1"].n_parameters == (n_slots * 3 + 1) * 4 * 4
    assert layers["output"].shape == (2 if output == "softmax" else 1,)
