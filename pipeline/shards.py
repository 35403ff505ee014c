"""One task of an ingest: a stretch of one file becomes a Parquet shard with its counts.

A shard does not depend on how many workers there are, and a finished one is found again after a
crash. Its digest is a sum over variants, so that it does not depend on the cutting either.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import files
from pipeline.genotypes import count_genotypes, pack, people_mask
from pipeline.schema import (
    COUNT_DOCS,
    GENOTYPE_ROWS,
    SEXES,
    chromosome_order,
    kind_of,
)
from pipeline.settings import IngestSettings
from pipeline.sources.block import Block, Cast
from pipeline.sources.vcf import Region, VcfHeader, read_blocks
from pipeline.tally import add_people, new_person_totals, snp_class

_DIGEST_SPACE = 1 << 128


@dataclass(frozen=True)
class Task:
    """A stretch of a file: its spans, or the whole of an unindexed file when there are none."""

    number: int
    header: VcfHeader
    regions: tuple[Region, ...]

    @property
    def shard_name(self) -> str:
        return f"shard-{self.number:06d}"


@dataclass(frozen=True)
class Shard:
    """A finished task: records read, rows made of them, sort keys of the first and last row."""

    folder: Path
    name: str
    n_records: int
    n_variants: int
    digest: int
    is_sorted: bool
    ends: tuple[tuple[int, str, int], tuple[int, str, int]] | None

    @property
    def rows(self) -> Path:
        return self.folder / f"{self.name}.parquet"

    @property
    def sex_rows(self) -> Path:
        return self.folder / f"{self.name}.sex.parquet"

    def people(self) -> np.ndarray:
        """Return what each person adds here: `PERSON_TOTALS`, then depth sum and number."""
        return np.load(self.folder / f"{self.name}.people.npy")


def run_task(
    task: Task,
    cast: Cast,
    settings: IngestSettings,
    folder: Path,
    on_block: Callable[[int], None] | None = None,
) -> Shard:
    """Return the shard of a task, read anew unless it stands finished in `folder`."""
    done = folder / f"{task.shard_name}.json"
    if done.is_file():
        return _load(folder, task.shard_name)
    masks = people_mask(_groups(cast))
    sex_masks = people_mask(_sex_groups(cast))
    totals = new_person_totals(len(cast))
    person_depth = np.zeros((len(cast), 2), np.int64)
    schema, sex_schema = _row_schema(cast.n_diagnoses), _sex_schema(cast.n_diagnoses)
    partial = folder / f".{task.shard_name}.parquet"
    sex_partial = folder / f".{task.shard_name}.sex.parquet"
    digest, n_records, n_variants, is_sorted, ends = 0, 0, 0, True, None
    options = {"compression": "zstd", "compression_level": 1, "use_dictionary": False}
    with (
        pq.ParquetWriter(partial, schema, **options) as writer,
        pq.ParquetWriter(sex_partial, sex_schema, **options) as sex_writer,
    ):
        for region in task.regions or (None,):
            for block in read_blocks(task.header, cast, settings, region):
                rows, packed = _rows(block, masks, schema)
                keys = _keys(block)
                is_sorted = is_sorted and keys == sorted(keys)
                is_sorted = is_sorted and (ends is None or ends[1] <= keys[0])
                ends = (ends[0] if ends else keys[0], keys[-1])
                writer.write_table(rows)
                sex_writer.write_table(_sex_rows(block, packed, sex_masks, sex_schema, n_variants))
                digest = (digest + _digest(rows)) % _DIGEST_SPACE
                _add_people(block, totals)
                person_depth += block.person_depth
                n_records += block.alt_number.count(1)
                n_variants += block.n
                if on_block:
                    on_block(block.n)
    np.save(folder / f"{task.shard_name}.people.npy", np.hstack([totals, person_depth]))
    partial.replace(folder / f"{task.shard_name}.parquet")
    sex_partial.replace(folder / f"{task.shard_name}.sex.parquet")
    files.write_json(
        done,
        {
            "n_records": n_records,
            "n_variants": n_variants,
            "digest": str(digest),
            "is_sorted": is_sorted,
            "ends": ends,
        },
    )
    return _load(folder, task.shard_name)


def _load(folder: Path, name: str) -> Shard:
    found = json.loads((folder / f"{name}.json").read_text())
    ends = [tuple(key) for key in found["ends"] or ()]
    return Shard(
        folder,
        name,
        found["n_records"],
        found["n_variants"],
        int(found["digest"]),
        found["is_sorted"],
        (ends[0], ends[1]) if ends else None,
    )


def _groups(cast: Cast) -> np.ndarray:
    return np.arange(cast.n_diagnoses)[:, None] == cast.diagnosis[None, :]


def _sex_groups(cast: Cast) -> np.ndarray:
    sexes = np.arange(len(SEXES))[:, None] == cast.sex[None, :]
    return (_groups(cast)[:, None, :] & sexes[None, :, :]).reshape(-1, len(cast))


def _keys(block: Block) -> list[tuple[int, str, int]]:
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


def _rows(block: Block, masks: np.ndarray, schema: pa.Schema) -> tuple[pa.Table, np.ndarray]:
    """Return the rows of a block as written, and its packed genotypes."""
    n = block.n
    packed = pack(block.codes[:n])
    counts = count_genotypes(packed, masks)  # (n, n_diagnoses, 4)
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
        for column, field in zip(columns, schema, strict=False)
    ]  # fmt: skip
    return pa.Table.from_arrays([*arrays, blobs], schema=schema), packed


def _sex_rows(
    block: Block, packed: np.ndarray, sex_masks: np.ndarray, schema: pa.Schema, first_row: int
) -> pa.Table:
    on_sex_chromosome = np.flatnonzero([region in {"x", "y"} for region in block.region])
    counts = count_genotypes(packed[on_sex_chromosome], sex_masks)  # (n, n_diagnoses * 3, 4)
    flat = counts.reshape(len(on_sex_chromosome), sex_masks.shape[0] * len(GENOTYPE_ROWS))
    columns = [on_sex_chromosome + first_row, *flat.T]
    arrays = [pa.array(c).cast(f.type) for c, f in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _digest(rows: pa.Table) -> int:
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


def _add_people(block: Block, totals: np.ndarray) -> None:
    n = block.n
    region = np.array(block.region)
    classes = [
        snp_class(ref, alt, kind_of(ref, alt))
        for ref, alt in zip(block.ref, block.alt, strict=True)
    ]
    codes = block.codes[:n]
    n_alt = (codes == 1).sum(1) + 2 * (codes == 2).sum(1)
    add_people(codes, region == "autosome", region == "x", np.array(classes), n_alt, totals)
