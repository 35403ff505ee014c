"""A VCF as wide as the Swedish study, written fast: rows drawn from a table of rendered cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pysam


def write_wide_vcf(path: Path, n_people: int, n_sites: int, seed: int = 1) -> Path:
    """Write GT:AD:DP:GQ:PL for so many people and sites over chromosomes 1-22, with an index.

    Rare variants mostly, 1 % missing, one site in 40 with two alternates, one in 20 an indel.
    """
    rng = np.random.default_rng(seed)
    depth = rng.poisson(30, 4096).clip(1)
    one_alternate = _cells(depth, {
        "0/0": "0/0:{d},0:{d}:{q}:0,{q},{p}",
        "0/1": "0/1:{r},{h}:{d}:99:{p},0,{p}",
        "1/1": "1/1:0,{d}:{d}:{q}:{p},{q},0",
        "./.": "./.:0,0:0:.:.",
    })  # fmt: skip
    two_alternates = _cells(depth, {
        "0/0": "0/0:{d},0,0:{d}:{q}:0,{q},{p},{q},{p},{p}",
        "0/1": "0/1:{r},{h},0:{d}:99:{p},0,{p},{p},{p},{p}",
        "1/1": "1/1:0,{d},0:{d}:{q}:{p},{q},0,{p},{p},{p}",
        "1/2": "1/2:0,{r},{h}:{d}:99:{p},{p},{p},{p},0,{p}",
        "./.": "./.:0,0,0:0:.:.",
    })  # fmt: skip
    header = ["##fileformat=VCFv4.2", '##FILTER=<ID=PASS,Description="All filters passed">']
    header += [f"##contig=<ID={c},length=250000000>" for c in range(1, 23)]
    for name, number, kind in (
        ("GT", 1, "String"), ("AD", "R", "Integer"), ("DP", 1, "Integer"),
        ("GQ", 1, "Integer"), ("PL", "G", "Integer"),
    ):  # fmt: skip
        header.append(f'##FORMAT=<ID={name},Number={number},Type={kind},Description="{name}">')
    people = "\t".join(f"P{i:05d}" for i in range(n_people))
    header.append(f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{people}")
    chrom = np.sort(rng.integers(1, 23, n_sites))
    pos = rng.integers(1, 200_000_000, n_sites)
    order = np.lexsort((pos, chrom))
    with pysam.BGZFile(str(path), "wb") as out:
        out.write(("\n".join(header) + "\n").encode())
        for site in order:
            frequency = min(0.5, 10 ** rng.uniform(-4, -0.3))
            draw = rng.random(n_people)
            codes = np.full(n_people, "0/0", dtype=object)
            codes[draw < 2 * frequency] = "0/1"
            codes[draw < frequency**2] = "1/1"
            codes[draw > 0.99] = "./."
            two = rng.random() < 0.025
            if two:
                codes[(draw > 0.5) & (draw < 0.5 + frequency**2)] = "1/2"
            which = rng.integers(0, len(depth), n_people)
            row = np.empty(n_people, dtype=object)
            for name, rendered in (two_alternates if two else one_alternate).items():
                here = codes == name
                row[here] = rendered[which[here]]
            alt = "C,G" if two else "AT" if rng.random() < 0.05 else "C"
            fixed = f"{chrom[site]}\t{pos[site]}\t.\tA\t{alt}\t{rng.integers(10, 2000)}\tPASS\t."
            out.write(f"{fixed}\tGT:AD:DP:GQ:PL\t".encode() + "\t".join(row).encode() + b"\n")
    pysam.tabix_index(str(path), preset="vcf", force=True)
    return path


def _cells(depth: np.ndarray, forms: dict[str, str]) -> dict[str, np.ndarray]:
    """Return for each genotype its cell text at every depth of the table."""
    return {
        genotype: np.array(
            [form.format(d=d, h=d // 2, r=d - d // 2, q=min(99, 3 * d), p=30 * d)
             for d in depth.tolist()], dtype=object,
        )
        for genotype, form in forms.items()
    }  # fmt: skip
