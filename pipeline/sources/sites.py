"""Variant tables that lie beside genotypes: .bim, .pvar, .pvar.zst, and the snps.csv of GenNet.

A table is scanned once for where its lines begin, so that a part of it can be read alone.
- .bim: A1 is the alternate, A2 the reference (PLINK 1.9 calls the commoner allele A2 unless told
  otherwise); `0` or `.` is no allele. .pvar: REF and ALT, alternates parted by commas.
- Chromosomes stay as written (23, 24, 25, 26 are X, Y, the PAR and MT); PLINK 2's PAR1 and PAR2
  become XY, the name of both in PLINK 1.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from pipeline.errors import InputError
from pipeline.sources.block import Site

_MARK_EVERY = 1024
_NO_ALLELE = {"0", "."}
_NO_TEXT = {"", "."}
_PAR = {"PAR1": "XY", "PAR2": "XY"}
_BIM = ("chrom", "id", "cm", "pos", "alt", "ref")
_SHORT_BIM = ("chrom", "id", "pos", "alt", "ref")
_NEEDED = ("chrom", "pos", "ref", "alt")
_NAMES = {"#chrom": "chrom", "variant_id": "id"}


@dataclass(frozen=True)
class Layout:
    """Which column holds what (`columns`), how they are parted, and whether ALT may be a list."""

    columns: dict[str, int]
    is_csv: bool
    has_many_alts: bool


@dataclass(frozen=True)
class SiteTable:
    """A scanned table: `marks` are the bytes where each 1,024th variant begins.

    `multiallelic` int64 (n, 2) holds row and number of alleles of what has more than two.
    """

    path: Path
    layout: Layout
    n_variants: int
    marks: tuple[int, ...]
    multiallelic: np.ndarray

    def allele_offsets(self) -> np.ndarray:
        """Return where the alleles of each variant begin among all, uintp (n_variants + 1,)."""
        n_alleles = np.full(self.n_variants, 2, np.uintp)
        n_alleles[self.multiallelic[:, 0]] = self.multiallelic[:, 1]
        return np.concatenate([np.zeros(1, np.uintp), np.cumsum(n_alleles, dtype=np.uintp)])


def scan_sites(path: Path) -> SiteTable:
    """Return the number of variants of a table and where they begin.

    Raises `InputError` for a table that cannot be read or lacks a column.
    """
    marks: list[int] = []
    multiallelic: list[tuple[int, int]] = []
    layout = None
    n_variants = offset = 0
    with _open(path) as handle:
        for line in _lines(handle, path):
            is_row = not line.startswith(b"#") and not line.isspace()
            if layout is None and (is_row or line[:6].upper() == b"#CHROM"):
                layout = _layout(line.decode("utf-8", "replace"), path)
                is_row = is_row and not layout.is_csv
            if is_row and layout is not None:
                if n_variants % _MARK_EVERY == 0:
                    marks.append(offset)
                if layout.has_many_alts and b"," in line:
                    column = layout.columns["alt"]
                    cells = line.split(None, column + 1)
                    n_alleles = 2 + cells[column].count(b",") if len(cells) > column else 2
                    if n_alleles > 2:
                        multiallelic.append((n_variants, n_alleles))
                n_variants += 1
            offset += len(line)
    if layout is None or not n_variants:
        raise InputError(
            f"A variant table has one line a variant, but {path.name} has none; copy it again."
        )
    many = np.array(multiallelic, np.int64).reshape(-1, 2)
    return SiteTable(path, layout, n_variants, tuple(marks), many)


def read_sites(table: SiteTable, start: int, stop: int) -> Iterator[Site]:
    """Yield the variants `start` to `stop` of a table (0-based, half-open)."""
    if start >= stop:
        return
    with _open(table.path) as handle:
        _skip(handle, table.marks[start // _MARK_EVERY], table.path)
        rows = (line for line in _lines(handle, table.path) if not line.isspace())
        texts = (line.decode("utf-8", "replace") for line in rows)
        first = start % _MARK_EVERY
        split = csv.reader(texts) if table.layout.is_csv else (text.split() for text in texts)
        for cells in islice(split, first, first + stop - start):
            yield _site(cells, table)


def _site(cells: list[str], table: SiteTable) -> Site:
    columns = table.layout.columns
    try:
        chrom, pos, ref, alt = (cells[columns[name]] for name in _NEEDED)
        position = int(pos)
        if not 0 <= position < 1 << 32:
            raise ValueError
        score = _optional(cells, columns.get("qual"))
        quality = None if score is None else float(score)
    except (IndexError, ValueError):
        raise InputError(
            f"A variant has {len(columns)} columns with a position of 0 or more, but "
            f"{table.path.name} has {' '.join(cells)[:60]!r}; mend that line."
        ) from None
    alts = alt.split(",") if table.layout.has_many_alts else [alt]
    names = _optional(cells, columns.get("rsid")) or _optional(cells, columns.get("id"))
    return Site(
        _PAR.get(chrom, chrom),
        position,
        names,
        "N" if ref in _NO_ALLELE else ref,
        [] if alts[0] in _NO_ALLELE else alts,
        quality,
        _optional(cells, columns.get("filter")),
    )


def _optional(cells: list[str], column: int | None) -> str | None:
    if column is None or column >= len(cells) or cells[column] in _NO_TEXT:
        return None
    return cells[column]


def _layout(line: str, path: Path) -> Layout:
    if path.name.endswith(".csv"):
        header = [name.strip().lower() for name in next(csv.reader([line]))]
        return Layout(_columns(header, path), True, False)
    cells = line.split()
    if line.startswith("#"):
        return Layout(_columns([cell.lower() for cell in cells], path), False, True)
    names = _SHORT_BIM if len(cells) == 5 else _BIM
    if len(cells) < 5:
        raise InputError(
            f"A variant has chromosome, name, position and two alleles, but {path.name} begins "
            f"with {line.strip()[:60]!r}; give the table that was written with the genotypes."
        )
    return Layout({name: i for i, name in enumerate(names)}, False, False)


def _columns(header: list[str], path: Path) -> dict[str, int]:
    columns = {_NAMES.get(name, name): i for i, name in reversed(list(enumerate(header)))}
    lacking = [name for name in _NEEDED if name not in columns]
    if lacking:
        raise InputError(
            f"A variant table has columns {', '.join(_NEEDED)}, but {path.name} lacks "
            f"{', '.join(lacking)}; add them to its header."
        )
    return columns


def _open(path: Path) -> BinaryIO:
    if path.suffix == ".zst":
        import pyarrow as pa

        return cast(BinaryIO, pa.input_stream(str(path), compression="zstd"))
    return path.open("rb")


def _lines(handle: BinaryIO, path: Path) -> Iterator[bytes]:
    """Yield the lines of an opened table (pyarrow's own do not keep their ends apart)."""
    rest = b""
    while piece := _read(handle, 1 << 20, path):
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        for line in lines:
            yield line + b"\n"
    if rest:
        yield rest


def _skip(handle: BinaryIO, n_bytes: int, path: Path) -> None:
    if path.suffix != ".zst":
        handle.seek(n_bytes)
        return
    while n_bytes > 0 and (piece := _read(handle, min(n_bytes, 1 << 20), path)):
        n_bytes -= len(piece)


def _read(handle: BinaryIO, n_bytes: int, path: Path) -> bytes:
    try:
        return handle.read(n_bytes)
    except OSError as error:
        raise InputError(
            f"A variant table is text, but {path.name} cannot be read ({error}); copy it again."
        ) from None
