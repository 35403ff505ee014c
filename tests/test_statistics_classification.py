"""Calls, calibration and liability against scikit-learn, and against people drawn from a model."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    brier_score_loss,
    confusion_matrix,
    f1_score,
    matthews_corrcoef,
    precision_score,
    recall_score,
)
from statsmodels.stats.proportion import proportion_confint

from pipeline.statistics import (
    Correlation,
    calibration,
    calls,
    liability_r2,
    liability_r2_of,
    mean_correlation,
    score_correlation,
)


@pytest.fixture(scope="module")
def people() -> tuple[np.ndarray, np.ndarray]:
    """Return who is a case, and P(case), of 1,500 people; the probabilities come true."""
    rng = np.random.default_rng(4)
    probability = rng.beta(2, 3, 1500).round(3)
    return rng.random(1500) < probability, probability


def test_calls_equal_scikit_learn(people):
    is_case, probability = people
    called = probability > 0.4
    confusion = confusion_matrix(is_case, called)
    found = calls(confusion, 0.01)
    assert found.sensitivity.value == pytest.approx(recall_score(is_case, called))
    assert found.specificity.value == pytest.approx(recall_score(~is_case, ~called))
    assert found.precision.value == pytest.approx(precision_score(is_case, called))
    assert found.f1 == pytest.approx(f1_score(is_case, called))
    assert found.mcc == pytest.approx(matthews_corrcoef(is_case, called))
    limits = proportion_confint(confusion[1, 1], confusion[1].sum(), method="wilson")
    assert (found.sensitivity.low, found.sensitivity.high) == pytest.approx(limits)


def test_predictive_values_follow_bayes():
    confusion = np.array([[900, 100], [40, 160]])
    rare, own = calls(confusion, 0.01), calls(confusion, 200 / 1200)
    # Of 10,000 people 100 are ill, of whom 80 are called; of 9,900 others 990 are.
    assert rare.ppv.value == pytest.approx(80 / 1070)
    assert rare.npv.value == pytest.approx(8910 / 8930)
    assert own.ppv.value == pytest.approx(own.precision.value)
    assert rare.ppv.low < rare.ppv.value < rare.ppv.high
    assert rare.npv.low < rare.npv.value < rare.npv.high


@pytest.mark.parametrize("prevalence", [0.01, 0.3])
def test_limits_of_predictive_values_cover_the_truth(prevalence):
    rng = np.random.default_rng(1)
    sensitivity, specificity = 0.7, 0.85
    ill, falsely = prevalence * sensitivity, (1 - prevalence) * (1 - specificity)
    truth = ill / (ill + falsely)
    covered = 0
    for _ in range(1000):
        tp, tn = rng.binomial(80, sensitivity), rng.binomial(120, specificity)
        ppv = calls(np.array([[tn, 120 - tn], [80 - tp, tp]]), prevalence).ppv
        covered += ppv.low <= truth <= ppv.high
    assert 930 <= covered <= 975


@pytest.mark.parametrize(
    "confusion", [[[50, 0], [0, 30]], [[50, 0], [30, 0]], [[0, 50], [0, 30]], [[0, 50], [30, 0]]]
)
def test_extreme_calls_stay_within_bounds(confusion):
    found = calls(np.array(confusion), 0.01)
    for interval in (found.sensitivity, found.specificity, found.ppv, found.npv):
        if not np.isnan(interval.value):
            assert 0 <= interval.low <= interval.value <= interval.high <= 1
    has_two_columns = np.sum(confusion, axis=0).all()
    assert np.isnan(found.mcc) != has_two_columns


def test_nobody_has_no_number():
    found = calls(np.array([[7, 3], [0, 0]]), 0.5)
    assert np.isnan([found.sensitivity.value, found.ppv.value, found.npv.value, found.mcc]).all()
    with pytest.raises(ValueError, match="prevalence"):
        calls(np.array([[7, 3], [1, 2]]), 0.0)


def test_calibration_equals_scikit_learn(people):
    is_case, probability = people
    found = calibration(is_case, probability)
    share, mean = calibration_curve(is_case, probability, n_bins=10, strategy="quantile")
    np.testing.assert_allclose(found.share, share)
    np.testing.assert_allclose(found.probability, mean)
    assert found.n.sum() == len(is_case)
    assert found.brier == pytest.approx(brier_score_loss(is_case, probability))
    assert found.ece == pytest.approx(np.average(np.abs(share - mean), weights=found.n))
    assert ((found.low <= share) & (share <= found.high)).all()


def test_true_probabilities_are_calibrated_and_boasting_is_seen(people):
    is_case, probability = people
    boasting = np.clip(0.5 + 3 * (probability - 0.5), 0, 1)
    assert calibration(is_case, probability).ece < 0.05
    assert calibration(is_case, boasting).ece > 0.15


def test_people_of_one_probability_share_a_bin():
    found = calibration(np.array([True, False, True, True]), np.full(4, 0.6))
    assert (found.n.tolist(), found.share.tolist()) == ([4], [0.75])


@pytest.mark.parametrize(("prevalence", "share"), [(0.01, 0.45), (0.01, 0.01), (0.2, 0.5)])
@pytest.mark.parametrize("r2", [0.05, 0.2])
def test_liability_r2_finds_what_was_simulated(prevalence, share, r2):
    rng = np.random.default_rng(7)
    score = rng.normal(0, np.sqrt(r2), 3_000_000)
    is_ill = score + rng.normal(0, np.sqrt(1 - r2), score.size) > stats.norm.isf(prevalence)
    ill, well = np.flatnonzero(is_ill), np.flatnonzero(~is_ill)
    n_well = round(ill.size * (1 - share) / share)
    taken = np.concatenate([ill, well[:n_well]])
    found = liability_r2(is_ill[taken], score[taken], prevalence)
    assert found.value == pytest.approx(r2, rel=0.06)
    assert found.low < found.value < found.high


def test_liability_r2_of_noise_is_near_zero_and_of_nothing_is_none():
    rng = np.random.default_rng(2)
    is_case, score = rng.random(2000) < 0.4, rng.normal(size=2000)
    found = liability_r2(is_case, score, 0.01)
    assert found.value < 0.01
    assert found.low == 0
    assert np.isnan(liability_r2(is_case, np.ones(2000), 0.01).value)
    assert np.isnan(liability_r2(np.ones(2000, bool), score, 0.01).value)


def test_small_bins_are_joined_and_nobody_is_lost(people):
    is_case, probability = people
    found = calibration(is_case, probability, 10, min_people=200)
    alone = calibration(is_case, probability, 10)
    assert found.n.sum() == alone.n.sum() == 1500
    assert found.n.min() >= 200
    assert len(found.n) == 5
    assert np.average(found.share, weights=found.n) == pytest.approx(is_case.mean())
    assert calibration(is_case, probability, 10, min_people=10_000).n.tolist() == [1500]


def test_people_given_twice_narrow_no_limit(people):
    is_case, probability = people
    once = calibration(is_case, probability)
    twice = calibration(np.tile(is_case, 2), np.tile(probability, 2), n_repeats=2)
    for name in ("probability", "share", "low", "high", "n"):
        np.testing.assert_allclose(getattr(twice, name), getattr(once, name))


def test_correlation_equals_scipy_and_its_mean_over_folds_is_fishers(people):
    is_case, probability = people
    parts = [slice(0, 400), slice(400, 1500)]
    alone = [score_correlation(is_case[part], probability[part]) for part in parts]
    for part, found in zip(parts, alone, strict=True):
        assert found.r == pytest.approx(stats.pearsonr(is_case[part], probability[part])[0])
    found = mean_correlation(alone)
    z = (397 * np.arctanh(alone[0].r) + 1097 * np.arctanh(alone[1].r)) / 1494
    assert (found.r, found.n) == pytest.approx((np.tanh(z), 1497))
    assert found.share == pytest.approx(is_case.mean())
    twice = mean_correlation(alone * 2, n_repeats=2)
    assert (twice.r, twice.n) == pytest.approx((found.r, found.n))


def test_limits_of_a_correlation_over_folds_are_scipys():
    found = liability_r2_of(Correlation(0.4, 300, 0.5), 0.5)
    # At half of the people ill and half of the sample cases, R2 is r2 * pi / 2.
    low, high = np.tanh(np.arctanh(0.4) + np.array([-1, 1]) * stats.norm.isf(0.025) / 297**0.5)
    assert found.value == pytest.approx(0.16 * np.pi / 2)
    assert (found.low, found.high) == pytest.approx((low**2 * np.pi / 2, high**2 * np.pi / 2))


def test_no_correlation_is_no_share_of_variance():
    one_class = score_correlation(np.ones(9, bool), np.arange(9.0))
    assert np.isnan(one_class.r)
    assert np.isnan(mean_correlation([one_class]).r)
    both = Correlation(0.3, 50, 0.4)
    assert mean_correlation([one_class, both]).r == pytest.approx(0.3)
    assert np.isnan(liability_r2_of(mean_correlation([]), 0.01).value)
