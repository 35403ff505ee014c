"""One random stream a purpose, so that no draw depends on another part or on who computes it."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a stream is for; the number is part of every seed, so it never changes."""

    PEOPLE = 1
    GENES = 2
    COALESCENT = 3
    SEQUENCING = 4
    EFFECTS = 5
    LIABILITY = 6
    SHUFFLE = 7


def generator(seed: int, stream: Stream, index: int = 0) -> np.random.Generator:
    """Return the generator of one purpose; `index` tells genes apart."""
    return np.random.default_rng([seed, int(stream), index])
