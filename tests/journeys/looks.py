"""What a page must never look like, asked of the browser that has drawn it."""

from __future__ import annotations

import re

from dashboard.theme import DARK, LIGHT, contrast
from tests.journeys.visitor import Visitor

WIDTHS = """() => [document.documentElement, document.querySelector('[data-testid=stMain]')]
    .map(e => [e.scrollWidth, e.clientWidth])"""

# Elements whose text does not fit: wider than their box, with the rest hidden.
CUT = """() => [...document.querySelectorAll(
    '[data-testid=stMetricValue] *, [data-testid=stMetricLabel] *, h1, h2, h3, button *')]
    .filter(e => e.offsetParent && !e.closest('[data-collapsed=true]')
                 && getComputedStyle(e).overflowX !== 'visible'
                 && e.clientWidth > 1  // words for those who hear the page alone
                 && e.scrollWidth > e.clientWidth + 1)
    .map(e => e.innerText)"""

# Words of drawings that stick out of their drawing.
OUTSIDE = """() => [...document.querySelectorAll('.stVegaLiteChart svg')].flatMap(svg => {
    if (svg.closest('[data-collapsed=true]')) return [];
    const box = svg.getBoundingClientRect();
    return [...svg.querySelectorAll('text')].filter(text => {
        const r = text.getBoundingClientRect();
        const is_shown = text.textContent && r.width && getComputedStyle(text).opacity !== '0';
        return is_shown && (r.left < box.left - 2 || r.right > box.right + 2
                            || r.top < box.top - 2 || r.bottom > box.bottom + 2);
    }).map(text => text.textContent);
})"""

DRAWN = """() => [...document.querySelectorAll('[data-testid=stVegaLiteChart] svg text')]
    .map(e => e.textContent).join('\\n')"""

# Text, without what is code (fingerprints, log lines) or typed (file names in a box).
READ = """() => {
    const copy = document.querySelector('[data-testid=stApp]').cloneNode(true);
    copy.querySelectorAll('code, pre, script, style, [aria-hidden=true], [role=img],'
                          + '[data-testid=stJson]')
        .forEach(e => e.remove());
    return copy.textContent;
}"""

# Ink and ground of what wears the theme's first colour: buttons, chosen words.
FILLED = """() => [...document.querySelectorAll('button[kind=primary], [data-tag]')].map(e => {
    const words = getComputedStyle(e.querySelector('span') || e);
    return [words.color, getComputedStyle(e).backgroundColor, e.innerText];
})"""
GROUND = "() => getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"

RAW_NAME = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")
NO_VALUE = re.compile(r"\b(None|nan|NaN|undefined|null)\b")


def assert_fit_to_show(person: Visitor, mode: str) -> None:
    """Fail where something is cut, sticks out, scrolls sideways, or speaks the code's language."""
    person.page.wait_for_timeout(400)  # a drawing follows its box a moment later
    for wide, room in person.page.evaluate(WIDTHS):
        assert wide <= room, "the page scrolls sideways"
    assert person.page.evaluate(CUT) == []
    assert person.page.evaluate(OUTSIDE) == []
    read = person.page.evaluate(READ) + person.page.evaluate(DRAWN)
    assert RAW_NAME.findall(read) == []
    assert NO_VALUE.findall(read) == []
    assert "Traceback" not in read
    palette = DARK if mode == "dark" else LIGHT
    assert hexadecimal(person.page.evaluate(GROUND)) == palette.background
    for ink, fill, words in person.page.evaluate(FILLED):
        assert contrast(hexadecimal(ink), hexadecimal(fill)) >= 4.5, words


def hexadecimal(colour: str) -> str:
    """Return `rgb(17, 22, 28)` as #11161C."""
    return "#" + "".join(f"{int(part):02X}" for part in re.findall(r"\d+", colour)[:3])
