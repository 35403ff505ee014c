"""What is to be done and what is being done: a queue on disk that many processes share.

    submit ──> queue/<order>.<job>.<try> ──> a worker claims the try ──> result ──> the mark goes

The folder of a job (see `claims`) is the truth; `jobs/queue/` is a list of what is open, so that
workers and pages need not look through thousands of old jobs, and is mended from the folders when
a worker starts. Submitting only writes files. Who does the work is the engine's affair: here
worker processes of this machine (`ensure_worker`), or workers on other machines that see the
same cache.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline import runs
from pipeline.claims import (
    FINAL,
    Claim,
    Holder,
    State,
    forget_lost_workers,
    holder,
    job_folder,
    live_workers,
    newest_try,
    now,
    read_claim,
    register,
)
from pipeline.errors import NotFoundError, PipelineError, SettingsError, StaleArtifactError
from pipeline.files import PROJECT_ROOT, place_folder, read_json, write_json
from pipeline.keeping.activity import shown_name
from pipeline.progress import OnProgress, Progress, silent

KINDS = (
    "train", "ingest", "simulate", "annotate", "structure", "regress", "permute", "sweep", "audit",
    "attribute", "report",
)  # fmt: skip
POLL_S = 0.1
_FOLLOWS_S = 5.0
UNTAKEN_S = 60.0
HALF_MADE_S = 3600.0
OLD_LOG_S = 30 * 86_400.0
TRY_AGAIN_S = 30.0
BROKEN = (1, 2)  # of Python: an exception, a wrong command line

# A run's id, or a kind with a cohort's name or some digits; never the name of another folder here.
_JOB_ID = re.compile(rf"[0-9a-f]{{8,64}}|({'|'.join(KINDS)})-[A-Za-z0-9][A-Za-z0-9._-]{{0,63}}")
_MARK = re.compile(r"\d+\.(?P<job>.+)\.(?P<attempt>\d+)")


@dataclass(frozen=True)
class _Child:
    """A worker that this process started; asked after, so that it does not stay a zombie."""

    process: subprocess.Popen[bytes]
    log: Path
    since: float


_children: list[_Child] = []
_asker: ContextVar[str] = ContextVar("asker", default="")


@dataclass(frozen=True)
class Job:
    """A job as its reader sees it; `position` counts from 1 in the queue, None once taken.

    `who` asked for it, "" where no name is known.
    `done` is the share of the phase (0 to 1); times are ISO 8601 in UTC; `log` may not exist yet.
    """

    id: str
    kind: str
    payload: dict[str, Any]
    state: State
    attempt: int
    submitted: str
    log: Path
    phase: str = ""
    done: float = 0.0
    remaining_s: float | None = None
    detail: str = ""
    may_end: bool = False
    error: str | None = None
    result: dict[str, Any] | None = None
    started: str | None = None
    finished: str | None = None
    pid: int | None = None
    host: str | None = None
    position: int | None = None
    who: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it waits or is being done."""
        return self.state not in FINAL


def asked_by(who: str) -> None:
    """Name who asks for the jobs that this thread submits from here on; "" for nobody known."""
    _asker.set(shown_name(who))


def submit(cache: Path, kind: str, payload: Mapping[str, Any], job_id: str | None = None) -> str:
    """Put a job in the queue and return its id at once.

    A training has the id of its run (`payload["run"]`): when that one waits, runs, or is finished,
    nothing is queued; when it failed, was cancelled or interrupted, it is queued again. Any other
    job of an id that is not open is done anew, with this payload.
    """
    if kind not in KINDS:
        raise ValueError(f"a job is one of {', '.join(KINDS)}, not {kind!r}")
    if job_id is None:
        job_id = payload["run"] if kind == "train" else f"{kind}-{uuid.uuid4().hex[:12]}"
    folder = _folder(cache, job_id)
    asked = _asked(payload, _asker.get())
    if place_folder(folder, {"job.json": {"id": job_id, "kind": kind}, "1/asked.json": asked}):
        _mark(cache, folder / "1", asked)
        return job_id
    current = job(cache, job_id)
    if current.state == "finished" and kind == "train" and _run_is(cache, job_id, "finished"):
        return job_id
    _queue_again(cache, current, asked)
    return job_id


def resume(cache: Path, job_id: str) -> Job:
    """Put an interrupted, failed or cancelled run (or job) back in the queue and return it.

    One that waits, runs or is finished is returned as it is. Raises `NotFoundError`.
    """
    current = job(cache, job_id)
    if current.state != "finished":
        _queue_again(cache, current, _asked(current.payload, _asker.get() or current.who))
    return job(cache, job_id)


