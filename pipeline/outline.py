"""The network before it exists: its layers, shapes and numbers of weights, without Keras.

The dashboard draws it, and `network.build_network` builds exactly what stands here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.encoding import N_CODES, input_shape
from pipeline.settings import NetworkSettings

Kind = Literal[
    "input",
    "encoding",
    "convolution",
    "batch_norm",
    "max_pool",
    "channel_attention",
    "spatial_attention",
    "dropout",
    "channel_dropout",
    "block_dropout",
    "flatten",
    "dense",
    "output",
]

# Channel attention sees the channels through this many times fewer units; spatial attention sees
# a place and its neighbours in a window this wide (Hu et al. 2018 take 16, for hundreds of
# channels; Woo et al. 2018 take 7).
SQUEEZE_RATIO = 8
ATTENTION_KERNEL = 7


@dataclass(frozen=True)
class LayerOutline:
    """One layer: shape of what it gives for one person, and how many weights it holds.

    `n_parameters` counts all weights as Keras does, also those that training leaves alone: the
    lookup table of the encoding, the running mean and variance of batch normalisation. `window`
    is the width of a kernel, pool or dropped block along each axis of the map, empty for others.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]
    n_parameters: int
    n_trainable: int
    window: tuple[int, ...] = ()


def outline_network(
    n_variants: int, layout: str, settings: NetworkSettings, row_width: int | None = None
) -> tuple[LayerOutline, ...]:
    """Return the layers in order, from genotype codes to the output, for variants not yet encoded.

    `layout` and `row_width` are those of the settings of the encoding.
    """
    return outline_layers(n_variants, input_shape(n_variants, layout, row_width), settings)


def outline_layers(
    n_variants: int, shape: tuple[int, ...], settings: NetworkSettings
) -> tuple[LayerOutline, ...]:
    """Return the layers in order, where one encoded person has the shape `shape`.

    Each convolution is followed by batch normalisation and max-pooling (the other way round where
    pooling comes first), attention and dropout, each dense layer by batch normalisation and
    dropout of units; what a setting turns off is absent. Attention comes after pooling, where it
    weighs what the next layer will see. A kernel, pool or block wider than its map is cut to it
    along that axis, and kernels and pools pad with zeros ("same"), so any number of variants
    works.
    """
    if settings.family != "convolutional":
        raise ValueError(f"no outline of the family {settings.family}")
    layers = [
        LayerOutline("genotypes", "input", (n_variants,), 0, 0),
        LayerOutline("encoding", "encoding", shape, n_variants * N_CODES * shape[-1], 0),
    ]
    for number in range(1, settings.convolutions + 1):
        layers += _convolution(shape, settings, number)
        shape = layers[-1].shape
    shape = (math.prod(shape),)
    layers.append(LayerOutline("flatten", "flatten", shape, 0, 0))
    for number, units in enumerate(settings.dense, start=1):
        layers += _dense(shape[0], units, settings, number)
        shape = layers[-1].shape
    n_outputs = 2 if settings.output == "softmax" else 1
    n_weights = (shape[0] + 1) * n_outputs
    layers.append(LayerOutline("output", "output", (n_outputs,), n_weights, n_weights))
    return tuple(layers)


def squeezed(n_channels: int) -> int:
    """Return how many units channel attention sees `n_channels` through."""
    return max(1, n_channels // SQUEEZE_RATIO)


def _convolution(
    shape: tuple[int, ...], settings: NetworkSettings, number: int
) -> list[LayerOutline]:
    *extent, n_channels = shape
    filters = settings.filters
    kernel = _cut(settings.kernel, extent)
    n_weights = (math.prod(kernel) * n_channels + 1) * filters
    extent = [math.ceil(size / settings.stride) for size in extent]
    shape = (*extent, filters)
    layers = [
        LayerOutline(f"convolution_{number}", "convolution", shape, n_weights, n_weights, kernel)
    ]
    pool = _cut(settings.pool, extent)
    pooled = (*(math.ceil(size / by) for size, by in zip(extent, pool, strict=True)), filters)
    pooling = [LayerOutline(f"max_pool_{number}", "max_pool", pooled, 0, 0, pool)]
    if max(pool) == 1:
        pooling = []
    norm = f"batch_norm_{number}"
    if settings.norm_after_pool:
        layers += pooling + _batch_norm(norm, pooled, settings)
    else:
        layers += _batch_norm(norm, shape, settings) + pooling
    return layers + _attention(pooled, settings, number) + _dropout(pooled, settings, number)


def _attention(
    shape: tuple[int, ...], settings: NetworkSettings, number: int
) -> list[LayerOutline]:
    *extent, n_channels = shape
    layers = []
    if settings.attention in ("channel", "both"):
        units = squeezed(n_channels)
        n_weights = (n_channels + 1) * units + (units + 1) * n_channels
        name = f"channel_attention_{number}"
        layers.append(LayerOutline(name, "channel_attention", shape, n_weights, n_weights))
    if settings.attention in ("spatial", "both"):
        kernel = _cut(ATTENTION_KERNEL, extent)
        n_weights = 2 * math.prod(kernel) + 1
        name = f"spatial_attention_{number}"
        layers.append(LayerOutline(name, "spatial_attention", shape, n_weights, n_weights, kernel))
    return layers


def _dropout(shape: tuple[int, ...], settings: NetworkSettings, number: int) -> list[LayerOutline]:
    if not settings.dropout:
        return []
    if settings.dropout_kind == "channels":
        return [LayerOutline(f"channel_dropout_{number}", "channel_dropout", shape, 0, 0)]
    if settings.dropout_kind == "blocks":
        block = _cut(settings.block_size, shape[:-1])
        return [LayerOutline(f"block_dropout_{number}", "block_dropout", shape, 0, 0, block)]
    return [LayerOutline(f"dropout_{number}", "dropout", shape, 0, 0)]


def _dense(n_inputs: int, units: int, settings: NetworkSettings, number: int) -> list[LayerOutline]:
    n_weights = (n_inputs + 1) * units
    layers = [LayerOutline(f"dense_{number}", "dense", (units,), n_weights, n_weights)]
    layers += _batch_norm(f"dense_batch_norm_{number}", (units,), settings)
    if settings.dropout:
        layers.append(LayerOutline(f"dense_dropout_{number}", "dropout", (units,), 0, 0))
    return layers


def _batch_norm(name: str, shape: tuple[int, ...], settings: NetworkSettings) -> list[LayerOutline]:
    if not settings.batch_norm:
        return []
    return [LayerOutline(name, "batch_norm", shape, 4 * shape[-1], 2 * shape[-1])]


def _cut(width: int, extent: Sequence[int]) -> tuple[int, ...]:
    """Return a window's width along each axis, no wider than the map."""
    return tuple(min(width, size) for size in extent)
