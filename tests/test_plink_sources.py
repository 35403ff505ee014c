"""PLINK 1 and 2 files give the cohort of the VCF they were made from; plink2 is the oracle."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import ingest as ingest_module
from pipeline.cli import main
from pipeline.cohort import Cohort, open_cohort
from pipeline.errors import InputError
from pipeline.ingest import ingest
from pipeline.quality import filter_variants
from pipeline.schema import chromosome_order, plain_chromosome
from pipeline.settings import IngestSettings, QualitySettings
from pipeline.sources.formats import open_source
from pipeline.sources.phenotypes import read_phenotypes, read_sample_ids
from pipeline.sources.sites import read_sites, scan_sites
from tests.conftest import UWGAC
from tests.small_cohorts import codes, counts, run, tables, variants, vcf_text, write_vcf
from tests.tools import shared_data

PEOPLE = [f"s{i}" for i in range(37)]  # no multiple of 4
SEX = {s: (1, 2, 0)[i % 3] for i, s in enumerate(PEOPLE)}
STATUS = {s: (2, 1, 1, -9)[i % 4] for i, s in enumerate(PEOPLE)}
COUNTED = ("n_hom_ref", "n_het", "n_hom_alt", "n_missing",
           "site_n_called", "site_n_missing", "site_n_nonref")  # fmt: skip


def random_text(*, many_alts: bool, n: int = 130) -> str:
    """Return a VCF that PLINK can hold: whole calls, haploid ones for males on X, for all on MT."""
    rng = random.Random(4)
    records = []
    for chrom in ("1", "2", "X", "MT"):
        for i in range(n):
            alts = rng.choice(["C", "AT", "C,T", "G,*,T"] if many_alts else ["C", "AT", "G"])
            alleles = range(1 + len(alts.split(",")))
            calls = []
            for person in PEOPLE:
                a, b = sorted(rng.choices(alleles, weights=[4, 3, 3, 3][: len(alleles)], k=2))
                has_one = chrom == "MT" or (chrom == "X" and SEX[person] == 1)
                called, missing = (str(a), ".") if has_one else (f"{a}/{b}", "./.")
                calls.append(missing if rng.random() < 0.1 else called)
            fixed = [chrom, 3_000_000 + 7 * i, f"rs{i}" if i % 2 else ".", "A", alts]
            records.append([*fixed, rng.choice([".", "30.5", "7"]),
                            rng.choice(["PASS", "low", "."]), ".", "GT", *calls])  # fmt: skip
    return vcf_text(records, PEOPLE)


def psam(path: Path) -> Path:
    rows = [f"{s}\t{SEX[s]}\t{STATUS[s]}\t{i}" for i, s in enumerate(PEOPLE)]
    path.write_text("\n".join(["#IID\tSEX\tDISEASE\tAGE", *rows]) + "\n")
    return path


def convert(vcf: Path, people: Path, out: Path, *options: str) -> Path:
    """Return the prefix of the files that plink2 makes of a VCF."""
    run("plink2", "--vcf", vcf, "--psam", people, *options, "--out", out)
    return out


def ingested(folder: Path, path: Path, phenotypes: Path | None = None, name: str = "c",
             workers: int = 1, **settings) -> Cohort:  # fmt: skip
    ingest(folder, name, [path], phenotypes, IngestSettings(**settings), workers=workers)
    return open_cohort(folder, name)


def by_variant(cohort: Cohort, names: tuple[str, ...] = COUNTED) -> dict[tuple, tuple]:
    """Return the counts of each variant by its place and alleles."""
    table, found = variants(cohort), counts(cohort)
    chroms = [plain_chromosome(chrom) for chrom in table["chrom"]]
    keys = zip(chroms, table["pos"], table["ref"], table["alt"], strict=True)
    rows = zip(*(found[name].tolist() for name in names), codes(cohort).tolist(), strict=True)
    made = dict(zip(keys, rows, strict=True))
    assert len(made) == len(table)
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """A folder with small.vcf, its PLINK 1 and 2 files, and the same for several alternates."""
    folder = tmp_path_factory.mktemp("plink")
    people = psam(folder / "people.psam")
    small = write_vcf(folder / "small.vcf", random_text(many_alts=False))
    many = write_vcf(folder / "many.vcf", random_text(many_alts=True))
    convert(small, people, folder / "small", "--make-bed")
    convert(small, people, folder / "small", "--make-pgen", "vzs")
    convert(many, people, folder / "many", "--make-pgen")
    return folder


@pytest.mark.parametrize("file", ["small.bed", "small.pgen"])
def test_counts_are_those_of_the_vcf(files, tmp_path, file):
    people = files / "small.psam"
    vcf = ingested(tmp_path, files / "small.vcf", people, "vcf")
    made = ingested(tmp_path, files / file, people)
    assert by_variant(made) == by_variant(vcf)
    assert tables(made)["sex_counts"] == tables(vcf)["sex_counts"]
    assert tables(made)["samples"] == tables(vcf)["samples"]
    assert list(variants(made)["rsid"].dropna()) == list(variants(vcf)["rsid"].dropna())


@pytest.mark.parametrize("rule", ["missing", "reference"])
def test_several_alternates_of_a_pgen_are_split_as_those_of_a_vcf(files, tmp_path, rule):
    people = files / "many.psam"
    vcf = ingested(tmp_path, files / "many.vcf", people, "vcf", other_alleles=rule)
    made = ingested(tmp_path, files / "many.pgen", people, other_alleles=rule)
    assert tables(made) == tables(vcf)  # QUAL, FILTER, IDs and the order too
    assert (variants(made)["n_alts"] > 1).sum() > 100


@pytest.mark.parametrize("file", ["small.bed", "small.pgen", "many.pgen"])
def test_result_does_not_depend_on_workers_or_cutting(files, tmp_path, file, monkeypatch):
    plain = ingested(tmp_path, files / file)
    for name in ("_TASK_BYTES", "_WHOLE_BYTES"):
        monkeypatch.setattr(ingest_module, name, (700, 700) if name == "_TASK_BYTES" else 0)
    assert len(open_source(files / file).parts(700).parts) > 4
    for workers in (1, 2):
        cut = ingested(tmp_path, files / file, name=f"w{workers}", workers=workers)
        assert cut.fingerprint == plain.fingerprint
        assert tables(cut) == tables(plain)


def test_people_in_another_order_and_some_left_out(files, tmp_path):
    """What is read follows the source's people, whoever has a phenotype."""
    chosen = [PEOPLE[i] for i in (30, 2, 17, 5)]
    table = tmp_path / "some.txt"
    table.write_text("FID IID pheno\n" + "".join(f"0 {s} {STATUS[s]}\n" for s in chosen))
    for file in ("small.bed", "many.pgen"):
        everybody = codes(ingested(tmp_path, files / file, name="all"))
        some = codes(ingested(tmp_path, files / file, table, "some"))
        kept = [PEOPLE.index(s) for s in sorted(chosen, key=PEOPLE.index)]
        diploid = everybody[:, kept]
        np.testing.assert_array_equal(some, diploid)


