"""What a preset is: every field of the network and how it learns, and what of it is assumed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.settings import (
    AnalysisSettings,
    EncodingSettings,
    NetworkSettings,
    Settings,
    TrainingSettings,
)

ASSUMED_FOLDS = 5  # the K of the paper's cross-validation, which it does not state

Group = Literal["ours", "final", "table 1", "table 2", "stages"]


@dataclass(frozen=True)
class Preset:
    """A configuration with a name: what it is called, what to know of it, what it sets.

    `assumed` names the settings where it stands for the paper and the paper is silent.
    """

    name: str
    title: str
    note: str
    changes: Mapping[str, Any]
    group: Group
    assumed: tuple[str, ...] = ()


_STAGES: dict[str, type[Settings]] = {
    "encoding": EncodingSettings,
    "network": NetworkSettings,
    "training": TrainingSettings,
}


def preset(name: str, title: str, note: str, group: Group, **changes: Any) -> Preset:
    """Return a preset of ours: every field of the three stages, at its default or as changed.

    A change is given as `stage__field`; seeds, split and protocol stay with the user unless they
    are among the changes.
    """
    everything = {
        f"{stage}.{field}": info.default
        for stage, fields in _STAGES.items()
        for field, info in fields.model_fields.items()
        if field != "seed"
    }
    own = {name.replace("__", "."): value for name, value in changes.items()}
    return Preset(name, title, note, everything | own, group)


def paper_preset(
    name: str,
    title: str,
    note: str,
    group: Group,
    stated: Iterable[str] = (),
    guessed: Iterable[str] = (),
    **changes: Any,
) -> Preset:
    """Return a preset of the paper, which says what of it is assumed.

    Assumed are the fields whose declaration says so, and `guessed`; not those that this very row
    or stage states, `stated`.
    """
    made = preset(name, title, note, group, **changes)
    silent = {field for field in made.changes if _is_assumed(field)} | set(guessed)
    assumed = tuple(field for field in made.changes if field in silent - set(stated))
    return Preset(name, title, note, made.changes, group, assumed)


def _is_assumed(name: str) -> bool:
    stage, _, field = name.partition(".")
    group: Any = AnalysisSettings.model_fields[stage].annotation
    return bool(group.model_fields[field].json_schema_extra["assumed"])
