"""Quality: what did we throw away, and why?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial

import pandas as pd
import streamlit as st

from dashboard import elements, loaders, strip
from dashboard.charts.cut_histogram import cut_histogram
from dashboard.charts.funnel import funnel
from dashboard.view import View
from pipeline.quality import TITLES
from pipeline.settings import QualitySettings
from pipeline.summaries import find_variants, removed_examples

# The histogram that a step cuts: what is counted and the setting that cuts it.
_CUTS = {
    "qual": ("qual", "qual_above"),
    "depth_1": ("mean_depth", "min_mean_depth"),
    "depth_2": ("mean_depth", "min_mean_depth"),
    "call_rate_1": ("call_rate", "min_call_rate"),
    "call_rate_2": ("call_rate", "min_call_rate"),
    "gq": ("mean_gq", "min_mean_gq"),
}
_MOST_SAVED = 100_000  # rows of a file of what a step removed, spread over the genome
COLUMNS = {
    "variant_id": "Variant", "rsid": "rsID", "gene": "Gene", "removed_by": "Removed by"
}  # fmt: skip


def show(view: View) -> None:
    """Draw the page."""
    st.title("What did we throw away, and why?")
    strip.show(view)
    steps = pd.DataFrame([asdict(step) for step in view.analysis.filtered.steps])
    log = st.toggle("Logarithmic scale", key="funnel_log", bind="query-params")
    elements.chart(funnel(steps, log=log, palette=elements.palette()), key="funnel")
    elements.method("quality")
    if not len(view.analysis.filtered.kept):
        worst = steps.loc[steps["removed"].idxmax(), "title"]
        elements.empty(
            f"These thresholds keep no variant; “{worst}” removes most. Loosen it in the sidebar."
        )
    _step(view, steps)
    _search(view)


def _step(view: View, steps: pd.DataFrame) -> None:
    st.subheader("One step")
    removing = steps[(steps["removed"] > 0)]["step"].tolist()
    if not removing:
        elements.empty("No step removes anything under these thresholds.")
        return
    step = st.pills(
        "Step", removing, default=removing[0], required=True, format_func=TITLES.get,
        key="funnel_step", label_visibility="collapsed",
    )  # fmt: skip
    left, right = st.columns(2)
    with left:
        if step in _CUTS:
            measure, field = _CUTS[step]
            info = QualitySettings.model_fields[field].json_schema_extra
            bins = loaders.quality_bins(view.cohort, view.definition, measure)
            cut = getattr(view.settings.quality, field)
            made = cut_histogram(
                bins, cut, info["paper"], info["label"], info["unit"], counted="Sites",
                root_scale=True, palette=elements.palette(),
            )  # fmt: skip
            elements.chart(made, key="step_histogram")
        else:
            note = steps.set_index("step").loc[step]
            st.metric(TITLES[step], f"{note['removed']:,}", help=note["note"] or None)
            st.caption(note["note"] or "removed by this step")
    with right:
        st.caption("Some of the variants that it removed")
        found = partial(removed_examples, view.cohort, view.analysis.filtered, step)
        _table(found(), f"Removed by {TITLES[step]}", partial(found, n=_MOST_SAVED))


def _search(view: View) -> None:
    st.subheader("Where did my variant go?")
    text = st.text_input(
        "rsID, position or gene", placeholder="rs17160776, 1:985900 or AGRN", key="find"
    )
    if not text:
        return
    found = find_variants(view.cohort, view.analysis.filtered, text)
    if found.empty:
        elements.empty(f"No variant of this cohort answers to {text}.")
        return
    found["removed_by"] = ["kept" if r == "kept" else TITLES[r] for r in found["removed_by"]]
    _table(found, "Where my variant went")


def _table(
    rows: pd.DataFrame, saved_as: str, every: Callable[[], pd.DataFrame] | None = None
) -> None:
    """Draw rows; where that is more, `every` returns those that are saved."""
    full = partial(_shown, every) if every else None
    elements.table(_shown(rows), saved_as=saved_as, full=full)


def _shown(rows: pd.DataFrame | Callable[[], pd.DataFrame]) -> pd.DataFrame:
    found = rows() if callable(rows) else rows
    return found[[name for name in COLUMNS if name in found]].rename(columns=COLUMNS)
