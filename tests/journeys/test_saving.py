"""Somebody takes pictures and tables along: a real click, a real file."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.browser


def take(person: Visitor, offer: str, kind: str, folder: Path) -> Path:
    """Open an offer, press one of its kinds of file, and return the file."""
    button = person.page.locator(f'[class*="st-key-saved_{kind}_"] button')
    if not button.count():
        person.page.locator(f'[class*="st-key-{offer}"] button').first.click()
        button.wait_for()
    with person.page.expect_download() as expected:
        button.click()
    name = expected.value.suggested_filename
    expected.value.save_as(folder / name)
    return folder / name


def test_pictures_and_tables_are_taken_along(simulated, visit, tmp_path):
    person = visit("association?cohort=simulated&quality.min_call_rate=0.95", color_scheme="dark")
    person.see("Manhattan plot")
    svg = take(person, "saved_picture_manhattan", "svg", tmp_path)
    assert svg.name == "association-along-the-genome.svg"
    words = " ".join(re.findall(r">([^<>]+)<", svg.read_text(encoding="utf-8")))
    kept = person.metric("Variants kept")
    for expected in ("Association along the genome", "Cohort simulated", "smallest call rate 0.95",
                     f"{kept} of", "Bonferroni of"):  # fmt: skip
        assert expected in words
    picture = Image.open(take(person, "saved_picture_manhattan", "png", tmp_path))
    assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.5)
    assert picture.convert("RGB").getpixel((2, 2)) == (255, 255, 255), "printed on white"
    pdf = take(person, "saved_picture_manhattan", "pdf", tmp_path)
    assert pdf.read_bytes().startswith(b"%PDF")
    person.page.keyboard.press("Escape")

    table = pd.read_parquet(take(person, "saved_table_top_table", "parquet", tmp_path))
    assert {"Variant", "Gene", "p", "Odds ratio"} <= set(table)
    assert table["p"].is_monotonic_increasing
    written = pd.read_csv(take(person, "saved_table_top_table", "csv", tmp_path))
    assert len(written) == len(table)


def test_a_picture_of_a_run_names_it(trained, visit, tmp_path):
    person = visit("run")
    person.see("Confusion matrix")
    svg = take(person, "saved_picture_confusion", "svg", tmp_path)
    run = person.page.evaluate("new URLSearchParams(location.search).get('run')")
    assert run[:8] in svg.name
    assert f"Run {run} of cohort" in svg.read_text(encoding="utf-8")


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_offers_take_no_room_and_the_sidebar_has_none(size, simulated, visit):
    person = visit("association", viewport={"width": size[0], "height": size[1]})
    person.see("Manhattan plot")
    offers = person.page.locator('[class*="st-key-saved_picture_"]')
    assert offers.count() >= 3
    assert set(offers.evaluate_all("all => all.map(e => e.offsetHeight)")) == {0}
    sidebar = person.page.get_by_test_id("stSidebar")
    assert sidebar.locator('[class*="st-key-saved_"]').count() == 0
