"""Encoding: tables worked out by hand, layouts, and that only the people given teach it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from pipeline.encoding import SD_FLOOR, encode, fit_encoding, input_shape, map_size
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
    assert map_size(n_variants) == (side, side)


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
    other = EncodingSettings(layout="3d", plane_values=(-1, 0, 7))
    image = encode(fit_encoding(genotypes, other), genotypes)[0].reshape(4, 3)
    np.testing.assert_array_equal(image, [[-1, 0, 0], [0, 0, 0], [0, 0, 7], [0, 0, 0]])


def test_a_missing_call_on_planes_is_zero_or_the_mode_or_shares():
    """Called 0 0 1 2; always 1; never called: the shares by hand times the planes' values."""
    missing = {
        rule: table(layout="3d", plane_missing=rule)[:, 3] for rule in ("zero", "mode", "shares")
    }
    np.testing.assert_array_equal(missing["zero"], np.zeros((3, 3)))
    np.testing.assert_array_equal(missing["mode"], [[1, 0, 0], [0, 2, 0], [0, 0, 0]])
    np.testing.assert_array_equal(missing["shares"], [[0.5, 0.5, 0.75], [0, 2, 0], [0, 0, 0]])


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_shares_leave_the_mean_of_each_plane_as_it_is(seed):
    genotypes = np.random.default_rng(seed).integers(0, 4, (40, 5)).astype(np.uint8)
    wanted = EncodingSettings(layout="3d", plane_missing="shares", row_width=5)
    image = encode(fit_encoding(genotypes, wanted), genotypes)[:, 0]
    for variant in range(5):
        called = genotypes[:, variant] != 3
        np.testing.assert_allclose(
            image[:, variant].mean(axis=0), image[called, variant].mean(axis=0), rtol=1e-5
        )


@pytest.mark.parametrize(
    ("n_variants", "row_width", "size"),
    [(10, 4, (3, 4)), (8, 4, (2, 4)), (1, 4, (1, 1)), (5, 4096, (1, 5)), (5, 1, (5, 1))],
)
def test_rows_are_as_wide_as_asked(n_variants, row_width, size):
    assert map_size(n_variants, row_width) == size
    for layout, n_channels in (("2d", 1), ("3d", 3)):
        wanted = EncodingSettings(layout=layout, row_width=row_width)
        encoding = fit_encoding(np.ones((2, n_variants), np.uint8), wanted)
        assert (encoding.height, encoding.width) == size
        assert encoding.shape == (*size, n_channels) == input_shape(n_variants, layout, row_width)
    row = fit_encoding(
        np.ones((2, n_variants), np.uint8), EncodingSettings(layout="1d", row_width=row_width)
    )
    assert row.shape == (n_variants, 1) == input_shape(n_variants, "1d", row_width)


def test_rows_follow_each_other():
    genotypes = np.array([[0, 1, 2, 2, 1, 0, 1]], dtype=np.uint8)
    wanted = EncodingSettings(layout="2d", scaling="none", row_width=3)
    image = encode(fit_encoding(genotypes, wanted), genotypes)
    np.testing.assert_array_equal(image[0, :, :, 0], [[0, 1, 2], [2, 1, 0], [1, 0, 0]])


@pytest.mark.parametrize("layout", ["1d", "2d", "3d"])
def test_weights_multiply_what_scaling_made(layout):
    """Each variant's values, missing ones too, and nothing but the values."""
    weights = np.array([2.0, -0.5, 0.0])
    wanted = EncodingSettings(layout=layout, plane_missing="shares")
    plain = fit_encoding(GENOTYPES, wanted)
    weighed = fit_encoding(GENOTYPES, wanted, weights)
    np.testing.assert_allclose(
        weighed.table, plain.table * weights[:, None, None].astype(np.float32), rtol=1e-6
    )
    assert weighed.table.dtype == np.float32
    assert weighed.shape == plain.shape
    assert weighed.table[0, 2].any()


@pytest.mark.parametrize("weights", [np.ones(2), np.ones((3, 1)), np.array([1.0, np.nan, 1.0])])
def test_weights_have_to_be_one_number_a_variant(weights):
    with pytest.raises(ValueError, match="finite weights for 3 variants"):
        fit_encoding(GENOTYPES, EncodingSettings(), weights)


def test_the_order_of_people_teaches_nothing():
    rng = np.random.default_rng(1)
    genotypes = rng.integers(0, 4, (3000, 7)).astype(np.uint8)
    wanted = EncodingSettings()
    shuffled = fit_encoding(rng.permutation(genotypes), wanted)
    np.testing.assert_array_equal(fit_encoding(genotypes, wanted).table, shuffled.table)


def test_no_variant_is_a_sentence():
    with pytest.raises(EmptyResultError, match="selection kept none"):
        fit_encoding(np.empty((5, 0), np.uint8), EncodingSettings())
