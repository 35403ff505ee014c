"""Logistic regression of many variants: statsmodels, EPACTS, and Firth's likelihood maximised."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from pipeline.statistics.logistic import fit_logistic, wald_neg_log10_p
from tests.tools import shared_data

EPACTS = "hail/regressionLogisticEpacts"
# EPACTS b.wald (beta, error, z, p) and b.firth (beta) of these five variants, as Hail's tests have
# them (hail/python/test/hail/methods/test_statgen.py); EPACTS stops early where carriers are few.
WALD = (
    (-0.097476, 0.087478, -1.1143, 0.26516, 1e-4),
    (-0.052632, 0.11272, -0.46691, 0.64056, 1e-4),
    (-0.15598, 0.079508, -1.9619, 0.049779, 1e-4),
    (-0.88059, 0.83769, -1.0512, 0.29316, 1e-2),
    (0.54921, 0.4517, 1.2159, 0.22403, 1e-3),
)
FIRTH_BETA = (-0.097079, -0.052301, -0.15567, -0.7524, 0.5258)


def people(n: int = 1500, k: int = 4, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return is_case (n,) that depends on covariates (n, k)."""
    rng = np.random.default_rng(seed)
    covariates = rng.standard_normal((n, k)) * 3 + 10
    risk = (covariates - 10) @ rng.normal(0, 0.2, k) - 0.3
    return rng.random(n) < 1 / (1 + np.exp(-risk)), covariates


def variants(n_variants: int, n_people: int, seed: int = 2) -> np.ndarray:
    """Return genotypes of rare to common variants; calls are missing in every second."""
    rng = np.random.default_rng(seed)
    frequency = 10 ** rng.uniform(-2, -0.3, (n_variants, 1))
    genotypes = rng.binomial(2, frequency, (n_variants, n_people)).astype(np.uint8)
    genotypes[::2][rng.random(genotypes[::2].shape) < 0.03] = 3
    return genotypes


def firth_by_hand(genotype, is_case, covariates) -> tuple[float, float]:
    """Return beta and error at the maximum of Firth's penalised likelihood, by BFGS."""
    called = genotype != 3
    y = is_case[called]
    design = np.column_stack([np.ones(called.sum()), covariates[called], genotype[called]])

    def information(b):
        p = 1 / (1 + np.exp(-(design @ b)))
        return p, (design * (p * (1 - p))[:, None]).T @ design

    def objective(b):
        p, matrix = information(b)
        hat = p * (1 - p) * np.einsum("ij,jk,ik->i", design, np.linalg.inv(matrix), design)
        likelihood = -np.logaddexp(0, np.where(y, -1, 1) * (design @ b)).sum()
        penalised = likelihood + 0.5 * np.linalg.slogdet(matrix)[1]
        return -penalised, -(design.T @ (y - p + hat * (0.5 - p)))

    start = np.zeros(design.shape[1])
    found = optimize.minimize(objective, start, jac=True, options={"gtol": 1e-7, "maxiter": 5000})
    return found.x[-1], np.sqrt(np.linalg.inv(information(found.x)[1])[-1, -1])


def test_beta_error_z_p__statsmodels():
    is_case, covariates = people()
    genotypes = variants(60, len(is_case))
    fit = fit_logistic(genotypes, is_case, covariates)
    checked = 0
    for v in np.flatnonzero(~fit.is_firth):
        called = genotypes[v] != 3
        design = np.column_stack([covariates[called], genotypes[v][called]])
        theirs = sm.Logit(is_case[called], sm.add_constant(design)).fit(disp=0, tol=1e-13)
        assert fit.beta[v] == pytest.approx(theirs.params[-1], rel=1e-6, abs=1e-8)
        assert fit.standard_error[v] == pytest.approx(theirs.bse[-1], rel=2e-6)
        assert fit.statistic[v] == pytest.approx(theirs.tvalues[-1], rel=1e-5, abs=1e-7)
        assert fit.neg_log10_p[v] == pytest.approx(
            -np.log10(theirs.pvalues[-1]), rel=1e-5, abs=1e-7
        )
        assert fit.n_people[v] == called.sum()
        checked += 1
    assert checked > 50


def test_no_covariates__statsmodels():
    is_case, _ = people()
    genotypes = variants(6, len(is_case))[1::2]
    fit = fit_logistic(genotypes, is_case, np.empty((len(is_case), 0)))
    for v, row in enumerate(genotypes):
        theirs = sm.Logit(is_case, sm.add_constant(row.astype(float))).fit(disp=0, tol=1e-13)
        assert fit.beta[v] == pytest.approx(theirs.params[-1], rel=1e-6)


@pytest.fixture(scope="module")
def epacts() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    lines = shared_data(f"{EPACTS}.vcf").read_text().splitlines()
    cells = [line.split("\t") for line in lines if not line.startswith("##")]
    codes = {"0/0": 0, "0/1": 1, "1/1": 2, "./.": 3}
    rows = [[codes[call.split(":")[0]] for call in row[9:]] for row in cells[1:]]
    fam = pd.read_csv(shared_data(f"{EPACTS}.fam"), sep="\t", header=None, index_col=1)
    scores = pd.read_csv(shared_data(f"{EPACTS}.cov"), sep="\t", index_col=0)
    named = cells[0][9:]
    covariates = np.column_stack([fam.loc[named, 4] == 2, scores.loc[named]]).astype(float)
    return np.array(rows, np.uint8), (fam.loc[named, 5] == 2).to_numpy(), covariates


