"""What a run and its settings are called beside others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.keeping.run_notes import Notes
from pipeline.presets import PRESETS
from pipeline.runs import Run

_UNWRITTEN = {"fraction", "p"}  # a number says itself that it is a share


def run_name(run: Run) -> str:
    """Return a short name, what tells the run from others first: a narrow table cuts the end."""
    return f"{run.id[:6]} · {origin(run)}"


def listed_as(run: Run, notes: Notes, state: str = "") -> str:
    """Return a run as a list to choose from names it; with its state where not all are alike."""
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
