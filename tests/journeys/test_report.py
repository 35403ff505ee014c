"""Somebody takes the report of a run along and opens it where there is no network."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.journeys.conftest import PATIENCE_S

pytestmark = pytest.mark.browser

ALL_DRAWN = "() => [...document.querySelectorAll('[data-chart]')].every(e => e.dataset.drawn)"
# Charts are either drawn as SVG or on a canvas that is not blank.
DRAWINGS = """() => [...document.querySelectorAll('[data-chart]')].map(place => {
    const canvas = place.querySelector('canvas');
    if (!canvas) return place.querySelectorAll('svg text').length > 2;
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    return new Set(new Uint32Array(pixels.buffer)).size > 3;
})"""
WIDTHS = "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"


@pytest.fixture(scope="module")
def report(trained, browser, tmp_path_factory) -> Path:
    """The report as it is taken from the page Run: asked for, awaited, downloaded."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{trained.url}/run")
    page.locator("summary").get_by_text("Report", exact=True).click()
    page.get_by_role("button", name="Write the HTML").click()
    take = page.locator('[class*="st-key-report_take_html"] button')
    take.wait_for(timeout=PATIENCE_S * 1000)
    with page.expect_download() as expected:
        take.click()
    path = tmp_path_factory.mktemp("taken") / expected.value.suggested_filename
    expected.value.save_as(path)
    context.close()
    return path


def opened(browser: Browser, path: Path, size: tuple[int, int], said: list[str]) -> Page:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, offline=True)
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url)
            if not request.url.startswith("file://") else None)  # fmt: skip
    page.goto(path.as_uri())
    page.wait_for_function(ALL_DRAWN)
    return page


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_it_opens_offline_without_a_complaint(size, report, browser):
    assert report.name.startswith("report-")
    assert report.stat().st_size < 5_000_000
    said: list[str] = []
    page = opened(browser, report, size, said)
    drawn = page.evaluate(DRAWINGS)
    assert len(drawn) >= 6
    assert all(drawn)
    width, room = page.evaluate(WIDTHS)
    assert width <= room, "the page scrolls sideways"
    assert "people it had never seen" in page.locator("h1").inner_text()
    page.get_by_role("link", name="Methods", exact=True).click()
    assert page.url.endswith("#methods")
    assert said == []
    page.context.close()


def test_its_charts_answer(report, browser):
    said: list[str] = []
    page = opened(browser, report, (1440, 900), said)
    bars = page.locator("#funnel svg .mark-rect path")
    bars.first.scroll_into_view_if_needed()
    bars.first.hover()
    page.locator("#vg-tooltip-element.visible").wait_for()
    assert said == []
    page.context.close()
