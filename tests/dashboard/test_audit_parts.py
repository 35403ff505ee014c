"""Parts of the page Audit: order of variants, and the learning curve over people."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.charts.people_curve import people_curve
from dashboard.theme import DARK, LIGHT, Palette
from pipeline.audit.neighbours import ORDERS, Orders, Trained
from pipeline.audit.people_curve import Fit, PeopleCurve
from pipeline.audit.people_trend import extrapolate
from tests.dashboard.test_charts import svg_of, words_in

SHARES = (0.2, 0.4, 0.6, 0.8, 1.0)
SIZES = (383, 766, 1148, 1531, 1914)
IS_CASE = np.arange(450) % 5 < 2


def ordered(n_fits: int = 8, n_seeds: int = 2, *, genes: bool = False) -> dict[str, Any]:
    """Return the result of an audit of order of which `n_fits` networks are trained."""
    rng = np.random.default_rng(1)
    common = rng.normal(size=450) + 0.8 * IS_CASE
    asked = () if genes else ORDERS
    fits = [(order, seed) for seed in range(n_seeds) for order in asked][:n_fits]
    trained = [Trained(*fit, common + 0.2 * rng.normal(size=450)) for fit in fits]
    trained.sort(key=lambda one: ORDERS.index(one.order))
    note = ("Order by gene is left out: no gene table has been joined.",)
    return Orders(asked, n_seeds, tuple(trained), IS_CASE, 1914, 1204, note, 0.95).as_dict()


def grown(n_fits: int = 13, model: str = "logistic_l2") -> dict[str, Any]:
    """Return the result of a learning curve of which `n_fits` models are fitted."""
    rng = np.random.default_rng(2)
    common = rng.normal(size=450)
    parts = [(4, 0), *((share, draw) for draw in range(3) for share in range(4))][:n_fits]
    fits = sorted(
        (Fit(share, draw, SIZES[share], 700 + 50 * share,
             common + (0.9 - 0.3 * SHARES[share] ** -0.5) * IS_CASE + 0.3 * rng.normal(size=450))
         for share, draw in parts),
        key=lambda fit: (fit.share, fit.draw),
    )  # fmt: skip
    trend = None
    if n_fits == 13:
        trend = extrapolate(
            IS_CASE, np.array([fit.score for fit in fits]), np.array([fit.share for fit in fits]),
            np.array(SHARES), np.array(SIZES, float), 1,
        )  # fmt: skip
    return PeopleCurve(model, SHARES, SIZES, tuple(fits), 13, IS_CASE, 1, 0.95, (), trend).as_dict()


def drawn(found: dict[str, Any], palette: Palette = LIGHT):
    trend = found["trend"]
    frame = trend and pd.DataFrame(
        {name: trend[name] for name in ("n_train", "value", "low", "high")}
    )
    points = pd.DataFrame(found["points"])
    return people_curve(points, frame, n_all=1914, n_test=450, palette=palette)


def page(part: str, found: dict[str, Any]) -> AppTest:
    def script(part: str, found: dict) -> None:  # read as text: no names of this module
        import importlib

        importlib.import_module(f"dashboard.views.{part}").show(found, None)

    app = AppTest.from_function(script, kwargs={"part": part, "found": found}, default_timeout=30)
    app.run()
    assert not app.exception, [problem.value for problem in app.exception]
    return app


def text_of(app: AppTest) -> str:
    return " ".join(
        one.value for kind in (app.subheader, app.markdown, app.caption) for one in kind
    )


@pytest.mark.parametrize("n_fits", [1, 7, 13])
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1300, 350])
def test_the_curve_draws_within_its_width(n_fits: int, palette: Palette, width: int) -> None:
    svg = svg_of(drawn(grown(n_fits), palette), width)
    assert float(re.search(r'width="([\d.]+)"', svg)[1]) == pytest.approx(width, abs=1)
    for wrong in ("…", "NaN", "undefined", "e+"):
        assert wrong not in svg


def test_the_curve_wears_its_palette_and_says_what_it_shows() -> None:
    spec = drawn(grown(), DARK).to_dict()
    used = set(re.findall(r"#[0-9A-F]{6}\b", json.dumps(spec)))
    assert not used & (set(vars(LIGHT).values()) - set(vars(DARK).values()))
    assert spec["width"] == "container"
    said = spec["description"]
    assert "1,914 people: 0." in said
    assert "expected at 3,828: 0." in said


def test_the_curve_names_now_and_twice_as_many_on_an_axis_of_people() -> None:
    found = grown()
    words = words_in(svg_of(drawn(found)))
    now = f"{found['trend']['now']['value']:.2f}"
    assert f"now {now}" in words
    assert f"the trend now stands at {now}:" in found["sentence"]
    assert f"twice as many {found['trend']['twice']['value']:.2f}" in words
    assert {"Training people", "AUC", "1,000", "3,000"} <= set(words)
    partial = words_in(svg_of(drawn(grown(7))))
    assert not any("twice" in word for word in partial)


def test_names_never_meet() -> None:
    """`now` and `twice as many` are near each other on a telephone: one above, one below."""
    spec = drawn(grown()).to_dict()
    named = [layer for layer in spec["layer"] if layer["mark"]["type"] == "text"]
    baselines = {layer["encoding"]["y"]["field"]: layer["mark"]["baseline"] for layer in named}
    assert baselines == {"high": "bottom", "low": "top"}


def test_the_trend_goes_on_dashed_to_twice_as_many_and_not_beyond() -> None:
    spec = drawn(grown()).to_dict()
    lines = [layer for layer in spec["layer"] if layer["mark"]["type"] == "line"]
    solid, dashed = (
        [row["n_train"] for row in spec["datasets"][line["data"]["name"]]] for line in lines
    )
    assert (solid[0], solid[-1]) == (383, 1914)
    assert (dashed[0], dashed[-1]) == (1914, 3828)
    assert lines[0]["mark"]["strokeDash"] != lines[1]["mark"]["strokeDash"]


def test_the_part_on_people_answers_its_question() -> None:
    found = grown()
    app = page("audit_people", found)
    words = text_of(app)
    assert found["sentence"] in words
    assert "L2 regression on nested random parts" in words
    assert found["trend"]["words"] in words
    assert len(app.get("vega_lite_chart")) == 1


def test_the_part_on_people_grows() -> None:
    words = text_of(page("audit_people", grown(2, "network")))
    assert "2 of 13 models are fitted." in words
    assert "The network of the settings" in words
    assert "Each part is drawn once" in words


def test_the_part_on_order_answers_its_question() -> None:
    found = ordered()
    app = page("audit_order", found)
    words = text_of(app)
    assert found["sentence"] in words
    assert "AUC against shuffled: along the genome" in words
    assert "trained 2 times in each order" in words
    assert "no gene table" in words
    assert len(app.get("vega_lite_chart")) == 1
    assert "what another training would move is not in them" in text_of(
        page("audit_order", ordered(4, n_seeds=1))
    )


def test_the_part_on_order_grows() -> None:
    words = text_of(page("audit_order", ordered(3)))
    assert "3 of 8 networks are trained." in words
    assert "AUC against shuffled" not in words
    assert "no order to shuffle" in text_of(page("audit_order", ordered(0, genes=True)))


@pytest.mark.parametrize("found", [ordered(), grown()], ids=["order", "people"])
def test_nothing_of_one_person_is_told(found: dict[str, Any]) -> None:
    def longest(value: Any) -> int:
        if isinstance(value, dict):
            return max((longest(one) for one in value.values()), default=0)
        if isinstance(value, list):
            return max(len(value), *(longest(one) for one in value), 0)
        return 0

    assert longest(found) < 50, "no list is as long as the people"
