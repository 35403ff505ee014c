"""What happened to the runs of a cache, newest first: who asked, what ended, what people did.

When a run was asked for and how it ended is read from the runs. What people did to them afterwards
(noted, deleted, restored) has no other trace and is a line each in

    cache/activity.jsonl    {when, who, what, run, detail}

Lines name what was done, never what a person wrote.
"""

from __future__ import annotations

import contextlib
import getpass
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline import runs
from pipeline.claims import job_folder, now
from pipeline.errors import StaleArtifactError
from pipeline.files import plain, read_json, written_beside
from pipeline.keeping.locks import locked

MOST_BYTES = 1 << 20  # some 8,000 lines; then the older half goes
_MOST_WHO = 80


@dataclass(frozen=True)
class Event:
    """One thing that happened; `who` is "" where no name is known, `when` ISO 8601 in UTC."""

    when: str
    what: str
    run: str
    cohort: str = ""
    who: str = ""
    detail: str = ""


def login_name() -> str:
    """Return the name of this process's user, "" where the system knows none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""


def shown_name(who: str) -> str:
    """Return a name as it is kept: one line, no control signs, of bounded length."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in who).split())[
        :_MOST_WHO
    ]


def note_event(cache: Path, what: str, run_id: str, who: str = "", detail: str = "") -> None:
    """Append a line; an old half is dropped when there are too many."""
    line = {"when": now(), "who": shown_name(who), "what": what, "run": run_id, "detail": detail}
    text = json.dumps(plain(line), ensure_ascii=False, allow_nan=False).encode() + b"\n"
    path = _path(cache)
    with locked(path.with_name(".activity.lock")):
        with path.open("ab+") as stream:
            size = stream.tell()
            if size:
                stream.seek(size - 1)
                if stream.read(1) != b"\n":
                    text = b"\n" + text  # whoever wrote before was killed in the middle
            stream.write(text)
        if size + len(text) > MOST_BYTES:
            kept = path.read_bytes()[-MOST_BYTES // 2 :].partition(b"\n")[2]
            with written_beside(path) as beside:
                beside.write_bytes(kept)


def try_to_note(cache: Path, what: str, run_id: str, who: str = "", detail: str = "") -> None:
    """Append a line where the disk has room: what was done stands also without it."""
    with contextlib.suppress(OSError):
        note_event(cache, what, run_id, who, detail)


def activity(cache: Path, most: int = 200) -> list[Event]:
    """Return the newest events, newest first."""
    # Each part has its newest first, and sorting keeps the order of one and the same moment.
    events = [*_of_people(cache), *_of_runs(runs.list_runs(cache))]
    newest = sorted(events, key=lambda one: one.when, reverse=True)[:most]
    return [
        replace(one, who=_who_asked(cache, one.run)) if one.what == "asked" else one
        for one in newest
    ]


def _who_asked(cache: Path, run_id: str) -> str:
    """Return who asked for a run first, "" where its job says nothing."""
    try:
        told = read_json(job_folder(cache, run_id) / "1" / "asked.json", optional=True)
    except StaleArtifactError:
        return ""
    return shown_name(str(told.get("who", ""))) if isinstance(told, dict) else ""


def _of_runs(found: Iterable[runs.Run]) -> list[Event]:
    events = []
    for run in found:
        if run.finished:
            events.append(Event(run.finished, run.state, run.id, run.cohort))
        events.append(Event(run.created, "asked", run.id, run.cohort))
    return events


def _of_people(cache: Path) -> list[Event]:
    try:
        lines = _path(cache).read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    events = []
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError):  # half a line, or not ours
            told: dict[str, Any] = json.loads(line)
            events.append(
                Event(
                    str(told["when"])[:40],
                    str(told["what"])[:40],
                    str(told["run"])[:64],
                    who=shown_name(str(told["who"])),
                    detail=str(told["detail"])[:200],
                )
            )
    return events[::-1]


def _path(cache: Path) -> Path:
    return cache / "activity.jsonl"
