"""How far a study has come: from the first thresholds to an audited run, and thresholds moved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline import runs
from pipeline.audit import LOGISTIC, NETWORK
from pipeline.audit.stored import question, write_answer
from pipeline.cohort import Cohort
from pipeline.runs import Run
from pipeline.settings import AnalysisSettings, with_changes
from pipeline.standing import standings
from pipeline.submit import identify
from tests.small_cohorts import make_cohort, vcf_text

ASKED = AnalysisSettings()
MOVED = with_changes(ASKED, {"quality.min_mean_depth": 12})


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    rng = np.random.default_rng(1)
    people = [f"P{i}" for i in range(20)]
    rows = [
        (1, 100 * (i + 1), "A", "G", "GT", *rng.choice(["0/0", "0/1", "1/1"], 20))
        for i in range(10)
    ]
    given = {person: "case" if i % 2 else "control" for i, person in enumerate(people)}
    made = make_cohort(tmp_path, vcf_text(rows, people), given)
    yield made
    made.store.close()


@pytest.fixture
def trained(cohort: Cohort, tmp_path: Path):
    """Return a function that leaves a finished run of these settings in the cache."""

    def train(settings: AnalysisSettings, fingerprint: str = "") -> Run:
        named, relatives, genes = identify(cohort, settings)
        run = runs.create(
            tmp_path / "cache", cohort.name, fingerprint or cohort.fingerprint, named, "quick",
            relatives, genes,
        )  # fmt: skip
        runs.update_state(run, "running")
        return runs.update_state(run, "finished")

    return train


def standing(cohort: Cohort, settings: AnalysisSettings, *known: Run) -> dict[str, str]:
    return standings(cohort, settings, known)


def test_before_anything_is_trained_training_is_next(cohort):
    found = standing(cohort, ASKED)
    assert list(found) == [
        "cohort", "quality", "association", "genes", "training", "run", "compare", "audit",
        "present",
    ]  # fmt: skip
    assert found["association"] == "ready"
    assert found["genes"] == "later"  # no gene table is joined
    assert found["training"] == "next"
    assert {found[page] for page in ("run", "compare", "audit", "present")} == {"later"}


def test_a_run_stands_until_thresholds_move(cohort, trained):
    run = trained(ASKED)
    found = standing(cohort, ASKED, run)
    assert (found["training"], found["run"], found["audit"]) == ("ready", "ready", "next")
    found = standing(cohort, MOVED, run)
    assert (found["training"], found["run"], found["audit"]) == ("stale", "stale", "next")
    assert found["present"] == "ready"  # a story is frozen to its run


def test_another_network_on_the_same_data_is_not_out_of_date(cohort, trained):
    other = with_changes(ASKED, {"training.epochs": 3, "training.seed": 9})
    assert standing(cohort, other, trained(ASKED))["training"] == "ready"


def test_runs_that_do_not_count(cohort, trained):
    elsewhere = trained(ASKED, "0" * 64)  # the cohort has been ingested anew since
    stopped = runs.update_state(trained(MOVED), "cancelled")
    assert standing(cohort, ASKED, elsewhere, stopped)["training"] == "next"


@pytest.mark.parametrize("model", [LOGISTIC, NETWORK])
def test_an_audit_goes_out_of_date_with_its_run(model, cohort, trained):
    run = trained(ASKED)
    asked = question(cohort, run.analysis(), model)
    write_answer(run.cache, asked, "protocols", {}, is_complete=True)
    assert standing(cohort, ASKED, run)["audit"] == "ready"
    assert standing(cohort, MOVED, run)["audit"] == "stale"
    assert standing(cohort, MOVED, trained(MOVED), run)["audit"] == "next"


def test_two_runs_can_be_compared(cohort, trained):
    first, second = trained(ASKED), trained(MOVED)
    assert standing(cohort, ASKED, first)["compare"] == "later"
    assert standing(cohort, ASKED, second, first)["compare"] == "ready"


def test_a_regression_is_next_until_it_is_computed(cohort):
    asked = with_changes(ASKED, {"association.test": "logistic"})
    assert standing(cohort, asked)["association"] == "next"
    folder = cohort.store.path.parent / "logistic"
    folder.mkdir()
    (folder / "one.npy").touch()
    assert standing(cohort, asked)["association"] == "ready"


def test_a_run_that_lacks_a_newer_setting_is_compared_by_its_default(cohort, trained):
    run = trained(ASKED)
    del run.settings["quality"]["max_hwe_log10"]
    assert standing(cohort, ASKED, run)["run"] == "ready"
