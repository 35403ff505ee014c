"""Which genes a variant lies in or near, from a gene table."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline import files, schema, store
from pipeline.cohort import CURRENT, cohorts_dir, open_cohort
from pipeline.progress import OnProgress, Progress, silent
from pipeline.sources.genes import read_genes

WINDOW = 1_000  # bases: a gene that lies no farther is named with the variant
_CHROMOSOME_STEP = 10_000_000_000  # one axis for all chromosomes, so that the join is on ranges


@dataclass(frozen=True)
class Annotated:
    """The gene table joined to a cohort."""

    cohort: str
    n_genes: int
    n_variants_with_gene: int
    n_variants: int


def annotate(cache: Path, name: str, genes: Path, on_progress: OnProgress = silent) -> Annotated:
    """Join a gene table to a cohort: every gene that contains a variant or lies within 1 kb.

    Raises `InputError` for a table that cannot be read, `NotFoundError` for an unknown cohort.
    """
    on_progress(Progress("reading genes", 0.0))
    table = read_genes(genes)
    cohort = open_cohort(cache, name)
    variants = pa.table(
        cohort.store.arrays(
            "SELECT variant_index, chrom_order, pos, length(ref) AS n FROM variants"
        )
    )
    cohort.store.close()
    on_progress(Progress("joining genes to variants", 0.3))
    content = hashlib.sha256(genes.read_bytes()).hexdigest()
    fingerprint = hashlib.sha256(f"{cohort.fingerprint}{content}{WINDOW}".encode()).hexdigest()[:16]
    folder = cohorts_dir(cache) / name
    target = folder / f"annotation-{fingerprint}.duckdb"
    certificate = {
        "kind": "annotation",
        "fingerprint": fingerprint,
        "cohort": cohort.fingerprint,
        "source": {"name": genes.name, "sha256": content},
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with store.create(target, certificate) as writer:
        writer.run(schema.ddl("genes", schema.GENES))
        writer.run(schema.ddl("variant_genes", schema.VARIANT_GENES))
        writer.insert("genes", pa.Table.from_pandas(table, preserve_index=False))
        writer.run("CREATE TEMP TABLE placed (variant_index UINTEGER, first BIGINT, last BIGINT)")
        writer.run("CREATE TEMP TABLE read (variant_index UINTEGER, chrom_order UTINYINT, "
                   "pos UINTEGER, n BIGINT)")  # fmt: skip
        writer.insert("read", variants)
        writer.run(
            f"INSERT INTO placed SELECT variant_index, "
            f"chrom_order * {_CHROMOSOME_STEP}::BIGINT + pos, "
            f"chrom_order * {_CHROMOSOME_STEP}::BIGINT + pos + n - 1 FROM read"
        )
        writer.run(
            f"CREATE TEMP TABLE spans AS SELECT gene, "
            f"chrom_order * {_CHROMOSOME_STEP}::BIGINT + gene_start AS first, "
            f"chrom_order * {_CHROMOSOME_STEP}::BIGINT + gene_end AS last FROM genes"
        )
        writer.run(
            "INSERT INTO variant_genes SELECT variant_index, gene, "
            "min(greatest(0, s.first - p.last, p.first - s.last))::UINTEGER "
            f"FROM placed p JOIN spans s ON p.last >= s.first - {WINDOW} "
            f"AND p.first <= s.last + {WINDOW} GROUP BY ALL ORDER BY variant_index, gene"
        )
        n_with_gene = writer.rows("SELECT count(DISTINCT variant_index) FROM variant_genes")[0][0]
    current = files.read_json(folder / CURRENT)
    before = current["annotation"]
    files.write_json(folder / CURRENT, current | {"annotation": target.name})
    if before and before != target.name:
        (folder / before).unlink(missing_ok=True)
    on_progress(Progress("joining genes to variants", 1.0))
    return Annotated(name, len(table), n_with_gene, len(variants))


def annotate_job(cache: Path, payload: dict[str, Any], on_progress: OnProgress) -> dict[str, Any]:
    """Run an annotation that was put in the queue."""
    return asdict(annotate(cache, payload["name"], Path(payload["genes"]), on_progress))
