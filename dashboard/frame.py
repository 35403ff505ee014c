"""The frame of every page: navigation along the arrow, which cohort, thresholds, running jobs."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import streamlit as st

from dashboard import caption, elements, loaders, marks, sidebar, state, turns, work
from dashboard.view import View
from dashboard.views import (
    association,
    audit,
    cohort,
    compare,
    genes,
    present,
    quality,
    run,
    run_keeping,
    start,
    training,
)
from pipeline import jobs
from pipeline.errors import PipelineError

STATIC = Path(__file__).parent / "static"
# The icon travels in the page: a Material icon would be fetched from the network, and a file is
# gone from the server's memory as soon as a fragment has run without it.
ICON = "data:image/png;base64," + b64encode((STATIC / "icon.png").read_bytes()).decode()
PAGES = {
    "cohort": (cohort, "Cohort", ":material/groups:"),
    "quality": (quality, "Quality", ":material/filter_alt:"),
    "association": (association, "Association", ":material/scatter_plot:"),
    "genes": (genes, "Genes", ":material/genetics:"),
    "training": (training, "Training", ":material/model_training:"),
    "run": (run, "Run", ":material/monitoring:"),
    "compare": (compare, "Compare", ":material/compare_arrows:"),
    "audit": (audit, "Audit", ":material/policy:"),
    "present": (present, "Present", ":material/co_present:"),
}
FIRST, ROOT = "cohort", "root"


def show() -> None:
    """Draw the page that the address names."""
    st.set_page_config("Exolens", ICON, layout="wide")
    st.logo(STATIC / "logo.svg", size="large")
    st.html(STATIC / "style.css")
    jobs.asked_by(run_keeping.who())
    names = loaders.names()
    if not names:
        page = st.navigation(_start_pages(), position="hidden")
        work.show()
        page.run()
        return
    chosen: list[View] = []
    pages = _pages(chosen)
    page = st.navigation([*pages.values(), _first_by_name(chosen)], position="top")
    st.set_page_config(f"{page.title} · Exolens")  # tabs and bookmarks are told apart
    work.show()
    arrived = state.take("arrived")
    if arrived in names:
        elements.turn_to("cohort", arrived)
    behind: sidebar.Behind = []

    def draw() -> None:
        view = sidebar.choose(names, pages, behind)
        chosen.append(view)
        with turns.taken():
            caption.of_cohort(view)
            marks.show(view, pages)
            page.run()

    _tell_problem_of(draw)
    for histogram in behind:
        _tell_problem_of(histogram)


def _tell_problem_of(part: Callable[[], None]) -> None:
    try:
        part()
    except PipelineError as problem:
        elements.problem(str(problem))


def _start_pages() -> list[st.Page]:
    """Return the page Start under every address, so that no link is lost while nothing is there."""
    first = st.Page(start.show, title="Start", default=True)
    return [first, *(st.Page(start.show, title="Start", url_path=name) for name in PAGES)]


def _pages(chosen: list[View]) -> dict[str, st.Page]:
    """Return the pages in the order of the arrow; each is given the view once it is chosen."""
    return {
        name: st.Page(_shown(page, chosen), title=title, icon=icon, default=name == FIRST,
                      url_path=ROOT if name == FIRST else name)
        for name, (page, title, icon) in PAGES.items()
    }  # fmt: skip


def _first_by_name(chosen: list[View]) -> st.Page:
    """Return the first page once more, under its name: a default page is served at / alone."""
    page, title, icon = PAGES[FIRST]
    return st.Page(_shown(page, chosen), title=title, icon=icon, url_path=FIRST,
                   visibility="hidden")  # fmt: skip


def _shown(page: ModuleType, chosen: list[View]) -> Callable[[], None]:
    return lambda: page.show(chosen[0])
