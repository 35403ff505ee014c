"""Which parts of a genotype file hold given positions, where the file can be read in parts.

Damage to an indexed file ends the reading of a stretch without a word, so the stretches that are
read are unpacked once before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pysam

from pipeline.errors import InputError
from pipeline.schema import plain_chromosome
from pipeline.sources.base import Source
from pipeline.sources.formats import VCF
from pipeline.sources.htsindex import Index, Window, index_path, read_index
from pipeline.sources.matrix import Rows
from pipeline.sources.plink import BedSource, PgenSource
from pipeline.sources.sites import SiteTable, read_sites
from pipeline.sources.vcf_text import Span

Positions = Mapping[str, set[int]]  # by plain name of the chromosome

WHOLE_BYTES = 64 << 20  # up to here a file is read whole: seeking costs as much
_GAP_BYTES = 1 << 20  # stretches this close, in bytes of the file, are read as one
_GAP_ROWS = 256
_SPANS_OF_A_PART = 64  # between two reports of progress


def parts_at(source: Source, wanted: Positions) -> tuple[Any, ...]:
    """Return parts of a source that hold all its variants at the positions, others among them.

    Raises `InputError` when an index is of another file, or the file is damaged there.
    """
    if isinstance(source, BedSource | PgenSource):
        return _rows(source.table, wanted)
    whole = source.parts(None).parts
    if not source.path.name.endswith(VCF) or source.n_bytes <= WHOLE_BYTES:
        return whole
    beside = index_path(source.path)
    if beside is None or not source.parts(source.n_bytes).is_indexed:
        return whole
    from pipeline.sources.vcf import VcfSource  # cyvcf2, which is loaded by now

    assert isinstance(source, VcfSource)
    stretches = _stretches(read_index(beside, source.contigs), wanted)
    if sum(stretch.n_bytes for stretch in stretches) > source.n_bytes / 2:
        return whole
    for stretch in stretches:
        _refuse_damage(source.path, stretch)
    spans = [stretch.span for stretch in stretches]
    starts = range(0, len(spans), _SPANS_OF_A_PART)
    return tuple(tuple(spans[start : start + _SPANS_OF_A_PART]) for start in starts)


@dataclass(frozen=True)
class _Stretch:
    """A span to read, and the virtual offset where the next stretch of the file begins."""

    span: Span
    end: int

    @property
    def n_bytes(self) -> int:
        return (self.end >> 16) - (self.span.offset >> 16)


def _stretches(index: Index, wanted: Positions) -> list[_Stretch]:
    """Return the stretches of an indexed file that hold the positions, in its order."""
    offsets = [window.offset for window in index.windows[1:]]
    ends = dict(zip(index.windows, [*offsets, (index.end + 1) << 16], strict=True))
    found: list[_Stretch] = []
    for chrom, group in groupby(index.windows, key=lambda window: window.chrom):
        windows = list(group)
        positions = np.array(sorted(wanted.get(plain_chromosome(chrom), ())), np.int64)
        starts = np.array([window.start for window in windows])
        place = np.searchsorted(starts, positions, side="right") - 1
        of_chrom: list[_Stretch] = []
        for number in np.unique(place).tolist():
            window: Window = windows[number]
            here = positions[place == number]
            last = of_chrom[-1] if of_chrom else None
            if last and (window.offset >> 16) - (last.end >> 16) <= _GAP_BYTES:
                span = last.span._replace(end=int(here[-1]))
                of_chrom[-1] = _Stretch(span, ends[window])
            else:
                span = Span(chrom, int(here[0]), int(here[-1]), window.offset)
                of_chrom.append(_Stretch(span, ends[window]))
        found += of_chrom
    return found


def _refuse_damage(path: Path, stretch: _Stretch) -> None:
    try:
        with pysam.BGZFile(str(path), "rb") as handle:  # type: ignore[call-arg]
            handle.seek(stretch.span.offset)
            while handle.tell() < stretch.end and handle.read(1 << 20):
                pass
    except (OSError, EOFError):  # the first error is told again when the file closes
        raise InputError(
            f"Every block of {path.name} has to be readable, but one near "
            f"{stretch.span.chrom}:{stretch.span.start:,} is damaged; copy the file again."
        ) from None


def _rows(table: SiteTable, wanted: Positions) -> tuple[Rows, ...]:
    """Return the rows of a variant table that stand at the positions, near ones together."""
    nothing: set[int] = set()
    at: dict[str, set[int]] = {}
    found: list[Rows] = []
    for number, site in enumerate(read_sites(table, 0, table.n_variants)):
        if site.chrom not in at:
            at[site.chrom] = wanted.get(plain_chromosome(site.chrom), nothing)
        if site.pos not in at[site.chrom]:
            continue
        if found and number - found[-1].stop <= _GAP_ROWS:
            found[-1] = found[-1]._replace(stop=number + 1)
        else:
            found.append(Rows(number, number + 1))
    return tuple(found)
