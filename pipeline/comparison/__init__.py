"""Runs beside each other: what was set differently, what it changed, and whether it mattered.

Of people only sums leave: an area under a curve, and counts of five or more.
"""

from __future__ import annotations

from pipeline.comparison.differing import Difference, differing_settings
from pipeline.comparison.pair import Pair, compare_pair
from pipeline.comparison.people import ChangedClass, PairedAuc, changed_class, paired_auc
from pipeline.comparison.selected import GainedLost, gained_and_lost
from pipeline.comparison.summary import MEASURES, Measure, RunSummary, summarise

__all__ = [
    "MEASURES",
    "ChangedClass",
    "Difference",
    "GainedLost",
    "Measure",
    "Pair",
    "PairedAuc",
    "RunSummary",
    "changed_class",
    "compare_pair",
    "differing_settings",
    "gained_and_lost",
    "paired_auc",
    "summarise",
]
