"""A training that several people watch: reload, a second browser, stop, start again."""

from __future__ import annotations

import pytest

from pipeline import jobs
from pipeline.presets import apply_preset
from pipeline.settings import with_changes
from pipeline.submit import submit_training
from tests.journeys.conftest import PATIENCE_S

pytestmark = pytest.mark.browser

CURVES = "Curves over"


def test_two_people_watch_and_one_stops(simulated, visit):
    settings = with_changes(
        apply_preset("quick"),
        {"training.epochs": 500, "training.patience": 0, "training.seed": 5},
    )
    run_id = submit_training(simulated.cache, "simulated", settings).id
    try:
        person = visit("training", is_live=True)  # whoever comes by sees what trains
        person.see(CURVES, PATIENCE_S)
        assert f"run={run_id}" in person.page.url

        person.page.reload()
        first = person.see(CURVES)
        other = visit(f"run?run={run_id}", is_live=True)
        seen = other.see(CURVES)
        person.until(lambda: person.chart(CURVES) != first, "another epoch")
        other.until(lambda: other.chart(CURVES) != seen, "another epoch in the second browser")
        assert jobs.job(simulated.cache, run_id).state == "running"

        other.page.get_by_role("button", name="Stop", exact=True).click()
        for one in (person, other):
            one.until(lambda one=one: "was stopped" in one.text(), "the end")
            one.see(CURVES)
        assert jobs.job(simulated.cache, run_id).state == "cancelled"
        other.page.get_by_role("button", name="Go on from its last epoch").click()
        other.until(lambda: "Stop" in other.text(), "the training again")
    finally:
        jobs.cancel(simulated.cache, run_id)
        jobs.wait(simulated.cache, run_id, timeout=PATIENCE_S)
