"""Runs beside each other, against a bootstrap, scikit-learn, sets, and counting by hand."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from pipeline import runs
from pipeline.annotation import annotate
from pipeline.cli import compare_verbs
from pipeline.cohort import open_cohort
from pipeline.comparison import (
    changed_class,
    compare_pair,
    differing_settings,
    gained_and_lost,
    paired_auc,
    summarise,
)
from pipeline.comparison.people import MIN_COUNT
from pipeline.comparison.summary import SPARK_POINTS
from pipeline.epochs import EpochRecord
from pipeline.errors import EmptyResultError, InputError, NotComputedError, StaleArtifactError
from pipeline.settings import AnalysisSettings, with_changes
from tests.small_cohorts import make_cohort, vcf_text

N = 400


def make_run(
    cache: Path, seed: int = 1, fingerprint: str = "abc123", **changes: object
) -> runs.Run:
    settings = with_changes(
        AnalysisSettings(),
        {"training.seed": seed} | {k.replace("__", "."): v for k, v in changes.items()},
    )
    run = runs.create(cache, "demo", fingerprint, settings, "quick")
    return runs.update_state(run, "finished", selected=3, epochs=4)


def predicted(
    run: runs.Run,
    people: np.ndarray,
    is_case: np.ndarray,
    score: np.ndarray,
    fold: np.ndarray | int = 0,
    thresholds: tuple[float, ...] = (0.5,),
) -> runs.Run:
    pd.DataFrame(
        {"fold": fold, "sample_index": people, "is_case": is_case, "probability": score}
    ).to_parquet(run.predictions_path, index=False)
    folds = [{"fold": i, "threshold": t} for i, t in enumerate(thresholds)]
    runs.write_metrics(run, {"folds": folds})
    return run


def scores(n: int = N, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return who is a case, and two scores of the same people that go together."""
    rng = np.random.default_rng(seed)
    is_case = rng.permutation(n) < 0.45 * n
    shared = rng.normal(size=n) + 0.9 * is_case
    first, second = (shared + rng.normal(scale=s, size=n) for s in (1.4, 0.6))
    return is_case, 1 / (1 + np.exp(-first)), 1 / (1 + np.exp(-second))


# ---- the difference of AUC ------------------------------------------------------------------


def test_paired_auc_is_that_of_a_bootstrap_over_people(tmp_path):
    is_case, a, b = scores()
    people = np.arange(N) * 3
    first = predicted(make_run(tmp_path, 1), people, is_case, a)
    mixed = np.random.default_rng(5).permutation(N)  # rows in another order, the same people
    second = predicted(make_run(tmp_path, 2), people[mixed], is_case[mixed], b[mixed])
    found = paired_auc(first, second)
    wanted = roc_auc_score(is_case, b) - roc_auc_score(is_case, a)
    assert found.difference.value == pytest.approx(wanted, abs=1e-12)
    assert found.first.value == pytest.approx(roc_auc_score(is_case, a))
    assert found.second.value == pytest.approx(roc_auc_score(is_case, b))
    assert (found.n_case, found.n_control, found.n_folds) == (is_case.sum(), (~is_case).sum(), 1)
    assert found.warning == ""

    rng = np.random.default_rng(1)
    case, control = np.flatnonzero(is_case), np.flatnonzero(~is_case)
    drawn = []
    for _ in range(600):
        rows = np.concatenate([rng.choice(case, case.size), rng.choice(control, control.size)])
        drawn.append(roc_auc_score(is_case[rows], b[rows]) - roc_auc_score(is_case[rows], a[rows]))
    width = found.difference.high - found.difference.low
    assert width == pytest.approx(2 * 1.96 * np.std(drawn), rel=0.1)
    # Unpaired it would be far wider: the scores go together.
    apart = math.hypot(found.first.high - found.first.low, found.second.high - found.second.low)
    assert width < 0.85 * apart


def test_the_other_way_round_is_the_negative(tmp_path):
    is_case, a, b = scores()
    first = predicted(make_run(tmp_path, 1), np.arange(N), is_case, a)
    second = predicted(make_run(tmp_path, 2), np.arange(N), is_case, b)
    one, other = paired_auc(first, second).difference, paired_auc(second, first).difference
    assert one.value > 0.02  # the second is the better one: planted
    assert (other.value, other.low, other.high) == pytest.approx((-one.value, -one.high, -one.low))


