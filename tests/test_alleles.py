"""Matching of alleles: cases by hand, and a slow reference that reads one variant at a time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.alleles import FOUND, KINDS, MOST_FLIPPED, match_alleles

PAIR = {"A": "T", "C": "G", "G": "C", "T": "A"}
# Single-base variants of which nobody could doubt the strand.
WITNESSES = ["1 1 A C", "1 2 A G", "1 3 C T"]


def table(*variants: str) -> pd.DataFrame:
    rows = [text.split() for text in variants]
    frame = pd.DataFrame(rows, columns=["chrom", "pos", "ref", "alt"])
    return frame.astype({"pos": int})


def kinds(model: pd.DataFrame, other: pd.DataFrame) -> list[str]:
    return [KINDS[i] for i in match_alleles(model, other).kind]


@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [
        ("1 9 A C", "1 9 A C", "exact"),
        ("1 9 A C", "chr1 9 a c", "exact"),
        ("MT 9 A C", "chrM 9 A C", "exact"),
        ("X 9 A C", "23 9 A C", "exact"),
        ("1 9 A C", "1 9 C A", "swapped"),
        ("1 9 A C", "1 9 T G", "flipped"),
        ("1 9 A C", "1 9 G T", "flipped_swapped"),
        ("1 9 A C", "1 9 A G", "missing"),
        ("1 9 A C", "1 10 A C", "missing"),
        ("1 9 A C", "2 9 A C", "missing"),
        ("1 9 A T", "1 9 A T", "exact"),
        ("1 9 A T", "1 9 T A", "ambiguous"),
        ("1 9 AT A", "1 9 AT A", "exact"),
        ("1 9 AT A", "1 9 A AT", "missing"),
        ("1 9 AT A", "1 9 TA T", "missing"),
        ("1 9 AC GT", "1 9 GT AC", "missing"),
        # The second alternate of a site that a deletion made longer.
        ("1 9 ATT GTT", "1 9 A G", "exact"),
        ("1 9 ATT AT", "1 9 AT A", "exact"),
        ("1 9 ATG CTG", "1 9 GCC TCC", "flipped_swapped"),
        ("1 9 A *", "1 9 A *", "exact"),
        ("1 9 A <DEL>", "1 9 A <DEL>", "exact"),
        # Nobody of the other cohort has the alternate, or the reference.
        ("1 9 A C", "1 9 A .", "exact"),
        ("1 9 A C", "1 9 C .", "swapped"),
        ("1 9 A C", "1 9 T .", "flipped"),
        ("1 9 AT A", "1 9 AT .", "exact"),
        ("1 9 AT A", "1 9 A .", "missing"),
    ],
)
def test_one_variant_alone(ours, theirs, kind):
    assert kinds(table(ours), table(theirs)) == [kind]


def test_the_others_tell_the_strand_of_a_palindromic_variant():
    model = table(*WITNESSES, "1 9 A T", "1 10 G C")
    as_written = table(*WITNESSES, "1 9 T A", "1 10 G C")
    assert kinds(model, as_written)[3:] == ["swapped", "exact"]
    flipped = table("1 1 T G", *WITNESSES[1:], "1 9 T A", "1 10 G C")
    found = match_alleles(model, flipped)
    assert [KINDS[i] for i in found.kind] == [
        "flipped", "exact", "exact", "ambiguous", "ambiguous",
    ]  # fmt: skip
    assert found.row.tolist() == [0, 1, 2, -1, -1]


def test_an_exact_row_comes_before_any_other_and_the_first_before_the_second():
    other = table("1 9 C A", "1 9 A C", "1 9 A C")
    found = match_alleles(table("1 9 A C"), other)
    assert found.row.tolist() == [1]
    assert found.counts()["exact"] == 1


def test_nothing_to_match_with():
    found = match_alleles(table(*WITNESSES), table())
    assert found.row.tolist() == [-1, -1, -1]
    assert found.counts() == dict.fromkeys(KINDS, 0) | {"missing": 3}
    assert len(match_alleles(table(), table(*WITNESSES)).row) == 0


def slowly(model: pd.DataFrame, other: pd.DataFrame) -> tuple[list[int], list[str]]:
    """Return rows and kinds, one variant of one base after another."""
    lines = [tuple(line) for line in other.itertuples(index=False)]
    rows, found = [], []
    for chrom, pos, ref, alt in model.itertuples(index=False):
        written = {"exact": (ref, alt), "swapped": (alt, ref)}
        if PAIR[ref] != alt:
            written |= {"flipped": (PAIR[ref], PAIR[alt])}
            written |= {"flipped_swapped": (PAIR[alt], PAIR[ref])}
        row, kind = -1, "missing"
        for name, (first, second) in written.items():
            for wanted in ((chrom, pos, first, second), (chrom, pos, first, ".")):
                if row < 0 and wanted in lines:
                    row, kind = lines.index(wanted), name
        rows.append(row)
        found.append(kind)
    palindromic = [PAIR[v.ref] == v.alt for v in model.itertuples()]
    told = [k for k, p in zip(found, palindromic, strict=True) if not p and k != "missing"]
    is_mixed = sum("flipped" in k for k in told) > MOST_FLIPPED * len(told)
    for i, kind in enumerate(found):
        if palindromic[i] and kind != "missing" and (is_mixed or (not told and kind == "swapped")):
            rows[i], found[i] = -1, "ambiguous"
    return rows, found


_BASE = st.sampled_from("ACGT")
_PLACE = st.tuples(st.sampled_from(["1", "X"]), st.integers(1, 4))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(_PLACE, _BASE, _BASE).filter(lambda v: v[1] != v[2]), max_size=12),
    st.lists(
        st.tuples(_PLACE, _BASE, st.sampled_from("ACGT.")).filter(lambda v: v[1] != v[2]),
        max_size=12,
    ),
)
def test_as_a_slow_reference(ours, theirs):
    model, other = (
        table(*(f"{chrom} {pos} {ref} {alt}" for (chrom, pos), ref, alt in rows))
        for rows in (ours, theirs)
    )
    found = match_alleles(model, other)
    rows, wanted = slowly(model, other)
    assert [KINDS[i] for i in found.kind] == wanted
    assert found.row.tolist() == rows
    assert (found.is_found == [kind in FOUND for kind in wanted]).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_file_written_in_any_way_leads_back_to_its_own_rows(seed):
    """Order, strand and side of each variant are changed; palindromic ones may stay unresolved."""
    rng = np.random.default_rng(seed)
    pairs = [("A", "C"), ("A", "G"), ("T", "C"), ("A", "T"), ("C", "G")]
    model = table(*(f"1 {i} {' '.join(pairs[rng.integers(len(pairs))])}" for i in range(30)))
    other = model.copy()
    swap, flip = rng.random(30) < 0.5, rng.random(30) < 0.5
    alleles = model[["ref", "alt"]].to_numpy(object).copy()
    alleles[swap] = alleles[swap][:, ::-1]
    alleles[flip] = np.vectorize(PAIR.get, otypes=[object])(alleles[flip].reshape(-1, 2))
    other[["ref", "alt"]] = alleles
    order = rng.permutation(30)
    found = match_alleles(model, other.iloc[order].reset_index(drop=True))
    place = np.empty(30, int)
    place[order] = np.arange(30)
    resolved = found.is_found
    np.testing.assert_array_equal(found.row[resolved], place[resolved])
    palindromic = np.array([PAIR[v.ref] == v.alt for v in model.itertuples()])
    np.testing.assert_array_equal(found.is_swapped[~palindromic], swap[~palindromic])
    assert resolved[~palindromic].all()
