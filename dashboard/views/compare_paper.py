"""The tables of the paper beside ours, as one part of the page Compare."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import elements, loaders
from dashboard.charts.reproduction import reproduction
from dashboard.view import View
from pipeline.errors import PipelineError
from pipeline.reproduce import CAVEATS, Planned, Reproduced, as_frame, plan, submit

ACTIVE = ("queued", "running")
TABLES = {"1": "Table 1", "2": "Table 2", "stages": "Stages of the text"}


def show(view: View) -> None:
    """Draw the tables of the paper beside ours."""
    st.header("What does the paper's table come to here?")
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        which = elements.choice_in_address("Figures of the paper", "table", list(TABLES), TABLES)
    with right:
        quick = st.toggle(
            "Quick: 3 epochs", key="compare.quick", bind="query-params",
            help="Each network trains for at most 3 epochs: minutes, and not what the paper did.",
        )  # fmt: skip
    try:
        planned = plan(which, view.settings, quick=quick)
        rows = loaders.reproduced(view.whole, planned)
    except PipelineError as problem:
        elements.problem(str(problem))
        return
    if any(row.state in ACTIVE for row in rows):
        _following(view, planned, which, quick)
    else:
        _train(view, planned, rows)
        _result(which, rows, quick)
    for caveat in CAVEATS:
        st.caption(caveat)


@st.fragment(run_every="3s")
def _following(view: View, planned: tuple[Planned, ...], which: str, quick: bool) -> None:
    """Draw the rows while some of them are trained."""
    rows = loaders.reproduced(view.whole, planned)
    n_open = sum(row.state in ACTIVE for row in rows)
    if not n_open:
        st.rerun()
    st.caption(
        f":material/hourglass_empty: {n_open} of {len(rows)} networks wait or train; each is shown "
        "as it ends."
    )
    _result(which, rows, quick)


def _result(which: str, rows: tuple[Reproduced, ...], quick: bool) -> None:
    _picture(which, rows, quick)
    _table(rows)


def _train(view: View, planned: tuple[Planned, ...], rows: tuple[Reproduced, ...]) -> None:
    """Offer to train what is not there yet, the time told first."""
    if all(row.state == "finished" for row in rows):
        return
    expected = loaders.time_to_reproduce(view.whole, planned)
    with st.container(horizontal=True, vertical_alignment="center"):
        asked = st.button("Train these networks", icon=":material/model_training:", type="primary")
        st.caption(
            f"{expected.n_to_train} trainings, each network under the honest order and the "
            f"published one: about {elements.duration(expected.seconds)}, reckoned from "
            f"{expected.basis}."
        )
    if asked:
        try:
            submit(loaders.cache(), view.whole.name, planned)
        except PipelineError as problem:
            elements.problem(str(problem))
            return
        st.rerun()


def _picture(which: str, rows: tuple[Reproduced, ...], quick: bool) -> None:
    note = "Networks of 3 epochs at most" if quick else ""
    made = reproduction(
        as_frame(rows), title=f"{TABLES[which]} of Henriques et al. 2025 beside ours", note=note,
        palette=elements.palette(),
    )  # fmt: skip
    elements.chart(made, key=f"reproduction-{which}")


def _table(rows: tuple[Reproduced, ...]) -> None:
    shown = pd.DataFrame([_cells(row) for row in rows])
    form = {
        name: st.column_config.NumberColumn(format="percent")
        for name in ("Paper, training", "Ours, training", "Paper, test", "Ours, test", "Majority")
    }
    elements.table(shown, column_config=form, saved_as="The paper beside ours")


def _cells(row: Reproduced) -> dict[str, Any]:
    """Return a row as people read it."""
    ours = row.accuracy or {}
    between = ""
    if ours.get("low") is not None:
        between = f"{100 * ours['low']:.1f} to {100 * ours['high']:.1f} %"
    return {
        "Row": row.label,
        "Network": row.setup,
        "Order": row.protocol,
        "Paper, training": row.paper_train_accuracy,
        "Ours, training": row.train_accuracy,
        "Paper, test": row.paper_test_accuracy,
        "Ours, test": ours.get("value"),
        "95 % interval": between,
        "Majority": row.majority,
        "AUC": elements.interval(row.auc) if row.auc else "",
        "Epochs": row.epochs,
        "State": f"the run of {row.same_as}" if row.same_as else row.state,
        "Run": row.run or "",
    }
