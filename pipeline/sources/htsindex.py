"""Where to cut an indexed VCF or BCF so that every piece holds about as many bytes.

Reads the tabix (.tbi) or coordinate-sorted (.csi) index beside the file; formats as in the SAM /
tabix / CSI specifications of samtools/hts-specs.
"""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_TBI_SHIFT = 14  # the linear index has one offset for every 16 kb
LAST_POSITION = 2**31 - 1


@dataclass(frozen=True)
class Window:
    """A start (1-based) on a chromosome, and the byte in the file where its records begin."""

    chrom: str
    start: int
    offset: int


def index_path(path: Path) -> Path | None:
    """Return the index beside a file, or None."""
    for suffix in (".tbi", ".csi"):
        candidate = path.with_name(path.name + suffix)
        if candidate.is_file() and candidate.stat().st_mtime >= path.stat().st_mtime - 1:
            return candidate
    return None


def read_windows(index: Path, header_contigs: tuple[str, ...]) -> list[Window]:
    """Return the windows of an index in file order; `header_contigs` name those of a BCF."""
    data = gzip.decompress(index.read_bytes())
    read = _read_tbi if data[:4] == b"TBI\1" else _read_csi
    return sorted(read(data, header_contigs), key=lambda w: w.offset)


def cut(windows: list[Window], n_bytes: int) -> list[list[tuple[str, int, int]]]:
    """Return groups of (chrom, start, end) spans that tile every chromosome of the index.

    A group holds about `n_bytes` of the file; spans are 1-based and closed, the first of a
    chromosome starts at 1 and its last ends past everything.
    """
    groups: list[list[tuple[str, int, int]]] = []
    begin_of_group = None
    for window in windows:
        new_chrom = not groups or groups[-1][-1][0] != window.chrom
        full = begin_of_group is not None and window.offset - begin_of_group >= n_bytes
        if full or not groups:
            groups.append([])
            begin_of_group = window.offset
            if len(groups) > 1 and not new_chrom:
                chrom, start, _ = groups[-2][-1]
                groups[-2][-1] = (chrom, start, window.start - 1)
        if not groups[-1] or new_chrom:
            start = 1 if new_chrom else window.start
            groups[-1].append((window.chrom, start, LAST_POSITION))
    return groups


def _read_tbi(data: bytes, _: tuple[str, ...]) -> list[Window]:
    n_ref, *_rest, n_names = struct.unpack_from("<8i", data, 4)
    at = 36
    names = data[at : at + n_names].rstrip(b"\0").decode().split("\0")
    at += n_names
    windows = []
    for name in names[:n_ref]:
        at = _skip_bins(data, at, with_loffset=False)[0]
        (n_windows,) = struct.unpack_from("<i", data, at)
        offsets = np.frombuffer(data, "<u8", n_windows, at + 4) >> np.uint64(16)
        at += 4 + 8 * n_windows
        last = -1
        for i, offset in enumerate(offsets.tolist()):
            if offset > last and offset > 0:
                windows.append(Window(name, (i << _TBI_SHIFT) + 1, offset))
                last = offset
    return windows


def _read_csi(data: bytes, header_contigs: tuple[str, ...]) -> list[Window]:
    min_shift, depth, n_aux = struct.unpack_from("<3i", data, 4)
    names = list(header_contigs)
    if n_aux >= 28:
        (n_names,) = struct.unpack_from("<i", data, 16 + 24)
        names = data[16 + 28 : 16 + 28 + n_names].rstrip(b"\0").decode().split("\0")
    at = 16 + n_aux
    (n_ref,) = struct.unpack_from("<i", data, at)
    at += 4
    first_leaf = ((1 << 3 * depth) - 1) // 7
    n_leaves = 1 << 3 * depth
    windows = []
    for ref in range(n_ref):
        at, bins = _skip_bins(data, at, with_loffset=True)
        leaves = sorted(
            (number - first_leaf, offset >> 16)
            for number, offset in bins
            if first_leaf <= number < first_leaf + n_leaves
        )
        last = -1
        for leaf, offset in leaves:
            if offset > last:
                windows.append(Window(names[ref], (leaf << min_shift) + 1, offset))
                last = offset
    return windows


def _skip_bins(data: bytes, at: int, *, with_loffset: bool) -> tuple[int, list[tuple[int, int]]]:
    """Return where the bins of one chromosome end, and (bin, first offset) of each."""
    (n_bins,) = struct.unpack_from("<i", data, at)
    at += 4
    bins = []
    for _ in range(n_bins):
        (number,) = struct.unpack_from("<I", data, at)
        at += 12 if with_loffset else 4
        (n_chunks,) = struct.unpack_from("<i", data, at)
        (begin,) = struct.unpack_from("<Q", data, at + 4) if n_chunks else (0,)
        bins.append((number, begin))
        at += 4 + 16 * n_chunks
    return at, bins
