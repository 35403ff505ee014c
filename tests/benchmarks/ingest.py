"""Ingest against the paper's chain, a bare cyvcf2 loop, and plink2.

    python -m tests.benchmarks.ingest [--people 12380] [--sites 2000] [--repeats 3]

Prints JSON with the medians and the ratios; each round runs every contestant once, in turn.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.wide_vcf import write_wide_vcf

ROOT = Path(__file__).resolve().parents[2]
BARE_LOOP = """
import sys
from cyvcf2 import VCF
for v in VCF(sys.argv[1]):
    v.genotype.array(); v.format("DP"); v.format("GQ")
"""
CHAIN = (
    "bcftools view {vcf} -Ou | bcftools +fill-tags -Ou -- -t AC,AN,AF | bcftools norm -m- -Ov "
    "2>/dev/null | vcftools --vcf - --non-ref-ac 1 --min-meanDP 8 --max-missing 0.9 --recode "
    "--stdout > {out} 2>/dev/null"
)


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)  # fmt: skip
    return time.perf_counter() - start


def write_study(folder: Path, people: int, sites: int) -> Path:
    """Write genotypes and phenotypes into a folder, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_wide_vcf(folder / "wide.vcf.gz", people, sites)
    kinds = ("control", "SCZ", "BP", "control", "SCZ")
    (folder / "phenotypes.tsv").write_text("sample_id\tdiagnosis\n" + "".join(
        f"P{i:05d}\t{kinds[i % 5]}\n" for i in range(people)
    ))  # fmt: skip
    return folder


def ingest_command(study: Path, workers: int) -> list[str]:
    return [sys.executable, "-m", "pipeline", "ingest", str(study / "wide.vcf.gz"),
            "--phenotypes", str(study / "phenotypes.tsv"), "--name", "wide",
            "--cache", str(study / "cache"), "--workers", str(workers)]  # fmt: skip


def measure(people: int, sites: int, repeats: int) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        study = write_study(Path(folder), people, sites)
        vcf = study / "wide.vcf.gz"

        contestants = {
            "ingest_1": ingest_command(study, 1),
            "ingest_2": ingest_command(study, 2),
            "bare_loop": [sys.executable, "-c", BARE_LOOP, str(vcf)],
        }
        if all(shutil.which(tool) for tool in ("bcftools", "vcftools")):
            contestants["chain"] = ["sh", "-c", CHAIN.format(vcf=vcf, out=f"{folder}/chain.vcf")]
        if shutil.which("plink2"):
            contestants["plink2_make_pgen"] = ["plink2", "--vcf", str(vcf), "--make-pgen",
                                               "--out", f"{folder}/p2"]  # fmt: skip
        seconds(ingest_command(study, 1))  # compiles the kernels once and warms the page cache
        rounds = [{name: seconds(command) for name, command in contestants.items()}
                  for _ in range(repeats)]  # fmt: skip
    result: dict = {"people": people, "sites": sites, "repeats": repeats}
    result["seconds"] = {
        name: round(statistics.median(r[name] for r in rounds), 2) for name in contestants
    }
    for name, peer in (("ingest_1", "bare_loop"), ("ingest_2", "chain"), ("ingest_1", "chain"),
                       ("ingest_1", "ingest_2"), ("ingest_2", "plink2_make_pgen")):  # fmt: skip
        if peer in contestants:
            ratio = statistics.median(r[name] / r[peer] for r in rounds)
            result[f"{name} / {peer}"] = round(ratio, 3)
    efficiency = statistics.median(r["ingest_1"] / (2 * r["ingest_2"]) for r in rounds)
    result["efficiency of 2 workers"] = round(efficiency, 3)
    calls = people * sites
    result["ns_per_genotype"] = {
        name: round(1e9 * statistics.median(r[name] for r in rounds) / calls, 1)
        for name in ("ingest_1", "ingest_2", "bare_loop")
    }
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=12_380)
    parser.add_argument("--sites", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    print(json.dumps(measure(asked.people, asked.sites, asked.repeats), indent=1))
