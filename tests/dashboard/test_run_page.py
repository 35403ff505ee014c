"""The page of a run: what it shows of its evidence, and what moves with its sliders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pipeline import runs
from pipeline.cohort import open_cohort
from pipeline.evaluation import evaluate, prediction_error
from pipeline.evidence import Scored, Stratum, evidence
from pipeline.settings import AnalysisSettings
from tests.dashboard.test_pages import _cache, show, words  # noqa: F401 (show is a fixture)

NEW = ("thresholds", "precision_recall", "average_precision", "calibration", "histogram", "groups",
       "liability", "bootstrap")  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return _cache(tmp_path_factory.mktemp("run_page"), ["case", "control"])


def metrics_of(thresholds: tuple[float, ...] = (0.5,), n: int = 200) -> dict[str, Any]:
    """Return metrics as a training writes them, one fold for each threshold."""
    rng = np.random.default_rng(2)
    is_case = rng.permutation(n) < 0.4 * n
    score = 1 / (1 + np.exp(-(rng.normal(size=n) + is_case - 0.4)))
    parts = np.array_split(rng.permutation(n), len(thresholds))
    folds = [
        Scored(part, is_case[part], score[part], t)
        for part, t in zip(parts, thresholds, strict=True)
    ]
    everyone = np.arange(n)
    trained = [np.setdiff1d(everyone, part) if len(parts) > 1 else everyone for part in parts]
    alone = [evaluate(f.is_case, f.score, f.threshold) for f in folds]
    confusion = np.sum([one["confusion"] for one in alone], axis=0)
    test = alone[0] | {"n": n, "confusion": confusion.tolist()}
    strata = [Stratum("Sex", np.where(everyone % 2, "male", "female")),
              Stratum("Site", np.where(everyone < 6, "far", "near"))]  # fmt: skip
    told = evidence(
        folds, {"logistic_l1": folds, "majority": folds}, trained, strata,
        best_baseline="logistic_l1", confidence=0.95, seed=0,
    )  # fmt: skip
    fold = {"selected": 9, "ranked": 90, "n_train": 100, "n_watch": 20, "epochs": 3,
            "best_epoch": 2, "entered": 9, "weighted": None}  # fmt: skip
    return {
        "protocol": "honest", "threshold": thresholds[0], "confidence": 0.95, "test": test,
        "train": {"accuracy": 0.8, "auc": 0.9},
        "baselines": {"logistic_l1": test, "majority": test}, "notes": [],
        "prediction_error": prediction_error(is_case, score, everyone, everyone[:0], 0.1, seed=1),
        "folds": [
            {"fold": i, "threshold": t, "test": one, **fold}
            for i, (t, one) in enumerate(zip(thresholds, alone, strict=True))
        ],
        **told,
    }  # fmt: skip


@pytest.fixture
def opened(cache, show):  # noqa: F811
    """Return a function that opens the page of a run with these metrics."""

    def open_run(metrics: dict[str, Any], **link: str) -> AppTest:
        cohort = open_cohort(cache, "small")
        cohort.store.close()
        run = runs.create(cache, "small", cohort.fingerprint, AnalysisSettings(), "quick")
        runs.write_metrics(run, json.loads(json.dumps(metrics, allow_nan=False)))
        runs.update_state(run, state="finished", selected=9, epochs=3)
        return show(cache, "run", run=run.id, **link)

    return open_run


def called(app: AppTest, name: str) -> str:
    table = app.dataframe[0].value
    return table[table["Measure"].str.startswith(name)]["Value"].iloc[0]


def slider(app: AppTest, label: str):
    return next(one for one in app.select_slider if one.label.startswith(label))


def moved_to(app: AppTest, label: str, value: float) -> AppTest:
    slider(app, label).set_value(value).run()
    assert not app.exception
    return app


def share(metrics: dict[str, Any], threshold: float) -> str:
    place = metrics["thresholds"]["values"].index(threshold)
    folds = metrics["thresholds"]["folds"]
    right = sum(fold["cases_called"][place] for fold in folds)
    return f"{right / sum(fold['n_cases'] for fold in folds):.1%}"


def test_calls_move_with_the_threshold_and_come_back(opened):
    metrics = metrics_of()
    app = opened(metrics)
    assert slider(app, "Threshold").value == 0.5
    before = called(app, "Sensitivity")
    assert before == share(metrics, 0.5)
    assert "You moved the threshold" not in words(app)
    low = metrics["thresholds"]["values"][30]
    moved_to(app, "Threshold", low)
    assert called(app, "Sensitivity") == share(metrics, low) != before
    assert "no evidence about others" in words(app)
    moved_to(app, "Threshold", 0.5)
    assert called(app, "Sensitivity") == before
    assert "You moved the threshold" not in words(app)


def told(value: str | list[str]) -> str:
    return value if isinstance(value, str) else value[0]


def test_a_link_has_the_sliders_where_they_were(opened):
    metrics = metrics_of()
    app = opened(metrics)
    assert not {"threshold", "prevalence"} & set(app.query_params), "as they are by themselves"
    low = metrics["thresholds"]["values"][30]
    app = moved_to(moved_to(app, "Threshold", low), "Share of ill", 0.05)
    link = {name: told(app.query_params[name]) for name in ("threshold", "prevalence")}
    again = opened(metrics, **link)
    assert slider(again, "Threshold").value == low
    assert slider(again, "Share of ill").value == 0.05
    assert called(again, "Sensitivity") == called(app, "Sensitivity")
    moved_to(moved_to(again, "Threshold", 0.5), "Share of ill", 0.01)
    assert not {"threshold", "prevalence"} & set(again.query_params)
    wrong = opened(metrics, threshold="7", prevalence="many")
    assert slider(wrong, "Threshold").value == 0.5
    assert slider(wrong, "Share of ill").value == 0.01


def test_each_fold_keeps_its_threshold_until_it_is_moved(opened):
    metrics = metrics_of((0.31, 0.5, 0.8))
    app = opened(metrics)
    (_, _), (fn, tp) = metrics["test"]["confusion"]
    assert "each fold's own until you move it" in slider(app, "Threshold").label
    own = called(app, "Sensitivity")
    assert own == f"{tp / (tp + fn):.1%}" != share(metrics, 0.5)
    low = metrics["thresholds"]["values"][30]
    moved_to(app, "Threshold", low)
    assert called(app, "Sensitivity") == share(metrics, low)
    moved_to(app, "Threshold", 0.5)  # one of the folds', but not each fold's own
    assert called(app, "Sensitivity") == share(metrics, 0.5)
    next(one for one in app.button if one.label == "Back to each fold's own threshold").click()
    app.run()
    assert called(app, "Sensitivity") == own


def test_predictive_values_move_with_the_prevalence_alone(opened):
    app = opened(metrics_of())
    ppv, sensitivity = called(app, "PPV"), called(app, "Sensitivity")
    r2 = called(app, "Liability R²")
    moved_to(app, "Share of ill people", 0.2)
    assert float(called(app, "PPV, 20% ill")[:-1]) > float(ppv[:-1])
    assert called(app, "Liability R²") != r2
    assert called(app, "Sensitivity") == sensitivity


def test_groups_are_shown_by_two_figures_and_the_small_are_named(opened):
    app = opened(metrics_of())
    assert "Is it right for everybody?" in words(app)
    assert "Nothing is told of: Site, too few (6)" in words(app)
    app.segmented_control(key="group_metric").set_value("accuracy").run()
    assert not app.exception


def test_an_older_run_shows_what_it_has_and_says_what_is_missing(opened):
    metrics = {key: value for key, value in metrics_of().items() if key not in NEW}
    steps = {"fpr": [0.0, 0.2, 1.0], "tpr": [0.0, 0.7, 1.0]}
    metrics["roc"] = {"network": steps, "logistic_l1": steps}
    app = opened(metrics)
    said = words(app)
    assert "train again for a threshold that moves, precision and recall, calibration" in said
    assert "and liability R²." in said
    assert not [one for one in app.select_slider if one.label.startswith("Threshold")]
    assert slider(app, "Share of ill people").value == 0.01
    assert called(app, "Sensitivity")
    assert "Is it right for everybody?" not in said


def test_nothing_is_missing_from_a_run_of_today(opened):
    assert "train again" not in words(opened(metrics_of()))


def test_no_group_and_no_class_is_a_sentence(opened):
    metrics = metrics_of() | {"groups": []}
    assert "These people differ in nothing that is known" in words(opened(metrics))
    nothing = {"value": None, "low": None, "high": None}
    one_class = metrics["test"] | {"auc": nothing, "confusion": [[0, 0], [80, 120]]}
    metrics |= {"test": one_class, "baselines": {}, "roc": {}, "precision_recall": {},
                "average_precision": {}}  # fmt: skip
    group = {"name": "male", "n": 100, "n_case": 100, "accuracy": nothing, "auc": nothing}
    metrics["groups"] = [{"by": "Sex", "groups": [group]}]
    assert "No group has cases and controls" in words(opened(metrics))
