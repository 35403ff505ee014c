"""One transcript, as every kind of gene table gives it."""

from __future__ import annotations

from typing import NamedTuple


class Transcript(NamedTuple):
    """Positions are 1-based and closed, exons in genomic order; no CDS: not coding."""

    gene: str
    transcript: str
    chrom: str
    strand: str | None
    tx_start: int
    tx_end: int
    cds_start: int | None
    cds_end: int | None
    exon_starts: list[int]
    exon_ends: list[int]
    cds_phase: int  # coding bases before the first whole codon, at the 5' end
