"""Training: it learns what is there, keeps the best epoch, stops when told, repeats itself."""

from __future__ import annotations

import itertools
import math

import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.utils.class_weight import compute_class_weight

from pipeline.encoding import fit_encoding
from pipeline.epochs import EpochRecord, Trained
from pipeline.errors import Cancelled, Enough, SettingsError
from pipeline.network import build_network
from pipeline.presets import apply_preset
from pipeline.schedule import LearningRate
from pipeline.settings import EncodingSettings, NetworkSettings, TrainingSettings
from pipeline.training import (
    class_weights,
    fit,
    load_model,
    precision,
    predict_probability,
    save_model,
    train_network,
)
from pipeline.training.checkpoint import Checkpoint

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
    kind = "sparse_categorical_crossentropy" if output == "softmax" else "binary_crossentropy"
    model.compile(loss=kind, metrics=["accuracy"])
    loss, accuracy = model.evaluate(x_watch, y_watch[:, None].astype("float32"), verbose=0)
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


@pytest.mark.parametrize(("in_epoch", "keep"), [(1, "loss"), (3, "loss"), (3, "last")])
def test_enough_keeps_the_best_epoch_so_far(small, in_epoch, keep):
    n_batches = -(-len(small[0]) // FAST.batch_size)
    training = FAST.model_copy(update={"epochs": 6, "patience": 0, "keep": keep})
    calls = itertools.count(1)

    def end(share: float) -> None:
        if next(calls) > n_batches * (in_epoch - 1) + 1:
            raise Enough

    model, trained = train(*small, training=training, on_batch=end)
    assert trained.was_ended
    assert len(trained.epochs) == max(1, in_epoch - 1)
    whole, until = train(
        *small, training=training.model_copy(update={"epochs": max(1, in_epoch - 1)})
    )
    assert not until.was_ended
    assert trained.best_epoch == until.best_epoch
    for a, b in zip(model.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_the_prediction_error_of_an_epoch_is_that_of_the_people_drawn(small):
    drawn = (small[0][:40], small[1][:40])
    training = FAST.model_copy(update={"keep": "last"})
    model, trained = train(*small, training=training, drawn=drawn)
    wrong = (predict_probability(model, drawn[0]) > 0.5) != drawn[1]
    assert trained.epochs[-1].prediction_error == pytest.approx(wrong.mean())
    _, honest = train(*small)
    assert all(np.isnan(epoch.prediction_error) for epoch in honest.epochs)


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


@pytest.mark.parametrize(
    "changes",
    [{"optimizer": "adam"}, {"optimizer": "sgd", "momentum": 0.9}, {"optimizer": "adamw"}],
)
def test_optimizers_learn(small, changes):
    training = FAST.model_copy(update={"epochs": 6, "learning_rate": 0.02, **changes})
    _, trained = train(*small, training=training)
    assert trained.epochs[-1].loss < trained.epochs[0].loss


def test_momentum_and_decay_reach_the_optimiser(small):
    """Each changes the weights that the same seed ends with."""
    ends = []
    for changes in (
        {"optimizer": "sgd"},
        {"optimizer": "sgd", "momentum": 0.9},
        {"optimizer": "adam"},
        {"optimizer": "adamw", "weight_decay": 0.5},
    ):
        model, _ = train(*small, training=FAST.model_copy(update={"epochs": 1, **changes}))
        ends.append(model.get_weights()[1].sum())
    assert len(set(ends)) == 4


def test_the_first_epoch_equals_keras_own_fit(small):
    """Same start, order and rate, no dropout: the same loss, accuracy and weights as `fit`."""
    codes, is_case, x_watch, y_watch = small
    network = SMALL.model_copy(update={"dropout": 0.0, "l2": 0.01})
    encoding = fit_encoding(codes, EncodingSettings())
    for weighted in (False, True):
        ours, peer = (build_network(encoding, network, seed=1) for _ in range(2))
        training = TrainingSettings(epochs=1, learning_rate=0.01, class_weights=weighted)
        trained = train_network(ours, codes, is_case, x_watch, y_watch, training)
        peer.compile(
            keras.optimizers.Adam(0.01),
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
            jit_compile=False,
        )
        order = np.random.default_rng(training.seed).permutation(len(codes))
        history = peer.fit(
            codes[order],
            is_case[order].astype(int),
            batch_size=32,
            shuffle=False,
            class_weight=class_weights(is_case) if weighted else None,
            verbose=0,
        ).history
        assert trained.epochs[0].loss == pytest.approx(history["loss"][0], rel=1e-4)
        assert trained.epochs[0].accuracy == pytest.approx(history["accuracy"][0], abs=1e-6)
        for a, b in zip(ours.get_weights(), peer.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_other_backends_train_by_keras_own_fit(small, monkeypatch):
    """Their way, taken here on TensorFlow: it tells of batches, learns and stops as ours does."""
    monkeypatch.setattr(fit, "_graph_epochs", fit._keras_epochs)
    shares: list[float] = []
    training = FAST.model_copy(update={"patience": 0, "class_weights": True})
    _, trained = train(*small, training=training, on_batch=shares.append)
    np.testing.assert_allclose(shares, np.arange(1, 22) / 21)
    assert trained.epochs[-1].loss < trained.epochs[0].loss
    calls = itertools.count(1)

    def cancel_in_third(share: float) -> None:
        if next(calls) == 3:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        train(*small, on_batch=cancel_in_third)
    assert next(calls) == 4


def first_best(values: list[float]) -> int:
    return 1 + int(np.argmax(values))


@pytest.mark.parametrize("keep", ["loss", "accuracy", "auc", "last"])
def test_the_kept_epoch_is_the_one_asked_for(small, keep):
    training = FAST.model_copy(
        update={"keep": keep, "epochs": 9, "patience": 0, "learning_rate": 0.03, "seed": 5}
    )
    model, trained = train(*small, training=training)
    expected = {
        "loss": first_best([-epoch.val_loss for epoch in trained.epochs]),
        "accuracy": first_best([epoch.val_accuracy for epoch in trained.epochs]),
        "auc": first_best([epoch.val_auc for epoch in trained.epochs]),
        "last": 9,
    }
    # The rules would not differ if they all chose alike.
    assert len(set(expected.values())) > 2
    assert trained.best_epoch == expected[keep]
    kept = trained.epochs[trained.best_epoch - 1]
    x_watch, y_watch = small[2:]
    probability = predict_probability(model, x_watch)
    assert np.mean((probability > 0.5) == y_watch) == kept.val_accuracy
    assert roc_auc_score(y_watch, probability) == pytest.approx(kept.val_auc, abs=1e-9)


def record(epoch: int, val_loss: float, val_accuracy: float) -> EpochRecord:
    return EpochRecord(0, epoch, 1.0, 0.5, val_loss, val_accuracy, 0.5, 0.01, 0.1)


def test_the_earlier_epoch_wins_a_tie_and_the_loss_alone_says_when_to_stop():
    choice = fit._Choice(TrainingSettings(keep="accuracy", patience=2))
    for number, (loss, accuracy) in enumerate([(0.7, 0.6), (0.6, 0.6), (0.65, 0.7)], start=1):
        choice.look(record(number, loss, accuracy), list)
    assert choice.kept_epoch == 3
    assert not choice.should_stop(3)
    choice.look(record(4, 0.66, 0.7), list)
    assert choice.kept_epoch == 3
    assert choice.should_stop(4)


def test_the_highest_auc_needs_both_classes(small):
    codes, is_case, x_watch, _ = small
    training = FAST.model_copy(update={"keep": "auc"})
    with pytest.raises(SettingsError, match=r"set training\.keep to loss"):
        train(codes, is_case, x_watch, np.ones(80, bool), training=training)


def test_bfloat16_learns_the_same_in_coarser_numbers(tmp_path):
    codes, is_case = cohort(600)
    x_watch, y_watch = cohort(400, seed=1)
    areas = {}
    network = SMALL.model_copy(update={"pool": 1, "batch_norm": False, "dropout": 0.1})
    for kind in ("float32", "bfloat16"):
        training = TrainingSettings(epochs=12, learning_rate=0.01, precision=kind)
        with precision(training):
            model = build_network(fit_encoding(codes, EncodingSettings()), network, seed=1)
        trained = train_network(model, codes, is_case, x_watch, y_watch, training)
        areas[kind] = trained.epochs[trained.best_epoch - 1].val_auc
        assert model.get_layer("convolution_1").compute_dtype == kind
        assert {weight.dtype for weight in model.weights} == {"float32"}
        save_model(model, tmp_path / f"{kind}.keras")
        np.testing.assert_array_equal(
            predict_probability(load_model(tmp_path / f"{kind}.keras"), x_watch),
            predict_probability(model, x_watch),
        )
    assert min(areas.values()) > 0.75
    assert areas["bfloat16"] == pytest.approx(areas["float32"], abs=0.03)


class Killed(BaseException):
    """What a worker that is lost comes to, for those who test within one process."""


@pytest.mark.parametrize(
    ("network", "changes"),
    [
        (SMALL, {}),
        (SMALL, {"optimizer": "sgd", "momentum": 0.9, "plateau_patience": 1}),
        (SMALL.model_copy(update={"dropout_kind": "spatial"}), {"schedule": "cosine"}),
        (SMALL.model_copy(update={"dropout_kind": "block"}), {"optimizer": "adamw"}),
    ],
)
def test_a_killed_training_goes_on_to_the_same_end(small, network, changes, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.training.checkpoint.WRITING_SHARE", math.inf)  # each epoch
    training = FAST.model_copy(update={"epochs": 6, "patience": 4} | changes)
    whole, unbroken = train(*small, network, training)
    path = tmp_path / "checkpoints" / "0.npz"
    heard = []

    def lose_the_worker(record: EpochRecord) -> None:
        heard.append(record.epoch)
        if record.epoch == 4:
            raise Killed

    with pytest.raises(Killed):
        train(*small, network, training, checkpoint=path, on_epoch=lose_the_worker)
    batches = []
    model, resumed = train(
        *small, network, training, checkpoint=path,
        on_epoch=lambda r: heard.append(r.epoch), on_batch=batches.append,
    )  # fmt: skip
    # What was kept is told again; the epoch in which it was killed was not kept.
    assert heard == [1, 2, 3, 4, *range(1, 7)]
    n_steps = -(-len(small[0]) // training.batch_size)
    assert len(batches) == 3 * n_steps
    assert batches[-1] == 1
    assert resumed.best_epoch == unbroken.best_epoch
    for one, other in zip(resumed.epochs, unbroken.epochs, strict=True):
        for name in ("loss", "accuracy", "val_loss", "val_auc", "learning_rate"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-5)
    for weight, other in zip(model.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(weight, other, rtol=1e-4, atol=1e-6)

    again, ended = train(*small, network, training, checkpoint=path, on_batch=batches.append)
    assert len(batches) == 3 * n_steps, "a training that has ended learns no more"
    assert ended.epochs == resumed.epochs
    assert ended.best_epoch == resumed.best_epoch
    for weight, other in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)


def test_a_training_that_was_ended_early_can_go_on(small, tmp_path):
    path = tmp_path / "0.npz"

    def enough(done: float) -> None:
        if done > 0.5:
            raise Enough

    _, ended = train(*small, checkpoint=path, on_batch=enough)
    assert ended.was_ended
    _, resumed = train(*small, checkpoint=path)
    assert len(resumed.epochs) == FAST.epochs
    assert not resumed.was_ended


@pytest.mark.parametrize("harm", ["other settings", "other people", "half a file", "no archive"])
def test_a_checkpoint_of_something_else_is_as_good_as_none(small, tmp_path, harm):
    path = tmp_path / "0.npz"
    codes, is_case, *watched = small
    train(*small, checkpoint=path)
    training = FAST
    match harm:
        case "other settings":
            training = FAST.model_copy(update={"learning_rate": 0.02})
        case "other people":
            is_case = is_case[::-1]
        case "half a file":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        case "no archive":
            path.write_text("epochs")
    batches = []
    train(codes, is_case, *watched, SMALL, training, checkpoint=path, on_batch=batches.append)
    assert len(batches) == FAST.epochs * -(-len(codes) // FAST.batch_size)


def test_a_disk_without_room_does_not_end_a_training(small, tmp_path, capsys):
    (tmp_path / "file").touch()
    _, trained = train(*small, checkpoint=tmp_path / "file" / "0.npz")
    assert len(trained.epochs) == FAST.epochs
    assert "its checkpoint was not written" in capsys.readouterr().err


def test_large_checkpoints_are_written_seldom(small, tmp_path, monkeypatch):
    kept = Checkpoint(tmp_path / "0.npz", "")
    model, trained = train(*small)
    model.compile("sgd")
    now = [0.0]
    monkeypatch.setattr("pipeline.training.checkpoint.time.monotonic", lambda: now[0])
    placed = []

    def place(*_, **__) -> None:
        placed.append(now[0])
        now[0] += 1  # a write takes a second

    kept = Checkpoint(tmp_path / "0.npz", "")
    monkeypatch.setattr(kept, "_place", place)
    for now[0] in range(0, 100, 2):
        kept.write(trained.epochs, [], model)
    assert placed == [0, 22, 44, 66, 88]


def test_the_file_holds_no_optimiser(small, tmp_path):
    model, _ = train(*small)
    save_model(model, tmp_path / "trained.keras")
    fresh = build_network(fit_encoding(small[0], EncodingSettings()), SMALL, seed=1)
    save_model(fresh, tmp_path / "fresh.keras")
    sizes = [(tmp_path / f"{name}.keras").stat().st_size for name in ("trained", "fresh")]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.02)


def test_a_model_can_be_trained_again(small):
    model, _ = train(*small)
    again = train_network(model, *small, FAST)
    assert len(again.epochs) == 3


def test_prediction_of_nobody_and_of_a_part_batch(small):
    model, _ = train(*small)
    assert predict_probability(model, small[2][:0]).shape == (0,)
    whole = predict_probability(model, np.concatenate([small[0]] * 2))
    assert whole.shape == (400,)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(whole[:200], whole[200:], rtol=1e-5)
    np.testing.assert_allclose(model.predict(small[0], verbose=0)[:, 1], whole[:200], rtol=1e-5)


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
