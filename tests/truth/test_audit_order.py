"""The audit of order tells a network that learned from neighbours, and does not tell it of luck."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from pipeline.audit.compared import auc_covariance, compare, holm
from pipeline.audit.models import first_plan
from pipeline.audit.neighbours import ORDERS, Orders, Trained, orders
from pipeline.errors import Cancelled
from pipeline.fold import select_variants
from pipeline.presets import apply_preset
from pipeline.progress import Progress, silent
from pipeline.settings import AnalysisSettings, with_changes
from pipeline.statistics import auc_delong, auc_difference
from tests.small_cohorts import make_cohort, vcf_text
from tests.truth.known import Known, simulated

# All variants whatever their p, two neighbours a step of the kernel: signs of a neighbourhood.
OF_PAIRS = with_changes(
    AnalysisSettings(),
    {
        "quality.max_hwe_log10": None,
        "selection.max_p": 1.0,
        "split.test_fraction": 0.3,
        "encoding.layout": "1d",
        "encoding.scaling": "none",
        "network.convolutions": 1,
        "network.filters": 8,
        "network.kernel": 2,
        "network.stride": 2,
        "network.pool": 1,
        "network.batch_norm": False,
        "network.dropout": 0.0,
        "network.dense": (),
        "training.optimizer": "adam",
        "training.learning_rate": 0.02,
        "training.batch_size": 32,
        "training.epochs": 25,
        "training.patience": 25,
    },
)
N_PAIRS = 24


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A cohort whose cases carry both or none of neighbours; no variant alone says anything."""
    rng = np.random.default_rng(5)
    codes = rng.choice(3, size=(2 * N_PAIRS, 900), p=[0.5, 0.41, 0.09])
    carries = codes > 0
    n_alike = np.sum(carries[0::2] == carries[1::2], axis=0) + rng.random(900)
    is_case = n_alike > np.median(n_alike)
    calls = np.array(["0/0:20:60", "0/1:22:70", "1/1:25:80"])[codes]
    records = [(1, 1000 * (i + 1), "A", "G", "GT:DP:GQ", *row) for i, row in enumerate(calls)]
    people = [f"P{i}" for i in range(900)]
    given_ = {p: "case" if case else "control" for p, case in zip(people, is_case, strict=True)}
    cohort = make_cohort(tmp_path_factory.mktemp("pairs"), vcf_text(records, people), given_)
    yield cohort
    cohort.store.close()


@pytest.fixture(scope="module")
def spread_out(tmp_path_factory) -> Known:
    """A cohort in which each causal variant counts for itself, wherever it lies."""
    return simulated(tmp_path_factory.mktemp("spread"), seed=31, people=900, genes=120)


def test_a_network_that_needs_neighbours_is_found_out(pairs):
    parts = []
    found = orders(pairs, OF_PAIRS, on_part=parts.append)
    by_order = {one.order: one for one in found.compared}
    assert by_order["genomic"].auc.value > 0.8
    assert by_order["shuffled"].auc.value < 0.65
    assert by_order["genomic"].verdict == "better"
    assert found.sentence().startswith("Genomic order is better than shuffled by 0.")
    assert found.sentence().endswith("the convolution learned from neighbours.")
    assert found.asked == ("genomic", "p", "shuffled")
    assert "no gene table" in found.notes[0]

    assert [part["n_fits"] for part in parts] == [1, 2, 3, 4, 5, 6]
    assert parts[-1] == json.loads(json.dumps(found.as_dict(), allow_nan=False))
    for part in parts[:-1]:
        assert not part["sentence"]
        assert all("verdict" not in row for row in part["orders"])


def test_a_signal_that_is_spread_out_needs_no_neighbours(spread_out):
    settings = with_changes(apply_preset("quick"), {"selection.protocol": "published"})
    with spread_out.opened() as cohort:
        found = orders(cohort, settings)
        honest = with_changes(settings, {"selection.protocol": "honest"})
        (selection,) = select_variants(cohort, first_plan(cohort, honest), honest, [0], silent)
    assert found.n_variants == len(selection.variants), "honest whatever the settings say"
    assert {one.verdict for one in found.compared} == {"as good", None}
    assert any(one.auc.low > 0.5 for one in found.compared)
    assert "neighbourhood" in found.sentence()
    assert "shuffled order the network is" in found.sentence()


def test_a_network_of_genes_has_no_order(spread_out):
    with spread_out.opened() as cohort:
        found = orders(cohort, with_changes(AnalysisSettings(), {"network.family": "gene"}))
    assert found.as_dict()["orders"] == []
    assert "no order to shuffle" in found.sentence()


def test_it_can_be_stopped(spread_out):
    def stop(progress: Progress) -> None:
        if progress.phase == "training in every order":
            raise Cancelled

    with spread_out.opened() as cohort, pytest.raises(Cancelled):
        orders(cohort, apply_preset("quick"), on_progress=stop)


