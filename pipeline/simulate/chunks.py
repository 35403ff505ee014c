"""The unit of work that processes share: some neighbouring genes, from coalescent to VCF part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.settings.simulation import SimulationSettings
from pipeline.simulate.bgzf import write_bgzf
from pipeline.simulate.coalescent import Site, simulate_gene
from pipeline.simulate.genes import Gene, lay_genes
from pipeline.simulate.people import People, draw_people
from pipeline.simulate.phenotypes import Allele, choose_genes, least_frequency, n_causal_genes
from pipeline.simulate.records import ploidy_of, vcf_records

# Fixed, whatever the number of workers: block boundaries, and so bytes, depend on it.
GENES_PER_CHUNK = 8


@dataclass(frozen=True)
class Chunk:
    """What a part of the VCF holds: its number of records, and alleles that may be causal."""

    n_records: int
    alleles: list[Allele]


def n_chunks(settings: SimulationSettings) -> int:
    """Return the number of chunks that a cohort is made in."""
    return -(-settings.genes // GENES_PER_CHUNK)


def part_path(folder: Path, number: int) -> Path:
    """Return where a chunk's BGZF part lies until all are joined."""
    return folder / f"part-{number:05d}.bgzf"


def make_chunk(folder: Path, number: int, settings: SimulationSettings) -> Chunk:
    """Write one part of the VCF into `folder`; return what is in it."""
    people = draw_people(settings)
    genes = lay_genes(settings)
    candidates = {gene.index for gene in _candidate_genes(genes, settings)}
    alleles: list[Allele] = []
    n_records = 0

    def lines() -> Iterator[bytes]:
        nonlocal n_records
        start = number * GENES_PER_CHUNK
        for gene in genes[start : start + GENES_PER_CHUNK]:
            n_haplotypes = people.population_sizes(ploidy_of(gene, people))
            sites = simulate_gene(gene, n_haplotypes, settings.seed)
            n_records += len(sites)
            if gene.index in candidates:
                alleles.extend(_candidate_alleles(gene, sites, people, settings))
            yield from vcf_records(gene, sites, people, settings)

    write_bgzf(part_path(folder, number), lines(), closed=False)
    return Chunk(n_records, alleles)


def _candidate_genes(genes: tuple[Gene, ...], settings: SimulationSettings) -> list[Gene]:
    """Return the genes whose true alleles are needed to plant a cause."""
    ordered = choose_genes(genes, settings)
    if settings.architecture == "additive":
        # A few to spare, for genes in which nobody varies.
        return ordered[: 2 * n_causal_genes(settings) + 10]
    return ordered


def _candidate_alleles(
    gene: Gene, sites: list[Site], people: People, settings: SimulationSettings
) -> list[Allele]:
    """Return the alternates of autosomal sites that are common enough to be causal."""
    first, second = people.haplotypes(ploidy_of(gene, people))
    floor = least_frequency(settings.architecture)
    found = []
    for site in sites:
        for number, alt in enumerate(site.alts, 1):
            if alt == "*":
                continue
            carried = site.alleles == number
            dosage = carried[first].astype(np.uint8) + carried[second]
            allele = Allele(gene, site.pos, site.ref, alt, dosage)
            if allele.minor_frequency > floor:
                found.append(allele)
    return found
