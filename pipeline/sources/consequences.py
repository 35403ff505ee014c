"""Consequences that another program wrote: VEP, SnpEff, bcftools csq, ANNOVAR.

VEP and SnpEff are told apart by what the header says of the key, since VEP may write to `ANN`.
A consequence leaves as one row: the allele as that program saw it, gene, terms joined by `&`.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import InputError
from pipeline.sources.vcf import info_descriptions, info_fields

_FUNC = re.compile(r"^Func\.(.+)$")
_EMPTY = {"", "."}


class Said(NamedTuple):
    """One consequence of one alternate allele. An absent allele is `-`, as ANNOVAR writes it."""

    chrom: str
    pos: int
    ref: str
    alt: str
    gene: str
    terms: str


@dataclass(frozen=True)
class _Layout:
    """Which INFO key holds the consequences, of which program, and its fields in order."""

    source: str
    key: str
    fields: tuple[str, ...] = ()


def read_consequences(path: Path) -> tuple[str, Iterator[Said]]:
    """Return the source (`CSQ`, `ANN`, `BCSQ` or `ANNOVAR`) and what it says, row by row.

    Raises `InputError` for a file that has the consequences of none of these programs.
    """
    if not path.is_file():
        raise InputError(f"There is no file of consequences {path}; check its path.")
    if path.name.endswith((".txt", ".txt.gz", ".tsv", ".tsv.gz", ".csv")):
        return "ANNOVAR", _multianno(path)
    layout = _layout(info_descriptions(path))
    if layout is None:
        raise InputError(
            "Consequences are read from CSQ (VEP), ANN (SnpEff), BCSQ (bcftools csq) or Func.* "
            f"(ANNOVAR), but the header of {path.name} declares none; annotate it first."
        )
    return layout.source, _of_vcf(path, layout)


def _layout(described: dict[str, str]) -> _Layout | None:
    for key, text in described.items():
        if "Functional annotations" in text:
            return _Layout("ANN", key, _names(text.split(":", 1)[-1]))
    for key, text in described.items():
        if key == "BCSQ" or "BCFtools/csq" in text:
            return _Layout("BCSQ", key, _names(text.split("Format:", 1)[-1]))
    for key, text in described.items():
        fields = _names(text.split("Format:", 1)[1]) if "Format:" in text else ()
        if {"Allele", "Consequence"} <= set(fields):
            return _Layout("CSQ", key, fields)
    for key in described:
        if (suffix := _FUNC.match(key)) and f"Gene.{suffix[1]}" in described:
            return _Layout("ANNOVAR", suffix[1])
    return None


def _names(text: str) -> tuple[str, ...]:
    cleaned = text.translate(str.maketrans("", "", "'\"[]<> "))
    return tuple(cell.strip(".") for cell in cleaned.split("|"))


def _of_vcf(path: Path, layout: _Layout) -> Iterator[Said]:
    if layout.source == "ANNOVAR":
        yield from _of_annovar(path, layout.key)
        return
    if layout.source == "BCSQ":
        yield from _of_bcsq(path, layout)
        return
    at = {name: place for place, name in enumerate(layout.fields)}
    if layout.source == "ANN":
        allele, terms, symbol, gene = 0, 1, 3, 4  # SnpEff's names vary, its order does not
    else:
        allele, terms = at["Allele"], at["Consequence"]
        symbol, gene = at.get("SYMBOL", -1), at.get("Gene", -1)
    number = at.get("ALLELE_NUM") if layout.source == "CSQ" else None
    for chrom, pos, ref, alts, told in info_fields(path, (layout.key,)):
        whose = _vep_alleles(ref, alts) if layout.source == "CSQ" else {alt: alt for alt in alts}
        for text in told.get(layout.key, ()):
            for entry in text.split(","):
                cells = entry.split("|")
                if len(cells) <= terms:
                    continue
                name = _cell(cells, symbol) or _cell(cells, gene)
                if number is not None and _cell(cells, number).isdigit():
                    place = int(cells[number])
                    alt = alts[place - 1] if 0 < place <= len(alts) else None
                else:
                    alt = whose.get(cells[allele])
                    if alt is None and len(alts) == 1:
                        alt = alts[0]
                if name and alt:
                    yield Said(chrom, pos, ref, alt, name, cells[terms])


def _cell(cells: list[str], place: int) -> str:
    return cells[place] if 0 <= place < len(cells) and cells[place] not in _EMPTY else ""


def _vep_alleles(ref: str, alts: list[str]) -> dict[str, str]:
    """Return the ALT by the name VEP gives it.

    VEP takes off the first base of all alleles where they share it and one is an indel; with
    `--minimal` each alternate by itself loses all that it shares, which is tried after.
    """
    named: dict[str, str] = {}
    real = [alt for alt in alts if alt.isalpha()]
    shares = all(alt[0] == ref[0] for alt in real) and any(len(alt) != len(ref) for alt in real)
    for alt in alts:
        named.setdefault(alt[1:] or "-" if shares and alt in real else alt, alt)
    for alt in real:
        before, after = ref, alt
        while before and after and before[0] == after[0]:
            before, after = before[1:], after[1:]
        while before and after and before[-1] == after[-1]:
            before, after = before[:-1], after[:-1]
        named.setdefault(after or "-", alt)
    return named


def _of_bcsq(path: Path, layout: _Layout) -> Iterator[Said]:
    """Yield what bcftools csq says.

    It names no allele: the change of the DNA tells it (`123A>G`, joined by `+` where changes of
    one haplotype act together), and an entry without one holds for every alternate. `@123` points
    to the record where the joint change is told, which is read first.
    """
    at = {name: place for place, name in enumerate(layout.fields)}
    terms, gene = at.get("Consequence", 0), at.get("gene", 1)
    change = at.get("dna_change", 6)
    joint: dict[tuple[str, int], list[list[str]]] = {}
    pointing = []
    for chrom, pos, ref, alts, told in info_fields(path, (layout.key,)):
        for text in told.get(layout.key, ()):
            for entry in text.split(","):
                if entry.startswith("@"):
                    pointing.append((chrom, pos, ref, alts, entry[1:]))
                    continue
                cells = entry.split("|")
                name, dna = _cell(cells, gene), _cell(cells, change)
                if "+" in dna:
                    joint.setdefault((chrom, pos), []).append(cells)
                for alt in alts:
                    if name and (not dna or _is_in(dna, pos, ref, alt)):
                        yield Said(chrom, pos, ref, alt, name, cells[terms])
    for chrom, pos, ref, alts, target in pointing:
        for cells in joint.get((chrom, int(target)), ()) if target.isdigit() else ():
            for alt in alts:
                if _cell(cells, gene) and _is_in(cells[change], pos, ref, alt):
                    yield Said(chrom, pos, ref, alt, cells[gene], cells[terms])


def _is_in(dna: str, pos: int, ref: str, alt: str) -> bool:
    """Say whether a change of the DNA has this alternate as a part."""
    return any(
        part.upper() == f"{pos}{ref}>{alt}".upper() for part in dna.replace(" ", "").split("+")
    )


def _of_annovar(path: Path, suffix: str) -> Iterator[Said]:
    """Yield what ANNOVAR wrote into INFO, once for each ALT in turn."""
    keys = tuple(f"{key}.{suffix}" for key in ("Func", "Gene", "ExonicFunc"))
    for chrom, pos, ref, alts, told in info_fields(path, keys):
        func, gene, exonic = (told.get(key, []) for key in keys)
        for number, alt in enumerate(alts):
            cells = [texts[number] if number < len(texts) else texts[-1] if texts else ""
                     for texts in (func, gene, exonic)]  # fmt: skip
            unescaped = [cell.replace("\\x3b", ";").replace("\\x3d", "=") for cell in cells]
            for name, terms in _annovar_terms(*unescaped):
                yield Said(chrom, pos, ref, alt, name, terms)


def _annovar_terms(func: str, gene: str, exonic: str) -> Iterator[tuple[str, str]]:
    """Yield gene and terms; where ANNOVAR names as many regions as genes they go in pairs."""
    regions = [cell for cell in func.split(";") if cell not in _EMPTY]
    genes = [cell.split("(")[0] for cell in re.split(r"[;,]", gene)]
    genes = [name for name in genes if name not in _EMPTY | {"NONE"}]
    changes = [cell for cell in exonic.split(";") if cell not in _EMPTY]
    pairs = (
        list(zip(regions, genes, strict=True))
        if len(regions) == len(genes)
        else [(region, name) for name in genes for region in regions]
    )
    for region, name in pairs:
        if region == "intergenic":
            continue
        yield name, "&".join(changes) if region == "exonic" and changes else region


def _multianno(path: Path) -> Iterator[Said]:
    """Yield the rows of a `multianno` table; its indels lack the base before them."""
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8", newline="") as handle:  # type: ignore[operator]
            is_csv = path.name.endswith(".csv")
            rows = csv.reader(handle) if is_csv else (line.rstrip("\r\n").split("\t")
                                                      for line in handle)  # fmt: skip
            at = {name: place for place, name in enumerate(next(rows, []))}
            suffix = next((m[1] for m in map(_FUNC.match, at) if m), None)
            needed = ["Chr", "Start", "Ref", "Alt", f"Gene.{suffix}"]
            if suffix is None or not set(needed) <= set(at):
                raise InputError(
                    "A multianno table has Chr, Start, Ref, Alt, Func.* and Gene.*, but "
                    f"{path.name} has not; give what table_annovar wrote."
                )
            columns = [at[name] for name in [*needed, f"Func.{suffix}"]]
            exonic = at.get(f"ExonicFunc.{suffix}", -1)
            for row in rows:
                if len(row) <= max(columns):
                    continue
                chrom, start, ref, alt, gene, func = (row[place] for place in columns)
                # An insertion comes after `Start`; all else begins there.
                pos = int(start) + (ref == "-")
                for name, terms in _annovar_terms(func, gene, _cell(row, exonic)):
                    yield Said(chrom, pos, ref, alt, name, terms)
    except ValueError as error:
        raise InputError(
            f"Start is a position in each row, but one of {path.name} has none ({error}); mend "
            "that row."
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path.name} cannot be read ({error}); copy it again.") from None
