"""PLINK 1.9 is right about real genotypes; statistics equal it to the digits that it prints."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import statistics
from pipeline.genotypes import (
    GENOTYPE_MISSING,
    count_genotypes,
    pack,
    packed_width,
    people_mask,
    unpack,
)
from tests.tools import require_tool, shared_data

PLINK_TEST = {
    "GENO": "genotypic",
    "ALLELIC": "allelic",
    "TREND": "trend",
    "DOM": "dominant",
    "REC": "recessive",
}
_OF_BED = np.array([2, GENOTYPE_MISSING, 1, 0], np.uint8)  # .bed counts A1, which is ALT here


@dataclass(frozen=True)
class Cohort:
    """One cohort as PLINK has it, with the tables that PLINK writes about it."""

    prefix: Path
    genotypes: np.ndarray
    fam: pd.DataFrame
    chrom: np.ndarray

    def counts(self, *sets: np.ndarray) -> list[np.ndarray]:
        """Return hom-ref, het, hom-alt and missing (n_variants, 4) in each set of people."""
        counts = count_genotypes(pack(self.genotypes), people_mask(np.array(sets)))
        return list(counts.transpose(1, 0, 2))

    @property
    def is_case(self) -> np.ndarray:
        return (self.fam["status"] == 2).to_numpy()

    @property
    def is_control(self) -> np.ndarray:
        return (self.fam["status"] == 1).to_numpy()

    @property
    def is_male(self) -> np.ndarray:
        return (self.fam["sex"] == 1).to_numpy()

    def table(self, suffix: str, *options: str) -> pd.DataFrame:
        """Return the table that PLINK writes with these options, in the order of the variants."""
        plink("--bfile", self.prefix, *options, "--out", self.prefix)
        return read_table(Path(f"{self.prefix}.{suffix}"))


def plink(*options: str | Path) -> None:
    """Run PLINK 1.9 with ALT as A1 throughout."""
    command = [require_tool("plink1.9"), *map(str, options)]
    command += ["--keep-allele-order", "--allow-no-sex", "--threads", "1", "--memory", "1000"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def read_table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep=r"\s+", na_values="NA", keep_default_na=False)


def load(prefix: Path) -> Cohort:
    """Read a .bed with our own `unpack`: PLINK orders people within a byte as we do."""
    names = ["family", "id", "father", "mother", "sex", "status"]
    fam = pd.read_csv(f"{prefix}.fam", sep=r"\s+", names=names)
    bim = pd.read_csv(f"{prefix}.bim", sep=r"\s+", header=None, usecols=[0])
    rows = np.fromfile(f"{prefix}.bed", np.uint8)[3:].reshape(len(bim), -1)
    padded = np.zeros((len(bim), packed_width(len(fam))), np.uint8)
    padded[:, : rows.shape[1]] = rows
    return Cohort(prefix, _OF_BED[unpack(padded, len(fam))], fam, bim[0].to_numpy())


def import_vcf(vcf: Path, people: pd.DataFrame, prefix: Path, *options: str) -> Cohort:
    """Return a VCF with sex and status, columns of `people` (id, sex, status) as in a .fam."""
    for column in ("sex", "status"):
        people[["id", "id", column]].to_csv(
            f"{prefix}.{column}", sep=" ", header=False, index=False
        )
    plink(
        *("--vcf", vcf, "--double-id", "--vcf-half-call", "haploid", "--make-bed"),
        *("--update-sex", f"{prefix}.sex", "--pheno", f"{prefix}.status", "--out", prefix),
    )
    if options:
        plink("--bfile", prefix, *options, "--make-bed", "--out", prefix.with_suffix(".changed"))
        prefix = prefix.with_suffix(".changed")
    return load(prefix)


def uwgac_people() -> pd.DataFrame:
    people = pd.read_csv(shared_data("uwgac-1kg/phenotypes.tsv"), sep="\t")
    return pd.DataFrame(
        {
            "id": people["sample_id"],
            "sex": people["sex"].map({"M": 1, "F": 2}),
            "status": people["status"] + 1,
        }
    )


@pytest.fixture(scope="module")
def autosomes(tmp_path_factory):
    vcf = shared_data("uwgac-1kg/1KG_phase3_subset_autosomes.vcf.gz")
    return import_vcf(vcf, uwgac_people(), tmp_path_factory.mktemp("uwgac") / "autosomes")


@pytest.fixture(scope="module")
def clarke(tmp_path_factory):
    names = ["family", "id", "father", "mother", "sex", "status"]
    tfam = shared_data("clarke2011/caseContorlStudies.tfam")
    people = pd.read_csv(tfam, sep=r"\s+", names=names)
    vcf = shared_data("clarke2011/cg.repaired.vcf.gz")
    return import_vcf(vcf, people, tmp_path_factory.mktemp("clarke") / "cg")


@pytest.fixture(scope="module")
def whole_x(tmp_path_factory):
    vcf = shared_data("uwgac-1kg/1KG_phase3_subset_chrX.vcf.gz")
    return import_vcf(vcf, uwgac_people(), tmp_path_factory.mktemp("uwgac") / "x")


@pytest.fixture(scope="module")
def split_x(tmp_path_factory):
    vcf = shared_data("uwgac-1kg/1KG_phase3_subset_chrX.vcf.gz")
    prefix = tmp_path_factory.mktemp("uwgac") / "split"
    return import_vcf(vcf, uwgac_people(), prefix, "--split-x", "hg19")


@pytest.fixture(params=["autosomes", "clarke"])
def cohort(request):
    return request.getfixturevalue(request.param)


def assert_as_printed(ours: np.ndarray, printed: pd.Series) -> None:
    """Each of ours rounds to the four digits that PLINK prints; NaN where it prints NA."""
    theirs = printed.to_numpy(float)
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    size = np.where((theirs != 0) & np.isfinite(theirs), np.abs(theirs), 1.0)
    half_a_digit = 0.5 * 10.0 ** (np.floor(np.log10(size)) - 3)
    wrong = np.abs(ours - theirs) > half_a_digit * (1 + 1e-6)
    assert not wrong.any(), (ours[wrong][:5], theirs[wrong][:5])
    assert np.isfinite(theirs).any()


def split_counts(column: pd.Series) -> np.ndarray:
    """Return PLINK's "hom A1/het/hom A2" as hom-ref, het, hom-alt."""
    return column.str.split("/", expand=True).astype(int).to_numpy()[:, ::-1]


