"""What the person in front of the page has chosen: one cohort, one set of thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboard import loaders
from pipeline.analysis import Analysis
from pipeline.cohort import Cohort
from pipeline.people import CaseDefinition
from pipeline.settings import AnalysisSettings


@dataclass(frozen=True)
class View:
    """The cohort counted over the people kept, and the settings.

    `whole` is the cohort with everybody; `analysis` is what the settings come to, the same for
    every picture; `pages` are the pages by name, to link to.
    """

    whole: Cohort
    cohort: Cohort
    settings: AnalysisSettings
    pages: Mapping[str, Any]

    @property
    def definition(self) -> CaseDefinition:
        return self.cohort.define_cases(self.settings.people)

    def payload(self) -> dict[str, Any]:
        """Return what a job needs to work on what is seen here."""
        return {"name": self.whole.name, "settings": self.settings.model_dump(mode="json")}

    @property
    def analysis(self) -> Analysis:
        return loaders.analysis(self.cohort, self.settings)
