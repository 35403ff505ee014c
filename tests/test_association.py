"""Edges of the association; PLINK stands beside it in tests/oracle/test_association_plink.py."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.association import associate, association_table, write_association
from pipeline.errors import EmptyResultError
from pipeline.quality import filter_variants
from pipeline.settings import AssociationSettings, QualitySettings
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


@pytest.mark.parametrize("test", ["genotypic", "genotypic_df4", "allelic", "trend"])
def test_no_test_where_there_is_one_genotype_or_y(cohort, test):
    _, result = found(cohort, test)
    tested = ~np.isnan(result.neg_log10_p)
    assert tested.tolist() == [False, True, False, True, True, True, False]
    np.testing.assert_array_equal(np.isnan(result.statistic), ~tested)
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
