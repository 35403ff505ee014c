"""Association: where is the signal?"""

from __future__ import annotations

import math

import pandas as pd
import streamlit as st

from dashboard import elements, loaders, state, strip
from dashboard.charts.genotype_mosaic import genotype_mosaic
from dashboard.charts.manhattan import manhattan
from dashboard.charts.p_histogram import p_histogram
from dashboard.charts.qq import qq
from dashboard.view import View
from pipeline.association import ALPHA, Association
from pipeline.quality import TITLES
from pipeline.summaries import p_bins, qq_points, variant_card

TEST_WORDS = {
    "genotypic": "genotypic chi-squared",
    "genotypic_df4": "genotypic chi-squared, df 4",
    "allelic": "allelic chi-squared",
    "trend": "Cochran-Armitage trend",
}


def show(view: View) -> None:
    """Draw the page."""
    st.title("Where is the signal?")
    strip.show(view)
    found = view.analysis.association
    if found is None:
        elements.empty(view.analysis.problem)
        return
    _manhattan(view, found)
    elements.method("association")
    _significant(found)
    left, right = st.columns(2)
    with left:
        points, band = qq_points(found)
        lambda_gc = None if math.isnan(found.lambda_gc) else found.lambda_gc
        made = qq(points, band, lambda_gc, found.lambda_note, palette=elements.palette())
        elements.chart(made, key="qq")
    with right:
        elements.chart(p_histogram(p_bins(found), palette=elements.palette()), key="p_histogram")
    _top(view, found)


def _manhattan(view: View, found: Association) -> None:
    points, chromosomes = loaders.manhattan(view.cohort, view.settings, view.analysis)
    lines = pd.DataFrame(
        [
            {"label": "5e-8 genome-wide", "y": -math.log10(5e-8)},
            {"label": f"Bonferroni of {found.n_tested:,} tests", "y": found.bonferroni},
            {"label": "1e-5 suggestive", "y": 5.0},
        ]
    )
    selection = view.settings.selection
    line = None
    if selection.top is None:
        line = (-math.log10(selection.max_p), view.analysis.n_entering)
    made = manhattan(
        points, chromosomes, lines, selection_line=line, hits=found.bonferroni,
        test=TEST_WORDS[found.test], palette=elements.palette(),
    )  # fmt: skip
    chosen = state.get("variant")
    place, beside = st.columns([5, 3]) if chosen is not None else (st.container(), None)
    with place:
        event = elements.chart(made, key="manhattan", on_select="rerun", selection_mode="hit")
    hit = (event.selection.get("hit") or [{}])[0].get("variant_index") if event else None
    if state.is_new("manhattan_hit", hit):
        state.put("variant", int(hit))
        st.rerun()
    if beside is not None:
        with beside:
            _card(view, found, chosen)


def _card(view: View, found: Association, variant_index: int) -> None:
    card = variant_card(view.cohort, view.analysis.filtered, found, variant_index)
    if not card:
        return
    with st.container(border=True):
        st.markdown(f"**{card['variant_id']}**")
        gene = card["gene"] if isinstance(card["gene"], str) else "no gene within 1 kb"
        st.caption(f"{card['rsid'] or 'no rsID'} · {gene}")
        if card["removed_by"]:
            elements.empty(f"Removed by “{TITLES[card['removed_by']]}” under these thresholds.")
        else:
            elements.chart(
                genotype_mosaic(card["genotypes"], palette=elements.palette()), key="mosaic"
            )
            st.table(_card_table(card), border="horizontal", hide_index=True, hide_header=True)
            if card["is_doubtful"]:
                st.caption(
                    ":material/warning: An expected count is small: the chi-squared p is doubtful."
                )
        if st.button("Close", key="close_card"):
            state.put("variant", None)
            st.rerun()


def _card_table(card: dict) -> pd.DataFrame:
    odds = "none: an empty cell"
    if not math.isnan(card["odds_ratio"]):
        odds = f"{card['odds_ratio']:.2f} ({card['ci_low']:.2f} to {card['ci_high']:.2f})"
    qual = "none" if pd.isna(card["qual"]) else f"{card['qual']:,.0f}"
    rows = [
        *((TEST_WORDS[name], f"p {10 ** -log_p:.2e}" if not math.isnan(log_p) else "no test")
          for name, log_p in card["tests"].items()),
        ("Odds ratio, alternate", odds),
        ("Frequency, cases", f"{card['case_alt_frequency']:.4f}"),
        ("Frequency, controls", f"{card['control_alt_frequency']:.4f}"),
        ("Hardy-Weinberg, controls", f"p {10 ** -card['hwe_neg_log10_p']:.2g}"),
        ("Called, cases", f"{card['case_call_rate']:.1%}"),
        ("Called, controls", f"{card['control_call_rate']:.1%}"),
        ("Site quality", qual),
        ("Filter", card["filter"] or "none"),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["Figure", "Value"])


def _significant(found: Association) -> None:
    counts = found.significant()
    doubtful = int(found.is_doubtful.sum())
    st.caption(
        f"{found.n_tested:,} variants tested. Below {ALPHA:g}: {counts['raw']:,} uncorrected (as "
        f"the paper), {counts['bh']:,} Benjamini-Hochberg, {counts['bonferroni']:,} Bonferroni. "
        f"{doubtful:,} have a small expected count."
    )


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
    event = elements.table(
        shown, column_config=form, on_select="rerun", selection_mode="single-row", key="top_table"
    )
    rows = event.selection.rows
    row = rows[0] if rows else None
    if state.is_new("top_row", row):
        state.put("variant", int(table["variant_index"].iloc[row]))
        st.rerun()