def people(n: int = 300, seed: int = 3) -> tuple[np.random.Generator, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng, np.arange(n) % 2 == 0


def test_one_training_an_order_is_paired_delong():
    rng, is_case = people()
    common = rng.normal(size=300) + is_case
    scores = common + 0.5 * rng.normal(size=(4, 300)) + np.array([[0.0], [0.1], [0.2], [0.3]])
    found = compare(is_case, scores, np.arange(4), ORDERS)
    for one, score in zip(found[:3], scores, strict=False):
        expected = auc_difference(is_case, score, scores[3])
        assert one.difference.value == pytest.approx(expected.value)
        assert one.difference.low == pytest.approx(expected.low)
        assert one.auc.value == pytest.approx(auc_delong(is_case, score).value)
        # p is below 0.05 where the interval leaves 0 out
        assert (one.p < 0.05) == (expected.low > 0 or expected.high < 0)
    assert found[3].difference is None


def test_variance_between_trainings_widens_the_interval_and_the_tails():
    rng, is_case = people()
    common = rng.normal(size=300) + is_case
    same = np.repeat(common[None] + 0.3 * rng.normal(size=(2, 300)), 2, axis=0)
    order_of = np.array([0, 0, 1, 1])
    steady = compare(is_case, same, order_of, ("genomic", "shuffled"))[0]
    moved = same + np.array([[0], [1], [0], [1]]) * 1.5 * rng.normal(size=(1, 300))
    unsteady = compare(is_case, moved, order_of, ("genomic", "shuffled"))[0]
    width = steady.difference.high - steady.difference.low
    assert unsteady.difference.high - unsteady.difference.low > 2 * width


def test_luck_of_training_is_seldom_taken_for_order():
    """No order differs, yet each training has an AUC of its own, as real networks have."""
    n_false = {1: 0, 2: 0}
    for trial in range(200):
        rng = np.random.default_rng(trial)
        is_case = np.arange(400) % 2 == 0
        common = rng.normal(size=400) + 0.9 * is_case
        for n_seeds in n_false:
            scores = common + 0.25 * rng.normal(size=(4 * n_seeds, 400))
            # A training learned a little more or less than others did.
            scores = scores + 0.12 * rng.normal(size=(4 * n_seeds, 1)) * is_case
            found = compare(is_case, scores, np.repeat(np.arange(4), n_seeds), ORDERS)
            n_false[n_seeds] += any(one.verdict in ("better", "worse") for one in found)
    assert n_false[1] > 40, "one training an order takes luck for order"
    assert n_false[2] < 20


def test_a_planted_difference_is_told_and_the_sentence_names_it():
    rng, is_case = people(800)
    common = rng.normal(size=800)
    gains = np.array([1.0, 1.0, 1.5, 0.9])
    scores = np.vstack(
        [common + gain * is_case + 0.2 * rng.normal(size=(2, 800)) for gain in gains]
    )
    found = compare(is_case, scores, np.repeat(np.arange(4), 2), ORDERS)
    assert found[2].verdict == "better"
    assert found[3].verdict is None
    nets = tuple(Trained(ORDERS[i // 2], i % 2, score) for i, score in enumerate(scores))
    told = Orders(ORDERS, 2, nets, is_case, 1000, 50, (), 0.95)
    assert told.sentence().startswith("Order by p is better than shuffled by 0.")


@pytest.mark.parametrize("seed", [1, 2])
def test_covariance_is_delongs(seed):
    rng, is_case = people(120, seed)
    scores = np.round(rng.normal(size=(3, 120)) + is_case, 1)  # with ties
    auc, covariance = auc_covariance(is_case, scores)
    for i in range(3):
        for j in range(i):
            expected = auc_difference(is_case, scores[i], scores[j])
            variance = covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]
            assert auc[i] - auc[j] == pytest.approx(expected.value)
            half = 1.959963984540054 * np.sqrt(variance)
            assert expected.high - expected.value == pytest.approx(half)


def test_equal_scores_do_not_differ():
    _, is_case = people()
    scores = np.repeat(np.linspace(0, 1, 300)[None], 4, axis=0)
    for one in compare(is_case, scores, np.arange(4), ORDERS)[:3]:
        assert (one.difference.value, one.p, one.verdict) == (0.0, 1.0, "as good")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_that_of_statsmodels(p):
    expected = multipletests(p, method="holm")[1]
    np.testing.assert_allclose(holm(np.array(p)), expected, atol=1e-12)


def test_holm_leaves_out_what_has_no_p():
    np.testing.assert_allclose(holm(np.array([0.01, np.nan, 0.04])), [0.02, np.nan, 0.04])
