"""The page Compare: what is listed, what a link chooses, and what is read of 500 runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import loaders
from pipeline import runs
from pipeline.cohort import open_cohort
from pipeline.epochs import EpochRecord
from pipeline.keeping import trash
from pipeline.settings import AnalysisSettings, with_changes
from tests.dashboard.test_pages import _cache, show, words  # noqa: F401 (show is a fixture)
from tests.dashboard.test_run_page import metrics_of

N_MANY = 500


def add(cache: Path, cohort: str = "small", preset: str = "quick", **changes: object) -> runs.Run:
    """Make a finished run with metrics, epochs, variants and predictions."""
    if cohort == "small":
        opened = open_cohort(cache, "small")
        fingerprint = opened.fingerprint
        sites = opened.sites(np.arange(5)).drop(columns="chrom_order")
        opened.store.close()
    else:
        fingerprint, sites = "elsewhere", None
    named = {name.replace("__", "."): value for name, value in changes.items()}
    settings = with_changes(AnalysisSettings(), named)
    run = runs.create(cache, cohort, fingerprint, settings, preset)
    metrics = metrics_of()
    runs.write_metrics(run, json.loads(json.dumps(metrics)))
    for i in range(1, 6):
        runs.append_progress(
            run, EpochRecord(0, i, 0.6, 0.6, 0.7 - 0.1 * (i == 2), 0.5, 0.6, 1e-3, 1)
        )
    if sites is not None:
        seed = settings.training.seed
        sites.insert(0, "fold", 0)
        sites["neg_log10_p"] = 2.0
        sites.iloc[: 3 + seed % 2].to_parquet(run.selection_path, index=False)
        rng = np.random.default_rng(seed)
        is_case = np.arange(200) % 2 == 0
        table = {"fold": 0, "sample_index": np.arange(200), "is_case": is_case}
        score = np.clip(0.5 + rng.normal(size=200) / 2 + is_case / 5, 0, 1)
        pd.DataFrame(table | {"probability": score}).to_parquet(run.predictions_path, index=False)
    return runs.update_state(run, "finished", selected=5, epochs=5)


@pytest.fixture
def cache(tmp_path) -> Path:
    return _cache(tmp_path, ["case", "control"])


def table(app: AppTest) -> pd.DataFrame:
    return next(one.value for one in app.dataframe if "Loss curve" in one.value)


def test_without_a_run_the_next_step_is_told(cache, show):  # noqa: F811
    app = show(cache, "compare")
    assert "No run yet. Choose a network on the page Training" in words(app)
    assert app.title[0].value == "What changed, and did it matter?"


def test_of_one_run_there_is_nothing_to_compare(cache, show):  # noqa: F811
    add(cache)
    app = show(cache, "compare")
    assert "There is one run so far" in words(app)
    assert len(table(app)) == 1


def test_the_table_shows_the_kept_epoch_and_the_interval(cache, show):  # noqa: F811
    add(cache)
    add(cache, training__seed=2)
    app = show(cache, "compare")
    shown = table(app)
    auc = metrics_of()["test"]["auc"]
    assert list(shown)[:3] == ["Run", "AUC", "Loss curve"]
    assert shown["AUC"].tolist() == pytest.approx([auc["value"]] * 2)
    assert shown["95 % interval"].iloc[0] == f"{auc['low']:.3f} to {auc['high']:.3f}"
    assert shown["Best epoch"].tolist() == [2, 2]
    assert min(shown["Loss curve"].iloc[0]) == pytest.approx(0.6)
    assert "Tick two or more runs" in words(app)


def test_the_filter_and_the_search_choose_what_is_listed(cache, show):  # noqa: F811
    add(cache)
    add(cache, preset="best", training__batch_size=64)
    other = add(cache, "elsewhere")
    assert len(table(show(cache, "compare"))) == 2
    everywhere = show(cache, "compare", **{"compare.everywhere": "true"})
    assert len(table(everywhere)) == 3
    assert any(other.id[:6] in name for name in table(everywhere)["Run"])
    assert len(table(show(cache, "compare", **{"compare.find": "batch_size=64"}))) == 1
    app = show(cache, "compare", **{"compare.find": "nothing of that kind"})
    assert "No run answers to this" in words(app)
    app = show(cache, "compare")
    app.multiselect(key="compare.preset").set_value(
        app.multiselect(key="compare.preset").options[:1]
    )
    app.run()
    assert not app.exception
    assert len(table(app)) == 1


def test_columns_are_chosen_among_settings_and_figures(cache, show):  # noqa: F811
    add(cache, training__batch_size=64)
    add(cache)
    app = show(cache, "compare")
    app.multiselect(key="compare.columns").set_value(["training.batch_size", "train_auc"]).run()
    assert not app.exception
    shown = table(app)
    assert list(shown)[3:] == ["Batch size (people)", "AUC, training"]
    assert sorted(shown["Batch size (people)"]) == [32, 64]


def test_a_link_to_two_runs_shows_their_difference(cache, show):  # noqa: F811
    first, second = add(cache), add(cache, training__seed=2, training__batch_size=64)
    app = show(cache, "compare", compare=f"{first.id},{second.id}")
    said = words(app)
    assert "2 runs compared" in said
    tables = [one.value for one in app.dataframe]
    differing = next(one for one in tables if "Setting" in one)
    assert differing.set_index("Setting")["Second"].to_dict() == {
        "Batch size (people)": "64", "Training seed": "2"
    }  # fmt: skip
    assert "Genes are not compared" in said
    assert "The interval" in said
    people = next(one for one in tables if "Called" in one)
    assert people["Cases"].sum() + people["Controls"].sum() == 200
    assert f"{first.id},{second.id}" in app.query_params["compare"]


def test_a_link_to_three_runs_lays_them_over_each_other(cache, show):  # noqa: F811
    ids = [add(cache, training__seed=seed).id for seed in (1, 2, 3)]
    app = show(cache, "compare", compare=",".join(ids))
    assert "3 runs compared" in words(app)
    assert "What was set differently" not in words(app)
    assert app.selectbox(key="compare.setting").value == "training.seed"
    app.selectbox(key="compare.measure").set_value("average_precision").run()
    assert not app.exception
    next(one for one in app.button if one.label == "Untick all").click().run()
    assert not app.exception
    assert "Tick two or more runs" in words(app)
    assert "compare" not in app.query_params


@pytest.mark.parametrize("bad", ["../../etc", "0123456789abcdef", "<b>x</b>"])
def test_a_link_to_what_is_no_run_is_a_sentence(bad, cache, show):  # noqa: F811
    first, second = add(cache), add(cache, training__seed=2)
    app = show(cache, "compare", compare=f"{first.id},{bad},{second.id}")
    assert "`python -m pipeline runs` lists them" in words(app)
    assert "2 runs compared" in words(app)


def test_runs_that_cannot_be_compared_in_full_say_why(cache, show):  # noqa: F811
    first, second = add(cache), add(cache, training__seed=2)
    second.predictions_path.unlink()
    third = runs.create(cache, "small", first.fingerprint,
                        with_changes(AnalysisSettings(), ["training.seed=3"]))  # fmt: skip
    said = words(show(cache, "compare", compare=f"{first.id},{second.id}"))
    assert "private predictions of both runs" in said
    said = words(show(cache, "compare", compare=f"{first.id},{third.id}"))
    assert "it finish or train it again" in said


def test_the_tables_of_the_paper_are_the_other_part(cache, show):  # noqa: F811
    app = show(cache, "compare", **{"compare.part": "Tables of the paper"})
    assert app.title[0].value == "What changed, and did it matter?"
    assert "What does the paper's table come to here?" in words(app)


def test_500_runs_are_listed_and_read_once(cache, show, monkeypatch):  # noqa: F811
    """Metrics and epochs of a real size: 46 kB, and five folds of 50 epochs."""
    first = add(cache)
    metrics = first.metrics_path.read_text()
    assert len(metrics) > 20_000
    epochs = "".join(
        json.dumps(vars(EpochRecord(fold, i, 0.6, 0.6, 0.5 + 0.1 / i, 0.5, 0.6, 1e-3, 1.0, 0.5)))
        + "\n"
        for fold in range(5)
        for i in range(1, 51)
    )
    for seed in range(2, N_MANY + 1):
        settings = with_changes(AnalysisSettings(), {"training.seed": seed})
        record = runs._record(first) | {
            "id": f"{seed:016x}", "seed": seed, "settings": settings.model_dump(mode="json")
        }  # fmt: skip
        folder = cache / "runs" / f"{seed:016x}"
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps(record))
        (folder / "metrics.json").write_text(metrics)
        (folder / "progress.jsonl").write_text(epochs)
    app = show(cache, "compare")
    assert len(table(app)) == N_MANY
    read = []
    summarise = loaders.summarise
    monkeypatch.setattr(loaders, "summarise", lambda run: (read.append(run.id), summarise(run))[1])
    app.run()
    assert read == [], "what has not changed is not read again"
    # A run that changed is read again, the others are not.
    told = json.loads(metrics)
    told["test"]["auc"]["value"] = 0.999
    runs.write_metrics(first, told)
    app.run()
    assert table(app)["AUC"].max() == pytest.approx(0.999)
    assert read == [first.id]


def test_activity_disk_and_trash_are_told_when_opened(cache, show, monkeypatch):  # noqa: F811
    kept, gone = add(cache), add(cache, training__seed=4)
    trash.delete(cache, gone.id, "Ada")
    app = show(cache, "compare")
    assert "runs take" not in words(app), "what is not seen is not read"
    app.session_state["activity"] = True
    app.run()
    assert not app.exception
    told = next(one.value for one in app.dataframe if "What" in one.value)
    assert {"Asked", "Finished", "Deleted"} <= set(told["What"])
    assert told.loc[told["What"] == "Deleted", "Who"].tolist() == ["Ada"]
    assert kept.id[:8] in set(told["Run"])
    assert "1 runs take" in words(app)
