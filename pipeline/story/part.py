"""What a story is made of: parts, each with its finding, its words, its figures in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.runs import Run

# In the order in which they are told: the audit stands before the end.
PARTS = (
    "question",
    "cohort",
    "funnel",
    "manhattan",
    "network",
    "curves",
    "confusion",
    "audit",
    "caveats",
)


@dataclass(frozen=True, eq=False)
class Part:
    """One finding of a run.

    `title` is the finding as a sentence, `sentences` say more, `caption` has thresholds, counts
    and the run. `table` holds aggregated figures under words, None where there are none. `data` is
    what a figure is drawn from, empty where nothing can be drawn; nothing of a single person is in
    any of them, and nobody changes them.
    """

    name: str
    title: str
    sentences: tuple[str, ...]
    caption: str
    table: pd.DataFrame | None
    data: Mapping[str, Any]


@dataclass(frozen=True)
class CohortSummary:
    """The cohort of a run; `lacking` says why only its name is known, "" where all is."""

    name: str
    fingerprint: str
    n_people: int | None
    n_case: int | None
    n_control: int | None
    n_variants: int | None
    build: str
    is_simulated: bool
    lacking: str


@dataclass(frozen=True, eq=False)
class Story:
    """A run told in parts; `name` is what people call it, `headline` its result in a sentence."""

    run: Run
    name: str
    headline: str
    cohort: CohortSummary
    parts: tuple[Part, ...]

    def part(self, name: str) -> Part:
        """Return a part by its name, one of `PARTS`."""
        return next(part for part in self.parts if part.name == name)
