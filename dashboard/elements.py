"""Small parts that every page is made of: charts, method texts, empty states, numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.theme import DARK, LIGHT, Palette

_TEXT = Path(__file__).parent / "text"


def palette() -> Palette:
    """Return the colours of the mode that the browser is in."""
    return DARK if getattr(st.context.theme, "type", None) == "dark" else LIGHT


def chart(made: Any, key: str | None = None, **options: Any) -> Any:
    """Draw a chart of `dashboard.charts` over the full width, in its own theme."""
    return st.altair_chart(made, width="stretch", theme=None, key=key, **options)


def method(name: str) -> None:
    """Offer the page's method text behind a quiet button."""
    with st.popover("Method", icon=":material/menu_book:", type="tertiary"):
        st.markdown((_TEXT / f"{name}.md").read_text(encoding="utf-8"))


def table(rows: Any, **options: Any) -> Any:
    """Draw a table; a cell without a value stays blank."""
    return st.dataframe(rows, hide_index=True, placeholder="", **options)


def empty(text: str) -> None:
    """Say why there is nothing to see and what to do next."""
    with st.container(border=True):
        st.markdown(f":material/info: {text}")


def problem(text: str) -> None:
    """Say what went wrong, where it happened."""
    st.error(text, icon=":material/error:")


def interval(measured: dict[str, float | None]) -> str:
    """Return a value with its limits: 0.714 (0.671 to 0.754)."""
    if measured["value"] is None:
        return "none"
    if measured["low"] is None or measured["high"] is None:
        return f"{measured['value']:.3f}"
    return f"{measured['value']:.3f} ({measured['low']:.3f} to {measured['high']:.3f})"


def duration(seconds: float | None) -> str:
    """Return seconds in words: 12 s, 3 min 05 s, 1 h 12 min."""
    if seconds is None:
        return ""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
