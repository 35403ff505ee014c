"""Audit, a part: would more people help?"""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import elements
from dashboard.charts.people_curve import people_curve
from dashboard.view import View


def show(found: dict[str, Any], view: View) -> None:
    """Draw the models fitted so far on parts of the people, and the trend once all are."""
    st.markdown(f"**{found['sentence'] or _so_far(found)}**")
    if not found["points"]:
        return
    trend = found["trend"]
    columns = ["n_train", "value", "low", "high"]
    made = people_curve(
        pd.DataFrame(found["points"]),
        pd.DataFrame({name: trend[name] for name in columns}) if trend else None,
        n_all=found["n_all"],
        n_test=found["n_test"],
        palette=elements.palette(),
    )
    elements.chart(made, key="audit_people")
    for note in found["notes"]:
        st.caption(note)
    st.caption(_method(found))


def _so_far(found: dict[str, Any]) -> str:
    if found["n_fits"] < found["n_asked"]:
        return f"{found['n_fits']:,} of {found['n_asked']:,} models are fitted."
    return "There are too few cases or controls to draw parts of them: a curve needs more people."


def _method(found: dict[str, Any]) -> str:
    name = "L2 regression" if found["model"] == "logistic_l2" else "The network of the settings"
    several = max(point["n_draws"] for point in found["points"]) > 1
    drawn = "The smaller parts are drawn several times" if several else "Each part is drawn once"
    method = (
        f"{name} on nested random parts of the training people; selection, imputation, scaling and "
        f"weights see the part alone, validation and test people stay the same. {drawn}, "
        "stratified, relatives whole. Limits of the dots are over test people (bootstrap)"
    )
    if not found["trend"]:
        return f"{method}."
    return (
        f"{method}, those of the trend over who trains too. The trend is {found['trend']['words']},"
        " n training people, by weighted least squares; beyond twice as many it says nothing."
    )
