"""The network of genes: planted truth, noise, edges, files, and what the watched people may do."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from functools import lru_cache

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import pipeline.network  # noqa: F401 - its layers have to be known before a file is read
from pipeline.encoding import count_codes
from pipeline.epochs import EpochRecord, Trained
from pipeline.errors import Cancelled, EmptyResultError
from pipeline.gene_outline import outline_gene_network
from pipeline.network.genes import GeneColumns, GeneInput, build_gene_network, place_columns
from pipeline.settings import NetworkSettings, TrainingSettings
from pipeline.training import load_model, predict_probability, save_model
from pipeline.training.gene_columns import plane_table
from pipeline.training.genes import train_gene_network
from pipeline.training.sparse import l1_path

NETWORK = NetworkSettings(family="gene", filters=8, dropout=0.1, gene_members=2, output="sigmoid")
TRAINING = TrainingSettings(
    epochs=25, batch_size=128, learning_rate=3e-3, schedule="constant", plateau_factor=1.0,
    patience=6,
)  # fmt: skip
SHORT = TRAINING.model_copy(update={"epochs": 2})
N_GENES, PER_GENE = 30, 4


def cohort(truth: str, n_people: int = 3000, seed: int = 0, n_missing: float = 0.01):
    """Return codes, labels and genes of people; the first genes cause disease."""
    rng = np.random.default_rng(seed)
    n_variants = N_GENES * PER_GENE
    frequency = np.random.default_rng(5).uniform(0.08, 0.4, n_variants)
    codes = rng.binomial(2, frequency, (n_people, n_variants)).astype(np.uint8)
    by_gene = codes.reshape(n_people, N_GENES, PER_GENE)
    if truth == "recessive":
        score = (codes[:, : 8 * PER_GENE : PER_GENE] == 2).astype(float)
    elif truth == "compound":
        score = ((by_gene[:, :5, :3] > 0).sum(axis=2) >= 2).astype(float)
    elif truth == "additive":
        score = by_gene[:, :8, 0].astype(float)
    else:
        score = np.zeros((n_people, 1))
    spread = np.where(score.std(axis=0) > 0, score.std(axis=0), 1)
    liability = ((score - score.mean(axis=0)) / spread).sum(axis=1)
    liability = 1.3 * liability / (liability.std() or 1) + rng.normal(size=n_people)
    is_case = liability > np.median(liability)
    codes[rng.random(codes.shape) < n_missing] = 3
    return codes, is_case, np.repeat(np.arange(N_GENES), PER_GENE)


def split(codes, is_case, n_train=1200, n_watch=400):
    parts = np.split(np.arange(len(codes)), [n_train, n_train + n_watch])
    return [(codes[part], is_case[part]) for part in parts]


def train(codes, is_case, groups, network=NETWORK, training=TRAINING, **options):
    """Return the network, its training, and its AUC on people of neither kind."""
    fit, watch, test = split(codes, is_case)
    model, trained = train_gene_network(*fit, *watch, groups, network, training, **options)
    auc = roc_auc_score(test[1], predict_probability(model, test[0])) if len(test[1]) else np.nan
    return model, trained, auc


@lru_cache
def compound():
    codes, is_case, groups = cohort("compound")
    return codes, is_case, groups, *train(codes, is_case, groups)


def l1_auc(codes, is_case):
    """Return the AUC of scikit-learn's L1 regression, its penalty the best on the test people."""
    fit, _, test = split(codes, is_case)
    x = [np.where(part == 3, fit[0].mean(axis=0), part) for part in (fit[0], test[0])]
    fits = [
        LogisticRegression(C=c, l1_ratio=1.0, solver="liblinear").fit(x[0], fit[1])
        for c in (0.02, 0.05, 0.1, 0.3)
    ]
    return max(roc_auc_score(test[1], model.decision_function(x[1])) for model in fits)


def test_compound_truth_is_found_by_genes():
    codes, is_case, _, _, _, auc = compound()
    assert auc > l1_auc(codes, is_case) + 0.03


def test_recessive_truth_is_found():
    codes, is_case, groups = cohort("recessive")
    assert train(codes, is_case, groups)[2] > l1_auc(codes, is_case) + 0.03


def test_additive_truth_is_not_lost():
    codes, is_case, groups = cohort("additive")
    assert train(codes, is_case, groups)[2] > l1_auc(codes, is_case) - 0.01


def test_shuffled_genes_lose_the_gain():
    codes, is_case, groups, _, _, auc = compound()
    shuffled = np.random.default_rng(3).permutation(groups)
    lost = train(codes, is_case, shuffled)[2]
    # Planes of single variants stay; what two hits of a gene bring goes.
    assert auc - lost > 0.015


