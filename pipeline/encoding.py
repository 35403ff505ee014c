"""How genotype codes become the network's input: a lookup table that training people teach.

The genotypes stay one byte each up to the network's door; the network's first layer holds the
table and does the lookup. `encode` is the same in numpy. Whatever changes the values, input
weights too, is in the table and nowhere else. Which variants enter in which order is
`pipeline.arrangement`'s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import EmptyResultError
from pipeline.settings import EncodingSettings

Layout = Literal["1d", "2d", "3d"]

N_CODES = 4  # 0, 1, 2 alternate alleles, 3 missing

# A variant that one person in 2,500 carries has a standard deviation of 0.02; dividing by it
# would let that person's genotype shout 50 times as loud as a common one.
SD_FLOOR = 0.05

_BLOCK = 256  # people looked up at once; bounds the memory and stays in the cache


@dataclass(frozen=True, eq=False)
class Encoding:
    """What each code of each variant becomes.

    `table` is float32 of shape (n_variants, 4, n_channels): the value on each channel of the
    codes 0, 1, 2 and missing. The variants fill a map of `height` rows of `width` places, row by
    row; the places that are left are zero. The map of the 1d layout is one row.
    """

    table: NDArray[np.float32]
    layout: Layout
    height: int
    width: int

    @property
    def n_variants(self) -> int:
        return self.table.shape[0]

    @property
    def n_channels(self) -> int:
        return self.table.shape[2]

    @property
    def extent(self) -> tuple[int, ...]:
        """The sizes of the map: (n_variants,) or (height, width)."""
        return (self.width,) if self.layout == "1d" else (self.height, self.width)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one encoded person, channels last."""
        return (*self.extent, self.n_channels)


def input_shape(n_variants: int, layout: str, row_width: int | None = None) -> tuple[int, ...]:
    """Return the shape of one encoded person: (n_variants, 1), (height, width, 1 or 3).

    `row_width` is that of the settings; the 1d layout has no rows.
    """
    if layout == "1d":
        return (n_variants, 1)
    return (*map_size(n_variants, row_width), 3 if layout == "3d" else 1)


def map_size(n_variants: int, row_width: int | None = None) -> tuple[int, int]:
    """Return height and width of the map that variants fill row by row.

    A row wider than all variants is cut to them. Without a width, the map is the smallest square
    that holds them.
    """
    if row_width is None:
        side = math.isqrt(n_variants - 1) + 1 if n_variants else 0
        return side, side
    width = min(row_width, n_variants)
    return (math.ceil(n_variants / width) if n_variants else 0), width


def fit_encoding(
    genotypes: NDArray[np.integer],
    settings: EncodingSettings,
    weights: NDArray[np.floating] | None = None,
) -> Encoding:
    """Return the encoding that these people teach; give it those alone who may be learned from.

    `genotypes` holds codes, shape (n_people, n_variants), 3 = missing, in the order in which they
    enter; `weights`, shape (n_variants,), multiply all values of a variant, after scaling. Mean,
    most frequent genotype (the lower on a tie), shares and standard deviation (population, at
    least `SD_FLOOR`) are those of the called genotypes. A variant that does not vary among these
    people is 0 for everyone under standard scaling.

    In the 3d layout genotype k shows `plane_values[k]` on plane k and zero on the others; scaling
    does not concern it. A missing call is zero on all three, or looks like the most frequent
    genotype, or shows on each plane its value times the share of its genotype: what people show
    there on average. A variant that nobody has a call of is zero.

    Raises `EmptyResultError` when there are no variants, `ValueError` when the weights are not
    one finite number a variant.

    References: Henriques et al. 2025, section 3.5 (the planes).
    """
    n_variants = genotypes.shape[1]
    if not n_variants:
        raise EmptyResultError(
            "An encoding needs at least one variant, but the selection kept none; raise "
            "selection.max_p or loosen the quality thresholds."
        )
    counts = count_codes(genotypes)
    if settings.layout == "3d":
        values = _plane_values(counts, settings)
    else:
        values = _dosage_values(counts, settings)[:, :, None]
    if weights is not None:
        if weights.shape != (n_variants,) or not np.isfinite(weights).all():
            raise ValueError(f"{weights.shape} finite weights for {n_variants} variants")
        values = values * np.asarray(weights, np.float64)[:, None, None]
    height, width = 1, n_variants
    if settings.layout != "1d":
        height, width = map_size(n_variants, settings.row_width)
    return Encoding(values.astype(np.float32), settings.layout, height, width)


def count_codes(genotypes: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return how many people have each code at each variant, shape (n_variants, 4)."""
    counts = np.zeros((genotypes.shape[1], N_CODES), dtype=np.int64)
    for block in np.array_split(genotypes, max(1, len(genotypes) // 1024)):  # bounds the memory
        for code in range(N_CODES):
            counts[:, code] += (block == code).sum(axis=0)
    return counts


def _dosage_values(counts: NDArray[np.int64], settings: EncodingSettings) -> NDArray[np.float64]:
    """Return the value of each code of each variant, shape (n_variants, 4), from their counts."""
    called = counts[:, :3]
    n_called = called.sum(axis=1)
    dosage = np.arange(3)
    mean = called @ dosage / n_called.clip(1)
    variance = called @ dosage**2 / n_called.clip(1) - mean**2
    imputed = {
        "mean": mean,
        "mode": called.argmax(axis=1).astype(float),
        "zero": np.zeros(len(counts)),
    }[settings.missing]
    values = np.column_stack([np.tile(dosage.astype(float), (len(counts), 1)), imputed])
    if settings.scaling == "none":
        return values
    scaled = (values - mean[:, None]) / np.sqrt(variance.clip(SD_FLOOR**2))[:, None]
    varies = np.count_nonzero(called, axis=1) > 1
    return np.where(varies[:, None], scaled, 0.0)


def _plane_values(counts: NDArray[np.int64], settings: EncodingSettings) -> NDArray[np.float64]:
    """Return the values of each code on the three planes, shape (n_variants, 4, 3)."""
    planes = np.diag(np.asarray(settings.plane_values, np.float64))
    called = counts[:, :3]
    n_called = called.sum(axis=1)
    missing = {
        "zero": np.zeros((len(counts), 3)),
        "mode": planes[called.argmax(axis=1)] * (n_called > 0)[:, None],
        "shares": called / n_called.clip(1)[:, None] @ planes,
    }[settings.plane_missing]
    return np.concatenate([np.tile(planes, (len(counts), 1, 1)), missing[:, None]], axis=1)


def encode(encoding: Encoding, genotypes: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return what the network sees of these people, shape (n_people, *encoding.shape).

    `genotypes` holds codes, shape (n_people, n_variants), 3 = missing.
    """
    n_places = math.prod(encoding.extent)
    values = np.zeros((len(genotypes), n_places, encoding.n_channels), dtype=np.float32)
    flat = encoding.table.reshape(-1, encoding.n_channels)
    rows = np.arange(encoding.n_variants) * N_CODES
    for start in range(0, len(genotypes), _BLOCK):
        block = slice(start, start + _BLOCK)
        values[block, : encoding.n_variants] = flat.take(rows + genotypes[block], axis=0)
    return values.reshape(len(genotypes), *encoding.shape)
