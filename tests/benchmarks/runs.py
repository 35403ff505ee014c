"""Seconds to list thousands of runs, against reading as many small JSON files plainly.

    python -m tests.benchmarks.runs [--runs 5000] [--repeats 5]

Makes a cache of ended runs with metrics of real size (the curves of an ROC too), and lists it with
the command line's own function: without an index, with it in a new process, and again in the same
process, as a page does. Beside them, in the same minute: reading the runs' run.json files one by
one. Prints JSON: medians and the worst in milliseconds, and the ratio of medians.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline import runs
from pipeline.claims import holder
from pipeline.cli import main as command_line
from pipeline.presets import apply_preset
from pipeline.settings import with_changes

MEASURED = {
    "n": 1682,
    "accuracy": {"value": 0.7223587223587223, "low": 0.6769255951670314, "high": 0.76363},
    "auc": {"value": 0.815663240332844, "low": 0.7712595762362476, "high": 0.8530890598203204},
    "loss": 0.5263461401474965,
    "confusion": [[194, 33], [80, 100]],
}
BASELINES = ("majority", "additive", "additive_clumped", "logistic_l1", "logistic_l2", "boosting")


def make_runs(cache: Path, n_runs: int, n_curve: int = 1000) -> list[str]:
    """Return the ids of so many finished runs, seeds of one setting, written without waiting."""
    settings = apply_preset("final_2d")
    made = runs.create(cache, "simulated", "0" * 64, settings, "final_2d")
    ended = replace(
        made, state="finished", worker=holder(), selected=18970, epochs=40,
        started=made.created, finished=made.created, seconds=812.4,
        memory={"peak_bytes": 2_100_000_000, "of": "run"},
    )  # fmt: skip
    curve = [[i / n_curve, i / n_curve] for i in range(n_curve)]
    metrics = json.dumps(
        {"test": MEASURED, "baselines": dict.fromkeys(BASELINES, MEASURED), "roc": curve}
    )
    ids = []
    for seed in range(n_runs):
        chosen = with_changes(settings, {"training.seed": seed})
        run_id = runs.run_identity("0" * 64, chosen)
        folder = cache / "runs" / run_id
        folder.mkdir(exist_ok=True)
        one = replace(
            ended, folder=folder, id=run_id, seed=seed, settings=chosen.model_dump(mode="json")
        )
        (folder / "run.json").write_text(json.dumps(runs._record(one), indent=1))
        (folder / "metrics.json").write_text(metrics)
        ids.append(run_id)
    return ids


def read_plainly(cache: Path) -> list[Any]:
    """Return each run.json, read as any program would."""
    paths = [f"{entry.path}/run.json" for entry in os.scandir(cache / "runs")]
    return [json.loads(Path(path).read_bytes()) for path in paths]


def listed(cache: Path, *, is_new_process: bool) -> str:
    """Return what `runs --json` prints."""
    if is_new_process:
        runs._KNOWN.clear()
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert command_line(["runs", "--json", "--cache", str(cache)]) == 0
    return said.getvalue()


def milliseconds(function: Callable[[], list[Any] | str], n: int) -> float:
    start = time.perf_counter()
    found = function()
    passed = 1000 * (time.perf_counter() - start)
    rows = json.loads(found) if isinstance(found, str) else found
    assert len(rows) == n, len(rows)
    return passed


def measure(n_runs: int, repeats: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        n = len({*make_runs(cache, n_runs), *(entry.name for entry in os.scandir(cache / "runs"))})
        first = milliseconds(lambda: listed(cache, is_new_process=True), n)
        taken: dict[str, list[float]] = {"plain_reading": [], "new_process": [], "same_process": []}
        for _ in range(repeats):
            taken["plain_reading"].append(milliseconds(lambda: read_plainly(cache), n))
            taken["new_process"].append(milliseconds(lambda: listed(cache, is_new_process=True), n))
            taken["same_process"].append(
                milliseconds(lambda: listed(cache, is_new_process=False), n)
            )
        index_bytes = runs._index_path(cache).stat().st_size
    middle = {name: statistics.median(values) for name, values in taken.items()}
    return {
        "runs": n,
        "without_index_ms": round(first),
        **{f"{name}_ms": {"median": round(middle[name]), "worst": round(max(values))}
           for name, values in taken.items()},
        "ratio": round(middle["new_process"] / middle["plain_reading"], 2),
        "index_megabytes": round(index_bytes / 1e6, 1),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    print(json.dumps(measure(asked.runs, asked.repeats), indent=1))


if __name__ == "__main__":
    main()
