"""Figures of single people equal PLINK's and bcftools' on real and simulated data."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.cohort import Cohort, open_cohort
from pipeline.ingest import ingest
from pipeline.samples import sample_quality
from pipeline.schema import HOM_UNIT
from tests.conftest import UWGAC
from tests.small_cohorts import make_cohort, run, vcf_text, write_vcf
from tests.test_samples import DIAGNOSES, PEOPLE, SEX, records
from tests.tools import shared_data


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> tuple[Cohort, Path]:
    """The autosomes of real people, made alike for both.

    Sites of two alleles, as bcftools counts sites and we rows; half calls missing, as it counts
    their allele.
    """
    folder = tmp_path_factory.mktemp("real")
    sites, vcf = folder / "sites.bcf", folder / "biallelic.vcf.gz"
    run("bcftools", "view", "-m2", "-M2", "-Ob", "-o", sites, shared_data(UWGAC[0]))
    run("bcftools", "+setGT", sites, "-Ob", "-o", folder / "whole.bcf", "--",
        "-t", "./x", "-n", ".")  # fmt: skip
    run("bcftools", "+fill-tags", folder / "whole.bcf", "-Oz", "-o", vcf, "--", "-t", "AC,AN")
    ingest(folder / "cache", "u", [vcf], shared_data("uwgac-1kg/phenotypes.tsv"))
    return open_cohort(folder / "cache", "u"), vcf


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> tuple[Cohort, str]:
    """Biallelic variants, men hemizygous on X, and the same in PLINK's own files."""
    folder = tmp_path_factory.mktemp("planted")
    biallelic = [r for r in records(3) if "," not in r[3]]
    text = vcf_text(biallelic, PEOPLE, contigs=("1", "2", "X"))
    cohort = make_cohort(folder, text, DIAGNOSES, SEX)
    vcf = write_vcf(folder / "p.vcf.gz", text)
    sexes = folder / "sex.txt"
    sexes.write_text("#IID SEX\n" + "".join(f"{p} {SEX[p]}\n" for p in PEOPLE))
    run("plink2", "--vcf", vcf, "--update-sex", sexes, "--split-par", "b37", "--set-all-var-ids",
        "@:#:$r:$a", "--make-bed", "--out", folder / "p")  # fmt: skip
    return cohort, str(folder / "p")


def table(path: str) -> pd.DataFrame:
    return pd.read_csv(path, sep=r"\s+", na_values="nan").rename(columns=lambda c: c.lstrip("#"))


def test_missing_and_inbreeding_are_plink2s(planted):
    cohort, prefix = planted
    found = sample_quality(cohort)
    run("plink2", "--bfile", prefix, "--autosome", "--missing", "sample-only", "--het",
        "--out", prefix)  # fmt: skip
    missing, het = table(f"{prefix}.smiss"), table(f"{prefix}.het")
    assert list(missing["IID"]) == list(het["IID"]) == PEOPLE
    np.testing.assert_allclose(1 - found["call_rate"], missing["F_MISS"], rtol=1e-5)
    samples = cohort.samples
    # plink2 leaves out variants where all are homozygous alike, which changes no heterozygotes.
    n_het = samples["n_called"] - samples["n_hom"]
    np.testing.assert_array_equal(n_het, het["OBS_CT"] - het["O(HOM)"])
    expected_het = samples["n_called"] - samples["expected_hom"] / HOM_UNIT
    np.testing.assert_allclose(expected_het, het["OBS_CT"] - het["E(HOM)"], atol=0.01)
    np.testing.assert_allclose(found["inbreeding_f"], het["F"], rtol=1e-4, atol=1e-5)


def test_sex_is_plinks(planted):
    cohort, prefix = planted
    found = sample_quality(cohort)
    run("plink1.9", "--bfile", prefix, "--check-sex", "--out", prefix)
    checked = table(f"{prefix}.sexcheck")
    assert list(checked["IID"]) == PEOPLE
    np.testing.assert_allclose(found["x_f"], checked["F"], atol=2e-3)
    implied = np.array(["unknown", "male", "female"])[checked["SNPSEX"]]
    np.testing.assert_array_equal(found["implied_sex"], implied)
    assert {"male", "female"} <= set(implied)


def test_counts_of_people_are_bcftools(real):
    cohort, vcf = real
    samples = cohort.samples
    counted = by_person(vcf, samples)
    for name in ("n_het", "n_hom_alt", "n_transition", "n_transversion", "n_missing"):
        np.testing.assert_array_equal(samples[name], counted[name], err_msg=name)
    # bcftools calls an allele that one person has twice a singleton too.
    once = vcf.with_name("once.bcf")
    run("bcftools", "view", "-i", "AC==1", "-Ob", "-o", once, vcf)
    np.testing.assert_array_equal(samples["n_singleton"], by_person(once, samples)["n_singleton"])
    assert samples["n_het"].min() > 100


def by_person(vcf: Path, samples: pd.DataFrame) -> pd.DataFrame:
    lines = [r for r in run("bcftools", "stats", "-s", "-", vcf).splitlines() if r[:4] == "PSC\t"]
    names = [
        "kind", "id", "sample", "n_ref_hom", "n_hom_alt", "n_het", "n_transition",
        "n_transversion", "n_indel", "depth", "n_singleton", "n_hap_ref", "n_hap_alt", "n_missing",
    ]  # fmt: skip
    counted = pd.read_csv(StringIO("\n".join(lines)), sep="\t", header=None, names=names)
    return counted.set_index("sample").loc[samples["sample_id"]]
