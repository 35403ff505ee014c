"""Exact tests: Hardy-Weinberg and Fisher's, as the sum of the tables as or less likely.

Both are one sum. The tables with the margins given are k = 0 … min(A, B), and neighbours have the
odds P(k + 1) / P(k) = (A - k)(B - k) / ((k + c)(k + d)), which fall as k grows: there is one peak.
Everything is summed from the peak and from the observed table outwards, so that nothing underflows.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from pipeline.genotypes import over_rows

_TIE = 1 + 1e-9  # tables this close are equally likely: the odds are multiplied with rounding
_NEGLIGIBLE = 1e-18  # of the sum: a term this small ends it
_SMALL = 1e-200  # a term below is multiplied by 1 / _SMALL, and that is counted


def hwe_exact(n_hom_ref: ArrayLike, n_het: ArrayLike, n_hom_alt: ArrayLike) -> NDArray[np.float64]:
    """Return -log10 p of the exact Hardy-Weinberg test of genotype counts, 0 or more.

    The counts broadcast to one shape, which is that of the result. No mid-p correction. 0 (p = 1)
    with one allele, NaN without people. On X give females alone.
    Raises ValueError for a negative count.

    References: Wigginton, Cutler and Abecasis 2005, AJHG 76:887-893.
    """
    return _each(_hwe_exact, n_hom_ref, n_het, n_hom_alt)


def fisher_2x2(a: ArrayLike, b: ArrayLike, c: ArrayLike, d: ArrayLike) -> NDArray[np.float64]:
    """Return -log10 of the two-sided Fisher p of tables [[a, b], [c, d]], 0 or more.

    The counts broadcast to one shape, which is that of the result. Two-sided: the sum of the tables
    as or less likely than the one observed. 0 (p = 1) with an empty margin, NaN with an empty
    table.
    Raises ValueError for a negative count.

    References: Fisher 1922, JRSS 85:87-94.
    """
    return _each(_fisher_2x2, a, b, c, d)


def _each(kernel, *counts: ArrayLike) -> NDArray[np.float64]:
    """Return the kernel's result for each table."""
    tables = np.broadcast_arrays(*(np.asarray(count, np.int64) for count in counts))
    if any(table.size and table.min() < 0 for table in tables):
        raise ValueError("A count of people is 0 or more; a negative one was given.")
    columns = [np.array(table).ravel() for table in tables]  # owned: one type for the kernel
    neg_log10_p = np.empty(columns[0].size)
    over_rows(kernel, neg_log10_p.size, *columns, neg_log10_p)
    return neg_log10_p.reshape(tables[0].shape)


@njit(nogil=True, cache=True)
def _as_or_less_likely(observed, A, B, c, d):
    """Return -log10 of the sum of P(k) over the tables with P(k) <= P(observed)."""
    n_last = min(A, B)
    # P(k + 1) <= P(k) from this k on; for real k the odds are 1 at a ratio of two sums.
    peak = math.ceil((A * B - c * d) / (A + B + c + d))
    peak = int(min(max(peak, 0), n_last))
    if observed == peak:
        return 0.0
    upwards = observed > peak

    # From the peak to the observed table, in units of P(peak) * _SMALL ** shifts.
    term, shifts, total = 1.0, 0, 1.0
    k = peak
    while k != observed:
        if upwards:
            term *= (A - k) * (B - k) / ((k + c) * (k + d))
            k += 1
        else:
            k -= 1
            term *= (k + c) * (k + d) / ((A - k) * (B - k))
        if term < _SMALL:
            term /= _SMALL
            shifts += 1
        if shifts == 0:
            total += term
    observed_term, observed_shifts = term, shifts
    if observed_shifts == 0 and observed_term * _TIE >= 1.0:
        return 0.0  # two peaks, and the observed table is one of them

    # Outwards from the observed table, in units of P(observed).
    near = _tail(observed, upwards, n_last, A, B, c, d)

    # From the peak to the other side, until a table is as or less likely than the observed.
    far = 0.0
    term, shifts = 1.0, 0
    k = peak
    while k < n_last if not upwards else k > 0:
        if upwards:
            k -= 1
            term *= (k + c) * (k + d) / ((A - k) * (B - k))
        else:
            term *= (A - k) * (B - k) / ((k + c) * (k + d))
            k += 1
        if term < _SMALL:
            term /= _SMALL
            shifts += 1
        more_shifts = shifts - observed_shifts
        if more_shifts > 0 or (more_shifts == 0 and term <= observed_term * _TIE):
            ratio = term / observed_term * (1.0 if more_shifts == 0 else _SMALL)
            far = ratio * _tail(k, not upwards, n_last, A, B, c, d)
            break
        if shifts == 0:
            total += term
    if observed_shifts == 0:
        total += observed_term * (near - 1.0 + far)  # the observed itself is in already
    log10_p = math.log10(observed_term) + math.log10(near + far) - math.log10(total)
    log10_p += observed_shifts * math.log10(_SMALL)
    return max(-log10_p, 0.0)


@njit(nogil=True, cache=True)
def _tail(k, upwards, n_last, A, B, c, d):
    """Return the sum of P over k and all tables beyond it, over P(k)."""
    term, total = 1.0, 1.0
    while (k < n_last if upwards else k > 0) and term > total * _NEGLIGIBLE:
        if upwards:
            term *= (A - k) * (B - k) / ((k + c) * (k + d))
            k += 1
        else:
            k -= 1
            term *= (k + c) * (k + d) / ((A - k) * (B - k))
        total += term
    return total


@njit(nogil=True, cache=True)
def _hwe_exact(start, stop, n_hom_ref, n_het, n_hom_alt, neg_log10_p):
    for i in range(start, stop):
        het = n_het[i]
        if n_hom_ref[i] + het + n_hom_alt[i] == 0:
            neg_log10_p[i] = np.nan
            continue
        # k pairs of heterozygotes above the 0 or 1 that parity asks for.
        k, odd = het // 2, het % 2
        neg_log10_p[i] = _as_or_less_likely(
            k,
            np.float64(n_hom_ref[i] + k),
            np.float64(n_hom_alt[i] + k),
            1.0 + odd / 2,
            0.5 + odd / 2,
        )


@njit(nogil=True, cache=True)
def _fisher_2x2(start, stop, a, b, c, d, neg_log10_p):
    for i in range(start, stop):
        if a[i] + b[i] + c[i] + d[i] == 0:
            neg_log10_p[i] = np.nan
            continue
        # k is a (and d) above the smallest that the margins allow.
        k = min(a[i], d[i])
        neg_log10_p[i] = _as_or_less_likely(
            k,
            np.float64(b[i] + k),
            np.float64(c[i] + k),
            a[i] - k + 1.0,
            d[i] - k + 1.0,
        )
