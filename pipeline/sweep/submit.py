"""A sweep asked for: checked, named, queued, and a worker started for it."""

from __future__ import annotations

from pathlib import Path

from pipeline import jobs
from pipeline.cohort import open_cohort
from pipeline.kept_weights import keep_weights
from pipeline.settings import AnalysisSettings, with_changes
from pipeline.settings.sweep import SweepSettings
from pipeline.structure import families
from pipeline.sweep.people import choose_people, refuse_unfit
from pipeline.sweep.stored import Sweep, create, job_id


def submit_sweep(
    cache: Path, name: str, settings: AnalysisSettings, sweep_settings: SweepSettings
) -> str:
    """Queue a sweep and return its id; asking for the same again opens the one there is.

    With more minutes or trials than it had, it goes on from its trials. What can be told at once
    is told here: an unknown cohort, too few people, folds, the published protocol.
    """
    refuse_unfit(settings)
    cohort = open_cohort(cache, name)
    try:
        definition = cohort.define_cases(settings.people)
        choose_people(cohort, settings)
        # The sweep keeps who was who, so that the same words never mean other people later.
        named = {"case": definition.case, "control": definition.control,
                 "exclude": definition.excluded}  # fmt: skip
        settings = with_changes(settings, {f"people.{role}": who for role, who in named.items()})
        settings = keep_weights(cache, settings)
        related = families(cohort)
        digest = related.digest if related else ""
        genes = cohort.gene_table if _may_go_by_genes(settings, sweep_settings) else ""
        sweep = create(cache, name, cohort.fingerprint, settings, sweep_settings, digest, genes)
    finally:
        cohort.store.close()
    if sweep.state != "finished" or not _is_used_up(sweep, sweep_settings):
        budget = sweep_settings.model_dump(mode="json", include={"minutes", "trials", "parallel"})
        payload = {"sweep": sweep.id, "name": name, **budget}
        jobs.submit(cache, "sweep", payload, job_id(sweep.id))
        jobs.ensure_worker(cache)
    return sweep.id


def _may_go_by_genes(settings: AnalysisSettings, asked: SweepSettings) -> bool:
    """Return whether the gene table decides what the network of some trial learns."""
    return settings.goes_by_genes or any("gene" in one.choices for one in asked.ranges())


def _is_used_up(sweep: Sweep, asked: SweepSettings) -> bool:
    """Return whether a finished sweep has had the budget that is asked for now."""
    had = sweep.asked
    return (
        len(sweep.trials) >= asked.trials
        or sweep.spent_s >= asked.minutes * 60
        or (asked.minutes <= had.minutes and asked.trials <= had.trials)
    )