def test_files_whose_people_stand_in_another_order(files, tmp_path):
    """A file a chromosome; the second has its people turned round."""
    turned = tmp_path / "turned.txt"
    turned.write_text("#IID\n" + "\n".join(PEOPLE[::-1]) + "\n")
    run("plink2", "--pfile", files / "many", "--chr", "1", "--make-pgen", "--out", tmp_path / "a")
    run("plink2", "--pfile", files / "many", "--not-chr", "1", "--indiv-sort", "f", turned,
        "--make-pgen", "--out", tmp_path / "b")  # fmt: skip
    assert read_sample_ids(tmp_path / "b.psam") == tuple(PEOPLE[::-1])
    ingest(tmp_path, "two", [tmp_path / "b.pgen", tmp_path / "a.pgen"], tmp_path / "a.psam",
           workers=1)  # fmt: skip
    two = open_cohort(tmp_path, "two")
    one = ingested(tmp_path, files / "many.pgen", name="one")
    assert by_variant(one, COUNTED[:4]).keys() == by_variant(two, COUNTED[:4]).keys()
    order = [two.samples["sample_id"].tolist().index(s) for s in PEOPLE]
    np.testing.assert_array_equal(codes(two)[:, order], codes(one))


# plink2 as the judge of the real data.


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Path:
    """The autosomes and X of 1000 Genomes as .bed (two alleles at most) and .pgen."""
    folder = tmp_path_factory.mktemp("real-plink")
    people = pd.read_csv(shared_data("uwgac-1kg/phenotypes.tsv"), sep="\t")
    people = people.rename(columns={"sample_id": "#IID", "sex": "SEX", "status": "PHENO1"})
    people["PHENO1"] += 1
    people[["#IID", "SEX", "PHENO1", "population"]].to_csv(folder / "p.psam", sep="\t", index=False)
    for name, file in zip(("autosomes", "x"), UWGAC, strict=True):
        options = ("--vcf-half-call", "haploid")
        convert(shared_data(file), folder / "p.psam", folder / name, *options, "--make-pgen")
        run("plink2", "--pfile", folder / name, "--max-alleles", "2", "--make-bed",
            "--out", folder / name)  # fmt: skip
    return folder


