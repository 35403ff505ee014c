"""Who works on a job or run, and whether that process is still there.

A job is taken by placing the folder `claim` into the folder of its newest try: whole, in one
step, so that of two workers one gets it. What the claim says is the truth about the job; all
else (marks of the queue, the state in run.json) follows it and can be mended from it.

    cache/jobs/<id>/job.json             kind
                    <try>/asked.json     payload, when it was asked for; resume adds a try
                          claim/holder.json     the process that took it
                                progress.json   how far it is
                                cancel          there when it should stop
                                result.json     how it ended
"""

from __future__ import annotations

import functools
import math
import os
import re
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from pipeline.errors import StaleArtifactError
from pipeline.files import read_json, write_json

HEARTBEAT_S = 2.0
LOST_AFTER_S = 60.0
FORGOTTEN_AFTER_S = 86_400.0

State = Literal["queued", "running", "finished", "failed", "cancelled", "interrupted"]
FINAL: frozenset[str] = frozenset(get_args(State)) - {"queued", "running"}


def now() -> str:
    """Return this moment as ISO 8601 in UTC; equal lengths, so text sorts as time."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class Holder:
    """The process that works on something.

    A pid alone is not enough: pids are given out again (so `ticks`, the start of the process in
    clock ticks since boot, None where /proc is missing), and two containers of one host name do
    not see each other's (so `space`, the boot and the pid namespace).
    """

    pid: int
    host: str
    ticks: int | None
    space: str

    @property
    def name(self) -> str:
        """A file name that no other process has."""
        return f"{re.sub(r'[^A-Za-z0-9-]', '_', self.host)}-{self.pid}-{self.ticks or 0}"


def holder(pid: int | None = None) -> Holder:
    """Return this process, or another one of this machine."""
    pid = pid or os.getpid()
    return Holder(pid, socket.gethostname(), _process_status(pid)[1], _pid_space())


def is_alive(who: Holder, cache: Path) -> bool:
    """Return whether the process is still there.

    On its own machine it is looked for; seen from elsewhere it is there when it is a worker whose
    heartbeat is younger than a minute.
    """
    here = (socket.gethostname(), _pid_space())
    if os.name != "posix" or (who.host, who.space) != here:
        return _age_s(heartbeat_path(cache, who)) < LOST_AFTER_S
    try:
        os.kill(who.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # there is one, of another user; its start time tells whether it is the same
    status, ticks = _process_status(who.pid)
    if status in {"Z", "X"}:
        return False  # ended, but not yet collected by its parent
    return ticks is None or who.ticks is None or ticks == who.ticks


def heartbeat_path(cache: Path, who: Holder) -> Path:
    """Return the file that a worker touches every other second while it lives."""
    return cache / "jobs" / "workers" / f"{who.name}.json"


def register(cache: Path, who: Holder) -> None:
    """Note a worker, so that others see that it is there; it stays the age it had."""
    path = heartbeat_path(cache, who)
    if not path.exists():
        write_json(path, {"who": who, "since": time.time_ns()}, durable=False)


def unregister(cache: Path, who: Holder) -> None:
    """Take a worker off the list."""
    heartbeat_path(cache, who).unlink(missing_ok=True)


def live_workers(cache: Path, *, everywhere: bool = False) -> list[Holder]:
    """Return the workers of this machine, or of all machines, that are there; oldest first."""
    here = holder()
    found = []
    for path in (cache / "jobs" / "workers").glob("*.json"):
        try:
            noted = read_json(path, optional=True)
            who, since = Holder(**noted["who"]), noted["since"]
        except (StaleArtifactError, TypeError, KeyError):
            continue  # gone meanwhile, or torn by a power cut
        is_here = (who.host, who.space) == (here.host, here.space)
        if (everywhere or is_here) and is_alive(who, cache):
            found.append((since, who.name, who))
    return [who for _, _, who in sorted(found, key=lambda item: item[:2])]


def forget_lost_workers(cache: Path) -> None:
    """Take killed workers off the list: those of this machine, others after a day of silence."""
    here = holder()
    for path in (cache / "jobs" / "workers").glob("*.json"):
        try:
            who = Holder(**read_json(path)["who"])
        except (StaleArtifactError, FileNotFoundError, TypeError, KeyError):
            continue
        is_here = (who.host, who.space) == (here.host, here.space)
        if not is_alive(who, cache) and (is_here or _age_s(path) > FORGOTTEN_AFTER_S):
            path.unlink(missing_ok=True)


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return math.inf


def _process_status(pid: int) -> tuple[str, int | None]:
    """Return the state letter and the start time of a process, where /proc tells them."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "", None
    values = text.rpartition(")")[2].split()  # the command's name may hold spaces and brackets
    return values[0], int(values[19])


@functools.cache
def _pid_space() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


@dataclass(frozen=True)
class Claim:
    """What a worker that took a job has said of it; `state` is never queued."""

    state: State
    who: Holder | None
    started: str | None
    finished: str | None = None
    error: str | None = None
    result: dict[str, Any] | None = None


def job_folder(cache: Path, job_id: str) -> Path:
    """Return where a job lies; its tries are the numbered folders in it."""
    return cache / "jobs" / job_id


def newest_try(folder: Path) -> Path | None:
    """Return the folder of a job's newest try, None when there is no such job."""
    try:
        numbers = [int(entry.name) for entry in os.scandir(folder) if entry.name.isdigit()]
    except FileNotFoundError:
        return None
    return folder / str(max(numbers)) if numbers else None


def read_claim(cache: Path, attempt: Path) -> Claim | None:
    """Return how far a try of a job is; None while nobody has taken it."""
    folder = attempt / "claim"
    if not folder.is_dir():
        return None
    try:
        taken = read_json(folder / "holder.json", optional=True) or {}
        end = read_json(folder / "result.json", optional=True)
    except StaleArtifactError:
        taken, end = {}, None  # torn by a power cut: whoever held it is gone
    who = Holder(**taken["who"]) if "who" in taken else None
    started = taken.get("started")
    if end:
        return Claim(
            end["state"], who, started, end["finished"], end.get("error"), end.get("result")
        )
    alive = who is not None and is_alive(who, cache)
    return Claim("running" if alive else "interrupted", who, started)
