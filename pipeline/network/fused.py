"""Layers whose work TensorFlow has in one kernel; on other backends they are plain Keras."""

from __future__ import annotations

import keras


@keras.saving.register_keras_serializable(package="exolens")
class BatchNorm(keras.layers.BatchNormalization):
    """Batch normalisation over all axes but the last."""