@pytest.mark.parametrize("rule", ["missing", "reference"])
def test_real_pgen_has_the_counts_of_its_vcf(real, tmp_path, rule, request):
    """Autosomes and X, 1,126 people; diagnosis 0 and 1 there is control and case here."""
    vcf = request.getfixturevalue(f"uwgac_{rule}")
    paths = [real / "autosomes.pgen", real / "x.pgen"]
    ingest(tmp_path, "c", paths, None, IngestSettings(other_alleles=rule), workers=1)
    made = open_cohort(tmp_path, "c")
    assert made.n_people == {"case": 108, "control": 1018}
    expected, found = counts(vcf), counts(made)
    columns = ["chrom", "pos", "ref", "alt", "n_alts", "region", "kind"]
    pd.testing.assert_frame_equal(variants(made)[columns], variants(vcf)[columns])
    np.testing.assert_array_equal(codes(made), codes(vcf))
    for name in COUNTED[:-1]:
        np.testing.assert_array_equal(found[name], expected[name][:, ::-1], err_msg=name)
    not_x = (variants(vcf)["region"] != "x").to_numpy()  # there a VCF may write males as diploid
    np.testing.assert_array_equal(
        found["site_n_nonref"][not_x], expected["site_n_nonref"][not_x][:, ::-1]
    )


@pytest.mark.parametrize("file", ["autosomes.bed", "autosomes.pgen", "x.bed"])
def test_real_counts_are_those_that_plink2_prints(real, tmp_path, file):
    made = ingested(tmp_path, real / file, workers=2)
    flag = "--bfile" if file.endswith(".bed") else "--pfile"
    run("plink2", flag, real / Path(file).stem, "--max-alleles", "2", "--geno-counts",
        "--out", tmp_path / "g")  # fmt: skip
    printed = pd.read_csv(tmp_path / "g.gcount", sep="\t", dtype={"#CHROM": str})
    # The file has its chromosomes in the order of a VCF's header: 1, 10, 11, ...
    printed = printed.iloc[np.argsort(printed["#CHROM"].map(chromosome_order), kind="stable")]
    table = variants(made)
    two_alleles = (table["n_alts"] == 1).to_numpy()
    for ours, theirs in (("alt", "ALT"), ("ref", "REF")):
        assert table[ours][two_alleles].tolist() == printed[theirs].tolist()
    # plink2 takes the PAR of an X that was not split for haploid in males.
    compared = (table["region"] != "par")[two_alleles].to_numpy()
    assert compared.sum() > 1000
    for ours, theirs in (
        ("n_hom_ref", ["HOM_REF_CT", "HAP_REF_CT"]),
        ("n_het", ["HET_REF_ALT_CTS"]),
        ("n_hom_alt", ["TWO_ALT_GENO_CTS", "HAP_ALT_CTS"]),
        ("n_missing", ["MISSING_CT"]),
    ):
        found = counts(made)[ours].sum(1)[two_alleles]
        expected = printed[theirs].sum(axis=1).to_numpy()
        np.testing.assert_array_equal(found[compared], expected[compared], err_msg=ours)


