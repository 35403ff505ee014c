"""Training: it learns what is there, keeps the best epoch, stops when told, repeats itself."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.utils.class_weight import compute_class_weight

from pipeline.encoding import fit_encoding
from pipeline.epochs import EpochRecord, Trained
from pipeline.errors import Cancelled, SettingsError
from pipeline.network import build_network
from pipeline.presets import apply_preset
from pipeline.schedule import LearningRate
from pipeline.settings import EncodingSettings, NetworkSettings, TrainingSettings
from pipeline.training import (
    class_weights,
    load_model,
    predict_probability,
    save_model,
    train_network,
)

SMALL = NetworkSettings(convolutions=1, filters=4, dense=(8,), dropout=0.2)
FAST = TrainingSettings(epochs=3, learning_rate=0.01)


def cohort(n_people: int, n_variants: int = 60, effect: float = 1.5, seed: int = 0):
    """Return codes and labels; every sixth variant adds to the risk."""
    rng = np.random.default_rng(seed)
    codes = rng.binomial(2, 0.3, (n_people, n_variants)).astype(np.uint8)
    score = (codes[:, ::6] - 0.6).sum(axis=1) * effect
    is_case = rng.random(n_people) < 1 / (1 + np.exp(-score))
    codes[rng.random(codes.shape) < 0.02] = 3
    return codes, is_case


def train(codes, is_case, x_watch, y_watch, network=SMALL, training=FAST, **options):
    encoding = fit_encoding(codes, EncodingSettings())
    model = build_network(encoding, network, training.seed)
    return model, train_network(model, codes, is_case, x_watch, y_watch, training, **options)


@pytest.fixture(scope="module")
def small():
    return (*cohort(200, 30), *cohort(80, 30, seed=1))


def test_learns_a_planted_signal_with_the_quick_preset():
    settings = apply_preset("quick")
    codes, is_case = cohort(900)
    x_watch, y_watch = cohort(300, seed=1)
    x_test, y_test = cohort(600, seed=2)
    encoding = fit_encoding(codes, settings.encoding)
    model = build_network(encoding, settings.network, seed=1)
    train_network(model, codes, is_case, x_watch, y_watch, settings.training)
    assert roc_auc_score(y_test, predict_probability(model, x_test)) > 0.8


def test_noise_stays_noise():
    codes, _ = cohort(400, 30)
    rng = np.random.default_rng(9)
    x_test, y_test = cohort(1200, 30, seed=2)[0], rng.random(1200) < 0.5
    model, _ = train(codes, rng.random(400) < 0.5, x_test[:100], y_test[:100])
    # The standard error of an AUC of 0.5 on 1,200 people is 0.017.
    assert abs(roc_auc_score(y_test, predict_probability(model, x_test)) - 0.5) < 0.06


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_the_best_epoch_is_kept_and_early_stopping_waits_its_patience(small, output):
    network = SMALL.model_copy(update={"output": output, "l2": 0.01})
    training = FAST.model_copy(update={"epochs": 30, "patience": 2, "learning_rate": 0.03})
    model, trained = train(*small, network, training)
    losses = [epoch.val_loss for epoch in trained.epochs]
    assert [epoch.epoch for epoch in trained.epochs] == list(range(1, len(losses) + 1))
    assert trained.best_epoch == 1 + int(np.argmin(losses))
    assert len(losses) == trained.best_epoch + 2 < 30
    # The weights are those of that epoch: its record can be measured again, by Keras itself.
    best = trained.epochs[trained.best_epoch - 1]
    x_watch, y_watch = small[2:]
    loss, accuracy = model.evaluate(x_watch, y_watch.astype(int), verbose=0)
    assert loss == pytest.approx(best.val_loss, rel=1e-4)
    assert accuracy == pytest.approx(best.val_accuracy, abs=1e-6)
    probability = predict_probability(model, x_watch)
    assert probability.dtype == np.float32
    assert roc_auc_score(y_watch, probability) == pytest.approx(best.val_auc, abs=1e-6)


def test_no_early_stopping_runs_all_epochs_and_still_keeps_the_best(small):
    training = FAST.model_copy(update={"epochs": 8, "patience": 0, "learning_rate": 0.05})
    _, trained = train(*small, training=training)
    assert len(trained.epochs) == 8
    losses = [epoch.val_loss for epoch in trained.epochs]
    assert trained.best_epoch == 1 + int(np.argmin(losses)) < 8


def test_learning_rates_follow_the_schedule(small):
    """The rates recorded are those the rule gives for the losses recorded, and Keras used them."""
    training = TrainingSettings(
        epochs=6,
        patience=0,
        learning_rate=0.02,
        decay_rate=0.5,
        decay_steps=14,
        plateau_patience=1,
        plateau_factor=0.1,
        min_learning_rate=1e-5,
    )
    used = []
    encoding = fit_encoding(small[0], EncodingSettings())
    model = build_network(encoding, SMALL, seed=1)
    trained = train_network(
        model,
        *small,
        training,
        on_epoch=lambda _: used.append(float(model.optimizer.learning_rate)),
    )
    rule = LearningRate(training, steps_per_epoch=7)
    for epoch in trained.epochs:
        assert epoch.learning_rate == rule.value
        rule.observe(epoch.val_loss)
    np.testing.assert_allclose(used, [epoch.learning_rate for epoch in trained.epochs], rtol=1e-6)
    # Two stairs at the least: epochs begin at step 0, 7, 14, 21, 28, 35.
    assert trained.epochs[-1].learning_rate <= 0.02 * 0.5**2


def test_same_seed_same_weights_other_seed_other_weights(small):
    first, trained = train(*small)
    again, repeated = train(*small)
    other, _ = train(*small, training=FAST.model_copy(update={"seed": 2}))
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(trained.epochs, repeated.epochs, strict=True):
        assert (a.loss, a.val_loss, a.val_auc) == (b.loss, b.val_loss, b.val_auc)
    assert not np.array_equal(first.get_weights()[1], other.get_weights()[1])


def test_reports_every_epoch_and_batch(small):
    epochs: list[EpochRecord] = []
    shares: list[float] = []
    training = FAST.model_copy(update={"patience": 0})
    _, trained = train(
        *small, training=training, on_epoch=epochs.append, on_batch=shares.append, fold=2
    )
    assert isinstance(trained, Trained)
    assert tuple(epochs) == trained.epochs
    assert {epoch.fold for epoch in epochs} == {2}
    np.testing.assert_allclose(shares, np.arange(1, 22) / 21)  # 3 epochs of 7 batches
    assert all(epoch.seconds > 0 for epoch in epochs)
    assert trained.seconds >= sum(epoch.seconds for epoch in epochs)


def test_cancel_stops_within_one_batch(small):
    calls = itertools.count(1)

    def cancel_in_third(share: float) -> None:
        if next(calls) == 3:
            raise Cancelled("stop")

    with pytest.raises(Cancelled, match="stop"):
        train(*small, on_batch=cancel_in_third)
    assert next(calls) == 4  # nobody called again


def test_cancel_from_an_epoch_comes_through(small):
    def cancel(_: EpochRecord) -> None:
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        train(*small, on_epoch=cancel)


@pytest.mark.parametrize("layout", ["1d", "2d", "3d"])
def test_a_saved_model_predicts_the_same(small, layout, tmp_path):
    encoding = fit_encoding(small[0], EncodingSettings(layout=layout))
    model = build_network(encoding, SMALL, seed=1)
    path = tmp_path / "model.keras"
    save_model(model, path)
    loaded = load_model(path)
    np.testing.assert_array_equal(
        predict_probability(model, small[2]), predict_probability(loaded, small[2])
    )


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "adamw"])
def test_optimizers(small, optimizer):
    training = FAST.model_copy(update={"epochs": 1, "optimizer": optimizer})
    model, _ = train(*small, training=training)
    expected = {"adam": "Adam", "sgd": "SGD", "adamw": "AdamW"}[optimizer]
    assert type(model.optimizer) is getattr(keras.optimizers, expected)


def test_class_weights_equal_scikit_learn_and_are_used():
    is_case = np.repeat([True, False], [30, 170])
    expected = compute_class_weight("balanced", classes=np.array([False, True]), y=is_case)
    np.testing.assert_allclose([class_weights(is_case)[0], class_weights(is_case)[1]], expected)
    codes, _ = cohort(200, 30, seed=5)  # nothing to learn but the share of cases
    rates = []
    for weighted in (False, True):
        training = FAST.model_copy(update={"class_weights": weighted})
        model, _ = train(codes, is_case, codes, is_case, training=training)
        rates.append(predict_probability(model, codes)[~is_case].mean())
    assert rates[0] + 0.1 < rates[1]


def test_divergence_is_a_sentence(small):
    training = FAST.model_copy(update={"optimizer": "sgd", "learning_rate": 1.0, "epochs": 30})
    # model_copy does not check bounds: each step multiplies a weight by 1 - 2 * 3 = -5.
    network = SMALL.model_copy(update={"l2": 3.0, "batch_norm": False})
    with pytest.raises(SettingsError, match=r"lower training\.learning_rate"):
        train(*small, network, training)


def test_watched_people_of_one_class_have_no_area(small):
    codes, is_case, x_watch, _ = small
    _, trained = train(codes, is_case, x_watch[:5], np.ones(5, bool))
    assert np.isnan(trained.epochs[0].val_auc)
