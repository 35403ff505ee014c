"""The drawn network is the one that Keras builds, and drawing it needs no Keras."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from pipeline.encoding import fit_encoding
from pipeline.outline import outline_network
from pipeline.presets import PRESETS, apply_preset
from pipeline.settings import EncodingSettings, NetworkSettings

CASES = [
    (1, "2d", {}),
    (2, "1d", {"pool": 8, "kernel": 31, "convolutions": 3, "filters": 2, "dense": (3,)}),
    (5, "3d", {"stride": 2, "filters": 3, "dense": ()}),
    (17, "2d", {"dense": (7, 5, 3), "batch_norm": False, "output": "sigmoid", "filters": 4}),
    (30, "1d", {"dropout": 0.0, "pool": 1, "stride": 3, "filters": 4, "dense": (6,)}),
    (50, "3d", {"convolutions": 6, "kernel": 2, "filters": 5, "dense": (4,), "l1": 0.1}),
    (101, "2d", {"stride": 8, "pool": 3, "kernel": 5, "filters": 3, "dense": (9,)}),
]


@pytest.mark.parametrize(("n_variants", "layout", "changes"), CASES)
def test_outline_equals_keras(n_variants, layout, changes):
    from pipeline.network import build_network

    settings = NetworkSettings(**changes)
    genotypes = np.random.default_rng(0).integers(0, 3, (4, n_variants)).astype(np.uint8)
    encoding = fit_encoding(genotypes, EncodingSettings(layout=layout))
    model = build_network(encoding, settings, seed=1)
    outline = outline_network(n_variants, layout, settings)
    assert [layer.name for layer in outline] == [layer.name for layer in model.layers]
    for ours, theirs in zip(outline, model.layers, strict=True):
        assert ours.shape == theirs.output.shape[1:], ours.name
        assert ours.n_parameters == theirs.count_params(), ours.name
        n_trainable = sum(int(np.prod(weight.shape)) for weight in theirs.trainable_weights)
        assert ours.n_trainable == n_trainable, ours.name
    assert sum(layer.n_parameters for layer in outline) == model.count_params()


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_can_be_drawn_at_the_size_of_the_swedish_study(preset):
    settings = apply_preset(preset)
    outline = outline_network(18_970, settings.encoding.layout, settings.network)
    assert outline[-1].shape == ((1,) if settings.network.output == "sigmoid" else (2,))


def test_the_final_network_by_hand():
    """138 x 138, pooled to 69 and 35: 35 * 35 * 32 = 39,200 numbers enter the dense layer."""
    outline = {layer.name: layer for layer in outline_network(18_970, "2d", NetworkSettings())}
    assert outline["encoding"].shape == (138, 138, 1)
    assert outline["flatten"].shape == (39_200,)
    assert outline["convolution_2"].n_parameters == (3 * 3 * 32 + 1) * 32
    assert outline["dense_1"].n_parameters == 39_201 * 1000


def test_drawing_and_reading_epochs_do_not_import_keras():
    code = (
        "import sys, pipeline.outline, pipeline.epochs, pipeline.schedule, pipeline.presets, "
        "pipeline.splits, pipeline.encoding, pipeline.evaluation, pipeline.baselines; "
        "sys.exit(bool({'keras', 'tensorflow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
