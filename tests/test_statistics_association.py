"""Tests, flags and odds ratios of genotype tables, against SciPy and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import Table, Table2x2

from pipeline import statistics
from pipeline.statistics import TESTS

count = st.integers(0, 3) | st.integers(0, 2000) | st.integers(0, 1_000_000)
tables = st.lists(st.lists(count, min_size=3, max_size=3), min_size=2, max_size=2)


def one(table) -> tuple[np.ndarray, np.ndarray]:
    return np.array([table[0]]), np.array([table[1]])


def drop_empty_columns(table) -> np.ndarray:
    table = np.array(table)
    return table[:, table.sum(axis=0) > 0]


def assert_result(result, statistic, df, neg_log10_p=None):
    np.testing.assert_allclose(result.statistic[0], statistic, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(result.df[0], df)
    if neg_log10_p is None:
        neg_log10_p = -scipy_stats.chi2.logsf(result.statistic[0], df) / np.log(10)
    if np.isfinite(neg_log10_p):  # SciPy underflows
        np.testing.assert_allclose(result.neg_log10_p[0], neg_log10_p, rtol=1e-9, atol=1e-12)


def assert_no_test(result):
    for values in (result.statistic, result.df, result.neg_log10_p):
        assert np.isnan(values).all()


@settings(deadline=None)
@given(tables)
def test_genotypic__scipy(table):
    result, doubled = TESTS["genotypic"](*one(table)), TESTS["genotypic_df4"](*one(table))
    present = drop_empty_columns(table)
    if present.shape[1] < 2 or (present.sum(axis=1) == 0).any():
        assert_no_test(result)
        assert_no_test(doubled)
        return
    chi2, _, df, _ = scipy_stats.chi2_contingency(present, correction=False)
    assert_result(result, chi2, df)
    assert_result(doubled, chi2, 2 * df)


def test_genotypic_df4__is_the_table_with_a_column_of_totals():
    table = np.array([[30, 50, 20], [20, 40, 50]])
    with_totals = np.vstack([table, table.sum(axis=0)]).T
    chi2, p, df, _ = scipy_stats.chi2_contingency(with_totals, correction=False)
    assert_result(TESTS["genotypic_df4"](*one(table)), chi2, df, -np.log10(p))


@settings(deadline=None)
@given(tables)
def test_allelic__scipy(table):
    alleles = np.array([[2 * row[0] + row[1], row[1] + 2 * row[2]] for row in table])
    result = TESTS["allelic"](*one(table))
    if (alleles.sum(axis=0) == 0).any() or (alleles.sum(axis=1) == 0).any():
        assert_no_test(result)
        return
    chi2, _, df, _ = scipy_stats.chi2_contingency(alleles, correction=False)
    assert_result(result, chi2, df)


@settings(deadline=None)
@given(tables)
def test_trend__statsmodels(table):
    result = TESTS["trend"](*one(table))
    counts = np.array(table, float)
    if drop_empty_columns(table).shape[1] < 2 or (counts.sum(axis=1) == 0).any():
        assert_no_test(result)
        return
    association = Table(counts, shift_zeros=False).test_ordinal_association(
        row_scores=np.array([0, 1]), col_scores=np.array([0, 1, 2])
    )
    # statsmodels divides the variance by n - 1, PLINK by n.
    n = counts.sum()
    chi2 = association.zscore**2 * n / (n - 1)
    assert result.df[0] == 1
    np.testing.assert_allclose(result.statistic[0], chi2, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(("test", "folds"), [("dominant", [0, 1, 1]), ("recessive", [0, 0, 1])])
@settings(deadline=None)
@given(table=tables)
def test_dominant_and_recessive__scipy(test, folds, table):
    folded = np.zeros((2, 2), int)
    np.add.at(folded, (slice(None), folds), np.array(table))
    result = TESTS[test](*one(table))
    if (folded.sum(axis=0) == 0).any() or (folded.sum(axis=1) == 0).any():
        assert_no_test(result)
        return
    chi2, _, df, _ = scipy_stats.chi2_contingency(folded, correction=False)
    assert_result(result, chi2, df)


OTHER_ALLELE = {"dominant": "recessive", "recessive": "dominant"}


@settings(deadline=None)
@given(tables, st.sampled_from(sorted(TESTS)))
def test_symmetries(table, test):
    """Neither the name of the class nor that of the allele changes a p-value.

    Fisher's is a sum of probabilities from ln factorials, good to some 1e-16 of ln n!.
    """
    case, control = one(table)
    if test == "fisher":  # the sum is long with a million people
        case, control = case % 20_000, control % 20_000
    result = TESTS[test](case, control)
    swapped = TESTS[OTHER_ALLELE.get(test, test)]
    atol = 1e-8 if test == "fisher" else 1e-12
    for other in (TESTS[test](control, case), swapped(case[:, ::-1], control[:, ::-1])):
        np.testing.assert_allclose(other.neg_log10_p, result.neg_log10_p, rtol=1e-9, atol=atol)
        np.testing.assert_array_equal(other.df, result.df)


def test_fisher_has_no_statistic_and_needs_two_genotypes():
    tables = np.array([[5, 0, 0], [5, 3, 0], [0, 0, 0], [1, 2, 3]])
    result = TESTS["fisher"](tables, tables[[0, 1, 1, 3]])
    assert np.isnan(result.neg_log10_p).tolist() == [True, False, True, False]
    assert np.isnan(result.statistic).all()
    assert np.isnan(result.df).all()


@pytest.mark.parametrize("test", sorted(TESTS))
def test_many_variants__each_as_by_itself(test):
    rng = np.random.default_rng(4)
    case, control = rng.integers(0, 5, (2, 3000, 3)).astype(np.int32)
    result = TESTS[test](case, control)
    for variant in range(0, 3000, 97):
        alone = TESTS[test](case[[variant]], control[[variant]])
        np.testing.assert_array_equal(alone.neg_log10_p[0], result.neg_log10_p[variant])
    assert np.isnan(result.neg_log10_p).any()
    assert not np.isinf(result.neg_log10_p).any()


@pytest.mark.parametrize("test", sorted(TESTS))
def test_no_variants(test):
    empty = np.zeros((0, 3), int)
    assert TESTS[test](empty, empty).neg_log10_p.shape == (0,)
    assert statistics.expected_too_small(empty, empty, 5, test).shape == (0,)
    assert statistics.allelic_odds_ratio(empty, empty).odds_ratio.shape == (0,)


def test_null_variants__uniform_p():
    rng = np.random.default_rng(5)
    case, control = (rng.multinomial(n, [0.25, 0.5, 0.25], 20_000) for n in (1500, 2000))
    for test in ("genotypic", "allelic", "trend", "dominant", "recessive"):
        p = 10 ** -TESTS[test](case, control).neg_log10_p
        assert scipy_stats.kstest(p, "uniform").pvalue > 0.001, test


@pytest.mark.parametrize("df", [1, 2, 4])
def test_chi_squared_neg_log10_p__scipy_and_far_tail(df):
    x = np.concatenate([[0.0], np.logspace(-8, 3, 200)])
    ours = statistics.chi_squared_neg_log10_p(x, np.full(x.shape, float(df)))
    theirs = -scipy_stats.chi2.logsf(x, df) / np.log(10)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-13)
    far = np.array([1e4, 1e6, 1e12])
    ours = statistics.chi_squared_neg_log10_p(far, np.full(3, float(df)))
    assert np.isfinite(ours).all()
    # ln Q(a, y) = (a - 1) ln y - y - ln Gamma(a) + ln(1 + (a - 1) / y + …)
    a, y = df / 2, far / 2
    series = (a - 1) * np.log(y) - y - special.gammaln(a) + np.log1p((a - 1) / y)
    np.testing.assert_allclose(ours, -series / np.log(10), rtol=1e-10)


def test_chi_squared_neg_log10_p__nan_and_zero():
    ours = statistics.chi_squared_neg_log10_p(
        np.array([np.nan, 3.0, 0.0, 3.0]), np.array([1.0, np.nan, 2.0, 3.0])
    )
    np.testing.assert_array_equal(ours, [np.nan, np.nan, 0.0, np.nan])
    assert not np.signbit(ours[2])


def smallest_expected(table: np.ndarray) -> float:
    return scipy_stats.contingency.expected_freq(table).min()


@settings(deadline=None)
@given(tables, st.sampled_from(sorted(TESTS)), st.sampled_from([1.0, 5.0, 10.0]))
def test_expected_too_small__scipy(table, test, min_expected):
    case, control = one(table)
    flagged = statistics.expected_too_small(case, control, min_expected, test)[0]
    of_p = "genotypic" if test == "fisher" else test  # the sum is long with a million people
    if np.isnan(TESTS[of_p](case, control).neg_log10_p[0]):
        assert not flagged
        return
    used = drop_empty_columns(table)
    if test in ("allelic", "trend"):
        used = np.vstack([statistics.allele_counts(case), statistics.allele_counts(control)])
    elif test == "dominant":
        used = np.array(table) @ [[1, 0], [0, 1], [0, 1]]
    elif test == "recessive":
        used = np.array(table) @ [[1, 0], [1, 0], [0, 1]]
    smallest = smallest_expected(used)
    if abs(smallest - min_expected) > 1e-9:
        assert flagged == (smallest < min_expected)


def test_expected_too_small__the_bound_itself_is_enough():
    case, control = one([[90, 10, 0], [90, 10, 0]])  # 10 heterozygotes expected in each class
    assert not statistics.expected_too_small(case, control, 10.0, "genotypic")[0]
    assert statistics.expected_too_small(case, control, 10.001, "genotypic")[0]
    with pytest.raises(KeyError):
        statistics.expected_too_small(case, control, 5.0, "logistic")


@settings(deadline=None)
@given(tables, st.sampled_from([0.8, 0.95, 0.99]))
def test_allelic_odds_ratio__statsmodels(table, confidence):
    case, control = one(table)
    ours = statistics.allelic_odds_ratio(case, control, confidence)
    (case_ref, case_alt), (control_ref, control_alt) = (
        statistics.allele_counts(case)[0],
        statistics.allele_counts(control)[0],
    )
    if 0 in (case_ref, case_alt, control_ref, control_alt):
        values = ours.odds_ratio, ours.standard_error, ours.ci_low, ours.ci_high
        assert np.isnan(values).all()
        return
    theirs = Table2x2(
        np.array([[case_alt, case_ref], [control_alt, control_ref]], float), shift_zeros=False
    )
    np.testing.assert_allclose(ours.odds_ratio[0], theirs.oddsratio)
    np.testing.assert_allclose(ours.standard_error[0], theirs.log_oddsratio_se)
    limits = theirs.oddsratio_confint(1 - confidence)
    np.testing.assert_allclose([ours.ci_low[0], ours.ci_high[0]], limits)
