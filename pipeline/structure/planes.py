"""Genotypes as bit planes, so that pairs of rows are compared by counting bits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_BITS_PER_WORD = 64


class Planes(NamedTuple):
    """One bit a genotype, uint64 (n_rows, n_words): a missing genotype is set in no plane."""

    hom_ref: NDArray[np.uint64]
    het: NDArray[np.uint64]
    hom_alt: NDArray[np.uint64]


def bit_planes(genotypes: NDArray[np.uint8]) -> Planes:
    """Return genotypes (n_rows, n_columns) as planes; a row is padded with bits that are off."""
    return Planes(*(_plane(genotypes == code) for code in (0, 1, 2)))


def _plane(is_set: NDArray[np.bool_]) -> NDArray[np.uint64]:
    n_rows, n_columns = is_set.shape
    plane = np.zeros((n_rows, -(-n_columns // _BITS_PER_WORD) * 8), np.uint8)
    plane[:, : -(-n_columns // 8)] = np.packbits(is_set, axis=1, bitorder="little")
    return plane.view("<u8")
