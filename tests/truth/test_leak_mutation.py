"""Nothing that an honest run learns moves with the test people, from the VCF to the weights.

Two cohorts differ in the genotypes and labels of one split's test people, and in nothing else.
Rules that read labels are on, and X is in, since each has a way of its own to the counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline import fold, runs
from pipeline.ingest import ingest
from pipeline.settings import SplitSettings
from pipeline.splits import Split, make_splits
from pipeline.training import load_model
from tests.small_cohorts import vcf_text, write_phenotypes, write_vcf
from tests.truth.known import train

N_PEOPLE, N_LEFT_OUT = 320, 20
N_AUTOSOMAL, N_X = 260, 60
N_SIGNAL = 12
X_START = 10_000_000  # outside the pseudo-autosomal regions

SETTINGS = {
    "training.epochs": 3,
    "quality.drop_sex_chromosomes": False,
    "quality.max_hwe_log10": 1.5,
    "quality.max_missingness_log10": 1.0,
    "selection.max_p": 0.1,
}
# What is left then does not depend on anybody's genotypes.
NO_COUNTING_RULES = {
    "quality.drop_monomorphic": False,
    "quality.min_call_rate": None,
    "quality.min_mean_depth": None,
}


@dataclass(frozen=True)
class Table:
    """A cohort before it is written: codes (n_people, n_variants), males on X 0 or 2."""

    codes: np.ndarray
    is_case: np.ndarray
    is_male: np.ndarray
    is_left_out: np.ndarray


@dataclass(frozen=True)
class Learned:
    """All that a run learned, and what it measured."""

    selection: pd.DataFrame
    table: np.ndarray  # the lookup of genotypes, the first thing that a network learns
    weights: list[np.ndarray]
    epochs: list[tuple]
    baselines: dict[str, tuple]
    metrics: dict[str, Any]


def make_table() -> Table:
    rng = np.random.default_rng(11)
    order = rng.permutation(N_PEOPLE)
    is_case, is_male = order < (N_PEOPLE - N_LEFT_OUT) // 2, rng.random(N_PEOPLE) < 0.5
    n = N_AUTOSOMAL + N_X
    frequency = np.tile(rng.uniform(0.05, 0.5, n), (N_PEOPLE, 1))
    frequency[np.ix_(is_case, np.arange(N_SIGNAL))] += 0.12
    frequency[np.ix_(is_case, np.arange(n - N_SIGNAL // 2, n))] += 0.15
    codes = rng.binomial(2, frequency)
    lost = rng.random(codes.shape) < np.where(np.arange(n) % 5 == 0, 0.05 * is_case[:, None], 0.03)
    codes[lost] = 3
    on_x = np.s_[N_AUTOSOMAL:]
    codes[is_male, on_x] = np.where(codes[is_male, on_x] == 1, 0, codes[is_male, on_x])
    return Table(codes, is_case, is_male, order >= N_PEOPLE - N_LEFT_OUT)


def counted_people(table: Table) -> np.ndarray:
    """Return the positions of cases and controls, which those of a split refer to."""
    return np.flatnonzero(~table.is_left_out)


def splits_of(table: Table, settings: SplitSettings) -> list[Split]:
    return make_splits(table.is_case[counted_people(table)], settings)


def with_swapped_labels(table: Table, settings: SplitSettings) -> Table:
    """Return the cohort with labels of test people exchanged in pairs, the split as it was.

    A split draws a share of each class, so that a label of the last people drawn would change who
    is drawn; such a pair stays as it is.
    """
    rng = np.random.default_rng(13)
    before = splits_of(table, settings)
    test = counted_people(table)[before[0].test]
    n_swapped = 0
    for one, other in zip(*(rng.permutation(test[table.is_case[test] == c]) for c in (0, 1)),
                          strict=False):  # fmt: skip
        is_case = table.is_case.copy()
        is_case[[one, other]] = is_case[[other, one]]
        changed = Table(table.codes, is_case, table.is_male, table.is_left_out)
        if all(
            np.array_equal(getattr(a, part), getattr(b, part))
            for a, b in zip(before, splits_of(changed, settings), strict=True)
            for part in ("train", "validation", "test")
        ):
            table, n_swapped = changed, n_swapped + 1
    assert n_swapped > 5
    return table


def dealt_anew(table: Table, test: np.ndarray) -> Table:
    """Each variant's genotypes dealt anew among test people of the same sex: no count of all moves.

    `test` are positions in the cohort.
    """
    rng = np.random.default_rng(17)
    codes = table.codes.copy()
    for is_male in (True, False):
        people = test[table.is_male[test] == is_male]
        codes[people] = rng.permuted(codes[people], axis=0)
    return Table(codes, table.is_case, table.is_male, table.is_left_out)


def drawn_anew(table: Table, test: np.ndarray) -> Table:
    """Genotypes of other frequencies, a third of them lost, follow the labels of test people."""
    rng = np.random.default_rng(19)
    codes = table.codes.copy()
    shift = np.where(table.is_case[test], 0.8, 0.2)[:, None]
    fresh = rng.binomial(2, np.broadcast_to(shift, (len(test), codes.shape[1])))
    fresh[rng.random(fresh.shape) < 0.33] = 3
    males = table.is_male[test]
    fresh[males, N_AUTOSOMAL:] = np.where(
        fresh[males, N_AUTOSOMAL:] == 1, 2, fresh[males, N_AUTOSOMAL:]
    )
    codes[test] = fresh
    return Table(codes, table.is_case, table.is_male, table.is_left_out)


def write(cache: Path, name: str, table: Table) -> None:
    """Ingest the cohort under a name."""
    people = [f"P{i:03d}" for i in range(N_PEOPLE)]
    diploid, haploid = np.array(["0/0", "0/1", "1/1", "./."]), np.array(["0", "?", "1", "."])
    records = []
    for j in range(N_AUTOSOMAL + N_X):
        on_x = j >= N_AUTOSOMAL
        calls = diploid[table.codes[:, j]]
        if on_x:
            calls = np.where(table.is_male, haploid[table.codes[:, j]], calls)
        chrom, pos = ("X", X_START + 1000 * j) if on_x else ("1", 1000 * (j + 1))
        records.append([chrom, pos, "A", "G", "GT", *calls])
    diagnosis = np.where(table.is_case, "SCZ", "control")
    diagnosis[table.is_left_out] = "BP"
    sex = np.where(table.is_male, "M", "F")
    vcf = write_vcf(cache / f"{name}.vcf", vcf_text(records, people))
    phenotypes = write_phenotypes(
        cache / f"{name}.tsv",
        dict(zip(people, diagnosis, strict=True)),
        dict(zip(people, sex, strict=True)),
    )
    ingest(cache, name, [vcf], phenotypes, workers=1)


@pytest.fixture
def learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Learned]:
    """Return a function that writes a cohort, trains on it and returns what its first fold learned.

    Baselines are not kept by a run, so they are heard as they are fitted; all else is read from
    the run's folder.
    """
    fit_baselines = fold.fit_baselines
    heard: list[dict[str, tuple]] = []

    def listening(x_fit, y_fit, x_validation, y_validation, x_test, seed, **options):
        fitted = fit_baselines(x_fit, y_fit, x_validation, y_validation, x_test, seed, **options)
        # People of our own take the place of the test people: what is learned scores them alike.
        probe = np.random.default_rng(23).integers(0, 4, (40, x_fit.shape[1])).astype(np.uint8)
        on_probe = fit_baselines(x_fit, y_fit, x_validation, y_validation, probe, seed, **options)
        heard.append(
            {
                name: (one.penalty, one.threshold, one.n_variants, on_probe[name].score.tobytes())
                for name, one in fitted.items()
            }
        )
        return fitted

    monkeypatch.setattr(fold, "fit_baselines", listening)

    def done(name: str, table: Table, changes: dict[str, Any]) -> Learned:
        heard.clear()
        if not (tmp_path / "cohorts" / name).exists():
            write(tmp_path, name, table)
        run = train(tmp_path, SETTINGS | changes, name)
        selection = pd.read_parquet(run.selection_path)
        has_folds = bool(run.analysis().split.folds)
        model = load_model(run.model_path(0 if has_folds else None))
        epochs = [
            (record.loss, record.val_loss, record.val_auc)
            for record in runs.read_progress(run)
            if record.fold == 0
        ]
        return Learned(
            selection[selection["fold"] == 0].reset_index(drop=True),
            model.get_weights()[0],
            model.get_weights(),
            epochs,
            heard[0],
            runs.read_metrics(run)["folds"][0],
        )

    return done


MUTATIONS = {
    "dealt anew": (dealt_anew, {}),
    "drawn anew": (drawn_anew, NO_COUNTING_RULES),
    "in one of three folds": (drawn_anew, NO_COUNTING_RULES | {"split.folds": 3}),
    "weights, order, classes, threshold": (drawn_anew, NO_COUNTING_RULES | {
        "encoding.weights": "logistic_l1", "encoding.order": "p", "encoding.missing": "mode",
        "training.class_weights": True, "evaluation.threshold": "youden",
    }),
    "planes": (drawn_anew, NO_COUNTING_RULES | {
        "encoding.layout": "3d", "encoding.plane_missing": "shares", "encoding.weights": "log_p",
    }),
    "genes": (drawn_anew, NO_COUNTING_RULES | {"network.family": "gene"}),
}  # fmt: skip


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_honest_learns_nothing_from_test_people_and_published_does(learn, mutation):
    mutate, changes = MUTATIONS[mutation]
    settings = SplitSettings(folds=changes.get("split.folds", 0))
    table = make_table()
    swapped = with_swapped_labels(table, settings)
    test = counted_people(table)[splits_of(table, settings)[0].test]
    mutated = mutate(swapped, test)
    assert (mutated.codes[test] != table.codes[test]).mean() > 0.3

    before = learn("before", table, changes)
    after = learn("after", mutated, changes)
    pd.testing.assert_frame_equal(before.selection, after.selection, check_exact=True)
    assert before.selection["chrom"].nunique() == 2  # the counts on X are their own path
    np.testing.assert_array_equal(before.table, after.table)
    for a, b in zip(before.weights, after.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert before.epochs == after.epochs
    assert before.baselines == after.baselines
    assert before.metrics["threshold"] == after.metrics["threshold"]
    # The test people did change: the same model measures something else on them.
    assert before.metrics["test"]["auc"] != after.metrics["test"]["auc"]

    changes = changes | {"selection.protocol": "published"}
    before, after = learn("before", table, changes), learn("after", mutated, changes)
    chosen = [set(one.selection["variant_index"]) for one in (before, after)]
    assert chosen[0] != chosen[1]
    assert before.table.shape != after.table.shape or (before.table != after.table).any()
    assert before.epochs != after.epochs
    assert before.baselines != after.baselines
