"""VCF, VCF.gz and BCF, record by record: regular text by itself, all else through cyvcf2.

This is the one door to cyvcf2, which reads headers, BCF, and files with a line that is irregular
in any way (`vcf_text`). Records leave as plain values, since what cyvcf2 gives is tied to its
reader and that reader to one thread. QUAL `.` and FILTER `.` stay missing; FORMAT/DP and FORMAT/GQ
that are missing are left out of every mean.
"""

from __future__ import annotations

import ctypes
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cyvcf2
import cyvcf2.cyvcf2
import numpy as np
import pysam

from pipeline.ahead import read_ahead
from pipeline.errors import InputError
from pipeline.settings import IngestSettings
from pipeline.sources.base import Parts, places
from pipeline.sources.block import UNKNOWN_ALLELE, Block, Cast, Record
from pipeline.sources.htsindex import cut, index_path, reaches_end, read_index
from pipeline.sources.vcf_text import IrregularError, Span, Wanted, read_text

# htslib explains on stderr, where people expect one sentence of ours.
ctypes.CDLL(cyvcf2.cyvcf2.__file__).hts_set_log_level(0)

_PARCEL_CALLS = 200_000  # genotypes handed over at once: enough to be rare, little in memory
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_EMPTY = np.empty(0, np.int32)


