"""The report of a run: written in the background, taken along as a file."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from dashboard import loaders, state
from pipeline import jobs
from pipeline.report import ENDINGS, report_path
from pipeline.runs import Run

_KINDS = {
    "html": ("HTML", "One file with charts that answer; opens in any browser, offline."),
    "pdf": ("PDF", "The same to print or to attach; figures are vectors."),
    "zip": ("ZIP", "Every figure as SVG, PDF and PNG, every table as CSV and Parquet."),
}
_MIME = {"html": "text/html", "pdf": "application/pdf", "zip": "application/zip"}


def show(run: Run) -> None:
    """Offer the report of a run that was measured, of each kind."""
    with st.expander("Report", on_change="rerun", key="report") as section:
        if not section.open:
            return
        st.caption(
            "The story of this run with its methods, checklist and settings. Counts and sums over "
            "people, nothing of a single person."
        )
        being_written = {
            one.payload["ending"] for one in loaders.active_jobs()
            if one.kind == "report" and one.payload["run"] == run.id
        }  # fmt: skip
        for ending in ENDINGS:
            _kind(run, ending, ending in being_written)


def _kind(run: Run, ending: str, is_being_written: bool) -> None:
    title, words = _KINDS[ending]
    path = report_path(run, ending)
    with st.container(border=True, key=f"report_{ending}"):
        st.markdown(f"**{title}** · {words}")
        if is_being_written:
            st.caption(":material/hourglass_empty: It is being written; the file comes here.")
            return
        with st.container(horizontal=True, vertical_alignment="center"):
            is_there = path.is_file()
            if is_there:
                about = path.stat()
                st.download_button(
                    f"Download, {about.st_size / 1e6:.1f} MB", path.read_bytes,
                    file_name=f"report-{run.id[:8]}.{ending}", mime=_MIME[ending],
                    icon=":material/download:", on_click="ignore", key=f"report_take_{ending}",
                )  # fmt: skip
            st.button(
                "Write again" if is_there else f"Write the {title}",
                icon=":material/refresh:" if is_there else ":material/edit_document:",
                type="tertiary" if is_there else "secondary",
                on_click=_write, args=(run, ending), key=f"report_write_{ending}",
            )  # fmt: skip
            if is_there:
                when = datetime.fromtimestamp(about.st_mtime, UTC)
                st.caption(f"Written {when:%Y-%m-%d %H:%M} UTC")


def _write(run: Run, ending: str) -> None:
    """Queue the writing of a report; the foot of the window tells how far it is."""
    cache = loaders.cache()
    payload = {"run": run.id, "name": run.cohort, "ending": ending}
    job_id = jobs.submit(cache, "report", payload, f"report-{run.id}-{ending}")
    jobs.ensure_worker(cache)
    state.put("jobs_seen", [*state.get("jobs_seen", []), job_id])
