"""Exports read by the programs that they are for: PLINK, bcftools, h5py as GenNet reads it."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
from decimal import Decimal
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.stats
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.association import associate, association_table
from pipeline.cohort import open_cohort
from pipeline.errors import Cancelled, EmptyResultError, InputError
from pipeline.export import FORMATS, browsers, export, gennet, kept, lists, plink
from pipeline.export.tested import p_text, score_effect
from pipeline.ingest import ingest
from pipeline.logistic import regress
from pipeline.quality import filter_variants
from pipeline.schema import CHROMOSOME_ORDER
from pipeline.settings import AnalysisSettings, IngestSettings, with_changes
from pipeline.sources.sumstats import read_summary_file
from pipeline.splits import make_splits
from tests.small_cohorts import FORMATS as FORMATS_OF_VCF
from tests.small_cohorts import codes, make_cohort, run, vcf_text, write_phenotypes

PAR, X = 1_000_000, 5_000_000
SAMPLES = [f"s{i}" for i in range(23)]  # 23: the last byte of a .bed row is not full
DIAGNOSES = {s: ("SCZ", "control", "control", "BP")[i % 4] for i, s in enumerate(SAMPLES)}
SEX = {s: "MFMFFMU"[i % 7] for i, s in enumerate(SAMPLES)}
LOOSE = ["quality.min_call_rate=none", "quality.drop_indels=false"]
ALL = [*LOOSE, "quality.drop_sex_chromosomes=false"]
N_AUTOSOMAL = 60
FILTERS = ("PASS", "low", "low;q9", ".")


def random_text(seed: int = 1) -> str:
    """Return a VCF with two alternates, indels, missing calls, X, Y, MT, QUAL `.` and FILTERs."""
    rng = np.random.default_rng(seed)
    is_male = np.array([SEX[s] == "M" for s in SAMPLES])
    records = []
    for i in range(N_AUTOSOMAL):
        alts = ("C", "C,G", "AT", "*")[i % 4]
        cells = rng.choice(["0/0", "0/1", "1/1", "./."], len(SAMPLES), p=[0.4, 0.3, 0.2, 0.1])
        if "," in alts:
            cells = np.where(rng.random(len(SAMPLES)) < 0.2, "1/2", cells)
        fixed = [("1", "2")[i >= 30], 100 + 10 * i, (f"rs{i}", ".")[i % 2], "A", alts,
                 ("31.5", ".", "1e3")[i % 3], FILTERS[i % 4], "."]  # fmt: skip
        records.append([*fixed, "GT", *cells])
    for chrom, pos in (("X", PAR), ("X", X), ("X", X + 5), ("Y", X), ("MT", 40), ("MT", 50)):
        cells = rng.choice(["0/0", "0/1", "1/1", "./."], len(SAMPLES))
        haploid = rng.choice(["0", "1", "."], len(SAMPLES)).astype("U3")
        if (chrom, pos) == ("X", X):
            haploid[np.flatnonzero(is_male)[0]] = "0/1"  # an error of the source
        if chrom == "MT":
            cells = haploid
        elif pos != PAR:
            cells = np.where(is_male, haploid, cells)
        records.append([chrom, pos, ".", "A", "C", "99", "PASS", ".", "GT", *cells])
    headers = [*FORMATS_OF_VCF.values(), '##FILTER=<ID=q9,Description="Quality">']
    return vcf_text(records, SAMPLES, formats=headers)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    return make_cohort(folder, random_text(), DIAGNOSES, SEX)


def chosen(changes=LOOSE) -> AnalysisSettings:
    return with_changes(AnalysisSettings(), changes)


def kept_of(cohort, changes=LOOSE):
    """Return variants, people and codes (n_variants, n_people) of the kept set, the plain way."""
    found = filter_variants(cohort, chosen(changes).quality)
    people = np.flatnonzero(cohort.is_in(("SCZ", "control")))
    table = cohort.store.frame("SELECT * FROM variants ORDER BY variant_index").iloc[found.kept]
    return table, people, codes(cohort)[found.kept][:, people], found


def variant_ids(table) -> list[str]:
    chrom = table["chrom"].str.removeprefix("chr")
    return (
        chrom + "_" + table["pos"].astype(str) + "_" + table["ref"] + "_" + table["alt"]
    ).tolist()


def plink2(*arguments: object, out: Path) -> None:
    run("plink2", *arguments, "--threads", 1, "--memory", 640, "--out", out)


def geno_counts(*arguments: object, out: Path) -> dict[str, list[int]]:
    """Return hom-ref, het, hom-alt, missing by variant id in PLINK; one copy counts as two."""
    plink2(*arguments, "--geno-counts", out=out)
    table = pd.read_csv(f"{out}.gcount", sep="\t")
    return {
        row.ID: [
            int(row.HOM_REF_CT + row.HAP_REF_CT), int(row.HET_REF_ALT_CTS),
            int(row.TWO_ALT_GENO_CTS + row.HAP_ALT_CTS), int(row.MISSING_CT),
        ]
        for row in table.itertuples()
    }  # fmt: skip


def ours(table, genotypes) -> dict[str, list[int]]:
    rows = [np.bincount(row, minlength=4).tolist() for row in genotypes]
    return dict(zip(variant_ids(table), rows, strict=True))


def test_plink__counts_are_ours(cohort, tmp_path):
    made = export(cohort, tmp_path / "set", "plink", chosen())
    table, people, genotypes, found = kept_of(cohort)
    assert made.variants == len(table) >= N_AUTOSOMAL
    assert made.people == {"case": found.n_case, "control": found.n_control}
    counts = geno_counts("--bfile", tmp_path / "set", out=tmp_path / "c")
    assert counts == ours(table, genotypes)
    summed = dict(zip(variant_ids(table), (found.case + found.control).tolist(), strict=True))
    assert counts == summed
    fam = pd.read_csv(tmp_path / "set.fam", sep="\t", header=None)
    names = [SAMPLES[i] for i in people]
    assert fam[1].tolist() == names
    assert fam[4].tolist() == [{"M": 1, "F": 2, "U": 0}[SEX[s]] for s in names]
    assert fam[5].tolist() == [2 if DIAGNOSES[s] == "SCZ" else 1 for s in names]


def test_plink__is_the_bed_of_the_vcf(cohort, tmp_path):
    """Byte for byte what PLINK makes of the exported VCF."""
    export(cohort, tmp_path / "set", "plink", chosen())
    export(cohort, tmp_path / "set.vcf.gz", "vcf", chosen())
    plink2("--vcf", tmp_path / "set.vcf.gz", "--make-bed", out=tmp_path / "theirs")
    assert (tmp_path / "set.bed").read_bytes() == (tmp_path / "theirs.bed").read_bytes()


def test_plink__sex_chromosomes(cohort, tmp_path):
    """PLINK takes a heterozygous haploid call as missing; the PAR stands apart as XY."""
    made = export(cohort, tmp_path / "set", "plink", chosen(ALL))
    assert any("pseudo-autosomal" in note for note in made.notes)
    table, people, genotypes, _ = kept_of(cohort, ALL)
    bim = pd.read_csv(tmp_path / "set.bim", sep="\t", header=None, dtype={0: str})
    assert bim[0].unique().tolist() == ["1", "2", "X", "XY", "Y", "MT"]
    counts = geno_counts("--bfile", tmp_path / "set", out=tmp_path / "c")
    male = np.array([SEX[SAMPLES[i]] == "M" for i in people])
    region = table["region"].to_numpy()
    expected = genotypes.copy()
    on_x = np.ix_(region == "x", male)
    assert (expected[on_x] == 1).sum() == 1
    expected[on_x] = np.where(expected[on_x] == 1, 3, expected[on_x])
    not_y = region != "y"  # PLINK leaves women out of Y altogether
    wanted = ours(table[not_y], expected[not_y])
    assert {name: counts[name] for name in wanted} == wanted
    assert len(counts) == len(table)


def test_vcf__bcftools_reads_what_we_count(cohort, tmp_path):
    out = tmp_path / "set.vcf.gz"
    made = export(cohort, out, "vcf", chosen(ALL))
    assert made.files == (tmp_path / "set.vcf.gz.tbi", out)
    table, people, genotypes, _ = kept_of(cohort, ALL)
    assert run("bcftools", "query", "-l", out).split() == [SAMPLES[i] for i in people]
    found = run(
        "bcftools", "query", "-f", "%CHROM\t%POS\t%ID\t%REF\t%ALT\t%QUAL\t%FILTER[\t%GT]\n", out
    )
    rows = [line.split("\t") for line in found.splitlines()]
    rsid, failed = table["rsid"].fillna("."), table["filter"].fillna(".")
    qual = [None if np.isnan(value) else value for value in table["qual"]]
    fixed = [
        [chrom, str(pos), *rest]
        for chrom, pos, *rest in zip(
            table["chrom"],
            table["pos"],
            rsid,
            table["ref"],
            table["alt"],
            qual,
            failed,
            strict=True,
        )
    ]
    for row, expected in zip(rows, fixed, strict=True):
        assert row[:5] + row[6:7] == expected[:5] + expected[6:7]
        assert row[5] == "." if expected[5] is None else float(row[5]) == expected[5]
    male = np.array([SEX[SAMPLES[i]] == "M" for i in people])
    two, one = ["0/0", "0/1", "1/1", "./."], ["0", "0/1", "1", "."]
    for row, region, of_row in zip(rows, table["region"], genotypes, strict=True):
        haploid = {"x": male, "y": male, "mt": np.ones_like(male)}.get(region, np.zeros_like(male))
        wanted = [(one if h else two)[g] for g, h in zip(of_row, haploid, strict=True)]
        assert row[7:] == wanted
    assert run("bcftools", "view", "-H", out, "X:4000000-6000000").count("\n") == 2


def test_vcf__tags(cohort, tmp_path):
    out = tmp_path / "set.vcf.gz"
    export(cohort, out, "vcf", chosen())
    filled = tmp_path / "filled.vcf"
    run("bcftools", "+fill-tags", out, "-o", filled, "--", "-t", "AN,AC,AC_Het,AC_Hom,NS")
    found = run("bcftools", "query", "-f", "%AN %AC %AC_Het %AC_Hom %NS\n", filled)
    rows = np.array([line.split() for line in found.splitlines()], int)
    _, _, genotypes, _ = kept_of(cohort)
    called = (genotypes != 3).sum(1)
    het, hom = (genotypes == 1).sum(1), (genotypes == 2).sum(1)
    wanted = np.stack([2 * called, het + 2 * hom, het, 2 * hom, called], axis=1)
    np.testing.assert_array_equal(rows, wanted)


def test_vcf__round_trip(cohort, tmp_path):
    """Ingested again it is the same set; through PLINK and back it has the same counts."""
    out = tmp_path / "set.vcf.gz"
    export(cohort, out, "vcf", chosen(ALL))
    table, people, genotypes, _ = kept_of(cohort, ALL)
    phenotypes = write_phenotypes(tmp_path / "p.tsv", DIAGNOSES, SEX)
    ingest(tmp_path / "cache", "again", [out], phenotypes, IngestSettings(), workers=1)
    again = open_cohort(tmp_path / "cache", "again")
    np.testing.assert_array_equal(codes(again), genotypes)
    columns = ["chrom", "pos", "rsid", "ref", "alt", "qual", "filter", "region"]
    pd.testing.assert_frame_equal(
        again.store.frame("SELECT * FROM variants ORDER BY variant_index")[columns],
        table[columns].reset_index(drop=True),
    )
    assert again.samples["sample_id"].tolist() == [SAMPLES[i] for i in people]


def test_vcf__round_trip_through_plink2(cohort, tmp_path):
    out = tmp_path / "set.vcf.gz"
    export(cohort, out, "vcf", chosen())
    table, _, genotypes, _ = kept_of(cohort)
    ids = ("--set-all-var-ids", "@_#_$r_$a")
    plink2("--vcf", out, *ids, "--make-bed", out=tmp_path / "b")
    assert geno_counts("--bfile", tmp_path / "b", out=tmp_path / "c") == ours(table, genotypes)
    plink2("--bfile", tmp_path / "b", "--export", "vcf", out=tmp_path / "back")
    phenotypes = write_phenotypes(tmp_path / "p.tsv", DIAGNOSES, SEX)
    ingest(tmp_path / "cache", "back", [tmp_path / "back.vcf"], phenotypes, workers=1)
    np.testing.assert_array_equal(codes(open_cohort(tmp_path / "cache", "back")), genotypes)


def test_lists__choose_the_same_from_the_source(cohort, tmp_path):
    """plink2 --keep and --extract on the VCF that was ingested give the counts of the kept set."""
    changes = [*LOOSE, "quality.min_mac=12"]
    made = export(cohort, tmp_path / "set", "lists", chosen(changes))
    assert [path.name for path in made.files] == ["set.keep.txt", "set.extract.txt"]
    source = tmp_path / "source.vcf"
    source.write_text(random_text())
    run("bcftools", "norm", "-m-", source, "-o", tmp_path / "split.vcf")
    counts = geno_counts(
        "--vcf", tmp_path / "split.vcf", "--set-all-var-ids", "@_#_$r_$a", "--autosome",
        "--keep", tmp_path / "set.keep.txt", "--extract", tmp_path / "set.extract.txt",
        out=tmp_path / "c",
    )  # fmt: skip
    table, people, genotypes, _ = kept_of(cohort, changes)
    assert 5 < len(table) < cohort.n_variants - 10
    assert list(counts) == variant_ids(table)
    assert len((tmp_path / "set.keep.txt").read_text().splitlines()) == len(people)
    # bcftools calls an allele of another row reference, which the cohort's rule calls missing.
    single = (table["n_alts"] == 1).to_numpy()
    wanted = ours(table[single], genotypes[single])
    assert {name: counts[name] for name in wanted} == wanted


def test_gennet__equals_unpacked(cohort, tmp_path):
    changes = [*LOOSE, "split.test_fraction=0.3", "split.validation_fraction=0.3"]
    made = export(cohort, tmp_path / "gennet", "gennet", chosen(changes))
    table, people, genotypes, _ = kept_of(cohort, changes)
    subjects = pd.read_csv(tmp_path / "gennet" / "subjects.csv")
    assert subjects.columns.tolist() == ["patient_id", "labels", "genotype_row", "set"]
    assert subjects["patient_id"].tolist() == [SAMPLES[i] for i in people]
    assert subjects["labels"].tolist() == [int(DIAGNOSES[SAMPLES[i]] == "SCZ") for i in people]
    split = make_splits(subjects["labels"].to_numpy() == 1, chosen(changes).split)[0]
    for number, part in enumerate((split.train, split.validation, split.test), start=1):
        assert np.flatnonzero(subjects["set"] == number).tolist() == part.tolist()
    with h5py.File(tmp_path / "gennet" / "genotype.h5") as opened:
        data = opened["data"][:]
    assert data.dtype == np.int8
    assert data.shape == (len(people), len(table))
    missing = genotypes.T == 3
    assert missing.any()
    np.testing.assert_array_equal(data[~missing], genotypes.T[~missing])
    trained = np.ma.masked_equal(genotypes[:, split.train], 3).mean(axis=1).filled(0)
    filled = np.broadcast_to(np.rint(trained), data.shape)
    np.testing.assert_array_equal(data[missing], filled[missing])
    snps = pd.read_csv(tmp_path / "gennet" / "snps.csv")
    assert snps["variant_id"].tolist() == variant_ids(table)
    assert snps["n_imputed"].tolist() == missing.sum(0).tolist()
    assert snps["column"].tolist() == list(range(len(table)))
    assert made.notes == (
        f"{missing.sum():,} missing genotypes hold the rounded mean of the training people",
    )


def rows_of(path: Path) -> list[dict[str, str]]:
    """Return the rows of a tab-separated table, gzipped or not."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    return list(csv.DictReader(io.StringIO(text), delimiter="\t"))