def test_wald__epacts(epacts):
    fit = fit_logistic(*epacts)
    assert not fit.is_firth.any()
    for v, (beta, error, z, p, precision) in enumerate(WALD):
        assert fit.beta[v] == pytest.approx(beta, rel=1e-4)
        assert fit.standard_error[v] == pytest.approx(error, rel=precision)
        assert fit.statistic[v] == pytest.approx(z, rel=precision)
        assert 10 ** -fit.neg_log10_p[v] == pytest.approx(p, rel=precision)


def test_firth__epacts(epacts):
    fit = fit_logistic(*epacts, always_firth=True)
    assert fit.is_firth.all()
    np.testing.assert_allclose(fit.beta, FIRTH_BETA, rtol=1e-4)


def parted(is_case: np.ndarray, seed: int = 3) -> np.ndarray:
    """Return genotypes that part cases and controls in each of the ways there are."""
    rng = np.random.default_rng(seed)
    case, control = np.flatnonzero(is_case), np.flatnonzero(~is_case)
    rows = np.zeros((6, len(is_case)), np.uint8)
    rows[0, case[0]] = 1  # one carrier
    rows[1, control[:4]] = 1
    rows[2, case[:5]], rows[2, case[5]], rows[2, control[:50]] = 1, 2, 3
    rows[3] = 2 - (rng.random(len(is_case)) < 0.2)  # no reference allele but in cases
    rows[3, control] = 2
    rows[4, case] = 1  # every control below every case
    rows[5, case] = 1  # but for some who are even
    rows[5, control[:9]] = 1
    return rows


def test_parted_is_firth__maximised_by_hand():
    is_case, covariates = people(n=400, k=2)
    genotypes = parted(is_case)
    fit = fit_logistic(genotypes, is_case, covariates)
    assert fit.is_firth.all()
    standard = (covariates - covariates.mean(0)) / covariates.std(0)
    for v, row in enumerate(genotypes):
        beta, error = firth_by_hand(row, is_case, standard)
        assert fit.beta[v] == pytest.approx(beta, rel=2e-5)
        assert fit.standard_error[v] == pytest.approx(error, rel=2e-5)


def test_covariates_part_cases_and_controls():
    """The null model has no estimate then; every variant is Firth's."""
    is_case, covariates = people(n=200, k=1)
    genotypes = variants(5, 200)
    fit = fit_logistic(genotypes, is_case, np.column_stack([covariates, is_case * 1.0]))
    assert fit.is_firth.all()
    assert np.isfinite(fit.neg_log10_p).all()


def test_nothing_to_test_is_nan():
    is_case, covariates = people(n=300, k=2)
    called_cases = np.where(is_case, np.arange(300) % 2, 3)
    odd = np.arange(300) % 2
    rows = [np.zeros(300), np.full(300, 1), np.full(300, 3), called_cases, odd]
    fit = fit_logistic(
        np.array(rows, np.uint8), is_case, np.column_stack([covariates, 5.0 - 3 * odd])
    )
    for values in (fit.beta, fit.standard_error, fit.statistic, fit.neg_log10_p):
        assert np.isnan(values).all()
    assert not fit.is_firth.any()
    assert fit.n_people.tolist() == [300, 300, 0, int(is_case.sum()), 300]


def test_nobody_or_one_side():
    is_case, covariates = people(n=40, k=2)
    genotypes = variants(3, 40)
    for role in (np.zeros(40, bool), np.ones(40, bool)):
        assert np.isnan(fit_logistic(genotypes, role, covariates).beta).all()
    assert len(fit_logistic(genotypes[:0], is_case, covariates).beta) == 0


def test_doses_with_nan_are_codes_with_3():
    is_case, covariates = people(n=300)
    genotypes = variants(9, 300)
    doses = np.where(genotypes == 3, np.nan, genotypes)
    ours, theirs = fit_logistic(doses, is_case, covariates), fit_logistic(
        genotypes, is_case, covariates
    )  # fmt: skip
    np.testing.assert_array_equal(ours.beta, theirs.beta)


def test_p_does_not_underflow():
    z = np.array([0.0, 1.0, -5.0, 40.0, 2000.0, np.nan])
    expected = -(stats.norm.logsf(np.abs(z)) + np.log(2)) / np.log(10)
    np.testing.assert_allclose(wald_neg_log10_p(z), expected, atol=1e-15)
    assert wald_neg_log10_p(z)[4] > 800_000


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_invariances(seed):
    """Order of people, neighbours in a block, and the scale of covariates change nothing."""
    rng = np.random.default_rng(seed)
    is_case, covariates = people(n=150, k=3, seed=seed)
    genotypes = variants(70, 150, seed)
    fit = fit_logistic(genotypes, is_case, covariates)
    order = rng.permutation(150)
    mixed = covariates[order] @ rng.normal(size=(3, 3)) * 100 + 7
    again = fit_logistic(genotypes[:, order], is_case[order], mixed)
    alone = fit_logistic(genotypes[66:67], is_case, covariates)
    swapped = fit_logistic(genotypes, ~is_case, covariates)
    np.testing.assert_array_equal(fit.is_firth, again.is_firth)
    np.testing.assert_allclose(fit.beta, again.beta, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fit.standard_error, again.standard_error, rtol=1e-5)
    np.testing.assert_allclose(fit.beta, -swapped.beta, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fit.beta[66:67], alone.beta, rtol=1e-9)


def test_null_is_uniform():
    is_case, covariates = people(n=800, k=2, seed=11)
    rng = np.random.default_rng(12)
    genotypes = rng.binomial(2, rng.uniform(0.1, 0.5, (600, 1)), (600, 800)).astype(np.uint8)
    p = 10 ** -fit_logistic(genotypes, is_case, covariates).neg_log10_p
    assert stats.kstest(p, "uniform").pvalue > 0.001
