"""A kept network cut in two: the encoding, and from the encoded values to the logit and its slope.

The one module here that knows Keras. Only the worker imports it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.attribution.network import OpenNetwork
from pipeline.errors import InputError
from pipeline.network import GenotypeInput
from pipeline.network.genes import GeneInput
from pipeline.training import forget_models, load_model

__all__ = ["forget_models", "load_model", "open_network"]


def open_network(model: keras.Model) -> OpenNetwork:
    """Return the network as functions of its encoded values, on any backend of Keras.

    Dropout and batch normalisation stand as in prediction, and all is computed in float32, in
    whatever precision the network learned. Raises `InputError` for a network that is none of ours.
    """
    model = _in_float32(model)
    first = next((one for one in model.layers if isinstance(one, GenotypeInput | GeneInput)), None)
    if first is None:
        raise InputError(
            "Attribution starts behind the first layer of a network of Exolens, but this model "
            "has none such; give a run that Exolens trained."
        )
    output = model.get_layer("output")
    tail = keras.Model(first.output, output.input)
    kernel, bias = output.get_weights()
    # Of two softmax outputs the log odds are the difference; of one sigmoid it is the value itself.
    towards = kernel[:, -1] - (kernel[:, 0] if kernel.shape[1] > 1 else 0)
    offset = float(bias[-1] - (bias[0] if len(bias) > 1 else 0))

    def logit(values: Any) -> Any:
        hidden = tail(values, training=False)
        return keras.ops.matmul(hidden, towards[:, None])[:, 0] + offset

    def encode(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(keras.ops.convert_to_numpy(first(codes)), np.float32)

    shape = tuple(first.output.shape[1:])
    outputs = [layer.output for layer in model.layers]
    n_values = sum(math.prod(size or 1 for size in one.shape) for one in outputs)
    return OpenNetwork(
        encode=encode,
        logit=_forward(logit, shape),
        slope=_slope(logit, shape),
        shares=_shares(first, model.input_shape[-1], math.prod(shape)),
        linear=_linear(model, first),
        bytes_a_person=4 * n_values,
    )


def _in_float32(model: keras.Model) -> keras.Model:
    if all(layer.compute_dtype == "float32" for layer in model.layers if layer.weights):
        return model

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        return layer.__class__.from_config(layer.get_config() | {"dtype": "float32"})

    made = keras.models.clone_model(model, clone_function=copy)
    made.set_weights(model.get_weights())
    return made


def _shares(first: GenotypeInput | GeneInput, n_variants: int, n_entries: int) -> sparse.csr_matrix:
    """Return which share of an encoded value belongs to which variant, (n_entries, n_variants).

    A product of two variants belongs to each by half, which is its Shapley value; the places that
    pad a map belong to nobody.
    """
    if isinstance(first, GenotypeInput):
        entry = np.arange(n_variants * first.n_channels)
        variant, share = entry // first.n_channels, np.ones(len(entry))
    else:
        pairs = np.asarray(keras.ops.convert_to_numpy(first.variants))
        entry, variant = np.repeat(np.arange(len(pairs)), 2), pairs.reshape(-1)
        share = np.full(len(entry), 0.5)
    return sparse.csr_matrix((share, (entry, variant)), (n_entries, n_variants))


def _linear(model: keras.Model, first: GenotypeInput | GeneInput) -> NDArray[np.float64] | None:
    """Return the weight of each column on the linear path to the logit, None where there is none.

    (n_columns,), in log odds a standard deviation; of a network of genes it is the gate's, times
    the share that the gate has in the logit.
    """
    if not isinstance(first, GeneInput):
        return None
    weight = model.get_layer("gate").get_weights()[0][:, 0].astype(np.float64)
    heads = [layer for layer in model.layers if layer.name == "logit"]
    return weight * float(heads[0].get_weights()[0][0, 0]) if heads else weight


def _forward(logit: Callable[[Any], Any], shape: tuple[int, ...]) -> Callable:
    """Return the logit as a function from array to array."""
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            graph = tf.function(logit, input_signature=[tf.TensorSpec((None, *shape), "float32")])
            return lambda values: graph(values).numpy().astype(np.float64)
        case "jax":
            import jax

            compiled = _in_rooms(jax.jit(logit))
            return lambda values: compiled(values).astype(np.float64)
        case "torch":
            import torch

            def on_torch(values: NDArray[np.float32]) -> NDArray[np.float64]:
                with torch.no_grad():
                    found = logit(keras.ops.convert_to_tensor(values))
                return found.cpu().numpy().astype(np.float64)

            return on_torch
    raise ValueError(f"no logit on {keras.backend.backend()}")


def _in_rooms(compiled: Callable) -> Callable:
    """Return the function of people called with 16, 64, 256 of them, ...

    It is compiled anew for every number of people that it sees; those that fill a room up are zero.
    """

    def call(values: NDArray[np.float32]) -> NDArray[np.float32]:
        n = len(values)
        n_room = 16
        while n_room < n:
            n_room *= 4
        room = np.zeros((n_room, *values.shape[1:]), np.float32)
        room[:n] = values
        return np.asarray(compiled(room))[:n]

    return call


def _slope(logit: Callable[[Any], Any], shape: tuple[int, ...]) -> Callable:
    """Return what gives the gradient of each person's logit, of the shape of the values.

    People do not touch each other, so that the gradient of their sum is that of each.
    """
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            @tf.function(input_signature=[tf.TensorSpec((None, *shape), "float32")])
            def graph(values):
                with tf.GradientTape() as tape:
                    tape.watch(values)
                    total = tf.reduce_sum(logit(values))
                return tape.gradient(total, values)

            return lambda values: graph(values).numpy()
        case "jax":
            import jax

            return _in_rooms(jax.jit(jax.grad(lambda values: logit(values).sum())))
        case "torch":
            import torch

            def on_torch(values: NDArray[np.float32]) -> NDArray[np.float32]:
                leaf = keras.ops.convert_to_tensor(values).requires_grad_()
                (found,) = torch.autograd.grad(logit(leaf).sum(), leaf)
                return found.detach().cpu().numpy()

            return on_torch
    raise ValueError(f"no gradient on {keras.backend.backend()}")
