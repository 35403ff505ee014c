"""The same ingest on a Dask scheduler whose workers are processes, one of them killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import distributed
import numpy as np
import pytest

from pipeline import files
from pipeline import ingest as ingest_module
from pipeline.cli import main
from pipeline.cohort import open_cohort
from pipeline.engine import Watched, connect, executor
from pipeline.errors import Cancelled, EngineError, InputError
from pipeline.ingest import ingest
from pipeline.permutation import permute_job
from pipeline.progress import Progress, silent
from pipeline.settings import AnalysisSettings, with_changes
from tests.small_cohorts import tables, vcf_text, write_phenotypes, write_vcf
from tests.test_ingest import DIAGNOSES, SAMPLES, SEX, big_text, ingested, random_records

DASK = [sys.executable, "-m", "dask"]


class Cluster:
    """A scheduler and its workers, each a process of its own."""

    def __init__(self, folder: Path):
        self.address = f"tcp://127.0.0.1:{_free_port()}"
        self.processes: list[subprocess.Popen] = []
        self._log = (folder / "dask.log").open("wb")
        self._start("scheduler", "--host", "127.0.0.1", "--port", self.address.split(":")[-1])

    def _start(self, *command: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [*DASK, *command, "--no-dashboard"],
            cwd=files.PROJECT_ROOT,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.processes.append(process)
        return process

    def add_worker(self, *more: str) -> subprocess.Popen:
        # Without a limit: Dask shares the machine's memory out by cores, and of many cores a share
        # is less than what the imports take; such a worker only waits.
        options = ("--no-nanny", "--nthreads", "1", "--memory-limit", "0")
        return self._start("worker", self.address, *options, *more)

    def wait_for(self, n_workers: int) -> None:
        with connect(self.address, 60) as client:
            client.wait_for_workers(n_workers, timeout=120)

    def n_workers(self) -> int:
        with connect(self.address, 60) as client:
            return len(client.nthreads())

    def end(self) -> None:
        for process in reversed(self.processes):
            process.kill()  # nothing of theirs is wanted any more
            process.wait(30)
        self._log.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("dask"))
    try:
        yield made
    finally:
        made.end()


@pytest.fixture(autouse=True)
def by_region(monkeypatch) -> None:
    monkeypatch.setattr(ingest_module, "_TASK_BYTES", (1, 1))
    monkeypatch.setattr(ingest_module, "_WHOLE_BYTES", 0)


def test_no_workers_is_told(tmp_path, cluster):
    path = write_vcf(tmp_path / "a.vcf.gz", vcf_text(random_records(5), SAMPLES))
    table = write_phenotypes(tmp_path / "p.tsv", DIAGNOSES, SEX)
    with pytest.raises(EngineError, match=r"needs workers, but .* has none; start some"):
        ingest(tmp_path / "cache", "c", [path], table, engine=cluster.address)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere"])
def test_no_scheduler_is_told(tmp_path, address, monkeypatch, capsys):
    monkeypatch.setattr("pipeline.engine._CONNECT_S", 0.5)
    monkeypatch.setenv("EXOLENS_ENGINE", address)
    path = write_vcf(tmp_path / "a.vcf.gz", vcf_text(random_records(5), SAMPLES))
    table = write_phenotypes(tmp_path / "p.tsv", DIAGNOSES, SEX)
    status = main(["ingest", str(path), "--phenotypes", str(table), "--name", "c",
                   "--cache", str(tmp_path / "cache")])  # fmt: skip
    told = capsys.readouterr().err.strip()
    assert status == 1
    assert told.count("\n") == 0
    assert address in told


def test_a_killed_worker_changes_nothing(tmp_path, cluster, monkeypatch):
    workers = [cluster.add_worker(), cluster.add_worker()]
    cluster.wait_for(2)
    path = write_vcf(tmp_path / "a.vcf.gz", big_text())
    here = tmp_path / "here"
    here.mkdir()
    expected = ingested(here, [path], workers=1)

    killed_at = []

    def kill_once(progress: Progress) -> None:
        is_half = progress.phase == "reading genotypes" and 0 < progress.done < 0.8
        if is_half and not killed_at:
            os.kill(workers[0].pid, signal.SIGKILL)
            workers[0].wait(10)
            killed_at.append(progress.done)

    table = write_phenotypes(tmp_path / "p.tsv", DIAGNOSES, SEX)
    monkeypatch.setenv("EXOLENS_ENGINE", cluster.address)
    made = ingest(tmp_path / "cache", "c", [path], table, on_progress=kill_once)
    cohort = open_cohort(tmp_path / "cache", "c")
    assert (made.fingerprint, tables(cohort)) == expected
    cohort.store.close()
    assert killed_at
    assert cluster.n_workers() == 1


def test_a_slow_start_of_dasks_loop_is_tried_again(cluster, monkeypatch):
    started = distributed.Client
    calls = []

    def first_too_slow(*args, **options):
        calls.append(args)
        assert len(calls) > 1  # as Dask's own assertion when its thread did not begin in time
        return started(*args, **options)

    monkeypatch.setattr(distributed, "Client", first_too_slow)
    with connect(cluster.address, 60) as client:
        assert client.scheduler_info()["address"] == cluster.address
    assert len(calls) == 2


def test_stop_and_bad_input_are_told_from_the_cluster(tmp_path, cluster):
    cluster.add_worker()
    cluster.wait_for(2)
    table = write_phenotypes(tmp_path / "p.tsv", DIAGNOSES, SEX)
    path = write_vcf(tmp_path / "a.vcf.gz", big_text())

    def stop(progress: Progress) -> None:
        if progress.done > 0:
            raise Cancelled

    with pytest.raises(Cancelled):
        ingest(tmp_path / "cache", "c", [path], table, engine=cluster.address, on_progress=stop)
    assert not list((tmp_path / "cache").rglob("*.json"))

    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(200)
    path.write_bytes(data)
    with pytest.raises(InputError):
        ingest(tmp_path / "cache", "c", [path], table, engine=cluster.address)


def test_a_result_that_gets_lost_on_its_way_is_asked_for_again(tmp_path, cluster, monkeypatch):
    asked_for = []
    result = distributed.Future.result

    def first_lost(future, timeout=None):
        asked_for.append(future.key)
        if len(asked_for) == 1:
            raise OSError("the connection broke")
        return result(future, timeout)

    monkeypatch.setattr(distributed.Future, "result", first_lost)
    with executor(None, "pipeline.coding", tmp_path, cluster.address) as (pool, _):
        assert pool.submit(_pid, 1).result(60)
    assert len(asked_for) == 2


def test_errors_and_dropped_calls_reach_who_waits(tmp_path, cluster):
    with executor(None, "pipeline.coding", tmp_path, cluster.address) as (pool, _):
        with pytest.raises(ZeroDivisionError):
            pool.submit(divmod, 1, 0).result(60)
        slow = [pool.submit(time.sleep, 5.0) for _ in range(5)]
        pool.shutdown(wait=False, cancel_futures=True)
        done, left = wait(slow, timeout=1.0)
        assert not left
        assert all(future.cancelled() for future in done)


def test_who_waits_is_told_when_all_workers_have_gone(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.engine._LOOK_FOR_WORKERS_S", 0.2)
    monkeypatch.setattr("pipeline.engine._GONE_S", 1.0)
    alone = Cluster(tmp_path)
    try:
        worker = alone.add_worker()
        alone.wait_for(1)
        with executor(None, "pipeline.coding", tmp_path, alone.address) as (pool, _):
            future = pool.submit(time.sleep, 60)
            worker.kill()
            worker.wait(10)
            with pytest.raises(EngineError, match="workers until the work is done"):
                future.result(60)
    finally:
        alone.end()


def test_trainings_go_to_workers_that_name_a_gpu_and_the_cluster_is_told(tmp_path):
    alone = Cluster(tmp_path)
    try:
        plain, with_gpu = alone.add_worker(), alone.add_worker("--resources", "GPU=1")
        alone.wait_for(2)
        with executor(None, "pipeline.coding", tmp_path, alone.address, trains=True) as (pool, n):
            assert n == 1, "one task a GPU"
            assert {pool.submit(_pid, i).result(60) for i in range(6)} == {with_gpu.pid}
        with executor(None, "pipeline.coding", tmp_path, alone.address) as (pool, n):
            assert n == 2
            waiting = [pool.submit(_pid, i) for i in range(12)]
            assert {future.result(60) for future in waiting} == {plain.pid, with_gpu.pid}
        found = Watched(alone.address).look()
        assert found.address == alone.address
        assert found.page.startswith("http")
        assert sorted(worker.n_gpus for worker in found.workers) == [0, 1]
        assert all(worker.bytes_memory > 1e6 for worker in found.workers)
    finally:
        alone.end()
    with pytest.raises(EngineError, match="none answered"):
        Watched("tcp://127.0.0.1:1").look()


def test_permutations_are_shared_out_and_are_those_of_one_machine(tmp_path, cluster, monkeypatch):
    cluster.add_worker()
    path = write_vcf(tmp_path / "a.vcf.gz", big_text())
    table = write_phenotypes(tmp_path / "p.tsv", DIAGNOSES, SEX)
    ingest(tmp_path / "cache", "c", [path], table)
    asked = with_changes(
        AnalysisSettings(),
        {"association.n_permutations": 200, "quality.drop_sex_chromosomes": False},
    )
    lines = []
    for address in ("local", cluster.address):
        monkeypatch.setenv("EXOLENS_ENGINE", address)
        made = permute_job(
            tmp_path / "cache", {"name": "c", "settings": asked.model_dump()}, silent
        )
        (kept,) = (tmp_path / "cache").rglob("permutations-*.npy")
        lines.append((made["line"], np.load(kept).tolist()))
        kept.unlink()
    assert lines[0] == lines[1]


def test_calls_run_elsewhere(tmp_path, cluster):
    with executor(None, "pipeline.coding", tmp_path, cluster.address) as (pool, n_tasks):
        assert n_tasks == cluster.n_workers()
        found = {pool.submit(_pid, i).result(60) for i in range(4)}
    assert os.getpid() not in found


def _pid(_: int) -> int:
    time.sleep(0.05)
    return os.getpid()
