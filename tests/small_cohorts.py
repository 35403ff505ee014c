"""Small VCFs and cohorts for tests: written as text, compressed and indexed, ingested."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pysam

from pipeline.cohort import Cohort, open_cohort
from pipeline.genotypes import unpack
from pipeline.ingest import ingest
from pipeline.schema import COUNT_DOCS
from pipeline.settings import IngestSettings
from tests.tools import require_tool

FORMATS = {
    "GT": '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
    "DP": '##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Depth">',
    "GQ": '##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="Quality">',
}


def vcf_text(
    records: Iterable[Sequence[object]],
    samples: Sequence[str],
    contigs: Sequence[str] = ("1", "2", "X", "Y", "MT"),
    formats: Iterable[str] = FORMATS.values(),
) -> str:
    """Return a VCF; a record is the eight fixed columns (INFO `.`), FORMAT and the calls.

    A record of CHROM, POS, REF, ALT and then FORMAT and calls gets ID `.`, QUAL 100, FILTER PASS.
    """
    lines = ["##fileformat=VCFv4.2", '##FILTER=<ID=low,Description="Low">', *formats]
    lines += [f"##contig=<ID={contig}>" for contig in contigs]
    fixed = ["CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"]
    head = "#" + "\t".join([*fixed, "FORMAT", *samples]) if samples else "#" + "\t".join(fixed)
    lines.append(head)
    for record in records:
        cells = list(map(str, record))
        if len(cells) == 5 + len(samples):
            chrom, pos, ref, alt, *calls = cells
            cells = [chrom, pos, ".", ref, alt, "100", "PASS", ".", *calls]
        lines.append("\t".join(cells))
    return "\n".join(lines) + "\n"


def write_vcf(path: Path, text: str) -> Path:
    """Write a VCF; `.vcf.gz` is bgzipped and gets a .tbi, `.bcf` gets a .csi."""
    if path.name.endswith(".vcf"):
        path.write_text(text)
        return path
    plain = path.with_name(path.name + ".txt")
    plain.write_text(text)
    if path.name.endswith(".bcf"):
        run("bcftools", "view", "-Ob", "-o", path, plain)
        run("bcftools", "index", "-f", path)
    else:
        pysam.tabix_compress(str(plain), str(path), force=True)
        pysam.tabix_index(str(path), preset="vcf", force=True)
    plain.unlink()
    return path


def write_phenotypes(path: Path, rows: dict[str, str], sex: dict[str, str] | None = None) -> Path:
    """Write a phenotype table of diagnoses (and sexes) by sample id."""
    head = "sample_id\tdiagnosis" + ("\tsex" if sex else "")
    lines = [f"{s}\t{d}" + (f"\t{sex[s]}" if sex else "") for s, d in rows.items()]
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


def run(tool: str, *arguments: object) -> str:
    """Return what an outside program prints; it has to succeed."""
    done = subprocess.run(
        [require_tool(tool), *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def make_cohort(
    folder: Path,
    text: str,
    diagnoses: dict[str, str],
    sex: dict[str, str] | None = None,
    settings: IngestSettings | None = None,
    name: str = "small",
    suffix: str = ".vcf",
) -> Cohort:
    """Return the cohort of a VCF text, ingested in this process into `folder`/cache."""
    vcf = write_vcf(folder / f"{name}{suffix}", text)
    phenotypes = write_phenotypes(folder / f"{name}.tsv", diagnoses, sex)
    ingest(folder / "cache", name, [vcf], phenotypes, settings, workers=1)
    return open_cohort(folder / "cache", name)


def codes(cohort: Cohort) -> np.ndarray:
    """Return all genotypes (n_variants, n_people)."""
    rows = cohort.store.rows("SELECT genotypes FROM genotypes ORDER BY variant_index")
    packed = np.frombuffer(b"".join(blob for (blob,) in rows), np.uint8).reshape(len(rows), -1)
    return unpack(packed, len(cohort.samples))


def counts(cohort: Cohort) -> dict[str, np.ndarray]:
    """Return each quantity of `counts`, int64 (n_variants, n_diagnoses)."""
    frame = cohort.store.arrays("SELECT * FROM counts")
    n = len(cohort.diagnoses)
    return {
        name: np.stack([frame[f"{name}_{d}"] for d in range(n)], axis=1).astype(np.int64)
        for name in COUNT_DOCS
    }


def variants(cohort: Cohort):
    """Return the table of variants."""
    return cohort.store.frame("SELECT * FROM variants ORDER BY variant_index")


def tables(cohort: Cohort) -> dict[str, list[tuple]]:
    """Return every table of a cohort as rows, in a comparable form."""
    order = {"variants": "variant_index", "genotypes": "variant_index"}
    order |= {"sex_counts": "variant_index", "samples": "sample_index", "diagnoses": "1"}
    found = {
        table: cohort.store.rows(f"SELECT * FROM {table} ORDER BY {by}")
        for table, by in order.items()
    }
    return found | {"counts": cohort.store.rows("SELECT * FROM counts")}
