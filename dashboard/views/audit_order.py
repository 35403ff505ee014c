"""Audit, a part: does order matter?"""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import elements
from dashboard.charts.metric_intervals import metric_intervals
from dashboard.view import View

ORDERS = {
    "genomic": "Along the genome",
    "gene": "Gene by gene",
    "p": "Smallest p first",
    "shuffled": "Shuffled",
}


def show(found: dict[str, Any], view: View) -> None:
    """Draw the networks trained so far in each order, and the answer once all are."""
    if not found["asked"]:  # a network without an order
        elements.empty(found["sentence"])
        return
    st.markdown(f"**{found['sentence'] or _so_far(found)}**")
    rows = found["orders"]
    if not rows:
        return
    made = metric_intervals(_table(rows), chance=0.5, palette=elements.palette())
    elements.chart(made, key="audit_order")
    against = _against_shuffled(rows)
    if against:
        st.caption(against)
    for note in found["notes"]:
        st.caption(note)
    st.caption(_method(found))


def _method(found: dict[str, Any]) -> str:
    several = found["n_seeds"] > 1
    trained = f"trained {found['n_seeds']} times" if several else "trained once"
    luck = (
        "Intervals add what other trainings move to DeLong's variance over test people"
        if several
        else "Intervals are DeLong's: what another training would move is not in them"
    )
    return (
        f"The network of the settings, {trained} in each order from the same seeds, on the same "
        f"{found['n_train']:,} training people and {found['n_variants']:,} variants chosen by them,"
        f" tested on the same {found['n_test']:,} people. {luck}; differences are paired, p are "
        "corrected by Holm over the orders compared."
    )


def _so_far(found: dict[str, Any]) -> str:
    return f"{found['n_fits']} of {found['n_asked']} networks are trained."


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "model": ORDERS[row["order"]],
                **row["auc"],
                "kind": "baseline" if row["order"] == "shuffled" else "honest",
            }
            for row in rows
        ]
    )


def _against_shuffled(rows: list[dict[str, Any]]) -> str:
    """Return each order's AUC minus that of shuffled order, "" while that is not known."""
    parts = [
        f"{ORDERS[row['order']].lower()} {_signed(row['difference'])}, {_p(row['p_holm'])}"
        for row in rows
        if row.get("difference")
    ]
    return f"AUC against shuffled: {'; '.join(parts)}." if parts else ""


def _signed(measured: dict[str, float | None]) -> str:
    if measured["low"] is None or measured["high"] is None:
        return f"{measured['value']:+.3f}"
    return f"{measured['value']:+.3f} ({measured['low']:+.3f} to {measured['high']:+.3f})"


def _p(p: float | None) -> str:
    if p is None:
        return "no p"
    return f"p {p:.2g}" if p >= 0.001 else "p below 0.001"
