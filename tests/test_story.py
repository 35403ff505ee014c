"""The story of a run: its numbers are those of the run, found by other ways; nobody is in it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline import runs
from pipeline.audit import LOGISTIC, NETWORK
from pipeline.audit.stored import question, write_answer
from pipeline.cohort import delete_cohort, open_cohort
from pipeline.epochs import EpochRecord
from pipeline.errors import NotComputedError
from pipeline.keeping.run_notes import write_notes
from pipeline.runs import Run
from pipeline.settings import AnalysisSettings
from pipeline.story import PARTS, Story, n_above, question_paths, story_of, tell
from tests.small_cohorts import codes, counts
from tests.test_checklist import make_run, write_cohort


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """Thirty cases, thirty controls, ten others; 300 variants on two chromosomes."""
    return write_cohort(tmp_path_factory.mktemp("story"))


COVERED = 21.25  # reads: about the mean depth of a person here


def told(cache: Path, **changes) -> Story:
    return story_of(make_run(cache, **changes))


def everything(story: Story) -> str:
    """Return all words and figures of a story, those that a picture is drawn from too."""
    parts = []
    for part in story.parts:
        parts += [part.title, *part.sentences, part.caption]
        tables = [part.table, *part.data.values()]
        parts += [t.to_csv() for t in tables if isinstance(t, pd.DataFrame)]
        parts += [str(v) for v in part.data.values() if not isinstance(v, pd.DataFrame)]
    return "\n".join(parts)


def p_by_hand(cache: Path, max_missing: float = 1.0) -> np.ndarray:
    """Return the genotypic p of each variant, from genotypes and SciPy alone."""
    cohort = open_cohort(cache, "small")
    calls = codes(cohort)
    case = cohort.is_in(("SCZ",))
    control = cohort.is_in(("control",))
    cohort.store.close()
    found = []
    for row in calls:
        table = np.array([[np.sum(row[who] == g) for g in (0, 1, 2)] for who in (case, control)])
        table = table[:, table.sum(axis=0) > 0]
        found.append(stats.chi2_contingency(table, correction=False).pvalue)
    return np.array(found)


def test_every_part_is_told_in_order_with_a_finding_and_the_run(cache):
    story = told(cache)
    assert tuple(part.name for part in story.parts) == PARTS
    for part in story.parts:
        assert part.title
        assert part.sentences
        assert f"run {story.run.id[:8]}" in part.caption
        words = f"{part.title} {' '.join(part.sentences)} {part.caption}".lower().split()
        assert not {"nan", "none,", "inf"} & set(words)


def test_people_are_those_of_the_cohort_and_the_split(cache):
    story = told(cache)
    part = story.part("cohort")
    assert part.title == "60 people take part: 30 cases and 30 controls"
    assert "10 BP" in part.sentences[0]
    assert "42 people train, 8 validate, 10 test" in " ".join(part.sentences)
    counted = part.table.groupby("Diagnosis")["People"].sum()
    assert dict(counted) == {"BP": 10, "SCZ": 30, "control": 30}
    assert (story.cohort.n_people, story.cohort.n_case, story.cohort.n_variants) == (70, 30, 300)
    assert not story.cohort.is_simulated


def test_the_funnel_is_that_of_the_runs_own_thresholds(cache):
    cohort = open_cohort(cache, "small")
    found, takes_part = counts(cohort), [cohort.diagnoses.index(d) for d in ("SCZ", "control")]
    cohort.store.close()
    depth = found["depth_sum"][:, takes_part].sum(1) / found["depth_n"][:, takes_part].sum(1)
    n_kept = int(np.sum(depth >= 21.5))
    assert 0 < n_kept < 300
    part = told(cache, quality__min_mean_depth=21.5).part("funnel")
    assert part.title == f"Of 300 sites read, {n_kept:,} variants are kept"
    assert part.table["Left"].iloc[-1] == n_kept
    assert "smallest mean depth 21.5 reads" in part.caption


def test_association_is_that_of_scipy(cache):
    part = told(cache, association__correction="raw", split__seed=21).part("manhattan")
    p = p_by_hand(cache)
    n_hits = int(np.sum(p < 0.05))
    assert part.title == f"{n_hits} of 300 variants tested pass p = 0.05, uncorrected"
    np.testing.assert_allclose(part.table["p"].iloc[0], p.min())
    assert part.data["selection_line"] == (pytest.approx(-np.log10(0.05)), n_hits)
    for line in (0.0, 0.5, 1.3, 2.0, 99.0):
        assert n_above(part, line) == int(np.sum(-np.log10(p) > line))
    on_line = part.data["all_neg_log10_p"][-1]
    assert n_above(part, on_line) == 0, "a variant on the line does not lie above it"


def test_the_test_of_the_run_is_kept(cache):
    with_trend = told(cache, association__test="trend", split__seed=22).part("manhattan")
    assert "Cochran-Armitage trend test of all 30 cases" in with_trend.caption
    assert with_trend.data["selection_line"] is None, "selection goes by another test"


def test_a_regression_that_is_not_computed_says_so(cache, monkeypatch):
    monkeypatch.setattr("pipeline.analysis._AT_ONCE", 0)
    part = told(cache, association__test="logistic", split__seed=23).part("manhattan")
    assert part.title == "The logistic regression of these variants is not computed yet"
    assert "300 variants wait" in part.sentences[0]
    assert part.data == {}


def test_results_are_those_of_the_metrics(cache):
    run = make_run(cache)
    metrics = json.loads(run.metrics_path.read_text())
    metrics["test"]["confusion"] = [[4, 1], [2, 3]]
    metrics["test"]["accuracy"] = {"value": 0.7, "low": 0.4, "high": 0.89}
    metrics["baselines"]["logistic_l1"] = metrics["test"] | {
        "auc": {"value": 0.81, "low": 0.6, "high": 0.93}
    }
    runs.write_metrics(run, metrics)
    story = story_of(run)
    part = story.part("confusion")
    assert part.title == (
        "The network calls 70% of 10 unseen people rightly, logistic regression 70%"
    )
    assert part.data["confusion"] == [[4, 1], [2, 3]]
    assert "Of the cases 60% are called case, of the controls 80% control" in part.sentences[1]
    by_model = part.table.set_index("Model")
    assert by_model.loc["Network", "AUC"] == metrics["test"]["auc"]["value"]
    assert by_model.loc["Logistic regression, L1", "AUC, high"] == 0.93
    assert "reaches 0.81 (0.60 to 0.93)" in " ".join(story.part("caveats").sentences)
    assert story.headline.startswith("On 10 people it had never seen, the network is right for 70%")


def test_curves_are_the_epochs_and_the_kept_one(cache):
    run = make_run(cache, training__seed=5)
    assert story_of(run).part("curves").data == {}
    for epoch in range(1, 10):
        runs.append_progress(
            run, EpochRecord(0, epoch, 0.7, 0.5, 0.6, 0.6, 0.5 + epoch / 50, 1e-3, 1.0)
        )
    part = story_of(run).part("curves")
    assert part.title == "Of 9 epochs, epoch 4 was kept, with an AUC of 0.58 on validation people"
    assert len(part.table) == 9
    published = make_run(cache, training__seed=5, selection__protocol="published")
    runs.append_progress(published, EpochRecord(0, 4, 0.7, 0.5, 0.6, 0.6, 0.5, 1e-3, 1.0))
    assert "on test people" in story_of(published).part("curves").title


def test_published_order_is_told_everywhere(cache):
    story = told(cache, selection__protocol="published")
    assert "they are not new" in story.part("question").sentences[0]
    assert "ranked on all people" in " ".join(story.part("manhattan").sentences)
    assert story.part("caveats").title.startswith("This is not evidence about new people")


def test_an_audit_that_nobody_asked_for_says_what_to_do(cache):
    part = told(cache, split__seed=3).part("audit")
    assert part.data == {}
    assert part.table is None
    assert "has not been audited" in part.title
    assert "press Audit" in part.sentences[0]


def test_a_stored_audit_of_this_very_run_is_told(cache):
    run, other = make_run(cache, split__seed=4), make_run(cache, split__seed=5)
    cohort = open_cohort(cache, "small")
    for model, published in ((LOGISTIC, 0.9), (NETWORK, 0.85)):
        asked = question(cohort, run.analysis(), model)
        write_answer(cache, asked, "protocols", summary(published), is_complete=True)
        assert asked.path(cache, "protocols") in question_paths(cohort, run)
        assert asked.path(cache, "protocols") not in question_paths(cohort, other)
    cohort.store.close()
    part = story_of(run).part("audit")
    assert part.title == (
        "Honest, the AUC is 0.70; in the published order it would be 0.85, and 0.80 on noise"
    )
    assert [model for model, _ in part.data["audits"]] == ["L2 logistic regression", "Network"]
    rows = part.table.set_index(["Model", "Order"])["AUC"]
    assert rows["Network", "Published order"] == 0.85
    assert rows["Network", "Published order, labels permuted (mean)"] == pytest.approx(0.8)
    assert "has not been audited" in story_of(other).part("audit").title


def summary(published: float) -> dict:
    def measured(auc: float) -> dict:
        return {"auc": {"value": auc, "low": auc - 0.1, "high": auc + 0.1},
                "accuracy": {"value": 0.6, "low": 0.5, "high": 0.7}}  # fmt: skip

    return {
        "n_test": 10, "honest": measured(0.7), "published": measured(published),
        "honest_permuted": [measured(0.5)], "published_permuted": [measured(0.79), measured(0.81)],
        "p": {"honest": 0.1, "published": 0.1}, "majority": 0.5, "sentence": "So it is.",
        "optimism": {"metric": "auc", "value": 0.2, "low": 0.1, "high": 0.3},
    }  # fmt: skip


def test_caveats_hold_the_leaks_and_the_notes(cache):
    run = make_run(cache, split__seed=9)
    metrics = json.loads(run.metrics_path.read_text()) | {"notes": ["A note of the training."]}
    runs.write_metrics(run, metrics)
    part = story_of(run).part("caveats")
    said = " ".join(part.sentences)
    assert "A note of the training." in said
    assert "10 test people leave the AUC between 0.65 and 0.85" in said
    assert "Nobody of another cohort was tested" in said
    assert len(part.table) == 11


def test_what_the_paper_leaves_open_is_named(cache):
    run = make_run(cache, preset="final_2d", split__seed=11)
    assert "Assumed where the paper is silent" in " ".join(story_of(run).part("caveats").sentences)


def test_a_title_that_people_gave_is_the_name(cache):
    run = make_run(cache, split__seed=12)
    assert story_of(run).name == "own settings"
    write_notes(cache, run.id, {"title": "The one of May"})
    assert story_of(run).name == "The one of May"


@pytest.mark.parametrize("way", ["another fingerprint", "gone"])
def test_without_its_cohort_no_wrong_number_is_told(tmp_path, way):
    cache = write_cohort(tmp_path)
    run = make_run(cache)
    if way == "gone":
        delete_cohort(cache, "small")
    else:
        record = json.loads((run.folder / "run.json").read_text())
        (run.folder / "run.json").write_text(json.dumps(record | {"fingerprint": "0" * 16}))
        run = runs.load(cache, run.id)
    story = story_of(run)
    assert story.cohort.lacking
    assert story.cohort.n_people is None
    for name in ("cohort", "funnel", "manhattan", "audit"):
        part = story.part(name)
        assert part.data == {}, name
        assert part.table is None, name
        assert story.cohort.lacking in part.sentences, name
    assert "300" not in everything(replace(story, parts=story.parts[:4]))
    assert story.part("confusion").data["confusion"], "the run itself still speaks"


def test_a_cohort_that_is_another_is_not_read(tmp_path, cache):
    run = replace(make_run(cache), fingerprint="1" * 16)
    cohort = open_cohort(cache, "small")
    story = tell(cohort, run)
    cohort.store.close()
    assert story.part("manhattan").data == {}


def test_a_run_without_metrics_has_no_story(cache):
    cohort = open_cohort(cache, "small")
    cohort.store.close()
    run = runs.create(cache, "small", cohort.fingerprint, AnalysisSettings())
    with pytest.raises(NotComputedError, match="is queued and has no metrics"):
        story_of(run)


def test_no_person_is_in_it(cache):
    run = make_run(cache)
    (run.folder / "private").mkdir(exist_ok=True)
    said = everything(story_of(run))
    cohort = open_cohort(cache, "small")
    ids = set(cohort.samples["sample_id"])
    cohort.store.close()
    words = set(said.replace(",", " ").replace("\n", " ").split())
    assert "SCZ" in words, "the search reads the words"
    assert not ids & words
    assert run.host
    assert run.host not in words


def test_people_who_fail_a_threshold_are_told(cache):
    run = make_run(cache, samples__min_mean_depth=COVERED)
    cohort = open_cohort(cache, "small")
    depth = cohort.samples["depth_sum"] / cohort.samples["depth_n"]
    takes_part = cohort.samples["diagnosis"] != "BP"
    cohort.store.close()
    n_out = int((depth[takes_part] < COVERED).sum())
    assert 0 < n_out < 60
    part = story_of(run).part("cohort")
    assert part.title.startswith(f"{60 - n_out} people take part")
    assert any(f"{n_out} " in one and "fail a threshold" in one for one in part.sentences)


def test_a_fold_each_is_told(cache):
    run: Run = make_run(cache, split__folds=3)
    story = story_of(run)
    assert "In each of 3 folds about" in " ".join(story.part("cohort").sentences)
    assert "3 folds" in story.part("caveats").title
    assert "Drawn is that of the first fold." in story.part("network").sentences
