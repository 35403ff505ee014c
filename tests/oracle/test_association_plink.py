"""`associate --out` equals PLINK 1.9 for every variant that PLINK tests, X included."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from pipeline.annotation import annotate
from pipeline.association import associate, odds_ratios
from pipeline.cli import main
from pipeline.quality import filter_variants
from pipeline.settings import AssociationSettings, QualitySettings
from tests.conftest import UWGAC
from tests.oracle.test_plink_statistics import (
    PLINK_TEST,
    assert_as_printed,
    import_vcf,
    split_counts,
    uwgac_people,
)
from tests.small_cohorts import make_cohort, run, vcf_text
from tests.tools import shared_data

COLUMNS = [
    "chromosome", "base_pair_location", "variant_id", "rsid", "effect_allele", "other_allele",
    "odds_ratio", "ci_lower", "ci_upper", "standard_error", "effect_allele_frequency", "p_value",
    "neg_log_10_p_value", "statistic", "df", "n", "n_case_hom_ref", "n_case_het", "n_case_hom_alt",
    "n_control_hom_ref", "n_control_het", "n_control_hom_alt", "gene",
]  # fmt: skip
KEEP_ALL = (
    "quality.qual_above=off", "quality.drop_sex_chromosomes=no", "quality.drop_indels=no",
)  # fmt: skip
GENES = "annot/genes-v36-hg19.bed"


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> dict[str, tuple[pd.DataFrame, dict]]:
    """The table and the JSON of each test, by way of the command line from VCF to TSV."""
    folder = tmp_path_factory.mktemp("written")
    files = [str(shared_data(file)) for file in UWGAC]
    common = ["--cache", str(folder / "cache"), "--json"]
    phenotypes = ["--phenotypes", str(shared_data("uwgac-1kg/phenotypes.tsv"))]
    rule = ["--other-alleles", "reference", "--genes", str(shared_data(GENES))]
    assert main(["ingest", *files, *phenotypes, "--name", "u", *rule, *common]) == 0
    found = {}
    for test in ("genotypic", "genotypic_df4", "allelic", "trend", "dominant", "recessive",
                 "fisher"):  # fmt: skip
        out = folder / f"{test}.tsv"
        arguments = ["associate", "u", "--test", test, "--out", str(out), *common]
        with pytest.MonkeyPatch.context() as patch, (folder / "said").open("w") as stdout:
            patch.setattr("sys.stdout", stdout)
            assert main([*arguments, "--set", *KEEP_ALL]) == 0
        table = pd.read_csv(out, sep="\t", na_values="#NA", keep_default_na=False,
                            dtype={"chromosome": str})  # fmt: skip
        found[test] = table, json.loads((folder / "said").read_text())
    return found


@pytest.fixture(scope="module", params=UWGAC, ids=["autosomes", "x"])
def theirs(request, tmp_path_factory):
    """PLINK's files of the split variants, and the rows of our table that they are."""
    folder = tmp_path_factory.mktemp("plink")
    run("bcftools", "norm", "-m-", shared_data(request.param), "-Oz", "-o", folder / "s.vcf.gz")
    options = ("--split-x", "b37", "no-fail") if "chrX" in request.param else ()
    return import_vcf(folder / "s.vcf.gz", uwgac_people(), folder / "p", *options)


def rows_of(table: pd.DataFrame, plink_files) -> tuple[np.ndarray, pd.DataFrame]:
    """Return which of PLINK's variants are kept, and our rows of those, in PLINK's order."""
    bim = pd.read_csv(f"{plink_files.prefix}.bim", sep=r"\s+", header=None, dtype=str)
    chrom = bim[0].replace({"23": "X", "25": "X"})
    ids = chrom + "_" + bim[3] + "_" + bim[5] + "_" + bim[4]
    ours = table.set_index("variant_id")
    assert ours.index.is_unique
    is_kept = ids.isin(ours.index).to_numpy()
    return is_kept, ours.loc[ids[is_kept]]


def test_columns_and_rows(written):
    for table, said in written.values():
        assert list(table.columns) == COLUMNS
        assert said["out"].endswith(".tsv")
        assert said["tested"] == table["p_value"].notna().sum()
        assert len(table) > 25_000
        assert table["variant_id"].is_unique
        p = table["p_value"].dropna()
        assert said["significant"]["raw"] == (p < 0.05).sum()
        assert said["significant"]["bonferroni"] == (p < 0.05 / len(p)).sum()
        np.testing.assert_allclose(10 ** -table["neg_log_10_p_value"], table["p_value"], rtol=1e-8)
        key = table["chromosome"] + "_" + table["base_pair_location"].astype(str)
        key += "_" + table["other_allele"] + "_" + table["effect_allele"]
        assert (key == table["variant_id"]).all()


