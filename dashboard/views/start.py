"""Start: what this is, and two ways in."""

from __future__ import annotations

import streamlit as st

from dashboard import elements, loaders, state, work
from dashboard.charts.arrow_drawing import arrow_drawing
from dashboard.views import ingest

EXAMPLE = "simulated"


def show() -> None:
    """Draw the page."""
    st.title("From a case-control exome to a network you can trust")
    st.markdown(
        "Exolens turns a VCF and a phenotype table into quality plots, a Manhattan plot that moves "
        "with your thresholds, and a trained network whose accuracy holds up."
    )
    elements.chart(arrow_drawing(palette=elements.palette()))
    left, right = st.columns(2)
    with left.container(border=True):
        offer_example()
    with right.container(border=True):
        st.subheader("Use your own files")
        st.markdown("A VCF or BCF with its people, and a table of who is a case.")
        if st.button("Choose files", icon=":material/folder_open:"):
            state.put("show_ingest", True)
    if state.get("show_ingest"):
        ingest.form()


def offer_example() -> None:
    """Offer the simulated cohort."""
    st.subheader("Try with a simulated cohort")
    st.markdown(
        "3,000 people and about 20,000 variants with planted genes. Effects are stronger than "
        "life, so that there is something to see. Ready in about 30 seconds."
    )
    busy = any(job.kind == "simulate" for job in loaders.active_jobs())
    if st.button("Simulate", type="primary", icon=":material/play_arrow:", disabled=busy):
        work.submit("simulate", {"name": EXAMPLE})
