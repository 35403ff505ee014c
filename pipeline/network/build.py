"""The convolutional network: genotype codes in, probability of being a case out.

Plain Keras 3, so that it runs on any of its backends. Only the worker imports this module.
"""

from __future__ import annotations

import keras

from pipeline.encoding import Encoding
from pipeline.errors import SettingsError
from pipeline.network.fused import L1L2, BatchNorm, Conv1D, Dense, Dropout
from pipeline.network.layers import (
    ChannelAttention,
    DropBlock,
    GenotypeInput,
    SpatialAttention,
    kernel_seeds,
)
from pipeline.outline import LayerOutline, outline_layers, squeezed
from pipeline.settings import NetworkSettings

# Weights, gradient, two moments of Adam and the best epoch's copy: 20 bytes a weight.
MAX_PARAMETERS = 500_000_000


def build_network(encoding: Encoding, settings: NetworkSettings, seed: int) -> keras.Model:
    """Return the network that `outline_layers` draws, its weights drawn from `seed` alone.

    It takes codes uint8 (n_people, n_variants), 3 = missing, and gives (n_people, 2) with softmax
    (control, case) or (n_people, 1) with sigmoid. In the 3d layout the three planes are the
    channels of a 2D convolution, as the colours of a picture are: one kernel sees all three
    genotypes of a place at once. (The paper's "instead of using pre-trained weights" speaks of
    picture networks, which have three colours.)

    Raises `SettingsError` when the network would not fit into memory.
    """
    outline = outline_layers(encoding.n_variants, encoding.shape, settings)
    n_parameters = sum(layer.n_parameters for layer in outline)
    if n_parameters > MAX_PARAMETERS:
        raise SettingsError(
            f"A network may have {MAX_PARAMETERS:,} weights, but these settings and "
            f"{encoding.n_variants:,} variants make {n_parameters:,}; pool more, or take fewer "
            "filters, units or variants."
        )
    seeds = iter(kernel_seeds(seed, len(outline)))
    codes = keras.Input((encoding.n_variants,), dtype="uint8", name=outline[0].name)
    tensor = codes
    for layer in outline[1:]:
        tensor = _layer(layer, encoding, settings, next(seeds))(tensor)
    model = keras.Model(codes, tensor, name="exolens")
    model.get_layer("encoding").set_weights([encoding.table])
    return model


def _layer(
    layer: LayerOutline, encoding: Encoding, settings: NetworkSettings, seed: int
) -> keras.layers.Layer:
    """Return the Keras layer that an outline stands for; `seed` draws its weights or dropout."""
    layers = keras.layers
    flat = encoding.layout == "1d"
    name = layer.name
    glorot = keras.initializers.GlorotUniform(seed=seed)
    penalty = None
    if settings.l1 or settings.l2:
        penalty = L1L2(l1=settings.l1, l2=settings.l2)
    match layer.kind:
        case "encoding":
            return GenotypeInput(
                encoding.n_variants, encoding.n_channels, encoding.extent, name=name
            )
        case "convolution":
            return (Conv1D if flat else layers.Conv2D)(
                layer.shape[-1],
                layer.window,
                strides=settings.stride,
                padding="same",
                activation="relu",
                kernel_initializer=glorot,
                kernel_regularizer=penalty,
                name=name,
            )
        case "batch_norm":
            return BatchNorm(name=name)
        case "max_pool":
            pool = layers.MaxPooling1D if flat else layers.MaxPooling2D
            return pool(layer.window, padding="same", name=name)
        case "dropout":
            return Dropout(settings.dropout, seed=seed, name=name)
        case "channel_dropout":
            dropout = layers.SpatialDropout1D if flat else layers.SpatialDropout2D
            return dropout(settings.dropout, seed=seed, name=name)
        case "block_dropout":
            return DropBlock(settings.dropout, layer.window, seed=seed, name=name)
        case "channel_attention":
            return ChannelAttention(squeezed(layer.shape[-1]), seed=seed, name=name)
        case "spatial_attention":
            return SpatialAttention(layer.window, seed=seed, name=name)
        case "flatten":
            return layers.Flatten(name=name)
        case "dense":
            return Dense(
                layer.shape[-1],
                activation="relu",
                kernel_initializer=glorot,
                kernel_regularizer=penalty if settings.penalise_dense else None,
                name=name,
            )
        case "output":
            return Dense(
                layer.shape[-1], activation=settings.output, kernel_initializer=glorot, name=name
            )
    raise ValueError(f"no layer of kind {layer.kind}")
