"""Which part of the genome is looked at: all of it, a chromosome, a region; kept in the address."""

from __future__ import annotations

import re
from dataclasses import dataclass

import streamlit as st

from dashboard import state
from dashboard.view import View
from pipeline.schema import chromosome_order
from pipeline.summaries import locate

_WRITTEN = re.compile(r"(?:chr)?(\w{1,20}?)(?::([\d,]+)-([\d,]+))?", re.IGNORECASE)
WIDEST = 5_000_000  # bases: beyond, genes are too many to be named
AROUND = 250_000  # bases shown on either side of a variant


@dataclass(frozen=True)
class Place:
    """A stretch of the genome, 1-based and closed; no chromosome is all of it."""

    chrom: str = ""
    start: int = 0
    end: int = 0

    @property
    def is_region(self) -> bool:
        return self.end > 0

    @property
    def is_wide(self) -> bool:
        """Say whether a region is too wide for its variants and genes to be told apart."""
        return self.end - self.start > WIDEST

    @property
    def chrom_order(self) -> int:
        return chromosome_order(self.chrom)

    def __str__(self) -> str:
        return f"{self.chrom}:{self.start}-{self.end}" if self.is_region else self.chrom


def around(chrom: str, pos: int) -> Place:
    """Return the region around a variant."""
    return Place(chrom, max(1, pos - AROUND), pos + AROUND)


def turn_to(place: Place) -> None:
    """Look there; for callbacks."""
    if place.chrom:
        st.query_params["place"] = str(place)
    elif "place" in st.query_params:
        del st.query_params["place"]


def choose(view: View, chromosomes: list[str]) -> Place:
    """Draw where one is and the ways elsewhere, and return where one is."""
    asked = state.take("go_to_place")
    if asked:
        turn_to(_widened(*asked))
    place = _of(st.query_params.get("place", ""), chromosomes)
    with st.container(horizontal=True, vertical_alignment="bottom", key="place"):
        if place.chrom:
            st.button("Genome", on_click=turn_to, args=(Place(),), icon=":material/arrow_back:")
        if place.is_region:
            st.button(
                f"Chromosome {place.chrom}", on_click=turn_to, args=(Place(place.chrom),),
                icon=":material/arrow_back:",
            )  # fmt: skip
        st.selectbox(
            "Chromosome", chromosomes, index=None, placeholder="all", key="go_chromosome",
            on_change=_go_to_chromosome, width=150,
        )  # fmt: skip
        st.text_input(
            "Go to", placeholder="gene, rsID or 1:100000-200000", key="go_to",
            on_change=_go_to, args=(view, chromosomes), width=280,
        )  # fmt: skip
    lost = state.take("place_not_found")
    if lost:
        st.caption(f":material/search_off: Nothing here is called {lost}.")
    return place


def _of(written: str, chromosomes: list[str]) -> Place:
    """Return the place that a text names, all of the genome where it names none."""
    match = _WRITTEN.fullmatch(written.strip())
    if not match or match.group(1).upper() not in {name.upper() for name in chromosomes}:
        return Place()
    chrom = next(name for name in chromosomes if name.upper() == match.group(1).upper())
    if not match.group(2):
        return Place(chrom)
    start, end = (int(text.replace(",", "")) for text in match.groups()[1:])
    return Place(chrom, max(1, start), min(end, start + WIDEST)) if start < end else Place(chrom)


def _go_to_chromosome() -> None:
    chosen = state.get("go_chromosome")
    turn_to(Place(chosen) if chosen else Place())
    state.set_widgets({"go_chromosome": None})


def _go_to(view: View, chromosomes: list[str]) -> None:
    text = (state.get("go_to") or "").strip()
    state.set_widgets({"go_to": ""})
    if not text:
        return
    place = _of(text, chromosomes)
    if not place.chrom:
        found = locate(view.cohort, text)
        if found is None:
            state.put("place_not_found", text)
            return
        place = _widened(*found)
    turn_to(place)


def _widened(chrom: str, start: int, end: int) -> Place:
    """Return the region around a gene, or around a single base."""
    if start == end:
        return around(chrom, start)
    return Place(chrom, max(1, start - AROUND // 5), end + AROUND // 5)
