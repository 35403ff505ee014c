"""What a paper has to say of a run, to copy, and the questions of a reviewer with its answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import elements, state
from dashboard.view import View
from pipeline.cohort import CURRENT, cohorts_dir
from pipeline.methods.checklist import Checklist, checklist, report_markdown
from pipeline.methods.facts import RunFacts, gather, other_runs
from pipeline.methods.questions import Question
from pipeline.methods.text import MethodsText, methods_text
from pipeline.runs import Run

# Told apart by the shape of the icon and the word; the colour only helps.
_MARKS = {
    "ok": ":green[:material/check_circle:] Fine",
    "attention": ":orange[:material/warning:] Attention",
    "problem": ":red[:material/dangerous:] **Problem**",
    "open": ":gray[:material/edit_note:] For the authors",
}


def show(view: View, run: Run, metrics: dict[str, Any]) -> None:
    """Offer the methods text and the checklist of a run that has metrics."""
    with st.expander("Methods and checklist", on_change="rerun", key="methods") as section:
        if not section.open:
            return
        facts = _facts(run, metrics)
        methods = methods_text(run, metrics, facts)
        answered = checklist(run, metrics, facts)
        if facts.lacking:
            st.caption(f"Only what the run itself holds is told. {facts.lacking}")
        _methods(run, methods, answered)
        _checklist(answered)


def _facts(run: Run, metrics: dict[str, Any]) -> RunFacts:
    """Return what is told of a run; its cohort is read once a session while it stays as it is."""
    in_force = cohorts_dir(run.cache) / run.cohort / CURRENT
    known_as = (run.id, run.finished, in_force.read_text() if in_force.is_file() else "")
    known = state.get("methods_facts")
    if known and known[0] == known_as:
        return replace(known[1], others=other_runs(run))
    with st.spinner("Counting people and variants"):
        facts = gather(run, metrics)
    state.put("methods_facts", (known_as, facts))
    return facts


def _methods(run: Run, methods: MethodsText, answered: Checklist) -> None:
    st.subheader("Methods text")
    st.caption("The button in the corner copies it. Whatever a setting turned off is not named.")
    st.code(methods.text, language=None, wrap_lines=True)
    with st.container(key="methods_references"):
        st.markdown("\n".join(f"{n}. {text.translate(elements.ESCAPED)}"
                              for n, text in enumerate(methods.references, 1)))  # fmt: skip
    st.download_button(
        "Download as Markdown",
        report_markdown(run, methods, answered),
        file_name=f"methods-{run.id[:8]}.md",
        mime="text/markdown",
        icon=":material/download:",
        on_click="ignore",
        key="methods_download",
    )


def _checklist(answered: Checklist) -> None:
    st.subheader("Could something have leaked?")
    st.markdown(answered.sentence())
    _table(answered.leaks)
    st.subheader("TRIPOD+AI checklist")
    st.caption(
        f"{answered.count('open')} items are for the authors; what a run can tell is answered."
    )
    _table(answered.tripod)


def _table(questions: Iterable[Question]) -> None:
    st.table(table_rows(questions), border="horizontal", hide_index=True)


def table_rows(questions: Iterable[Question]) -> pd.DataFrame:
    """Return the questions as the page shows them; all cells wrap, so that telephones hold them."""
    rows = [
        {
            "Mark": _MARKS[one.severity],
            # A number with a dot would begin a list.
            "Question": f"**{one.item}** {one.question.translate(elements.ESCAPED)}",
            "Answer": _answer(one),
        }
        for one in questions
    ]
    return pd.DataFrame(rows)


def _answer(one: Question) -> str:
    if one.answer == "for the authors":
        return ""
    return f"**{one.answer.capitalize()}.** {one.evidence.translate(elements.ESCAPED)}"
