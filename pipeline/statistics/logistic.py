"""Additive logistic regression of case / control on each variant, beside covariates.

    null model (covariates alone) ── one step of all variants at once ──> a start for each variant
        ── Newton ──> estimate, error ── not converged, or cases and controls parted ──> Firth

A block of variants goes through each step together. The information X'WX of a variant is linear in
its weights, so that all are one matrix product of the weights (n_variants, n_people) with the
products of each two columns of the covariates; so are the hat diagonals of Firth's likelihood.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numba import config
from numpy.typing import NDArray
from scipy import special
from threadpoolctl import threadpool_limits

from pipeline.genotypes import GENOTYPE_MISSING
from pipeline.statistics.chi_squared import LN_10

_BLOCK = 64  # variants at once: their weights, 64 x 11,214 float64, are 6 MB
_NEWTON_STEPS = 15  # a variant that parts cases and controls never gets there
_FIRTH_STEPS = 400  # steps shrink slowly where everybody is parted; few variants take so many
_CONVERGED = 1e-12  # step' information step: the square of the step in standard errors
_FLAT = 1e-9  # share of a column's information that the others leave; less is none
_MAX_ETA = 30.0  # a linear predictor this far out is on its way to infinity
_MAX_STEP = 5.0
_MAX_HALVINGS = 20
# The limit on BLAS is the process's: two that leave in the order they came would keep it.
_one_at_a_time = threading.Lock()

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LogisticFit:
    """The regression of each variant, (n_variants,) each; NaN where there is none.

    `beta` is the ln odds ratio of one alternate allele, `standard_error` its error, `statistic`
    their ratio z (Wald), `neg_log10_p` its two-sided -log10 p. `n_people` counts who has a
    genotype. `is_firth` where the likelihood was penalised.
    """

    beta: Floats
    standard_error: Floats
    n_people: NDArray[np.int32]
    is_firth: NDArray[np.bool_]

    @property
    def statistic(self) -> Floats:
        """Return z of Wald's test."""
        return self.beta / self.standard_error

    @property
    def neg_log10_p(self) -> Floats:
        """Return the two-sided -log10 p of z, which does not underflow."""
        return wald_neg_log10_p(self.statistic)


@dataclass(frozen=True, eq=False)
class NullModel:
    """The regression on covariates alone, and what every variant shares.

    `basis` (n_people, m) is orthonormal times sqrt(n_people) and spans intercept and covariates;
    `pairs` (n_people, m (m + 1) / 2) has the products of each two of its columns. People lie cases
    first, in the `order` (n_people,) of positions in what was given. `is_fitted` is False where
    the covariates alone part cases and controls, and the start is 0.
    """

    order: NDArray[np.int64]
    n_case: int
    basis: Floats
    pairs: Floats
    coefficients: Floats
    is_fitted: bool
    upper: tuple[NDArray[np.int64], NDArray[np.int64]] = field(repr=False)
    # Weights, residuals and the inverse information of the null model, for the first step.
    weights: Floats = field(repr=False)
    residuals: Floats = field(repr=False)
    inverse: Floats = field(repr=False)


def wald_neg_log10_p(statistic: Floats) -> Floats:
    """Return the two-sided -log10 p of standard normal statistics, 0 or more; NaN stays NaN."""
    neg_ln_p = -special.log_ndtr(-np.abs(statistic)) - np.log(2.0)
    return 0.0 + np.maximum(neg_ln_p / LN_10, 0.0)


def null_model(is_case: NDArray[np.bool_], covariates: Floats) -> NullModel:
    """Return the regression of is_case (n_people,) on covariates (n_people, k), all finite.

    No intercept among the covariates: it is added. Columns that are constant or depend on others
    change nothing.
    """
    order = np.argsort(~is_case, kind="stable")
    n_case = int(np.count_nonzero(is_case))
    basis = _basis(np.asarray(covariates, np.float64)[order])
    m = basis.shape[1]
    upper = np.triu_indices(m)
    pairs = basis[:, upper[0]] * basis[:, upper[1]]
    coefficients, is_fitted = np.zeros(m), False
    null = NullModel(
        order, n_case, basis, pairs, coefficients, is_fitted, upper, *_shared(basis, n_case, None)
    )
    if 0 < n_case < len(order):
        coefficients, is_fitted = _fit_null(null)
    if not is_fitted:
        return null
    return NullModel(
        order,
        n_case,
        basis,
        pairs,
        coefficients,
        is_fitted,
        upper,
        *_shared(basis, n_case, coefficients),
    )


