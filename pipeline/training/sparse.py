"""Paths of L1 logistic regression over columns that need not fit into memory at once.

Strong rules say which columns a penalty can let in, accelerated proximal steps find their weights,
and the gradient over all columns says whether one was missed.

References: Tibshirani 1996, JRSS B 58:267-288; Tibshirani et al. 2012, JRSS B 74:245-266 (strong
rules); Beck and Teboulle 2009, SIAM J Imaging Sci 2:183-202 (proximal steps).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import special

from pipeline.encoding import N_CODES
from pipeline.evaluation import cross_entropy
from pipeline.genotypes import over_rows

# A path ends where it holds a column for every so many people: beyond, it learns them by heart.
PEOPLE_A_COLUMN = 4
_MOST_STEPS = 300
_TOLERANCE = 3e-4


class Columns(Protocol):
    """Standardised inputs of the training people, (n_people, n_columns), not all at once."""

    def __len__(self) -> int: ...

    def products(self, residual: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the sum over people of column times residual, (n_columns,)."""

    def take(self, chosen: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return some columns, (n_people, n_chosen)."""


@dataclass(frozen=True, eq=False)
class Dense:
    """Columns that fit into memory."""

    values: NDArray[np.float32]

    def __len__(self) -> int:
        return self.values.shape[1]

    def products(self, residual: NDArray[np.floating]) -> NDArray[np.float32]:
        return (residual @ self.values).astype(np.float32, copy=False)

    def take(self, chosen: NDArray[np.intp]) -> NDArray[np.float32]:
        return np.ascontiguousarray(self.values[:, chosen])


@dataclass(frozen=True, eq=False)
class Planes:
    """Planes of all variants, made of codes when they are needed.

    `codes` uint8 (n_variants, n_people); `table` float32 (n_variants, 4, n_planes).
    """

    codes: NDArray[np.uint8]
    table: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.codes) * self.table.shape[2]

    def products(self, residual: NDArray[np.floating]) -> NDArray[np.float32]:
        sums = np.zeros((len(self.codes), N_CODES))
        over_rows(_add_by_code, len(self.codes), self.codes, residual, sums)
        return np.einsum("vc,vcp->vp", sums, self.table).reshape(-1).astype(np.float32)

    def take(self, chosen: NDArray[np.intp]) -> NDArray[np.float32]:
        variant, plane = np.divmod(chosen, self.table.shape[2])
        values = np.empty((self.codes.shape[1], len(chosen)), np.float32)
        for k in range(len(chosen)):
            values[:, k] = self.table[variant[k], :, plane[k]][self.codes[variant[k]]]
        return values


@njit(nogil=True, cache=True)
def _add_by_code(start, stop, codes, residual, sums):
    for variant in range(start, stop):
        for person in range(codes.shape[1]):
            sums[variant, codes[variant, person]] += residual[person]


@dataclass(frozen=True, eq=False)
class Point:
    """A point of a path: weights of the columns `chosen`, the rest 0, and the intercept."""

    chosen: NDArray[np.intp]
    weights: NDArray[np.float32]
    intercept: float
    penalty: float
    share_done: float
    loss: float
    accuracy: float
    step: float


def l1_path(
    source: Columns,
    is_case: NDArray[np.bool_],
    people_weights: NDArray[np.float32],
    shares: NDArray[np.floating],
    factors: NDArray[np.float32],
) -> Iterator[Point]:
    """Yield the L1 logistic regressions of falling penalties on the mean log loss.

    `factors` (n_columns,) multiply the columns, so that a weak one is penalised more; the weights
    given are those of the columns without them. Penalties are `shares` of the smallest that
    removes every column. The path ends early where it has a column for every
    `PEOPLE_A_COLUMN` people.
    """
    y = is_case.astype(np.float32)
    n = len(y)
    case_share = float(np.average(y, weights=people_weights))
    intercept = float(special.logit(np.clip(case_share, 1e-4, 1 - 1e-4)))
    residual = people_weights * (np.float32(case_share) - y) / n
    gradient: NDArray[Any] = np.abs(source.products(residual)) * factors
    largest = float(gradient.max(initial=0.0))
    weights: NDArray[Any] = np.zeros(len(source), np.float32)
    working = np.empty(0, np.intp)
    columns = np.empty((n, 0), np.float32)
    before = largest
    step = 0.0
    for number, share in enumerate(shares, start=1):
        penalty = float(share) * largest
        strong = gradient > max(2 * penalty - before, 0.0)
        while True:
            new = np.setdiff1d(np.flatnonzero(strong), working)
            if len(new):
                columns = np.hstack([columns, source.take(new) * factors[new]])
                working = np.append(working, new)
                step = 0.0
            if not step:
                step = _safe_step(columns, people_weights)
            weights[working], intercept, margin = _descend(
                columns, y, people_weights, penalty, weights[working], intercept, step
            )
            residual = people_weights * (special.expit(margin) - y) / n
            gradient = np.abs(source.products(residual)) * factors
            missed = gradient > penalty * 1.01
            missed[working] = False
            if not missed.any():
                break
            strong = missed
        before = penalty
        chosen = np.flatnonzero(weights)
        probability = special.expit(margin)
        yield Point(
            chosen=chosen,
            weights=weights[chosen] * factors[chosen],
            intercept=intercept,
            penalty=penalty,
            share_done=number / len(shares),
            loss=cross_entropy(is_case, probability),
            accuracy=float(np.mean((probability > 0.5) == is_case)),
            step=step,
        )
        if len(chosen) * PEOPLE_A_COLUMN > n:
            return


def _safe_step(columns: NDArray[np.float32], people_weights: NDArray[np.float32]) -> float:
    """Return the largest safe step: 1 over the largest curvature of the mean log loss."""
    vector: NDArray[Any] = np.ones(columns.shape[1], np.float32)
    largest = 1.0
    for _ in range(30):
        norm = float(np.linalg.norm(vector))
        if not norm:
            break
        image = columns @ (vector / norm)
        vector = (people_weights * image) @ columns / len(columns)
        largest = float(np.linalg.norm(vector))
    # A tenth more, as the power iteration comes from below; the intercept's curvature is 1.
    return 4 / (1.1 * max(largest, 1.0))


def _descend(columns, y, people_weights, penalty, weights, intercept, step):
    """Return weights, intercept and margins at the minimum, by accelerated proximal steps."""
    n = np.float32(len(y))
    ahead, ahead_intercept, momentum = weights, intercept, 1.0
    shrink = np.float32(step * penalty)
    step32 = np.float32(step)
    for _ in range(_MOST_STEPS):
        margin = columns @ ahead + np.float32(ahead_intercept)
        residual = people_weights * (special.expit(margin) - y) / n
        moved = ahead - step32 * (residual @ columns)
        new = np.sign(moved) * np.maximum(np.abs(moved) - shrink, 0)
        new_intercept = ahead_intercept - step * float(residual.sum())
        change = new - weights
        # Momentum that points uphill is dropped (O'Donoghue and Candès 2015).
        if float((ahead - new) @ change) > 0:
            momentum = 1.0
        grown = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        share = np.float32((momentum - 1) / grown)
        ahead = new + share * change
        ahead_intercept = new_intercept + float(share) * (new_intercept - intercept)
        largest = max(float(np.abs(change).max(initial=0)), abs(new_intercept - intercept))
        weights, intercept, momentum = new, new_intercept, grown
        if largest < _TOLERANCE:
            break
    return weights, intercept, columns @ weights + np.float32(intercept)
