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

from pipeline.statistics import fisher_2x2, hwe_exact

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