def fit_logistic(
    genotypes: NDArray[np.uint8] | Floats,
    is_case: NDArray[np.bool_],
    covariates: Floats,
    always_firth: bool = False,
) -> LogisticFit:
    """Return the additive logistic regression of each variant.

    `genotypes` (n_variants, n_people) are uint8 codes with 3 for missing, or doses with NaN for
    missing; `is_case` is (n_people,), `covariates` (n_people, k) finite and without intercept. Who
    misses the genotype of a variant is left out of that variant.

    Firth's penalised likelihood stands in where Newton's steps do not converge or the genotype
    parts cases and controls (as plink2's `firth-fallback`), or `always`, with Wald's z from X'WX at
    its estimate. NaN where the genotype does not vary beside the covariates, or without cases or
    controls.

    References: Firth 1993, Biometrika 80:27-38; Heinze and Schemper 2002, Stat. Med. 21:2409-2419.
    """
    return fit_variants(genotypes, null_model(is_case, covariates), always_firth)


def fit_variants(
    genotypes: NDArray[np.uint8] | Floats, null: NullModel, always_firth: bool = False
) -> LogisticFit:
    """Return `fit_logistic` of variants (n_variants, n_people) beside a null model made before."""
    n_threads: int = config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]  # as `over_rows`
    n = len(genotypes)
    beta, error = np.full(n, np.nan), np.full(n, np.nan)
    n_people, is_left = np.zeros(n, np.int32), np.zeros(n, bool)
    # One thread of BLAS in each of ours: a block's products are too narrow to be shared out.
    with (
        _one_at_a_time,
        threadpool_limits(1, user_api="blas"),
        ThreadPoolExecutor(n_threads) as threads,
    ):
        starts = range(0, len(genotypes), _BLOCK)
        for part, rows in zip(
            threads.map(lambda start: _maximised(genotypes[start : start + _BLOCK], null,
                                                 always_firth), starts),
            (slice(start, start + _BLOCK) for start in starts), strict=True,
        ):  # fmt: skip
            beta[rows], error[rows], n_people[rows], is_left[rows] = part
        # Those that are left are few in each block, so they are fitted in blocks of their own.
        left = np.flatnonzero(is_left)
        parts = [left[start : start + _BLOCK] for start in range(0, len(left), _BLOCK)]
        for chosen, found in zip(
            parts, threads.map(lambda rows: _penalised(genotypes[rows], null), parts), strict=True
        ):
            beta[chosen], error[chosen] = found
    return LogisticFit(beta, error, n_people, is_left & ~np.isnan(beta))


def _basis(covariates: Floats) -> Floats:
    """Return an orthogonal basis of intercept and covariates, each column of mean square 1."""
    n = len(covariates)
    intercept = np.ones((n, 1))
    if not covariates.shape[1] or not n:
        return intercept
    centred = covariates - covariates.mean(axis=0)
    spread = np.sqrt((centred**2).mean(axis=0))
    varies = spread > 1e-10 * np.maximum(1.0, np.abs(covariates).max(axis=0))
    if not varies.any():
        return intercept
    left, singular, _ = np.linalg.svd(centred[:, varies] / spread[varies], full_matrices=False)
    independent = singular > 1e-8 * singular[0]
    return np.hstack([intercept, left[:, independent] * np.sqrt(n)])


def _shared(
    basis: Floats, n_case: int, coefficients: Floats | None
) -> tuple[Floats, Floats, Floats]:
    """Return weights, residuals (n_people,) and inverse information (m, m) of the null model."""
    p = np.full(len(basis), 0.5) if coefficients is None else special.expit(basis @ coefficients)
    weights = p * (1 - p)
    residuals = -p
    residuals[:n_case] += 1
    information = (basis * weights[:, None]).T @ basis
    return weights, residuals, np.linalg.pinv(information)


