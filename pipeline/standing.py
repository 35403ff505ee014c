"""How far a study has come along the arrow: what is done, out of date, next, or not yet possible.

It says so of a cohort under the thresholds of now, from what lies in the cache; nothing is
computed for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pipeline.analysis import computed
from pipeline.audit import LOGISTIC, NETWORK
from pipeline.audit.stored import question, read_answer
from pipeline.cohort import Cohort
from pipeline.runs import Run
from pipeline.settings import AnalysisSettings
from pipeline.submit import identify

Standing = Literal["ready", "stale", "next", "later"]

# What a run was trained on; the network's own settings may differ from the form's at any time.
CHOOSES_DATA = ("people", "samples", "quality", "selection")
_DEFAULTS = AnalysisSettings().model_dump(mode="json", include=set(CHOOSES_DATA))
_LOOKED_AT = 5  # newest runs asked for an audit


def standings(
    cohort: Cohort, settings: AnalysisSettings, known: Sequence[Run]
) -> dict[str, Standing]:
    """Return how each stage stands, in the order of the arrow, by the name of its page.

    "stale": there is a result, but of other thresholds; "next": nothing is missing but the doing;
    "later": a stage before it is not done. `known` are the runs, newest first.
    """
    mine = [
        run for run in known
        if run.state == "finished" and run.fingerprint == cohort.fingerprint
    ]  # fmt: skip
    named, _, _ = identify(cohort, settings)
    now = _data(named.model_dump(mode="json"))
    same = [run for run in mine if _data(run.settings) == now]
    is_audited = any(_is_audited(cohort, run) for run in (same or mine)[:_LOOKED_AT])
    trained: Standing = "ready" if same else "stale" if mine else "next"
    is_tested = settings.association.test != "logistic" or bool(computed(cohort))
    audit: Standing = "later" if not mine else "next"
    if is_audited:
        audit = "ready" if same else "stale"
    return {
        "cohort": "ready",
        "quality": "ready",
        "association": "ready" if is_tested else "next",
        "genes": "ready" if cohort.gene_table else "later",
        "training": trained,
        "run": "later" if trained == "next" else trained,
        "compare": "ready" if len(mine) > 1 else "later",
        "audit": audit,
        "present": "ready" if mine else "later",
    }


def _data(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what chooses the data; a run of an older Exolens lacks settings that came since."""
    return {stage: _DEFAULTS[stage] | settings[stage] for stage in CHOOSES_DATA}


def _is_audited(cohort: Cohort, run: Run) -> bool:
    """Return whether the regression's audit, or that of the network itself, has an answer."""
    asked = run.analysis()
    return any(
        read_answer(run.cache, question(cohort, asked, model), "protocols")
        for model in (LOGISTIC, NETWORK)
    )
