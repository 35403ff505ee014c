"""A reference genome: FASTA, plain or bgzipped, with or without its index.

An index that is lacking is made in a folder that is thrown away, since the genome may lie where
nothing may be written.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pysam

from pipeline.errors import InputError
from pipeline.schema import OTHER_CHROMOSOME, chromosome_order


class Fasta:
    """A genome by chromosome, however its contigs are spelled."""

    def __init__(self, path: Path, opened: pysam.FastaFile):
        self.name = path.name
        self._opened = opened
        self._contigs: dict[int, str] = {}
        for contig in opened.references:
            order = chromosome_order(contig)
            if order != OTHER_CHROMOSOME:
                self._contigs.setdefault(order, contig)
        self.lengths = {
            order: opened.get_reference_length(contig) for order, contig in self._contigs.items()
        }

    def bases(self, chrom_order: int) -> np.ndarray:
        """Return the bases of a chromosome, upper case ASCII uint8 (length,); empty if absent."""
        contig = self._contigs.get(chrom_order)
        if contig is None:
            return np.empty(0, np.uint8)
        text = self._opened.fetch(contig).encode("ascii")
        return np.frombuffer(text, np.uint8) & 0xDF  # ASCII letters in upper case

    def close(self) -> None:
        """Close the file."""
        self._opened.close()


def open_fasta(path: Path) -> Fasta:
    """Return a genome. Raises `InputError` when it is no FASTA, or gzipped and not bgzipped."""
    if not path.is_file():
        raise InputError(f"There is no FASTA {path}; check its path.")
    beside = Path(f"{path}.fai")
    try:
        with path.open("rb") as handle:
            head = handle.read(18)
        is_gzip = head[:2] == b"\x1f\x8b"
        if is_gzip and head[12:14] != b"BC":
            raise InputError(
                f"A compressed FASTA is bgzipped, but {path.name} is gzipped; "
                "unpack it or compress it with bgzip."
            )
        if not is_gzip and not head.startswith(b">"):
            raise InputError(
                f"A FASTA starts with > and a name, but {path.name} does not; give a FASTA."
            )
        if beside.is_file() and (not is_gzip or Path(f"{path}.gzi").is_file()):
            opened = pysam.FastaFile(str(path))
        else:
            opened = _indexed(path, is_gzip)
        fasta = Fasta(path, opened)
    except (OSError, ValueError, pysam.SamtoolsError) as error:
        raise InputError(
            f"A FASTA has lines of one length for each contig, but {path.name} cannot be indexed "
            f"({str(error).strip().splitlines()[-1]}); index it with samtools faidx."
        ) from None
    if not fasta.lengths:
        raise InputError(
            f"A reference has chromosomes 1-22, X, Y or MT, but {path.name} has none of them; "
            "check the names of its contigs."
        )
    return fasta


def _indexed(path: Path, is_gzip: bool) -> pysam.FastaFile:
    """Open with an index made now; htslib has read it when its folder goes."""
    with tempfile.TemporaryDirectory() as folder:
        index, blocks = Path(folder) / "made.fai", Path(folder) / "made.gzi"
        options = ["--fai-idx", str(index), *(["--gzi-idx", str(blocks)] if is_gzip else [])]
        pysam.faidx(str(path), *options)
        return pysam.FastaFile(
            str(path),
            filepath_index=str(index),
            filepath_index_compressed=str(blocks) if is_gzip else None,
        )
