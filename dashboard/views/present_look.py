"""How a slide fills a screen: one thing, big, nothing around it.

Sizes go by a unit, a hundredth of the height of a screen of 16 : 9, so that a projector, a laptop
and a wall show the same. A drawing keeps its own pixels and is enlarged as a whole: for every step
a rule says from which screen on it fits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from dashboard.theme import Palette

NARROW = 760  # pixels; below, a slide is a page that scrolls
_STEPS = [round(0.45 + 0.05 * step, 2) for step in range(72)]
# In units: left and right of a slide together, above it, the bar below, between its parts.
_EDGE, _TOP, _BAR, _GAP = 8.0, 3.0, 5.5, 1.4
_WIDE = 177.8  # across a screen
_LETTER = 0.47  # of the size of letters, how wide one is
_APART = 1.0  # between the lines of a list
_LIST_SIZES = (3.8, 3.5, 3.2, 2.9, 2.6, 2.3, 2.0)

_SCREEN = f"""<style>
:root {{ --u: min(1vh, {100 / _WIDE:.4f}vw); --bar: max(calc({_BAR} * var(--u)), 2.7rem); }}
[data-testid="stSidebar"], [data-testid="stHeader"], [data-testid="stToolbar"],
[data-testid="stBottom"], [data-testid="stExpandSidebarButton"],
.st-key-slide [data-testid="stElementToolbar"] {{ display: none !important; }}
.stMainBlockContainer {{
    padding: calc({_TOP} * var(--u)) calc({_EDGE / 2} * var(--u)) var(--bar) !important; }}
[data-testid="stVerticalBlock"]:has(> [data-testid="stLayoutWrapper"] > .st-key-slide) {{ gap: 0; }}
.st-key-slide {{
    min-height: calc(100vh - {_TOP} * var(--u) - var(--bar)); gap: calc({_GAP} * var(--u)); }}
.st-key-slide > [data-testid="stLayoutWrapper"]:has(> .st-key-slide_chart),
.st-key-slide > [data-testid="stLayoutWrapper"]:has(> .st-key-slide_list) {{
    display: flex; flex: 1 0 auto; flex-direction: column; justify-content: center; }}
.st-key-slide h1 {{ font-size: max(1.45rem, calc(4.2 * var(--u))); line-height: 1.18; padding: 0;
    text-wrap: balance; }}
.st-key-slide_note p {{ font-size: max(1.1rem, calc(3 * var(--u))); line-height: 1.3; }}
.st-key-slide_note {{ border-left: calc(0.5 * var(--u)) solid currentColor;
    padding-left: calc(1.6 * var(--u)); }}
.st-key-slide_said :is(p, li) {{ font-size: max(1rem, calc(2.4 * var(--u))); line-height: 1.35; }}
.st-key-slide_list :is(p, li) {{ font-size: max(1.05rem, calc(var(--list) * var(--u)));
    line-height: 1.35; margin-bottom: calc({_APART} * var(--u)); }}
.st-key-slide_line p {{ font-size: max(1rem, calc(2.4 * var(--u))); line-height: 1.3; }}
.st-key-slide_line [data-testid="stSliderThumbValue"] {{ display: none; }}
.st-key-slide_list {{ flex: 0 0 auto; }}
.st-key-slide_caption p {{ font-size: max(0.85rem, calc(1.7 * var(--u))); line-height: 1.3; }}
.st-key-slide_chart {{ zoom: var(--zoom, 1); flex: 0 0 auto; }}
/* Streamlit gives a drawing the enlarged width of this box, and the drawing is enlarged, too. */
.st-key-slide_chart .stElementContainer:has(.stVegaLiteChart) {{
    width: calc(100% / var(--zoom, 1)) !important; overflow: visible; }}
.st-key-slide_bar {{ position: fixed; left: 0; right: 0; bottom: 0; z-index: 10;
    height: var(--bar); padding: 0 calc({_EDGE / 2} * var(--u)); background: var(--ground); }}
