"""Work asked for by a person: checked, named, queued, and a worker started for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline import jobs, runs
from pipeline.cohort import Cohort, open_cohort
from pipeline.errors import NotFoundError
from pipeline.files import safe_name
from pipeline.kept_weights import keep_weights
from pipeline.lineage import note_parent
from pipeline.people import require_both
from pipeline.runs import Run
from pipeline.samples import keep_people
from pipeline.settings import AnalysisSettings
from pipeline.splits import make_splits
from pipeline.structure import families


def submit_training(
    cache: Path,
    cohort_name: str,
    settings: AnalysisSettings,
    preset: str = "",
    parent: Run | None = None,
) -> Run:
    """Queue a training and return its run; asking for the same again opens the run there is.

    `parent` is the run that was changed to get here. What can be told at once is told here: an
    unknown cohort, a missing class, too many folds.
    """
    cohort = open_cohort(cache, cohort_name)
    try:
        definition = cohort.define_cases(settings.people)
        kept = keep_people(cohort, settings.samples).kept
        case = cohort.is_in(definition.case) & kept
        people = case | (cohort.is_in(definition.control) & kept)
        require_both(definition, _n_kept(cohort, kept))
        related = families(cohort)
        make_splits(case[people], settings.split, related.groups[people] if related else None)
        settings, relatives, genes = identify(cohort, keep_weights(cache, settings))
        run = runs.create(
            cache, cohort_name, cohort.fingerprint, settings, preset, relatives, genes
        )
    finally:
        cohort.store.close()
    if parent:
        note_parent(run, parent)
    jobs.submit(cache, "train", {"run": run.id})
    jobs.ensure_worker(cache)
    return runs.load(cache, run.id)


def identify(cohort: Cohort, settings: AnalysisSettings) -> tuple[AnalysisSettings, str, str]:
    """Return the settings as a run keeps them, what it knows of relatives, and its gene table.

    A run keeps who was who, so that the same words never mean other people later.
    """
    definition = cohort.define_cases(settings.people)
    named = settings.people.model_copy(
        update={
            "case": definition.case,
            "control": definition.control,
            "exclude": definition.excluded,
        }
    )
    related = families(cohort)
    return (
        settings.model_copy(update={"people": named}),
        related.digest if related else "",
        cohort.gene_table if settings.goes_by_genes else "",
    )


def find_run(cache: Path, cohort: Cohort, settings: AnalysisSettings) -> Run | None:
    """Return the run of these settings, None where nobody has asked for it; nothing starts."""
    run_id = runs.run_identity(cohort.fingerprint, *identify(cohort, settings))
    try:
        return runs.load(cache, run_id)
    except NotFoundError:
        return None


def _n_kept(cohort: Cohort, kept: np.ndarray) -> dict[str, int]:
    """Return the people of each diagnosis that are kept."""
    return {name: int((cohort.is_in((name,)) & kept).sum()) for name in cohort.diagnoses}


def submit_job(cache: Path, kind: str, payload: dict[str, Any]) -> str:
    """Queue work on a cohort other than training, under the cohort's name; return its id.

    One job of a kind is open for a cohort at a time: asking again returns the one there is.
    """
    job_id = jobs.submit(cache, kind, payload, f"{kind}-{safe_name(payload['name'])}")
    jobs.ensure_worker(cache)
    return job_id
