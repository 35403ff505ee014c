"""The queue: submit, cancel, resume, wait, and workers that share it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline import claims, files, jobs, runs, worker
from pipeline.errors import Cancelled, InputError, NotFoundError, PipelineError, SettingsError
from pipeline.progress import Progress
from pipeline.settings import AnalysisSettings
from pipeline.worker import work

RUN_ID = "0123456789abcdef"
PATIENCE_S = 30.0

StartWorker = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[StartWorker]:
    """Return a function that starts a toy worker; those left are ended, by pid."""
    started = []

    def start(idle_s: float = 20, workers: int = 1, crash_at: int | None = None):
        command = [sys.executable, "-m", "tests.toy_worker", str(tmp_path), str(idle_s)]
        child = subprocess.Popen(
            command + ([str(crash_at)] if crash_at else []),
            cwd=files.PROJECT_ROOT,
            env={**os.environ, "EXOLENS_WORKERS": str(workers)},
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()
        child.wait()


def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; fail when it does not come to hold."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def steps_done(cache: Path, job_id: str) -> int:
    path = cache / "jobs" / job_id / "steps"
    return len(path.read_text().splitlines()) if path.exists() else 0


def do_all(cache: Path, handlers=None) -> int:
    """Do what waits in this very process."""
    toy = {"train": lambda *_: {"did": 1}, "ingest": lambda *_: None}
    return work(cache, handlers or toy, idle_s=0)


# ---- the queue ------------------------------------------------------------------------------


def test_submit__waits_in_order_then_is_done(tmp_path):
    ids = [jobs.submit(tmp_path, "ingest", {"n": n}) for n in range(3)]
    assert [one.id for one in jobs.jobs(tmp_path, active_only=True)] == ids
    assert [jobs.job(tmp_path, one).position for one in ids] == [1, 2, 3]
    assert jobs.job(tmp_path, ids[1]).payload == {"n": 1}
    seen = []
    assert do_all(tmp_path, {"ingest": lambda payload, *_: seen.append(payload["n"])}) == 3
    assert seen == [0, 1, 2]
    done = jobs.job(tmp_path, ids[0])
    assert (done.state, done.done, done.position, done.pid) == ("finished", 1.0, None, os.getpid())
    assert done.submitted <= done.started <= done.finished
    assert jobs.jobs(tmp_path, active_only=True) == []
    assert len(jobs.jobs(tmp_path)) == 3
    assert list((tmp_path / "jobs" / "queue").iterdir()) == []


def test_submit__training_asked_for_twice_is_done_once(tmp_path):
    seen = []
    handlers = {"train": lambda payload, *_: seen.append(payload["run"])}
    for _ in range(2):
        assert jobs.submit(tmp_path, "train", {"run": RUN_ID}) == RUN_ID
    assert len(jobs.jobs(tmp_path)) == 1
    assert do_all(tmp_path, handlers) == 1
    assert jobs.submit(tmp_path, "train", {"run": RUN_ID}) == RUN_ID
    assert do_all(tmp_path, handlers) == 0
    assert seen == [RUN_ID]


def test_submit__failed_training_is_tried_again(tmp_path):
    def breaks(*_):
        raise InputError("No.")

    jobs.submit(tmp_path, "train", {"run": RUN_ID})
    do_all(tmp_path, {"train": breaks})
    assert (jobs.job(tmp_path, RUN_ID).state, jobs.job(tmp_path, RUN_ID).error) == ("failed", "No.")
    jobs.submit(tmp_path, "train", {"run": RUN_ID})
    assert (jobs.job(tmp_path, RUN_ID).state, jobs.job(tmp_path, RUN_ID).attempt) == ("queued", 2)
    do_all(tmp_path)
    assert jobs.job(tmp_path, RUN_ID).result == {"did": 1}


def test_submit__deleted_run_is_trained_again(tmp_path):
    run = runs.create(tmp_path, "demo", "abc", AnalysisSettings())
    jobs.submit(tmp_path, "train", {"run": run.id})
    do_all(tmp_path)
    assert runs.load(tmp_path, run.id).state == "finished"
    files.shutil.rmtree(run.folder)
    time.sleep(0.005)
    assert runs.create(tmp_path, "demo", "abc", AnalysisSettings()).state == "queued"
    assert runs.load(tmp_path, run.id).state == "queued"
    jobs.submit(tmp_path, "train", {"run": run.id})
    assert do_all(tmp_path) == 1


def test_submit__job_named_after_a_cohort_is_open_once_and_can_be_done_anew(tmp_path):
    seen = []
    handlers = {"ingest": lambda payload, *_: seen.append(payload["n"])}
    for name in ("Demo", "x.ingest-Demo", "Demo.1"):  # marks must not be taken for each other's
        for n in (1, 2):
            assert jobs.submit(tmp_path, "ingest", {"n": n}, f"ingest-{name}") == f"ingest-{name}"
    assert jobs.cancel(tmp_path, "ingest-Demo").state == "cancelled"
    assert [one.position for one in jobs.jobs(tmp_path, active_only=True)] == [1, 2]
    assert do_all(tmp_path, handlers) == 2
    jobs.submit(tmp_path, "ingest", {"n": 3}, "ingest-Demo.1")
    assert do_all(tmp_path, handlers) == 1
    assert seen == [1, 1, 3]


def test_submit__unknown_kind_is_a_bug_of_the_caller(tmp_path):
    with pytest.raises(ValueError, match="one of train"):
        jobs.submit(tmp_path, "dance", {})


@pytest.mark.parametrize(
    "job_id", ["../runs", "queue", "logs", "", "0123/4567", "ingest-../x", "dance-x"]
)
def test_job__refuses_ids_that_are_no_ids(tmp_path, job_id):
    jobs.submit(tmp_path, "ingest", {})
    for ask in (jobs.job, jobs.cancel, jobs.resume):
        with pytest.raises(NotFoundError):
            ask(tmp_path, job_id)


def test_job__that_is_not_there(tmp_path):
    assert jobs.jobs(tmp_path) == jobs.jobs(tmp_path, active_only=True) == []
    with pytest.raises(NotFoundError, match=RUN_ID):
        jobs.job(tmp_path, RUN_ID)


# ---- cancel and resume ----------------------------------------------------------------------


def test_cancel__queued_is_never_done_and_can_be_resumed(tmp_path):
    run = runs.create(tmp_path, "demo", "abc", AnalysisSettings())
    jobs.submit(tmp_path, "train", {"run": run.id})
    assert jobs.cancel(tmp_path, run.id).state == "cancelled"
    assert runs.load(tmp_path, run.id).state == "cancelled"
    assert do_all(tmp_path) == 0
    assert jobs.resume(tmp_path, run.id).state == "queued"
    assert runs.load(tmp_path, run.id).state == "queued"
    assert do_all(tmp_path) == 1
    assert runs.load(tmp_path, run.id).state == "finished"
    assert jobs.cancel(tmp_path, run.id).state == "finished"
    assert jobs.resume(tmp_path, run.id).state == "finished"


def test_cancel__running_stops_within_one_batch(tmp_path):
    job_id = jobs.submit(tmp_path, "ingest", {})
    batches = []

    def handler(payload, on_progress, job_dir):
        for batch in range(10):
            if batch == 3:
                jobs.cancel(tmp_path, job_id)
            on_progress(Progress("batches", batch / 10))
            batches.append(batch)

    do_all(tmp_path, {"ingest": handler})
    assert batches == [0, 1, 2]
    assert jobs.job(tmp_path, job_id).state == "cancelled"


def test_resume__the_slow_worker_of_the_lost_try_stops(tmp_path):
    job_id = jobs.submit(tmp_path, "ingest", {})
    stopped = []

    def handler(payload, on_progress, job_dir):
        if stopped:
            return
        # Another machine took this worker for dead and put the job back in the queue.
        files.place_folder(job_dir / "2", {"asked.json": jobs._asked({})})
        try:
            on_progress(Progress("late", 0.5))
        except Cancelled:
            stopped.append(job_id)
            raise

    do_all(tmp_path, {"ingest": handler})
    assert stopped == [job_id]
    assert jobs.job(tmp_path, job_id).state == "queued"
    assert do_all(tmp_path) == 1  # though nobody had marked the second try
    assert jobs.job(tmp_path, job_id).state == "finished"


# ---- what a worker makes of errors ----------------------------------------------------------


def test_work__bug_is_logged_and_the_next_job_done(tmp_path, start_worker):
    bug = jobs.submit(tmp_path, "simulate", {"how": "bug"})
    user = jobs.submit(tmp_path, "simulate", {"how": "user"})
    fine = jobs.submit(tmp_path, "ingest", {})
    unknown = jobs.submit(tmp_path, "annotate", {})
    assert start_worker(idle_s=0).wait(PATIENCE_S) == 0
    failed = jobs.job(tmp_path, bug)
    assert failed.state == "failed"
    assert failed.error.endswith("the log has the details.")
    assert "ZeroDivisionError" in failed.error
    log = failed.log.read_text()
    assert "Traceback" in log
    assert "said below Python" in log
    assert jobs.job(tmp_path, user).error == "The file is empty; give another."
    assert "Traceback" not in jobs.job(tmp_path, user).log.read_text()
    assert jobs.job(tmp_path, fine).state == "finished"
    assert "counted" in jobs.job(tmp_path, fine).log.read_text()
    assert jobs.job(tmp_path, unknown).state == "failed"


def test_work__log_lies_beside_the_run(tmp_path):
    run = runs.create(tmp_path, "demo", "abc", AnalysisSettings())
    jobs.submit(tmp_path, "train", {"run": run.id})
    do_all(tmp_path, {"train": lambda *_: os.write(1, b"from C++\n") and None})
    assert jobs.job(tmp_path, run.id).log == run.log_path
    assert "from C++" in run.log_path.read_text()


def test_work__warms_up_only_when_nothing_waits(tmp_path):
    order = []
    jobs.submit(tmp_path, "ingest", {})
    handlers = {"ingest": lambda *_: order.append("job")}
    work(tmp_path, handlers, idle_s=0, warm=lambda: order.append("warm"))
    assert order == ["job", "warm"]


def test_work__job_queued_while_leaving_is_done(tmp_path, monkeypatch):
    late = []

    def unregister(cache, who):
        claims.unregister(cache, who)
        if not late:
            late.append(jobs.submit(cache, "ingest", {}))

    monkeypatch.setattr("pipeline.worker.unregister", unregister)
    assert do_all(tmp_path) == 1
    assert jobs.job(tmp_path, late[0]).state == "finished"


# ---- several processes ----------------------------------------------------------------------


def test_race__two_workers_do_each_of_fifty_jobs_once(tmp_path, start_worker):
    ids = [jobs.submit(tmp_path, "ingest", {"pause": 0.01}) for _ in range(50)]
    workers = [start_worker(idle_s=0.5, workers=2) for _ in range(2)]
    for child in workers:
        assert child.wait(PATIENCE_S) == 0
    tallies = [(tmp_path / "jobs" / one / "tally").read_text().split() for one in ids]
    assert [len(tally) for tally in tallies] == [1] * 50
    assert {jobs.job(tmp_path, one).state for one in ids} == {"finished"}
    assert {tally[0] for tally in tallies} == {str(child.pid) for child in workers}


def test_ensure_worker__starts_one_and_it_leaves_when_idle(tmp_path, monkeypatch):
    monkeypatch.delenv("EXOLENS_WORKERS", raising=False)
    command = [sys.executable, "-m", "tests.toy_worker", str(tmp_path), "0.3"]
    assert jobs.ensure_worker(tmp_path, command) == []
    first = jobs.submit(tmp_path, "ingest", {"steps": 5, "pause": 0.05})
    jobs.submit(tmp_path, "ingest", {})
    pids = jobs.ensure_worker(tmp_path, command)
    assert len(pids) == 1
    for _ in range(5):
        assert jobs.ensure_worker(tmp_path, command) == []
    heard = []
    done = jobs.wait(tmp_path, first, heard.append, timeout=PATIENCE_S)
    assert (done.state, done.pid) == ("finished", pids[0])
    assert heard[0].phase == "counting"
    assert os.getsid(pids[0]) == pids[0]  # a session of its own: it outlives this one
    until(lambda: jobs._children[-1].process.poll() is not None)
    assert jobs._children[-1].process.returncode == 0
    assert claims.live_workers(tmp_path) == []
    third = jobs.submit(tmp_path, "ingest", {})
    assert len(jobs.ensure_worker(tmp_path, command)) == 1
    assert jobs.wait(tmp_path, third, timeout=PATIENCE_S).state == "finished"
    until(lambda: jobs._children[-1].process.poll() is not None)


def test_ensure_worker__says_when_the_worker_breaks(tmp_path):
    jobs.submit(tmp_path, "ingest", {})
    command = [sys.executable, "-c", "raise SystemExit('no such module')"]
    assert len(jobs.ensure_worker(tmp_path, command)) == 1
    until(lambda: jobs._children[-1].process.poll() is not None)
    with pytest.raises(PipelineError, match="ended at once"):
        jobs.ensure_worker(tmp_path, command)
    assert "no such module" in jobs._children[-1].log.read_text()
    jobs._children.clear()


def test_worker__above_the_limit_ends_at_once(tmp_path, start_worker):
    first = start_worker()
    until(lambda: len(claims.live_workers(tmp_path)) == 1)
    assert start_worker().wait(PATIENCE_S) == 0
    assert first.poll() is None
    assert [who.pid for who in claims.live_workers(tmp_path)] == [first.pid]


def test_wait__says_when_nobody_will_come(tmp_path, monkeypatch):
    job_id = jobs.submit(tmp_path, "ingest", {})
    assert jobs.wait(tmp_path, job_id, timeout=0.05).state == "queued"
    monkeypatch.setattr(jobs, "UNTAKEN_S", 0.2)
    with pytest.raises(PipelineError, match="no worker"):
        jobs.wait(tmp_path, job_id)


@pytest.mark.parametrize("text", ["0", "-1", "two", ""])
def test_worker_limit__refuses(monkeypatch, text):
    monkeypatch.setenv("EXOLENS_WORKERS", text)
    with pytest.raises(SettingsError, match="EXOLENS_WORKERS"):
        jobs.worker_limit()


def test_named_handlers__are_imported_when_their_first_job_runs(tmp_path, monkeypatch):
    module = tmp_path / "toy_stage.py"
    module.write_text("def do(cache, payload, on_progress):\n    return {'got': payload['n']}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(worker.HANDLERS, "ingest", "toy_stage:do")
    handlers = worker.named_handlers(tmp_path)
    assert "toy_stage" not in sys.modules
    assert set(handlers) == set(jobs.KINDS)
    job_id = jobs.submit(tmp_path, "ingest", {"n": 7})
    do_all(tmp_path, handlers)
    assert jobs.job(tmp_path, job_id).result == {"got": 7}


def test_import__of_the_worker_loads_no_tensorflow():
    program = "import sys, pipeline.worker; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=files.PROJECT_ROOT).returncode == 0


def test_who_asked_is_kept_and_told(tmp_path):
    jobs.asked_by("Ada\nLovelace")
    try:
        job_id = jobs.submit(tmp_path, "structure", {"name": "c"}, "structure-c")
    finally:
        jobs.asked_by("")
    assert jobs.job(tmp_path, job_id).who == "Ada Lovelace"
    jobs.cancel(tmp_path, job_id)
    assert jobs.resume(tmp_path, job_id).who == "Ada Lovelace", "whoever goes on with it unnamed"
    other = jobs.submit(tmp_path, "structure", {"name": "d"}, "structure-d")
    assert jobs.job(tmp_path, other).who == ""
