"""Integrated gradients of the logit from the training mean to each test person, summed over them.

References: Sundararajan, Taly and Yan 2017, ICML, PMLR 70:3319-3328.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.attribution.network import OpenNetwork, Values

# Completeness: a person's attributions add up to the change of the logit but for this share of it.
TOLERANCE = 0.01
FIRST_STEPS, MOST_STEPS = 9, 729
# Fewer people of a class would tell of single ones.
LEAST_PEOPLE = 20


@dataclass(frozen=True, eq=False)
class Attributed:
    """Attributions of one network, summed over people; in log odds.

    Of each variant, (n_variants,): `mean_abs` is the mean over people of the absolute attribution,
    `case_minus_control` the mean over cases minus that over controls, NaN where either are fewer
    than 20. `error` (n_people,) is how far the attributions of each person are from adding up, as a
    share (`integrate`); `n_steps` (n_people,) are the points of the path that it took.
    """

    mean_abs: NDArray[np.float64]
    case_minus_control: NDArray[np.float64]
    error: NDArray[np.float64]
    n_steps: NDArray[np.intp]


def attribute_people(
    network: OpenNetwork,
    baseline: Values,
    codes: NDArray[np.uint8],
    is_case: NDArray[np.bool_],
    on_share: Callable[[float], None] = lambda _: None,
    tolerance: float = TOLERANCE,
) -> Attributed:
    """Return what the network made of these people, against `baseline` (1, *shape).

    `codes` (n_people, n_variants), 3 = missing, in the network's order. `on_share` hears the share
    of people done, and may raise.
    """
    n_people, n_variants = codes.shape
    start = float(network.logit(baseline)[0])
    batches = list(network.batches(n_people))
    change = np.concatenate([network.logit(network.encode(codes[b])) for b in batches]) - start
    typical = float(np.sqrt(np.mean(change**2)))
    total_abs, total = np.zeros(n_variants), np.zeros((2, n_variants))
    error, n_steps = np.zeros(n_people), np.zeros(n_people, np.intp)
    for batch in batches:
        values = network.encode(codes[batch])
        by_entry, error[batch], n_steps[batch] = integrate(
            network.slope, baseline, values, change[batch], typical, tolerance
        )
        found = by_entry @ network.shares  # (n_batch, n_variants)
        total_abs += np.abs(found).sum(axis=0)
        for group, chosen in enumerate((~is_case[batch], is_case[batch])):
            total[group] += found[chosen].sum(axis=0)
        on_share(batch.stop / n_people)
    n_control, n_case = int(np.sum(~is_case)), int(np.sum(is_case))
    enough = min(n_control, n_case) >= LEAST_PEOPLE
    difference = total[1] / max(1, n_case) - total[0] / max(1, n_control)
    return Attributed(
        total_abs / n_people,
        difference if enough else np.full(n_variants, np.nan),
        error,
        n_steps,
    )


def integrate(
    slope: Callable[[Values], Values],
    baseline: Values,
    values: Values,
    change: NDArray[np.floating],
    typical: float = 0.0,
    tolerance: float = TOLERANCE,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Return attributions (n_people, n_entries), their error and their steps, both (n_people,).

    The gradient is averaged at the midpoints of equal steps from `baseline` to `values`: 9 at
    first, three times as many (the old points stay) for whom the attributions do not yet add up to
    `change`, the logit's, at most 729. The error is the distance as a share of the change, or of
    `typical` (the root mean square over people) where that is larger: of somebody of whom the
    network says what it says of the mean no share can be told.
    """
    n_people = len(values)
    away = (values - baseline).reshape(n_people, -1).astype(np.float64)
    total = np.zeros_like(away)
    error, n_steps = np.zeros(n_people), np.zeros(n_people, np.intp)
    scale = np.maximum(np.maximum(np.abs(change), typical), 1e-6)
    left, n = np.arange(n_people), FIRST_STEPS
    while len(left):
        for step in range(n):
            if n > FIRST_STEPS and step % 3 == 1:
                continue  # the middle of three is a point of the round before
            at = np.float32((step + 0.5) / n)
            point = baseline + at * (values[left] - baseline)
            total[left] += slope(point).reshape(len(left), -1)
        gap = (away[left] * total[left]).sum(axis=1) / n - change[left]
        error[left], n_steps[left] = np.abs(gap) / scale[left], n
        if n >= MOST_STEPS:
            break
        left, n = left[error[left] > tolerance], 3 * n
    return away * total / n_steps[:, None], error, n_steps
