"""Wilson against statsmodels, DeLong against scikit-learn and the O(n^2) definition."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from pipeline.statistics import Interval, auc_delong, auc_difference, wilson


@settings(deadline=None)
@given(st.integers(1, 5000), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson__statsmodels(n, share, confidence):
    n_successes = round(share * n)
    ours = wilson(n_successes, n, confidence)
    theirs = proportion_confint(n_successes, n, 1 - confidence, method="wilson")
    np.testing.assert_allclose([ours.low, ours.high], theirs, atol=1e-12)
    assert ours.value == n_successes / n
    assert 0 <= ours.low <= ours.value <= ours.high <= 1


def test_wilson__nobody():
    assert np.isnan([wilson(0, 0).value, wilson(0, 0).low, wilson(0, 0).high]).all()


def test_interval__json():
    assert json.loads(json.dumps(wilson(1, 2).as_dict())).keys() == {"value", "low", "high"}
    with pytest.raises(AttributeError):
        Interval(0.5, 0.4, 0.6).value = 1.0


def kernel(is_case, score):
    """Return who of each case-control pair is higher: 1, 1/2 or 0, (n_case, n_control)."""
    case, control = score[is_case][:, None], score[~is_case][None]
    return (case > control) + 0.5 * (case == control)


def delong_variance(is_case, *scores):
    """Return DeLong's covariance matrix of the areas, from the definition."""
    kernels = [kernel(is_case, score) for score in scores]
    of_case = np.cov([k.mean(axis=1) for k in kernels]) / is_case.sum()
    of_control = np.cov([k.mean(axis=0) for k in kernels]) / (~is_case).sum()
    return of_case + of_control


def people(seed, n, levels):
    rng = np.random.default_rng(seed)
    is_case = rng.random(n) < 0.4
    is_case[:4] = True, True, False, False
    score = is_case * 0.8 + rng.normal(size=n)
    other = score + rng.normal(size=n)
    return is_case, *(np.round(s * levels) / levels for s in (score, other))


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(4, 120), st.sampled_from([1, 3, 1e6]))
def test_auc_delong__sklearn_and_definition(seed, n, levels):
    is_case, score, _ = people(seed, n, levels)
    ours = auc_delong(is_case, score, 0.9)
    np.testing.assert_allclose(ours.value, roc_auc_score(is_case, score))
    if ours.value in (0.0, 1.0):
        return
    error = np.sqrt(delong_variance(is_case, score))
    z = scipy_stats.norm.ppf(0.95)
    logit_error = error / (ours.value * (1 - ours.value))
    odds = ours.value / (1 - ours.value) * np.exp([-z * logit_error, z * logit_error])
    np.testing.assert_allclose([ours.low, ours.high], odds / (1 + odds), atol=1e-12)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(4, 120), st.sampled_from([1, 3, 1e6]))
def test_auc_difference__sklearn_and_definition(seed, n, levels):
    is_case, a, b = people(seed, n, levels)
    ours = auc_difference(is_case, a, b, 0.9)
    value = roc_auc_score(is_case, a) - roc_auc_score(is_case, b)
    covariance = delong_variance(is_case, a, b)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    margin = scipy_stats.norm.ppf(0.95) * np.sqrt(max(variance, 0.0))
    np.testing.assert_allclose(ours.value, value, atol=1e-12)
    limits = np.clip([value - margin, value + margin], -1, 1)
    np.testing.assert_allclose([ours.low, ours.high], limits, atol=1e-7)


def test_auc_delong__covers_the_truth():
    rng = np.random.default_rng(8)
    truth = scipy_stats.norm.cdf(1 / np.sqrt(2))
    is_case = np.arange(150) < 60
    covered = 0
    for _ in range(600):
        interval = auc_delong(is_case, rng.normal(size=150) + is_case)
        covered += interval.low <= truth <= interval.high
    assert 0.92 < covered / 600 < 0.98


def test_auc_delong__perfect_scores_do_not_claim_certainty():
    is_case = np.array([True] * 5 + [False] * 20)
    perfect = auc_delong(is_case, is_case.astype(float))
    assert perfect.value == perfect.high == 1.0
    assert perfect.low == pytest.approx(wilson(5, 5).low)
    reversed_score = auc_delong(is_case, -is_case.astype(float))
    assert reversed_score.value == reversed_score.low == 0.0
    assert reversed_score.high == pytest.approx(wilson(0, 5).high)
    constant = auc_delong(is_case, np.zeros(25))
    assert (constant.value, constant.low, constant.high) == (0.5, 0.5, 0.5)


def test_empty_or_single_classes_and_nan():
    for is_case in (np.zeros(3, bool), np.ones(3, bool), np.zeros(0, bool)):
        score = np.arange(is_case.size, dtype=float)
        assert np.isnan(auc_delong(is_case, score).value)
        assert np.isnan(auc_difference(is_case, score, -score).value)
    single = auc_delong(np.array([True, False, False]), np.array([2.0, 1.0, 3.0]))
    assert single.value == 0.5
    assert np.isnan([single.low, single.high]).all()
    with pytest.raises(ValueError, match="NaN"):
        auc_delong(np.array([True, False]), np.array([1.0, np.nan]))


def test_auc_difference__same_score_is_zero():
    is_case, score, _ = people(9, 80, 3)
    same = auc_difference(is_case, score, score)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
