"""The annotation of a cohort: genes, transcripts, regions and consequences in one file."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from pipeline import files, schema, store
from pipeline.annotation.alleles import CHROMOSOME_STEP, place_variants
from pipeline.annotation.coding import write_coding
from pipeline.annotation.mismatch import check_reference, warn_of_exons
from pipeline.annotation.recorded import write_recorded
from pipeline.annotation.regions import write_regions
from pipeline.cohort import CURRENT, cohorts_dir, open_cohort
from pipeline.errors import InputError
from pipeline.progress import OnProgress, Progress, silent
from pipeline.sources.fasta import Fasta, open_fasta
from pipeline.sources.genes import GeneTable, read_gene_table

WINDOW = 1_000  # bases: a gene that lies no farther is named with the variant
_VERSION = 2  # of the rules; a change of them makes another file
_TABLES = {
    "genes": schema.GENES,
    "transcripts": schema.TRANSCRIPTS,
    "variant_genes": schema.VARIANT_GENES,
    "variant_regions": schema.VARIANT_REGIONS,
    "consequences": schema.CONSEQUENCES,
}


@dataclass(frozen=True)
class Annotated:
    """The gene table joined to a cohort, and what it gave."""

    cohort: str
    n_genes: int
    n_variants_with_gene: int
    n_variants: int
    n_variants_with_region: int = 0
    n_variants_with_consequence: int = 0
    warnings: tuple[str, ...] = ()


def annotate(
    cache: Path,
    name: str,
    genes: Path,
    on_progress: OnProgress = silent,
    *,
    consequences: Path | None = None,
    fasta: Path | None = None,
) -> Annotated:
    """Join a gene table to a cohort: every gene that contains a variant or lies within 1 kb.

    The region of each variant comes from the transcripts of the table. Its consequences come from
    `consequences`, a VCF of VEP, SnpEff, bcftools csq or ANNOVAR or a `multianno.txt`; those of
    variants that it lacks come from the coding sequence in `fasta`.

    Raises `InputError` for a file that cannot be read or is of another genome build, and
    `NotFoundError` for an unknown cohort.
    """
    on_progress(Progress("reading genes", 0.0))
    table = read_gene_table(genes)
    cohort = open_cohort(cache, name)
    cohort_file = cohort.store.path
    cohort.store.close()
    sources = {"source": genes, "consequences": consequences, "fasta": fasta}
    contents = {
        kind: {"name": path.name, "sha256": _sha256(path)} for kind, path in sources.items() if path
    }
    hashes = "".join(f"{kind}{content['sha256']}" for kind, content in contents.items())
    key = f"{cohort.fingerprint}{hashes}{WINDOW}{_VERSION}"
    fingerprint = hashlib.sha256(key.encode()).hexdigest()[:16]
    folder = cohorts_dir(cache) / name
    target = folder / f"annotation-{fingerprint}.duckdb"
    certificate = {
        "kind": "annotation",
        "fingerprint": fingerprint,
        "cohort": cohort.fingerprint,
        **contents,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    warnings: list[str] = []
    with store.create(target, certificate, {"cohort": cohort_file}) as writer:
        place_variants(writer)
        reference = open_fasta(fasta) if fasta else None
        if reference:
            warnings += check_reference(writer, reference)
        _write(writer, table, consequences, reference, warnings, on_progress)
        counted = {
            table: writer.rows(f"SELECT count(DISTINCT variant_index) FROM {table}")[0][0]
            for table in ("placed", "variant_genes", "variant_regions", "consequences")
        }
    current = files.read_json(folder / CURRENT)
    before = current["annotation"]
    files.write_json(folder / CURRENT, current | {"annotation": target.name})
    if before and before != target.name:
        (folder / before).unlink(missing_ok=True)
    on_progress(Progress("joining genes to variants", 1.0))
    return Annotated(
        name,
        len(table.genes),
        counted["variant_genes"],
        counted["placed"],
        counted["variant_regions"],
        counted["consequences"],
        tuple(warnings),
    )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            f"An annotation reads {path.name}, which cannot be opened ({error.strerror}); "
            "check its path."
        ) from None


def _write(
    writer: store.Writer,
    table: GeneTable,
    consequences: Path | None,
    reference: Fasta | None,
    warnings: list[str],
    on_progress: OnProgress,
) -> None:
    """Fill the five tables."""
    for name, columns in _TABLES.items():
        writer.run(schema.ddl(name, columns))
    writer.insert("genes", pa.Table.from_pandas(table.genes, preserve_index=False))
    stored = table.transcripts[[column.name for column in schema.TRANSCRIPTS]]
    writer.insert("transcripts", pa.Table.from_pandas(stored, preserve_index=False))
    on_progress(Progress("joining genes to variants", 0.2))
    _write_genes(writer)
    if table.has_exons:
        on_progress(Progress("finding regions", 0.4))
        write_regions(writer, table.transcripts)
        warnings += warn_of_exons(writer)
    else:
        warnings.append(
            "A region is told from exons, but this gene table has spans of genes alone, so that "
            "none is told; give refFlat, refGene, GTF or GFF3 with exons."
        )
    if consequences:
        on_progress(Progress("reading consequences", 0.6))
        warnings += write_recorded(writer, consequences)
    if reference:
        on_progress(Progress("reading coding sequences", 0.8))
        warnings += write_coding(writer, _coding(table.transcripts), reference)


def _coding(transcripts: pd.DataFrame) -> pd.DataFrame:
    return transcripts[transcripts["cds_start"].notna()].reset_index(drop=True)


def _write_genes(writer: store.Writer) -> None:
    writer.run(
        f"CREATE TEMP TABLE spans AS SELECT gene, "
        f"chrom_order * {CHROMOSOME_STEP}::BIGINT + gene_start AS first, "
        f"chrom_order * {CHROMOSOME_STEP}::BIGINT + gene_end AS last FROM genes"
    )
    writer.run(
        "CREATE TEMP TABLE whole AS SELECT variant_index, "
        f"chrom_order * {CHROMOSOME_STEP}::BIGINT + pos AS first, "
        f"chrom_order * {CHROMOSOME_STEP}::BIGINT + pos + length(ref) - 1 AS last "
        "FROM cohort.variants"
    )
    writer.run(
        "INSERT INTO variant_genes SELECT variant_index, gene, "
        "min(greatest(0, s.first - p.last, p.first - s.last))::UINTEGER "
        f"FROM whole p JOIN spans s ON p.last >= s.first - {WINDOW} "
        f"AND p.first <= s.last + {WINDOW} GROUP BY ALL ORDER BY variant_index, gene"
    )


def annotate_job(cache: Path, payload: dict[str, Any], on_progress: OnProgress) -> dict[str, Any]:
    """Run an annotation that was put in the queue."""
    given = {kind: Path(payload[kind]) for kind in ("consequences", "fasta") if payload.get(kind)}
    made = annotate(cache, payload["name"], Path(payload["genes"]), on_progress, **given)
    return asdict(made)
