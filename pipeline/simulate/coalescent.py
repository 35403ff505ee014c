"""The variant sites of one gene, from a coalescent with recombination in two populations."""

from __future__ import annotations

from dataclasses import dataclass

import msprime
import numpy as np
import tskit

from pipeline.simulate.genes import Gene
from pipeline.simulate.randomness import Stream, generator

# Tried: FST near 0.0024, 87 % of variants below 1 %, Ti/Tv near 2.9 (JC69 would give 0.5).
_ANCESTRAL_SIZE = 10_000
_X_SIZE_RATIO = 0.75
_GROWTH_RATE = 0.01
_GROWTH_GENERATIONS = 400
_SPLIT_GENERATIONS = 500
_MIGRATION_RATE = 1e-3
_RECOMBINATION_RATE = 1e-8
_MUTATION_RATE = 1.25e-8
_KAPPA = 6.0
_INDEL_FRACTION = 0.055
# A short tandem repeat: one base that mutates so often that it shows several alleles.
_REPEAT_RATE = 3e-6
_REPEAT_FRACTION = 0.35
_LONGEST_INDEL = 20
_BASES = np.array(list("ACGT"))


@dataclass(frozen=True)
class Site:
    """One variant site as a VCF row tells it.

    `alleles` (n_haplotypes,) indexes `(ref, *alts)`. An alternate `*` is the lack of the site on a
    haplotype from which an earlier deletion took it.
    """

    pos: int
    ref: str
    alts: tuple[str, ...]
    alleles: np.ndarray


@dataclass
class _Locus:
    """A site in the making; `texts` by allele, `deleted` bases after pos by allele."""

    pos: int
    texts: list[str]
    deleted: list[int]
    alleles: np.ndarray


def simulate_gene(gene: Gene, n_haplotypes: tuple[int, int], seed: int) -> list[Site]:
    """Return the variant sites of a gene in order of position, for haplotypes of both populations.

    One more haplotype of the first population is the reference genome: so a reference allele can
    be the rarer one, as in life. Recurrent mutations give sites with several alternates.
    """
    rng = generator(seed, Stream.COALESCENT, gene.index)
    trees = msprime.sim_ancestry(
        samples={"north": n_haplotypes[0] + 1, "south": n_haplotypes[1]},
        demography=_demography(_X_SIZE_RATIO if gene.is_x_linked else 1.0),
        ploidy=1,
        sequence_length=gene.end - gene.start + 1,
        recombination_rate=_RECOMBINATION_RATE,
        random_seed=int(rng.integers(1, 2**31)),
        record_provenance=False,
    )
    sequence = _BASES[rng.integers(4, size=gene.end - gene.start + 2 + _LONGEST_INDEL)]
    repeat = _repeat_offset(gene, rng)
    loci, indels = [], []
    for offset, texts, alleles in _mutate(trees, _mutation_rates(gene, repeat), rng):
        if offset == repeat or rng.random() < _INDEL_FRACTION:
            indels.append((offset, alleles))
        else:
            sequence[offset] = texts[0]
            loci.append(_Locus(offset, texts, [0] * len(texts), alleles))
    # From the right, so that the reference text of a deletion holds what lies inside it.
    loci += [_indel(offset, alleles, sequence, rng) for offset, alleles in reversed(indels)]
    loci.sort(key=lambda locus: locus.pos)
    _spread_deletions(loci)
    sites = (_site(locus, gene.start) for locus in loci)
    return [site for site in sites if site is not None]


def _demography(size_ratio: float) -> msprime.Demography:
    """Return two populations that split a short while ago, exchange migrants and grow."""
    size = _ANCESTRAL_SIZE * size_ratio
    demography = msprime.Demography()
    demography.add_population(name="ancestral", initial_size=size)
    for name in ("north", "south"):
        demography.add_population(
            name=name,
            initial_size=size * np.exp(_GROWTH_RATE * _GROWTH_GENERATIONS),
            growth_rate=_GROWTH_RATE,
        )
        demography.add_population_parameters_change(
            time=_GROWTH_GENERATIONS, population=name, initial_size=size, growth_rate=0
        )
    demography.set_symmetric_migration_rate(["north", "south"], _MIGRATION_RATE)
    demography.add_population_split(
        time=_SPLIT_GENERATIONS, derived=["north", "south"], ancestral="ancestral"
    )
    return demography


def _repeat_offset(gene: Gene, rng: np.random.Generator) -> int | None:
    """Return where the gene's short tandem repeat is, counted from the gene's start, or None."""
    if rng.random() >= _REPEAT_FRACTION:
        return None
    start, end = gene.exons[int(rng.integers(len(gene.exons)))]
    return int(rng.integers(start, end)) - gene.start


