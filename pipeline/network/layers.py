"""Layers that Keras does not have."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
import numpy as np

from pipeline.encoding import N_CODES


@keras.saving.register_keras_serializable(package="exolens")
class GenotypeInput(keras.layers.Layer):
    """Looks each code up in the encoding's table and lays the values out.

    From integer codes (n_people, n_variants), 3 = missing, to floats (n_people, *extent,
    n_channels), padded with zeros where the map has more places than there are variants. Equal to
    `pipeline.encoding.encode`. The table is a weight that training leaves alone.
    """

    def __init__(self, n_variants: int, n_channels: int, extent: Sequence[int], **options):
        super().__init__(**options)
        self.n_variants = n_variants
        self.n_channels = n_channels
        self.extent = tuple(extent)

    def build(self, input_shape):
        self.table = self.add_weight(
            name="table",
            shape=(self.n_variants, N_CODES, self.n_channels),
            initializer="zeros",
            trainable=False,
        )

    def call(self, codes):
        ops = keras.ops
        rows = np.arange(self.n_variants, dtype="int32") * N_CODES
        flat = ops.reshape(self.table, (self.n_variants * N_CODES, self.n_channels))
        values = ops.take(flat, ops.cast(codes, "int32") + rows, axis=0)
        n_padding = math.prod(self.extent) - self.n_variants
        if n_padding:
            values = ops.pad(values, ((0, 0), (0, n_padding), (0, 0)))
        return ops.reshape(values, (-1, *self.extent, self.n_channels))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.extent, self.n_channels)

    def get_config(self):
        return super().get_config() | {
            "n_variants": self.n_variants,
            "n_channels": self.n_channels,
            "extent": self.extent,
        }


@keras.saving.register_keras_serializable(package="exolens")
class ChannelAttention(keras.layers.Layer):
    """Squeeze and excitation: multiplies each channel by a share that all channels decide.

    From and to maps (n_people, *extent, n_channels). The mean of each channel over the map goes
    through `units` units (ReLU) to one share a channel (sigmoid).

    References: Hu et al. 2018, Squeeze-and-excitation networks, CVPR, equations 2-4.
    """

    def __init__(self, units: int, seed: int | None = None, **options):
        super().__init__(**options)
        self.units = units
        self.seed = seed

    def build(self, input_shape):
        n_channels = input_shape[-1]
        first, second = (None, None) if self.seed is None else kernel_seeds(self.seed, 2)
        self.squeeze, self.squeeze_bias = _kernel_and_bias(
            self, "squeeze", (n_channels, self.units), first
        )
        self.excite, self.excite_bias = _kernel_and_bias(
            self, "excite", (self.units, n_channels), second
        )

    def call(self, maps):
        ops = keras.ops
        axes = tuple(range(1, maps.ndim - 1))
        mean = ops.mean(maps, axis=axes)  # (n_people, n_channels)
        units = ops.relu(ops.matmul(mean, self.squeeze) + self.squeeze_bias)
        share = ops.sigmoid(ops.matmul(units, self.excite) + self.excite_bias)
        return maps * ops.expand_dims(share, axes)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"units": self.units, "seed": self.seed}


@keras.saving.register_keras_serializable(package="exolens")
class SpatialAttention(keras.layers.Layer):
    """The spatial part of CBAM: multiplies each place by a share that its neighbourhood decides.

    From and to maps (n_people, *extent, n_channels). Mean and maximum over the channels go
    through one convolution of width `window` (one number an axis) to one share a place (sigmoid).
    The convolution has a bias, where Woo et al. normalise its output.

    References: Woo et al. 2018, CBAM: convolutional block attention module, ECCV, equation 3.
    """

    def __init__(self, window: Sequence[int], seed: int | None = None, **options):
        super().__init__(**options)
        self.window = tuple(window)
        self.seed = seed

    def build(self, input_shape):
        self.kernel, self.bias = _kernel_and_bias(self, "kernel", (*self.window, 2, 1), self.seed)

    def call(self, maps):
        ops = keras.ops
        seen = ops.concatenate(
            [ops.mean(maps, axis=-1, keepdims=True), ops.max(maps, axis=-1, keepdims=True)], axis=-1
        )
        level = ops.conv(seen, self.kernel, padding="same", data_format="channels_last")
        return maps * ops.sigmoid(level + self.bias)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"window": self.window, "seed": self.seed}


@keras.saving.register_keras_serializable(package="exolens")
class DropBlock(keras.layers.Layer):
    """Drops blocks of neighbouring places, in each channel its own, while the network learns.

    From and to maps (n_people, *extent, n_channels). A block is `window` places wide (one number
    an axis) and lies within the map. Each place where a block can begin does so with probability

        rate / prod(window) * prod(extent) / prod(extent - window + 1),

    so that a share of `rate` would be dropped if no blocks overlapped. What is left is multiplied
    by the number of all over the number of kept places of the batch. Nothing happens when the
    network predicts.

    References: Ghiasi et al. 2018, DropBlock, NeurIPS 31, algorithm 1 and equation 1.
    """

    def __init__(self, rate: float, window: Sequence[int], seed: int | None = None, **options):
        super().__init__(**options)
        self.rate = rate
        self.window = tuple(window)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        extent = input_shape[1:-1]
        if len(extent) != len(self.window) or any(
            wide > size for wide, size in zip(self.window, extent, strict=True)
        ):
            raise ValueError(f"no block of {self.window} in a map of {tuple(extent)}")
        self._begins = tuple(
            size - wide + 1 for size, wide in zip(extent, self.window, strict=True)
        )
        places = math.prod(extent) / math.prod(self._begins)
        self.gamma = self.rate * places / math.prod(self.window)

    def call(self, maps, training=False):
        if not training or not self.rate:
            return maps
        ops = keras.ops
        shape = ops.shape(maps)
        drawn = keras.random.uniform(
            (shape[0], *self._begins, shape[-1]), dtype="float32", seed=self.seed_generator
        )
        begins = ops.cast(drawn < self.gamma, "float32")
        # A place is dropped when a block begins there or at one of the window - 1 places before.
        around = [(wide - 1, wide - 1) for wide in self.window]
        begins = ops.pad(begins, [(0, 0), *around, (0, 0)])
        dropped = ops.max_pool(
            begins, self.window, strides=1, padding="valid", data_format="channels_last"
        )
        kept = 1 - dropped
        # Where nothing is kept, all is zero whatever it is divided by.
        share = ops.maximum(ops.mean(kept), keras.config.epsilon())
        return maps * ops.cast(kept / share, maps.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {
            "rate": self.rate,
            "window": self.window,
            "seed": self.seed,
        }


def _kernel_and_bias(
    layer: keras.layers.Layer, name: str, shape: tuple[int, ...], seed: int | None
) -> tuple[keras.Variable, keras.Variable]:
    """Add a kernel, drawn from `seed`, and a bias of zeros to a layer, and return both."""
    draw = keras.initializers.GlorotUniform(seed=seed)
    kernel = layer.add_weight(name=name, shape=shape, initializer=draw)
    bias = layer.add_weight(name=f"{name}_bias", shape=shape[-1:], initializer="zeros")
    return kernel, bias


def kernel_seeds(seed: int, n: int) -> list[int]:
    """Return `n` seeds that follow from one, each below 2^31, as PyTorch needs them."""
    return (np.random.SeedSequence(seed).generate_state(n) >> 1).tolist()
