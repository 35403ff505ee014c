"""What formats have in common that are a matrix of 0, 1, 2 alternates, people by variants."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.settings import IngestSettings
from pipeline.sources.base import Parts, places
from pipeline.sources.block import Block, Cast, Site

_CHUNK_GENOTYPES = 1 << 23  # 8 MB, and a few times that while they are counted and written
_CHUNK_VARIANTS = (1, 1024)


class Rows(NamedTuple):
    """A part: variants `start` to `stop`, 0-based, half-open."""

    start: int
    stop: int


class Chunk(NamedTuple):
    """Some variants as read: their sites, and genotypes at the first alternate.

    `codes` uint8 (n_sites, n_people) are 0, 1, 2, 3 = missing. `alleles` has the allele numbers
    int16 (n_people, 2), -1 unknown, of the sites with more alternates, by row.
    """

    sites: list[Site]
    codes: np.ndarray
    alleles: Mapping[int, np.ndarray]


class MatrixSource(ABC):
    """A source without depth and quality; its parts are ranges of variants."""

    path: Path
    sample_ids: tuple[str, ...]
    n_variants: int
    has_gq = False

    @abstractmethod
    def chunks(self, rows: Rows, people: np.ndarray, n_most: int) -> Iterator[Chunk]:
        """Yield the variants of a part in order, at most `n_most` at once.

        `people` (n_people,) are the positions of those wanted, in the order wanted.
        """

    @property
    def n_bytes(self) -> int:
        return self.n_variants * -(-len(self.sample_ids) // 4)

    def parts(self, n_bytes: int | None) -> Parts:
        """Return ranges of variants of about `n_bytes` at 2 bits a genotype."""
        step = max(1, self.n_variants)
        if n_bytes is not None:
            step = max(1, self.n_variants * n_bytes // max(1, self.n_bytes))
        starts = range(0, self.n_variants, step)
        return Parts(tuple(Rows(start, min(start + step, self.n_variants)) for start in starts))

    @contextmanager
    def blocks(self, part: Rows, cast: Cast, settings: IngestSettings) -> Iterator[Iterator[Block]]:
        """Give the blocks of a range of variants."""
        with closing(self._blocks(part, cast, settings)) as blocks:
            yield blocks

    def _blocks(
        self, part: Rows, cast: Cast, settings: IngestSettings
    ) -> Generator[Block, None, None]:
        from pipeline import coding  # numba

        coder = coding.MatrixCoder(cast, settings)
        people = places(self.sample_ids, cast.sample_ids)
        n_most = int(np.clip(_CHUNK_GENOTYPES // len(cast), *_CHUNK_VARIANTS))
        for chunk in self.chunks(part, people, n_most):
            yield coder.block(*chunk)

    def share_read(self, part: Rows, n_rows: int) -> float:
        """Return how much of a part has been read."""
        return n_rows / max(1, part.stop - part.start)
