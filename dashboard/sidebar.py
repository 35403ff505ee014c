"""The sidebar: cohort, case definition and thresholds, the same on every page."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st

from dashboard import controls, elements, loaders, state
from dashboard.charts.cut_histogram import cut_histogram
from dashboard.view import View
from pipeline.cohort import Cohort
from pipeline.errors import SettingsError
from pipeline.people import CaseDefinition
from pipeline.settings import (
    AnalysisSettings,
    AssociationSettings,
    PeopleSettings,
    QualitySettings,
    SelectionSettings,
    with_changes,
)

SITE = ("qual_above", "min_mean_depth", "min_call_rate", "drop_monomorphic", "filter_pass")
KINDS = ("drop_sex_chromosomes", "drop_indels")
MORE = ("min_mac", "max_hwe_log10", "min_mean_gq", "max_missingness_log10")

ROLES = {"case": "Cases", "control": "Controls"}

# The histogram behind a slider: what is counted, which side the cut removes.
_BEHIND = {
    "qual_above": "qual",
    "min_mean_depth": "mean_depth",
    "min_call_rate": "call_rate",
    "min_mean_gq": "mean_gq",
}


def choose(names: list[str], pages: Mapping[str, Any]) -> View:
    """Draw the sidebar and return what it says."""
    with st.sidebar:
        name = elements.choice_in_address("Cohort", "cohort", names)
        cohort = loaders.cohort(name)
        people = _case_definition(cohort)
        definition = cohort.define_cases(people)
        changes: dict[str, Any] = {}
        st.subheader("Quality")
        controls.preset_buttons("quality", QualitySettings)
        defaults = AnalysisSettings()
        for title, fields, is_open in (
            ("Site", SITE, True),
            ("Kinds of variants", KINDS, False),
            ("Frequency, genotype, people", MORE, False),
        ):
            with st.expander(title, expanded=is_open):
                changes |= controls.settings_widgets(
                    QualitySettings,
                    "quality",
                    defaults.quality,
                    only=fields,
                    histograms=_histograms(cohort, definition, fields),
                )
        with st.expander("Association"):
            changes |= controls.settings_widgets(
                AssociationSettings, "association", defaults.association
            )
        with st.expander("Selection for the network"):
            changes |= controls.settings_widgets(SelectionSettings, "selection", defaults.selection)
    settings = with_changes(AnalysisSettings(people=people), changes)
    return View(cohort, settings, pages)


def _case_definition(cohort: Cohort) -> PeopleSettings:
    """Return who is a case and who a control; nothing named while it is as found."""
    found = _found(cohort)
    if state.swap("cohort_of_roles", cohort.name) != cohort.name:
        # The words of another cohort mean nothing here.
        state.set_widgets({f"people.{role}": list(getattr(found, role)) for role in ROLES})
    diagnoses = list(cohort.n_people)
    with st.expander("Cases and controls", expanded=not (found.case and found.control)):
        picked = {}
        for role, label in ROLES.items():
            picked[role] = st.multiselect(
                label,
                diagnoses,
                default=list(getattr(found, role)),
                format_func=partial(_with_count, cohort.n_people),
                key=f"people.{role}",
                bind="query-params",
            )
        both = set(picked["case"]) & set(picked["control"])
        if both:
            elements.problem(
                f"A diagnosis is case or control, but {', '.join(sorted(both))} is both; "
                "take it out of one."
            )
            return PeopleSettings()
        out = [d for d in diagnoses if d not in {*picked["case"], *picked["control"]}]
        counted = ", ".join(_with_count(cohort.n_people, d) for d in out)
        st.caption(f"Left out: {counted or 'nobody'}")
    if (set(picked["case"]), set(picked["control"])) == (set(found.case), set(found.control)):
        return PeopleSettings()
    return PeopleSettings(
        case=tuple(picked["case"]), control=tuple(picked["control"]), exclude=tuple(out)
    )


def _found(cohort: Cohort) -> CaseDefinition:
    """Return the roles as found by name; none where they cannot be told."""
    try:
        return cohort.define_cases(PeopleSettings())
    except SettingsError:
        return CaseDefinition((), (), tuple(cohort.n_people), "to be chosen")


def _with_count(n_people: dict[str, int], diagnosis: str) -> str:
    return f"{diagnosis} ({n_people[diagnosis]:,})"


def _histograms(
    cohort: Cohort, definition: CaseDefinition, fields: tuple[str, ...]
) -> dict[str, controls.Histogram]:
    drawn = {}
    for field in fields:
        if field not in _BEHIND or not (definition.case or definition.control):
            continue
        bins = loaders.quality_bins(cohort, definition, _BEHIND[field])
        if len(bins):
            drawn[field] = partial(_small_histogram, bins, field)
    return drawn


def _small_histogram(bins: Any, field: str, cut: float | None) -> Any:
    info = QualitySettings.model_fields[field].json_schema_extra
    return cut_histogram(
        bins, cut, info["paper"], info["label"], info["unit"], counted="Sites", small=True,
        root_scale=True, palette=elements.palette(),
    )  # fmt: skip
