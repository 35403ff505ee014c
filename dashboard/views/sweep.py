"""A sweep on the Training page: which settings would have done better?"""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import controls, elements, loaders, state
from dashboard.charts.sweep import (
    importance_bars,
    number_words,
    parallel_coordinates,
    sweep_history,
    value_words,
)
from dashboard.view import View
from dashboard.views import training_form
from pipeline import jobs
from pipeline.errors import NotFoundError, PipelineError, StaleArtifactError
from pipeline.settings import AnalysisSettings, with_changes
from pipeline.settings.sweep import (
    DEFAULT_FIELDS,
    RANGES,
    STAGES,
    Range,
    SweepSettings,
    from_parameter,
)
from pipeline.sweep import Sweep, list_sweeps, read_sweep, submit_sweep
from pipeline.sweep.stored import LEAST_FOR_IMPORTANCE, job_id

ACTIVE = {"queued", "running"}
STATES = {
    "queued": ":material/hourglass_empty: waits in the queue",
    "running": ":material/play_circle: is at work",
    "finished": ":material/check_circle: has ended",
    "failed": ":material/error: failed",
    "cancelled": ":material/stop_circle: was stopped",
    "interrupted": ":material/power_off: was interrupted",
}
OUTCOMES = {"complete": "ended", "pruned": "given up", "failed": "failed"}
SAMPLERS = {"tpe": "Guided (TPE)", "random": "Random"}
_FORM = (("minutes", "trials"), ("sampler", "metric"), ("prune", "parallel"))


def show_sweep(view: View, settings: AnalysisSettings | None = None) -> None:
    """Draw the form, the sweep that runs or the last one of this cohort, and the method.

    `settings` are those that trials change, by default those of the view.
    """
    st.subheader("Search for good settings")
    asked = _form()
    start = st.button(
        "Start the search", icon=":material/travel_explore:", disabled=asked is None,
        key="start_sweep",
    )  # fmt: skip
    st.caption(
        "What is not tried stays as the form above has it. Every trial is judged on validation "
        "people; test people are set aside until the best settings are trained as an ordinary run."
    )
    if start and asked is not None:
        _submit(view, settings or view.settings, asked)
    sweep = _to_watch(view)
    if sweep is None:
        elements.empty("No search on this cohort yet; choose what to try and start one.")
    elif sweep.state in ACTIVE:
        _following(view, sweep.id)
    else:
        _draw(view, sweep)
    elements.method("sweep")


def _form() -> SweepSettings | None:
    """Return what the widgets ask for, None while nothing is to be tried."""
    defaults = SweepSettings()
    changes: dict[str, Any] = {}
    for names in _FORM:
        for place, name in zip(st.columns(len(names)), names, strict=True):
            with place:
                if name == "sampler":
                    changes["sweep.sampler"] = _sampler(defaults.sampler)
                    continue
                changes |= controls.settings_widgets(
                    SweepSettings, "sweep", defaults, only=(name,),
                    notes={"minutes": ":gray[in minutes]"},
                )  # fmt: skip
    chosen = st.multiselect(
        "What is tried",
        list(RANGES),
        default=list(DEFAULT_FIELDS),
        format_func=_label,
        key="sweep.fields",
        bind="query-params",
        help="Each has a range of its own, told below; the command line can narrow it.",
    )
    if not chosen:
        elements.problem("A search needs something to try; choose one setting or more.")
        return None
    ranges = "; ".join(f"{_label(name)}: {_range_words(RANGES[name])}" for name in chosen)
    st.caption(f"{ranges}.")
    own = {name.partition(".")[2]: value for name, value in changes.items()}
    return SweepSettings(**own, fields=tuple(chosen))


def _sampler(default: str) -> str:
    """Draw how settings are proposed, in words of its own: the one of the command line is TPE."""
    extra: Any = SweepSettings.model_fields["sampler"].json_schema_extra
    return st.segmented_control(
        extra["label"], list(SAMPLERS), default=default, required=True, width="stretch",
        format_func=SAMPLERS.__getitem__, key="sweep.sampler", bind="query-params",
        help="Guided: ten guesses, then near what did well (TPE, a tree of Parzen estimators). "
        "Random: every trial a guess.",
    )  # fmt: skip


def _label(name: str) -> str:
    return RANGES[name].label


def _range_words(one: Range) -> str:
    if one.kind == "choice":
        # Sizes of several layers have commas of their own.
        words = [value_words(choice).replace(", ", " and ") for choice in one.choices]
        return f"{', '.join(words[:-1])} or {words[-1]}"
    return f"{number_words(one.low)} to {number_words(one.high)}"


def _submit(view: View, settings: AnalysisSettings, asked: SweepSettings) -> None:
    try:
        sweep_id = submit_sweep(loaders.cache(), view.whole.name, settings, asked)
    except PipelineError as problem:
        elements.problem(str(problem))
        return
    if read_sweep(loaders.cache(), sweep_id).state == "finished":
        st.toast("This search was made before; here it is. More minutes or trials go on with it.")
    st.query_params["sweep"] = sweep_id
    state.put("sweep_watched", sweep_id)
    st.rerun()


