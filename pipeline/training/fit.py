"""The network learns: epochs, learning rate, early stopping, best weights, prediction, files.

Only the worker imports this module. The one place where Keras' global seed is set.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from pipeline.epochs import EpochRecord, OnBatch, OnEpoch, Trained, ignore
from pipeline.errors import SettingsError
from pipeline.evaluation import cross_entropy
from pipeline.schedule import LearningRate
from pipeline.settings import TrainingSettings
from pipeline.statistics import auc_delong

# People in a batch when nothing learns; large enough to keep the cores busy, and memory small.
PREDICT_BATCH = 256

OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "sgd": keras.optimizers.SGD,
    "adamw": keras.optimizers.AdamW,
}


def train_network(
    model: keras.Model,
    x_train: NDArray[np.uint8],
    y_train: NDArray[np.bool_],
    x_watch: NDArray[np.uint8],
    y_watch: NDArray[np.bool_],
    settings: TrainingSettings,
    on_epoch: OnEpoch = ignore,
    on_batch: OnBatch = ignore,
    fold: int = 0,
) -> Trained:
    """Train `model` in place and return its epochs; it ends with the weights of the best one.

    `x_*` are genotype codes (n_people, n_variants), 3 = missing; `y_*` are True for cases. The
    best epoch is that of the lowest watched loss, the earlier on a tie. `on_epoch` hears of each
    epoch, `on_batch` after each batch of the share of all epochs done (0 to 1); either may raise
    `Cancelled`, which comes through at once. Class weights come from `y_train` alone and weigh
    the training loss, not the watched one (as Keras does).

    Raises `SettingsError` when the loss stops being a number.
    """
    start = time.monotonic()
    keras.utils.set_random_seed(settings.seed)
    is_tensorflow = keras.backend.backend() == "tensorflow"
    has_two_outputs = model.output_shape[-1] == 2
    model.compile(
        optimizer=OPTIMIZERS[settings.optimizer](settings.learning_rate),
        loss="sparse_categorical_crossentropy" if has_two_outputs else "binary_crossentropy",
        metrics=["accuracy"],
        # XLA makes these networks slower under TensorFlow; the other backends need their jit.
        jit_compile=False if is_tensorflow else "auto",
    )
    watch = _Watch(x_watch, np.asarray(y_watch, bool), settings, len(x_train), fold)
    watch.on_epoch, watch.on_batch = on_epoch, on_batch
    model.fit(
        x_train,
        np.asarray(y_train).astype("int32" if has_two_outputs else "float32"),
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        class_weight=class_weights(y_train) if settings.class_weights else None,
        callbacks=[watch],
        verbose=0,
    )
    model.set_weights(watch.best_weights)
    return Trained(tuple(watch.epochs), watch.best_epoch, time.monotonic() - start)


def class_weights(is_case: NDArray[np.bool_]) -> dict[int, float]:
    """Return the weight of a control (0) and of a case (1): both classes count alike, mean 1."""
    n_case = int(np.sum(is_case))
    n_control = len(is_case) - n_case
    return {0: len(is_case) / (2 * n_control), 1: len(is_case) / (2 * n_case)}


def predict_probability(model: keras.Model, x: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return P(case) of each person, shape (n_people,), from codes (n_people, n_variants)."""
    output = model.predict(x, batch_size=PREDICT_BATCH, verbose=0)
    return np.asarray(output[:, -1], dtype=np.float32)


def save_model(model: keras.Model, path: Path | str) -> None:
    """Write the model, its encoding included, as one `.keras` file."""
    model.save(path)


def forget_models() -> None:
    """Free what Keras remembers of earlier models, so that a warm worker does not grow."""
    keras.utils.clear_session()


def load_model(path: Path | str) -> keras.Model:
    """Return a model that `save_model` wrote, to predict with."""
    # The layer has to be known by name before a file that holds it is read.
    import pipeline.network  # noqa: F401

    return keras.saving.load_model(path, compile=False)


class _Watch(keras.callbacks.Callback):
    """After each epoch: measure the watched people, keep the best weights, move the rate, stop."""

    on_epoch: OnEpoch
    on_batch: OnBatch

    def __init__(
        self,
        x_watch: NDArray[np.uint8],
        y_watch: NDArray[np.bool_],
        settings: TrainingSettings,
        n_train: int,
        fold: int,
    ):
        super().__init__()
        self.epochs: list[EpochRecord] = []
        self.best_epoch = 0
        self.best_weights: list[NDArray] = []
        self._best_loss = math.inf
        self._x, self._y = x_watch, y_watch
        self._settings = settings
        self._fold = fold
        self._steps = math.ceil(n_train / settings.batch_size)
        self._rate = LearningRate(settings, self._steps)

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.monotonic()
        self._epoch = epoch
        self._epoch_rate = self._rate.value
        self.model.optimizer.learning_rate = self._epoch_rate

    def on_train_batch_end(self, batch, logs=None):
        n_done = self._epoch * self._steps + batch + 1
        self.on_batch(n_done / (self._settings.epochs * self._steps))

    def on_epoch_end(self, epoch, logs=None):
        number = epoch + 1
        probability = predict_probability(self.model, self._x)
        val_loss = cross_entropy(self._y, probability) + sum(map(float, self.model.losses))
        loss = float(logs["loss"])
        if not (math.isfinite(loss) and math.isfinite(val_loss)):
            raise SettingsError(
                f"The loss has to stay a number, but in epoch {number} it became {loss:g} "
                f"(watched: {val_loss:g}); lower training.learning_rate."
            )
        record = EpochRecord(
            fold=self._fold,
            epoch=number,
            loss=loss,
            accuracy=float(logs["accuracy"]),
            val_loss=val_loss,
            val_accuracy=float(np.mean((probability > 0.5) == self._y)),
            val_auc=auc_delong(self._y, probability).value,
            learning_rate=self._epoch_rate,
            seconds=time.monotonic() - self._start,
        )
        self.epochs.append(record)
        if val_loss < self._best_loss:
            self._best_loss, self.best_epoch = val_loss, number
            self.best_weights = self.model.get_weights()
        self._rate.observe(val_loss)
        patience = self._settings.patience
        if patience and number - self.best_epoch >= patience:
            self.model.stop_training = True
        self.on_epoch(record)
