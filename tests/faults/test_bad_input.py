"""Bad input is told in one sentence with exit status 1, and nothing half written is left."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline import ingest
from pipeline.cli import main
from pipeline.cohort import open_cohort
from tests.small_cohorts import FORMATS, counts, run, vcf_text, write_phenotypes, write_vcf
from tests.tools import SHARED_DATA, require_tool, shared_data

SAMPLES = [f"s{i}" for i in range(8)]
DIAGNOSES = {s: ("case", "control")[i % 2] for i, s in enumerate(SAMPLES)}
RECORDS = [
    ["1", 10 * i, "A", "C", "GT", *[("0/0", "0/1", "1/1")[(i + j) % 3] for j in range(8)]]
    for i in range(1, 40)
]
TEXT = vcf_text(RECORDS, SAMPLES)
LONG = vcf_text([[r[0], 1000 * k + r[1], *r[2:]] for k in range(40) for r in RECORDS], SAMPLES)
BGZF_END = 28


def with_quality(*texts: str) -> str:
    """Return a VCF whose records have these in QUAL, the last one from there on."""
    records = []
    for i, (chrom, pos, ref, alt, *rest) in enumerate(RECORDS):
        quality = texts[min(i, len(texts) - 1)]
        records.append([chrom, pos, ".", ref, alt, quality, "PASS", ".", *rest])
    return vcf_text(records, SAMPLES)


@pytest.fixture
def said(capfd, tmp_path) -> Callable[..., tuple[int, str, str]]:
    """Return a function that gives exit status, stdout and the last line of stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        status = main([*map(str, arguments), "--cache", str(tmp_path / "cache")])
        out, err = capfd.readouterr()
        phases = {"reading genotypes", "writing the cohort", "reading genes"}
        lines = [line for line in err.splitlines() if line and line not in phases]
        assert "Traceback" not in err
        assert "[E::" not in err
        assert "[W::" not in err
        return status, out, "\n".join(lines)

    return call


def table(tmp_path: Path, diagnoses: dict[str, str] | None = None) -> Path:
    return write_phenotypes(tmp_path / "p.tsv", DIAGNOSES if diagnoses is None else diagnoses)


def left(tmp_path: Path) -> list[str]:
    cache = tmp_path / "cache"
    return [str(p) for p in cache.rglob("*") if p.is_file() or p.name not in {"cohorts"}]


def assert_refused(said, tmp_path, vcf: Path, phenotypes: Path, *words: str, extra=()) -> None:
    """One sentence on stderr with these words, status 1, nothing on stdout or in the cache."""
    options = ("--phenotypes", phenotypes, "--name", "c", "--workers", "1")
    status, out, err = said("ingest", vcf, *extra, *options)
    assert status == 1, err
    assert out == ""
    assert err.count("\n") == 0, err
    assert err.endswith("."), err
    for word in words:
        assert word in err
    assert left(tmp_path) == []


