"""The sidebar: cohort, case definition and thresholds, the same on every page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import chosen, controls, elements, left_out, loaders, state
from dashboard.view import View
from pipeline.cohort import Cohort
from pipeline.errors import SettingsError
from pipeline.people import CaseDefinition
from pipeline.progress import Progress
from pipeline.settings import (
    AnalysisSettings,
    AssociationSettings,
    PeopleSettings,
    QualitySettings,
    SampleSettings,
    SelectionSettings,
    Settings,
    with_changes,
)

SITE = ("qual_above", "min_mean_depth", "min_call_rate", "drop_monomorphic", "filter_pass")
KINDS = ("drop_sex_chromosomes", "drop_indels", "without_regions")
MORE = ("min_mac", "max_hwe_log10", "min_mean_gq", "max_missingness_log10")

PEOPLE = (
    "min_call_rate", "min_mean_depth", "min_ti_tv", "max_het_hom", "max_n_singleton",
    "max_inbreeding", "drop_sex_mismatch", "drop_relatives",
)  # fmt: skip

ROLES = {"case": "Cases", "control": "Controls"}

# Histograms to be drawn once the page has its own pictures.
Behind = list[Callable[[], None]]

# The histogram behind a slider of sites: what is counted; of people: that, and what it removes.
_BEHIND = {
    "qual_above": "qual",
    "min_mean_depth": "mean_depth",
    "min_call_rate": "call_rate",
    "min_mean_gq": "mean_gq",
}
_BEHIND_PEOPLE = {
    "min_call_rate": ("call_rate", "below"),
    "min_mean_depth": ("mean_depth", "below"),
    "min_ti_tv": ("ti_tv", "below"),
    "max_het_hom": ("het_hom", "above"),
    "max_n_singleton": ("n_singleton", "above"),
}


def choose(names: list[str], pages: Mapping[str, Any], behind: Behind) -> View:
    """Draw the sidebar and return what it says; its histograms are left `behind`."""
    chosen.keep()
    with st.sidebar:
        name = elements.choice_in_address("Cohort", "cohort", names)
        whole = loaders.cohort(name)
        people = _case_definition(whole)
        samples = _people_thresholds(whole, behind)
        cohort = _counted(whole, samples)
        definition = cohort.define_cases(people)
        changes: dict[str, Any] = {}
        st.subheader("Quality")
        controls.preset_buttons("quality", QualitySettings)
        defaults = AnalysisSettings()
        for title, fields, is_open in (
            ("Site", SITE, True),
            ("Kinds and regions", KINDS, False),
            ("Frequency, genotype, people", MORE, False),
        ):
            with st.expander(title, expanded=is_open):
                changes |= controls.settings_widgets(
                    QualitySettings,
                    "quality",
                    defaults.quality,
                    only=fields,
                    histograms=_histograms(cohort, definition, fields, behind),
                )
                _without_data(cohort, fields)
                if fields is KINDS:
                    left_out.back(changes.get(left_out.KEY), "sidebar")
        with st.expander("Association"):
            changes |= _association(whole, defaults.association)
        with st.expander("Selection for the network"):
            changes |= controls.settings_widgets(SelectionSettings, "selection", defaults.selection)
    settings = with_changes(AnalysisSettings(people=people, samples=samples), changes)
    return View(whole, cohort, settings, pages)


def adopt(settings: AnalysisSettings) -> None:
    """Fill the sidebar in from settings, such as a run's; before it is drawn.

    A run names its cases and controls, so that these stand as they were. How the Manhattan plot is
    tested is no part of a run.
    """
    state.set_widgets({f"people.{role}": list(getattr(settings.people, role)) for role in ROLES})
    for stage in ("samples", "quality", "selection"):
        group = getattr(settings, stage)
        controls.fill_in(stage, type(group), group.model_dump())


def _association(whole: Cohort, defaults: AssociationSettings) -> dict[str, Any]:
    """Draw what the chosen test needs to know, and no more."""
    changes = controls.settings_widgets(
        AssociationSettings, "association", defaults, only=("test",)
    )
    test = changes.get("association.test", defaults.test)
    fields = ["correction"]
    if test == "logistic":
        options = loaders.available_covariates(whole)
        covariates = st.multiselect(
            _words_of(AssociationSettings, "covariates")["label"],
            options,
            key="association.covariates",
            bind="query-params",
            help=AssociationSettings.model_fields["covariates"].description,
        )
        if covariates:
            changes["association.covariates"] = tuple(covariates)
        if loaders.structure(whole):
            fields.append("n_components")
        else:
            st.caption("Principal components are computed on the Cohort page.")
    elif test == "fisher":
        fields.append("fisher_table")
    else:
        fields += ["min_expected", "small_expected"]
    changes |= controls.settings_widgets(AssociationSettings, "association", defaults, only=fields)
    if changes.get("association.correction") == "permutation":
        changes |= controls.settings_widgets(
            AssociationSettings, "association", defaults, only=("n_permutations",)
        )
    return changes


def _people_thresholds(whole: Cohort, behind: Behind) -> SampleSettings:
    """Return the thresholds on people; those without data are named, not drawn."""
    with st.expander("People", on_change="rerun", key="people_thresholds") as group:
        fields, without = [], []
        for field in PEOPLE:
            if field == "drop_relatives":
                (fields if loaders.structure(whole) else without).append(field)
                continue
            measure, _ = _BEHIND_PEOPLE.get(field, ("inbreeding_f", ""))
            measure = "x_f" if field == "drop_sex_mismatch" else measure
            (fields if len(loaders.person_bins(whole, measure)) else without).append(field)
        changes = controls.settings_widgets(
            SampleSettings,
            "samples",
            SampleSettings(),
            only=fields,
            histograms={
                field: partial(_person_histogram, behind, whole, field)
                for field in fields
                if field in _BEHIND_PEOPLE and group.open  # what is not seen is not drawn
            },
        )
        if without:
            labels = [_words_of(SampleSettings, field)["label"].lower() for field in without]
            st.caption(f"Without data (see the Cohort page): {', '.join(labels)}.")
    return SampleSettings(**{name.split(".")[1]: value for name, value in changes.items()})


def _counted(whole: Cohort, samples: SampleSettings) -> Cohort:
    """Return the cohort over the people kept; the first count of a set of people shows its way."""
    place = st.empty()

    def show(progress: Progress) -> None:
        place.progress(progress.done, text=f"{progress.phase}: {progress.detail}")

    try:
        return loaders.counted(whole, samples, show)
    finally:
        place.empty()


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


def _without_data(cohort: Cohort, fields: tuple[str, ...]) -> None:
    """Name the thresholds that this source cannot meet or fail."""
    lacking = [name for name in fields if not _is_known(cohort, name)]
    if lacking:
        labels = ", ".join(_words_of(QualitySettings, f)["label"].lower() for f in lacking)
        st.caption(f"Not available, as the source does not say: {labels}.")


def _is_known(cohort: Cohort, name: str) -> bool:
    """Say whether the source has what a threshold is about."""
    needs = {"min_mean_depth": "has_depth", "min_mean_gq": "has_gq"}
    return name not in needs or bool(cohort.certificate[needs[name]])


def _histograms(
    cohort: Cohort, definition: CaseDefinition, fields: tuple[str, ...], behind: Behind
) -> dict[str, controls.Histogram]:
    if not (definition.case or definition.control):
        return {}
    return {
        name: partial(_site_histogram, behind, cohort, definition, name)
        for name in fields
        if name in _BEHIND and _is_known(cohort, name)
    }


def _site_histogram(
    behind: Behind, cohort: Cohort, definition: CaseDefinition, name: str,
    place: DeltaGenerator, cut: float | None,
) -> None:  # fmt: skip
    def draw() -> None:
        info = _words_of(QualitySettings, name)
        bins = loaders.quality_bins(cohort, definition, _BEHIND[name])
        _small_histogram(place, f"quality.{name}", bins, cut, info, "below", "Sites")

    behind.append(draw)


def _person_histogram(
    behind: Behind, whole: Cohort, name: str, place: DeltaGenerator, cut: float | None
) -> None:
    def draw() -> None:
        measure, removes = _BEHIND_PEOPLE[name]
        info = _words_of(SampleSettings, name) | {"paper": None}
        bins = loaders.person_bins(whole, measure)
        _small_histogram(place, f"samples.{name}", bins, cut, info, removes, "People")

    behind.append(draw)


def _small_histogram(
    place: DeltaGenerator, setting: str, bins: pd.DataFrame, cut: float | None,
    info: Mapping[str, Any], removes: str, counted: str,
) -> None:  # fmt: skip
    if len(bins):
        made = loaders.small_histogram(
            bins, cut, info["paper"], info["label"], info["unit"], removes, counted,
            elements.palette(),
        )  # fmt: skip
        place.vega_lite_chart(made, theme=None, key=f"{setting}.histogram")


def _words_of(group: type[Settings], field: str) -> dict[str, Any]:
    """Return label, unit and paper's value of a setting."""
    return dict(group.model_fields[field].json_schema_extra)
