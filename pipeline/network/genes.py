"""The network of genes: sparse gates find genes, a convolution as wide as a gene reads them.

    genotypes ──> columns ──> gate ─────────────────────────────────────┐
                     └──────> gene_image ──> convolutions ──> members ──> logit ──> output

A column is a plane of a variant (the alternate alleles, whether there is one, whether there are
two) or the product of two variants of a gene (both carried). `gate` weighs columns; `gene_image`
lays them out as genes x slots x 3 planes, so that one kernel, shared by all genes, spans one gene.
Plain Keras 3, so that it runs on any of its backends. Only the worker imports this module.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np
from numpy.typing import NDArray

from pipeline.encoding import N_CODES
from pipeline.gene_outline import N_PLANES
from pipeline.settings import NetworkSettings

PEOPLE_AT_ONCE = 512
L2_OF_KERNELS = 1e-3

# What the logit is made of: the gate, the convolution, their mean, or the gate with a convolution
# that learned what the gate leaves unexplained.
Head = Literal["gate", "convolution", "mean", "residual"]


@dataclass(frozen=True, eq=False)
class GeneColumns:
    """Inputs made of genotype codes, each the product of two looked-up values.

    Column k of a person is `tables[k, 0, code of variants[k, 0]] * tables[k, 1, code of
    variants[k, 1]]`, where a code is 0, 1, 2 or 3 = missing; then `centre[k]` is taken off and
    `scale[k]` multiplied. Shapes: `variants` int32 (n_columns, 2), `tables` float32
    (n_columns, 2, 4), the others float32 (n_columns,). `plane` uint8 (n_columns,) is the plane of
    the gene image that a column shows on, `group` int32 its gene.
    """

    variants: NDArray[np.int32]
    tables: NDArray[np.float32]
    centre: NDArray[np.float32]
    scale: NDArray[np.float32]
    plane: NDArray[np.uint8]
    group: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.variants)

    def __getitem__(self, chosen: NDArray) -> GeneColumns:
        return GeneColumns(
            self.variants[chosen],
            self.tables[chosen],
            self.centre[chosen],
            self.scale[chosen],
            self.plane[chosen],
            self.group[chosen],
        )

    def values(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the columns of these people, (n_people, n_columns); `GeneInput` in NumPy."""
        values = np.empty((len(codes), len(self)), np.float32)
        row = np.arange(len(self))
        pair = np.flatnonzero(self.variants[:, 0] != self.variants[:, 1])
        for start in range(0, len(codes), PEOPLE_AT_ONCE):  # indices take eight bytes a value
            here = slice(start, start + PEOPLE_AT_ONCE)
            values[here] = self.tables[row, 0, codes[here][:, self.variants[:, 0]]]
            second = codes[here][:, self.variants[pair, 1]]
            values[here, pair] *= self.tables[pair, 1, second]
            values[here] -= self.centre
            values[here] *= self.scale
        return values


@keras.saving.register_keras_serializable(package="exolens")
class GeneInput(keras.layers.Layer):
    """Makes columns of codes: (n_people, n_variants) to floats (n_people, n_columns).

    Equal to `GeneColumns.values`; which variants, tables, centre and scale are weights that
    training leaves alone.
    """

    def __init__(self, n_columns: int, **options):
        super().__init__(**options)
        self.n_columns = n_columns

    def build(self, input_shape):
        def fixed(name: str, shape: tuple[int, ...], dtype: str):
            return self.add_weight(
                name=name, shape=shape, dtype=dtype, initializer="zeros", trainable=False
            )

        self.variants = fixed("variants", (self.n_columns, 2), "int32")
        self.tables = fixed("tables", (self.n_columns, 2, N_CODES), "float32")
        self.centre = fixed("centre", (self.n_columns,), "float32")
        self.scale = fixed("scale", (self.n_columns,), "float32")

    def call(self, codes):
        ops = keras.ops
        codes = ops.cast(codes, "int32")
        rows = np.arange(self.n_columns, dtype="int32") * N_CODES
        factors = [
            ops.take(
                ops.reshape(self.tables[:, k], (-1,)),
                ops.take(codes, self.variants[:, k], axis=1) + rows,
            )
            for k in range(2)
        ]
        return (factors[0] * factors[1] - self.centre) * self.scale

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.n_columns)

    def get_config(self):
        return super().get_config() | {"n_columns": self.n_columns}


