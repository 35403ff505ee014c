"""A first visit: from an empty cache to a trained network that can be sent as a link."""

from __future__ import annotations

import io
import re
import time

import numpy as np
import pytest
from PIL import Image

from dashboard.theme import LIGHT
from pipeline import jobs
from pipeline.cohort import cohort_names, delete_cohort
from pipeline.runs import list_runs, read_progress
from tests.journeys.conftest import PATIENCE_S
from tests.journeys.looks import assert_fit_to_show
from tests.journeys.test_looks import SIZES
from tests.journeys.visitor import Server, Visitor

pytestmark = pytest.mark.browser

TOP_ROW = {"x": 24, "y": 52}  # the box of the first row of a table, below its head


@pytest.fixture
def empty(server: Server) -> Server:
    """The server as on the first day, whatever ran before."""
    for name in cohort_names(server.cache):
        delete_cohort(server.cache, name)
    return server


def test_first_visit(empty, visit):
    for mode in ("light", "dark"):
        for size in SIZES.values():
            viewport = dict(zip(("width", "height"), size, strict=True))
            person = visit(viewport=viewport, color_scheme=mode)
            assert "Try with a simulated cohort" in person.text()
            assert_fit_to_show(person, mode)
            person.context.close()
    person = visit()
    _simulate(person)
    _quality(person)
    _association(person)
    run_id = _train(person, empty)
    _believe(person, run_id, visit)


def _simulate(person: Visitor) -> None:
    person.press("Simulate")
    progress = person.page.get_by_test_id("stProgress")
    words = person.until(progress.all_inner_texts, "progress in words")
    assert "Making the cohort simulated" in words[0]
    heard = set(words)

    def cohort_page() -> str:
        heard.update(progress.all_inner_texts())
        return person.chart("3,000 people:")

    start = time.monotonic()
    person.until(cohort_page, "the page of the cohort", PATIENCE_S)
    print(f"\nsimulated cohort: {time.monotonic() - start:.1f} s, {len(heard)} steps in words")
    assert len(heard) > 3
    person.settle()
    assert "3,000 people and 19,936 variants" in person.text()


def _quality(person: Visitor) -> None:
    person.turn_to("Quality")
    funnel, kept = person.see("A bar for each"), person.metric("Variants kept")
    assert f"{kept} of" in funnel
    slider = person.slider("Smallest call rate")
    slider.focus()
    place = person.canvas("A bar for each").bounding_box()
    start = time.monotonic()
    slider.press("ArrowRight")
    person.until(lambda: person.metric("Variants kept") != kept, "another number of variants")
    print(f"slider to metric: {time.monotonic() - start:.2f} s")
    person.settle()
    fewer = person.metric("Variants kept")
    assert _number(fewer) < _number(kept)
    assert fewer not in funnel
    person.until(lambda: f"{fewer} of" in person.chart("A bar for each"), "another funnel")
    assert person.canvas("A bar for each").bounding_box() == place, "the page has jumped"
    assert "quality.min_call_rate=0.905" in person.page.url


def _association(person: Visitor) -> None:
    person.turn_to("Association")
    drawn, kept = person.see("Manhattan"), person.metric("Variants kept")
    slider = person.slider("Smallest mean depth")
    slider.focus()
    for _ in range(6):
        slider.press("ArrowRight")
    person.until(lambda: person.metric("Variants kept") != kept, "another number of variants")
    person.settle()
    person.until(lambda: person.chart("Manhattan") not in ("", drawn), "another Manhattan plot")
    person.settle()

    point = _hit(person)
    person.canvas("Manhattan").click(position=point)
    assert "control" in person.see("case hom ref")
    person.settle()
    assert "Odds ratio, alternate" in person.text()
    person.press("Close")
    person.until(lambda: not person.chart("case hom ref"), "the page without the card")

    table = person.page.get_by_test_id("stDataFrame").last
    table.scroll_into_view_if_needed()
    table.click(position=TOP_ROW)
    person.see("case hom ref")


def _hit(person: Visitor) -> dict[str, float]:
    """Return where the highest point past Bonferroni is drawn, by its colour."""
    plot = person.canvas("Manhattan")
    plot.scroll_into_view_if_needed()
    pixels = np.asarray(Image.open(io.BytesIO(plot.screenshot())).convert("RGB")).astype(int)
    hit = np.array([int(LIGHT.hit[i : i + 2], 16) for i in (1, 3, 5)])
    rows, columns = np.nonzero((abs(pixels - hit) < 12).all(axis=2))
    assert len(rows), "no point is drawn in the colour of hits"
    top = rows < rows.min() + 8
    near = top & (abs(columns - columns[rows.argmin()]) < 8)
    return {"x": float(columns[near].mean()), "y": float(rows[near].mean())}


def _train(person: Visitor, server: Server) -> str:
    person.turn_to("Training")
    person.page.get_by_role("radio", name="Quick what-if").click()
    person.settle()
    start = time.monotonic()
    person.page.get_by_role("button", name="Train", exact=True).click()
    run_id = person.until(lambda: [run.id for run in list_runs(server.cache)], "a run")[0]

    person.see("Curves over", PATIENCE_S)  # they grow: tests/journeys/test_watching.py
    print(f"Train to first epoch: {time.monotonic() - start:.1f} s")
    person.page.get_by_role("link", name="Open this run").click()
    person.see("Confusion matrix", PATIENCE_S)
    assert jobs.job(server.cache, run_id).state == "finished"
    n_epochs = max(record.epoch for record in read_progress(list_runs(server.cache)[0]))
    assert f"Curves over {n_epochs:,} epochs" in person.see("Curves over")
    return run_id


def _believe(person: Visitor, run_id: str, visit) -> None:
    person.settle()
    sentence = person.page.get_by_role("heading", level=2).first.inner_text()
    assert re.search(r"On \d+ people it had never seen, the network is right for \d+%", sentence)
    other = visit(f"run?run={run_id}")
    assert other.page.get_by_role("heading", level=2).first.inner_text() == sentence
    assert other.charts() == person.charts()
    matrix = other.chart("Confusion matrix")
    n_people = _number(re.search(r"On ([\d,]+) people", sentence).group(1))
    assert sum(_number(cell) for cell in re.findall(r"([\d,]+) (?:true|false)", matrix)) == n_people


def _number(text: str) -> int:
    return int(text.replace(",", ""))
