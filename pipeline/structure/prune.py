"""Common autosomal SNPs in approximate linkage equilibrium: chosen, then pruned in windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.cohort import Cohort
from pipeline.genotypes import over_rows, popcount, unpack
from pipeline.progress import Clock, OnProgress, silent
from pipeline.settings.structure import StructureSettings
from pipeline.structure.planes import Planes, bit_planes
from pipeline.structure.regions import in_long_range_ld

FetchPacked = Callable[[NDArray[np.integer]], NDArray[np.uint8]]

_PIECE = 4096  # variants unpacked together
_TIE = 1 + 2.0**-36  # frequencies nearer than this are equal, as in PLINK 2


@dataclass(frozen=True, eq=False)
class Candidates:
    """The variants that may stay, in genomic order, each array (n_candidates,)."""

    variant_index: NDArray[np.int64]
    chrom_order: NDArray[np.int64]
    pos: NDArray[np.int64]
    maf: NDArray[np.float64]


def candidate_variants(cohort: Cohort, settings: StructureSettings) -> Candidates:
    """Return the biallelic autosomal SNPs that are common and well called over all people.

    As `plink2 --maf --geno --snps-only --max-alleles 2` keeps them, less the regions of
    long-range LD.
    """
    total = {
        name: " + ".join(f"{name}_{d}::BIGINT" for d in range(len(cohort.diagnoses)))
        for name in ("n_hom_ref", "n_het", "n_hom_alt", "n_missing")
    }
    columns = ", ".join(f"{terms} AS {name}" for name, terms in total.items())
    found = cohort.store.arrays(
        f"SELECT variant_index, chrom_order, pos, region = 'autosome' AND kind = 'snp' "
        f"AND n_alts = 1 AS is_biallelic_snp, {columns} FROM variants POSITIONAL JOIN counts"
    )
    n_called = found["n_hom_ref"] + found["n_het"] + found["n_hom_alt"]
    n_alt = found["n_het"] + 2 * found["n_hom_alt"]
    alt_frequency = n_alt / np.maximum(2 * n_called, 1)
    maf = np.minimum(alt_frequency, 1 - alt_frequency)
    is_kept = found["is_biallelic_snp"].astype(bool) & (n_called > 0)
    is_kept &= maf >= settings.min_maf
    is_kept &= found["n_missing"] <= settings.max_missing * (n_called + found["n_missing"])
    if settings.drop_long_range_ld:
        build = cohort.certificate["settings"]["build"]
        is_kept &= ~in_long_range_ld(found["chrom_order"], found["pos"], build)
    rows = np.flatnonzero(is_kept)
    rows = rows[np.argsort(found["variant_index"][rows], kind="stable")]
    return Candidates(
        found["variant_index"][rows].astype(np.int64),
        found["chrom_order"][rows].astype(np.int64),
        found["pos"][rows].astype(np.int64),
        maf[rows],
    )


def prune_variants(
    candidates: Candidates,
    fetch: FetchPacked,
    n_people: int,
    settings: StructureSettings,
    on_progress: OnProgress = silent,
) -> NDArray[np.bool_]:
    """Return which candidates stay, (n_candidates,).

    `fetch` gives packed rows by variant index. Afterwards no two that stay and lie within a
    window of candidates on one chromosome have an r² above `settings.max_r2`. The variants are
    those of `plink2 --indep-pairwise <window> 1 <r²>` on the candidates.
    """
    stays = np.zeros(len(candidates.maf), bool)
    clock = Clock("pruning variants", on_progress)
    for chrom in np.unique(candidates.chrom_order):
        rows = np.flatnonzero(candidates.chrom_order == chrom)
        above = np.empty((len(rows), settings.ld_window - 1), bool)
        tail: Planes | None = None
        for start in range(0, len(rows), _PIECE):
            piece = rows[start : start + _PIECE]
            planes = bit_planes(unpack(fetch(candidates.variant_index[piece]), n_people))
            n_before = 0
            if tail is not None:
                n_before = len(tail.het)
                planes = Planes(*map(np.concatenate, zip(tail, planes, strict=True)))
            band = r_squared_band(planes, settings.ld_window)[n_before:]
            above[start : start + len(piece)] = band > settings.max_r2
            tail = Planes(*(plane[-(settings.ld_window - 1) :] for plane in planes))
            clock.report((piece[-1] + 1) / len(stays))
        stays[rows] = _greedy(above, candidates.maf[rows])
    return stays


def r_squared_band(planes: Planes, window: int) -> NDArray[np.float64]:
    """Return the r² of each variant with the `window` - 1 before it, (n_variants, window - 1).

    Column 0 is the nearest. r² is the squared correlation of the numbers of alternate alleles
    over the people called at both; NaN where there is no such variant or one does not vary.
    """
    band = np.full((len(planes.het), window - 1), np.nan)
    over_rows(_r_squared_band, len(band), *planes, band)
    return band


@njit(nogil=True, cache=True)
def _r_squared_band(start, stop, hom_ref: Any, het: Any, hom_alt: Any, band):
    n_words = het.shape[1]
    for variant in range(start, stop):
        ref1, het1, alt1 = hom_ref[variant], het[variant], hom_alt[variant]
        for back in range(min(variant, band.shape[1])):
            other = variant - back - 1
            ref2, het2, alt2 = hom_ref[other], het[other], hom_alt[other]
            n, n_same, n_opposite = np.uint64(0), np.uint64(0), np.uint64(0)
            n_ref1, n_alt1 = np.uint64(0), np.uint64(0)
            n_ref2, n_alt2 = np.uint64(0), np.uint64(0)
            for word in range(n_words):
                r1, a1, r2, a2 = ref1[word], alt1[word], ref2[word], alt2[word]
                called1 = r1 | a1 | het1[word]
                called2 = r2 | a2 | het2[word]
                n += popcount(called1 & called2)
                n_ref1 += popcount(r1 & called2)
                n_alt1 += popcount(a1 & called2)
                n_ref2 += popcount(r2 & called1)
                n_alt2 += popcount(a2 & called1)
                n_same += popcount((r1 & r2) | (a1 & a2))
                n_opposite += popcount((r1 & a2) | (a1 & r2))
            # Coded -1, 0, 1, which leaves a correlation as it is.
            sum1 = np.float64(n_alt1) - np.float64(n_ref1)
            sum2 = np.float64(n_alt2) - np.float64(n_ref2)
            square1 = np.float64(n_alt1) + np.float64(n_ref1)
            square2 = np.float64(n_alt2) + np.float64(n_ref2)
            product = np.float64(n_same) - np.float64(n_opposite)
            total = np.float64(n)
            covariance = total * product - sum1 * sum2
            variances = (total * square1 - sum1 * sum1) * (total * square2 - sum2 * sum2)
            if variances > 0:
                band[variant, back] = covariance * covariance / variances


def _greedy(above: NDArray[np.bool_], maf: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which variants of a chromosome stay, (n_variants,).

    `above` (n_variants, window - 1) says which of those before are correlated with each. A pair
    too close loses the one of the smaller frequency, in a tie the later one. The order is that of
    PLINK, so that the same variants stay: in the first window each variant in turn settles one
    pair, round after round; then the window slides by one variant, which meets the others in
    genomic order.
    """
    stays = np.ones(len(maf), bool)
    _remove_correlated(above, maf, stays)
    return stays


@njit(nogil=True, cache=True)
def _remove_correlated(above, maf, stays):
    n = len(stays)
    window = above.shape[1] + 1
    n_first = min(window, n)
    resume = np.arange(1, n_first + 1)
    has_removed = True
    while has_removed:
        has_removed = False
        for first in range(n_first):
            if not stays[first]:
                continue
            for second in range(resume[first], n_first):
                resume[first] = second + 1
                if stays[second] and above[second, second - first - 1]:
                    stays[_rarer(maf, first, second)] = False
                    has_removed = True
                    break
    for second in range(n_first, n):
        for first in range(second - window + 1, second):
            if stays[first] and above[second, second - first - 1]:
                stays[_rarer(maf, first, second)] = False
                if not stays[second]:
                    break


@njit(nogil=True, cache=True)
def _rarer(maf, first, second):
    return first if 1 - maf[first] > (1 - maf[second]) * _TIE else second
