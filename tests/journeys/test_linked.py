"""Linked views: what is clicked in one place is marked in all, and a region can be left out."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image

from dashboard.theme import LIGHT
from tests.journeys.looks import assert_fit_to_show

pytestmark = pytest.mark.browser


def places_of(person, start: str, colour: str) -> np.ndarray:
    """Return the pixels (x, y) of a colour in the picture whose description starts like this."""
    picture = person.canvas(start)
    picture.scroll_into_view_if_needed()
    person.settle()
    seen = np.asarray(Image.open(io.BytesIO(picture.screenshot())).convert("RGB")).astype(int)
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    y, x = np.nonzero(np.abs(seen - wanted).max(axis=2) <= 6)
    return np.stack([x, y], axis=1)


def is_marked(person, start: str) -> bool:
    return len(places_of(person, start, LIGHT.lead)) > 60


def click_highest(person, start: str) -> None:
    """Click the highest hit of a picture."""
    hits = places_of(person, start, LIGHT.hit)
    top = hits[:, 1].min()
    point = hits[hits[:, 1] < top + 12].mean(axis=0)
    box = person.canvas(start).bounding_box()
    person.page.mouse.click(float(box["x"] + point[0]), float(box["y"] + point[1]))


def chosen_row(person) -> str:
    found = re.search(r"(\S+) is row (\d+) of", person.text())
    return f"{found[1]} {found[2]}" if found else ""


def test_a_click_is_marked_everywhere_and_kept_between_pages_and_in_a_link(best, visit):
    person = visit("association?cohort=simulated")
    person.see("Manhattan plot of")
    assert not is_marked(person, "Manhattan plot of")
    click_highest(person, "Manhattan plot of")
    name = best["variant_id"]
    person.until(lambda: f"variant={name}" in person.page.url, "the variant in the address")
    person.settle()
    assert chosen_row(person) == f"{name} 1"
    assert is_marked(person, "Manhattan plot of")
    assert is_marked(person, "Observed against expected")
    assert f"gene={best['gene'].split(';')[0]}" in person.page.url
    assert_fit_to_show(person, "light")
    person.turn_to("Genes")
    person.see("Carriers of")
    assert is_marked(person, "Manhattan plot of the burden of")
    assert chosen_row(person)
    person.turn_to("Association")
    person.see("Manhattan plot of")
    assert chosen_row(person) == f"{name} 1"
    assert is_marked(person, "Manhattan plot of")

    link = person.page.url.removeprefix(person.url + "/")
    other = visit(link)
    other.see("Manhattan plot of")
    other.settle()
    assert chosen_row(other) == f"{name} 1"
    assert is_marked(other, "Manhattan plot of")

    person.press("Close")
    person.until(lambda: "variant=" not in person.page.url, "nothing chosen in the address")
    person.settle()
    assert not chosen_row(person)
    click_highest(person, "Manhattan plot of")  # the same point answers again
    person.until(lambda: chosen_row(person) == f"{name} 1", "the same variant again")
    assert person.errors() == other.errors() == []


def test_a_row_of_a_table_is_marked_in_the_plot_and_let_go(best, visit):
    person = visit("association?cohort=simulated")
    person.see("Manhattan plot of")
    grid = person.page.get_by_test_id("stDataFrame").first
    for is_chosen in (True, False):
        grid.scroll_into_view_if_needed()
        person.settle()
        box = grid.bounding_box()
        person.page.mouse.click(box["x"] + 16, box["y"] + 52)
        person.until(
            lambda wanted=is_chosen: (f"variant={best['variant_id']}" in person.page.url) is wanted,
            "the row in the address",
        )
        person.settle()
        assert is_marked(person, "Manhattan plot of") is is_chosen
    assert person.errors() == []


def test_without_a_region_and_with_it_again(best, visit):
    person = visit(f"association?cohort=simulated&place={best['chrom']}")
    person.until(lambda: "along chromosome" in person.chart("Manhattan"), "a chromosome")
    before = person.metric("Variants kept")
    picture = person.canvas("Manhattan")
    picture.scroll_into_view_if_needed()
    person.settle()
    box = picture.bounding_box()
    mouse, y = person.page.mouse, box["y"] + 0.3 * box["height"]
    mouse.move(box["x"] + 0.2 * box["width"], y)
    mouse.down()
    for share in (0.3, 0.5):
        mouse.move(box["x"] + share * box["width"], y, steps=4)
    mouse.up()
    person.until(
        lambda: re.search(r"–[\d,]+: [\d,]+ variants kept", person.text()), "what it holds"
    )
    person.settle()
    assert f"place={best['chrom']}" in person.page.url
    n = int(re.search(r"–[\d,]+: ([\d,]+) variants kept", person.text())[1].replace(",", ""))
    person.press("What if without these?")
    number = int(before.replace(",", ""))
    person.until(lambda: person.metric("Variants kept") == f"{number - n:,}", "fewer variants")
    assert "quality.without_regions=" in person.page.url
    assert f"{n:,} variants that all other thresholds keep" in person.text()
    assert_fit_to_show(person, "light")
    other = visit(person.page.url.removeprefix(person.url + "/"))
    other.until(lambda: other.metric("Variants kept") == f"{number - n:,}", "the same by a link")
    main = person.page.get_by_test_id("stMain")
    main.get_by_role("button", name="With them again", exact=True).click()
    person.until(lambda: person.metric("Variants kept") == before, "all variants again")
    person.settle()
    assert "without_regions" not in person.page.url
    assert person.errors() == other.errors() == []