# Depth, and chromosomes by number.


def test_depth_and_quality_are_said_to_be_lacking(files, tmp_path):
    for file in ("small.bed", "small.pgen"):
        cohort = ingested(tmp_path, files / file)
        settings = QualitySettings(min_mean_depth=8, min_mean_gq=20)
        notes = {s.step: (s.removed, s.note) for s in filter_variants(cohort, settings).steps}
        for step in ("depth_1", "depth_2", "gq"):
            assert notes[step][0] == 0
            assert notes[step][1].startswith("not available")


def test_numbered_chromosomes_and_the_par(tmp_path):
    lines = ["1 a 0 5 C A", "23 b 0 3000000 C A", "24 c 0 3000000 C A", "25 d 0 70000 C A",
             "26 e 0 9 C A", "0 f 0 0 C A"]  # fmt: skip
    (tmp_path / "n.bim").write_text("\n".join(lines) + "\n")
    (tmp_path / "n.fam").write_text("f1 a 0 0 1 2\nf1 b 0 0 2 1\n")
    # A byte a variant: a is 00 = two A1, b is 10 = one.
    (tmp_path / "n.bed").write_bytes(b"\x6c\x1b\x01" + bytes([0b1000] * 6))
    made = ingested(tmp_path, tmp_path / "n.bed")
    table = variants(made).set_index("rsid")
    assert table["region"].to_dict() == {
        "a": "autosome", "b": "x", "c": "y", "d": "par", "e": "mt", "f": "other"
    }  # fmt: skip
    assert table["chrom_order"].to_dict() == {"a": 1, "b": 23, "c": 24, "d": 23, "e": 25, "f": 99}
    assert codes(made).tolist() == [[2, 1]] * 6
    nonref = dict(zip(variants(made)["rsid"], counts(made)["site_n_nonref"].tolist(), strict=True))
    assert list(made.n_people) == ["case", "control"]
    assert nonref == {"a": [2, 1], "b": [1, 1], "c": [1, 1], "d": [2, 1], "e": [1, 1], "f": [2, 1]}


def test_par_of_plink2_and_a_monomorphic_site(tmp_path):
    (tmp_path / "t.pvar").write_text("##x\n#CHROM POS ID REF ALT\nPAR1 60001 . A .\n1 5 x 0 C,T\n")
    table = scan_sites(tmp_path / "t.pvar")
    first, second = read_sites(table, 0, 2)
    assert (first.chrom, first.rsid, first.alts) == ("XY", None, [])
    assert (second.ref, second.alts) == ("N", ["C", "T"])
    assert table.allele_offsets().tolist() == [0, 2, 5]


@pytest.mark.parametrize("suffix", [".bim", ".pvar.zst"])
def test_any_stretch_of_a_long_table(tmp_path, suffix):
    head = "" if suffix == ".bim" else "##a\n##b\n#CHROM\tPOS\tID\tREF\tALT\n"
    row = "1\trs{0}\t0\t{0}\tC\tA\n" if suffix == ".bim" else "1\t{0}\trs{0}\tA\tC\n"
    path = tmp_path / f"long{suffix}"
    data = (head + "".join(row.format(i) for i in range(3000))).encode()
    if suffix == ".pvar.zst":
        import pyarrow as pa

        with pa.output_stream(str(path), compression="zstd") as out:
            out.write(data)
    else:
        path.write_bytes(data)
    table = scan_sites(path)
    assert table.n_variants == 3000
    for start, stop in ((0, 5), (1020, 1030), (1024, 1025), (2040, 3000), (2999, 3000), (7, 7)):
        assert [site.pos for site in read_sites(table, start, stop)] == list(range(start, stop))