def _to_watch(view: View) -> Sweep | None:
    """Return the sweep of the address or of this session, else the newest of this cohort."""
    for sweep_id in (st.query_params.get("sweep"), state.get("sweep_watched")):
        if sweep_id:
            try:
                sweep = read_sweep(loaders.cache(), sweep_id)
            except (NotFoundError, StaleArtifactError) as problem:
                elements.problem(str(problem))
                continue
            if sweep.fingerprint == view.whole.fingerprint:
                return sweep
    known = list_sweeps(loaders.cache())
    return next((one for one in known if one.fingerprint == view.whole.fingerprint), None)


@st.fragment(run_every="2s")
def _following(view: View, sweep_id: str) -> None:
    sweep = read_sweep(loaders.cache(), sweep_id)
    if sweep.state not in ACTIVE:
        st.rerun()
    _draw(view, sweep)


def _draw(view: View, sweep: Sweep) -> None:
    _said(view, sweep)
    if sweep.error:
        elements.problem(sweep.error)
    if not sweep.trials:
        if sweep.state in ACTIVE:
            st.skeleton(height=300)
        return
    trials, asked = sweep.table(), sweep.asked
    palette = elements.palette()
    with st.container(key="wrap_sweep"):
        left, right = st.columns([3, 2])
    with left:
        made = sweep_history(trials, asked.metric, palette=palette)
        elements.chart(made, key=f"history-{sweep.id}")
    with right:
        if sweep.importance:
            labels = [RANGES[name].label for name in sweep.importance]
            shares = pd.DataFrame({"label": labels, "share": list(sweep.importance.values())})
            elements.chart(importance_bars(shares, palette=palette), key=f"weights-{sweep.id}")
        else:
            st.caption(_too_few(trials))
    if (trials["state"] != "failed").any():
        made = parallel_coordinates(trials, sweep.axes(), asked.metric, palette=palette)
        elements.chart(made, key=f"trials-{sweep.id}")
    with st.expander("All trials"):
        elements.table(_table(sweep, trials), saved_as="trials")


def _said(view: View, sweep: Sweep) -> None:
    best = sweep.best
    name = {"auc": "AUC", "loss": "loss"}[sweep.asked.metric]
    text = f"Search `{sweep.id[:8]}` {STATES[sweep.state]}: {len(sweep.trials):,} trials"
    text += f" in {elements.duration(sweep.spent_s)}"
    if best is not None:
        text += f"; best {name} {best.value:.3f} (trial {best.number})"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{text}.")
        if sweep.state in {"failed", "cancelled", "interrupted"} and st.button(
            "Go on", icon=":material/replay:", key=f"resume-{sweep.id}"
        ):
            jobs.resume(loaders.cache(), job_id(sweep.id))
            jobs.ensure_worker(loaders.cache())
            st.rerun()
        if best is not None and st.button(
            "Fill in the best", icon=":material/input:", key=f"fill-{sweep.id}",
            on_click=_fill_in, args=(sweep, best.parameters),
            help="The form above becomes that of the best trial.",
        ):  # fmt: skip
            st.rerun()  # the form lies outside what is drawn anew while a search is at work
        if sweep.run:
            st.page_link(
                view.pages["run"], label="Its run, with test people", icon=":material/monitoring:",
                query_params={"run": sweep.run},
            )  # fmt: skip


def _too_few(trials: pd.DataFrame) -> str:
    """Return why it is not told what mattered, and what helps."""
    n_ended = int((trials["state"] == "complete").sum())
    if n_ended >= LEAST_FOR_IMPORTANCE:
        return "What mattered cannot be told from these trials; more of them go on with the search."
    return (
        f"What mattered is told once {LEAST_FOR_IMPORTANCE} trials have come to their end; so far "
        f"{n_ended} did."
    )


def _fill_in(sweep: Sweep, parameters: dict[str, Any]) -> None:
    """Set the form to what the best trial had: what the search started from, and what it tried."""
    changes = {name: from_parameter(value) for name, value in parameters.items()}
    preset = training_form.preset_of(sweep.base) or state.get("preset_chosen") or ""
    training_form.adopt(preset, with_changes(sweep.base, changes))
    for name, value in changes.items():
        stage, _, field = name.partition(".")
        controls.fill_in(stage, STAGES[stage], {field: value})


def _table(sweep: Sweep, trials: pd.DataFrame) -> pd.DataFrame:
    """Return the trials as people read them, the best first."""
    metric = sweep.asked.metric
    ordered = trials.sort_values(["value", "number"], ascending=[metric == "loss", True])
    table = pd.DataFrame(
        {
            "Trial": ordered["number"],
            "AUC" if metric == "auc" else "Loss": ordered["value"].round(4),
            "Outcome": ordered["state"].map(OUTCOMES),
            "Epochs": ordered["epochs"],
            "Seconds": ordered["seconds"].round(1),
            "Variants": ordered["selected"],
        }
    )
    for one in sweep.asked.ranges():
        table[one.label] = [value_words(value) for value in ordered[one.name]]
    return table.assign(Why=ordered["reason"])
