"""Relatives, once found, stay on one side of a run's split; one of each pair can be kept."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline import runs
from pipeline.cohort import Cohort, open_cohort
from pipeline.errors import NotFoundError, StaleArtifactError
from pipeline.experiment import run_training
from pipeline.presets import apply_preset
from pipeline.progress import silent
from pipeline.samples import keep_people, with_people
from pipeline.settings import SampleSettings, StructureSettings, with_changes
from pipeline.structure import build_structure, families, read_structure
from pipeline.submit import submit_training
from pipeline.summaries import colourings, relatives_table, structure_points
from tests.small_cohorts import make_cohort, vcf_text

N, TWINS = 80, 20  # the last 20 people are the first 20 once more
PEOPLE = [f"p{i:02d}" for i in range(N)]
DIAGNOSES = {p: ("SCZ", "control")[i % 2] for i, p in enumerate(PEOPLE)}
SETTINGS = StructureSettings(max_r2=1.0, components=4)
FAST = {"network.filters": 2, "network.dense": [4], "training.epochs": 1,
        "selection.max_p": 0.5, "quality.qual_above": None}  # fmt: skip


@pytest.fixture
def cohort(tmp_path) -> Cohort:
    rng = np.random.default_rng(5)
    rows = []
    for i in range(500):
        alleles = rng.random((N, 2)) < rng.uniform(0.2, 0.5)
        alleles[N - TWINS :] = alleles[:TWINS]
        calls = [f"{a:d}/{b:d}" for a, b in alleles]
        rows.append(["1", 3_000_000 + 9000 * i, "A", "C", "GT", *calls])
    return make_cohort(tmp_path, vcf_text(rows, PEOPLE), DIAGNOSES)


def cache_of(cohort: Cohort):
    return cohort.store.path.parents[2]


def settings():
    return with_changes(apply_preset("quick"), FAST)


def test_twins_stay_together_in_a_run(cohort, monkeypatch):
    monkeypatch.setattr("pipeline.jobs.ensure_worker", lambda *_: None)
    cache = cache_of(cohort)
    before = submit_training(cache, "small", settings())
    build_structure(cache, "small", SETTINGS)
    run = submit_training(cache, "small", settings())
    assert run.id != before.id
    assert run.relatives == families(cohort).digest
    with pytest.raises(StaleArtifactError, match="was computed anew"):
        run_training(cache, {"run": before.id}, silent)

    run_training(cache, {"run": run.id}, silent)
    tested = set(pd.read_parquet(runs.load(cache, run.id).predictions_path)["sample_index"])
    assert tested
    for twin in range(TWINS):
        assert (twin in tested) == (N - TWINS + twin in tested)


def test_one_of_each_is_kept(cohort):
    wanted = SampleSettings(drop_relatives=True)
    with pytest.raises(NotFoundError, match="needs to know who is related"):
        keep_people(cohort, wanted)
    build_structure(cache_of(cohort), "small", SETTINGS)
    found = keep_people(cohort, wanted)
    assert found.n_failing == {"drop_relatives": TWINS}
    both = found.kept[:TWINS] & found.kept[N - TWINS :]
    assert not both.any()
    counted = with_people(cohort, wanted)
    assert sum(counted.n_people.values()) == N - TWINS
    counted.store.close()


def test_what_the_page_shows(cohort):
    build_structure(cache_of(cohort), "small", SETTINGS)
    found = read_structure(cohort)
    assert colourings(cohort) == ["diagnosis", "sex"]
    points = structure_points(cohort, found, 1, 3, "diagnosis")
    assert list(points.columns) == ["x", "y", "group"]  # nobody is named
    np.testing.assert_allclose(points["y"], found.components[:, 2], atol=1e-5)
    pairs = relatives_table(cohort, found)
    assert len(pairs) == TWINS
    assert set(zip(pairs["first"], pairs["second"], strict=True)) == {
        (PEOPLE[i], PEOPLE[N - TWINS + i]) for i in range(TWINS)
    }
    assert (pairs["kinship"] > 0.45).all()


def test_a_new_ingest_forgets_the_structure(cohort, tmp_path):
    build_structure(cache_of(cohort), "small", SETTINGS)
    rows = [["1", 100 + i, "A", "C", "GT", *["0/1"] * N] for i in range(3)]
    again = make_cohort(tmp_path, vcf_text(rows, PEOPLE), DIAGNOSES)
    assert read_structure(again) is None
    assert open_cohort(cache_of(cohort), "small").fingerprint == again.fingerprint