def test_folds_are_averaged_and_repeats_do_not_narrow(tmp_path):
    is_case, a, b = scores()
    fold = np.arange(N) % 4
    first = predicted(make_run(tmp_path, 1), np.arange(N), is_case, a, fold)
    second = predicted(make_run(tmp_path, 2), np.arange(N), is_case, b, fold)
    found = paired_auc(first, second)
    by_fold = [
        roc_auc_score(is_case[fold == k], b[fold == k])
        - roc_auc_score(is_case[fold == k], a[fold == k])
        for k in range(4)
    ]
    assert found.difference.value == pytest.approx(np.mean(by_fold))
    assert found.n_folds == 4

    def twice(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values, values])

    folds = np.concatenate([fold, 4 + fold])
    again = [
        predicted(
            make_run(tmp_path, seed), twice(np.arange(N)), twice(is_case), twice(score), folds
        )
        for seed, score in ((3, a), (4, b))
    ]
    repeated = paired_auc(*again)
    assert (repeated.n_case, repeated.n_control) == (found.n_case, found.n_control)
    assert repeated.difference.value == pytest.approx(found.difference.value)
    assert repeated.difference.low == pytest.approx(found.difference.low)


def test_of_different_people_those_tested_in_both_are_compared(tmp_path):
    is_case, a, b = scores()
    first = predicted(make_run(tmp_path, 1), np.arange(N), is_case, a)
    common = np.arange(100, N)
    second = predicted(make_run(tmp_path, 2), common, is_case[common], b[common])
    found = paired_auc(first, second)
    wanted = roc_auc_score(is_case[common], b[common]) - roc_auc_score(is_case[common], a[common])
    assert found.difference.value == pytest.approx(wanted)
    assert f"{is_case[common].sum()} cases" in found.warning
    assert changed_class(first, second).warning == found.warning


def test_different_folds_are_compared_piece_by_piece(tmp_path):
    """A person's score is held against those of the same model alone, in either run."""
    is_case, a, b = scores()
    fold = np.arange(N) % 2
    shifted = np.where(fold == 1, 0.5 + b / 2, b / 2)  # the models of two folds, on other scales
    first = predicted(make_run(tmp_path, 1), np.arange(N), is_case, a)
    second = predicted(make_run(tmp_path, 2), np.arange(N), is_case, shifted, fold, (0.5, 0.5))
    found = paired_auc(first, second)
    parts = [roc_auc_score(is_case[fold == k], b[fold == k]) for k in (0, 1)]
    assert found.second.value == pytest.approx(np.mean(parts))
    assert found.second.value > roc_auc_score(is_case, shifted) + 0.02
    assert found.n_folds == 2
    assert found.warning


@pytest.mark.parametrize("part", [paired_auc, changed_class])
def test_too_few_in_both_is_a_sentence(part, tmp_path):
    is_case, a, b = scores()
    first = predicted(make_run(tmp_path, 1), np.arange(N), is_case, a)
    second = predicted(make_run(tmp_path, 2), np.arange(N) + N - 90, is_case, b)
    with pytest.raises(EmptyResultError, match="fewer than 50 cases or 50 controls"):
        part(first, second)


def test_a_person_of_another_class_is_not_compared(tmp_path):
    is_case, a, b = scores()
    first = predicted(make_run(tmp_path, 1), np.arange(N), is_case, a)
    other = is_case.copy()
    other[:10] = ~other[:10]
    found = paired_auc(first, predicted(make_run(tmp_path, 2), np.arange(N), other, b))
    assert found.n_case + found.n_control == N - 10
    assert found.warning


def test_another_cohort_has_other_people(tmp_path):
    is_case, a, b = scores()
    first = predicted(make_run(tmp_path, 1), np.arange(N), is_case, a)
    second = predicted(make_run(tmp_path, 2, "def456"), np.arange(N), is_case, b)
    with pytest.raises(EmptyResultError, match="within one cohort"):
        paired_auc(first, second)


# ---- whose call changed ---------------------------------------------------------------------


