"""Logistic regression equals `plink2 --glm firth-fallback` and `plink1.9 --logistic`.

plink2 a3.5 computes in float32 and stops Firth's steps early, hence the precision. It calls a
variant parted where cases or controls lack an allele altogether; where they share one genotype
alone, its estimate runs off and says UNFINISHED, and ours is Firth's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.cohort import Cohort
from pipeline.logistic import Regression, regress
from pipeline.quality import filter_variants
from pipeline.settings import AssociationSettings
from pipeline.statistics.logistic import fit_logistic
from tests.small_cohorts import codes, run
from tests.test_logistic import KEEP_ALL, N_PEOPLE, planted, planted_cohort

SETTINGS = AssociationSettings(test="logistic", covariates=("age", "score"))


@dataclass(frozen=True)
class Planted:
    """The planted cohort, its regression, and its files as PLINK has them."""

    cohort: Cohort
    found: Regression
    chrom: np.ndarray
    prefix: Path

    def table(self, name: str, tool: str, *options: str) -> pd.DataFrame:
        """Return what a PLINK writes, in our order of variants."""
        out = self.prefix.with_name(name)
        run(tool, "--bfile", self.prefix, "--threads", "1", *options, "--out", out)
        suffix = "PHENO1.glm.logistic.hybrid" if tool == "plink2" else "assoc.logistic"
        read = pd.read_csv(f"{out}.{suffix}", sep=r"\s+", na_values="NA")
        ids = read["ID" if tool == "plink2" else "SNP"]
        return read.set_index(ids).reindex([f"v{i}" for i in range(len(self.chrom))])


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Planted:
    folder = tmp_path_factory.mktemp("logistic")
    cohort = planted_cohort(folder)
    filtered = filter_variants(cohort, KEEP_ALL)
    found = regress(cohort, filtered, SETTINGS)
    rows = cohort.store.rows("SELECT chrom FROM variants ORDER BY variant_index")
    prefix = folder / "plink"
    run("plink1.9", "--vcf", folder / "planted.vcf", "--double-id", "--keep-allele-order",
        "--make-bed", "--out", prefix)  # fmt: skip
    _, _, columns = planted()
    fam = [
        f"s{i:03d} s{i:03d} 0 0 {2 - columns['is_male'][i]} {1 + columns['is_case'][i]}\n"
        for i in range(N_PEOPLE)
    ]
    prefix.with_suffix(".fam").write_text("".join(fam))
    bim = [line.split() for line in prefix.with_suffix(".bim").read_text().splitlines()]
    named = ["\t".join([row[0], f"v{i}", *row[2:]]) + "\n" for i, row in enumerate(bim)]
    prefix.with_suffix(".bim").write_text("".join(named))
    lines = ["FID IID age score"] + [
        f"s{i:03d} s{i:03d} {columns['age'][i]:.17g} {columns['score'][i]:.17g}"
        for i in range(N_PEOPLE - 2)  # the last two lack their age
    ]
    (folder / "covariates.txt").write_text("\n".join(lines) + "\n")
    return Planted(cohort, found, np.array([c for (c,) in rows])[filtered.kept], prefix)


def test_beta_error_p_and_firth__plink2(made):
    covariates = made.prefix.with_name("covariates.txt")
    # plink2 lets a male on X be heterozygous; PLINK 1.9 and we do not.
    strict = made.prefix.with_name("strict")
    run("plink1.9", "--bfile", made.prefix, "--set-hh-missing", "--set-mixed-mt-missing",
        "--keep-allele-order", "--make-bed", "--out", strict)  # fmt: skip
    theirs = replace(made, prefix=strict).table(
        "two", "plink2", "--covar", str(covariates), "--covar-variance-standardize", "--glm",
        "firth-fallback", "hide-covar", "omit-ref", "cols=+beta",
    )  # fmt: skip
    here = made.chrom != "Y"
    found, theirs = made.found, theirs[here]
    assert (theirs["ERRCODE"] == ".").all()
    is_firth = (theirs["FIRTH?"] == "Y").to_numpy()
    np.testing.assert_array_equal(found.is_firth[here], is_firth)
    assert is_firth.sum() >= 6
    np.testing.assert_array_equal(found.n_people[here], theirs["OBS_CT"])
    beta, error = np.log(found.odds_ratio[here]), found.standard_error[here]
    p = 10 ** -found.neg_log10_p[here]
    for chosen, precision in ((~is_firth, 2e-5), (is_firth, 1e-3)):
        printed = theirs[chosen]
        np.testing.assert_allclose(beta[chosen], printed["BETA"], rtol=precision, atol=precision)
        np.testing.assert_allclose(error[chosen], printed["SE"], rtol=precision)
        np.testing.assert_allclose(p[chosen], printed["P"], rtol=5 * precision)


def test_every_variant_by_firth__plink2(made):
    out = made.prefix.with_name("firth")
    covariates = made.prefix.with_name("covariates.txt")
    run("plink2", "--bfile", made.prefix, "--threads", "1", "--covar", covariates, "--chr", "1",
        "--covar-variance-standardize", "--glm", "firth", "hide-covar", "omit-ref", "cols=+beta",
        "--out", out)  # fmt: skip
    theirs = pd.read_csv(f"{out}.PHENO1.glm.firth", sep="\t")
    _, _, columns = planted()
    both = np.column_stack([columns["age"], columns["score"]])[:-2]
    genotypes = codes(made.cohort)[made.chrom == "1", :-2]
    fit = fit_logistic(genotypes, columns["is_case"][:-2], both, always_firth=True)
    np.testing.assert_allclose(fit.beta, theirs["BETA"], rtol=1e-3, atol=3e-4)
    np.testing.assert_allclose(fit.standard_error, theirs["SE"], rtol=1e-3)


def test_sex_on_x_and_one_copy_on_mt__plink1(made):
    covariates = made.prefix.with_name("covariates.txt")
    theirs = made.table(
        "one", "plink1.9", "--covar", str(covariates), "--logistic", "hide-covar", "beta",
        "--xchr-model", "2", "--ci", "0.95", "--keep-allele-order", "--a1-allele",
        f"{made.prefix}.bim", "5", "2",
    )  # fmt: skip
    found = made.found
    for chrom in ("1", "X", "MT"):
        here = (made.chrom == chrom) & ~found.is_firth
        assert here.sum() >= 10
        printed = theirs[here]
        assert printed["P"].notna().all()
        np.testing.assert_array_equal(found.n_people[here], printed["NMISS"])
        for ours, column in (
            (np.log(found.odds_ratio), "BETA"),
            (found.standard_error, "SE"),
            (np.log(found.ci_low), "L95"),
            (np.log(found.ci_high), "U95"),
            (10**-found.neg_log10_p, "P"),
        ):  # four digits are printed
            np.testing.assert_allclose(ours[here], printed[column], rtol=6e-4, atol=1e-4)
        z = np.sign(np.log(found.odds_ratio[here])) * np.sqrt(found.statistic[here])
        np.testing.assert_allclose(z, printed["STAT"], rtol=6e-4, atol=1e-4)
