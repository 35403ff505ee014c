"""Lambda, Bonferroni and the false discovery rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from pipeline.statistics import bonferroni_neg_log10, genomic_lambda, n_discoveries


@settings(deadline=None)
@given(st.lists(st.floats(0, 30), min_size=1, max_size=60))
def test_genomic_lambda__scipy(neg_log10_p):
    values = np.array(neg_log10_p)
    quantiles = scipy_stats.chi2.isf(10**-values, 1)
    expected = np.median(quantiles) / scipy_stats.chi2.median(1)
    ours = genomic_lambda(values, np.ones(values.size, bool))
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-9)


def test_genomic_lambda__used_variants_only_and_nan():
    values = np.array([np.nan, 0.3, 1000.0, 2.0])
    use = np.array([True, True, False, False])
    assert genomic_lambda(values, use) == genomic_lambda(values[1:2], np.array([True]))
    assert np.isnan(genomic_lambda(values, np.zeros(4, bool)))
    assert np.isnan(genomic_lambda(values[:1], np.ones(1, bool)))
    assert np.isnan(genomic_lambda(np.array([]), np.array([], bool)))


def test_genomic_lambda__planted():
    rng = np.random.default_rng(7)
    for inflation in (1.0, 1.3):
        x = inflation * rng.chisquare(1, 200_000)
        neg_log10_p = -scipy_stats.chi2.logsf(x, 1) / np.log(10)
        ours = genomic_lambda(neg_log10_p, np.ones(x.size, bool))
        assert ours == pytest.approx(inflation, rel=0.02)
    # -log10 p of 300,000 is x near 1.38 million.
    huge = genomic_lambda(np.array([300_000.0]), np.ones(1, bool))
    assert huge == pytest.approx(2 * np.log(10) * 300_000 / 0.454936, rel=1e-4)


def test_bonferroni_neg_log10():
    assert bonferroni_neg_log10(1_000_000, 0.05) == pytest.approx(7.30103)
    assert np.isnan(bonferroni_neg_log10(0, 0.05))


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 20) | st.sampled_from([0.0, 1.0, 2.0]), min_size=1, max_size=80),
    st.sampled_from([0.05, 0.2, 0.5]),
)
def test_n_discoveries__scipy_and_statsmodels(neg_log10_p, alpha):
    values = np.array(neg_log10_p)
    q = scipy_stats.false_discovery_control(10**-values)
    assume(np.abs(q - alpha).min() > 1e-9)  # at the line rounding decides
    ours = n_discoveries(values, alpha)
    assert ours == np.count_nonzero(q < alpha)
    assert ours == np.count_nonzero(multipletests(10**-values, alpha, method="fdr_bh")[0])


def test_n_discoveries__nan_is_not_counted_and_nothing_underflows():
    nan = np.nan
    # 0.02 is accepted among two tests (0.02 x 2 / 2), not among four.
    assert n_discoveries(np.array([5000.0, -np.log10(0.02), nan, nan]), 0.03) == 2
    assert n_discoveries(np.array([5000.0, -np.log10(0.02), 0.0, 0.0]), 0.03) == 1
    assert n_discoveries(np.full(3, nan), 0.05) == 0
    assert n_discoveries(np.array([]), 0.05) == 0
