"""Genes and regions of an exome's variants, against `bcftools annotate` with the same transcripts.

    python -m tests.benchmarks.annotation [--variants 1800000] [--genes FILE]

Prints JSON: seconds of `annotate`, the slowest stages, and the ratio to the peer, which only
names the transcripts that a variant lies in.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pysam

from pipeline import files, schema, store
from pipeline.annotation import annotate
from pipeline.annotation.pieces import exons_of
from pipeline.cohort import CURRENT, cohorts_dir
from pipeline.sources.genes import read_gene_table
from tests.benchmarks.ingest import seconds
from tests.tools import SHARED_DATA

REFFLAT = SHARED_DATA / "annot" / "raremetal_refFlat_hg19.txt.gz"
NAMES = np.array(["", *map(str, range(1, 23)), "X", "Y", "MT"])


def exome_positions(transcripts: pd.DataFrame, n: int, seed: int = 1) -> pd.DataFrame:
    """Return variants, nine of ten within 100 bases of an exon, one of sixteen an indel."""
    rng = np.random.default_rng(seed)
    exons = exons_of(transcripts)
    order = transcripts["chrom_order"].to_numpy()[exons["row"]]
    pick = rng.integers(0, len(order), n)
    span = exons["end"][pick] - exons["start"][pick] + 201
    pos = exons["start"][pick] - 100 + (rng.random(n) * span).astype(np.int64)
    far = rng.random(n) < 0.1
    pos[far] = rng.integers(1, 50_000_000, far.sum())
    kind = rng.choice(3, n, p=[0.94, 0.03, 0.03])
    frame = pd.DataFrame(
        {
            "chrom_order": order[pick].astype(np.uint8),
            "pos": np.maximum(pos, 1),
            "ref": np.array(["A", "A", "ACGT"])[kind],
            "alt": np.array(["G", "ATT", "A"])[kind],
        }
    )
    frame = frame.sort_values(["chrom_order", "pos"]).reset_index(drop=True)
    frame["chrom"] = NAMES[frame["chrom_order"]]
    return frame


def write_cohort(cache: Path, name: str, frame: pd.DataFrame) -> None:
    """Make a cohort that has variants and no people."""
    n = len(frame)
    variants = pa.table(
        {
            "variant_index": pa.array(np.arange(n), pa.uint32()),
            **{c: pa.array(frame[c]) for c in ("chrom", "chrom_order", "pos", "ref", "alt")},
            "kind": np.where(frame["ref"].str.len() == frame["alt"].str.len(), "snp", "indel"),
            "region": np.full(n, "autosome"),
            "alt_number": pa.array(np.ones(n), pa.uint16()),
            "n_alts": pa.array(np.ones(n), pa.uint16()),
        }
    )
    target = cohorts_dir(cache) / name / "cohort-synthetic.duckdb"
    with store.create(target, {"kind": "cohort", "fingerprint": "synthetic"}) as writer:
        writer.run(schema.ddl("variants", schema.VARIANTS))
        writer.insert("variants", variants)
    files.write_json(
        target.parent / CURRENT,
        {"cohort": target.name, "fingerprint": "synthetic", "annotation": None},
    )


def peer_seconds(folder: Path, frame: pd.DataFrame, transcripts: pd.DataFrame) -> float:
    """Return what bcftools takes to name the gene of each variant."""
    vcf, bed = folder / "sites.vcf", folder / "transcripts.bed"
    with vcf.open("w") as out:
        out.write("##fileformat=VCFv4.2\n")
        out.writelines(f"##contig=<ID={name}>\n" for name in NAMES[1:])
        out.write("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        for row in frame[["chrom", "pos", "ref", "alt"]].itertuples(index=False):
            out.write(f"{row[0]}\t{row[1]}\t.\t{row[2]}\t{row[3]}\t.\t.\t.\n")
    spans = pd.DataFrame(
        {
            "chrom": NAMES[transcripts["chrom_order"]],
            "start": transcripts["tx_start"] - 1,
            "end": transcripts["tx_end"],
            "gene": transcripts["gene"],
        }
    )
    spans.sort_values(["chrom", "start"]).to_csv(bed, sep="\t", index=False, header=False)
    pysam.tabix_index(str(bed), preset="bed", force=True)
    header = folder / "header.txt"
    header.write_text('##INFO=<ID=GENE,Number=.,Type=String,Description="Gene">\n')
    return seconds(["bcftools", "annotate", "-a", f"{bed}.gz", "-c", "CHROM,FROM,TO,GENE",
                    "-h", str(header), "-l", "GENE:unique", "-Ou", "-o", str(folder / "out.bcf"),
                    str(vcf)])  # fmt: skip


def measure(n_variants: int, genes: Path) -> dict:
    start = time.perf_counter()
    table = read_gene_table(genes)
    result: dict = {
        "variants": n_variants,
        "transcripts": len(table.transcripts),
        "seconds_reading_genes": round(time.perf_counter() - start, 2),
    }
    frame = exome_positions(table.transcripts, n_variants)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_cohort(folder, "wide", frame)
        phases: list[tuple[str, float]] = []
        start = time.perf_counter()
        made = annotate(
            folder, "wide", genes, lambda p: phases.append((p.phase, time.perf_counter()))
        )
        result["seconds"] = round(time.perf_counter() - start, 2)
        phases.append(("end", time.perf_counter()))
        result["seconds_of_stages"] = {}
        for (phase, at), (_, after) in itertools.pairwise(phases):
            before = result["seconds_of_stages"].get(phase, 0)
            result["seconds_of_stages"][phase] = round(before + after - at, 2)
        result["variants_with_gene"] = made.n_variants_with_gene
        if shutil.which("bcftools"):
            peer = peer_seconds(folder, frame, table.transcripts)
            result["bcftools_seconds"] = round(peer, 2)
            result["ours / bcftools"] = round(result["seconds"] / peer, 3)
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variants", type=int, default=1_800_000)
    parser.add_argument("--genes", type=Path, default=REFFLAT)
    asked = parser.parse_args()
    print(json.dumps(measure(asked.variants, asked.genes), indent=1))