def _mutation_rates(gene: Gene, repeat: int | None) -> msprime.RateMap:
    """Return the mutation map: 0 in introns, high at the one base of a repeat."""
    edges, rates = [0], []
    for start, end in gene.exons:
        if start > gene.start:
            edges.append(start - gene.start)
            rates.append(0.0)
        edges.append(end - gene.start + 1)
        rates.append(_MUTATION_RATE)
    flat = msprime.RateMap(position=edges, rate=rates)
    if repeat is None:
        return flat
    positions = np.unique([*edges, repeat, repeat + 1])
    rates = flat.get_rate(positions[:-1])
    rates[np.searchsorted(positions, repeat)] = _REPEAT_RATE
    return msprime.RateMap(position=positions, rate=rates)


def _mutate(
    trees: tskit.TreeSequence, rates: msprime.RateMap, rng: np.random.Generator
) -> list[tuple[int, list[str], np.ndarray]]:
    """Return (offset, allele texts, alleles) of sites that vary; the reference allele is number 0.

    Haplotype 0 of the trees is the reference and is left out of `alleles`.
    """
    mutated = msprime.sim_mutations(
        trees,
        rate=rates,
        model=msprime.HKY(kappa=_KAPPA),
        random_seed=int(rng.integers(1, 2**31)),
        record_provenance=False,
    )
    sites = []
    for variant in mutated.variants():
        genotypes = variant.genotypes
        present = np.flatnonzero(np.bincount(genotypes[1:]))
        reference = int(genotypes[0])
        others = [int(k) for k in present if k != reference]
        if not others:
            continue
        number = np.zeros(len(variant.alleles), dtype=np.int8)
        number[others] = np.arange(1, len(others) + 1)
        texts = [variant.alleles[k] for k in (reference, *others)]
        sites.append((int(variant.site.position), texts, number[genotypes[1:]]))
    return sites


def _indel(
    offset: int, alleles: np.ndarray, sequence: np.ndarray, rng: np.random.Generator
) -> _Locus:
    """Return a locus whose alternates insert or delete bases after the anchor at `offset`.

    The anchor differs from the last base of each insertion and deletion, so all are left-aligned.
    Writes the anchor into `sequence`.
    """
    n_alts = int(alleles.max())
    lengths = np.minimum(rng.geometric(0.35, size=n_alts), _LONGEST_INDEL)
    is_deletion = rng.random(n_alts) < 0.6
    deletions: list[int] = []
    insertions: list[str] = []
    deleted = [0]
    for length, deletes in zip(lengths.tolist(), is_deletion.tolist(), strict=True):
        if deletes and length not in deletions:
            deletions.append(length)
            deleted.append(length)
        else:
            deleted.append(0)
    last_bases = {str(sequence[offset + length]) for length in deletions}
    anchors = [base for base in "ACGT" if base not in last_bases] or ["A"]
    anchor = anchors[int(rng.integers(len(anchors)))]
    sequence[offset] = anchor
    tail = "".join(sequence[offset + 1 : offset + 1 + max(deleted)])
    texts = [anchor + tail]
    for length, n_deleted in zip(lengths.tolist(), deleted[1:], strict=True):
        if n_deleted:
            texts.append(anchor + tail[n_deleted:])
            continue
        inserted = _insertion(length, anchor, rng)
        while inserted in insertions:
            inserted = _insertion(len(inserted) + 1, anchor, rng)
        insertions.append(inserted)
        texts.append(anchor + inserted + tail)
    return _Locus(offset, texts, deleted, alleles)


def _insertion(length: int, anchor: str, rng: np.random.Generator) -> str:
    last = [base for base in "ACGT" if base != anchor][int(rng.integers(3))]
    return "".join(_BASES[rng.integers(4, size=length - 1)]) + last


def _spread_deletions(loci: list[_Locus]) -> None:
    """Mark the loci that a deletion takes away with the allele `*` on its haplotypes."""
    for i, locus in enumerate(loci):
        for allele, n_deleted in enumerate(locus.deleted):
            if not n_deleted:
                continue
            carriers = locus.alleles == allele
            for inner in loci[i + 1 :]:
                if inner.pos > locus.pos + n_deleted:
                    break
                if "*" not in inner.texts:
                    inner.texts.append("*")
                    inner.deleted.append(0)
                inner.alleles[carriers] = inner.texts.index("*")


def _site(locus: _Locus, first_base: int) -> Site | None:
    """Return the site with the alternates that somebody carries, or None when only `*` is left."""
    present = (np.flatnonzero(np.bincount(locus.alleles)[1:]) + 1).tolist()
    if all(locus.texts[k] == "*" for k in present):
        return None
    number = np.zeros(len(locus.texts), dtype=np.int8)
    number[present] = np.arange(1, len(present) + 1)
    alts = tuple(locus.texts[k] for k in present)
    return Site(first_base + locus.pos, locus.texts[0], alts, number[locus.alleles])
