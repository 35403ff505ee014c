"""Our own layers equal what their papers write, in plain NumPy; and they survive a saved file."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.network.layers import ChannelAttention, DropBlock, SpatialAttention

MAPS = [(5, 7, 3), (5, 4, 6, 9), (2, 1, 8, 2)]  # a row of 7 places, two maps


def maps(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(4).normal(size=shape).astype(np.float32)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def loud(layer: keras.layers.Layer, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Build a layer, give it weights (biases too) that are far from 0, and return them."""
    layer.build(shape)
    rng = np.random.default_rng(5)
    weights = [rng.normal(size=weight.shape).astype(np.float32) for weight in layer.weights]
    layer.set_weights(weights)
    return weights


@pytest.mark.parametrize("shape", MAPS)
def test_channel_attention_equals_numpy(shape):
    layer = ChannelAttention(2)
    squeeze, squeeze_bias, excite, excite_bias = loud(layer, shape)
    x = maps(shape)
    mean = x.reshape(shape[0], -1, shape[-1]).mean(axis=1)
    units = np.maximum(mean @ squeeze + squeeze_bias, 0)
    share = sigmoid(units @ excite + excite_bias)
    expected = x * share.reshape(shape[0], *[1] * (len(shape) - 2), shape[-1])
    np.testing.assert_allclose(np.asarray(layer(x)), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shape", MAPS)
@pytest.mark.parametrize("width", [1, 2, 3, 7])
def test_spatial_attention_equals_numpy(shape, width):
    window = tuple(min(width, size) for size in shape[1:-1])
    layer = SpatialAttention(window)
    kernel, bias = loud(layer, shape)
    x = maps(shape)
    seen = np.stack([x.mean(axis=-1), x.max(axis=-1)], axis=-1)
    # "same": of an even kernel's padding the larger half comes after.
    around = [((wide - 1) // 2, wide // 2) for wide in window]
    padded = np.pad(seen, [(0, 0), *around, (0, 0)])
    axes = tuple(range(1, len(shape) - 1))
    windows = sliding_window_view(padded, window, axis=axes)  # (n, *extent, 2, *window)
    n_axes = len(window)
    level = np.tensordot(
        np.moveaxis(windows, -n_axes - 1, -1),
        kernel[..., 0],
        axes=(list(range(-n_axes - 1, 0)), list(range(n_axes + 1))),
    )
    expected = x * sigmoid(level + bias)[..., None]
    np.testing.assert_allclose(np.asarray(layer(x)), expected, rtol=1e-4, atol=1e-5)


def blocks_of(dropped: np.ndarray, window: tuple[int, ...]) -> np.ndarray:
    """Return where whole blocks fit into what is dropped, painted block by block.

    `dropped` is one channel's map. Equal to `dropped` exactly when it is a union of blocks.
    """
    painted = np.zeros_like(dropped)
    begins = [range(n - w + 1) for n, w in zip(dropped.shape, window, strict=True)]
    for corner in itertools.product(*begins):
        block = tuple(slice(at, at + w) for at, w in zip(corner, window, strict=True))
        if dropped[block].all():
            painted[block] = True
    return painted


@pytest.mark.parametrize(
    ("extent", "window"),
    [((11,), (3,)), ((9,), (9,)), ((8, 10), (3, 3)), ((6, 7), (4, 2)), ((5, 5), (1, 1))],
)
def test_drop_block_drops_blocks_and_keeps_the_sum_of_the_rest(extent, window):
    layer = DropBlock(0.3, window, seed=3)
    x = np.ones((40, *extent, 6), np.float32)
    out = np.asarray(layer(x, training=True))
    dropped = out == 0
    assert 0 < dropped.mean() < 0.3 + 0.1
    for person, channel in itertools.product(range(10), range(6)):
        one = dropped[person, ..., channel]
        np.testing.assert_array_equal(blocks_of(one, window), one)
    # What is left is loud by all over kept, so that the sum stays what it was.
    np.testing.assert_allclose(out[~dropped], out.size / (~dropped).sum(), rtol=1e-5)
    # Channels and people have blocks of their own.
    assert (dropped[..., 0] != dropped[..., 1]).any()
    assert (dropped[0] != dropped[1]).any()
    assert (np.asarray(layer(x, training=True)) != out).any()  # and so has each batch


@pytest.mark.parametrize(
    ("extent", "window"), [((12,), (3,)), ((7, 9), (2, 3)), ((4, 4), (4, 4)), ((6, 6), (1, 1))]
)
def test_drop_block_drops_the_share_of_the_paper(extent, window):
    """Each place is kept when no block begins that would cover it: (1 - gamma) to their number."""
    rate = 0.25
    begins = np.array(extent) - np.array(window) + 1
    gamma = rate / np.prod(window) * np.prod(extent) / np.prod(begins)  # equation 1
    layer = DropBlock(rate, window, seed=1)
    dropped = np.asarray(layer(np.ones((4000, *extent, 4), np.float32), training=True)) == 0
    n_covering = np.ones(extent)
    for axis, (size, wide) in enumerate(zip(extent, window, strict=True)):
        first = np.maximum(np.arange(size) - wide + 1, 0)
        last = np.minimum(np.arange(size), size - wide)
        shape = [1] * len(extent)
        shape[axis] = size
        n_covering *= (last - first + 1).reshape(shape)
    expected = 1 - (1 - gamma) ** n_covering
    # 16,000 draws a place: a standard error below 0.004.
    np.testing.assert_allclose(dropped.mean(axis=(0, -1)), expected, atol=0.02)
    np.testing.assert_allclose(dropped.mean(), expected.mean(), atol=0.01)


def test_drop_block_with_blocks_of_one_is_dropout():
    layer = DropBlock(0.4, (1, 1), seed=2)
    out = np.asarray(layer(np.ones((50, 8, 8, 4), np.float32), training=True))
    assert (out == 0).mean() == pytest.approx(0.4, abs=0.02)
    assert out.mean() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("shape", MAPS)
def test_drop_block_does_nothing_while_the_network_predicts(shape):
    layer = DropBlock(0.5, (1,) * (len(shape) - 2))
    x = maps(shape)
    np.testing.assert_array_equal(np.asarray(layer(x)), x)
    np.testing.assert_array_equal(np.asarray(layer(x, training=False)), x)


def test_drop_block_may_drop_everything():
    layer = DropBlock(0.999, (3,), seed=1)
    out = np.asarray(layer(np.ones((1, 3, 1), np.float32), training=True))
    assert np.isfinite(out).all()


def test_a_block_wider_than_the_map_is_no_block():
    with pytest.raises(ValueError, match=r"no block of \(4,\) in a map of \(3,\)"):
        DropBlock(0.5, (4,)).build((None, 3, 1))


def test_the_same_seed_drops_and_draws_the_same():
    x = maps((6, 8, 4))
    first, again, other = (DropBlock(0.5, (2,), seed=seed)(x, training=True) for seed in (1, 1, 2))
    np.testing.assert_array_equal(np.asarray(first), np.asarray(again))
    assert (np.asarray(first) != np.asarray(other)).any()
    for layer in (ChannelAttention, lambda units, seed: SpatialAttention((units,), seed=seed)):
        first, again, other = (layer(3, seed=seed) for seed in (1, 1, 2))
        for one in (first, again, other):
            one.build((None, 8, 4))
        for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])
    both = ChannelAttention(4, seed=1)
    both.build((None, 8, 4))
    squeeze, _, excite, _ = both.get_weights()
    assert not np.array_equal(squeeze, excite)


@pytest.mark.parametrize(
    "layer",
    [
        ChannelAttention(2, seed=7),
        SpatialAttention((3, 2), seed=7),
        DropBlock(0.3, (2, 3), seed=7),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_survive_a_saved_file(layer, tmp_path):
    given = keras.Input((4, 6, 5))
    model = keras.Model(given, layer(given))
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    x = maps((3, 4, 6, 5))
    np.testing.assert_array_equal(np.asarray(model(x)), np.asarray(loaded(x)))
    assert type(loaded.layers[1]) is type(layer)
    assert loaded.layers[1].get_config() == layer.get_config()


@pytest.mark.parametrize(
    "layer", [ChannelAttention(2), SpatialAttention((3,)), DropBlock(0.3, (2,))]
)
def test_layers_compute_in_the_precision_that_is_set(layer):
    half = type(layer).from_config(layer.get_config() | {"dtype": "mixed_bfloat16"})
    out = half(maps((3, 6, 4)), training=True)
    assert keras.backend.standardize_dtype(out.dtype) == "bfloat16"
    assert all(weight.dtype == "float32" for weight in half.weights)
