"""Packing is lossless, and counting agrees with counting one by one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np

from pipeline.genotypes import (
    count_genotypes,
    over_rows,
    pack,
    packed_width,
    people_mask,
    unpack,
    unpack_people,
)

# Around the borders of bytes (4 people), words (32) and folded words (64).
n_people_near_borders = st.sampled_from([0, 1, 3, 4, 5, 31, 32, 33, 63, 64, 65, 96, 97, 200])


@st.composite
def genotype_tables(draw):
    shape = draw(st.integers(0, 70)), draw(n_people_near_borders)
    seed = draw(st.integers(0, 2**32 - 1))
    return np.random.default_rng(seed).integers(0, 4, shape, dtype=np.uint8)


def count_by_hand(genotypes: np.ndarray, sets: np.ndarray) -> np.ndarray:
    return np.array(
        [[[(row[people] == g).sum() for g in range(4)] for people in sets] for row in genotypes]
    ).reshape(len(genotypes), len(sets), 4)


def test_pack__layout_by_hand():
    packed = pack(np.array([[1, 2, 3, 0, 2]], np.uint8))
    assert packed.tolist() == [[0b00_11_10_01, 0b10, 0, 0, 0, 0, 0, 0]]
    assert people_mask(np.array([[True, False, True]])).tolist() == [[0b01_00_01]]


@pytest.mark.parametrize(("n_people", "width"), [(0, 0), (1, 8), (32, 8), (33, 16), (12380, 3096)])
def test_packed_width(n_people, width):
    assert packed_width(n_people) == width


@settings(deadline=None)
@given(genotype_tables())
def test_pack_unpack__round_trip(genotypes):
    packed = pack(genotypes)
    assert packed.shape == (len(genotypes), packed_width(genotypes.shape[1]))
    np.testing.assert_array_equal(unpack(packed, genotypes.shape[1]), genotypes)


@settings(deadline=None)
@given(genotype_tables(), st.data())
def test_unpack_people__any_order_and_repeats(genotypes, data):
    n_people = genotypes.shape[1]
    person = st.integers(0, n_people - 1)
    people = np.array(data.draw(st.lists(person, max_size=90) if n_people else st.just([])), int)
    chosen = unpack_people(pack(genotypes), people)
    assert chosen.flags.c_contiguous
    np.testing.assert_array_equal(chosen, genotypes[:, people].T)


@settings(deadline=None)
@given(genotype_tables(), st.data())
def test_count_genotypes__by_hand(genotypes, data):
    n_sets = data.draw(st.integers(0, 4))
    sets = data.draw(st_np.arrays(bool, (n_sets, genotypes.shape[1])))
    counts = count_genotypes(pack(genotypes), people_mask(sets))
    assert counts.dtype == np.int32
    np.testing.assert_array_equal(counts, count_by_hand(genotypes, sets))


def test_many_rows_are_split_over_threads():
    genotypes = np.random.default_rng(1).integers(0, 4, (5000, 70), dtype=np.uint8)
    sets = np.random.default_rng(2).random((3, 70)) < 0.5
    packed = pack(genotypes)
    np.testing.assert_array_equal(unpack(packed, 70), genotypes)
    np.testing.assert_array_equal(unpack_people(packed, np.arange(70)), genotypes.T)
    counts = count_genotypes(packed, people_mask(sets))
    for chosen, people in enumerate(sets):
        for genotype in range(4):
            expected = (genotypes[:, people] == genotype).sum(axis=1)
            np.testing.assert_array_equal(counts[:, chosen, genotype], expected)


def test_over_rows__each_row_once_and_errors_pass_through():
    visits = np.zeros(10_001, int)

    def visit(start, stop, rows):
        rows[start:stop] += 1

    over_rows(visit, len(visits), visits)
    assert (visits == 1).all()

    def fail(start, stop):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        over_rows(fail, 10_000)


def test_sessions_may_count_at_once():
    genotypes = np.random.default_rng(5).integers(0, 4, (2000, 70), dtype=np.uint8)
    packed, everybody = pack(genotypes), people_mask(np.ones((1, 70), bool))
    expected = count_genotypes(packed, everybody)
    with ThreadPoolExecutor(4) as sessions:
        for counts in sessions.map(lambda _: count_genotypes(packed, everybody), range(20)):
            np.testing.assert_array_equal(counts, expected)


def test_packed_rows_may_be_read_only_and_strided():
    """As they come out of a database BLOB, or as every second variant."""
    genotypes = np.random.default_rng(3).integers(0, 4, (10, 40), dtype=np.uint8)
    blob = b"x" + pack(genotypes).tobytes()
    packed = np.frombuffer(blob, np.uint8, offset=1).reshape(10, -1)
    np.testing.assert_array_equal(unpack(packed[::2], 40), genotypes[::2])
    everybody = people_mask(np.ones((1, 40), bool))
    counts = count_genotypes(packed, everybody)[:, 0]
    np.testing.assert_array_equal(counts, count_by_hand(genotypes, np.ones((1, 40), bool))[:, 0])


def test_wrong_shapes_and_values__raise():
    packed = pack(np.zeros((2, 40), np.uint8))
    with pytest.raises(ValueError, match="found 4"):
        pack(np.array([[4]], np.uint8))
    with pytest.raises(ValueError, match="take packed rows of 8 bytes; the rows have 16"):
        unpack(packed, 32)
    with pytest.raises(ValueError, match="fits packed rows of 8 bytes; the rows have 16"):
        count_genotypes(packed, people_mask(np.ones((1, 32), bool)))
    with pytest.raises(IndexError, match="people 0 to 63; asked for 3 to 64"):
        unpack_people(packed, np.array([3, 64]))
    with pytest.raises(IndexError):
        unpack_people(packed, np.array([-1]))
