"""Gene tables: GTF and GFF3, BED, UCSC refFlat and refGene, plain or gzipped.

Positions are 1-based and closed. A gene is the span of its transcripts that overlap on one
chromosome; a table that names spans alone (BED of six columns, GTF of genes) gives one
transcript of one exon a span, and says so in `has_exons`.
"""

from __future__ import annotations

import gzip
import itertools
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.errors import InputError
from pipeline.schema import OTHER_CHROMOSOME, chromosome_order, plain_chromosome
from pipeline.sources.gff import gff_transcripts
from pipeline.sources.transcript import Transcript

_SNIFFED = 50  # lines that tell the kind of a table


@dataclass(frozen=True)
class GeneTable:
    """A gene table: `genes` and `transcripts` have the columns of `schema`.

    `transcripts` has also `cds_phase`, the coding bases before the first whole codon. `has_exons`
    is False where the table has spans of genes alone, so that what lies inside is not known.
    """

    genes: pd.DataFrame
    transcripts: pd.DataFrame
    has_exons: bool


def read_genes(path: Path) -> pd.DataFrame:
    """Return gene, chrom, chrom_order, gene_start, gene_end, strand, in genomic order.

    Raises `InputError` for a file of none of the known kinds.
    """
    return read_gene_table(path).genes


