"""Who is in the simulated cohort, before anybody is diagnosed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.settings.simulation import SimulationSettings
from pipeline.simulate.randomness import Stream, generator

POPULATIONS = ("north", "south")

_NORTH_FRACTION = 0.6
_POOR_SAMPLE_FRACTION = 0.02


@dataclass(frozen=True)
class People:
    """Arrays of shape (n_people,), in the order of the VCF's columns.

    `population` indexes `POPULATIONS`; `depth_factor` multiplies the depth of a site;
    `missing_rate` is the share of genotypes lost whatever their depth.
    """

    ids: tuple[str, ...]
    population: np.ndarray
    is_male: np.ndarray
    age: np.ndarray
    depth_factor: np.ndarray
    missing_rate: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def population_sizes(self, ploidy: np.ndarray) -> tuple[int, int]:
        """Return the number of haplotypes of each population; `ploidy` (n_people,) is 1 or 2."""
        n_north = int(ploidy[self.population == 0].sum())
        return n_north, int(ploidy.sum()) - n_north

    def haplotypes(self, ploidy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the columns of both haplotypes of each person; equal where there is one.

        Columns hold the first population's haplotypes, then the second's.
        """
        order = np.argsort(self.population, kind="stable")
        first = np.empty(len(self), dtype=np.int64)
        first[order] = np.cumsum(ploidy[order]) - ploidy[order]
        return first, first + ploidy - 1


@lru_cache(maxsize=2)
def draw_people(settings: SimulationSettings) -> People:
    """Return the people of a cohort: half of each sex, 3 in 5 from the north, 1 in 50 poor samples.

    Nothing here knows of a diagnosis, so none of it confounds one.
    """
    rng = generator(settings.seed, Stream.PEOPLE)
    n = settings.people
    is_poor = rng.permutation(n) < round(_POOR_SAMPLE_FRACTION * n)
    depth_factor = rng.lognormal(0.0, 0.12, n) * np.where(is_poor, 0.35, 1.0)
    missing_rate = rng.beta(1.0, 400.0, n) + np.where(is_poor, 0.06, 0.0)
    width = max(4, len(str(n)))
    return People(
        ids=tuple(f"S{i + 1:0{width}d}" for i in range(n)),
        population=(rng.permutation(n) >= round(_NORTH_FRACTION * n)).astype(np.int8),
        is_male=rng.permutation(n) < n // 2,
        age=np.clip(rng.normal(54, 13, n).round(), 18, 95).astype(int),
        depth_factor=depth_factor.astype(np.float32),
        missing_rate=missing_rate.astype(np.float32),
    )
