"""Cohort: who and what is in it?"""

from __future__ import annotations

from itertools import cycle

import pandas as pd
import streamlit as st

from dashboard import elements, loaders, state, work
from dashboard.charts.cut_histogram import cut_histogram
from dashboard.charts.group_histogram import group_histogram
from dashboard.charts.people_mosaic import people_mosaic
from dashboard.charts.people_scatter import people_scatter
from dashboard.charts.variants_by_chromosome import variants_by_chromosome
from dashboard.theme import CATEGORIES
from dashboard.view import View
from dashboard.views import ingest, start
from pipeline.cohort import delete_cohort
from pipeline.samples import FEMALE_BELOW, MALE_ABOVE, TITLES, keep_people, sample_quality
from pipeline.summaries import (
    colourings,
    missingness_verdict,
    people_table,
    relatives_table,
    structure_points,
)

# Measure: its name, unit, and the threshold that cuts it from below or above.
PEOPLE_MEASURES = {
    "call_rate": ("Call rate of people", "fraction", "min_call_rate", "below"),
    "mean_depth": ("Mean depth of people", "reads", "min_mean_depth", "below"),
    "ti_tv": ("Transitions over transversions", "", "min_ti_tv", "below"),
    "het_hom": ("Heterozygous over homozygous alternate", "", "max_het_hom", "above"),
    "n_singleton": ("Singletons of people", "variants", "max_n_singleton", "above"),
    "inbreeding_f": ("Inbreeding coefficient F", "", "max_inbreeding", "above"),
}


def show(view: View) -> None:
    """Draw the page."""
    whole = view.whole
    certificate = whole.certificate
    n_people = len(whole.samples)
    _cards(view)
    st.title(whole.name)
    st.markdown(
        f"{n_people:,} people and {whole.n_variants:,} variants, "
        f"{certificate['settings']['build']}, read {certificate['made'][:10]}."
    )
    elements.method("cohort")
    left, right = st.columns(2)
    with left:
        table = people_table(whole, view.definition)
        elements.chart(people_mosaic(table, palette=elements.palette()), key="people")
    with right:
        table = loaders.chromosomes(whole)
        elements.chart(variants_by_chromosome(table, palette=elements.palette()), key="variants")
    st.subheader("Quality of people")
    _kept(view)
    left, right = st.columns(2)
    with left:
        _missing_calls(view)
    with right:
        _sex_check(view)
    columns = [place for _ in range(3) for place in st.columns(2)]
    for place, measure in zip(columns, PEOPLE_MEASURES, strict=True):
        with place:
            _measure(view, measure)
    _structure(view)
    _certificate(view)
    _others()


def _cards(view: View) -> None:
    """Show a card for each cohort, where there is a choice."""
    names = loaders.names()
    if len(names) < 2:
        return
    with st.container(horizontal=True, key="cohort_cards"):
        for name in names:
            found = loaders.summary(name)
            people = ", ".join(f"{diagnosis} {n:,}" for diagnosis, n in found["people"].items())
            is_open = name == view.whole.name
            with st.container(border=True, width=300):
                st.markdown(f"**{name}**{' · open' if is_open else ''}")
                st.caption(
                    f"{people}  \n{found['variants']:,} variants, {found['build']}  \n"
                    f"{len(found['files']):,} files, read {found['made'][:10]}"
                )
                st.button(
                    "Open",
                    key=f"open_{name}",
                    disabled=is_open,
                    on_click=elements.turn_to,
                    args=("cohort", name),
                )


def _kept(view: View) -> None:
    """Say who is left out and by which threshold."""
    found = keep_people(view.whole, view.settings.samples)
    if not found.n_failing:
        st.markdown(
            "Everybody is kept. Thresholds on people stand in the sidebar under **People**; "
            "the paper leaves nobody out for quality."
        )
        return
    rules = ", ".join(f"{TITLES[rule].lower()} {n:,}" for rule, n in found.n_failing.items())
    st.markdown(
        f"**{len(found.kept) - found.n_out:,} of {len(found.kept):,} people are kept**; fail: "
        f"{rules}. Genotypes are counted again without the others on every page; mean depth and "
        "genotype quality stay those of the whole diagnosis."
    )


def _missing_calls(view: View) -> None:
    roles = {
        "cases": view.whole.is_in(view.definition.case),
        "controls": view.whole.is_in(view.definition.control),
    }
    palette = elements.palette()
    bins = loaders.person_bins_by(view.whole, "call_rate", roles)
    if not len(bins):
        elements.empty("Nobody is case or control; choose diagnoses in the sidebar.")
        return
    made = group_histogram(
        bins,
        {"cases": palette.case, "controls": palette.control},
        {},
        title="Called genotypes, cases against controls",
        axis="Call rate of a person",
        palette=palette,
    )
    elements.chart(made, key="missing_calls")
    differ, words = missingness_verdict(view.whole, view.definition)
    (st.warning if differ else st.markdown)(words)


def _sex_check(view: View) -> None:
    stated = view.whole.samples["sex"].to_numpy()
    bins = loaders.person_bins_by(
        view.whole, "x_f", {sex: stated == sex for sex in ("female", "male", "unknown")}
    )
    if not len(bins):
        elements.empty("Sex cannot be checked: the source has no variants on X.")
        return
    palette = elements.palette()
    made = group_histogram(
        bins,
        {"female": palette.honest, "male": palette.chromosome, "unknown": palette.excluded},
        {"female below": FEMALE_BELOW, "male above": MALE_ABOVE},
        title="Sex stated and sex of the X chromosomes",
        axis="Inbreeding coefficient F on X",
        palette=palette,
    )
    elements.chart(made, key="sex_check")
    n_mismatch = int(sample_quality(view.whole)["is_sex_mismatch"].sum())
    who = "1 person has" if n_mismatch == 1 else f"{n_mismatch:,} people have"
    words = f"{who} X chromosomes of another sex than stated."
    (st.warning if n_mismatch else st.markdown)(words)


