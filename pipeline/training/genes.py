"""How the network of genes learns: sparse paths, gates, a convolution over genes, and the pick.

1. Two paths of L1 logistic regression: alternate alleles alone, and three planes of each variant.
2. The stronger path says which genes matter. Their variants, and the products within them, enter
   three more paths, each with inputs scaled by what the one before gave to variant and gene: the
   gates.
3. Convolutions learn on the gene image, columns scaled by their weight in the best gate.
4. Of all these, the one of the highest AUC of the watched people is the network, unless the path of
   alleles alone is about as good.

Whatever fits sees training people; watched people only pick: a penalty, a gate, an epoch, a head.

References: Tibshirani 1996, JRSS B 58:267-288; Beck and Teboulle 2009, SIAM J Imaging Sci 2:183-202
(proximal steps); Tibshirani et al. 2012, JRSS B 74:245-266 (strong rules); Candès et al. 2008,
J Fourier Anal Appl 14:877-905 (weights anew).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy import special

from pipeline.encoding import N_CODES, count_codes
from pipeline.epochs import EpochRecord, OnBatch, OnEpoch, Trained, ignore
from pipeline.errors import EmptyResultError
from pipeline.evaluation import cross_entropy
from pipeline.gene_outline import MAX_SLOTS, N_PLANES
from pipeline.network.genes import (
    GeneColumns,
    Head,
    build_gene_network,
    head_weights,
    place_columns,
    set_head,
)
from pipeline.schedule import LearningRate
from pipeline.settings import NetworkSettings, TrainingSettings
from pipeline.statistics import auc_delong, auc_difference
from pipeline.training.gene_columns import (
    join_columns,
    plane_columns,
    plane_table,
    product_columns,
    variant_pairs,
)
from pipeline.training.sparse import Dense, Planes, Point, l1_path

# Penalties of a path, as shares of the smallest one that removes every column.
PATH_SHARES = np.geomspace(0.9, 0.1, 8)
GATE_SHARES = np.geomspace(0.8, 0.01, 11)
N_GATES = 3
# A variant that the last gate left out may come back through its gene, but has to be this strong.
GENE_SHARE = 0.02
# Columns of the gates, planes and products alike, as float32.
MOST_BYTES = 512 << 20
# The strongest column of the gene image has this many standard deviations of its own.
LOUDNESS = 3.0
LEARNED = ("convolution_1", "convolution_2", "members")
# By how many standard errors a candidate has to be ahead of the L1 path of alleles.
CLEARLY = 1.0
_Z_95 = float(special.ndtri(0.975))
CONVOLVED: tuple[Head, ...] = ("convolution", "residual", "mean")
_GATES_DONE = 0.5


def train_gene_network(
    x_train: NDArray[np.uint8],
    y_train: NDArray[np.bool_],
    x_watch: NDArray[np.uint8],
    y_watch: NDArray[np.bool_],
    groups: NDArray[np.integer],
    settings: NetworkSettings,
    training: TrainingSettings,
    on_epoch: OnEpoch = ignore,
    on_batch: OnBatch = ignore,
    fold: int = 0,
) -> tuple[keras.Model, Trained]:
    """Return the network of genes from codes to P(case), and the epochs of its training.

    `x_*` are genotype codes (n_people, n_variants), 3 = missing; `y_*` are True for cases;
    `groups` (n_variants,) is the gene or neighbourhood of each variant
    (`pipeline.gene_groups.variant_groups`). An epoch is one penalty of a path (its loss holds the
    penalty, its learning rate is the proximal step), then one pass of the convolutions, whose
    watched figures are those of the head `mean`; the last one is the network that was picked, and
    so `best_epoch`. `on_batch` hears of the share done (0 to 1). Either may raise `Cancelled`,
    which comes through at once.

    Raises `EmptyResultError` when there are no variants.
    """
    if not x_train.shape[1]:
        raise EmptyResultError(
            "A network of genes needs at least one variant, but the selection kept none; raise "
            "selection.max_p or loosen the quality thresholds."
        )
    watch = _Watch(x_watch, np.asarray(y_watch, bool), fold, on_epoch, on_batch)
    y_train = np.asarray(y_train, bool)
    people_weights = _people_weights(y_train, training)
    columns = plane_columns(plane_table(count_codes(x_train)), np.asarray(groups))
    found = _paths(x_train, y_train, people_weights, columns, watch)
    gates = _gates(x_train, y_train, people_weights, columns, watch.best(found), settings, watch)
    found += gates
    if gates and np.any((gate := watch.best(gates)).weights):
        found += _convolutions(x_train, y_train, people_weights, gate, settings, training, watch)
    pick = watch.pick(found)
    model = _build(pick, x_train.shape[1], settings, training.seed)
    probability = model.predict(x_train, batch_size=1024, verbose=0)[:, -1]
    watch.record(_of_training(y_train, probability), pick.watched)
    watch.on_batch(1.0)
    return model, Trained(tuple(watch.epochs), len(watch.epochs), time.monotonic() - watch.start)


@dataclass(frozen=True, eq=False)
class _Candidate:
    """What may become the network: logits of the watched people (n_watch,), and what gave them.

    `weights` (n_columns,) and `intercept` are those of the gate; `members` the kernels of the
    convolutions, and `place` the gene image they read.
    """

    head: Head
    watched: NDArray[np.float32]
    columns: GeneColumns
    weights: NDArray[np.float32]
    intercept: float
    place: NDArray[np.int32] | None = None
    members: list[list[NDArray]] | None = None


@dataclass(frozen=True)
class _Step:
    """The training side of an epoch: loss with its penalty, the penalty, accuracy, rate."""

    loss: float
    accuracy: float
    penalty: float = 0.0
    learning_rate: float = 0.0


class _Watch:
    """The watched people: they measure, they pick, and nothing is fitted on them."""

    def __init__(
        self,
        x: NDArray[np.uint8],
        is_case: NDArray[np.bool_],
        fold: int,
        on_epoch: OnEpoch,
        on_batch: OnBatch,
    ):
        self.x, self.is_case = x, is_case
        self.on_batch = on_batch
        self.epochs: list[EpochRecord] = []
        self.start = self._last = time.monotonic()
        self._fold, self._on_epoch = fold, on_epoch

    def merit(self, logit: NDArray[np.floating]) -> tuple[float, float]:
        """Return what a pick goes by: AUC, then log loss; log loss alone with one class."""
        auc = auc_delong(self.is_case, logit).value
        return (0.5 if math.isnan(auc) else auc, -self.loss(logit))

    def loss(self, logit: NDArray[np.floating]) -> float:
        """Return the mean cross-entropy in nats."""
        return cross_entropy(self.is_case, special.expit(logit))

    def best(self, found: Sequence[_Candidate]) -> _Candidate:
        """Return the candidate of most merit, the first of equals."""
        return max(found, key=lambda candidate: self.merit(candidate.watched))

    def pick(self, found: Sequence[_Candidate]) -> _Candidate:
        """Return the best candidate, or the first where the best is not clearly better.

        Among many candidates one is ahead by chance; what is not ahead of L1 logistic regression
        by `CLEARLY` standard errors of the difference (DeLong, paired) is not worth its parts.
        """
        best = self.best(found)
        ahead = auc_difference(self.is_case, best.watched, found[0].watched)
        standard_error = (ahead.high - ahead.low) / (2 * _Z_95)
        if math.isnan(standard_error) or ahead.value > CLEARLY * standard_error:
            return best
        return found[0]

    def record(self, step: _Step, logit: NDArray[np.floating]) -> None:
        """Keep and report an epoch."""
        now = time.monotonic()
        record = EpochRecord(
            fold=self._fold,
            epoch=len(self.epochs) + 1,
            loss=step.loss,
            accuracy=step.accuracy,
            val_loss=self.loss(logit) + step.penalty,
            val_accuracy=float(np.mean((logit > 0) == self.is_case)),
            val_auc=auc_delong(self.is_case, logit).value,
            learning_rate=step.learning_rate,
            seconds=now - self._last,
        )
        self._last = now
        self.epochs.append(record)
        self._on_epoch(record)


def _of_training(is_case: NDArray[np.bool_], probability: NDArray[np.floating]) -> _Step:
    accuracy = float(np.mean((probability > 0.5) == is_case))
    return _Step(cross_entropy(is_case, probability), accuracy)


def _build(pick: _Candidate, n_variants: int, settings: NetworkSettings, seed: int) -> keras.Model:
    """Return the network of a candidate, without the columns that it leaves out."""
    if pick.members is None:
        used = np.flatnonzero(pick.weights)
        used = used if len(used) else np.array([0])  # one column of weight 0: all people alike
        return build_gene_network(
            n_variants, pick.columns[used], pick.weights[used], pick.intercept, None, settings, seed
        )
    model = build_gene_network(
        n_variants, pick.columns, pick.weights, pick.intercept, pick.place, settings, seed
    )
    for name, weights in zip(LEARNED, pick.members, strict=True):
        model.get_layer(name).set_weights(weights)
    set_head(model, pick.head, settings)
    return model


# ---------------------------------------------------------------- sparse paths and gates


def _paths(
    x: NDArray[np.uint8],
    is_case: NDArray[np.bool_],
    people_weights: NDArray[np.float32],
    columns: GeneColumns,
    watch: _Watch,
) -> list[_Candidate]:
    """Return the best point of the path of alleles alone, and of that of all planes."""
    by_variant = np.ascontiguousarray(x.T)
    table = columns.tables[:, 0].reshape(-1, N_PLANES, N_CODES).transpose(0, 2, 1)
    found = []
    for n_planes, begun, done in ((1, 0.0, 0.1), (N_PLANES, 0.1, 0.3)):
        source = Planes(by_variant, np.ascontiguousarray(table[:, :, :n_planes]))
        own = columns[np.flatnonzero(columns.plane < n_planes)]
        factors = np.ones(len(own), np.float32)
        path = l1_path(source, is_case, people_weights, PATH_SHARES, factors)
        found.append(_best_point(path, own, factors, watch, begun, done))
    return found


def _gates(
    x: NDArray[np.uint8],
    is_case: NDArray[np.bool_],
    people_weights: NDArray[np.float32],
    columns: GeneColumns,
    path: _Candidate,
    settings: NetworkSettings,
    watch: _Watch,
) -> list[_Candidate]:
    """Return the best point of each gate, none where the path holds nothing."""
    gene: NDArray[Any] = np.bincount(path.columns.group, np.abs(path.weights))
    if not gene.any():
        return []
    n_most = MOST_BYTES // (4 * len(x))
    of_gene = np.append(gene, np.zeros(columns.group.max() + 1 - len(gene)))[columns.group]
    strongest = np.argsort(-of_gene, kind="stable")[: n_most // 2]
    kept = columns[np.sort(strongest[of_gene[strongest] > 0])]
    if settings.gene_products:
        pairs = variant_pairs(kept, gene, n_most // 2)
        kept = join_columns(kept, product_columns(x, pairs, columns))
    source = Dense(kept.values(x))
    found = []
    scale = np.sqrt(gene / gene.max())[kept.group]
    for number in range(N_GATES):
        factors = scale.astype(np.float32)
        share = (_GATES_DONE - 0.3) / N_GATES
        path_of_gate = l1_path(source, is_case, people_weights, GATE_SHARES, factors)
        begun = 0.3 + share * number
        found.append(_best_point(path_of_gate, kept, factors, watch, begun, begun + share))
        weight = np.abs(found[-1].weights)
        if not weight.any():
            break
        unit = weight / weight.max()
        gene = np.bincount(kept.group, unit)
        of_gene = (gene / gene.max())[kept.group]
        scale = np.sqrt(unit + GENE_SHARE * of_gene) * np.sqrt(of_gene)
    return found


def _best_point(
    path: Iterator[Point],
    columns: GeneColumns,
    factors: NDArray[np.float32],
    watch: _Watch,
    begun: float,
    done: float,
) -> _Candidate:
    """Return the point of a path of most merit, the first of equals; report each."""
    best: _Candidate | None = None  # a path has a point at least
    for point in path:
        watched = columns[point.chosen].values(watch.x) @ point.weights
        watched += np.float32(point.intercept)
        penalty = point.penalty * float(np.abs(point.weights / factors[point.chosen]).sum())
        watch.record(_Step(point.loss + penalty, point.accuracy, penalty, point.step), watched)
        if best is None or watch.merit(watched) > watch.merit(best.watched):
            weights = np.zeros(len(columns), np.float32)
            weights[point.chosen] = point.weights
            best = _Candidate("gate", watched, columns, weights, point.intercept)
        watch.on_batch(begun + (done - begun) * point.share_done)
    if best is None:
        raise ValueError("a path without a point")
    return best


# ---------------------------------------------------------------- convolutions over genes


def _convolutions(
    x: NDArray[np.uint8],
    is_case: NDArray[np.bool_],
    people_weights: NDArray[np.float32],
    gate: _Candidate,
    settings: NetworkSettings,
    training: TrainingSettings,
    watch: _Watch,
) -> list[_Candidate]:
    """Return the heads with convolutions, each at its best epoch.

    All members learn side by side in one network: the first half from scratch, the second half
    what the gate's logit leaves. Columns enter signed, so that more is always more risk, and
    scaled by the root of their weight in the gate.
    """
    kept = np.flatnonzero(gate.weights)
    effect = gate.weights[kept]
    loud = LOUDNESS * np.sign(effect) * np.sqrt(np.abs(effect) / np.abs(effect).max())
    columns = gate.columns[kept]
    columns = replace(columns, scale=(columns.scale * loud).astype(np.float32))
    start = replace(
        gate,
        columns=columns,
        weights=(effect / loud).astype(np.float32),
        place=place_columns(columns, np.abs(effect), MAX_SLOTS),
    )
    keras.utils.set_random_seed(training.seed)
    network = build_gene_network(
        x.shape[1], columns, start.weights, gate.intercept, start.place, settings, training.seed
    )
    seen, members = network.get_layer("columns").output, network.get_layer("members").output
    n_members = settings.gene_members
    offset = keras.Input((2 * n_members,), name="offset")
    learner = keras.Model([seen, offset], keras.layers.Add(name="with_offset")([members, offset]))
    learner.compile(
        optimizer=_optimizer(training),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy")],
        # XLA makes small networks slower under TensorFlow; the other backends need their jit.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    values = columns.values(x)
    of_gate = values @ start.weights + np.float32(gate.intercept)
    offsets = np.repeat(np.stack([np.zeros_like(of_gate), of_gate], axis=1), n_members, axis=1)
    heads = _Heads(network, columns.values(watch.x), start, settings, training, watch, len(x))
    learner.fit(
        [values, offsets],
        np.repeat(is_case[:, None].astype(np.float32), 2 * n_members, axis=1),
        sample_weight=people_weights if training.class_weights else None,
        batch_size=training.batch_size,
        epochs=training.epochs,
        callbacks=[heads],
        verbose=0,
    )
    return list(heads.best.values())


def _optimizer(training: TrainingSettings) -> keras.optimizers.Optimizer:
    optimizers = keras.optimizers
    match training.optimizer:
        case "sgd":
            return optimizers.SGD(training.learning_rate, momentum=training.momentum)
        case "adamw":
            return optimizers.AdamW(training.learning_rate, weight_decay=training.weight_decay)
    return optimizers.Adam(training.learning_rate)


class _Heads(keras.callbacks.Callback):
    """After each epoch: measure each head on the watched people, keep its best, stop.

    Training stops when no head has got better for `patience` epochs.
    """

    def __init__(
        self,
        network: keras.Model,
        x_watch: NDArray[np.float32],
        start: _Candidate,
        settings: NetworkSettings,
        training: TrainingSettings,
        watch: _Watch,
        n_people: int,
    ):
        super().__init__()
        self.best: dict[Head, _Candidate] = {}
        self._merit: dict[Head, float] = {}
        self._layers = [network.get_layer(name) for name in LEARNED]
        self._members = keras.Model(
            network.get_layer("columns").output, network.get_layer("members").output
        )
        self._x, self._start, self._watch = x_watch, start, watch
        self._settings, self._training = settings, training
        self._steps = math.ceil(n_people / training.batch_size)
        self._rate = LearningRate(training, self._steps)
        self._n_idle = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch
        self._epoch_rate = self._rate.value
        self.model.optimizer.learning_rate = self._epoch_rate

    def on_train_batch_end(self, batch, logs=None):
        share = (self._epoch * self._steps + batch + 1) / (self._training.epochs * self._steps)
        self._watch.on_batch(_GATES_DONE + (0.99 - _GATES_DONE) * share)

    def on_epoch_end(self, epoch, logs=None):
        # Called and not predicted: Keras would trace the same network once more for it.
        parts = np.array_split(self._x, 1 + len(self._x) // 1024)
        members = np.concatenate(
            [keras.ops.convert_to_numpy(self._members(part, training=False)) for part in parts]
        )
        self._n_idle += 1
        for head in CONVOLVED:
            mix = head_weights(head, self._settings)
            watched = (self._start.watched * mix[0] + members @ mix[1:]).astype(np.float32)
            merit = self._merit_of(watched, epoch)
            if head not in self.best or merit > self._merit[head]:
                weights = [layer.get_weights() for layer in self._layers]
                self.best[head] = replace(self._start, head=head, watched=watched, members=weights)
                self._merit[head] = merit
                self._n_idle = 0
        self._rate.observe(self._watch.loss(watched))
        step = _Step(float(logs["loss"]), float(logs["accuracy"]), 0.0, self._epoch_rate)
        self._watch.record(step, watched)
        if self._n_idle >= self._training.patience > 0:
            self.model.stop_training = True

    def _merit_of(self, watched: NDArray[np.float32], epoch: int) -> float:
        """Return what the kept epoch is the largest of."""
        match self._training.keep:
            case "accuracy":
                return float(np.mean((watched > 0) == self._watch.is_case))
            case "auc":
                return self._watch.merit(watched)[0]
            case "last":
                return float(epoch)
        return -self._watch.loss(watched)


def _people_weights(is_case: NDArray[np.bool_], training: TrainingSettings) -> NDArray[np.float32]:
    """Return how much each training person counts, mean 1."""
    if not training.class_weights or is_case.all() or not is_case.any():
        return np.ones(len(is_case), np.float32)
    share = is_case.mean()
    return np.where(is_case, 0.5 / share, 0.5 / (1 - share)).astype(np.float32)
