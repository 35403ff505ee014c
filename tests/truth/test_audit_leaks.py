"""Each look at the test people by itself: who looks at whom, and what it is worth on noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pipeline.audit import LOGISTIC, NETWORK
from pipeline.audit.fits import fits, roles_of
from pipeline.audit.leaks import leaks, looks_of
from pipeline.audit.models import first_plan
from pipeline.evaluation import draw_prediction_people
from pipeline.presets import apply_preset
from pipeline.progress import silent
from pipeline.settings import AnalysisSettings, with_changes
from pipeline.splits import make_splits
from pipeline.statistics import mean_interval
from tests.truth.known import Known, simulated

SETTINGS = with_changes(AnalysisSettings(), {"split.test_fraction": 0.3})
N_PERMUTATIONS = 6


@pytest.fixture(scope="module")
def noise(tmp_path_factory) -> Known:
    folder = tmp_path_factory.mktemp("noise")
    return simulated(folder, seed=31, people=600, genes=250, null=True)


@pytest.fixture(scope="module")
def found(noise) -> dict:
    with noise.opened() as cohort:
        heard: list[dict] = []
        made = leaks(cohort, SETTINGS, LOGISTIC, N_PERMUTATIONS, on_part=heard.append)
    assert heard[0]["n_permutations"] == 0, "the true labels come first"
    assert heard[-1] == made.as_dict()
    return made.as_dict()


def test_who_looks_at_the_test_people():
    is_case = np.arange(60) % 2 == 0
    (split,) = make_splits(is_case, SETTINGS.split)
    seen = {}
    for way in ("honest", "chosen", "scaled", "stopped", "published"):
        choosing, roles = roles_of(split, way, NETWORK)
        named = {"chosen": choosing, "scaled": roles.fit, "stopped": roles.watch}
        seen[way] = {name for name, who in named.items() if np.isin(split.test, who).any()}
        assert not np.isin(split.test, roles.train).any()
        assert np.array_equal(roles.test, split.test)
    assert seen == {
        "honest": set(),
        "chosen": {"chosen"},
        "scaled": {"scaled"},
        "stopped": {"stopped"},
        "published": {"chosen", "scaled", "stopped"},
    }
    # Of a regression nothing but the order differs.
    assert roles_of(split, "published", LOGISTIC)[1].watch is roles_of(split, "honest", "")[1].watch
    assert looks_of(LOGISTIC) == ("chosen", "scaled", "stopped")


def test_choosing_on_all_people_is_the_leak_and_scaling_is_none(found):
    gain = {leak["way"]: leak["gain_on_noise"] for leak in found["leaks"]}
    assert gain["chosen"]["low"] > 0.1
    assert abs(gain["scaled"]["value"]) < 0.02
    assert abs(gain["stopped"]["value"]) < 0.05
    assert "choosing variants on all people" in found["sentence"]


def test_the_prediction_set_is_drawn_from_all_people(noise, found):
    with noise.opened() as cohort:
        plan = first_plan(cohort, SETTINGS)
        honest = next(iter(fits(cohort, SETTINGS, LOGISTIC, ["honest"], 0, silent)))
    drawn = draw_prediction_people(np.arange(len(plan.people)), 0.01, SETTINGS.training.seed)
    one = found["prediction"]
    assert one["n_drawn"] == len(drawn)
    assert one["n_trained"] == np.isin(drawn, plan.splits[0].train).sum()
    assert one["drawn"]["value"] == honest.is_wrong[drawn].mean()
    assert one["everybody"] == honest.is_wrong.mean()
    test = plan.splits[0].test
    assert one["test"]["value"] == pytest.approx(honest.is_wrong[test].mean())


def test_a_network_that_stops_on_test_people_differs_from_one_that_does_not(noise):
    changes = {"split.test_fraction": 0.3, "training.epochs": 4}
    settings = with_changes(apply_preset("quick"), changes)
    with noise.opened() as cohort:
        ways = {
            one.way: one
            for one in fits(cohort, settings, NETWORK, ["honest", "scaled", "published"], 0, silent)
        }
    assert ways["honest"].n_selected == ways["scaled"].n_selected
    assert not np.array_equal(ways["honest"].score, ways["scaled"].score)
    assert ways["published"].auc > ways["honest"].auc


def test_the_interval_of_a_mean_is_students():
    values = np.random.default_rng(1).normal(size=7)
    low, high = stats.t.interval(0.9, 6, values.mean(), stats.sem(values))
    found = mean_interval(values, 0.9)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert np.isnan(mean_interval([1.0]).low)
