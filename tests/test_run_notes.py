"""What people say of runs: kept beside them, by several writers, on a disk that may fail."""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from pipeline import jobs, runs
from pipeline.errors import InputError, NotFoundError, PipelineError, StaleArtifactError
from pipeline.keeping import activity, locks, run_notes, trash
from pipeline.keeping.run_notes import (
    MOST_NOTE,
    MOST_TITLE,
    Notes,
    all_notes,
    read_notes,
    write_notes,
)
from pipeline.settings import AnalysisSettings


@pytest.fixture
def run(tmp_path: Path) -> runs.Run:
    made = runs.create(tmp_path, "demo", "abc123", AnalysisSettings(), "quick")
    return runs.update_state(runs.update_state(made, "running"), "finished")


def told(cache: Path, run_id: str, **changes: object) -> run_notes.Written:
    return write_notes(cache, run_id, changes, "Anna")


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "notes")


def test_written_and_read(tmp_path, run):
    assert read_notes(tmp_path, run.id) == Notes()
    written = told(tmp_path, run.id, title=" Deeper\n reads ", note="# Why\r\nDepth", starred=True,
                   tags=["depth", "Depth", " a  b "])  # fmt: skip
    notes = read_notes(tmp_path, run.id)
    assert notes == written.notes
    assert (notes.title, notes.note) == ("Deeper reads", "# Why\nDepth")
    assert (notes.tags, notes.starred, notes.archived) == (("depth", "a b"), True, False)
    assert (notes.who, written.warning) == ("Anna", "")
    assert all_notes(tmp_path) == {run.id: notes}
    assert run_notes.tags_of([notes, Notes(tags=("z", "a b"))]) == ["a b", "depth", "z"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"title": "x" * (MOST_TITLE + 1)}, "at most 120 characters, but 121"),
        ({"note": "x" * (MOST_NOTE + 1)}, "at most 20,000 characters, but 20,001"),
        ({"tags": ["x" * 41]}, "at most 40 characters"),
        ({"tags": [f"t{n}" for n in range(21)]}, "at most 20 tags, but 21"),
        ({"tags": ["<b>"]}, "starts with a letter"),
    ],
)
def test_limits_are_told(tmp_path, run, changes, words):
    with pytest.raises(InputError, match=words):
        told(tmp_path, run.id, **changes)
    assert not (tmp_path / "notes").exists()


@pytest.mark.parametrize("run_id", ["../x", "../../etc/passwd", "", "a/b", "0" * 15 + "g"])
def test_ids_that_are_paths_are_refused(tmp_path, run_id):
    for asked in (
        lambda: told(tmp_path, run_id, title="x"),
        lambda: read_notes(tmp_path, run_id),
        lambda: trash.delete(tmp_path, run_id),
        lambda: trash.restore(tmp_path, run_id),
    ):
        with pytest.raises(NotFoundError):
            asked()
    assert not (tmp_path / "x.json").exists()


def test_no_run_no_notes(tmp_path):
    with pytest.raises(NotFoundError, match="no run 0123456789abcdef"):
        told(tmp_path, "0123456789abcdef", title="x")


def test_notes_survive_a_rerun_and_a_deletion(tmp_path, run):
    notes = told(tmp_path, run.id, title="Mine", tags=["a"]).notes
    runs.update_state(run, "queued")
    runs.clear_progress(run)
    assert read_notes(tmp_path, run.id) == notes
    runs.update_state(runs.update_state(run, "running"), "finished")
    trash.delete(tmp_path, run.id)
    again = runs.create(tmp_path, "demo", "abc123", AnalysisSettings(), "quick")
    assert (again.id, again.state) == (run.id, "queued")
    assert read_notes(tmp_path, run.id) == notes


def test_writing_over_what_was_not_read_is_told(tmp_path, run):
    first = told(tmp_path, run.id, title="First").notes
    write_notes(tmp_path, run.id, {"tags": ["b"]}, "Ben", first)
    late = write_notes(tmp_path, run.id, {"title": "Third"}, "Cleo", first)
    assert "Changed meanwhile by Ben" in late.warning
    assert (late.notes.title, late.notes.tags) == ("Third", ("b",))
    knowing = write_notes(tmp_path, run.id, {"title": "Fourth"}, "Cleo", late.notes)
    assert knowing.warning == ""
    unseen = write_notes(tmp_path, run.id, {"starred": True}, "Dora", Notes())
    assert "Changed meanwhile by Cleo" in unseen.warning