@dataclass(frozen=True)
class VcfSource:
    """A VCF or BCF and what its header promises; a part is a tuple of regions, empty for all."""

    path: Path
    sample_ids: tuple[str, ...]
    has_depth: bool
    has_gq: bool
    contigs: tuple[str, ...]
    format_types: tuple[tuple[str, str], ...]  # type by key

    library = "cyvcf2"
    people_table = None

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.path,)

    @property
    def n_bytes(self) -> int:
        return self.path.stat().st_size

    def parts(self, n_bytes: int | None) -> Parts:
        """Return spans along the index; everything in one where there is none, or for None.

        Damage to an indexed file ends the reading of a region without a word, so that an index
        that does not count its records (htsjdk's) is left aside and the file is read from end to
        end.
        """
        if n_bytes is None:
            return Parts(((),))
        beside = index_path(self.path)
        index = read_index(beside, self.contigs) if beside else None
        if index is None or index.n_records is None:
            return Parts(((),), is_indexed=False)
        if not reaches_end(self.path, index.end):
            raise InputError(
                f"An index covers the whole of its file, but that of {self.path.name} ends "
                "before the file does, so it is of another file; index it anew (tabix)."
            )
        groups = cut(index.windows, n_bytes)
        parts = tuple(tuple(Span(*span) for span in group) for group in groups)
        return Parts(parts, index.n_records)

    @contextmanager
    def blocks(
        self, part: tuple[Span, ...], cast: Cast, settings: IngestSettings
    ) -> Iterator[Iterator[Block]]:
        """Give the blocks of some regions; a thread reads ahead."""
        records = read_records(self, cast.sample_ids, part)
        with read_ahead(records, max(1, _PARCEL_CALLS // len(cast))) as ahead:
            # Loading numba takes a while, in which the thread reads on.
            from pipeline import coding

            yield coding.blocks(ahead, cast, settings)

    def share_read(self, part: tuple[Span, ...], n_rows: int) -> float:
        """Return how far this process has read into the file, as Linux tells; else 0."""
        for link in Path("/proc/self/fd").glob("*"):
            try:
                if link.readlink() == self.path.resolve():
                    position = (Path("/proc/self/fdinfo") / link.name).read_text().split()[1]
                    return int(position) / max(1, self.n_bytes)
            except OSError:
                continue
        return 0.0


def read_header(path: Path) -> VcfSource:
    """Return a VCF or BCF as a source.

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
    types = tuple((key, info.get("Type", "String")) for key, info in formats.items())
    return VcfSource(path, sample_ids, "DP" in formats, "GQ" in formats, tuple(contigs), types)


def info_descriptions(path: Path) -> dict[str, str]:
    """Return what the header of a VCF or BCF says of each INFO key; people are not needed."""
    reader = _open(path)
    try:
        told = (line.info() for line in reader.header_iter())
        return {
            info["ID"]: info.get("Description", "").strip('"')
            for info in told
            if info.get("HeaderType") == "INFO"
        }
    finally:
        reader.close()


def info_fields(
    path: Path, keys: tuple[str, ...]
) -> Iterator[tuple[str, int, str, list[str], dict[str, list[str]]]]:
    """Yield chromosome, position, REF, ALTs and the text of INFO keys, one record after another.

    A key that a record repeats, as ANNOVAR does for each ALT, has one text each time. Raises
    `InputError` for a record that cannot be read.
    """
    reader = _open(path)
    try:
        declared = {
            line.info()["ID"]
            for line in reader.header_iter()
            if line.info().get("HeaderType") == "CONTIG"
        }
        undeclared = () if path.suffix == ".bcf" else sorted(_contigs_of(path) - declared)
        for contig in undeclared:
            _declare(reader, contig, path)
        reader.set_samples([])
        wanted = set(keys)
        for record in _records(reader, path, None, {*declared, *undeclared}):
            if len(record.ALT) > 1:
                told: dict[str, list[str]] = {}
                for key, text in record.INFO:
                    if key in wanted:
                        told.setdefault(key, []).append(_text(text))
            else:
                told = {
                    key: [_text(text)] for key in keys if (text := record.INFO.get(key)) is not None
                }
            yield record.CHROM, record.POS, record.REF, record.ALT, told
    finally:
        reader.close()


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def read_records(
    header: VcfSource, sample_ids: tuple[str, ...], regions: tuple[Span, ...] = ()
) -> Iterator[Record]:
    """Yield the records of a file, or of regions of an indexed file, in file order.

    People come in the order of `sample_ids`. Raises `InputError` when the file breaks off or a
    record cannot be read.
    """
    n_read = 0
    for reading in _readings(header, sample_ids, regions):
        try:
            for record in islice(reading, n_read, None):  # from where the one before gave up
                n_read += 1
                yield record
            return
        except (IrregularError, _UndeclaredContigError):
            continue


def _readings(
    header: VcfSource, sample_ids: tuple[str, ...], regions: tuple[Span, ...]
) -> Iterator[Iterator[Record]]:
    """Yield ways to read the same records, the fastest first, each for what stopped the former."""
    declared = set(header.contigs)
    is_text = not header.path.name.endswith(".bcf")
    if is_text and dict(header.format_types)["GT"] == "String":
        yield _regular(header, sample_ids, regions)
    if not is_text or not _contigs_of(header.path, 1) - declared:
        yield _read(header, sample_ids, regions, ())
    yield _read(header, sample_ids, regions, tuple(sorted(_contigs_of(header.path) - declared)))


def _regular(
    header: VcfSource, sample_ids: tuple[str, ...], regions: tuple[Span, ...]
) -> Iterator[Record]:
    """Yield records from the text of the file, as long as it is regular."""
    order = None if header.sample_ids == sample_ids else places(header.sample_ids, sample_ids)
    numeric = frozenset(k for k, kind in header.format_types if kind in {"Integer", "Float"})
    wanted = Wanted(len(header.sample_ids), header.has_depth, header.has_gq, numeric)
    records = read_text(header.path, regions, wanted)
    for record in records:
        if order is None:
            yield record
        else:
            yield record._replace(
                alleles=record.alleles[order],
                depth=record.depth[order] if record.depth.size else record.depth,
                gq=record.gq[order] if record.gq.size else record.gq,
            )


class _UndeclaredContigError(Exception):
    """A record lies on a contig that the header lacks, so that it may be half parsed."""


def _read(
    header: VcfSource,
    sample_ids: tuple[str, ...],
    regions: tuple[Span, ...],
    undeclared: tuple[str, ...],
) -> Iterator[Record]:
    """Yield records; `undeclared` contigs are added to the header first.

    cyvcf2 gives out a record of a contig that it does not know even where the rest of the line
    could not be parsed, and to look at such a record may end the process.
    """
    reader = _open(header.path)
    known = {*header.contigs, *undeclared}
    try:
        for contig in undeclared:
            _declare(reader, contig, header.path)
        wanted = set(sample_ids)
        if len(wanted) < len(header.sample_ids):
            reader.set_samples([s for s in header.sample_ids if s in wanted])
        order = _reorder(tuple(reader.samples), sample_ids)
        for region in regions or (None,):
            for record in _records(reader, header.path, region, known):
                yield Record(
                    record.CHROM,
                    record.POS,
                    record.ID,
                    record.REF,
                    record.ALT,
                    record.QUAL,
                    _filter(record),
                    _alleles(record, len(sample_ids), order),
                    _numbers(record, "DP", order) if header.has_depth else _EMPTY,
                    _numbers(record, "GQ", order) if header.has_gq else _EMPTY,
                )
    finally:
        reader.close()


def _declare(reader: cyvcf2.VCF, contig: str, path: Path) -> None:
    try:
        reader.add_to_header(f"##contig=<ID={contig}>")
    except Exception as error:
        if "to header" not in str(error):
            raise
        raise InputError(
            f"A chromosome has a name of letters and digits, but {path.name} has {contig!r}; "
            "mend that line."
        ) from None


def _contigs_of(path: Path, n_lines: int | None = None) -> set[str]:
    """Return the contigs that the first lines of a text VCF name, or all; none if damaged."""
    try:
        return {line.split("\t", 1)[0].strip() for line in islice(_body(path), n_lines)}
    except (OSError, EOFError, zlib.error):
        return set()


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


def _records(
    reader: cyvcf2.VCF, path: Path, region: Span | None, known: set[str]
) -> Iterator[cyvcf2.Variant]:
    last = "its first record"
    quality = _QualityText(path, region)
    try:
        span = f"{region.chrom}:{region.start}-{region.end}" if region else None
        for number, record in enumerate(reader(span) if span else reader):
            if record.CHROM not in known:  # nothing else may be asked of it
                if not record.CHROM:
                    raise InputError(
                        f"Every line of {path.name} after the header is a record, but the one "
                        f"after {last} is blank; take it out."
                    )
                raise _UndeclaredContigError
            if region and not region.start <= record.POS <= region.end:
                continue
            last = f"{record.CHROM}:{record.POS}"
            if record.QUAL == 0.0:
                quality.refuse_word(number, record.CHROM, record.POS)
            yield record
    except (InputError, _UndeclaredContigError):
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

    def __init__(self, path: Path, region: Span | None):
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
            self._lines = _body(self._path)
        found = list(islice(self._lines, number - self._next, number - self._next + 1))
        self._next = number + 1
        return found


def _body(path: Path) -> Iterator[str]:
    """Yield the record lines of a text VCF."""
    with path.open("rb") as probe:
        opened = gzip.open if probe.read(2) == b"\x1f\x8b" else open
    with opened(path, "rt", encoding="utf-8", errors="replace") as handle:  # type: ignore[operator]
        for line in handle:
            if line.strip() and not line.startswith("#"):
                yield line


def _reorder(read: tuple[str, ...], sample_ids: tuple[str, ...]) -> np.ndarray | None:
    """Return where each person of the cohort stands among the samples read; None if in order."""
    return None if read == sample_ids else places(read, sample_ids)


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