# Sample files.


def test_sample_file_of_plink1(tmp_path):
    path = tmp_path / "a.fam"
    path.write_text("F1 a 0 0 1 2\nF1 b a 0 2 1\n0 c 0 0 0 -9\n0 d 0 0 1 0\n")
    people = read_phenotypes(path).people
    assert {s: (p.diagnosis, p.sex, p.family_id) for s, p in people.items()} == {
        "a": ("case", "male", "F1"), "b": ("control", "female", "F1"),
        "c": ("unknown", "unknown", None), "d": ("unknown", "male", None),
    }  # fmt: skip
    assert people["b"].covariates == {"PAT": "a"}
    path.write_text("F1 a 0 0 1 SCZ\nF1 b 0 0 2 -9\n")
    assert [p.diagnosis for p in read_phenotypes(path).people.values()] == ["SCZ", "unknown"]


@pytest.mark.parametrize(
    "text",
    [
        "#FID\tIID\tSEX\tPHENO1\tAGE\nF1\ta\t1\t2\t44\n0\tb\tNA\tNA\t50\n",
        "##note\n#IID\tSEX\tAGE\tILL\na\t1\t44\t2\nb\tNA\t50\tNA\n",
        "#IID\tSEX\tILL\tAGE\na\tM\tcase\t44\nb\tNA\tNONE\t50\n",
    ],
)
def test_sample_file_of_plink2(tmp_path, text):
    path = tmp_path / "a.psam"
    path.write_text(text)
    given = ingest_module.Columns(diagnosis="ILL") if "case" in text else None
    people = read_phenotypes(path, given).people
    found = [(p.diagnosis, p.sex, p.covariates) for p in people.values()]
    assert found == [("case", "male", {"AGE": "44"}), ("unknown", "unknown", {"AGE": "50"})]


def test_sample_file_without_a_diagnosis_needs_a_table(files, tmp_path):
    for suffix in (".pgen", ".pvar"):
        shutil.copy(files / f"many{suffix}", tmp_path / f"m{suffix}")
    (tmp_path / "m.psam").write_text("#IID\tSEX\n" + "".join(f"{s}\tNA\n" for s in PEOPLE))
    with pytest.raises(InputError, match="diagnosis column"):
        ingested(tmp_path, tmp_path / "m.pgen")
    table = tmp_path / "p.tsv"
    table.write_text("#IID\tstatus\n" + "".join(f"{s}\t{STATUS[s]}\n" for s in PEOPLE))
    assert ingested(tmp_path, tmp_path / "m.pgen", table).n_people == {"-9": 9, "1": 18, "2": 10}


# Bad input.


def refused(capfd, tmp_path: Path, *arguments: object) -> str:
    """Return the sentence with which the command line refuses; nothing is left in the cache."""
    capfd.readouterr()
    options = ("--name", "c", "--workers", "1", "--cache", tmp_path / "cache")
    status = main(["ingest", *map(str, (*arguments, *options))])
    out, err = capfd.readouterr()
    assert (status, out) == (1, ""), err
    lines = [line for line in err.splitlines() if line and line != "reading genotypes"]
    assert len(lines) == 1, err
    assert lines[0].endswith("."), err
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]
    return lines[0]


def spoil(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def drop_line(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))


def zero_middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[20:60] = b"\xff" * 40
    path.write_bytes(data)


def repeat_person(path: Path) -> None:
    path.write_text(path.read_text().replace("s1\t", "s0\t", 1))