def test_counts_and_model__plink_model(cohort):
    model = cohort.table("model", "--model", "--cell", "0")
    case, control = (c[:, :3] for c in cohort.counts(cohort.is_case, cohort.is_control))
    genotypes = model[model["TEST"] == "GENO"]
    np.testing.assert_array_equal(case, split_counts(genotypes["AFF"]))
    np.testing.assert_array_equal(control, split_counts(genotypes["UNAFF"]))
    for plink_name, name in PLINK_TEST.items():
        rows = model[model["TEST"] == plink_name]
        result = statistics.TESTS[name](case, control)
        assert_as_printed(result.statistic, rows["CHISQ"])
        np.testing.assert_array_equal(result.df, rows["DF"].to_numpy(float))
        assert_as_printed(10**-result.neg_log10_p, rows["P"])


def test_allelic_and_odds_ratio__plink_assoc(cohort):
    assoc = cohort.table("assoc", "--assoc", "--ci", "0.95")
    case, control = (c[:, :3] for c in cohort.counts(cohort.is_case, cohort.is_control))
    result = statistics.allelic(case, control)
    assert_as_printed(result.statistic, assoc["CHISQ"])
    assert_as_printed(10**-result.neg_log10_p, assoc["P"])
    assert_odds_ratios(statistics.allelic_odds_ratio(case, control), assoc)


