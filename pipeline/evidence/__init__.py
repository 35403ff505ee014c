"""What the scores of test people say of a model, as sums over people that a page may show.

`evidence` is what a training adds to its metrics; `at_threshold` reads from these metrics what it
is worth to call people cases above any threshold.
"""

from __future__ import annotations

from pipeline.evidence.measured import best_probability, evidence
from pipeline.evidence.scored import Scored
from pipeline.evidence.strata import Stratum, find_strata
from pipeline.evidence.threshold import (
    DEFAULT_PREVALENCE,
    PREVALENCES,
    AtThreshold,
    at_threshold,
    own_threshold,
    threshold_choices,
)

__all__ = [
    "DEFAULT_PREVALENCE",
    "PREVALENCES",
    "AtThreshold",
    "Scored",
    "Stratum",
    "at_threshold",
    "best_probability",
    "evidence",
    "find_strata",
    "own_threshold",
    "threshold_choices",
]
