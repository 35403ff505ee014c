"""PLINK 1 (.bed, .bim, .fam) and PLINK 2 (.pgen, .pvar, .psam), through bed-reader and pgenlib.

This is the one door to both, and they are loaded when such a file is met. Neither format holds
depth or genotype quality. A .bed has one alternate a variant; a .pgen may have more, and they are
split as those of a VCF. What a .pgen holds besides called genotypes (dosage, phase) is not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import InputError
from pipeline.sources.base import require_file
from pipeline.sources.block import UNKNOWN_ALLELE
from pipeline.sources.matrix import Chunk, MatrixSource, Rows
from pipeline.sources.phenotypes import read_sample_ids
from pipeline.sources.sites import SiteTable, read_sites, scan_sites

_MAGIC = b"\x6c\x1b"
_VARIANT_MAJOR = b"\x01"
_ABOVE_CODES = 3  # a missing genotype is negative, and above this as an unsigned byte


@dataclass(frozen=True)
class _PlinkSource(MatrixSource):
    """Genotypes with the tables of their variants and of their people."""

    path: Path
    table: SiteTable
    people_table: Path
    sample_ids: tuple[str, ...]

    @property
    def n_variants(self) -> int:  # type: ignore[override]
        return self.table.n_variants

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.path, self.table.path, self.people_table)


class BedSource(_PlinkSource):
    """A .bed; the A1 of its .bim is counted."""

    library = "bed-reader"

    def chunks(self, rows: Rows, people: np.ndarray, n_most: int) -> Iterator[Chunk]:
        """Yield the variants of a part."""
        from bed_reader import open_bed

        sites = read_sites(self.table, rows.start, rows.stop)
        counts = {"iid_count": len(self.sample_ids), "sid_count": self.n_variants}
        # One thread: the processes already share the cores out.
        with open_bed(self.path, **counts, num_threads=1) as bed:
            for start in range(rows.start, rows.stop, n_most):
                stop = min(start + n_most, rows.stop)
                n_alt = bed.read((people, slice(start, stop)), dtype="int8", order="F")
                yield Chunk(list(islice(sites, stop - start)), _codes(n_alt.T), {})


class PgenSource(_PlinkSource):
    """A .pgen."""

    library = "pgenlib"

    def chunks(self, rows: Rows, people: np.ndarray, n_most: int) -> Iterator[Chunk]:
        """Yield the variants of a part."""
        sites = read_sites(self.table, rows.start, rows.stop)
        wanted, place = np.unique(people, return_inverse=True)  # pgenlib keeps the file's order
        order = slice(None) if (np.diff(people) > 0).all() else place
        with _PgenReader(self, wanted.astype(np.uint32)) as reader:
            for start in range(rows.start, rows.stop, n_most):
                stop = min(start + n_most, rows.stop)
                here = list(islice(sites, stop - start))
                alleles = {
                    i: reader.alleles(start + i)[order]
                    for i, site in enumerate(here)
                    if len(site.alts) > 1
                }
                yield Chunk(here, _codes(reader.counts(start, stop)[:, order]), alleles)


class _PgenReader:
    """pgenlib's reader; what it refuses becomes one sentence."""

    def __init__(self, source: PgenSource, people: np.ndarray | None = None):
        import pgenlib

        self._source = source
        self._n_people = len(source.sample_ids if people is None else people)
        with source.path.open("rb"):  # pgenlib does not say why a file cannot be opened
            self._reader: Any = self._told(
                pgenlib.PgenReader,
                bytes(source.path),
                raw_sample_ct=len(source.sample_ids),
                variant_ct=source.n_variants,
                sample_subset=people,
                allele_idx_offsets=source.table.allele_offsets(),
            )

    def counts(self, start: int, stop: int) -> np.ndarray:
        """Return the number of first alternates int8 (n_variants, n_people), negative missing."""
        n_alt = np.empty((stop - start, self._n_people), np.int8)
        self._told(self._reader.read_range, start, stop, n_alt)
        return n_alt

    def alleles(self, variant: int) -> np.ndarray:
        """Return the allele numbers of one variant int16 (n_people, 2), -1 unknown."""
        pairs = np.empty(2 * self._n_people, np.int32)
        self._told(self._reader.read_alleles, variant, pairs)
        pairs[pairs < 0] = UNKNOWN_ALLELE
        return pairs.reshape(-1, 2).astype(np.int16)

    def _told(self, do: Any, *arguments: Any, **more: Any) -> Any:
        try:
            return do(*arguments, **more)
        except RuntimeError as error:
            reason = str(error).removeprefix("b").strip("'\"").replace("\\n", " ").strip(" .")
            raise InputError(
                f"Every genotype of {self._source.path.name} has to be readable, but PLINK 2's "
                f"library says '{reason}'; check it (plink2 --validate) or copy it again."
            ) from None

    def __enter__(self) -> _PgenReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()


def read_bed_header(path: Path) -> BedSource:
    """Return a .bed as a source.

    Raises `InputError` when it or its .bim or .fam is absent, it is no variant-major .bed, or the
    three do not belong together.
    """
    require_file(path)
    table, people, sample_ids = _companions(path, (".bim",), (".fam",))
    with path.open("rb") as handle:
        magic = handle.read(3)
    if magic[:2] != _MAGIC or magic[2:] != _VARIANT_MAJOR:
        raise InputError(
            f"A .bed of PLINK 1 begins with the bytes 6c 1b 01, but {path.name} with "
            f"{magic.hex(' ')}; write it anew (plink2 --make-bed)."
        )
    expected = len(magic) + table.n_variants * -(-len(sample_ids) // 4)
    found = path.stat().st_size
    if found != expected:
        raise InputError(
            f"{table.n_variants:,} variants ({table.path.name}) of {len(sample_ids):,} people "
            f"({people.name}) make a .bed of {expected:,} bytes, but {path.name} has {found:,}; "
            "give the three files that were written together."
        )
    return BedSource(path, table, people, sample_ids)


def read_pgen_header(path: Path) -> PgenSource:
    """Return a .pgen as a source.

    Raises `InputError` when it or a table beside it is absent, pgenlib refuses it, or the three do
    not belong together.
    """
    require_file(path)
    companions = _companions(path, (".pvar", ".pvar.zst", ".bim"), (".psam", ".fam"))
    source = PgenSource(path, *companions)
    with _PgenReader(source):
        return source


def _companions(
    path: Path, of_variants: tuple[str, ...], of_people: tuple[str, ...]
) -> tuple[SiteTable, Path, tuple[str, ...]]:
    people = _beside(path, of_people, "people")
    table = scan_sites(_beside(path, of_variants, "variants"))
    return table, people, read_sample_ids(people)


def _beside(path: Path, suffixes: tuple[str, ...], what: str) -> Path:
    for suffix in suffixes:
        candidate = path.with_suffix(suffix)
        if candidate.is_file():
            return candidate
    raise InputError(
        f"The {what} of {path.name} stand beside it in {' or '.join(suffixes)}, but there is no "
        f"{path.with_suffix(suffixes[0]).name}; copy it there."
    )


def _codes(n_alt: np.ndarray) -> np.ndarray:
    """Return alternates int8 (n_variants, n_people), negative where missing, as genotypes."""
    codes = np.ascontiguousarray(n_alt).view(np.uint8)
    return np.minimum(codes, _ABOVE_CODES, out=codes)
