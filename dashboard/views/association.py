"""Association: where is the signal?"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import chosen, chosen_marks, elements, left_out, loaders, state, strip, work
from dashboard.charts.manhattan import manhattan
from dashboard.charts.p_histogram import p_histogram
from dashboard.charts.qq import qq
from dashboard.charts.region import region
from dashboard.charts.volcano import volcano
from dashboard.view import View
from dashboard.views import places, second_half, variant
from pipeline.association import ALPHA, Association
from pipeline.settings.regions import Region
from pipeline.story.words import TESTS
from pipeline.summaries import find_variants, p_bins, peaks


def show(view: View) -> None:
    """Draw the page."""
    st.title("Where is the signal?")
    strip.show(view)
    found = view.analysis.association
    if found is None:
        _nothing_tested(view)
        return
    _warnings(view, found)
    place = places.choose(view, loaders.chromosome_names(view.cohort))
    known = chosen.variant(view)
    picture, beside = st.columns([5, 3]) if known else (st.container(), None)
    with picture:
        _picture(view, found, place)
        left_out.told(view)
        chosen.told(view)
    if known is not None and beside is not None:
        with beside:
            variant.card(view, found, known)
    elements.method("association")
    _significant(view, found)
    _search(view, found)
    _top(view, found)
    _together(view, found)
    second_half.show(view, found)


def _nothing_tested(view: View) -> None:
    """Say why, and offer what helps."""
    analysis = view.analysis
    if not analysis.n_to_regress:
        elements.empty(analysis.problem)
        left_out.told(view)
        return
    elements.empty(
        f"Logistic regression is computed in the background: {analysis.n_to_regress:,} variants "
        "wait for it. What is done once is kept, so that thresholds then move at once."
    )
    if st.button("Compute", icon=":material/calculate:", type="primary"):
        work.submit("regress", view.payload())


def _warnings(view: View, found: Association) -> None:
    doubt = loaders.structure_doubt(view.cohort, view.settings, view.analysis, view.definition)
    if doubt:
        st.warning(doubt, icon=":material/warning:")
    asked = view.settings.association
    if asked.correction != "permutation" or view.analysis.max_t is not None:
        return
    if asked.test == "logistic":
        elements.empty("Labels are permuted for the tests of counts alone; choose one of these.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f":material/shuffle: {asked.n_permutations:,} permutations of these variants are not "
            "computed yet; the line comes with them."
        )
        if st.button("Permute", icon=":material/shuffle:"):
            work.submit("permute", view.payload())


def _picture(view: View, found: Association, place: places.Place) -> None:
    """Draw the genome, a chromosome or a region; a click chooses a variant, a drag a region."""
    key = f"manhattan-{place}"
    if place.is_region:
        chosen.chart(view, _region(view, found, place), key)
        left_out.offer(view, Region(place.chrom, place.start, place.end), key)
        return
    also = ("span",) if place.chrom else ()
    event = chosen.chart(view, _manhattan(view, found, place), key, also)
    if place.chrom:
        selected = event.selection if event else {}
        _dragged(view, place, key, (selected.get("span") or {}).get("x"))


def _dragged(view: View, place: places.Place, key: str, span: list[float] | None) -> None:
    """Go to the stretch that is dragged over; one too wide to be drawn can be left out whole."""
    stretch = None
    if span:
        stretch = places.Place(place.chrom, max(1, int(span[0])), int(span[1]) + 1)
    if state.is_new("manhattan_span", span) and not stretch.is_wide:
        places.turn_to(stretch)
        st.rerun()
    is_wide = stretch is not None and stretch.is_wide
    region = Region(stretch.chrom, stretch.start, stretch.end) if is_wide else None
    left_out.offer(view, region, key)


def _manhattan(view: View, found: Association, place: places.Place) -> elements.AnyChart:
    points, chromosomes = loaders.manhattan(view.cohort, view.settings, view.analysis)
    if place.chrom:
        points = loaders.chromosome_points(
            view.cohort, view.settings, view.analysis, place.chrom_order
        )
    selection = view.settings.selection
    line = None
    if selection.top is None and not place.chrom:
        line = (-math.log10(selection.max_p), view.analysis.n_entering)
    hits = view.analysis.line(view.settings.association)
    return manhattan(
        points, chromosomes, view.analysis.lines(view.settings.association),
        selection_line=line, hits=hits, test=TESTS[found.test],
        peaks=peaks(points, min(hits, 1e9)),
        chromosome=place.chrom or None,
        brush=bool(place.chrom), marks=chosen_marks.along(view, chromosomes, place.chrom),
        palette=elements.palette(),
    )  # fmt: skip


def _region(view: View, found: Association, place: places.Place) -> elements.AnyChart:
    points, genes = loaders.region(
        view.cohort, view.settings, view.analysis,
        (place.chrom_order, place.start, place.end), _lead(view, place),
    )  # fmt: skip
    lead = points.loc[points["is_lead"], "variant_id"]
    marks = chosen_marks.along(view, loaders.genome_chromosomes(view.cohort), place.chrom)
    return region(
        points, genes, chrom=place.chrom, start=place.start, end=place.end,
        lead=lead.iloc[0] if len(lead) else "",
        lines=view.analysis.lines(view.settings.association),
        test=TESTS[found.test],
        marks=marks.without_gene_name(),  # its track bears it
        palette=elements.palette(),
    )  # fmt: skip


def _lead(view: View, place: places.Place) -> int | None:
    """Return the variant whose linkage is shown: the one chosen, as far as it is drawn there."""
    known = chosen.variant(view)
    if known is None or not known.is_drawn or known.chrom != place.chrom:
        return None
    return known.variant_index if place.start <= known.pos <= place.end else None


def _significant(view: View, found: Association) -> None:
    counts = found.significant()
    doubtful = int(found.is_doubtful.sum())
    permuted = ""
    if view.analysis.max_t:
        line = view.analysis.max_t.line()
        permuted = f", {int((found.neg_log10_p > line).sum()):,} permutation"
    switched = ""
    if found.n_switched:
        switched = f", of which {found.n_switched:,} show Fisher's exact p"
    if found.n_hidden:
        switched = f" and {found.n_hidden:,} are hidden"
    st.caption(
        f"{found.n_tested:,} variants tested. Below {ALPHA:g}: {counts['raw']:,} uncorrected (as "
        f"the paper), {counts['bh']:,} Benjamini-Hochberg, {counts['bonferroni']:,} Bonferroni"
        f"{permuted}. {doubtful:,} have a small expected count{switched}."
    )
    if found.regression is not None:
        n_firth = int(found.regression.is_firth.sum())
        notes = " ".join(found.regression.notes)
        st.caption(
            f"Logistic regression of {found.regression.n_people_used:,} people; {n_firth:,} "
            f"variants by Firth's penalised likelihood. {notes}"
        )


def _search(view: View, found: Association) -> None:
    with st.expander("Why is my variant not shown?", icon=":material/search:"):
        text = st.text_input(
            "rsID, position or gene", placeholder="rs17160776, 1:985900 or AGRN", key="find_tested"
        )
        if not text:
            return
        rows = find_variants(
            view.cohort, view.analysis.filtered, text, found=found, drawn=_drawn(view)
        )
        if rows.empty:
            elements.empty(f"No variant of this cohort answers to {text}.")
            return
        shown = {"variant_id": "Variant", "rsid": "rsID", "gene": "Gene", "reason": "Why"}
        chosen.table(
            view, rows[list(shown)].rename(columns=shown), "find_tested_table",
            rows["variant_id"], "variant",
        )  # fmt: skip


def _drawn(view: View) -> np.ndarray:
    """Return the variants that stand for themselves in the plot of the genome."""
    points, _ = loaders.manhattan(view.cohort, view.settings, view.analysis)
    return points["variant_index"].to_numpy()


def _top(view: View, found: Association) -> None:
    st.subheader("Smallest p")
    table = loaders.top_table(view.cohort, view.settings, view.analysis)
    shown = pd.DataFrame(
        {
            "Variant": table["variant_id"],
            "Gene": table["gene"],
            "rsID": table["rsid"],
            "p": table["p_value"],
            "Odds ratio": table["odds_ratio"],
            "Low": table["ci_low"],
            "High": table["ci_high"],
            "Expected count": table["is_doubtful"].map({True: "small", False: ""}),
        }
    )
    form = {
        "p": st.column_config.NumberColumn(format="%.2e"),
        "Odds ratio": st.column_config.NumberColumn(format="%.2f"),
        "Low": st.column_config.NumberColumn(format="%.2f", help="95 % limit"),
        "High": st.column_config.NumberColumn(format="%.2f", help="95 % limit"),
    }
    chosen.table(view, shown, "top_table", table["variant_id"], "variant", column_config=form)


def _together(view: View, found: Association) -> None:
    """Draw what the tests look like together: QQ, p, odds ratios."""
    palette = elements.palette()
    left, right = st.columns(2)
    with left:
        points, band = loaders.qq(view.cohort, view.settings, view.analysis)
        lambda_gc = None if math.isnan(found.lambda_gc) else found.lambda_gc
        made = qq(
            points, band, lambda_gc, found.lambda_note, marks=chosen_marks.in_qq(view),
            palette=palette,
        )  # fmt: skip
        chosen.chart(view, made, "qq")
    with right:
        elements.chart(p_histogram(p_bins(found), palette=palette), key="p_histogram")
    with st.expander("Odds ratios against p", on_change="rerun", key="odds") as odds_ratios:
        if odds_ratios.open:
            _volcano(view, found)


def _volcano(view: View, found: Association) -> None:
    odds = loaders.volcano(view.cohort, view.settings, view.analysis)
    hits = view.analysis.line(view.settings.association)
    made = volcano(
        odds, view.analysis.lines(view.settings.association), hits=hits, n_tested=found.n_tested,
        test=TESTS[found.test], marks=chosen_marks.in_volcano(view),
        palette=elements.palette(),
    )  # fmt: skip
    chosen.chart(view, made, "volcano")
