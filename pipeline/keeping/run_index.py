"""What the run.json of each ended run said, in one file, so that thousands are listed at once.

    cache/index/runs.json    a line of {format, names, shared}, then two lines a run:
                             [id, stamp, values in the order of names], and its measures

It is a cache and nothing else. An entry counts while the stamp of its run.json (time, size and
inode: each writing makes a new file) is the one noted here; all others are read from the run. Of
several writers the last one wins, and whatever is missing or wrong is read again. What many runs
have in common (stages of settings, versions, workers) is kept once; measures stay text until
somebody reads them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.files import write_text

FORMAT_VERSION = 1

Stamp = tuple[int, int, int]
Entry = tuple[Stamp, dict[str, Any], str]  # of run.json, its content, the measures as JSON


def stamp_of(path: str) -> Stamp | None:
    """Return what tells one writing of a file from the next, None where there is no file."""
    try:
        found = os.stat(path)  # noqa: PTH116 - thousands of times; a Path each costs more
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def read_index(path: Path, run_format: int) -> dict[str, Entry]:
    """Return stamp, content and measures of the runs it knows; {} where it cannot be used.

    What runs have in common is one object in all of them: to be read, not changed.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        head = json.loads(lines[0])
        if head["format"] != [FORMAT_VERSION, run_format] or head["n_runs"] * 2 + 2 != len(lines):
            return {}
        names, shared = head["names"], head["shared"]
        known = {}
        rows = json.loads(f"[{','.join(lines[1:-1:2])}]")  # at once: a call each costs more
        for (run_id, stamp, values), measures in zip(rows, lines[2:-1:2], strict=True):
            record = dict(zip(names, values, strict=True))
            record["settings"] = dict(shared[number] for number in record["settings"])
            for name in _SHARED:
                record[name] = shared[record[name]]
            known[run_id] = (tuple(stamp), record, measures)
    except (OSError, KeyError, IndexError, TypeError, ValueError, AttributeError):
        return {}  # not there, of another Exolens, or damaged: it is made again
    return known


def write_index(path: Path, run_format: int, known: Mapping[str, Entry]) -> None:
    """Write the index, whole."""
    numbers: dict[str, int] = {}

    def number(value: Any) -> int:
        return numbers.setdefault(json.dumps(value, sort_keys=True), len(numbers))

    lines = []
    names: list[str] = []
    for run_id, (stamp, record, measures) in known.items():
        packed = record | {"settings": [number(stage) for stage in record["settings"].items()]}
        packed |= {name: number(record[name]) for name in _SHARED}
        names = sorted(packed)
        row = [run_id, stamp, [packed[name] for name in names]]
        lines += [json.dumps(row, allow_nan=False), measures]
    head = {"format": [FORMAT_VERSION, run_format], "n_runs": len(known), "names": names}
    shared = ",".join(numbers)  # in the order of their numbers
    first = f'{json.dumps(head)[:-1]}, "shared": [{shared}]}}'
    write_text(path, "\n".join([first, *lines, ""]), durable=False)


_SHARED = ("cohort", "fingerprint", "preset", "relatives", "genes", "versions", "worker")
