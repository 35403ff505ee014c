"""Cohort: who and what is in it?"""

from __future__ import annotations

import streamlit as st

from dashboard import elements, loaders, state
from dashboard.charts.cut_histogram import cut_histogram
from dashboard.charts.people_mosaic import people_mosaic
from dashboard.charts.variants_by_chromosome import variants_by_chromosome
from dashboard.view import View
from dashboard.views import ingest, start
from pipeline.cohort import delete_cohort
from pipeline.summaries import people_table

PEOPLE_MEASURES = {
    "call_rate": ("Call rate of people", "fraction"),
    "mean_depth": ("Mean depth of people", "reads"),
    "ti_tv": ("Transitions over transversions", ""),
    "het_hom": ("Heterozygous over homozygous alternate", ""),
}


def show(view: View) -> None:
    """Draw the page."""
    cohort = view.cohort
    certificate = cohort.certificate
    n_people = sum(cohort.n_people.values())
    st.title(cohort.name)
    st.markdown(
        f"{n_people:,} people and {cohort.n_variants:,} variants, "
        f"{certificate['settings']['build']}, read {certificate['made'][:10]}."
    )
    elements.method("cohort")
    left, right = st.columns(2)
    with left:
        table = people_table(cohort, view.definition)
        elements.chart(people_mosaic(table, palette=elements.palette()), key="people")
    with right:
        table = loaders.chromosomes(cohort)
        elements.chart(variants_by_chromosome(table, palette=elements.palette()), key="variants")
    st.subheader("Quality of people")
    columns = st.columns(2) + st.columns(2)
    for place, (measure, (label, unit)) in zip(columns, PEOPLE_MEASURES.items(), strict=True):
        bins = loaders.person_bins(cohort, measure)
        with place:
            if len(bins):
                made = cut_histogram(
                    bins, None, None, label, unit, counted="People", palette=elements.palette()
                )
                elements.chart(made.properties(height=160), key=f"people_{measure}")
            else:
                elements.empty(f"{label}: the source does not say.")
    _certificate(view)
    _others()


def _certificate(view: View) -> None:
    with st.expander("Where it comes from"):
        certificate = view.cohort.certificate
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
