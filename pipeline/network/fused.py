"""Layers whose work TensorFlow has in cheaper kernels; on other backends they are plain Keras.

Each keeps the name, arguments and weights of the Keras layer it stands for.
"""

from __future__ import annotations

import keras

_BYTE = 256


def _on_tensorflow() -> bool:
    return keras.backend.backend() == "tensorflow"


@keras.saving.register_keras_serializable(package="exolens")
class BatchNorm(keras.layers.BatchNormalization):
    """Batch normalisation over all axes but the last, by one kernel each way.

    Equal to Keras's, moving statistics included: the kernel gives the variance over n - 1, which
    is put back to that over n. In mixed precision it reads and writes the small type and sums in
    float32. Masks, renormalisation, another axis, or no scale or centre take Keras's own way.
    """

    def call(self, inputs, training=None, mask=None):
        if not self._is_fused(inputs, mask):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        n_channels = inputs.shape[-1]
        # The kernel takes maps: rows of people become maps of one place.
        maps = inputs if len(inputs.shape) == 4 else tf.reshape(inputs, (-1, 1, 1, n_channels))
        learns = bool(training) and self.trainable
        empty = tf.zeros((0,), "float32")
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=maps,
            scale=tf.convert_to_tensor(self.gamma),
            offset=tf.convert_to_tensor(self.beta),
            mean=empty if learns else tf.convert_to_tensor(self.moving_mean),
            variance=empty if learns else tf.convert_to_tensor(self.moving_variance),
            epsilon=self.epsilon,
            is_training=learns,
        )
        if learns:
            n_values = tf.cast(tf.size(maps) // n_channels, "float32")
            self._move(self.moving_mean, mean)
            self._move(self.moving_variance, variance * (n_values - 1) / n_values)
        return tf.reshape(outputs, tf.shape(inputs)) if maps is not inputs else outputs

    def _move(self, average, value):
        average.assign(average * self.momentum + value * (1 - self.momentum))

    def _is_fused(self, inputs, mask) -> bool:
        return (
            _on_tensorflow()
            and mask is None
            and not self.renorm
            and not self.synchronized
            and self.scale
            and self.center
            and self.axis in (-1, len(inputs.shape) - 1)
            and self.compute_dtype in ("float32", "bfloat16", "float16")
            and self.variable_dtype == "float32"
        )


@keras.saving.register_keras_serializable(package="exolens")
class Dropout(keras.layers.Dropout):
    """Dropout that draws one random byte a unit, two where the rate is no multiple of 1/256.

    Keras draws a float a unit, which costs as much as a small convolution. The rate is met to
    1/65,536, and what is kept is scaled by the rate as met, so that the expected sum is unchanged.
    """

    def call(self, inputs, training=False):
        if not (training and 0 < self.rate < 1 and self.noise_shape is None and _on_tensorflow()):
            return super().call(inputs, training=training)
        import tensorflow as tf

        byte = self.rate * _BYTE == int(self.rate * _BYTE)
        kind, levels = (tf.uint8, _BYTE) if byte else (tf.uint16, _BYTE**2)
        # At least one level is kept: a rate next to 1 still lets something through.
        n_dropped = min(round(self.rate * levels), levels - 1)
        n_units = tf.size(inputs)
        n_words = n_units // (4 // kind.size) + 1
        seed = tf.cast(tf.math.floormod(self.seed_generator.next(), tf.int32.max), tf.int32)
        words = tf.random.stateless_uniform(
            (n_words,), seed=seed, minval=None, maxval=None, dtype=tf.uint32
        )
        units = tf.reshape(tf.bitcast(words, kind), (-1,))[:n_units]
        keeps = tf.reshape(units, tf.shape(inputs)) >= tf.constant(n_dropped, kind)
        scale = tf.constant(levels / (levels - n_dropped), inputs.dtype)
        nothing = tf.zeros((), inputs.dtype)

        # By hand: the gradient of a product and a choice would read the inputs once more.
        @tf.custom_gradient
        def kept(values):
            def gradient(upstream):
                return tf.where(keeps, upstream * scale, nothing)

            return tf.where(keeps, values * scale, nothing), gradient

        return kept(inputs)


@keras.saving.register_keras_serializable(package="exolens")
class Dense(keras.layers.Dense):
    """A dense layer that passes its gradient back by a product in the weights' own order.

    Many inputs, few people: weights times transposed gradient, transposed, takes half the time of
    gradient times transposed weights, since the large operand is read as it lies.
    """

    def call(self, inputs, training=None):
        plain = self.quantization_mode is not None or self.lora_enabled or len(inputs.shape) != 2
        if plain or not _on_tensorflow():
            return super().call(inputs, training=training)
        import tensorflow as tf

        @tf.custom_gradient
        def product(values, kernel):
            def gradient(upstream):
                to_inputs = tf.transpose(tf.matmul(kernel, upstream, transpose_b=True))
                return to_inputs, tf.matmul(values, upstream, transpose_a=True)

            return tf.matmul(values, kernel), gradient

        outputs = product(inputs, tf.convert_to_tensor(self.kernel))
        if self.use_bias:
            outputs = tf.nn.bias_add(outputs, tf.convert_to_tensor(self.bias))
        return outputs if self.activation is None else self.activation(outputs)


@keras.saving.register_keras_serializable(package="exolens")
class Conv1D(keras.layers.Conv1D):
    """A convolution along a row, with bias and activation in the kernel of the convolution.

    TensorFlow has that kernel for maps alone; Keras folds its map of height 1 into a row again
    before bias and activation, which then are two more passes each way.
    """

    def call(self, inputs):
        usual = (
            self.padding == "same"
            and self.data_format == "channels_last"
            and self.dilation_rate == (1,)
            and self.groups == 1
            and self.use_bias
            and not self.lora_enabled
            and self.quantization_mode is None
        )
        if not (usual and _on_tensorflow()):
            return super().call(inputs)
        import tensorflow as tf

        kernel = tf.expand_dims(tf.convert_to_tensor(self.kernel), 0)
        maps = tf.nn.conv2d(tf.expand_dims(inputs, 1), kernel, (1, *self.strides), "SAME")
        maps = tf.nn.bias_add(maps, tf.convert_to_tensor(self.bias))
        return tf.squeeze(maps if self.activation is None else self.activation(maps), 1)


@keras.saving.register_keras_serializable(package="exolens")
class L1L2(keras.regularizers.L1L2):
    """Keras's penalty, `l1` times the sum of absolute weights plus `l2` times that of squares.

    Its gradient is written down, since the one that TensorFlow finds lays out and multiplies five
    arrays as large as the weights.
    """

    def __call__(self, x):
        if not _on_tensorflow():
            return super().__call__(x)
        import tensorflow as tf

        l1, l2 = float(self.l1), float(self.l2)

        @tf.custom_gradient
        def penalty(weights):
            def gradient(upstream):
                slope = weights * (2 * l2 * upstream)
                return slope + tf.sign(weights) * (l1 * upstream) if l1 else slope

            total = 2 * l2 * tf.nn.l2_loss(weights)
            return total + l1 * tf.reduce_sum(tf.abs(weights)) if l1 else total, gradient

        return penalty(tf.convert_to_tensor(x))
