"""The network: its first layer is the encoding, its weights come from the seed alone."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from pipeline.encoding import encode, fit_encoding
from pipeline.errors import SettingsError
from pipeline.network import GenotypeInput, build_network
from pipeline.settings import EncodingSettings, NetworkSettings, TrainingSettings
from pipeline.training import load_model, predict_probability, save_model, train_network

SMALL = NetworkSettings(filters=3, dense=(5,))
RICH = {"attention": "both", "dropout_kind": "blocks", "norm_after_pool": True}


def genotypes(n_people: int = 12, n_variants: int = 11) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 4, (n_people, n_variants)).astype(np.uint8)


@pytest.mark.parametrize("layout", ["1d", "2d", "3d"])
@pytest.mark.parametrize("scaling", ["none", "standard"])
def test_the_first_layer_equals_encode(layout, scaling):
    """Bitwise, for codes in one byte, and the table survives a save of the layer."""
    codes = genotypes()
    weights = np.random.default_rng(3).normal(size=11)
    for row_width, given in ((None, None), (4, weights), (20, None), (1, weights)):
        wanted = EncodingSettings(
            layout=layout, scaling=scaling, row_width=row_width, plane_missing="shares"
        )
        encoding = fit_encoding(codes, wanted, given)
        model = build_network(encoding, SMALL, seed=1)
        layer = model.get_layer("encoding")
        np.testing.assert_array_equal(np.asarray(layer(codes)), encode(encoding, codes))
        copy = GenotypeInput.from_config(json.loads(json.dumps(layer.get_config())))
        assert copy.compute_output_shape((None, 11)) == (None, *encoding.shape)
        assert not layer.trainable_weights


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_output_is_a_probability(output):
    codes = genotypes()
    encoding = fit_encoding(codes, EncodingSettings())
    settings = SMALL.model_copy(update={"output": output})
    value = np.asarray(build_network(encoding, settings, seed=1)(codes))
    assert value.shape == (12, 2 if output == "softmax" else 1)
    assert np.all((value >= 0) & (value <= 1))
    if output == "softmax":
        np.testing.assert_allclose(value.sum(axis=1), 1, rtol=1e-5)


def test_a_convolution_by_hand():
    """One kernel (1, 2, 3) over the row 1 0 2 1, padded with zeros, relu."""
    codes = np.array([[1, 0, 2, 1]], dtype=np.uint8)
    encoding = fit_encoding(codes, EncodingSettings(layout="1d", scaling="none"))
    settings = NetworkSettings(convolutions=1, filters=1, pool=2, dense=(), batch_norm=False)
    model = build_network(encoding, settings, seed=0)
    kernel = np.float32([1, 2, 3]).reshape(3, 1, 1)
    model.get_layer("convolution_1").set_weights([kernel, np.float32([-4])])
    row = np.asarray(model.get_layer("convolution_1")(encode(encoding, codes)))[0, :, 0]
    # 0*1+1*2+0*3, 1*1+0*2+2*3, 0*1+2*2+1*3, 2*1+1*2+0*3, all minus 4, not below 0
    np.testing.assert_array_equal(row, [0, 3, 3, 0])
    pooled = np.asarray(model.get_layer("max_pool_1")(row.reshape(1, 4, 1)))[0, :, 0]
    np.testing.assert_array_equal(pooled, [3, 3])


def test_weights_come_from_the_seed_alone():
    encoding = fit_encoding(genotypes(), EncodingSettings())
    np.random.seed(7)  # the global state must not matter
    first = build_network(encoding, SMALL, seed=3).get_weights()
    np.random.seed(8)
    again = build_network(encoding, SMALL, seed=3).get_weights()
    other = build_network(encoding, SMALL, seed=4).get_weights()
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    model = build_network(encoding, NetworkSettings(filters=4, dense=(4, 4)), seed=3)
    kernels = [model.get_layer(name).get_weights()[0] for name in ("dense_2", "convolution_2")]
    assert np.unique(kernels[0]).size == kernels[0].size  # every weight drawn anew


def test_penalties_stand_on_the_convolutions():
    encoding = fit_encoding(genotypes(), EncodingSettings())
    settings = NetworkSettings(filters=3, dense=(5,), l1=0.1, l2=0.01)
    model = build_network(encoding, settings, seed=1)
    expected = 0.0
    for name in ("convolution_1", "convolution_2"):
        kernel = model.get_layer(name).get_weights()[0]
        expected += 0.1 * np.abs(kernel).sum() + 0.01 * (kernel**2).sum()
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("l1", "l2"), [(0.1, 0.01), (0.0, 0.0)])
def test_penalties_stand_on_dense_layers_when_asked(l1, l2):
    """On every hidden kernel, as in the published script; never on the output or a bias."""
    encoding = fit_encoding(genotypes(), EncodingSettings())
    settings = NetworkSettings(filters=3, dense=(5, 4), l1=l1, l2=l2, penalise_dense=True)
    model = build_network(encoding, settings, seed=1)
    expected = 0.0
    for name in ("convolution_1", "convolution_2", "dense_1", "dense_2"):
        kernel = model.get_layer(name).get_weights()[0]
        expected += l1 * np.abs(kernel).sum() + l2 * (kernel**2).sum()
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("layout", ["1d", "2d", "3d"])
@pytest.mark.parametrize("kind", ["units", "channels", "blocks"])
def test_kinds_of_dropout(layout, kind):
    """While it learns: units are dropped one by one, channels whole, blocks as neighbours."""
    codes = genotypes(4, 60)
    encoding = fit_encoding(codes, EncodingSettings(layout=layout))
    settings = NetworkSettings(
        convolutions=1, filters=8, dense=(), dropout_kind=kind, block_size=2, pool=1
    )
    model = build_network(encoding, settings, seed=1)
    assert (
        type(model.layers[4]).__name__
        == {
            "units": "Dropout",
            "channels": "SpatialDropout1D" if layout == "1d" else "SpatialDropout2D",
            "blocks": "DropBlock",
        }[kind]
    )
    maps = np.ones((4, *model.layers[4].output.shape[1:]), np.float32)
    dropped = np.asarray(model.layers[4](maps, training=True)) == 0
    by_channel = dropped.mean(axis=tuple(range(1, dropped.ndim - 1)))
    assert 0.2 < dropped.mean() < 0.8
    assert bool(np.isin(by_channel, (0, 1)).all()) is (kind == "channels")
    flat = np.moveaxis(dropped, -2, -1).reshape(-1, dropped.shape[-2])  # rows of a map
    # Side by side alike: half of the time for single units at a rate of 0.5, more for neighbours.
    alike = (flat[:, 1:] == flat[:, :-1]).mean()
    assert alike < 0.6 if kind == "units" else alike > 0.6
    np.testing.assert_array_equal(np.asarray(model.layers[4](maps, training=False)), maps)


@pytest.mark.parametrize("layout", ["1d", "2d", "3d"])
def test_attention_and_blocks_learn_and_survive_a_file(layout, tmp_path):
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 3, (300, 12)).astype(np.uint8)
    is_case = codes[:, 2] + codes[:, 7] > 2
    encoding = fit_encoding(codes, EncodingSettings(layout=layout, row_width=5))
    settings = NetworkSettings(
        convolutions=1, filters=8, pool=1, batch_norm=False, dense=(), dropout=0.1, **RICH
    )
    model = build_network(encoding, settings, seed=1)
    before = {layer.name: layer.get_weights() for layer in model.layers}
    train_network(
        model, codes, is_case, codes, is_case, TrainingSettings(epochs=12, learning_rate=0.02)
    )
    for name in ("channel_attention_1", "spatial_attention_1"):
        for old, new in zip(before[name], model.get_layer(name).get_weights(), strict=True):
            assert not np.array_equal(old, new), name
    probability = predict_probability(model, codes)
    assert np.mean((probability > 0.5) == is_case) > 0.9
    save_model(model, tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(predict_probability(loaded, codes), probability)


def test_another_family_is_built_elsewhere():
    encoding = fit_encoding(genotypes(), EncodingSettings())
    with pytest.raises(ValueError, match="family gene"):
        build_network(encoding, NetworkSettings(family="gene"), seed=1)


def test_a_network_beyond_memory_is_a_sentence():
    encoding = fit_encoding(genotypes(2, 20_000), EncodingSettings())
    settings = NetworkSettings(pool=1, filters=256, dense=(4096,))
    with pytest.raises(SettingsError, match="20,000 variants make 21,144,189,826"):
        build_network(encoding, settings, seed=1)


OTHER_BACKEND = """
import numpy as np
from pipeline.encoding import encode, fit_encoding
from pipeline.network import build_network
from pipeline.settings import EncodingSettings, NetworkSettings, TrainingSettings
from pipeline.training import predict_probability, train_network
rng = np.random.default_rng(0)
codes = rng.integers(0, 4, (64, 10)).astype(np.uint8)
is_case = codes[:, 0] > 1
for layout, changes in (
    ("3d", {}),
    ("2d", {"attention": "both", "dropout_kind": "blocks", "norm_after_pool": True}),
    ("1d", {"attention": "both", "dropout_kind": "blocks", "block_size": 2}),
    ("1d", {"dropout_kind": "channels"}),
):
    encoding = fit_encoding(codes, EncodingSettings(layout=layout, row_width=4))
    network = NetworkSettings(filters=4, dense=(4,), dropout=0.2, **changes)
    model = build_network(encoding, network, seed=1)
    layer = model.get_layer("encoding")
    np.testing.assert_allclose(np.asarray(layer(codes)), encode(encoding, codes), rtol=1e-6)
    trained = train_network(
        model, codes, is_case, codes, is_case, TrainingSettings(epochs=2, learning_rate=0.01)
    )
    assert len(trained.epochs) == 2
    probability = predict_probability(model, codes)
    assert probability.shape == (64,) and np.isfinite(probability).all()
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed; the network is plain Keras and would run on it")
    done = subprocess.run(
        [sys.executable, "-c", OTHER_BACKEND],
        env=os.environ | {"KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
