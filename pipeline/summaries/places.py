"""Where something is that people call by a name."""

from __future__ import annotations

from pipeline.cohort import Cohort
from pipeline.schema import plain_chromosome


def locate(cohort: Cohort, text: str) -> tuple[str, int, int] | None:
    """Return chromosome, first and last base of a gene, an rsID or `chrom:pos`; None if unknown.

    A gene that lies in several places is where it comes first.
    """
    text = text.strip()
    if cohort.has_genes:
        genes = cohort.store.rows(
            "SELECT chrom, gene_start, gene_end FROM annotation.genes "
            "WHERE lower(gene) = lower($1) ORDER BY chrom_order, gene_start LIMIT 1",
            [text],
        )
        if genes:
            return plain_chromosome(genes[0][0]), int(genes[0][1]), int(genes[0][2])
    chrom, colon, pos = text.replace("_", ":").partition(":")
    digits = pos.split(":")[0].replace(",", "")
    if colon and digits.isdigit():
        found = cohort.store.rows(
            "SELECT chrom FROM variants WHERE chrom = $1 OR chrom = 'chr' || $1 LIMIT 1",
            [chrom.removeprefix("chr")],
        )
        return (plain_chromosome(found[0][0]), int(digits), int(digits)) if found else None
    named = cohort.store.rows(
        "SELECT chrom, pos FROM variants WHERE lower(rsid) = lower($1) LIMIT 1", [text]
    )
    return (plain_chromosome(named[0][0]), named[0][1], named[0][1]) if named else None
