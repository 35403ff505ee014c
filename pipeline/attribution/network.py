"""A network as attribution sees it: functions of encoded values, whatever they are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Values = NDArray[np.float32]  # (n_people, *shape of an encoded person)

_MOST_BYTES = 192 << 20
_MOST_PEOPLE = 256
# Activations, their gradients, and what a backend keeps beside them.
_COPIES = 4


@dataclass(frozen=True, eq=False)
class OpenNetwork:
    """A network cut behind its encoding.

    `encode` makes values of codes (n_people, n_variants); `logit` gives the log odds of being a
    case (n_people,) and `slope` their gradient, of the shape of the values. `shares` says which
    share of each value belongs to which variant, (n_entries, n_variants), entries as the values lie
    in memory. `linear` (n_entries,) is the weight of each value on a linear path, None without one.
    """

    encode: Callable[[NDArray[np.uint8]], Values]
    logit: Callable[[Values], NDArray[np.float64]]
    slope: Callable[[Values], Values]
    shares: sparse.csr_matrix
    linear: NDArray[np.float64] | None
    bytes_a_person: int

    @property
    def linear_by_variant(self) -> NDArray[np.float64] | None:
        """Return the sum of absolute weights of each variant on the linear path, (n_variants,)."""
        return None if self.linear is None else self.shares.T @ np.abs(self.linear)

    def batches(self, n_people: int) -> Iterator[slice]:
        """Yield slices over people, so long that a step of them fits into bounded memory."""
        n = _MOST_BYTES // (_COPIES * max(1, self.bytes_a_person))
        n = int(np.clip(n, 1, _MOST_PEOPLE))
        for start in range(0, n_people, n):
            yield slice(start, min(n_people, start + n))

    def mean_values(self, codes: NDArray[np.uint8]) -> Values:
        """Return the mean of the values of these people, (1, *shape)."""
        total = sum(
            self.encode(codes[here]).sum(axis=0, dtype=np.float64)
            for here in self.batches(len(codes))
        )
        return (total / len(codes)).astype(np.float32)[None]
