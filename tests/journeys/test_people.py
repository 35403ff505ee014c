"""People left out change every page; ancestry and relatives are one press away."""

from __future__ import annotations

import re

import pytest

from pipeline.cohort import open_cohort
from pipeline.samples import keep_people
from pipeline.settings import SampleSettings
from tests.journeys.conftest import PATIENCE_S
from tests.journeys.looks import assert_fit_to_show

pytestmark = pytest.mark.browser


def test_people_left_out_are_counted_out_everywhere(simulated, visit):
    person = visit("?cohort=simulated")
    assert "Everybody is kept" in person.text()
    person.turn_to("Quality")
    before = person.metric("People")
    person.turn_to("Cohort")
    person.open_group("People")
    person.page.get_by_text("Smallest call rate of a person").first.click()
    slider = person.slider("Smallest call rate of a person")
    person.until(slider.is_enabled, "a slider that can be moved")
    person.settle()
    for _ in range(4):
        slider.press("ArrowRight")
    person.until(lambda: "people are kept" in person.text(), "who is kept")
    person.settle()
    asked = re.compile(r"samples.min_call_rate=([\d.]+)")
    cohort = open_cohort(simulated.cache, "simulated")

    def is_told() -> bool:  # each press of a key redraws; at last address and page agree
        found = asked.search(person.page.url)
        if not found:
            return False
        expected = keep_people(cohort, SampleSettings(min_call_rate=float(found.group(1))))
        assert 0 < expected.n_out < 3_000
        return f"{3_000 - expected.n_out:,} of 3,000 people are kept" in person.text()

    person.until(is_told, "who is kept at the cut of the address")
    cohort.store.close()
    person.turn_to("Quality")
    after = person.until(
        lambda: person.metric("People") != before and person.metric("People"), "fewer people"
    )
    n_before, n_after = (
        sum(int(part.replace(",", "")) for part in text.split("/")) for text in (before, after)
    )
    assert n_after < n_before
    assert person.errors() == []


def test_people_are_compared(simulated, visit):
    person = visit("?cohort=simulated")
    person.page.get_by_role("button", name="Compare people").click()
    person.see("3,000 people by PC 1", PATIENCE_S)
    person.settle()
    assert "common variants after pruning" in person.text()
    person.choose("Colour", "Sex")
    assert "coloured by sex" in person.see("3,000 people by PC 1")
    assert_fit_to_show(person, "light")
    assert person.errors() == []