def test_noise_stays_noise():
    codes, is_case, groups = cohort("none", n_people=4000)
    auc = train(codes, is_case, groups, training=SHORT)[2]
    # The standard error of an AUC of 0.5 on 2,400 people is 0.012.
    assert abs(auc - 0.5) < 0.036


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_a_saved_network_predicts_the_same(output, tmp_path):
    codes, is_case, groups, first, _, _ = compound()
    model = first
    if output == "softmax":
        network = NETWORK.model_copy(update={"output": "softmax"})
        model = train(codes, is_case, groups, network, SHORT)[0]
    assert model.output_shape == (None, 2 if output == "softmax" else 1)
    save_model(model, tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    x = codes[-300:]
    np.testing.assert_array_equal(predict_probability(model, x), predict_probability(again, x))
    value = model.predict(x, verbose=0)
    assert np.all((value >= 0) & (value <= 1))


def test_both_outputs_say_the_same():
    codes, is_case, groups = cohort("compound", n_people=1700)
    models = [
        train(codes, is_case, groups, NETWORK.model_copy(update={"output": output}), SHORT)[0]
        for output in ("sigmoid", "softmax")
    ]
    first, second = (predict_probability(model, codes) for model in models)
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_same_seed_same_network():
    codes, is_case, groups = cohort("compound", n_people=1700)
    runs = [train(codes, is_case, groups, training=SHORT) for _ in range(2)]
    for a, b in zip(runs[0][0].get_weights(), runs[1][0].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(runs[0][1].epochs, runs[1][1].epochs, strict=True):
        assert (a.loss, a.val_loss, a.val_auc) == (b.loss, b.val_loss, b.val_auc)


def test_records_are_numbered_and_the_last_is_the_network():
    epochs: list[EpochRecord] = []
    shares: list[float] = []
    codes, is_case, groups = cohort("compound", n_people=1700)
    model, trained, _ = train(
        codes, is_case, groups, training=SHORT, on_epoch=epochs.append, on_batch=shares.append,
        fold=2,
    )  # fmt: skip
    assert isinstance(trained, Trained)
    assert tuple(epochs) == trained.epochs
    assert [epoch.epoch for epoch in epochs] == list(range(1, len(epochs) + 1))
    assert trained.best_epoch == len(epochs)
    assert {epoch.fold for epoch in epochs} == {2}
    assert np.all(np.diff(shares) >= 0)
    assert shares[-1] == 1
    x_watch, y_watch = split(codes, is_case)[1]
    probability = predict_probability(model, x_watch)
    assert roc_auc_score(y_watch, probability) == pytest.approx(epochs[-1].val_auc, abs=1e-5)
    assert np.isfinite([[e.loss, e.val_loss, e.accuracy, e.learning_rate] for e in epochs]).all()


@pytest.mark.parametrize(("callback", "at"), [("on_epoch", 3), ("on_epoch", 45), ("on_batch", 60)])
def test_cancel_comes_through_at_once(callback, at):
    calls = itertools.count(1)

    def cancel(_: object) -> None:
        if next(calls) == at:
            raise Cancelled("stop")

    codes, is_case, groups = cohort("compound", n_people=1700)
    with pytest.raises(Cancelled, match="stop"):
        train(codes, is_case, groups, **{callback: cancel})
    assert next(calls) == at + 1


def test_watched_labels_change_no_weights_but_by_the_pick():
    """Fits are the same until a pick steers the next one: both paths, and each epoch's loss."""
    codes, is_case, groups = cohort("compound", n_people=1700)
    fit, watch, _ = split(codes, is_case)
    shuffled = np.random.default_rng(1).permutation(watch[1])
    runs = []
    for y_watch in (watch[1], shuffled):
        runs.append(
            train_gene_network(*fit, watch[0], y_watch, groups, NETWORK, SHORT)[1].epochs
        )  # fmt: skip
    # The points of both paths come first; their losses are those of their weights, bit for bit.
    for a, b in zip(runs[0][:16], runs[1][:16], strict=True):
        assert (a.loss, a.accuracy, a.learning_rate) == (b.loss, b.accuracy, b.learning_rate)
        assert a.val_loss != b.val_loss


def test_test_people_are_not_asked_for():
    """Nothing but training and watched people is given, and watched genotypes do not scale."""
    codes, is_case, groups = cohort("compound", n_people=1700)
    fit, watch, _ = split(codes, is_case)
    other = 2 - watch[0].clip(0, 2)
    found = [
        train_gene_network(*fit, x, watch[1], groups, NETWORK, SHORT)[1].epochs[:16]
        for x in (watch[0], other)
    ]
    assert [e.loss for e in found[0]] == [e.loss for e in found[1]]


def test_columns_by_hand():
    """Codes 0, 1, 2 and missing through a plane and through a product."""
    columns = GeneColumns(
        variants=np.array([[0, 0], [0, 1]], np.int32),
        tables=np.array(
            [[[-1, 0, 1, 0], [1, 1, 1, 1]], [[0, 1, 1, 0.25], [0, 1, 1, 0.5]]], np.float32
        ),
        centre=np.array([0, 0.5], np.float32),
        scale=np.array([1, 2], np.float32),
        plane=np.array([0, 0], np.uint8),
        group=np.array([0, 0], np.int32),
    )
    codes = np.array([[0, 1], [2, 1], [3, 2], [3, 3]], np.uint8)
    expected = [[-1, -1], [1, 1], [0, -0.5], [0, -0.75]]
    np.testing.assert_allclose(columns.values(codes), expected)
    layer = GeneInput(2)
    layer.build((None, 2))
    layer.set_weights([columns.variants, columns.tables, columns.centre, columns.scale])
    np.testing.assert_array_equal(np.asarray(layer(codes)), columns.values(codes))


def test_the_gene_image_by_hand():
    """Two genes; the product of the first is stronger than its variant, so it stands first."""
    columns = GeneColumns(
        variants=np.array([[0, 0], [0, 0], [0, 1], [2, 2]], np.int32),
        tables=np.ones((4, 2, 4), np.float32),
        centre=np.zeros(4, np.float32),
        scale=np.ones(4, np.float32),
        plane=np.array([0, 2, 0, 1], np.uint8),
        group=np.array([4, 4, 4, 9], np.int32),
    )
    place = place_columns(columns, np.array([0.1, 0.2, 0.3, 0.1]), max_slots=5)
    np.testing.assert_array_equal(place, [[[3, 0, 0], [1, 0, 2]], [[0, 4, 0], [0, 0, 0]]])
    cut = place_columns(columns, np.array([0.1, 0.2, 0.3, 0.1]), max_slots=1)
    np.testing.assert_array_equal(cut, [[[3, 0, 0]], [[0, 4, 0]]])


def test_the_network_lies_within_its_outline():
    _, _, groups, model, _, _ = compound()
    outline = {layer.name: layer for layer in outline_gene_network(120, groups, NETWORK)}
    for layer in model.layers:
        if layer.name in outline and layer.name not in ("genotypes", "output"):
            assert layer.count_params() <= outline[layer.name].n_parameters, layer.name
    assert "convolution_1" in [layer.name for layer in model.layers]


def test_planes_by_hand():
    """Two of each genotype and one missing: mean 1, variance 2/3; planes 2/3 and 1/3 carriers."""
    codes = np.array([[0, 1], [0, 1], [1, 1], [1, 3], [2, 3], [2, 1], [3, 1]], np.uint8)
    table = plane_table(count_codes(codes))
    np.testing.assert_allclose(table[0, :, 0], [-1.2247, 0, 1.2247, 0], atol=1e-4)
    np.testing.assert_allclose(table[0, :, 1], [-1.4142, 0.7071, 0.7071, 0], atol=1e-4)
    np.testing.assert_array_equal(table[1], 0)  # it does not vary


@pytest.mark.parametrize("share", [0.6, 0.3])
def test_a_point_of_the_path_equals_scikit_learn(share):
    codes, is_case, _ = cohort("additive", n_people=600, n_missing=0)
    table = plane_table(count_codes(codes))
    x = table[np.arange(codes.shape[1]), codes, 0]

    class Source:
        def __len__(self):
            return x.shape[1]

        def products(self, residual):
            return residual @ x

        def take(self, chosen):
            return x[:, chosen]

    ones = np.ones(len(x), np.float32)
    factors = np.ones(x.shape[1], np.float32)
    point = list(l1_path(Source(), is_case, ones, np.array([0.9, share]), factors))[-1]
    model = LogisticRegression(
        C=1 / (point.penalty * len(x)), l1_ratio=1.0, solver="saga", tol=1e-6, max_iter=5000
    ).fit(x.astype(float), is_case)
    weights = np.zeros(x.shape[1])
    weights[point.chosen] = point.weights
    np.testing.assert_allclose(weights, model.coef_[0], atol=0.004)
    assert point.intercept == pytest.approx(model.intercept_[0], abs=0.004)


def few(n_people, n_variants, seed=0):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (n_people, n_variants)).astype(np.uint8)
    return codes, rng.random(n_people) < 0.5


EDGES = {
    "one variant": lambda x: x[:, :1],
    "nothing varies": lambda x: np.ones_like(x),
    "all missing": lambda x: np.full_like(x, 3),
    "one carrier": lambda x: np.eye(*x.shape, dtype=np.uint8),
    "males have 0 or 2": lambda x: (x.clip(0, 1) * 2).astype(np.uint8),
}


@pytest.mark.parametrize("edge", EDGES)
def test_edges_give_a_network(edge, tmp_path):
    x_train, y_train = few(150, 12)
    x_watch, y_watch = few(40, 12, seed=1)
    x_train, x_watch = EDGES[edge](x_train), EDGES[edge](x_watch)
    groups = np.arange(x_train.shape[1]) // 3
    model, trained = train_gene_network(x_train, y_train, x_watch, y_watch, groups, NETWORK, SHORT)
    save_model(model, tmp_path / "model.keras")
    again = predict_probability(load_model(tmp_path / "model.keras"), x_watch)
    assert np.isfinite(again).all()
    assert trained.epochs
    if edge in ("nothing varies", "all missing"):
        np.testing.assert_allclose(again, y_train.mean(), atol=1e-3)


@pytest.mark.parametrize("n_watch", [1, 3])
@pytest.mark.parametrize("class_weights", [True, False])
def test_few_watched_people_of_one_class(n_watch, class_weights):
    codes, is_case, groups = cohort("additive", n_people=400)
    training = SHORT.model_copy(update={"class_weights": class_weights})
    model, trained = train_gene_network(
        codes, is_case, codes[:n_watch], np.ones(n_watch, bool), groups, NETWORK, training
    )
    assert np.isnan(trained.epochs[-1].val_auc)
    assert np.isfinite(predict_probability(model, codes)).all()


def test_no_variants_is_a_sentence():
    with pytest.raises(EmptyResultError, match=r"raise selection\.max_p"):
        train_gene_network(
            np.empty((5, 0), np.uint8), np.ones(5, bool), np.empty((5, 0), np.uint8),
            np.ones(5, bool), np.empty(0, int), NETWORK, SHORT,
        )  # fmt: skip


def test_a_missing_call_counts_as_the_average_person():
    codes, _, _, model, _, _ = compound()
    blank = np.full((1, codes.shape[1]), 3, np.uint8)
    between = predict_probability(model, codes)
    assert np.quantile(between, 0.1) < predict_probability(model, blank)[0]
    assert predict_probability(model, blank)[0] < np.quantile(between, 0.9)


@pytest.mark.parametrize("keep", ["accuracy", "auc", "last"])
def test_kept_epochs_and_optimisers(keep):
    codes, is_case, groups = cohort("compound", n_people=1700)
    optimizer = {"accuracy": "sgd", "auc": "adamw", "last": "adam"}[keep]
    training = SHORT.model_copy(update={"keep": keep, "optimizer": optimizer})
    assert train(codes, is_case, groups, training=training)[1].epochs


OTHER_BACKEND = """
import numpy as np
from pipeline.settings import NetworkSettings, TrainingSettings
from pipeline.training import predict_probability
from pipeline.training.genes import train_gene_network
rng = np.random.default_rng(0)
codes = rng.integers(0, 4, (300, 12)).astype(np.uint8)
is_case = (codes[:, 0] > 0) & (codes[:, 1] > 0)
model, trained = train_gene_network(
    codes[:200], is_case[:200], codes[200:], is_case[200:], np.arange(12) // 3,
    NetworkSettings(family="gene", filters=4), TrainingSettings(epochs=2, learning_rate=0.01))
assert predict_probability(model, codes).shape == (300,)
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends(backend):
    pytest.importorskip(backend, reason=f"{backend} is not installed")
    done = subprocess.run(
        [sys.executable, "-c", OTHER_BACKEND], env=os.environ | {"KERAS_BACKEND": backend},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_head_starts_at_the_gate():
    """Before anything is learned the network with convolutions is its gate."""
    columns = GeneColumns(
        variants=np.zeros((1, 2), np.int32),
        tables=np.array([[[-1, 0, 1, 0], [1, 1, 1, 1]]], np.float32),
        centre=np.zeros(1, np.float32),
        scale=np.ones(1, np.float32),
        plane=np.zeros(1, np.uint8),
        group=np.zeros(1, np.int32),
    )
    place = place_columns(columns, np.ones(1), 4)
    model = build_gene_network(3, columns, np.array([2.0]), 0.5, place, NETWORK, seed=1)
    codes = np.array([[0, 0, 0], [2, 1, 1]], np.uint8)
    logit = np.array([-1.5, 2.5])
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(model(codes))[:, 0], 1 / (1 + np.exp(-logit)), rtol=1e-5
    )