def cancel(cache: Path, job_id: str) -> Job:
    """Stop a job and return it: one that waits at once, one that runs at its next report.

    Raises `NotFoundError`.
    """
    claim = _newest(cache, job_id) / "claim"
    end = {"state": "cancelled", "finished": now(), "error": None, "result": None}
    taken = {"who": holder(), "started": None}
    if place_folder(claim, {"holder.json": taken, "result.json": end}):
        settle(cache, claim.parent, "cancelled")
        return job(cache, job_id)
    current = job(cache, job_id)
    if current.state == "running":
        (claim / "cancel").touch()
    elif current.state == "interrupted":
        write_json(claim / "result.json", end)
        settle(cache, claim.parent, "cancelled")
    return job(cache, job_id)


def keep_best(cache: Path, job_id: str) -> Job:
    """End a training that runs, keeping the best epoch so far, and return its job.

    One that has no epoch yet ends after its first. Raises `NotFoundError`.
    """
    current = job(cache, job_id)
    if current.state == "running":
        (_newest(cache, job_id) / "claim" / "keep").touch()
    return current


def job(cache: Path, job_id: str) -> Job:
    """Return a job. Raises `NotFoundError`."""
    found = _read(cache, _newest(cache, job_id))
    if found.state == "queued":
        return replace(found, position=_positions(cache).get(found.id))
    return found


def jobs(cache: Path, active_only: bool = False) -> list[Job]:
    """Return the jobs, oldest first; `active_only` those that wait or run (quick)."""
    if active_only:
        ids = {attempt.parent.name for attempt in _marked(cache)}
    else:
        ids = set(_job_ids(cache))
    positions = _positions(cache)
    found = []
    for job_id in ids:
        with contextlib.suppress(NotFoundError, StaleArtifactError):  # deleted, or torn
            one = _read(cache, _newest(cache, job_id))
            if one.is_open or not active_only:
                found.append(replace(one, position=positions.get(one.id)))
    return sorted(found, key=lambda one: (one.submitted, one.id))


def wait(
    cache: Path, job_id: str, on_progress: OnProgress = silent, timeout: float | None = None
) -> Job:
    """Return the job once it has ended, or after `timeout` seconds as it then is.

    `on_progress` hears of every change. Raises `PipelineError` when no worker is there to take it
    for a minute.
    """
    start = alone_since = time.monotonic()
    ended: float | None = None
    heard: Progress | None = None
    while True:
        current = job(cache, job_id)
        report = Progress(current.phase, current.done, current.remaining_s, current.detail)
        if current.state == "running" and report != heard:
            on_progress(report)
            heard = report
        moment = time.monotonic()
        if timeout is not None and moment - start >= timeout:
            return current
        if not current.is_open:
            ended = moment if ended is None else ended
            # The result of a training is written a moment before its run says the same.
            if _run_has_followed(cache, current) or moment - ended > _FOLLOWS_S:
                return current
        if current.state == "running" or live_workers(cache, everywhere=True):
            alone_since = moment
        elif moment - alone_since > UNTAKEN_S:
            raise PipelineError(
                f"Job {job_id} waits and no worker is there to take it; start one with "
                "`python -m pipeline worker`, which also shows why none stayed."
            )
        time.sleep(POLL_S)


def ensure_worker(cache: Path, command: Sequence[str] | None = None) -> list[int]:
    """Start workers on this machine when jobs wait that no idle worker will take; return the pids.

    At most EXOLENS_WORKERS (1) are there at a time. A worker outlives the process that started
    it; what it prints goes to `jobs/logs/`. `command` replaces `python -m pipeline worker`.
    Raises `PipelineError` when the last one broke at once, for half a minute.
    """
    _ask_after_children()
    waiting = len(_positions(cache))
    if waiting == 0:
        return []
    live = live_workers(cache)
    busy = {_who(attempt) for attempt in _marked(cache) if _is_running(cache, attempt)}
    idle = len([who for who in live if who not in busy])
    wanted = min(waiting - idle, worker_limit() - len(live))
    return [_start_worker(cache, command) for _ in range(wanted)]


def worker_limit() -> int:
    """Return how many workers one machine may have (EXOLENS_WORKERS, 1)."""
    text = os.environ.get("EXOLENS_WORKERS", "1")
    if not text.isdigit() or int(text) < 1:
        raise SettingsError(
            f"EXOLENS_WORKERS is the number of workers, 1 or more, but it is {text!r}; change it."
        )
    return int(text)


# ---- what a worker calls --------------------------------------------------------------------