def association_of(cohort, changes):
    """Return what was filtered, and the association table where there is a p."""
    wanted = chosen(changes)
    filtered = filter_variants(cohort, wanted.quality)
    found = associate(cohort, filtered, wanted.association)
    table = association_table(cohort, filtered, found)
    return filtered, table, table[table["p_value"].notna()]


SSF_RULES = {  # GWAS-SSF v1.1.0, table 1
    "chromosome": r"[1-9]|1\d|2[0-5]",
    "base_pair_location": r"[1-9]\d*",
    "effect_allele": "[ACGT]+",
    "other_allele": "[ACGT]+",
    "rsid": r"rs\d+|#NA",
    "variant_id": r"([1-9]|1\d|2[0-5])_\d+_[ACGT]+_[ACGT]+",
    "ref_allele": "EA|OA|#NA",
}


@pytest.mark.parametrize("test", ["allelic", "trend", "genotypic"])
def test_ssf__obeys_the_standard(cohort, tmp_path, test):
    out = tmp_path / "set.tsv"
    export(cohort, out, "ssf", chosen([*ALL, f"association.test={test}"]))
    rows = rows_of(out)
    assert list(rows[0])[:8] == [
        "chromosome", "base_pair_location", "effect_allele", "other_allele", "odds_ratio",
        "standard_error", "effect_allele_frequency", "p_value",
    ]  # fmt: skip
    for row in rows:
        for name, rule in SSF_RULES.items():
            assert re.fullmatch(rule, row[name]), (name, row)
        assert "" not in row.values()
        assert float(row["odds_ratio"]) > 0
        assert 0 < float(row["standard_error"]) < np.inf
        assert 0 <= float(row["effect_allele_frequency"]) <= 1
        assert 0 <= float(row["p_value"]) <= 1
        assert row["variant_id"] == "_".join(
            [row[name] for name in ("chromosome", "base_pair_location", "other_allele",
                                    "effect_allele")]
        )  # fmt: skip
    places = [(int(row["chromosome"]), int(row["base_pair_location"])) for row in rows]
    assert places == sorted(places)
    assert {row["chromosome"] for row in rows} == {"1", "2", "23", "25"}


