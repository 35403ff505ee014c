"""Genotypes in 2 bits a person: packed, unpacked, and counted over any sets of people.

A genotype is the number of alternate alleles: 0, 1, 2, or `GENOTYPE_MISSING` = 3. Person i of a
variant lies in byte i // 4 at bits 2 * (i % 4), low bits first; a row is padded with zero bits to a
multiple of 8 bytes, so that it can be read as little-endian 64-bit words of 32 people each.

The kernels release the GIL and are spread over threads of our own (`over_rows`): numba's own
`parallel=True` aborts the process when two sessions enter it at once (its workqueue layer) or when
a process forks after it (its OpenMP layer).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

GENOTYPE_MISSING = 3
PEOPLE_PER_WORD = 32

_LOW_BITS = np.uint64(0x5555_5555_5555_5555)  # the low bit of each person of a word
_ONE = np.uint64(1)
_TILE = 64  # variants unpacked together: one cache line of each person's row


def packed_width(n_people: int) -> int:
    """Return the bytes of one packed variant, a multiple of 8."""
    return -(-n_people // PEOPLE_PER_WORD) * 8


def pack(genotypes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return genotypes (n_variants, n_people) packed, (n_variants, packed_width(n_people)).

    Raises ValueError for a genotype above 3.
    """
    n_variants, n_people = genotypes.shape
    packed = np.zeros((n_variants, packed_width(n_people)), np.uint8)
    if n_people and genotypes.size and genotypes.max() > GENOTYPE_MISSING:
        raise ValueError(f"A genotype is 0, 1, 2 or 3 (missing); found {genotypes.max()}.")
    over_rows(_pack, n_variants, _read_only(genotypes), packed)
    return packed


def unpack(packed: NDArray[np.uint8], n_people: int) -> NDArray[np.uint8]:
    """Return packed rows (n_variants, packed_width) as genotypes (n_variants, n_people)."""
    _check_width(packed, n_people)
    genotypes = np.empty((len(packed), n_people), np.uint8)
    over_rows(_unpack, len(packed), _read_only(packed), genotypes)
    return genotypes


