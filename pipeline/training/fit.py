"""The network learns: epochs, learning rate, early stopping, best weights, prediction, files.

Only the worker imports this module. The one place where Keras' global seed is set.
"""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from pipeline.epochs import EpochRecord, OnBatch, OnEpoch, Trained, ignore
from pipeline.errors import Enough, SettingsError
from pipeline.evaluation import cross_entropy
from pipeline.schedule import LearningRate
from pipeline.settings import TrainingSettings
from pipeline.statistics import auc_delong
from pipeline.training.checkpoint import Checkpoint, Kept, state_variables
from pipeline.training.optimizers import optimizer

# People in a batch when nothing learns: enough to keep the cores busy, and at paper size no more
# memory than a step of learning takes.
PREDICT_BATCH = 128

Forward = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@contextmanager
def precision(settings: TrainingSettings) -> Iterator[None]:
    """Layers that are built meanwhile compute in the precision that the settings name.

    Weights, moments and loss stay float32. A built network keeps its precision, in its file too.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(
        "mixed_bfloat16" if settings.precision == "bfloat16" else "float32"
    )
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


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
    drawn: tuple[NDArray[np.uint8], NDArray[np.bool_]] | None = None,
    checkpoint: Path | None = None,
) -> Trained:
    """Train `model` in place and return its epochs; it ends with the weights of the kept one.

    `x_*` are genotype codes (n_people, n_variants), 3 = missing; `y_*` are True for cases. The
    epoch kept is the best watched one by `settings.keep`, the earlier on a tie, or the last;
    early stopping and plateaus watch the loss. `on_epoch` hears of each epoch, `on_batch` after
    each batch of the share of all epochs done (0 to 1); either may raise `Cancelled`, which comes
    through at once, or `Enough`: then the best epoch so far is kept, the first one at least.
    `drawn` are the people of the paper's prediction error, which each epoch then tells. Class
    weights come from `y_train` alone and weigh the training loss, not the watched one (as Keras
    does). The optimiser's moments are let go at the end.

    `checkpoint` is a file that keeps where the training stands (`pipeline.training.checkpoint`).
    When it is there already the training goes on from it, tells its epochs once more, and comes to
    what an unbroken one comes to (on other backends than TensorFlow the people come in another
    order).

    Raises `SettingsError` when the loss stops being a number, or when the AUC shall choose among
    epochs and the watched people are of one class.
    """
    start = time.monotonic()
    y_watch = np.asarray(y_watch, bool)
    if settings.keep == "auc" and y_watch.all() | ~y_watch.any():
        raise SettingsError(
            "Keeping the epoch of the highest AUC takes watched people of both classes, but all "
            f"{len(y_watch)} are of one; set training.keep to loss."
        )
    keras.utils.set_random_seed(settings.seed)
    is_tensorflow = keras.backend.backend() == "tensorflow"
    has_two_outputs = model.output_shape[-1] == 2
    model.compile(
        optimizer=optimizer(settings),
        loss="sparse_categorical_crossentropy" if has_two_outputs else "binary_crossentropy",
        metrics=["accuracy"],
        # XLA makes these networks slower under TensorFlow; the other backends need their jit.
        jit_compile=False if is_tensorflow else "auto",
    )
    truth = np.asarray(y_train).astype("int32" if has_two_outputs else "float32")[:, None]
    kept = Checkpoint(checkpoint, [settings, fold, x_train.shape, x_watch.shape, y_train, y_watch])
    n_steps = math.ceil(len(x_train) / settings.batch_size)
    rate = LearningRate(settings, n_steps)
    choice = _Choice(settings)
    epochs: list[EpochRecord] = []

    def take(record: EpochRecord, weights: Callable[[], list[NDArray]]) -> None:
        epochs.append(record)
        choice.look(record, weights)
        rate.observe(record.val_loss)
        on_epoch(record)

    found = kept.read()
    if found:
        for record in found.epochs:
            take(record, lambda: found.best)
        if found.is_done:
            choice.restore(model)
            model.optimizer, model.compiled = None, False
            return Trained(tuple(epochs), choice.kept_epoch, time.monotonic() - start)
        _put_back(model, found)

    learn = (_graph_epochs if is_tensorflow else _keras_epochs)(
        model, x_train, truth, settings, len(epochs)
    )
    probabilities = _forward(model)
    n_done = itertools.count(1 + len(epochs) * n_steps)
    was_ended = False

    def after_batch() -> None:
        nonlocal was_ended
        try:
            on_batch(next(n_done) / (settings.epochs * n_steps))
        except Enough:
            was_ended = True
            if epochs:
                raise

    for number in range(len(epochs) + 1, settings.epochs + 1):
        if choice.should_stop(number - 1):
            break
        began = time.monotonic()
        epoch_rate = rate.value
        model.optimizer.learning_rate = epoch_rate
        try:
            logs = learn(after_batch)
        except Enough:
            break
        probability = probabilities(x_watch)
        record = EpochRecord(
            fold=fold,
            epoch=number,
            loss=float(logs["loss"]),
            accuracy=float(logs["accuracy"]),
            val_loss=cross_entropy(y_watch, probability) + sum(map(float, model.losses)),
            val_accuracy=float(np.mean((probability > 0.5) == y_watch)),
            val_auc=auc_delong(y_watch, probability).value,
            learning_rate=epoch_rate,
            seconds=time.monotonic() - began,
            prediction_error=_share_wrong(probabilities, drawn),
        )
        _require_numbers(record)
        take(record, model.get_weights)
        kept.write(epochs, choice.weights, model)
        if was_ended:
            break
    if not was_ended:
        kept.finish(epochs, choice.weights)
    choice.restore(model)
    # Two moments a weight would stay in memory, and go into the file, for nobody.
    model.optimizer, model.compiled = None, False
    return Trained(tuple(epochs), choice.kept_epoch, time.monotonic() - start, was_ended)


def _put_back(model: keras.Model, found: Kept) -> None:
    """Let the model, its random numbers and its optimiser stand where they stood."""
    model.optimizer.build(model.trainable_variables)
    for variable, value in zip(state_variables(model), found.variables, strict=True):
        variable.assign(value)
    for variable, value in zip(model.optimizer.variables, found.moments, strict=True):
        variable.assign(value)


def _share_wrong(
    probabilities: Forward, drawn: tuple[NDArray[np.uint8], NDArray[np.bool_]] | None
) -> float:
    if drawn is None:
        return math.nan
    x, is_case = drawn
    return float(np.mean((probabilities(x) > 0.5) != is_case))


class _Choice:
    """Which epoch is kept, with its weights, and when the watched loss says to stop."""

    def __init__(self, settings: TrainingSettings):
        self.kept_epoch = 0
        self.weights: list[NDArray] = []
        self._settings = settings
        self._best_score = -math.inf
        self._lowest_loss = math.inf
        self._lowest_epoch = 0

    def look(self, record: EpochRecord, weights: Callable[[], list[NDArray]]) -> None:
        if record.val_loss < self._lowest_loss:
            self._lowest_loss, self._lowest_epoch = record.val_loss, record.epoch
        match self._settings.keep:
            case "last":
                # Kept like any other: whoever ends a training does so in the midst of an epoch.
                score = float(record.epoch)
            case "loss":
                score = -record.val_loss
            case "accuracy":
                score = record.val_accuracy
            case "auc":
                score = record.val_auc
        if score > self._best_score:
            self._best_score, self.kept_epoch = score, record.epoch
            self.weights = weights()

    def should_stop(self, number: int) -> bool:
        patience = self._settings.patience
        return bool(patience) and number - self._lowest_epoch >= patience

    def restore(self, model: keras.Model) -> None:
        if self.weights:
            model.set_weights(self.weights)


def _require_numbers(record: EpochRecord) -> None:
    if not (math.isfinite(record.loss) and math.isfinite(record.val_loss)):
        raise SettingsError(
            f"The loss has to stay a number, but in epoch {record.epoch} it became "
            f"{record.loss:g} (watched: {record.val_loss:g}); lower training.learning_rate."
        )


Epochs = Callable[[Callable[[], None]], dict[str, float]]


def _graph_epochs(
    model: keras.Model,
    x: NDArray[np.uint8],
    y: NDArray,
    settings: TrainingSettings,
    n_epochs_done: int,
) -> Epochs:
    """Return what does one epoch on TensorFlow, tells of each batch, and gives its means.

    Keras' own `fit` copies the people into a data set and runs callbacks around each batch, which
    costs small networks a fifth of their time, and the first batch half a second.
    """
    import tensorflow as tf

    arrays = [x, y]
    if settings.class_weights:
        weights = class_weights(y[:, 0] > 0)
        arrays.append(np.where(y[:, 0] > 0, weights[1], weights[0]).astype(np.float32))
    # One graph for batches of any size: the last is smaller.
    signature = [tf.TensorSpec((None, *a.shape[1:]), a.dtype) for a in arrays]
    step = tf.function(lambda *batch: model.train_step(batch), input_signature=signature)
    rng = np.random.default_rng(settings.seed)
    for _ in range(n_epochs_done):
        rng.permutation(len(x))
    size = settings.batch_size

    def learn(after_batch: Callable[[], None]) -> dict[str, float]:
        model.reset_metrics()
        order = rng.permutation(len(x))
        for first in range(0, len(x), size):
            chosen = order[first : first + size]
            logs = step(*(a[chosen] for a in arrays))
            after_batch()
        return {name: float(value) for name, value in logs.items()}

    return learn


def _keras_epochs(
    model: keras.Model,
    x: NDArray[np.uint8],
    y: NDArray,
    settings: TrainingSettings,
    _n_epochs_done: int,
) -> Epochs:
    """Return the same for the other backends, by Keras' own `fit`."""
    weights = class_weights(y[:, 0] > 0) if settings.class_weights else None

    def learn(after_batch: Callable[[], None]) -> dict[str, float]:
        watch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: after_batch())
        history = model.fit(
            x,
            y,
            batch_size=settings.batch_size,
            class_weight=weights,
            callbacks=[watch],
            verbose=0,
        ).history
        return {name: values[-1] for name, values in history.items()}

    return learn


