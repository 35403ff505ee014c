"""Metrics against scikit-learn and by hand; the paper's prediction error."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, log_loss, roc_auc_score, roc_curve

from pipeline.errors import EmptyResultError
from pipeline.evaluation import (
    choose_threshold,
    draw_prediction_people,
    evaluate,
    prediction_error,
)
from pipeline.statistics import auc_delong, wilson


def test_metrics_equal_scikit_learn():
    rng = np.random.default_rng(0)
    is_case = rng.random(300) < 0.4
    probability = np.clip(0.3 * is_case + rng.random(300) * 0.7, 0, 1).astype(np.float32)
    metrics = evaluate(is_case, probability, confidence=0.9)
    called = probability > 0.5
    assert metrics["n"] == 300
    assert metrics["confusion"] == confusion_matrix(is_case, called).tolist()
    assert metrics["loss"] == pytest.approx(log_loss(is_case, probability.astype(float)))
    assert metrics["auc"]["value"] == pytest.approx(roc_auc_score(is_case, probability))
    assert metrics["auc"] == auc_delong(is_case, probability, 0.9).as_dict()
    assert metrics["accuracy"] == wilson(int((called == is_case).sum()), 300, 0.9).as_dict()
    json.dumps(metrics, allow_nan=False)


def test_by_hand():
    is_case = np.array([False, False, False, True, True])
    metrics = evaluate(is_case, np.array([0.1, 0.5, 0.8, 0.9, 0.2]))
    # 0.5 is not above the threshold: a control.
    assert metrics["confusion"] == [[2, 1], [1, 1]]
    assert metrics["accuracy"]["value"] == pytest.approx(3 / 5)
    # Pairs in which the case is above the control: 0.9 three, 0.2 one; 4 of 6.
    assert metrics["auc"]["value"] == pytest.approx(4 / 6)


def test_a_score_that_is_no_probability_has_no_loss():
    metrics = evaluate(
        np.array([True, False]), np.array([3.0, -4.0]), threshold=1.0, is_probability=False
    )
    assert metrics["loss"] is None
    assert metrics["confusion"] == [[1, 0], [0, 1]]


def test_one_class_has_no_area():
    metrics = evaluate(np.ones(4, bool), np.full(4, 0.7))
    assert metrics["auc"] == {"value": None, "low": None, "high": None}
    json.dumps(metrics, allow_nan=False)


def test_nobody_is_a_sentence():
    with pytest.raises(EmptyResultError, match="there are none"):
        evaluate(np.array([], bool), np.array([]))


def test_prediction_error_counts_wrong_calls_and_training_rows():
    is_case = np.arange(200) % 2 == 0
    trained = np.arange(150)
    probability = is_case.astype(float)
    probability[150:] = 1 - probability[150:]  # right on every training row, wrong elsewhere
    everyone = np.arange(200)
    published = prediction_error(is_case, probability, everyone, trained, 0.1, seed=4)
    drawn = draw_prediction_people(everyone, 0.1, seed=4)
    assert published["n"] == 20 == np.unique(drawn).size
    assert published["n_trained"] == int((drawn < 150).sum())
    assert published["n_wrong"] == 20 - published["n_trained"]
    assert published["value"] == published["n_wrong"] / 20
    honest = prediction_error(is_case, probability, np.arange(150, 200), trained, 1.0, seed=4)
    assert (honest["value"], honest["n"], honest["n_trained"]) == (1.0, 50, 0)


def test_prediction_people_are_drawn_by_seed_and_never_none():
    few = np.array([3, 8, 9])
    assert draw_prediction_people(few, 0.01, seed=1).size == 1
    everyone = np.arange(1000)
    first, again, other = (draw_prediction_people(everyone, 0.05, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    # Over many seeds each person is drawn equally often.
    counts = np.zeros(20)
    for seed in range(400):
        counts[draw_prediction_people(np.arange(20), 0.25, seed)] += 1
    assert counts.min() > 65
    assert counts.max() < 135


def test_people_who_are_no_candidates_are_never_looked_at():
    is_case = np.arange(50) % 2 == 0
    probability = np.full(50, np.nan)
    probability[40:] = 0.9
    honest = prediction_error(is_case, probability, np.arange(40, 50), np.arange(40), 1.0, seed=0)
    assert honest["value"] == 0.5


@pytest.mark.parametrize("rule", ["accuracy", "youden"])
def test_a_chosen_threshold_is_as_good_as_any_of_scikit_learn(rule):
    rng = np.random.default_rng(8)
    is_case = rng.random(200) < 0.3
    score = np.round(rng.random(200) * 0.6 + 0.3 * is_case, 2)  # with ties
    threshold = choose_threshold(rule, score, is_case)
    fpr, tpr, _ = roc_curve(is_case, score, drop_intermediate=False)
    n_case = is_case.sum()
    called = score > threshold
    if rule == "youden":
        got = called[is_case].mean() - called[~is_case].mean()
        assert got == pytest.approx(np.max(tpr - fpr))
    else:
        right = tpr * n_case + (1 - fpr) * (200 - n_case)
        assert (called == is_case).sum() == pytest.approx(right.max())


def test_a_threshold_of_half_looks_at_nobody():
    assert choose_threshold("half", np.array([]), np.array([], bool)) == 0.5


def test_a_threshold_exists_when_all_scores_are_equal():
    threshold = choose_threshold("youden", np.full(6, 0.4), np.arange(6) < 2)
    assert np.isfinite(threshold)
