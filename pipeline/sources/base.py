"""What a source of genotypes is: its people, its parts, and the blocks of each part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pipeline.errors import InputError
from pipeline.settings import IngestSettings
from pipeline.sources.block import Block, Cast


@dataclass(frozen=True)
class Parts:
    """The pieces of a source that are read apart, in its own order; together they are all of it.

    A part is plain data with a `repr` that tells it from others. `n_records` is what an index
    counts in all of them (None: nothing counts). `is_indexed` is False where the lack of an index
    left the source in one piece.
    """

    parts: tuple[Any, ...]
    n_records: int | None = None
    is_indexed: bool = True


class Source(Protocol):
    """One genotype file, whatever its format; it is pickled to the processes that read it."""

    @property
    def path(self) -> Path:
        """The file that the user named."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read for it, `path` first."""

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """The people, in the order of the source."""

    @property
    def has_gq(self) -> bool:
        """Say whether genotypes may have a quality."""

    @property
    def people_table(self) -> Path | None:
        """The file of the source that tells diagnosis and sex, if its format has one."""

    @property
    def n_bytes(self) -> int:
        """The work that reading it is, in bytes of compact genotypes."""

    @property
    def library(self) -> str:
        """The package that reads it, for the certificate."""

    def parts(self, n_bytes: int | None) -> Parts:
        """Return its parts of about `n_bytes` each, or one where None."""

    def blocks(
        self, part: Any, cast: Cast, settings: IngestSettings
    ) -> AbstractContextManager[Iterator[Block]]:
        """Give the blocks of a part, people in the order of `cast`."""

    def share_read(self, part: Any, n_rows: int) -> float:
        """Return about how much of a part has been read after `n_rows` rows of it, 0 to 1."""


def places(read: tuple[str, ...], sample_ids: tuple[str, ...]) -> np.ndarray:
    """Return where each of `sample_ids` stands in `read`, int64.

    Raises `InputError` when one does not.
    """
    place = {sample_id: i for i, sample_id in enumerate(read)}
    lacking = [s for s in sample_ids if s not in place]
    if lacking:
        raise InputError(
            f"Every file of a cohort has the same people, but one lacks {len(lacking):,} of them; "
            "give files of the same people."
        )
    return np.array([place[s] for s in sample_ids], np.int64)


def require_file(path: Path) -> None:
    """Raise `InputError` unless there is such a file and it holds something."""
    if not path.is_file():
        raise InputError(f"There is no file {path}; check its path.")
    if path.stat().st_size == 0:
        raise InputError(
            f"A genotype file holds something, but {path.name} is empty; copy it again."
        )
