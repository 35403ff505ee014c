"""The search on the Training page: words that people know, and a form that becomes the best."""

from __future__ import annotations

import re

import pytest

from dashboard.charts.sweep import number_words, value_words
from dashboard.views import sweep as section
from pipeline.settings.sweep import RANGES
from pipeline.sweep import run_sweep
from tests.dashboard.test_training_page import cache, captions, find, press, show  # noqa: F401
from tests.test_sweep import asked, base, fake, made

RAW = re.compile(r"\b[a-z]+[0-9]*(?:[_.][a-z0-9]+)+\b|\b[0-9.]+e-[0-9]+\b|\btpe\b")


@pytest.mark.parametrize("name", RANGES)
def test_a_range_is_told_in_words(name):
    said = f"{section._label(name)}: {section._range_words(RANGES[name])}"
    assert not RAW.search(said)
    assert not re.search(r", \d+,\d", said)


@pytest.mark.parametrize(
    ("value", "words"),
    [(1e-5, "0.00001"), (0.0044721, "0.00447"), (5000, "5,000"), (0.5, "0.5"), (True, "on"),
     ("", "none"), ("128,32", "128, 32"), ("adamw", "AdamW"), ("2d", "2D"), (float("nan"), "")],
)  # fmt: skip
def test_what_was_tried_in_words(value, words):
    assert (number_words(value) if type(value) is int else value_words(value)) == words


def opened(show):  # noqa: F811
    """The Training page with its Sweep section open."""
    page = show()
    page.session_state["sweep_of_settings"] = True
    return page.run()


def test_the_form_speaks_in_words(show):  # noqa: F811
    page = opened(show)
    assert not page.exception
    group = find(page, "sweep.sampler")
    assert list(group.options) == ["Guided (TPE)", "Random"]
    assert "Learning rate: 0.00001 to 0.1" in captions(page)
    assert "none, 32, 128, 512 or 128 and 32" in captions(page)
    assert not RAW.search(captions(page))


def test_filling_in_the_best_brings_what_the_search_started_from(show, cache, monkeypatch):  # noqa: F811
    monkeypatch.setattr("pipeline.jobs.ensure_worker", lambda *_: [])
    settings = asked(trials=9, sampler="random", fields=("training.learning_rate",))
    found = run_sweep(cache, made(cache, settings, base(training__batch_size=48)), settings,
                      try_out=fake())  # fmt: skip
    page = opened(show)
    assert find(page, "training.batch_size").value != 48
    press(page, "Fill in the best")
    assert find(page, "training.batch_size").value == 48
    rate = found.best.parameters["training.learning_rate"]
    assert find(page, "training.learning_rate").value == rate
    assert find(page, "network.filters").value == 2
