"""What a fitted baseline says of the test people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Baseline:
    """A fitted baseline's scores of the test people, shape (n_test,), float32.

    A person is called a case when the score is above `threshold`. The score is P(case) and the
    threshold 0.5, except for the additive scores, sums of log odds that only rank people and
    whose threshold is the most accurate one on the validation people. `n_variants` says how many
    variants carry a weight (boosting: how many were offered), `penalty` is the chosen penalty on
    the mean log loss, `note` says in words what was chosen or left out, else it is empty.
    """

    score: NDArray[np.float32]
    threshold: float
    is_probability: bool
    n_variants: int
    penalty: float | None = None
    note: str = ""
