"""The charts of a sweep: where trials lie on their axes, who is thick, what is grey."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.charts.sweep import importance_bars, parallel_coordinates, sweep_history
from dashboard.theme import DARK, LIGHT, Palette
from pipeline import jobs
from pipeline.settings import AnalysisSettings
from pipeline.sweep import list_sweeps, run_sweep
from pipeline.sweep.stored import job_id
from tests.dashboard.test_charts import svg_of, words_in
from tests.test_sweep import cache, fake, ingested  # noqa: F401 - fixtures

AXES = pd.DataFrame(
    {
        "name": ["training.learning_rate", "network.dense", "network.batch_norm", "network.pool"],
        "label": ["Learning rate", "Dense layers", "Batch normalisation", "Pooling"],
        "low": [1e-5, 0, 0, 1],
        "high": [1e-1, 0, 0, 4],
        "log": [True, False, False, False],
        "choices": [None, ["", "64", "128,32"], [False, True], None],
    }
)


def trials(n: int = 30) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    state = np.array(["complete", "complete", "pruned", "complete", "failed"])[np.arange(n) % 5]
    return pd.DataFrame(
        {
            "number": np.arange(1, n + 1),
            "state": state,
            "value": np.where(state == "complete", rng.uniform(0.5, 0.7, n), np.nan),
            "training.learning_rate": 10 ** rng.uniform(-5, -1, n),
            "network.dense": np.array(["", "64", "128,32"], object)[np.arange(n) % 3],
            "network.batch_norm": np.array([True, False], object)[np.arange(n) % 2],
            "network.pool": rng.integers(1, 5, n),
        }
    )


def drawn(chart: Any) -> dict[str, pd.DataFrame]:
    """Return the lines by kind."""
    return {
        layer.data["kind"].iloc[0]: layer.data
        for layer in chart.layer
        if "kind" in layer.data.columns and len(layer.data)
    }


SHARES = pd.DataFrame({"label": ["Dropout", "Learning rate", "Pooling"], "share": [0.1, 0.85, 0.0]})

CHARTS: dict[str, Callable[[Palette], Any]] = {
    "parallel": lambda p: parallel_coordinates(trials(), AXES, palette=p),
    "parallel_one": lambda p: parallel_coordinates(trials(1), AXES, palette=p),
    "parallel_none_ended": lambda p: parallel_coordinates(trials()[2:3], AXES, palette=p),
    "parallel_loss": lambda p: parallel_coordinates(trials(), AXES, "loss", palette=p),
    "importance": lambda p: importance_bars(SHARES, palette=p),
    "importance_of_nothing": lambda p: importance_bars(SHARES.assign(share=0.0), palette=p),
    "history": lambda p: sweep_history(trials(), palette=p),
    "history_one": lambda p: sweep_history(trials(1), palette=p),
    "history_none_ended": lambda p: sweep_history(trials()[2:3], palette=p),
    "history_loss": lambda p: sweep_history(trials(), "loss", palette=p),
}


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1300, 360])
def test_draws_within_its_width_and_truncates_nothing(name, palette, width):
    svg = svg_of(CHARTS[name](palette), width)
    assert float(re.search(r'width="([\d.]+)"', svg)[1]) == pytest.approx(width, abs=1)
    for wrong in ("…", "NaN", "undefined"):
        assert wrong not in svg


@pytest.mark.parametrize("name", CHARTS)
def test_says_what_it_shows_in_the_colours_of_its_palette(name):
    spec = CHARTS[name](DARK).to_dict()
    assert len(spec["description"]) > 20
    assert spec["width"] == "container"
    used = set(re.findall(r"#[0-9A-F]{6}\b", json.dumps(spec)))
    assert not used & (set(vars(LIGHT).values()) - set(vars(DARK).values()))


def test_numbers_lie_by_their_size_and_words_in_the_order_declared():
    table = trials(8).assign(**{"training.learning_rate": [1e-5, 1e-3, 1e-1, *[1e-4] * 5]})
    lines = pd.concat(drawn(parallel_coordinates(table, AXES)).values())
    rate = lines[lines["row"] == 0].set_index("number")["position"]
    assert rate[[1, 2, 3, 4]].tolist() == pytest.approx([0, 0.5, 1, 0.25])
    dense = lines[lines["row"] == 1].set_index("number")["position"]
    assert dense[[1, 2, 3]].tolist() == pytest.approx([1 / 6, 3 / 6, 5 / 6])
    assert lines["position"].between(0, 1).all()


def test_what_lies_outside_its_range_moves_the_end_of_the_axis():
    table = trials(6).assign(**{"training.learning_rate": [0.5, *[1e-3] * 5]})
    table["network.dense"] = ["1000", *table["network.dense"][1:]]
    words = words_in(svg_of(parallel_coordinates(table, AXES)))
    assert {"0.5", "0.00001", "1000", "none", "128, 32", "on", "off", "Learning rate"} <= set(words)


def test_a_trial_without_a_number_leaves_out_that_axis():
    table = trials(6)
    table["network.pool"] = [None, 1, 2, 3, 4, 1]
    lines = pd.concat(drawn(parallel_coordinates(table, AXES)).values())
    assert set(lines.loc[lines["number"] == 1, "row"]) == {0, 1, 2, 4}


@pytest.mark.parametrize("metric", ["auc", "loss"])
def test_the_best_are_thick_and_last_pruned_are_grey_failed_are_not_there(metric):
    table = trials()
    chart = parallel_coordinates(table, AXES, metric)
    lines = drawn(chart)
    assert list(lines) == ["pruned", "complete", "best"]
    ordered = table.dropna(subset="value").sort_values("value", ascending=metric == "loss")
    assert set(lines["best"]["number"]) == set(ordered["number"][:3])
    assert set(lines["pruned"]["number"]) == set(table[table.state == "pruned"]["number"])
    every = set(pd.concat(lines.values())["number"])
    assert not every & set(table[table.state == "failed"]["number"])
    assert f"trial {ordered['number'].iloc[0]} with" in chart.to_dict()["description"]


@pytest.mark.parametrize(("metric", "best"), [("auc", np.maximum), ("loss", np.minimum)])
def test_the_line_is_the_best_so_far(metric, best):
    table = trials()
    chart = sweep_history(table, metric)
    line = chart.layer[0].data
    ended = table.dropna(subset="value")
    assert line["best"].tolist()[:-1] == best.accumulate(ended["value"]).tolist()
    assert line["best"].iloc[-1] == line["best"].iloc[-2]
    assert len(chart.layer[2].data) == table["value"].isna().sum()


def test_bars_are_sorted_and_say_their_share():
    chart = importance_bars(SHARES)
    assert chart.data["label"].tolist() == ["Learning rate", "Dropout", "Pooling"]
    assert {"85%", "10%", "0%", "Learning rate"} <= set(words_in(svg_of(chart)))


def section() -> None:
    """The section alone on a page."""
    import streamlit as st

    from dashboard import loaders
    from dashboard.view import View
    from dashboard.views.sweep import show_sweep
    from pipeline.settings import AnalysisSettings

    opened = loaders.cohort("small")
    run_page = st.Page(lambda: None, title="Run", url_path="run")
    show_sweep(View(opened, opened, AnalysisSettings(), {"run": run_page}))


def test_the_section_asks_follows_and_fills_in(cache, monkeypatch):  # noqa: F811
    monkeypatch.setenv("EXOLENS_CACHE", str(cache))
    page = AppTest.from_function(section, default_timeout=60).run()
    assert not page.exception
    assert any("No search on this cohort yet" in said.value for said in page.markdown)
    page.multiselect(key="sweep.fields").set_value([]).run()
    assert "needs something to try" in page.error[0].value
    page.multiselect(key="sweep.fields").set_value(["training.learning_rate", "network.dense"])
    page.run().button(key="start_sweep").click().run()
    assert not page.error
    assert not page.exception
    (sweep,) = list_sweeps(cache)
    assert sweep.asked.fields == ("training.learning_rate", "network.dense")
    assert any("waits in the queue" in said.value for said in page.markdown)

    jobs.cancel(cache, job_id(sweep.id))
    asked = sweep.asked.model_copy(update={"trials": 12})
    found = run_sweep(cache, sweep, asked, try_out=fake())
    page.run()
    assert not page.exception
    assert any(f"has ended: {len(found.trials)} trials" in said.value for said in page.markdown)
    (table,) = page.dataframe
    assert table.value["Trial"].iloc[0] == found.best.number
    page.button(key=f"fill-{sweep.id}").click().run()
    assert not page.exception
    rate = found.best.parameters["training.learning_rate"]
    assert page.session_state["training.learning_rate"] == rate
    assert AnalysisSettings().training.learning_rate != rate
