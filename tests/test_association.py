"""Edges of the association; PLINK stands beside it in tests/oracle/test_association_plink.py."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from pipeline.association import (
    associate,
    association_table,
    odds_ratios,
    write_association,
)
from pipeline.errors import EmptyResultError, NotComputedError
from pipeline.permutation import MaxT
from pipeline.quality import filter_variants
from pipeline.settings import AssociationSettings, QualitySettings
from pipeline.statistics import fisher_2x2, fisher_2x3
from tests.small_cohorts import make_cohort, vcf_text

SAMPLES = [f"s{i}" for i in range(12)]
PEOPLE = {s: "case" if i % 2 else "control" for i, s in enumerate(SAMPLES)}
SEX = {s: "M" if i < 6 else "F" for i, s in enumerate(SAMPLES)}
KEEP_ALL = QualitySettings(
    qual_above=None, drop_monomorphic=False, drop_sex_chromosomes=False, min_call_rate=None
)
RECORDS = [
    ["1", 10, "A", "C", "GT", *["0/0"] * 12],
    ["1", 20, "A", "C", "GT", *["0/0", "0/1"] * 6],
    ["1", 30, "A", "C", "GT", *["./."] * 12],
    ["1", 40, "A", "C", "GT", *["1/1", "0/1", "0/0"] * 4],
    ["X", 3_000_000, "A", "C", "GT", *["0", "1"] * 3, *["0/0", "0/1"] * 3],
    ["X", 3_000_010, "A", "C", "GT", *["0/1"] * 6, *["0/0", "1/1"] * 3],
    ["Y", 3_000_000, "A", "C", "GT", *["0", "1"] * 3, *["./."] * 6],
]


@pytest.fixture
def cohort(tmp_path):
    return make_cohort(tmp_path, vcf_text(RECORDS, SAMPLES), PEOPLE, SEX)


def found(cohort, test: str, **more):
    filtered = filter_variants(cohort, KEEP_ALL)
    return filtered, associate(cohort, filtered, AssociationSettings(test=test, **more))


@pytest.mark.parametrize(
    "test", ["genotypic", "genotypic_df4", "allelic", "trend", "dominant", "fisher"]
)
def test_no_test_where_there_is_one_genotype_or_y(cohort, test):
    _, result = found(cohort, test)
    tested = ~np.isnan(result.neg_log10_p)
    assert tested.tolist() == [False, True, False, True, True, True, False]
    assert np.isnan(result.statistic[~tested]).all()
    assert np.isnan(result.statistic[tested]).all() == (test == "fisher")
    assert result.n_tested == 4
    assert result.bonferroni == pytest.approx(-np.log10(0.05 / 4))


def test_degrees_of_freedom(cohort):
    assert found(cohort, "genotypic")[1].df[[1, 3]].tolist() == [1, 2]
    assert found(cohort, "genotypic_df4")[1].df[[1, 3]].tolist() == [2, 4]
    assert found(cohort, "trend")[1].df[[1, 3]].tolist() == [1, 1]


def test_genotypic_on_x_is_of_females(cohort):
    """Six women, three cases, all het or hom: 6 = n of a perfect 2 x 2."""
    assert found(cohort, "genotypic")[1].statistic[[4, 5]].tolist() == [6, 6]


def test_doubtful_tables_are_flagged_and_lambda_leaves_them_out(cohort):
    _, result = found(cohort, "genotypic")
    assert result.is_doubtful[[1, 3]].all()
    assert not result.is_doubtful[[0, 2, 6]].any()
    assert np.isnan(result.lambda_gc)
    assert not found(cohort, "genotypic", min_expected=0)[1].is_doubtful.any()


def test_lambda_of_df4_is_that_of_the_genotypic_p(uwgac_missing):
    filtered = filter_variants(uwgac_missing, QualitySettings(qual_above=None))
    one, four = (
        associate(uwgac_missing, filtered, AssociationSettings(test=test))
        for test in ("genotypic", "genotypic_df4")
    )
    assert one.lambda_gc == four.lambda_gc
    assert 0.9 < one.lambda_gc < 1.1  # simulated and null
    assert four.lambda_note
    assert four.n_tested == one.n_tested


def test_table_of_what_cannot_be_told(cohort, tmp_path):
    filtered, result = found(cohort, "allelic")
    write_association(association_table(cohort, filtered, result), tmp_path / "t.tsv")
    rows = [line.split("\t") for line in (tmp_path / "t.tsv").read_text().splitlines()]
    first = dict(zip(rows[0], rows[1], strict=True))
    nobody = dict(zip(rows[0], rows[3], strict=True))
    assert first["odds_ratio"] == first["p_value"] == first["df"] == first["gene"] == "#NA"
    assert first["effect_allele_frequency"] == "0"
    assert nobody["effect_allele_frequency"] == "#NA"
    assert (nobody["n"], first["n"], first["n_case_hom_ref"]) == ("0", "12", "6")
    het_males = dict(zip(rows[0], rows[6], strict=True))
    assert het_males["effect_allele_frequency"] == "0.5"  # six women: three hom-alt
    assert list(tmp_path.glob(".*")) == []


def test_no_variant_is_a_sentence(cohort):
    filtered = filter_variants(cohort, QualitySettings(qual_above=5000.0))
    with pytest.raises(EmptyResultError, match="keep none of 7"):
        associate(cohort, filtered)


@pytest.fixture
def odd_regions(tmp_path):
    """A hundred people; autosome, X and mitochondrion, each variant rare enough to be doubtful."""
    rng = np.random.default_rng(3)
    names = [f"s{i}" for i in range(100)]
    is_case, is_male = np.arange(100) < 40, np.arange(100) % 2 == 0

    def calls(chrom: str, frequency: np.ndarray) -> list[str]:
        first, second = (rng.random((2, 100)) < frequency).astype(int)
        if chrom == "MT":
            return ["0/1" if b else str(a) for a, b in zip(first, second, strict=True)]
        return [
            str(a) if chrom == "X" and male else f"{a}/{b}"
            for a, b, male in zip(first, second, is_male, strict=True)
        ]

    places = [("1", 10), ("1", 20), ("X", 3_000_000), ("X", 3_000_010), ("MT", 10), ("MT", 20)]
    records = [
        [chrom, pos, "A", "C", "GT", *calls(chrom, np.where(is_case, 0.12, 0.03 + i % 2 * 0.3))]
        for i, (chrom, pos) in enumerate(places)
    ]
    people = dict(zip(names, np.where(is_case, "case", "control"), strict=True))
    sex = dict(zip(names, np.where(is_male, "M", "F"), strict=True))
    return make_cohort(tmp_path, vcf_text(records, names), people, sex)


def counted(filtered, rows, sex=None) -> list[np.ndarray]:
    """Return genotypes of cases and controls, of one sex (0 male, 1 female) on X."""
    if sex is None:
        return [c[rows, :3].astype(int) for c in (filtered.case, filtered.control)]
    at = np.searchsorted(filtered.sex_counts.rows, rows)
    return [c[at, sex, :3].astype(int) for c in (filtered.sex_counts.case,
                                                  filtered.sex_counts.control)]  # fmt: skip


@pytest.mark.parametrize("table", ["genotypes", "alleles"])
def test_fisher_reads_the_table_of_the_region(odd_regions, table):
    """Autosomes everybody; X females, or alleles with a male's once; MT one allele a person."""
    filtered, result = found(odd_regions, "fisher", fisher_table=table)
    auto, female, male = (
        counted(filtered, [0, 1]), counted(filtered, [2, 3], 1), counted(filtered, [2, 3], 0)
    )  # fmt: skip
    mt = [c[:, [0, 2]] for c in counted(filtered, [4, 5])]
    of_alleles = np.array([[2, 0], [1, 1], [0, 2]])
    if table == "genotypes":
        expected = [fisher_2x3(*auto), fisher_2x3(*female)]
    else:
        on_x = [f @ of_alleles + m[:, [0, 2]] for f, m in zip(female, male, strict=True)]
        both = [[c @ of_alleles for c in auto], on_x]
        expected = [fisher_2x2(*np.concatenate(pair, axis=1).T) for pair in both]
    expected.append(fisher_2x2(*np.concatenate(mt, axis=1).T))
    np.testing.assert_allclose(result.neg_log10_p, np.concatenate(expected), atol=1e-11)
    assert not result.is_doubtful.any()
    assert result.lambda_note


