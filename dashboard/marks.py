"""Quiet marks at the pages in the navigation: ready, out of date, next, not yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard import elements, loaders
from dashboard.theme import Palette
from dashboard.view import View
from pipeline.standing import Standing

# Told apart by shape; the words are read out instead of the sign, and stand in the legend.
SIGNS: dict[Standing, tuple[str, str]] = {
    "ready": ("✓", "done"),
    "stale": ("↻", "out of date: the thresholds have moved since"),
    "next": ("→", "next"),
    "later": ("○", "not yet"),
}


def show(view: View, urls: Mapping[str, Any]) -> None:
    """Mark each page; `urls` are the pages by name."""
    standings = loaders.standings(view.cohort, view.settings)
    st.html(f"<style>{rules(standings, urls, elements.palette())}</style>")


def rules(standings: Mapping[str, Standing], urls: Mapping[str, Any], palette: Palette) -> str:
    """Return a rule a page: Streamlit's navigation has no room for a mark of ours."""
    rules = []
    for name, standing in standings.items():
        sign, words = SIGNS[standing]
        link = f'[data-testid$="NavLink"][href$="/{urls[name].url_path}"]'
        colour = palette.ink if standing in ("stale", "next") else palette.muted
        rules.append(
            f'{link}::after {{ content: "{sign}" / ", {words}"; color: {colour}; '
            "font-size: 0.8em; margin-left: -0.2em; }"
        )
    return "\n".join(rules)
