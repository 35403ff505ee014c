"""Audit: would noise have scored the same?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard import caption, elements, loaders
from dashboard.charts.audit_leaks import audit_leaks
from dashboard.charts.audit_protocols import METRICS, audit_protocols
from dashboard.view import View
from dashboard.views import audit_confounding, audit_order, audit_people
from pipeline.audit import LOGISTIC, NETWORK
from pipeline.audit.stored import Question, question, submit_audit
from pipeline.errors import PipelineError
from pipeline.presets import PRESETS, apply_preset
from pipeline.settings import AnalysisSettings

_OFFERED = ("quick", "best", "final_2d", "published_script")
_RUNS_SHOWN = 30
_NAMES = {LOGISTIC: "L2 logistic regression", NETWORK: "Network"}

Draw = Callable[[dict[str, Any], View], None]


def show(view: View) -> None:
    """Draw the page."""
    st.title("Would noise have scored the same?")
    settings, title = _choose(view)
    try:
        asked = {model: question(view.cohort, settings, model) for model in (LOGISTIC, NETWORK)}
    except PipelineError as problem:
        elements.problem(str(problem))
        return
    _protocols(view, [asked[LOGISTIC], asked[NETWORK]], title)
    _part(
        view, [asked[LOGISTIC], asked[NETWORK]], "leaks", "Which look is worth how much?",
        "Choosing variants, scaling and stopping on test people, each by itself; and the paper's "
        "1 % of all people as a test.", _leaks,
    )  # fmt: skip
    _part(
        view, [asked[NETWORK], asked[LOGISTIC]], "confounding",
        "Is it ancestry, batch or quality?",
        "Models that see no variant: principal components, sex, call rate and depth, missing "
        "calls; and the audited model among people of like ancestry.", audit_confounding.show,
    )  # fmt: skip
    _part(
        view, [asked[NETWORK]], "order", "Does the order of variants matter?",
        "Four short runs on the same variants and people: genomic order, by gene, by p, shuffled.",
        audit_order.show,
    )  # fmt: skip
    _part(
        view, [asked[LOGISTIC], asked[NETWORK]], "people", "Would more people help?",
        "The honest AUC on the same test people, with 20 to 100 % of the training people.",
        audit_people.show,
    )  # fmt: skip
    elements.method("audit")


def _choose(view: View) -> tuple[AnalysisSettings, str]:
    """Return what is audited, and its name: a run as it was, or a preset on these thresholds."""
    own = [
        run for run in loaders.all_runs()
        if run.cohort == view.whole.name and run.fingerprint == view.whole.fingerprint
        and run.state == "finished"
    ][:_RUNS_SHOWN]  # fmt: skip
    titles = {run.id: f"Run {run.id[:8]} · {run.preset or 'own settings'}" for run in own}
    titles |= {name: f"{PRESETS[name].title}, on the thresholds at the left" for name in _OFFERED}
    chosen = elements.choice_in_address("Audited", "audited", list(titles), titles)
    if chosen in _OFFERED:
        settings = apply_preset(chosen, view.settings)
        caption.of_settings(view, settings)
        return settings, PRESETS[chosen].title
    run = next(run for run in own if run.id == chosen)
    caption.of_run(run, loaders.metrics(run))
    return run.analysis(), titles[chosen]


# ---- the picture ----------------------------------------------------------------------------


def _protocols(view: View, asked: list[Question], title: str) -> None:
    """Draw the one picture and its sentence, or what to press."""
    if any(loaders.is_open(one, "protocols") for one in asked):
        _following_protocols(view, asked, title)
        return
    known = [loaders.audit_answer(one, "protocols") for one in asked]
    if not all(known):
        elements.empty(
            "Not audited yet. The audit fits the same split under honest and published selection, "
            "then again on permuted labels: logistic regression first, within seconds, then the "
            "network."
        )
        if st.button("Audit", type="primary", icon=":material/policy:"):
            for one in asked:
                submit_audit(loaders.cache(), one, "protocols")
            st.rerun()
    _picture(asked, title)


@st.fragment(run_every="1s")
def _following_protocols(view: View, asked: list[Question], title: str) -> None:
    if not any(loaders.is_open(one, "protocols") for one in asked):
        st.rerun()
    for one in asked:
        _progress(one, "protocols")
    _picture(asked, title)


def _picture(asked: list[Question], title: str) -> None:
    found = [(one, loaders.audit_answer(one, "protocols")) for one in asked]
    known = [(one, told["found"]) for one, told in found if told]
    if not known:
        return
    newest = known[-1][1]
    st.markdown(f"### {newest['sentence']}")
    names = {LOGISTIC: _NAMES[LOGISTIC], NETWORK: title}
    metric = st.segmented_control(
        "Measure", list(METRICS), default="auc", format_func=METRICS.get,
        label_visibility="collapsed", key="audit.metric", required=True,
    )  # fmt: skip
    made = audit_protocols(
        [(names[one.model], summary) for one, summary in known],
        metric=metric,
        palette=elements.palette(),
    )
    elements.chart(made, key="audit_protocols")
    for one, summary in known:
        n = len(summary["honest_permuted"])
        if n:
            p = summary["p"]
            st.caption(
                f"{names[one.model]}: of {n} permutations of the labels, p = {p['honest']:.3g} "
                f"honest and {p['published']:.3g} published, (1 + as good or better) / (1 + {n})."
            )


# ---- the other questions --------------------------------------------------------------------


def _part(view: View, asked: list[Question], part: str, title: str, about: str, draw: Draw) -> None:
    """Draw one question: its answer, its progress, or the button that asks it."""
    st.header(title, divider="gray")
    model = asked[0].model
    if len(asked) > 1:
        model = st.segmented_control(
            "Model", [one.model for one in asked], default=model, format_func=_NAMES.get,
            key=f"audit.{part}", label_visibility="collapsed", required=True,
        )  # fmt: skip
    one = next(one for one in asked if one.model == model)
    if loaders.is_open(one, part):
        _following(view, one, part, draw)
        return
    told = loaders.audit_answer(one, part)
    job = loaders.audit_job(one, part)
    if job and job.error and not (told and told["is_complete"]):
        elements.problem(job.error)
    if told and told["is_complete"]:
        draw(told["found"], view)
        return
    st.caption(about)
    if st.button("Find out", key=f"ask-{part}", icon=":material/policy:"):
        submit_audit(loaders.cache(), one, part)
        st.rerun()


@st.fragment(run_every="1s")
def _following(view: View, asked: Question, part: str, draw: Draw) -> None:
    if not loaders.is_open(asked, part):
        st.rerun()
    _progress(asked, part)
    told = loaders.audit_answer(asked, part)
    if told:
        draw(told["found"], view)


def _progress(asked: Question, part: str) -> None:
    job = loaders.audit_job(asked, part)
    if job is None or not job.is_open:
        return
    if job.state == "queued":
        st.caption(f":material/hourglass_empty: {_NAMES[asked.model]} waits.")
        return
    left = elements.duration(job.remaining_s)
    text = f"{_NAMES[asked.model]}: {job.detail or job.phase}" + (f", {left} left" if left else "")
    st.progress(min(1.0, max(0.0, job.done)), text=text)


def _leaks(found: dict[str, Any], view: View) -> None:
    st.markdown(f"**{found['sentence']}**")
    elements.chart(audit_leaks(found, palette=elements.palette()), key="audit_leaks")
    one = found["prediction"]
    st.caption(
        f"The paper's prediction error draws {one['n_drawn']:,} people from all, of whom "
        f"{one['n_trained']:,} trained the model: {one['drawn']['value']:.0%} wrong "
        f"({one['drawn']['low']:.0%} to {one['drawn']['high']:.0%}), on average over such draws "
        f"{one['everybody']:.0%}. Of the {found['n_test']:,} test people "
        f"{one['test']['value']:.0%} are called wrongly ({one['test']['low']:.0%} to "
        f"{one['test']['high']:.0%})."
    )
