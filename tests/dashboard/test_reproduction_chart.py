"""The paper's accuracies beside ours: who stands where, and what is said."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from dashboard.charts.reproduction import reproduction
from dashboard.theme import DARK, LIGHT, Palette
from pipeline.reproduce import as_frame, plan, results
from tests.dashboard.test_charts import svg_of, words_in

TITLE = "Table 1: the paper and ours"


def rows(which: str = "1") -> pd.DataFrame:
    """Return the rows of the paper with figures made up for ours."""
    planned = plan(which)
    frame = as_frame(results(planned, [None] * len(planned)))
    ours = frame.who != "paper"
    frame.loc[ours, "value"] = np.where(frame.who[ours] == "honest", 0.55, 0.7)
    frame.loc[ours, "low"] = frame.value[ours] - 0.03
    frame.loc[ours, "high"] = frame.value[ours] + 0.03
    frame.loc[ours, "majority"] = 0.557
    return frame


def empty(which: str) -> pd.DataFrame:
    planned = plan(which)
    return as_frame(results(planned, [None] * len(planned)))


CASES = {
    "table_1": lambda: rows("1"),
    "stages": lambda: rows("stages"),
    "not_trained": lambda: empty("2"),
    "stages_not_trained": lambda: empty("stages"),
    "honest_alone": lambda: rows().query("who != 'published'"),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1300, 360])
def test_draws_within_its_width_and_truncates_nothing(
    name: str, palette: Palette, width: int
) -> None:
    svg = svg_of(reproduction(CASES[name](), title=TITLE, palette=palette), width)
    assert float(re.search(r'width="([\d.]+)"', svg)[1]) == pytest.approx(width, abs=1)
    for wrong in ("…", "NaN", "undefined"):
        assert wrong not in svg


@pytest.mark.parametrize("name", CASES)
def test_says_what_it_shows_in_the_colours_of_its_palette(name: str) -> None:
    spec = reproduction(CASES[name](), title=TITLE, palette=DARK).to_dict()
    assert spec["width"] == "container"
    assert spec["title"]["text"] == TITLE
    used = set(re.findall(r"#[0-9A-F]{6}\b", json.dumps(spec)))
    assert not used & (set(vars(LIGHT).values()) - set(vars(DARK).values()))


def test_each_row_is_named_and_described_in_the_order_of_the_paper() -> None:
    chart = reproduction(rows(), title=TITLE, note="Shortened to 3 epochs")
    words = words_in(svg_of(chart))
    assert {"2D 1", "3D 5", "64 filters, batch 64", "paper", "ours, honest"} <= set(words)
    assert any("Shortened to 3 epochs" in word for word in words)
    assert any("Dashed: majority, 0.557" in word for word in words)
    said = chart.to_dict()["description"]
    assert "2D 1: paper 0.721, ours, honest 0.550 (0.520–0.580), ours, published 0.700" in said
    assert said.index("2D 6") < said.index("3D 1")


def test_the_paper_is_hollow_and_ours_wear_the_colours_of_their_protocol() -> None:
    spec = reproduction(rows(), title=TITLE).to_dict()
    dots = [layer for layer in spec["layer"] if layer["mark"]["type"] == "point"]
    assert len(dots) == 3
    for layer in dots:
        encoding = layer["encoding"]
        assert encoding["fill"]["scale"]["range"] == [
            LIGHT.background, LIGHT.honest, LIGHT.published
        ]  # fmt: skip
        assert encoding["stroke"]["scale"]["range"] == [LIGHT.ink, LIGHT.honest, LIGHT.published]


def test_what_the_paper_does_not_state_is_not_drawn() -> None:
    spec = reproduction(empty("stages"), title=TITLE).to_dict()
    (paper,) = [layer for layer in spec["layer"] if layer["mark"]["type"] == "point"
                and "stroke" in layer["encoding"]
                and spec["datasets"][layer["data"]["name"]]]  # fmt: skip
    drawn = spec["datasets"][paper["data"]["name"]]
    assert [row["label"] for row in drawn] == ["3.1", "3.3", "3.4", "3.6"]
    assert "3.2: paper none" in spec["description"]


def test_majority_follows_each_row_when_rows_differ() -> None:
    table = rows()
    table.loc[table.label == "2D 6", "majority"] = 0.6
    words = words_in(svg_of(reproduction(table, title=TITLE)))
    assert any("majority, 0.557 to 0.600" in word for word in words)