def _measure(view: View, measure: str) -> None:
    label, unit, threshold, removes = PEOPLE_MEASURES[measure]
    bins = loaders.person_bins(view.whole, measure)
    if not len(bins):
        elements.empty(f"{label}: not available in this source.")
        return
    made = cut_histogram(
        bins,
        getattr(view.settings.samples, threshold),
        None,
        label,
        unit,
        removes=removes,
        counted="People",
        palette=elements.palette(),
    )
    elements.chart(made.properties(height=160), key=f"people_{measure}")


def _structure(view: View) -> None:
    """Draw ancestry and relatives, or offer to compute them."""
    st.subheader("Ancestry and relatives")
    found = loaders.structure(view.whole)
    if found is None:
        elements.empty(
            "Principal components show ancestry, kinship shows duplicates and relatives; both "
            "come from common variants and take about half a minute for 12,000 people."
        )
        if st.button("Compare people", icon=":material/diversity_3:"):
            work.submit("structure", {"name": view.whole.name})
        return
    left, middle, right = st.columns(3)
    options = colourings(view.whole)
    by = left.selectbox("Colour", options, format_func=_sentence, key="structure_colour")
    components = list(range(1, found.components.shape[1] + 1))
    first = middle.selectbox("Across", components, format_func=_component, key="structure_x")
    second = right.selectbox(
        "Upwards", components, index=1, format_func=_component, key="structure_y"
    )
    points = structure_points(view.whole, found, first, second, by)
    palette = elements.palette()
    axes = tuple(
        f"{_component(number)} ({found.variance_share[number - 1]:.1%} of the variance)"
        for number in (first, second)
    )
    made = people_scatter(
        points, _colours(view, points, by), (axes[0], axes[1]), coloured_by=_sentence(by),
        palette=palette,
    )  # fmt: skip
    # A point is a person: it is looked at, not taken away.
    elements.chart(made, key="structure", is_offered=False)
    n_pairs, n_twins = len(found.relatives.first), len(found.duplicates.first)
    n_out = len(found.to_leave_out())
    st.markdown(
        f"{len(found.variants):,} common variants after pruning. {n_pairs:,} pairs of people are "
        f"related (kinship {found.settings.min_kinship:g} or more), {n_twins:,} "
        "of them duplicates or twins."
        + (" Relatives stay on one side of every split." if n_pairs else "")
    )
    if not n_pairs:
        return
    st.button(
        f"Keep one of each ({n_out:,} people go)",
        icon=":material/group_remove:",
        on_click=state.set_widgets,
        args=({"samples.drop_relatives": True},),
        disabled=view.settings.samples.drop_relatives,
    )
    with st.expander("Pairs"):
        elements.table(
            relatives_table(view.whole, found),
            column_config={
                "relation": "Relation",
                "kinship": st.column_config.NumberColumn("Kinship", format="%.3f"),
                "first": "Person",
                "first_diagnosis": "Diagnosis",
                "second": "Relative",
                "second_diagnosis": "Diagnosis of the relative",
            },
        )


def _component(number: int) -> str:
    return f"PC {number}"


def _sentence(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _colours(view: View, points: pd.DataFrame, by: str) -> dict[str, str]:
    """Return the colour of each group; diagnoses wear those of their roles."""
    palette = elements.palette()
    groups = list(points["group"].value_counts().index)
    colours = dict(zip(groups, cycle(CATEGORIES), strict=False))
    if by != "diagnosis":
        return colours
    roles = {"case": palette.case, "control": palette.control, "excluded": palette.excluded}
    return {
        name: next(
            (c for role, c in roles.items() if name in getattr(view.definition, role)),
            palette.excluded,
        )
        for name in groups
    }


def _certificate(view: View) -> None:
    with st.expander("Where it comes from"):
        certificate = view.whole.certificate
        for source in certificate["sources"]:
            st.markdown(
                f"**{source['name']}**, {source['bytes'] / 1e6:,.1f} MB, "
                f"SHA-256 `{source['sha256'][:16]}…`"
            )
        settings = certificate["settings"]
        rule = {"missing": "make a call missing", "reference": "count as reference"}
        st.markdown(
            f"Fingerprint `{view.cohort.fingerprint}`. At split sites other alleles "
            f"{rule[settings['other_alleles']]}. Case definition found: {view.definition.rule}. "
            f"{certificate['n_without_phenotype']:,} people had genotypes but no phenotype, "
            f"{certificate['n_without_genotypes']:,} a phenotype but no genotypes; "
            "they are left out."
        )
        if st.button("Delete this cohort", icon=":material/delete:"):
            state.put("deleting", view.cohort.name)
        if state.get("deleting") == view.cohort.name:
            st.warning(
                f"This removes {view.cohort.name} and its packed genotypes from the cache. "
                "Your files and the runs stay."
            )
            if st.button("Yes, delete it", type="primary"):
                delete_cohort(loaders.cache(), view.cohort.name)
                state.put("deleting", None)
                st.rerun()


def _others() -> None:
    st.subheader("Another cohort")
    own, example = st.tabs(["Your own files", "Simulated cohort"])
    with own:
        ingest.form()
    with example:
        start.offer_example()
