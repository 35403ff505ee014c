"""Sweeps: they find, they give up, they end in time, they go on, and they never see test people."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline import jobs, runs
from pipeline.cli import sweep_verbs
from pipeline.cohort import Cohort, open_cohort
from pipeline.errors import (
    Cancelled,
    EmptyResultError,
    NotFoundError,
    PipelineError,
    SettingsError,
    StaleArtifactError,
)
from pipeline.presets import apply_preset
from pipeline.settings import AnalysisSettings, SplitSettings, with_changes
from pipeline.settings.sweep import (
    DEFAULT_FIELDS,
    RANGES,
    SweepSettings,
    from_parameter,
    parse_range,
    to_parameter,
)
from pipeline.splits import make_splits
from pipeline.sweep import list_sweeps, read_sweep, run_sweep, show, submit_sweep, sweep_job
from pipeline.sweep import trial as sweep_trial
from pipeline.sweep.loop import shared_out
from pipeline.sweep.people import read_people, trial_people, write_people
from pipeline.sweep.search import Pruner, importance, propose
from pipeline.sweep.stored import Sweep, Trial, append_trial, best_of, job_id
from pipeline.worker import work
from tests.small_cohorts import make_cohort, vcf_text

N = 96
PEOPLE = [f"p{i:02d}" for i in range(N)]
DIAGNOSES = {p: ("SCZ", "control")[i % 2] for i, p in enumerate(PEOPLE)}
TINY = {"network.filters": 2, "network.dense": [4], "network.convolutions": 1,
        "training.epochs": 2, "selection.max_p": 0.5, "quality.qual_above": None}  # fmt: skip
TWO = ("training.learning_rate", "network.dropout")


def calls(seed: int = 5) -> np.ndarray:
    """Genotypes (40, N): four variants that cases have more often, a share of calls missing."""
    rng = np.random.default_rng(seed)
    is_case = np.array([DIAGNOSES[p] == "SCZ" for p in PEOPLE])
    frequency = np.tile(rng.uniform(0.2, 0.5, (40, 1)), (1, N))
    frequency[:4] = np.where(is_case, 0.65, 0.25)
    codes = rng.binomial(2, frequency)
    codes[rng.random(codes.shape) < 0.03] = 3
    return codes


def cohort_of(folder: Path, codes: np.ndarray, diagnoses: dict[str, str]) -> Cohort:
    folder.mkdir(parents=True, exist_ok=True)
    words = np.array(["0/0", "0/1", "1/1", "./."])
    rows = [["1", 9000 * (i + 1), "A", "C", "GT", *words[row]] for i, row in enumerate(codes)]
    return make_cohort(folder, vcf_text(rows, PEOPLE), diagnoses)


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    cohort_of(folder, calls(), DIAGNOSES).store.close()
    return folder / "cache"


@pytest.fixture
def cache(ingested: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with the cohort `small`, where nobody starts a worker."""
    shutil.copytree(ingested, tmp_path / "cache")
    monkeypatch.setattr("pipeline.jobs.ensure_worker", lambda *_: [])
    if "sweep" not in jobs.KINDS:  # until the queue knows the kind
        kinds = "|".join((*jobs.KINDS, "sweep"))
        pattern = rf"[0-9a-f]{{8,64}}|({kinds})-[A-Za-z0-9][A-Za-z0-9._-]{{0,63}}"
        monkeypatch.setattr(jobs, "KINDS", (*jobs.KINDS, "sweep"))
        monkeypatch.setattr(jobs, "_JOB_ID", re.compile(pattern))
    return tmp_path / "cache"


def base(**changes: Any) -> AnalysisSettings:
    own = {name.replace("__", "."): value for name, value in changes.items()}
    return with_changes(apply_preset("quick"), TINY | own)


def asked(**changes: Any) -> SweepSettings:
    return SweepSettings(**{"fields": TWO, "prune": False, "trials": 12, "minutes": 60} | changes)


