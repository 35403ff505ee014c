"""Counting every genotype again without some people, against `plink2 --keep --geno-counts`.

    python -m tests.benchmarks.people_recount [--people 12380] [--variants 50000]

Prints JSON with seconds, the ratio, and what 1.8 million variants would take at this pace.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from pipeline.cohort import open_cohort
from pipeline.ingest import ingest
from pipeline.samples import keep_people, with_people
from pipeline.settings import SampleSettings
from tests.benchmarks.ingest import seconds

STUDY = 1_800_000


def write_bed(prefix: Path, n_people: int, n_variants: int) -> None:
    """Write rare variants as PLINK 1 files; one person in ten misses a tenth of the calls."""
    rng = np.random.default_rng(1)
    fam = [f"F{i} P{i:05d} 0 0 {1 + i % 2} {1 + i % 3 % 2}\n" for i in range(n_people)]
    prefix.with_suffix(".fam").write_text("".join(fam))
    bim = [f"{1 + 22 * v // n_variants}\t.\t0\t{1000 + 50 * v}\tC\tA\n" for v in range(n_variants)]
    prefix.with_suffix(".bim").write_text("".join(bim))
    n_bytes = -(-n_people // 4)
    poor = np.zeros(4 * n_bytes, bool)
    poor[:n_people:10] = True
    with prefix.with_suffix(".bed").open("wb") as out:
        out.write(b"\x6c\x1b\x01")
        for start in range(0, n_variants, 500):
            n = min(500, n_variants - start)
            frequency = 10 ** rng.uniform(-4, -0.5, (n, 1))
            draw = rng.random((n, 4 * n_bytes), np.float32)
            code = np.where(draw < 2 * frequency, 2, 3)  # bed: 3 is hom A2, 2 het, 1 missing
            code[poor & (draw > 0.9)] = 1
            code = code.astype(np.uint8).reshape(n, n_bytes, 4)
            packed = code[:, :, 0] | code[:, :, 1] << 2 | code[:, :, 2] << 4 | code[:, :, 3] << 6
            out.write(packed.tobytes())


def measure(people: int, variants: int) -> dict:
    result: dict = {"people": people, "variants": variants}
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder) / "wide"
        write_bed(prefix, people, variants)
        cache = Path(folder) / "cache"
        ingest(cache, "wide", [prefix.with_suffix(".bed")], None)
        cohort = open_cohort(cache, "wide")
        settings = SampleSettings(min_call_rate=0.95)
        kept = keep_people(cohort, settings).kept
        result["people_kept"] = int(kept.sum())
        start = time.perf_counter()
        counted = with_people(cohort, settings)
        result["seconds"] = round(time.perf_counter() - start, 2)
        result["seconds_for_1.8_million"] = round(result["seconds"] * STUDY / variants, 1)
        start = time.perf_counter()
        with_people(cohort, settings).store.close()
        result["seconds_when_counted_before"] = round(time.perf_counter() - start, 3)
        counted.store.close()
        cohort.store.close()
        if shutil.which("plink2"):
            lines = prefix.with_suffix(".fam").read_text().splitlines()
            keep = Path(folder) / "keep.txt"
            rows = [line for line, stays in zip(lines, kept, strict=True) if stays]
            keep.write_text("".join(" ".join(row.split()[:2]) + "\n" for row in rows))
            peer = seconds(["plink2", "--bfile", str(prefix), "--keep", str(keep),
                            "--geno-counts", "--out", str(prefix)])  # fmt: skip
            result["plink2_seconds"] = round(peer, 2)
            result["ours / plink2"] = round(result["seconds"] / peer, 3)
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=12_380)
    parser.add_argument("--variants", type=int, default=50_000)
    asked = parser.parse_args()
    print(json.dumps(measure(asked.people, asked.variants), indent=1))
