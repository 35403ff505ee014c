"""Which variant of another file is which variant of a model: swapped alleles, flipped strands.

Pure: two tables in, rows and kinds out. A single-base variant may be written with its alleles
swapped (PLINK calls the commoner one A2), on the other strand (arrays), or both. Longer variants
have to be written alike, since an insertion with its alleles swapped is a deletion.

A/T and C/G read the same on both strands, so that alleles alone do not tell a swap from a flip.
Such a variant follows the others of its file: where they all lie on the model's strand it is read
as it is written, and where some are flipped it is left unresolved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.schema import plain_chromosome

KINDS = ("exact", "swapped", "flipped", "flipped_swapped", "ambiguous", "missing")
FOUND = KINDS[:4]
_AMBIGUOUS, _MISSING = KINDS.index("ambiguous"), KINDS.index("missing")

# One variant in a hundred may be flipped by an error of its own, before strands count as mixed.
MOST_FLIPPED = 0.01

NO_ALTERNATE = "."
_COMPLEMENT = str.maketrans("ACGT", "TGCA")
_KEY = ["chrom", "pos", "ref", "alt"]


@dataclass(frozen=True, eq=False)
class Matches:
    """For each variant of the model the row of the other table, -1 for none, and the kind.

    Both arrays have shape (n_model_variants,); `kind` is a position in `KINDS`.
    """

    row: NDArray[np.int64]
    kind: NDArray[np.int8]

    @property
    def is_found(self) -> NDArray[np.bool_]:
        return self.row >= 0

    @property
    def is_swapped(self) -> NDArray[np.bool_]:
        """Say where a genotype g of the other table is 2 - g of the model."""
        swapped = [KINDS.index("swapped"), KINDS.index("flipped_swapped")]
        return np.isin(self.kind, swapped)

    def counts(self) -> dict[str, int]:
        """Return the number of variants of each kind."""
        return {kind: int(np.sum(self.kind == i)) for i, kind in enumerate(KINDS)}


def match_alleles(model: pd.DataFrame, other: pd.DataFrame) -> Matches:
    """Return where the variants of `model` stand in `other`.

    Both have columns chrom, pos (1-based), ref, alt; multi-allelic sites are split. `chr1` is `1`,
    letters may be small, and bases that both alleles end with do not count. A row without an
    alternate (`.`) is any variant of its reference that nobody has. Exact matches come before
    swapped, flipped, and both; of equal ones the first row counts.
    """
    ours, theirs = _keys(model), _keys(other)
    first = theirs.drop_duplicates(_KEY).reset_index(names="row")
    is_base = ours["ref"].isin(list("ACGT")) & ours["alt"].isin(list("ACGT"))
    flipped = ours.assign(ref=_complement(ours["ref"]), alt=_complement(ours["alt"]))
    # A palindromic variant has the same letters on both strands: flips are not looked for.
    is_palindromic = (is_base & (flipped["ref"] == ours["alt"])).to_numpy()
    allowed = is_base.to_numpy()
    rows = np.stack(
        [
            _look_up(ours, first),
            np.where(allowed, _look_up(_swap(ours), first), -1),
            np.where(allowed & ~is_palindromic, _look_up(flipped, first), -1),
            np.where(allowed & ~is_palindromic, _look_up(_swap(flipped), first), -1),
        ]
    )
    assert rows.shape == (len(FOUND), len(model))
    found = (rows >= 0).any(axis=0)
    kind = np.where(found, (rows >= 0).argmax(axis=0), _MISSING)
    row = rows[(rows >= 0).argmax(axis=0), np.arange(len(model))]  # -1 where none is
    unclear = is_palindromic & found & _is_unclear(kind, allowed & ~is_palindromic & found)
    return Matches(
        np.where(unclear, -1, row).astype(np.int64),
        np.where(unclear, _AMBIGUOUS, kind).astype(np.int8),
    )


def _is_unclear(kind: NDArray[np.intp], is_witness: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which palindromic variants cannot be read; witnesses tell the strand of the file."""
    of_witnesses = kind[is_witness]
    if not len(of_witnesses):
        return kind == KINDS.index("swapped")
    share = np.mean(of_witnesses >= KINDS.index("flipped"))
    return np.full(len(kind), share > MOST_FLIPPED)


def _keys(variants: pd.DataFrame) -> pd.DataFrame:
    """Return what is compared, one row a variant."""
    chrom = variants["chrom"].astype(str)
    names = {name: plain_chromosome(name) for name in chrom.unique()}
    ref, alt = variants["ref"].astype(str).str.upper(), variants["alt"].astype(str).str.upper()
    long = np.flatnonzero(((ref.str.len() > 1) & (alt.str.len() > 1)).to_numpy())
    if len(long):
        short = [_without_shared_end(ref.iloc[i], alt.iloc[i]) for i in long]
        ref, alt = ref.to_numpy(object).copy(), alt.to_numpy(object).copy()
        ref[long], alt[long] = [r for r, _ in short], [a for _, a in short]
    return pd.DataFrame(
        {
            "chrom": chrom.map(names).to_numpy(object),
            "pos": variants["pos"].to_numpy(np.int64),
            "ref": np.asarray(ref, object),
            "alt": np.asarray(alt, object),
        }
    )


def _without_shared_end(ref: str, alt: str) -> tuple[str, str]:
    """Return both alleles without the bases that both end with, at least one base each.

    The rows of a split site carry the bases that its other alternates needed.
    """
    if not (ref.isalpha() and alt.isalpha()) or ref == alt:
        return ref, alt
    while len(ref) > 1 and len(alt) > 1 and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    return ref, alt


def _complement(alleles: pd.Series) -> pd.Series:
    return alleles.map({base: base.translate(_COMPLEMENT) for base in "ACGT"})


def _swap(keys: pd.DataFrame) -> pd.DataFrame:
    return keys.assign(ref=keys["alt"], alt=keys["ref"])


def _look_up(keys: pd.DataFrame, first: pd.DataFrame) -> NDArray[np.int64]:
    """Return the row of each key in `first` (unique keys with their `row`), -1 where it is not.

    A key that is not there may stand without an alternate, where nobody has one.
    """
    rows = keys.merge(first, how="left", on=_KEY)["row"]
    bare = keys.assign(alt=NO_ALTERNATE).merge(first, how="left", on=_KEY)["row"]
    return rows.fillna(bare).fillna(-1).to_numpy(np.int64)
