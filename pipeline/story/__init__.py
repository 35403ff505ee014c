"""The story of a run for a room, frozen to the run: words and numbers, no pictures.

Everything comes from where the pages take it: the run's own settings and metrics, the same
analysis of its cohort, its stored audits, the facts and questions of the methods text.
"""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from pipeline.analysis import Analysis, analyse
from pipeline.cohort import Cohort, open_cohort
from pipeline.errors import NotFoundError, PipelineError, StaleArtifactError
from pipeline.keeping.run_notes import Notes, read_notes
from pipeline.methods.facts import gather
from pipeline.methods.text import require_metrics
from pipeline.progress import OnProgress, Progress, silent
from pipeline.runs import Run
from pipeline.samples import with_people
from pipeline.story import doubts, learning, people, variants
from pipeline.story.part import PARTS, CohortSummary, Part, Story
from pipeline.story.told import Told
from pipeline.story.variants import n_above
from pipeline.story.words import headline

__all__ = [
    "PARTS",
    "CohortSummary",
    "Part",
    "Story",
    "headline",
    "n_above",
    "question_paths",
    "story_of",
    "tell",
]

_WRITERS = {
    "question": people.question,
    "cohort": people.cohort,
    "funnel": variants.funnel,
    "manhattan": variants.manhattan,
    "network": learning.network,
    "curves": learning.curves,
    "confusion": learning.confusion,
    "audit": doubts.audit,
    "caveats": doubts.caveats,
}


def story_of(run: Run, on_progress: OnProgress = silent) -> Story:
    """Return the story of a run, with its cohort as far as that is there; raises as `tell`."""
    try:
        cohort = open_cohort(run.cache, run.cohort)
    except (NotFoundError, StaleArtifactError):
        return tell(None, run, on_progress)
    with closing(cohort.store):
        return tell(cohort, run, on_progress)


def question_paths(cohort: Cohort, run: Run) -> tuple[Path, ...]:
    """Return where answers to audits of a run lie, or would lie: its story changes with them."""
    return tuple(
        one.path(run.cache, part)
        for one in doubts.questions_of(cohort, run).values()
        for part in doubts.AUDIT_PARTS
    )


def tell(cohort: Cohort | None, run: Run, on_progress: OnProgress = silent) -> Story:
    """Return the story of a run that was measured, each of `PARTS` in order.

    `cohort` is the whole cohort of the run, None where it has gone. Where it was ingested anew
    since, or has gone, the parts that need it say so in place of numbers.

    Raises `NotComputedError` for a run without metrics.
    """
    metrics = require_metrics(run)
    on_progress(Progress("reading the cohort", 0.0))
    facts = gather(run, metrics, on_progress)
    lacking = facts.lacking
    if not lacking and (cohort is None or cohort.fingerprint != run.fingerprint):
        lacking = f"The cohort {run.cohort} is not there as it was when this run was trained."
    notes = Notes()
    with suppress(StaleArtifactError):  # broken notes cost the title, not the story
        notes = read_notes(run.cache, run.id)
    told = Told(run, run.analysis(), metrics, notes, facts, None, lacking, None, "")
    if lacking or cohort is None:
        return _told(told)
    counted = with_people(cohort, told.settings.samples, on_progress)
    try:
        on_progress(Progress("testing variants", 0.5))
        analysis, problem = _analysis(counted, told)
        return _told(replace(told, cohort=counted, analysis=analysis, problem=problem))
    finally:
        if counted is not cohort:
            counted.store.close()


def _analysis(counted: Cohort, told: Told) -> tuple[Analysis | None, str]:
    try:
        return analyse(counted, told.settings), ""
    except PipelineError as error:
        return None, str(error)


def _told(told: Told) -> Story:
    return Story(
        run=told.run,
        name=told.name,
        headline=headline(told.metrics),
        cohort=people.summary_of(told),
        parts=tuple(_WRITERS[name](told) for name in PARTS),
    )
