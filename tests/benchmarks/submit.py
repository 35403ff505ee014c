"""From asking for a training to its first batch and its first epoch, on a cold and a warm worker.

    python -m tests.benchmarks.submit [--people 3000] [--preset quick] [--runs 7]

Simulates a cohort, then trains one seed after the other. The first finds no worker, the others one
that is warm. Beside them: seconds that a new process takes to import TensorFlow and Keras alone,
in the same minute. Prints JSON: medians and the worst, in seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipeline import jobs, runs
from pipeline.claims import live_workers
from pipeline.example import example_job
from pipeline.presets import apply_preset
from pipeline.progress import silent
from pipeline.settings import with_changes
from pipeline.submit import submit_training

NAME = "simulated"
LOOK_S = 0.01
PATIENCE_S = 300


def seconds_of_a_training(cache: Path, preset: str, seed: int) -> dict[str, float]:
    """Return seconds from submit to first batch, first epoch and end, and what submit took."""
    start = time.perf_counter()
    settings = with_changes(apply_preset(preset), {"training.seed": seed})
    run = submit_training(cache, NAME, settings, preset)
    found = {"submit_s": time.perf_counter() - start}
    while "end_s" not in found:
        passed = time.perf_counter() - start
        if passed > PATIENCE_S:
            raise TimeoutError(f"run {run.id} has not ended after {PATIENCE_S} s")
        job = jobs.job(cache, run.id)
        if job.phase.startswith("training") and job.done > 0:
            found.setdefault("first_batch_s", passed)
        if runs.read_progress(run):
            found.setdefault("first_batch_s", passed)
            found.setdefault("first_epoch_s", passed)
        if not job.is_open:
            if job.state != "finished":
                raise RuntimeError(f"run {run.id} {job.state}: {job.error}")
            found["end_s"] = passed
        time.sleep(LOOK_S)
    return found


def bare_import() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import keras"], check=True, capture_output=True)
    return time.perf_counter() - start


def measure(people: int, preset: str, n_runs: int) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        example_job(cache, {"name": NAME, "settings": {"people": people}}, silent)
        imports = [bare_import() for _ in range(3)]
        try:
            taken = [seconds_of_a_training(cache, preset, 1 + i) for i in range(n_runs)]
        finally:
            for worker in live_workers(cache):
                os.kill(worker.pid, signal.SIGTERM)
    cold, warm = taken[0], taken[1:]
    return {
        "people": people,
        "preset": preset,
        "import_keras_s": round(statistics.median(imports), 2),
        "cold": {name: round(value, 2) for name, value in cold.items()},
        "warm": {
            name: {"median": round(statistics.median(values), 2), "worst": round(max(values), 2)}
            for name in cold
            for values in [[one[name] for one in warm]]
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=3000)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--runs", type=int, default=7)
    asked = parser.parse_args()
    print(json.dumps(measure(asked.people, asked.preset, asked.runs), indent=1))


if __name__ == "__main__":
    main()
