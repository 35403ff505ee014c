"""The card of one variant: its genotypes first, then its tests, its gene, its quality."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import chosen, elements
from dashboard.charts.genotype_mosaic import genotype_mosaic
from dashboard.view import View
from dashboard.views import places
from pipeline.association import Association
from pipeline.quality import TITLES
from pipeline.story.words import TESTS
from pipeline.summaries import MarkedVariant, links, variant_card

CORRECTIONS = {
    "raw": "0.05 uncorrected",
    "bonferroni": "Bonferroni",
    "bh": "Benjamini-Hochberg",
    "permutation": "permuted labels",
}


def card(view: View, found: Association, marked: MarkedVariant) -> None:
    """Draw the card of the chosen variant beside the plot."""
    known = variant_card(
        view.cohort, view.analysis.filtered, found, marked.variant_index,
        view.settings.association,
    )  # fmt: skip
    with st.container(border=True):
        st.markdown(f"**{known['variant_id']}**")
        gene = known["gene"] if isinstance(known["gene"], str) else "no gene within 1 kb"
        st.caption(" · ".join(filter(None, [known["rsid"] or "no rsID", gene, _lies_in(known)])))
        if known["removed_by"]:
            elements.empty(f"Removed by “{TITLES[known['removed_by']]}” under these thresholds.")
        else:
            elements.chart(
                genotype_mosaic(known["genotypes"], palette=elements.palette()), key="mosaic"
            )
            st.table(_figures(known), border="horizontal", hide_index=True, hide_header=True)
            if known["is_doubtful"]:
                st.caption(
                    ":material/warning: An expected count is small: the chi-squared p is doubtful."
                )
        build = view.cohort.certificate["settings"]["build"]
        st.markdown(" · ".join(f"[{words}]({url})" for words, url in links(known, build)))
        with st.container(horizontal=True):
            st.button(
                "Its region", icon=":material/zoom_in:", on_click=places.turn_to,
                args=(places.around(known["chrom"], int(known["pos"])),),
            )  # fmt: skip
            st.button("Close", key="close_card", on_click=chosen.clear)


def _lies_in(known: dict[str, Any]) -> str:
    """Return the region of the gene and the consequences in words."""
    region = known.get("gene_region")
    words = [region.replace("_", " ")] if isinstance(region, str) else []
    consequences = known.get("consequences")
    if consequences is not None and len(consequences):
        words += [
            f"{row.consequence.replace('_', ' ')} ({row.gene})" for row in consequences.itertuples()
        ]
    return ", ".join(words)


def _figures(known: dict[str, Any]) -> pd.DataFrame:
    odds = "none: an empty cell"
    if not math.isnan(known["odds_ratio"]):
        odds = f"{known['odds_ratio']:.2f} ({known['ci_low']:.2f} to {known['ci_high']:.2f})"
    qual = "none" if pd.isna(known["qual"]) else f"{known['qual']:,.0f}"
    rows = [
        *((TESTS[name], _p(log_p)) for name, log_p in known["tests"].items()),
        ("Odds ratio, alternate", odds),
        ("Frequency, cases", f"{known['case_alt_frequency']:.4f}"),
        ("Frequency, controls", f"{known['control_alt_frequency']:.4f}"),
        ("Hardy-Weinberg, controls", _p(known["hwe_neg_log10_p"])),
        ("Called, cases", f"{known['case_call_rate']:.1%}"),
        ("Called, controls", f"{known['control_call_rate']:.1%}"),
        *(
            (f"Mean depth, {role}s", f"{known[f'{role}_mean_depth']:.1f}")
            for role in ("case", "control")
            if not math.isnan(known.get(f"{role}_mean_depth", math.nan))
        ),
        ("Site quality", qual),
        ("Filter", known["filter"] or "none"),
    ]
    return pd.DataFrame(rows, columns=["Figure", "Value"])


def _p(neg_log10_p: float) -> str:
    if math.isnan(neg_log10_p):
        return "no test"
    if neg_log10_p > 300:
        return f"p 10^-{neg_log10_p:.0f}"
    return f"p {10**-neg_log10_p:.2g}"
