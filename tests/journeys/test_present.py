"""A presenter in front of a room: keys, a link to the same slide, a threshold that moves."""

from __future__ import annotations

from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.runs import Run, list_runs
from pipeline.story import n_above, story_of
from pipeline.story.saved import delete_story, list_stories
from tests.journeys.looks import OUTSIDE
from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.browser

PROJECTOR = {"viewport": {"width": 1920, "height": 1080}}
# What slides of a measured run draw, in the order of the story; an audit may not be there.
PICTURES = ("Eight stages", "3,000 people", "A bar for each", "Manhattan plot", "Genotypes, shape",
            "Curves over", "Confusion matrix")  # fmt: skip
# What lies outside of the screen, or over something else: title, words, drawing, bar.
PLACES = """() => ['h1', '.st-key-slide_chart', '.st-key-slide_said', '.st-key-slide_list',
        '.st-key-slide_caption', '.st-key-slide_bar']
    .map(name => document.querySelector(name)).filter(e => e)
    .map(e => e.getBoundingClientRect()).map(r => [r.top, r.bottom, r.left, r.right])"""
SCROLLS = """() => { const e = document.querySelector('[data-testid=stMain]');
    return [e.scrollHeight - e.clientHeight, e.scrollWidth - e.clientWidth]; }"""
LETTERS = "e => parseFloat(getComputedStyle(e).fontSize)"
AROUND = "[data-testid=stSidebar], [data-testid=stHeader], [data-testid=stTopNavLink]"


@pytest.fixture
def run(trained) -> Run:
    """A training that has been measured."""
    return next(run for run in list_runs(trained.cache) if run.state == "finished")


def number(person: Visitor) -> int:
    label = person.page.locator(".slide-dots").get_attribute("aria-label")
    return int(str(label).split()[1])


def turn(person: Visitor, key: str, to: int) -> None:
    person.page.keyboard.press(key)
    person.until(lambda: number(person) == to, f"slide {to} by {key}")


def in_address(person: Visitor, name: str) -> str:
    person.page.wait_for_timeout(50)  # the address is heard of with the next message
    return parse_qs(urlsplit(person.page.url).query).get(name, [""])[0]


def present(person: Visitor) -> None:
    person.page.get_by_role("button", name="Present", exact=True).click()
    person.page.locator(".slide-dots").wait_for()


def test_keys_turn_the_slides_and_esc_leaves(run, visit):
    person = visit(f"present?run={run.id}", **PROJECTOR)
    present(person)
    person.until(lambda: not person.page.locator(AROUND).locator("visible=true").count(),
                 "a screen with the slide alone")  # fmt: skip
    for key, to in (("ArrowRight", 2), ("Space", 3), ("PageDown", 4), ("PageUp", 3),
                    ("ArrowLeft", 2), ("End", 9), ("Home", 1)):  # fmt: skip
        turn(person, key, to)
    person.until(lambda: in_address(person, "slide") == "1", "the slide in the address")
    person.page.keyboard.press("ArrowLeft")  # before the first there is none
    turn(person, "ArrowRight", 2)
    person.page.keyboard.press("Escape")
    person.until(lambda: "The story for a room" in person.text(), "the plan")
    person.until(lambda: not in_address(person, "slide"), "an address without a slide")
    assert person.page.locator(AROUND).locator("visible=true").count()


def test_every_slide_fits_a_projector(run, visit):
    person = visit(f"present?run={run.id}&slide=1", is_live=True, **PROJECTOR)
    for place in range(1, 10):
        if place > 1:
            turn(person, "ArrowRight", place)
        if place <= len(PICTURES):
            person.see(PICTURES[place - 1])
        person.page.wait_for_timeout(500)  # a drawing follows its box a moment later
        assert person.page.evaluate(SCROLLS) == [0, 0], place
        boxes = person.page.evaluate(PLACES)
        for top, bottom, left, right in boxes:
            assert top >= 0, place
            assert bottom <= 1081, place
            assert left >= 0, place
            assert right <= 1921, place
        for (_, end, *_), (start, *_) in pairwise(boxes):
            assert end <= start + 1, f"something overlaps on slide {place}"
        assert person.page.evaluate(OUTSIDE) == [], place
        assert person.page.locator("h1").evaluate(LETTERS) >= 40, "read from the back of a room"


def test_a_link_opens_the_same_slide_in_another_browser(run, visit):
    person = visit(f"present?run={run.id}")
    person.page.locator(".st-key-present_Up_audit button").click()
    person.settle()
    present(person)
    for to in (2, 3):
        turn(person, "PageDown", to)
    person.until(lambda: in_address(person, "slide") == "3", "the address")
    other = visit(person.page.url.split("/", 3)[3], is_live=True, **PROJECTOR)
    other.see("A bar for each")
    assert number(other) == 3
    finding = person.page.locator("h1").inner_text()
    other.until(lambda: other.page.locator("h1").inner_text() == finding, f"the finding {finding}")
    turn(other, "End", 9)
    turn(other, "ArrowLeft", 8)
    other.see("Confusion matrix")  # the audit was moved before it


def test_a_threshold_is_moved_in_front_of_the_room(run, visit):
    part = story_of(run).part("manhattan")
    person = visit(f"present?run={run.id}&slide=1&slides=manhattan,audit&live=1", is_live=True)
    person.see("Manhattan plot")
    label = person.page.locator(".st-key-slide_line")
    slider = label.locator("input[type=range]")
    start = float(slider.get_attribute("aria-valuetext"))
    assert f"{n_above(part, start):,} of" in label.inner_text()
    slider.focus()
    person.page.keyboard.press("ArrowRight")
    moved = round(start + 0.1, 1)
    person.until(
        lambda: (
            f"{n_above(part, moved):,} of {len(part.data['all_neg_log10_p']):,} tested"
            in label.inner_text()
        ),
        "the count above the moved line",
    )
    assert number(person) == 1, "the key moved the threshold, not the slide"
    drawn = person.page.locator(".st-key-slide_chart svg.marks")
    person.until(
        lambda: f"{n_above(part, moved):,} variants above" in drawn.inner_html(), "the line"
    )


def test_a_story_is_saved_and_opened_by_its_link(trained, run, visit):
    name = "Journey of a meeting"
    if name in [one.name for one in list_stories(trained.cache)]:
        delete_story(trained.cache, name)
    person = visit(f"present?run={run.id}")
    field = person.field("Said of it: Cohort")
    field.fill("Ask about *batch* <b>now</b>")
    field.press("Enter")
    person.settle()
    person.field("Name").fill(name)
    person.press("Save")
    person.until(lambda: in_address(person, "story") == name, "the name in the address")
    link = person.page.get_by_test_id("stCode").first.inner_text()
    assert "story=Journey%20of%20a%20meeting" in link
    other = visit("present?" + link.split("?")[1] + "&slide=2", is_live=True, **PROJECTOR)
    other.see("3,000 people")
    assert "Ask about *batch* <b>now</b>" in other.text()
    delete_story(trained.cache, name)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_telephone_reads_the_slides(run, visit, mode):
    person = visit(
        f"present?run={run.id}&slide=7", is_live=True, color_scheme=mode,
        viewport={"width": 390, "height": 844},
    )  # fmt: skip
    person.see("Confusion matrix")
    person.page.wait_for_timeout(400)
    assert person.page.evaluate(SCROLLS)[1] == 0, "the slide scrolls sideways"
    assert person.page.evaluate(OUTSIDE) == []
    bar = person.page.locator(".st-key-slide_bar").bounding_box()
    assert bar["height"] < 80