@pytest.mark.parametrize(
    "test", ["genotypic", "genotypic_df4", "allelic", "trend", "dominant", "recessive"]
)
def test_doubtful_tables_are_switched_or_hidden(odd_regions, test):
    _, flagged = found(odd_regions, test)
    _, switched = found(odd_regions, test, small_expected="fisher")
    _, hidden = found(odd_regions, test, small_expected="hide")
    doubtful = flagged.is_doubtful
    assert doubtful.any()
    assert (flagged.n_switched, flagged.n_hidden) == (0, 0)
    assert (switched.n_switched, switched.n_hidden) == (doubtful.sum(), 0)
    assert (hidden.n_switched, hidden.n_hidden) == (0, doubtful.sum())
    assert hidden.n_tested == flagged.n_tested - doubtful.sum()
    for other in (switched, hidden):
        np.testing.assert_array_equal(other.is_doubtful, doubtful)
        np.testing.assert_array_equal(other.neg_log10_p[~doubtful], flagged.neg_log10_p[~doubtful])
        assert np.isnan(other.statistic[doubtful]).all()
        np.testing.assert_equal(other.lambda_gc, flagged.lambda_gc)
    if test in ("genotypic", "genotypic_df4", "allelic", "trend"):
        table = "alleles" if test in ("allelic", "trend") else "genotypes"
        _, exact = found(odd_regions, "fisher", fisher_table=table)
        np.testing.assert_array_equal(switched.neg_log10_p[doubtful], exact.neg_log10_p[doubtful])


