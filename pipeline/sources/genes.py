"""Gene tables: GTF and GFF3, BED, UCSC refFlat and refGene, plain or gzipped.

What is returned are gene spans, 1-based and closed; transcripts of one gene that overlap on one
chromosome and strand are joined.
"""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path

import pandas as pd

from pipeline.errors import InputError
from pipeline.schema import OTHER_CHROMOSOME, chromosome_order, plain_chromosome

_GTF_NAME = re.compile(r'gene_name "([^"]+)"|gene_id "([^"]+)"')
_GFF_NAME = re.compile(r"(?:^|;)(?:gene_name|gene|Name)=([^;]+)")


def read_genes(path: Path) -> pd.DataFrame:
    """Return gene, chrom, chrom_order, gene_start, gene_end, strand, in genomic order.

    Raises `InputError` for a file of none of the known kinds.
    """
    rows = _rows(path)
    width = max((len(row) for row in rows[:50]), default=0)
    try:
        if width == 9 and any(";" in row[8] or "=" in row[8] for row in rows[:50]):
            spans = _from_gtf(rows)
        elif width in {11, 16}:
            spans = _from_ucsc(rows, width)
        elif 4 <= width <= 12 and rows[0][1].isdigit():
            spans = _from_bed(rows)
        else:
            raise InputError(
                "A gene table is GTF, GFF3, BED, refFlat or refGene, but "
                f"{path.name} has {width} columns; give one of these."
            )
    except (IndexError, ValueError) as error:
        raise InputError(
            f"Every row of a gene table has a start and an end, but one of {path.name} has not "
            f"({error}); mend that row."
        ) from None
    frame = pd.DataFrame(spans, columns=["gene", "chrom", "gene_start", "gene_end", "strand"])
    frame["chrom_order"] = [chromosome_order(chrom) for chrom in frame["chrom"]]
    frame = frame[frame["chrom_order"] != OTHER_CHROMOSOME]
    if frame.empty:
        raise InputError(
            f"A gene table places genes on chromosomes 1-22, X, Y or MT, but {path.name} has none "
            "there; check the file."
        )
    frame["chrom"] = [plain_chromosome(chrom) for chrom in frame["chrom"]]
    return _joined(frame)


def _rows(path: Path) -> list[list[str]]:
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8") as handle:  # type: ignore[operator]
            lines = handle.read().splitlines()
    except FileNotFoundError:
        raise InputError(f"The gene table {path} does not exist; check its path.") from None
    except (OSError, UnicodeDecodeError, EOFError, zlib.error) as error:
        raise InputError(
            f"The gene table {path.name} cannot be read ({error}); copy it again."
        ) from None
    rows = [
        line.split("\t") for line in lines
        if line.strip() and not line.startswith(("#", "track", "browser"))
    ]  # fmt: skip
    if not rows:
        raise InputError(f"A gene table has one row a gene, but {path.name} is empty; fill it.")
    return rows


def _from_gtf(rows: list[list[str]]) -> list[tuple]:
    features = {row[2] for row in rows}
    wanted = "gene" if "gene" in features else "transcript" if "transcript" in features else "exon"
    spans = []
    for row in rows:
        if row[2] != wanted:
            continue
        names = dict.fromkeys(
            kind for match in _GTF_NAME.finditer(row[8]) for kind in [match.group(1)] if kind
        )
        gff = _GFF_NAME.search(row[8])
        gene_id = _GTF_NAME.search(row[8])
        name = next(iter(names), None) or (gff.group(1) if gff else None)
        name = name or (gene_id.group(2) if gene_id else None)
        if name:
            spans.append((name, row[0], int(row[3]), int(row[4]), row[6]))
    return spans


def _from_ucsc(rows: list[list[str]], width: int) -> list[tuple]:
    """refFlat starts with the gene name; refGene starts with a bin and has it as name2."""
    at, gene = (2, 0) if width == 11 else (2, 12)
    return [
        (row[gene], row[at], int(row[at + 2]) + 1, int(row[at + 3]), row[at + 1])
        for row in rows
        if len(row) == width and row[at + 2].isdigit()
    ]


def _from_bed(rows: list[list[str]]) -> list[tuple]:
    return [
        (row[3], row[0], int(row[1]) + 1, int(row[2]), row[5] if len(row) > 5 else None)
        for row in rows
    ]


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
