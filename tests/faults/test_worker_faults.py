"""Workers that are killed, told to end, or crash between any two changes to the disk."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import claims, files, jobs, runs
from pipeline.settings import AnalysisSettings
from tests.test_jobs import PATIENCE_S, do_all, start_worker, steps_done, until

__all__ = ["start_worker"]  # a fixture: used by name

LONG = {"steps": 2000, "pause": 0.02}


def submit_run(cache: Path, **payload: object) -> str:
    run = runs.create(cache, "demo", "abc", AnalysisSettings())
    return jobs.submit(cache, "train", {"run": run.id, **payload})


def test_kill__is_interrupted_then_resumed_and_finished(tmp_path, start_worker):
    run_id = submit_run(tmp_path, **LONG)
    victim = start_worker()
    until(lambda: steps_done(tmp_path, run_id) > 3)
    assert jobs.job(tmp_path, run_id).state == runs.load(tmp_path, run_id).state == "running"
    assert jobs.job(tmp_path, run_id).pid == runs.load(tmp_path, run_id).pid == victim.pid
    victim.kill()
    until(lambda: jobs.job(tmp_path, run_id).state == "interrupted")  # before it is collected
    victim.wait()
    assert runs.load(tmp_path, run_id).state == "interrupted"
    assert [one.state for one in runs.list_runs(tmp_path)] == ["interrupted"]
    assert jobs.jobs(tmp_path, active_only=True) == []
    assert do_all(tmp_path) == 0  # nobody takes it up unasked
    assert claims.live_workers(tmp_path) == []
    assert jobs.resume(tmp_path, run_id).state == "queued"
    assert runs.load(tmp_path, run_id).state == "queued"
    assert do_all(tmp_path) == 1
    assert jobs.job(tmp_path, run_id).state == runs.load(tmp_path, run_id).state == "finished"
    assert list((tmp_path / "jobs" / "workers").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal__job_is_interrupted_and_the_worker_ends(tmp_path, start_worker, number):
    run_id = submit_run(tmp_path, **LONG)
    child = start_worker()
    until(lambda: steps_done(tmp_path, run_id) > 3)
    child.send_signal(number)
    child.wait(PATIENCE_S)
    assert files.read_json(runs.run_folder(tmp_path, run_id) / "run.json")["state"] == "interrupted"
    assert jobs.job(tmp_path, run_id).finished is not None
    assert list((tmp_path / "jobs" / "workers").iterdir()) == []
    assert jobs.resume(tmp_path, run_id).state == "queued"


def test_signal__idle_worker_ends(tmp_path, start_worker):
    child = start_worker()
    until(lambda: len(claims.live_workers(tmp_path)) == 1)
    child.terminate()
    assert child.wait(PATIENCE_S) == 0


def test_cancel__running_in_another_process(tmp_path, start_worker):
    run_id = submit_run(tmp_path, **LONG)
    child = start_worker(idle_s=0)
    until(lambda: steps_done(tmp_path, run_id) > 3)
    before = steps_done(tmp_path, run_id)
    jobs.cancel(tmp_path, run_id)
    assert child.wait(PATIENCE_S) == 0
    assert steps_done(tmp_path, run_id) < before + 50  # 2,000 without the cancel
    assert jobs.job(tmp_path, run_id).state == runs.load(tmp_path, run_id).state == "cancelled"


def test_cancel__of_an_interrupted_job(tmp_path, start_worker):
    run_id = submit_run(tmp_path, **LONG)
    victim = start_worker()
    until(lambda: steps_done(tmp_path, run_id) > 0)
    victim.kill()
    victim.wait()
    assert jobs.cancel(tmp_path, run_id).state == "cancelled"
    assert runs.load(tmp_path, run_id).state == "cancelled"


def test_crash__between_any_two_changes(tmp_path, start_worker):
    """Whatever change to the disk a worker dies before, nothing is lost and nothing hangs."""
    states = []
    for change in range(1, 40):
        run = runs.create(tmp_path, "demo", f"f{change}", AnalysisSettings())
        run_id = jobs.submit(tmp_path, "train", {"run": run.id})
        status = start_worker(idle_s=0, crash_at=change).wait(PATIENCE_S)
        state = jobs.job(tmp_path, run_id).state
        assert state in {"queued", "interrupted", "finished"}, (change, state)
        assert runs.load(tmp_path, run_id).state == state, change
        states.append(state)
        if status == 0:
            break
        if state == "interrupted":
            jobs.resume(tmp_path, run_id)
        do_all(tmp_path)
        assert jobs.job(tmp_path, run_id).state == "finished", change
        assert files.read_json(run.folder / "run.json")["state"] == "finished", change
        assert jobs.jobs(tmp_path, active_only=True) == []
    assert status == 0
    assert set(states) == {"queued", "interrupted", "finished"}


def test_crash__of_the_process_that_submits(tmp_path):
    """A submit that is killed before any of its changes leaves no job, or one that is done."""
    program = """
import os, signal, sys
from pathlib import Path
from pipeline import jobs
left = int(sys.argv[2])
def counted(function):
    def before(*args, **kwargs):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return before
for name in ("rename", "replace", "touch", "mkdir"):
    setattr(Path, name, counted(getattr(Path, name)))
jobs.submit(Path(sys.argv[1]), "ingest", {"n": 1}, "ingest-0123456789ab")
"""
    for change in range(1, 30):
        cache = tmp_path / str(change)
        child = subprocess.run(
            [sys.executable, "-c", program, str(cache), str(change)],
            cwd=files.PROJECT_ROOT,
            timeout=PATIENCE_S,
        )
        n_jobs = len(jobs.jobs(cache))
        assert do_all(cache) == n_jobs, change
        jobs.submit(cache, "ingest", {"n": 2}, "ingest-0123456789ab")
        assert do_all(cache) == 1, change
        if child.returncode == 0:
            break
    assert child.returncode == 0
    assert n_jobs == 1


def test_torn_files__claim_without_content_is_interrupted(tmp_path):
    """A power cut may leave files that were renamed before their bytes reached the disk."""
    job_id = jobs.submit(tmp_path, "ingest", {})
    attempt = jobs.take(tmp_path, claims.holder())
    for name in ("holder.json", "progress.json"):
        (attempt / "claim" / name).write_bytes(b"")
    assert jobs.job(tmp_path, job_id).state == "interrupted"
    assert jobs.ensure_worker(tmp_path) == []
    assert jobs.resume(tmp_path, job_id).state == "queued"
    assert do_all(tmp_path) == 1


def test_torn_files__job_without_content_does_not_hide_the_others(tmp_path):
    torn = jobs.submit(tmp_path, "ingest", {})
    fine = jobs.submit(tmp_path, "ingest", {})
    for path in ("job.json", "1/asked.json"):
        (tmp_path / "jobs" / torn / path).write_bytes(b"")
    (tmp_path / "jobs" / "queue" / ".nfs0001").touch()
    assert [one.id for one in jobs.jobs(tmp_path)] == [fine]
    assert do_all(tmp_path) == 2
    assert jobs.job(tmp_path, fine).state == "finished"
    assert do_all(tmp_path) == 0


def test_cache_deleted__worker_ends(tmp_path, start_worker):
    child = start_worker()
    until(lambda: len(claims.live_workers(tmp_path)) == 1)
    (tmp_path / "jobs").rename(tmp_path / "gone")
    assert child.wait(PATIENCE_S) == 0
    assert not (tmp_path / "jobs").exists()
