"""Linkage disequilibrium with one variant: PLINK's figures, and NumPy's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.cohort import Cohort
from pipeline.genotypes import pack
from pipeline.ld import r2_to, r2_to_row
from tests.small_cohorts import codes, make_cohort, run, vcf_text

N_PEOPLE = 150
GT = np.array(["0/0", "0/1", "1/1", "./."])


def linked(n_variants: int = 40, seed: int = 3) -> np.ndarray:
    """Return genotypes (n_variants, n_people), each alike to the one before, some missing."""
    rng = np.random.default_rng(seed)
    haplotypes = (rng.random((1, 2 * N_PEOPLE)) < 0.4).astype(np.uint8)
    rows = []
    for _ in range(n_variants):
        flips = rng.random(haplotypes.shape) < 0.06
        haplotypes = haplotypes ^ flips
        rows.append(haplotypes.reshape(N_PEOPLE, 2).sum(axis=1))
    genotypes = np.array(rows, np.uint8)
    genotypes[rng.random(genotypes.shape) < 0.05] = 3
    genotypes[-1] = 0
    return genotypes


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Cohort:
    samples = [f"s{i}" for i in range(N_PEOPLE)]
    records = [
        ["1", 1000 + 10 * i, f"rs{i}", "A", "C", "100", "PASS", ".", "GT", *GT[row]]
        for i, row in enumerate(linked())
    ]
    diagnoses = {s: ("case", "control", "other")[i % 3] for i, s in enumerate(samples)}
    folder = tmp_path_factory.mktemp("ld")
    return make_cohort(folder, vcf_text(records, samples), diagnoses)


def brute(genotypes: np.ndarray, lead: int, people: np.ndarray) -> np.ndarray:
    r2 = np.full(len(genotypes), np.nan)
    for i, row in enumerate(genotypes):
        both = people & (row < 3) & (genotypes[lead] < 3)
        one, other = row[both].astype(float), genotypes[lead][both].astype(float)
        if both.any() and one.std() > 0 and other.std() > 0:
            r2[i] = np.corrcoef(one, other)[0, 1] ** 2
    return r2


@pytest.mark.parametrize("lead", [0, 17])
def test_r2_is_the_squared_correlation_of_the_people_chosen(cohort, lead):
    people = cohort.is_in(("case", "control"))
    assert 0 < people.sum() < N_PEOPLE
    found = r2_to(cohort, lead, np.arange(40), people)
    np.testing.assert_allclose(found, brute(codes(cohort), lead, people), rtol=1e-12)
    assert np.isnan(found[-1])
    assert found[lead] == pytest.approx(1)


def test_order_and_repeats_of_the_variants_are_kept(cohort):
    everybody = np.ones(N_PEOPLE, bool)
    whole = r2_to(cohort, 5, np.arange(40), everybody)
    asked = np.array([30, 2, 2, 9])
    np.testing.assert_array_equal(r2_to(cohort, 5, asked, everybody), whole[asked])
    assert r2_to(cohort, 5, np.array([], int), everybody).shape == (0,)


def test_r2_equals_plink(cohort, tmp_path):
    """`--r2` prints six digits."""
    rows = [
        ["1", 1000 + 10 * i, f"rs{i}", "A", "C", "100", "PASS", ".", "GT", *GT[row]]
        for i, row in enumerate(codes(cohort))
    ]
    (tmp_path / "a.vcf").write_text(vcf_text(rows, [f"s{i}" for i in range(N_PEOPLE)]))
    run("plink1.9", "--vcf", tmp_path / "a.vcf", "--double-id", "--r2", "inter-chr",
        "--ld-window-r2", "0", "--ld-snp", "rs7", "--out", tmp_path / "a")  # fmt: skip
    theirs = pd.read_csv(tmp_path / "a.ld", sep=r"\s+").set_index("SNP_B")["R2"]
    ours = r2_to(cohort, 7, np.arange(40), np.ones(N_PEOPLE, bool))
    assert len(theirs) == 39  # all but the one that does not vary
    for name, r2 in theirs.items():
        assert float(f"{ours[int(name[2:])]:.6g}") == pytest.approx(r2, rel=2e-6), name
    assert len(np.unique(theirs)) > 20


@pytest.mark.parametrize("n_people", [1, 31, 32, 33, 65])
def test_any_number_of_people(n_people):
    genotypes = np.random.default_rng(n_people).integers(0, 4, (60, n_people)).astype(np.uint8)
    people = np.random.default_rng(1).random(n_people) < 0.8
    packed = pack(genotypes)
    found = r2_to_row(packed[3], packed, people)
    np.testing.assert_allclose(found, brute(genotypes, 3, people), rtol=1e-9, atol=1e-14)
