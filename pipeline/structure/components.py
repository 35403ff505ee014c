"""Principal components of standardised genotypes, by a randomised decomposition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.genotypes import GENOTYPE_MISSING, count_genotypes, over_rows, people_mask
from pipeline.progress import Clock, OnProgress, silent

_BLOCK = 1024  # variants standardised together: 50 MB at 12,000 people
_OVERSAMPLES = 10
_PASSES = 10  # over the variants
_MOST_EXACT = 1024  # people up to whom the whole matrix is decomposed


@dataclass(frozen=True, eq=False)
class Components:
    """Leading components: `scores` (n_people, k), orthonormal; `eigenvalues` (k,), largest first.

    An eigenvalue is one of the relationship matrix Z Z' / n_variants, as PLINK prints it;
    `variance_share` (k,) is its share of the sum of all.
    """

    scores: NDArray[np.float64]
    eigenvalues: NDArray[np.float64]
    variance_share: NDArray[np.float64]


def principal_components(
    packed: NDArray[np.uint8],
    n_people: int,
    n_components: int,
    seed: int,
    on_progress: OnProgress = silent,
) -> Components:
    """Return the leading components of people over packed variants (n_variants, packed_width).

    A genotype is standardised by 2p and sqrt(2p(1 - p)), p the frequency of the alternate allele
    (Patterson, Price and Reich 2006, PLoS Genet 2:e190); missing is the mean. The components are
    the best within the space that a random block spans when the relationship matrix is applied to
    it again and again (Musco and Musco 2015, Randomized block Krylov methods, NIPS 28:1396-1404);
    up to 1,024 people that is the whole space. Standardised genotypes exist a block at a time, so
    memory is that of the packed genotypes and of a few hundred vectors. The person of the largest
    absolute score has a positive one. Equal arguments give equal results up to rounding (1e-5).

    All people are seen, but no labels: components of a run's test people are known to whoever
    uses them, their diagnoses are not.
    """
    from sklearn.utils.extmath import svd_flip  # the command line starts sooner without

    packed = np.ascontiguousarray(packed)
    everyone = people_mask(np.ones((1, n_people), bool))
    counts = count_genotypes(packed, everyone)[:, 0].astype(np.float64)
    levels = _standard_levels(counts)
    n_columns, n_passes = n_components + _OVERSAMPLES, _PASSES
    if n_people <= _MOST_EXACT:
        n_columns, n_passes = n_people, 1  # the basis is the whole space
    clock = Clock("principal components", on_progress)
    rng = np.random.default_rng(seed)
    basis = np.empty((n_people, 0), np.float32)
    product = np.empty((n_people, 0), np.float32)
    block = rng.standard_normal((n_people, n_columns), np.float32)
    for n_done in range(n_passes):
        block = _new_directions(block, basis)
        basis = np.concatenate([basis, block], axis=1)
        block = _relationship_times(
            packed, levels, block, partial(_report, clock, n_done, n_passes)
        )
        product = np.concatenate([product, block], axis=1)
    # The best approximation within the basis (Rayleigh and Ritz).
    inner = basis.T.astype(np.float64) @ product
    eigenvalues, rotation = np.linalg.eigh((inner + inner.T) / 2)
    leading = slice(-1, -n_components - 1, -1)
    scores = basis @ rotation[:, leading]
    scores, _ = svd_flip(scores, np.ones((n_components, 1)))
    total = (counts * levels.astype(np.float64) ** 2).sum() / len(packed)
    return Components(scores, eigenvalues[leading].copy(), eigenvalues[leading] / total)


def _report(clock: Clock, n_done: int, n_passes: int, share: float) -> None:
    clock.report((n_done + share) / n_passes)


def _new_directions(block: NDArray[np.float32], basis: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an orthonormal basis of what `block` adds to the orthonormal `basis`.

    Thrice, for what is left when the space is exhausted is rounding, most of it within `basis`,
    and would come back as components that are there already.
    """
    for _ in range(3):
        block, _ = np.linalg.qr(block - basis @ (basis.T @ block))
    return block


def _relationship_times(
    packed: NDArray[np.uint8],
    levels: NDArray[np.float32],
    right: NDArray[np.float32],
    report: Callable[[float], None],
) -> NDArray[np.float32]:
    """Return Z Z' / n_variants @ right, (n_people, n_columns), in one pass over the variants."""
    n_variants, n_people = len(packed), len(right)
    product = np.zeros_like(right)
    room = np.empty((min(_BLOCK, n_variants), n_people), np.float32)
    for start in range(0, n_variants, _BLOCK):
        stop = min(start + _BLOCK, n_variants)
        block = room[: stop - start]
        over_rows(_standardise, len(block), packed[start:stop], levels[start:stop], block)
        product += block.T @ (block @ right)
        report(stop / n_variants)
    return product / np.float32(n_variants)


def _standard_levels(counts: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return what each genotype code stands for, (n_variants, 4), from its counts.

    All zeros where nobody varies.
    """
    n_called = counts[:, :3].sum(axis=1)
    p = (counts[:, 1] + 2 * counts[:, 2]) / np.maximum(2 * n_called, 1)
    deviation = np.sqrt(2 * p * (1 - p))[:, None]
    codes = np.arange(4)[None, :]
    centred = codes - 2 * p[:, None]
    levels = np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 0)
    levels[:, GENOTYPE_MISSING] = 0
    return levels.astype(np.float32)


@njit(nogil=True, cache=True)
def _standardise(start, stop, packed, levels, standardised):
    n_people = standardised.shape[1]
    n_full = n_people // 4
    for variant in range(start, stop):
        row = standardised[variant]
        level = levels[variant]
        for byte in range(n_full):
            four = packed[variant, byte]
            person = 4 * byte
            row[person] = level[four & 3]
            row[person + 1] = level[(four >> 2) & 3]
            row[person + 2] = level[(four >> 4) & 3]
            row[person + 3] = level[(four >> 6) & 3]
        for person in range(4 * n_full, n_people):
            row[person] = level[(packed[variant, n_full] >> (2 * (person % 4))) & 3]
