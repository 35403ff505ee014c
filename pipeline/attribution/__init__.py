"""What a trained network looked at: which variants and genes moved what it says of test people.

    run ──> models of its folds ──> integrated gradients ──> occlusion by gene ──> attribution.*

Everything is summed over test people; nothing of a single person is kept. What reads is named here;
what computes is `pipeline.attribution.job`, which alone loads networks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.attribution.rollup import (
    by_chromosome,
    by_gene,
    drawn_points,
    over_folds,
    placed_points,
)
from pipeline.attribution.stability import Stability, across_folds, across_seeds
from pipeline.attribution.stored import Attribution, read_attribution
from pipeline.progress import OnProgress

__all__ = [
    "Attribution",
    "Stability",
    "across_folds",
    "across_seeds",
    "attribute_job",
    "by_chromosome",
    "by_gene",
    "drawn_points",
    "over_folds",
    "placed_points",
    "read_attribution",
]


def attribute_job(cache: Path, payload: dict[str, Any], on_progress: OnProgress) -> dict[str, Any]:
    """Look at the run `payload["run"]`; what does so is loaded here, and never by a page."""
    from pipeline.attribution.job import attribute_job as look

    return look(cache, payload, on_progress)
