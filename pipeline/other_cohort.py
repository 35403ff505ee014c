"""The genotypes of other people at a model's variants, from the files that ingest reads.

The rules for single calls, split sites and X are those of ingest, with the settings of the
model's own cohort. Of an indexed VCF or BCF only the stretches around the model's variants are
read, and of PLINK only their rows; any other file is read once from end to end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pysam
from numpy.typing import NDArray

from pipeline.alleles import Matches, match_alleles
from pipeline.errors import InputError
from pipeline.genotypes import GENOTYPE_MISSING
from pipeline.progress import Clock, OnProgress, silent
from pipeline.schema import SEXES, plain_chromosome
from pipeline.settings import IngestSettings
from pipeline.sources.base import Source
from pipeline.sources.block import Block, Cast
from pipeline.sources.formats import VCF, open_source
from pipeline.sources.phenotypes import UNKNOWN
from pipeline.stretches import parts_at

_SWAPPED = np.array([2, 1, 0, GENOTYPE_MISSING], np.uint8)  # by genotype

# UCSC's chrom.sizes.
CHROMOSOMES = (*map(str, range(1, 23)), "X", "Y")
LENGTHS = {
    "hg19": (
        249_250_621, 243_199_373, 198_022_430, 191_154_276, 180_915_260, 171_115_067, 159_138_663,
        146_364_022, 141_213_431, 135_534_747, 135_006_516, 133_851_895, 115_169_878, 107_349_540,
        102_531_392, 90_354_753, 81_195_210, 78_077_248, 59_128_983, 63_025_520, 48_129_895,
        51_304_566, 155_270_560, 59_373_566,
    ),
    "hg38": (
        248_956_422, 242_193_529, 198_295_559, 190_214_555, 181_538_259, 170_805_979, 159_345_973,
        145_138_636, 138_394_717, 133_797_422, 135_086_622, 133_275_309, 114_364_328, 107_043_718,
        101_991_189, 90_338_345, 83_257_441, 80_373_285, 58_617_616, 64_444_167, 46_709_983,
        50_818_468, 156_040_895, 57_227_415,
    ),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class OtherCohort:
    """Other people at a model's variants, coded as the model reads them.

    `codes` uint8 (n_variants, n_people) count the model's ALT, 3 = missing; a variant that was
    not found is missing in everybody.
    """

    sample_ids: tuple[str, ...]
    codes: NDArray[np.uint8]
    matches: Matches


class _Read(NamedTuple):
    """Rows at the model's positions: what they are, the site each is a row of, genotypes."""

    sites: pd.DataFrame
    site: NDArray[np.int64]
    codes: NDArray[np.uint8]


def read_other_cohort(
    paths: Sequence[Path],
    variants: pd.DataFrame,
    settings: IngestSettings,
    sexes: Mapping[str, str] | None = None,
    on_progress: OnProgress = silent,
) -> OtherCohort:
    """Return the genotypes of the people of some files at `variants` (chrom, pos, ref, alt).

    `sexes` are `schema.SEXES` by person; who is not named is unknown, as in ingest. Raises
    `InputError` for files that cannot be used, hold different people, or are of another build.
    """
    sources = _open(paths)
    for source in sources:
        _refuse_other_build(source.path, settings.build)
    cast = _cast(sources[0].sample_ids, sexes or {})
    read = _read(sources, cast, variants, settings, on_progress)
    matches = match_alleles(variants, read.sites)
    return OtherCohort(cast.sample_ids, _oriented(read, matches, settings), matches)


def _open(paths: Sequence[Path]) -> tuple[Source, ...]:
    if not paths:
        raise InputError("A prediction needs a file of genotypes, but none was given; name one.")
    sources = tuple(open_source(Path(path).absolute()) for path in paths)
    people = set(sources[0].sample_ids)
    for source in sources[1:]:
        if set(source.sample_ids) != people:
            raise InputError(
                f"Files that are read together have the same people, but {source.path.name} and "
                f"{sources[0].path.name} differ; ask about one after the other."
            )
    return sources


def _cast(sample_ids: tuple[str, ...], sexes: Mapping[str, str]) -> Cast:
    """Return the people as readers know them; a diagnosis means nothing here."""
    sex = [SEXES.index(sexes.get(name, UNKNOWN)) for name in sample_ids]
    return Cast(sample_ids, np.zeros(len(sample_ids), np.int64), np.array(sex, np.int64), 1)


