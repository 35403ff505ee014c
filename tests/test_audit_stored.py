"""Parts of an audit as jobs: queued, written while they grow, found again, told when wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline import jobs
from pipeline.audit import LOGISTIC, NETWORK, PARTS
from pipeline.audit.stored import (
    Question,
    job_of,
    question,
    read_answer,
    submit_audit,
    write_answer,
)
from pipeline.cli import main
from pipeline.cohort import open_cohort
from pipeline.settings import AnalysisSettings, with_changes
from pipeline.worker import work
from tests.truth.known import NAME, Known, simulated

SETTINGS = with_changes(AnalysisSettings(), {"split.test_fraction": 0.3})


@pytest.fixture(scope="module")
def signal(tmp_path_factory) -> Known:
    return simulated(tmp_path_factory.mktemp("signal"), seed=23, people=600, genes=150)


@pytest.fixture(autouse=True)
def no_worker(monkeypatch) -> None:
    monkeypatch.setattr("pipeline.jobs.ensure_worker", lambda *_: [])


def asked(known: Known, model: str = LOGISTIC, **changes) -> Question:
    with known.opened() as cohort:
        return question(cohort, with_changes(SETTINGS, changes), model)


def done(cache: Path, one: Question, part: str) -> jobs.Job:
    submit_audit(cache, one, part)
    work(cache, idle_s=0)
    found = job_of(cache, one, part)
    assert found is not None
    return found


def test_the_same_question_has_the_same_name(signal):
    one = asked(signal)
    assert asked(signal).key == one.key
    assert asked(signal, **{"association.test": "trend"}).key == one.key
    assert asked(signal, **{"training.epochs": 3}).key == one.key, "of a regression"
    others = [
        asked(signal, **{"selection.max_p": 0.01}),
        asked(signal, **{"training.seed": 5}),
        asked(signal, NETWORK),
        asked(signal, NETWORK, **{"training.epochs": 3}),
    ]
    assert len({one.key, *(other.key for other in others)}) == 5


def test_a_part_is_answered_by_a_job_and_found_again(signal, monkeypatch):
    heard = []

    def listening(*told, is_complete: bool) -> None:
        heard.append((is_complete, len(told[3]["honest_permuted"])))
        write_answer(*told, is_complete=is_complete)

    monkeypatch.setattr("pipeline.audit.job.write_answer", listening)
    one = asked(signal)
    assert read_answer(signal.cache, one, "protocols") is None
    assert job_of(signal.cache, one, "protocols") is None
    job = done(signal.cache, one, "protocols")
    assert job.state == "finished", job.error
    assert heard[0] == (False, 0), "the true labels are there before any permutation"
    assert heard[-1] == (True, 20)
    told = read_answer(signal.cache, one, "protocols")
    assert told is not None
    assert told["is_complete"]
    found = told["found"]
    assert found["optimism"]["value"] == pytest.approx(
        found["published"]["auc"]["value"] - found["honest"]["auc"]["value"]
    )
    again = submit_audit(signal.cache, one, "protocols")
    assert again == one.job_id("protocols")


def test_every_part_has_a_sentence_and_no_person(signal):
    one = asked(signal)
    with signal.opened() as cohort:
        n_people = len(cohort.samples)
        names = set(cohort.samples["sample_id"])
    for part in PARTS:
        if part == "order":
            continue  # of networks alone; tests/truth/test_audit_order.py
        job = done(signal.cache, one, part)
        assert job.state == "finished", (part, job.error)
        told = read_answer(signal.cache, one, part)
        assert told is not None
        assert told["found"]["sentence"].endswith("."), part
        text = json.dumps(told)
        assert not any(f'"{name}"' in text for name in names)
        assert max(map(len, _lists(told)), default=0) < n_people / 4


def _lists(value):
    if isinstance(value, dict):
        for one in value.values():
            yield from _lists(one)
    elif isinstance(value, list):
        yield value
        for one in value:
            yield from _lists(one)


def test_a_cut_off_file_is_no_answer(signal):
    one = asked(signal, **{"selection.max_p": 0.02})
    path = one.path(signal.cache, "people")
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"format": 1, "fou')
    assert read_answer(signal.cache, one, "people") is None
    path.write_text('{"format": 0, "found": {}}')
    assert read_answer(signal.cache, one, "people") is None


def test_nothing_to_audit_is_one_sentence(signal):
    job = done(signal.cache, asked(signal, **{"selection.max_p": 1e-90}), "leaks")
    assert job.state == "failed"
    assert "selection.max_p" in str(job.error)


def test_the_command_line_answers_further_questions(signal, capsys):
    status = main(["audit", NAME, "--cache", str(signal.cache), "--permutations", "1", "--json",
                   "--also", "people", "leaks", "--set", "split.test_fraction=0.3"])  # fmt: skip
    assert status == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["people"]["sentence"]
    assert {leak["way"] for leak in shown["leaks"]["leaks"]} == {"chosen", "scaled", "stopped"}
    assert main(["audit", NAME, "--cache", str(signal.cache), "--also", "order"]) == 1
    assert "--preset" in capsys.readouterr().err


def test_another_ingest_is_told(signal):
    one = asked(signal)
    stale = Question(one.cohort, "0" * 16, one.model, one.settings, "0" * 16)
    job = done(signal.cache, stale, "people")
    assert job.state == "failed"
    assert "ingested anew" in str(job.error)
    open_cohort(signal.cache, NAME).store.close()
