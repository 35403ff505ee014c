"""The other half of a Miami plot: another test, other cases, a run, or a published file."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pandas as pd
import streamlit as st

from dashboard import access, chosen, chosen_marks, elements, folders, loaders
from dashboard.charts.miami import miami
from dashboard.view import View
from dashboard.views.compare_names import choices
from dashboard.views.variant import CORRECTIONS
from pipeline.association import Association
from pipeline.errors import EmptyResultError, PipelineError
from pipeline.settings import PeopleSettings, with_changes
from pipeline.sources.sumstats_header import SummaryColumns, sniff_summary_file
from pipeline.story.words import TESTS
from pipeline.summaries import peaks

KINDS = {
    "none": "Nothing",
    "test": "Another test",
    "cases": "Other cases",
    "run": "A run",
    "file": "A published file",
}
_TABLES = (".tsv", ".tsv.gz", ".txt", ".txt.gz", ".csv", ".csv.gz", ".gz", ".assoc", ".logistic")
_ASKED = ("chromosome", "position", "p_value", "neg_log10_p", "rsid", "gene")
GENOME_WIDE = ("5e-8 genome-wide", -math.log10(5e-8))
_BUILDS = ("unknown", "hg18", "hg19", "hg38")


@dataclass(frozen=True)
class Halves:
    """Both halves on one axis; the upper one is the page's own."""

    upper: pd.DataFrame
    lower: pd.DataFrame
    chromosomes: pd.DataFrame
    lower_title: str
    lower_line: tuple[str, float]
    lower_view: View | None = None  # where the lower half is an analysis of ours
    notes: tuple[str, ...] = ()


def show(view: View, found: Association) -> None:
    """Offer the second half, and draw both when one is chosen."""
    st.subheader("Beside another")
    kind = st.segmented_control(
        "Compare with", list(KINDS), default="none", required=True, format_func=KINDS.get,
        key="second", bind="query-params",
    )  # fmt: skip
    try:
        halves = _HALVES[kind](view, found)
    except PipelineError as problem:
        elements.problem(str(problem))
        return
    if halves is None:
        return
    asked = view.settings.association
    palette = elements.palette()
    upper_line = (CORRECTIONS[asked.correction], view.analysis.line(asked))
    made = miami(
        halves.upper, halves.lower, halves.chromosomes,
        upper_title=f"{view.cohort.name}, {TESTS[found.test]}",
        lower_title=halves.lower_title, lines=_line(upper_line),
        lower_lines=_line(halves.lower_line), upper_peaks=peaks(halves.upper, upper_line[1]),
        lower_peaks=peaks(halves.lower, halves.lower_line[1]),
        marks=chosen_marks.halves(view, halves.lower_view, halves.lower, halves.chromosomes),
        palette=palette,
    )  # fmt: skip
    chosen.chart(view, made, "miami")
    for note in halves.notes:
        st.caption(note)


def _line(named: tuple[str, float]) -> pd.DataFrame:
    label, y = named
    rows = [{"label": label, "y": y}] if math.isfinite(y) else []
    return pd.DataFrame(rows, columns=["label", "y"])


def _nothing(view: View, found: Association) -> None:
    st.caption("Two halves on one axis: what another test, definition or study says.")


def _another_test(view: View, found: Association) -> Halves:
    others = [test for test in TESTS if test not in (found.test, "logistic")]
    test = st.selectbox("Test", others, format_func=TESTS.get, key="second_test")
    settings = with_changes(view.settings, {"association.test": test})
    return _analysed(view, replace(view, settings=settings), TESTS[test])


def _other_cases(view: View, found: Association) -> Halves | None:
    controls = view.definition.control
    options = [name for name in view.cohort.n_people if name not in controls]
    cases = st.multiselect("Cases of the lower half", options, key="second_cases")
    if not cases:
        elements.empty("Choose the diagnoses that are cases in the lower half.")
        return None
    out = tuple(name for name in view.cohort.n_people if name not in {*cases, *controls})
    people = PeopleSettings(case=tuple(cases), control=controls, exclude=out)
    settings = view.settings.model_copy(update={"people": people})
    return _analysed(view, replace(view, settings=settings), f"{' + '.join(cases)} as cases")


def _of_run(view: View, found: Association) -> Halves | None:
    runs = [run for run in loaders.all_runs() if run.cohort == view.cohort.name]
    if not runs:
        elements.empty("There is no run of this cohort yet; train one on the Training page.")
        return None
    titles = choices(runs)
    run = loaders.run(st.selectbox("Run", list(titles), format_func=titles.get, key="second_run"))
    settings = run.analysis()
    cohort = loaders.counted(view.whole, settings.samples, lambda progress: None)
    other = View(view.whole, cohort, settings, view.pages)
    return _analysed(view, other, f"the thresholds of run {run.id[:8]}")


def _analysed(view: View, other: View, title: str) -> Halves:
    analysis, settings = other.analysis, other.settings
    if analysis.association is None:
        raise EmptyResultError(f"The lower half shows nothing: {analysis.problem}")
    upper, chromosomes = loaders.manhattan(view.cohort, view.settings, view.analysis)
    lower, _ = loaders.manhattan(other.cohort, settings, analysis)
    n_tested = analysis.association.n_tested
    line = CORRECTIONS[settings.association.correction], analysis.line(settings.association)
    notes = (f"{n_tested:,} variants in the lower half.",)
    return Halves(upper, lower, chromosomes, title, line, other, notes)


def _published(view: View, found: Association) -> Halves | None:
    """Ask for a file below the allowed folders, and for what its columns are."""
    folder = folders.choose("published")
    left, right = st.columns([3, 1])
    files = access.files_in(folder, _TABLES)
    name = left.selectbox("Published table", files, index=None, key="published_file")
    build = right.selectbox("Its build", _BUILDS, key="published_build")
    if not name:
        elements.empty("Name a table of a published study: chromosome, position and p are enough.")
        return None
    columns = _confirmed(sniff_summary_file(folder / name))
    if columns.missing:
        elements.empty(f"Say which column has {' and '.join(columns.missing)}.")
        return None
    upper, lower, chromosomes, notes = loaders.published(
        view.cohort, view.settings, view.analysis, columns, build
    )
    return Halves(upper, lower, chromosomes, name, GENOME_WIDE, None, notes)


def _confirmed(found: SummaryColumns) -> SummaryColumns:
    """Draw the first rows and the column of each role, and return what the user says."""
    with st.expander(found.question(), expanded=bool(found.missing)):
        elements.table(pd.DataFrame(found.preview[:5], columns=list(found.header)))
        chosen = {}
        for place, role in zip(st.columns(len(_ASKED)), _ASKED, strict=True):
            guess = found.roles.get(role)
            chosen[role] = place.selectbox(
                role.replace("_", " ").capitalize(), found.header,
                index=found.header.index(guess) if guess else None,
                key=f"published_{role}_{found.path.name}",
            )  # fmt: skip
    return found.with_roles(chosen)


_HALVES = {
    "none": _nothing,
    "test": _another_test,
    "cases": _other_cases,
    "run": _of_run,
    "file": _published,
}
