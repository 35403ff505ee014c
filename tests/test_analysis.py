"""One object for every picture: what it holds while regressions or permutations are not done."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline import analysis
from pipeline.analysis import analyse, computed
from pipeline.association import associate
from pipeline.logistic import regress
from pipeline.permutation import max_t
from pipeline.quality import filter_variants
from pipeline.settings import AnalysisSettings, with_changes
from pipeline.summaries import genome_axis, manhattan_points, p_bins, qq_points, top_table
from tests.small_cohorts import make_cohort, vcf_text

N = 60
CALLS = np.array(["0/0", "0/1", "1/1"])
SETTINGS = with_changes(AnalysisSettings(), ["quality.min_mean_depth=off"])


@pytest.fixture
def cohort(tmp_path):
    rng = np.random.default_rng(3)
    names = [f"p{i}" for i in range(N)]
    records = [["1", 100 + i, "A", "C", "GT", *CALLS[rng.binomial(2, 0.4, N)]] for i in range(20)]
    diagnoses = {name: "case" if i % 2 else "control" for i, name in enumerate(names)}
    return make_cohort(tmp_path, vcf_text(records, names), diagnoses)


def asked(*changes: str) -> AnalysisSettings:
    return with_changes(SETTINGS, changes)


def test_the_association_is_that_of_the_test_asked_for(cohort):
    for test in ("genotypic", "dominant", "fisher"):
        settings = asked(f"association.test={test}")
        filtered = filter_variants(cohort, settings.quality)
        expected = associate(cohort, filtered, settings.association)
        found = analyse(cohort, settings)
        np.testing.assert_array_equal(found.association.neg_log10_p, expected.neg_log10_p)
        assert found.line(settings.association) == expected.bonferroni
    assert found.n_to_regress == 0


@pytest.mark.parametrize(
    "changes",
    [[], ["association.test=trend"], ["quality.min_mac=46"], ["association.small_expected=hide"]],
)
def test_plots_and_tables_show_the_same_variants(cohort, changes):
    found = analyse(cohort, asked(*changes))
    points = manhattan_points(cohort, genome_axis(cohort), found.filtered, found.association)
    table = top_table(cohort, found.filtered, found.association)
    n = found.association.n_tested
    assert n == len(table) == points["n_binned"].sum() == p_bins(found.association)["n"].sum()
    in_plot = points.set_index("variant_id")["neg_log10_p"].to_dict()
    assert table.set_index("variant_id")["neg_log10_p"].to_dict() == in_plot
    assert set(table["variant_index"]) <= set(found.filtered.kept)
    assert table["neg_log10_p"].is_monotonic_decreasing
    observed = qq_points(found.association)[0]["observed"]
    np.testing.assert_array_equal(observed, table["neg_log10_p"])


def test_few_regressions_are_done_at_once__many_are_asked_for(cohort, monkeypatch):
    settings = asked("association.test=logistic")
    monkeypatch.setattr(analysis, "_AT_ONCE", 0)
    waiting = analyse(cohort, settings)
    assert waiting.association is None
    assert waiting.n_to_regress == 20
    assert "logistic" in waiting.problem.lower()
    assert waiting.line(settings.association) == math.inf
    # What would enter the network does not wait: its test is another one.
    assert waiting.n_entering == analyse(cohort, asked()).n_entering
    before = computed(cohort)
    filtered = filter_variants(cohort, settings.quality)
    done = regress(cohort, filtered, settings.association)
    assert computed(cohort) != before
    found = analyse(cohort, settings).association
    np.testing.assert_array_equal(found.neg_log10_p, done.neg_log10_p)
    monkeypatch.undo()
    others = asked("association.test=logistic", "association.covariates=sex")
    assert analyse(cohort, others).n_to_regress == 0


def test_permutations_are_read_not_made(cohort):
    settings = asked("association.correction=permutation", "association.n_permutations=100")
    waiting = analyse(cohort, settings)
    assert waiting.max_t is None
    assert waiting.line(settings.association) == math.inf
    before = computed(cohort)
    filtered = filter_variants(cohort, settings.quality)
    made = max_t(cohort, filtered, settings.association)
    assert computed(cohort) != before
    assert analyse(cohort, settings).line(settings.association) == made.line()


def test_what_cannot_be_adjusted_for_is_said(cohort):
    found = analyse(cohort, asked("association.test=logistic", "association.covariates=height"))
    assert found.association is None
    assert "height" in found.problem
    assert found.n_to_regress == 0
