"""What a sweep tries, for how long, and what it goes by.

Every field that may be swept has a declared range. A sweep names fields, or a field with a range
of its own within the bounds of the setting: `training.learning_rate=1e-4..1e-2`,
`training.optimizer=adam|sgd`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import ValidationError, field_validator

from pipeline.settings.base import Settings, setting
from pipeline.settings.encoding import EncodingSettings
from pipeline.settings.network import NetworkSettings
from pipeline.settings.selection import SelectionSettings
from pipeline.settings.training import TrainingSettings

STAGES: Mapping[str, type[Settings]] = {
    "encoding": EncodingSettings,
    "network": NetworkSettings,
    "training": TrainingSettings,
    "selection": SelectionSettings,
}

Kind = Literal["fraction", "whole", "choice"]


@dataclass(frozen=True)
class Range:
    """What a sweep may give to one setting: numbers from `low` to `high`, or one of `choices`.

    `log` draws and draws up numbers by their size. A list of numbers (dense layers) is a text,
    its parts parted by commas, "" for the empty list.
    """

    name: str
    kind: Kind
    low: float = 0
    high: float = 0
    log: bool = False
    choices: tuple[str | bool | int, ...] = ()

    @property
    def label(self) -> str:
        """What the setting is called on the page."""
        stage, _, field = self.name.partition(".")
        extra: Any = STAGES[stage].model_fields[field].json_schema_extra
        return extra["label"]

    def holds(self, value: Any) -> bool:
        """Return whether a value lies in the range."""
        if self.kind == "choice":
            return value in self.choices
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and self.low <= value <= self.high


def _choice(name: str, *choices: str | bool | int) -> Range:
    return Range(name, "choice", choices=choices)


RANGES: Mapping[str, Range] = {
    one.name: one
    for one in (
        Range("selection.max_p", "fraction", 1e-4, 0.2, log=True),
        Range("selection.top", "whole", 50, 5000, log=True),
        _choice("selection.test", "genotypic", "allelic", "trend", "recessive", "dominant"),
        _choice("encoding.layout", "1d", "2d", "3d"),
        _choice("encoding.order", "genomic", "gene", "p", "shuffled"),
        _choice("encoding.scaling", "none", "standard"),
        _choice("encoding.weights", "none", "log_p", "logistic_l1"),
        _choice("network.family", "convolutional", "gene"),
        Range("network.convolutions", "whole", 1, 4),
        Range("network.filters", "whole", 4, 64, log=True),
        Range("network.kernel", "whole", 1, 15),
        Range("network.stride", "whole", 1, 4),
        Range("network.pool", "whole", 1, 4),
        _choice("network.batch_norm", False, True),
        _choice("network.attention", "none", "channel", "spatial", "both"),
        Range("network.dropout", "fraction", 0.0, 0.8),
        _choice("network.dropout_kind", "units", "channels", "blocks"),
        _choice("network.dense", "", "32", "128", "512", "128,32"),
        _choice("network.output", "softmax", "sigmoid"),
        Range("network.l1", "fraction", 1e-6, 0.1, log=True),
        Range("network.l2", "fraction", 1e-6, 0.1, log=True),
        Range("training.learning_rate", "fraction", 1e-5, 0.1, log=True),
        Range("training.batch_size", "whole", 16, 256, log=True),
        _choice("training.optimizer", "adam", "sgd", "adamw"),
        Range("training.momentum", "fraction", 0.0, 0.95),
        Range("training.weight_decay", "fraction", 1e-5, 0.1, log=True),
        _choice("training.schedule", "constant", "exponential", "staircase", "cosine"),
        Range("training.warmup_epochs", "whole", 0, 5),
        _choice("training.class_weights", False, True),
    )
}

DEFAULT_FIELDS = (
    "selection.max_p",
    "network.convolutions",
    "network.filters",
    "network.pool",
    "network.dropout",
    "network.dense",
    "training.learning_rate",
    "training.batch_size",
)


class SweepSettings(Settings):
    """The search for good settings; it judges on validation people, never on test people."""

    minutes: float = setting(
        10.0,
        "The sweep ends after so long, over all its parts when it is gone on with.",
        label="Budget",
        unit="minutes",
        ge=0.1,
        le=10_080,
    )
    trials: int = setting(
        50, "Largest number of settings that are tried.", label="Trials at most", ge=1, le=2000,
        step=1,
    )  # fmt: skip
    sampler: Literal["tpe", "random"] = setting(
        "tpe",
        "tpe: a first tenth of guesses, then near what did well (a tree of Parzen estimators). "
        "random: every trial a guess.",
        label="Search",
    )
    prune: bool = setting(
        True,
        "Give a trial up when the AUC of its early-stopping people stays below the median of "
        "earlier trials at the same epoch.",
        label="Give up hopeless trials",
    )
    metric: Literal["auc", "loss"] = setting(
        "auc",
        "What trials are judged by, on validation people that neither trained them nor stopped "
        "them: the largest AUC or the smallest loss.",
        label="Judged by",
    )
    parallel: int = setting(
        1,
        "Trials at the same time on this machine; a training uses two cores and more. A Dask "
        "cluster takes as many trials as it has threads.",
        label="Trials at a time",
        ge=1,
        le=64,
        step=1,
    )
    seed: int = setting(1, "Seed of the search.", label="Sweep seed", ge=0, le=2**31 - 1, step=1)
    fields: tuple[str, ...] = setting(
        DEFAULT_FIELDS,
        "The settings that are tried, as stage.field, or with a range of their own: "
        "stage.field=low..high, stage.field=one|other.",
        label="What is tried",
    )

    @field_validator("fields")
    @classmethod
    def _fields_have_ranges(cls, fields: tuple[str, ...]) -> tuple[str, ...]:
        names = [parse_range(text).name for text in fields]
        if not names or len(set(names)) < len(names):
            raise ValueError("one setting or more, each named once")
        return fields

    def ranges(self) -> tuple[Range, ...]:
        """Return the range of each field."""
        return tuple(parse_range(text) for text in self.fields)


def parse_range(text: str) -> Range:
    """Return the range that a text asks for. Raises ValueError with the rule."""
    name, has_own, asked = (part.strip() for part in text.partition("="))
    if name not in RANGES:
        raise ValueError(f"of settings that have a range ({', '.join(RANGES)})")
    declared = RANGES[name]
    if not has_own:
        return declared
    try:
        if declared.kind == "choice":
            words = [word.strip() for word in asked.split("|")]
            own = replace(declared, choices=tuple(_as_declared(word, declared) for word in words))
            values: tuple[Any, ...] = own.choices
        else:
            number = int if declared.kind == "whole" else float
            low, high = (number(part) for part in asked.split(".."))
            own = replace(declared, low=low, high=high)
            values = (low, high)
        stage, _, field = name.partition(".")
        for value in values:
            STAGES[stage].model_validate({field: from_parameter(value)})
    except (ValueError, ValidationError) as error:
        what = "one|other" if declared.kind == "choice" else "low..high"
        raise ValueError(f"such that {name} is {what} within its bounds") from error
    if own.kind != "choice" and not (own.low < own.high and (own.low > 0 or not own.log)):
        raise ValueError(f"such that {name} goes from a smaller to a larger number")
    return own


def _as_declared(word: str, declared: Range) -> str | bool:
    if not isinstance(declared.choices[0], bool):
        return word
    switch = {"true": True, "on": True, "false": False, "off": False}
    if word.lower() not in switch:
        raise ValueError(word)
    return switch[word.lower()]


def to_parameter(value: Any) -> Any:
    """Return a setting as a trial holds it: a list of numbers becomes a text."""
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else value


def from_parameter(value: Any) -> Any:
    """Return what a trial holds as the setting takes it: a text of numbers becomes a list."""
    if isinstance(value, str) and (not value or value.replace(",", "").isdigit()):
        return [part for part in value.split(",") if part]
    return value