def test_lines_agree_with_how_many_pass(uwgac_missing):
    filtered = filter_variants(uwgac_missing, QualitySettings(qual_above=None))
    result = associate(uwgac_missing, filtered, AssociationSettings(test="trend"))
    nothing = replace(result, neg_log10_p=np.minimum(result.neg_log10_p, 1.0))
    assert nothing.line("bh") == np.inf
    assert set(nothing.significant().values()) == {0}
    log_p = result.neg_log10_p.copy()
    log_p[:40] = np.linspace(2.0, 7.0, 40)
    planted = replace(result, neg_log10_p=log_p)
    for correction, n_passing in planted.significant().items():
        passing = planted.neg_log10_p > planted.line(correction)
        assert passing.sum() == n_passing > 0, correction
    tested = planted.neg_log10_p[~np.isnan(planted.neg_log10_p)]
    q = false_discovery_control(10**-tested)
    np.testing.assert_array_equal(tested > planted.line("bh"), q < 0.05)
    with pytest.raises(NotComputedError, match="run the permutations"):
        planted.line("permutation")
    max_t = MaxT(np.linspace(2, 6, 99))
    assert planted.line("permutation", max_t) == max_t.line()


@dataclass(frozen=True)
class Fitted:
    statistic: np.ndarray
    df: np.ndarray
    neg_log10_p: np.ndarray
    odds_ratio: np.ndarray
    standard_error: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    is_firth: np.ndarray


def test_logistic_is_given_from_outside(odd_regions):
    filtered = filter_variants(odd_regions, KEEP_ALL)
    with pytest.raises(NotComputedError, match="not computed yet"):
        associate(odd_regions, filtered, AssociationSettings(test="logistic"))
    columns = {name: np.arange(6) + 1.0 for name in Fitted.__dataclass_fields__}
    fit = Fitted(**columns)
    for small_expected in ("flag", "fisher", "hide"):
        settings = AssociationSettings(test="logistic", small_expected=small_expected)
        result = associate(odd_regions, filtered, settings, fit)
        _, allelic = found(odd_regions, "allelic")
        np.testing.assert_array_equal(result.is_doubtful, allelic.is_doubtful)
        hides = result.is_doubtful & (small_expected == "hide")
        np.testing.assert_array_equal(np.isnan(result.neg_log10_p), hides)
        np.testing.assert_array_equal(result.statistic[~hides], fit.statistic[~hides])
        assert result.n_switched == 0
        table = association_table(odd_regions, filtered, result)
        np.testing.assert_array_equal(table["odds_ratio"], fit.odds_ratio)
        chosen = odds_ratios(odd_regions, filtered, np.array([3, 1]), result)
        assert chosen.ci_high.tolist() == [4, 2]
    assert np.isfinite(fit.neg_log10_p).all()  # what was given is not written into
    allelic = associate(odd_regions, filtered, AssociationSettings(test="allelic"), fit)
    assert allelic.regression is None


def test_odds_ratios_of_some_rows_are_those_of_all(odd_regions):
    filtered = filter_variants(odd_regions, KEEP_ALL)
    every = odds_ratios(odd_regions, filtered).odds_ratio
    rows = np.array([5, 3, 0, 2])
    np.testing.assert_array_equal(odds_ratios(odd_regions, filtered, rows).odds_ratio, every[rows])
    assert np.isfinite(every).any()
