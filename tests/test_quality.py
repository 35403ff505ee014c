"""Edges of the thresholds; the steps themselves are checked in tests/oracle/test_funnel.py."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from pipeline.errors import EmptyResultError
from pipeline.quality import STEPS, filter_variants
from pipeline.settings import PeopleSettings, QualitySettings
from tests.small_cohorts import make_cohort, variants, vcf_text
from tests.tools import require_tool

SAMPLES = [f"s{i}" for i in range(10)]
CONTIGS = ("1", "X", "MT", "GL000191.1")
OFF = QualitySettings(
    qual_above=None, drop_monomorphic=False, min_mean_depth=None, min_call_rate=None,
    drop_sex_chromosomes=False, drop_indels=False,
)  # fmt: skip
PEOPLE = {s: "case" if i < 5 else "control" for i, s in enumerate(SAMPLES)}


def record(pos, alt="C", qual="100", filters="PASS", calls=None, depth=None, chrom="1") -> list:
    calls = calls or ["0/1", *["0/0"] * 9]
    cells = calls if depth is None else [f"{c}:{d}" for c, d in zip(calls, depth, strict=True)]
    form = "GT" if depth is None else "GT:DP"
    return [chrom, pos, ".", "A", alt, qual, filters, ".", form, *cells]


RECORDS = [
    record(1, qual="30"),
    record(2, qual="30.001"),
    record(3, qual="."),
    record(4, filters="low"),
    record(5, filters="."),
    record(6, calls=["0/0"] * 10),
    record(7, calls=["1/1"] * 10),
    record(8, calls=["./.", *["0/1"] * 9]),
    record(9, calls=["./.", "./.", *["0/1"] * 8]),
    record(10, depth=[8] * 10),
    record(11, depth=[8] * 9 + [7]),
    record(12, depth=["."] * 9 + [7]),
    record(13, depth=["."] * 10),
    record(14, alt="AT"),
    record(15, alt="*"),
    record(16, alt="C,G", calls=["0/1", *["0/0"] * 9]),
    record(17, alt="C,G", calls=["0/1", "0/2", *["0/0"] * 8]),
    record(18, alt="C,G", calls=["1/2", "1/2", "0/1", "0/2", *["0/0"] * 6]),
    record(3_000_000, chrom="X"),
    record(100_000, chrom="X"),
    record(3, chrom="MT"),
    record(3, chrom="GL000191.1"),
]
REMOVED = {
    ("1", 1): "qual", ("1", 6): "ac_1", ("1", 9): "call_rate_1", ("1", 11): "depth_1",
    ("1", 12): "depth_1", ("1", 14): "indels", ("1", 15): "indels", ("1", 16, "G"): "ac_2",
    ("1", 18): "call_rate_2", ("X", 3_000_000): "sex_chromosomes",
    ("X", 100_000): "sex_chromosomes", ("MT", 3): "sex_chromosomes",
}  # fmt: skip


@pytest.fixture
def cohort(tmp_path):
    return make_cohort(tmp_path, vcf_text(RECORDS, SAMPLES, CONTIGS), PEOPLE)


def reasons(cohort, settings=None, people=None) -> dict:
    filtered = filter_variants(cohort, settings or QualitySettings(), people)
    table = variants(cohort)
    return {
        (row.chrom, row.pos, row.alt): STEPS[code]
        for row, code in zip(table.itertuples(), filtered.removed_by, strict=True)
        if code < len(STEPS)
    }


def test_what_each_record_fails_first(cohort):
    found = reasons(cohort)
    for (chrom, pos, alt), step in found.items():
        assert step == REMOVED.get((chrom, pos, alt), REMOVED.get((chrom, pos))), (chrom, pos, alt)
    places = {key[:2] for key in found}
    assert places == {key[:2] for key in REMOVED}


def test_thresholds_are_equal_to_the_printed_digits(cohort):
    """QUAL is stored in 32 bits; the threshold is compared as it is written."""
    settings = QualitySettings(qual_above=30.001)
    assert reasons(cohort, settings)[("1", 2, "C")] == "qual"
    assert ("1", 2, "C") not in reasons(cohort, QualitySettings(qual_above=30.0009))


def test_pass_is_asked_for_only_where_filter_is_there(cohort):
    found = reasons(cohort, QualitySettings(filter_pass=True))
    assert found[("1", 4, "C")] == "filter"
    assert ("1", 5, "C") not in found
    steps = filter_variants(cohort, QualitySettings(filter_pass=True)).steps
    note = next(step.note for step in steps if step.step == "filter")
    assert "1 variants have no FILTER and stay" in note


def test_people_left_out_leave_allele_counts(cohort):
    """s0 carries the one allele of most records; without the cases there is none."""
    found = reasons(cohort, people=PeopleSettings(control=("control",), exclude=("case",)))
    assert found[("1", 2, "C")] == "ac_1"


def test_nobody_is_a_case_or_control(tmp_path):
    text = vcf_text([["1", 5, "A", "C", "GT", "0/1"]], ["a"])
    cohort = make_cohort(tmp_path, text, {"a": "unknown"})
    with pytest.raises(EmptyResultError, match="nobody is either"):
        filter_variants(cohort, QualitySettings())


def test_everything_off_keeps_everything(cohort):
    filtered = filter_variants(cohort, OFF)
    np.testing.assert_array_equal(filtered.kept, np.arange(cohort.n_variants))
    assert all(step.removed <= 0 for step in filtered.steps)


def test_differential_missingness__scipy(tmp_path):
    from scipy.stats import fisher_exact

    records = [
        record(10 * n, calls=["./."] * n + ["0/1"] * (10 - n)) for n in range(1, 9)
    ]  # fmt: skip
    cohort = make_cohort(tmp_path, vcf_text(records, SAMPLES), PEOPLE)
    settings = QualitySettings(min_call_rate=None, max_missingness_log10=1.0)
    found = reasons(cohort, settings)
    for n in range(1, 9):
        table = [[min(n, 5), 5 - min(n, 5)], [max(n - 5, 0), 5 - max(n - 5, 0)]]
        is_out = -np.log10(fisher_exact(table).pvalue) > 1.0
        assert (("1", 10 * n, "C") in found) == is_out
    assert found


def test_a_threshold_of_zero_is_not_off(cohort):
    assert reasons(cohort, QualitySettings(qual_above=0.0))[("1", 6, "C")] == "ac_1"
    steps = filter_variants(cohort, QualitySettings(qual_above=0.0, min_mean_depth=0.0)).steps
    assert {step.step for step in steps if step.is_off and not step.has_no_data}.isdisjoint(
        {"qual", "depth_1", "depth_2"}
    )


def test_another_definition_of_cases_is_counted_anew(tmp_path):
    people = PEOPLE | {"s9": "other"}
    cohort = make_cohort(
        tmp_path, vcf_text(RECORDS, SAMPLES, ("1", "X", "MT", "GL000191.1")), people
    )
    first = filter_variants(cohort, QualitySettings())
    swapped = PeopleSettings(case=("control",), control=("case",), exclude=("other",))
    other = filter_variants(cohort, QualitySettings(), swapped)
    np.testing.assert_array_equal(first.case, other.control)
    with_others = PeopleSettings(case=("case", "other"), control=("control",))
    more = filter_variants(cohort, QualitySettings(), with_others)
    assert more.case[:, :].sum() > first.case.sum()
    again = filter_variants(cohort, QualitySettings())
    np.testing.assert_array_equal(first.removed_by, again.removed_by)


REGIONS = "chr1:5-9, X:1-2999999, GL000191.1:1-3, 1:17-17"


@pytest.mark.parametrize("prefix", ["", "chr"])
def test_regions_left_out__bcftools(tmp_path, prefix):
    """`bcftools view -t ^…` keeps the same variants, however the source writes a chromosome."""
    records = [[f"{prefix}{record[0]}", *record[1:]] for record in RECORDS]
    text = vcf_text(records, SAMPLES, [f"{prefix}{name}" for name in CONTIGS])
    path = tmp_path / "all.vcf"
    path.write_text(text)
    asked = ",".join(f"{prefix}{region}" for region in ("1:5-9", "1:17-17", "X:1-2999999",
                                                        "GL000191.1:1-3"))  # fmt: skip
    command = [require_tool("bcftools"), "query", "-t", f"^{asked}", "-f", "%CHROM %POS\n"]
    kept = subprocess.run([*command, str(path)], check=True, capture_output=True, text=True)
    expected = {line.removeprefix(prefix) for line in kept.stdout.splitlines()}
    assert 0 < len(expected) < len(records)
    cohort = make_cohort(tmp_path, text, PEOPLE)
    filtered = filter_variants(cohort, OFF.model_copy(update={"without_regions": REGIONS}))
    table = variants(cohort).iloc[filtered.kept]
    found = {
        f"{c.removeprefix(prefix)} {pos}" for c, pos in zip(table.chrom, table.pos, strict=True)
    }
    assert found == expected


def test_regions_are_the_last_step_and_off_at_first(cohort):
    plain = filter_variants(cohort, QualitySettings())
    assert plain.steps[-1].step == "regions"
    assert (plain.steps[-1].note, plain.steps[-1].is_off, plain.steps[-1].removed) == (
        "off", True, 0
    )  # fmt: skip
    without = filter_variants(cohort, QualitySettings(without_regions="1:1-10"))
    inside = (variants(cohort).chrom == "1") & variants(cohort).pos.between(1, 10)
    np.testing.assert_array_equal(without.kept, plain.kept[~inside.to_numpy()[plain.kept]])
    last = without.steps[-1]
    assert last.note == "1:1–10"
    assert last.removed == len(plain.kept) - len(without.kept) > 0
    assert without.steps[-2].variants == plain.steps[-2].variants
    # What another rule removed first stays with that rule.
    assert reasons(cohort, QualitySettings(without_regions="1:1-10"))[("1", 1, "C")] == "qual"