def cut_bgzf(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


BAD_BYTES = {
    "no VCF": ("a.vcf", b"hello\nworld\n", "neither"),
    "binary": ("a.vcf", bytes(range(256)) * 40, "neither"),
    "empty": ("a.vcf", b"", "empty"),
    "empty gzip": ("a.vcf.gz", gzip.compress(b""), "."),
    "wrong suffix": ("a.txt", TEXT.encode(), "rename it"),
    "header cut off": ("a.vcf", TEXT.encode()[:200], "."),
    "plain gzip cut off": ("a.vcf.gz", gzip.compress(LONG.encode())[:-900], "cut off"),
    "no samples": ("a.vcf", vcf_text([], []).encode(), "no sample columns"),
    "no records": ("a.vcf", vcf_text([], SAMPLES).encode(), "no record"),
    "duplicate ids": ("a.vcf", vcf_text(RECORDS, ["s0"] * 8).encode(), "named twice"),
    "no GT in the header": (
        "a.vcf",
        vcf_text([[*r[:4], "DP", *[3] * 8] for r in RECORDS], SAMPLES, formats=[FORMATS["DP"]])
        .encode(),
        "no GT",
    ),
    "DP is text": (
        "a.vcf", TEXT.replace("##contig", FORMATS["DP"].replace("Integer", "String") + "\n##contig",
                              1).replace(FORMATS["DP"] + "\n", "", 1).encode(), "FORMAT/DP"
    ),
    "GQ is a flag": (
        "a.vcf", TEXT.replace('GQ,Number=1,Type=Integer', 'GQ,Number=1,Type=Character').encode(),
        "FORMAT/GQ",
    ),
    "QUAL is a word": ("a.vcf", with_quality("high").encode(), "QUAL"),
    "QUAL is a word, gzip": (
        "a.vcf.gz", gzip.compress(with_quality("high").encode()), "QUAL"
    ),
    "QUAL is a word after a true 0": (
        "a.vcf", with_quality("0", "0.0", "9", "high").encode(), "QUAL"
    ),
    "row cut off": ("a.vcf", TEXT.encode().rsplit(b"\t", 3)[0] + b"\n", "cut off or malformed"),
    "position is a word": ("a.vcf", TEXT.replace("\t10\t", "\tten\t").encode(), "malformed"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_BYTES)
def test_genotype_file(said, tmp_path, name):
    file, data, word = BAD_BYTES[name]
    (tmp_path / file).write_bytes(data)
    assert_refused(said, tmp_path, tmp_path / file, table(tmp_path), word)


def test_quality_is_a_word_in_an_indexed_file(said, tmp_path, monkeypatch):
    monkeypatch.setattr(ingest, "_WHOLE_BYTES", 0)
    path = write_vcf(tmp_path / "a.vcf.gz", with_quality("0", ".", "0", "high"))
    assert_refused(said, tmp_path, path, table(tmp_path), "QUAL", "'high'", "1:40")


def test_quality_that_is_truly_0_is_fine(said, tmp_path):
    path = write_vcf(tmp_path / "a.vcf", with_quality("0", "0.00", "-0", "."))
    options = ("--phenotypes", table(tmp_path), "--name", "c", "--workers", "1")
    assert said("ingest", path, *options)[0] == 0


@pytest.mark.parametrize("how", ["cut off", "without its last block"])
def test_bgzipped_file(said, tmp_path, how):
    path = write_vcf(tmp_path / "a.vcf.gz", TEXT)
    data = path.read_bytes()
    path.write_bytes(cut_bgzf(data) if how == "cut off" else data[:-BGZF_END])
    assert_refused(said, tmp_path, path, table(tmp_path), "end-of-file block")


def test_absent_folder_or_repeated_file(said, tmp_path):
    vcf = write_vcf(tmp_path / "a.vcf", TEXT)
    phenotypes = table(tmp_path)
    assert_refused(said, tmp_path, tmp_path / "none.vcf", phenotypes, "no file")
    (tmp_path / "folder.vcf").mkdir()
    assert_refused(said, tmp_path, tmp_path / "folder.vcf", phenotypes, "no file")
    assert_refused(said, tmp_path, vcf, phenotypes, "twice", extra=[str(vcf)])
    assert_refused(said, tmp_path, vcf, tmp_path / "none.tsv", "does not exist")
    assert_refused(said, tmp_path, vcf, tmp_path, "phenotype table")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_unreadable_file(said, tmp_path):
    vcf = write_vcf(tmp_path / "a.vcf", TEXT)
    vcf.chmod(0)
    assert_refused(said, tmp_path, vcf, table(tmp_path), "rights")


def test_file_that_the_disk_refuses(said, tmp_path, monkeypatch):
    """As `test_unreadable_file`, for root too."""
    vcf = write_vcf(tmp_path / "a.vcf", TEXT)
    original = Path.open

    def refuse(self, *arguments, **more):
        if self == vcf:
            raise PermissionError(13, "Permission denied", str(self))
        return original(self, *arguments, **more)

    monkeypatch.setattr(Path, "open", refuse)
    assert_refused(said, tmp_path, vcf, table(tmp_path), "Permission denied")


BAD_TABLES = {
    "no overlap": (b"IID\tstatus\nx\t1\ny\t2\n", "none of the 8"),
    "wrong header": (b"name\tvalue\ns0\t1\n", "sample column"),
    "no diagnosis": (b"IID\tage\ns0\t1\n", "diagnosis column"),
    "ragged": (b"IID\tstatus\ns0\t1\ns1\n", "row 3"),
    "empty": (b"", "header line"),
    "header alone": (b"IID\tstatus\n", "header line"),
    "binary": (bytes(range(256)) * 10, "text"),
    "UTF-16": ("IID\tstatus\ns0\t1\n".encode("utf-16"), "text"),
    "duplicate ids": (b"IID\tstatus\ns0\t1\ns0\t2\n", "twice"),
    "duplicate columns": (b"IID\tstatus\tstatus\ns0\t1\t2\n", "twice"),
    "a quote that never ends": (b'IID,status\n"s0,1\n' + b"s1,2\n" * 40_000, "."),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_phenotype_table(said, tmp_path, name):
    data, word = BAD_TABLES[name]
    (tmp_path / "p.tsv").write_bytes(data)
    vcf = write_vcf(tmp_path / "a.vcf", TEXT)
    assert_refused(said, tmp_path, vcf, tmp_path / "p.tsv", word)


# Ids of their own: gzip writes the time, and two workers must collect the same names.
@pytest.mark.parametrize(
    "data",
    [gzip.compress(b"IID\tstatus\ns0\t1\n" * 99)[:-20], b"\x1f\x8b\x08" + bytes(60)],
    ids=["cut off", "not gzip after its mark"],
)
def test_compressed_phenotype_table_cut_off(said, tmp_path, data):
    (tmp_path / "p.tsv.gz").write_bytes(data)
    vcf = write_vcf(tmp_path / "a.vcf", TEXT)
    assert_refused(said, tmp_path, vcf, tmp_path / "p.tsv.gz", "text")


@pytest.mark.parametrize(
    "text",
    ["", "1\t2\n", "hello world\n", "1\tx\tgene\t1\t2\t.\t+\t.\n1\tx\tgene\ta\tb\t.\t+\t.\tID=1;",
     "1\t5\t9\tA\n1\tx\ty\tB\n", "1\t5\t9\tA\n1\t5\n", "z\t5\t9\tA\n"],
)  # fmt: skip
def test_gene_table(said, tmp_path, text):
    """Told before the long part: the cohort is not made."""
    (tmp_path / "genes").write_text(text)
    vcf = write_vcf(tmp_path / "a.vcf", TEXT)
    extra = ("--genes", str(tmp_path / "genes"))
    assert_refused(said, tmp_path, vcf, table(tmp_path), "gene table", extra=extra)


@pytest.mark.parametrize("name", ["../x", "..", ".hidden", "a/b", "", "x" * 65, "a b"])
def test_name_that_leads_out_of_the_cache(said, tmp_path, name):
    vcf = write_vcf(tmp_path / "a.vcf", TEXT)
    status, _, err = said("ingest", vcf, "--phenotypes", table(tmp_path), "--name", name)
    assert (status, err.count("\n")) == (1, 0)
    assert "letters, digits" in err
    assert left(tmp_path) == []


def test_one_class_is_a_warning_at_ingest_and_an_error_later(said, tmp_path):
    vcf = write_vcf(tmp_path / "a.vcf", TEXT)
    everybody = table(tmp_path, dict.fromkeys(SAMPLES, "case"))
    status, _, err = said(
        "ingest", vcf, "--phenotypes", everybody, "--name", "one", "--workers", "1"
    )
    assert status == 0
    assert "There is no control" in err
    out = tmp_path / "out.tsv"
    for verb in (("associate", "one", "--out", out), ("train", "one")):
        status, printed, err = said(*verb)
        assert (status, printed) == (1, "")
        assert "0 controls" in err
        assert err.count("\n") == 0
    assert not out.exists()
    assert not list((tmp_path / "cache").glob("jobs/*"))
    assert said("quality", "one")[0] == 0


def test_one_person(said, tmp_path):
    vcf = write_vcf(tmp_path / "a.vcf", vcf_text([["1", 5, "A", "C", "GT", "0/1"]], ["s0"]))
    status, _, err = said(
        "ingest", vcf, "--phenotypes", table(tmp_path), "--name", "one", "--workers", "1"
    )
    assert status == 0
    assert "There is no control" in err
    assert said("associate", "one")[0] == 1


@pytest.fixture
def ready(said, tmp_path):
    vcf = write_vcf(tmp_path / "a.vcf", TEXT)
    assert (
        said("ingest", vcf, "--phenotypes", table(tmp_path), "--name", "c", "--workers", "1")[0]
        == 0
    )
    return said


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("associate", "c", "--set", "quality.qual_above=9999"), "keep none of 39"),
        (("associate", "c", "--set", "quality.nothing=1"), "no setting quality.nothing"),
        (("associate", "c", "--set", "quality.min_call_rate=1.5"), "quality.min_call_rate"),
        (("associate", "c", "--set", "quality.min_call_rate=much"), "quality.min_call_rate"),
        (("associate", "c", "--set", "quality.min_call_rate"), "no '='"),
        (("associate", "c", "--test", "magic"), "association.test"),
        (("associate", "c", "--case", "SCZ"), "none of case, control"),
        (("associate", "c", "--out", "no/such/folder/x.tsv"), "folder"),
        (("associate", "nobody"), "no cohort nobody"),
        (("quality", "nobody"), "no cohort nobody"),
        (("quality", "../c"), "letters, digits"),
        (("annotate", "nobody", "--genes", "none.bed"), "."),
        (("train", "nobody"), "no cohort nobody"),
        (("train", "c", "--preset", "huge"), "no preset huge"),
        (("train", "c", "--set", "split.folds=7"), "7 folds"),
        (("train", "c", "--set", "split.folds=1"), "split.folds"),
        (("show", "0123456789abcdef"), "."),
    ],
)
def test_question_that_cannot_be_answered(ready, tmp_path, arguments, word):
    before = sorted(tmp_path.rglob("*"))
    status, out, err = ready(*arguments)
    assert status == 1, (out, err)
    assert out == ""
    assert err.count("\n") == 0
    assert word in err
    assert sorted(tmp_path.rglob("*")) == before


