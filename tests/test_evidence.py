"""What the scores of test people tell, against scikit-learn, by hand, and by simulated people."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from pipeline.evaluation import evaluate
from pipeline.evidence import (
    PREVALENCES,
    Scored,
    Stratum,
    at_threshold,
    best_probability,
    evidence,
    find_strata,
    own_threshold,
    threshold_choices,
)
from pipeline.evidence.curves import (
    FALSE_POSITIVE_RATE,
    RECALL,
    average_precision_of,
    band,
    curves_of,
    logit_interval,
    mean_curves,
    person_weights,
)
from pipeline.evidence.strata import OTHERS, THIRDS, TOO_FEW, UNKNOWN, stratum_metrics
from pipeline.evidence.threshold import round_thresholds, threshold_table
from pipeline.statistics import auc_delong, calls, liability_r2, wilson
from tests.small_cohorts import make_cohort, vcf_text


def people(n: int, seed: int = 0, effect: float = 1.0, decimals: int = 8) -> tuple:
    """Return who is a case, and P(case), in cases higher by `effect` standard units."""
    rng = np.random.default_rng(seed)
    is_case = rng.permutation(n) < 0.4 * n
    score = stats.norm.cdf(rng.normal(size=n) + effect * (is_case - 0.4)).round(decimals)
    return is_case, score


def in_folds(
    n: int, n_folds: int, n_repeats: int = 1, seed: int = 0, effect: float = 1.0
) -> tuple[list[Scored], list[np.ndarray]]:
    """Return the test people of folds that part people, again in each repeat, and who trained."""
    is_case, score = people(n, seed, effect)
    rng = np.random.default_rng(seed + 1)
    tested, trained = [], []
    for _ in range(n_repeats):
        for number, part in enumerate(np.array_split(rng.permutation(n), n_folds)):
            part = np.sort(part)
            threshold = 0.45 + 0.031 * number
            tested.append(Scored(part, is_case[part], score[part], threshold))
            trained.append(np.setdiff1d(np.arange(n), part))
    return tested, trained


def measured(
    tested: list[Scored], trained: list[np.ndarray], strata=(), n_repeats: int = 1, **more
) -> dict:
    """Return metrics as a run writes them, as far as they are looked at here."""
    found = [evaluate(f.is_case, f.score, f.threshold) for f in tested]
    confusion = np.sum([one["confusion"] for one in found], axis=0)
    told = evidence(
        tested, more.pop("baselines", {}), trained, strata, best_baseline=more.pop("best", None),
        confidence=0.95, seed=1, n_repeats=n_repeats,
    )  # fmt: skip
    metrics = {
        "confidence": 0.95,
        "test": {"n": int(confusion.sum()) // n_repeats, "confusion": confusion.tolist()},
        "folds": [{"threshold": f.threshold} for f in tested],
        **told,
    }
    return json.loads(json.dumps(metrics, allow_nan=False))


# Curves


@pytest.mark.parametrize("decimals", [8, 1])
def test_curves_equal_scikit_learn(decimals):
    is_case, score = people(400, decimals=decimals)
    found = curves_of(is_case, score)
    fpr, tpr, _ = roc_curve(is_case, score, drop_intermediate=False)
    upper = [np.interp(x + 1e-9, fpr, tpr) for x in FALSE_POSITIVE_RATE]
    np.testing.assert_allclose(found.tpr[0], upper, atol=1e-6)
    precision, recall, _ = precision_recall_curve(is_case, score)
    # scikit-learn lists recalls downwards; of the highest threshold that reaches r, the last one.
    expected = [precision[np.flatnonzero(recall >= r - 1e-12)[-1]] for r in RECALL]
    np.testing.assert_allclose(found.precision[0], expected)
    assert found.average_precision[0] == pytest.approx(average_precision_score(is_case, score))


def test_a_weight_is_a_person_so_often():
    is_case, score = people(120, decimals=1)
    weights = np.random.default_rng(3).integers(0, 4, (2, 120)).astype(np.uint8)
    found = curves_of(is_case, score, weights)
    for row, weight in enumerate(weights):
        copies = np.repeat(np.arange(120), weight)
        alone = curves_of(is_case[copies], score[copies])
        np.testing.assert_allclose(found.tpr[row], alone.tpr[0], atol=1e-9)
        np.testing.assert_allclose(found.precision[row], alone.precision[0], atol=1e-9)
        assert found.average_precision[row] == pytest.approx(
            average_precision_score(is_case, score, sample_weight=weight)
        )
    np.testing.assert_array_equal(
        average_precision_of(is_case, score, weights), found.average_precision
    )


def test_the_bootstrap_keeps_each_class_of_each_fold_and_draws_a_person_once_for_all_repeats():
    tested, _ = in_folds(100, 4, n_repeats=2)
    weights = person_weights(tested, 50, seed=1)
    for fold in tested[:4]:
        for members in (fold.is_case, ~fold.is_case):
            assert set(weights[:, fold.people[members]].sum(axis=1)) == {members.sum()}
    assert weights.shape == (50, 100)
    assert weights.std(axis=0).min() > 0
    np.testing.assert_array_equal(weights, person_weights(tested[:4], 50, seed=1))


def test_over_folds_a_curve_is_the_mean_of_folds():
    tested, _ = in_folds(200, 3)
    alone = [curves_of(f.is_case, f.score).tpr[0] for f in tested]
    np.testing.assert_allclose(mean_curves(tested).tpr[0], np.mean(alone, axis=0))


def test_a_fold_of_one_class_counts_for_nothing_and_all_such_have_no_curve():
    both, _ = in_folds(60, 1)
    ones = Scored(np.arange(5), np.ones(5, bool), np.full(5, 0.7), 0.5)
    np.testing.assert_array_equal(mean_curves([*both, ones]).tpr, mean_curves(both).tpr)
    assert mean_curves([ones]) is None
    metrics = measured([ones], [np.arange(5)])
    assert metrics["roc"] == {}
    assert metrics["liability"]["r"] is None


def test_bands_cover_the_truth():
    """Of 200 samples of 300 people, in how many the limits hold the curve of the population."""
    effect, place = 1.0, [10, 20, 50]
    truth = stats.norm.sf(stats.norm.isf(FALSE_POSITIVE_RATE[place]) - effect)
    whole = people(400_000, seed=99, effect=effect)
    area = average_precision_score(*whole)
    at_half = curves_of(*whole).precision[0][49]
    inside, inside_area, inside_precision = np.zeros(3), 0, 0
    for seed in range(200):
        is_case, score = people(300, seed=seed, effect=effect)
        fold = [Scored(np.arange(300), is_case, score, 0.5)]
        drawn = mean_curves(fold, person_weights(fold, 200, seed))
        low, high = band(drawn.tpr, 0.95)
        inside += (low[place] <= truth) & (truth <= high[place])
        low, high = band(drawn.precision, 0.95)
        inside_precision += low[49] <= at_half <= high[49]
        value = average_precision_score(is_case, score)
        limits = logit_interval(value, drawn.average_precision, 0.95)
        inside_area += limits.low <= area <= limits.high
    # Two standard errors of 200 samples are 0.03.
    assert np.all(inside / 200 > 0.90)
    assert inside_area / 200 > 0.90
    assert inside_precision / 200 > 0.90
    assert np.all(inside / 200 < 1.0)


def test_scores_that_know_nothing():
    is_case, score = people(2000, effect=0.0)
    tested = [Scored(np.arange(2000), is_case, score, 0.5)]
    told = measured(tested, [np.arange(2000)])
    area = told["average_precision"]["network"]
    assert area["low"] < is_case.mean() < area["high"]
    network = told["roc"]["network"]
    low, high = np.array(network["low"]), np.array(network["high"])
    assert np.mean((low <= FALSE_POSITIVE_RATE) & (high >= FALSE_POSITIVE_RATE)) > 0.7
    assert at_threshold(told).liability_r2.low == 0


# Thresholds


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 1, width=32)), min_size=2, max_size=60),
    st.floats(0.01, 0.99),
)
@settings(max_examples=60, deadline=None)
def test_every_count_above_a_threshold_is_that_of_scikit_learn(drawn, own):
    is_case = np.array([case for case, _ in drawn])
    score = np.array([value for _, value in drawn])
    fold = Scored(np.arange(len(drawn)), is_case, score, own)
    table = threshold_table([fold])
    values, counts = table["values"], table["folds"][0]
    assert {own, 0.5} <= set(values)
    assert values == sorted(set(values))
    assert values[0] <= score.min() or score.min() <= 0
    assert values[-1] >= score.max()
    assert len(values) <= 255
    for place in range(0, len(values), 7):
        (tn, fp), (fn, tp) = confusion_matrix(is_case, score > values[place], labels=[False, True])
        assert counts["cases_called"][place] == tp
        assert counts["controls_called"][place] == fp
        assert (counts["n_cases"], counts["n_controls"]) == (tp + fn, tn + fp)


def test_thresholds_are_round_and_tell_no_score():
    _, score = people(500)
    values = round_thresholds(score, [0.5])
    assert 100 <= len(values) <= 252
    assert not set(values) & set(score)
    assert all(value == round(value, 4) for value in values)


def test_at_a_threshold_folds_are_pooled():
    tested, trained = in_folds(300, 3)
    metrics = measured(tested, trained)
    is_case = np.concatenate([f.is_case for f in tested])
    score = np.concatenate([f.score for f in tested])
    choices = threshold_choices(metrics)
    for threshold in (0.5, choices[20], choices[-30]):
        found = at_threshold(metrics, threshold, 0.02)
        assert found.confusion == confusion_matrix(is_case, score > threshold).tolist()
        assert found.calls == calls(np.array(found.confusion), 0.02)
    own = at_threshold(metrics)
    called = np.concatenate([f.called for f in tested])
    assert own.confusion == confusion_matrix(is_case, called).tolist()
    assert own_threshold(metrics) is None
    assert own_threshold({"folds": [{"threshold": 0.4}] * 3}) == 0.4
    with pytest.raises(ValueError, match="none of the thresholds"):
        at_threshold(metrics, 0.123456)
    with pytest.raises(ValueError, match="prevalence"):
        at_threshold(metrics, prevalence=0.0)


def test_another_look_at_the_same_people_narrows_nothing():
    once, twice = in_folds(300, 3), in_folds(300, 3, n_repeats=2)
    one = at_threshold(measured(*once))
    two = at_threshold(measured(*twice, n_repeats=2))
    assert np.sum(two.confusion) == 2 * np.sum(one.confusion)
    for name in ("sensitivity", "ppv"):
        a, b = getattr(one.calls, name), getattr(two.calls, name)
        assert b.high - b.low == pytest.approx(a.high - a.low, rel=0.1)
    a, b = one.liability_r2, two.liability_r2
    assert b.high - b.low == pytest.approx(a.high - a.low, rel=0.15)


def test_a_run_of_before_tells_what_it_has():
    metrics = {
        "test": {"n": 100, "confusion": [[40, 10], [20, 30]]},
        "folds": [{"threshold": 0.5}],
    }
    assert threshold_choices(metrics) == []
    found = at_threshold(metrics)
    assert found.calls.sensitivity == wilson(30, 50)
    assert found.liability_r2 is None


def test_liability_moves_with_the_prevalence_as_the_scores_themselves_would():
    is_case, score = people(500)
    metrics = measured([Scored(np.arange(500), is_case, score, 0.5)], [np.arange(500)])
    for prevalence in PREVALENCES:
        found = at_threshold(metrics, None, prevalence).liability_r2
        expected = liability_r2(is_case, np.log(score / (1 - score)), prevalence)
        assert found.value == pytest.approx(expected.value, rel=1e-4)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-4)


# Probabilities


def test_calibration_and_histogram_count_everybody():
    tested, trained = in_folds(437, 3, n_repeats=2)
    metrics = measured(tested, trained, n_repeats=2)
    is_case = np.concatenate([f.is_case for f in tested])
    score = np.concatenate([f.score for f in tested])
    told = metrics["calibration"]["network"]
    assert told["brier"] == pytest.approx(brier_score_loss(is_case, score))
    assert sum(told["n"]) == pytest.approx(437, abs=10)
    assert len(told["n"]) == 10
    bins = metrics["histogram"]
    assert sum(bins["case"]) == is_case.sum()
    assert sum(bins["control"]) == (~is_case).sum()
    assert bins["left"][1:] == bins["right"][:-1]
    assert 15 < len(bins["left"]) <= 42


@pytest.mark.parametrize("n", [3, 9, 10, 25, 60])
def test_no_bin_of_calibration_is_of_a_few_people(n):
    is_case, score = people(n, decimals=1)
    is_case[:2] = True, False
    metrics = measured([Scored(np.arange(n), is_case, score, 0.5)], [np.arange(n)])
    told = metrics["calibration"]["network"]["n"]
    assert sum(told) == (n if n >= 10 else 0)
    assert min(told, default=10) >= 10


def test_a_bin_of_tied_scores_is_joined():
    is_case, score = np.arange(60) % 2 == 0, np.where(np.arange(60) < 57, 0.1, 0.9)
    metrics = measured([Scored(np.arange(60), is_case, score, 0.5)], [np.arange(60)])
    assert metrics["calibration"]["network"]["n"] == [60]


def test_the_best_baseline_gives_probabilities():
    fold = Scored(np.arange(4), np.array([True, False] * 2), np.ones(4), 0.5)
    sums = Scored(fold.people, fold.is_case, fold.score, 0.0, is_probability=False)
    baselines = {"majority": [fold], "additive": [sums], "a": [fold], "b": [fold], "c": [fold]}
    aucs = {"majority": 0.99, "additive": 0.9, "a": 0.7, "b": 0.8, "c": None}
    metrics = {name: {"auc": {"value": value}} for name, value in aucs.items()}
    assert best_probability(metrics, baselines) == "b"
    assert best_probability(metrics, {"majority": [fold]}) is None


# Groups


def test_groups_are_measured_as_if_alone():
    tested, trained = in_folds(300, 1)
    words = np.where(np.arange(300) % 3 == 0, "north", "south")
    told = stratum_metrics(Stratum("Population", words), tested, trained, 0.95)
    for group in told["groups"]:
        m = words[tested[0].people] == group["name"]
        is_case, score = tested[0].is_case[m], tested[0].score[m]
        assert (group["n"], group["n_case"]) == (m.sum(), is_case.sum())
        assert group["auc"]["value"] == pytest.approx(roc_auc_score(is_case, score))
        assert group["auc"] == auc_delong(is_case, score).as_dict()
        right = int(((score > tested[0].threshold) == is_case).sum())
        assert group["accuracy"] == wilson(right, int(m.sum())).as_dict()


def test_over_folds_a_group_compares_people_of_one_fold():
    tested, trained = in_folds(300, 3)
    # Folds whose scores lie apart: pairs of different folds would say something else.
    tested = [
        Scored(f.people, f.is_case, f.score / 3 + number / 3, f.threshold)
        for number, f in enumerate(tested)
    ]
    words = np.where(np.arange(300) % 2, "a", "b")
    told = stratum_metrics(Stratum("Batch", words), tested, trained, 0.95)
    right = pairs = 0
    for fold in tested:
        m = words[fold.people] == "a"
        case, control = fold.score[m & fold.is_case], fold.score[m & ~fold.is_case]
        right += (case[:, None] > control).sum()
        pairs += case.size * control.size
    assert told["groups"][0]["auc"]["value"] == pytest.approx(right / pairs)


def test_a_fold_with_a_single_case_in_a_group_is_left_out_there():
    tested, trained = in_folds(120, 2)
    words = np.full(120, "b")
    cases = tested[0].people[tested[0].is_case]
    words[np.concatenate([tested[0].people[~tested[0].is_case], cases[:1]])] = "a"
    words[tested[1].people[::2]] = "a"
    told = stratum_metrics(Stratum("Batch", words), tested, trained, 0.95)
    half = slice(None, None, 2)
    alone = auc_delong(tested[1].is_case[half], tested[1].score[half]).as_dict()
    assert told["groups"][0]["auc"] == alone


def test_thirds_are_cut_on_training_people():
    tested, trained = in_folds(300, 2)
    values = np.random.default_rng(5).normal(50, 10, 300)
    values[:3] = np.nan
    before = stratum_metrics(Stratum("Age", values), tested, trained, 0.95)
    assert before["groups"][0]["name"].startswith("up to 4")
    assert sum(g["n"] for g in before["groups"]) == 300
    # Who is above all training people is in the highest third, however high; it moves no cut.
    split = [trained[0]], [tested[0]]
    moved = values.copy()
    moved[tested[0].people] += 1000
    told = stratum_metrics(Stratum("PC1", moved, tells_cuts=False), split[1], split[0], 0.95)
    n_unknown = int(np.isnan(moved[tested[0].people]).sum())
    first = told["groups"][0]
    assert (first["name"], first["n"]) == (THIRDS[2], tested[0].people.size - n_unknown)


def test_small_groups_are_put_together_or_tell_nothing():
    tested, trained = in_folds(100, 1)
    words = np.array(["a"] * 60 + ["b"] * 25 + ["c"] * 6 + ["d"] * 9)
    told = stratum_metrics(Stratum("Batch", words), tested, trained, 0.95)
    assert [(g["name"], g["n"]) for g in told["groups"]] == [("a", 60), ("b", 25), (OTHERS, 15)]
    words = np.array(["a"] * 60 + ["b"] * 31 + ["c"] * 4 + [""] * 5)
    told = stratum_metrics(Stratum("Batch", words), tested, trained, 0.95)
    assert [(g["name"], g["n"]) for g in told["groups"]] == [("a", 60), ("b", 31), (TOO_FEW, 9)]
    few = told["groups"][-1]
    assert few["n_case"] is few["auc"]["value"] is few["accuracy"]["value"] is None
    words = np.array(["a"] * 60 + [""] * 40)
    told = stratum_metrics(Stratum("Batch", words), tested, trained, 0.95)
    assert [g["name"] for g in told["groups"]] == ["a", UNKNOWN]
    assert stratum_metrics(Stratum("Batch", np.full(100, "a")), tested, trained, 0.95) is None


def test_a_group_of_one_class_has_no_area():
    is_case = np.arange(60) < 30
    fold = Scored(np.arange(60), is_case, np.linspace(0, 1, 60), 0.5)
    words = np.where(is_case, "clinic", "street")
    told = stratum_metrics(Stratum("Place", words), [fold], [np.arange(60)], 0.95)
    assert [g["auc"]["value"] for g in told["groups"]] == [None, None]
    assert [g["accuracy"]["value"] for g in told["groups"]] == [0.0, 0.0]


def test_strata_of_a_cohort(tmp_path):
    names = [f"P{i}" for i in range(12)]
    records = [[1, 1000, "A", "G", "GT", *["0/1"] * 12]]
    diagnoses = dict.fromkeys(names, "case")
    sex = {name: ("male", "female", "unknown")[i % 3] for i, name in enumerate(names)}
    cohort = make_cohort(tmp_path, vcf_text(records, names), diagnoses, sex)
    covariates = [
        {"age": str(20 + i), "batch": str(i % 2), "site": ["x", "NA"][i % 2]} for i in range(12)
    ]
    cohort.samples["covariates"] = covariates
    found = {one.name: one for one in find_strata(cohort, np.array([0, 2, 3, 5, 7, 11]))}
    assert list(found) == ["Sex", "age", "batch", "site"]  # no structure, no components
    assert found["Sex"].values.tolist() == ["male", "", "male", "", "female", ""]
    assert found["age"].values.tolist() == [20, 22, 23, 25, 27, 31]
    assert found["batch"].values.tolist() == list("001111")
    assert found["site"].values.tolist() == ["x", "x", "", "", "", ""]
    cohort.store.close()


# All of it


def test_no_score_of_a_person_is_told():
    tested, trained = in_folds(90, 3)
    strata = [Stratum("Batch", np.array(list("abc") * 30)), Stratum("Age", np.arange(90.0))]
    metrics = measured(tested, trained, strata, baselines={"logistic_l1": tested},
                       best="logistic_l1")  # fmt: skip

    def numbers(told):
        if isinstance(told, dict):
            return [n for part in told.values() for n in numbers(part)]
        if isinstance(told, list):
            return [n for part in told for n in numbers(part)]
        return [told] if isinstance(told, float) else []

    scores = {round(float(s), 6) for fold in tested for s in fold.score}
    assert not scores & {round(n, 6) for n in numbers(metrics)}
    assert list(metrics["calibration"]) == ["network", "logistic_l1"]
    assert "low" not in metrics["roc"]["logistic_l1"]