def test_ssf__is_the_association(cohort, tmp_path):
    changes = [*ALL, "association.test=allelic"]
    out = tmp_path / "set.tsv"
    made = export(cohort, out, "ssf", chosen(changes))
    assert made.files == (tmp_path / "set.tsv-meta.yaml", out)
    filtered, table, with_p = association_of(cohort, changes)
    is_spelled = with_p["effect_allele"] != "*"
    wanted = with_p[is_spelled & with_p["odds_ratio"].notna()]
    found = pd.DataFrame(rows_of(out))
    for name in ("odds_ratio", "standard_error", "effect_allele_frequency", "p_value",
                 "ci_lower", "neg_log_10_p_value", "n_case_het"):  # fmt: skip
        np.testing.assert_allclose(found[name].astype(float), wanted[name].astype(float), 1e-8)
    n_lost = len(table) - len(with_p), int((~is_spelled).sum())
    assert f"{n_lost[0]:,} variants without a p" in made.notes[0]
    assert f"{n_lost[1]:,} variants with an allele" in made.notes[1]
    meta = yaml.safe_load((tmp_path / "set.tsv-meta.yaml").read_text())
    assert meta["data_file_md5sum"] == hashlib.md5(out.read_bytes()).hexdigest()
    assert meta["data_file_name"] == "set.tsv"
    assert meta["genome_assembly"] == "GRCh37"
    assert meta["coordinate_system"] == "1-based"
    assert meta["file_type"] == "GWAS-SSF v1.0"
    assert (meta["is_sorted"], meta["is_harmonised"]) == (True, False)
    assert meta["adjusted_covariates"] == []
    assert "allelic" in meta["analysis_software"]
    assert meta["trait_description"] == ["SCZ against control"]
    assert meta["samples"] == [
        {"sample_size": filtered.n_case + filtered.n_control, "case_control_study": True,
         "case_count": filtered.n_case, "control_count": filtered.n_control}
    ]  # fmt: skip


