"""VCF, VCF.gz and BCF, record by record through cyvcf2 (the one door to it).

Multi-allelic sites are split here; the rules for single calls stand in `pipeline.tally`.
QUAL `.` and FILTER `.` stay missing; FORMAT/DP and FORMAT/GQ that are missing are left out of
every mean. A site without an alternate (`ALT` `.`) stays one row.
"""

from __future__ import annotations

import ctypes
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cyvcf2
import cyvcf2.cyvcf2
import numpy as np
import pysam

from pipeline.errors import InputError
from pipeline.schema import region_of
from pipeline.settings import IngestSettings
from pipeline.sources.block import Block, Cast
from pipeline.tally import UNKNOWN_ALLELE, code_record

# htslib explains on stderr, where people expect one sentence of ours.
ctypes.CDLL(cyvcf2.cyvcf2.__file__).hts_set_log_level(0)

SUFFIXES = (".vcf", ".vcf.gz", ".vcf.bgz", ".bcf")
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_HAPLOID_REGIONS = {"x", "y", "mt"}
_EMPTY = np.empty(0, np.int32)


@dataclass(frozen=True)
class Region:
    """A span of one chromosome, 1-based and closed; a record belongs to where its POS lies."""

    chrom: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.chrom}:{self.start}-{self.end}"


@dataclass(frozen=True)
class VcfHeader:
    """What the header of a file promises."""

    path: Path
    sample_ids: tuple[str, ...]
    has_depth: bool
    has_gq: bool
    contigs: tuple[str, ...]


def read_header(path: Path) -> VcfHeader:
    """Return the header of a VCF or BCF.

    Raises `InputError` when the file is absent, empty, no VCF, without samples, without GT,
    cut off at its end, or declares DP or GQ as text.
    """
    reader = _open(path)
    try:
        sample_ids = tuple(reader.samples)
        formats: dict[str, dict[str, str]] = {}
        contigs: list[str] = []
        for line in reader.header_iter():
            info = line.info()
            if info.get("HeaderType") == "FORMAT":
                formats[info["ID"]] = info
            elif info.get("HeaderType") == "CONTIG":
                contigs.append(info["ID"])
    finally:
        reader.close()
    if not sample_ids:
        raise InputError(
            f"A cohort needs genotypes of people, but {path.name} has no sample columns; "
            "give the VCF with its samples."
        )
    if "GT" not in formats:
        raise InputError(
            f"A cohort needs genotypes, but {path.name} declares no GT in its header; "
            "give a VCF with called genotypes."
        )
    for name in ("DP", "GQ"):
        declared = formats.get(name, {}).get("Type", "Integer")
        if declared not in {"Integer", "Float"}:
            raise InputError(
                f"FORMAT/{name} holds numbers, but the header of {path.name} declares it as "
                f"{declared}; correct the header (bcftools reheader)."
            )
    return VcfHeader(path, sample_ids, "DP" in formats, "GQ" in formats, tuple(contigs))


def read_blocks(
    header: VcfHeader,
    cast: Cast,
    settings: IngestSettings,
    region: Region | None = None,
    capacity: int = 1024,
) -> Iterator[Block]:
    """Yield the split variants of a file, or of one region of an indexed file, in file order.

    Raises `InputError` when the file breaks off or a record cannot be read.
    """
    reader = _open(header.path)
    try:
        wanted = set(cast.sample_ids)
        if len(wanted) < len(header.sample_ids):
            reader.set_samples([s for s in header.sample_ids if s in wanted])
        order = _reorder(tuple(reader.samples), cast)
        half = {True: ~cast.is_female, False: np.zeros(len(cast), bool)}
        block = Block(capacity, len(cast), cast.n_diagnoses)
        for record in _records(reader, header.path, region):
            n_rows = max(1, len(record.ALT))
            if block.n + n_rows > block.capacity and block.n:
                yield block
                block = Block(max(capacity, n_rows), len(cast), cast.n_diagnoses)
            _add(block, record, header, cast, settings, order, half)
        if block.n:
            yield block
    finally:
        reader.close()


def _open(path: Path) -> cyvcf2.VCF:
    if not path.is_file():
        raise InputError(f"There is no file {path}; check its path.")
    if path.stat().st_size == 0:
        raise InputError(f"A VCF starts with a header, but {path.name} is empty; copy it again.")
    with path.open("rb") as handle:
        head = handle.read(18)
        if head[:2] == b"\x1f\x8b" and head[12:14] == b"BC":
            handle.seek(-min(len(_BGZF_END), path.stat().st_size), 2)
            if handle.read() != _BGZF_END:
                raise InputError(
                    f"A bgzipped file ends with an end-of-file block, but {path.name} has none, "
                    "so it was cut off; copy it again."
                )
    try:
        return cyvcf2.VCF(str(path))
    except Exception as error:  # noqa: BLE001 - cyvcf2 raises bare Exception and OSError alike
        if "parse VCF header" in str(error):
            raise InputError(
                f"The header of {path.name} cannot be read, as when a sample is named twice; "
                "mend the header line."
            ) from None
        raise InputError(
            f"A cohort is read from VCF or BCF, but {path.name} is neither; give such a file."
        ) from None