@pytest.mark.parametrize(
    "name", ["genotypic", "genotypic_df4", "allelic", "trend", "dominant", "recessive"]
)
def test_statistic_df_p__plink_model(written, theirs, name):
    """On X PLINK's --model is of females; our allelic and trend are of everybody there."""
    is_kept, ours = rows_of(written[name][0], theirs)
    assert not is_kept.all() or len(ours) == len(is_kept)
    is_x = (theirs.chrom == 23)[is_kept]
    plink_name = {v: k for k, v in PLINK_TEST.items()}[name.removesuffix("_df4")]
    model = theirs.table("model", "--model", "--cell", "0")
    # PLINK writes no row for a variant that it cannot test at all.
    model = model[model["TEST"] == plink_name].reset_index(drop=True)
    assert len(model) == len(is_kept)
    model = model[is_kept].reset_index(drop=True)
    here = np.ones(len(ours), bool) if name not in ("allelic", "trend") else ~is_x
    if here.any():
        assert_as_printed(ours["statistic"].to_numpy()[here], model["CHISQ"][here])
        df = model["DF"].to_numpy(float)[here] * (2 if name == "genotypic_df4" else 1)
        np.testing.assert_array_equal(ours["df"].to_numpy(float)[here], df)
        if name != "genotypic_df4":
            assert_as_printed(ours["p_value"].to_numpy()[here], model["P"][here])
    autosomal = ours[~is_x]
    for role, column in (("case", "AFF"), ("control", "UNAFF")):
        names = [f"n_{role}_{row}" for row in ("hom_ref", "het", "hom_alt")]
        printed = written_counts(theirs, column)[is_kept][~is_x]
        np.testing.assert_array_equal(autosomal[names].to_numpy(), printed)
    called = ours[[c for c in COLUMNS if c.startswith(("n_case", "n_control"))]].sum(axis=1)
    np.testing.assert_array_equal(ours["n"], called)


def test_fisher__plink_model_fisher(written, theirs):
    """2 x 3 of everybody, on X of females; PLINK says 1 where there is one genotype."""
    is_kept, ours = rows_of(written["fisher"][0], theirs)
    model = theirs.table("model", "--model", "fisher", "--cell", "0")
    model = model[model["TEST"] == "GENO"].reset_index(drop=True)
    assert len(model) == len(is_kept)
    p = ours["p_value"].to_numpy()
    tested = ~np.isnan(p)
    assert_as_printed(p[tested], model["P"][is_kept][tested])
    assert np.isin(model["P"][is_kept][~tested].dropna(), [1.0]).all()
    assert ours["statistic"].isna().all()
    assert ours["df"].isna().all()


def written_counts(theirs, column: str) -> np.ndarray:
    model = theirs.table("model", "--model", "--cell", "0")
    return split_counts(model[model["TEST"] == "GENO"][column])


def test_allelic_and_odds_ratio__plink_assoc(written, theirs):
    """--assoc counts one allele of a male on X; the odds ratio is of these, whatever the test."""
    is_kept, ours = rows_of(written["allelic"][0], theirs)
    assoc = theirs.table("assoc", "--assoc", "--ci", "0.95")[is_kept].reset_index(drop=True)
    assert_as_printed(ours["statistic"].to_numpy(), assoc["CHISQ"])
    assert_as_printed(ours["p_value"].to_numpy(), assoc["P"])
    for name in written:
        _, rows = rows_of(written[name][0], theirs)
        ratio = assoc["OR"].to_numpy(float)
        filled = np.isfinite(ratio) & (ratio > 0)
        np.testing.assert_array_equal(rows["odds_ratio"].notna(), filled)
        for column, printed in (
            ("odds_ratio", "OR"),
            ("standard_error", "SE"),
            ("ci_lower", "L95"),
            ("ci_upper", "U95"),
        ):
            assert_as_printed(rows[column].to_numpy()[filled], assoc[printed][filled])
    # The error by its formula: the root of the summed reciprocals of the four allele counts.
    is_x = (theirs.chrom == 23)[is_kept]
    auto = ours[~is_x & filled]
    cells = [
        auto[f"n_{r}_het"] + 2 * auto[f"n_{r}_{hom}"]
        for r in ("case", "control") for hom in ("hom_ref", "hom_alt")
    ]  # fmt: skip
    error = np.sqrt(sum(1 / cell for cell in cells))
    np.testing.assert_allclose(auto["standard_error"], error, rtol=1e-8)


def test_effect_allele_frequency__plink2_freq(written, theirs, tmp_path):
    is_kept, ours = rows_of(written["genotypic"][0], theirs)
    run("plink2", "--bfile", theirs.prefix, "--freq", "--threads", "1", "--out", tmp_path / "f")
    freq = pd.read_csv(tmp_path / "f.afreq", sep="\t")[is_kept]
    assert (freq["ALT"].to_numpy() == ours["effect_allele"].to_numpy()).all()
    np.testing.assert_allclose(ours["effect_allele_frequency"], freq["ALT_FREQS"], rtol=1e-5)


