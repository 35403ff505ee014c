"""The drawn network is the one that Keras builds, and drawing it needs no Keras."""

from __future__ import annotations

import itertools
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


# Every attention with every dropout; layouts, orders of pooling and sizes take turns.
TURNS = itertools.cycle(
    itertools.product(("1d", "2d", "3d"), (True, False), ((37, None), (23, 4), (3, 1), (90, 7)))
)
CROSS = [
    (
        n_variants,
        layout,
        {
            "attention": attention,
            "dropout_kind": kind,
            "norm_after_pool": norm_after_pool,
            "row_width": row_width,
            "block_size": 4,
            "filters": 17,
            "dense": (3,),
            "penalise_dense": True,
            "l2": 0.1,
            "batch_norm": kind != "blocks",
        },
    )
    for (attention, kind, _), (layout, norm_after_pool, (n_variants, row_width)) in zip(
        itertools.product(
            ("none", "channel", "spatial", "both"), ("units", "channels", "blocks"), range(2)
        ),
        TURNS,
        strict=False,
    )
]


@pytest.mark.parametrize(("n_variants", "layout", "changes"), CASES + CROSS)
def test_outline_equals_keras(n_variants, layout, changes):
    from pipeline.network import build_network

    changes = dict(changes)
    row_width = changes.pop("row_width", None)
    settings = NetworkSettings(**changes)
    genotypes = np.random.default_rng(0).integers(0, 3, (4, n_variants)).astype(np.uint8)
    encoding = fit_encoding(genotypes, EncodingSettings(layout=layout, row_width=row_width))
    model = build_network(encoding, settings, seed=1)
    outline = outline_network(n_variants, layout, settings, row_width)
    assert [layer.name for layer in outline] == [layer.name for layer in model.layers]
    for ours, theirs in zip(outline, model.layers, strict=True):
        assert ours.shape == theirs.output.shape[1:], ours.name
        assert ours.n_parameters == theirs.count_params(), ours.name
        n_trainable = sum(int(np.prod(weight.shape)) for weight in theirs.trainable_weights)
        assert ours.n_trainable == n_trainable, ours.name
    assert sum(layer.n_parameters for layer in outline) == model.count_params()


CONVOLUTIONAL = [name for name in PRESETS if apply_preset(name).network.family == "convolutional"]


@pytest.mark.parametrize("preset", CONVOLUTIONAL)
def test_presets_can_be_drawn_at_the_size_of_the_swedish_study(preset):
    settings = apply_preset(preset)
    encoding = settings.encoding
    outline = outline_network(18_970, encoding.layout, settings.network, encoding.row_width)
    assert outline[-1].shape == ((1,) if settings.network.output == "sigmoid" else (2,))


def test_the_final_network_by_hand():
    """138 x 138, pooled to 69 and 35: 35 * 35 * 32 = 39,200 numbers enter the dense layer."""
    outline = {layer.name: layer for layer in outline_network(18_970, "2d", NetworkSettings())}
    assert outline["encoding"].shape == (138, 138, 1)
    assert outline["flatten"].shape == (39_200,)
    assert outline["convolution_2"].n_parameters == (3 * 3 * 32 + 1) * 32
    assert outline["dense_1"].n_parameters == 39_201 * 1000


def names(**changes) -> list[str]:
    settings = NetworkSettings(convolutions=1, dense=(5,), **changes)
    return [layer.name for layer in outline_network(30, "2d", settings)][2:-1]


DENSE = ["flatten", "dense_1", "dense_batch_norm_1", "dense_dropout_1"]


def test_the_order_of_layers():
    assert names() == ["convolution_1", "batch_norm_1", "max_pool_1", "dropout_1", *DENSE]
    assert names(norm_after_pool=True, attention="both", dropout_kind="blocks") == [
        "convolution_1", "max_pool_1", "batch_norm_1", "channel_attention_1",
        "spatial_attention_1", "block_dropout_1", *DENSE,
    ]  # fmt: skip
    assert names(attention="channel", dropout_kind="channels", pool=1, batch_norm=False) == [
        "convolution_1", "channel_attention_1", "channel_dropout_1",
        "flatten", "dense_1", "dense_dropout_1",
    ]  # fmt: skip


def test_windows_are_cut_to_each_axis_of_the_map():
    """9 rows of 2: kernels and pools see 2 across at most, blocks what pooling leaves."""
    settings = NetworkSettings(
        convolutions=2, kernel=5, pool=3, attention="spatial", dropout_kind="blocks", block_size=3
    )
    layers = {layer.name: layer for layer in outline_network(18, "2d", settings, row_width=2)}
    assert layers["convolution_1"].window == (5, 2)
    assert layers["max_pool_1"].window == (3, 2)
    assert layers["max_pool_1"].shape == (3, 1, 32)
    assert layers["spatial_attention_1"].window == (3, 1)
    assert layers["spatial_attention_1"].n_parameters == 2 * 3 + 1
    assert layers["block_dropout_1"].window == (3, 1)
    assert layers["max_pool_2"].window == (3, 1)
    assert layers["flatten"].window == ()


def test_channel_attention_by_hand():
    for filters, units in ((64, 8), (17, 2), (3, 1)):
        settings = NetworkSettings(attention="channel", filters=filters)
        layers = {layer.name: layer for layer in outline_network(30, "1d", settings)}
        expected = filters * units + units + units * filters + filters
        assert layers["channel_attention_2"].n_parameters == expected


def test_another_family_has_no_convolutional_outline():
    with pytest.raises(ValueError, match="family gene"):
        outline_network(30, "1d", NetworkSettings(family="gene"))


def test_drawing_and_reading_epochs_do_not_import_keras():
    code = (
        "import sys, pipeline.outline, pipeline.epochs, pipeline.schedule, pipeline.presets, "
        "pipeline.splits, pipeline.encoding, pipeline.evaluation, pipeline.baselines; "
        "sys.exit(bool({'keras', 'tensorflow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
