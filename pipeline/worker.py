"""A process that does one job after the other and stays warm in between.

    claim ──> do (report, stop when asked) ──> write the result ──> next, or end when idle

It is started by `jobs.ensure_worker` or by hand (`python -m pipeline worker`). The work is done
in this very process, so that what its first job imported is there for the next. A kill at any
point leaves a claim without a result, which readers see as interrupted.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from pipeline import jobs
from pipeline.claims import (
    HEARTBEAT_S,
    Holder,
    State,
    heartbeat_path,
    holder,
    job_folder,
    live_workers,
    register,
    unregister,
)
from pipeline.errors import Cancelled, Enough, PipelineError, SettingsError
from pipeline.files import REFUSALS, refusal, write_json
from pipeline.keeping import retention
from pipeline.progress import OnProgress, Progress

Handler = Callable[[dict[str, Any], OnProgress, Path], Mapping[str, Any] | None]

REPORT_EVERY_S = 0.2

# Named, not imported: a worker that only ingests never loads TensorFlow. Each is called with
# (cache, payload, on_progress).
HANDLERS: dict[str, str] = {
    "train": "pipeline.experiment:run_training",
    "ingest": "pipeline.ingest:ingest_job",
    "simulate": "pipeline.example:example_job",
    "annotate": "pipeline.annotation:annotate_job",
    "structure": "pipeline.structure.stored:structure_job",
    "regress": "pipeline.logistic:regress_job",
    "permute": "pipeline.permutation:permute_job",
    "sweep": "pipeline.sweep:sweep_job",
    "audit": "pipeline.audit.job:audit_job",
    "attribute": "pipeline.attribution:attribute_job",
    "report": "pipeline.report:report_job",
}


class _Terminated(BaseException):
    """The machine wants this process to end; no handler may take it for an ordinary error."""


def named_handlers(cache: Path) -> dict[str, Handler]:
    """Return the handlers of the pipeline, each imported when the first job of its kind runs."""

    def called(target: str) -> Handler:
        def handle(payload: dict[str, Any], on_progress: OnProgress, job_dir: Path) -> Any:
            module, _, function = target.partition(":")
            return getattr(importlib.import_module(module), function)(cache, payload, on_progress)

        return handle

    return {kind: called(target) for kind, target in HANDLERS.items()}


def idle_limit_s() -> float:
    """Return after how many idle seconds a worker ends (EXOLENS_WORKER_IDLE_S, 600)."""
    text = os.environ.get("EXOLENS_WORKER_IDLE_S", "600")
    try:
        return float(text)
    except ValueError as error:
        raise SettingsError(
            f"EXOLENS_WORKER_IDLE_S is a number of seconds, but it is {text!r}; change it."
        ) from error


def work(
    cache: Path,
    handlers: Mapping[str, Handler] | None = None,
    idle_s: float | None = None,
    warm: Callable[[], None] | None = None,
) -> int:
    """Do the jobs of the queue until none has come for `idle_s` seconds; return how many were done.

    `handlers` maps a kind to what does it; `warm` is called once when the queue is first empty, to
    load what the next job will need. A worker above the limit of its machine ends at once.
    """
    handlers = named_handlers(cache) if handlers is None else handlers
    idle_s = idle_limit_s() if idle_s is None else idle_s
    limit = jobs.worker_limit()
    who = holder()
    jobs.mend_queue(cache)
    retention.tidy(cache)
    n_done = 0
    with _Signals() as signals, _on_the_list(cache, who):
        idle_since = time.monotonic()
        while not signals.asked and heartbeat_path(cache, who).parent.is_dir():
            register(cache, who)
            if who not in live_workers(cache)[:limit]:
                _say(f"There are {limit} workers on this machine already (EXOLENS_WORKERS).")
                break
            attempt = jobs.take(cache, who)
            if attempt is not None:
                _do(cache, attempt, handlers, signals)
                retention.tidy(cache)
                n_done += 1
                idle_since = time.monotonic()
            elif warm is not None:
                warm()
                warm = None
            elif time.monotonic() - idle_since < idle_s:
                time.sleep(jobs.POLL_S)
            else:
                # Off the list first, then a last look: whoever queues a job from now on sees no
                # worker and starts one, and what was queued before is seen here.
                unregister(cache, who)
                if not jobs.is_waiting(cache):
                    break
                register(cache, who)
    return n_done


def _do(cache: Path, attempt: Path, handlers: Mapping[str, Handler], signals: _Signals) -> None:
    """Do one job and write how it ended; whatever it raises ends the job, not the worker."""
    job_id = attempt.parent.name
    report = _Report(attempt, signals)
    state: State = "failed"
    error: str | None = None
    result: Mapping[str, Any] | None = None
    log = job_folder(cache, job_id) / "log.txt"
    with contextlib.suppress(PipelineError):
        log = jobs.log_path(cache, jobs.read_asked(attempt)[0], job_id)
    with _printing_to(log):
        try:
            with signals.may_interrupt():
                kind, payload = jobs.read_asked(attempt)
                _say(f"{kind} {job_id}, try {attempt.name}")
                jobs.settle(cache, attempt, "running")
                if kind not in handlers:
                    raise PipelineError(f"This worker does no {kind}; start one that does.")
                result = handlers[kind](payload, report, attempt.parent)
            state = "finished"
        except Cancelled:
            state = "cancelled"
        except _Terminated:
            state = "interrupted"
        except PipelineError as problem:
            error = str(problem)
        except (Exception, SystemExit) as bug:  # noqa: BLE001 - the worker outlives any job's bug
            if isinstance(bug, OSError) and bug.errno in REFUSALS:
                error = refusal(bug)
            else:
                traceback.print_exc()
                message = str(bug).strip().partition("\n")[0][:200]
                error = (
                    f"The job stopped on an unexpected {type(bug).__name__} ({message}); the log "
                    "has the details."
                )
        _say(f"{state}{f': {error}' if error else ''}")
        jobs.finish(cache, attempt, state, error, result)


class _Report:
    """The `on_progress` of a job: writes it for others to see and stops the work when asked."""

    def __init__(self, attempt: Path, signals: _Signals):
        self._signals = signals
        self._path = attempt / "claim" / "progress.json"
        self._cancel = attempt / "claim" / "cancel"
        self._keep = attempt / "claim" / "keep"
        self._following = attempt.with_name(str(int(attempt.name) + 1))
        self._phase: str | None = None
        self._written = 0.0

    def __call__(self, progress: Progress) -> None:
        if self._signals.asked:
            raise _Terminated
        # A following try means that this one was given up for lost: another worker has the job.
        if self._cancel.exists() or self._following.exists():
            raise Cancelled
        if progress.may_end and self._keep.exists():
            raise Enough
        moment = time.monotonic()
        if progress.phase == self._phase and moment - self._written < REPORT_EVERY_S:
            return
        self._phase, self._written = progress.phase, moment
        write_json(self._path, progress, durable=False)


class _Signals:
    """SIGTERM and SIGINT: an idle worker ends, one at work is interrupted and then ends."""

    def __init__(self) -> None:
        self.asked = False
        self._at_work = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Signals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def may_interrupt(self) -> Iterator[None]:
        """Let a signal break into what is done here; elsewhere it waits for the next round."""
        self._at_work = True
        try:
            if self.asked:
                raise _Terminated
            yield
        finally:
            self._at_work = False

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        if self._at_work:
            self._at_work = False
            raise _Terminated


@contextlib.contextmanager
def _on_the_list(cache: Path, who: Holder) -> Iterator[None]:
    """Be on the list of workers, with a heartbeat for those who look from another machine."""
    register(cache, who)
    over = threading.Event()

    def beat() -> None:
        while not over.wait(HEARTBEAT_S):
            with contextlib.suppress(OSError):  # a shared disk may be away for a moment
                os.utime(heartbeat_path(cache, who))

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        unregister(cache, who)


@contextlib.contextmanager
def _printing_to(path: Path) -> Iterator[None]:
    """Send all that this process prints, TensorFlow's own messages too, to a log."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    try:
        with path.open("ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, handle in zip((1, 2), kept, strict=True):
            os.dup2(handle, number)
            os.close(handle)


def _say(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", file=sys.stderr, flush=True)


def warm_up() -> None:
    """Load what a training needs, so that the first one does not wait for it."""
    importlib.import_module("pipeline.experiment")
    importlib.import_module("pipeline.training")