def read_gene_table(path: Path) -> GeneTable:
    """Return genes and transcripts of a table. Raises `InputError` for none of the known kinds."""
    lines = _lines(path)
    try:
        head = list(itertools.islice(lines, _SNIFFED))
        if not head:
            raise InputError(f"A gene table has one row a gene, but {path.name} is empty; fill it.")
        spans, transcripts, has_exons = _parse(path, head, itertools.chain(head, lines))
    except (IndexError, ValueError) as error:
        raise InputError(
            f"Every row of a gene table has a start and an end, but one of {path.name} has not "
            f"({error}); mend that row."
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"The gene table {path.name} cannot be read ({error}); copy it again."
        ) from None
    return GeneTable(_genes(spans, path), _transcripts(transcripts), has_exons)


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines that are no comment."""
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8") as handle:  # type: ignore[operator]
            for line in handle:
                if line.startswith("##FASTA"):  # the genome itself may follow in a GFF3
                    return
                if line.strip() and not line.startswith(("#", "track", "browser")):
                    yield line.rstrip("\r\n")
    except FileNotFoundError:
        raise InputError(f"The gene table {path} does not exist; check its path.") from None
    except (OSError, UnicodeDecodeError, EOFError, zlib.error) as error:
        raise InputError(
            f"The gene table {path.name} cannot be read ({error}); copy it again."
        ) from None


Spans = list[tuple[str, str, int, int, str | None]]


def _parse(
    path: Path, head: list[str], lines: Iterable[str]
) -> tuple[Spans, list[Transcript], bool]:
    rows = [line.split("\t") for line in head]
    width = max(len(row) for row in rows)
    if width == 9 and any(";" in row[8] or "=" in row[8] for row in rows if len(row) > 8):
        return gff_transcripts(lines)
    if width in {11, 16}:
        transcripts = list(_from_ucsc(lines, width))
        return _spans(transcripts), transcripts, True
    if 4 <= width <= 12 and rows[0][1].isdigit():
        transcripts = list(_from_bed(lines))
        return _spans(transcripts), transcripts, width == 12
    raise InputError(
        "A gene table is GTF, GFF3, BED, refFlat or refGene, but "
        f"{path.name} has {width} columns; give one of these."
    )


def _spans(transcripts: list[Transcript]) -> Spans:
    return [(t.gene, t.chrom, t.tx_start, t.tx_end, t.strand) for t in transcripts]


def _from_ucsc(lines: Iterable[str], width: int) -> Iterator[Transcript]:
    """Yield transcripts; refFlat starts with the gene, refGene with a bin and has it as name2."""
    at, gene, name = (2, 0, 1) if width == 11 else (2, 12, 1)
    for line in lines:
        row = line.split("\t")
        if len(row) != width or not row[at + 2].isdigit():
            continue
        chrom, strand = row[at], row[at + 1]
        start, end, cds_start, cds_end = (int(cell) for cell in row[at + 2 : at + 6])
        starts = [int(cell) + 1 for cell in row[at + 7].split(",") if cell]
        ends = [int(cell) for cell in row[at + 8].split(",") if cell]
        coding = cds_start < cds_end  # UCSC gives a transcript without a CDS an empty one
        phase = _ucsc_phase(row[15], strand) if width == 16 and coding else 0
        yield Transcript(
            row[gene], row[name], chrom, strand, start + 1, end,
            cds_start + 1 if coding else None, cds_end if coding else None,
            starts or [start + 1], ends or [end], phase,
        )  # fmt: skip


def _ucsc_phase(frames: str, strand: str) -> int:
    """Return the bases before the first whole codon, from `exonFrames` (-1 is no CDS)."""
    coding = [int(cell) for cell in frames.split(",") if cell and int(cell) >= 0]
    if not coding:
        return 0
    return -coding[-1 if strand == "-" else 0] % 3


def _from_bed(lines: Iterable[str]) -> Iterator[Transcript]:
    for line in lines:
        row = line.split("\t")
        start, end = int(row[1]) + 1, int(row[2])
        starts, ends = [start], [end]
        cds: tuple[int | None, int | None] = (None, None)
        if len(row) == 12:
            sizes = [int(cell) for cell in row[10].split(",") if cell]
            starts = [start + int(cell) for cell in row[11].split(",") if cell]
            ends = [first + size - 1 for first, size in zip(starts, sizes, strict=True)]
            if int(row[6]) < int(row[7]):
                cds = (int(row[6]) + 1, int(row[7]))
        strand = row[5] if len(row) > 5 and row[5] in "+-" else None
        yield Transcript(row[3], row[3], row[0], strand, start, end, *cds, starts, ends, 0)


def _genes(spans: Spans, path: Path) -> pd.DataFrame:
    frame = pd.DataFrame(spans, columns=["gene", "chrom", "gene_start", "gene_end", "strand"])
    orders = {chrom: chromosome_order(chrom) for chrom in frame["chrom"].unique()}
    frame["chrom_order"] = frame["chrom"].map(orders)
    frame = frame[frame["chrom_order"] != OTHER_CHROMOSOME]
    if frame.empty:
        raise InputError(
            f"A gene table places genes on chromosomes 1-22, X, Y or MT, but {path.name} has none "
            "there; check the file."
        )
    frame["chrom"] = frame["chrom"].map({chrom: plain_chromosome(chrom) for chrom in orders})
    return _joined(frame)


def _joined(frame: pd.DataFrame) -> pd.DataFrame:
    """Join overlapping spans of one gene."""
    keys = ["chrom_order", "gene", "gene_start", "gene_end"]
    frame = frame.sort_values(keys, kind="stable").reset_index(drop=True)
    group = frame.groupby(["chrom_order", "gene"])
    reached = group["gene_end"].cummax()
    before = reached.groupby([frame["chrom_order"], frame["gene"]]).shift()
    starts_new = before.isna() | (frame["gene_start"] > before)
    joined = frame.groupby(starts_new.cumsum(), sort=False).agg(
        gene=("gene", "first"),
        chrom=("chrom", "first"),
        chrom_order=("chrom_order", "first"),
        gene_start=("gene_start", "min"),
        gene_end=("gene_end", "max"),
        strand=("strand", "first"),
    )
    return joined.sort_values(["chrom_order", "gene_start", "gene"]).reset_index(drop=True)


def _transcripts(transcripts: list[Transcript]) -> pd.DataFrame:
    """Return the frame of TRANSCRIPTS and `cds_phase`, in genomic order."""
    frame = pd.DataFrame(transcripts, columns=Transcript._fields)
    orders = {chrom: chromosome_order(chrom) for chrom in frame["chrom"].unique()}
    frame["chrom_order"] = frame["chrom"].map(orders)
    frame = frame[frame["chrom_order"] != OTHER_CHROMOSOME].drop(columns="chrom")
    for column in ("cds_start", "cds_end"):
        frame[column] = frame[column].astype("UInt32")
    by = ["chrom_order", "tx_start", "tx_end", "gene", "transcript"]
    frame = frame.sort_values(by, kind="stable").reset_index(drop=True)
    frame.insert(0, "transcript_index", np.arange(len(frame), dtype=np.uint32))
    return frame
