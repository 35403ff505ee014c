"""The test people of one fold and how a model scored them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.statistics import Interval

MIN_PEOPLE = 10  # of fewer nothing is told: their figures would be nearly those of one person


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of the test people of a fold, high in cases; all arrays have shape (n_test,).

    `people` are positions among the people of the run, so that who is tested in several repeats is
    known again. A person is called a case when the score is above `threshold`.
    """

    people: NDArray[np.intp]
    is_case: NDArray[np.bool_]
    score: NDArray[np.floating]
    threshold: float
    is_probability: bool = True

    @property
    def called(self) -> NDArray[np.bool_]:
        """Return who is called a case."""
        return np.asarray(self.score, np.float64) > self.threshold

    @property
    def has_both(self) -> bool:
        """Return whether there are cases and controls."""
        return bool(self.is_case.any() and not self.is_case.all())


def plain(interval: Interval | Mapping[str, float]) -> dict[str, float | None]:
    """Return value, low and high for JSON, None for NaN."""
    found = asdict(interval) if isinstance(interval, Interval) else interval
    return {name: float(v) if np.isfinite(v) else None for name, v in found.items()}


def rounded(values: NDArray[np.floating]) -> list[Any]:
    """Return numbers for JSON to six decimals, None for NaN."""
    return [round(float(v), 6) if np.isfinite(v) else None for v in np.asarray(values)]