def _fit_null(null: NullModel) -> tuple[Floats, bool]:
    """Return the coefficients of the covariates alone, and whether Newton's steps converged."""
    coefficients = null.coefficients.copy()
    for _ in range(2 * _NEWTON_STEPS):
        _, residuals, inverse = _shared(null.basis, null.n_case, coefficients)
        score = residuals @ null.basis
        step = inverse @ score
        coefficients = coefficients + step
        if not np.abs(null.basis @ coefficients).max() < _MAX_ETA:
            break
        if score @ step < _CONVERGED:
            return coefficients, True
    return np.zeros_like(coefficients), False


def _maximised(
    genotypes: NDArray, null: NullModel, always_firth: bool
) -> tuple[Floats, Floats, NDArray[np.int32], NDArray[np.bool_]]:
    """Return beta, error, who has a genotype, and which variants are left to Firth, (n,) each."""
    dose, called = _dose(genotypes, null.order)
    n_called = np.full(len(dose), dose.shape[1], np.int32)
    if called is not None:
        n_called = called.sum(axis=1).astype(np.int32)
    low, high = _extremes(dose, called, null.n_case)
    has_test = np.isfinite(low).all(axis=0)  # infinite on a side where nobody is called
    has_test &= np.minimum(low[0], low[1]) < np.maximum(high[0], high[1])
    is_parted = (high[0] <= low[1]) | (high[1] <= low[0])
    beta, error = np.full(len(dose), np.nan), np.full(len(dose), np.nan)
    fitted = np.flatnonzero(has_test & ~is_parted)
    if fitted.size and null.is_fitted and not always_firth:
        block = _Block(dose[fitted], None if called is None else called[fitted], null)
        beta[fitted], error[fitted] = _newton(block)
    return beta, error, n_called, has_test & np.isnan(beta)


def _penalised(genotypes: NDArray, null: NullModel) -> tuple[Floats, Floats]:
    """Return beta and error of variants that are left to Firth, (n,) each."""
    return _firth(_Block(*_dose(genotypes, null.order), null))


def _dose(genotypes: NDArray, order: NDArray[np.int64]) -> tuple[Floats, Floats | None]:
    """Return doses with 0 for missing, and 1 where called, cases first; None where all are."""
    chosen = genotypes[:, order]
    is_missing = np.isnan(chosen) if chosen.dtype.kind == "f" else chosen == GENOTYPE_MISSING
    dose = chosen.astype(np.float64)
    if not is_missing.any():
        return dose, None
    dose[is_missing] = 0.0
    return dose, (~is_missing).astype(np.float64)


def _extremes(dose: Floats, called: Floats | None, n_case: int) -> tuple[Floats, Floats]:
    """Return the smallest and the largest called dose of cases and of controls, (2, n) each."""
    low, high = np.full((2, len(dose)), np.inf), np.full((2, len(dose)), -np.inf)
    for side, people in enumerate((slice(0, n_case), slice(n_case, None))):
        here = dose[:, people]
        if not here.shape[1]:
            continue
        if called is None:
            low[side], high[side] = here.min(axis=1), here.max(axis=1)
        else:
            missing = called[:, people] == 0
            low[side] = np.where(missing, np.inf, here).min(axis=1)
            high[side] = np.where(missing, -np.inf, here).max(axis=1)
    return low, high


