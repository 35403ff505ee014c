"""Coding sequences as numbers, and what a change of one does to its protein.

A base is 0-3 in the order T, C, A, G, that of the tables of genetic codes, and 4 where it is not
known; the complement of a base is `base ^ 2`.
"""

from __future__ import annotations

import numpy as np

UNKNOWN = 4
# NCBI's genetic codes 1 and 2 (vertebrate mitochondria).
STANDARD = np.frombuffer(
    b"FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG", np.uint8
)
MITOCHONDRIAL = np.frombuffer(
    b"FFLLSSSSYY**CCWWLLLLPPPPHHQQRRRRIIMMTTTTNNKKSS**VVVVAAAADDEEGGGG", np.uint8
)
_STOP, _START, _NOT_KNOWN = ord("*"), ord("M"), ord("X")

BASE = np.full(256, UNKNOWN, np.uint8)
for _code, _letter in enumerate("TCAG"):
    BASE[ord(_letter)] = BASE[ord(_letter.lower())] = _code

TERMS = (
    "synonymous_variant", "missense_variant", "stop_gained", "stop_lost", "stop_retained_variant",
    "start_lost", "coding_sequence_variant", "incomplete_terminal_codon_variant",
)  # fmt: skip
_CODE = {term: code for code, term in enumerate(TERMS)}


def bases_of(text: str) -> np.ndarray:
    """Return the bases of a text, uint8 (n,)."""
    return BASE[np.frombuffer(text.encode("ascii"), np.uint8)]


def complement(bases: np.ndarray) -> np.ndarray:
    """Return the complement of each base; what is not known stays so."""
    return np.where(bases == UNKNOWN, UNKNOWN, bases ^ 2).astype(np.uint8)


def translate(codons: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Return the amino acids of codons (n, 3), as ASCII (n,); `X` where a base is not known."""
    number = codons[:, 0].astype(np.int64) * 16 + codons[:, 1] * 4 + codons[:, 2]
    known = (codons < UNKNOWN).all(axis=1)
    return np.where(known, table[np.where(known, number, 0)], _NOT_KNOWN)


def changes_of_bases(
    codons: np.ndarray,
    place: np.ndarray,
    alternate: np.ndarray,
    is_start: np.ndarray,
    is_end: np.ndarray,
    table: np.ndarray,
) -> np.ndarray:
    """Return the term, as a number in `TERMS`, of single bases changed in codons (n, 3).

    `place` (0-2) is changed to `alternate`; `is_start` and `is_end` tell the first and the last
    codon of a whole sequence. A stop codon within counts as an amino acid (selenocysteine).
    """
    changed = codons.copy()
    changed[np.arange(len(codons)), place] = alternate
    before, after = translate(codons, table), translate(changed, table)
    stops = before == _STOP
    return np.select(
        [
            (before == _NOT_KNOWN) | (after == _NOT_KNOWN),
            is_start & (before == _START) & (after != _START),
            stops & is_end & (after == _STOP),
            stops & is_end,
            before == after,
            after == _STOP,
        ],
        [
            _CODE[term]
            for term in ("coding_sequence_variant", "start_lost", "stop_retained_variant",
                         "stop_lost", "synonymous_variant", "stop_gained")
        ],
        _CODE["missense_variant"],
    )  # fmt: skip


def change_of_stretch(
    sequence: np.ndarray, start: int, n_ref: int, alternate: np.ndarray, table: np.ndarray
) -> str:
    """Return the term of `n_ref` bases of a coding sequence replaced by `alternate`.

    `sequence` (n,) begins with a whole codon; `start` counts from 0. Where the frame is kept the
    codons touched are compared, and an insertion or deletion is one whatever else it changes,
    unless it makes or takes a stop codon or takes the start.
    """
    if (len(alternate) - n_ref) % 3:
        return "frameshift_variant"
    first = start // 3 * 3
    last = -(-(start + n_ref) // 3) * 3
    if n_ref == 0 and start % 3:
        last = first + 3
    if last > len(sequence):
        return "incomplete_terminal_codon_variant"
    before = translate(sequence[first:last].reshape(-1, 3), table)
    mended = np.concatenate([sequence[first:start], alternate, sequence[start + n_ref : last]])
    after = translate(mended.reshape(-1, 3), table)
    if _NOT_KNOWN in before or _NOT_KNOWN in after:
        return "coding_sequence_variant"
    at_end = last == len(sequence) and len(before) > 0 and before[-1] == _STOP
    if first == 0 and len(before) and before[0] == _START:
        following = after if len(after) else translate(sequence[last : last + 3][None], table)
        if following[0] != _START:
            return "start_lost"
    if at_end and _STOP not in after:
        return "stop_lost"
    if _STOP in (after[:-1] if at_end else after) and _STOP not in before[:-1]:
        return "stop_gained"
    if len(alternate) > n_ref:
        return "inframe_insertion"
    if len(alternate) < n_ref:
        return "inframe_deletion"
    if not np.array_equal(before, after):
        return "missense_variant"
    return "stop_retained_variant" if at_end and len(before) == 1 else "synonymous_variant"
