"""The Audit page: asked by one button, answers drawn as they come, errors told where they are."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import vl_convert as vlc

from dashboard.charts.audit_leaks import audit_leaks
from dashboard.charts.audit_protocols import audit_protocols
from dashboard.theme import DARK, LIGHT
from pipeline import jobs
from pipeline.audit import LOGISTIC, NETWORK
from pipeline.audit.stored import question, read_answer, write_answer
from pipeline.cohort import open_cohort
from pipeline.presets import apply_preset
from pipeline.settings import AnalysisSettings
from tests.dashboard.test_pages import press, show, small, words  # noqa: F401


def limits(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.04, "high": value + 0.04}


def summary(n_permutations: int = 5, majority: float = 0.56) -> dict[str, Any]:
    rng = np.random.default_rng(2)

    def measured(auc: float) -> dict[str, Any]:
        return {"accuracy": limits(auc - 0.05), "auc": limits(auc), "n_selected": 210}

    return {
        "model": LOGISTIC, "n_test": 407, "honest": measured(0.71), "published": measured(0.93),
        "honest_permuted": [measured(0.5 + x) for x in rng.normal(0, 0.03, n_permutations)],
        "published_permuted": [measured(0.8 + x) for x in rng.normal(0, 0.03, n_permutations)],
        "p": {"honest": 1 / 6, "published": 1 / 6} if n_permutations else
             {"honest": None, "published": None},
        "optimism": {"metric": "auc", "value": 0.22, "low": 0.17, "high": 0.27},
        "majority": majority, "sentence": "Chosen on training people alone: 0.71.",
    }  # fmt: skip


def leaks(n_permutations: int = 3) -> dict[str, Any]:
    on_noise = limits(0.2) if n_permutations > 1 else None
    return {
        "model": NETWORK, "n_test": 407, "n_permutations": n_permutations, "honest_auc": 0.71,
        "leaks": [
            {"way": way, "auc": 0.8, "gain": limits(gain), "auc_on_noise": 0.7,
             "gain_on_noise": on_noise}
            for way, gain in (("chosen", 0.2), ("scaled", 0.0), ("stopped", 0.01),
                              ("published", 0.22))
        ],
        "prediction": {"n_drawn": 27, "n_trained": 16, "everybody": 0.19, "drawn": limits(0.15),
                       "test": limits(0.3)},
        "sentence": "The largest gain is by choosing variants on all people.",
    }  # fmt: skip


CHARTS = {
    "auc": lambda p: audit_protocols([("L2", summary()), ("Network", summary())], palette=p),
    "accuracy": lambda p: audit_protocols([("L2", summary())], metric="accuracy", palette=p),
    "first": lambda p: audit_protocols([("L2", summary(0))], palette=p),
    "leaks": lambda p: audit_leaks(leaks(), palette=p),
    "leaks_first": lambda p: audit_leaks(leaks(0), palette=p),
}


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1300, 360])
def test_draws_within_its_width_and_truncates_nothing(name, palette, width):
    svg = vlc.vegalite_to_svg(CHARTS[name](palette).properties(width=width).to_dict())
    assert float(re.search(r'width="([\d.]+)"', svg)[1]) == pytest.approx(width, abs=1)
    assert not {"…", "NaN", "undefined"} & set(re.findall("…|NaN|undefined", svg))


def test_the_picture_says_optimism_and_chance():
    svg = vlc.vegalite_to_svg(CHARTS["auc"](LIGHT).properties(width=1300).to_dict())
    assert "optimism +0.220 (+0.170 to +0.270)" in svg
    assert "0.710 (0.670–0.750)" in svg
    assert "Dashed: chance, 0.500" in svg
    datasets = CHARTS["auc"](LIGHT).to_dict()["datasets"].values()
    assert sum("number" in row for rows in datasets for row in rows) == 20, "a dot for each"
    accuracy = vlc.vegalite_to_svg(CHARTS["accuracy"](LIGHT).properties(width=1300).to_dict())
    assert "always the larger class, 0.560" in accuracy
    assert "optimism" not in accuracy


@pytest.fixture
def asked(small, monkeypatch):  # noqa: F811
    """What the page asks of the small cohort under the preset `quick`, no worker at hand."""
    monkeypatch.setattr("pipeline.jobs.ensure_worker", lambda *_: [])
    cohort = open_cohort(small, "small")
    settings = apply_preset("quick", AnalysisSettings())
    found = {model: question(cohort, settings, model) for model in (LOGISTIC, NETWORK)}
    cohort.store.close()
    return found


def test_one_button_asks_the_regression_first(show, small, asked):  # noqa: F811
    app = press(show(small, "audit"), "Audit")
    waiting = [job for job in jobs.jobs(small, active_only=True) if job.kind == "audit"]
    assert [job.id for job in waiting] == [
        asked[model].job_id("protocols") for model in (LOGISTIC, NETWORK)
    ]
    assert "L2 logistic regression waits." in words(app)
    for job in waiting:
        jobs.cancel(small, job.id)
    write_answer(small, asked[LOGISTIC], "protocols", summary(), is_complete=True)
    app = show(small, "audit")
    assert "Chosen on training people alone: 0.71." in words(app)
    assert "of 5 permutations of the labels, p = 0.167 honest" in words(app)
    assert "Audit" in [button.label for button in app.button], "the network is not answered"


def test_each_question_has_its_answer(show, small, asked):  # noqa: F811
    write_answer(small, asked[LOGISTIC], "leaks", leaks(), is_complete=True)
    app = show(small, "audit")
    assert "The largest gain is by choosing variants on all people." in words(app)
    assert "draws 27 people from all, of whom 16 trained the model: 15% wrong" in words(app)
    assert len([b for b in app.button if b.label == "Find out"]) == 3
    asked[LOGISTIC].path(small, "leaks").write_text("{")
    assert read_answer(small, asked[LOGISTIC], "leaks") is None
    assert len([b for b in show(small, "audit").button if b.label == "Find out"]) == 4
