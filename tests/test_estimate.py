"""The estimate of a training: arithmetic by hand, seconds that were measured, earlier runs."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import runs
from pipeline.claims import holder
from pipeline.epochs import EpochRecord
from pipeline.estimate import Pace, estimate_run, estimate_training, flops, read_paces
from pipeline.outline import LayerOutline, outline_network
from pipeline.presets import PRESETS, apply_preset
from pipeline.settings import AnalysisSettings, with_changes

QUICK = {
    "network.convolutions": 1, "network.filters": 8, "network.pool": 1,
    "network.batch_norm": False, "network.dense": (), "training.batch_size": 64,
}  # fmt: skip
SCRIPT = {
    "encoding.layout": "1d", "network.filters": 16, "network.dense": (128,),
    "network.output": "sigmoid",
}  # fmt: skip
# Variants, training and watched people, seconds an epoch. The small ones were taken on two busy
# cores (CPU seconds of the second epoch over 1.6), the two of the paper's size on two idle ones.
MEASURED = {
    "final_2d": (1200, 800, 150, {}, 0.56),
    "64 filters": (1200, 500, 100, {"network.filters": 64}, 0.71),
    "pooling first": (1200, 800, 150, {"network.norm_after_pool": True}, 0.51),
    "quick": (1200, 1500, 200, QUICK, 0.19),
    "script": (2000, 500, 100, SCRIPT, 0.32),
    "many variants": (6000, 200, 50, {}, 0.70),
    "3d": (1200, 500, 100, {"encoding.layout": "3d"}, 0.37),
    "no dropout": (1200, 500, 100, {"network.dropout": 0.0}, 0.36),
    "no batch norm": (1200, 500, 100, {"network.batch_norm": False}, 0.31),
    "paper's size, script": (18_970, 9532, 1682, SCRIPT, 58),
    "paper's size, 2d": (18_970, 9532, 1682, {"network.filters": 64}, 197),
}


def chosen(**changes) -> AnalysisSettings:
    named = {name.replace("__", "."): value for name, value in changes.items()}
    return with_changes(AnalysisSettings(), named)


def outline(n_variants: int, settings: AnalysisSettings) -> tuple[LayerOutline, ...]:
    return outline_network(
        n_variants, settings.encoding.layout, settings.network, settings.encoding.row_width
    )


def test_operations_by_hand():
    """Ten variants in a row: a kernel of 3 over 10 places, 4 filters, pooled to 5, 6 units, 2."""
    settings = chosen(
        network__convolutions=1, network__filters=4, network__dense=(6,), encoding__layout="1d"
    )
    of_convolution = 2 * 10 * 3 * 4
    of_dense = 2 * (5 * 4) * 6 + 2 * 6 * 2
    assert flops(outline(10, settings)) == of_convolution + of_dense


@pytest.mark.parametrize("name", MEASURED)
def test_seconds_are_of_the_order_that_was_measured(name):
    n_variants, n_train, n_watch, changes, seconds = MEASURED[name]
    settings = with_changes(AnalysisSettings(), changes)
    found = estimate_training(outline(n_variants, settings), n_train, n_watch, settings)
    assert seconds / 2 < found.seconds_epoch < seconds * 2
    assert found.seconds_total > found.seconds_epoch * settings.training.epochs


def test_memory_is_of_the_order_that_was_measured():
    """A worker held 932 MB with the small 2d network."""
    found = estimate_training(outline(1200, chosen()), 800, 150, chosen())
    assert 600 << 20 < found.bytes_memory < 1400 << 20


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({"network__filters": 64}, True),
        ({"training__batch_size": 8}, True),
        ({"network__dropout_kind": "channels"}, False),
        ({"network__attention": "both"}, True),
        ({"training__precision": "bfloat16"}, False),
        ({"network__norm_after_pool": True}, False),
    ],
)
def test_more_work_takes_longer(changes, more):
    usual, other = chosen(), chosen(**changes)
    before = estimate_training(outline(2000, usual), 2000, 300, usual)
    after = estimate_training(outline(2000, other), 2000, 300, other)
    assert (after.seconds_epoch > before.seconds_epoch) is more


def test_folds_are_fits_of_their_own():
    one, many = chosen(), chosen(split__folds=5, split__repeats=2)
    args = outline(1000, one), 500, 100
    total = estimate_training(*args, one).seconds_total
    assert estimate_training(*args, many).seconds_total == pytest.approx(10 * total)


def test_the_nearest_runs_of_the_family_correct():
    settings = chosen()
    args = outline(1000, settings), 500, 100, settings
    told = estimate_training(*args)
    near = ((1, 2.0), (1.1, 2.0), (0.9, 3.0), (1.2, 1.0), (0.8, 2.0))
    sizes = [(told.seconds_epoch * by, took) for by, took in near]
    paces = [Pace("convolutional", size, size * took) for size, took in sizes]
    far = [Pace("convolutional", told.seconds_epoch * 1e3, 1.0)] * 9
    found = estimate_training(*args, paces=[*far, *paces])
    assert found.seconds_epoch == pytest.approx(2 * told.seconds_epoch)
    assert "5 earlier runs" in found.basis
    assert estimate_training(*args, paces=[Pace("gene", 1.0, 9.0)]) == told
    assert "usual speed" in told.basis


def test_genes_are_told_by_the_fit():
    settings = chosen(network__family="gene")
    found = estimate_run(Path("nowhere"), 1100, 2800, 600, settings)
    assert found.seconds_epoch is None
    assert 6 < found.seconds_total < 25  # 10 to 15 s were measured on two idle cores
    more = estimate_run(Path("nowhere"), 2200, 2800, 600, settings)
    assert more.seconds_total > found.seconds_total
    assert more.bytes_memory > found.bytes_memory


def add_run(cache: Path, seed: int, seconds: list[float], host: str | None = None, **changes):
    settings = chosen(training__seed=seed, **changes)
    made = runs.create(cache, "c", "f" * 16, settings)
    for epoch, taken in enumerate(seconds, start=1):
        record = EpochRecord(0, epoch, 0.6, 0.5, 0.6, 0.5, 0.5, 1e-4, taken)
        runs.append_progress(made, record)
        runs.append_progress(made, replace(record, fold=1, seconds=100.0))
    folds = [{"fold": 0, "entered": 1200, "n_train": 800, "n_watch": 150}]
    runs.write_metrics(made, {"folds": folds})
    made = runs.update_state(made, "running")
    if host:
        runs._write(replace(made, worker=replace(holder(), host=host)))
    return runs.update_state(made, "finished")


def test_earlier_runs_are_read_from_the_cache(tmp_path):
    assert read_paces(tmp_path) == ()
    add_run(tmp_path, 1, [9.0, 1.0, 2.0, 1.2])  # the first epoch traces
    add_run(tmp_path, 2, [1.0], host="elsewhere")
    add_run(tmp_path, 3, [5.0, 1.0, 3.0], network__family="gene")
    without = add_run(tmp_path, 4, [1.0, 1.0])
    runs.write_metrics(without, {"folds": [{}]})
    unfinished = add_run(tmp_path, 5, [1.0])
    runs.update_state(unfinished, "cancelled")
    found = {pace.family: pace for pace in read_paces(tmp_path)}
    assert len(read_paces(tmp_path)) == 2
    assert found["convolutional"].took == 1.2
    assert found["gene"].took == 9.0
    told = estimate_run(tmp_path, 1200, 800, 150, chosen())
    assert told.seconds_epoch == pytest.approx(1.2)
    assert "1 earlier run on" in told.basis
    assert socket.gethostname() != "elsewhere"


def test_only_the_newest_runs_are_read(tmp_path, monkeypatch):
    for seed in range(4):
        add_run(tmp_path, seed, [1.0 + seed])
    monkeypatch.setattr("pipeline.estimate._MOST_RUNS", 2)
    assert {pace.took for pace in read_paces(tmp_path)} == {3.0, 4.0}


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_estimated(name):
    settings = apply_preset(name)
    small = estimate_run(Path("nowhere"), 1200, 800, 150, settings)
    large = estimate_run(Path("nowhere"), 18_970, 8000, 1500, settings)
    assert 1 < small.seconds_total < large.seconds_total
    assert small.bytes_memory < large.bytes_memory
