"""The pictures of a run's evidence, as they are drawn on a wide screen and on a telephone."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from dashboard import charts
from dashboard.theme import DARK, LIGHT, Palette
from tests.dashboard.test_charts import svg_of, words_in

NAMES = ["Network", "Additive score, clumped", "Logistic regression, L1", "Logistic regression, L2",
         "Gradient boosting", "Covariates alone"]  # fmt: skip


def curves(x: str, y: str, n_models: int = 6) -> pd.DataFrame:
    grid = np.linspace(0.01, 1, 100)
    parts = []
    for i, name in enumerate(NAMES[:n_models]):
        values = grid ** (0.3 + 0.05 * i)
        part = pd.DataFrame({x: grid, y: values, "model": name, "words": "0.714 (0.671 to 0.754)"})
        part["kind"] = "baseline" if i else "honest"
        part["low"], part["high"] = (values * 0.9, values) if not i else (np.nan, np.nan)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def bins(n_models: int = 2) -> pd.DataFrame:
    middle = np.linspace(0.05, 0.95, 10)
    parts = [
        pd.DataFrame(
            {"model": name, "kind": "baseline" if i else "honest", "probability": middle,
             "share": middle, "low": middle - 0.05, "high": middle + 0.05, "n": 45,
             "words": "Brier 0.182, calibration error 0.048"}
        )
        for i, name in enumerate(["Network", "Logistic regression, L1"][:n_models])
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def groups() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "by": ["Sex", "Sex", "PC1", "Place of recruitment"],
            "name": ["female", "male", "lowest third", "Göteborg, first wave of three"],
            "n": [1_211, 196, 140, 12],
            "n_case": [500, 90, 60, 1],
            "value": [0.81, 0.77, 0.62, 0.7],
            "low": [0.74, 0.70, 0.51, np.nan],
            "high": [0.86, 0.83, 0.70, np.nan],
        }
    )


HISTOGRAM = {"left": [0.0, 0.1, 0.2], "right": [0.1, 0.2, 0.3], "case": [1, 5, 900],
             "control": [1_200, 4, 0]}  # fmt: skip

CHARTS = {
    "roc": lambda p: charts.roc(curves("fpr", "tpr").rename(columns={"words": "auc"}), palette=p),
    "precision_recall": lambda p: charts.precision_recall(
        curves("recall", "precision"), 0.442, over_folds=True, palette=p
    ),
    "calibration": lambda p: charts.calibration(bins(), palette=p),
    "histogram": lambda p: charts.score_histogram(HISTOGRAM, [0.15, 0.2], palette=p),
    "groups": lambda p: charts.group_metrics(
        groups(), metric="AUC", overall=0.8, kind="honest", palette=p
    ),
}


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1300, 545, 330])
def test_draws_within_its_width_and_truncates_nothing(name: str, palette: Palette, width: int):
    made = CHARTS[name](palette)
    svg = svg_of(made, width)
    assert float(re.search(r'width="([\d.]+)"', svg)[1]) == pytest.approx(width, abs=1)
    for bad in ("…", "NaN", "undefined"):
        assert bad not in svg
    spec = made.to_dict()
    assert len(spec["description"]) > 20
    assert spec["width"] == "container"
    used = set(re.findall(r"#[0-9A-F]{6}\b", json.dumps(spec)))
    other = LIGHT if palette is DARK else DARK
    assert not used & (set(vars(other).values()) - set(vars(palette).values()))


@pytest.mark.parametrize("name", ["roc", "precision_recall", "calibration"])
def test_names_cover_neither_curves_nor_axis(name: str):
    """Every name lies above the highest place that the drawing uses."""
    spec = CHARTS[name](LIGHT).to_dict()
    scales = [
        layer["encoding"]["y"]["scale"]["range"][1]
        for layer in spec["layer"]
        if "scale" in layer.get("encoding", {}).get("y", {})
    ]
    names = [
        layer["mark"]["y"]
        for layer in spec["layer"]
        if isinstance(layer["mark"], dict) and layer["mark"]["type"] == "text"
    ]
    assert names == sorted(names)
    assert len(names) == (2 if name == "calibration" else 6)
    assert max(names) + 11 < min(scales)


def test_roc_of_an_older_run_has_no_band():
    older = curves("fpr", "tpr").drop(columns=["low", "high"]).rename(columns={"words": "auc"})
    spec = charts.roc(older).to_dict()
    assert not [layer for layer in spec["layer"] if layer["mark"]["type"] == "area"]
    assert "Band" not in str(spec["title"])
    banded = CHARTS["roc"](LIGHT).to_dict()
    assert len([layer for layer in banded["layer"] if layer["mark"]["type"] == "area"]) == 1


def test_the_lowest_group_stands_out():
    made = CHARTS["groups"](LIGHT)
    rows = made.layer[-1].data
    assert rows.colour.tolist() == [LIGHT.honest, LIGHT.honest, LIGHT.hit, LIGHT.honest]
    words = " ".join(words_in(svg_of(made)))
    assert "Lowest: PC1: lowest third, 0.62 (0.51–0.70)" in words
    assert "0.70 of 12" in words
    assert "0.81 (0.74–0.86) of 1,211" in words


def test_the_histogram_holds_everybody_and_each_threshold():
    made = CHARTS["histogram"](LIGHT)
    assert made.layer[0].data.groupby("of").n.sum().to_dict() == {"case": 906, "control": 1_204}
    assert made.layer[-1].data.left.tolist() == [0.15, 0.2]
    assert "each fold's own threshold" in " ".join(made.to_dict()["title"]["subtitle"])


def test_the_matrix_says_where_people_are_called():
    made = charts.confusion([[195, 57], [73, 125]], at="Called a case above 0.415")
    assert "Called a case above 0.415" in words_in(svg_of(made))
