"""Training: what shall the network see, and how shall it learn?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import streamlit as st

from dashboard import controls, elements, loaders, state, strip
from dashboard.charts.network_drawing import network_drawing
from dashboard.view import View
from dashboard.views import live
from pipeline.errors import NotFoundError, PipelineError
from pipeline.outline import LayerOutline, outline_network
from pipeline.presets import PRESETS
from pipeline.settings import (
    AnalysisSettings,
    EncodingSettings,
    EvaluationSettings,
    NetworkSettings,
    SplitSettings,
    TrainingSettings,
    with_changes,
)
from pipeline.submit import submit_training

GROUPS = (
    ("Input", (("split", SplitSettings), ("encoding", EncodingSettings))),
    ("Network", (("network", NetworkSettings),)),
    ("Learning", (("training", TrainingSettings),)),
    ("Evidence", (("evaluation", EvaluationSettings),)),
)
STAGES = {stage: group for _, members in GROUPS for stage, group in members}


def show(view: View) -> None:
    """Draw the page."""
    st.title("What shall the network see, and how shall it learn?")
    strip.show(view)
    left, right = st.columns([2, 3])
    with left:
        preset = _presets()
        settings = _form(view.settings)
        _changed(preset, settings)
    with right:
        layers = _outline(view, settings)
        _train(view, settings, preset, layers)
        _watch(view, _run_to_watch())
        if layers:
            drawn = [asdict(layer) | {"name": _words(layer.name)} for layer in layers]
            elements.chart(network_drawing(drawn, palette=elements.palette()), key="network")
        elements.method("training")


def _presets() -> str:
    preset = st.pills(
        "Preset",
        list(PRESETS),
        format_func=_preset_title,
        default="final_2d",
        key="preset",
        required=True,
        wrap=True,
        bind="query-params",
        on_change=_fill_in_preset,
    )
    st.caption(PRESETS[preset].note)
    return preset


def _preset_title(name: str) -> str:
    return PRESETS[name].title


def _fill_in_preset() -> None:
    changes: dict[str, dict[str, Any]] = {}
    for name, value in PRESETS[state.get("preset")].changes.items():
        stage, _, field = name.partition(".")
        changes.setdefault(stage, {})[field] = value
    for stage, values in changes.items():
        controls.fill_in(stage, STAGES[stage], values)


def _form(settings: AnalysisSettings) -> AnalysisSettings:
    defaults = AnalysisSettings()
    changes: dict[str, Any] = {}
    for title, members in GROUPS:
        with st.expander(title):
            for stage, group in members:
                changes |= controls.settings_widgets(group, stage, getattr(defaults, stage))
    return with_changes(settings, changes)


def _changed(preset: str, settings: AnalysisSettings) -> None:
    """Name the fields that differ from the preset."""
    changed = []
    for name, value in PRESETS[preset].changes.items():
        stage, _, field = name.partition(".")
        if getattr(getattr(settings, stage), field) != value:
            info = STAGES[stage].model_fields[field].json_schema_extra
            changed.append(info["label"].lower())
    if changed:
        st.caption(f"Changed against the preset: {', '.join(changed)}.")


def _outline(view: View, settings: AnalysisSettings) -> tuple[LayerOutline, ...]:
    n_variants = view.analysis.n_entering
    if not n_variants:
        elements.empty(
            view.analysis.problem
            or "No variant would enter the network; raise the largest p in the sidebar."
        )
        return ()
    return outline_network(n_variants, settings.encoding.layout, settings.network)


def _run_to_watch() -> str | None:
    """Return the run of the address or of this session, else one that trains now.

    The address names it from then on: a reload and whoever gets the link see the same.
    """
    active = [job.payload["run"] for job in loaders.active_jobs() if job.kind == "train"]
    known = (st.query_params.get("run"), state.get("training_run"), *active)
    run_id = next((one for one in known if one), None)
    if run_id:
        st.query_params["run"] = run_id
        state.put("training_run", run_id)
    return run_id


def _watch(view: View, run_id: str | None) -> None:
    """Draw a run where the button that started it was pressed."""
    if run_id is None:
        return
    try:
        live.curves(run_id)
    except NotFoundError as problem:
        elements.problem(str(problem))
        return
    st.page_link(
        view.pages["run"], label="Open this run", icon=":material/monitoring:",
        query_params={"run": run_id},
    )  # fmt: skip


def _train(
    view: View, settings: AnalysisSettings, preset: str, layers: tuple[LayerOutline, ...]
) -> None:
    filtered = view.analysis.filtered
    n_people = filtered.n_case + filtered.n_control
    n_train = round(
        n_people * (1 - settings.split.test_fraction) * (1 - settings.split.validation_fraction)
    )
    n_parameters = sum(layer.n_parameters for layer in layers)
    with st.container(horizontal=True, vertical_alignment="center"):
        asked = st.button(
            "Train", type="primary", icon=":material/model_training:", disabled=not layers
        )
        text = f"About {n_train:,} training people, {n_parameters:,} parameters."
        if n_parameters > 10 * n_train:
            text = f":material/warning: {text} Such a network can learn its people by heart."
        st.caption(text)
    if settings.selection.protocol == "published":
        st.caption(
            ":material/warning: Published protocol: variants are chosen on all people, so labels "
            "of the test people leak into the accuracy."
        )
    if asked:
        try:
            run = submit_training(loaders.cache(), view.cohort.name, settings, preset)
        except PipelineError as problem:
            elements.problem(str(problem))
            return
        if run.state == "finished":
            st.toast("These settings have been trained before; here is that run.")
        elements.turn_to("run", run.id)
        st.rerun()


def _words(name: str) -> str:
    """Return a layer's name as people read it: `max_pool_1` is Max pool 1."""
    return name.replace("dense_batch_norm", "dense norm").replace("_", " ").capitalize()
