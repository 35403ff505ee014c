"""Seconds and memory of a training, told before it starts: rough, and put right by earlier runs.

The seconds of a step are those of its arithmetic, of the activations that pass through memory, and
of the optimiser, which touches every weight once a step however few people a batch holds. The
rates are those of two cores. No rate is measured when asked: beside other work a machine looked
twenty times slower than it is. What the newest runs of this machine took, against what would have
been told of them, corrects the figure instead.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from pipeline import runs
from pipeline.errors import PipelineError
from pipeline.outline import LayerOutline, outline_network
from pipeline.runs import Run
from pipeline.settings import AnalysisSettings

_FLOPS_A_SECOND = 3e11
_BYTES_A_SECOND = 1e10
_STEP_SECONDS = 0.003  # of Keras, however little there is to do
_START_SECONDS = 2.5  # building and tracing a network
_FORTH_AND_BACK = 3  # a training step is three forward ones: values, two gradients
_WATCHED = 1 / 3

# How often a float that a layer gives (that it takes, for pooling) is written or read, forth and
# back; dropout draws a random number for each.
_PASSES = {
    "encoding": 3,
    "convolution": 6,
    "batch_norm": 4,
    "max_pool": 6,
    "channel_attention": 6,
    "spatial_attention": 6,
    "dropout": 6,
    "channel_dropout": 3,
    "block_dropout": 14,
    "dense": 6,
}
# Bytes of a weight: itself, its gradient, the best epoch's copy, and the optimiser's moments.
_BYTES_OF_WEIGHT = {"sgd": 16, "adam": 20, "adamw": 20}
_BYTES_OF_UPDATE = {"sgd": 16, "adam": 28, "adamw": 32}

# The family of genes: seconds of any fit, of each convolution, and by genotype of who trains or
# watches; bytes of the planes and products of a genotype.
_GENE_SECONDS, _MEMBER_SECONDS, _GENOTYPE_SECONDS = 4.0, 1.0, 1.2e-6
_GENE_BYTES = 40

_BASE_BYTES = 700 << 20  # Python, TensorFlow and what it keeps
_PREDICT_BATCH = 256  # training.PREDICT_BATCH, which comes with Keras
_MOST_RUNS = 20
_NEAREST = 5


@dataclass(frozen=True)
class Estimate:
    """What a training will take on this machine.

    `seconds_epoch` is None for the family of genes, whose epochs differ; `seconds_total` counts
    every epoch of every fit, so that early stopping ends sooner. `bytes_memory` is that of the
    worker. `basis` says in a sentence what the seconds rest on.
    """

    seconds_epoch: float | None
    seconds_total: float
    bytes_memory: int
    basis: str


@dataclass(frozen=True)
class Pace:
    """An earlier run of this machine: its family, seconds as told by the rates, and as they were.

    Seconds are those of an epoch, of a fit for the family of genes.
    """

    family: str
    told: float
    took: float


def estimate_training(
    outline: Sequence[LayerOutline],
    n_train: int,
    n_watch: int,
    settings: AnalysisSettings,
    paces: Sequence[Pace] = (),
) -> Estimate:
    """Return seconds and memory of training the network `outline` on `n_train` people.

    Of the family of genes the first layer is enough. `n_watch` people are predicted after each
    epoch; with folds each fit is taken to be as large. `paces` are earlier runs of this machine.
    """
    family = settings.network.family
    n_variants = outline[0].shape[0]
    told = _seconds(outline, n_train, n_watch, settings)
    factor, n_runs = _correction(told, family, paces)
    corrected = told * factor
    n_fits = max(1, settings.split.folds * settings.split.repeats)
    is_gene = family == "gene"
    a_fit = corrected if is_gene else corrected * settings.training.epochs + _START_SECONDS
    basis = (
        f"{n_runs} earlier {'run' if n_runs == 1 else 'runs'} on this machine"
        if n_runs
        else "the usual speed of two cores; no such network was trained here yet"
    )
    return Estimate(
        None if is_gene else corrected,
        a_fit * n_fits,
        _memory(outline, n_variants * (n_train + n_watch), settings),
        basis,
    )


def estimate_run(
    cache: Path, n_variants: int, n_train: int, n_watch: int, settings: AnalysisSettings
) -> Estimate:
    """Return the estimate of a run of these settings, corrected by the runs of the cache."""
    outline = _outline(n_variants, settings)
    return estimate_training(outline, n_train, n_watch, settings, read_paces(cache))


def read_paces(cache: Path) -> tuple[Pace, ...]:
    """Return the pace of the newest finished runs of this machine, at most 20."""
    here = socket.gethostname()
    finished = [
        run for run in runs.list_runs(cache) if run.state == "finished" and run.host == here
    ]
    found = (_pace(run) for run in finished[:_MOST_RUNS])
    return tuple(pace for pace in found if pace)


def _pace(run: Run) -> Pace | None:
    """Return the pace of the first fold of a run, None when the run does not tell it."""
    try:
        settings = run.analysis()
    except (PipelineError, ValueError):  # settings of an older Exolens
        return None
    fold = ((runs.read_metrics(run) or {}).get("folds") or [{}])[0]
    seconds = [record.seconds for record in runs.read_progress(run) if record.fold == 0]
    sizes = [fold.get(name) for name in ("entered", "n_train", "n_watch")]
    if not seconds or not all(isinstance(size, int) and size > 0 for size in sizes):
        return None
    n_variants, n_train, n_watch = sizes
    family = settings.network.family
    # The first epoch holds the tracing of the network.
    took = sum(seconds) if family == "gene" else median(seconds[1:] or seconds)
    told = _seconds(_outline(n_variants, settings), n_train, n_watch, settings)
    return Pace(family, told, took) if took > 0 else None


def _outline(n_variants: int, settings: AnalysisSettings) -> tuple[LayerOutline, ...]:
    if settings.network.family == "gene":
        return (LayerOutline("genotypes", "input", (n_variants,), 0, 0),)
    encoding: dict[str, Any] = {"layout": settings.encoding.layout}
    encoding["row_width"] = settings.encoding.row_width
    return outline_network(n_variants, settings=settings.network, **encoding)


def _correction(told: float, family: str, paces: Sequence[Pace]) -> tuple[float, int]:
    """Return the factor on the seconds told, and how many runs it rests on.

    The middle of the five runs of the family whose size is nearest: errors grow with the distance.
    """
    like = [pace for pace in paces if pace.family == family]
    like.sort(key=lambda pace: abs(math.log(pace.told / told)))
    nearest = like[:_NEAREST]
    if not nearest:
        return 1.0, 0
    return median(pace.took / pace.told for pace in nearest), len(nearest)


def _seconds(
    outline: Sequence[LayerOutline], n_train: int, n_watch: int, settings: AnalysisSettings
) -> float:
    """Return the seconds of an epoch by the rates alone, of a fit for the family of genes."""
    if settings.network.family == "gene":
        n_genotypes = outline[0].shape[0] * (n_train + n_watch)
        members = settings.network.gene_members
        return _GENE_SECONDS + members * _MEMBER_SECONDS + n_genotypes * _GENOTYPE_SECONDS
    training = settings.training
    is_small = training.precision == "bfloat16"  # whose products are three times as fast
    arithmetic = flops(outline) / (_FLOPS_A_SECOND * (3 if is_small else 1))
    memory = _passed(outline) * (2 if is_small else 4) / _BYTES_A_SECOND
    of_people = (n_train + _WATCHED * n_watch) * (_FORTH_AND_BACK * arithmetic + memory)
    n_steps = math.ceil(n_train / training.batch_size)
    n_weights = sum(layer.n_trainable for layer in outline)
    update = n_weights * _BYTES_OF_UPDATE[training.optimizer] / _BYTES_A_SECOND
    return of_people + n_steps * (_STEP_SECONDS + update)


def flops(outline: Sequence[LayerOutline]) -> int:
    """Return the floating-point operations of one person going forward through the network.

    Two for each multiplication of a convolution or dense layer; what else there is costs memory.
    """
    total = 0
    for layer in outline:
        n_outputs = layer.shape[-1]
        if layer.kind == "convolution":
            # Each place of the map uses every weight once, each dense unit its own.
            total += 2 * math.prod(layer.shape[:-1]) * (layer.n_parameters - n_outputs)
        elif layer.kind in {"dense", "output"}:
            total += 2 * (layer.n_parameters - n_outputs)
    return total


def _passed(outline: Sequence[LayerOutline]) -> int:
    """Return the floats that one person moves through memory, forth and back."""
    total = before = 0
    for layer in outline:
        size = math.prod(layer.shape)
        total += _PASSES.get(layer.kind, 0) * (before if layer.kind == "max_pool" else size)
        before = size
    return total


def _memory(outline: Sequence[LayerOutline], n_genotypes: int, settings: AnalysisSettings) -> int:
    """Return the bytes of the worker while it trains."""
    found = _BASE_BYTES + 2 * n_genotypes  # of everybody, and of who trains and watches
    if settings.network.family == "gene":
        return found + _GENE_BYTES * n_genotypes
    n_weights = sum(layer.n_parameters for layer in outline)
    found += n_weights * _BYTES_OF_WEIGHT[settings.training.optimizer]
    sizes = [math.prod(layer.shape) for layer in outline if layer.kind != "input"]
    # Values and gradients of a batch; of those who are only predicted, two layers at a time.
    of_batch = 8 * sum(sizes) * settings.training.batch_size
    of_predicted = 4 * _PREDICT_BATCH * max(a + b for a, b in zip([0, *sizes], sizes, strict=False))
    return found + max(of_batch, of_predicted)