def take(cache: Path, who: Holder) -> Path | None:
    """Claim the job that waits longest; return the folder of its try, None when none waits."""
    for attempt in _marked(cache):
        claim = attempt / "claim"
        if claim.exists() or not attempt.exists():
            continue
        if place_folder(claim, {"holder.json": {"who": who, "started": now()}}, durable=False):
            return attempt
    return None


def is_waiting(cache: Path) -> bool:
    """Return whether some job waits for a worker."""
    return bool(_positions(cache))


def read_asked(attempt: Path) -> tuple[str, dict[str, Any]]:
    """Return the kind and the payload of a try."""
    kind = read_json(attempt.parent / "job.json")["kind"]
    return kind, read_json(attempt / "asked.json")["payload"]


def finish(
    cache: Path, attempt: Path, state: State, error: str | None = None, result: Any = None
) -> None:
    """Write how a try ended: first the result, which is the truth, then all that follows it."""
    end = {"state": state, "finished": now(), "error": error, "result": result}
    write_json(attempt / "claim" / "result.json", end)
    settle(cache, attempt, state, error)


def settle(cache: Path, attempt: Path, state: State, error: str | None = None) -> None:
    """Bring the run into the state of its job and take an ended job off the queue."""
    job_id = attempt.parent.name
    # A run that was deleted, a job whose folder was deleted or torn: nobody is left to be told.
    with contextlib.suppress(NotFoundError, StaleArtifactError, FileNotFoundError):
        if read_json(attempt.parent / "job.json")["kind"] == "train":
            runs.follow_job(cache, job_id, state, error)
    if state in FINAL:
        _unmark(cache, attempt)


def log_path(cache: Path, kind: str, job_id: str) -> Path:
    """Return where what a job prints goes: beside its run when it has one."""
    if kind == "train":
        folder = runs.run_folder(cache, job_id)
        if folder.is_dir():
            return folder / "log.txt"
    return job_folder(cache, job_id) / "log.txt"


def mend_queue(cache: Path) -> None:
    """Repair what a crash between two steps left: missing and superfluous marks, half folders."""
    for job_id in _job_ids(cache):
        attempt = newest_try(job_folder(cache, job_id))
        if attempt and not (attempt / "claim").exists():
            with contextlib.suppress(StaleArtifactError, FileNotFoundError):
                _mark(cache, attempt, read_json(attempt / "asked.json"))
    for attempt in _marked(cache):
        claim = read_claim(cache, attempt)
        if claim and claim.finished:
            settle(cache, attempt, claim.state, claim.error)
    moment = time.time()
    for path in (cache / "jobs").glob(".*.tmp"):
        if moment - path.stat().st_mtime > HALF_MADE_S:
            shutil.rmtree(path, ignore_errors=True)
    for path in (cache / "jobs" / "logs").glob("worker-*.log"):
        if moment - path.stat().st_mtime > OLD_LOG_S:
            path.unlink(missing_ok=True)
    forget_lost_workers(cache)


# ---- inside ---------------------------------------------------------------------------------


def _job_ids(cache: Path) -> list[str]:
    try:
        names = [path.name for path in (cache / "jobs").iterdir()]
    except FileNotFoundError:
        return []
    return [name for name in names if _JOB_ID.fullmatch(name)]


def _folder(cache: Path, job_id: str) -> Path:
    if not _JOB_ID.fullmatch(job_id):
        raise NotFoundError(
            f"{job_id[:80]!r} cannot be the name of a job or run; `python -m pipeline runs` "
            "lists the runs."
        )
    return job_folder(cache, job_id)


def _newest(cache: Path, job_id: str) -> Path:
    attempt = newest_try(_folder(cache, job_id))
    if attempt is None:
        raise NotFoundError(
            f"There is no job {job_id} in this cache; `python -m pipeline runs` lists the runs."
        )
    return attempt


def _run_has_followed(cache: Path, ended: Job) -> bool:
    """Return whether the run of a training that has ended says so; True where there is no run."""
    if ended.kind != "train":
        return True
    try:
        return runs.load(cache, ended.id).state in FINAL
    except (NotFoundError, StaleArtifactError):
        return True


def _asked(payload: Mapping[str, Any], who: str = "") -> dict[str, Any]:
    order = f"{time.time_ns():020d}"
    return {"payload": payload, "submitted": now(), "order": order, "who": who}


