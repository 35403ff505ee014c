"""L1 logistic regression along a path of penalties, for more variants than fit a plain solver.

Newton steps on the variants that may carry a weight (those that do, and the worst violators of the
condition of optimality among the others); each step is a weighted lasso, which scikit-learn solves.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

_NEWTON_STEPS = 100
_OPTIMAL = 1e-3  # greatest violation of the condition of optimality, as a share of the penalty
_SMALLEST_VARIANCE = 1e-4  # of a person's label; keeps those whom the fit is sure of from shouting
_LASSO_STEPS = 500
_LASSO_GAP = 1e-5
_NEWCOMERS = 200  # variants that may join at least, a step
_HALVINGS = 30


@dataclass(frozen=True, eq=False)
class LinearFit:
    """One point of a path: weights (n_variants,) and intercept at a penalty on the mean loss."""

    penalty: float
    weights: NDArray[np.float32]
    intercept: float


def largest_penalty(x: NDArray[np.float32], y: NDArray[np.bool_]) -> float:
    """Return the smallest penalty at which no variant carries a weight."""
    gradient = x.T @ (y - y.mean()).astype(np.float32) / len(y)
    return float(np.abs(gradient).max(initial=0))


def lasso_path(
    x: NDArray[np.float32], y: NDArray[np.bool_], penalties: Iterable[float]
) -> Iterator[LinearFit]:
    """Yield the fit at each penalty in turn, each started from the one before.

    Minimises mean log loss + penalty x sum |weight| with a free intercept. `x` (n_people,
    n_variants) holds standardised values, `y` is True for cases and has both; `penalties` should
    fall, the first not far below `largest_penalty`.

    References: Friedman, Hastie & Tibshirani 2010, J Stat Softw 33(1); Lee, Sun & Saunders 2014,
    SIAM J Optim 24:1420.
    """
    weights = np.zeros(x.shape[1], np.float32)
    intercept = float(logit(y.mean()))
    for penalty in penalties:
        weights, intercept = _solve(x, y, float(penalty), weights, intercept)
        yield LinearFit(float(penalty), weights.copy(), intercept)


def _solve(
    x: NDArray[np.float32],
    y: NDArray[np.bool_],
    penalty: float,
    weights: NDArray[np.float32],
    intercept: float,
) -> tuple[NDArray[np.float32], float]:
    active = np.flatnonzero(weights)
    eta = (x[:, active] @ weights[active]).astype(np.float64) + intercept
    for _ in range(_NEWTON_STEPS):
        probability = expit(eta)
        residual = (y - probability).astype(np.float32)
        gradient = x.T @ residual / len(y)
        violation = np.where(
            weights != 0,
            np.abs(gradient - penalty * np.sign(weights)),
            np.abs(gradient) - penalty,
        )
        if max(violation.max(initial=0), abs(residual.mean())) < _OPTIMAL * penalty:
            break
        outside = np.flatnonzero((violation > 0) & (weights == 0))
        n_newcomers = max(_NEWCOMERS, 2 * int(np.count_nonzero(weights)))
        if len(outside) > n_newcomers:
            worst = np.argpartition(-violation[outside], n_newcomers)[:n_newcomers]
            outside = outside[worst]
        working = np.union1d(np.flatnonzero(weights), outside)
        columns = x[:, working]
        proposed, proposed_intercept = _newton_step(
            columns, probability, eta, residual, penalty, weights[working]
        )
        eta_proposed = (columns @ proposed).astype(np.float64) + proposed_intercept
        share = _descent(y, penalty, eta, weights[working], eta_proposed, proposed)
        weights = weights.copy()
        weights[working] += np.float32(share) * (proposed - weights[working])
        intercept += share * (proposed_intercept - intercept)
        eta = eta + share * (eta_proposed - eta)
    return weights, intercept


def _newton_step(
    columns: NDArray[np.float32],
    probability: NDArray[np.float64],
    eta: NDArray[np.float64],
    residual: NDArray[np.float32],
    penalty: float,
    weights: NDArray[np.float32],
) -> tuple[NDArray[np.float32], float]:
    """Return weights and intercept that minimise the loss' second order expansion + penalty."""
    from sklearn.exceptions import (
        ConvergenceWarning,  # here: a page that only names models starts sooner
    )
    from sklearn.linear_model import enet_path

    variance = np.maximum(probability * (1 - probability), _SMALLEST_VARIANCE)
    target = eta + residual / variance
    mean_target = float(np.average(target, weights=variance))
    mean = (variance.astype(np.float32) @ columns) / np.float32(variance.sum())
    root = np.sqrt(variance).astype(np.float32)
    scaled = np.empty(columns.shape, np.float32, order="F")
    np.subtract(columns, mean, out=scaled)
    scaled *= root[:, None]
    with warnings.catch_warnings():
        # A step that is not quite solved is still a step; the loop above knows when it is done.
        warnings.simplefilter("ignore", ConvergenceWarning)
        _, path, _ = enet_path(
            scaled,
            (root * (target - mean_target)).astype(np.float32),
            l1_ratio=1.0,
            alphas=[penalty],
            precompute=False,
            coef_init=weights.copy(),
            max_iter=_LASSO_STEPS,
            tol=_LASSO_GAP,
            check_input=False,
        )
    found = path[:, 0].astype(np.float32)
    return found, mean_target - float(mean @ found)


def _descent(
    y: NDArray[np.bool_],
    penalty: float,
    eta: NDArray[np.float64],
    weights: NDArray[np.float32],
    eta_proposed: NDArray[np.float64],
    proposed: NDArray[np.float32],
) -> float:
    """Return the share of the step, halved until the objective no longer rises."""

    def objective(share: float) -> float:
        here = eta + share * (eta_proposed - eta)
        loss = np.mean(np.logaddexp(0, np.where(y, -here, here)))
        return float(loss + penalty * np.abs(weights + share * (proposed - weights)).sum())

    before = objective(0.0)
    share = 1.0
    for _ in range(_HALVINGS):
        if objective(share) <= before + 1e-9:
            return share
        share /= 2
    return share
