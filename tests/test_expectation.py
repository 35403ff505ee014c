"""When a job that waits will start: queue order, workers in parallel, what was done before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import jobs, runs
from pipeline.expectation import Expected, expected
from pipeline.files import read_json, write_json
from pipeline.jobs import Job
from pipeline.runs import Run
from pipeline.settings import AnalysisSettings, with_changes
from pipeline.worker import work


def run_of(cache: Path, changes: dict, seconds: float | None = None) -> Run:
    settings = with_changes(AnalysisSettings(), changes)
    run = runs.create(cache, "c", "f" * 16, settings, "quick", "", "")
    if seconds is None:
        return run
    state = runs.update_state(run, state="finished")
    record = {"seconds": seconds}
    told = read_json(run.folder / "run.json") | record
    write_json(run.folder / "run.json", told)
    return replace(state, seconds=seconds)


def open_job(cache: Path, run: Run, position: int | None, **fields) -> Job:
    state = "queued" if position else "running"
    return Job(run.id, "train", {"run": run.id}, state, 1, "", cache / "log", position=position,
               **fields)  # fmt: skip


@pytest.fixture
def queue(tmp_path: Path) -> list[Job]:
    """One training at work with 20 s left, three that wait, each of 30 s as two before them."""
    for seed, seconds in ((90, 28.0), (91, 32.0)):
        run_of(tmp_path, {"training.seed": seed}, seconds)
    waiting = [run_of(tmp_path, {"training.seed": seed}) for seed in range(4)]
    return [
        open_job(tmp_path, run, position or None, remaining_s=None if position else 20.0)
        for position, run in enumerate(waiting)
    ]


def test_one_worker_does_one_after_the_other(tmp_path, queue):
    found = expected(tmp_path, queue, n_workers=1)
    assert [found[job.id].starts_s for job in queue] == [0, 20, 50, 80]
    assert {one.takes_s for one in found.values()} == {30}


def test_two_workers_share(tmp_path, queue):
    found = expected(tmp_path, queue, n_workers=2)
    assert [found[job.id].starts_s for job in queue] == [0, 0, 20, 30]


def test_what_was_never_done_is_not_known_and_nothing_after_it(tmp_path, queue):
    new = run_of(tmp_path, {"training.epochs": 7})
    new = replace(new, preset="")
    write_json(new.folder / "run.json",
                    read_json(new.folder / "run.json") | {"preset": ""})  # fmt: skip
    jobs_now = [queue[0], open_job(tmp_path, new, 1), replace(queue[1], position=2)]
    found = expected(tmp_path, jobs_now, n_workers=1)
    assert found[new.id] == Expected(20.0, None)
    assert found[queue[1].id] == Expected(None, 30.0)


def test_other_settings_take_what_their_preset_took(tmp_path, queue):
    other = run_of(tmp_path, {"training.epochs": 7})
    (found,) = expected(tmp_path, [open_job(tmp_path, other, 1)], n_workers=1).values()
    assert found.takes_s == 30


def test_another_job_takes_what_it_took_last_time(tmp_path):
    for _ in range(2):
        job_id = jobs.submit(tmp_path, "structure", {"name": "c"}, "structure-c")
        work(tmp_path, {"structure": lambda *_: None}, idle_s=0)
    jobs.submit(tmp_path, "structure", {"name": "c"}, "structure-c")
    (waiting,) = jobs.jobs(tmp_path, active_only=True)
    (found,) = expected(tmp_path, [waiting], n_workers=1).values()
    assert found.starts_s == 0
    assert found.takes_s is not None
    assert found.takes_s < 5
    jobs.cancel(tmp_path, job_id)