def _queue_again(cache: Path, current: Job, asked: dict[str, Any]) -> None:
    """Add a try to a job that has ended; repair the mark of one that waits."""
    folder = job_folder(cache, current.id)
    if current.is_open:
        if current.state == "queued":
            attempt = folder / str(current.attempt)
            _mark(cache, attempt, read_json(attempt / "asked.json"))
        return
    attempt = folder / str(current.attempt)
    settle(cache, attempt, "queued")
    following = folder / str(current.attempt + 1)
    if place_folder(following, {"asked.json": asked}):  # else another one resumed it just now
        _mark(cache, following, asked)
    _unmark(cache, attempt)


def _mark(cache: Path, attempt: Path, asked: Mapping[str, Any]) -> None:
    queue = cache / "jobs" / "queue"
    queue.mkdir(parents=True, exist_ok=True)
    (queue / f"{asked['order']}.{attempt.parent.name}.{attempt.name}").touch()


def _unmark(cache: Path, attempt: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        for path in (cache / "jobs" / "queue").iterdir():
            mark = _MARK.fullmatch(path.name)
            if mark and (mark["job"], mark["attempt"]) == (attempt.parent.name, attempt.name):
                path.unlink(missing_ok=True)


def _marked(cache: Path) -> Iterator[Path]:
    """Yield the folders of the tries that are marked as open, in the order they were asked for."""
    try:
        names = sorted(path.name for path in (cache / "jobs" / "queue").iterdir())
    except FileNotFoundError:
        return
    for name in names:
        if mark := _MARK.fullmatch(name):  # else some file system's or desktop's own
            yield job_folder(cache, mark["job"]) / mark["attempt"]


def _positions(cache: Path) -> dict[str, int]:
    """Return the place in the queue, from 1, of each job that waits."""
    waiting = [
        attempt.parent.name
        for attempt in _marked(cache)
        if attempt.exists() and not (attempt / "claim").exists()
    ]
    return {job_id: place for place, job_id in enumerate(waiting, 1)}


def _read(cache: Path, attempt: Path) -> Job:
    folder = attempt.parent
    kind = read_json(folder / "job.json")["kind"]
    asked = read_json(attempt / "asked.json")
    known = Job(
        id=folder.name,
        kind=kind,
        payload=asked["payload"],
        state="queued",
        attempt=int(attempt.name),
        submitted=asked["submitted"],
        log=log_path(cache, kind, folder.name),
        who=str(asked.get("who", "")),
    )
    claim = read_claim(cache, attempt)
    if claim is None:
        return known
    return replace(
        known,
        state=claim.state,
        error=claim.error,
        result=claim.result,
        started=claim.started,
        finished=claim.finished,
        pid=claim.who.pid if claim.who else None,
        host=claim.who.host if claim.who else None,
        **_progress(attempt, claim),
    )


def _progress(attempt: Path, claim: Claim) -> dict[str, Any]:
    try:
        report = read_json(attempt / "claim" / "progress.json", optional=True) or {}
    except StaleArtifactError:
        report = {}  # it is not waited for on the disk, so a power cut can tear it
    if claim.state == "finished":
        report |= {"done": 1.0}
    if claim.state != "running":
        report |= {"remaining_s": None}
    return report


def _is_running(cache: Path, attempt: Path) -> bool:
    claim = read_claim(cache, attempt)
    return claim is not None and claim.state == "running"


def _who(attempt: Path) -> Holder:
    return Holder(**read_json(attempt / "claim" / "holder.json")["who"])


def _run_is(cache: Path, run_id: str, state: State) -> bool:
    try:
        return runs.load(cache, run_id).state == state
    except (NotFoundError, StaleArtifactError):
        return True  # jobs without a run folder stand for themselves


def _ask_after_children() -> None:
    """Forget the workers that have ended; raise when one broke a moment ago."""
    for child in list(_children):
        status = child.process.poll()
        age = time.monotonic() - child.since
        if status is None:
            continue
        if status in BROKEN and age < TRY_AGAIN_S:
            raise PipelineError(
                f"The worker ended at once with status {status}; mend what its log {child.log} "
                "says and try again in half a minute."
            )
        _children.remove(child)


def _start_worker(cache: Path, command: Sequence[str] | None) -> int:
    logs = cache / "jobs" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    program = command or [sys.executable, "-m", "pipeline", "worker", "--cache", str(cache)]
    name = f"worker-{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}.log"
    with (logs / name).open("ab") as log:
        child = subprocess.Popen(
            program,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=PROJECT_ROOT,
            start_new_session=True,
        )
    _children.append(_Child(child, logs / name, time.monotonic()))
    # Noted on its behalf, so that a page asking again before it is up does not start another.
    register(cache, holder(child.pid))
    return child.pid
