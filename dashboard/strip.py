"""The strip of figures under a title, from the same analysis on every page."""

from __future__ import annotations

import math

import streamlit as st

from dashboard import caption, state
from dashboard.view import View


def show(view: View) -> None:
    """Draw five figures; one that has just changed shows its difference."""
    caption.of_view(view)
    found = view.analysis
    association = found.association
    filtered = found.filtered
    genes = found.n_genes_entering
    n_past = association.significant()["bonferroni"] if association else 0
    # Value, words, the line below them, and what more there is to say.
    figures: dict[str, tuple[float, str, str, str]] = {
        "Variants kept": (
            len(filtered.kept), f"{len(filtered.kept):,}",
            f"of {view.cohort.n_variants:,}",
            "After the quality thresholds; counted after multi-allelic sites are split.",
        ),
        "People": (
            filtered.n_case + filtered.n_control,
            f"{filtered.n_case:,} / {filtered.n_control:,}",
            "cases / controls",
            "Kept by case definition and by the thresholds on people.",
        ),
        "Lambda": (
            association.lambda_gc if association else math.nan,
            f"{association.lambda_gc:.3f}"
            if association and not math.isnan(association.lambda_gc) else "none",
            "1 without inflation" if association else "nothing is tested",
            association.lambda_note or "Over variants with expected counts of 5 or more."
            if association else "Nothing is tested.",
        ),
        "Past Bonferroni": (
            n_past, f"{n_past:,}",
            f"of {association.n_tested:,} tested" if association else "nothing is tested",
            "Variants whose p is below 0.05 over the number of tests.",
        ),
        "Would enter the network": (
            found.n_entering, f"{found.n_entering:,}",
            f"in {genes:,} genes" if genes is not None else "no gene table joined",
            "Variants that the selection would choose on all people; a run chooses on its own "
            "training people.",
        ),
    }  # fmt: skip
    now = {name: value for name, (value, *_) in figures.items()}
    before = state.swap("strip", {"cohort": view.cohort.name, **now})
    with st.container(horizontal=True, key="strip"):
        for name, (value, shown, note, more) in figures.items():
            changed = _difference(before, view.cohort.name, name, value)
            st.metric(
                name,
                shown,
                delta=changed or note,
                delta_color="primary" if changed else "off",
                delta_arrow="auto" if changed else "off",
                help=more,
                border=True,
            )


def _difference(before: dict, cohort: str, name: str, value: float) -> str | None:
    if before.get("cohort") != cohort or name not in before:
        return None
    difference = value - before[name]
    if math.isnan(difference) or difference == 0:
        return None
    return f"{difference:+.3f}" if name == "Lambda" else f"{difference:+,.0f}"