def test_one_test__a_test_without_odds_ratio_is_told_as_allelic(cohort, tmp_path):
    allelic = export(cohort, tmp_path / "a.tsv", "ssf", chosen([*ALL, "association.test=allelic"]))
    other = export(cohort, tmp_path / "b.tsv", "ssf", chosen([*ALL, "association.test=genotypic"]))
    assert allelic.files[1].read_bytes() == other.files[1].read_bytes()
    assert "genotypic has no odds ratio with an error" in other.notes[0]
    assert not any("no odds ratio with an error" in note for note in allelic.notes)


def test_one_test__trend_effect_and_error_give_the_trend_p(cohort, tmp_path):
    """(ln odds ratio / error)^2 is the statistic in each row: autosomes, X, MT."""
    changes = [*ALL, "association.test=trend"]
    export(cohort, tmp_path / "set.tsv", "ssf", chosen(changes))
    found = pd.DataFrame(rows_of(tmp_path / "set.tsv"))
    number = {name: found[name].astype(float) for name in ("odds_ratio", "standard_error",
                                                           "statistic", "p_value")}  # fmt: skip
    wald = (np.log(number["odds_ratio"]) / number["standard_error"]) ** 2
    np.testing.assert_allclose(wald, number["statistic"], rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(scipy.stats.chi2.sf(wald, 1), number["p_value"], rtol=1e-6)
    assert set(found["chromosome"]) == {"1", "2", "23", "25"}


def test_one_test__trend_effect_is_near_that_of_a_regression():
    """Against statsmodels' additive logistic regression, at an effect of usual size."""
    import statsmodels.api as sm

    case, control = np.array([[500, 400, 100]]), np.array([[560, 370, 70]])
    beta, error = score_effect((case, control, np.array([0.0, 1.0, 2.0])))
    dose = np.repeat([0, 1, 2, 0, 1, 2], [*case[0], *control[0]])
    label = np.repeat([1, 0], [1000, 1000])
    fitted = sm.Logit(label, sm.add_constant(dose)).fit(disp=0)
    np.testing.assert_allclose(beta[0], fitted.params[1], rtol=0.01)
    np.testing.assert_allclose(error[0], fitted.bse[1], rtol=0.01)


def test_p_text__keeps_what_no_float_holds():
    x = np.array([0.0, 3.25, 299.9, 307.6, 323.5, 400.0, 12345.678])
    texts = p_text(x)
    assert texts[0] == "1"
    assert float(texts[1]) == pytest.approx(10**-3.25, rel=1e-9)
    np.testing.assert_allclose([-float(Decimal(text).log10()) for text in texts], x, atol=1e-8)


def test_pheweb(cohort, tmp_path):
    changes = [*ALL, "association.test=allelic"]
    out = tmp_path / "set.tsv.gz"
    made = export(cohort, out, "pheweb", chosen(changes))
    assert [path.name for path in made.files] == ["set.tsv.gz.tbi", "set.tsv.gz"]
    rows = pd.DataFrame(rows_of(out))
    assert rows.columns.tolist() == [
        "chrom", "pos", "ref", "alt", "pval", "af", "case_af", "control_af", "beta", "sebeta",
        "num_cases", "num_controls",
    ]  # fmt: skip
    filtered, _, with_p = association_of(cohort, changes)
    assert rows["chrom"].tolist() == with_p["chromosome"].tolist()
    assert rows["ref"].tolist() == with_p["other_allele"].tolist()
    has_effect = with_p["odds_ratio"].notna().to_numpy()
    assert (rows["beta"] == "NA").tolist() == (~has_effect).tolist()
    np.testing.assert_allclose(rows["pval"].astype(float), with_p["p_value"], 1e-8)
    beta = rows["beta"][has_effect].astype(float)
    np.testing.assert_allclose(np.exp(beta), with_p["odds_ratio"][has_effect], 1e-8)
    assert set(rows["num_cases"]) == {str(filtered.n_case)}
    assert set(rows["num_controls"]) == {str(filtered.n_control)}
    # Frequencies counted the plain way, on an autosome and of the two groups together.
    first = with_p.iloc[0]
    for role in ("case", "control"):
        het, hom = first[f"n_{role}_het"], first[f"n_{role}_hom_alt"]
        frequency = (het + 2 * hom) / (2 * (first[f"n_{role}_hom_ref"] + het + hom))
        assert float(rows[f"{role}_af"][0]) == pytest.approx(frequency)
    np.testing.assert_allclose(rows["af"].astype(float), with_p["effect_allele_frequency"], 1e-8)


def test_pheweb__frequency_of_a_group_is_that_of_plink(cohort, tmp_path):
    """On X a man counts once. (The planted heterozygous man is missing; PLINK halves him.)"""
    export(cohort, tmp_path / "set.tsv.gz", "pheweb", chosen([*ALL, "association.test=allelic"]))
    export(cohort, tmp_path / "set", "plink", chosen(ALL))
    plink2("--bfile", tmp_path / "set", "--keep-if", "PHENO1==case", "--freq", out=tmp_path / "f")
    theirs = pd.read_csv(tmp_path / "f.afreq", sep="\t").set_index("ID")["ALT_FREQS"]
    rows = pd.DataFrame(rows_of(tmp_path / "set.tsv.gz"))
    rows = rows[(rows["chrom"] != "X") | (rows["pos"] != str(X))]
    ids = rows["chrom"] + "_" + rows["pos"] + "_" + rows["ref"] + "_" + rows["alt"]
    wanted = theirs.loc[ids].to_numpy(float)
    np.testing.assert_allclose(rows["case_af"].astype(float), wanted, rtol=1e-5)


def test_locuszoom__tabix_finds_a_region(cohort, tmp_path):
    out = tmp_path / "set.tsv.gz"
    export(cohort, out, "locuszoom", chosen([*ALL, "association.test=allelic"]))
    head = ["#chrom", "pos", "rsid", "ref", "alt", "neg_log_pvalue", "beta", "stderr_beta",
            "alt_allele_freq"]  # fmt: skip
    assert run("tabix", "-H", out).rstrip("\n").split("\t") == head
    _, _, with_p = association_of(cohort, [*ALL, "association.test=allelic"])
    hits = with_p[(with_p["chromosome"] == "2") & with_p["base_pair_location"].between(450, 500)]
    found = [line.split("\t") for line in run("tabix", out, "2:450-500").splitlines()]
    assert [row[1] for row in found] == hits["base_pair_location"].astype(str).tolist()
    assert len(found) > 2
    np.testing.assert_allclose(
        [float(row[5]) for row in found], hits["neg_log_10_p_value"], rtol=1e-8
    )
    assert len(run("tabix", out, "X:1-9999999").splitlines()) == int(
        (with_p["chromosome"] == "X").sum()
    )
    assert run("tabix", out, "1").count("\n") + run("tabix", out, "2").count("\n") > 40


@pytest.mark.parametrize(
    ("what", "name"), [("ssf", "a.tsv"), ("pheweb", "a.tsv.gz"), ("locuszoom", "b.tsv.gz")]
)
def test_round_trip__read_again_it_has_the_same_p(cohort, tmp_path, what, name):
    out = tmp_path / name
    export(cohort, out, what, chosen([*ALL, "association.test=trend"]))
    summary = read_summary_file(out)
    _, _, with_p = association_of(cohort, [*ALL, "association.test=trend"])
    if what == "ssf":
        with_p = with_p[with_p["effect_allele"] != "*"]
    assert summary.n_unread == {}
    assert summary.pos.tolist() == with_p["base_pair_location"].tolist()
    assert summary.chrom_order.tolist() == with_p["chromosome"].map(CHROMOSOME_ORDER).tolist()
    np.testing.assert_allclose(
        summary.neg_log10_p, with_p["neg_log_10_p_value"], rtol=1e-6, atol=1e-7
    )


OUT = {"vcf": "a.vcf.gz", "plink": "a", "gennet": "folder", "ssf": "a.tsv", "lists": "a",
       "pheweb": "p.tsv.gz", "locuszoom": "z.tsv.gz"}  # fmt: skip


@pytest.mark.parametrize("what", FORMATS)
def test_overwrites_only_when_forced_and_leaves_nothing_half(cohort, tmp_path, what):
    out = tmp_path / OUT[what]
    made = export(cohort, out, what, chosen())
    before = {path: path.read_bytes() for path in made.files}
    assert all(before.values())
    made.files[0].unlink()
    with pytest.raises(InputError, match=r"exists; name another path, or add --force\.$"):
        export(cohort, out, what, chosen())
    made.files[-1].write_text("old")
    export(cohort, out, what, chosen(), force=True)
    assert made.files[-1].read_bytes() != b"old"
    left = {p for p in tmp_path.rglob("*") if p.is_file()}
    assert left == set(made.files)


@pytest.mark.parametrize("what", FORMATS)
def test_stopped_or_empty_leaves_nothing(cohort, tmp_path, what):
    def stop(_):
        raise Cancelled

    with pytest.raises(Cancelled):
        export(cohort, tmp_path / OUT[what], what, chosen(), on_progress=stop)
    with pytest.raises(EmptyResultError, match=r"keep none of \d+; loosen"):
        export(cohort, tmp_path / OUT[what], what, chosen(["quality.min_mac=1000"]))
    assert list(tmp_path.rglob("*")) == []


def test_one_sentence_for_a_path_of_the_wrong_kind(cohort, tmp_path):
    for what in ("vcf", "ssf", "pheweb", "locuszoom"):
        with pytest.raises(InputError, match=r"ends in \.(vcf\.gz|tsv|tsv\.gz), but set was given"):
            export(cohort, tmp_path / "set", what)


def test_blanks_in_a_name_are_told(tmp_path):
    names = ["a b", "c"]
    text = vcf_text([["1", 5, "A", "C", "GT", "0/1", "0/0"]], names)
    cohort = make_cohort(tmp_path, text, {"a b": "case", "c": "control"})
    for what in ("plink", "lists"):
        with pytest.raises(InputError, match="'a b'; rename it"):
            export(cohort, tmp_path / "set", what)
    assert export(cohort, tmp_path / "set.vcf.gz", "vcf").variants == 1
    assert run("bcftools", "query", "-l", tmp_path / "set.vcf.gz").splitlines() == names


def test_blocks_do_not_show(cohort, tmp_path, monkeypatch):
    """Blocks of one and of all variants write the same bytes."""
    whole = {what: export(cohort, tmp_path / OUT[what], what, chosen(ALL)) for what in FORMATS}
    monkeypatch.setattr(kept, "BLOCK_GENOTYPES", 3 * len(SAMPLES))
    for module in (kept, gennet, lists, browsers):
        monkeypatch.setattr(module, "MOST_VARIANTS", 7)
    for what, made in whole.items():
        before = [path.read_bytes() for path in made.files if path.suffix not in {".h5", ".yaml"}]
        if what == "gennet":
            with h5py.File(made.files[-1]) as opened:
                data = opened["data"][:]
        export(cohort, tmp_path / OUT[what], what, chosen(ALL), force=True)
        after = [path.read_bytes() for path in made.files if path.suffix not in {".h5", ".yaml"}]
        assert before == after
        if what == "gennet":
            with h5py.File(made.files[-1]) as opened:
                np.testing.assert_array_equal(opened["data"][:], data)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 3), min_size=1, max_size=40))
