"""The cohort to try with: simulated, ingested, its genes joined."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from pipeline.annotation import annotate
from pipeline.cohort import open_cohort
from pipeline.files import safe_name
from pipeline.ingest import ingest
from pipeline.progress import OnProgress, Progress
from pipeline.settings.simulation import SimulationSettings
from pipeline.simulate import simulate

# Seconds of each part on two cores, so that one share done runs through all of them.
_PARTS = {"simulate": 0.6, "ingest": 0.35, "annotate": 0.05}


def example_job(cache: Path, payload: dict[str, Any], on_progress: OnProgress) -> dict[str, Any]:
    """Make the cohort `payload["name"]` from a simulation and return its summary."""
    name = safe_name(payload["name"])
    settings = SimulationSettings.model_validate(payload.get("settings", {}))
    folder = cache / "simulated" / settings.digest()
    made = simulate(folder, settings, _part("simulate", on_progress))
    try:
        ingest(cache, name, [made.vcf], made.phenotypes, on_progress=_part("ingest", on_progress))
        annotate(cache, name, made.genes, _part("annotate", on_progress))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return open_cohort(cache, name).summary()


def _part(name: str, on_progress: OnProgress) -> OnProgress:
    before = sum(share for part, share in _PARTS.items() if list(_PARTS).index(part)
                 < list(_PARTS).index(name))  # fmt: skip

    def report(progress: Progress) -> None:
        done = before + _PARTS[name] * progress.done
        on_progress(Progress(progress.phase, done, None, progress.detail))

    return report
