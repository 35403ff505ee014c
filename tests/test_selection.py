"""Variants enter by p or by rank, counted on training people; nobody else's data moves them."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import EmptyResultError, LeakageError
from pipeline.quality import filter_variants, without_label_rules
from pipeline.recount import recount
from pipeline.selection import Selection, rank, refuse_leak, select
from pipeline.settings import QualitySettings, SelectionSettings
from tests.small_cohorts import make_cohort, vcf_text

N = 60
SAMPLES = [f"s{i}" for i in range(N)]
WORDS = np.array(["0/0", "0/1", "1/1", "./."])


def test_by_p_is_strictly_below():
    log_p = np.array([1.0, 2.0, np.nan, 3.0, 0.0])
    assert rank(log_p, SelectionSettings(max_p=0.01)).tolist() == [3]
    assert rank(log_p, SelectionSettings(max_p=0.011)).tolist() == [1, 3]
    assert rank(log_p, SelectionSettings(max_p=1)).tolist() == [0, 1, 3]


def test_top_takes_the_earlier_of_a_tie():
    log_p = np.array([1.0, 2.0, np.nan, 2.0, 2.0, 5.0])
    assert rank(log_p, SelectionSettings(top=3)).tolist() == [1, 3, 5]
    assert rank(log_p, SelectionSettings(top=99)).tolist() == [0, 1, 3, 4, 5]


def test_leak_is_refused_unless_published():
    chosen = Selection(np.arange(2), np.ones(2), np.array([1, 2, 5]), 2)
    refuse_leak(chosen, np.array([3, 4]), "honest")
    refuse_leak(chosen, np.array([5]), "published")
    with pytest.raises(LeakageError, match="1 test people were looked at"):
        refuse_leak(chosen, np.array([4, 5]), "honest")


def cohort_of(tmp_path, codes: np.ndarray, is_case: np.ndarray, name: str):
    records = [["1", 10 * i + 10, "A", "C", "GT", *WORDS[row]] for i, row in enumerate(codes)]
    people = {s: "case" if case else "control" for s, case in zip(SAMPLES, is_case, strict=True)}
    return make_cohort(tmp_path, vcf_text(records, SAMPLES), people, name=name)


def chosen_of(cohort, train: np.ndarray, quality: QualitySettings) -> Selection:
    filtered = filter_variants(cohort, without_label_rules(quality))
    mask = np.isin(np.arange(N), train)
    (counted,) = recount(cohort, filtered, [mask])
    return select(cohort, counted, train, SelectionSettings(max_p=0.3), quality)


@pytest.mark.parametrize("rules", [{}, {"max_hwe_log10": 0.3, "max_missingness_log10": 0.3}])
def test_test_people_move_nothing(tmp_path, rules):
    """Labels permuted and genotypes exchanged among test people: the selection is the same."""
    rng = np.random.default_rng(2)
    codes = rng.choice(4, (300, N), p=[0.6, 0.25, 0.1, 0.05])
    is_case = rng.permutation(N) < N // 2
    test = np.sort(rng.choice(N, 20, replace=False))
    train = np.setdiff1d(np.arange(N), test)
    quality = QualitySettings(min_call_rate=0.5, **rules)
    before = chosen_of(cohort_of(tmp_path, codes, is_case, "before"), train, quality)
    mixed, other_labels = codes.copy(), is_case.copy()
    for row in mixed:
        row[test] = rng.permutation(row[test])
    other_labels[test] = ~is_case[test]
    after_cohort = cohort_of(tmp_path, mixed, other_labels, "after")
    after = chosen_of(after_cohort, train, quality)
    np.testing.assert_array_equal(before.variants, after.variants)
    np.testing.assert_array_equal(before.neg_log10_p, after.neg_log10_p)
    assert 0 < len(before.variants) < 300
    assert before.n_ranked == after.n_ranked
    # The same check over everybody fails, so the check above can.
    everyone = np.arange(N)
    leaky = chosen_of(after_cohort, everyone, quality)
    assert leaky.neg_log10_p.tolist() != before.neg_log10_p.tolist()


def test_rules_that_read_labels_apply_to_the_people_looked_at(tmp_path):
    rng = np.random.default_rng(5)
    codes = rng.choice(3, (200, N), p=[0.5, 0.2, 0.3])
    is_case = np.arange(N) < N // 2
    cohort = cohort_of(tmp_path, codes, is_case, "c")
    free = chosen_of(cohort, np.arange(0, N, 2), QualitySettings())
    strict = chosen_of(cohort, np.arange(0, N, 2), QualitySettings(max_hwe_log10=1.0))
    assert strict.n_ranked < free.n_ranked
    assert set(strict.variants) < set(free.variants)


def test_nothing_enters_is_a_sentence(tmp_path):
    codes = np.zeros((5, N), int)
    codes[:, :30:2] = 1
    cohort = cohort_of(tmp_path, codes, np.arange(N) % 4 < 2, "c")
    filtered = filter_variants(cohort, QualitySettings())
    with pytest.raises(EmptyResultError, match=r"raise selection\.max_p"):
        select(cohort, filtered, np.arange(N), SelectionSettings(max_p=1e-9), QualitySettings())
