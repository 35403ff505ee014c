"""What if we required a depth of 10? From a run to the changed one, and back by its family."""

from __future__ import annotations

import pytest

from pipeline.runs import list_runs
from tests.journeys.conftest import PATIENCE_S

pytestmark = pytest.mark.browser
ROW_PIXELS = 35


def test_a_run_is_changed_and_its_family_told(server, fresh_run, visit):
    run = fresh_run
    person = visit(f"run?run={run.id}", is_live=True)
    person.see("Confusion matrix")
    person.page.get_by_role("button", name="Change this").click()
    person.until(lambda: "nothing so far" in person.text(), "the page Training")
    assert f"from={run.id}" in person.page.url
    entering = person.metric("Would enter the network")

    slider = person.slider("Smallest mean depth")
    slider.focus()
    for _ in range(4):
        person.page.keyboard.press("ArrowRight")
    person.until(lambda: "Smallest mean depth 8 → 10" in person.text(), "what is changed")
    person.until(lambda: person.metric("Would enter the network") != entering, "how many enter")
    person.page.get_by_role("button", name="Train", exact=True).click()
    person.until(lambda: "has finished" in person.text(), "the end", PATIENCE_S)
    person.page.get_by_role("link", name="Open this run").click()
    person.until(lambda: "What was changed from here" in person.text(), "the family")
    person.page.get_by_role("link", name=f"Run {run.id[:8]}").click()
    person.until(lambda: f"run={run.id}" in person.page.url, "the run that was changed")

    changed = next(one for one in list_runs(server.cache) if one.state == "finished")
    assert changed.id != run.id
    person.go(f"compare?compare={run.id},{changed.id}")
    person.see("The AUC of the second run minus that of the first is")
    assert "Smallest mean depth" in person.text()

    person.go("compare?cohort=simulated")
    assert "compare=" not in person.page.url
    grid = person.page.get_by_test_id("stDataFrame").first
    for row in (1, 2):  # the newest two, below the head of the table
        box = grid.bounding_box()
        person.page.mouse.click(box["x"] + 18, box["y"] + (row + 0.5) * ROW_PIXELS)
        person.settle()
    person.until(lambda: "2 runs compared" in person.text(), "the comparison")
    assert changed.id in person.page.url