def test_changed_class_by_counting(tmp_path):
    is_case, a, b = scores()
    fold = np.arange(N) % 2
    thresholds = (0.4, 0.7)
    first = predicted(make_run(tmp_path, 1), np.arange(N), is_case, a, fold, thresholds)
    second = predicted(make_run(tmp_path, 2), np.arange(N), is_case, b, fold, thresholds)
    cut = np.where(fold == 0, *thresholds)
    found = changed_class(first, second)
    for name, wanted in (("case", True), ("control", False)):
        counted = {
            "right_in_both": 0,
            "right_in_first": 0,
            "right_in_second": 0,
            "wrong_in_both": 0,
        }
        for i in np.flatnonzero(is_case == wanted):
            right = (a[i] > cut[i]) == wanted, (b[i] > cut[i]) == wanted
            counted[
                {(True, True): "right_in_both", (True, False): "right_in_first",
                 (False, True): "right_in_second", (False, False): "wrong_in_both"}[right]
            ] += 1  # fmt: skip
        assert getattr(found, name) == counted
        assert min(counted.values()) >= MIN_COUNT


@pytest.mark.parametrize("n_changed", [0, 1, 4, 5])
def test_a_class_with_a_small_count_is_withheld_whole(n_changed, tmp_path):
    """Of four counts three are in the confusion matrices, so that one alone cannot be hidden."""
    is_case = np.arange(200) % 2 == 0
    first_score = np.full(200, 0.9)
    first_score[is_case.nonzero()[0][:40]] = 0.1  # 40 cases wrong in both
    second_score = first_score.copy()
    case, control = np.flatnonzero(is_case), np.flatnonzero(~is_case)
    second_score[case[40 : 40 + n_changed]] = 0.1  # right in the first alone
    second_score[case[20:30]] = 0.9  # right in the second alone
    for score, rows in ((first_score, slice(0, 20)), (second_score, slice(10, 30))):
        score[control[rows]] = 0.1
    first = predicted(make_run(tmp_path, 1), np.arange(200), is_case, first_score)
    second = predicted(make_run(tmp_path, 2), np.arange(200), is_case, second_score)
    found = changed_class(first, second)
    assert found.control == dict(
        right_in_both=10, right_in_first=10, right_in_second=10, wrong_in_both=70
    )
    assert (found.case is None) == (n_changed < MIN_COUNT)


# ---- what may not be read -------------------------------------------------------------------


def test_private_files_that_are_missing_closed_or_broken(tmp_path, monkeypatch):
    is_case, a, b = scores()
    first = predicted(make_run(tmp_path, 1), np.arange(N), is_case, a)
    second = make_run(tmp_path, 2)
    with pytest.raises(NotComputedError, match="has none here; train it again"):
        paired_auc(first, second)
    second.predictions_path.write_bytes(b"PAR1 half a file")
    with pytest.raises(StaleArtifactError, match="cannot be read"):
        paired_auc(first, second)
    predicted(second, np.arange(N), is_case, b)
    with pytest.raises(NotComputedError, match="is running; let it finish"):
        paired_auc(first, replace(second, state="running"))

    def closed(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pd, "read_parquet", closed)
    with pytest.raises(InputError, match="you may not read them") as told:
        paired_auc(first, second)
    assert str(told.value).count(".") == 1


def test_a_pair_tells_what_it_can_and_nothing_of_a_person(tmp_path):
    is_case, a, b = scores()
    first = predicted(make_run(tmp_path, 1), np.arange(N) + 7_000, is_case, a)
    second = predicted(make_run(tmp_path, 2), np.arange(N) + 7_000, is_case, b)
    found = compare_pair(first, second)
    assert found.variants is None
    assert found.auc is not None
    assert len(found.problems) == 1
    assert "has not written which it chose" in found.problems[0]
    text = json.dumps(found.as_dict(), allow_nan=False)
    assert len(text) < 2_000
    assert not re.search(r"(?<![\d.])7[0-3]\d\d(?![\d.])", text)


# ---- variants and genes ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def with_genes(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("genes")
    people = [f"P{i}" for i in range(8)]
    records = [
        ("1", 2000 * (i + 1), "A", "G", "GT", *[("0/0", "0/1")[(i + j) % 2] for j in range(8)])
        for i in range(12)
    ]
    given = {person: ("case", "control")[i % 2] for i, person in enumerate(people)}
    cohort = make_cohort(folder, vcf_text(records, people), given, name="demo")
    cohort.store.close()
    table = folder / "g.bed"
    # ONE holds variants 0 to 4, TWO 3 to 7, FAR none; 8 to 11 lie in none.
    rows = [(1_500, 10_500, "ONE"), (7_500, 16_500, "TWO"), (500_000, 500_100, "FAR")]
    table.write_text("".join(f"1\t{start}\t{end}\t{gene}\n" for start, end, gene in rows))
    annotate(folder / "cache", "demo", table)
    return folder / "cache"


