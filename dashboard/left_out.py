"""What if without these? Regions are left out of everything, and taken back, by a button."""

from __future__ import annotations

import streamlit as st

from dashboard import chosen, state
from dashboard.view import View
from pipeline.quality import n_kept_in
from pipeline.settings.regions import MOST, Region, read_regions, write_regions

KEY = state.widget_key("quality", "without_regions")
HELP = (
    "Leaves these variants out of everything: figures, plots, the choice for the network, runs. "
    "Try it on the HLA, 6:28,000,000–34,000,000, whose long linkage can outshine the rest."
)
_SHOWN = 4  # regions with a button of their own


def offer(view: View, region: Region | None, picture: str) -> None:
    """Draw the question about a region; there is none while nothing has been dragged over.

    `picture` is the one that is dragged over, by its key.
    """
    held = view.settings.quality.without_regions
    n = n_kept_in(view.cohort, view.analysis.filtered, str(region)) if region else 0
    with st.container(horizontal=True, vertical_alignment="center", key="what_if_without"):
        st.button(
            "What if without these?", icon=":material/content_cut:", help=HELP, on_click=_leave,
            args=(held, region, picture), disabled=not n or len(read_regions(held)) >= MOST,
            key="leave_out",
        )  # fmt: skip
        if region is None:
            st.caption(
                "Drag along the chromosome to look closer, or to ask what is left without a part "
                "of it.",
                width="content",
            )
        else:
            st.caption(f"{region.words}: {n:,} variants kept.", width="content")


def told(view: View) -> None:
    """Say which regions are left out, and offer to take each back."""
    held = view.settings.quality.without_regions
    regions = read_regions(held)
    if not regions:
        return
    n = view.analysis.filtered.steps[-1].removed
    named = ", ".join(region.words for region in regions[:_SHOWN])
    more = f" and {len(regions) - _SHOWN:,} more" if len(regions) > _SHOWN else ""
    with st.container(horizontal=True, vertical_alignment="center", key="left_out"):
        st.caption(
            f":material/content_cut: Left out: {named}{more}; {n:,} variants that all other "
            "thresholds keep.",
            width="content",
        )
        back(held, "page")


def back(held: str | None, place: str) -> None:
    """Draw the buttons that take regions back; `place` tells them apart from those elsewhere."""
    regions = read_regions(held)
    if not regions:
        return
    st.button(
        "With them again", icon=":material/undo:", on_click=_take_back, args=(held, None),
        key=f"with_again_{place}", type="tertiary",
    )  # fmt: skip
    for region in regions[:_SHOWN] if len(regions) > 1 else ():
        st.button(
            f"With {region.words}", on_click=_take_back, args=(held, region), type="tertiary",
            key=f"with_again_{place}_{region}",
        )  # fmt: skip


def _leave(held: str | None, region: Region, picture: str) -> None:
    """Leave a region out too, and look at its chromosome: where it was is nothing to be seen."""
    state.set_widgets({KEY: write_regions([*read_regions(held), region]) or ""})
    st.query_params["place"] = region.chrom
    chosen.forget(picture)  # the stretch that is drawn there is answered


def _take_back(held: str | None, region: Region | None) -> None:
    kept = [one for one in read_regions(held) if region is not None and one != region]
    state.set_widgets({KEY: write_regions(kept) or ""})