def made(cache: Path, settings: SweepSettings, analysis: AnalysisSettings | None = None) -> Sweep:
    """Return the sweep, asked for and taken from the queue, for the test to run itself."""
    sweep_id = submit_sweep(cache, "small", analysis or base(), settings)
    jobs.cancel(cache, job_id(sweep_id))
    return read_sweep(cache, sweep_id)


def bowl(settings: AnalysisSettings) -> float:
    """A value that is 1 at a learning rate of 0.01 and a dropout of 0.25, and less elsewhere."""
    rate = math.log10(settings.training.learning_rate) + 2
    return 1 - 0.2 * rate**2 - (settings.network.dropout - 0.25) ** 2


def fake(value: Callable[[AnalysisSettings], float] = bowl, **told: Any):
    """Return what stands in for `run_trial`: it tells the value and trains nothing."""

    def try_out(cache, sweep_id, number, settings, seconds_left=math.inf, mark=""):
        return {"state": "complete", "value": value(settings), "epochs": 1, "seconds": 0.1,
                "curve": (0.5,), "selected": 3} | told  # fmt: skip

    return try_out


# ---- the settings -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", RANGES)
def test_what_is_declared_can_be_set(name):
    one = RANGES[name]
    values = one.choices if one.kind == "choice" else (one.low, one.high)
    for value in values:
        settings = with_changes(AnalysisSettings(), {name: from_parameter(value)})
        stage, _, field = name.partition(".")
        assert to_parameter(getattr(getattr(settings, stage), field)) == value
        assert one.holds(value)
    assert one.label


def test_a_range_of_ones_own():
    one = parse_range("training.learning_rate=1e-3..0.1")
    assert (one.low, one.high, one.log) == (1e-3, 0.1, True)
    assert parse_range("training.optimizer=adam|sgd").choices == ("adam", "sgd")
    assert parse_range("network.dense=64|256,64").choices == ("64", "256,64")
    assert parse_range("network.batch_norm=on").choices == (True,)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        (["people.case"], "of settings that have a range"),
        (["training.seed"], "of settings that have a range"),
        (["selection.protocol"], "of settings that have a range"),
        (["network.filters=64..8"], "smaller to a larger"),
        (["network.filters=0..8"], "low..high within its bounds"),
        (["network.filters=8"], "low..high within its bounds"),
        (["network.l1=0..0.1"], "smaller to a larger"),
        (["training.optimizer=adam|best"], "one|other within its bounds"),
        (["network.batch_norm=perhaps"], "one|other within its bounds"),
        (["network.pool", "network.pool=1..2"], "each named once"),
        ([], "one setting or more"),
    ],
)
def test_a_wrong_field_is_told(fields, rule):
    with pytest.raises(ValidationError) as error:
        SweepSettings(fields=fields)
    assert rule in str(error.value)


# ---- where to look ----------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["tpe", "random"])
@examples(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), number=st.integers(1, 400))
def test_proposals_lie_in_the_ranges_and_hang_on_seed_and_number_alone(sampler, seed, number):
    settings = SweepSettings(sampler=sampler, seed=seed, fields=DEFAULT_FIELDS)
    first = propose(settings, [], [], number)
    assert set(first) == set(DEFAULT_FIELDS)
    assert all(RANGES[name].holds(value) for name, value in first.items())
    assert propose(settings, [], [], number) == first
    assert propose(settings, [], [], number + 1) != first
    with_changes(AnalysisSettings(), {k: from_parameter(v) for k, v in first.items()})


def test_nothing_is_tried_twice_and_a_small_space_ends():
    settings = asked(fields=("network.batch_norm", "training.optimizer=adam|sgd"))
    told: list[Trial] = []
    running: list[dict] = []
    for number in range(1, 10):
        parameters = propose(settings, told, running, number)
        if parameters is None:
            break
        if number % 2:
            told.append(Trial(number, parameters, "complete", 0.5))
        else:
            running.append(parameters)
    tried = [trial.parameters for trial in told] + running
    assert len(tried) == 4
    assert len({json.dumps(one, sort_keys=True) for one in tried}) == 4


