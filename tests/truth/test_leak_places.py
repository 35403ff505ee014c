"""Each place where a leak can hide, with a leak planted there: what stood still then moves.

`test_leak_mutation` changes the test people of a whole run; here every place is looked at by
itself, and the same change is seen as soon as that place looks at the test people.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pipeline.training.fit as fit
from pipeline import fold, splits
from pipeline.baselines import fit_baselines
from pipeline.cohort import open_cohort
from pipeline.errors import LeakageError
from pipeline.evaluation import choose_threshold
from pipeline.fold import Plan, fit_fold, plan_folds, select_variants
from pipeline.presets import apply_preset
from pipeline.progress import silent
from pipeline.recount import fetch_genotypes
from pipeline.selection import Selection
from pipeline.settings import AnalysisSettings, with_changes
from pipeline.splits import Roles
from pipeline.training import predict_probability
from tests.truth.test_leak_mutation import (
    NO_COUNTING_RULES,
    SETTINGS,
    counted_people,
    drawn_anew,
    make_table,
    splits_of,
    with_swapped_labels,
    write,
)


@dataclass(frozen=True)
class Twice:
    """The cohort in `cache` as it is, and with other test people."""

    cache: Path

    def plan(self, name: str, settings: AnalysisSettings) -> tuple[Plan, Selection, np.ndarray]:
        """Return plan, selection and genotypes of the first fold."""
        cohort = open_cohort(self.cache, name)
        with closing(cohort.store):
            plan = plan_folds(cohort, settings)
            (selection,) = select_variants(cohort, plan, settings, [0], silent)
            return plan, selection, fetch_genotypes(cohort, selection.variants, plan.people)

    def differ(self, settings: AnalysisSettings, learn: Any, change: Any = None) -> bool:
        """Say whether what is learned differs, with roles as `change` makes them."""
        first, second = (
            self._learned(name, settings, learn, change) for name in ("before", "after")
        )
        return not all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))

    def _learned(self, name: str, settings: AnalysisSettings, learn: Any, change: Any) -> list:
        # The selection is that of the unchanged cohort: each place is looked at by itself.
        _, selection, _ = self.plan("before", settings)
        cohort = open_cohort(self.cache, name)
        with closing(cohort.store):
            plan = plan_folds(cohort, settings)
            genotypes = fetch_genotypes(cohort, selection.variants, plan.people)
            roles = plan.roles[0] if change is None else change(plan.roles[0])
            return learn(cohort, genotypes, plan, roles, selection, settings)


@pytest.fixture(scope="module")
def twice(tmp_path_factory) -> Twice:
    cache = tmp_path_factory.mktemp("leaks")
    table = make_table()
    settings = AnalysisSettings().split
    swapped = with_swapped_labels(table, settings)
    test = counted_people(table)[splits_of(table, settings)[0].test]
    write(cache, "before", table)
    write(cache, "after", drawn_anew(swapped, test))
    return Twice(cache)


def asked(**changes: Any) -> AnalysisSettings:
    named = {name.replace("__", "."): value for name, value in changes.items()}
    return with_changes(apply_preset("quick"), SETTINGS | NO_COUNTING_RULES | named)


def network(cohort, genotypes, plan, roles, selection, settings) -> list:
    """Return weights, lookup table and epochs."""
    found = fit_fold(cohort, genotypes, plan.is_case, roles, selection, settings)
    epochs = [(one.loss, one.val_loss) for one in found.trained.epochs]
    return [*found.model.get_weights(), found.variants, np.array(epochs)]


def threshold(cohort, genotypes, plan, roles, selection, settings) -> list:
    """Return the threshold of a network that never looked at who is watched."""
    found = fit_fold(cohort, genotypes, plan.is_case, replace(roles, watch=plan.splits[0].train),
                     selection, settings)  # fmt: skip
    columns = np.searchsorted(selection.variants, found.variants)
    scores = predict_probability(found.model, genotypes[np.ix_(roles.watch, columns)])
    return [np.array([choose_threshold("youden", scores, plan.is_case[roles.watch])])]


def everyone(roles: Roles) -> np.ndarray:
    return np.union1d(np.union1d(roles.train, roles.watch), roles.test)


def fit_on_all(roles: Roles) -> Roles:
    return replace(roles, fit=everyone(roles))


def watch_tested(roles: Roles) -> Roles:
    return replace(roles, watch=np.union1d(roles.watch, roles.test))


def train_on_tested(roles: Roles) -> Roles:
    return replace(roles, train=np.union1d(roles.train, roles.test))


PLACES = {
    "imputation": (network, asked(encoding__scaling="none", encoding__missing="mean"), fit_on_all),
    "imputation of planes": (
        network, asked(encoding__layout="3d", encoding__plane_missing="shares"), fit_on_all,
    ),
    "scaling": (network, asked(encoding__scaling="standard"), fit_on_all),
    "input weights": (network, asked(encoding__weights="logistic_l1"), fit_on_all),
    "early stopping": (network, asked(), watch_tested),
    "threshold": (threshold, asked(), watch_tested),
    "weights of the network": (network, asked(), train_on_tested),
    "pick of the gene network": (network, asked(network__family="gene"), watch_tested),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_place_keeps_still_and_a_planted_leak_moves_it(twice, place):
    learn, settings, leak = PLACES[place]
    assert not twice.differ(settings, learn)
    assert twice.differ(settings, learn, leak)


def test_class_weights(twice, monkeypatch):
    settings = asked(training__class_weights=True)
    assert not twice.differ(settings, network)
    honest = fit.class_weights

    def learned(cohort, genotypes, plan, roles, selection, settings):
        # The planted leak: the share of cases is that of everybody whose genotypes are known.
        tested = genotypes[roles.test].sum()
        monkeypatch.setattr(
            fit, "class_weights",
            lambda y: {0: honest(y)[0], 1: honest(y)[1] * (1 + tested * 1e-6)},
        )  # fmt: skip
        return network(cohort, genotypes, plan, roles, selection, settings)

    assert twice.differ(settings, learned)


def counted(twice: Twice, name: str, settings: AnalysisSettings) -> list[np.ndarray]:
    _, selection, _ = twice.plan(name, settings)
    return [selection.variants, selection.neg_log10_p]


def selections_differ(twice: Twice, settings: AnalysisSettings) -> bool:
    first, second = (counted(twice, name, settings) for name in ("before", "after"))
    return not all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_selection(twice, monkeypatch):
    settings = asked()
    assert not selections_differ(twice, settings)
    honest = fold.assign_roles
    monkeypatch.setattr(fold, "assign_roles", lambda *args: fit_on_all(honest(*args)))
    with pytest.raises(LeakageError, match="test people were looked at"):
        selections_differ(twice, settings)
    monkeypatch.setattr(fold, "refuse_leak", lambda *_: None)
    assert selections_differ(twice, settings)


@pytest.mark.parametrize("rule", ["max_hwe_log10", "max_missingness_log10"])
def test_filters_that_read_labels(twice, rule, monkeypatch):
    other = {"max_hwe_log10", "max_missingness_log10"} - {rule}
    settings = asked(**{f"quality__{name}": None for name in other}, selection__max_p=1.0)
    assert not selections_differ(twice, settings)
    monkeypatch.setattr(fold, "without_label_rules", lambda quality: quality)
    assert selections_differ(twice, settings)


def test_folds(twice, monkeypatch):
    settings = asked(split__folds=3)
    cohort = open_cohort(twice.cache, "before")
    with closing(cohort.store):
        plan = plan_folds(cohort, settings)
        tested = np.concatenate([split.test for split in plan.splits])
        np.testing.assert_array_equal(np.sort(tested), np.arange(len(plan.people)))
        for roles in plan.roles:
            assert not np.intersect1d(everyone(replace(roles, test=roles.fit)), roles.test).size
        # The planted leak: one drawing of test people serves all folds, their rest trains.
        honest = splits._partition
        monkeypatch.setattr(
            splits, "_partition", lambda *args: [honest(*args)[0]] * settings.split.folds
        )
        leaky = plan_folds(cohort, settings)
        tested = np.concatenate([split.test for split in leaky.splits])
        assert len(np.unique(tested)) < len(plan.people)


def test_baselines(twice):
    settings = asked()

    def learned(cohort, genotypes, plan, roles, selection, settings):
        probe = np.random.default_rng(3).integers(0, 4, (30, genotypes.shape[1])).astype(np.uint8)
        found = fit_baselines(
            genotypes[roles.train], plan.is_case[roles.train],
            genotypes[roles.watch], plan.is_case[roles.watch], probe, 1,
        )  # fmt: skip
        return [one.score for one in found.values()]

    assert not twice.differ(settings, learned)
    assert twice.differ(settings, learned, watch_tested)
    assert twice.differ(settings, learned, train_on_tested)
