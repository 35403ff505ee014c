"""Regular text is read as cyvcf2 reads it, and everything else is left to cyvcf2."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.sources import vcf
from pipeline.sources.vcf import read_header, read_records
from pipeline.sources.vcf_text import IrregularError
from tests.conftest import UWGAC
from tests.small_cohorts import vcf_text, write_vcf
from tests.test_ingest import SAMPLES, big_text, random_records
from tests.tools import shared_data

CALLS = ["0/0:1:2"] * len(SAMPLES)
GOOD = ["1", 5, "A", "C", "GT:DP:GQ", *CALLS]


def read_both(path: Path) -> tuple[list, list]:
    source = read_header(path)
    ours = list(vcf._regular(source, source.sample_ids, ()))
    theirs = list(vcf._read(source, source.sample_ids, (), ()))
    return ours, theirs


def padded(alleles: np.ndarray) -> np.ndarray:
    """Return allele numbers with two columns: a record of haploid calls alone has one."""
    return np.pad(alleles, ((0, 0), (0, 2 - alleles.shape[1])), constant_values=-2)


def assert_alike(ours: list, theirs: list) -> None:
    assert len(ours) == len(theirs) > 0
    for mine, other in zip(ours, theirs, strict=True):
        assert mine[:7] == other[:7]
        np.testing.assert_array_equal(mine.alleles, padded(other.alleles))
        for name in ("depth", "gq"):
            a, b = getattr(mine, name), getattr(other, name)
            np.testing.assert_array_equal(np.maximum(a, -1), np.maximum(b, -1), err_msg=name)


@pytest.mark.parametrize("suffix", [".vcf", ".vcf.gz"])
@pytest.mark.parametrize("seed", range(4))
def test_random_calls_are_read_alike(tmp_path, suffix, seed):
    text = vcf_text(random_records(60, seed=seed), SAMPLES)
    assert_alike(*read_both(write_vcf(tmp_path / f"a{suffix}", text)))


def test_real_people_are_read_alike():
    assert_alike(*read_both(shared_data(UWGAC[1])))


def test_fixed_columns_are_read_alike(tmp_path):
    rows = [
        ["1", 5, "rs1", "A", "C,T", "0.25", "PASS", ".", "GT:DP:GQ", *CALLS],
        ["1", 6, ".", "AT", "*,<DEL>", ".", ".", ".", "GT:AD:DP:PL:GQ",
         *["0|1:1,2:7:0,1,2:."] * len(SAMPLES)],
        ["2", 7, "a;b", "n", ".", "1e3", "low;q10", "X=1", "GT", *["."] * len(SAMPLES)],
        ["2", 8, ".", "A", "G", "99999.5", "low", ".", "GT:GQ:DP", *["1/1"] * len(SAMPLES)],
    ]  # fmt: skip
    assert_alike(*read_both(write_vcf(tmp_path / "a.vcf", vcf_text(rows, SAMPLES))))


IRREGULAR = {
    "three alleles": ["1", 6, "A", "C", "GT:DP:GQ", "0/0/1:1:2", *CALLS[1:]],
    "an allele beyond the alternates": ["1", 6, "A", "C", "GT:DP:GQ", "0/2:1:2", *CALLS[1:]],
    "a depth with a point": ["1", 6, "A", "C", "GT:DP:GQ", "0/0:1.5:2", *CALLS[1:]],
    "a negative depth": ["1", 6, "A", "C", "GT:DP:GQ", "0/0:-3:2", *CALLS[1:]],
    "an empty depth": ["1", 6, "A", "C", "GT:DP:GQ", "0/0::2", *CALLS[1:]],
    "GT in second place": ["1", 6, "A", "C", "DP:GT", *["1:0/0"] * len(SAMPLES)],
    "a key twice": ["1", 6, "A", "C", "GT:DP:DP", *["0/0:1:1"] * len(SAMPLES)],
    "more values than keys": ["1", 6, "A", "C", "GT:DP:GQ", "0/0:1:2:3", *CALLS[1:]],
    "a word as a call": ["1", 6, "A", "C", "GT:DP:GQ", "x:1:2", *CALLS[1:]],
    "a space in the name of a chromosome": ["1 2", 6, "A", "C", "GT:DP:GQ", *CALLS],
    "a call too few": ["1", 6, ".", "A", "C", "9", "PASS", ".", "GT:DP:GQ", *CALLS[1:]],
    "a word as QUAL": ["1", 6, ".", "A", "C", "high", "PASS", ".", "GT:DP:GQ", *CALLS],
    "an empty alternate": ["1", 6, "A", "C,", "GT:DP:GQ", *CALLS],
    "a filter twice": ["1", 6, ".", "A", "C", "9", "low;low", ".", "GT:DP:GQ", *CALLS],
}


@pytest.mark.parametrize("what", IRREGULAR)
def test_what_is_irregular_is_left_to_cyvcf2(tmp_path, what):
    path = write_vcf(tmp_path / "a.vcf", vcf_text([GOOD, IRREGULAR[what], GOOD], SAMPLES))
    source = read_header(path)
    with pytest.raises(IrregularError):
        list(vcf._regular(source, source.sample_ids, ()))
    records = vcf._regular(source, source.sample_ids, ())
    assert next(records).pos == 5  # the regular record before it is read


def test_windows_line_ends_are_left_to_cyvcf2(tmp_path):
    path = tmp_path / "a.vcf"
    path.write_text(vcf_text([GOOD, GOOD], SAMPLES), newline="\r\n")
    source = read_header(path)
    with pytest.raises(IrregularError):
        list(vcf._regular(source, source.sample_ids, ()))


def test_a_regular_file_never_comes_to_cyvcf2s_records(tmp_path, monkeypatch):
    monkeypatch.setattr(vcf, "_read", None)
    path = write_vcf(tmp_path / "a.vcf.gz", big_text())
    source = read_header(path)
    whole = list(read_records(source, source.sample_ids))
    parts = source.parts(1).parts
    assert len(parts) > 3
    by_part = [r for part in parts for r in read_records(source, source.sample_ids, part)]
    assert [(r.chrom, r.pos) for r in by_part] == [(r.chrom, r.pos) for r in whole]
    assert len(whole) == 20_000


def test_people_come_in_the_order_asked_for(tmp_path):
    path = write_vcf(tmp_path / "a.vcf", vcf_text(random_records(20), SAMPLES))
    source = read_header(path)
    wanted = tuple(SAMPLES[i] for i in (4, 0, 2))
    for mine, other in zip(
        vcf._regular(source, wanted, ()), vcf._read(source, wanted, (), ()), strict=True
    ):
        np.testing.assert_array_equal(mine.alleles, padded(other.alleles))
        np.testing.assert_array_equal(np.maximum(mine.depth, -1), np.maximum(other.depth, -1))
