"""What is chosen, one variant and one gene, for the whole session: kept between pages and in links.

A click in any picture or table chooses. `variant` is named `chrom_pos_ref_alt` and `gene` as in
the gene table, so that they mean the same in another cohort, another run, another browser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

import pandas as pd
import streamlit as st

from dashboard import elements, loaders, state
from dashboard.view import View
from pipeline.quality import TITLES
from pipeline.summaries import MarkedVariant, nearest_gene

Kind = Literal["variant", "gene"]
KINDS: tuple[Kind, ...] = ("variant", "gene")
_LONGEST = 300  # characters of a name in a link
_SHOWN = 40
# What each picture last told, and how often it was made anew to forget what was clicked there.
_TOLD, _TURNS = "chosen_told", "chosen_turns"
_BEGUN = "chosen_begun"


def keep() -> None:
    """Take what a link has chosen, and let the address of every page say what is chosen.

    A link is read when a session begins; later the address that a browser tells may lag behind.
    """
    is_begun = state.get(_BEGUN, False)
    state.put(_BEGUN, True)
    for kind in KINDS:
        asked = st.query_params.get(kind, "")
        held = name(kind) if is_begun else asked[:_LONGEST]
        state.put(kind, held)
        if held and held != asked:
            st.query_params[kind] = held
        elif asked and not held:
            del st.query_params[kind]


def name(kind: Kind) -> str:
    """Return what is chosen, "" for nothing."""
    return state.get(kind) or ""


def variant(view: View) -> MarkedVariant | None:
    """Return where the chosen variant stands in what is seen, None where it is not there."""
    if not name("variant"):
        return None
    return loaders.marked_variant(view.cohort, view.settings, view.analysis, name("variant"))


def choose_variant(view: View, variant_id: str, of: str = "") -> None:
    """Choose a variant and the gene that it lies in; for callbacks. `of` is what was clicked."""
    _choose({"variant": variant_id, "gene": nearest_gene(view.cohort, variant_id)}, of)


def choose_gene(gene: str, of: str = "") -> None:
    """Choose a gene, and leave the variant as it is; for callbacks."""
    _choose({"gene": gene}, of)


def clear() -> None:
    """Choose nothing; for callbacks."""
    _choose({"variant": "", "gene": ""})


def _choose(wanted: Mapping[Kind, str], of: str = "") -> None:
    for kind, what in wanted.items():
        state.put(kind, what)
        if not what:
            st.query_params.pop(kind, None)
    st.query_params.update({kind: what for kind, what in wanted.items() if what})
    _forget_others(of)


def told(view: View) -> None:
    """Say what is chosen, where that is not seen, and offer to let it go."""
    words = [text for text in (_of_variant(view), _of_gene(view)) if text]
    if not words:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="chosen"):
        st.caption(f":material/my_location: Marked: {', '.join(words)}.", width="content")
        st.button(
            "Clear", icon=":material/close:", on_click=clear, type="tertiary", key="clear_chosen"
        )


def _of_variant(view: View) -> str:
    if not name("variant"):
        return ""
    shown = f"**{_escaped(name('variant'))}**"
    found = variant(view)
    if found is None:
        return f"{shown} (not in this cohort)"
    if found.removed_by:
        return f"{shown} (removed by “{TITLES[found.removed_by]}” under these thresholds)"
    return shown if found.is_drawn else f"{shown} (not tested)"


def _of_gene(view: View) -> str:
    if not name("gene"):
        return ""
    known = loaders.gene_place(view.cohort, name("gene"))
    shown = f"gene **{_escaped(name('gene'))}**"
    return shown if known else f"{shown} (not in this cohort's gene table)"


def _escaped(text: str) -> str:
    short = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return short.translate(elements.ESCAPED)


def chart(view: View, made: Any, key: str, also: Sequence[str] = (), what: str = "hit") -> Any:
    """Draw a chart whose points choose: those in its selection `what`; return its event.

    `also` are selections of other meaning, for the page.
    """
    now = _key(key)
    return elements.chart(
        made, key=now, on_select=partial(_from_chart, view, key, now, what),
        selection_mode=[what, *also],
    )  # fmt: skip


def table(
    view: View, rows: pd.DataFrame, key: str, names: Sequence[str], kind: Kind, **options: Any
) -> None:
    """Draw a table whose rows choose; `names` are those of its variants or genes, row by row."""
    names = tuple(names)
    at = names.index(name(kind)) if name(kind) in names else None
    marked = [] if at is None else [at]
    if list(_selection(key).get("rows") or []) != marked:
        # Chosen elsewhere, or another row since the table was sorted out anew.
        state.set_widgets({key: {"selection": {"rows": marked, "columns": [], "cells": []}}})
    elements.table(
        rows, key=key, on_select=partial(_from_table, view, key, kind, names),
        selection_mode="single-row", **options,
    )  # fmt: skip
    if at is not None:
        st.caption(
            f":material/my_location: {_escaped(name(kind))} is row {at + 1:,} of {len(names):,}."
        )


def _from_chart(view: View, key: str, now: str, what: str) -> None:
    if now != _key(key):
        return  # the last word of a picture that has been made anew since
    point = (_selection(now).get(what) or [{}])[0]
    variant_id, gene = point.get("variant_id"), point.get("gene")
    told, before = variant_id or gene, state.get(_TOLD, {})
    if not told or told == before.get(key):
        return  # another of its selections has moved
    state.put(_TOLD, before | {key: told})
    if variant_id:
        choose_variant(view, str(variant_id), key)
    elif _is_name(gene):
        choose_gene(str(gene), key)


def _from_table(view: View, key: str, kind: Kind, names: tuple[str, ...]) -> None:
    rows = _selection(key).get("rows") or []
    picked = names[rows[0]] if rows and rows[0] < len(names) else ""
    if not picked:
        clear()  # a row that is clicked again lets go
    elif kind == "variant":
        choose_variant(view, picked)
    else:
        choose_gene(picked)


def _is_name(gene: Any) -> bool:
    """Say whether a gene is one: between genes, pictures name a stretch (`1:11.00 Mb`) or none."""
    return isinstance(gene, str) and gene not in ("", "none") and ":" not in gene


def _selection(now: str) -> Any:
    return (state.get(now) or {}).get("selection") or {}


def _key(key: str) -> str:
    """Return the name of a widget, a new one once what it shows has to be forgotten."""
    turn = state.get(_TURNS, {}).get(key, 0)
    return f"{key}-{turn}" if turn else key


def forget(key: str) -> None:
    """Make a picture anew without what was clicked or dragged there; for callbacks."""
    turns = state.get(_TURNS, {})
    state.put(_TURNS, turns | {key: turns.get(key, 0) + 1})


def _forget_others(of: str) -> None:
    """Make the pictures that were clicked before anew: the same point can be clicked again."""
    before = state.get(_TOLD, {})
    for key in before:
        if key != of:
            forget(key)
    state.put(_TOLD, {key: picked for key, picked in before.items() if key == of})
