"""The columns that gates choose among: planes of each variant, and products within a gene."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding import N_CODES, SD_FLOOR
from pipeline.gene_outline import N_PLANES
from pipeline.network.genes import GeneColumns

# A product that fewer training people carry both of says too little.
MIN_CARRIERS = 8


def plane_table(counts: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return what each code shows on the three planes of its variant, (n_variants, 4, 3).

    `counts` (n_variants, 4) are those of the training people. The planes are the number of
    alternate alleles, whether there is one, whether there are two; each minus its mean over its
    standard deviation (at least `SD_FLOOR`). A missing call shows the mean, 0; so does all of a
    variant that does not vary.
    """
    planes = np.array([[0, 0, 0], [1, 1, 0], [2, 1, 1]], float)
    called = counts[:, :3]
    share = called / called.sum(axis=1, keepdims=True).clip(1)
    mean = share @ planes
    variance = share @ planes**2 - mean**2
    shown = (planes - mean[:, None]) / np.sqrt(variance.clip(SD_FLOOR**2))[:, None]
    shown[np.count_nonzero(called, axis=1) < 2] = 0
    return np.concatenate([shown, np.zeros_like(shown[:, :1])], axis=1).astype(np.float32)


def plane_columns(table: NDArray[np.float32], groups: NDArray[np.integer]) -> GeneColumns:
    """Return the planes of all variants as columns, three in a row for each."""
    n = len(table) * N_PLANES
    variant = np.repeat(np.arange(len(table), dtype=np.int32), N_PLANES)
    tables = np.ones((n, 2, N_CODES), np.float32)
    tables[:, 0] = table.transpose(0, 2, 1).reshape(n, N_CODES)
    return GeneColumns(
        variants=np.stack([variant, variant], axis=1),
        tables=tables,
        centre=np.zeros(n, np.float32),
        scale=np.ones(n, np.float32),
        plane=np.tile(np.arange(N_PLANES, dtype=np.uint8), len(table)),
        group=groups[variant].astype(np.int32),
    )


def variant_pairs(
    columns: GeneColumns, gene: NDArray[np.floating], n_most: int
) -> NDArray[np.int32]:
    """Return the pairs of variants that share a gene, (n_pairs, 2), at most `n_most`.

    `gene` (n_groups,) is the strength of each. Strong genes come first; one whose pairs do not fit
    any more gives none.
    """
    variants, first = np.unique(columns.variants[:, 0], return_index=True)
    group = columns.group[first]
    order = np.argsort(group, kind="stable")
    cuts = np.flatnonzero(np.diff(group[order])) + 1
    genes = [members for members in np.split(variants[order], cuts) if len(members) > 1]
    of_members = {int(g[0]): g for g in genes}
    strength = dict(zip(variants.tolist(), gene[group].tolist(), strict=True))
    found, n_left = [np.empty((0, 2), np.int32)], n_most
    for name in sorted(of_members, key=lambda name: (-strength[name], name)):
        members = of_members[name]
        n_pairs = len(members) * (len(members) - 1) // 2
        if n_pairs <= n_left:
            one, other = np.triu_indices(len(members), 1)
            found.append(np.stack([members[one], members[other]], axis=1).astype(np.int32))
            n_left -= n_pairs
    return np.concatenate(found)


def product_columns(
    codes: NDArray[np.uint8], pairs: NDArray[np.int32], columns: GeneColumns
) -> GeneColumns:
    """Return a column for each pair of variants that enough training people carry both of.

    A missing call counts as the share of carriers. `columns` are the planes of all variants, three
    each, which know their genes.
    """
    used, where = np.unique(pairs, return_inverse=True)
    where = where.reshape(pairs.shape)
    carried = ((codes[:, used] == 1) | (codes[:, used] == 2)).astype(np.float32)
    share = carried.sum(axis=0) / (codes[:, used] != 3).sum(axis=0).clip(1)
    tables = np.tile(np.array([0, 1, 1, 0], np.float32), (len(used), 1))
    tables[:, 3] = share
    n_both = np.array([carried[:, one] @ carried[:, other] for one, other in where], int)
    enough = (n_both >= MIN_CARRIERS) & (n_both <= len(codes) - MIN_CARRIERS)
    pairs, where = pairs[enough], where[enough]
    plain = GeneColumns(
        variants=pairs,
        tables=tables[where],
        centre=np.zeros(len(pairs), np.float32),
        scale=np.ones(len(pairs), np.float32),
        plane=np.zeros(len(pairs), np.uint8),
        group=columns.group[N_PLANES * pairs[:, 0]],
    )
    values = plain.values(codes)
    return replace(plain, centre=values.mean(axis=0), scale=1 / values.std(axis=0).clip(SD_FLOOR))


def join_columns(first: GeneColumns, second: GeneColumns) -> GeneColumns:
    """Return the columns of both, one after the other."""
    names = [field.name for field in fields(GeneColumns)]
    parts = ((getattr(first, name), getattr(second, name)) for name in names)
    return GeneColumns(*(np.concatenate(part) for part in parts))
