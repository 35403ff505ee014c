"""The part of the page Audit that asks after ancestry, batch and quality."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special
from streamlit.testing.v1 import AppTest

from dashboard.charts.confounding import strata_intervals
from dashboard.theme import DARK, LIGHT, Palette
from dashboard.views import audit_confounding
from pipeline.audit.confounders import Confounder
from pipeline.audit.confounding import Confounding, Way, weigh
from pipeline.audit.light import judge
from pipeline.splits import Roles
from tests.dashboard.test_charts import svg_of, words_in

N = 900
LONG = "sequencing_centre_of_the_second_batch"


def told(kind: str = "ancestry", components: bool = True, others: bool = True) -> dict[str, Any]:
    """Return the answer for labels that follow `ancestry`, a `disease`, or `nothing`."""
    rng = np.random.default_rng(3)
    component, disease = rng.normal(size=(2, N))
    odds = {"ancestry": 3 * component, "disease": 2 * disease, "nothing": 0 * disease}[kind]
    is_case = rng.random(N) < special.expit(odds)
    score = special.expit(odds + 0.3 * rng.normal(size=N))
    roles = Roles(*(np.arange(i, N, 3) for i in (0, 0, 1, 2)))
    is_male = rng.random(N) < 0.5
    found = []
    if components:
        found.append(
            Confounder("components", "Principal components", "ancestry", "of like ancestry",
                       ("PC1",), component[:, None])
        )  # fmt: skip
    if others:
        found += [
            Confounder("sex", "Sex", "sex", "of one sex", ("sex",), is_male[:, None].astype(float)),
            Confounder("covariate", f"The column {LONG}", LONG, f"alike in {LONG}", (LONG,),
                       rng.normal(size=(N, 1))),
        ]  # fmt: skip
    ways = [Way("Sex", np.where(is_male, "male", "female"))]
    ways.append(Way(LONG, rng.choice(["a", "b" * 40], N, p=[0.99, 0.01]), of_column=True))
    weights = weigh(score, is_case, roles, found, ways if others else ())
    light = judge(weights.audited, weights.weighed, components)
    lambda_gc = 1.3 if others else float("nan")
    notes = ("Missingness was not looked at: no call of the entered variants is missing.",)
    return Confounding(
        "logistic_l2", weights, light, lambda_gc, 1234, "", 5 * components, notes
    ).as_dict()


def page(found: dict[str, Any]) -> AppTest:
    def script(found: dict) -> None:  # read as text: no names of this module
        from dashboard.views import audit_confounding

        audit_confounding.show(found, None)

    app = AppTest.from_function(script, kwargs={"found": found}, default_timeout=30)
    app.run()
    assert not app.exception, [problem.value for problem in app.exception]
    return app


def text_of(app: AppTest) -> str:
    kinds = (
        app.subheader,
        app.markdown,
        app.caption,
        app.error,
        app.warning,
        app.success,
        app.info,
    )
    return " ".join(one.value for kind in kinds for one in kind)


TABLES = {
    "alike": lambda found: audit_confounding._alike(found),
    "strata": lambda found: audit_confounding._strata(found["strata"]),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("kind", ["ancestry", "nothing"])
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1300, 350])
def test_draws_within_its_width(name: str, kind: str, palette: Palette, width: int) -> None:
    chart = strata_intervals(TABLES[name](told(kind)), title="It", whole=0.7, palette=palette)
    svg = svg_of(chart, width)
    assert float(re.search(r'width="([\d.]+)"', svg)[1]) == pytest.approx(width, abs=1)
    for wrong in ("…", "NaN", "undefined", "nan", "None"):
        assert wrong not in svg
    spec = chart.to_dict()
    used = set(re.findall(r"#[0-9A-F]{6}\b", json.dumps(spec)))
    other = DARK if palette is LIGHT else LIGHT
    assert not used & (set(vars(other).values()) - set(vars(palette).values()))
    assert spec["width"] == "container"
    assert len(spec["description"]) > 40


def test_every_set_of_people_stands_with_its_counts() -> None:
    found = told()
    words = words_in(svg_of(strata_intervals(TABLES["strata"](found), title="It", whole=0.7)))
    for stratum in found["strata"][0]["strata"]:
        assert f"Sex: {stratum['label']}" in words
        assert f"{stratum['n']:,} people, {stratum['n_case']:,} cases" in words
        auc = stratum["auc"]
        assert f"{auc['value']:.2f} ({auc['low']:.2f}–{auc['high']:.2f})" in words
    assert "Sex: pooled" in words
    assert "too few people" in words, "of a stratum with hardly anybody"


def test_dots_lie_at_their_auc() -> None:
    rows = pd.DataFrame(
        {
            "people": ["All test people", "Of one sex", "Few"],
            "counts": ["9 people", "9 pairs", "1 pair"],
            "value": [0.8, 0.6, np.nan],
            "low": [0.7, 0.5, np.nan],
            "high": [0.9, 0.7, np.nan],
            "kind": ["whole", "part", "pooled"],
        }
    )
    spec = strata_intervals(rows, title="It", whole=0.8).to_dict()
    domain = next(
        layer["encoding"]["x"]["scale"]["domain"]
        for layer in spec["layer"]
        if "scale" in layer.get("encoding", {}).get("x", {})
    )
    assert domain[0] <= 0.5
    assert domain[1] >= 0.9
    alone = strata_intervals(rows[:1], title="It", whole=None)
    assert "Line" not in " ".join(words_in(svg_of(alone)))


@pytest.mark.parametrize(
    ("found", "word", "box"),
    [
        (told("ancestry"), "Red: confounded", "error"),
        (told("disease"), "Green: not explained away", "success"),
        (told("nothing"), "Grey: nothing to explain", "info"),
        (told("disease", components=False), "Grey: cannot be known", "info"),
    ],
    ids=["red", "green", "nothing", "unknown"],
)
def test_the_light_is_a_word_with_its_reason(found, word, box) -> None:
    app = page(found)
    shown = getattr(app, box)
    assert len(shown) == 1
    assert shown[0].value.startswith(f"### {word}")
    assert found["light"]["reason"] in shown[0].value
    assert shown[0].icon.startswith(":material/")
    said = text_of(app)
    for advice in found["light"]["advice"]:
        assert advice in said
    assert ("What to do next" in said) == bool(found["light"]["advice"])


def test_amber_has_a_box_too() -> None:
    found = told("disease")
    found["light"] |= {"colour": "amber", "word": "In doubt"}
    assert page(found).warning[0].value.startswith("### Amber: in doubt")
    icons = set(audit_confounding._ICONS.values())
    assert len(icons) == len(audit_confounding._BOXES) == 4, "told apart without colour"


def test_the_page_says_what_is_known_beside_the_light() -> None:
    found = told("disease")
    said = text_of(page(found))
    assert "it adds to them" in said
    assert "Lambda of the training people: 1.300 over 1,234 variants." in said
    assert "Missingness was not looked at" in said
    assert "it may add nothing to them" in text_of(page(told("nothing")))
    for raw in ("logistic_l2", "n_test", "share_of_pairs", "nan", "None"):
        assert raw not in said


def test_nothing_known() -> None:
    bare = told("disease", components=False, others=False)
    assert bare["lambda"] is None
    assert bare["added"]["value"] is None
    page(bare)
