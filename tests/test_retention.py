"""What is removed to save space, what never is, and how deleted runs come back."""

from __future__ import annotations

import errno
import json
import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline import jobs, lineage, runs
from pipeline.claims import holder
from pipeline.cli import keeping_verbs, output, run_verbs
from pipeline.errors import InputError, NotFoundError, SettingsError, StaleArtifactError
from pipeline.keeping import retention, trash
from pipeline.keeping.run_notes import read_notes, write_notes
from pipeline.settings import AnalysisSettings, with_changes
from tests.benchmarks.runs import MEASURED

SIZE = 1000


def make_run(cache: Path, number: int, state: str = "finished") -> runs.Run:
    """Return an ended run with a model of 1,000 bytes, the newer the higher the number."""
    settings = with_changes(AnalysisSettings(), {"training.seed": number})
    run = runs.create(cache, "demo", "abc", settings)
    when = f"2026-01-01T00:{number:02d}:00.000+00:00"
    run = replace(run, state=state, created=when, started=when, finished=when, epochs=3, selected=9)
    runs._write(run)
    run.model_path().write_bytes(b"k" * SIZE)
    run.metrics_path.write_text(json.dumps({"test": MEASURED, "baselines": {"additive": MEASURED}}))
    run.progress_path.write_text("{}\n")
    return run


@pytest.fixture
def made(tmp_path, monkeypatch) -> list[runs.Run]:
    monkeypatch.setattr(retention, "NEWEST_KEPT", 2)
    return [make_run(tmp_path, number) for number in range(6)]


def limit(monkeypatch, n_bytes: int) -> None:
    monkeypatch.setenv("EXOLENS_KEEP_GB", str(n_bytes / 1e9))


def has_model(run: runs.Run) -> bool:
    return run.model_path().exists()


# ---- models ---------------------------------------------------------------------------------


def test_forget_models__below_the_limit_nothing_goes(tmp_path, made):
    assert retention.forget_models(tmp_path) == []
    assert all(map(has_model, made))


def test_forget_models__the_oldest_go_until_the_rest_fits(tmp_path, made, monkeypatch):
    limit(monkeypatch, 4 * SIZE)
    assert retention.forget_models(tmp_path) == [made[0].id, made[1].id]
    assert [has_model(run) for run in made] == [False, False, True, True, True, True]
    gone = made[0]
    assert gone.metrics_path.exists()
    assert gone.progress_path.exists()
    assert runs.load(tmp_path, gone.id).settings == gone.settings
    note = retention.weights_note(gone)
    assert "1 kB) were removed on" in note
    assert f"train-again {gone.id}" in note
    assert retention.weights_note(made[3]) == ""
    assert retention.forget_models(tmp_path) == []


def test_forget_models__starred_named_and_newest_stay(tmp_path, made, monkeypatch):
    limit(monkeypatch, 0)
    write_notes(tmp_path, made[0].id, {"starred": True})
    write_notes(tmp_path, made[2].id, {"title": "For the paper"})
    write_notes(tmp_path, made[3].id, {"tags": ["x"]})
    assert retention.forget_models(tmp_path) == [made[1].id, made[3].id]
    assert [has_model(run) for run in made] == [True, False, True, False, True, True]


def test_forget_models__active_runs_are_not_touched(tmp_path, made, monkeypatch):
    limit(monkeypatch, 0)
    runs.update_state(made[0], "running")
    jobs.submit(tmp_path, "attribute", {"run": made[1].id})
    checkpoint = made[0].checkpoint_path(0)
    checkpoint.parent.mkdir()
    checkpoint.touch()
    retention.tidy(tmp_path)
    assert has_model(made[0])
    assert has_model(made[1])
    assert checkpoint.exists()
    assert not has_model(made[2])


def test_forget_models__on_a_full_disk(tmp_path, made, monkeypatch):
    limit(monkeypatch, 5 * SIZE)
    write = retention.write_json

    def refuse_while_full(path: Path, value: object) -> None:
        if has_model(made[0]):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, value)

    monkeypatch.setattr(retention, "write_json", refuse_while_full)
    assert retention.tidy(tmp_path) == [made[0].id]
    assert retention.weights_note(made[0])


def test_weights_note__is_gone_when_the_models_are_back(tmp_path, made, monkeypatch):
    limit(monkeypatch, 5 * SIZE)
    retention.tidy(tmp_path)
    assert retention.weights_note(made[0])
    made[0].model_path().touch()
    assert retention.weights_note(made[0]) == ""
    (made[0].folder / "weights.json").write_text('{"rem')
    made[0].model_path().unlink()
    assert retention.weights_note(made[0]) == ""


