"""Exact tests, against enumeration in whole numbers and against SciPy."""

from __future__ import annotations

from fractions import Fraction
from math import comb, factorial, log10

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from scipy.special import gammaln

from pipeline.statistics import fisher_2x2, fisher_2x3, hwe_exact

people = st.integers(0, 40)


def neg_log10(p: Fraction) -> float:
    return log10(p.denominator) - log10(p.numerator)


def hwe_by_enumeration(hom_ref: int, het: int, hom_alt: int) -> float:
    n_ref, n_alt = 2 * hom_ref + het, 2 * hom_alt + het
    n = hom_ref + het + hom_alt
    weights = {}
    for k in range(n_ref % 2, min(n_ref, n_alt) + 1, 2):
        ways = factorial(n) // (
            factorial(k) * factorial((n_ref - k) // 2) * factorial((n_alt - k) // 2)
        )
        weights[k] = ways * 2**k
    tail = sum(weight for weight in weights.values() if weight <= weights[het])
    return neg_log10(Fraction(tail, sum(weights.values())))


def fisher_by_enumeration(a: int, b: int, c: int, d: int) -> float:
    row, column, n = a + b, a + c, a + b + c + d
    weights = {
        k: comb(column, k) * comb(n - column, row - k)
        for k in range(max(0, row + column - n), min(row, column) + 1)
    }
    tail = sum(weight for weight in weights.values() if weight <= weights[a])
    return neg_log10(Fraction(tail, sum(weights.values())))


@settings(deadline=None)
@given(people, people, people)
@example(1, 0, 1)
@example(0, 1, 0)
@example(150, 0, 150)  # far in the tail
@example(0, 300, 0)
@example(0, 301, 3)
def test_hwe_exact__enumeration(hom_ref, het, hom_alt):
    ours = hwe_exact(hom_ref, het, hom_alt)
    if hom_ref + het + hom_alt == 0:
        assert np.isnan(ours)
        return
    np.testing.assert_allclose(ours, hwe_by_enumeration(hom_ref, het, hom_alt), atol=1e-12)


def fisher_2x3_by_enumeration(case: list[int], control: list[int]) -> float:
    columns, row = [a + b for a, b in zip(case, control, strict=True)], sum(case)

    def weight(k: tuple[int, int, int]) -> int:
        return comb(columns[0], k[0]) * comb(columns[1], k[1]) * comb(columns[2], k[2])

    observed, tail = weight(tuple(case)), 0
    for i in range(min(columns[0], row) + 1):
        for j in range(min(columns[1], row - i) + 1):
            one = weight((i, j, row - i - j))  # 0 where the last column has too few
            tail += one if one <= observed else 0
    return neg_log10(Fraction(tail, comb(sum(columns), row)))


rows_of_three = st.tuples(people, people, people)


@settings(deadline=None)
@given(rows_of_three, rows_of_three)
@example((40, 0, 0), (0, 40, 40))
@example((30, 3, 1), (30, 0, 0))
@example((10, 10, 10), (10, 10, 10))
@example((20, 5, 0), (10, 9, 0))
@example((0, 200, 3), (150, 2, 60))
def test_fisher_2x3__enumeration(case, control):
    ours = fisher_2x3(np.array([case]), np.array([control]))[0]
    columns = np.add(case, control)
    if np.count_nonzero(columns) < 2 or not sum(case) or not sum(control):
        assert np.isnan(ours)
        return
    expected = fisher_2x3_by_enumeration(list(case), list(control))
    np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-11)
    bound = fisher_2x3(np.array([case]), np.array([control]), np.array([expected]))[0]
    assert bound in (0.0, ours)  # what is not above need not be summed
    below = fisher_2x3(np.array([case]), np.array([control]), np.array([expected - 1e-6]))[0]
    assert below == ours


def test_fisher_2x3__common_genotypes_of_a_large_study():
    """Against the same sum over every table, in floating point."""
    rng = np.random.default_rng(8)
    ln = gammaln(np.arange(11_300) + 1.0)
    for share in (0.02, 0.2, 0.45):
        p = [(1 - share) ** 2, 2 * share * (1 - share), share**2]
        case, control = rng.multinomial(4900, p), rng.multinomial(6314, p)
        columns, n = case + control, 11_214
        k1, k2 = np.ogrid[: columns[1] + 1, : columns[2] + 1]
        k0 = 4900 - k1 - k2
        possible = (k0 >= 0) & (k0 <= columns[0])
        k0 = np.where(possible, k0, 0)
        left = np.where(possible, columns[0] - k0, 0)
        of_cells = ln[k0] + ln[left] + ln[k1] + ln[columns[1] - k1] + ln[k2] + ln[columns[2] - k2]
        ln_p = ln[columns].sum() + ln[4900] + ln[6314] - ln[n] - of_cells
        as_or_less = possible & (ln_p <= ln_p[case[1], case[2]] + 1e-7)
        expected = -np.log10(np.exp(ln_p[as_or_less]).sum())
        ours = fisher_2x3(case[None], control[None])
        np.testing.assert_allclose(ours, expected, rtol=1e-7, atol=1e-9)


