"""What stands in the address is shown: to another person, on another page, or not when wrong."""

from __future__ import annotations

import pytest

from pipeline.cohort import open_cohort
from pipeline.quality import filter_variants
from pipeline.runs import list_runs
from pipeline.settings import QualitySettings

pytestmark = pytest.mark.browser

LINK = "quality?quality.min_call_rate=0.95&cohort=simulated"


@pytest.fixture(scope="module")
def n_kept(simulated):
    """Return a function that counts the kept variants as the pipeline does, as the page says it."""
    cohort = open_cohort(simulated.cache, "simulated")

    def count(**thresholds) -> str:
        return f"{len(filter_variants(cohort, QualitySettings(**thresholds)).kept):,}"

    yield count
    cohort.store.close()


def test_a_link_shows_the_same_to_another_person(n_kept, visit):
    expected = n_kept(min_call_rate=0.95)
    assert expected != n_kept()
    person, other = visit(LINK), visit(LINK)
    assert person.metric("Variants kept") == other.metric("Variants kept") == expected
    assert person.charts() == other.charts()
    assert person.slider("Smallest call rate").get_attribute("aria-valuetext") == "0.95"


def test_pages_keep_the_settings(n_kept, visit):
    person = visit(LINK + "&quality.qual_above=100.0&selection.max_p=0.01")
    kept = n_kept(min_call_rate=0.95, qual_above=100.0)
    assert person.metric("Variants kept") == kept
    entering = person.metric("Would enter the network")
    for title in ("Association", "Training", "Cohort", "Run", "Quality"):
        person.turn_to(title)
        for part in ("min_call_rate=0.95", "qual_above=100.0", "max_p=0.01"):
            assert part in person.page.url, title
        if title in ("Association", "Training", "Quality"):
            assert person.metric("Variants kept") == kept
            assert person.metric("Would enter the network") == entering


@pytest.mark.parametrize(
    "wrong",
    [
        "quality.min_call_rate=7&quality.filter_pass=perhaps&selection.protocol=secret",
        "quality.min_call_rate=many&cohort=nobody&people.case=nobody",
    ],
)
def test_wrong_values_fall_back(wrong, n_kept, visit):
    person = visit(f"quality?{wrong}")
    assert person.metric("Variants kept") == n_kept()
    assert person.errors() == []


def test_a_run_keeps_its_link(trained, visit):
    """The newest run too: tomorrow another one is the newest."""
    run_id = list_runs(trained.cache)[0].id
    person = visit("run")
    assert f"run={run_id}" in person.page.url
    person.see("Confusion matrix")


def test_a_link_to_no_run_says_so(trained, visit):
    person = visit("run?run=0123456789abcdef")
    assert "0123456789abcdef" in person.errors()[0]
    person.page.get_by_role("link", name="The newest run").click()
    person.see("Confusion matrix")


@pytest.mark.parametrize("address", ["", "cohort"])
def test_the_first_page_has_two_addresses(address, simulated, visit):
    person = visit(address)
    assert person.page.get_by_role("heading", level=1).inner_text() == "simulated"
    assert "Page not found" not in person.text()