def assert_odds_ratios(ours: statistics.OddsRatio, assoc: pd.DataFrame) -> None:
    """Where no cell is empty; else PLINK prints 0, inf or NA, and we say NaN."""
    filled = ~np.isnan(ours.odds_ratio)
    theirs = assoc["OR"].to_numpy(float)
    np.testing.assert_array_equal(filled, np.isfinite(theirs) & (theirs > 0))
    assoc = assoc[filled]
    assert_as_printed(ours.odds_ratio[filled], assoc["OR"])
    assert_as_printed(ours.standard_error[filled], assoc["SE"])
    assert_as_printed(ours.ci_low[filled], assoc["L95"])
    assert_as_printed(ours.ci_high[filled], assoc["U95"])


def test_fisher__plink_assoc_fisher(cohort):
    assoc = cohort.table("assoc.fisher", "--assoc", "fisher")
    case, control = (
        statistics.allele_counts(c) for c in cohort.counts(cohort.is_case, cohort.is_control)
    )
    tested = assoc["P"].to_numpy(float)
    ours = statistics.fisher_2x2(case[:, 0], case[:, 1], control[:, 0], control[:, 1])
    here = ~np.isnan(tested)
    assert_as_printed(10 ** -ours[here], assoc["P"][here])


def test_fisher__plink_model_fisher(cohort):
    """PLINK's GENO is 2 x 3, the others 2 x 2; where it prints 1 or NA for one genotype, NaN."""
    model = cohort.table("model", "--model", "fisher", "--cell", "0")
    case, control = (c[:, :3] for c in cohort.counts(cohort.is_case, cohort.is_control))
    assert_fisher_model(model, case, control)


def assert_fisher_model(model: pd.DataFrame, case: np.ndarray, control: np.ndarray) -> None:
    tables = {"GENO": "genotypes", "ALLELIC": "alleles", "DOM": "dominant", "REC": "recessive"}
    for plink_name, table in tables.items():
        printed = model[model["TEST"] == plink_name]["P"]
        folded = [statistics.fold_genotypes(counts, table) for counts in (case, control)]
        ours = 10 ** -statistics.fisher(*folded).neg_log10_p
        tested = ~np.isnan(ours)
        assert_as_printed(ours[tested], printed[tested])
        theirs = printed.to_numpy(float)
        assert np.isin(theirs[~tested & ~np.isnan(theirs)], [1.0]).all()


def test_hwe_exact__plink_hardy(cohort):
    hardy = cohort.table("hwe", "--hardy")
    for name in ("ALL", "AFF", "UNAFF"):
        rows = hardy[hardy["TEST"].str.startswith(name)]
        if rows.empty:
            pytest.fail(f"PLINK wrote no {name} rows")
        hom_ref, het, hom_alt = split_counts(rows["GENO"]).T
        ours = 10 ** -statistics.hwe_exact(hom_ref, het, hom_alt)
        assert_as_printed(ours, rows["P"])


def test_allelic_and_odds_ratio_on_x__plink_assoc(whole_x):
    # Without --split-x PLINK takes the pseudo-autosomal variants for X as well; so do we here.
    assoc = whole_x.table("assoc", "--assoc", "--ci", "0.95")
    alleles = x_alleles(whole_x)
    result = statistics.alleles_test(*alleles)
    assert_as_printed(result.statistic, assoc["CHISQ"])
    assert_as_printed(10**-result.neg_log10_p, assoc["P"])
    assert_odds_ratios(statistics.alleles_odds_ratio(*alleles), assoc)


def x_alleles(cohort: Cohort) -> tuple[np.ndarray, np.ndarray]:
    """Return alleles of cases and of controls (n, 2), two a female and one a male."""
    female_case, female_control, male_case, male_control = x_tables(cohort)
    return (
        statistics.x_allele_counts(female_case, male_case),
        statistics.x_allele_counts(female_control, male_control),
    )


