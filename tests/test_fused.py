"""Fused kernels against the plain Keras that they stand for."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.network import BatchNorm
from pipeline.network.fused import L1L2, Conv1D, Dense, Dropout
from pipeline.settings import TrainingSettings
from pipeline.training import fit, optimizers

SHAPES = [(6, 5), (1, 5), (6, 7, 5), (6, 7, 4, 5)]


def values(shape, seed=0):
    return np.random.default_rng(seed).normal(1, 2, shape).astype(np.float32)


def norm_pair(shape, **options):
    """Return Keras's layer and ours, with the same weights, none of them at their start."""
    pair = keras.layers.BatchNormalization(**options), BatchNorm(**options)
    rng = np.random.default_rng(3)
    weights = [rng.uniform(0.5, 1.5, shape[-1]).astype(np.float32) for _ in range(4)]
    for layer in pair:
        layer.build(shape)
        layer.set_weights(weights)
    return pair


def measure(layer, x, upstream, training=True):
    """Return output, gradients of input and weights, and weights afterwards."""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        output = layer(x, training=training)
    sources = [x, *[weight.value for weight in layer.trainable_weights]]
    gradients = tape.gradient(output, sources, tf.cast(upstream, output.dtype))
    return [np.asarray(a, np.float32) for a in (output, *gradients, *layer.get_weights())]


def assert_same(expected, found, atol=2e-5):
    assert len(expected) == len(found)
    for number, (a, b) in enumerate(zip(expected, found, strict=True)):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=atol, err_msg=f"part {number}")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_equals_keras(shape, training):
    plain, fused = norm_pair(shape, momentum=0.9)
    x, upstream = values(shape), values(shape, 1)
    for _ in range(2):  # moving statistics move on from the first step's
        assert_same(measure(plain, x, upstream, training), measure(fused, x, upstream, training))


def test_batch_norm_equality_can_fail(monkeypatch):
    """A kernel's own variance, over n - 1, is not Keras's."""

    def forget_to_put_back(self, average, value):
        n = 6 if average is self.moving_variance else 0
        average.assign(average * self.momentum + value * (n / (n - 1)) * (1 - self.momentum))

    monkeypatch.setattr(BatchNorm, "_move", forget_to_put_back)
    plain, fused = norm_pair((6, 5))
    with pytest.raises(AssertionError, match="part"):
        assert_same(measure(plain, *[values((6, 5))] * 2), measure(fused, *[values((6, 5))] * 2))


def test_batch_norm_in_a_graph_with_open_batch():
    plain, fused = norm_pair((6, 7, 5))
    spec = tf.TensorSpec((None, 7, 5), tf.float32)
    graph = tf.function(lambda x: fused(x, training=True), input_signature=[spec])
    for n in (6, 3):
        x = values((n, 7, 5), n)
        np.testing.assert_allclose(graph(x), plain(x, training=True), rtol=1e-4, atol=2e-5)
    assert_same(plain.get_weights(), fused.get_weights())


@pytest.mark.parametrize("shape", SHAPES[::2])
def test_batch_norm_in_mixed_precision(shape):
    plain, fused = norm_pair(shape, dtype="mixed_bfloat16")
    x, upstream = values(shape), values(shape, 1)
    expected, found = measure(plain, x, upstream), measure(fused, x, upstream)
    assert fused(x, training=True).dtype == tf.bfloat16
    # Eight bits of mantissa: gradients near 1 differ by 0.01 in the input's own rounding.
    assert_same(expected, found, atol=0.06)
    assert [weight.dtype for weight in fused.weights] == ["float32"] * 4


@pytest.mark.parametrize("options", [{"scale": False}, {"center": False}, {"axis": 1}])
def test_batch_norm_leaves_the_unusual_to_keras(options):
    plain = keras.layers.BatchNormalization(**options)
    fused = BatchNorm(**options)
    x = values((6, 7, 5))
    np.testing.assert_array_equal(fused(x, training=True), plain(x, training=True))


