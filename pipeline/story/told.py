"""All that a story draws on, gathered once: the run, its metrics, and its cohort as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.analysis import Analysis
from pipeline.cohort import Cohort
from pipeline.keeping.run_notes import Notes
from pipeline.methods.facts import CohortFacts, RunFacts
from pipeline.presets import PRESETS
from pipeline.runs import Run
from pipeline.settings import AnalysisSettings


@dataclass(frozen=True, eq=False)
class Told:
    """What the parts of a story are written from.

    `cohort` is counted over the people that the run kept, None where it is not there as it was;
    `lacking` then says why. `analysis` is what the run's own thresholds come to on all people,
    None where nothing can be counted; `problem` says why.
    """

    run: Run
    settings: AnalysisSettings
    metrics: Mapping[str, Any]
    notes: Notes
    facts: RunFacts
    cohort: Cohort | None
    lacking: str
    analysis: Analysis | None
    problem: str

    @property
    def known(self) -> CohortFacts | None:
        """Return what the cohort says, None without it."""
        return self.facts.cohort if self.cohort is not None else None

    @property
    def folds(self) -> list[dict[str, Any]]:
        return list(self.metrics["folds"])

    @property
    def is_honest(self) -> bool:
        return self.settings.selection.protocol == "honest"

    @property
    def name(self) -> str:
        """Return what people call the run: its title, else where its settings come from."""
        if self.notes.title:
            return self.notes.title
        preset = self.run.preset
        known = PRESETS.get(preset)
        return known.title if known else (preset or "own settings")

    def caption(self, *said: str) -> str:
        """Return what is said, then the run, as it stands below a picture."""
        return " · ".join([*(one for one in said if one), f"run {self.run.id[:8]}"])
