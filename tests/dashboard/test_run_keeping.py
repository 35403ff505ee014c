"""The part of the Run page that keeps a run: title, star, notes, tags, archive, trash."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pipeline import runs
from pipeline.keeping import retention, trash
from pipeline.keeping.run_notes import read_notes, write_notes
from tests.test_retention import make_run


def page(cache: str, run_id: str) -> None:
    from pathlib import Path

    from dashboard.views import run_keeping
    from pipeline import runs
    from pipeline.errors import NotFoundError

    try:
        run = runs.load(Path(cache), run_id)
    except NotFoundError:
        run_keeping.offer_restore(run_id, Path(cache))
    else:
        run_keeping.show(run)


@pytest.fixture
def run(tmp_path: Path) -> runs.Run:
    return make_run(tmp_path, 1)


@pytest.fixture
def app(tmp_path: Path, run: runs.Run) -> AppTest:
    return fine(AppTest.from_function(page, args=(str(tmp_path), run.id), default_timeout=30).run())


def fine(app: AppTest) -> AppTest:
    assert not app.exception, [problem.value for problem in app.exception]
    return app


def click(app: AppTest, key: str) -> AppTest:
    return fine(app.button(key).click().run())


def fill(app: AppTest, name: str, value: str) -> None:
    boxes = [*app.text_input, *app.text_area]
    next(box for box in boxes if box.key.startswith(f"note_{name}_")).set_value(value)


def save(app: AppTest) -> AppTest:
    return fine(next(one for one in app.button if one.label == "Save").click().run())


def test_title_note_and_star(tmp_path, run, app):
    assert any("No title yet" in one.value for one in app.markdown)
    fill(app, "title", "Depth *12*")
    fill(app, "note", "Because <b>reads</b> ![x](http://x/y.png)")
    save(app)
    notes = read_notes(tmp_path, run.id)
    assert (notes.title, notes.starred) == ("Depth *12*", False)
    assert any(r"**Depth \*12\***" in one.value for one in app.markdown)
    (shown,) = [one for one in app.markdown if one.value.startswith("Because")]
    assert not shown.allow_html
    assert "![" not in shown.value
    click(app, f"star_{run.id}")
    assert read_notes(tmp_path, run.id).starred
    assert app.button(f"star_{run.id}").label == "Starred"
    click(app, f"archive_{run.id}")
    assert read_notes(tmp_path, run.id).archived
    assert any("archived" in one.value for one in app.markdown)


def test_who_wrote_meanwhile_is_told(tmp_path, run, app):
    fill(app, "title", "Mine")
    write_notes(tmp_path, run.id, {"title": "Theirs"}, "Ben")
    save(app)
    assert read_notes(tmp_path, run.id).title == "Mine"
    assert any("Changed meanwhile by Ben" in one.value for one in app.toast)


def test_delete_and_restore(tmp_path, run, app):
    click(app, f"delete_{run.id}")
    assert [one.run for one in trash.in_trash(tmp_path)] == [run.id]
    assert any("can be brought back until" in one.value for one in app.markdown)
    click(app, f"restore_{run.id}")
    assert runs.load(tmp_path, run.id) == run


def test_what_cannot_be_deleted_says_why(tmp_path, run, app):
    runs.update_state(run, "running")
    click(app, f"delete_{run.id}")
    assert "cancel it first" in app.error[0].value


def test_a_full_disk_is_told(run, app, monkeypatch):
    from dashboard.views import run_keeping

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_keeping, "write_notes", no_space)
    click(app, f"star_{run.id}")
    assert "No space left" in app.error[0].value


def test_gone_models_are_told(tmp_path, run, monkeypatch):
    monkeypatch.setattr(retention, "NEWEST_KEPT", 0)
    monkeypatch.setenv("EXOLENS_KEEP_GB", "0")
    retention.tidy(tmp_path)
    app = AppTest.from_function(page, args=(str(tmp_path), run.id), default_timeout=30).run()
    fine(app)
    assert any("models of this run" in one.value for one in app.caption)
    click(app, f"train_again_{run.id}")  # its cohort is not there
    assert "no cohort demo" in app.error[0].value
    assert runs.load(tmp_path, run.id) == run


def test_broken_notes_are_told_and_can_be_written(tmp_path, run, app):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / f"{run.id}.json").write_text("{")
    fine(app.run())
    assert "broken" in app.error[0].value
    click(app, f"star_{run.id}")
    assert not app.error