def chosen(run: runs.Run, by_fold: list[list[int]]) -> runs.Run:
    cohort = open_cohort(run.cache, "demo")
    parts = []
    for fold, indices in enumerate(by_fold):
        part = cohort.sites(np.array(indices)).drop(columns="chrom_order")
        part.insert(0, "fold", fold)
        part["neg_log10_p"] = 1.0
        parts.append(part)
    cohort.store.close()
    pd.concat(parts, ignore_index=True).to_parquet(run.selection_path, index=False)
    return run


def test_gained_and_lost_are_those_of_sets(with_genes):
    fingerprint = open_cohort(with_genes, "demo").fingerprint
    folds = [[0, 1, 8], [1, 3]], [[1, 3, 6], [5, 6, 11]]
    first = chosen(make_run(with_genes, 1, fingerprint), folds[0])
    second = chosen(make_run(with_genes, 2, fingerprint), folds[1])
    found = gained_and_lost(first, second)
    one, other = {0, 1, 3, 8}, {1, 3, 5, 6, 11}
    assert (found.n_first, found.n_second, found.n_shared) == (4, 5, 2)
    assert (found.n_gained, found.n_lost) == (len(other - one), len(one - other))
    cohort = open_cohort(with_genes, "demo")
    held = cohort.store.frame("SELECT DISTINCT variant_index, gene FROM annotation.variant_genes")
    cohort.store.close()
    table = found.genes.set_index("gene")
    for gene, rows in held.groupby("gene"):
        own = set(rows["variant_index"])
        wanted = (
            own & one,
            own & other,
            own & one & other,
            own & (other - one),
            own & (one - other),
        )
        if own & (one | other):
            assert table.loc[gene].tolist() == [len(part) for part in wanted]
        else:
            assert gene not in table.index
    in_first, in_second = (
        {gene for gene, rows in held.groupby("gene") if set(rows["variant_index"]) & entered}
        for entered in (one, other)
    )
    assert found.n_genes_gained == len(in_second - in_first)
    assert found.n_genes_lost == len(in_first - in_second)
    assert found.n_genes_shared == len(in_first & in_second) > 0
    back = gained_and_lost(second, first)
    assert (back.n_gained, back.n_lost) == (found.n_lost, found.n_gained)


def test_genes_of_a_cohort_that_is_gone_are_a_note(with_genes):
    first = chosen(make_run(with_genes, 3, "gone"), [[0, 1]])
    second = chosen(make_run(with_genes, 4, "gone"), [[1, 2]])
    found = gained_and_lost(first, second)
    assert (found.n_shared, found.genes) == (1, None)
    assert "was ingested anew" in found.note


# ---- settings -------------------------------------------------------------------------------


def test_differing_settings_are_told_in_their_own_words(tmp_path):
    one = make_run(tmp_path, 1)
    other = make_run(tmp_path, 1, quality__min_mean_depth=12, network__dense=(100, 10))
    third = make_run(tmp_path, 1, training__batch_size=64)
    found = differing_settings([one, other])
    assert [(d.setting, d.label, d.unit) for d in found] == [
        ("quality.min_mean_depth", "Smallest mean depth", "reads"),
        ("network.dense", "Dense layers", "units"),
    ]
    assert found[0].values == (one.settings["quality"]["min_mean_depth"], 12)
    assert found[1].values[1] == [100, 10]
    assert [d.setting for d in differing_settings([one, other, third])] == [
        "quality.min_mean_depth", "network.dense", "training.batch_size"
    ]  # fmt: skip
    assert differing_settings([one]) == differing_settings([one, one]) == ()


def test_older_runs_lack_settings_and_have_others(tmp_path):
    one = make_run(tmp_path, 1)
    older = json.loads(json.dumps(one.settings))
    del older["training"]["momentum"]
    older["network"]["old_switch"] = True
    older["association"]["test"] = "fisher"
    old = replace(
        one, settings=older, versions={**one.versions, "keras": "2.9"}, fingerprint="x" * 40
    )
    found = {d.setting: d for d in differing_settings([one, old])}
    assert set(found) == {"fingerprint", "network.old_switch", "version.keras"}
    assert found["network.old_switch"].label == "Old switch"
    assert found["fingerprint"].values == ("abc123", "x" * 8)


# ---- the figures of a run -------------------------------------------------------------------


def epoch(fold: int, number: int, val_loss: float, val_auc: float = 0.7) -> EpochRecord:
    return EpochRecord(fold, number, 0.6, 0.6, val_loss, 0.55, val_auc, 1e-4, 1.0)


