"""Splits: a partition, stratified, relatives together, drawn from the seed alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from pipeline.errors import EmptyResultError, SettingsError
from pipeline.settings import SplitSettings
from pipeline.splits import assign_roles, make_splits


def people(n_case: int, n_control: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).permutation(np.repeat([True, False], [n_case, n_control]))


@given(
    n_case=st.integers(60, 150),
    n_control=st.integers(60, 150),
    folds=st.sampled_from([0, 2, 3, 5]),
    test_fraction=st.floats(0.05, 0.5),
    family_size=st.sampled_from([1, 2, 3]),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_parts_partition_the_people(n_case, n_control, folds, test_fraction, family_size, seed):
    is_case = people(n_case, n_control, seed)
    families = np.random.default_rng(seed).permutation(is_case.size) // family_size
    wanted = SplitSettings(
        folds=folds, test_fraction=test_fraction, validation_fraction=0.15, seed=seed
    )
    splits = make_splits(is_case, wanted, families)
    assert len(splits) == max(1, folds)
    for number, split in enumerate(splits):
        assert split.fold == number
        parts = (split.train, split.validation, split.test)
        np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(is_case.size))
        for part in parts:
            assert np.all(np.diff(part) > 0)
            assert {True, False} == set(is_case[part].tolist())
        n_sides = sum(np.unique(families[part]).size for part in parts)
        assert n_sides == np.unique(families).size  # no family on two sides
    if folds:
        tests = np.concatenate([split.test for split in splits])
        np.testing.assert_array_equal(np.sort(tests), np.arange(is_case.size))


@pytest.mark.parametrize("fraction", [0.01, 0.15, 0.333, 0.5])
def test_each_class_is_divided_to_the_nearest_person(fraction):
    is_case = people(453, 701)
    split = make_splits(is_case, SplitSettings(test_fraction=fraction))[0]
    assert abs(is_case[split.test].sum() - fraction * 453) <= 0.5
    assert abs((~is_case[split.test]).sum() - fraction * 701) <= 0.5


def test_folds_are_as_even_as_those_of_scikit_learn():
    is_case = people(47, 83)
    splits = make_splits(is_case, SplitSettings(folds=5))
    ours = sorted((is_case[s.test].sum(), (~is_case[s.test]).sum()) for s in splits)
    theirs = [
        (is_case[test].sum(), (~is_case[test]).sum())
        for _, test in StratifiedKFold(5).split(is_case, is_case)
    ]
    for label in (0, 1):
        counts = sorted(pair[label] for pair in ours)
        assert counts == sorted(pair[label] for pair in theirs)


def test_every_fold_has_its_own_validation_part():
    splits = make_splits(people(100, 100), SplitSettings(folds=4))
    assert len({tuple(split.validation) for split in splits}) == 4


def test_relatives_stay_together_and_classes_stay_balanced():
    """Families of five, unequal classes: shares are still met to within a family."""
    rng = np.random.default_rng(3)
    families = np.repeat(np.arange(200), 5)
    is_case = rng.random(1000) < np.repeat(rng.choice([0.1, 0.8], 200), 5)
    split = make_splits(is_case, SplitSettings(), families)[0]
    assert abs(is_case[split.test].sum() - 0.15 * is_case.sum()) <= 3
    assert abs((~is_case[split.test]).sum() - 0.15 * (~is_case).sum()) <= 3


def test_grouped_folds_are_as_even_as_those_of_scikit_learn():
    """Some families among many people: shared out no worse than by StratifiedGroupKFold."""
    rng = np.random.default_rng(11)
    sizes = np.concatenate([np.ones(300, int), rng.integers(2, 6, 30)])
    families = rng.permutation(np.repeat(np.arange(330), sizes))
    is_case = rng.random(families.size) < rng.choice([0.1, 0.4, 0.9], 330)[families]

    def unevenness(tests: list[np.ndarray]) -> float:
        shares = [(is_case[test].sum(), (~is_case[test]).sum()) for test in tests]
        return float(np.std(np.array(shares) / [is_case.sum(), (~is_case).sum()], axis=0).sum())

    ours = [split.test for split in make_splits(is_case, SplitSettings(folds=5), families)]
    theirs = StratifiedGroupKFold(5).split(is_case, is_case, families)
    assert unevenness(ours) <= unevenness([test for _, test in theirs])
    for test in ours:
        assert not np.isin(families[test], np.delete(families, test)).any()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_relatives_are_spread_over_the_parts(seed):
    """200 pairs among 12,000: a test part of relatives alone would tell nothing of the rest."""
    families = np.concatenate([np.repeat(np.arange(200), 2), np.arange(200, 11_800)])
    is_case = people(4800, 7200, seed)
    (split,) = make_splits(is_case, SplitSettings(seed=seed), families)
    assert abs((split.test < 400).sum() - 0.15 * 400) <= 2
    assert abs((split.validation < 400).sum() - 0.15 * 0.85 * 400) <= 3
    assert abs(is_case[split.test].sum() - 0.15 * 4800) <= 0.5
    folds = make_splits(is_case, SplitSettings(folds=5, seed=seed), families)
    assert all(abs((fold.test < 400).sum() - 80) <= 2 for fold in folds)
    assert all(abs(is_case[fold.test].sum() - 960) <= 0.5 for fold in folds)


def test_every_family_has_the_same_chance_of_every_part():
    """A single pair goes to the test part as often as its share says, over seeds."""
    families = np.concatenate([[0, 0], np.arange(1, 119)])
    is_case = people(60, 60)
    in_test = [
        0 in make_splits(is_case, SplitSettings(seed=seed), families)[0].test
        for seed in range(300)
    ]  # fmt: skip
    assert 0.09 < np.mean(in_test) < 0.21


def test_people_without_relatives_are_split_as_if_no_groups_were_given():
    """Whether the structure was computed must not change a run without relatives."""
    is_case = people(90, 130)
    for wanted in (SplitSettings(seed=7), SplitSettings(folds=4, seed=7)):
        plain = make_splits(is_case, wanted)
        grouped = make_splits(is_case, wanted, np.arange(220))
        for one, two in zip(plain, grouped, strict=True):
            for part in ("train", "validation", "test"):
                np.testing.assert_array_equal(getattr(one, part), getattr(two, part))
    # These people, whatever else changes: runs are known by their settings alone.
    test = make_splits(is_case, SplitSettings(seed=7))[0].test
    assert test[:8].tolist() == [0, 2, 4, 5, 7, 12, 14, 21]


def test_same_seed_same_split_other_seed_other_split():
    is_case = people(60, 60)
    first, again = (make_splits(is_case, SplitSettings(seed=5))[0] for _ in range(2))
    other = make_splits(is_case, SplitSettings(seed=6))[0]
    np.testing.assert_array_equal(first.test, again.test)
    np.testing.assert_array_equal(first.validation, again.validation)
    assert not np.array_equal(first.test, other.test)


def test_roles_of_the_protocols():
    split = make_splits(people(60, 60), SplitSettings())[0]
    honest = assign_roles(split, "honest")
    assert honest.fit is split.train
    assert honest.train is split.train
    assert honest.watch is split.validation
    published = assign_roles(split, "published")
    np.testing.assert_array_equal(published.fit, np.arange(120))
    np.testing.assert_array_equal(published.train, np.setdiff1d(np.arange(120), split.test))
    assert published.watch is split.test
    assert published.test is split.test


@pytest.mark.parametrize(
    ("n_case", "n_control", "wanted", "error", "words"),
    [
        (40, 0, SplitSettings(), EmptyResultError, "40 cases and 0 controls"),
        (0, 0, SplitSettings(), EmptyResultError, "0 cases and 0 controls"),
        (4, 90, SplitSettings(folds=5), SettingsError, "there are 4 cases"),
        (90, 4, SplitSettings(folds=5), SettingsError, "there are 4 controls"),
        (90, 90, SplitSettings(folds=1), SettingsError, "but 1 was given"),
        (20, 90, SplitSettings(test_fraction=0.01), EmptyResultError, "test part .* no cases"),
        (5, 90, SplitSettings(validation_fraction=0.05), EmptyResultError, "validation part"),
        (2, 90, SplitSettings(folds=2, validation_fraction=0.5), EmptyResultError, "training part"),
    ],
)
def test_what_cannot_be_split_is_told_in_a_sentence(n_case, n_control, wanted, error, words):
    with pytest.raises(error, match=words) as caught:
        make_splits(people(n_case, n_control), wanted)
    assert str(caught.value).endswith(".")


def test_repeats_are_other_folds_of_the_same_people():
    is_case = people(47, 83)
    once = make_splits(is_case, SplitSettings(folds=4))
    splits = make_splits(is_case, SplitSettings(folds=4, repeats=3))
    assert [split.fold for split in splits] == list(range(12))
    for of_one, again in zip(once, splits[:4], strict=True):
        np.testing.assert_array_equal(of_one.test, again.test)
    for repeat in range(3):
        tests = np.concatenate([split.test for split in splits[4 * repeat : 4 * repeat + 4]])
        np.testing.assert_array_equal(np.sort(tests), np.arange(130))
    assert not np.array_equal(splits[0].test, splits[4].test)
    assert len(make_splits(is_case, SplitSettings(repeats=3))) == 1  # of folds alone
