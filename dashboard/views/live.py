"""The curves of a run, growing while it trains; the same for everybody who watches."""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd
import streamlit as st

from dashboard import elements, loaders
from dashboard.charts.learning_curves import learning_curves
from pipeline import jobs
from pipeline.runs import Run

ACTIVE = {"queued", "running"}
STATES = {
    "queued": ":material/hourglass_empty: waits in the queue",
    "running": ":material/play_circle: is training",
    "finished": ":material/check_circle: has finished",
    "failed": ":material/error: failed",
    "cancelled": ":material/stop_circle: was stopped",
    "interrupted": ":material/power_off: was interrupted",
}


def curves(run_id: str) -> None:
    """Draw the learning curves; while the run is active they follow it."""
    if loaders.run(run_id).state in ACTIVE:
        _following(run_id)
    else:
        _draw(loaders.run(run_id))


@st.fragment(run_every="1s")
def _following(run_id: str) -> None:
    run = loaders.run(run_id)
    if run.state not in ACTIVE:
        st.rerun()
    _draw(run)


def _draw(run: Run) -> None:
    records = loaders.epochs(run)
    if run.state != "finished":
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"Run `{run.id}` {STATES[run.state]}.")
            if run.state in {"failed", "cancelled", "interrupted"} and st.button(
                "Start it again", icon=":material/replay:", key=f"resume-{run.id}"
            ):
                jobs.resume(loaders.cache(), run.id)
                jobs.ensure_worker(loaders.cache())
                st.rerun()
    if run.error:
        elements.problem(run.error)
    if run.state in {"failed", "interrupted"}:
        with st.expander("Last lines of the log"):
            st.code(loaders.log_tail(run) or "The log is empty.", language=None)
    if not records:
        if run.state in ACTIVE:
            st.skeleton(height=420)
        return
    metrics = loaders.metrics(run)
    best = {fold["fold"]: fold["best_epoch"] for fold in metrics["folds"]} if metrics else None
    majority = None
    if metrics and "majority" in metrics["baselines"]:
        majority = metrics["baselines"]["majority"]["accuracy"]["value"]
    made = learning_curves(
        pd.DataFrame([asdict(record) for record in records]), best, majority,
        palette=elements.palette(),
    )  # fmt: skip
    elements.chart(made, key=f"curves-{run.id}")