@keras.saving.register_keras_serializable(package="exolens")
class GeneImage(keras.layers.Layer):
    """Lays columns out: (n_people, n_columns) to (n_people, n_genes, n_slots, 3 planes).

    The weight `place` says which column, counted from 1, stands where; 0 is nothing, and shows 0.
    """

    def __init__(self, n_genes: int, n_slots: int, **options):
        super().__init__(**options)
        self.n_genes = n_genes
        self.n_slots = n_slots

    def build(self, input_shape):
        self.place = self.add_weight(
            name="place",
            shape=(self.n_genes * self.n_slots * N_PLANES,),
            dtype="int32",
            initializer="zeros",
            trainable=False,
        )

    def call(self, columns):
        ops = keras.ops
        shown = ops.take(ops.pad(columns, ((0, 0), (1, 0))), self.place, axis=1)
        return ops.reshape(shown, (-1, self.n_genes, self.n_slots, N_PLANES))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.n_genes, self.n_slots, N_PLANES)

    def get_config(self):
        return super().get_config() | {"n_genes": self.n_genes, "n_slots": self.n_slots}


def place_columns(
    columns: GeneColumns, strength: NDArray[np.floating], max_slots: int
) -> NDArray[np.int32]:
    """Return the places of columns in the gene image, int32 (n_genes, n_slots, 3).

    A slot holds the planes of one variant, or one product on the first plane; the slots of a gene
    are filled by falling strength, and a gene with more than `max_slots` leaves the weakest out.
    `strength` is float (n_columns,).
    """
    unit = np.unique(columns.variants, axis=0, return_inverse=True)[1].reshape(-1)
    of_unit = np.zeros(unit.max(initial=-1) + 1)
    np.maximum.at(of_unit, unit, strength)
    gene_names, gene = np.unique(columns.group, return_inverse=True)
    gene_of_unit = np.empty(len(of_unit), int)
    gene_of_unit[unit] = gene
    order = np.lexsort((-of_unit, gene_of_unit))
    first = np.searchsorted(gene_of_unit[order], np.arange(len(gene_names)))
    slot = np.empty(len(of_unit), int)
    slot[order] = np.arange(len(order)) - first[gene_of_unit[order]]
    n_slots = min(max_slots, int(slot.max(initial=0)) + 1)
    is_placed = slot[unit] < n_slots
    place = np.zeros((len(gene_names), n_slots, N_PLANES), np.int32)
    place[gene[is_placed], slot[unit][is_placed], columns.plane[is_placed]] = 1 + np.flatnonzero(
        is_placed
    )
    return place


def build_gene_network(
    n_variants: int,
    columns: GeneColumns,
    weights: NDArray[np.floating],
    intercept: float,
    place: NDArray[np.int32] | None,
    settings: NetworkSettings,
    seed: int,
) -> keras.Model:
    """Return the network from codes uint8 (n_people, n_variants), 3 = missing, to P(case).

    (n_people, 1) with sigmoid, (n_people, 2) with softmax. `weights` (n_columns,) and `intercept`
    are those of the gate, which training leaves alone. With `place` there are convolutions, two
    for each of `settings.gene_members`: the layer `members` gives their logits, (n_people,
    2 n_members), 0 at first, their kernels drawn from `seed`; the layer `logit` mixes gate and
    members (`set_head`), and starts with the gate alone.
    """
    layers = keras.layers
    codes = keras.Input((n_variants,), dtype="uint8", name="genotypes")
    seen = GeneInput(len(columns), name="columns")(codes)
    logit = layers.Dense(1, trainable=False, name="gate")(seen)
    if place is not None:
        members = _members(GeneImage(*place.shape[:2], name="gene_image")(seen), settings)
        both = layers.Concatenate(name="gate_and_members")([logit, members])
        logit = layers.Dense(1, use_bias=False, trainable=False, name="logit")(both)
    n_outputs = 2 if settings.output == "softmax" else 1
    output = layers.Dense(n_outputs, activation=settings.output, trainable=False, name="output")
    model = keras.Model(codes, output(logit), name="exolens_genes")
    model.get_layer("columns").set_weights(
        [columns.variants, columns.tables, columns.centre, columns.scale]
    )
    gate = [np.asarray(weights, np.float32)[:, None], np.array([intercept], np.float32)]
    model.get_layer("gate").set_weights(gate)
    # Softmax over (-z/2, z/2) is the sigmoid of z.
    kernel = np.array([[1.0]] if n_outputs == 1 else [[-0.5, 0.5]], np.float32)
    output.set_weights([kernel, np.zeros(n_outputs, np.float32)])
    if place is not None:
        model.get_layer("gene_image").set_weights([place.reshape(-1)])
        _draw_kernels(model, np.random.default_rng(seed))
        set_head(model, "gate", settings)
    return model


