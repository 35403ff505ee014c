"""How genotype codes become the network's input: a lookup table that training people teach.

The genotypes stay one byte each up to the network's door; the network's first layer holds the
table and does the lookup. `encode` is the same in numpy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import EmptyResultError
from pipeline.settings import EncodingSettings

N_CODES = 4  # 0, 1, 2 alternate alleles, 3 missing

# A variant that one person in 2,500 carries has a standard deviation of 0.02; dividing by it
# would let that person's genotype shout 50 times as loud as a common one.
SD_FLOOR = 0.05

# In the 3d layout genotype k shows on plane k as k + 1, so that homozygous reference is seen too.
PLANE_VALUES = (1.0, 2.0, 3.0)


@dataclass(frozen=True, eq=False)
class Encoding:
    """What each code of each variant becomes.

    `table` is float32 of shape (n_variants, 4, n_channels): the value on each channel of the
    codes 0, 1, 2 and missing. `side` is the side of the square that the variants fill row by row
    (the rest is zero), 0 for the 1d layout.
    """

    table: NDArray[np.float32]
    layout: Literal["1d", "2d", "3d"]
    side: int

    @property
    def n_variants(self) -> int:
        return self.table.shape[0]

    @property
    def n_channels(self) -> int:
        return self.table.shape[2]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one encoded person, channels last."""
        return input_shape(self.n_variants, self.layout)


def input_shape(n_variants: int, layout: str) -> tuple[int, ...]:
    """Return the shape of one encoded person: (n_variants, 1), (side, side, 1 or 3)."""
    if layout == "1d":
        return (n_variants, 1)
    side = square_side(n_variants)
    return (side, side, 3 if layout == "3d" else 1)


def square_side(n_variants: int) -> int:
    """Return the side of the smallest square that holds all variants."""
    return math.isqrt(n_variants - 1) + 1 if n_variants else 0


def fit_encoding(genotypes: NDArray[np.integer], settings: EncodingSettings) -> Encoding:
    """Return the encoding that these people teach; give it those alone who may be learned from.

    `genotypes` holds codes, shape (n_people, n_variants), 3 = missing. Mean, most frequent
    genotype (the lower on a tie) and standard deviation (population, at least `SD_FLOOR`) are
    those of the called genotypes. A variant that does not vary among these people is 0 for
    everyone under standard scaling. The 3d layout learns nothing: genotype k is k + 1 on plane k
    and zero on the others, missing is zero on all three.

    Raises `EmptyResultError` when there are no variants.

    References: Henriques et al. 2025, section 3.5 (the planes).
    """
    n_variants = genotypes.shape[1]
    if not n_variants:
        raise EmptyResultError(
            "An encoding needs at least one variant, but the selection kept none; raise "
            "selection.max_p or loosen the quality thresholds."
        )
    if settings.layout == "3d":
        planes = np.zeros((N_CODES, 3), dtype=np.float32)
        planes[:3] = np.diag(PLANE_VALUES)
        table = np.tile(planes, (n_variants, 1, 1))
        return Encoding(table, "3d", square_side(n_variants))
    values = _dosage_values(count_codes(genotypes), settings)
    side = 0 if settings.layout == "1d" else square_side(n_variants)
    return Encoding(values.astype(np.float32)[:, :, None], settings.layout, side)


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


def encode(encoding: Encoding, genotypes: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return what the network sees of these people, shape (n_people, *encoding.shape).

    `genotypes` holds codes, shape (n_people, n_variants), 3 = missing.
    """
    values = encoding.table[np.arange(encoding.n_variants), genotypes]
    if not encoding.side:
        return values
    n_padding = encoding.side**2 - encoding.n_variants
    padded = np.pad(values, ((0, 0), (0, n_padding), (0, 0)))
    return padded.reshape(len(genotypes), *encoding.shape)
