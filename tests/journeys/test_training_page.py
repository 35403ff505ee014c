"""From a preset to curves that grow, and the two ways to stop."""

from __future__ import annotations

import pytest

from pipeline import jobs
from pipeline.presets import apply_preset
from pipeline.runs import list_runs, load, read_metrics
from pipeline.settings import with_changes
from pipeline.submit import submit_training
from tests.journeys.conftest import PATIENCE_S
from tests.journeys.looks import assert_fit_to_show
from tests.journeys.test_looks import SIZES
from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.browser

CURVES = "Curves over"


def test_a_preset_trains_while_others_watch_until_it_is_stopped(simulated, visit):
    person = visit("training")
    person.page.get_by_role("radio", name="Quick what-if").click()
    person.until(lambda: "preset=quick" in person.page.url, "the preset in the address")
    person.settle()
    _open(person, "Learning")
    _press(person, "Epochs", "End", "preset: 16")
    _press(person, "Early stopping patience", "Home", "preset: 4")
    # One person a batch, so that the training still runs when all have come to watch it.
    _press(person, "Batch size", "Home", "preset: 64")
    person.settle()
    changed = "Changed against the preset: epochs, batch size, early stopping patience."
    assert changed in person.text()

    known = {run.id for run in list_runs(simulated.cache)}
    person.page.get_by_role("button", name="Train", exact=True).click()
    person.until(lambda: "run=" in person.page.url, "the address of the run", PATIENCE_S)
    (run_id,) = {run.id for run in list_runs(simulated.cache)} - known
    try:
        run = load(simulated.cache, run_id)
        changes = {"training.epochs": 1000, "training.patience": 0, "training.batch_size": 1}
        wanted = with_changes(apply_preset("quick"), changes)
        assert run.analysis().training == wanted.training
        assert run.analysis().network == wanted.network

        first = person.see(CURVES, PATIENCE_S)
        place = person.canvas(CURVES).bounding_box()
        person.until(lambda: person.chart(CURVES) not in ("", first), "another epoch", PATIENCE_S)
        assert person.canvas(CURVES).bounding_box() == place, "the page has jumped"

        address = person.page.url.partition(f"{person.url}/")[2]
        others = [
            visit(address, is_live=True, viewport={"width": width, "height": height},
                  color_scheme=mode)
            for (width, height), mode in ((SIZES["desktop"], "dark"), (SIZES["telephone"], "light"))
        ]  # fmt: skip
        for other in others:
            other.see(CURVES, PATIENCE_S)
        person.page.get_by_role("button", name="Stop", exact=True).click()
        for one, mode in zip((person, *others), ("light", "dark", "light"), strict=True):
            one.until(lambda one=one: "was stopped" in one.text(), "the end", PATIENCE_S)
            one.see(CURVES)
            one.settle()
            assert_fit_to_show(one, mode)
        assert person.page.get_by_role("button", name="Go on from its last epoch").is_visible()
        assert jobs.job(simulated.cache, run_id).state == "cancelled"
    finally:
        jobs.cancel(simulated.cache, run_id)
        jobs.wait(simulated.cache, run_id, timeout=PATIENCE_S)


def test_a_training_that_is_ended_keeps_its_best_epoch(simulated, visit):
    changes = {
        "training.epochs": 1000,
        "training.patience": 0,
        "training.batch_size": 4,
        "training.seed": 9,
    }
    settings = with_changes(apply_preset("quick"), changes)
    run_id = submit_training(simulated.cache, "simulated", settings).id
    try:
        person = visit(f"training?run={run_id}", is_live=True)
        person.see(CURVES, PATIENCE_S)
        person.page.get_by_role("button", name="Stop and keep best").click()
        person.until(lambda: "its best epoch is kept" in person.text(), "the end", PATIENCE_S)
        person.settle()
        assert "test people" in person.text()
        metrics = read_metrics(load(simulated.cache, run_id))
        assert metrics["folds"][0]["epochs"] < 1000
        assert metrics["test"]["auc"]["value"] > 0.5
    finally:
        jobs.cancel(simulated.cache, run_id)
        jobs.wait(simulated.cache, run_id, timeout=PATIENCE_S)


def _open(person: Visitor, group: str) -> None:
    """Open a group of the form, whatever else its title says."""
    person.page.get_by_test_id("stMain").locator("summary").filter(has_text=group).click()
    person.settle()


def _press(person: Visitor, label: str, key: str, mark: str) -> None:
    """Move a slider to one of its ends and wait for its mark."""
    slider = person.page.locator(f'input[type="range"][aria-label^="{label}"]')
    slider.focus()
    slider.press(key)
    person.until(lambda: mark in slider.get_attribute("aria-label"), f"the mark of {label}")