def test_out_is_a_folder(ready, tmp_path):
    status, _, err = ready("associate", "c", "--out", tmp_path)
    assert (status, err.count("\n")) == (1, 0)
    assert not list(tmp_path.glob(".*.tmp"))
    assert not list(tmp_path.parent.glob(".*.tmp"))


@pytest.mark.parametrize(
    "arguments", [["fly"], [], ["ingest"], ["associate", "c", "--colour", "red"],
                  ["ingest", "a.vcf", "--phenotypes", "p", "--name", "c", "--build", "hg17"]]
)  # fmt: skip
def test_wrong_usage_is_2(arguments, capfd):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capfd.readouterr().out == ""


# A fixed sample of the specification's files, and all of hail's.


def sampled() -> list[str]:
    folder = SHARED_DATA / "hts-specs-vcf"
    if not folder.is_dir():
        return ["absent"]
    failed = sorted(str(p.relative_to(SHARED_DATA)) for p in folder.glob("*/failed/*.vcf"))
    passed = sorted(str(p.relative_to(SHARED_DATA)) for p in folder.glob("*/passed/*.vcf"))
    hail = sorted(str(p.relative_to(SHARED_DATA)) for p in (SHARED_DATA / "hail").glob("*.vcf*"))
    return failed[::24] + passed[::5] + hail