def test_a_frozen_batch_norm_keeps_its_statistics():
    plain, fused = norm_pair((6, 5))
    plain.trainable = fused.trainable = False
    before = fused.get_weights()
    np.testing.assert_allclose(
        fused(values((6, 5)), training=True), plain(values((6, 5)), training=True), rtol=1e-4
    )
    assert_same(before, fused.get_weights(), atol=0)


@pytest.mark.parametrize("rate", [0.5, 0.3, 0.05, 0.9])
def test_dropout_drops_its_share_and_keeps_the_sum(rate):
    layer = Dropout(rate, seed=3)
    x = np.ones((400, 501), np.float32)
    kept = np.asarray(layer(x, training=True))
    n = x.size
    assert set(np.unique(kept).round(2)) == {0, np.float32(1 / (1 - rate)).round(2)}
    error = np.sqrt(rate * (1 - rate) / n)
    assert abs(np.mean(kept == 0) - rate) < 5 * error
    assert kept.mean() == pytest.approx(1, abs=5 * error / (1 - rate))
    # Neighbours, people and steps are independent, though four units share a random word.
    dropped = kept == 0
    for other in (dropped[:, 1:], dropped[1:], np.asarray(layer(x, training=True)) == 0):
        rows, columns = other.shape
        both = dropped[-rows:, -columns:] if other.shape != dropped.shape else dropped
        shifted = dropped[:rows, :columns] if other.shape != dropped.shape else other
        assert abs(np.mean(both & shifted) - rate**2) < 0.01
    np.testing.assert_array_equal(layer(x, training=False), x)


def test_dropout_passes_its_gradient_where_it_kept():
    x = tf.constant(values((50, 41)))
    with tf.GradientTape() as tape:
        tape.watch(x)
        kept = Dropout(0.25, seed=1)(x, training=True)
    gradient = np.asarray(tape.gradient(kept, x))
    np.testing.assert_allclose(gradient, np.where(np.asarray(kept) == 0, 0, 1 / 0.75), rtol=1e-6)


def test_dropout_repeats_itself_by_seed():
    draws = [
        [np.asarray(layer(np.ones((9, 9)), training=True)) for _ in range(2)]
        for layer in (Dropout(0.5, seed=7), Dropout(0.5, seed=7), Dropout(0.5, seed=8))
    ]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0][0], draws[0][1])
    assert not np.array_equal(draws[0][0], draws[2][0])


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("shape", [(6, 30), (6, 3, 30)])
def test_dense_equals_keras(shape, dtype):
    pair = [
        kind(8, activation="relu", kernel_regularizer="l2", dtype=dtype)
        for kind in (keras.layers.Dense, Dense)
    ]
    for layer in pair:
        layer.build(shape)
        layer.set_weights([values((30, 8), 5) / 10, values(8, 6)])
    x, upstream = values(shape), values((*shape[:-1], 8), 1)
    expected, found = (measure(layer, x, upstream) for layer in pair)
    assert_same(expected, found, atol=1e-5 if dtype == "float32" else 0.1)
    assert pair[1].losses == pair[0].losses


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize(
    "options", [{}, {"strides": 2}, {"padding": "valid"}, {"activation": None}]
)
def test_a_convolution_along_a_row_equals_keras(options, dtype):
    options = {"padding": "same", "activation": "relu", "dtype": dtype} | options
    pair = [kind(8, 3, **options) for kind in (keras.layers.Conv1D, Conv1D)]
    for layer in pair:
        layer.build((6, 11, 4))
        layer.set_weights([values((3, 4, 8), 5), values(8, 6)])
    x = values((6, 11, 4))
    upstream = values(pair[0].compute_output_shape(x.shape), 1)
    expected, found = (measure(layer, x, upstream) for layer in pair)
    assert_same(expected, found, atol=1e-4 if dtype == "float32" else 0.6)


@pytest.mark.parametrize(("l1", "l2"), [(0.01, 0.02), (0.0, 0.02), (0.01, 0.0)])
def test_a_penalty_equals_keras(l1, l2):
    weights = values((30, 8))
    weights[:3] = 0  # where the absolute value has no slope, Keras takes 0
    found = []
    for kind in (keras.regularizers.L1L2, L1L2):
        variable = keras.Variable(weights)
        with tf.GradientTape() as tape:
            penalty = 3 * kind(l1, l2)(variable)
        found.append([np.asarray(penalty), np.asarray(tape.gradient(penalty, variable.value))])
    assert_same(*found)


