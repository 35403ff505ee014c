"""GenNet's folder: genotype.h5 (`/data`, people x variants), subjects.csv, and perhaps snps.csv.

A genotype is 0, 1 or 2; NaN, -1 and 3 are missing. subjects.csv names a person (`patient_id`) for
rows of the matrix (`genotype_row`); rows that it does not name are left out.

The format has no table of variants. Where snps.csv lies beside it (as `export` writes it: a row a
column, with chrom, pos, ref, alt), variants have names and places. Without it the n-th column
(from 1) stands at position n of the chromosome `un`, region `other`, as a SNP of unknown bases
(`.` to `N`): it is filtered, tested, selected and trained on like any other, but has no gene, and
counts of a person (call rate, heterozygosity), which are over autosomes, stay empty.
Reference: van Hilten et al. 2021, Communications Biology 4:1094.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import InputError
from pipeline.genotypes import GENOTYPE_MISSING
from pipeline.sources.base import require_file
from pipeline.sources.block import Site
from pipeline.sources.matrix import Chunk, MatrixSource, Rows
from pipeline.sources.phenotypes import SAMPLE_NAMES, named, read_table
from pipeline.sources.sites import SiteTable, read_sites, scan_sites

UNPLACED = "un"
_SLAB_BYTES = 1 << 26  # of the matrix as stored, read at once


@dataclass(frozen=True)
class GennetSource(MatrixSource):
    """A genotype.h5; `row_of_person` (n_people,) is where each person's genotypes are."""

    path: Path
    sample_ids: tuple[str, ...]
    row_of_person: np.ndarray
    n_variants: int
    people_table: Path
    table: SiteTable | None

    library = "h5py"

    @property
    def files(self) -> tuple[Path, ...]:
        tables = (
            (self.people_table,) if self.table is None else (self.people_table, self.table.path)
        )
        return (self.path, *tables)

    def chunks(self, rows: Rows, people: np.ndarray, n_most: int) -> Iterator[Chunk]:
        """Yield the variants of a part.

        A file that is stored by whole rows is read through for every slab of columns.
        """
        sites = self._sites(rows)
        wanted = self.row_of_person[people]
        with _open(self.path) as file:
            data = file["data"]
            for start, stop in _slabs(data, rows):
                slab = self._slab(data, start, stop)
                for first in range(0, stop - start, n_most):
                    values = slab[wanted, first : first + n_most]
                    codes = np.ascontiguousarray(self._codes(values, start + first).T)
                    yield Chunk(list(islice(sites, len(codes))), codes, {})

    def _sites(self, rows: Rows) -> Iterator[Site]:
        if self.table is not None:
            return read_sites(self.table, rows.start, rows.stop)
        numbers = range(rows.start + 1, rows.stop + 1)
        return (Site(UNPLACED, n, f"column_{n}", ".", ["N"]) for n in numbers)

    def _slab(self, data: Any, start: int, stop: int) -> np.ndarray:
        try:
            return data[:, start:stop]
        except OSError as error:
            raise InputError(
                f"Every genotype of {self.path.name} has to be readable, but HDF5 says "
                f"'{error}'; copy it again."
            ) from None

    def _codes(self, values: np.ndarray, first_column: int) -> np.ndarray:
        """Return values (n_people, n_variants) as genotypes uint8."""
        codes = np.full(values.shape, GENOTYPE_MISSING, np.uint8)
        is_known = (values == -1) | (values == GENOTYPE_MISSING) | (values != values)  # NaN
        for genotype in (0, 1, 2):
            is_this = values == genotype
            codes[is_this] = genotype
            is_known |= is_this
        if not is_known.all():
            person, column = np.argwhere(~is_known)[0]
            raise InputError(
                f"A genotype of GenNet is 0, 1 or 2, or NaN, -1 or 3 where missing, but "
                f"{self.path.name} has {values[person, column]} in column "
                f"{first_column + column + 1:,}; write called genotypes."
            )
        return codes


def read_gennet_header(path: Path) -> GennetSource:
    """Return a genotype.h5 as a source.

    Raises `InputError` when it is no HDF5, has no matrix `/data`, or the tables beside it are
    absent or of other people or variants.
    """
    require_file(path)
    with _open(path) as file:
        data = file.get("data")
        shape: tuple[int, ...] = getattr(data, "shape", ())
        kind = getattr(getattr(data, "dtype", None), "kind", "none")
    if len(shape) != 2 or kind not in set("biuf"):
        raise InputError(
            f"The genotypes of GenNet are numbers in the dataset /data, people x variants, but "
            f"{path.name} has none; write it there."
        )
    n_rows, n_variants = shape
    subjects = path.with_name("subjects.csv")
    if not subjects.is_file():
        raise InputError(
            f"The people of {path.name} are named in subjects.csv beside it, but there is none; "
            "copy it there."
        )
    sample_ids, row_of_person = _subjects(subjects, path, n_rows)
    snps = path.with_name("snps.csv")
    table = scan_sites(snps) if snps.is_file() else None
    if table is not None and table.n_variants != n_variants:
        raise InputError(
            f"snps.csv has one row for each of the {n_variants:,} columns of {path.name}, but has "
            f"{table.n_variants:,}; give the one that was written with it, or take it away."
        )
    return GennetSource(path, sample_ids, row_of_person, n_variants, subjects, table)


def _subjects(subjects: Path, path: Path, n_rows: int) -> tuple[tuple[str, ...], np.ndarray]:
    header, people = read_table(subjects)
    name, row = named(header, SAMPLE_NAMES), named(header, ("genotype_row",))
    if name is None or row is None:
        raise InputError(
            f"subjects.csv has columns patient_id and genotype_row, but that of {path.name} has "
            f"{', '.join(header[:20])}; rename them."
        )
    sample_ids = tuple(person[name] for person in people)
    written = [person[row] for person in people]
    is_row = [text.isascii() and text.isdigit() and int(text) < n_rows for text in written]
    if not all(is_row):
        raise InputError(
            f"genotype_row of subjects.csv is one of the {n_rows:,} rows of {path.name}, counted "
            f"from 0, but one is {written[is_row.index(False)]!r}; give the table that was written "
            "with it."
        )
    rows = np.array(written, np.int64)
    for what, values in (("patient_id", np.array(sample_ids)), ("genotype_row", rows)):
        found, n = np.unique(values, return_counts=True)
        if n.max() > 1:
            raise InputError(
                f"Every {what} stands once in subjects.csv, but {found[n.argmax()]} stands twice; "
                "leave one row."
            )
    return sample_ids, rows


def _open(path: Path) -> Any:
    import h5py

    try:
        return h5py.File(path, "r", locking=False)
    except OSError:
        raise InputError(
            f"The genotypes of GenNet are an HDF5 file, but {path.name} cannot be read as one; "
            "copy it again."
        ) from None


def _slabs(data: Any, rows: Rows) -> Iterator[tuple[int, int]]:
    """Yield ranges of columns, of whole chunks where a few of them fit in memory."""
    n_people = max(1, data.shape[0])
    width = max(1, _SLAB_BYTES // (n_people * data.dtype.itemsize))
    if data.chunks and data.chunks[1] < width:
        width -= width % data.chunks[1]
    start = rows.start
    while start < rows.stop:
        stop = min(rows.stop, (start // width + 1) * width)
        yield start, stop
        start = stop