def head_weights(head: Head, settings: NetworkSettings) -> NDArray[np.float32]:
    """Return how the logit weighs the gate and each of the members, (1 + 2 n_members,).

    The first half of the members learned from scratch, the second what the gate leaves.
    """
    n = settings.gene_members
    gate, scratch, residual = {
        "gate": (1, 0, 0), "convolution": (0, 1, 0), "residual": (1, 0, 1), "mean": (0.5, 0.5, 0.5)
    }[head]  # fmt: skip
    shares = np.array([gate, scratch / n, residual / n], np.float32)
    return np.repeat(shares, [1, n, n])


def set_head(model: keras.Model, head: Head, settings: NetworkSettings) -> None:
    """Make the logit of a network with convolutions that of `head`."""
    model.get_layer("logit").set_weights([head_weights(head, settings)[:, None]])


def _members(image, settings: NetworkSettings):
    """Return the logits of all members; one layer holds the same layer of each of them."""
    layers = keras.layers
    n_genes, n_slots = image.shape[1:3]
    n_members = 2 * settings.gene_members
    filters = settings.filters
    half = max(1, filters // 2)
    # Keras takes the mean over members, which would make the penalty of each so much heavier.
    penalty = keras.regularizers.L2(L2_OF_KERNELS / n_members)
    tensor = layers.Conv2D(
        n_members * filters,
        (1, n_slots),
        activation="gelu",
        kernel_regularizer=penalty,
        name="convolution_1",
    )(image)
    tensor = layers.Reshape((n_genes, n_members, filters), name="by_member")(tensor)
    tensor = layers.EinsumDense(
        "bgmf,mfk->bgmk",
        output_shape=(n_genes, n_members, half),
        bias_axes="mk",
        activation="gelu",
        kernel_regularizer=penalty,
        name="convolution_2",
    )(tensor)
    if settings.dropout:
        tensor = layers.Dropout(settings.dropout, name="dropout")(tensor)
    return layers.EinsumDense(
        "bgmk,gmk->bm",
        output_shape=(n_members,),
        bias_axes="m",
        kernel_regularizer=penalty,
        name="members",
    )(tensor)


def _draw_kernels(model: keras.Model, rng: np.random.Generator) -> None:
    """Draw the kernels of each member as Glorot and Bengio 2010 would, were it alone."""
    kernel, bias = model.get_layer("convolution_1").get_weights()
    second, second_bias = model.get_layer("convolution_2").get_weights()
    filters, half = second.shape[1:]
    n_inputs = math.prod(kernel.shape[:3])
    limit = math.sqrt(6 / (n_inputs + filters))
    model.get_layer("convolution_1").set_weights([rng.uniform(-limit, limit, kernel.shape), bias])
    limit = math.sqrt(6 / (filters + half))
    model.get_layer("convolution_2").set_weights(
        [rng.uniform(-limit, limit, second.shape), second_bias]
    )
    members = model.get_layer("members")
    members.set_weights([np.zeros_like(weight) for weight in members.get_weights()])