def test_many_writers_at_once_lose_nothing(tmp_path, run):
    problems = []
    writers = {"title": "T", "note": "N", "starred": True, "archived": True, "tags": ("x",)}

    def write(name: str, value: object) -> None:
        try:
            for _ in range(5):
                write_notes(tmp_path, run.id, {name: value}, name)
        except Exception as problem:  # noqa: BLE001 - told below
            problems.append(problem)

    threads = [threading.Thread(target=write, args=item) for item in writers.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    notes = asdict(read_notes(tmp_path, run.id))
    assert {name: notes[name] for name in writers} == writers
    assert len(activity._of_people(tmp_path)) == len(writers)
    assert {path.name for path in (tmp_path / "notes").iterdir()} == {f"{run.id}.json"}


def test_half_a_file_is_told_and_can_be_written_over(tmp_path, run):
    told(tmp_path, run.id, title="Whole", note="A long note")
    path = tmp_path / "notes" / f"{run.id}.json"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(StaleArtifactError):
        read_notes(tmp_path, run.id)
    assert all_notes(tmp_path) == {}
    told(tmp_path, run.id, title="Anew")
    assert read_notes(tmp_path, run.id).title == "Anew"
    for text in ("[]", "3", "{}", '{"title": 3}', '{"tags": "abc"}'):
        path.write_text(text)
        with pytest.raises(StaleArtifactError):
            read_notes(tmp_path, run.id)


def test_a_full_disk_leaves_the_old_notes(tmp_path, run, monkeypatch):
    before = told(tmp_path, run.id, title="Before").notes
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        told(tmp_path, run.id, title="After")
    monkeypatch.undo()
    assert read_notes(tmp_path, run.id) == before
    assert {path.name for path in (tmp_path / "notes").iterdir()} == {f"{run.id}.json"}


def test_no_room_for_the_activity_does_not_undo_the_note(tmp_path, run, monkeypatch):
    monkeypatch.setattr(activity, "note_event", no_space)
    assert told(tmp_path, run.id, title="Kept").notes.title == "Kept"
    assert read_notes(tmp_path, run.id).title == "Kept"


def test_a_picture_is_not_fetched():
    shown = run_notes.shown_markdown("![x](http://elsewhere/beacon.png) [link](http://x)")
    assert "![" not in shown
    assert "[link](http://x)" in shown


# ---- locks ----------------------------------------------------------------------------------


def test_locked__a_killed_holder_does_not_block(tmp_path):
    path = tmp_path / ".lock"
    path.touch()
    old = time.time() - locks.STALE_S - 1
    os.utime(path, (old, old))
    with locks.locked(path):
        assert path.exists()
    assert not path.exists()


def test_locked__one_that_stays_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE_S", 0.05)
    path = tmp_path / ".lock"
    with (
        locks.locked(path),
        pytest.raises(PipelineError, match="try again"),
        locks.locked(path),
    ):
        pass


# ---- activity -------------------------------------------------------------------------------


def test_activity__what_runs_and_people_did(tmp_path, run):
    told(tmp_path, run.id, title="A", starred=True)
    trash.delete(tmp_path, run.id, "Ben")
    trash.restore(tmp_path, run.id, "Cleo\n\x1b[31m" + "x" * 200)
    found = activity.activity(tmp_path)
    assert [one.what for one in found] == ["restored", "deleted", "noted", "finished", "asked"]
    assert [one.who for one in found[1:3]] == ["Ben", "Anna"]
    assert found[0].who.startswith("Cleo [31mxxx")
    assert len(found[0].who) == 80
    assert found[2].detail == "title, starred"
    assert activity.activity(tmp_path, 2) == found[:2]
    assert [one.what for one in found if one.cohort == "demo"] == ["finished", "asked"]


def test_activity__who_asked_is_named(tmp_path, run):
    jobs.asked_by("Ada")
    try:
        jobs.submit(tmp_path, "train", {"run": run.id})
    finally:
        jobs.asked_by("")
    (asked,) = (one for one in activity.activity(tmp_path) if one.what == "asked")
    assert (asked.run, asked.who) == (run.id, "Ada")
    (tmp_path / "jobs" / run.id / "1" / "asked.json").write_text("{")
    (asked,) = (one for one in activity.activity(tmp_path) if one.what == "asked")
    assert asked.who == ""


def test_activity__damaged_lines_are_left_out(tmp_path):
    activity.note_event(tmp_path, "noted", "abc", "Anna")
    with (tmp_path / "activity.jsonl").open("a") as stream:
        stream.write('[]\n3\n\n{"when": 1}\n{"when": "2026", "what"')
    activity.note_event(tmp_path, "deleted", "abc", "Ben")
    assert [one.what for one in activity.activity(tmp_path)] == ["deleted", "noted"]


def test_activity__is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(activity, "MOST_BYTES", 2000)
    for number in range(60):
        activity.note_event(tmp_path, "noted", f"{number:08x}")
    path = tmp_path / "activity.jsonl"
    assert path.stat().st_size <= 2000
    lines = [json.loads(line)["run"] for line in path.read_text().splitlines()]
    assert lines[-1] == f"{59:08x}"
    assert lines == sorted(lines)


def test_login_name__nobody(monkeypatch):
    def unknown() -> str:
        raise KeyError("uid")

    monkeypatch.setattr(activity.getpass, "getuser", unknown)
    assert activity.login_name() == ""