def test_trend_on_x__score_test_of_logistic_regression(written, theirs):
    """Males 0 / 2 with sex as covariate: the score test of PLINK's own coding, by hand."""
    is_kept, ours = rows_of(written["trend"][0], theirs)
    on_x = theirs.chrom == 23
    if not on_x.any():
        return  # autosomes are PLINK's TREND above
    genotypes = theirs.genotypes[on_x & is_kept].astype(float)
    statistic = ours["statistic"].to_numpy()[on_x[is_kept]]
    male = theirs.is_male
    for g, ours_x in list(zip(genotypes, statistic, strict=True))[::20]:
        called = (g != 3) & ~(male & (g == 1))
        y, x, sex = theirs.is_case[called] * 1.0, g[called], male[called]
        score = variance = 0.0
        for s in (True, False):
            ys, xs = y[sex == s], x[sex == s]
            score += ((ys - ys.mean()) * xs).sum()
            variance += ys.mean() * (1 - ys.mean()) * ((xs - xs.mean()) ** 2).sum()
        np.testing.assert_allclose(ours_x, score**2 / variance if variance else np.nan)


def test_genes__brute_force(written):
    table = written["genotypic"][0]
    bed = pd.read_csv(shared_data(GENES), sep="\t", header=None, dtype={0: str})
    by_chrom = {c: g for c, g in bed.groupby(bed[0].str.removeprefix("chr"))}
    chosen = table.iloc[::7]
    expected = []
    for chrom, pos, ref in zip(
        chosen["chromosome"], chosen["base_pair_location"], chosen["other_allele"], strict=True
    ):
        genes = by_chrom[chrom]
        near = (genes[1] + 1 - 1000 <= pos + len(ref) - 1) & (pos <= genes[2] + 1000)
        expected.append(";".join(sorted(set(genes[3][near]))) or None)
    found = [None if pd.isna(gene) else gene for gene in chosen["gene"]]
    assert found == expected
    assert sum(";" in gene for gene in found if gene) > 10
    assert None in found


def test_annotate_again_gives_the_same_genes(written, tmp_path_factory):
    """A table joined twice, as by ingest --genes and then annotate, changes nothing."""
    cache = next(tmp_path_factory.getbasetemp().glob("written*/cache"))
    made = annotate(cache, "u", shared_data(GENES))
    assert made.n_variants_with_gene > 10_000
    assert len(list((cache / "cohorts" / "u").glob("annotation-*"))) == 1


def test_mitochondrion_counts_one_allele_a_person(tmp_path):
    """PLINK 1.9 `--assoc` on MT: haploid calls count once; a heterozygote is missing."""
    rng = np.random.default_rng(7)
    names = [f"p{i}" for i in range(60)]
    is_case = np.arange(60) % 2 == 0
    records = [
        ["MT", 100 + i, "A", "G", "GT",
         *np.where(rng.random(60) < 0.2 + 0.15 * is_case * (i % 2), "1", "0")]
        for i in range(8)
    ]  # fmt: skip
    diagnoses = dict(zip(names, np.where(is_case, "case", "control"), strict=True))
    cohort = make_cohort(tmp_path, vcf_text(records, names), diagnoses)
    fam = tmp_path / "mt.fam.txt"
    fam.write_text("".join(f"{n} {n} {2 if c else 1}\n" for n, c in zip(names, is_case,
                                                                        strict=True)))  # fmt: skip
    vcf = tmp_path / "small.vcf"
    run("plink1.9", "--vcf", vcf, "--double-id", "--keep-allele-order", "--pheno", fam, "--assoc",
        "--allow-no-sex", "--out", tmp_path / "p")  # fmt: skip
    run("plink1.9", "--vcf", vcf, "--double-id", "--keep-allele-order", "--pheno", fam, "--assoc",
        "fisher", "--allow-no-sex", "--out", tmp_path / "p")  # fmt: skip
    expected = pd.read_csv(tmp_path / "p.assoc", sep=r"\s+").sort_values("BP")
    filtered = filter_variants(cohort, QualitySettings(drop_sex_chromosomes=False))
    found = associate(cohort, filtered, AssociationSettings(test="allelic"))
    np.testing.assert_allclose(found.statistic, expected["CHISQ"], rtol=5e-4)
    np.testing.assert_allclose(odds_ratios(cohort, filtered).odds_ratio, expected["OR"], rtol=5e-4)
    exact = pd.read_csv(tmp_path / "p.assoc.fisher", sep=r"\s+").sort_values("BP")
    for table in ("genotypes", "alleles"):
        settings = AssociationSettings(test="fisher", fisher_table=table)
        found = associate(cohort, filtered, settings)
        np.testing.assert_allclose(10**-found.neg_log10_p, exact["P"], rtol=5e-4)
    for test in ("dominant", "recessive"):
        found = associate(cohort, filtered, AssociationSettings(test=test))
        np.testing.assert_allclose(found.statistic, expected["CHISQ"], rtol=5e-4)
