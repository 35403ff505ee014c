"""The job that answers one part of an audit, and what each part is asked by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.audit import LOGISTIC, NETWORK
from pipeline.audit.confounding import confounding
from pipeline.audit.leaks import leaks
from pipeline.audit.neighbours import orders
from pipeline.audit.people_curve import people_curve
from pipeline.audit.protocols import Audit, audit
from pipeline.audit.stored import Question, write_answer
from pipeline.cohort import Cohort
from pipeline.progress import OnProgress
from pipeline.settings import AnalysisSettings
from pipeline.spread import opened

# A regression is fitted in a second, a network in ten: what each can afford in minutes.
PERMUTATIONS = {"protocols": {LOGISTIC: 20, NETWORK: 5}, "leaks": {LOGISTIC: 10, NETWORK: 3}}

OnPart = Callable[[dict[str, Any]], None]


def audit_job(cache: Path, payload: dict[str, Any], on_progress: OnProgress) -> dict[str, Any]:
    """Answer one part of an audit that was put in the queue."""
    asked = Question(
        payload["name"], payload["fingerprint"], payload["model"],
        AnalysisSettings.model_validate(payload["settings"]), payload["key"],
    )  # fmt: skip
    part = payload["part"]

    def write(found: Mapping[str, Any]) -> None:
        write_answer(cache, asked, part, found, is_complete=False)

    with opened((cache, asked.cohort, asked.fingerprint), asked.settings) as cohort:
        found = answer(cohort, asked.settings, asked.model, part, on_progress, write)
    write_answer(cache, asked, part, found, is_complete=True)
    return {"cohort": asked.cohort, "part": part, "model": asked.model}


def answer(
    cohort: Cohort,
    settings: AnalysisSettings,
    model: str,
    part: str,
    on_progress: OnProgress,
    on_part: OnPart = lambda _: None,
    n_permutations: int | None = None,
) -> dict[str, Any]:
    """Return one part of the audit, ready for JSON; `on_part` hears of it as far as it is known.

    Every part has a `sentence`. Raises what the parts raise, a `PipelineError` in one sentence.
    """
    if n_permutations is None:
        n_permutations = PERMUTATIONS.get(part, {}).get(model, 0)
    if part == "protocols":

        def told(so_far: Audit) -> None:
            on_part(so_far.summary())

        return audit(cohort, settings, model, n_permutations, on_progress, told).summary()
    if part == "leaks":
        return leaks(cohort, settings, model, n_permutations, on_progress, on_part).as_dict()
    if part == "confounding":
        return confounding(cohort, settings, model, on_progress).as_dict()
    if part == "order":
        return orders(cohort, settings, on_progress, on_part).as_dict()
    return people_curve(cohort, settings, model, on_progress, on_part).as_dict()
