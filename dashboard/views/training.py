"""Training: what shall the network see, and how shall it learn?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import streamlit as st

from dashboard import elements, loaders, state, strip
from dashboard.charts.network_drawing import layer_name, network_drawing
from dashboard.view import View
from dashboard.views import live, run_family, training_form
from dashboard.views.sweep import show_sweep
from dashboard.views.training_form import Form
from pipeline.errors import NotFoundError, PipelineError
from pipeline.gene_outline import outline_gene_network
from pipeline.outline import LayerOutline, outline_network
from pipeline.settings import AnalysisSettings
from pipeline.story.words import large
from pipeline.submit import submit_training

FAR_MORE = 10  # so many parameters a person, and the page warns


def show(view: View) -> None:
    """Draw the page."""
    st.title("What shall the network see, and how shall it learn?")
    strip.show(view)
    with st.container(key="wrap_training"):
        left, right = st.columns([2, 3], gap="medium")
    with left:
        form = training_form.ask(view)
    with right:
        changed = run_family.changed_run()
        if changed:
            run_family.against(view, changed, form.settings)
        layers = _outline(view, form.settings)
        _train(view, form, layers)
        _watch(view, _run_to_watch())
        if layers:
            _draw(layers, form.settings)
    _sweep(view, form.settings)
    elements.method("training")


def _outline(view: View, settings: AnalysisSettings) -> tuple[LayerOutline, ...]:
    n_variants = view.analysis.n_entering
    if not n_variants:
        elements.empty(
            view.analysis.problem
            or "No variant would enter the network; raise the largest p in the sidebar."
        )
        return ()
    if settings.network.family == "gene":
        return _outline_of_genes(view, settings)
    encoding = settings.encoding
    return outline_network(n_variants, encoding.layout, settings.network, encoding.row_width)


def _outline_of_genes(view: View, settings: AnalysisSettings) -> tuple[LayerOutline, ...]:
    """Return the layers at their largest."""
    groups = loaders.entering_groups(view.cohort, view.settings, view.analysis)
    return outline_gene_network(len(groups), groups, settings.network)


def _draw(layers: Sequence[LayerOutline], settings: AnalysisSettings) -> None:
    drawn = [asdict(layer) | {"name": layer_name(layer.name)} for layer in layers]
    elements.chart(network_drawing(drawn, palette=elements.palette()), key="network")
    if settings.network.family == "gene":
        st.caption("The largest it can be: which columns and genes remain is learned.")


# ---- the button -----------------------------------------------------------------------------


def _train(view: View, form: Form, layers: tuple[LayerOutline, ...]) -> None:
    """Draw the button with what it will cost, and the warnings."""
    n_train, n_watch = _people(view, form.settings)
    n_parameters = sum(layer.n_trainable for layer in layers)
    can_train = bool(view.analysis.n_entering) and not form.problem
    with st.container(horizontal=True, vertical_alignment="center"):
        asked = st.button(
            "Train", type="primary", icon=":material/model_training:", disabled=not can_train
        )
        st.markdown(_cost(view, n_train, n_watch, form.settings) if can_train else form.problem)
    is_bound = form.settings.network.family == "gene"
    most = "at most " if is_bound else ""
    learned = f"; {most}{large(n_parameters)} parameters to learn" if n_parameters else ""
    watch = "test people" if form.settings.selection.protocol == "published" else "people"
    text = f"{n_train:,} people train, {n_watch:,} {watch} decide when to stop{learned}."
    if n_parameters > FAR_MORE * n_train and not is_bound:
        text = f":material/warning: {text} Such a network can learn its people by heart."
    st.caption(text)
    if form.settings.selection.protocol == "published":
        st.caption(
            ":material/warning: Published protocol: variants are chosen on all people, so labels "
            "of the test people leak into the accuracy."
        )
    if asked:
        _submit(view, form)


def _submit(view: View, form: Form) -> None:
    try:
        run = submit_training(
            loaders.cache(), view.cohort.name, form.settings, form.preset,
            run_family.changed_run(),
        )  # fmt: skip
    except PipelineError as problem:
        elements.problem(str(problem))
        return
    if run.state == "finished":
        st.toast("These settings have been trained before; here is that run.")
    elements.turn_to("run", run.id)
    st.rerun()


def _people(view: View, settings: AnalysisSettings) -> tuple[int, int]:
    """Return how many people train and how many are watched, of each fold."""
    filtered, split = view.analysis.filtered, settings.split
    n_people = filtered.n_case + filtered.n_control
    n_test = round(n_people / split.folds if split.folds else n_people * split.test_fraction)
    if settings.selection.protocol == "published":
        return n_people - n_test, n_test
    n_watch = round((n_people - n_test) * split.validation_fraction)
    return n_people - n_test - n_watch, n_watch


def _cost(view: View, n_train: int, n_watch: int, settings: AnalysisSettings) -> str:
    """Return what a training will take, in words."""
    n_variants = view.analysis.n_entering
    estimate = loaders.estimate(
        str(loaders.cache()), n_variants, n_train, n_watch, settings.model_dump_json()
    )
    memory = f"{estimate.bytes_memory / 1e9:.1f} GB"
    return f"About {elements.duration(estimate.seconds_total)}, {memory}"


# ---- what trains ----------------------------------------------------------------------------


def _run_to_watch() -> str | None:
    """Return the run of the address or of this session, else one that trains now.

    The address names it from then on: a reload and whoever gets the link see the same.
    """
    active = [job.payload["run"] for job in loaders.active_jobs() if job.kind == "train"]
    known = (st.query_params.get("run"), state.get("training_run"), *active)
    run_id = next((one for one in known if one), None)
    if run_id:
        elements.name_in_address("run", run_id)
        state.put("training_run", run_id)
    return run_id


def _watch(view: View, run_id: str | None) -> None:
    """Draw a run where the button that started it was pressed."""
    if run_id is None:
        return
    try:
        live.curves(run_id, view.pages["run"])
    except NotFoundError as problem:
        elements.problem(str(problem))


def _sweep(view: View, settings: AnalysisSettings) -> None:
    """Offer to try many settings; what is not seen is not drawn."""
    with st.expander("Sweep", on_change="rerun", key="sweep_of_settings") as group:
        if group.open:
            show_sweep(view, settings)
