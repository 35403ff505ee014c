"""What was set differently in some runs, in the words of the settings' declarations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from pipeline.runs import Run
from pipeline.settings import AnalysisSettings, describe

# How the Manhattan plot is tested tells nothing of a network; it is no part of a run's identity.
_WITHOUT_EFFECT = "association"
# What a run was made of beside its settings, and what it is called.
_MADE_OF = {
    "cohort": "Cohort",
    "fingerprint": "Contents of the cohort",
    "relatives": "Groups of relatives",
    "genes": "Gene table",
}
_SHORT = 8  # characters of a fingerprint that tell two apart


@dataclass(frozen=True)
class Difference:
    """Something that is not the same in all of some runs.

    `setting` is `stage.field`, or what else made the run (`cohort`, `version.keras`); `values` has
    one entry a run, in their order, None where a threshold is off or a run does not say.
    """

    setting: str
    label: str
    unit: str
    values: tuple[Any, ...]


def differing_settings(runs: Sequence[Run]) -> tuple[Difference, ...]:
    """Return what differs between runs, in the order of the pipeline; nothing below two runs.

    First what the runs were made on (cohort, relatives, gene table), then settings, then versions
    of packages. A setting that is younger than a run stands at its default in it.
    """
    if len(runs) < 2:
        return ()
    found = [_made_of(name, label, runs) for name, label in _MADE_OF.items()]
    declared = [row for row in describe() if _stage(row["setting"]) in AnalysisSettings.model_fields
                and _stage(row["setting"]) != _WITHOUT_EFFECT]  # fmt: skip
    for row in declared:
        stage, _, field = row["setting"].partition(".")
        values = [
            _plain(run.settings.get(stage, {}).get(field, _plain(row["default"]))) for run in runs
        ]
        found.append(Difference(row["setting"], row["label"], row["unit"], tuple(values)))
    found += _undeclared(runs, {row["setting"] for row in declared})
    found += [
        Difference(
            f"version.{name}",
            "Format of runs" if name == "exolens_format" else f"Version of {name}",
            "",
            tuple(run.versions.get(name) for run in runs),
        )
        for name in _in_order(name for run in runs for name in run.versions)
    ]
    return tuple(one for one in found if any(value != one.values[0] for value in one.values))


def _made_of(name: str, label: str, runs: Sequence[Run]) -> Difference:
    values = [getattr(run, name) or None for run in runs]
    if name == "genes":  # a file, whose name ends with what tells it from others
        values = [value and PurePath(value).stem[-_SHORT:] for value in values]
    elif name != "cohort":
        values = [value and value[:_SHORT] for value in values]
    return Difference(name, label, "", tuple(values))


def _undeclared(runs: Sequence[Run], known: set[str]) -> list[Difference]:
    """Return the settings of older runs that are no settings any more, by their own names."""
    names = _in_order(
        f"{stage}.{field}"
        for run in runs
        for stage, fields in run.settings.items()
        for field in fields
        if stage != _WITHOUT_EFFECT
    )
    found = []
    for name in names:
        if name in known:
            continue
        stage, _, field = name.partition(".")
        values = tuple(_plain(run.settings.get(stage, {}).get(field)) for run in runs)
        found.append(Difference(name, field.replace("_", " ").capitalize(), "", values))
    return found


def _stage(setting: str) -> str:
    return setting.partition(".")[0]


def _plain(value: Any) -> Any:
    """Return a value as JSON gives it back, so that it compares with one from a run's file."""
    return list(value) if isinstance(value, tuple) else value


def _in_order(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
