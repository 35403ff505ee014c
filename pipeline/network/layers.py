"""Layers that Keras does not have."""

from __future__ import annotations

import keras
import numpy as np

from pipeline.encoding import N_CODES


@keras.saving.register_keras_serializable(package="exolens")
class GenotypeInput(keras.layers.Layer):
    """Looks each code up in the encoding's table and lays the values out.

    From integer codes (n_people, n_variants), 3 = missing, to floats (n_people, n_variants,
    n_channels), or (n_people, side, side, n_channels) padded with zeros. Equal to
    `pipeline.encoding.encode`. The table is a weight that training leaves alone.
    """

    def __init__(self, n_variants: int, n_channels: int, side: int, **options):
        super().__init__(**options)
        self.n_variants = n_variants
        self.n_channels = n_channels
        self.side = side

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
        if not self.side:
            return values
        n_padding = self.side**2 - self.n_variants
        padded = ops.pad(values, ((0, 0), (0, n_padding), (0, 0)))
        return ops.reshape(padded, (-1, self.side, self.side, self.n_channels))

    def compute_output_shape(self, input_shape):
        extent = (self.side, self.side) if self.side else (self.n_variants,)
        return (input_shape[0], *extent, self.n_channels)

    def get_config(self):
        return super().get_config() | {
            "n_variants": self.n_variants,
            "n_channels": self.n_channels,
            "side": self.side,
        }
