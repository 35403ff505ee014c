"""Present: the story for a room."""

from __future__ import annotations

import streamlit as st

from dashboard import elements, loaders, state
from dashboard.view import View
from dashboard.views import present_plan, present_planning, present_slides
from dashboard.views.compare_names import choices
from pipeline.errors import PipelineError
from pipeline.runs import Run


def show(view: View) -> None:
    """Draw the plan of a story, or the slide that the address names."""
    known = [run for run in loaders.all_runs() if _is_measured(run)]
    if not known:
        st.title("The story for a room")
        elements.empty(
            "No run to present yet. Train a network on the page Training; its story can be shown "
            "as soon as it has been measured."
        )
        st.page_link(view.pages["training"], label="Training", icon=":material/model_training:")
        return
    try:
        present_plan.take_from_address()
    except PipelineError as problem:
        present_plan.leave()
        st.query_params.pop("story", None)
        elements.problem(str(problem))
    is_shown = "slide" in st.query_params
    if not is_shown:
        st.title("The story for a room")
    try:
        run = _asked(known) if is_shown else _choose(known)
        if is_shown:
            present_slides.show(run)
        else:
            present_planning.show(view, run)
    except PipelineError as problem:
        elements.problem(str(problem))
        if is_shown:
            st.button("Back to the plan", icon=":material/undo:", on_click=present_plan.leave)


def _is_measured(run: Run) -> bool:
    return run.state in ("finished", "cancelled") and run.metrics_path.is_file()


def _asked(known: list[Run]) -> Run:
    """Return the run of the address, else the one of this session, else the newest."""
    asked = st.query_params.get("run") or state.get("run_chosen")
    return loaders.run(asked) if asked else known[0]


def _choose(known: list[Run]) -> Run:
    """Return the run that the address names, else the newest measured, and let another be chosen.

    Archived runs are in the list where the address names them alone.
    """
    asked = st.query_params.get("run") or state.get("run_chosen")
    titles = choices(known, asked)
    if asked and asked not in titles:
        st.caption(
            f"Run {asked[:8].translate(elements.ESCAPED)} is not there or not measured yet; the "
            "newest that is measured is chosen."
        )
    chosen = elements.choice_in_address("Run", "run", list(titles), titles)
    return next(run for run in known if run.id == chosen)