def test_fisher_2x3__far_tail_and_no_tables():
    """Perfect separation has one table: the reciprocal of the number of ways to draw the row."""
    half = 5607
    ours = fisher_2x3(np.array([[half, 0, 0]]), np.array([[0, 3000, half - 3000]]))[0]
    ln_ways = gammaln(2 * half + 1) - 2 * gammaln(half + 1)
    # The mirror image, cases without the first column, does not fit into these margins but for
    # one way: everybody of the other two.
    expected = (ln_ways - np.log(2)) / np.log(10)
    np.testing.assert_allclose(ours, expected, rtol=1e-10)
    assert fisher_2x3(np.zeros((0, 3), int), np.zeros((0, 3), int)).shape == (0,)


@settings(deadline=None)
@given(people, people, people, people)
@example(0, 500, 500, 0)
@example(500, 0, 1, 700)
@example(5, 5, 5, 5)
@example(3, 4, 4, 5)
@example(0, 0, 3, 4)
@example(2, 0, 3, 0)
def test_fisher_2x2__enumeration_and_scipy(a, b, c, d):
    ours = fisher_2x2(a, b, c, d)
    if a + b + c + d == 0:
        assert np.isnan(ours)
        return
    np.testing.assert_allclose(ours, fisher_by_enumeration(a, b, c, d), atol=1e-12)
    scipy_p = scipy_stats.fisher_exact([[a, b], [c, d]]).pvalue
    np.testing.assert_allclose(10**-ours, scipy_p, rtol=1e-7)


@pytest.mark.parametrize("n", [1000, 1_000_000])
def test_large_counts__no_underflow(n):
    half = n // 2
    ln_n, ln_half, ln_2n = gammaln(np.array([n, half, 2 * n]) + 1)
    # Nobody heterozygous at equal allele frequencies: the single least likely table.
    ln_p = ln_n - 2 * ln_half + 2 * ln_n - ln_2n
    np.testing.assert_allclose(hwe_exact(half, 0, half), -ln_p / np.log(10), rtol=1e-9)
    # [[n / 2, 0], [0, n / 2]]: this table and its mirror image.
    ln_p = np.log(2) + 2 * ln_half - ln_n
    np.testing.assert_allclose(fisher_2x2(half, 0, 0, half), -ln_p / np.log(10), rtol=1e-9)
    # In equilibrium, and the same share in both rows.
    assert hwe_exact(n // 4, n // 2, n // 4) == 0
    assert fisher_2x2(half, half, half, half) == 0


def test_moderate_counts_of_a_large_study__scipy():
    rng = np.random.default_rng(6)
    a, c = rng.binomial(5000, 0.1, 50), rng.binomial(6200, 0.11, 50)
    ours = fisher_2x2(a, 5000 - a, c, 6200 - c)
    for i in range(50):
        theirs = scipy_stats.fisher_exact([[a[i], 5000 - a[i]], [c[i], 6200 - c[i]]]).pvalue
        np.testing.assert_allclose(10 ** -ours[i], theirs, rtol=1e-6)


@settings(deadline=None)
@given(people, people, people, people)
def test_symmetries(a, b, c, d):
    np.testing.assert_allclose(hwe_exact(a, b, c), hwe_exact(c, b, a), atol=1e-12)
    for other in ((c, d, a, b), (b, a, d, c), (a, c, b, d)):
        np.testing.assert_allclose(fisher_2x2(*other), fisher_2x2(a, b, c, d), atol=1e-12)


def test_shapes__broadcast():
    assert hwe_exact(np.zeros((0,), int), 1, 2).shape == (0,)
    assert fisher_2x2(np.ones((2, 3), int), 2, np.arange(3), 4).shape == (2, 3)
    many = fisher_2x2(np.arange(5000) % 7, 5, 3, np.arange(5000) % 11)
    assert many[1234] == fisher_2x2(1234 % 7, 5, 3, 1234 % 11)


def test_negative_counts__raise():
    with pytest.raises(ValueError, match="0 or more"):
        hwe_exact([1, 2], [-1, 0], 3)
    with pytest.raises(ValueError, match="0 or more"):
        fisher_2x2(1, 2, 3, -4)
