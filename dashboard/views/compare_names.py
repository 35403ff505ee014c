"""What a run and its settings are called beside others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard import loaders
from pipeline.keeping.run_notes import Notes, all_notes
from pipeline.presets import PRESETS
from pipeline.runs import Run

_SHOWN = 500  # runs offered in a list
_UNWRITTEN = {"fraction", "p"}  # a number says itself that it is a share


def run_name(run: Run) -> str:
    """Return a short name, what tells the run from others first: a narrow table cuts the end."""
    return f"{run.id[:6]} · {origin(run)}"


def choices(
    known: Sequence[Run], asked: str | None = None, *, has_states: bool = False
) -> dict[str, str]:
    """Return the runs of a list to choose from by id, each with its name there.

    They are the newest of those `known`, without archived ones unless there are no others, and the
    one that is `asked` for, if it is known. With `has_states` the names say how each run stands.
    """
    said = all_notes(loaders.cache())
    shown = [run for run in known if not said.get(run.id, Notes()).archived] or known
    listed = {run.id: run for run in shown[:_SHOWN]} | {r.id: r for r in known if r.id == asked}
    return {
        run_id: _listed_as(run, said.get(run_id, Notes()), run.state if has_states else "")
        for run_id, run in listed.items()
    }


def _listed_as(run: Run, notes: Notes, state: str) -> str:
    when = run.created[:16].replace("T", " ")
    star = "★ " if notes.starred else ""
    parts = (run.cohort, notes.title or origin(run), when, state, run.id[:8])
    return star + " · ".join(filter(None, parts))


def origin(run: Run) -> str:
    """Return where the settings of a run come from: a preset, a search, or the user."""
    if run.preset in PRESETS:
        return PRESETS[run.preset].title
    return (run.preset or "own settings").replace("sweep ", "best of search ")


def with_unit(label: str, unit: str) -> str:
    """Return a label with its unit: `Batch size (people)`."""
    return f"{label} ({unit})" if unit and unit not in _UNWRITTEN else label


def setting_of(run: Run, name: str, default: Any) -> Any:
    """Return the value of `stage.field` in a run; one older than the setting has its default."""
    stage, _, field = name.partition(".")
    group = run.settings.get(stage, {})
    return group.get(field, default) if isinstance(group, Mapping) else default
