"""What bcftools makes of a file: the rows after the split and the genotypes of each.

The rules of single calls are those told in `pipeline/tally.py`, written down a second time, slowly;
nobody has a stated sex, so a half call on X, Y (outside the PAR) and the mitochondrion is haploid.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from pipeline.schema import region_of
from tests.tools import require_tool

Row = tuple[str, int, str, str, tuple[int, int, int, int]]
_TIMEOUT_S = 60


@dataclass(frozen=True)
class Reading:
    """What bcftools reads; `rows` is None where it cannot give genotypes.

    `rows` are chrom, pos, ref, alt and the people hom-ref, het, hom-alt, missing; `n_split` is the
    number of rows of `norm -m-`, None where that fails.
    """

    is_readable: bool
    rows: Counter[Row] | None
    n_split: int | None


def read(path: Path) -> Reading:
    """Return what bcftools reads of a file."""
    if _bcftools("view", path) is None:
        return Reading(False, None, None)  # `query` would end there without a word
    found = _bcftools("query", "-f", "%CHROM\t%POS\t%REF\t%ALT[\t%GT]\n", path)
    rows = None
    if found is not None:
        rows = Counter(row for line in found.splitlines() for row in _split(line))
    split = _bcftools("norm", "-m-", path)
    n_split = None
    if split is not None:
        n_split = sum(not line.startswith("#") for line in split.splitlines())
    return Reading(True, rows, n_split)


def _bcftools(*arguments: object) -> str | None:
    done = subprocess.run(
        [require_tool("bcftools"), *map(str, arguments)],
        capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S, check=False,
    )  # fmt: skip
    return done.stdout if done.returncode == 0 else None


def _split(line: str) -> list[Row]:
    chrom, pos, ref, alts, *calls = line.split("\t")
    half_is_haploid = region_of(chrom, int(pos), "hg19") in {"x", "y", "mt"}
    rows = []
    for k, alt in enumerate(alts.split(","), start=1):
        counts = [0, 0, 0, 0]
        for call in calls:
            counts[_code(call, k, half_is_haploid)] += 1
        rows.append((chrom, int(pos), ref, alt, (counts[0], counts[1], counts[2], counts[3])))
    return rows


def _code(call: str, k: int, half_is_haploid: bool) -> int:
    """Return the genotype at alternate `k`: 0, 1, 2, or 3 for missing; others are reference."""
    alleles = re.split(r"[/|]", call)
    known = [allele for allele in alleles if allele != "."]
    if len(alleles) > 2 or not known:
        return 3
    if len(known) < len(alleles) and not half_is_haploid:
        return 3
    n = sum(allele == str(k) for allele in known)
    return 2 * n if len(known) == 1 else n