@pytest.mark.parametrize("text", ["much", "-1", "nan", "inf", ""])
def test_keep_bytes__refuses(monkeypatch, text):
    monkeypatch.setenv("EXOLENS_KEEP_GB", text)
    with pytest.raises(SettingsError, match="EXOLENS_KEEP_GB"):
        retention.keep_bytes()


def test_keep_bytes__is_generous(monkeypatch):
    monkeypatch.delenv("EXOLENS_KEEP_GB", raising=False)
    assert retention.keep_bytes() == 50_000_000_000


def test_forget_checkpoints__of_ended_and_forgotten_trainings(tmp_path):
    states = ("finished", "cancelled", "cancelled", "running", "queued")
    made = [make_run(tmp_path, number, state) for number, state in enumerate(states)]
    for run in made:
        run.checkpoints.mkdir()
    runs.update_state(made[3], "running")
    old = time.time() - 31 * 86_400
    for run in made[2:]:
        os.utime(run.checkpoints, (old, old))
    assert set(retention.forget_checkpoints(tmp_path)) == {made[0].id, made[2].id}
    assert [run.checkpoints.exists() for run in made] == [False, True, False, True, True]


def test_disk_use__adds_up(tmp_path, made):
    made[0].checkpoints.mkdir()
    made[0].checkpoint_path(0).write_bytes(b"c" * 300)
    (tmp_path / "runs" / ".half.tmp").touch()
    n_bytes = sum(p.stat().st_size for p in (tmp_path / "runs").rglob("*") if p.is_file())
    use = retention.disk_use(tmp_path)
    assert (use.n_runs, use.run_bytes) == (6, n_bytes)
    assert (use.model_bytes, use.checkpoint_bytes, use.trash_bytes) == (6 * SIZE, 300, 0)
    trash.delete(tmp_path, made[1].id)
    assert retention.disk_use(tmp_path).trash_bytes > SIZE
    assert "5 runs take" in retention.disk_use(tmp_path).lines()[0]
    assert retention.disk_use(tmp_path / "nothing").n_runs == 0


