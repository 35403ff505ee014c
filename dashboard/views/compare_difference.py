"""Two runs: what was set differently, what it changed, and whether it mattered."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import elements, loaders
from dashboard.charts.auc_difference import auc_difference
from dashboard.charts.gained_lost import gained_lost
from dashboard.fields import value_words
from dashboard.views.compare_names import run_name, with_unit
from pipeline.comparison import ChangedClass, GainedLost, PairedAuc, differing_settings
from pipeline.runs import Run

_MOST_ROWS, _ROW_PIXELS = 20, 35
_CLASSES = {
    "right_in_both": "Right in both",
    "right_in_first": "Right in the first alone",
    "right_in_second": "Right in the second alone",
    "wrong_in_both": "Wrong in both",
}
_GENES = {
    "gene": "Gene",
    "n_gained": "Came",
    "n_lost": "Left",
    "n_shared": "Stayed",
    "n_first": "In the first",
    "n_second": "In the second",
}


def show(first: Run, second: Run) -> None:
    """Draw the difference of two runs: settings, variants and genes, AUC, people."""
    st.caption(f"First: {run_name(first)}. Second: {run_name(second)}.")
    _settings(first, second)
    pair = loaders.run_pair(first, second)
    with st.container(key="wrap_compare_pair"):
        left, right = st.columns(2)
    with left:
        if pair.variants is not None:
            _entered(pair.variants)
    with right:
        if pair.auc is not None:
            _auc(pair.auc)
        if pair.classes is not None:
            _people(pair.classes)
        for problem in pair.problems:
            elements.empty(problem)


def _settings(first: Run, second: Run) -> None:
    st.subheader("What was set differently")
    differing = differing_settings([first, second])
    if not differing:
        elements.empty("Nothing: these are two trainings of the same settings.")
        return
    rows = [
        {
            "Setting": with_unit(one.label, one.unit),
            "First": value_words(one.values[0]),
            "Second": value_words(one.values[1]),
        }
        for one in differing
    ]
    form = {
        "Setting": st.column_config.TextColumn(width=140),
        "First": st.column_config.TextColumn(width=90, help=run_name(first)),
        "Second": st.column_config.TextColumn(width=90, help=run_name(second)),
    }
    height = (min(len(rows), _MOST_ROWS) + 1) * _ROW_PIXELS + 3
    elements.table(pd.DataFrame(rows), column_config=form, height=height,
                   key="compare_settings", saved_as="settings that differ")  # fmt: skip


def _entered(found: GainedLost) -> None:
    rows = [{"kind": "Variants", "lost": found.n_lost, "shared": found.n_shared,
             "gained": found.n_gained}]  # fmt: skip
    if found.genes is not None:
        rows.append({"kind": "Genes", "lost": found.n_genes_lost, "shared": found.n_genes_shared,
                     "gained": found.n_genes_gained})  # fmt: skip
    made = gained_lost(pd.DataFrame(rows), palette=elements.palette())
    elements.chart(made, key="compare_entered")
    if found.note:
        st.caption(found.note)
    if found.genes is None:
        return
    changed = found.genes[found.genes["n_gained"] + found.genes["n_lost"] > 0]
    if changed.empty:
        st.caption("The same variants of the same genes entered both.")
        return
    form = {"Gene": st.column_config.TextColumn(width=110)}
    form |= {name: st.column_config.NumberColumn(format="localized", width=80)
             for name in list(_GENES.values())[1:]}  # fmt: skip
    shown = changed[list(_GENES)].rename(columns=_GENES)
    elements.table(shown, column_config=form, height=300, key="compare_genes",
                   saved_as="genes gained and lost")  # fmt: skip


def _auc(found: PairedAuc) -> None:
    people = f"{found.n_case:,} cases, {found.n_control:,} controls"
    people += f", {found.n_folds} folds" if found.n_folds > 1 else ""
    difference = found.difference
    made = auc_difference(
        difference.value, difference.low, difference.high, confidence=found.confidence,
        people=people, palette=elements.palette(),
    )  # fmt: skip
    elements.chart(made, key="compare_difference")
    if difference.low != difference.low:
        st.caption("Too few people for an interval.")
    elif difference.low <= 0 <= difference.high:
        st.caption("The interval holds 0: these test people do not tell the two runs apart.")
    else:
        better = "second" if difference.value > 0 else "first"
        st.caption(f"The interval leaves 0 out: on these test people the {better} run is better.")
    if found.warning:
        st.warning(found.warning, icon=":material/warning:")


def _people(found: ChangedClass) -> None:
    st.markdown("**Whose call changed**")
    sides = {"Cases": found.case, "Controls": found.control}
    told = {title: counts for title, counts in sides.items() if counts is not None}
    if told:
        table = {"Called": list(_CLASSES.values())}
        table |= {title: [counts[name] for name in _CLASSES] for title, counts in told.items()}
        form = {"Called": st.column_config.TextColumn(width=170)}
        form |= {title: st.column_config.NumberColumn(format="localized", width=80)
                 for title in told}  # fmt: skip
        elements.table(pd.DataFrame(table), column_config=form, key="compare_people",
                       saved_as="people called otherwise")  # fmt: skip
    withheld = [title.lower() for title in sides if title not in told]
    if withheld:
        st.caption(
            f"Of {' and '.join(withheld)} nothing is told: one of the counts is below five people, "
            "and the others would give it away."
        )
