"""Records to blocks, and blocks to the rows of a shard: split, coded, packed, counted, digested.

The rules for single calls stand in `pipeline.tally`. A site without an alternate (`ALT` `.`)
stays one row. The digest of rows is a sum, so that it does not depend on the cutting.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from pipeline.genotypes import count_genotypes, pack, people_mask
from pipeline.schema import (
    COUNT_DOCS,
    GENOTYPE_ROWS,
    SEXES,
    chromosome_order,
    kind_of,
    region_of,
)
from pipeline.settings import IngestSettings
from pipeline.sources.block import Block, Cast
from pipeline.sources.vcf import Record
from pipeline.tally import add_people, code_record, expected_homozygous, snp_class

_HAPLOID_REGIONS = {"x", "y", "mt"}


def blocks(
    records: Iterator[Record], cast: Cast, settings: IngestSettings, capacity: int = 1024
) -> Iterator[Block]:
    """Yield the split variants of records, in their order."""
    half = {True: ~cast.is_female, False: np.zeros(len(cast), bool)}
    block = Block(capacity, len(cast), cast.n_diagnoses)
    for record in records:
        n_rows = max(1, len(record.alts))
        if block.n + n_rows > block.capacity and block.n:
            yield block
            block = Block(max(capacity, n_rows), len(cast), cast.n_diagnoses)
        _add(block, record, cast, settings, half)
    if block.n:
        yield block


def _add(
    block: Block, record: Record, cast: Cast, settings: IngestSettings, half: dict[bool, np.ndarray]
) -> None:
    n_rows = max(1, len(record.alts))
    row = block.n
    region = region_of(record.chrom, record.pos, settings.build)
    code_record(
        record.alleles,
        half[region in _HAPLOID_REGIONS],
        len(record.alts),
        settings.other_alleles == "missing",
        record.depth,
        record.gq,
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
        block.chrom.append(record.chrom)
        block.pos.append(record.pos)
        block.rsid.append(record.rsid)
        block.ref.append(record.ref)
        block.alt.append(record.alts[k] if record.alts else ".")
        block.qual.append(record.qual)
        block.filter.append(record.filter)
        block.region.append(region)
        block.alt_number.append(k + 1)
        block.n_alts.append(len(record.alts))
    block.n += n_rows


class RowMaker:
    """Turns blocks of one cast into the rows of a shard and of its sex chromosomes."""

    def __init__(self, cast: Cast):
        self.schema = _row_schema(cast.n_diagnoses)
        self.sex_schema = _sex_schema(cast.n_diagnoses)
        self._masks = people_mask(_groups(cast))
        self._sex_masks = people_mask(_sex_groups(cast))
        males = cast.sex == SEXES.index("male")
        self.everyone_and_males = people_mask(np.stack([np.ones(len(cast), bool), males]))

    def rows(self, block: Block) -> tuple[pa.Table, np.ndarray]:
        """Return the rows of a block as written, and its packed genotypes."""
        n = block.n
        packed = pack(block.codes[:n])
        counts = count_genotypes(packed, self._masks)  # (n, n_diagnoses, 4)
        columns: list = [
            block.chrom,
            [chromosome_order(chrom) for chrom in block.chrom],
            block.pos,
            block.rsid,
            block.ref,
            block.alt,
            block.qual,
            block.filter,
            [kind_of(ref, alt) for ref, alt in zip(block.ref, block.alt, strict=True)],
            block.region,
            block.alt_number,
            block.n_alts,
        ]
        for d in range(block.n_diagnoses):
            columns += [counts[:, d, g] for g in range(len(GENOTYPE_ROWS))]
            columns += [block.depth[:n, d, 0], block.depth[:n, d, 1]]
            columns += [block.gq[:n, d, 0], block.gq[:n, d, 1]]
            columns += [block.site[:n, d, s] for s in range(3)]
        width = packed.shape[1]
        offsets = pa.py_buffer(np.arange(n + 1, dtype=np.int32) * width)
        blobs = pa.Array.from_buffers(pa.binary(), n, [None, offsets, pa.py_buffer(packed)])
        arrays = [
            pa.array(column).cast(field.type) if isinstance(column, np.ndarray)
            else pa.array(column, field.type)
            for column, field in zip(columns, self.schema, strict=False)
        ]  # fmt: skip
        return pa.Table.from_arrays([*arrays, blobs], schema=self.schema), packed

    def sex_rows(self, block: Block, packed: np.ndarray, first_row: int) -> pa.Table:
        """Return the counts by sex of the rows of a block that lie on X or Y."""
        on_sex_chromosome = np.flatnonzero([region in {"x", "y"} for region in block.region])
        counts = count_genotypes(packed[on_sex_chromosome], self._sex_masks)
        flat = counts.reshape(len(on_sex_chromosome), len(self._sex_masks) * len(GENOTYPE_ROWS))
        columns = [on_sex_chromosome + first_row, *flat.T]
        arrays = [pa.array(c).cast(f.type) for c, f in zip(columns, self.sex_schema, strict=True)]
        return pa.Table.from_arrays(arrays, schema=self.sex_schema)


def _groups(cast: Cast) -> np.ndarray:
    return np.arange(cast.n_diagnoses)[:, None] == cast.diagnosis[None, :]


def _sex_groups(cast: Cast) -> np.ndarray:
    sexes = np.arange(len(SEXES))[:, None] == cast.sex[None, :]
    return (_groups(cast)[:, None, :] & sexes[None, :, :]).reshape(-1, len(cast))


def keys_of(block: Block) -> list[tuple[int, str, int]]:
    """Return what each row is sorted by."""
    return [
        (chromosome_order(chrom), chrom, pos)
        for chrom, pos in zip(block.chrom, block.pos, strict=True)
    ]


_FIXED = (
    ("chrom", pa.string()),
    ("chrom_order", pa.uint8()),
    ("pos", pa.uint32()),
    ("rsid", pa.string()),
    ("ref", pa.string()),
    ("alt", pa.string()),
    ("qual", pa.float32()),
    ("filter", pa.string()),
    ("kind", pa.string()),
    ("region", pa.string()),
    ("alt_number", pa.uint16()),
    ("n_alts", pa.uint16()),
)


def _row_schema(n_diagnoses: int) -> pa.Schema:
    counts = [
        (f"{name}_{d}", pa.uint64() if name.endswith("_sum") else pa.uint32())
        for d in range(n_diagnoses)
        for name in COUNT_DOCS
    ]
    return pa.schema([*_FIXED, *counts, ("genotypes", pa.binary())])


def _sex_schema(n_diagnoses: int) -> pa.Schema:
    return pa.schema(
        [("shard_row", pa.uint32())]
        + [
            (f"n_{row}_{d}_{sex}", pa.uint32())
            for d in range(n_diagnoses)
            for sex in SEXES
            for row in GENOTYPE_ROWS
        ]
    )


def digest_of(rows: pa.Table) -> int:
    """Return the sum of the 128-bit digests of the rows."""
    numbers = np.column_stack([rows[c].to_numpy() for c in rows.column_names[12:-1]])
    numbers = np.ascontiguousarray(numbers, dtype="<u8")
    total = 0
    texts = zip(*(rows[name].to_pylist() for name, _ in _FIXED), strict=True)
    for text, row, blob in zip(texts, numbers, rows["genotypes"], strict=True):
        digest = hashlib.blake2b(repr(text).encode(), digest_size=16)
        digest.update(row)
        digest.update(blob.as_buffer())
        total += int.from_bytes(digest.digest(), "little")
    return total


def add_block(
    block: Block, packed: np.ndarray, everyone_and_males: np.ndarray, totals: np.ndarray
) -> None:
    """Add a block to the totals of each person (`PERSON_TOTALS`).

    `everyone_and_males` are the masks of both sets. On X a male has one allele, none where he is
    heterozygous.
    """
    region = np.array(block.region)
    classes = [
        snp_class(ref, alt, kind_of(ref, alt))
        for ref, alt in zip(block.ref, block.alt, strict=True)
    ]
    counts = count_genotypes(packed, everyone_and_males).astype(np.int64)
    everyone, male = counts[:, 0], counts[:, 1]
    n_alt = everyone[:, 1] + 2 * everyone[:, 2]
    on_x = region == "x"
    alt = n_alt - on_x * (male[:, 1] + male[:, 2])
    called = 2 * everyone[:, :3].sum(1) - on_x * (male[:, 0] + 2 * male[:, 1] + male[:, 2])
    add_people(
        block.codes[: block.n],
        region == "autosome",
        on_x,
        np.array(classes),
        n_alt,
        expected_homozygous(alt, called),
        totals,
    )
