"""What every reader yields: a block of split variants with their genotypes, and who is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pipeline.schema import SEXES

NO_ALLELE = -2  # as in cyvcf2: padding of a call with fewer alleles than the record's ploidy
UNKNOWN_ALLELE = -1


class Site(NamedTuple):
    """One site before the split, as written; `alts` is empty where ALT is `.`."""

    chrom: str
    pos: int
    rsid: str | None
    ref: str
    alts: list[str]
    qual: float | None = None
    filter: str | None = None


class Record(NamedTuple):
    """One record as plain values, whatever its number of alternates; the first seven as `Site`.

    `alleles` (n_people, ploidy) are allele numbers, `UNKNOWN_ALLELE`, or -2 where a call has fewer
    alleles than the record; `depth` and `gq` (n_people,) are negative where missing, empty where
    the record has none.
    """

    chrom: str
    pos: int
    rsid: str | None
    ref: str
    alts: list[str]
    qual: float | None
    filter: str | None
    alleles: np.ndarray
    depth: np.ndarray
    gq: np.ndarray


@dataclass(frozen=True)
class Cast:
    """The people that are read, in the order of the cohort.

    `diagnosis` (n_people,) holds the diagnosis number, `sex` (n_people,) the position in
    `schema.SEXES`; `sample_ids` are the names in the source.
    """

    sample_ids: tuple[str, ...]
    diagnosis: np.ndarray
    sex: np.ndarray
    n_diagnoses: int

    def __len__(self) -> int:
        return len(self.sample_ids)

    @property
    def is_female(self) -> np.ndarray:
        return self.sex == SEXES.index("female")


@dataclass
class Block:
    """Up to `capacity` split variants, filled row by row; `n` rows are in use.

    `codes` (capacity, n_people) are genotypes 0, 1, 2, 3 = missing. `site` (capacity,
    n_diagnoses, 3) counts called people, missing people and non-reference alleles of the site
    before the split; `depth` and `gq` (capacity, n_diagnoses, 2) hold sum and number.
    """

    capacity: int
    n_people: int
    n_diagnoses: int
    n: int = 0
    chrom: list[str] = field(default_factory=list)
    pos: list[int] = field(default_factory=list)
    rsid: list[str | None] = field(default_factory=list)
    ref: list[str] = field(default_factory=list)
    alt: list[str] = field(default_factory=list)
    qual: list[float | None] = field(default_factory=list)
    filter: list[str | None] = field(default_factory=list)
    region: list[str] = field(default_factory=list)
    alt_number: list[int] = field(default_factory=list)
    n_alts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.codes = np.empty((self.capacity, self.n_people), np.uint8)
        self.site = np.zeros((self.capacity, self.n_diagnoses, 3), np.int64)
        self.depth = np.zeros((self.capacity, self.n_diagnoses, 2), np.int64)
        self.gq = np.zeros((self.capacity, self.n_diagnoses, 2), np.int64)
        self.person_depth = np.zeros((self.n_people, 2), np.int64)