def test_base_settings_outside_the_ranges_do_no_harm():
    told = [Trial(1, {"training.learning_rate": 0.9, "network.dropout": 0.1}, "complete", 0.6)]
    assert propose(asked(), told, [], 2)


def test_tpe_finds_a_planted_optimum_better_than_its_guesses_and_than_chance(cache):
    best: dict[str, list[float]] = {"tpe": [], "random": []}
    late: dict[str, list[float]] = {"tpe": [], "random": []}
    guesses = []
    for sampler, seed in itertools.product(best, range(2)):
        settings = asked(sampler=sampler, seed=seed, trials=30)
        found = run_sweep(cache, made(cache, settings), settings, try_out=fake())
        best[sampler].append(found.best.value)
        late[sampler] += [trial.value for trial in found.trials[-10:]]
        if sampler == "tpe":
            guesses.append(best_of(found.trials[:10], "auc").value)
            rate = found.best.parameters["training.learning_rate"]
            assert abs(math.log10(rate) + 2) < 0.4
    assert np.mean(best["tpe"]) > np.mean(guesses) + 0.005
    assert min(best["tpe"]) > 0.98
    assert np.mean(late["tpe"]) > np.mean(late["random"]) + 0.2  # where it looks in the end


def test_loss_is_to_be_small(cache):
    settings = asked(metric="loss", trials=30)
    found = run_sweep(cache, made(cache, settings), settings, try_out=fake(lambda s: -bowl(s)))
    assert found.best.value == min(trial.value for trial in found.trials)
    assert found.best.value < -0.95
    assert np.mean([trial.value for trial in found.trials[-10:]]) < -0.6  # it looks there too


def test_importance_names_what_was_planted():
    rng = np.random.default_rng(1)
    settings = asked(fields=(*TWO, "training.optimizer"))
    told = [
        Trial(
            number,
            {"training.learning_rate": 10 ** rng.uniform(-5, -1),
             "network.dropout": rng.uniform(0, 0.8), "training.optimizer": "adam"},
            "complete",
        )
        for number in range(1, 41)
    ]  # fmt: skip
    told = [
        replace(one, value=math.log10(one.parameters["training.learning_rate"])) for one in told
    ]
    shares = importance(settings, told)
    assert next(iter(shares)) == "training.learning_rate"
    assert shares["training.learning_rate"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)
    assert importance(settings, told[:4]) == {}
    assert importance(settings, [replace(one, value=0.5) for one in told]) == {}


# ---- hopeless trials --------------------------------------------------------------------------


def ended(*curves: tuple[float, ...]) -> list[Trial]:
    return [
        Trial(number, {"training.learning_rate": 1e-3, "network.dropout": 0.1}, "complete", 0.6,
              curve=curve)
        for number, curve in enumerate(curves, 1)
    ]  # fmt: skip


def test_below_the_median_is_hopeless_after_the_first_epochs():
    told = ended(*[(0.5, 0.55, 0.6, 0.7 + i / 100) for i in range(5)])
    bad = Pruner(asked(prune=True), told)
    assert [bad.is_hopeless(epoch, 0.5) for epoch in range(1, 5)] == [False, False, True, True]
    good = Pruner(asked(prune=True), told)
    assert not any(good.is_hopeless(epoch, 0.9) for epoch in range(1, 5))
    # What it once reached counts, not where it is now.
    fell = Pruner(asked(prune=True), told)
    assert [fell.is_hopeless(1, 0.8), fell.is_hopeless(3, 0.3)] == [False, False]
    for epoch, auc in ((9, 0.1), (3, math.nan)):
        assert not Pruner(asked(prune=True), told).is_hopeless(epoch, auc)
    assert not Pruner(asked(prune=True), told[:4]).is_hopeless(3, 0.1)
    assert not Pruner(asked(prune=False), told).is_hopeless(3, 0.1)


