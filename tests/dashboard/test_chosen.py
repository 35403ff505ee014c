"""One chosen variant and gene for a session, and regions that are left out: links, words, undo."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from pipeline.association import associate
from pipeline.cohort import open_cohort
from pipeline.quality import filter_variants
from pipeline.settings import QualitySettings
from pipeline.summaries import top_table
from tests.dashboard.test_pages import _cache, figure, press, show, words  # noqa: F401 (a fixture)

NAME = "1_1000_A_G"


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    return _cache(tmp_path_factory.mktemp("chosen"), ["case", "control"])


def turn_to(app: AppTest, page: str) -> AppTest:
    """Go to another page of the same session, whose address says nothing yet."""
    app._page_hash = calc_hash(page)
    app.query_params.clear()
    app.run()
    assert not app.exception
    return app


def in_address(app: AppTest, name: str) -> str | None:
    value = app.query_params.get(name)
    return value[0] if isinstance(value, list) else value


def test_a_link_opens_the_card_and_marks_the_row(show, small):  # noqa: F811
    cohort = open_cohort(small, "small")
    filtered = filter_variants(cohort, QualitySettings())
    fifth = top_table(cohort, filtered, associate(cohort, filtered)).variant_id.iloc[4]
    cohort.store.close()
    escaped = fifth.replace("_", "\\_")
    app = show(small, "association", variant=fifth)
    said = words(app)
    assert f"**{fifth}**" in said
    assert f"Marked: **{escaped}**" in said
    assert f"{escaped} is row 5 of 200." in said
    assert any(button.label == "Its region" for button in app.button)
    press(app, "Close")
    assert "Marked" not in words(app)
    assert in_address(app, "variant") is None


def test_what_is_chosen_stays_between_pages_and_is_let_go(show, small):  # noqa: F811
    app = show(small, "association", variant=NAME, gene="AGRN")
    for page in ("quality", "training", "association"):
        turn_to(app, page)
        assert (in_address(app, "variant"), in_address(app, "gene")) == (NAME, "AGRN")
    assert "gene **AGRN** (not in this cohort's gene table)" in words(app)
    press(app, "Clear")
    assert "Marked" not in words(app)
    turn_to(app, "quality")
    assert in_address(app, "variant") is in_address(app, "gene") is None


def test_the_address_of_a_browser_that_lags_behind_chooses_nothing(show, small):  # noqa: F811
    app = press(show(small, "association", variant=NAME), "Close")
    app.query_params["variant"] = NAME
    app.run()
    assert "Marked" not in words(app)


@pytest.mark.parametrize(
    ("name", "thresholds", "said"),
    [
        ("1_1000_A_C", {}, "(not in this cohort)"),
        ("9_1000_A_G", {}, "(not in this cohort)"),
        ("no such thing", {}, "(not in this cohort)"),
        ("<b>*x*_1_A_C", {}, "(not in this cohort)"),
        (f"1_1000_A_{'G' * 5_000}", {}, "(not in this cohort)"),
        (NAME, {"quality.without_regions": "1:1-2000"}, "(removed by “Outside the regions left"),
    ],
)  # fmt: skip
def test_a_variant_that_is_not_there_is_told_quietly(
    show, small, name, thresholds, said  # noqa: F811
):  # fmt: skip
    app = show(small, "association", variant=name, **thresholds)
    assert said in words(app)
    assert not app.error
    told = next(one.value for one in app.caption if "Marked" in one.value)
    assert len(told) < 300
    assert "<b>" not in told.replace("\\<b", "")


def test_what_if_without_a_region_and_with_it_again(show, small):  # noqa: F811
    app = show(small, "association", place="1:1-150500")
    assert "What if without these?" in {button.label for button in app.button}
    before = figure(app, "Variants kept")
    press(app, "What if without these?")
    cohort = open_cohort(small, "small")
    kept = len(filter_variants(cohort, QualitySettings(without_regions="1:1-150500")).kept)
    cohort.store.close()
    assert figure(app, "Variants kept") == f"{kept:,}" != before
    assert in_address(app, "place") == "1"
    assert app.text_input(key="quality.without_regions").value == "1:1-150500"
    assert f"Left out: 1:1–150,500; {int(before.replace(',', '')) - kept:,} variants" in words(app)
    app.query_params["place"] = "2:1-150500"
    press(app.run(), "What if without these?")
    assert app.text_input(key="quality.without_regions").value == "1:1-150500, 2:1-150500"
    press(app, "With 1:1–150,500")
    assert app.text_input(key="quality.without_regions").value == "2:1-150500"
    app.button(key="with_again_sidebar").click().run()
    assert app.text_input(key="quality.without_regions").value == ""
    assert figure(app, "Variants kept") == before
    assert "Left out" not in "".join(one.value for one in app.caption if "1:1" in one.value)


def test_everything_left_out_can_be_taken_back(show, small):  # noqa: F811
    link = {"quality.without_regions": "1:1-300000000, 2:1-300000000"}
    app = show(small, "association", **link)
    assert figure(app, "Variants kept") == "0"
    app.button(key="with_again_page").click().run()
    assert figure(app, "Variants kept") != "0"


def test_a_place_where_nothing_is_kept_asks_no_question(show, small):  # noqa: F811
    app = show(small, "association", place="1:900000-900500")
    button = next(one for one in app.button if one.label == "What if without these?")
    assert button.disabled
    whole = show(small, "association", place="1")
    assert next(one for one in whole.button if one.label == "What if without these?").disabled
    assert "Drag along the chromosome" in words(whole)


def clicks() -> None:
    """Click through pictures and tables as the browser tells of it, and say what is chosen."""
    from types import SimpleNamespace

    import streamlit as st

    from dashboard import chosen, state

    view = SimpleNamespace(cohort=SimpleNamespace(has_genes=False))

    def click(key: str, what: str = "hit", **point: str) -> str:
        now = chosen._key(key)
        state.put(now, {"selection": {what: [point]}})
        chosen._from_chart(view, key, now, what)
        return f"{chosen.name('variant')}|{chosen.name('gene')}"

    said = [
        click("plot", variant_id="1_1_A_C", gene="none"),
        click("genes", "gene", gene="AGRN"),  # a gene leaves the variant as it is
        click("bars", "gene", gene="1:11.00 Mb"),  # a stretch between genes is no gene
        click("plot", variant_id="1_1_A_C"),  # clicked again, after another picture: news
        click("plot"),
        click("plot", variant_id="1_2_A_C"),
    ]
    late = chosen._key("plot")
    chosen.clear()
    state.put(late, {"selection": {"hit": [{"variant_id": "1_2_A_C"}]}})
    chosen._from_chart(view, "plot", late, "hit")  # the last word of the picture before
    said.append(chosen.name("variant"))
    said.append(click("plot", variant_id="1_2_A_C"))
    state.put("rows", {"selection": {"rows": [1]}})
    chosen._from_table(view, "rows", "variant", ("1_1_A_C", "1_9_A_C"))
    said.append(chosen.name("variant"))
    state.put("rows", {"selection": {"rows": []}})
    chosen._from_table(view, "rows", "variant", ("1_1_A_C", "1_9_A_C"))
    said.append(chosen.name("variant"))
    st.json(said)


def test_clicks_choose_once_and_can_be_made_again():
    app = AppTest.from_function(clicks).run()
    assert not app.exception, [problem.value for problem in app.exception]
    import json

    assert json.loads(app.json[0].value) == [
        "1_1_A_C|", "1_1_A_C|AGRN", "1_1_A_C|AGRN", "1_1_A_C|", "1_1_A_C|", "1_2_A_C|", "",
        "1_2_A_C|", "1_9_A_C", "",
    ]  # fmt: skip
