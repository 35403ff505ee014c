"""Every page on a projector and on a telephone, in light and dark rooms."""

from __future__ import annotations

import pytest

from tests.journeys.looks import assert_fit_to_show

pytestmark = pytest.mark.browser

SIZES = {"desktop": (1440, 900), "projector": (1920, 1080), "telephone": (390, 844)}
PAGES = (
    "",
    "quality",
    "association",
    "genes",
    "training",
    "run",
    "compare",
    "compare?compare.part=Tables+of+the+paper",
    "audit",
    "present",
)
MAIN_PICTURE = {
    "": "3,000 people:",
    "quality": "A bar for each",
    "association": "Manhattan",
    "genes": "Manhattan plot of the burden",
    "training": "Genotypes, shape",
    "run": "Confusion matrix",
    "compare": "",  # a table, until runs are ticked
    "compare?compare.part=Tables+of+the+paper": "Table 1 of Henriques",
    "audit": "AUC of one split",
    "present": "",  # a list of slides
}


@pytest.mark.parametrize(
    ("size", "mode"),
    [
        ("desktop", "light"),
        ("desktop", "dark"),
        ("projector", "light"),
        ("telephone", "light"),
        ("telephone", "dark"),
    ],
)
def test_every_page(size, mode, audited, visit):
    width, height = SIZES[size]
    person = visit(viewport={"width": width, "height": height}, color_scheme=mode)
    for page in PAGES:
        person.go(page)
        if MAIN_PICTURE[page]:
            person.see(MAIN_PICTURE[page])
        assert_fit_to_show(person, mode)
    if size == "telephone":
        sidebar = person.page.get_by_test_id("stSidebar")
        assert sidebar.get_attribute("data-collapsed") == "true"
        _strip_scrolls_inside(person)
        person.page.get_by_test_id("stExpandSidebarButton").click()
        person.page.wait_for_timeout(600)  # it slides in
        assert sidebar.get_attribute("data-collapsed") == "false"
        assert_fit_to_show(person, mode)
    elif size == "desktop":
        person.slider("Smallest call rate").focus()
        _reach_by_tab(person)


def _strip_scrolls_inside(person) -> None:
    person.go("quality")
    wide, room = person.page.locator(".st-key-strip").evaluate(
        "e => [e.scrollWidth, e.clientWidth]"
    )
    assert wide > room
    last = person.page.get_by_test_id("stMetric").last
    assert last.bounding_box()["x"] > 390
    last.scroll_into_view_if_needed()
    assert last.bounding_box()["x"] < 390


def _reach_by_tab(person) -> None:
    """From the top of the page the thresholds are reached by the key Tab alone."""
    person.go("quality")
    reached = []
    for _ in range(40):
        person.page.keyboard.press("Tab")
        label = person.page.evaluate("document.activeElement.ariaLabel")
        kind = person.page.evaluate("document.activeElement.type")
        if kind == "range":
            reached.append(label)
    assert reached[:3] == ["Site quality above", "Smallest mean depth", "Smallest call rate"]
