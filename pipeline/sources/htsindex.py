"""Where to cut an indexed VCF or BCF so that every piece holds about as many bytes.

Reads the tabix (.tbi) or coordinate-sorted (.csi) index beside the file; formats as in the SAM /
tabix / CSI specifications of samtools/hts-specs.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import InputError

_TBI_SHIFT = 14  # the linear index has one offset for every 16 kb
_TBI_DEPTH = 5
_END_OF_FILE_SIZE = 28
LAST_POSITION = 2**31 - 1


@dataclass(frozen=True)
class Window:
    """A start (1-based) on a chromosome, and the virtual offset where its records begin.

    The offset is that of BGZF: the byte of a block, shifted by 16, and the byte in the block.
    """

    chrom: str
    start: int
    offset: int


@dataclass(frozen=True)
class Index:
    """What an index tells: windows in file order, how many records there are, where they end.

    Every chromosome with records has a window. `n_records` is None where the writer of the index
    did not count (htsjdk). `end` is the byte of the block in which the last record ends.
    """

    windows: tuple[Window, ...]
    n_records: int | None
    end: int


@dataclass(frozen=True)
class _Bins:
    """The bins of one chromosome: (number, offset) of those in use, its records, its end."""

    begins: list[tuple[int, int]]
    n_records: int | None
    end: int


def index_path(path: Path) -> Path | None:
    """Return the index beside a file, or None."""
    for suffix in (".tbi", ".csi"):
        candidate = path.with_name(path.name + suffix)
        if candidate.is_file() and candidate.stat().st_mtime >= path.stat().st_mtime - 1:
            return candidate
    return None


def read_index(path: Path, header_contigs: tuple[str, ...]) -> Index:
    """Return what an index tells; `header_contigs` name the chromosomes of a BCF.

    Raises `InputError` for what is no index.
    """
    try:
        data = gzip.decompress(path.read_bytes())
        read = _read_tbi if data[:4] == b"TBI\1" else _read_csi
        return read(data, header_contigs)
    except (OSError, EOFError, zlib.error, struct.error, IndexError, ValueError):
        raise InputError(
            f"An index is written by tabix or bcftools, but {path.name} cannot be read; "
            "delete it or index the file anew."
        ) from None


def reaches_end(path: Path, end: int) -> bool:
    """Say whether nothing but the end-of-file block follows the block at byte `end` of a file."""
    with path.open("rb") as handle:
        handle.seek(end)
        head = handle.read(18)
    if len(head) < 18 or head[:2] != b"\x1f\x8b" or head[12:14] != b"BC":
        return False
    (block_size,) = struct.unpack_from("<H", head, 16)
    return path.stat().st_size - end - (block_size + 1) <= _END_OF_FILE_SIZE


def cut(windows: tuple[Window, ...], n_bytes: int) -> list[list[tuple[str, int, int, int]]]:
    """Return groups of (chrom, start, end, offset) spans that tile every chromosome of the index.

    A group holds about `n_bytes` of the file; spans are 1-based and closed, the first of a
    chromosome starts at 1 and its last ends past everything.
    """
    groups: list[list[tuple[str, int, int, int]]] = []
    begin_of_group = None
    for window in windows:
        new_chrom = not groups or groups[-1][-1][0] != window.chrom
        full = begin_of_group is not None and window.offset - begin_of_group >= n_bytes << 16
        if full or not groups:
            groups.append([])
            begin_of_group = window.offset
            if len(groups) > 1 and not new_chrom:
                chrom, start, _, offset = groups[-2][-1]
                groups[-2][-1] = (chrom, start, window.start - 1, offset)
        if not groups[-1] or new_chrom:
            start = 1 if new_chrom else window.start
            groups[-1].append((window.chrom, start, LAST_POSITION, window.offset))
    return groups


def _read_tbi(data: bytes, _: tuple[str, ...]) -> Index:
    n_ref, *_rest, n_names = struct.unpack_from("<8i", data, 4)
    at = 36
    names = _names(data, at, n_names)
    at += n_names
    found = []
    for name in names[:n_ref]:
        at, bins = _read_bins(data, at, _TBI_DEPTH, with_loffset=False)
        (n_windows,) = struct.unpack_from("<i", data, at)
        offsets = np.frombuffer(data, "<u8", n_windows, at + 4)
        at += 4 + 8 * n_windows
        begins = np.flatnonzero(np.diff(offsets, prepend=np.uint64(0)))
        starts = [((i << _TBI_SHIFT) + 1, int(offsets[i])) for i in begins.tolist() if offsets[i]]
        found.append((name, starts, bins))
    return _index(found)


def _read_csi(data: bytes, header_contigs: tuple[str, ...]) -> Index:
    min_shift, depth, n_aux = struct.unpack_from("<3i", data, 4)
    names = list(header_contigs)
    if n_aux >= 28:
        (n_names,) = struct.unpack_from("<i", data, 16 + 24)
        names = _names(data, 16 + 28, n_names)
    at = 16 + n_aux
    (n_ref,) = struct.unpack_from("<i", data, at)
    at += 4
    first_leaf = ((1 << 3 * depth) - 1) // 7
    found = []
    for ref in range(n_ref):
        at, bins = _read_bins(data, at, depth, with_loffset=True)
        leaves = ((number - first_leaf, offset) for number, offset in bins.begins)
        starts = [((leaf << min_shift) + 1, o) for leaf, o in sorted(leaves) if leaf >= 0]
        if bins.begins:
            found.append((names[ref], starts, bins))
    return _index(found)


def _names(data: bytes, at: int, n_bytes: int) -> list[str]:
    return data[at : at + n_bytes].rstrip(b"\0").decode().split("\0")


def _index(found: list[tuple[str, list[tuple[int, int]], _Bins]]) -> Index:
    """Return the index of (chrom, (start, virtual offset) of its windows, bins).

    A record that crosses the border of two windows lies in a bin above them, so that a chromosome
    may have records and no window: then its first record begins one. Chromosomes stay whole
    though two of them share a block of the file.
    """
    chromosomes = []
    for name, starts, bins in found:
        if not bins.begins:
            continue
        first = min(offset for _, offset in bins.begins)
        windows = [Window(name, 1, first)]
        for start, offset in starts:
            if offset >> 16 > windows[-1].offset >> 16:
                windows.append(Window(name, start, offset))
        chromosomes.append((first, windows))
    chromosomes.sort(key=lambda chromosome: chromosome[0])
    counted = [bins.n_records for _, _, bins in found if bins.begins]
    return Index(
        tuple(window for _, windows in chromosomes for window in windows),
        None if None in counted else sum(n for n in counted if n is not None),
        max((bins.end for _, _, bins in found), default=0) >> 16,
    )


def _read_bins(data: bytes, at: int, depth: int, *, with_loffset: bool) -> tuple[int, _Bins]:
    """Return where the bins of one chromosome end, and the bins.

    One bin beyond all others holds no records but their number (samtools and its kin).
    """
    of_counts = ((1 << 3 * (depth + 1)) - 1) // 7 + 1
    (n_bins,) = struct.unpack_from("<i", data, at)
    at += 4
    begins: list[tuple[int, int]] = []
    n_records, end = None, 0
    for _ in range(n_bins):
        (number,) = struct.unpack_from("<I", data, at)
        at += 12 if with_loffset else 4
        (n_chunks,) = struct.unpack_from("<i", data, at)
        if number == of_counts and n_chunks == 2:
            n_records = sum(struct.unpack_from("<2Q", data, at + 20))
        elif n_chunks:
            chunks = struct.unpack_from(f"<{2 * n_chunks}Q", data, at + 4)
            begins.append((number, min(chunks[::2])))
            end = max(end, *chunks[1::2])
        at += 4 + 16 * n_chunks
    return at, _Bins(begins, n_records, end)
