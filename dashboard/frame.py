"""The frame of every page: navigation along the arrow, which cohort, thresholds, running jobs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import streamlit as st

from dashboard import elements, loaders, sidebar, state
from dashboard.view import View
from dashboard.views import association, cohort, quality, run, start, training
from pipeline import jobs
from pipeline.errors import PipelineError
from pipeline.jobs import Job

STATIC = Path(__file__).parent / "static"
PAGES = {
    "cohort": (cohort, "Cohort", ":material/groups:"),
    "quality": (quality, "Quality", ":material/filter_alt:"),
    "association": (association, "Association", ":material/scatter_plot:"),
    "training": (training, "Training", ":material/model_training:"),
    "run": (run, "Run", ":material/monitoring:"),
}
WORDS = {
    "simulate": "Making the simulated cohort",
    "ingest": "Reading the cohort",
    "annotate": "Joining genes",
    "train": "Training",
}


def show() -> None:
    """Draw the page that the address names."""
    # The icon is a file of ours: a Material icon here would be fetched from the network.
    st.set_page_config("Exolens", STATIC / "icon.png", layout="wide")
    st.logo(STATIC / "logo.svg", size="large")
    st.html(STATIC / "style.css")
    names = loaders.names()
    if not names:
        page = st.navigation([st.Page(start.show, title="Start")], position="hidden")
        _jobs_strip()
        page.run()
        return
    chosen: list[View] = []
    pages = _pages(chosen)
    page = st.navigation(list(pages.values()), position="top")
    _jobs_strip()
    try:
        chosen.append(sidebar.choose(names, pages))
        page.run()
    except PipelineError as problem:
        elements.problem(str(problem))


def _pages(chosen: list[View]) -> dict[str, st.Page]:
    """Return the pages in the order of the arrow; each is given the view once it is chosen."""

    def shown(page: ModuleType) -> Callable[[], None]:
        return lambda: page.show(chosen[0])

    return {
        name: st.Page(shown(page), title=title, icon=icon, url_path=name,
                      default=name == "cohort")
        for name, (page, title, icon) in PAGES.items()
    }  # fmt: skip


@st.fragment(run_every="1s")
def _jobs_strip() -> None:
    """Show what is waiting or running, with a stop; ask for the whole page when one has ended."""
    active = loaders.active_jobs()
    ids = {job.id for job in active}
    if state.swap("jobs_seen", ids) - ids:
        st.rerun()
    for job in active:
        _job_line(job)


def _job_line(job: Job) -> None:
    what = job.payload.get("name") or job.payload.get("run", "")
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        if job.state == "queued":
            place = f"waits, number {job.position}" if job.position else "waits"
            st.markdown(f":material/hourglass_empty: **{WORDS[job.kind]}** {what}: {place}")
        else:
            left = elements.duration(job.remaining_s)
            detail = f" · {job.detail}" if job.detail else ""
            left = f" · {left} left" if left else ""
            text = f"**{WORDS[job.kind]}** {what}: {job.phase or 'starting'}{detail}{left}"
            st.progress(min(1.0, max(0.0, job.done or 0.0)), text=text)
        if st.button("Stop", key=f"stop-{job.id}", icon=":material/stop_circle:"):
            jobs.cancel(loaders.cache(), job.id)
