"""Exolens: from a VCF to a trained network, one stage after the other.

    VCF / PLINK / GenNet + phenotypes ── ingest ──> cohort: samples · variants · counts · genotypes
        cohort ── quality (thresholds) ──> kept variants, kept people, funnel
            kept ── association ──> statistic, p, odds ratio for each variant ──> Manhattan, QQ
            kept ── split ──> training / validation / test (or K folds)
                training people only ── selection ──> variants that enter the network
                    ── encoding ──> tensor (1D / 2D / 3D) ── network, training ──> model
                        ── evaluation (test people, once) ──> metrics, confusion, baselines

A stage reads what is upstream of it and returns a small frozen result. Names are loaded when they
are asked for, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

_NAMES = {
    "AnalysisSettings": "pipeline.settings",
    "IngestSettings": "pipeline.settings",
    "with_changes": "pipeline.settings",
    "open_cohort": "pipeline.cohort",
    "filter_variants": "pipeline.quality",
    "associate": "pipeline.association",
    "association_table": "pipeline.association",
    "analyse": "pipeline.analysis",
    "apply_preset": "pipeline.presets",
    "submit_training": "pipeline.submit",
}
__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
    return getattr(importlib.import_module(_NAMES[name]), name)