def class_weights(is_case: NDArray[np.bool_]) -> dict[int, float]:
    """Return the weight of a control (0) and of a case (1): both classes count alike, mean 1."""
    n_case = int(np.sum(is_case))
    n_control = len(is_case) - n_case
    return {0: len(is_case) / (2 * n_control), 1: len(is_case) / (2 * n_case)}


def predict_probability(model: keras.Model, x: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return P(case) of each person, shape (n_people,), from codes (n_people, n_variants)."""
    return _forward(model)(x)


@functools.lru_cache(maxsize=1)
def _forward(model: keras.Model) -> Forward:
    """Return the model as a function from codes to P(case), a graph of its own on TensorFlow.

    Keras' `predict` makes a data set and runs callbacks at each call, which takes small networks
    four times as long as the answer. The graph of the last model is kept for the next question.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        spec = tf.TensorSpec((None, *model.input_shape[1:]), "uint8")
        graph = tf.function(lambda x: model(x, training=False), input_signature=[spec])

        def outputs(x):
            return np.concatenate(
                [
                    graph(x[first : first + PREDICT_BATCH]).numpy()
                    for first in range(0, len(x), PREDICT_BATCH)
                ]
            )
    else:

        def outputs(x):
            return model.predict(x, batch_size=PREDICT_BATCH, verbose=0)

    def probability(x):
        # The kernels refuse a batch of nobody.
        return np.asarray(outputs(x)[:, -1] if len(x) else [], dtype=np.float32)

    return probability


def save_model(model: keras.Model, path: Path | str) -> None:
    """Write the model, its encoding included, as one `.keras` file."""
    model.save(path)


def forget_models() -> None:
    """Free what Keras remembers of earlier models, so that a warm worker does not grow."""
    _forward.cache_clear()
    keras.utils.clear_session()


def load_model(path: Path | str) -> keras.Model:
    """Return a model that `save_model` wrote, to predict with."""
    # The layer has to be known by name before a file that holds it is read.
    import pipeline.network  # noqa: F401

    return keras.saving.load_model(path, compile=False)