def test_train_again__the_same_run_in_its_family(tmp_path, made, monkeypatch):
    run = made[0]
    (run.folder / "parent.json").write_text(json.dumps({"parent": made[1].id}))
    (run.folder / "children").mkdir()
    (run.folder / "children" / made[2].id).touch()
    opened = SimpleNamespace(fingerprint="other", store=SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(retention, "open_cohort", lambda *_: opened)
    monkeypatch.setattr(jobs, "ensure_worker", lambda *_: [])
    with pytest.raises(StaleArtifactError, match="ingested anew"):
        retention.train_again(tmp_path, run.id)
    assert has_model(run)
    opened.fingerprint = "abc"
    again = retention.train_again(tmp_path, run.id)
    assert (again.id, again.state) == (run.id, "queued")
    assert [one.run for one in trash.in_trash(tmp_path)] == [run.id]
    assert lineage.parent_of(again) == made[1].id
    assert (again.folder / "children" / made[2].id).exists()


# ---- trash ----------------------------------------------------------------------------------


def test_delete_and_restore(tmp_path, made):
    run = made[0]
    gone = trash.delete(tmp_path, run.id)
    assert not run.folder.exists()
    assert [one.run for one in trash.in_trash(tmp_path)] == [run.id]
    assert (gone.until - gone.when).days == 30
    assert run.id not in {one.id for one in runs.list_runs(tmp_path)}
    assert trash.restore(tmp_path, run.id) == run
    assert has_model(run)
    assert trash.in_trash(tmp_path) == []
    with pytest.raises(NotFoundError, match="no run"):
        trash.restore(tmp_path, run.id)


@pytest.mark.parametrize("state", ["queued", "running"])
def test_delete__refuses_active_runs(tmp_path, state):
    run = runs.create(tmp_path, "demo", "abc", AnalysisSettings())
    if state == "running":
        runs.update_state(run, "running")
    with pytest.raises(InputError, match=f"{state}; cancel it first"):
        trash.delete(tmp_path, run.id)
    assert run.folder.is_dir()


def test_delete__refuses_what_a_job_looks_at(tmp_path, made):
    jobs.submit(tmp_path, "attribute", {"run": made[0].id})
    with pytest.raises(InputError, match="looks at it"):
        trash.delete(tmp_path, made[0].id)


def test_delete__gives_way_to_who_resumes_it_meanwhile(tmp_path, made, monkeypatch):
    run = made[0]
    rename = Path.rename

    def resumed(path: Path, target: Path) -> Path:
        if path == run.folder:
            jobs.submit(tmp_path, "attribute", {"run": run.id})
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", resumed)
    with pytest.raises(InputError, match="a job works on"):
        trash.delete(tmp_path, run.id)
    assert has_model(run)


def test_delete__a_run_that_cannot_be_read(tmp_path, made):
    (made[0].folder / "run.json").write_text("{")
    trash.delete(tmp_path, made[0].id)
    with pytest.raises(StaleArtifactError):
        trash.restore(tmp_path, made[0].id)
    assert made[0].folder.is_dir()  # back as it was


def test_restore__not_over_a_run_that_was_trained_again(tmp_path, made):
    trash.delete(tmp_path, made[0].id)
    again = runs.create(tmp_path, "demo", "abc", made[0].analysis())
    with pytest.raises(InputError, match="trained again"):
        trash.restore(tmp_path, made[0].id)
    assert runs.load(tmp_path, again.id).state == "queued"
    assert len(trash.in_trash(tmp_path)) == 1


def test_deleted_and_asked_again_is_queued(tmp_path):
    """The job of a run outlives it; it must not answer for the run that comes after."""
    run = runs.create(tmp_path, "demo", "abc", AnalysisSettings())
    jobs.submit(tmp_path, "train", {"run": run.id})
    attempt = jobs.take(tmp_path, holder())
    jobs.settle(tmp_path, attempt, "running")
    jobs.finish(tmp_path, attempt, "finished")
    jobs.submit(tmp_path, "train", {"run": run.id})
    assert jobs.jobs(tmp_path, active_only=True) == []  # finished: opened, not trained
    time.sleep(0.01)
    trash.delete(tmp_path, run.id)
    again = runs.create(tmp_path, "demo", "abc", AnalysisSettings())
    jobs.submit(tmp_path, "train", {"run": again.id})
    assert jobs.job(tmp_path, run.id).state == runs.load(tmp_path, run.id).state == "queued"


def test_empty_trash__after_thirty_days(tmp_path, made):
    old = trash.delete(tmp_path, made[0].id)
    trash.delete(tmp_path, made[1].id)
    then = datetime.now(UTC) - timedelta(days=31)
    old.folder.rename(old.folder.with_name(f"{made[0].id}-{then.strftime('%Y%m%dT%H%M%S')}000"))
    (tmp_path / "trash" / "of-somebody-else").mkdir()
    retention.tidy(tmp_path)
    assert [one.run for one in trash.in_trash(tmp_path)] == [made[1].id]
    assert (tmp_path / "trash" / "of-somebody-else").is_dir()
    assert trash.empty_trash(tmp_path, datetime.now(UTC)) == [made[1].id]
    assert [path.name for path in (tmp_path / "trash").iterdir()] == ["of-somebody-else"]


# ---- verbs ----------------------------------------------------------------------------------


@pytest.fixture
def call(tmp_path, capsys, monkeypatch):
    from pipeline import cli

    verbs: list[output.Verb] = [*run_verbs.VERBS, *keeping_verbs.VERBS]
    monkeypatch.setattr(cli, "_VERBS", verbs)

    def asked(*arguments: str, json_too: bool = True):
        extra = ["--json"] if json_too else []
        assert cli.main([*arguments, *extra, "--cache", str(tmp_path)]) == 0
        said = capsys.readouterr().out
        return json.loads(said) if json_too else said

    return asked


def test_verbs(tmp_path, made, call, monkeypatch):
    run_id = made[0].id
    noted = call("note", run_id, "--title", "Mine", "--text", "Why", "--tag", "a", "b", "--star")
    assert (noted["title"], noted["tags"], noted["starred"]) == ("Mine", ["a", "b"], True)
    noted = call("note", run_id, "--untag", "A", "--no-star", "--archive")
    assert (noted["tags"], noted["starred"], noted["archived"]) == (["b"], False, True)
    assert read_notes(tmp_path, run_id).note == "Why"
    assert len(call("runs")) == 5
    assert len(call("runs", "--archived")) == 6
    (row,) = call("runs", "--archived", "--tag", "b")
    assert (row["run"], row["title"], row["archived"]) == (run_id, "Mine", True)
    assert "settings" not in row
    assert row["metrics"]["baselines"]["additive"]["auc"] == MEASURED["auc"]
    assert "1 archived" in call("runs", json_too=False)
    assert "6 runs take" in call("runs", json_too=False)
    shown = call("show", run_id)
    assert (shown["note"], shown["memory"], shown["weights"]) == ("Why", None, None)
    assert call("delete", run_id)["run"] == run_id
    assert [one["run"] for one in call("trash")] == [run_id]
    assert call("restore-run", run_id)["run"] == run_id
    call("delete", made[1].id)
    assert call("trash", "--empty") == []
    assert call("disk")["n_runs"] == 5
    assert [one["what"] for one in call("activity", "--most", "2")] == ["deleted", "restored"]
    for verb in (["note", run_id], ["trash"], ["disk"], ["activity"], ["show", run_id]):
        assert call(*verb, json_too=False).strip()
