"""A room asks whether the number can be believed: threshold, audit, what the network looked at."""

from __future__ import annotations

import pytest

from pipeline import jobs
from tests.journeys.conftest import PATIENCE_S

pytestmark = pytest.mark.browser


def test_a_run_is_doubted(server, fresh_run, visit):
    person = visit(f"run?run={fresh_run.id}", is_live=True)
    before = person.see("Confusion matrix")
    person.slider("Threshold: called a case above").focus()
    person.page.keyboard.press("ArrowRight")
    person.until(lambda: person.chart("Confusion matrix") != before, "another confusion matrix")
    person.until(lambda: "no evidence about others" in person.text(), "what that means")

    person.page.get_by_role("link", name="Audit this run").click()
    person.until(lambda: "Not audited yet" in person.text(), "the page Audit")
    assert f"audited={fresh_run.id}" in person.page.url
    person.page.get_by_test_id("stMain").get_by_role("button", name="Audit", exact=True).click()
    person.until(
        lambda: "Chosen on training people alone" in person.text(), "a first answer", PATIENCE_S
    )
    person.see("AUC of one split")
    try:
        person.page.reload()  # nothing is lost
        person.until(lambda: "Chosen on training people alone" in person.text(), "it once more")
    finally:
        for job in jobs.jobs(server.cache, active_only=True):
            if job.kind == "audit":
                jobs.cancel(server.cache, job.id)
                jobs.wait(server.cache, job.id, timeout=PATIENCE_S)


def test_what_a_network_looked_at_is_found_out(server, fresh_run, visit):
    person = visit(f"run?run={fresh_run.id}", is_live=True)
    person.see("Confusion matrix")
    person.page.get_by_role("button", name="What did it look at?").click()
    person.until(lambda: "of the attribution" in person.text(), "the answer", PATIENCE_S)
    person.see("Two Manhattan plots of")
