"""Baselines against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.preprocessing import StandardScaler
from statsmodels.stats.contingency_tables import Table2x2

from pipeline.baselines import (
    BASELINES,
    L2_PENALTIES,
    best_threshold,
    fit_baselines,
    log_odds_ratios,
)
from tests.test_training import cohort


@pytest.fixture(scope="module")
def people():
    return (*cohort(500, 40), *cohort(200, 40, seed=1), *cohort(400, 40, seed=2))


def imputed(fit: np.ndarray, part: np.ndarray) -> np.ndarray:
    mean = np.nanmean(np.where(fit == 3, np.nan, fit), axis=0)
    return np.where(part == 3, mean, part)


def test_a_planted_signal_is_found_by_all_but_the_majority(people):
    x_fit, y_fit, x_watch, y_watch, x_test, y_test = people
    fitted = fit_baselines(x_fit, y_fit, x_watch, y_watch, x_test, seed=1)
    assert tuple(fitted) == BASELINES
    for name in BASELINES[1:]:
        baseline = fitted[name]
        assert baseline.score.shape == (400,)
        assert baseline.score.dtype == np.float32
        assert roc_auc_score(y_test, baseline.score) > 0.85, name
        assert np.mean((baseline.score > baseline.threshold) == y_test) > 0.75, name
    assert fitted["logistic_l1"].n_variants < 40 == fitted["logistic_l2"].n_variants
    majority = fitted["majority"]
    assert np.all(majority.score == np.float32(y_fit.mean()))
    assert majority.threshold == 0.5


def test_noise_stays_noise(people):
    x_fit, _, x_watch, _, x_test, _ = people
    rng = np.random.default_rng(3)
    labels = [rng.random(len(x)) < 0.5 for x in (x_fit, x_watch, x_test)]
    fitted = fit_baselines(x_fit, labels[0], x_watch, labels[1], x_test, seed=1)
    for baseline in fitted.values():
        # Standard error on 400 people: 0.029.
        assert abs(roc_auc_score(labels[2], baseline.score) - 0.5) < 0.1


def test_logistic_l2_is_that_of_scikit_learn(people):
    x_fit, y_fit, x_watch, y_watch, x_test, _ = people
    ours = fit_baselines(x_fit, y_fit, x_watch, y_watch, x_test, 1, ["logistic_l2"])["logistic_l2"]
    called = np.where(x_fit == 3, np.nan, x_fit)
    scaler = StandardScaler().fit(called)
    fit, watch, test = (scaler.transform(imputed(x_fit, x)) for x in (x_fit, x_watch, x_test))
    losses, scores = [], []
    for penalty in L2_PENALTIES:
        model = LogisticRegression(C=1 / (penalty * len(y_fit)), max_iter=1000).fit(fit, y_fit)
        losses.append(log_loss(y_watch, model.predict_proba(watch)[:, 1]))
        scores.append(model.predict_proba(test)[:, 1])
    best = int(np.argmin(losses))
    assert ours.penalty == L2_PENALTIES[best]
    np.testing.assert_allclose(ours.score, scores[best], atol=2e-3)


def test_logistic_l1_solves_its_own_equation(people):
    """saga minimises the same function by another road, without shrinking the intercept."""
    x_fit, y_fit, x_watch, y_watch, x_test, _ = people
    ours = fit_baselines(x_fit, y_fit, x_watch, y_watch, x_test, 1, ["logistic_l1"])["logistic_l1"]
    called = np.where(x_fit == 3, np.nan, x_fit)
    scaler = StandardScaler().fit(called)
    fit, test = (scaler.transform(imputed(x_fit, x)) for x in (x_fit, x_test))
    theirs = LogisticRegression(
        C=1 / (ours.penalty * len(y_fit)), l1_ratio=1.0, solver="saga", max_iter=5000, tol=1e-6
    ).fit(fit, y_fit)
    np.testing.assert_allclose(ours.score, theirs.predict_proba(test)[:, 1], atol=5e-3)
    assert ours.n_variants == np.count_nonzero(theirs.coef_)


def test_additive_by_hand(people):
    x_fit, y_fit, x_watch, y_watch, x_test, _ = people
    ours = fit_baselines(x_fit, y_fit, x_watch, y_watch, x_test, 1, ["additive"])["additive"]
    weights = log_odds_ratios(x_fit, y_fit)
    np.testing.assert_allclose(ours.score, imputed(x_fit, x_test) @ weights, atol=1e-4)
    watched = imputed(x_fit, x_watch) @ weights
    best = max(np.mean((watched > cut) == y_watch) for cut in np.append(watched, -np.inf))
    assert np.mean((watched > ours.threshold) == y_watch) == best
    assert not ours.is_probability


def test_log_odds_ratios_equal_statsmodels():
    codes = np.array([[0, 0, 3], [1, 0, 0], [2, 0, 1], [0, 1, 2], [1, 0, 0], [3, 0, 0]], np.uint8)
    is_case = np.array([True, True, True, False, False, False])
    # Alternate and reference alleles of cases, of controls, plus a half in each cell.
    tables = [[[3, 3], [1, 3]], [[0, 6], [1, 5]], [[1, 3], [2, 4]]]
    expected = [Table2x2(np.array(cells) + 0.5).log_oddsratio for cells in tables]
    np.testing.assert_allclose(log_odds_ratios(codes, is_case), expected)


@given(
    scores=st.lists(st.integers(-3, 3), min_size=1, max_size=12),
    labels=st.lists(st.booleans(), min_size=12, max_size=12),
)
@settings(max_examples=100, deadline=None)
def test_no_threshold_is_more_accurate(scores, labels):
    score = np.array(scores, dtype=float)
    is_case = np.array(labels[: score.size])
    threshold = best_threshold(score, is_case)
    best = max(np.mean((score > cut) == is_case) for cut in np.arange(-4.5, 5))
    assert np.mean((score > threshold) == is_case) == best


@pytest.mark.parametrize("constant", [0, 3])
def test_variants_that_do_not_vary_leave_the_share_of_cases(constant):
    codes = np.full((60, 2), constant, dtype=np.uint8)
    is_case = np.arange(60) % 3 == 0
    fitted = fit_baselines(codes, is_case, codes, is_case, codes, seed=1)
    for name in ("logistic_l1", "logistic_l2"):
        np.testing.assert_allclose(fitted[name].score, 1 / 3, atol=0.01)
    assert np.ptp(fitted["additive"].score) == 0