def test_a_pruned_trial_says_why_and_is_never_the_best(cache, monkeypatch):
    """A real training is given up where the earlier ones were better than it can be."""
    settings = asked(prune=True, trials=6)
    sweep = made(cache, settings, base(training__epochs=6, training__patience=0))
    for trial in ended(*[(1.0,) * 6] * 5):
        append_trial(sweep, trial)
    found = run_sweep(cache, sweep, settings)
    pruned = found.trials[-1]
    assert (pruned.number, pruned.state, pruned.epochs, pruned.value) == (6, "pruned", 3, None)
    assert "Given up at epoch 3" in pruned.reason
    assert found.best.number == 1


# ---- time, stops, going on --------------------------------------------------------------------


class FakeClock:
    """A clock that only work moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def taking(clock: FakeClock, seconds: float):
    """Return a trial that takes that long and obeys the time that it is given."""
    given_s: list[float] = []

    def try_out(cache, sweep_id, number, settings, seconds_left=math.inf, mark=""):
        given_s.append(seconds_left)
        clock.now += min(seconds, seconds_left)
        if seconds > seconds_left:
            return {"state": "stopped"}
        return fake()(cache, sweep_id, number, settings)

    return try_out, given_s


def test_the_budget_holds_and_more_minutes_go_on(cache):
    clock = FakeClock()
    settings = asked(minutes=2, trials=100)
    try_out, given_s = taking(clock, 25)
    sweep = run_sweep(cache, made(cache, settings), settings, try_out=try_out, clock=clock)
    assert len(sweep.trials) == 4  # the fifth is stopped when two minutes are over
    assert sweep.spent_s == pytest.approx(120)
    assert given_s == pytest.approx([120, 95, 70, 45, 20])
    again = made(cache, settings)
    assert (again.id, again.state) == (sweep.id, "finished")
    assert again.run == sweep.run
    assert jobs.job(cache, job_id(sweep.id)).attempt == 1  # nothing was queued anew

    more = asked(minutes=3, trials=100)
    queued = made(cache, more)
    assert (queued.id, queued.state) == (sweep.id, "finished")
    assert jobs.job(cache, job_id(sweep.id)).attempt == 2
    clock.now += 5000  # what lies between the parts does not count
    went_on = run_sweep(cache, queued, more, try_out=try_out, clock=clock)
    assert len(went_on.trials) == 6
    assert went_on.trials[:4] == sweep.trials
    assert went_on.spent_s == pytest.approx(180)


def test_without_any_end_it_says_so(cache):
    settings = asked(minutes=1)
    clock = FakeClock()
    with pytest.raises(EmptyResultError, match="none of 0 did in 1 minutes; give it more"):
        run_sweep(cache, made(cache, settings), settings, try_out=taking(clock, 99)[0], clock=clock)
    assert not read_sweep(cache, made(cache, settings).id).is_finished


def test_a_stopped_sweep_goes_on_as_if_it_had_not_been(cache):
    settings = asked(trials=20)
    whole = run_sweep(cache, made(cache, settings), settings, try_out=fake())
    shutil.rmtree(whole.folder)

    def stop_after_13(progress):
        if progress.detail.startswith("13 of"):
            raise Cancelled

    with pytest.raises(Cancelled):
        run_sweep(cache, made(cache, settings), settings, stop_after_13, try_out=fake())
    half = read_sweep(cache, whole.id)
    assert 13 <= len(half.trials) < 20
    assert not half.is_finished
    # A killed worker leaves half a line.
    with (half.folder / "trials.jsonl").open("a") as lines:
        lines.write('{"number": 14, "par')
    went_on = run_sweep(cache, read_sweep(cache, whole.id), settings, try_out=fake())
    assert [t.parameters for t in went_on.trials] == [t.parameters for t in whole.trials]
    assert went_on.run == whole.run


def test_cancel_stops_a_real_training_within_a_batch(cache):
    """The trial, in its own thread, would go on for many thousand epochs."""
    settings = asked(trials=2)
    long = base(training__epochs=1000, training__patience=0, training__learning_rate=1e-6,
                network__filters=8, training__batch_size=4)  # fmt: skip
    sweep = made(cache, settings, long)
    since = time.monotonic()

    def stop(progress):
        if time.monotonic() - since > 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        run_sweep(cache, sweep, settings, stop)
    took = time.monotonic() - since
    assert took < 15
    left = read_sweep(cache, sweep.id)
    assert left.trials == ()
    assert not list(sweep.folder.glob("at-work-*"))
    assert threading.active_count() < 10


def test_a_bad_combination_is_recorded_and_the_sweep_goes_on(cache):
    def try_out(cache, sweep_id, number, settings, seconds_left=math.inf, mark=""):
        if number == 3:
            return {"state": "failed", "reason": "Too much; take less.", "seconds": 0.1}
        return fake()(cache, sweep_id, number, settings)

    settings = asked(trials=6)
    found = run_sweep(cache, made(cache, settings), settings, try_out=try_out)
    assert [trial.state for trial in found.trials].count("failed") == 1
    assert found.trials[2].reason == "Too much; take less."
    assert found.state == "finished"


def test_a_real_bad_combination_is_a_sentence(cache):
    """Two hundred million weights are refused by the network, not by the sweep."""
    settings = asked(trials=1, fields=("network.filters=2..3",))
    huge = base(network__dense=[4096, 4096, 4096], network__filters=256, network__pool=1,
                encoding__layout="1d", network__convolutions=1)  # fmt: skip
    sweep = made(cache, settings, huge)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.network.build.MAX_PARAMETERS", 10)
        with pytest.raises(EmptyResultError, match="A network may have 10 weights"):
            run_sweep(cache, sweep, settings)
    (trial,) = read_sweep(cache, sweep.id).trials
    assert trial.state == "failed"


def test_a_lost_process_ends_the_sweep_once(cache):
    def lost(cache, sweep_id, number, settings, seconds_left=math.inf, mark=""):
        if number == 2:
            raise PipelineError("A process at work ended by itself.")
        return fake()(cache, sweep_id, number, settings)

    settings = asked(trials=3)
    sweep = made(cache, settings)
    with pytest.raises(PipelineError, match="ended by itself"):
        run_sweep(cache, sweep, settings, try_out=lost)
    found = run_sweep(cache, read_sweep(cache, sweep.id), settings, try_out=fake())
    assert [trial.state for trial in found.trials] == ["complete", "failed", "complete"]


# ---- on disk ----------------------------------------------------------------------------------


def test_the_same_question_is_the_same_sweep(cache):
    sweep = made(cache, asked())
    assert sweep.state == "cancelled"
    assert made(cache, asked(minutes=99, trials=7, parallel=2)).id == sweep.id
    for change in (
        {"seed": 2},
        {"metric": "loss"},
        {"prune": True},
        {"sampler": "random"},
        {"fields": TWO[:1]},
        {"fields": (TWO[0], "network.dropout=0..0.5")},
    ):
        assert made(cache, asked(**change)).id != sweep.id
    assert made(cache, asked(), base(network__kernel=5)).id != sweep.id
    assert made(cache, asked(), base(association__test="allelic")).id == sweep.id
    assert sweep.id in {one.id for one in list_sweeps(cache)}


def test_the_best_becomes_an_ordinary_run(cache):
    settings = asked(trials=8)
    found = run_sweep(cache, made(cache, settings), settings, try_out=fake())
    run = runs.load(cache, found.run)
    assert run.state == "queued"
    best = run.analysis()
    assert best.training.learning_rate == found.best.parameters["training.learning_rate"]
    assert bowl(best) == found.best.value
    assert found.trials[0].parameters == {
        "training.learning_rate": base().training.learning_rate,
        "network.dropout": base().network.dropout,
    }
    table = found.table()
    assert list(table.columns[-2:]) == list(TWO)
    assert len(table) == 8
    assert table.value.max() == found.best.value
    told = show(found)
    assert told["best"]["number"] == found.best.number
    json.dumps(told, allow_nan=False)


def test_what_cannot_be_read_is_told(cache):
    for wrong in ("../x", "0123456789abcdef"):
        with pytest.raises(NotFoundError):
            read_sweep(cache, wrong)
    sweep = made(cache, asked())
    (sweep.folder / "sweep.json").write_text('{"format": 99}')
    with pytest.raises(StaleArtifactError, match="another format"):
        read_sweep(cache, sweep.id)
    assert list_sweeps(cache) == []


def test_another_ingest_is_told(cache, tmp_path):
    sweep = made(cache, asked())
    cohort_of(tmp_path, calls(6), DIAGNOSES).store.close()
    with pytest.raises(StaleArtifactError, match="ingested anew"):
        run_sweep(cache, sweep, asked(), try_out=fake())


@pytest.mark.parametrize(
    ("change", "words"),
    [({"split__folds": 4}, "set split.folds to 0"),
     ({"selection__protocol": "published"}, "set it to honest")],
)  # fmt: skip
def test_test_people_have_to_stay_apart(cache, change, words):
    with pytest.raises(SettingsError, match=words):
        submit_sweep(cache, "small", base(**change), asked())


# ---- nested honesty ---------------------------------------------------------------------------


@examples(max_examples=50, deadline=None)
@given(n=st.integers(60, 200), seed=st.integers(0, 10_000), families=st.booleans())
def test_nobody_has_two_parts_and_test_people_none(n, seed, families):
    is_case = np.arange(n) % 3 == 0
    groups = np.arange(n) // 2 if families else None
    people = 7 + 2 * np.arange(n)
    settings = SplitSettings(seed=seed)
    chosen = trial_people(people, is_case, settings, groups)
    outer = make_splits(is_case, settings, groups)[0]
    parts = [chosen.fit, chosen.watch, chosen.judge, people[outer.test]]
    assert sorted(np.concatenate(parts)) == sorted(people)
    assert np.array_equal(chosen.judge, people[outer.validation])
    assert all(len(part) for part in parts)
    if families:
        of = [set((part - 7) // 4) for part in parts]
        assert all(not one & other for one, other in itertools.combinations(of, 2))


def tried(folder: Path, codes: np.ndarray, diagnoses: dict[str, str], people, settings) -> list:
    """Return the value, the curve and the variants of real trials on a cohort."""
    cohort_of(folder, codes, diagnoses).store.close()
    cache = folder / "cache"
    sweep = made(cache, asked(), settings[0])
    write_people(sweep.people_path, people)
    results = [sweep_trial.run_trial(cache, sweep.id, 1, one) for one in settings]
    assert [one["state"] for one in results] == ["complete"] * len(settings)
    return [(one["value"], one["curve"], one["selected"]) for one in results]


def test_no_trial_moves_with_the_test_people(tmp_path, cache, monkeypatch):
    """Genotypes and labels of the test people are permuted: every value stays bitwise the same.

    The split is drawn from the labels, so that it is held as the sweep keeps it. With the watch
    or judging people permuted in their place the values do move.
    """
    settings = [base(), base(training__learning_rate=0.01, encoding__scaling="standard")]
    sweep = made(cache, asked(), settings[0])
    run_sweep(cache, sweep, asked(trials=1), try_out=fake())
    people = read_people(sweep.people_path)
    test = np.setdiff1d(np.arange(N), people.everyone)
    assert len(test) == round(0.15 * N)

    seen: list[np.ndarray] = []
    fetch = sweep_trial.fetch_genotypes
    monkeypatch.setattr(
        sweep_trial, "fetch_genotypes", lambda c, v, who: seen.append(who) or fetch(c, v, who)
    )
    before = tried(tmp_path / "a", calls(), DIAGNOSES, people, settings)
    assert not np.intersect1d(np.concatenate(seen), test).size

    def permuted(who: np.ndarray) -> tuple[np.ndarray, dict[str, str]]:
        rng = np.random.default_rng(3)
        codes, labels = calls(), np.array(list(DIAGNOSES.values()))
        codes[:, who] = codes[:, rng.permutation(who)]
        labels[who] = rng.permutation(labels[who])
        return codes, dict(zip(PEOPLE, labels.tolist(), strict=True))

    assert tried(tmp_path / "b", *permuted(test), people, settings) == before
    for i, others in enumerate((people.fit, people.watch, people.judge)):
        moved = tried(tmp_path / f"c{i}", *permuted(others), people, settings[:1])
        assert moved[0][:2] != before[0][:2]


def test_who_stops_a_trial_does_not_judge_it(cache, monkeypatch):
    """With other judges the curve is the same and the value another."""
    sweep = made(cache, asked())
    run_sweep(cache, sweep, asked(trials=1), try_out=fake())
    people = read_people(sweep.people_path)
    one = sweep_trial.run_trial(cache, sweep.id, 1, base())
    write_people(sweep.people_path, replace(people, judge=people.judge[::2]))
    other = sweep_trial.run_trial(cache, sweep.id, 1, base())
    assert one["curve"] == other["curve"]
    assert one["value"] != other["value"]


# ---- the whole way ----------------------------------------------------------------------------


def in_this_process(cache: Path) -> int:
    """Do what is queued, the run of the best settings for show alone; return how many jobs."""
    return work(
        cache,
        {
            "sweep": lambda payload, report, _: sweep_job(cache, payload, report),
            "train": lambda *_: None,
        },
        0.0,
    )


def test_a_real_sweep_through_the_queue(cache):
    settings = asked(trials=3, fields=("training.learning_rate", "encoding.layout=1d|2d"))
    sweep_id = submit_sweep(cache, "small", base(), settings)
    assert in_this_process(cache) == 2
    job = jobs.job(cache, job_id(sweep_id))
    assert (job.state, job.error) == ("finished", None)
    found = read_sweep(cache, sweep_id)
    assert [trial.state for trial in found.trials] == ["complete"] * 3
    assert job.result == {"sweep": sweep_id, "trials": 3, "best": found.best.value,
                          "run": found.run}  # fmt: skip
    assert all(0 <= trial.value <= 1 and trial.epochs == 2 for trial in found.trials)
    assert all(trial.selected > 0 and trial.seconds > 0 for trial in found.trials)
    again = sweep_trial.run_trial(cache, sweep_id, 1, base())
    assert again["value"] == found.trials[0].value
    people = found.people_path
    assert people.parent.stat().st_mode & 0o77 == 0


def test_processes_of_this_machine_give_the_same(cache):
    settings = asked(trials=2, sampler="random")
    alone = run_sweep(cache, made(cache, settings), settings)
    shutil.rmtree(alone.folder)
    both = asked(trials=2, sampler="random", parallel=2)
    together = run_sweep(cache, made(cache, both), both)
    assert [t.parameters for t in together.trials] == [t.parameters for t in alone.trials]
    assert [t.value for t in together.trials] == pytest.approx([t.value for t in alone.trials])


@given(parallel=st.integers(1, 64), n_cores=st.integers(1, 128))
def test_trials_together_have_no_more_cores_than_there_are(parallel, n_cores):
    n_slots, each = shared_out(parallel, n_cores)
    assert 1 <= n_slots <= parallel
    assert each >= 1
    assert n_slots * each <= n_cores < n_slots * (each + 1)


def threads_seen(cache, sweep_id, number, settings, seconds_left=math.inf, mark=""):
    """Stand in for a trial: tell the threads of the libraries that compute, and the process."""
    import tensorflow as tf
    from numba import config

    tf.linalg.matmul(tf.ones((64, 64)), tf.ones((64, 64)))
    names = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
    told = {"threads": len(names), "compute": names.count("tf_Compute"),
            "numba": config.NUMBA_NUM_THREADS, "process": os.getpid()}  # fmt: skip
    return {"state": "complete", "value": 0.5, "reason": json.dumps(told)}


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted by Linux")
def test_trials_at_a_time_share_the_cores_out(cache, monkeypatch):
    """Two of them on seven cores have three each: one that took what there is would have others."""
    seen = {}
    for n_cores in (2, 7):
        monkeypatch.setattr("pipeline.sweep.loop.default_workers", lambda n=n_cores: n)
        settings = asked(trials=3, parallel=2, sampler="random", seed=n_cores)
        found = run_sweep(cache, made(cache, settings), settings, try_out=threads_seen)
        told = [json.loads(trial.reason) for trial in found.trials]
        assert os.getpid() not in {one["process"] for one in told}
        assert len({one["process"] for one in told}) <= 2
        assert {(one["compute"], one["numba"]) for one in told} == {(n_cores // 2, n_cores // 2)}
        seen[n_cores] = min(one["threads"] for one in told)
    assert seen[7] - seen[2] == 4  # two more of each of TensorFlow's pools


def test_what_mattered_is_told_as_soon_as_it_can_be(cache):
    """Trials that were given up count for nothing: the eighth that ends is the eleventh of all."""
    settings = asked(trials=13, sampler="random")
    told = []

    def try_out(cache, sweep_id, number, settings, seconds_left=math.inf, mark=""):
        told.append(read_sweep(cache, sweep_id).importance)
        given_up = {"state": "pruned", "value": None} if number in (2, 5, 6) else {}
        return fake()(cache, sweep_id, number, settings) | given_up

    run_sweep(cache, made(cache, settings), settings, try_out=try_out)
    assert [bool(one) for one in told] == [False] * 11 + [True] * 2


def test_the_command_line(cache, monkeypatch, capfd):
    monkeypatch.setattr("pipeline.cli._VERBS", sweep_verbs.VERBS)
    from pipeline.cli import main

    monkeypatch.setattr(run_sweep, "__kwdefaults__", run_sweep.__kwdefaults__ | {"try_out": fake()})
    words = ["sweep", "small", "--trials", "9", "--sampler", "random", "--no-prune", "--json",
             "--field", *TWO, "--set", "quality.qual_above=off", "--cache", str(cache)]  # fmt: skip
    assert main(words) == 0
    first = json.loads(capfd.readouterr().out)
    assert (first["state"], first["trials"], first["best"]) == ("queued", [], None)
    assert in_this_process(cache) == 2
    assert main([*words, "--wait"]) == 0
    done = json.loads(capfd.readouterr().out)
    assert done["sweep"] == first["sweep"]
    assert done["state"] == "finished"
    assert len(done["trials"]) == 9
    assert set(done["trials"][0]) >= {"number", "parameters", "value", "state", "epochs"}
    assert done["best"]["value"] == max(trial["value"] for trial in done["trials"])
    assert runs.load(cache, done["run"]).cohort == "small"
    words.remove("--json")
    assert main(words) == 0
    said = capfd.readouterr().out
    assert f"best: trial {done['best']['number']}, AUC" in said
    assert "training.learning_rate = " in said
    assert main(["sweep", "small", "--field", "training.seed", "--cache", str(cache)]) == 1
    assert "settings that have a range" in capfd.readouterr().err
    assert open_cohort(cache, "small").fingerprint