@pytest.mark.parametrize("kind", [BatchNorm, lambda **k: Dense(3, **k), lambda **k: Dropout(0.5)])
def test_other_backends_take_keras_own_way(kind, monkeypatch):
    """What JAX and PyTorch run: Keras's own call, here on TensorFlow's arrays."""
    x = values((6, 5))
    keras.utils.set_random_seed(1)
    layer = kind()
    own = type(layer).__mro__[1]
    monkeypatch.setattr("pipeline.network.fused._on_tensorflow", lambda: False)
    called = []
    monkeypatch.setattr(
        own, "call", lambda self, inputs, **options: called.append(options) or inputs
    )
    layer(x, training=True)
    assert [options["training"] for options in called] == [True]


def test_a_network_of_fused_layers_survives_a_file(tmp_path):
    inputs = keras.Input((5, 2))
    maps = Conv1D(3, 3, padding="same", kernel_regularizer=L1L2(0.1, 0.2))(inputs)
    flat = keras.layers.Flatten()(maps)
    outputs = Dropout(0.3, seed=1)(BatchNorm()(Dense(4, activation="relu")(flat)))
    model = keras.Model(inputs, outputs)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert [type(layer) for layer in loaded.layers] == [type(layer) for layer in model.layers]
    np.testing.assert_array_equal(loaded(values((6, 5, 2))), model(values((6, 5, 2))))
    assert float(loaded.losses[0]) == float(model.losses[0]) > 0


def descend(optimizer, n_steps=4, dtype="float32"):
    """Return weights and moments after some steps down random slopes."""
    weights = [keras.Variable(values((7, 3), 1)), keras.Variable(values(3, 2))]
    optimizer.build(weights)

    @tf.function
    def step(slopes):
        optimizer.apply(list(slopes), weights)

    for number in range(n_steps):
        if number == 2:
            optimizer.learning_rate = 0.003
        step((values((7, 3), 10 + number), values(3, 20 + number)))
    return [np.asarray(weight) for weight in (*weights, *optimizer.variables)]


@pytest.mark.parametrize(
    ("settings", "plain"),
    [
        ({"optimizer": "adam"}, lambda: keras.optimizers.Adam(0.01)),
        (
            {"optimizer": "adamw", "weight_decay": 0.1},
            lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
        ),
        ({"optimizer": "sgd", "momentum": 0.9}, lambda: keras.optimizers.SGD(0.01, momentum=0.9)),
    ],
)
def test_optimizers_equal_keras(settings, plain):
    ours = optimizers.optimizer(TrainingSettings(learning_rate=0.01, **settings))
    assert_same(descend(plain()), descend(ours), atol=1e-6)


def test_optimizer_equality_can_fail():
    ours = optimizers.Adam(0.01, beta_2=0.99)
    with pytest.raises(AssertionError, match="part"):
        assert_same(descend(keras.optimizers.Adam(0.01)), descend(ours), atol=1e-6)


def test_adam_takes_one_kernel_for_each_weight():
    optimizer = optimizers.Adam(0.01)
    weight = keras.Variable(values((7, 3)))
    optimizer.build([weight])
    graph = tf.function(lambda slope: optimizer.apply([slope], [weight])).get_concrete_function(
        tf.TensorSpec((7, 3))
    )
    kinds = [operation.type for operation in graph.graph.get_operations()]
    assert kinds.count("ResourceApplyAdam") == 1
    assert "Sqrt" not in kinds


def test_precision_holds_for_what_is_built_inside():
    with fit.precision(TrainingSettings(precision="bfloat16")):
        inside = keras.layers.Dense(2)
        inside.build((None, 3))
    assert (inside.compute_dtype, inside.kernel.dtype) == ("bfloat16", "float32")
    assert keras.layers.Dense(2).compute_dtype == "float32"
    with pytest.raises(RuntimeError), fit.precision(TrainingSettings(precision="bfloat16")):
        raise RuntimeError
    assert keras.config.dtype_policy().name == "float32"
