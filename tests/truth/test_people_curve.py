"""The learning curve over people: known curves are recovered, noise is flat, more people help."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit
from sklearn.metrics import roc_auc_score

from pipeline import runs
from pipeline.audit.models import first_plan
from pipeline.audit.people_curve import SHARES, PeopleCurve, nested_parts, people_curve
from pipeline.audit.people_trend import bootstrap_aucs, extrapolate, fit_trends
from pipeline.errors import Cancelled, EmptyResultError
from pipeline.presets import apply_preset
from pipeline.progress import Progress
from pipeline.settings import AnalysisSettings, with_changes
from tests.truth.known import Known, simulated, train

SETTINGS = with_changes(AnalysisSettings(), {"split.test_fraction": 0.3})
N = np.array([400.0, 800, 1200, 1600, 2000])
EQUAL = np.ones(5)


@pytest.fixture(scope="module")
def signals(tmp_path_factory) -> list[Known]:
    folder = tmp_path_factory.mktemp("signals")
    return [simulated(folder / str(s), seed=s, people=1000, genes=100) for s in (41, 42, 43)]


@pytest.fixture(scope="module")
def curves(signals) -> list[PeopleCurve]:
    return [curve(known) for known in signals]


@pytest.fixture(scope="module")
def noise(tmp_path_factory) -> Known:
    return simulated(tmp_path_factory.mktemp("noise"), seed=44, people=900, genes=120, null=True)


def curve(known: Known, **options) -> PeopleCurve:
    with known.opened() as cohort:
        return people_curve(cohort, SETTINGS, **options)


def test_more_people_help_where_there_is_a_signal(curves):
    fewest = [one.points()[0]["value"] for one in curves]
    all_ = [one.points()[-1]["value"] for one in curves]
    assert np.mean(all_) > np.mean(fewest) + 0.02
    assert np.mean([one.trend.gain.value for one in curves]) > 0.005
    for one in curves:
        assert one.trend.twice.low < one.trend.twice.value < one.trend.twice.high
        assert one.sentence().startswith(("With twice as many training people", "The curve is"))
        assert [row["n_draws"] for row in one.points()] == [3, 3, 3, 3, 1]


def test_noise_is_flat_at_a_coin(noise):
    found = curve(noise)
    assert found.verdict == "flat"
    assert found.sentence().startswith("The curve is flat")
    assert found.trend.twice.low < 0.5 < found.trend.twice.high
    assert all(row["low"] < 0.5 < row["high"] for row in found.points())


def test_all_people_give_what_an_honest_run_gives(signals, curves):
    changes = {"split.test_fraction": 0.3, "training.epochs": 1}
    metrics = runs.read_metrics(train(signals[0].cache, changes))
    last = curves[0].points()[-1]
    assert last["value"] == pytest.approx(metrics["baselines"]["logistic_l2"]["auc"]["value"])
    assert last["n_selected"] == metrics["folds"][0]["selected"]
    assert last["n_train"] == metrics["folds"][0]["n_train"]


def test_parts_come_as_they_are_fitted_honest_and_leave_nothing_on_disk(signals, curves):
    parts = []
    published = with_changes(SETTINGS, {"selection.protocol": "published"})
    with signals[0].opened() as cohort:
        folder = cohort.store.path.parent / "counts"
        before = sorted(folder.glob("*")) if folder.exists() else []
        found = people_curve(cohort, published, on_part=parts.append, n_draws=1)
        assert (sorted(folder.glob("*")) if folder.exists() else []) == before
    assert [part["n_fits"] for part in parts] == [1, 2, 3, 4, 5]
    assert [part["trend"] is None for part in parts] == [True] * 4 + [False]
    assert parts[-1] == json.loads(json.dumps(found.as_dict(), allow_nan=False))
    # The first draw of three is the draw of one, and the selection is honest for either.
    assert found.points()[-1]["draws"] == curves[0].points()[-1]["draws"]
    assert found.points()[0]["draws"] == curves[0].points()[0]["draws"][:1]


def test_a_model_is_taught_and_scaled_by_its_part_alone(signals, monkeypatch):
    asked = []

    def no_fits(cohort, function, calls, look, **_):
        asked.extend(calls)
        for number, (_, _, _, _, _, roles, _) in enumerate(calls):
            yield number, np.linspace(0, 1, len(roles.test))

    monkeypatch.setattr("pipeline.audit.people_curve.spread", no_fits)
    found = curve(signals[0])
    with signals[0].opened() as cohort:
        split = first_plan(cohort, SETTINGS).splits[0]
    for *_, people, _, roles, selection in asked:
        np.testing.assert_array_equal(roles.fit, roles.train)
        np.testing.assert_array_equal(selection.looked_at, people[roles.train])
        np.testing.assert_array_equal(roles.watch, split.validation)
        np.testing.assert_array_equal(roles.test, split.test)
        assert set(roles.train) <= set(split.train)
    n_taught = sorted(len(roles.train) for *_, roles, _ in asked)
    assert n_taught == sorted(fit.n_train for fit in found.fits)
    assert n_taught[0] == pytest.approx(0.2 * len(split.train), abs=1)


def test_the_network_has_a_curve(signals):
    quick = with_changes(apply_preset("quick"), {"training.epochs": 1})
    with signals[0].opened() as cohort:
        found = people_curve(cohort, quick, "network")
    assert len(found.fits) == 5
    assert found.as_dict()["model"] == "network"


def test_it_can_be_stopped(signals):
    def stop(progress: Progress) -> None:
        if progress.phase == "growing the training people":
            raise Cancelled

    with pytest.raises(Cancelled):
        curve(signals[0], on_progress=stop)


def test_nothing_chosen_is_a_sentence_for_all_people_and_a_coin_for_few(signals):
    with signals[0].opened() as cohort:
        none = with_changes(SETTINGS, {"selection.max_p": 1e-30})
        with pytest.raises(EmptyResultError, match=r"selection\.max_p"):
            people_curve(cohort, none)
        few = with_changes(SETTINGS, {"selection.max_p": 1e-4})
        found = people_curve(cohort, few, n_draws=1)
    for fit in found.fits:
        assert fit.n_selected or np.all(fit.score == 0.5)


@pytest.mark.parametrize(("a", "b", "c"), [(0.8, 0.05, 0.5), (0.95, 0.2, 0.3), (0.7, 0.02, 1.2)])
def test_a_known_curve_is_recovered_and_is_that_of_scipy(a, b, c):
    def power(n, a, b, c):
        return a - b * (n / 2000) ** -c

    trend = fit_trends(N, power(N, a, b, c), EQUAL)
    assert trend.at(4000.0)[0, 0] == pytest.approx(power(4000, a, b, c), abs=5e-4)
    rng = np.random.default_rng(1)
    noisy = power(N, a, b, c) + rng.normal(scale=0.002, size=5)
    weight = np.array([1.0, 2, 3, 4, 5])
    bounds = ([-np.inf, 0, 0.1], [1, np.inf, 2])
    expected, _ = curve_fit(
        power, N, noisy, p0=(0.75, 0.05, 0.6), sigma=weight**-0.5, bounds=bounds
    )
    fitted = fit_trends(N, noisy, weight)

    def error(values):
        return np.sum(weight * (values - noisy) ** 2)

    assert error(fitted.at(N)[0]) <= error(power(N, *expected)) * 1.01 + 1e-10
    assert fitted.at(4000.0)[0, 0] == pytest.approx(power(4000, *expected), abs=1e-3)


def test_what_does_not_rise_is_a_line_and_stays_a_share():
    falling = fit_trends(N, 0.6 - 0.01 * np.log(N / 2000), EQUAL)
    assert falling.c[0] == 0
    assert falling.at(4000.0)[0, 0] == pytest.approx(0.6 - 0.01 * np.log(2))
    few = fit_trends(N[:3], np.array([0.6, 0.65, 0.67]), EQUAL[:3])
    assert few.c[0] == 0
    steep = fit_trends(N, np.array([0.5, 0.7, 0.85, 0.95, 0.999]), EQUAL)
    assert steep.at(4000.0)[0, 0] <= 1
    assert (steep.at(np.linspace(400, 4000, 50)) <= 1).all()


def test_several_curves_at_once_are_each_alone():
    rng = np.random.default_rng(2)
    aucs = 0.8 - 0.05 * (N / 2000) ** -0.5 + rng.normal(scale=0.02, size=(30, 5))
    together = fit_trends(N, aucs, EQUAL)
    alone = [fit_trends(N, one, EQUAL).at(4000.0)[0, 0] for one in aucs]
    np.testing.assert_allclose(together.at(4000.0)[:, 0], alone)


def planted(rng: np.random.Generator, gains: np.ndarray, n_test: int = 2000):
    """Return labels and scores of 3 draws a share (1 of all) that separate by `gains`."""
    is_case = np.arange(n_test) % 2 == 0
    common = rng.normal(size=n_test)
    share_of = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4])
    scores = common + gains[share_of][:, None] * is_case + 0.3 * rng.normal(size=(13, n_test))
    return is_case, scores, share_of


def test_a_rise_is_told_from_none():
    rng = np.random.default_rng(4)
    rising = 0.9 - 0.35 * np.array(SHARES) ** -0.5
    n_rising = n_flat = 0
    for seed in range(20):
        told = extrapolate(*planted(rng, rising), np.array(SHARES), N, seed, n_resamples=200)
        n_rising += told.gain.low > 0
        flat = np.full(5, 0.3)
        told = extrapolate(*planted(rng, flat), np.array(SHARES), N, seed, n_resamples=200)
        n_flat += told.gain.low > 0
        assert told.sizes.max() == 4000, "never beyond twice as many"
    assert n_rising == 20
    assert n_flat <= 3


def test_resampled_areas_are_those_of_scikit_learn():
    rng = np.random.default_rng(6)
    is_case = rng.random(80) < 0.4
    scores = np.round(rng.normal(size=(3, 80)) + is_case, 1)  # with ties
    plain = bootstrap_aucs(is_case, scores, None, rng)[0]
    np.testing.assert_allclose(plain, [roc_auc_score(is_case, score) for score in scores])
    times = np.zeros((4, 80))
    again, same = np.random.default_rng(9), np.random.default_rng(9)
    for who in (is_case, ~is_case):
        n = int(who.sum())
        times[:, who] = same.multinomial(n, np.full(n, 1 / n), size=4)
    drawn = bootstrap_aucs(is_case, scores, 4, again)
    expected = [
        [roc_auc_score(is_case, score, sample_weight=row) for score in scores] for row in times
    ]
    np.testing.assert_allclose(drawn, expected)


@settings(max_examples=60, deadline=None)
@given(st.integers(40, 200), st.integers(0, 2**20), st.integers(1, 5))
def test_parts_are_nested_stratified_and_keep_relatives_whole(n, seed, largest):
    rng = np.random.default_rng(seed)
    is_case = rng.random(n) < 0.4
    is_case[:2] = True, False
    groups = np.repeat(np.arange(n), rng.integers(1, largest + 1, size=n))[:n]
    alone = rng.random(n) < 0.5
    groups[alone] = n + np.flatnonzero(alone)
    parts = nested_parts(is_case, groups, SHARES, rng)
    assert parts[-1].tolist() == list(range(n))
    for smaller, larger in pairwise(parts):
        assert set(smaller) <= set(larger)
    for share, part in zip(SHARES, parts, strict=True):
        assert not set(groups[part]) & set(np.delete(groups, part))
        if largest == 1:
            assert is_case[part].sum() == np.floor(share * is_case.sum() + 0.5)
            assert len(part) == pytest.approx(share * n, abs=1)


def test_too_few_people_leave_out_the_smallest_parts(tmp_path):
    known = simulated(tmp_path, seed=45, people=120, genes=60)
    with known.opened() as cohort:
        found = people_curve(cohort, SETTINGS, n_draws=1)
    assert 0.2 not in found.shares
    assert found.shares[-1] == 1
    assert "fewer than 10 cases or controls" in found.notes[0]
