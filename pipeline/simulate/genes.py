"""Made-up genes at hg19-like positions, and their GTF."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.settings.simulation import SimulationSettings
from pipeline.simulate.randomness import Stream, generator

# hg19: length, first base that is usually sequenced (short arms of 13-15, 21 and 22 are not),
# number of protein-coding genes.
CHROMOSOMES = {
    "1": (249_250_621, 800_000, 2058),
    "2": (243_199_373, 100_000, 1309),
    "3": (198_022_430, 100_000, 1078),
    "4": (191_154_276, 100_000, 752),
    "5": (180_915_260, 100_000, 876),
    "6": (171_115_067, 200_000, 1048),
    "7": (159_138_663, 100_000, 989),
    "8": (146_364_022, 100_000, 677),
    "9": (141_213_431, 100_000, 786),
    "10": (135_534_747, 100_000, 733),
    "11": (135_006_516, 200_000, 1298),
    "12": (133_851_895, 200_000, 1034),
    "13": (115_169_878, 19_500_000, 327),
    "14": (107_349_540, 19_500_000, 830),
    "15": (102_531_392, 20_500_000, 613),
    "16": (90_354_753, 100_000, 873),
    "17": (81_195_210, 100_000, 1197),
    "18": (78_077_248, 100_000, 270),
    "19": (59_128_983, 100_000, 1472),
    "20": (63_025_520, 100_000, 544),
    "21": (48_129_895, 14_500_000, 234),
    "22": (51_304_566, 16_500_000, 488),
    "X": (155_270_560, 2_800_000, 842),
}
# The end of X is pseudo-autosomal region 2; genes keep out of it, and one lies in region 1.
_X_PAR2_START = 154_931_044
_X_PAR1_GENE = 1_300_000
_LEAST_X_GENES_FOR_PAR = 4


@dataclass(frozen=True)
class Gene:
    """One gene: exons are 1-based closed intervals in rising order, without overlap."""

    index: int
    name: str
    chrom: str
    strand: str
    exons: tuple[tuple[int, int], ...]

    @property
    def start(self) -> int:
        """Return the first base, 1-based."""
        return self.exons[0][0]

    @property
    def end(self) -> int:
        """Return the last base, 1-based."""
        return self.exons[-1][1]

    @property
    def is_autosomal(self) -> bool:
        """Return whether the gene lies on chromosome 1-22."""
        return self.chrom != "X"

    @property
    def is_x_linked(self) -> bool:
        """Return whether males have one copy: X outside the pseudo-autosomal regions."""
        return self.chrom == "X" and self.start >= CHROMOSOMES["X"][1]


@lru_cache(maxsize=2)
def lay_genes(settings: SimulationSettings) -> tuple[Gene, ...]:
    """Return the genes in genome order, on each chromosome in proportion to the real number."""
    rng = generator(settings.seed, Stream.GENES)
    genes: list[Gene] = []
    width = max(4, len(str(settings.genes)))
    for chrom, n_genes in _genes_per_chromosome(settings.genes).items():
        length, first, _ = CHROMOSOMES[chrom]
        last = _X_PAR2_START if chrom == "X" else length
        slots = np.linspace(first, last - 100_000, n_genes + 1)
        for slot, (low, high) in enumerate(itertools.pairwise(slots)):
            offsets = _exon_offsets(rng, room=int(high - low) - 5000)
            free = int(high - low) - offsets[-1][1] - 4000
            start = int(low) + 2000 + int(rng.integers(free))
            if chrom == "X" and slot == 0 and n_genes >= _LEAST_X_GENES_FOR_PAR:
                start = _X_PAR1_GENE
            index = len(genes)
            genes.append(
                Gene(
                    index=index,
                    name=f"GENE{index + 1:0{width}d}",
                    chrom=chrom,
                    strand="+" if rng.random() < 0.5 else "-",
                    exons=tuple((start + a, start + b) for a, b in offsets),
                )
            )
    return tuple(genes)


def _genes_per_chromosome(n_genes: int) -> dict[str, int]:
    """Return how many genes lie on each chromosome: at least one, the rest by largest remainder."""
    real = np.array([row[2] for row in CHROMOSOMES.values()], dtype=float)
    share = (n_genes - len(real)) * real / real.sum()
    counts = np.floor(share).astype(int)
    short = n_genes - len(real) - counts.sum()
    counts[np.argsort(counts - share, kind="stable")[:short]] += 1
    return dict(zip(CHROMOSOMES, (counts + 1).tolist(), strict=True))


def _exon_offsets(rng: np.random.Generator, room: int) -> list[tuple[int, int]]:
    """Return first and last base of each exon, from 0: about 9 exons of 235 bases in 13 kb."""
    n_exons = 1 + rng.poisson(8)
    lengths = np.clip(rng.lognormal(5.3, 0.55, n_exons), 60, 1500).astype(int)
    introns = np.clip(rng.lognormal(7.0, 0.7, n_exons), 100, 10_000).astype(int)
    starts = np.concatenate([[0], np.cumsum(lengths[:-1] + introns[:-1])])
    exons = [(int(a), int(a + size - 1)) for a, size in zip(starts, lengths, strict=True)]
    return [exon for exon in exons if exon[1] < room] or [(0, min(59, room))]


def gtf_lines(genes: tuple[Gene, ...]) -> Iterator[bytes]:
    """Yield the GTF (1-based, closed): a gene, its transcript, its exons in genome order.

    Every exon is coding from end to end, as genes have no untranslated ends here.
    """
    yield b"#!genome-build GRCh37-like, simulated\n"
    for gene in genes:
        names = f'gene_id "{gene.name}"; gene_name "{gene.name}";'
        transcript = f'{names} transcript_id "{gene.name}.1";'
        rows = [("gene", gene.start, gene.end, ".", f'{names} gene_biotype "protein_coding";')]
        rows.append(("transcript", gene.start, gene.end, ".", transcript))
        for rank, (start, end), frame in zip(
            range(1, len(gene.exons) + 1), gene.exons, _frames(gene), strict=True
        ):
            number = rank if gene.strand == "+" else len(gene.exons) + 1 - rank
            attributes = f'{transcript} exon_number "{number}";'
            rows += [("exon", start, end, ".", attributes), ("CDS", start, end, frame, attributes)]
        for feature, start, end, frame, attributes in rows:
            line = f"{gene.chrom}\texolens\t{feature}\t{start}\t{end}\t.\t{gene.strand}\t{frame}\t"
            yield f"{line}{attributes}\n".encode()


def _frames(gene: Gene) -> list[str]:
    """Return for each exon the bases to leave before the first whole codon, in genome order."""
    exons = gene.exons if gene.strand == "+" else gene.exons[::-1]
    lengths = [end - start + 1 for start, end in exons]
    before = [sum(lengths[:i]) for i in range(len(lengths))]
    frames = [str(-n % 3) for n in before]
    return frames if gene.strand == "+" else frames[::-1]
