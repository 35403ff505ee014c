"""The folds of a run on a Dask scheduler: the same run as here, whichever worker is lost."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import runs
from pipeline.cohort import open_cohort
from pipeline.errors import Cancelled
from pipeline.experiment import run_training
from pipeline.kept_weights import keep_weights
from pipeline.presets import apply_preset
from pipeline.progress import Progress, silent
from pipeline.settings import with_changes
from tests.small_cohorts import make_cohort, vcf_text
from tests.test_engine import Cluster

N_PEOPLE, N_VARIANTS, N_FOLDS = 160, 90, 5


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    rng = np.random.default_rng(3)
    people = [f"s{i}" for i in range(N_PEOPLE)]
    is_case = rng.random(N_PEOPLE) < 0.5
    frequency = np.where(np.arange(N_VARIANTS) < 10, 0.2 + 0.2 * is_case[:, None], 0.3)
    words = np.array(["0/0", "0/1", "1/1"])[rng.binomial(2, frequency)]
    records = [["1", 1000 * (j + 1), "A", "G", "GT", *words[:, j]] for j in range(N_VARIANTS)]
    folder = tmp_path_factory.mktemp("folds")
    diagnoses = {s: "case" if c else "control" for s, c in zip(people, is_case, strict=True)}
    with closing(make_cohort(folder, vcf_text(records, people), diagnoses).store) as store:
        return store.path.parents[2]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("dask"))
    try:
        yield made
    finally:
        made.end()


def asked(cache: Path, name: str, seed: int) -> runs.Run:
    with closing(open_cohort(cache, name).store):
        fingerprint = open_cohort(cache, name).fingerprint
    changes = {"split.folds": N_FOLDS, "training.epochs": 3, "training.seed": seed,
               "selection.max_p": 0.5}  # fmt: skip
    return runs.create(cache, name, fingerprint, with_changes(apply_preset("quick"), changes))


def outcome(run: runs.Run) -> tuple[dict, pd.DataFrame, list]:
    """Return metrics, predictions and epochs of a run without its times."""
    epochs = sorted(
        (e.fold, e.epoch, round(e.loss, 5), round(e.val_loss, 5)) for e in runs.read_progress(run)
    )
    return runs.read_metrics(run), pd.read_parquet(run.predictions_path), epochs


def test_a_killed_worker_changes_no_metric(cache, cluster, monkeypatch):
    (name,) = [path.name for path in (cache / "cohorts").iterdir()]
    run = asked(cache, name, seed=1)
    run_training(cache, {"run": run.id}, silent)
    metrics, predictions, epochs = outcome(run)
    assert len(epochs) == 3 * N_FOLDS

    workers = [cluster.add_worker(), cluster.add_worker()]
    cluster.wait_for(2)
    killed: list[float] = []

    def kill_once(progress: Progress) -> None:
        if runs.read_progress(run) and f"{N_FOLDS} of" not in progress.phase and not killed:
            os.kill(workers[0].pid, signal.SIGKILL)
            workers[0].wait(10)
            killed.append(progress.done)

    monkeypatch.setenv("EXOLENS_ENGINE", cluster.address)
    run_training(cache, {"run": run.id}, kill_once)
    assert killed
    assert cluster.n_workers() == 1
    again, predicted, told = outcome(run)
    assert told == epochs
    pd.testing.assert_frame_equal(predicted, predictions, rtol=1e-4)
    assert json.dumps(again["folds"][0]["selected"]) == json.dumps(metrics["folds"][0]["selected"])
    for metric in ("accuracy", "auc"):
        assert again["test"][metric] == pytest.approx(metrics["test"][metric], abs=1e-3)
    for fold in range(N_FOLDS):
        assert run.model_path(fold).is_file()
    assert not (run.folder / "folds").exists()


def test_stop_reaches_the_folds_of_a_cluster(cache, cluster, monkeypatch):
    (name,) = [path.name for path in (cache / "cohorts").iterdir()]
    run = asked(cache, name, seed=2)
    cluster.add_worker()
    cluster.wait_for(1)
    monkeypatch.setenv("EXOLENS_ENGINE", cluster.address)

    def stop(progress: Progress) -> None:
        if runs.read_progress(run):
            raise Cancelled

    with pytest.raises(Cancelled):
        run_training(cache, {"run": run.id}, stop)
    assert runs.read_metrics(run) is None


def test_a_stopped_run_goes_on_from_its_last_epoch(cache):
    (name,) = [path.name for path in (cache / "cohorts").iterdir()]
    run = asked(cache, name, seed=3)

    def stop(progress: Progress) -> None:
        if progress.phase == "training, 3 of 5 folds" and progress.done > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        run_training(cache, {"run": run.id}, stop)
    assert runs.read_metrics(run) is None
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["0.npz", "1.npz", "2.npz"]
    phases = set()
    run_training(cache, {"run": run.id}, lambda progress: phases.add(progress.phase))
    # The first two folds had ended: they learn nothing more.
    assert {phase for phase in phases if phase.startswith("training")} == {
        f"training, {number} of 5 folds" for number in (3, 4, 5)
    }
    assert not run.checkpoints.exists()
    metrics, predictions, epochs = outcome(run)
    run_training(cache, {"run": run.id}, silent)
    whole, predicted, told = outcome(run)
    assert epochs == told
    assert metrics["test"]["confusion"] == whole["test"]["confusion"]
    pd.testing.assert_frame_equal(predictions, predicted, rtol=1e-4)


def test_a_run_tells_how_many_variants_the_file_of_weights_names(cache, tmp_path):
    (name,) = [path.name for path in (cache / "cohorts").iterdir()]
    known = [f"1\t{1000 * (j + 1)}\tA\tG\t{j % 3}" for j in range(N_VARIANTS // 2)]
    path = tmp_path / "weights.tsv"
    path.write_text("\n".join(["chrom\tpos\tref\talt\tweight", *known]) + "\n")
    settings = with_changes(
        apply_preset("quick"),
        {"encoding.weights": "file", "encoding.weights_file": str(path), "selection.max_p": 0.5,
         "encoding.drop_unweighted": True, "training.epochs": 1},
    )  # fmt: skip
    with closing(open_cohort(cache, name).store):
        fingerprint = open_cohort(cache, name).fingerprint
    run = runs.create(cache, name, fingerprint, keep_weights(cache, settings))
    run_training(cache, {"run": run.id}, silent)
    (fold,) = runs.read_metrics(run)["folds"]
    entered = pd.read_parquet(run.selection_path)
    number = entered["pos"] // 1000 - 1
    assert (number < N_VARIANTS // 2).all()
    assert (number % 3 != 0).all()
    assert fold["weighted"] == fold["entered"] == len(entered) > 0
    assert fold["weighted"] < fold["selected"]
