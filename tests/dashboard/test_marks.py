"""Marks in the navigation: one a page, told apart by shape, read out in words."""

from __future__ import annotations

import re
from types import SimpleNamespace

from dashboard.frame import PAGES
from dashboard.marks import SIGNS, rules
from dashboard.theme import DARK, LIGHT
from pipeline.settings import AnalysisSettings
from pipeline.standing import standings
from tests.dashboard.test_pages import small  # noqa: F401 - a fixture


def test_every_page_has_a_standing(small):  # noqa: F811
    from pipeline.cohort import open_cohort

    cohort = open_cohort(small, "small")
    assert list(standings(cohort, AnalysisSettings(), [])) == list(PAGES)
    cohort.store.close()


def test_marks_are_told_apart_by_shape_and_in_words():
    assert len({sign for sign, _ in SIGNS.values()}) == len(SIGNS)
    pages = {"cohort": SimpleNamespace(url_path=""), "run": SimpleNamespace(url_path="run")}
    for palette in (LIGHT, DARK):
        style = rules({"cohort": "ready", "run": "stale"}, pages, palette)
        found = dict(re.findall(r'href\$="/(\w*)"\]::after \{ content: "(.)" /', style))
        assert found == {"": SIGNS["ready"][0], "run": SIGNS["stale"][0]}
        assert 'out of date: the thresholds have moved since"' in style
