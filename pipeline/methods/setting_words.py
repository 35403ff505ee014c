"""Settings in running text: their labels and units as declared, values as people write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.settings import Settings
from pipeline.settings.regions import read_regions

# Units that a number is written without: it says itself that it is a share.
_UNWRITTEN = {"fraction", "p", "F", "−log10 p"}


def number(value: float) -> str:
    """Return a number as text: 10,000, 0.05, 1e-06."""
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def with_unit(group: Settings, field: str) -> str:
    """Return the value of a setting with its unit: `8 reads`, `0.9`."""
    value = getattr(group, field)
    unit = _extra(group, field)["unit"]
    return number(value) if not unit or unit in _UNWRITTEN else f"{number(value)} {unit}"


def label(group: Settings, field: str) -> str:
    """Return the label of a setting as it stands within a sentence."""
    words = _extra(group, field)["label"]
    first = words.split()[0]
    # A name or a word of the VCF keeps its capitals.
    keeps = first in {"Hardy-Weinberg"} or any(letter.isupper() for letter in first[1:])
    return words if keeps else words[0].lower() + words[1:]


def rule(group: Settings, field: str) -> str:
    """Return a threshold as words: `smallest call rate 0.9`; a switch is its label alone."""
    if isinstance(getattr(group, field), bool):
        return label(group, field)
    if field == "without_regions":
        regions = [region.words for region in read_regions(getattr(group, field))]
        one = "region" if len(regions) == 1 else "regions"
        return f"without the {one} {listed(regions)}"
    return f"{label(group, field)} {with_unit(group, field)}"


def is_on(group: Settings, field: str) -> bool:
    """Say whether a threshold or switch asks for anything; an allele count of 0 does not."""
    value = getattr(group, field)
    return value is not None and value is not False and not (field == "min_mac" and value == 0)


def listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence: `a, b and c`."""
    words = list(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def counted(n: int, one: str, more: str = "") -> str:
    """Return a count with its noun: `1 fold`, `2,718 people`."""
    return f"{n:,} {one if n == 1 else more or one + 's'}"


def _extra(group: Settings, field: str) -> dict[str, Any]:
    return type(group).model_fields[field].json_schema_extra  # type: ignore[return-value]