BAD = {
    "no bim": ("small.bed", "small.bim", Path.unlink, "there is no small.bim"),
    "no fam": ("small.bed", "small.fam", Path.unlink, "there is no small.fam"),
    "empty bed": ("small.bed", "small.bed", lambda p: spoil(p, b""), "is empty"),
    "no bed": ("small.bed", "small.bed", Path.unlink, "no file"),
    "wrong magic": ("small.bed", "small.bed", lambda p: spoil(p, b"hello world"), "68 65 6c"),
    "person-major": ("small.bed", "small.bed",
                     lambda p: spoil(p, b"\x6c\x1b\x00" + p.read_bytes()[3:]), "6c 1b 00"),
    "bed cut off": ("small.bed", "small.bed", lambda p: spoil(p, p.read_bytes()[:-9]), "bytes"),
    "bim too short": ("small.bed", "small.bim", drop_line, "written together"),
    "fam too short": ("small.bed", "small.fam", lambda p: [drop_line(p) for _ in range(9)],
                      "written together"),
    "bim empty": ("small.bed", "small.bim", lambda p: spoil(p, b""), "has none"),
    "bim is words": ("small.bed", "small.bim", lambda p: spoil(p, b"some words\n"), "begins"),
    "bim has a word for a position": (
        "small.bed", "small.bim", lambda p: p.write_text(p.read_text().replace("3000007", "here")),
        "here",
    ),
    "fam is empty": ("small.bed", "small.fam", lambda p: spoil(p, b""), "header line"),
    "fam names a person twice": ("small.bed", "small.fam", repeat_person, "twice"),
    "no pvar": ("many.pgen", "many.pvar", Path.unlink, "no many.pvar"),
    "no psam": ("many.pgen", "many.psam", Path.unlink, "no many.psam"),
    "no pgen": ("many.pgen", "many.pgen", lambda p: spoil(p, b"hello"), "not a .pgen"),
    "pgen cut off": ("many.pgen", "many.pgen", lambda p: spoil(p, p.read_bytes()[:-3000]),
                     "readable"),
    "pgen is damaged": ("many.pgen", "many.pgen", zero_middle, "readable"),
    "pvar too short": ("many.pgen", "many.pvar", drop_line, "520"),
    "psam too short": ("many.pgen", "many.psam", drop_line, "37 samples"),
    "pvar lacks REF": (
        "many.pgen", "many.pvar", lambda p: p.write_text(p.read_text().replace("\tREF\t", "\tx\t")),
        "lacks ref",
    ),
    "pvar.zst is none": ("small.pgen", "small.pvar.zst", lambda p: spoil(p, b"words"), "read"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_told_in_one_sentence(files, tmp_path, capfd, name):
    file, spoilt, how, word = BAD[name]
    stem = Path(file).stem
    for path in files.glob(f"{stem}.*"):
        shutil.copy(path, tmp_path / path.name)
    how(tmp_path / spoilt)
    assert word in refused(capfd, tmp_path, tmp_path / file)


def test_vcf_without_a_table_of_people(files, tmp_path, capfd):
    assert "--phenotypes" in refused(capfd, tmp_path, files / "small.vcf")


def test_table_of_other_people(files, tmp_path, capfd):
    (tmp_path / "p.fam").write_text("f nobody 0 0 1 2\n")
    said = refused(capfd, tmp_path, files / "small.bed", "--phenotypes", tmp_path / "p.fam")
    assert "none of the 37" in said
    assert "column IID of p.fam" in said


def test_a_table_beside_is_not_the_genotypes(files, tmp_path, capfd):
    assert ".bed" in refused(capfd, tmp_path, files / "small.bim")


def test_command_line_takes_the_sample_file(files, tmp_path, capfd):
    options = ("--name", "c", "--workers", "1", "--cache", tmp_path / "cache")
    assert main(["ingest", *map(str, (files / "small.bed", *options))]) == 0
    cohort = open_cohort(tmp_path / "cache", "c")
    assert cohort.n_people == {"case": 10, "control": 18, "unknown": 9}
    names = [source["name"] for source in cohort.certificate["sources"]]
    assert names == ["small.bed", "small.bim", "small.fam"]
    assert cohort.certificate["has_depth"] is False