@dataclass(eq=False)
class _Block:
    """Variants that are fitted together: doses, who is called (None: everybody), the null model."""

    dose: Floats
    called: Floats | None
    null: NullModel

    def rows(self, chosen: NDArray) -> _Block:
        """Return some of the variants; the block itself for all of them."""
        if chosen.all():
            return self
        called = None if self.called is None else self.called[chosen]
        return _Block(self.dose[chosen], called, self.null)

    def start(self) -> Floats:
        """Return coefficients (n, m + 1) after one step from the null model, missing taken as 0.

        No weights of single variants are needed, so that this step of all costs next to nothing.
        """
        null = self.null
        weighted = self.dose * null.weights
        cross = weighted @ null.basis
        shifts = cross @ null.inverse
        information = np.einsum("ij,ij->i", weighted, self.dose) - (shifts * cross).sum(axis=1)
        step = np.divide(
            self.dose @ null.residuals, information, out=np.zeros(len(cross)), where=information > 0
        )
        step = np.clip(step, -_MAX_STEP, _MAX_STEP)
        return np.hstack([null.coefficients - step[:, None] * shifts, step[:, None]])

    def probabilities(self, coefficients: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Return P(case), (n, n_people), and which variants run off to infinity."""
        eta = coefficients[:, :-1] @ self.null.basis.T
        eta += self.dose * coefficients[:, -1:]
        # The largest coefficient bounds no predictor, but the predictors themselves do.
        is_lost = ~((eta.max(axis=1) < _MAX_ETA) & (eta.min(axis=1) > -_MAX_ETA))
        np.clip(eta, -_MAX_ETA, _MAX_ETA, out=eta)
        np.negative(eta, out=eta)
        np.exp(eta, out=eta)
        eta += 1.0
        return np.reciprocal(eta, out=eta), is_lost

    def information(self, p: Floats) -> tuple[Floats, Floats]:
        """Return the weights (n, n_people) and X'WX (n, m + 1, m + 1), the genotype last."""
        weights = p * p
        np.subtract(p, weights, out=weights)
        if self.called is not None:
            weights *= self.called
        return weights, self.weighted(weights)

    def weighted(self, weights: Floats) -> Floats:
        """Return X'WX, (n, m + 1, m + 1), the genotype last."""
        null, m = self.null, self.null.basis.shape[1]
        matrix = np.empty((len(weights), m + 1, m + 1))
        first, second = null.upper
        matrix[:, first, second] = matrix[:, second, first] = weights @ null.pairs
        weighted = weights * self.dose
        matrix[:, -1, :-1] = matrix[:, :-1, -1] = weighted @ null.basis
        matrix[:, -1, -1] = np.einsum("ij,ij->i", weighted, self.dose)
        return matrix

    def score(self, p: Floats) -> Floats:
        """Return X'(y - p), (n, m + 1); `p` is overwritten."""
        np.negative(p, out=p)
        p[:, : self.null.n_case] += 1.0
        if self.called is not None:
            p *= self.called
        return self.times(p)

    def times(self, residuals: Floats) -> Floats:
        """Return X'r, (n, m + 1)."""
        of_dose = np.einsum("ij,ij->i", residuals, self.dose)
        return np.hstack([residuals @ self.null.basis, of_dose[:, None]])

    def log_likelihood(self, p: Floats) -> Floats:
        """Return the log-likelihood of each variant, (n,)."""
        n_case = self.null.n_case
        logs = np.log(np.concatenate([p[:, :n_case], 1 - p[:, n_case:]], axis=1))
        return logs.sum(axis=1) if self.called is None else (logs * self.called).sum(axis=1)

    def hat(self, weights: Floats, inverse: Floats) -> Floats:
        """Return the diagonal of the weighted hat matrix, (n, n_people)."""
        first, second = self.null.upper
        doubled = np.where(first == second, 1.0, 2.0) * inverse[:, first, second]
        leverage = doubled @ self.null.pairs.T
        leverage += (2.0 * self.dose) * (inverse[:, -1, :-1] @ self.null.basis.T)
        leverage += self.dose * self.dose * inverse[:, -1:, -1]
        leverage *= weights
        return leverage


def _newton(block: _Block) -> tuple[Floats, Floats]:
    """Return beta and error of the maximum likelihood, NaN where it was not reached."""
    n = len(block.dose)
    beta, error = np.full(n, np.nan), np.full(n, np.nan)
    coefficients = block.start()
    rows = np.arange(n)
    for _ in range(_NEWTON_STEPS):
        p, is_lost = block.probabilities(coefficients)
        _, information = block.information(p)
        score = block.score(p)
        inverse, is_flat = _invert(information)[:2]
        step = np.einsum("ijk,ik->ij", inverse, score)
        coefficients = coefficients + step
        is_done = (score * step).sum(axis=1) < _CONVERGED
        reached = is_done & ~is_lost & ~is_flat
        beta[rows[reached]] = coefficients[reached, -1]
        error[rows[reached]] = np.sqrt(inverse[reached, -1, -1])
        stays = ~(is_done | is_lost | is_flat)
        if not stays.any():
            break
        rows, coefficients, block = rows[stays], coefficients[stays], block.rows(stays)
    return beta, error


def _firth(block: _Block) -> tuple[Floats, Floats]:
    """Return beta and error of the penalised maximum likelihood, NaN where it was not reached.

    A step that lowers the penalised likelihood is halved until it does not.
    """
    n = len(block.dose)
    beta, error = np.full(n, np.nan), np.full(n, np.nan)
    rows = np.arange(n)
    at = np.hstack([np.tile(block.null.coefficients, (n, 1)), np.zeros((n, 1))])
    step = np.zeros_like(at)
    best = np.full(n, -np.inf)
    n_halved = np.zeros(n, int)
    for _ in range(_FIRTH_STEPS):
        p, _ = block.probabilities(at + step)
        weights, information = block.information(p)
        inverse, is_flat, log_determinant = _invert(information)
        likelihood = block.log_likelihood(p) + 0.5 * log_determinant
        tolerance = 1e-10 * np.maximum(1.0, np.abs(best))
        is_worse = ~(likelihood >= best - np.where(np.isfinite(best), tolerance, 0.0))
        gives_up = is_flat & ~np.isfinite(best) | (n_halved >= _MAX_HALVINGS)
        # Firth's score is that of data where each person also stands, by its leverage h, as half
        # a case. The steps are Newton's on these data, held fixed: with X'WX in place of
        # X'W(1 + h)X they are twice too long for a variant with one carrier, and never end.
        leverage = block.hat(weights, inverse)
        score = block.times(leverage * (0.5 - p)) + block.score(p)
        leverage += 1.0
        leverage *= weights
        following = np.einsum("ijk,ik->ij", _invert(block.weighted(leverage))[0], score)
        is_done = ~is_worse & ((score * following).sum(axis=1) < _CONVERGED)
        reached = is_done & ~is_flat
        beta[rows[reached]] = (at + step)[reached, -1]
        error[rows[reached]] = np.sqrt(inverse[reached, -1, -1])
        stays = ~(is_done | gives_up)
        if not stays.any():
            break
        at = np.where(is_worse[:, None], at, at + step)
        best = np.where(is_worse, best, likelihood)
        n_halved = np.where(is_worse, n_halved + 1, 0)
        longest = np.abs(following).max(axis=1, keepdims=True)
        following *= _MAX_STEP / np.maximum(longest, _MAX_STEP)
        step = np.where(is_worse[:, None], step / 2, following)
        rows, at, step, best = rows[stays], at[stays], step[stays], best[stays]
        n_halved, block = n_halved[stays], block.rows(stays)
    return beta, error


def _invert(matrices: Floats) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """Return inverses of symmetric matrices (n, k, k), which are singular, and ln determinants.

    Gauss and Jordan without pivots: what is positive definite needs none, and a pivot that shrinks
    to nothing beside its diagonal tells a column that depends on the others.
    """
    work = matrices.copy()
    n, k, _ = work.shape
    diagonal = np.einsum("ijj->ij", matrices)
    is_flat = np.zeros(n, bool)
    log_determinant = np.zeros(n)
    for j in range(k):
        pivot = work[:, j, j].copy()
        is_flat |= ~(pivot > _FLAT * diagonal[:, j])
        pivot[is_flat] = 1.0
        log_determinant += np.log(pivot)
        row = work[:, j] / pivot[:, None]
        row[:, j] = 1.0 / pivot
        column = work[:, :, j].copy()
        column[:, j] = 0.0
        work[:, :, j] = 0.0
        work -= column[:, :, None] * row[:, None, :]
        work[:, j] = row
    work[is_flat] = 0.0
    return work, is_flat, log_determinant
