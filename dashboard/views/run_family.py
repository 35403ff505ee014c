"""What if? A run is changed into another, and the family of what came of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import elements, loaders, sidebar, state
from dashboard.charts.metric_intervals import metric_intervals
from dashboard.fields import value_words
from dashboard.view import View
from dashboard.views import training_form
from pipeline.comparison import Difference, differing_settings
from pipeline.errors import NotFoundError
from pipeline.lineage import Relative, family
from pipeline.runs import Run
from pipeline.settings import AnalysisSettings
from pipeline.submit import identify

_CHANGED = "changed_run"
_INDENT = "\u2003"  # a space that is not folded
_LONGEST = 44  # characters of what was changed
_LINKS = 8


def change_button(view: View, run: Run) -> None:
    """Offer to change a run: the page Training opens with all that it was made with."""
    asked = st.button(
        "Change this", icon=":material/tune:", on_click=_adopt, args=(run,),
        help="Opens the page Training with thresholds and network as this run had them.",
    )  # fmt: skip
    if asked:
        # A switch leaves the address behind, and with it the cohort of a run that was linked to.
        st.switch_page(view.pages["training"], query_params={"cohort": run.cohort, "from": run.id})


def changed_run() -> Run | None:
    """Return the run that is being changed, named by the address or by this session."""
    run_id = st.query_params.get("from") or state.get(_CHANGED)
    if not run_id:
        return None
    try:
        run = loaders.run(run_id)
    except NotFoundError:
        _forget()
        return None
    state.put(_CHANGED, run.id)
    st.query_params["from"] = run.id
    return run


def against(view: View, run: Run, settings: AnalysisSettings) -> None:
    """Say how settings differ from the run that is being changed."""
    if run.fingerprint != view.whole.fingerprint:
        _forget()
        return
    named, _, _ = identify(view.cohort, settings)
    asked = replace(run, settings=named.model_dump(mode="json"))
    changes = differing_settings([run, asked])
    metrics = loaders.metrics(run)
    auc = f" (AUC {metrics['test']['auc']['value']:.3f})" if _has_auc(metrics) else ""
    told = "; ".join(_words(change) for change in changes) or "nothing so far"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/tune: **Changed from run `{run.id[:8]}`{auc}:** {told}.")
        st.button("Start anew", icon=":material/close:", on_click=_forget, type="tertiary")


def show(view: View, run: Run) -> None:
    """Draw the family of a run; nothing where it has none."""
    relatives = family(run)
    if len(relatives) < 2:
        return
    st.subheader("What was changed from here")
    by_id = {one.run.id: one.run for one in relatives}
    rows = [_row(one, by_id, run) for one in relatives]
    table = pd.DataFrame([row for row in rows if row["value"] is not None])
    if not table.empty:
        elements.chart(metric_intervals(table, palette=elements.palette()), key="family")
    parent = next(one.parent for one in relatives if one.run.id == run.id)
    near = [one for one in relatives if one.parent == run.id or one.run.id == parent]
    with st.container(horizontal=True):
        for one in near[:_LINKS]:
            st.page_link(
                view.pages["run"], label=_title(one, by_id), icon=":material/monitoring:",
                query_params={"run": one.run.id},
            )  # fmt: skip


def _row(one: Relative, by_id: dict[str, Run], shown: Run) -> dict[str, Any]:
    metrics = loaders.metrics(one.run)
    auc = metrics["test"]["auc"] if _has_auc(metrics) else dict.fromkeys(("value", "low", "high"))
    here = "● " if one.run.id == shown.id else ""
    elbow = f"{_INDENT * (one.generation - 1)}└ " if one.generation else ""
    return {
        "model": f"{elbow}{here}{_title(one, by_id)}",
        **auc,
        "kind": one.run.settings["selection"]["protocol"],
    }


def _title(one: Relative, by_id: dict[str, Run]) -> str:
    """Return what was changed to get to a run, its own name for the first of the family."""
    parent = by_id.get(one.parent or "")
    if parent is None:
        return f"Run {one.run.id[:8]}"
    changes = [
        change
        for change in differing_settings([parent, one.run])
        if not change.setting.startswith("version.")
    ]
    told = "; ".join(_words(change) for change in changes)
    return told if len(told) <= _LONGEST else f"{told[: _LONGEST - 1]}…"


def _words(change: Difference) -> str:
    before, after = (value_words(value) for value in change.values)
    return f"{change.label} {before} → {after}"


def _has_auc(metrics: dict[str, Any] | None) -> bool:
    return metrics is not None and metrics["test"]["auc"]["value"] is not None


def _adopt(run: Run) -> None:
    settings = run.analysis()
    elements.turn_to("cohort", run.cohort)
    state.put("cohort_of_roles", run.cohort)
    sidebar.adopt(settings)
    training_form.adopt(run.preset, settings)
    state.put(_CHANGED, run.id)


def _forget() -> None:
    state.take(_CHANGED)
    st.query_params.pop("from", None)
