"""The part of the Run page that a paper is written from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.views import run_methods
from pipeline.methods.questions import Question, for_authors
from tests.test_checklist import make_run, write_cohort


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return write_cohort(tmp_path_factory.mktemp("page"))


def page(cache: str, run_id: str) -> None:
    from pathlib import Path

    from dashboard.views import run_methods
    from pipeline import runs

    run = runs.load(Path(cache), run_id)
    run_methods.show(None, run, runs.read_metrics(run))


def opened(cache: Path, run_id: str, *, is_open: bool = True) -> AppTest:
    app = AppTest.from_function(page, args=(str(cache), run_id), default_timeout=60)
    app.session_state["methods"] = is_open
    app.run()
    assert not app.exception, [problem.value for problem in app.exception]
    return app


def test_closed_it_reads_nothing(cache, monkeypatch):
    run = make_run(cache)
    monkeypatch.setattr(run_methods, "gather", None)
    assert not opened(cache, run.id, is_open=False).code


def test_open_it_has_text_and_both_tables(cache):
    app = opened(cache, make_run(cache).id)
    assert "30 cases (SCZ)" in app.code[0].value
    leaks, items = (table.value for table in app.table)
    assert list(leaks.columns) == ["Mark", "Question", "Answer"]
    assert leaks["Mark"].str.contains("Problem").sum() == 0
    assert items["Mark"].str.contains("For the authors").any()
    published = opened(cache, make_run(cache, selection__protocol="published").id)
    assert published.table[0].value["Mark"].str.contains("Problem").sum() >= 4
    assert any("not evidence" in one.value for one in published.markdown)


def test_the_cohort_is_read_once(cache, monkeypatch):
    run = make_run(cache)
    app = opened(cache, run.id)
    monkeypatch.setattr(run_methods, "gather", None)
    app.run()
    assert not app.exception
    assert "30 cases (SCZ)" in app.code[0].value


def test_without_its_cohort_it_says_so(tmp_path):
    cache = write_cohort(tmp_path)
    run = make_run(cache)
    (cache / "cohorts" / "small" / "current.json").unlink()
    app = opened(cache, run.id)
    assert any("There is no cohort small" in one.value for one in app.caption)


def test_marks_have_an_icon_and_a_word():
    made = [for_authors("1", "What?")]
    for severity in ("ok", "attention", "problem"):
        made.append(Question("2a", "Is *it*?", "yes", "By_name [x]", severity))
    rows = run_methods.table_rows(made)
    assert rows["Mark"].is_unique
    assert rows["Mark"].str.contains(r":material/\w+:\] ").all()
    assert rows["Answer"][0] == ""
    assert rows["Answer"][1] == r"**Yes.** By\_name \[x\]"
    assert rows["Question"][1] == r"**2a** Is \*it\*?"
    assert run_methods.table_rows([replace(made[1], item="7")])["Question"][0].startswith("**7**")