def _records(reader: cyvcf2.VCF, path: Path, region: Region | None) -> Iterator[cyvcf2.Variant]:
    last = "its first record"
    quality = _QualityText(path, region)
    try:
        for number, record in enumerate(reader(str(region)) if region else reader):
            if region and not region.start <= record.POS <= region.end:
                continue
            last = f"{record.CHROM}:{record.POS}"
            if record.QUAL == 0.0:
                quality.refuse_word(number, record.CHROM, record.POS)
            yield record
    except InputError:
        raise
    except Exception as error:
        if not any(text in str(error) for text in ("bcf_read", "error parsing")):
            raise
        raise InputError(
            f"Every record of {path.name} has to be readable, but the one after {last} is cut "
            "off or malformed; check the file (bcftools view) or copy it again."
        ) from None


class _QualityText:
    """The text of QUAL where htslib reads 0: a word reads as 0 too, and htslib does not say so.

    Only the first zeros of a stretch are looked up, since a file may be full of true ones.
    """

    _MOST = 100

    def __init__(self, path: Path, region: Region | None):
        self._path = path
        self._region = region
        self._left = 0 if path.suffix == ".bcf" else self._MOST
        self._next = 0
        self._lines: Iterator[str] = iter(())

    def refuse_word(self, number: int, chrom: str, pos: int) -> None:
        """Raise `InputError` when QUAL of a record, the `number`-th read, is no number."""
        if not self._left:
            return
        self._left -= 1
        for line in self._lines_at(number, chrom, pos):
            fields = line.split("\t", 6)
            if len(fields) < 6 or fields[:2] != [chrom, str(pos)]:
                continue
            try:
                float(fields[5])
            except ValueError:
                if fields[5] == ".":
                    continue
                raise InputError(
                    f"QUAL is a number or '.', but {self._path.name} has {fields[5]!r} at "
                    f"{chrom}:{pos}; mend that column."
                ) from None

    def _lines_at(self, number: int, chrom: str, pos: int) -> list[str]:
        if self._region:
            with pysam.TabixFile(str(self._path)) as indexed:
                return list(indexed.fetch(chrom, max(0, pos - 1), pos))
        if not self._next:
            self._lines = self._body()
        found = list(islice(self._lines, number - self._next, number - self._next + 1))
        self._next = number + 1
        return found

    def _body(self) -> Iterator[str]:
        with self._path.open("rb") as probe:
            opened = gzip.open if probe.read(2) == b"\x1f\x8b" else open
        with opened(self._path, "rt", encoding="utf-8", errors="replace") as handle:  # type: ignore[operator]
            for line in handle:
                if line.strip() and not line.startswith("#"):
                    yield line


def _reorder(read: tuple[str, ...], cast: Cast) -> np.ndarray | None:
    """Return where each person of the cohort stands among the samples read; None if in order."""
    if read == cast.sample_ids:
        return None
    place = {sample_id: i for i, sample_id in enumerate(read)}
    lacking = [s for s in cast.sample_ids if s not in place]
    if lacking:
        raise InputError(
            f"Every file of a cohort has the same people, but one lacks {len(lacking):,} of them; "
            "give files of the same people."
        )
    return np.array([place[s] for s in cast.sample_ids])


def _add(block, record, header, cast, settings, order, half) -> None:
    alts = record.ALT
    n_rows = max(1, len(alts))
    row = block.n
    chrom, pos = record.CHROM, record.POS
    region = region_of(chrom, pos, settings.build)
    alleles = _alleles(record, len(cast), order)
    depth = _numbers(record, "DP", order) if header.has_depth else _EMPTY
    gq = _numbers(record, "GQ", order) if header.has_gq else _EMPTY
    code_record(
        alleles,
        half[region in _HAPLOID_REGIONS],
        len(alts),
        settings.other_alleles == "missing",
        depth,
        gq,
        settings.min_genotype_depth or 0,
        settings.min_genotype_gq or 0,
        cast.diagnosis,
        block.codes[row : row + n_rows],
        block.site[row],
        block.depth[row],
        block.gq[row],
        block.person_depth,
    )
    for k in range(n_rows):
        if k:
            for tally in (block.site, block.depth, block.gq):
                tally[row + k] = tally[row]
        block.chrom.append(chrom)
        block.pos.append(pos)
        block.rsid.append(record.ID)
        block.ref.append(record.REF)
        block.alt.append(alts[k] if alts else ".")
        block.qual.append(record.QUAL)
        block.filter.append(_filter(record))
        block.region.append(region)
        block.alt_number.append(k + 1)
        block.n_alts.append(len(alts))
    block.n += n_rows


def _alleles(record: cyvcf2.Variant, n_people: int, order: np.ndarray | None) -> np.ndarray:
    """Return allele numbers (n_people, ploidy); all unknown where the record has no GT."""
    try:
        genotype = record.genotype
    except Exception as error:
        if "couldn't get genotypes" not in str(error):
            raise
        genotype = None
    if genotype is None:
        return np.full((n_people, 2), UNKNOWN_ALLELE, np.int16)
    alleles = genotype.array()[:, :-1]
    return alleles if order is None else alleles[order]


def _filter(record: cyvcf2.Variant) -> str | None:
    """Return PASS, the names that failed, or None where FILTER is `.`."""
    names = record.FILTERS
    return ";".join(names) if names else None


def _numbers(record: cyvcf2.Variant, name: str, order: np.ndarray | None) -> np.ndarray:
    """Return a FORMAT field as int32 (n_people,), negative where missing; empty if absent."""
    try:
        values = record.format(name)
    except KeyError:
        return _EMPTY
    if values is None:
        return _EMPTY
    first = values[:, 0]
    if first.dtype.kind == "f":
        first = np.where(np.isnan(first), -1, first)
    first = np.ascontiguousarray(first, dtype=np.int32)
    return first if order is None else first[order]
