"""Who trains, who validates, who is touched once at the end; drawn from a seed alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import EmptyResultError, SettingsError
from pipeline.settings import SplitSettings

Positions = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Split:
    """One division of the people: sorted positions into the people given, no one twice."""

    fold: int
    train: Positions
    validation: Positions
    test: Positions


@dataclass(frozen=True, eq=False)
class Roles:
    """Who is looked at by what, as sorted positions.

    `fit`: selection, imputation and scaling. `train`: weights and class weights. `watch`: early
    stopping, the best epoch, thresholds and penalties. `test`: the metrics.
    """

    fit: Positions
    train: Positions
    watch: Positions
    test: Positions


def assign_roles(split: Split, protocol: Literal["honest", "published"]) -> Roles:
    """Return who is looked at by what under a protocol.

    honest: everything that learns sees `split.train`, what is tuned sees `split.validation`.
    published: selection and scaling see all people, the validation people train as well, and
    early stopping watches the test people, as the paper's script does.
    """
    if protocol == "honest":
        return Roles(split.train, split.train, split.validation, split.test)
    train = np.sort(np.concatenate([split.train, split.validation]))
    everyone = np.sort(np.concatenate([train, split.test]))
    return Roles(everyone, train, split.test, split.test)


def make_splits(
    is_case: NDArray[np.bool_], settings: SplitSettings, groups: NDArray[np.integer] | None = None
) -> list[Split]:
    """Return one split, or one a fold, each stratified by case and control.

    `is_case` and `groups` have shape (n_people,); people of one group (relatives) stay on one
    side. With folds the test parts partition the people, once in every repeat, and every fold draws
    its own validation part from its training part; folds are numbered through the repeats. Without
    relatives each class is divided to the nearest person.

    Raises `EmptyResultError` when a class or a part would be empty, `SettingsError` when the
    number of folds does not suit the people.
    """
    is_case = np.asarray(is_case, dtype=bool)
    groups = np.arange(is_case.size) if groups is None else np.asarray(groups)
    if groups.shape != is_case.shape:
        raise ValueError(f"groups has shape {groups.shape}, is_case {is_case.shape}")
    _check_classes(is_case, settings)
    everyone = np.arange(is_case.size)
    rng = np.random.default_rng(settings.seed)
    tests = []
    for _ in range(settings.repeats if settings.folds else 1):
        if settings.folds:
            tests += _partition(everyone, is_case, groups, settings.folds, rng)
        else:
            tests.append(_take_share(everyone, is_case, groups, settings.test_fraction, rng))
    splits = []
    for fold, test in enumerate(tests):
        rest = np.setdiff1d(everyone, test)
        # Each fold has a generator of its own, so that a fold run alone is the same fold.
        fold_rng = np.random.default_rng([settings.seed, fold])
        validation = _take_share(rest, is_case, groups, settings.validation_fraction, fold_rng)
        split = Split(fold, np.setdiff1d(rest, validation), validation, test)
        _check_parts(split, is_case, settings)
        splits.append(split)
    return splits


def _partition(
    people: Positions,
    is_case: NDArray[np.bool_],
    groups: NDArray[np.integer],
    n_parts: int,
    rng: np.random.Generator,
) -> list[Positions]:
    """Return `n_parts` disjoint sets that cover `people`: each takes its share of what is left."""
    parts = []
    for n_left in range(n_parts, 1, -1):
        part = _take_share(people, is_case, groups, 1 / n_left, rng)
        people = np.setdiff1d(people, part)
        parts.append(part)
    return [*parts, people]


def _take_share(
    people: Positions,
    is_case: NDArray[np.bool_],
    groups: NDArray[np.integer],
    fraction: float,
    rng: np.random.Generator,
) -> Positions:
    """Return about `fraction` of the cases and of the controls among `people`, groups whole.

    Groups of two or more are drawn first: sorted by size and number of cases (in random order
    among equals), with every 1 / `fraction`-th taken from a random start, so that each has the
    same chance and no part is filled with relatives. People alone then fill each class.
    """
    case = is_case[people]
    n_class = np.array([np.sum(~case), np.sum(case)])
    wanted = np.floor(fraction * n_class + 0.5)
    _, group_of, n_in_group = np.unique(groups[people], return_inverse=True, return_counts=True)
    counts = np.zeros((n_in_group.size, 2))
    np.add.at(counts, (group_of, case.astype(int)), 1)
    order = rng.permutation(n_in_group.size)
    taken = np.zeros(n_in_group.size, dtype=bool)
    families = order[n_in_group[order] > 1]
    if families.size:
        families = families[np.lexsort((counts[families, 1], n_in_group[families]))]
        place = np.floor(fraction * np.arange(families.size + 1) + rng.random())
        taken[families[np.diff(place) > 0]] = True
    missing = wanted - counts[taken].sum(axis=0)
    alone = order[n_in_group[order] == 1]
    for label in (0, 1):
        of_class = alone[counts[alone, label] > 0]
        taken[of_class[: int(max(0, missing[label]))]] = True
    return np.sort(people[taken[group_of]])


def _check_classes(is_case: NDArray[np.bool_], settings: SplitSettings) -> None:
    n_case = int(is_case.sum())
    n_control = int(is_case.size - n_case)
    if not n_case or not n_control:
        raise EmptyResultError(
            f"A split needs cases and controls, but there are {n_case} cases and {n_control} "
            "controls; name other diagnoses as cases and controls."
        )
    if settings.folds == 1:
        raise SettingsError(
            "split.folds is 0 for a single split or 2 and more for cross-validation, but 1 was "
            "given; change it."
        )
    smaller, n_smaller = ("cases", n_case) if n_case <= n_control else ("controls", n_control)
    if settings.folds > n_smaller:
        raise SettingsError(
            f"Every fold needs a test person of each class, but {settings.folds} folds were asked "
            f"for and there are {n_smaller} {smaller}; lower split.folds."
        )


def _check_parts(split: Split, is_case: NDArray[np.bool_], settings: SplitSettings) -> None:
    """Refuse a split in which a part lacks a class: nothing could be learned or measured there."""
    of_test = "lower split.folds" if settings.folds else "raise split.test_fraction"
    remedies = {
        "training": "lower split.validation_fraction or split.test_fraction",
        "validation": "raise split.validation_fraction",
        "test": of_test,
    }
    parts = {"training": split.train, "validation": split.validation, "test": split.test}
    for name, part in parts.items():
        for is_label, label in ((True, "cases"), (False, "controls")):
            if not np.any(is_case[part] == is_label):
                raise EmptyResultError(
                    f"Every part of a split needs cases and controls, but the {name} part of fold "
                    f"{split.fold} has no {label} ({part.size} of {is_case.size} people); "
                    f"{remedies[name]} or bring more people."
                )
