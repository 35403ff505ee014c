"""Which colour and shape a kind of result wears, the same on every page."""

from __future__ import annotations

from collections.abc import Iterable

from dashboard.theme import Palette

# Kinds of results: a run, the same run on permuted labels, a model to compare with, a guess.
KINDS = (
    "honest",
    "published",
    "honest_permuted",
    "published_permuted",
    "baseline",
    "majority",
)

_BASELINES = (
    ("chromosome", [1, 0]),
    ("chromosome_other", [1, 0]),
    ("chromosome", [7, 3]),
    ("chromosome_other", [7, 3]),
    ("chromosome", [2, 2]),
    ("chromosome_other", [2, 2]),
)


def colour_of(kind: str, palette: Palette) -> str:
    """Return the colour of a kind of result."""
    if kind.startswith("honest"):
        return palette.honest
    if kind.startswith("published"):
        return palette.published
    return palette.reference if kind == "majority" else palette.chromosome


def is_hollow(kind: str) -> bool:
    """Return whether a kind is drawn hollow: a run on permuted labels, where nothing is true."""
    return kind.endswith("_permuted")


def baseline_styles(models: Iterable[str]) -> dict[str, tuple[str, list[int]]]:
    """Return the role of the colour and the dash of each baseline, in the order given."""
    return {model: _BASELINES[i % len(_BASELINES)] for i, model in enumerate(models)}
