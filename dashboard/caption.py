"""What a picture or table says of itself once it has left its page: whose it is, and thresholds.

Said by the page while it is drawn (`of_cohort`, `of_view`, …), and read where something is saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboard import state
from dashboard.fields import value_words
from dashboard.view import View
from pipeline.methods.setting_words import is_on, label, rule
from pipeline.runs import Run
from pipeline.settings import AnalysisSettings, Settings

_NAME = "caption"
_NAMED = 4  # runs that a caption names; of more it says how many


def now() -> str:
    """Return what the page has said of itself, a line a thought; "" before it has."""
    return "\n".join((state.get(_NAME) or {}).get("lines", ()))


def run_now() -> str:
    """Return the id of the run that the page is about, "" where it is about none."""
    return (state.get(_NAME) or {}).get("run", "")


def of_cohort(view: View) -> None:
    """Say whose picture it is, and no more: what every page starts with."""
    _say([_people(view)])


def of_view(view: View) -> None:
    """Say what the thresholds come to, on a page that shows it."""
    found = view.analysis
    counts = [
        f"{len(found.filtered.kept):,} of {view.cohort.n_variants:,} variants kept",
        f"{found.association.n_tested:,} tested" if found.association else "none tested",
        f"{found.n_entering:,} would enter a network",
    ]
    _say([f"{_people(view)}; {', '.join(counts)}.", f"{threshold_words(view.settings)}."])


def of_settings(view: View, settings: AnalysisSettings) -> None:
    """Say what is asked of the cohort under settings that are not those of the sidebar alone."""
    protocol = settings.selection.protocol
    _say([f"{_people(view)}; {protocol} protocol.", f"{threshold_words(settings)}."])


def of_run(run: Run, metrics: dict[str, Any] | None = None) -> None:
    """Say which run it is, on whom it was measured and under which thresholds."""
    state.put(_NAME, {"lines": run_lines(run, metrics), "run": run.id})


def of_runs(runs: Sequence[Run]) -> None:
    """Say which runs are held beside each other."""
    named = ", ".join(f"{run.id} ({run.cohort})" for run in runs[:_NAMED])
    more = f" and {len(runs) - _NAMED:,} more" if len(runs) > _NAMED else ""
    state.put(_NAME, {"lines": [f"Runs {named}{more}."], "run": ""})


def run_lines(run: Run, metrics: dict[str, Any] | None = None) -> list[str]:
    """Return what the pictures of a run say below them."""
    said = [f"Run {run.id} of cohort {run.cohort} ({run.fingerprint})"]
    if metrics:
        said.append(f"{metrics['protocol']} protocol")
        said.append(f"{run.selected or 0:,} variants entered")
        test = metrics["test"]
        (tn, fp), (fn, tp) = test["confusion"]
        said.append(f"measured on {test['n']:,} people ({fn + tp:,} cases, {tn + fp:,} controls)")
    return [f"{'; '.join(said)}.", f"{threshold_words(run.analysis())}."]


def threshold_words(settings: AnalysisSettings) -> str:
    """Return every threshold that asks for something, as words: `People: all. Sites: …`."""
    people = _rules(settings.samples)
    sites = _rules(settings.quality)
    tested = [f"{value_words(settings.association.test)} test"]
    if settings.association.covariates:
        tested.append(f"adjusted for {value_words(settings.association.covariates)}")
    chosen = settings.selection
    enters = rule(chosen, "top" if chosen.top is not None else "max_p")
    return (
        f"People: {', '.join(people) or 'no threshold'}. "
        f"Sites: {', '.join(sites) or 'no threshold'}. "
        f"Association: {', '.join(tested)}. "
        f"Selection: {value_words(chosen.test)} test, {enters}"
    )


def _rules(group: Settings) -> list[str]:
    return [
        rule(group, field) if not isinstance(getattr(group, field), str) else
        f"{label(group, field)} {value_words(getattr(group, field))}"
        for field in type(group).model_fields if is_on(group, field)
    ]  # fmt: skip


def _people(view: View) -> str:
    n_people, roles = view.cohort.n_people, view.definition
    n_case = sum(n_people.get(diagnosis, 0) for diagnosis in roles.case)
    n_control = sum(n_people.get(diagnosis, 0) for diagnosis in roles.control)
    named = f"Cohort {view.whole.name} ({view.whole.fingerprint})"
    return f"{named}: {n_case:,} cases, {n_control:,} controls"


def _say(lines: list[str]) -> None:
    state.put(_NAME, {"lines": lines, "run": ""})