def test_summary_is_of_the_kept_epoch_not_of_the_last(tmp_path):
    run = make_run(tmp_path)
    for fold, losses in enumerate([[0.9, 0.5, 0.8], [0.7, 0.6, 0.5, 0.65]]):
        for i, loss in enumerate(losses):
            runs.append_progress(run, epoch(fold, i + 1, loss, 0.5 + 0.1 * i))
    found = summarise(run)
    assert found.value("best_val_loss") == pytest.approx(0.5)
    assert found.best_epoch == pytest.approx(2.5)
    assert found.val_loss == pytest.approx((0.8, 0.55, 0.65, 0.65))
    assert math.isnan(found.value("auc"))
    auc = {"value": 0.7, "low": 0.6, "high": 0.8}
    runs.write_metrics(
        run,
        {
            "protocol": "honest",
            "test": {"n": 90, "auc": auc, "accuracy": auc, "loss": None},
            "train": {"auc": 0.9, "accuracy": 0.9},
            "baselines": {"majority": {"auc": {"value": 0.5, "low": 0.5, "high": 0.5}},
                          "additive": {"auc": {"value": None, "low": None, "high": None}}},
            "folds": [{"fold": 0, "best_epoch": 3}, {"fold": 1, "best_epoch": 1}],
        },
    )  # fmt: skip
    found = summarise(run)
    assert found.measured["auc"] == auc
    assert found.value("best_val_loss") == pytest.approx((0.8 + 0.7) / 2)
    assert found.value("best_val_auc") == pytest.approx((0.7 + 0.5) / 2)
    assert math.isnan(found.value("baseline_auc"))
    assert (found.n_test, found.n_folds, found.n_epochs) == (90, 2, 7)


def test_a_long_curve_is_thinned_and_keeps_its_lowest(tmp_path):
    run = make_run(tmp_path)
    for i in range(1, 301):
        runs.append_progress(run, epoch(0, i, 0.1 if i == 137 else 0.6))
    with run.progress_path.open("a") as stream:
        stream.write('{"fold": 0, "epo')  # being written
    found = summarise(run)
    assert len(found.val_loss) == SPARK_POINTS
    assert min(found.val_loss) == 0.1
    assert found.best_epoch == 137


def test_a_damaged_run_has_no_figures(tmp_path):
    run = make_run(tmp_path)
    run.metrics_path.write_text("{half")
    runs.append_progress(run, epoch(0, 1, 0.6))
    with run.progress_path.open("a") as stream:
        stream.write("damage\n")
    found = summarise(run)
    assert math.isnan(found.value("auc"))
    assert found.val_loss == (0.6,)
    assert summarise(make_run(tmp_path, 9)).val_loss == ()


# ---- the command line -----------------------------------------------------------------------


@pytest.fixture
def compare(capsys):
    verb = compare_verbs.VERBS[0]

    def asked(cache: Path, *ids: str, as_json: bool = True) -> str:
        import argparse

        made = argparse.ArgumentParser()
        made.add_argument("--json", action="store_true")
        verb.arguments(made)
        given = made.parse_args([*ids, *(["--json"] if as_json else [])])
        given.cache = cache
        capsys.readouterr()
        verb.run(given)
        return capsys.readouterr().out

    return asked


def test_verb_compares_two_and_more(compare, tmp_path):
    is_case, a, b = scores()
    first = predicted(make_run(tmp_path, 1), np.arange(N), is_case, a)
    second = predicted(make_run(tmp_path, 2), np.arange(N), is_case, b)
    runs.write_metrics(first, metrics := {"folds": [], "test": {"n": N, "auc": {}, "accuracy": {}}})
    runs.write_metrics(second, metrics)
    told = json.loads(compare(tmp_path, first.id, second.id))
    assert [row["run"] for row in told["runs"]] == [first.id, second.id]
    assert [row["setting"] for row in told["settings"]] == ["training.seed"]
    wanted = paired_auc(first, second).difference
    assert told["pair"]["auc"]["difference"]["value"] == pytest.approx(wanted.value)
    lines = compare(tmp_path, first.id, second.id, as_json=False)
    assert f"AUC, second minus first: {wanted.value:+.3f}" in lines
    third = make_run(tmp_path, 3)
    assert json.loads(compare(tmp_path, first.id, second.id, third.id))["pair"] is None
    with pytest.raises(InputError.__base__, match="named twice"):
        compare(tmp_path, first.id, first.id)
