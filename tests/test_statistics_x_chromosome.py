"""X outside the pseudo-autosomal regions; PLINK is an oracle in tests/oracle."""

from __future__ import annotations

import numpy as np
import statsmodels.api as sm

from pipeline import statistics


def planted_tables(seed: int, n_variants: int) -> list[np.ndarray]:
    """Return female case, female control (n, 3), male case, male control (n, 2)."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.02, 0.5, n_variants)
    diploid = np.stack([(1 - p) ** 2, 2 * p * (1 - p), p**2], axis=1)
    haploid = np.stack([1 - p, p], axis=1)
    sizes = ((150, diploid), (90, diploid), (60, haploid), (200, haploid))
    return [np.stack([rng.multinomial(n, row) for row in shares]) for n, shares in sizes]


def people_of(tables: list[np.ndarray], variant: int) -> tuple[np.ndarray, ...]:
    """Return case (0 / 1), dose and sex of each person of one variant."""
    rows = [
        (is_case, dose, is_male)
        for table, is_case, doses, is_male in zip(
            tables, (1, 0, 1, 0), ((0, 1, 2), (0, 1, 2), (0, 2), (0, 2)), (0, 0, 1, 1), strict=True
        )
        for n, dose in zip(table[variant], doses, strict=True)
        for _ in range(n)
    ]
    return tuple(np.array(rows, float).T)


def test_x_trend__score_test_of_logistic_regression_with_sex():
    tables = planted_tables(1, 12)
    ours = statistics.x_trend(*tables)
    for variant in range(12):
        case, dose, sex = people_of(tables, variant)
        model = sm.GLM(case, sm.add_constant(sex), family=sm.families.Binomial()).fit()
        chi2, p, *_ = model.score_test(exog_extra=dose[:, None])
        np.testing.assert_allclose(ours.statistic[variant], np.ravel(chi2)[0], rtol=1e-7)
        np.testing.assert_allclose(10 ** -ours.neg_log10_p[variant], np.ravel(p)[0], rtol=1e-6)
        assert ours.df[variant] == 1


def test_x_trend__one_sex_is_the_trend_of_that_sex():
    female_case, female_control, male_case, male_control = planted_tables(2, 50)
    nobody = np.zeros_like(male_case)
    ours = statistics.x_trend(female_case, female_control, nobody, nobody)
    theirs = statistics.trend(female_case, female_control)
    np.testing.assert_allclose(ours.statistic, theirs.statistic)
    # Males 0 / 2: as diploid homozygotes.
    as_diploid = [np.insert(table, 1, 0, axis=1) for table in (male_case, male_control)]
    nobody = np.zeros_like(female_case)
    ours = statistics.x_trend(nobody, nobody, male_case, male_control)
    np.testing.assert_allclose(ours.statistic, statistics.trend(*as_diploid).statistic)


def test_x_trend__another_share_of_males_is_no_association():
    """No effect within a sex, but males, who carry more here, are mostly controls."""
    female_case, female_control = np.array([[80, 18, 2]]), np.array([[40, 9, 1]])
    male_case, male_control = np.array([[10, 10]]), np.array([[100, 100]])
    ours = statistics.x_trend(female_case, female_control, male_case, male_control)
    np.testing.assert_allclose(ours.statistic, 0, atol=1e-12)
    crude = statistics.alleles_test(
        statistics.x_allele_counts(female_case, male_case),
        statistics.x_allele_counts(female_control, male_control),
    )
    assert crude.neg_log10_p[0] > 3


def test_no_test_where_nothing_varies_or_a_class_is_empty():
    reference = (
        np.array([[10, 0, 0]]),
        np.array([[20, 0, 0]]),
        np.array([[5, 0]]),
        np.array([[6, 0]]),
    )
    no_case = (
        np.zeros((1, 3), int),
        np.array([[3, 4, 5]]),
        np.zeros((1, 2), int),
        np.array([[3, 4]]),
    )
    for tables in (reference, no_case):
        result = statistics.x_trend(*tables)
        assert np.isnan([result.statistic, result.df, result.neg_log10_p]).all()


def test_x_allele_counts__two_a_female_one_a_male():
    alleles = statistics.x_allele_counts(np.array([[1, 2, 3]]), np.array([[10, 20]]))
    np.testing.assert_array_equal(alleles, [[2 + 2 + 10, 2 + 6 + 20]])
