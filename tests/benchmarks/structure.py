"""Components and kinship at the size of the Swedish study, against PLINK 2 in the same run.

    python -m tests.benchmarks.structure [--people 12000] [--variants 50000] [--king-people 3000]

Prints JSON: seconds, ratios, pairs a second, peak memory of this process. PLINK reads the same
genotypes from a .bed; its time includes that, as ours includes unpacking.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.genotypes import pack, packed_width, unpack
from pipeline.structure.components import principal_components
from pipeline.structure.kinship import find_relatives
from pipeline.structure.planes import bit_planes
from pipeline.structure.prune import r_squared_band
from tests.tools import require_tool

SWEDEN = 12_380
_BED_CODE = np.array([0b11, 0b10, 0b00, 0b01])  # of 0, 1, 2 alternate alleles and missing


def simulate(n_people: int, n_variants: int, seed: int = 1) -> np.ndarray:
    """Return packed genotypes of four populations, 0.5 % missing, every hundredth twice."""
    rng = np.random.default_rng(seed)
    packed = np.empty((n_variants, packed_width(n_people)), np.uint8)
    population = np.arange(n_people) % 4
    for start in range(0, n_variants, 1000):
        n = min(1000, n_variants - start)
        shared = rng.uniform(0.08, 0.92, (n, 1))
        p = np.clip(shared + rng.normal(0, 0.04, (n, 4)), 0.05, 0.95).astype(np.float32)
        p = p[:, population]
        draw = rng.random((n, n_people), np.float32)
        genotypes = (draw < 1 - (1 - p) ** 2).astype(np.uint8) + (draw < p**2)
        genotypes[rng.random((n, n_people), np.float32) < 0.005] = 3
        genotypes[:, 1::100] = genotypes[:, 0::100][:, : genotypes[:, 1::100].shape[1]]
        packed[start : start + n] = pack(genotypes)
    return packed


def write_bed(prefix: Path, packed: np.ndarray, n_people: int) -> None:
    """Write PLINK 1 files of packed genotypes, the variants spread over the autosomes."""
    parts = np.stack([np.arange(256) >> shift & 3 for shift in (0, 2, 4, 6)])
    recode = sum(_BED_CODE[part] << shift for part, shift in zip(parts, (0, 2, 4, 6), strict=True))
    with Path(f"{prefix}.bed").open("wb") as handle:
        handle.write(bytes([0x6C, 0x1B, 0x01]))
        handle.write(recode.astype(np.uint8)[packed[:, : -(-n_people // 4)]].tobytes())
    chrom = np.sort(np.arange(len(packed)) % 22 + 1)
    Path(f"{prefix}.bim").write_text(
        "".join(f"{c}\tv{i}\t0\t{i + 1}\tG\tA\n" for i, c in enumerate(chrom))
    )
    Path(f"{prefix}.fam").write_text("".join(f"p{i} p{i} 0 0 0 -9\n" for i in range(n_people)))


def timed(call: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def plink(prefix: Path, *arguments: object) -> None:
    command = [require_tool("plink2"), "--bfile", prefix, "--threads", "2", *arguments]
    subprocess.run([*map(str, command)], check=True, capture_output=True)


def measure(n_people: int, n_variants: int, n_king: int) -> dict:
    packed = simulate(n_people, n_variants)
    # Kernels are compiled once, on a little of everything.
    principal_components(packed[:64], n_people, 2, 1)
    find_relatives(packed[:64, : packed_width(64)], 64, 0.4)
    seconds: dict[str, float] = {}
    band = bit_planes(unpack(packed[:4096], n_people))
    r_squared_band(band, 2)
    of_band, _ = timed(lambda: r_squared_band(band, 50))
    seconds["r² of 50,000 candidates, window 50"] = of_band * 50_000 / 4096
    seconds["components"], ours = timed(lambda: principal_components(packed, n_people, 10, 1))
    subset = np.ascontiguousarray(packed[:, : packed_width(n_king)])
    seconds["kinship"], found = timed(lambda: find_relatives(subset, n_king, 0.0442))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder) / "all"
        write_bed(prefix, packed, n_people)
        seconds["plink2 --pca 10 approx"], _ = timed(
            lambda: plink(prefix, "--pca", "10", "approx", "--out", Path(folder) / "pca")
        )
        theirs = np.loadtxt(f"{folder}/pca.eigenvec", usecols=range(2, 12))
        keep = Path(folder) / "keep.txt"
        keep.write_text("".join(f"p{i} p{i}\n" for i in range(n_king)))
        seconds["plink2 --make-king-table"], _ = timed(
            lambda: plink(
                prefix,
                "--keep",
                keep,
                "--make-king-table",
                "--king-table-filter",
                "0.0442",
                "--out",
                Path(folder) / "king",
            )
        )
        n_theirs = len(Path(f"{folder}/king.kin0").read_text().splitlines()) - 1
    correlation = [abs(np.corrcoef(ours.scores[:, k], theirs[:, k])[0, 1]) for k in range(3)]
    pairs_per_second = n_king * (n_king - 1) / 2 / seconds["kinship"]
    return {
        "people": n_people,
        "variants": n_variants,
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "components / plink2": round(seconds["components"] / seconds["plink2 --pca 10 approx"], 2),
        "kinship / plink2": round(seconds["kinship"] / seconds["plink2 --make-king-table"], 2),
        "correlation with plink2, three leading": [round(float(c), 5) for c in correlation],
        "pairs, ours and plink2": [len(found.first), n_theirs],
        "kinship of": n_king,
        "million pairs a second": round(pairs_per_second / 1e6, 2),
        f"seconds for {SWEDEN:,} people": round(SWEDEN * (SWEDEN - 1) / 2 / pairs_per_second, 1),
        "peak memory, GB": round(peak, 2),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=12_000)
    parser.add_argument("--variants", type=int, default=50_000)
    parser.add_argument("--king-people", type=int, default=3_000)
    asked = parser.parse_args()
    print(json.dumps(measure(asked.people, asked.variants, asked.king_people), indent=1,
                     ensure_ascii=False))  # fmt: skip
