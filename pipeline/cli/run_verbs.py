"""Verbs about runs: train, runs, show, cancel, resume, worker."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.cli.options import add_name, add_settings, analysis_settings
from pipeline.cli.output import Verb, emit, interval, reporter


def _train_arguments(sub: argparse.ArgumentParser) -> None:
    add_name(sub)
    sub.add_argument(
        "--preset", default="final_2d",
        help="quick, best, final_2d, final_2d_weighted, published_script, figure2, or a row of the "
        "paper: table1_2d_1 ... table1_3d_5, table2_1 ... table2_6, stage_3_1 ... stage_3_6",
    )  # fmt: skip
    sub.add_argument("--wait", action="store_true", help="return when the run has ended")
    add_settings(sub)


def _train(asked: argparse.Namespace) -> None:
    from pipeline import jobs, runs
    from pipeline.errors import PipelineError
    from pipeline.presets import apply_preset
    from pipeline.submit import submit_training

    settings = analysis_settings(asked, apply_preset(asked.preset))
    run = submit_training(asked.cache, asked.name, settings, asked.preset)
    if asked.wait:
        try:
            jobs.wait(asked.cache, run.id, reporter())
        except KeyboardInterrupt:
            jobs.cancel(asked.cache, run.id)
            raise
    run = runs.load(asked.cache, run.id)
    if asked.wait and run.state in {"failed", "interrupted"}:
        reason = run.error or "its worker ended; `python -m pipeline resume` goes on with it."
        raise PipelineError(f"Run {run.id} {run.state}: {reason}")
    _emit_run(asked, runs.show(run))


def _emit_run(asked: argparse.Namespace, shown: dict[str, Any]) -> None:
    emit(asked, shown, lambda: _lines(shown))


def _lines(shown: dict[str, Any]) -> list[str]:
    lines = [f"run {shown['run']} of {shown['cohort']}: {shown['state']}"]
    if shown["error"]:
        lines.append(shown["error"])
    metrics = shown["metrics"]
    if metrics:
        lines.append(f"{shown['selected']:,} variants, {shown['epochs']} epochs")
        for name, measured in {"network": metrics["test"], **metrics["baselines"]}.items():
            accuracy, auc = measured["accuracy"], measured["auc"]
            lines.append(
                f"{name:17} accuracy {interval(accuracy)}  AUC {interval(auc)}  "
                f"of {measured['n']:,} test people"
            )
    return lines


def _runs(asked: argparse.Namespace) -> None:
    from pipeline import runs

    found = [runs.show(run) for run in runs.list_runs(asked.cache)]
    rows = [{key: value for key, value in one.items() if key != "settings"} for one in found]
    emit(
        asked,
        rows,
        lambda: [_lines(one)[0] for one in found] or ["No run yet; `train` makes one."],
    )


def _add_run(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("run_id", metavar="RUN", help="id of a run")


def _show(asked: argparse.Namespace) -> None:
    from pipeline import runs

    _emit_run(asked, runs.show(runs.load(asked.cache, asked.run_id)))


def _cancel(asked: argparse.Namespace) -> None:
    from pipeline import jobs, runs

    runs.load(asked.cache, asked.run_id)
    jobs.cancel(asked.cache, asked.run_id)
    _emit_run(asked, runs.show(runs.load(asked.cache, asked.run_id)))


def _resume(asked: argparse.Namespace) -> None:
    from pipeline import jobs, runs

    runs.load(asked.cache, asked.run_id)
    jobs.resume(asked.cache, asked.run_id)
    jobs.ensure_worker(asked.cache)
    _emit_run(asked, runs.show(runs.load(asked.cache, asked.run_id)))


def _worker_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--idle", type=float, metavar="SECONDS", help="end after so long without work")


def _worker(asked: argparse.Namespace) -> None:
    from pipeline.worker import warm_up, work

    n_done = work(asked.cache, idle_s=asked.idle, warm=warm_up)
    emit(asked, {"jobs": n_done}, lambda: [f"{n_done} jobs done"])


def _nothing(_: argparse.ArgumentParser) -> None:
    """Add no argument."""


VERBS = (
    Verb("train", "train a network on what the thresholds keep", _train_arguments, _train),
    Verb("runs", "list the runs, newest first", _nothing, _runs),
    Verb("show", "show one run", _add_run, _show),
    Verb("cancel", "stop a run", _add_run, _cancel),
    Verb("resume", "go on with a stopped run from its last epoch", _add_run, _resume),
    Verb("worker", "do the jobs of the queue, one after the other", _worker_arguments, _worker),
)
