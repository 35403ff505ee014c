"""The strip of figures under a title, from the same analysis on every page."""

from __future__ import annotations

import math

import streamlit as st

from dashboard import state
from dashboard.view import View


def show(view: View) -> None:
    """Draw five figures; one that has just changed shows its difference."""
    found = view.analysis
    association = found.association
    filtered = found.filtered
    genes = found.n_genes_entering
    n_past = association.significant()["bonferroni"] if association else 0
    figures: dict[str, tuple[float, str, str]] = {
        "Variants kept": (
            len(filtered.kept), f"{len(filtered.kept):,}",
            f"of {view.cohort.n_variants:,} after the split",
        ),
        "People": (
            filtered.n_case + filtered.n_control,
            f"{filtered.n_case:,} / {filtered.n_control:,}",
            "cases / controls",
        ),
        "Lambda": (
            association.lambda_gc if association else math.nan,
            f"{association.lambda_gc:.3f}"
            if association and not math.isnan(association.lambda_gc) else "none",
            association.lambda_note or "over variants with expected counts of 5 or more"
            if association else "nothing is tested",
        ),
        "Past Bonferroni": (
            n_past, f"{n_past:,}",
            f"of {association.n_tested:,} tested" if association else "nothing is tested",
        ),
        "Would enter the network": (
            found.n_entering, f"{found.n_entering:,}",
            f"in {genes:,} genes" if genes is not None else "no gene table joined",
        ),
    }  # fmt: skip
    now = {name: value for name, (value, _, _) in figures.items()}
    before = state.swap("strip", {"cohort": view.cohort.name, **now})
    with st.container(horizontal=True, key="strip"):
        for name, (value, shown, note) in figures.items():
            st.metric(
                name,
                shown,
                delta=_difference(before, view.cohort.name, name, value),
                delta_color="off",
                help=note,
                border=True,
            )


def _difference(before: dict, cohort: str, name: str, value: float) -> str | None:
    if before.get("cohort") != cohort or name not in before:
        return None
    difference = value - before[name]
    if math.isnan(difference) or difference == 0:
        return None
    return f"{difference:+.3f}" if name == "Lambda" else f"{difference:+,.0f}"
