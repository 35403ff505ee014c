"""The paper's tables trained again: what is planned, how long it takes, what stands beside it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from pipeline import jobs, reproduce, runs
from pipeline.cli.reproduce_verbs import VERBS, _words
from pipeline.cohort import Cohort
from pipeline.epochs import EpochRecord
from pipeline.errors import EmptyResultError, PipelineError, SettingsError
from pipeline.files import cache_dir
from pipeline.paper_tables import MAJORITY, ROWS
from pipeline.presets import apply_preset
from pipeline.reproduce import as_frame, estimate, find_runs, plan, results, submit
from pipeline.settings import AnalysisSettings, with_changes
from tests.small_cohorts import make_cohort, vcf_text

N = 80
PEOPLE = [f"p{i:02d}" for i in range(N)]
DIAGNOSES = {p: ("SCZ", "control")[i % 2] for i, p in enumerate(PEOPLE)}
ANY_VARIANT = ("selection.max_p=1", "quality.qual_above=none")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Cohort:
    rng = np.random.default_rng(3)
    rows = []
    for i in range(120):
        alleles = rng.random((N, 2)) < rng.uniform(0.2, 0.5)
        rows.append(["1", 1000 * (i + 1), "A", "C", "GT", *[f"{a:d}/{b:d}" for a, b in alleles]])
    return make_cohort(tmp_path_factory.mktemp("reproduced"), vcf_text(rows, PEOPLE), DIAGNOSES)


@pytest.fixture
def cohort(made, tmp_path, monkeypatch):
    """The cohort in a cache without runs, where no worker starts."""
    monkeypatch.setattr("pipeline.jobs.ensure_worker", lambda *_: None)
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "cohorts").symlink_to(cache_of(made) / "cohorts")
    return replace(made, store=made.store), cache


def cache_of(cohort: Cohort):
    return cohort.store.path.parents[2]


def finish(run: runs.Run, epochs: int = 2, seconds: float = 0.5, fold_count: int = 1) -> None:
    """Write what a worker would have: every fold keeps its last epoch."""
    for fold in range(fold_count):
        for epoch in range(1, epochs + 1):
            accuracy = 0.5 + 0.1 * epoch + 0.01 * fold
            runs.append_progress(
                run, EpochRecord(fold, epoch, 0.7, accuracy, 0.7, 0.5, 0.5, 1e-4, seconds)
            )
    runs.write_metrics(
        run,
        {
            "test": {
                "n": 12,
                "accuracy": {"value": 0.5, "low": 0.25, "high": 0.75},
                "auc": {"value": 0.6, "low": 0.3, "high": 0.8},
                "loss": 0.69,
                "confusion": [[4, 3], [3, 2]],
            },
            "train": {"accuracy": 0.7 + 0.005 * (fold_count - 1), "auc": 0.8},
            "baselines": {},
            "prediction_error": {"value": 0.0, "low": 0.0, "high": 0.8, "n": 1},
            "folds": [
                {"fold": fold, "best_epoch": epochs, "n_train": 58} for fold in range(fold_count)
            ],
        },
    )
    runs.update_state(run, "running")
    runs.update_state(run, "finished", selected=120, epochs=epochs * fold_count)


@pytest.mark.parametrize(("which", "n"), [("1", 11), ("2", 6), ("stages", 6)])
def test_a_plan_has_every_row_in_order_under_each_protocol(which, n):
    planned = plan(which)
    assert [one.row for one in planned] == [row for row in ROWS[which] for _ in range(2)]
    assert len(plan(which, protocols=["honest"])) == n
    for one in planned:
        expected = with_changes(apply_preset(one.preset), {"selection.protocol": one.protocol})
        assert one.settings == expected
        assert one.shortened_from is None


def test_what_the_user_sets_wins_over_the_preset_and_quick_over_both():
    base = with_changes(AnalysisSettings(), {"selection.max_p": 0.2, "network.filters": 9})
    (first, *_) = plan("1", base, changes=["training.epochs=30", "network.kernel=5"])
    assert first.settings.selection.max_p == 0.2
    assert first.settings.network.filters == 64
    assert (first.settings.training.epochs, first.settings.network.kernel) == (30, 5)
    (quick, *_) = plan("1", changes=["training.epochs=30"], quick=True)
    assert (quick.settings.training.epochs, quick.shortened_from) == (3, 30)
    (short, *_) = plan("1", changes=["training.epochs=2"], quick=True)
    assert (short.settings.training.epochs, short.shortened_from) == (2, None)


def test_what_cannot_be_planned_is_a_sentence():
    with pytest.raises(SettingsError, match="table 1, 2, stages, but '3'"):
        plan("3")
    with pytest.raises(SettingsError, match="use --protocol"):
        plan("1", changes=["selection.protocol=honest"])


def test_runs_are_queued_once_and_found_again(cohort):
    cohort, cache = cohort
    planned = plan("1", protocols=["honest"], changes=ANY_VARIANT)
    assert find_runs(cache, cohort, planned) == [None] * 11
    asked = submit(cache, "small", planned)
    assert len({run.id for run in asked}) == 11
    assert [run.id for run in find_runs(cache, cohort, planned)] == [run.id for run in asked]
    assert [run.id for run in submit(cache, "small", planned)] == [run.id for run in asked]
    assert len(jobs.jobs(cache, active_only=True)) == 11
    others = find_runs(cache, cohort, plan("2", changes=ANY_VARIANT))
    assert others[0].id == asked[2].id  # 2D 1 of Table 2 is 2D 3 of Table 1
    assert others[1:] == [None] * 11
    assert asked[0].preset == "table1_2d_1"


def test_the_row_that_cannot_be_asked_for_takes_the_others_back(cohort):
    _, cache = cohort
    planned = plan("2", changes=ANY_VARIANT)
    impossible = replace(planned[3], settings=planned[3].settings.model_copy(
        update={"split": planned[3].settings.split.model_copy(update={"test_fraction": 0.01})}
    ))  # fmt: skip
    with pytest.raises(EmptyResultError, match="test part"):
        submit(cache, "small", [*planned[:3], impossible])
    assert jobs.jobs(cache, active_only=True) == []


def test_time_by_rule_of_thumb(cohort):
    """4 x 4 variants, one convolution of 1 x 1: 2 multiplications a place, 17 x 2 to the output."""
    cohort, cache = cohort
    tiny = ["network.convolutions=1", "network.kernel=1", "network.filters=1", "network.pool=1",
            "network.dense=", "network.batch_norm=no", "network.dropout=0", "selection.top=16",
            "training.epochs=7", "quality.qual_above=none"]  # fmt: skip
    (one, *_) = plan("2", protocols=["honest"], changes=tiny)
    told = estimate(cache, cohort, [one])
    n_train = 80 * 0.85 * 0.85
    work = (2 * 16 + 17 * 2) * n_train
    expected = 7 * work * reproduce.SECONDS_A_MULTIPLICATION + reproduce.SECONDS_A_FOLD
    assert told.seconds == pytest.approx(expected)
    assert told.n_to_train == 1
    assert "rule of thumb" in told.basis
    folded = plan("1", protocols=["published"], changes=tiny)[5]
    assert folded.n_folds == 5
    expected = 5 * (
        7 * (2 * 16 + 34) * 64 * reproduce.SECONDS_A_MULTIPLICATION + reproduce.SECONDS_A_FOLD
    )
    assert estimate(cache, cohort, [folded]).seconds == pytest.approx(expected)


def test_time_by_an_earlier_run_of_the_same_layout(cohort, monkeypatch):
    cohort, cache = cohort
    planned = plan("2", protocols=["honest"], changes=ANY_VARIANT)
    two_d = [one for one in planned if one.row.dimension == "2D"]
    by_rule = estimate(cache, cohort, two_d).seconds
    (run,) = submit(cache, "small", planned[:1])
    finish(run, epochs=4, seconds=1000.0)
    (again,) = submit(cache, "small", planned[:1])
    monkeypatch.setattr(
        "pipeline.runs.list_runs", lambda _: [replace(again, seconds=4_100.0, state="finished")]
    )
    same_size = replace(two_d[0], settings=with_changes(two_d[0].settings, {"training.seed": 9}))
    told = estimate(cache, cohort, [same_size])
    n_train = 80 * 0.85 * 0.85  # near the 58 of the earlier run
    assert told.seconds == pytest.approx(50 * 1000 * n_train / 58 + 100)
    assert told.basis == "earlier runs of the same layout"
    assert estimate(cache, cohort, two_d).seconds > 50 * by_rule
    assert estimate(cache, cohort, two_d).n_to_train == 2  # the first is there
    assert "rule of thumb" in estimate(cache, cohort, planned).basis
    done = estimate(cache, cohort, planned[:1])
    assert (done.seconds, done.n_to_train) == (0, 0)


def test_results_stand_beside_the_paper(cohort):
    _, cache = cohort
    planned = [plan("1", changes=ANY_VARIANT, quick=True)[place] for place in (0, 1, 10)]
    asked = submit(cache, "small", planned)
    finish(asked[0])
    finish(asked[2], fold_count=5)
    rows = results(planned, asked)
    first, waiting, folded = rows
    assert (first.label, first.protocol, first.state) == ("2D 1", "honest", "finished")
    assert first.paper_test_accuracy == pytest.approx(0.7206)
    assert first.paper_train_accuracy == pytest.approx(0.9956)
    assert first.accuracy == {"value": 0.5, "low": 0.25, "high": 0.75}
    assert first.majority == pytest.approx(7 / 12)
    assert first.train_accuracy == pytest.approx(0.7)
    assert (first.epochs, first.n_folds, first.shortened_from) == (2, 1, 50)
    assert (folded.label, folded.n_folds, folded.epochs) == ("2D 6", 5, 10)
    assert folded.train_accuracy == pytest.approx(0.72)
    assert (waiting.state, waiting.accuracy, waiting.majority) == ("queued", None, None)
    assert "network.dense" in first.assumed


def test_a_frame_has_the_paper_once_a_row():
    planned = plan("stages")
    rows = results(planned, [None] * 12)
    assert {row.state for row in rows} == {"not trained"}
    frame = as_frame(rows)
    assert list(frame.who[:3]) == ["paper", "honest", "published"]
    paper = frame[frame.who == "paper"]
    assert list(paper.label) == ["3.1", "3.2", "3.3", "3.4", "3.5", "3.6"]
    np.testing.assert_allclose(paper.value, [1.0, np.nan, 0.68, 0.69, np.nan, 0.8])
    assert frame[frame.who != "paper"].value.isna().all()
    assert frame.value.dtype == float


def test_settings_that_make_two_rows_one_are_told(cohort):
    _, cache = cohort
    same = [*ANY_VARIANT, "training.seed=3", "split.seed=3"]
    planned = plan("1", protocols=["honest"], changes=same)
    rows = results(planned, submit(cache, "small", planned))
    assert [row.same_as for row in rows if row.label == "2D 5"] == ["2D 3"]
    assert [row.label for row in rows if row.same_as] == ["2D 5", "3D 2"]


def ask(cache, *arguments: str, as_json: bool = False) -> None:
    """Do what `python -m pipeline reproduce` does."""
    import argparse

    (verb,) = VERBS
    parser = argparse.ArgumentParser()
    verb.arguments(parser)
    asked = parser.parse_args(arguments)
    asked.cache, asked.json = cache_dir(cache), as_json
    verb.run(asked)


@pytest.fixture
def instant(cohort, monkeypatch):
    """A cache where runs end as soon as they are waited for."""
    _, cache = cohort

    def end(cache, run_id, on_progress=None, timeout=None):
        run = runs.load(cache, run_id)
        if run.state != "finished":
            finish(run, fold_count=max(1, run.analysis().split.folds))

    monkeypatch.setattr("pipeline.jobs.wait", end)
    return cache


def test_the_verb_tells_the_time_then_both_protocols_beside_the_paper(instant, capsys):
    ask(instant, "small", "--table", "2", "--quick", "--set", *ANY_VARIANT)
    out, err = capsys.readouterr()
    assert err.startswith("12 runs, 12 to train: ")
    assert "without early stopping, by a rule of thumb" in err.splitlines()[0]
    lines = out.splitlines()
    assert lines[0] == "Table 2 of the paper, on small"
    assert [line.split()[:2] for line in lines if "paper " in line and "dense" in line] == [
        [row.dimension, str(row.id)] for row in ROWS["2"]
    ]
    assert sum(line.split()[:1] == ["honest"] for line in lines) == 6
    assert sum(line.split()[:1] == ["published"] for line in lines) == 6
    assert "0.9934  0.7189" in out  # row 3, with the digits of the paper
    assert "0.500 (0.250-0.750)" in out
    assert "at most 3 epochs where the preset has 50" in out
    assert "phs000473.v2.p2" in out
    assert f"{MAJORITY:.3f}" in out
    ask(instant, "small", "--table", "2", "--quick", "--set", *ANY_VARIANT)
    assert "nothing to train" in capsys.readouterr().err


def test_the_verb_prints_one_json_value(instant, capsys):
    ask(instant, "small", "--table", "1", "--protocol", "honest", "--set", *ANY_VARIANT,
        as_json=True)  # fmt: skip
    said = json.loads(capsys.readouterr().out)
    assert set(said) == {"cohort", "table", "quick", "estimate", "rows", "notes"}
    assert (said["cohort"], said["table"], said["quick"]) == ("small", "1", False)
    assert len(said["rows"]) == 11
    assert not any("Quick" in note for note in said["notes"])
    assert said["rows"][5]["n_folds"] == 5
    assert said["rows"][0]["accuracy"] == {"value": 0.5, "low": 0.25, "high": 0.75}
    assert said["estimate"]["n_to_train"] == 11


def test_a_run_that_failed_is_shown_and_told(instant, capsys, monkeypatch):
    def fail(cache, run_id, *_):
        runs.update_state(runs.load(cache, run_id), "failed", error="Too little memory.")

    monkeypatch.setattr("pipeline.jobs.wait", fail)
    with pytest.raises(PipelineError, match=r"12 of 12 runs did not finish.*Too little memory"):
        ask(instant, "small", "--table", "2", "--set", *ANY_VARIANT)
    assert capsys.readouterr().out.count("failed") == 12


def test_ctrl_c_stops_what_is_queued(instant, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.jobs.wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ask(instant, "small", "--table", "2", "--set", *ANY_VARIANT)
    assert jobs.jobs(instant, active_only=True) == []


@pytest.mark.parametrize(
    ("seconds", "words"), [(42, "42 s"), (720, "12 min"), (12_600, "3.5 h"), (99.9, "100 s")]
)
def test_rough_times(seconds, words):
    assert _words(seconds) == words


@pytest.mark.slow
def test_table_2_quick_from_end_to_end(tmp_path, capsys, monkeypatch):
    from pipeline.ingest import ingest
    from pipeline.simulate import SimulationSettings, simulate

    monkeypatch.setenv("EXOLENS_WORKER_IDLE_S", "5")
    files = simulate(tmp_path / "files", SimulationSettings(people=200, genes=30), workers=1)
    ingest(tmp_path / "cache", "tiny", [files.vcf], files.phenotypes, workers=1)
    ask(tmp_path / "cache", "tiny", "--table", "2", "--quick", as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert len(said["rows"]) == 12
    for row in said["rows"]:
        assert row["state"] == "finished"
        assert 0 <= row["accuracy"]["low"] <= row["accuracy"]["value"] <= 1
        assert 0 <= row["train_accuracy"] <= 1
        assert 1 <= row["epochs"] <= 3
        assert row["majority"] >= 0.5
