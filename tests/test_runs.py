"""Runs on disk: identity, states, progress that is still being written, broken files."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import claims, files, runs
from pipeline.epochs import EpochRecord
from pipeline.errors import InputError, NotFoundError, StaleArtifactError
from pipeline.settings import AnalysisSettings, with_changes

SETTINGS = AnalysisSettings()


@pytest.fixture
def run(tmp_path: Path) -> runs.Run:
    return runs.create(tmp_path, "demo", "abc123", SETTINGS, "quick")


def epoch(number: int, **changes: float) -> EpochRecord:
    record = EpochRecord(0, number, 0.7, 0.5, 0.71, 0.52, 0.53, 1e-4, 2.5)
    return replace(record, **changes)


def ended_process() -> claims.Holder:
    """Return a process that has ended and was collected."""
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    who = claims.holder(child.pid)
    child.wait()
    return who


# ---- files ----------------------------------------------------------------------------------


def test_write_json__whole_or_old(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    files.write_json(path, {"n": 1})
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk")))
    with pytest.raises(OSError, match="disk"):
        files.write_json(path, {"n": 2})
    assert files.read_json(path) == {"n": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_plain__numpy_nan_and_tuples():
    import numpy as np

    value = {
        "a": np.float32("nan"),
        "b": (np.int64(3), np.bool_(True)),
        "c": np.arange(2),
        4: -math.inf,
    }
    assert files.plain(value) == {"a": None, "b": [3, True], "c": [0, 1], "4": None}
    json.dumps(files.plain(value), allow_nan=False)


def test_append_json_line__cuts_half_a_line(tmp_path):
    path = tmp_path / "lines.jsonl"
    files.append_json_line(path, {"n": 1})
    with path.open("a") as stream:
        stream.write('{"n": 2, "half')
    files.append_json_line(path, {"n": 3})
    assert [json.loads(line)["n"] for line in path.read_text().splitlines()] == [1, 3]


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "a\\b", "a b", "x" * 65, "a\n", "-a"])
def test_safe_name__refuses(name):
    with pytest.raises(InputError, match="letters, digits"):
        files.safe_name(name)


@pytest.mark.parametrize("name", ["a", "uwgac-1kg", "Sweden_2.1", "x" * 64])
def test_safe_name__accepts(name):
    assert files.safe_name(name) == name


def test_cache_dir__precedence(tmp_path, monkeypatch):
    monkeypatch.delenv("EXOLENS_CACHE", raising=False)
    assert files.cache_dir() == files.PROJECT_ROOT / "cache"
    monkeypatch.setenv("EXOLENS_CACHE", str(tmp_path))
    assert files.cache_dir() == tmp_path.resolve()
    monkeypatch.chdir(tmp_path)
    assert files.cache_dir(Path("there")) == tmp_path.resolve() / "there"


def test_place_folder__only_one_wins(tmp_path):
    assert files.place_folder(tmp_path / "x", {"a.json": 1, "sub/b.json": 2})
    assert not files.place_folder(tmp_path / "x", {"a.json": 9})
    assert files.read_json(tmp_path / "x" / "a.json") == 1
    assert files.read_json(tmp_path / "x" / "sub" / "b.json") == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]


# ---- identity -------------------------------------------------------------------------------


def test_run_identity__every_setting_and_the_cohort_count():
    identities = {runs.run_identity("abc", SETTINGS), runs.run_identity("abd", SETTINGS)}
    for change in ("quality.qual_above=31", "training.seed=2", "evaluation.confidence=0.9"):
        identities.add(runs.run_identity("abc", with_changes(SETTINGS, [change])))
    assert len(identities) == 5
    assert runs.run_identity("abc", AnalysisSettings()) in identities


def test_create__same_run_twice_is_one(tmp_path, run):
    runs.update_state(run, "running")
    again = runs.create(tmp_path, "demo", "abc123", SETTINGS)
    assert again.state == "running"
    assert again.created == run.created
    assert len(runs.list_runs(tmp_path)) == 1
    assert again.analysis() == SETTINGS
    assert run.predictions_path.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("run_id", ["../../etc", "", "ABCDEF0123456789", "0123/4567", "xyz"])
def test_load__refuses_ids_that_are_no_ids(tmp_path, run_id):
    with pytest.raises(NotFoundError, match="hexadecimal"):
        runs.load(tmp_path, run_id)


def test_load__names_the_run_that_is_not_there(tmp_path):
    with pytest.raises(NotFoundError, match="0123456789abcdef"):
        runs.load(tmp_path, "0123456789abcdef")


# ---- states ---------------------------------------------------------------------------------


def test_update_state__notes_worker_times_and_error(tmp_path, run):
    running = runs.update_state(run, "running", selected=12)
    assert running.pid == os.getpid()
    assert runs.load(tmp_path, run.id).state == "running"
    failed = runs.update_state(running, "failed", error="No.")
    assert (failed.error, failed.selected) == ("No.", 12)
    assert failed.seconds >= 0
    assert runs.load(tmp_path, run.id) == failed
    assert runs.update_state(failed, "queued").error is None


def test_load__dead_process_is_interrupted(tmp_path, run):
    runs._write(replace(run, state="running", worker=ended_process()))
    assert runs.load(tmp_path, run.id).state == "interrupted"
    assert [one.state for one in runs.list_runs(tmp_path)] == ["interrupted"]


def test_load__pid_given_out_again_is_interrupted(tmp_path, run):
    me = claims.holder()
    if me.ticks is None:
        pytest.skip("this system does not tell when a process started")
    runs._write(replace(run, state="running", worker=me))
    assert runs.load(tmp_path, run.id).state == "running"
    runs._write(replace(run, state="running", worker=replace(me, ticks=me.ticks - 1)))
    assert runs.load(tmp_path, run.id).state == "interrupted"


def test_load__uncollected_child_is_interrupted(tmp_path, run):
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    who = claims.holder(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, left as a zombie
    runs._write(replace(run, state="running", worker=who))
    assert runs.load(tmp_path, run.id).state == "interrupted"
    child.wait()


def test_load__other_machine_is_judged_by_its_heartbeat(tmp_path, run):
    who = replace(claims.holder(), host="elsewhere", pid=2**22 + 5)
    claims.register(tmp_path, who)
    runs._write(replace(run, state="running", worker=who))
    assert runs.load(tmp_path, run.id).state == "running"
    old = time.time() - claims.LOST_AFTER_S - 5
    os.utime(claims.heartbeat_path(tmp_path, who), (old, old))
    assert runs.load(tmp_path, run.id).state == "interrupted"


# ---- progress, metrics, show ----------------------------------------------------------------


def test_read_progress__leaves_half_a_line_for_later(run):
    assert runs.read_progress(run) == []
    runs.append_progress(run, epoch(1))
    runs.append_progress(run, epoch(2, val_auc=math.nan))
    whole = run.progress_path.read_bytes()
    third = json.dumps(files.plain(epoch(3))).encode() + b"\n"
    for part in range(len(third)):
        run.progress_path.write_bytes(whole + third[:part])
        assert [one.epoch for one in runs.read_progress(run)] == [1, 2]
    run.progress_path.write_bytes(whole + third)
    assert runs.read_progress(run, since_line=2) == [epoch(3)]
    assert math.isnan(runs.read_progress(run)[1].val_auc)
    runs.clear_progress(run)
    assert runs.read_progress(run) == []


def test_show__shape_of_the_contract(tmp_path, run):
    assert runs.read_metrics(run) is None
    runs.append_progress(run, epoch(1))
    metrics = {"test": {"auc": {"value": 0.7, "low": 0.6, "high": 0.8}}, "baselines": {}}
    runs.write_metrics(run, metrics)
    shown = runs.show(runs.load(tmp_path, run.id))
    expected = {
        "run",
        "cohort",
        "state",
        "pid",
        "settings",
        "selected",
        "epochs",
        "seconds",
        "metrics",
    }
    assert expected <= set(shown)
    assert (shown["run"], shown["cohort"], shown["epochs"]) == (run.id, "demo", 1)
    assert shown["metrics"] == metrics
    assert AnalysisSettings.model_validate(shown["settings"]) == SETTINGS
    json.dumps(shown, allow_nan=False)


# ---- broken files and many runs -------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"format": 1}', '{"format": 0}', "\x00\x00", '{"format": 1, "id": 3}'],
)
def test_broken_run_json__is_a_named_problem(tmp_path, run, text):
    other = runs.create(tmp_path, "demo", "other", SETTINGS)
    (run.folder / "run.json").write_text(text)
    with pytest.raises(StaleArtifactError):
        runs.load(tmp_path, run.id)
    listed = {one.id: one for one in runs.list_runs(tmp_path)}
    assert set(listed) == {run.id, other.id}
    assert listed[run.id].state == "failed"
    assert listed[run.id].error
    assert runs.create(tmp_path, "demo", "abc123", SETTINGS).state == "queued"
    assert runs.load(tmp_path, run.id).cohort == "demo"


def test_list_runs__newest_first_and_strangers_left_out(tmp_path):
    assert runs.list_runs(tmp_path) == []
    for number in range(3):
        runs.create(tmp_path, "demo", f"f{number}", SETTINGS)
        time.sleep(0.005)
    (tmp_path / "runs" / "notes").mkdir()
    (tmp_path / "runs" / "0123456789abcdef").mkdir()
    (tmp_path / "runs" / "README.md").touch()
    assert [one.fingerprint for one in runs.list_runs(tmp_path)] == ["f2", "f1", "f0"]


def test_list_runs__thousands_cost_little_more_than_reading_them(tmp_path, run):
    finished = runs.update_state(runs.update_state(run, "running"), "finished")
    text = (finished.folder / "run.json").read_text()
    for number in range(5000):
        folder = tmp_path / "runs" / f"{number:016x}"
        folder.mkdir()
        (folder / "run.json").write_text(text)

    def bare() -> int:
        paths = [Path(entry.path) / "run.json" for entry in os.scandir(tmp_path / "runs")]
        return len([json.loads(path.read_bytes()) for path in paths])

    def seconds(function) -> float:
        start = time.perf_counter()
        assert function() in (5001, None)
        return time.perf_counter() - start

    ratios = []
    for _ in range(3):
        floor = seconds(bare)
        ratios.append(seconds(lambda: len(runs.list_runs(tmp_path))) / floor)
    assert min(ratios) < 3, ratios
