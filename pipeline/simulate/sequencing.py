"""What a sequencer and a caller make of true alleles: reads, calls, site quality."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from pipeline.simulate.people import People

MAX_DEPTH = 127

# A base read wrongly; small, since callers weigh in a prior that is not modelled here.
_READ_ERROR = 5e-4
_MAX_GQ = 99


@dataclass(frozen=True)
class Cells:
    """Genotype cells in VCF text, each rendered once and then shared by all who show it.

    `text` (n_cells,) holds bytes; `allele_counts` (n_cells, n_alleles) counts the called alleles,
    0 when there is no call; `evidence` (n_cells,) is the Phred evidence against hom-ref of a call
    with an alternate, else 0.
    """

    text: np.ndarray
    allele_counts: np.ndarray
    evidence: np.ndarray


def render_cells(reads: np.ndarray, is_haploid: np.ndarray, is_lost: np.ndarray) -> Cells:
    """Return one cell a row of `reads` (n_cells, n_alleles), called by likelihood alone.

    A cell without reads, or one `is_lost` (n_cells,), has no call; without reads it is `./.` or
    `.`, the trailing fields left out.
    """
    n_cells, n_alleles = reads.shape
    # VCF order: 0/0 0/1 1/1 0/2 1/2 2/2, and for haploid calls 0 1 2.
    pairs = [(j, k) for k in range(n_alleles) for j in range(k + 1)]
    singles = [(k, k) for k in range(n_alleles)]
    text = np.empty(n_cells, dtype=object)
    allele_counts = np.zeros((n_cells, n_alleles), dtype=np.int8)
    evidence = np.zeros(n_cells, dtype=np.float32)
    for haploid, genotypes in ((False, pairs), (True, singles)):
        rows = np.flatnonzero(is_haploid == haploid)
        phred = _phred_likelihoods(reads[rows], genotypes)
        called = phred.argmin(axis=1)
        quality = np.minimum(np.partition(phred, 1, axis=1)[:, 1], _MAX_GQ)
        for row, best, gq, phreds in zip(rows, called, quality, phred.tolist(), strict=True):
            ad = reads[row].tolist()
            depth = sum(ad)
            if depth == 0 or is_lost[row]:
                text[row] = _no_call(ad, depth, haploid)
                continue
            alleles = genotypes[best][:1] if haploid else genotypes[best]
            gt = "/".join(map(str, alleles))
            pl = ",".join(map(str, phreds))
            text[row] = f"{gt}:{','.join(map(str, ad))}:{depth}:{gq}:{pl}".encode()
            for allele in alleles:
                allele_counts[row, allele] += 1
            evidence[row] = phreds[0] if best else 0
    return Cells(text, allele_counts, evidence)


def _no_call(ad: list[int], depth: int, haploid: bool) -> bytes:
    gt = "." if haploid else "./."
    return (f"{gt}:{','.join(map(str, ad))}:{depth}:.:." if depth else gt).encode()


def _phred_likelihoods(reads: np.ndarray, genotypes: list[tuple[int, int]]) -> np.ndarray:
    """Return PL (n_cells, n_genotypes): -10 log10 likelihood of the reads, the best one 0."""
    n_alleles = reads.shape[1]
    log_p = np.empty((n_alleles, len(genotypes)))
    for column, (j, k) in enumerate(genotypes):
        n_carried = 1 if j == k else 2
        log_p[:, column] = np.log10(_READ_ERROR / max(1, n_alleles - n_carried))
        log_p[[j, k], column] = np.log10((1 - _READ_ERROR) / n_carried)
    phred = -10 * (reads @ log_p)
    return np.rint(phred - phred.min(axis=1, keepdims=True)).astype(int)


@cache
def biallelic_cells() -> Cells:
    """Return every cell that a site with one alternate can show, in the order of `cell_index`."""
    depth, n_alt = np.array([(d, a) for d in range(MAX_DEPTH + 1) for a in range(d + 1)]).T
    lost_depth = np.arange(MAX_DEPTH + 1)
    reads = np.concatenate(
        [np.stack([depth - n_alt, n_alt], axis=1), np.stack([lost_depth, 0 * lost_depth], axis=1)]
    )
    is_lost = np.arange(len(reads)) >= len(depth)
    both = np.concatenate([reads, reads])
    is_haploid = np.arange(len(both)) >= len(reads)
    return render_cells(both, is_haploid, np.tile(is_lost, 2))


def cell_index(
    depth: np.ndarray, n_alt: np.ndarray, is_lost: np.ndarray, is_haploid: np.ndarray
) -> np.ndarray:
    """Return where each genotype stands in `biallelic_cells`; arguments broadcast."""
    n_called = (MAX_DEPTH + 1) * (MAX_DEPTH + 2) // 2
    n_cells = n_called + MAX_DEPTH + 1
    index = np.where(is_lost, n_called + depth, depth * (depth + 1) // 2 + n_alt)
    return index + n_cells * is_haploid


@dataclass(frozen=True)
class Coverage:
    """How the sites of a gene were read.

    `depth` (n_sites, n_people) reads; `noise` likewise, uniform on [0, 1): its upper end is where a
    read goes wrong; `is_lost` likewise, no call whatever the depth; `score` (n_sites,) is the
    standing of a site in recalibration, below -1.7 doubtful.
    """

    depth: np.ndarray
    noise: np.ndarray
    is_lost: np.ndarray
    score: np.ndarray


def draw_coverage(
    people: People,
    ploidy: np.ndarray,
    is_indel: np.ndarray,
    mean_depth: float,
    rng: np.random.Generator,
) -> Coverage:
    """Return the reading of sites `is_indel` (n_sites,): 1 in 25 is covered thinly, 1 in 40 badly.

    Depth is near to negative binomial, by the square root of a normal; males have half on X.
    """
    n_sites = len(is_indel)
    is_thin = rng.random(n_sites) < 0.04
    usual = mean_depth * rng.lognormal(-0.06, 0.35, n_sites)
    site_depth = np.where(is_thin, rng.uniform(2.0, 9.0, n_sites), usual)
    is_bad = rng.random(n_sites) < 0.025
    missing = rng.beta(0.4, 60.0, n_sites) + np.where(is_indel, 0.01, 0.0)
    missing = np.where(is_bad, rng.uniform(0.05, 0.35, n_sites), missing)
    score = rng.normal(0.0, 1.0, n_sites) - 1.6 * is_thin - 1.4 * is_bad - 0.3 * is_indel

    person = people.depth_factor * (ploidy / 2)
    root = np.sqrt(np.outer(site_depth, person).astype(np.float32))
    spread = np.float32(0.65) * rng.standard_normal(root.shape, dtype=np.float32)
    depth = np.square(np.maximum(root + spread, 0)).astype(np.int32)
    noise = rng.random(root.shape, dtype=np.float32)
    lost = (missing[:, None] + people.missing_rate).astype(np.float32)
    return Coverage(np.minimum(depth, MAX_DEPTH), noise, noise < lost, score)


def read_biallelic(
    first: np.ndarray,
    second: np.ndarray,
    depth: np.ndarray,
    noise: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the number of reads that show the alternate; all arrays (n_sites, n_people).

    `first` and `second` are the alleles of a person, 0 or 1, equal where there is one copy.
    """
    n_wrong = (noise > 1 - _READ_ERROR * depth).astype(np.int32)
    n_alt = np.where(first & second, depth - n_wrong, n_wrong)
    het = first != second
    n_alt[het] = rng.binomial(depth[het], 0.5)
    return n_alt


def read_multiallelic(
    first: np.ndarray,
    second: np.ndarray,
    n_alleles: int,
    depth: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return reads (n_people, n_alleles) at one site for alleles `first`, `second` (n_people,)."""
    n_people = len(first)
    n_second = np.where(first != second, rng.binomial(depth, 0.5), 0)
    reads = np.zeros((n_people, n_alleles), dtype=np.int64)
    reads[np.arange(n_people), first] = depth - n_second
    reads[np.arange(n_people), second] += n_second
    return reads
