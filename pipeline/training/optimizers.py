"""The optimisers, Adam's update by TensorFlow's one kernel where it is there.

Keras writes an update of Adam as a dozen passes over each weight and its two moments; on tens of
millions of weights that is a third of a training step.
"""

from __future__ import annotations

import keras

from pipeline.settings import TrainingSettings


@keras.saving.register_keras_serializable(package="exolens")
class Adam(keras.optimizers.Adam):
    """Keras's Adam, its update in one pass over the weights on TensorFlow.

    With a `weight_decay` it is AdamW (Loshchilov and Hutter 2019; the decay is times the learning
    rate): that is all by which Keras's two classes differ.
    """

    def update_step(self, gradient, variable, learning_rate):
        if keras.backend.backend() != "tensorflow":
            return super().update_step(gradient, variable, learning_rate)
        import tensorflow as tf

        if self.amsgrad or isinstance(gradient, tf.IndexedSlices) or variable.dtype != tf.float32:
            return super().update_step(gradient, variable, learning_rate)
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[index]),
            v=_handle(self._velocities[index]),
            beta1_power=tf.pow(tf.constant(self.beta_1, tf.float32), step),
            beta2_power=tf.pow(tf.constant(self.beta_2, tf.float32), step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(gradient, tf.float32),
        )
        return None


def _handle(variable):
    """Return the TensorFlow resource behind a variable, which Keras may have wrapped."""
    inner = variable.value if isinstance(variable, keras.Variable) else variable
    return inner.handle


def optimizer(settings: TrainingSettings) -> keras.optimizers.Optimizer:
    """Return the optimiser that the settings name, at the first learning rate."""
    rate = settings.learning_rate
    match settings.optimizer:
        case "adam":
            return Adam(rate)
        case "adamw":
            return Adam(rate, weight_decay=settings.weight_decay)
        case "sgd":
            return keras.optimizers.SGD(rate, momentum=settings.momentum)
    raise ValueError(f"no optimiser {settings.optimizer}")
