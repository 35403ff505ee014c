"""Compare: what changed, and did it matter?"""

from __future__ import annotations

import streamlit as st

from dashboard import elements
from dashboard.view import View
from dashboard.views import compare_paper, compare_runs

RUNS, PAPER = "Runs", "Tables of the paper"


def show(view: View) -> None:
    """Draw the page."""
    st.title("What changed, and did it matter?")
    part = st.segmented_control(
        "Compare", (RUNS, PAPER), default=RUNS, required=True, key="compare.part",
        bind="query-params", label_visibility="collapsed",
    )  # fmt: skip
    if part == PAPER:
        compare_paper.show(view)
    else:
        compare_runs.show(view)
    elements.method("compare")
