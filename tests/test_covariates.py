"""Covariates from the phenotypes and the structure, and when their lack is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from pipeline.cohort import Cohort, open_cohort
from pipeline.covariates import (
    available_covariates,
    covariates,
    independent_columns,
    structure_warning,
    welch_p,
)
from pipeline.errors import NotFoundError, SettingsError
from pipeline.ingest import ingest
from pipeline.people import CaseDefinition
from pipeline.settings import AssociationSettings, PeopleSettings
from pipeline.settings.structure import StructureSettings
from pipeline.structure import build_structure
from tests.small_cohorts import vcf_text, write_vcf

N = 60
CALLS = np.array(["0/0", "0/1", "1/1"])


def asked(*names: str, n_components: int = 0, **more) -> AssociationSettings:
    return AssociationSettings(covariates=names, n_components=n_components, **more)


def make(folder: Path) -> Cohort:
    """Return 60 people of two populations, which cases and controls nearly follow."""
    rng = np.random.default_rng(1)
    population = np.arange(N) % 2
    frequency = np.clip(rng.uniform(0.2, 0.8, (900, 1)) + rng.normal(0, 0.15, (900, 2)), 0.05, 0.95)
    genotypes = rng.binomial(2, frequency[:, population])
    samples = [f"s{i:02d}" for i in range(N)]
    records = [
        (1 + v // 450, 1000 + 5000 * (v % 450), "A", "C", "GT", *CALLS[row])
        for v, row in enumerate(genotypes)
    ]
    vcf = write_vcf(folder / "c.vcf", vcf_text(records, samples))
    lines = ["sample_id\tdiagnosis\tsex\tage\tsite\tbatch\tnames\tmonths\tfew\tscore"]
    for i, name in enumerate(samples):
        diagnosis = "case" if population[i] ^ (i % 15 == 0) else "control"
        age = 20 + i % 7
        lines.append("\t".join(map(str, (
            name, diagnosis, ("M", "F", "?")[min(2, i % 21)] if i % 20 == 2 else "MF"[i // 2 % 2],
            "NA" if i == 5 else age, ("Oslo", "Bergen", "Rome")[i % 3], 7, name, 12 * age,
            "x" if i else "n/a", -9 if i == 9 else i % 5,
        ))))  # fmt: skip
    (folder / "c.tsv").write_text("\n".join(lines) + "\n")
    ingest(folder / "cache", "c", [vcf], folder / "c.tsv", None, workers=1)
    return open_cohort(folder / "cache", "c")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Cohort:
    return make(tmp_path_factory.mktemp("covariates"))


@pytest.fixture(scope="module")
def with_structure(tmp_path_factory) -> Cohort:
    folder = tmp_path_factory.mktemp("structure")
    made = make(folder)
    build_structure(folder / "cache", "c", StructureSettings(components=3))
    return made


def test_available(cohort):
    expected = ["sex", "age", "site", "batch", "names", "months", "few", "score"]
    assert available_covariates(cohort) == expected


def test_no_covariates(cohort):
    found = covariates(cohort, asked())
    assert found.matrix.shape == (N, 0)
    assert found.is_complete.all()
    assert (found.names, found.notes) == ((), ())


def test_numbers_words_and_sex(cohort):
    found = covariates(cohort, asked("age", "site", "sex"))
    assert found.names == ("age", "site=Oslo", "site=Rome", "sex")
    sex = cohort.samples["sex"].to_numpy().astype(str)
    lacks = (np.arange(N) == 5) | (sex == "unknown")
    assert (sex == "unknown").any()
    np.testing.assert_array_equal(found.is_complete, ~lacks)
    assert np.isnan(found.matrix[lacks]).all()
    expected = np.column_stack([
        20 + np.arange(N) % 7, np.arange(N) % 3 == 0, np.arange(N) % 3 == 2, sex == "male"
    ])[~lacks].astype(float)  # fmt: skip
    np.testing.assert_allclose(
        found.matrix[~lacks], (expected - expected.mean(0)) / expected.std(0), atol=1e-12
    )
    assert found.notes == (
        f"{lacks.sum()} people lack a covariate and are left out of the regression.",
    )


def test_constant_and_dependent_columns_go_with_a_note(cohort):
    found = covariates(cohort, asked("age", "batch", "months", "age"))
    assert found.names == ("age",)
    assert "Covariate batch is the same in everybody and is left out." in found.notes
    assert "Covariate months follows from the others and is left out." in found.notes


def test_minus_9_stands_and_is_told(cohort):
    found = covariates(cohort, asked("score"))
    assert found.is_complete.all()
    assert found.matrix[9].item() == found.matrix.min()
    assert found.notes[0].startswith("1 people have -9 in score")


def test_one_word_and_missing_is_constant(cohort):
    found = covariates(cohort, asked("few"))
    assert found.names == ()


def test_kept_people_set_the_scale(cohort):
    kept = np.arange(N) < 20
    found = covariates(replace(cohort, kept_people=kept), asked("age"))
    used = found.matrix[kept & found.is_complete, 0]
    assert used.mean() == pytest.approx(0, abs=1e-12)
    assert used.std() == pytest.approx(1)


def test_refusals(cohort):
    with pytest.raises(SettingsError, match=r"'Age' is none of sex, age, site"):
        covariates(cohort, asked("Age"))
    with pytest.raises(SettingsError, match=r"names has 60 \(s00, s01, s02"):
        covariates(cohort, asked("names"))
    with pytest.raises(NotFoundError, match=r"compute it \(structure c\)"):
        covariates(cohort, asked(n_components=2))


def test_components(with_structure):
    found = covariates(with_structure, asked("age", n_components=3))
    assert found.names == ("age", "pc1", "pc2", "pc3")
    with pytest.raises(SettingsError, match=r"n_components is 4.* has 3 components"):
        covariates(with_structure, asked(n_components=4))


def test_independent_columns():
    rng = np.random.default_rng(3)
    free = rng.standard_normal((50, 3)) * [1, 1e6, 1e-6] + [0, 1e7, 0]
    sums = free[:, :1] + free[:, 1:2]
    stays, notes = independent_columns(
        np.column_stack([free, sums, np.full(50, 3.3)]), ("a", "b", "c", "d", "e")
    )
    assert stays.tolist() == [True, True, True, False, False]
    assert [note.split()[1] for note in notes] == ["d", "e"]


DEFINITION = CaseDefinition(("case",), ("control",), (), "named")


def test_warning_without_structure_rests_on_lambda(cohort):
    definition = cohort.define_cases(PeopleSettings())
    said = structure_warning(cohort, definition, 1.21, asked(), 5000)
    assert said.startswith("Lambda is 1.210 over 5,000 variants")
    assert "compute the structure of c" in said
    # Two standard errors of a median over so few variants.
    assert structure_warning(cohort, definition, 1.21, asked(), 400) == ""
    assert structure_warning(cohort, definition, 1.24, asked(), 400) != ""
    assert structure_warning(cohort, definition, 1.05, asked(), 5000) == ""
    assert structure_warning(cohort, definition, float("nan"), asked(), 5000) == ""


def test_warning_names_the_component(with_structure):
    said = structure_warning(with_structure, DEFINITION, 1.0, asked(), 10)
    assert said.startswith("Principal component 1 differs between cases and controls (p = ")
    both = structure_warning(with_structure, DEFINITION, 1.3, asked(), 5000)
    assert "5,000 variants and principal component 1 differs" in both
    adjusted = asked(n_components=2, test="logistic")
    assert structure_warning(with_structure, DEFINITION, 1.3, adjusted, 5000) == ""
    unadjusted = asked(n_components=2, test="trend")
    assert structure_warning(with_structure, DEFINITION, 1.3, unadjusted, 5000)


def test_no_warning_where_labels_do_not_follow_the_people(with_structure):
    halves = np.where(np.arange(N) // 2 % 2, "case", "control")
    samples = with_structure.samples.assign(diagnosis=halves)
    mixed = replace(with_structure)
    mixed.__dict__["samples"] = samples
    assert structure_warning(mixed, DEFINITION, 1.0, asked(), 5000) == ""


def test_welch__scipy():
    rng = np.random.default_rng(5)
    case, control = rng.normal(0.3, 1, (30, 4)), rng.normal(0, 3, (50, 4))
    theirs = stats.ttest_ind(case, control, equal_var=False).pvalue
    np.testing.assert_allclose(welch_p(case, control), theirs, rtol=1e-10)
    assert np.isnan(welch_p(case[:1], control)).all()
    assert np.isnan(welch_p(np.ones((3, 1)), np.ones((3, 1)))).all()
