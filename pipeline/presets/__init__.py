"""Named configurations: the paper's networks, row by row, and ours.

A preset says everything about the network and how it learns, so it can be applied over any
settings. Cohort, thresholds, selection and seeds stay as they are; split and protocol too, but
where the paper's own row or stage is about them.
"""

from __future__ import annotations

from pipeline.errors import SettingsError
from pipeline.presets.final import FINAL, FINAL_2D
from pipeline.presets.ours import OURS
from pipeline.presets.preset import Group, Preset
from pipeline.presets.stages import STAGES
from pipeline.presets.tables import TABLES
from pipeline.settings import AnalysisSettings, with_changes

__all__ = ["PRESETS", "Group", "Preset", "apply_preset"]

PRESETS = {preset.name: preset for preset in (FINAL_2D, *OURS, *FINAL, *TABLES, *STAGES)}


def apply_preset(name: str, settings: AnalysisSettings | None = None) -> AnalysisSettings:
    """Return `settings` (default: all defaults) with what the preset sets.

    Raises `SettingsError` for an unknown name.
    """
    if name not in PRESETS:
        raise SettingsError(f"There is no preset {name}; choose one of {', '.join(PRESETS)}.")
    return with_changes(settings or AnalysisSettings(), PRESETS[name].changes)
