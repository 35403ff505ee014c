"""Which runs are compared: a table to choose from, and the address that names them."""

from __future__ import annotations

import streamlit as st

from dashboard import caption, elements, loaders, state
from dashboard.view import View
from dashboard.views import compare_activity, compare_chosen, compare_difference, compare_table
from pipeline.errors import PipelineError
from pipeline.runs import Run

MOST = 50  # runs compared at once; an address holds no more than it can
_NAME = "compare"  # of the parameter of the address


def show(view: View) -> None:
    """Draw the table of runs and what the chosen ones come to."""
    known = loaders.all_runs()
    if not known:
        elements.empty("No run yet. Choose a network on the page Training and train it.")
        st.page_link(view.pages["training"], label="Training", icon=":material/model_training:")
        return
    chosen = _chosen()
    ticked = compare_table.show(view, known, chosen)
    if ticked is not None and ticked != chosen:
        chosen = ticked[:MOST]
        _remember(chosen)
    compared = _loaded(chosen, known)
    if len(known) == 1:
        elements.empty(
            "There is one run so far. Change a setting on the page Training and train again; then "
            "the two can be compared."
        )
        st.page_link(view.pages["training"], label="Training", icon=":material/model_training:")
    elif len(compared) < 2:
        one_more = "one more run" if compared else "two or more runs"
        elements.empty(f"Tick {one_more} at the left of the table to compare them.")
    else:
        _beside(compared)
    compare_activity.show(view)


def _beside(compared: list[Run]) -> None:
    caption.of_runs(compared)
    left, right = st.columns([4, 1], vertical_alignment="center")
    with left:
        st.header(f"{len(compared)} runs compared")
    with right:
        st.button("Untick all", icon=":material/deselect:", type="tertiary", on_click=_clear)
    if len(compared) == MOST:
        st.caption(f"Not more than {MOST} runs are compared at once.")
    if len(compared) == 2:
        compare_difference.show(*compared)
    compare_chosen.show(compared)


def _chosen() -> tuple[str, ...]:
    """Return the ids that the address names, else those chosen before on this page."""
    asked = st.query_params.get(_NAME)
    ids = state.get("compare_chosen", ()) if asked is None else asked.split(",")
    chosen = tuple(dict.fromkeys(one.strip() for one in ids if one.strip()))[:MOST]
    if tuple(state.get("compare_chosen", ())) != chosen:
        compare_table.forget_ticks()  # they came from elsewhere: the table begins with them
    _remember(chosen)
    return chosen


def _remember(chosen: tuple[str, ...]) -> None:
    state.put("compare_chosen", chosen)
    if chosen:
        elements.name_in_address(_NAME, ",".join(chosen))
    elif _NAME in st.query_params:
        del st.query_params[_NAME]


def _clear() -> None:
    _remember(())
    compare_table.forget_ticks()


def _loaded(chosen: tuple[str, ...], known: list[Run]) -> list[Run]:
    """Return the chosen runs that are there; of others it is said that they are not."""
    by_id = {run.id: run for run in known}
    found = []
    for one in chosen:
        try:
            found.append(by_id[one] if one in by_id else loaders.run(one))
        except PipelineError as problem:
            elements.problem(str(problem))
    return found
