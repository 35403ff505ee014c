"""What a settings class says of its fields, read for the screen: kinds, bounds, words, scales."""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo

from pipeline.settings import NO_PAPER_VALUE, Settings

Kind = Literal["switch", "choice", "whole", "fraction", "numbers", "words", "text"]
MOST_STEPS = 400  # more steps than this are too fine for a finger on a slider
MOST_DECADES = 7  # whole numbers over more decades than this (seeds) are typed

# Choices that are more than their name with spaces.
OPTION_WORDS = {
    "1d": "1D",
    "2d": "2D",
    "3d": "3D",
    "log_p": "−log10 p",
    "logistic_l1": "L1 logistic regression",
    "adam": "Adam",
    "adamw": "AdamW",
    "sgd": "SGD",
    "auc": "AUC",
    "half": "0.5",
    "youden": "sensitivity + specificity",
    "genotypic_df4": "genotypic, 4 degrees of freedom",
    "fisher": "Fisher",
    "raw": "uncorrected",
    "bonferroni": "Bonferroni",
    "bh": "Benjamini-Hochberg",
    "lof": "loss of function",
    "lof_missense": "loss of function or missense",
    "tpe": "TPE",
}


@dataclass(frozen=True)
class Field:
    """One setting as its widget needs it; bounds are None where there is none."""

    name: str
    kind: Kind
    label: str
    help: str
    default: Any
    paper: Any
    has_paper: bool
    is_assumed: bool  # the paper leaves its value open, and the project has filled it in
    can_be_off: bool
    choices: tuple[str, ...]
    low: float | None
    high: float | None
    is_low_open: bool  # the bound itself is not allowed
    is_high_open: bool
    step: float | None
    turned_on: Any  # where its slider stands when it is turned on, None where nothing is said

    @property
    def has_switch(self) -> bool:
        """Say whether a switch of its own turns it off; a text is off when it is empty."""
        return self.can_be_off and self.kind in ("whole", "fraction")

    def allows(self, value: Any) -> bool:
        """Return whether a number lies within the bounds."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        above = value > low if self.is_low_open else value >= low
        return above and (value < high if self.is_high_open else value <= high)

    @property
    def start(self) -> Any:
        """Return where a slider stands when a setting that is off is turned on."""
        for value in (self.default, self.paper if self.has_paper else None, self.turned_on):
            if value is not None:
                return value
        scale = scale_of(self)
        if scale.kind == "even":
            steps = round(0.2 * (scale.high - scale.low) / scale.step)
            return type(scale.low)(scale.low + steps * scale.step)
        return scale.options[len(scale.options) // 10] if scale.options else scale.low


@dataclass(frozen=True)
class Scale:
    """Where a number can stand: at even steps, on graded options, or typed by hand."""

    kind: Literal["even", "graded", "typed"]
    low: Any
    high: Any
    step: Any
    options: tuple[Any, ...] = ()

    def options_with(self, *values: Any) -> list[Any]:
        """Return the options and these values, in order."""
        return sorted({*self.options, *values})


def fields_of(group: type[Settings]) -> dict[str, Field]:
    """Return the fields of a settings class by name, in its order."""
    return {name: _field(name, info) for name, info in group.model_fields.items()}


def _field(name: str, info: FieldInfo) -> Field:
    extra: dict[str, Any] = dict(info.json_schema_extra)  # type: ignore[arg-type]
    annotation, can_be_off = _without_none(info.annotation)
    bounds = {
        rule: value
        for item in info.metadata
        for rule in ("ge", "gt", "le", "lt")
        if (value := getattr(item, rule, None)) is not None
        and isinstance(item, annotated_types.BaseMetadata)
    }
    kind = _kind(annotation)
    number = float if kind == "fraction" else int
    paper = extra["paper"]
    has_paper = paper != NO_PAPER_VALUE
    if has_paper and paper is not None and kind in ("whole", "fraction"):
        paper = number(paper)
    low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
    return Field(
        name=name,
        kind=kind,
        label=extra["label"],
        help=_help(info.description or "", extra),
        default=info.default,
        paper=paper,
        has_paper=has_paper,
        is_assumed=extra["assumed"],
        can_be_off=can_be_off,
        choices=get_args(annotation) if kind == "choice" else (),
        low=None if low is None else number(low),
        high=None if high is None else number(high),
        is_low_open="gt" in bounds,
        is_high_open="lt" in bounds,
        step=extra["step"],
        turned_on=extra["start"],
    )


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, types.UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        return members[0], len(members) < len(get_args(annotation))
    return annotation, False


def _kind(annotation: Any) -> Kind:
    if annotation is bool:
        return "switch"
    if annotation is int:
        return "whole"
    if annotation is float:
        return "fraction"
    if annotation is str:
        return "text"
    if get_origin(annotation) is Literal:
        return "choice"
    if get_origin(annotation) is tuple:
        return "words" if get_args(annotation)[0] is str else "numbers"
    raise TypeError(f"a setting of type {annotation} has no widget")


def _help(description: str, extra: dict[str, Any]) -> str:
    unit = f" Unit: {extra['unit']}." if extra["unit"] else ""
    return f"{description}{unit} {paper_words(extra['paper'], extra['assumed'])}."


def paper_words(paper: Any, assumed: bool) -> str:
    """Return what the paper says of a setting, such as `Paper: 10,000, assumed`."""
    if paper == NO_PAPER_VALUE:
        return "Paper: not stated"
    words = value_words(paper)
    return f"Paper: {words}, assumed" if assumed else f"Paper: {words}"


def value_words(value: Any) -> str:
    """Return the value of a setting as people read it: off, 10,000, 500 and 100 as `500, 100`."""
    if value is None:
        return "off"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple | list):
        return ", ".join(value_words(part) for part in value) or "none"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,g}"
    return option_words(value) or "none"


def option_words(option: str) -> str:
    """Return a choice as people read it."""
    return OPTION_WORDS.get(option, option.replace("_", " "))


def option_label(option: str) -> str:
    """Return a choice as a widget shows it, with a capital; p, hg38 and float32 stay."""
    words = option_words(option)
    first = words.split(" ")[0]
    is_word = len(first) > 1 and not any(sign.isdigit() for sign in first)
    return words[0].upper() + words[1:] if is_word else words


def scale_of(field: Field) -> Scale:
    """Return where the number of a field can stand; ends are the bounds of the field."""
    whole = field.kind == "whole"
    number = int if whole else float
    low, high = field.low, field.high
    if low is None or high is None:
        raise TypeError(f"the number {field.name} needs both bounds to have a widget")
    step = field.step if field.step is not None else 1 if whole else None
    if step is not None:
        first = low + step if field.is_low_open else low
        last = high - step if field.is_high_open else high
        if (high - low) / step <= MOST_STEPS:
            return Scale("even", number(first), number(last), number(step))
        if whole and high >= 10**MOST_DECADES:
            return Scale("typed", number(first), number(last), number(step))
    return _graded(field, whole)


def _graded(field: Field, whole: bool) -> Scale:
    """Return options that grow with their size: fine where small, two digits where large."""
    low, high = float(field.low or 0), float(field.high or 1)
    decades = range(0 if whole else -10, math.ceil(math.log10(high)) + 1)
    digits = range(10, 100) if whole else [10, 12, 15, *range(20, 100, 5)]
    values = {float(f"{digit}e{decade - 1}") for decade in decades for digit in digits}
    if whole:
        values |= {float(small) for small in range(1, 100)}
        values |= {2.0**power for power in range(20)}
    values |= {low, high}
    known = [field.default, field.paper if field.has_paper else None]
    values |= {float(value) for value in known if value is not None}
    number = int if whole else float
    options = sorted({number(value) for value in values if field.allows(number(value))})
    return Scale("graded", options[0], options[-1], None, tuple(options))


@dataclass(frozen=True)
class Condition:
    """What other settings have to hold for one to matter, and how that is told."""

    words: str
    settings: tuple[str, ...]  # as `stage.field`; `holds` takes their values in this order
    holds: Callable[..., bool]


def _is(words: str, setting: str, *options: Any) -> Condition:
    return Condition(words, (setting,), lambda value: value in options)


def _above(words: str, setting: str, least: float) -> Condition:
    return Condition(words, (setting,), lambda value: value > least)


_CONVOLUTIONAL = _is("the convolutional family", "network.family", "convolutional")
_GENE = _is("the gene family", "network.family", "gene")
_SQUARE = _is("a 2D or 3D layout", "encoding.layout", "2d", "3d")
_PLANES = _is("a 3D layout", "encoding.layout", "3d")
_NO_PLANES = _is("a 1D or 2D layout", "encoding.layout", "1d", "2d")
_DROPOUT = _above("dropout", "network.dropout", 0)
_STAIRS = _is(
    "a staircase or exponential schedule", "training.schedule", "staircase", "exponential"
)
_PLATEAU = Condition(
    "a plateau factor below 1", ("training.plateau_factor",), lambda factor: factor < 1
)

# When a setting matters: all of its conditions hold. One that is not named always does.
MATTERS: Mapping[str, tuple[Condition, ...]] = {
    # The gene family has planes, an optimiser and a choice of its own.
    **dict.fromkeys(
        (
            "encoding.layout", "encoding.order", "encoding.weights", "network.convolutions",
            "network.kernel", "network.stride", "network.pool", "network.batch_norm",
            "network.attention", "network.dense", "network.l1", "network.l2",
            "training.optimizer", "training.schedule", "training.warmup_epochs",
            "training.plateau_factor", "training.keep", "training.precision",
        ),
        (_CONVOLUTIONAL,),
    ),
    "split.test_fraction": (_is("a single split", "split.folds", 0),),
    "split.repeats": (_above("folds", "split.folds", 0),),
    "encoding.row_width": (_CONVOLUTIONAL, _SQUARE),
    "encoding.missing": (_CONVOLUTIONAL, _NO_PLANES),
    "encoding.plane_values": (_CONVOLUTIONAL, _PLANES),
    "encoding.plane_missing": (_CONVOLUTIONAL, _PLANES),
    "encoding.scaling": (_CONVOLUTIONAL, _NO_PLANES),
    "encoding.weights_file": (
        _CONVOLUTIONAL,
        _is("weights from a file", "encoding.weights", "file"),
    ),
    "encoding.drop_unweighted": (
        _CONVOLUTIONAL,
        _is("input weights", "encoding.weights", "log_p", "logistic_l1", "file"),
    ),
    "network.norm_after_pool": (
        _CONVOLUTIONAL,
        _is("batch normalisation", "network.batch_norm", True),
        _above("pooling", "network.pool", 1),
    ),
    "network.dropout_kind": (_CONVOLUTIONAL, _DROPOUT),
    "network.block_size": (
        _CONVOLUTIONAL,
        _DROPOUT,
        _is("dropout of blocks", "network.dropout_kind", "blocks"),
    ),
    "network.penalise_dense": (
        _CONVOLUTIONAL,
        Condition(
            "an L1 or L2 penalty", ("network.l1", "network.l2"), lambda l1, l2: max(l1, l2) > 0
        ),
    ),
    "network.gene_products": (_GENE,),
    "network.gene_members": (_GENE,),
    "training.momentum": (_CONVOLUTIONAL, _is("SGD", "training.optimizer", "sgd")),
    "training.weight_decay": (_CONVOLUTIONAL, _is("AdamW", "training.optimizer", "adamw")),
    "training.decay_rate": (_CONVOLUTIONAL, _STAIRS),
    "training.decay_steps": (_CONVOLUTIONAL, _STAIRS),
    "training.plateau_patience": (_CONVOLUTIONAL, _PLATEAU),
    "training.min_learning_rate": (
        _CONVOLUTIONAL,
        Condition(
            "a plateau factor below 1 or a cosine",
            ("training.plateau_factor", "training.schedule"),
            lambda factor, schedule: factor < 1 or schedule == "cosine",
        ),
    ),
}  # fmt: skip


def unmet(name: str, values: Mapping[str, Any]) -> Condition | None:
    """Return what `stage.field` waits for, None where it matters; `values` are by `stage.field`."""
    for condition in MATTERS.get(name, ()):
        if not condition.holds(*(values[setting] for setting in condition.settings)):
            return condition
    return None
