"""A fixed sample of the corpora is judged as in the committed table, and nothing crashes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.corpora import oracle
from tests.corpora.completed import completed
from tests.corpora.verdicts import SHARED_DATA, Outcome, Verdict, committed, judge, outcomes
from tests.tools import require_tool, shared_data

# Every twentieth of the sorted list, those of hail that are VCFs, and the shapes that it misses.
OF_HAIL = (
    "duplicate_ids.vcf", "haploid.vcf", "invalid_base.vcf", "malformed.vcf", "sample.vcf.gz",
    "regressionLogisticEpacts.cov", "regressionLogisticEpacts.vcf", "sample2.vcf",
    "sample_bad_AD.vcf", "x-chromosome.vcf",
)  # fmt: skip
EVERY = 20
OF_SPECS = (
    "4.1/passed/passed_ploidy_000.vcf", "4.2/passed/passed_ploidy_001.vcf",
    "4.3/passed/complexfile_passed_000.vcf", "4.3/passed/passed_body_alt.vcf",
    "4.5/passed/zero_length_LAA.vcf", "4.3/failed/failed_body_format_000.vcf",
    "4.3/failed/failed_body_pos_000.vcf",
)  # fmt: skip
_HEAD = """##fileformat=VCFv4.2
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
{contig}#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb
"""
_DECLARED = _HEAD.format(contig="##contig=<ID=1>\n")
_UNDECLARED = _HEAD.format(contig="")
_GOOD = "1\t5\t.\tA\tC\t50\tPASS\t.\tGT\t0/1\t1/1\n"
PLANTED = {  # what the corpora showed, at its smallest
    "good": _DECLARED + _GOOD,
    "undeclared": _UNDECLARED + _GOOD,
    "blank_line": _DECLARED + _GOOD + "\n",
    "cut_in_contig_declared": _DECLARED + "1\t5\t.\tA\tC\n",
    # cyvcf2 gives out a record of an undeclared contig even where htslib could not parse it.
    "cut_in_contig_undeclared": _UNDECLARED + "1\t5\t.\tA\tC\n",
    "bad_call_in_contig_undeclared": _UNDECLARED + _GOOD.replace("0/1", "x/y"),
    "few_calls_in_contig_undeclared": _UNDECLARED + _GOOD.removesuffix("\t1/1\n") + "\n",
}


def sample() -> list[str]:
    """Return the files that CI judges."""
    table = [file for file in committed() if file.startswith("hts-specs-vcf/")]
    chosen = [f"hail/{name}" for name in OF_HAIL] + [f"hts-specs-vcf/{name}" for name in OF_SPECS]
    return list(dict.fromkeys([*chosen, *table[::EVERY]]))


@pytest.fixture(scope="module")
def verdicts() -> dict[str, Verdict]:
    require_tool("bcftools")
    for corpus in ("hail", "hts-specs-vcf"):
        shared_data(corpus)
    return {verdict.file: verdict for verdict in judge(sample())}


@pytest.mark.parametrize("file", sample())
def test_ingest_or_one_sentence(verdicts, file):
    assert verdicts[file].problems == []


@pytest.mark.parametrize("file", sample())
def test_verdict_is_the_committed_one(verdicts, file):
    assert verdicts[file].as_line() == committed()[file]


def test_committed_table_has_no_problem():
    assert [file for file, line in committed().items() if "**" in line] == []
    assert len(committed()) > 690


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> dict[str, Outcome]:
    require_tool("bcftools")
    folder = tmp_path_factory.mktemp("planted")
    paths = {name: folder / f"{name}.vcf" for name in PLANTED}
    for name, path in paths.items():
        path.write_text(PLANTED[name])
    found = outcomes(list(paths.values()))
    return {name: found[path] for name, path in paths.items()}


@pytest.mark.parametrize("name", PLANTED)
def test_planted(planted, name):
    outcome = planted[name]
    assert outcome.problem == ""
    assert outcome.is_readable or not outcome.text.endswith(" rows")


def test_completed_copy(tmp_path):
    """Only what is lacking is added, and bcftools counts the added people."""
    bare = tmp_path / "bare.vcf"
    bare.write_bytes(b"##fileformat=VCFv4.2\r\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\r\n"
                     b"1\t5\t.\tA\tC\t.\t.\t.\r\n")  # fmt: skip
    text = completed(bare)
    assert text is not None
    assert text.endswith(b"\t.\tGT\t0/1\t1|1\r\n")
    bare.write_bytes(text)
    assert completed(bare) is None
    reading = oracle.read(bare)
    assert reading.rows is not None
    assert list(reading.rows) == [("1", 5, "A", "C", (0, 1, 1, 0))]
    (tmp_path / "no.vcf").write_text("hello\n")
    assert completed(tmp_path / "no.vcf") is None


@pytest.mark.parametrize(
    ("call", "on_autosome", "on_x"),
    [("0/1", 1, 1), ("1", 2, 2), ("0", 0, 0), (".", 3, 3), ("./.", 3, 3), ("1/.", 3, 2),
     ("./0", 3, 0), ("1|2", 1, 1), ("2/2", 0, 0), ("0/0/1", 3, 3), ("./1/.", 3, 3)],
)  # fmt: skip
def test_oracle_by_hand(call, on_autosome, on_x):
    assert oracle._code(call, 1, half_is_haploid=False) == on_autosome
    assert oracle._code(call, 1, half_is_haploid=True) == on_x


def test_a_wrong_count_is_seen(tmp_path, monkeypatch):
    """The comparison can fail: an oracle that forgets a person differs."""
    path = Path(tmp_path / "a.vcf")
    path.write_text(PLANTED["good"])
    monkeypatch.setattr(oracle, "_code", lambda *_: 0)
    assert "rows differ" in outcomes([path], 1)[path].problem
    assert SHARED_DATA.name == "data"
