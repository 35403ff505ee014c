"""What if: a run that is changed, and the family that comes of it."""

from __future__ import annotations

import json

from pipeline import runs
from pipeline.cohort import open_cohort
from pipeline.lineage import note_parent
from pipeline.runs import Run
from pipeline.settings import AnalysisSettings, with_changes
from pipeline.submit import identify
from tests.dashboard.test_pages import show, words  # noqa: F401 (show is a fixture)
from tests.dashboard.test_run_page import cache, metrics_of  # noqa: F401 (cache is a fixture)


def made(folder, changes: dict) -> Run:
    cohort = open_cohort(folder, "small")
    settings, relatives, genes = identify(cohort, with_changes(AnalysisSettings(), changes))
    cohort.store.close()
    run = runs.create(folder, "small", cohort.fingerprint, settings, "quick", relatives, genes)
    runs.write_metrics(run, json.loads(json.dumps(metrics_of())))
    return runs.update_state(run, state="finished", selected=9, epochs=3)


def test_the_training_page_says_what_is_changed(show, cache):  # noqa: F811
    run = made(cache, {"network.dropout": 0.5})
    unchanged = words(show(cache, "training", **{"from": run.id}))
    assert f"Changed from run `{run.id[:8]}` (AUC 0." in unchanged
    changed = words(show(cache, "training", **{"from": run.id, "quality.min_mean_depth": "12.0"}))
    assert "Smallest mean depth 8 → 12" in changed
    assert "Cases" not in changed.split("Changed from run")[1].split("\n")[0], "nobody else"
    assert "Changed from" not in words(show(cache, "training", **{"from": "0" * 16}))


def test_the_family_is_drawn_by_what_was_changed(show, cache):  # noqa: F811
    run = made(cache, {"network.dropout": 0.5})
    child = made(cache, {"network.dropout": 0.2})
    alone = made(cache, {"training.seed": 3})
    note_parent(child, run)
    app = show(cache, "run", run=run.id)
    assert "What was changed from here" in words(app)
    drawn = " ".join(chart.proto.spec for chart in app.get("vega_lite_chart"))
    assert "Dropout 0.5 \\u2192 0.2" in drawn or "Dropout 0.5 → 0.2" in drawn
    assert "What was changed" not in words(show(cache, "run", run=alone.id))