def test_bed_codes(row):
    """Each genotype stands in .bed's own bits: 11 hom-ref, 10 het, 00 hom-alt, 01 missing."""
    from pipeline.genotypes import pack

    packed = pack(np.array([row], np.uint8))
    made = plink._BED_BYTES[packed][0]
    bits = [(made[i // 4] >> (2 * (i % 4))) & 3 for i in range(len(row))]
    assert bits == [(0b11, 0b10, 0b00, 0b01)[g] for g in row]


def test_command_line(cohort, tmp_path, capfd):
    """The verb prints one JSON value; a refusal is one sentence and status 1."""
    import argparse

    from pipeline.cli import export_verbs
    from pipeline.errors import PipelineError

    (verb,) = export_verbs.VERBS
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    verb.arguments(parser)
    cache = cohort.store.path.parents[2]
    asked = parser.parse_args(
        [cohort.name, "--format", "plink", "--out", str(tmp_path / "set"), "--json",
         "--set", *LOOSE, "--case", "BP", "--control", "control"]
    )  # fmt: skip
    asked.cache = cache
    verb.run(asked)
    said = json.loads(capfd.readouterr().out)
    assert said["people"] == {"case": 5, "control": 12}
    assert [Path(path).name for path in said["files"]] == ["set.bim", "set.fam", "set.bed"]
    assert len((tmp_path / "set.bim").read_text().splitlines()) == said["variants"]
    with pytest.raises(PipelineError, match="exists"):
        verb.run(asked)
    assert set(export_verbs._FORMATS) == set(FORMATS)


def test_one_test__logistic_writes_its_own_odds_ratio(cohort, tmp_path):
    """Odds ratio, error and p of the regression; its covariates stand in the meta file."""
    changes = [*ALL, "association.test=logistic", "association.covariates=sex"]
    out = tmp_path / "set.tsv"
    export(cohort, out, "ssf", chosen(changes))
    rows = pd.DataFrame(rows_of(out)).set_index("variant_id")
    filtered = filter_variants(cohort, chosen(changes).quality)
    fitted = regress(cohort, filtered, chosen(changes).association)
    wanted = association_table(
        cohort, filtered, associate(cohort, filtered, chosen(changes).association, logistic=fitted)
    ).set_index("variant_id")
    autosomal = [name for name in rows.index if name.startswith(("1_", "2_"))]
    assert len(autosomal) > 30
    for name in ("odds_ratio", "standard_error", "p_value"):
        found = rows.loc[autosomal, name].astype(float)
        np.testing.assert_allclose(found, wanted.loc[autosomal, name], rtol=1e-8)
    wald = (np.log(rows["odds_ratio"].astype(float)) / rows["standard_error"].astype(float)) ** 2
    np.testing.assert_allclose(
        scipy.stats.chi2.sf(wald, 1), rows["p_value"].astype(float), rtol=1e-5
    )
    np.testing.assert_array_equal(rows["n"].astype(int).max(), fitted.n_people.max())
    meta = yaml.safe_load((tmp_path / "set.tsv-meta.yaml").read_text())
    assert meta["adjusted_covariates"] == ["sex"]
    assert "logistic" in meta["analysis_software"]
