"""Which run was made by changing which: a family of what-if runs.

    runs/<child>/parent.json       {"parent": id}
    runs/<parent>/children/<child>     an empty file

A run is named by its settings alone, so that where it came from stands beside it and says nothing
about what it is; the first to ask for it is its parent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline import runs
from pipeline.errors import NotFoundError, StaleArtifactError
from pipeline.files import read_json, write_json
from pipeline.runs import Run

_ID = re.compile(r"[0-9a-f]{8,64}")
MOST = 200  # runs of a family that are shown


@dataclass(frozen=True)
class Relative:
    """A run of a family: how many changes from the first run it lies, and what it came from."""

    run: Run
    generation: int
    parent: str | None


def note_parent(run: Run, parent: Run) -> None:
    """Say that a run was made by changing another; a run that has a parent keeps it."""
    if run.id == parent.id or parent_of(run) or _descends(parent, run.id):
        return
    write_json(run.folder / "parent.json", {"parent": parent.id})
    children = parent.folder / "children"
    children.mkdir(exist_ok=True)
    (children / run.id).touch()


def parent_of(run: Run) -> str | None:
    """Return the id of the run that this one was made from, None for none."""
    try:
        told = read_json(run.folder / "parent.json", optional=True)
    except StaleArtifactError:
        return None
    parent = told.get("parent") if isinstance(told, dict) else None
    return parent if isinstance(parent, str) and _ID.fullmatch(parent) else None


def family(run: Run) -> list[Relative]:
    """Return the run's whole family, the first run of all first, each before its children.

    Runs that are gone are left out, with what came from them alone. At most 200.
    """
    root, seen = run, {run.id}
    while (parent := _load(run.cache, parent_of(root))) and parent.id not in seen:
        seen.add(parent.id)
        root = parent
    found: list[Relative] = []
    waiting = [Relative(root, 0, None)]
    known = {root.id}
    while waiting and len(found) < MOST:
        one = waiting.pop(0)
        found.append(one)
        children = [
            child
            for child in (_load(run.cache, child_id) for child_id in _children(one.run))
            if child and child.id not in known
        ]
        known |= {child.id for child in children}
        children.sort(key=lambda child: child.created)
        waiting[:0] = [Relative(child, one.generation + 1, one.run.id) for child in children]
    return found


def _descends(run: Run, ancestor: str) -> bool:
    """Say whether a run comes from another, however many changes away."""
    seen = {run.id}
    current: Run | None = run
    while current and (parent := parent_of(current)) and parent not in seen:
        if parent == ancestor:
            return True
        seen.add(parent)
        current = _load(run.cache, parent)
    return False


def _children(run: Run) -> list[str]:
    folder = run.folder / "children"
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if _ID.fullmatch(path.name))


def _load(cache: Path, run_id: str | None) -> Run | None:
    if run_id is None:
        return None
    try:
        return runs.load(cache, run_id)
    except (NotFoundError, StaleArtifactError):
        return None
