"""KING-robust kinship of all pairs, and what follows from it: relatives, groups, who to keep.

Manichaikul et al. 2010, Robust relationship inference in genome-wide association studies,
Bioinformatics 26:2867-2873, equation 11, the between-family estimator: of the variants called in
both, it compares how often both are heterozygous with how often they are opposite homozygotes
(IBS0), and so needs no allele frequencies and no single population.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.genotypes import over_rows, popcount, unpack_people
from pipeline.progress import Clock, OnProgress, silent
from pipeline.structure.planes import Planes, bit_planes

_BLOCK = 64  # people compared with all who follow in one step
_PEOPLE_TURNED = 512  # people unpacked together


@dataclass(frozen=True, eq=False)
class Relatives:
    """Pairs of relatives, each array (n_pairs,); `first` < `second` are sample indices.

    `kinship` is 0.5 for duplicates and 0.25 for first degree, `ibs0` the share of `n_variants`
    (called in both) at which the two are opposite homozygotes.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    kinship: NDArray[np.float64]
    ibs0: NDArray[np.float64]
    n_variants: NDArray[np.int64]

    def above(self, min_kinship: float) -> Relatives:
        """Return the pairs of at least this kinship."""
        rows = np.flatnonzero(self.kinship >= min_kinship)
        return Relatives(
            self.first[rows],
            self.second[rows],
            self.kinship[rows],
            self.ibs0[rows],
            self.n_variants[rows],
        )


def find_relatives(
    packed: NDArray[np.uint8],
    n_people: int,
    min_kinship: float,
    on_progress: OnProgress = silent,
) -> Relatives:
    """Return the pairs of people of at least `min_kinship`, sorted by both indices.

    `packed` is (n_variants, packed_width). Every pair is looked at, by counting bits; memory is
    three bits a genotype.
    """
    planes = person_planes(packed, n_people)
    clock = Clock("comparing people", on_progress)
    n_pairs = n_people * (n_people - 1) // 2
    found = []
    counts = np.empty((n_people, _BLOCK, 5), np.int32)
    for start in range(0, n_people, _BLOCK):
        stop = min(start + _BLOCK, n_people)
        n_later = n_people - start
        over_rows(_count_pairs, n_later, *planes, start, stop, counts)
        here = counts[:n_later, : stop - start].transpose(1, 0, 2)
        n_variants, n_het_both, n_ibs0, n_het_first, n_het_second = np.moveaxis(here, 2, 0)
        kinship = king_kinship(n_het_both, n_ibs0, n_het_first, n_het_second)
        block, later = np.nonzero(kinship >= min_kinship)
        is_pair = later > block
        block, later = block[is_pair], later[is_pair]
        n_shared = n_variants[block, later].astype(np.int64)
        found.append(
            (
                start + block,
                start + later,
                kinship[block, later],
                n_ibs0[block, later] / n_shared,
                n_shared,
            )
        )
        n_left = (n_people - stop) * (n_people - stop - 1) // 2
        clock.report(1 - n_left / max(n_pairs, 1), f"{n_pairs - n_left:,} of {n_pairs:,} pairs")
    return Relatives(*map(np.concatenate, zip(*found, strict=True)))


def king_kinship(
    n_het_both: NDArray[np.integer],
    n_ibs0: NDArray[np.integer],
    n_het_first: NDArray[np.integer],
    n_het_second: NDArray[np.integer],
) -> NDArray[np.float64]:
    """Return kinship from counts over the variants called in both, any shape.

    NaN where one of the two is nowhere heterozygous.
    """
    fewer = np.minimum(n_het_first, n_het_second).astype(np.float64)
    more = np.maximum(n_het_first, n_het_second).astype(np.float64)
    excess = 2.0 * n_het_both - 4.0 * n_ibs0 + fewer - more
    return np.divide(excess, 4 * fewer, out=np.full(excess.shape, np.nan), where=fewer > 0)


def relation_names(kinship: NDArray[np.floating]) -> NDArray[np.str_]:
    """Return what each kinship stands for, by the cuts of KING (powers of two, half-way)."""
    cuts = [2**-4.5, 2**-3.5, 2**-2.5, 2**-1.5]
    names = np.array(["distant", "third degree", "second degree", "first degree", "duplicate"])
    return names[np.searchsorted(cuts, kinship, side="right")]


def person_planes(packed: NDArray[np.uint8], n_people: int) -> Planes:
    """Return the genotypes of each person over the variants, planes (n_people, n_words)."""
    parts = [
        bit_planes(unpack_people(packed, np.arange(start, min(start + _PEOPLE_TURNED, n_people))))
        for start in range(0, n_people, _PEOPLE_TURNED)
    ]
    return Planes(*map(np.concatenate, zip(*parts, strict=True)))


def relative_groups(relatives: Relatives, n_people: int) -> NDArray[np.int64]:
    """Return the group of each person, (n_people,): relatives of relatives share one.

    A person without relatives is a group alone; groups are numbered by their first member.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array(
        (np.ones(len(relatives.first), np.int8), (relatives.first, relatives.second)),
        shape=(n_people, n_people),
    )
    _, labels = connected_components(links, directed=False)
    _, first_member, group = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first_member))[group].astype(np.int64)


def people_to_leave_out(relatives: Relatives, call_rate: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the sample indices to leave out so that no pair of `relatives` is left, sorted.

    People are taken by call rate (n_people,), the highest first and then by sample order; one
    is left out when a relative was taken before. A missing call rate comes last.
    """
    neighbours: dict[int, list[int]] = {}
    for first, second in zip(relatives.first.tolist(), relatives.second.tolist(), strict=True):
        neighbours.setdefault(first, []).append(second)
        neighbours.setdefault(second, []).append(first)
    rate = np.nan_to_num(np.asarray(call_rate, np.float64), nan=-1.0)
    kept: set[int] = set()
    left_out = []
    for person in sorted(neighbours, key=lambda person: (-rate[person], person)):
        if kept.isdisjoint(neighbours[person]):
            kept.add(person)
        else:
            left_out.append(person)
    return np.array(sorted(left_out), np.int64)


@njit(nogil=True, cache=True)
def _count_pairs(start, stop, hom_ref: Any, het: Any, hom_alt: Any, first, end, counts):
    # Rows are the people from `first` on, each against the block [first, end).
    n_words = het.shape[1]
    for row in range(start, stop):
        ref2, het2, alt2 = hom_ref[first + row], het[first + row], hom_alt[first + row]
        for person in range(first, min(end, first + row)):
            ref1, het1, alt1 = hom_ref[person], het[person], hom_alt[person]
            n, n_both, n_ibs0 = np.uint64(0), np.uint64(0), np.uint64(0)
            n_het1, n_het2 = np.uint64(0), np.uint64(0)
            for word in range(n_words):
                r1, h1, a1 = ref1[word], het1[word], alt1[word]
                r2, h2, a2 = ref2[word], het2[word], alt2[word]
                called1, called2 = r1 | h1 | a1, r2 | h2 | a2
                n += popcount(called1 & called2)
                n_both += popcount(h1 & h2)
                n_ibs0 += popcount((r1 & a2) | (a1 & r2))
                n_het1 += popcount(h1 & called2)
                n_het2 += popcount(h2 & called1)
            cell = counts[row, person - first]
            cell[0], cell[1], cell[2], cell[3], cell[4] = n, n_both, n_ibs0, n_het1, n_het2
        for person in range(max(first, first + row), end):
            counts[row, person - first, :] = 0  # itself and those before: met from the other side
