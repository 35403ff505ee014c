"""The network of genes before it is trained, without Keras: what can be known, and bounds.

Which columns and genes remain is learned, so all sizes but those of input and output are upper
bounds: the network that is trained is smaller, often by far, and may end at the gate.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.outline import LayerOutline
from pipeline.settings import NetworkSettings

# A variant shows on three planes: alternate alleles, whether there is one, whether there are two.
N_PLANES = 3
# The gene image keeps the strongest columns of a gene, in at most so many slots.
MAX_SLOTS = 16
# A column is two variants, two tables of four values, a centre and a scale.
_WEIGHTS_A_COLUMN = 2 + 2 * 4 + 2


def outline_gene_network(
    n_variants: int, groups: NDArray[np.integer], settings: NetworkSettings
) -> tuple[LayerOutline, ...]:
    """Return the layers of `network.genes.build_gene_network` at their largest.

    `groups` (n_variants,) is the gene of each variant, as `gene_groups.variant_groups` gives it.
    """
    n_each = np.unique(groups, return_counts=True)[1]
    n_pairs = int((n_each * (n_each - 1) // 2).sum()) if settings.gene_products else 0
    n_columns = N_PLANES * n_variants + n_pairs
    n_genes = len(n_each)
    largest = int(n_each.max(initial=1))
    n_units = largest + (math.comb(largest, 2) if settings.gene_products else 0)
    n_slots = min(MAX_SLOTS, n_units)
    n_members = 2 * settings.gene_members
    n_outputs = 2 if settings.output == "softmax" else 1
    half = max(1, settings.filters // 2)
    wide = n_members * settings.filters
    first = (n_slots * N_PLANES + 1) * wide
    second = n_members * (settings.filters + 1) * half
    last = n_members * (n_genes * half + 1)
    image = (n_genes, n_slots, N_PLANES)

    def fixed(name, kind, shape, n_weights):
        return LayerOutline(name, kind, shape, n_weights, 0)

    layers = [
        fixed("genotypes", "input", (n_variants,), 0),
        fixed("columns", "encoding", (n_columns,), _WEIGHTS_A_COLUMN * n_columns),
        fixed("gate", "dense", (1,), n_columns + 1),
        fixed("gene_image", "encoding", image, math.prod(image)),
        LayerOutline(
            "convolution_1", "convolution", (n_genes, 1, wide), first, first, (1, n_slots)
        ),
        LayerOutline(
            "convolution_2", "convolution", (n_genes, n_members, half), second, second, (1, 1)
        ),
    ]
    if settings.dropout:
        layers.append(fixed("dropout", "dropout", (n_genes, n_members, half), 0))
    return (
        *layers,
        LayerOutline("members", "dense", (n_members,), last, last),
        fixed("logit", "dense", (1,), 1 + n_members),
        fixed("output", "output", (n_outputs,), 2 * n_outputs),
    )