def x_tables(cohort: Cohort) -> list[np.ndarray]:
    """Return female case, female control (n, 3), male case, male control (n, 2)."""
    case, control, male = cohort.is_case, cohort.is_control, cohort.is_male
    sets = (case & ~male, control & ~male, case & male, control & male)
    female_case, female_control, male_case, male_control = cohort.counts(*sets)
    # A heterozygous male is a missing call.
    return [
        female_case[:, :3],
        female_control[:, :3],
        male_case[:, [0, 2]],
        male_control[:, [0, 2]],
    ]


def test_model_on_x_is_of_females__plink_model(whole_x):
    model = whole_x.table("model", "--model", "--cell", "0")
    female_case, female_control, *_ = x_tables(whole_x)
    rows = model[model["TEST"] == "GENO"]
    np.testing.assert_array_equal(female_case, split_counts(rows["AFF"]))
    np.testing.assert_array_equal(female_control, split_counts(rows["UNAFF"]))
    for plink_name, name in PLINK_TEST.items():
        rows = model[model["TEST"] == plink_name]
        result = statistics.TESTS[name](female_case, female_control)
        assert_as_printed(result.statistic, rows["CHISQ"])
        np.testing.assert_array_equal(result.df, rows["DF"].to_numpy(float))
        assert_as_printed(10**-result.neg_log10_p, rows["P"])


def test_fisher_on_x_is_of_females__plink_model_fisher(whole_x):
    model = whole_x.table("model", "--model", "fisher", "--cell", "0")
    female_case, female_control, *_ = x_tables(whole_x)
    assert_fisher_model(model, female_case, female_control)


def test_fisher_of_alleles_on_x__plink_assoc_fisher(whole_x):
    assoc = whole_x.table("assoc.fisher", "--assoc", "fisher")
    case, control = x_alleles(whole_x)
    nobody = np.zeros(len(case), int)
    rows = [np.stack([c[:, 0], nobody, c[:, 1]], axis=1) for c in (case, control)]
    ours = 10 ** -statistics.fisher_2x3(*rows)
    tested = ~np.isnan(ours)
    assert_as_printed(ours[tested], assoc["P"][tested])


def test_hwe_on_x_is_of_females__plink_hardy(whole_x):
    hardy = whole_x.table("hwe", "--hardy")
    rows = hardy[hardy["TEST"] == "UNAFF"]
    _, female_control, *_ = x_tables(whole_x)
    np.testing.assert_array_equal(female_control, split_counts(rows["GENO"]))
    assert_as_printed(10 ** -statistics.hwe_exact(*female_control.T), rows["P"])


def test_pseudo_autosomal_regions_are_of_everybody__plink_split_x(split_x):
    assoc = split_x.table("assoc", "--assoc")
    is_par = split_x.chrom == 25
    assert 0 < is_par.sum() < len(is_par)
    case, control = (c[:, :3] for c in split_x.counts(split_x.is_case, split_x.is_control))
    in_par = statistics.allelic(case, control).statistic
    on_x = statistics.alleles_test(*x_alleles(split_x)).statistic
    assert_as_printed(np.where(is_par, in_par, on_x), assoc["CHISQ"])


def test_published_tables__clarke2011(clarke):
    """Clarke et al. 2011 printed what PLINK of their day gave, with the default --cell 5."""
    model = read_table(shared_data("clarke2011/data.model"))
    case, control = (c[:, :3] for c in clarke.counts(clarke.is_case, clarke.is_control))
    for plink_name, name in PLINK_TEST.items():
        rows = model[model["TEST"] == plink_name].reset_index(drop=True)
        tested = ~np.isnan(rows["CHISQ"].to_numpy(float))
        result = statistics.TESTS[name](case, control)
        assert_as_printed(result.statistic[tested], rows["CHISQ"][tested])
        assert_as_printed(10 ** -result.neg_log10_p[tested], rows["P"][tested])
    assoc = read_table(shared_data("clarke2011/data.assoc"))
    ours = statistics.allelic(case, control)
    assert_as_printed(ours.statistic, assoc["CHISQ"])
    assert_as_printed(10**-ours.neg_log10_p, assoc["P"])