def header_people(path: Path) -> list[str]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", errors="replace") as handle:
        for line in handle:
            if line.startswith("#CHROM"):
                return line.rstrip("\n").split("\t")[9:]
    return []


def called_alleles(path: Path) -> tuple[list[list[str]], int] | None:
    """Return CHROM, POS, REF, ALT and calls of each record, if bcftools reads the file."""
    try:
        text = run("bcftools", "query", "-f", "%CHROM\t%POS\t%REF\t%ALT[\t%GT]\n", path)
    except AssertionError:
        return None
    return [line.split("\t") for line in io.StringIO(text).read().splitlines()]


@pytest.mark.parametrize("file", sampled())
def test_specification_files(said, tmp_path, file):
    """No crash, no traceback; where bcftools reads the file, each count is the one it prints."""
    require_tool("bcftools")
    path = shared_data(file)
    people = dict.fromkeys((s for s in header_people(path) if s.strip()), "case")
    phenotypes = write_phenotypes(tmp_path / "p.tsv", people or {"nobody": "case"})
    status, _, err = said("ingest", path, "--phenotypes", phenotypes, "--name", "c",
                          "--workers", "1", "--other-alleles", "reference")  # fmt: skip
    if status == 1:
        assert err.count("\n") == 0
        assert left(tmp_path) == []
        return
    assert status == 0
    records = called_alleles(path)
    assert records is not None, "read by us, refused by bcftools"
    cohort = open_cohort(tmp_path / "cache", "c")
    found = counts(cohort)
    expected = sorted(tally(record) for record in records)
    rows = cohort.store.rows(
        "SELECT chrom, pos, ref, site_n_called_0, site_n_nonref_0 "
        "FROM variants POSITIONAL JOIN counts WHERE alt_number = 1"
    )
    cohort.store.close()
    assert sorted(rows) == expected
    total = sum(found[name] for name in ("n_hom_ref", "n_het", "n_hom_alt", "n_missing"))
    np.testing.assert_array_equal(total, len(people))


def tally(record: list[str]) -> tuple[str, int, str, int, int]:
    """Return the site with its called people and their non-reference alleles, sex unknown."""
    chrom, pos, ref, _, *calls = record
    n_called = n_nonref = 0
    for call in calls:
        alleles = call.replace("|", "/").split("/")
        if is_haploid(chrom) and len(alleles) == 2 and alleles.count(".") == 1:
            alleles.remove(".")
        if "." in alleles or len(alleles) > 2:
            continue
        n_called += 1
        n_nonref += sum(allele != "0" for allele in alleles)
    return chrom, int(pos), ref, n_called, n_nonref


def is_haploid(chrom: str) -> bool:
    return chrom.removeprefix("chr") in {"X", "Y", "MT", "M"}
