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
from pipeline.keeping import peak_memory
from pipeline.settings import AnalysisSettings, with_changes
from tests.benchmarks.runs import make_runs

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


# ---- the index ------------------------------------------------------------------------------


def forget_memory() -> None:
    """Let the next listing be that of a new process."""
    runs._KNOWN.clear()


@pytest.fixture
def indexed(tmp_path, monkeypatch) -> list[runs.Run]:
    """Return ended runs that the index knows, and nobody remembers."""
    monkeypatch.setattr(runs, "_UNINDEXED", 1)
    made = []
    for number in range(3):
        settings = with_changes(SETTINGS, {"training.seed": number + 1})
        one = runs.update_state(runs.create(tmp_path, "demo", "abc", settings), "running")
        runs.append_progress(one, epoch(1))
        runs.write_metrics(one, {"test": {"n": number}, "baselines": {}, "roc": [1, 2]})
        made.append(runs.update_state(one, "finished", epochs=number, memory={"of": "run"}))
        time.sleep(0.005)
    forget_memory()
    runs.list_runs(tmp_path)
    forget_memory()
    return made


def nothing_is_read(monkeypatch) -> None:
    monkeypatch.setattr(runs, "_read", None)
    monkeypatch.setattr(runs, "read_metrics", None)


def test_index__is_what_the_runs_say(tmp_path, indexed, monkeypatch):
    with monkeypatch.context() as patched:
        nothing_is_read(patched)
        for _ in range(2):  # from the index, then from memory
            found = runs.listed(tmp_path)
            assert [one.run for one in found] == indexed[::-1]
            assert [one.epochs for one in found] == [2, 1, 0]
            assert found[0].metrics == {"test": {"n": 2}, "baselines": {}}
    assert runs.load(tmp_path, indexed[0].id) == indexed[0]
    assert found[0].run.analysis().training.seed == 3


def test_index__is_never_trusted_over_run_json(tmp_path, indexed):
    changed = runs.update_state(indexed[1], "failed", error="No.")
    runs.update_state(indexed[2], "queued")
    found = {one.run.id: one for one in runs.listed(tmp_path)}
    assert found[changed.id].run == changed
    assert found[changed.id].epochs == 1  # those of its progress
    assert found[indexed[2].id].run.state == "queued"
    for cohort in ("first", "other"):  # as long as each other
        if cohort == "first":
            forget_memory()
        runs._write(replace(indexed[0], cohort=cohort))
        assert {one.cohort for one in runs.list_runs(tmp_path)} == {"demo", cohort}


def test_index__a_deleted_run_is_gone_and_a_restored_one_back(tmp_path, indexed):
    away = tmp_path / "away"
    indexed[0].folder.rename(away)
    assert len(runs.list_runs(tmp_path)) == 2
    away.rename(indexed[0].folder)
    assert len(runs.list_runs(tmp_path)) == 3


@pytest.mark.parametrize(
    "damage", ["half", "empty", "other format", "lines", "not a table", "gone"]
)
def test_index__damaged_is_made_again(tmp_path, indexed, damage, monkeypatch):
    path = runs._index_path(tmp_path)
    text = path.read_text()
    lines = text.split("\n")
    damaged = {
        "half": text[: len(text) // 2],
        "empty": "",
        "other format": text.replace('"format": [1', '"format": [0'),
        "lines": "\n".join([*lines[:-2], ""]),
        "not a table": "\n".join([lines[0], *["[3]"] * (len(lines) - 2), ""]),
        "gone": None,
    }[damage]
    path.unlink() if damaged is None else path.write_text(damaged)
    assert runs.list_runs(tmp_path) == indexed[::-1]
    forget_memory()
    nothing_is_read(monkeypatch)
    assert runs.list_runs(tmp_path) == indexed[::-1]


def test_index__on_a_full_disk_runs_are_listed_all_the_same(tmp_path, indexed, monkeypatch):
    runs._index_path(tmp_path).unlink()

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs, "write_index", no_space)
    assert runs.list_runs(tmp_path) == indexed[::-1]


def test_index__two_writers_at_once(tmp_path, indexed):
    program = (
        "import sys; from pathlib import Path; from pipeline import runs; runs._UNINDEXED = 0\n"
        "for _ in range(30):\n"
        "    runs._KNOWN.clear(); assert len(runs.list_runs(Path(sys.argv[1]))) == 3"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    writers = [subprocess.Popen(command, cwd=files.PROJECT_ROOT) for _ in range(2)]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert [path.name for path in runs._index_path(tmp_path).parent.iterdir()] == ["runs.json"]
    assert runs.list_runs(tmp_path) == indexed[::-1]


# ---- what made a run ------------------------------------------------------------------------


def test_runs_of_earlier_versions_are_read(tmp_path, run):
    record = json.loads((run.folder / "run.json").read_text())
    del record["memory"]
    (run.folder / "run.json").write_text(json.dumps(record))
    assert runs.load(tmp_path, run.id).memory is None
    assert runs.show(runs.load(tmp_path, run.id))["memory"] is None


def test_peak_memory__is_that_of_the_run_not_of_what_was_before():
    program = """
import json
from pipeline.keeping.peak_memory import forget_peak, peak_memory
large = bytes(200 << 20) + b"x"
del large
before = peak_memory(False)
was_forgotten = forget_peak()
little = peak_memory(was_forgotten)
large = bytearray(100 << 20)
large[::4096] = b"x" * len(large[::4096])
print(json.dumps([was_forgotten, before, little, peak_memory(was_forgotten),
                  peak_memory(was_forgotten, is_spread=True)["of"]]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=files.PROJECT_ROOT, capture_output=True, check=True
    )
    was_forgotten, before, little, most, of = json.loads(done.stdout)
    assert before["of"] == "worker"
    assert before["peak_bytes"] > 200 << 20
    if not was_forgotten:
        pytest.skip("this system does not set the high-water mark back")
    assert (little["of"], most["of"], of) == ("run", "run", "lead")
    assert little["peak_bytes"] < 150 << 20
    assert 90 << 20 < most["peak_bytes"] - little["peak_bytes"] < 130 << 20


def test_peak_memory__where_the_system_tells_nothing(monkeypatch):
    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "write_text", refused)
    assert not peak_memory.forget_peak()
    assert peak_memory.peak_memory(False)["of"] == "worker"
    monkeypatch.setitem(sys.modules, "resource", None)
    assert peak_memory.peak_memory(False) is None
    assert set(peak_memory.WORDS) == {"run", "worker", "lead"}


# ---- thousands ------------------------------------------------------------------------------


def test_list_runs__thousands_cost_no_more_than_reading_them(tmp_path):
    make_runs(tmp_path, 5000, n_curve=1)

    def bare() -> int:
        paths = [Path(entry.path) / "run.json" for entry in os.scandir(tmp_path / "runs")]
        return len([json.loads(path.read_bytes()) for path in paths])

    def seconds(function) -> float:
        start = time.perf_counter()
        assert function() == 5000
        return time.perf_counter() - start

    def in_a_new_process() -> int:
        forget_memory()
        return len(runs.list_runs(tmp_path))

    assert in_a_new_process() == 5000  # writes the index
    new, again = [], []
    for _ in range(3):
        floor = seconds(bare)
        new.append(seconds(in_a_new_process) / floor)
        again.append(seconds(lambda: len(runs.list_runs(tmp_path))) / floor)
    assert min(new) < 1.5, new
    assert min(again) < 0.7, again
