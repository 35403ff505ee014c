"""Linkage disequilibrium of one variant with others, from packed genotypes."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.cohort import Cohort
from pipeline.genotypes import over_rows, people_mask, popcount

_ONE = np.uint64(1)


def r2_to(
    cohort: Cohort, lead: int, variants: NDArray[np.integer], people: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the r² of each variant with the variant `lead`, (n,), in the order of `variants`.

    `lead` and `variants` are variant indices, `people` bool (n_people of the cohort,). r² is the
    squared correlation of the numbers of alternate alleles over the people called at both, as
    `plink --r2` gives it for autosomes; a male's allele on X counts twice. NaN where one of the
    two does not vary among them.
    """
    variants = np.asarray(variants, np.int64)
    wanted = np.union1d(variants, [lead])
    packed = np.zeros((len(wanted), 0), np.uint8)
    for indices, rows in cohort.packed_genotypes(wanted):
        if not packed.shape[1]:
            packed = np.zeros((len(wanted), rows.shape[1]), np.uint8)
        packed[np.searchsorted(wanted, indices)] = rows
    if not packed.shape[1]:
        return np.full(len(variants), np.nan)
    r2 = r2_to_row(packed[np.searchsorted(wanted, lead)], packed, people)
    return r2[np.searchsorted(wanted, variants)]


def r2_to_row(
    lead: NDArray[np.uint8], packed: NDArray[np.uint8], people: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the r² of each packed row (n, packed_width) with the packed row `lead`, (n,)."""
    mask = people_mask(people[None])[0]
    words = np.ascontiguousarray(packed).view("<u8")
    of_lead = np.ascontiguousarray(lead).view("<u8")
    r2 = np.full(len(packed), np.nan)
    over_rows(_r_squared, len(packed), words, *_planes(of_lead, mask), mask, r2)
    return r2


def _planes(words: NDArray[np.uint64], mask: NDArray[np.uint64]) -> tuple[np.ndarray, ...]:
    """Return hom-ref, het, hom-alt of one row, a bit a person, where the mask has one."""
    low, high = words & mask, (words >> _ONE) & mask
    return mask & ~(low | high), low & ~high, high & ~low


@njit(nogil=True, cache=True)
def _r_squared(start, stop, words, lead_ref, lead_het, lead_alt, mask, r2):
    n_words = words.shape[1]
    for variant in range(start, stop):
        row = words[variant]
        n, n_same, n_opposite = np.uint64(0), np.uint64(0), np.uint64(0)
        n_ref1, n_alt1 = np.uint64(0), np.uint64(0)
        n_ref2, n_alt2 = np.uint64(0), np.uint64(0)
        for word in range(n_words):
            low, high = row[word] & mask[word], (row[word] >> np.uint64(1)) & mask[word]
            ref2, alt2 = mask[word] & ~(low | high), high & ~low
            called2 = mask[word] & ~(low & high)
            ref1, alt1 = lead_ref[word], lead_alt[word]
            called1 = ref1 | alt1 | lead_het[word]
            n += popcount(called1 & called2)
            n_ref1 += popcount(ref1 & called2)
            n_alt1 += popcount(alt1 & called2)
            n_ref2 += popcount(ref2 & called1)
            n_alt2 += popcount(alt2 & called1)
            n_same += popcount((ref1 & ref2) | (alt1 & alt2))
            n_opposite += popcount((ref1 & alt2) | (alt1 & ref2))
        # Coded -1, 0, 1, which leaves a correlation as it is.
        sum1 = np.float64(n_alt1) - np.float64(n_ref1)
        sum2 = np.float64(n_alt2) - np.float64(n_ref2)
        square1 = np.float64(n_alt1) + np.float64(n_ref1)
        square2 = np.float64(n_alt2) + np.float64(n_ref2)
        total = np.float64(n)
        covariance = total * (np.float64(n_same) - np.float64(n_opposite)) - sum1 * sum2
        variances = (total * square1 - sum1 * sum1) * (total * square2 - sum2 * sum2)
        if variances > 0:
            r2[variant] = covariance * covariance / variances
