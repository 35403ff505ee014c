"""VCF text: the header, and the record of each site."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.settings.simulation import SimulationSettings
from pipeline.simulate.coalescent import Site
from pipeline.simulate.genes import CHROMOSOMES, Gene
from pipeline.simulate.people import People
from pipeline.simulate.randomness import Stream, generator
from pipeline.simulate.sequencing import (
    Cells,
    Coverage,
    biallelic_cells,
    cell_index,
    draw_coverage,
    read_biallelic,
    read_multiallelic,
    render_cells,
)

_TRANCHES = ("99.00to99.90", "99.90to100.00")
# A site is doubtful below the first score, and bad below the second.
_TRANCHE_SCORES = (-1.8, -2.8)
_META = """\
##fileformat=VCFv4.2
##source=Exolens simulate
##exolens_simulation=<People={people},Genes={genes},Seed={seed},MeanDepth={mean_depth:g}>
##FILTER=<ID=PASS,Description="All filters passed">
{filters}
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="Reads of each allele">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Reads">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="Genotype quality">
##FORMAT=<ID=PL,Number=G,Type=Integer,Description="Phred-scaled genotype likelihoods">
##INFO=<ID=AC,Number=A,Type=Integer,Description="Called alleles of each alternate">
##INFO=<ID=AF,Number=A,Type=Float,Description="Share of called alleles of each alternate">
##INFO=<ID=AN,Number=1,Type=Integer,Description="Called alleles">
##INFO=<ID=DP,Number=1,Type=Integer,Description="Reads over all people">
##INFO=<ID=VQSLOD,Number=1,Type=Float,Description="Simulated standing in recalibration">
{contigs}
"""


def vcf_header(settings: SimulationSettings, people: People) -> bytes:
    """Return the header; it names no setting of the phenotype, so genotypes decide every byte."""
    filters = "\n".join(
        f"##FILTER=<ID=VQSRTranche{kind}{tranche},"
        f'Description="{kind} recalibration, truth sensitivity tranche {tranche}">'
        for kind in ("SNP", "INDEL")
        for tranche in _TRANCHES
    )
    contigs = "\n".join(
        f"##contig=<ID={chrom},length={row[0]},assembly=hg19>" for chrom, row in CHROMOSOMES.items()
    )
    meta = _META.format(filters=filters, contigs=contigs, **settings.model_dump())
    columns = ["CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]
    return (meta + "#" + "\t".join([*columns, *people.ids]) + "\n").encode()


def vcf_records(
    gene: Gene, sites: list[Site], people: People, settings: SimulationSettings
) -> Iterator[bytes]:
    """Yield the VCF line of each site of a gene, in order."""
    rng = generator(settings.seed, Stream.SEQUENCING, gene.index)
    ploidy = ploidy_of(gene, people)
    columns = people.haplotypes(ploidy)
    is_indel = np.array([is_indel_site(site) for site in sites])
    coverage = draw_coverage(people, ploidy, is_indel, settings.mean_depth, rng)
    confidence = rng.lognormal(0.0, 0.2, len(sites))
    doubt = 30 * rng.random(len(sites))

    biallelic = [row for row, site in enumerate(sites) if len(site.alts) == 1]
    index = _biallelic_index(sites, biallelic, columns, coverage, ploidy == 1, rng)
    for row, site in enumerate(sites):
        if row in index:
            cells, shown = biallelic_cells(), index[row]
        else:
            cells, shown = _multiallelic_cells(
                site, columns, coverage.depth[row], ploidy == 1, coverage.is_lost[row], rng
            )
        fixed = _fixed_fields(
            gene,
            site,
            cells.allele_counts[shown].sum(axis=0, dtype=np.int64),
            int(coverage.depth[row].sum()),
            quality=float(cells.evidence[shown].sum()) * confidence[row] or doubt[row],
            score=float(coverage.score[row]),
        )
        yield b"\t".join([fixed, *cells.text[shown].tolist()]) + b"\n"


def ploidy_of(gene: Gene, people: People) -> np.ndarray:
    """Return the number of copies of the gene in each person, 1 or 2, shape (n_people,)."""
    return np.where(people.is_male & gene.is_x_linked, 1, 2)


def is_indel_site(site: Site) -> bool:
    """Return whether an alternate inserts or deletes bases; `*` is neither."""
    return any(len(alt) != len(site.ref) for alt in site.alts if alt != "*")


def _biallelic_index(
    sites: list[Site],
    rows: list[int],
    columns: tuple[np.ndarray, np.ndarray],
    coverage: Coverage,
    is_haploid: np.ndarray,
    rng: np.random.Generator,
) -> dict[int, np.ndarray]:
    """Return for each row its people's places (n_people,) in `biallelic_cells`."""
    if not rows:
        return {}
    alleles = np.stack([sites[row].alleles for row in rows])
    depth = coverage.depth[rows]
    n_alt = read_biallelic(
        alleles[:, columns[0]], alleles[:, columns[1]], depth, coverage.noise[rows], rng
    )
    index = cell_index(depth, n_alt, coverage.is_lost[rows], is_haploid)
    return dict(zip(rows, index, strict=True))


def _multiallelic_cells(
    site: Site,
    columns: tuple[np.ndarray, np.ndarray],
    depth: np.ndarray,
    is_haploid: np.ndarray,
    is_lost: np.ndarray,
    rng: np.random.Generator,
) -> tuple[Cells, np.ndarray]:
    """Return the cells of a site with several alternates, and each person's place in them."""
    first, second = (site.alleles[column] for column in columns)
    n_alleles = 1 + len(site.alts)
    reads = read_multiallelic(first, second, n_alleles, depth, rng)
    shown = np.column_stack([reads, is_haploid, is_lost])
    distinct, index = np.unique(shown, axis=0, return_inverse=True)
    cells = render_cells(
        distinct[:, :n_alleles], distinct[:, -2].astype(bool), distinct[:, -1].astype(bool)
    )
    return cells, index.reshape(-1)


def _fixed_fields(
    gene: Gene,
    site: Site,
    allele_counts: np.ndarray,
    depth: int,
    quality: float,
    score: float,
) -> bytes:
    """Return CHROM to FORMAT; `allele_counts` (n_alleles,) are the called ones, reference first."""
    ac, an = allele_counts[1:].tolist(), int(allele_counts.sum())
    af = [f"{count / an:.4g}" if an else "." for count in ac]
    info = (
        f"AC={','.join(map(str, ac))};AF={','.join(af)};AN={an};DP={depth};"
        f"VQSLOD={2.5 * score + 4:.2f}"
    )
    # What fails recalibration stands on weak evidence as well.
    qual = quality * 10 ** (0.25 * min(score, 0.0))
    minor = min(sum(ac), an - sum(ac))
    name = f"sim{gene.index + 1}_{site.pos}" if minor > 0.01 * an else "."
    head = [gene.chrom, str(site.pos), name, site.ref, ",".join(site.alts), f"{qual:.2f}"]
    return "\t".join([*head, _filter(site, score), info, "GT:AD:DP:GQ:PL"]).encode()


def _filter(site: Site, score: float) -> str:
    """Return FILTER: PASS, or the tranche that a doubtful site falls into."""
    doubtful, bad = _TRANCHE_SCORES
    if score >= doubtful:
        return "PASS"
    kind = "INDEL" if is_indel_site(site) else "SNP"
    return f"VQSRTranche{kind}{_TRANCHES[score < bad]}"