.st-key-slide_bar button {{ min-height: 1.8rem; padding: 0 0.4rem; }}
.st-key-slide_bar kbd, .st-key-slide_bar [data-testid="stShortcut"] {{ display: none; }}
.slide-dots {{ display: flex; gap: 0.5rem; align-items: center; font-size: 0.95rem; }}
.slide-dots i {{ width: 0.7rem; height: 0.7rem; border-radius: 50%; border: 2px solid currentColor;
    opacity: 0.45; }}
.slide-dots i.past {{ background: currentColor; }}
.slide-dots i.now {{ background: currentColor; opacity: 1; transform: scale(1.25); }}
.slide-dots span {{ margin-left: 0.5rem; font-variant-numeric: tabular-nums; }}
.st-key-slide_keys {{ position: absolute; width: 1px; height: 1px; overflow: hidden;
    clip-path: inset(50%); }}
@media (max-width: {NARROW}px) {{
    .stMainBlockContainer {{ padding: 1rem 0.9rem 4rem !important; }}
    .st-key-slide {{ min-height: 0; gap: 1rem; }}
    .st-key-slide_bar {{ flex-wrap: nowrap; padding: 0 0.9rem; }}
    .st-key-slide_bar button p {{
        position: absolute; width: 1px; height: 1px; overflow: hidden; white-space: nowrap; }}
    .slide-dots i {{ display: none; }}
}}
</style>"""


@dataclass(frozen=True)
class Words:
    """What stands on a slide beside its drawing."""

    title: str
    note: str
    said: str
    caption: str

    @property
    def units(self) -> float:
        """Return how high all that is not the drawing stands, in units."""
        lines = (
            (5.0, _lines(self.title, 4.2 * 1.08)),
            (4.0, _lines(self.note, 3.0)),
            (3.3, _lines(self.said, 2.4)),
            (2.3, _lines(self.caption, 1.7)),
        )
        n_parts = 1 + sum(n > 0 for _, n in lines)
        return _TOP + _BAR + _GAP * n_parts + sum(high * n for high, n in lines)


def full_screen(palette: Palette) -> None:
    """Take away everything around the slides."""
    st.html(_SCREEN)
    st.html(f"<style>:root {{ --ground: {palette.background}; }}</style>")


def enlarge(high: float, wide: float, words: Words, beside: float = 0.0) -> None:
    """Enlarge the drawing as far as the screen has room.

    It is `high` pixels high, needs `wide` pixels to keep its names beside it, and stands with
    `words` and `beside` units of other things.
    """
    room = max(0.25, 1 - (words.units + beside) / 100)
    across = 1 - _EDGE / _WIDE
    rules = [
        f"@media (min-width: {max(NARROW + 1, math.ceil(step * wide / across))}px) and "
        f"(min-height: {math.ceil(step * high / room)}px) "
        f"{{ .st-key-slide_chart {{ --zoom: {step}; }} }}"
        for step in _STEPS
    ]
    least = (
        f"@media (min-width: {NARROW + 1}px) {{ .st-key-slide_chart {{ --zoom: {_STEPS[0]}; }} }}"
    )
    st.html(f"<style>{least}{''.join(rules)}</style>")


def list_size(items: Sequence[str], words: Words) -> None:
    """Set the letters of a list as large as the screen holds them."""
    room = 100 - words.units

    def high(size: float) -> float:
        return sum(_lines(item, size, 5.0) * size * 1.35 + _APART for item in items)

    size = next((size for size in _LIST_SIZES if high(size) <= room), _LIST_SIZES[-1])
    st.html(f"<style>:root {{ --list: {size}; }}</style>")


def _lines(text: str, size: float, indent: float = 0.0) -> int:
    """Return how many lines a text takes in letters of a size; no line is filled to its end."""
    return math.ceil(len(text) * size * _LETTER / (0.95 * (_WIDE - _EDGE - indent)))
