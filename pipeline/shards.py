"""One task of an ingest: a stretch of one file becomes a Parquet shard with its counts.

A shard does not depend on how many workers there are, and a finished one is found again after a
crash. Its digest is a sum over variants, so that it does not depend on the cutting either.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from pipeline import files, processes
from pipeline.settings import IngestSettings
from pipeline.sources.base import Source
from pipeline.sources.block import Cast

_DIGEST_SPACE = 1 << 128


@dataclass(frozen=True)
class Task:
    """A part of a source; what a part is, the source knows."""

    number: int
    source: Source
    part: Any

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
    # A worker that a cluster took for lost may still be writing the same shard.
    mine = uuid.uuid4().hex[:12]
    partial = folder / f".{task.shard_name}.{mine}.parquet"
    sex_partial = folder / f".{task.shard_name}.{mine}.sex.parquet"
    digest, n_records, n_variants, is_sorted, ends = 0, 0, 0, True, None
    options = {"compression": "zstd", "compression_level": 1, "use_dictionary": False}
    with task.source.blocks(task.part, cast, settings) as blocks:
        from pipeline import coding  # numba: a source may read ahead while it loads
        from pipeline.tally import new_person_totals

        shape = coding.RowMaker(cast)
        totals = new_person_totals(len(cast))
        person_depth = np.zeros((len(cast), 2), np.int64)
        with (
            pq.ParquetWriter(partial, shape.schema, **options) as writer,
            pq.ParquetWriter(sex_partial, shape.sex_schema, **options) as sex_writer,
        ):
            for block in blocks:
                rows, packed = shape.rows(block)
                keys = coding.keys_of(block)
                is_sorted = is_sorted and keys == sorted(keys)
                is_sorted = is_sorted and (ends is None or ends[1] <= keys[0])
                ends = (ends[0] if ends else keys[0], keys[-1])
                writer.write_table(rows)
                sex_writer.write_table(shape.sex_rows(block, packed, n_variants))
                digest = (digest + coding.digest_of(rows)) % _DIGEST_SPACE
                coding.add_block(block, packed, shape.everyone_and_males, totals)
                person_depth += block.person_depth
                n_records += block.alt_number.count(1)
                n_variants += block.n
                processes.stop_here()
                if on_block:
                    on_block(block.n)
    people = folder / f".{task.shard_name}.{mine}.people.npy"
    np.save(people, np.hstack([totals, person_depth]))
    people.replace(folder / f"{task.shard_name}.people.npy")
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
