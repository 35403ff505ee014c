"""Whether ingest stays as fast per genotype when a study grows, and what a second worker brings.

    python -m tests.benchmarks.scaling [--sites 12000]

Prints JSON: nanoseconds a genotype in a warm process from 1,000 to 12,380 people and from 1,000 to
100,000 variants, each over that of the smallest; and the efficiency of two workers, start included,
on a file of 12,380 people.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from pipeline.ingest import ingest
from tests.benchmarks.ingest import ingest_command, seconds, write_study

PEOPLE = ((1_000, 10_000), (4_000, 2_500), (12_380, 800))  # people, sites: genotypes alike
SITES = ((1_000, 1_000), (1_000, 10_000), (1_000, 100_000))


def ns_per_genotype(folder: Path, people: int, sites: int) -> float:
    """Return the median of three ingests in this process, which has everything loaded."""
    study = write_study(folder, people, sites)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        ingest(study / "cache", "wide", [study / "wide.vcf.gz"], study / "phenotypes.tsv",
               workers=1)  # fmt: skip
        times.append(time.perf_counter() - start)
    return 1e9 * statistics.median(times) / (people * sites)


def measure(sites: int) -> dict:
    result: dict = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ns_per_genotype(folder / "warm", 100, 100)
        for what, sizes in (("people", PEOPLE), ("variants", SITES)):
            cost = [ns_per_genotype(folder / f"{what}{p}x{s}", p, s) for p, s in sizes]
            shown = [f"{p:,} people x {s:,} variants" for p, s in sizes]
            result[f"ns a genotype, more {what}"] = {
                label: round(c, 1) for label, c in zip(shown, cost, strict=True)
            }
            result[f"dearest over cheapest, more {what}"] = round(max(cost) / min(cost), 2)
        study = write_study(folder / "wide", 12_380, sites)
        core = f"{min(os.sched_getaffinity(0))}"
        contestants = {
            "one worker on one core": ["taskset", "-c", core, *ingest_command(study, 1)],
            "one worker": ingest_command(study, 1),  # its reader is a thread beside
            "two workers": ingest_command(study, 2),
        }
        rounds = [{k: seconds(command) for k, command in contestants.items()} for _ in range(3)]
        result["sites"] = sites
        result["seconds"] = {
            name: round(statistics.median(r[name] for r in rounds), 2) for name in contestants
        }
        for name in ("one worker on one core", "one worker"):
            ratio = statistics.median(r[name] / (2 * r["two workers"]) for r in rounds)
            result[f"efficiency of two workers, against {name}"] = round(ratio, 3)
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=12_000)
    print(json.dumps(measure(parser.parse_args().sites), indent=1))
