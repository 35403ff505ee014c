"""GTF and GFF3, line by line: which exons and coding parts make up a transcript.

A GTF names the transcript on each line; a GFF3 links a line to its parent. The stop codon counts
as coding, as in a GFF3 and at UCSC, though a GTF leaves it out of CDS.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from pipeline.sources.transcript import Transcript

_NAMES = re.compile(r'\b(gene_id|gene_name|transcript_id) "?([^";]*)"?')
_CODING = {"CDS", "stop_codon"}
Span = tuple[str, str, int, int, str | None]


@dataclass
class _Parts:
    """What the lines of one transcript, or gene, say of it."""

    chrom: str = ""
    strand: str | None = None
    gene: str = ""
    parent: str = ""
    name: str = ""
    span: tuple[int, int] | None = None
    exons: list[tuple[int, int]] = field(default_factory=list)
    coding: list[tuple[int, int]] = field(default_factory=list)
    phases: list[tuple[int, int, str]] = field(default_factory=list)


def gff_transcripts(lines: Iterable[str]) -> tuple[list[Span], list[Transcript], bool]:
    """Return the spans of genes, the transcripts, and whether the file has exons.

    Genes are the lines `gene` where there are any, else the transcripts, else the exons.
    """
    parts: dict[str, _Parts] = {}
    spans: dict[str, list[tuple[str, Span]]] = {"gene": [], "transcript": [], "exon": []}
    for line in lines:
        chrom, _, feature, start, end, _, strand, phase, text = line.split("\t", 8)
        is_gtf = ' "' in text or ("=" not in text and " " in text)
        is_piece = feature == "exon" or feature in _CODING
        is_gene = feature == "gene" or feature.endswith("_gene") or feature == "pseudogene"
        if is_gtf and not (is_piece or is_gene or feature == "transcript"):
            continue
        said = _pairs(text, is_gtf)
        first, last = int(start), int(end)
        where = strand if strand in {"+", "-"} else None
        symbol = _symbol(said, is_gtf)
        if feature in spans or is_gene:
            kind = "gene" if is_gene else feature
            if symbol:
                spans[kind].append((said.get("ID", ""), (symbol, chrom, first, last, where)))
        owners: tuple[str, ...]
        if is_gtf:
            owners = () if is_gene else (said.get("transcript_id") or said.get("gene_id", ""),)
        elif is_piece:
            owners = tuple(said.get("Parent", "").split(","))
        else:
            owners = (said.get("ID", ""),)
        for owner in owners:
            # A transcript in both pseudo-autosomal parts has one name and two places.
            key = f"{owner}\t{chrom}" if owner else ""
            if not key:
                continue
            found = parts.setdefault(key, _Parts(chrom, where))
            if is_piece:
                (found.exons if feature == "exon" else found.coding).append((first, last))
                if feature == "CDS":
                    found.phases.append((first, last, phase))
                if is_gtf or not found.gene:
                    found.gene = symbol if is_gtf else found.gene
            else:
                found.span, found.strand, found.gene = (first, last), where, symbol
                found.parent = said.get("Parent", "").split(",")[0]
                found.name = said.get("transcript_id") or said.get("Name") or said.get("ID", "")
    transcripts = _assemble(parts)
    has_exons = bool(spans["exon"]) or any(p.exons or p.coding for p in parts.values())
    rows = next((rows for rows in spans.values() if rows), [])
    if spans["gene"] and not has_exons:
        transcripts = [
            Transcript(*span[:1], span[0], *span[1:2], span[4], *span[2:4], None, None,
                       [span[2]], [span[3]], 0)
            for _, span in spans["gene"]
        ]  # fmt: skip
    named = [span for _, span in rows] if spans["gene"] or not transcripts else _of(transcripts)
    return named, transcripts, has_exons


def _of(transcripts: list[Transcript]) -> list[Span]:
    return [(t.gene, t.chrom, t.tx_start, t.tx_end, t.strand) for t in transcripts]


def _pairs(text: str, is_gtf: bool) -> dict[str, str]:
    if is_gtf:  # one search for what is needed: there may be millions of lines
        said: dict[str, str] = {}
        for key, value in _NAMES.findall(text):
            said.setdefault(key, value)
        return said
    cells = (cell.partition("=") for cell in text.split(";"))
    return {key.strip(): value.strip() for key, _, value in cells}


def _symbol(said: dict[str, str], is_gtf: bool) -> str:
    if is_gtf:
        return said.get("gene_name") or said.get("gene_id", "")
    named = said.get("gene_name") or said.get("gene") or said.get("Name")
    return named or said.get("ID", "").split(":")[-1]


def _assemble(parts: dict[str, _Parts]) -> list[Transcript]:
    """Return one transcript for each that has exons, coding parts, or a span of its own."""
    parents = {f"{part.parent}\t{part.chrom}" for part in parts.values() if part.parent}
    made = []
    for key, part in parts.items():
        owner = key.split("\t")[0]
        if not part.exons and not part.coding and key in parents:
            continue  # a gene; its transcripts stand for it
        exons = _merged(part.exons or part.coding or ([part.span] if part.span else []))
        if not exons:
            continue
        gene, above = part.gene, part
        while above.parent and f"{above.parent}\t{part.chrom}" in parts:
            above = parts[f"{above.parent}\t{part.chrom}"]
            gene = above.gene or gene
        coding = part.coding
        made.append(
            Transcript(
                gene or owner, part.name or owner, part.chrom, part.strand,
                exons[0][0], exons[-1][1],
                min(first for first, _ in coding) if coding else None,
                max(last for _, last in coding) if coding else None,
                [first for first, _ in exons], [last for _, last in exons], _phase(part),
            )
        )  # fmt: skip
    return made


def _merged(exons: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return exons in genomic order; those that touch or overlap are one."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(exons):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _phase(part: _Parts) -> int:
    if not part.phases:
        return 0
    at = max(part.phases, key=lambda p: p[1]) if part.strand == "-" else min(part.phases)
    return int(at[2]) if at[2] in {"0", "1", "2"} else 0
