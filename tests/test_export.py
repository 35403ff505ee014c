"""Exports read by the programs that they are for: PLINK, bcftools, h5py as GenNet reads it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import export as export_module
from pipeline.association import associate, association_table
from pipeline.cohort import open_cohort
from pipeline.errors import Cancelled, EmptyResultError, InputError
from pipeline.export import FORMATS, export
from pipeline.ingest import ingest
from pipeline.quality import filter_variants
from pipeline.settings import AnalysisSettings, IngestSettings, with_changes
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


def test_ssf__is_the_association_in_the_order_of_the_standard(cohort, tmp_path):
    changes = [*ALL, "association.test=allelic"]
    out = tmp_path / "set.tsv"
    made = export(cohort, out, "ssf", chosen(changes))
    assert made.files == (tmp_path / "set.tsv-meta.yaml", out)
    rows = list(csv.DictReader(io.StringIO(out.read_text()), delimiter="\t"))
    assert list(rows[0])[:8] == [
        "chromosome", "base_pair_location", "effect_allele", "other_allele", "odds_ratio",
        "standard_error", "effect_allele_frequency", "p_value",
    ]  # fmt: skip
    filtered = filter_variants(cohort, chosen(changes).quality)
    found = associate(cohort, filtered, chosen(changes).association)
    table = association_table(cohort, filtered, found)
    tested = table[table["p_value"].notna()]
    assert [row["variant_id"] for row in rows] == tested["variant_id"].tolist()
    np.testing.assert_allclose([float(row["p_value"]) for row in rows], tested["p_value"], 1e-8)
    assert {row["chromosome"] for row in rows} == {"1", "2", "23", "25"}
    assert f"{len(table) - len(rows):,} variants" in made.notes[0]
    meta = (tmp_path / "set.tsv-meta.yaml").read_text()
    assert hashlib.md5(out.read_bytes()).hexdigest() in meta
    assert "genome_assembly: GRCh37\n" in meta
    assert f"case_count: {filtered.n_case}\n" in meta


OUT = {"vcf": "a.vcf.gz", "plink": "a", "gennet": "folder", "ssf": "a.tsv", "lists": "a"}


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
    for what in ("vcf", "ssf"):
        with pytest.raises(InputError, match=r"ends in \.(vcf\.gz|tsv), but set was given"):
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
    monkeypatch.setattr(export_module, "_BLOCK_GENOTYPES", 3 * len(SAMPLES))
    monkeypatch.setattr(export_module, "_MOST_VARIANTS", 7)
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
    made = export_module._BED_BYTES[packed][0]
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
