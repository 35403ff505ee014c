"""Work asked for by a person: checked, named, queued, and a worker started for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline import jobs, runs
from pipeline.cohort import open_cohort
from pipeline.files import safe_name
from pipeline.people import require_both
from pipeline.runs import Run
from pipeline.settings import AnalysisSettings
from pipeline.splits import make_splits


def submit_training(
    cache: Path, cohort_name: str, settings: AnalysisSettings, preset: str = ""
) -> Run:
    """Queue a training and return its run; asking for the same again opens the run there is.

    What can be told at once is told here: an unknown cohort, a missing class, too many folds.
    """
    cohort = open_cohort(cache, cohort_name)
    try:
        definition = cohort.define_cases(settings.people)
        require_both(definition, cohort.n_people)
        case = cohort.is_in(definition.case)
        make_splits(case[case | cohort.is_in(definition.control)], settings.split)
        # The run keeps who was who, so that the same words never mean other people later.
        people = settings.people.model_copy(
            update={
                "case": definition.case,
                "control": definition.control,
                "exclude": definition.excluded,
            }
        )
        settings = settings.model_copy(update={"people": people})
        run = runs.create(cache, cohort_name, cohort.fingerprint, settings, preset)
    finally:
        cohort.store.close()
    jobs.submit(cache, "train", {"run": run.id})
    jobs.ensure_worker(cache)
    return runs.load(cache, run.id)


def submit_job(cache: Path, kind: str, payload: dict[str, Any]) -> str:
    """Queue an ingest, an example cohort or an annotation under the cohort's name; return its id.

    One job of a kind is open for a cohort at a time: asking again returns the one there is.
    """
    job_id = jobs.submit(cache, kind, payload, f"{kind}-{safe_name(payload['name'])}")
    jobs.ensure_worker(cache)
    return job_id
