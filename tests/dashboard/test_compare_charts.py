"""The pictures of runs beside each other, on a wide screen and on a telephone."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from dashboard.charts.auc_difference import auc_difference
from dashboard.charts.gained_lost import gained_lost
from dashboard.charts.runs_overlay import MOST, runs_overlay
from dashboard.charts.runs_parallel import Axis, runs_parallel
from dashboard.charts.runs_scatter import runs_scatter
from dashboard.theme import CATEGORIES, DARK, LIGHT, Palette
from tests.dashboard.test_charts import svg_of, words_in


def names(n: int) -> list[str]:
    return [f"a{i:02}4c1 · Final 2D network" for i in range(n)]


def curves(n: int = 8, points: int = 20) -> pd.DataFrame:
    x = np.arange(1, points + 1)
    return pd.concat(
        [
            pd.DataFrame({"run": name, "words": "3 folds", "x": x, "y": 0.5 + 0.1 * i / x})
            for i, name in enumerate(names(n))
        ],
        ignore_index=True,
    )


def roc_curves() -> pd.DataFrame:
    grid = np.linspace(0, 1, 30)
    parts = [
        pd.DataFrame({"run": name, "words": "0.841 (0.799 to 0.876)", "x": grid, "y": grid**0.4})
        for name in names(3)
    ]
    return pd.concat(parts, ignore_index=True)


def points(x: list) -> pd.DataFrame:
    n = len(x)
    return pd.DataFrame(
        {"run": names(n), "kind": ["honest", "published"] * (n // 2) + ["honest"] * (n % 2), "x": x,
         "x_words": [str(one) for one in x], "value": np.linspace(0.6, 0.8, n),
         "low": np.linspace(0.55, 0.75, n), "high": [np.nan, *np.linspace(0.7, 0.85, n - 1)],
         "words": "0.7 (0.6 to 0.8)"}
    )  # fmt: skip


AXES = [
    Axis("Learning rate", (0.1, 0.0001, 0.001, 0.01)),
    Axis("Optimiser", ("adam", "sgd", "adam", "adamw")),
    Axis("Batch normalisation", (True, False, True, False)),
    Axis("Dense layers (units)", ([100, 10], [], [1000], [100])),
    Axis("Smallest count", (None, 3, 5, 8)),
]
OUTCOME = Axis("AUC, test", (0.7, 0.8, float("nan"), 0.75))

CHARTS = {
    "loss": lambda p: runs_overlay(
        curves(), title="Loss, validation", x_title="Epoch", y_title="Loss",
        best=curves().query("x == 5"), palette=p,
    ),
    "roc": lambda p: runs_overlay(
        roc_curves(), title="ROC", x_title="Controls called case", y_title="Cases called case",
        is_square=True, palette=p,
    ),
    "scatter": lambda p: runs_scatter(
        points([8, 16, 32, 64]), setting="Filters", measure="AUC, test", palette=p
    ),
    "scatter_log": lambda p: runs_scatter(
        points([0.00001, 0.0001, 0.01, 0.06]), setting="Learning rate", measure="AUC", palette=p
    ),
    "scatter_words": lambda p: runs_scatter(
        points(["Adam", "SGD", "Adam"]), setting="Optimiser", measure="Accuracy, test",
        choices=["Adam", "SGD"], form=".0%", palette=p,
    ),
    "parallel": lambda p: runs_parallel(names(4), AXES, OUTCOME, palette=p),
    "difference": lambda p: auc_difference(
        -0.028, -0.057, 0.002, confidence=0.95, people="180 cases, 227 controls", palette=p
    ),
    "entered": lambda p: gained_lost(
        pd.DataFrame({"kind": ["Variants", "Genes"], "lost": [1_204, 0], "shared": [17_000, 143],
                      "gained": [18_970, 19]}), palette=p,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1300, 545, 330])
def test_draws_within_its_width_and_truncates_nothing(name: str, palette: Palette, width: int):
    made = CHARTS[name](palette)
    svg = svg_of(made, width)
    assert float(re.search(r'width="([\d.]+)"', svg)[1]) == pytest.approx(width, abs=1)
    for bad in ("…", "NaN", "undefined", "nan"):
        assert bad not in svg
    spec = made.to_dict()
    assert len(spec["description"]) > 20
    assert spec["width"] == "container"
    used = set(re.findall(r"#[0-9A-F]{6}\b", json.dumps(spec)))
    other = LIGHT if palette is DARK else DARK
    assert not used & (set(vars(other).values()) - set(vars(palette).values()))


def test_every_run_has_a_look_of_its_own():
    spec = runs_overlay(curves(15), title="T", x_title="Epoch", y_title="Loss").to_dict()
    lines = [layer for layer in spec["layer"] if layer["mark"]["type"] == "line"]
    looks = set()
    for layer in lines:
        rows = spec["datasets"][layer["data"]["name"]]
        looks |= {(row["run"], row["colour"], tuple(layer["mark"]["strokeDash"])) for row in rows}
    assert len(looks) == MOST == len({look[1:] for look in looks})
    assert {look[1] for look in looks} == set(CATEGORIES)


def test_a_run_of_one_epoch_is_a_point():
    one = curves(1, points=1)
    spec = runs_overlay(one, title="T", x_title="Epoch", y_title="Loss").to_dict()
    assert [layer["mark"]["type"] for layer in spec["layer"]].count("point") == 1


def test_lines_go_where_values_lie():
    made = runs_parallel(names(4), AXES, OUTCOME).to_dict()
    drawn = [
        row
        for layer in made["layer"]
        if layer["mark"]["type"] == "line"
        for row in made["datasets"][layer["data"]["name"]]
    ]
    at = {(row["number"], row["row"]): row["position"] for row in drawn}
    # Tenfold steps are as far from each other.
    assert [at[i, 0.0] for i in range(4)] == pytest.approx([1, 0, 1 / 3, 2 / 3])
    assert at[0, 1.0] == at[2, 1.0] != at[1, 1.0]
    assert (at[0, 5.0], at[1, 5.0]) == pytest.approx((0, 1))
    assert (2, 5.0) not in at  # never measured
    assert {row["run"] for row in drawn if row["is_best"]} == {names(4)[i] for i in (1,)}
    said = set(words_in(svg_of(CHARTS["parallel"](LIGHT))))
    assert {"off", "none", "1,000", "Adam", "0.1"} <= said


def test_the_difference_is_written_with_its_sign():
    said = " ".join(words_in(svg_of(CHARTS["difference"](LIGHT))))
    assert "-0.028 (-0.057 to +0.002)" in said
    none = auc_difference(0.0, float("nan"), float("nan"), confidence=0.95, people="2 people")
    assert "(" not in none.to_dict()["title"]["subtitle"][0]


def test_bars_are_the_whole_of_their_row():
    table = CHARTS["entered"](LIGHT).layer[0].data
    assert table.groupby("kind")["right"].max().tolist() == pytest.approx([1, 1])
    assert (table["right"] - table["left"]).tolist() == pytest.approx(
        [1204 / 37174, 17000 / 37174, 18970 / 37174, 143 / 162, 19 / 162]
    )