def _refuse_other_build(path: Path, build: str) -> None:
    """Raise when the header of a VCF has the chromosome lengths of another build."""
    if not path.name.endswith(VCF):
        return
    ours = dict(zip(CHROMOSOMES, LENGTHS[build], strict=True))
    found = _contig_lengths(path)
    for other, lengths in LENGTHS.items():
        if other == build:
            continue
        theirs = dict(zip(CHROMOSOMES, lengths, strict=True))
        if any(found.get(name) == theirs[name] != ours[name] for name in CHROMOSOMES):
            raise InputError(
                f"A model knows its variants by their positions in {build}, but the header of "
                f"{path.name} has the chromosomes of {other}; lift it over (bcftools +liftover)."
            )


def _contig_lengths(path: Path) -> dict[str, int]:
    """Return the lengths that a header tells, by plain name of the chromosome."""
    try:
        with pysam.VariantFile(str(path)) as opened:
            contigs = opened.header.contigs.values()
            return {plain_chromosome(c.name): c.length for c in contigs if c.length}
    except (OSError, ValueError):  # what is wrong with it, its reader tells better
        return {}


def _read(
    sources: tuple[Source, ...],
    cast: Cast,
    variants: pd.DataFrame,
    settings: IngestSettings,
    on_progress: OnProgress,
) -> _Read:
    wanted = _positions(variants)
    tables, codes = [], []
    clock = Clock("reading genotypes", on_progress)
    clock.report(0.0)
    for number, source in enumerate(sources):
        parts = parts_at(source, wanted)
        for i, part in enumerate(parts):
            n_rows = 0
            with source.blocks(part, cast, settings) as blocks:
                for block in blocks:
                    n_rows += block.n
                    rows = _rows_at(block, wanted)
                    if len(rows):
                        tables.append(_described(block, rows))
                        codes.append(block.codes[rows])
                    share = min(source.share_read(part, n_rows), 0.99) if len(parts) < 8 else 0.0
                    clock.report((number + (i + share) / len(parts)) / len(sources))
    clock.report(1.0)
    if not tables:
        empty = pd.DataFrame({name: [] for name in ("chrom", "pos", "ref", "alt")})
        return _Read(empty, np.empty(0, np.int64), np.empty((0, len(cast)), np.uint8))
    sites = pd.concat(tables, ignore_index=True)
    # The alternates of a site follow each other, from 1.
    return _Read(sites, np.cumsum(sites.pop("alt_number") == 1), np.concatenate(codes))


def _positions(variants: pd.DataFrame) -> dict[str, set[int]]:
    """Return the positions of variants by plain name of the chromosome."""
    names = variants["chrom"].astype(str).map(plain_chromosome)
    return {
        str(name): set(positions.tolist())
        for name, positions in variants["pos"].astype(int).groupby(names)
    }


def _rows_at(block: Block, wanted: Mapping[str, set[int]]) -> NDArray[np.intp]:
    """Return the rows of a block that stand at one of the positions."""
    at = {chrom: wanted.get(plain_chromosome(chrom), set()) for chrom in set(block.chrom)}
    places = zip(block.chrom, block.pos, strict=True)
    return np.flatnonzero([pos in at[chrom] for chrom, pos in places])


def _described(block: Block, rows: NDArray[np.intp]) -> pd.DataFrame:
    columns = ("chrom", "pos", "ref", "alt", "alt_number")
    return pd.DataFrame({name: [getattr(block, name)[i] for i in rows] for name in columns})


def _oriented(read: _Read, matches: Matches, settings: IngestSettings) -> NDArray[np.uint8]:
    """Return genotypes as the model counts them, (n_model_variants, n_people)."""
    codes = np.full((len(matches.row), read.codes.shape[1]), GENOTYPE_MISSING, np.uint8)
    found = np.flatnonzero(matches.is_found)
    codes[found] = read.codes[matches.row[found]]
    swapped = np.flatnonzero(matches.is_swapped)
    if settings.other_alleles == "reference":
        # Whatever is not the file's reference is not the model's ALT, other alternates too.
        rows = matches.row[swapped]
        n_nonref = _sums_of_sites(read, rows)
        codes[swapped] = np.where(codes[swapped] == GENOTYPE_MISSING, GENOTYPE_MISSING, n_nonref)
    codes[swapped] = _SWAPPED[codes[swapped]]
    return codes


def _sums_of_sites(read: _Read, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the genotypes of all rows of the sites of `rows` together, (len(rows), n_people)."""
    sites = np.unique(read.site[rows])
    of_these = np.flatnonzero(np.isin(read.site, sites))
    if not len(of_these):
        return np.empty((0, read.codes.shape[1]), np.uint8)
    begins = np.searchsorted(read.site[of_these], sites)
    sums = np.add.reduceat(read.codes[of_these], begins, axis=0, dtype=np.uint8)
    return sums[np.searchsorted(sites, read.site[rows])]
