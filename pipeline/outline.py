"""The network before it exists: its layers, shapes and numbers of weights, without Keras.

The dashboard draws it, and `network.build_network` builds exactly what stands here.
"""

from __future__ import annotations

import math
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
    "dropout",
    "flatten",
    "dense",
    "output",
]


@dataclass(frozen=True)
class LayerOutline:
    """One layer: shape of what it gives for one person, and how many weights it holds.

    `n_parameters` counts all weights as Keras does, also those that training leaves alone: the
    lookup table of the encoding, the running mean and variance of batch normalisation. `window`
    is the width of a kernel or pool along each axis of the map, 0 for other layers.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]
    n_parameters: int
    n_trainable: int
    window: int = 0


def outline_network(
    n_variants: int, layout: str, settings: NetworkSettings
) -> tuple[LayerOutline, ...]:
    """Return the layers in order, from genotype codes to the output.

    Each convolution is followed by batch normalisation, max-pooling and dropout, each dense layer
    by batch normalisation and dropout; what a setting turns off is absent. A kernel or pool wider
    than its map is cut to it, and both pad with zeros ("same"), so any number of variants works.
    """
    shape = input_shape(n_variants, layout)
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


def _convolution(
    shape: tuple[int, ...], settings: NetworkSettings, number: int
) -> list[LayerOutline]:
    *extent, n_channels = shape
    filters = settings.filters
    kernel = min(settings.kernel, extent[0])
    n_weights = (kernel ** len(extent) * n_channels + 1) * filters
    extent = [math.ceil(size / settings.stride) for size in extent]
    shape = (*extent, filters)
    layers = [
        LayerOutline(f"convolution_{number}", "convolution", shape, n_weights, n_weights, kernel)
    ]
    layers += _batch_norm(f"batch_norm_{number}", shape, settings)
    pool = min(settings.pool, extent[0])
    if pool > 1:
        shape = (*(math.ceil(size / pool) for size in extent), filters)
        layers.append(LayerOutline(f"max_pool_{number}", "max_pool", shape, 0, 0, pool))
    return layers + _dropout(f"dropout_{number}", shape, settings)


def _dense(n_inputs: int, units: int, settings: NetworkSettings, number: int) -> list[LayerOutline]:
    n_weights = (n_inputs + 1) * units
    layers = [LayerOutline(f"dense_{number}", "dense", (units,), n_weights, n_weights)]
    layers += _batch_norm(f"dense_batch_norm_{number}", (units,), settings)
    return layers + _dropout(f"dense_dropout_{number}", (units,), settings)


def _batch_norm(name: str, shape: tuple[int, ...], settings: NetworkSettings) -> list[LayerOutline]:
    if not settings.batch_norm:
        return []
    return [LayerOutline(name, "batch_norm", shape, 4 * shape[-1], 2 * shape[-1])]


def _dropout(name: str, shape: tuple[int, ...], settings: NetworkSettings) -> list[LayerOutline]:
    return [LayerOutline(name, "dropout", shape, 0, 0)] if settings.dropout else []
