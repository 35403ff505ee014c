"""What happened to runs lately, what lies in the trash, what all of them take on the disk."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import elements, loaders
from dashboard.view import View
from pipeline.keeping.activity import activity
from pipeline.keeping.retention import disk_use
from pipeline.keeping.run_notes import all_notes
from pipeline.keeping.trash import in_trash

_MOST = 100


def show(view: View) -> None:
    """Draw it where somebody opens it; what is not seen is not read."""
    with st.expander("Activity, disk and trash", on_change="rerun", key="activity") as group:
        if group.open:
            _lately()
            for line in disk_use(loaders.cache()).lines():
                st.caption(line)
            _deleted(view)


def _lately() -> None:
    said = all_notes(loaders.cache())
    events = [
        {
            "When (UTC)": event.when[:16].replace("T", " "),
            "What": event.what.capitalize(),
            "Run": event.run[:8],
            "Title": said[event.run].title if event.run in said else "",
            "Cohort": event.cohort,
            "Who": event.who,
            "Detail": event.detail,
        }
        for event in activity(loaders.cache(), _MOST)
    ]
    if events:
        elements.table(pd.DataFrame(events), saved_as="activity")
    else:
        elements.empty("Nothing has happened yet. Train a network on the page Training.")


def _deleted(view: View) -> None:
    """Name what can still be brought back, newest first."""
    for one in sorted(in_trash(loaders.cache()), key=lambda one: one.when, reverse=True):
        st.page_link(
            view.pages["run"], icon=":material/restore_from_trash:",
            label=f"Run {one.run[:8]}, deleted {one.when:%Y-%m-%d}, "
            f"kept until {one.until:%Y-%m-%d}",
            query_params={"run": one.run},
        )  # fmt: skip
