"""Exact tests: Hardy-Weinberg and Fisher's, as the sum of the tables as or less likely.

Hardy-Weinberg and Fisher's 2 x 2 are one sum. The tables with the margins given are
k = 0 … min(A, B), and neighbours have the odds P(k + 1) / P(k) = (A - k)(B - k) / ((k + c)(k + d)),
which fall as k grows: there is one peak. Everything is summed from the peak and from the observed
table outwards, so that nothing underflows. Fisher's 2 x 3 is a sum over the rarest column of such
sums, in units of the observed table.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy import special

from pipeline.genotypes import over_rows

_TIE = 1 + 1e-9  # tables this close are equally likely: the odds are multiplied with rounding
_LN_TIE = 1e-7  # the same for 2 x 3, whose tables are compared by logarithms, as R and SciPy do
_LN_NEGLIGIBLE = -46.0  # of the observed table: a column that likely adds nothing to it
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


def fisher_2x3(
    case: NDArray[np.integer],
    control: NDArray[np.integer],
    above: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return -log10 of the two-sided Fisher p of 2 x 3 tables, (n_tables,), 0 or more.

    `case` and `control` (n_tables, 3) are the two rows. Two-sided: the sum of the tables with the
    same margins that are as or less likely than the one observed. A table with an empty column is
    2 x 2; NaN with one column left or an empty row. A table whose -log10 p is surely not larger
    than `above` (n_tables,) gives 0 without being summed, since p is at least its own probability.

    References: Freeman and Halton 1951, Biometrika 38:141-149.
    """
    # Contiguous and read-only: one type for the kernel.
    rows = [np.ascontiguousarray(counts, np.int64).view() for counts in (case, control)]
    for row in rows:
        row.flags.writeable = False
    largest = int((rows[0].sum(axis=1) + rows[1].sum(axis=1)).max(initial=1))
    floor = np.full(len(case), -1.0) if above is None else np.ascontiguousarray(above, float)
    neg_log10_p = np.empty(len(case))
    ln_factorials = _ln_factorials(1 << largest.bit_length())
    over_rows(_fisher_2x3, len(case), *rows, floor, ln_factorials, neg_log10_p)
    return neg_log10_p


@lru_cache(maxsize=2)
def _ln_factorials(n: int) -> NDArray[np.float64]:
    """Return ln 0! to ln n!, (n + 1,); right to about 1e-16 of their size."""
    return special.gammaln(np.arange(n + 1) + 1.0)


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
        else:
            neg_log10_p[i] = _two_by_two(a[i], b[i], c[i], d[i])


@njit(nogil=True, cache=True)
def _two_by_two(a, b, c, d):
    # k is a (and d) above the smallest that the margins allow.
    k = min(a, d)
    return _as_or_less_likely(k, np.float64(b + k), np.float64(c + k), a - k + 1.0, d - k + 1.0)


@njit(nogil=True, cache=True)
def _fisher_2x3(start, stop, case, control, above, ln_factorials, neg_log10_p):
    for i in range(start, stop):
        x, y = np.empty(3, np.int64), np.empty(3, np.int64)
        for j in range(3):  # the columns, most frequent first
            at = j
            n = case[i, j] + control[i, j]
            while at > 0 and x[at - 1] + y[at - 1] < n:
                x[at], y[at] = x[at - 1], y[at - 1]
                at -= 1
            x[at], y[at] = case[i, j], control[i, j]
        r = x[0] + x[1] + x[2]
        if r > y[0] + y[1] + y[2]:  # the smaller row, so that the classes are the same to the sum
            x, y = y, x
            r = x[0] + x[1] + x[2]
        columns = x + y
        if r == 0 or columns[1] == 0:
            neg_log10_p[i] = np.nan
        elif columns[2] == 0:
            neg_log10_p[i] = _two_by_two(x[0], x[1], y[0], y[1])
        else:
            neg_log10_p[i] = _two_by_three(x, columns, r, above[i], ln_factorials)


@njit(nogil=True, cache=True)
def _two_by_three(x, columns, r, above, f):
    """Return -log10 p of the row `x` of a table with these columns; `f` are ln factorials."""
    c0, c1, c2 = columns
    n = c0 + c1 + c2
    of_margins = f[c0] + f[c1] + f[c2] + f[r] + f[n - r] - f[n]
    ln_observed = of_margins - _cells(x[2], x[1], r, columns, f)
    if -ln_observed <= above * math.log(10.0):
        return 0.0
    limit = ln_observed + _LN_TIE
    of_column = f[c2] + f[n - c2] + f[r] + f[n - r] - f[n]
    first, last = max(0, r - c0 - c1), min(c2, r)
    middle = min(max((c2 + 1) * (r + 1) // (n + 2), first), last)
    total = 0.0  # in units of the observed table
    for step in (1, -1):  # the rarest column from its mode upwards, then downwards
        k2 = middle if step == 1 else middle - 1
        low = high = -1
        while first <= k2 <= last:
            rest = r - k2
            ln_column = of_column - f[k2] - f[c2 - k2] - f[rest] - f[n - c2 - rest]
            if ln_column - ln_observed < _LN_NEGLIGIBLE:
                break
            k_min, k_max = max(0, rest - c0), min(c1, rest)
            mode = min(max((rest + 1) * (c1 + 1) // (c0 + c1 + 2), k_min), k_max)
            if of_margins - _cells(k2, mode, r, columns, f) <= limit:
                total += math.exp(ln_column - ln_observed)  # the whole column counts
            else:
                # The edges of what is likelier move little from one k2 to the next.
                if low < 0:
                    low, high = mode, mode
                low = min(max(low, k_min - 1), mode)
                high = max(min(high, k_max + 1), mode)
                while low >= k_min and of_margins - _cells(k2, low, r, columns, f) > limit:
                    low -= 1
                while low < mode and of_margins - _cells(k2, low + 1, r, columns, f) <= limit:
                    low += 1
                while high <= k_max and of_margins - _cells(k2, high, r, columns, f) > limit:
                    high += 1
                while high > mode and of_margins - _cells(k2, high - 1, r, columns, f) <= limit:
                    high -= 1
                spare = c0 - rest  # cases of the most frequent column are rest - k1
                if low >= k_min:
                    term = math.exp(of_margins - _cells(k2, low, r, columns, f) - ln_observed)
                    k = low
                    while term > total * _NEGLIGIBLE:
                        total += term
                        if k == k_min:
                            break
                        term *= k * (spare + k) / ((c1 - k + 1.0) * (rest - k + 1.0))
                        k -= 1
                if high <= k_max:
                    term = math.exp(of_margins - _cells(k2, high, r, columns, f) - ln_observed)
                    k = high
                    while term > total * _NEGLIGIBLE:
                        total += term
                        if k == k_max:
                            break
                        term *= (c1 - k) * (rest - k) / ((k + 1.0) * (spare + k + 1.0))
                        k += 1
            k2 += step
    return max(-(ln_observed + math.log(total)) / math.log(10.0), 0.0)


@njit(nogil=True, cache=True)
def _cells(k2, k1, r, columns, f):
    """Return the ln factorials of the six cells of a table, summed."""
    k0 = r - k1 - k2
    return (
        f[k0] + f[columns[0] - k0] + f[k1] + f[columns[1] - k1] + f[k2] + f[columns[2] - k2]
    )  # fmt: skip