def unpack_people(packed: NDArray[np.uint8], people: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return the genotypes of the people chosen by index, (n_chosen, n_variants), contiguous.

    `packed` is (n_variants, packed_width); `people` keeps its order and may repeat.
    Raises IndexError for a person beyond the packed row.
    """
    people = np.asarray(people, np.int64)
    if people.size and not (people.min() >= 0 and people.max() < 4 * packed.shape[1]):
        raise IndexError(
            f"A packed row of {packed.shape[1]} bytes holds people 0 to {4 * packed.shape[1] - 1}; "
            f"asked for {people.min()} to {people.max()}."
        )
    used_bytes, byte_of_person = np.unique(people // 4, return_inverse=True)
    shift_of_person = (2 * (people % 4)).astype(np.uint8)
    genotypes = np.empty((people.size, len(packed)), np.uint8)
    n_tiles = -(-len(packed) // _TILE)
    over_rows(
        _unpack_people,
        n_tiles,
        _read_only(packed),
        used_bytes,
        byte_of_person.astype(np.int64),
        shift_of_person,
        genotypes,
    )
    return genotypes


def people_mask(people: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Return sets of people (n_sets, n_people) as masks (n_sets, n_words) for `count_genotypes`.

    The low bit of each chosen person is set.
    """
    return pack(people.astype(np.uint8)).view("<u8")


def count_genotypes(packed: NDArray[np.uint8], masks: NDArray[np.uint64]) -> NDArray[np.int32]:
    """Return hom-ref, het, hom-alt, missing of each variant in each set, (n_variants, n_sets, 4).

    `packed` is (n_variants, packed_width), `masks` (n_sets, n_words) from `people_mask`. Three
    population counts a set for 64 people: the low bits (het or missing), the high bits (hom-alt or
    missing) and both (missing); hom-ref is what is left of the set.
    """
    if packed.shape[1] != 8 * masks.shape[1]:
        raise ValueError(
            f"A mask of {masks.shape[1]} words fits packed rows of {8 * masks.shape[1]} bytes; "
            f"the rows have {packed.shape[1]}."
        )
    n_sets, n_words = masks.shape
    n_planes = (n_words + 1) // 2
    folded_masks = np.zeros((n_sets, n_planes), np.uint64)
    folded_masks[:] = masks[:, :n_planes]
    folded_masks[:, : n_words - n_planes] |= masks[:, n_planes:] << _ONE
    n_people = np.bitwise_count(folded_masks).sum(axis=1, dtype=np.int64)
    counts = np.empty((len(packed), n_sets, 4), np.int32)
    words = _read_only(packed).view("<u8")
    over_rows(_count_genotypes, len(packed), words, folded_masks, n_people, counts)
    return counts


def over_rows(kernel: Callable[..., None], n_rows: int, *arguments: Any) -> None:
    """Call kernel(start, stop, *arguments) on blocks of rows, in one thread a core.

    The kernel releases the GIL (`njit(nogil=True)`) and writes only rows [start, stop) of its
    results. NUMBA_NUM_THREADS sets the number of threads.
    """
    n_threads: int = config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]  # set at import
    block = max(32, -(-n_rows // (4 * n_threads)))  # four a thread: cores are not equally free
    starts = range(0, n_rows, block)
    if n_threads == 1 or len(starts) < 2:
        kernel(0, n_rows, *arguments)
        return
    with ThreadPoolExecutor(n_threads) as threads:
        stops = (min(start + block, n_rows) for start in starts)
        for _ in threads.map(lambda start, stop: kernel(start, stop, *arguments), starts, stops):
            pass


def _read_only(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a contiguous view that numba compiles for once, whoever owns the memory."""
    view = np.ascontiguousarray(array, np.uint8).view()
    view.flags.writeable = False
    return view


def _check_width(packed: NDArray[np.uint8], n_people: int) -> None:
    if packed.shape[1] != packed_width(n_people):
        raise ValueError(
            f"{n_people} people take packed rows of {packed_width(n_people)} bytes; "
            f"the rows have {packed.shape[1]}."
        )


def _popcount_code(typing_context, word):
    """Count the set bits of a 64-bit word: LLVM's ctpop, one instruction where the CPU has it."""

    def generate(context, builder, signature, arguments):
        word_type = ir.IntType(64)
        ctpop = builder.module.declare_intrinsic("llvm.ctpop", [word_type])
        return builder.call(ctpop, arguments)

    return types.uint64(types.uint64), generate


popcount: Any = intrinsic(_popcount_code)  # numba passes the context, which mypy cannot see


@njit(nogil=True, cache=True)
def _pack(start, stop, genotypes, packed):
    n_people = genotypes.shape[1]
    n_full = n_people // 4
    for variant in range(start, stop):
        row = genotypes[variant]
        for byte in range(n_full):
            person = 4 * byte
            packed[variant, byte] = (
                row[person]
                | (row[person + 1] << 2)
                | (row[person + 2] << 4)
                | (row[person + 3] << 6)
            )
        for person in range(4 * n_full, n_people):
            packed[variant, n_full] |= row[person] << (2 * (person % 4))


@njit(nogil=True, cache=True)
def _unpack(start, stop, packed, genotypes):
    n_people = genotypes.shape[1]
    n_full = n_people // 4
    for variant in range(start, stop):
        row = genotypes[variant]
        for byte in range(n_full):
            four = packed[variant, byte]
            person = 4 * byte
            row[person] = four & 3
            row[person + 1] = (four >> 2) & 3
            row[person + 2] = (four >> 4) & 3
            row[person + 3] = (four >> 6) & 3
        for person in range(4 * n_full, n_people):
            row[person] = (packed[variant, n_full] >> (2 * (person % 4))) & 3


@njit(nogil=True, cache=True)
def _unpack_people(
    start, stop, packed, used_bytes, byte_of_person, shift_of_person, genotypes
):  # rows are tiles of variants
    n_variants = packed.shape[0]
    # A tile of packed bytes is turned once, so that each person is then read and written in line.
    turned = np.empty((used_bytes.size, _TILE), np.uint8)
    for tile in range(start, stop):
        first = tile * _TILE
        n = min(_TILE, n_variants - first)
        for variant in range(n):
            row = packed[first + variant]
            for byte in range(used_bytes.size):
                turned[byte, variant] = row[used_bytes[byte]]
        for person in range(byte_of_person.size):
            fours = turned[byte_of_person[person]]
            shift = shift_of_person[person]
            row_of_person = genotypes[person, first : first + n]
            for variant in range(n):
                row_of_person[variant] = (fours[variant] >> shift) & np.uint8(3)


@njit(nogil=True, cache=True)
def _count_genotypes(start, stop, words, folded_masks, n_people, counts):
    n_words = words.shape[1]
    n_sets, n_planes = folded_masks.shape
    low = np.empty(n_planes, np.uint64)
    high = np.empty(n_planes, np.uint64)
    both = np.empty(n_planes, np.uint64)
    for variant in range(start, stop):
        row = words[variant]
        # Half of the bits of a masked word are idle: fold the second half of the row into them.
        for plane in range(n_words - n_planes):
            here, there = row[plane], row[plane + n_planes]
            low[plane] = (here & _LOW_BITS) | ((there & _LOW_BITS) << _ONE)
            high[plane] = ((here >> _ONE) & _LOW_BITS) | (there & ~_LOW_BITS)
        for plane in range(n_words - n_planes, n_planes):
            low[plane] = row[plane] & _LOW_BITS
            high[plane] = (row[plane] >> _ONE) & _LOW_BITS
        for plane in range(n_planes):
            both[plane] = low[plane] & high[plane]
        for chosen in range(n_sets):
            mask = folded_masks[chosen]
            n_low = np.uint64(0)
            n_high = np.uint64(0)
            n_both = np.uint64(0)
            for plane in range(n_planes):
                n_low += popcount(low[plane] & mask[plane])
                n_high += popcount(high[plane] & mask[plane])
                n_both += popcount(both[plane] & mask[plane])
            n_low_int, n_high_int, n_missing = np.int64(n_low), np.int64(n_high), np.int64(n_both)
            counts[variant, chosen, 0] = n_people[chosen] - n_low_int - n_high_int + n_missing
            counts[variant, chosen, 1] = n_low_int - n_missing
            counts[variant, chosen, 2] = n_high_int - n_missing
            counts[variant, chosen, 3] = n_missing
