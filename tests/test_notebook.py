"""The stages from a notebook: what the README shows runs, and says what the command line says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from pipeline import notebook, runs
from pipeline.cli import main
from pipeline.errors import NotFoundError, SettingsError

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What the example of the README leaves behind, and the cache that it was run on."""
    part = README.split("### From Python")[1]
    code = re.search(r"```python\n(.*?)```", part, re.DOTALL)[1]
    folder = tmp_path_factory.mktemp("notebook")
    names: dict = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXOLENS_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        patch.setenv("EXOLENS_WORKER_IDLE_S", "1")
        exec(compile(code, "README.md", "exec"), names)
        yield names


def printed(capsys, *arguments: str):
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_example_of_the_readme_runs(shown):
    assert shown["run"].state == "finished"
    assert len(shown["tables"].epochs) <= 5
    assert list(shown["tables"].metrics.index)[:2] == ["network", "majority"]


def test_it_says_what_the_command_line_says(shown, capsys):
    told = printed(capsys, "quality", "example", "--set", "quality.min_call_rate=0.95")
    columns = ["step", "variants", "removed"]
    assert shown["steps"][columns].to_dict("records") == [
        {name: step[name] for name in columns} for step in told["steps"]
    ]
    tested = printed(capsys, "associate", "example", "--test", "trend")
    assert int(shown["tested"]["p_value"].notna().sum()) == tested["tested"]
    (cohort,) = printed(capsys, "cohorts")
    assert notebook.cohorts().loc[0, "fingerprint"] == cohort["fingerprint"]


def test_a_run_comes_as_tables(shown):
    run, tables = shown["run"], shown["tables"]
    metrics = runs.read_metrics(run)
    network = tables.metrics.loc["network"]
    assert network["auc"] == metrics["test"]["auc"]["value"]
    assert network["accuracy_low"] == metrics["test"]["accuracy"]["low"]
    assert [[network["tn"], network["fp"]], [network["fn"], network["tp"]]] == metrics["test"][
        "confusion"
    ]
    assert len(tables.selection) == metrics["folds"][0]["entered"]
    assert tables.folds.loc[0, "auc"] == network["auc"]
    assert tables.predictions is None, "of single people, read when asked for alone"
    people = notebook.load_run(run.id, predictions=True).predictions
    assert len(people) == network["n"]
    found = notebook.load_run(run.id).attribution
    assert found is not None
    assert np.isclose(notebook.attribute(run.id)["share"].sum(), 1)


def test_the_same_again_is_opened(shown):
    again = notebook.train("example", "quick", "training.epochs=5")
    assert (again.id, again.finished) == (shown["run"].id, shown["run"].finished)


def test_problems_are_sentences(shown):
    with pytest.raises(NotFoundError):
        notebook.quality("nobody")
    with pytest.raises(SettingsError, match="no setting"):
        notebook.quality("example", "quality.nothing=1")
    with pytest.raises(NotFoundError):
        notebook.load_run("0" * 16)
