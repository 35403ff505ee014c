"""Signs that positions, genes and genome are not of one build."""

from __future__ import annotations

import numpy as np

from pipeline.annotation.regions import EXONIC
from pipeline.errors import InputError
from pipeline.sources.fasta import Fasta
from pipeline.store import Writer

_SAMPLED = 200  # variants of each chromosome whose REF is compared
_MOST_DISAGREEING = 0.01
_LEAST_EXONIC = 0.1  # an exome has half or more
_FEW = 100  # variants, of which a share says little


def check_reference(writer: Writer, fasta: Fasta) -> list[str]:
    """Return warnings; the genome has to hold every position and agree with REF.

    Raises `InputError` where a variant lies past the end of its chromosome, or where more than
    1 % of the variants looked at have another REF.
    """
    spans = writer.rows(
        "SELECT chrom_order, max(pos + length(ref) - 1), count(*), any_value(chrom), max(pos) "
        "FROM cohort.variants WHERE chrom_order < 99 GROUP BY chrom_order ORDER BY chrom_order"
    )
    absent = []
    n_seen = n_wrong = 0
    example = ""
    for order, last, n, chrom, pos in spans:
        if order not in fasta.lengths:
            absent.append((chrom, n))
            continue
        if last > fasta.lengths[order]:
            raise InputError(
                f"Every variant lies on its chromosome, but {chrom}:{pos:,} is past the end of it "
                f"in {fasta.name} ({fasta.lengths[order]:,} bases); give the FASTA of the build "
                "of the cohort."
            )
        sampled = writer.rows(
            "SELECT pos, ref FROM cohort.variants WHERE chrom_order = ? "
            "ORDER BY hash(variant_index) LIMIT ?",
            [order, _SAMPLED],
        )
        bases = fasta.bases(order)
        for at, ref in sampled:
            there = bases[at - 1 : at - 1 + len(ref)].tobytes().decode("ascii")
            if not set(ref.upper() + there) <= set("ACGT"):
                continue
            n_seen += 1
            if there != ref.upper():
                n_wrong += 1
                example = example or f"{chrom}:{at:,} is {ref[:20]} and {there[:20]}"
    if n_seen and n_wrong > _MOST_DISAGREEING * n_seen:
        raise InputError(
            f"REF is the base of the reference, but {n_wrong:,} of {n_seen:,} variants looked at "
            f"disagree with {fasta.name} ({example}); give the FASTA of the build of the cohort."
        )
    if not absent:
        return []
    names = ", ".join(chrom for chrom, _ in absent)
    return [
        f"{sum(n for _, n in absent):,} variants lie on chromosomes that {fasta.name} lacks "
        f"({names}), so that their coding changes are not told."
    ]


def warn_of_exons(writer: Writer) -> list[str]:
    """Return a warning where so few variants are exonic that the gene table may be misplaced."""
    found = dict(writer.rows("SELECT gene_region, count(*) FROM variant_regions GROUP BY ALL"))
    n = int(np.sum(list(found.values())))
    n_exonic = sum(found.get(region, 0) for region in EXONIC)
    if n < _FEW or n_exonic >= _LEAST_EXONIC * n:
        return []
    return [
        f"About half of the variants of an exome are exonic, but {n_exonic:,} of {n:,} "
        f"({n_exonic / n:.1%}) are by this gene table; unless they are of a whole genome, give "
        "the gene table of their build."
    ]
