"""Encoding: tables worked out by hand, layouts, and that only the people given teach it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from pipeline.encoding import SD_FLOOR, encode, fit_encoding, square_side
from pipeline.errors import EmptyResultError
from pipeline.settings import EncodingSettings

# Three variants: 0 0 1 2 missing; does not vary; nobody called.
GENOTYPES = np.array([[0, 1, 3], [0, 1, 3], [1, 1, 3], [2, 1, 3], [3, 3, 3]], dtype=np.uint8)


def table(**changes) -> np.ndarray:
    options = {"layout": "1d", "missing": "mean", "scaling": "none"} | changes
    return fit_encoding(GENOTYPES, EncodingSettings(**options)).table


def test_a_missing_call_becomes_mean_mode_or_zero():
    # Mean of 0 0 1 2 is 0.75; the most frequent is 0. A variant that nobody has is 0.
    np.testing.assert_array_equal(
        table()[:, :, 0], np.float32([[0, 1, 2, 0.75], [0, 1, 2, 1], [0, 1, 2, 0]])
    )
    np.testing.assert_array_equal(table(missing="mode")[:, 3, 0], [0, 1, 0])
    np.testing.assert_array_equal(table(missing="zero")[:, 3, 0], [0, 0, 0])


def test_a_tied_mode_is_the_lower_genotype():
    tied = np.array([[2], [2], [1], [1]], dtype=np.uint8)
    wanted = EncodingSettings(layout="1d", missing="mode", scaling="none")
    assert fit_encoding(tied, wanted).table[0, 3, 0] == 1


def test_standard_scaling_by_hand():
    # Mean 3/4, mean square 5/4, variance 5/4 - 9/16 = 11/16.
    sd = np.sqrt(11 / 16)
    first, constant, uncalled = table(scaling="standard")[:, :, 0]
    np.testing.assert_allclose(first, [-0.75 / sd, 0.25 / sd, 1.25 / sd, 0], rtol=1e-6)
    np.testing.assert_array_equal(constant, 0)
    np.testing.assert_array_equal(uncalled, 0)
    zero = table(scaling="standard", missing="zero")[0, 3, 0]
    np.testing.assert_allclose(zero, -0.75 / sd, rtol=1e-6)


def test_a_rare_variant_is_scaled_by_the_floor():
    rare = np.zeros((2000, 1), dtype=np.uint8)
    rare[0] = 1
    encoding = fit_encoding(rare, EncodingSettings(layout="1d"))
    np.testing.assert_allclose(encoding.table[0, 1, 0], (1 - 1 / 2000) / SD_FLOOR, rtol=1e-6)


@given(seed=st.integers(0, 1000), missing=st.sampled_from(["mean", "mode"]))
@settings(max_examples=25, deadline=None)
def test_equals_scikit_learn(seed, missing):
    rng = np.random.default_rng(seed)
    genotypes = rng.choice(4, p=[0.5, 0.3, 0.15, 0.05], size=(60, 9)).astype(np.uint8)
    called = np.where(genotypes == 3, np.nan, genotypes)
    strategy = {"mean": "mean", "mode": "most_frequent"}[missing]
    imputer = SimpleImputer(strategy=strategy).fit(called)
    scaler = StandardScaler().fit(called)
    ours = fit_encoding(genotypes, EncodingSettings(layout="1d", missing=missing))
    theirs = scaler.transform(imputer.transform(called))
    np.testing.assert_allclose(encode(ours, genotypes)[:, :, 0], theirs, atol=1e-5)


@pytest.mark.parametrize(("n_variants", "side"), [(1, 1), (2, 2), (4, 2), (5, 3), (18_970, 138)])
def test_the_square_is_the_smallest(n_variants, side):
    assert square_side(n_variants) == side


def test_the_square_is_filled_row_by_row_and_padded_with_zeros():
    genotypes = np.array([[0, 1, 2, 2, 1], [1, 1, 1, 0, 3]], dtype=np.uint8)
    encoding = fit_encoding(genotypes, EncodingSettings(layout="2d", scaling="none"))
    image = encode(encoding, genotypes)
    assert image.shape == (2, 3, 3, 1)
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image[0, :, :, 0], [[0, 1, 2], [2, 1, 0], [0, 0, 0]])
    # The missing call of the second person is the mean of the fifth variant, 1.
    np.testing.assert_array_equal(image[1, :, :, 0], [[1, 1, 1], [0, 1, 0], [0, 0, 0]])


def test_each_genotype_shows_on_its_own_plane():
    genotypes = np.array([[0, 1, 2, 3]], dtype=np.uint8)
    for scaling in ("none", "standard"):  # neither changes the planes
        encoding = fit_encoding(genotypes, EncodingSettings(layout="3d", scaling=scaling))
        image = encode(encoding, genotypes)
        assert image.shape == (1, 2, 2, 3) == (1, *encoding.shape)
        np.testing.assert_array_equal(
            image[0].reshape(4, 3), [[1, 0, 0], [0, 2, 0], [0, 0, 3], [0, 0, 0]]
        )


def test_the_order_of_people_teaches_nothing():
    rng = np.random.default_rng(1)
    genotypes = rng.integers(0, 4, (3000, 7)).astype(np.uint8)
    wanted = EncodingSettings()
    shuffled = fit_encoding(rng.permutation(genotypes), wanted)
    np.testing.assert_array_equal(fit_encoding(genotypes, wanted).table, shuffled.table)


def test_no_variant_is_a_sentence():
    with pytest.raises(EmptyResultError, match="selection kept none"):
        fit_encoding(np.empty((5, 0), np.uint8), EncodingSettings())
