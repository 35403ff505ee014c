"""Verbs about runs: train, runs, show, cancel, resume, worker."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from pipeline.cli.options import add_name, add_settings, analysis_settings
from pipeline.cli.output import Verb, emit, interval, reporter, warn

if TYPE_CHECKING:
    from pipeline.keeping.run_notes import Notes
    from pipeline.runs import Run


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
    if run.state == "finished":
        _say_it_was_trained(run)
    elif asked.wait:
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


def _say_it_was_trained(run: Run) -> None:
    from pipeline.keeping.retention import weights_note

    when = (run.finished or run.created)[:16].replace("T", " ")
    warn(f"These settings were trained on this cohort before ({when} UTC); this is that run.")
    if gone := weights_note(run):
        warn(gone)


def _emit_run(asked: argparse.Namespace, shown: dict[str, Any]) -> None:
    emit(asked, shown, lambda: _lines(shown))


def _head(shown: dict[str, Any]) -> str:
    return f"run {shown['run']} of {shown['cohort']}: {shown['state']}"


def _lines(shown: dict[str, Any]) -> list[str]:
    lines = [_head(shown)]
    if shown["error"]:
        lines.append(shown["error"])
    lines += [line for line in (_made_by(shown), shown.get("weights")) if line]
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


def _made_by(shown: dict[str, Any]) -> str:
    """Return host, duration and memory of a run that has ended, "" before."""
    if not shown["host"] or shown["seconds"] is None:
        return ""
    text = f"on {shown['host']} in {shown['seconds']:,.0f} s"
    if shown["memory"]:
        from pipeline.keeping.peak_memory import WORDS

        memory = shown["memory"]
        text += f", at most {memory['peak_bytes'] / 1e9:.1f} GB of memory ({WORDS[memory['of']]})"
    return text


def _runs_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--archived", action="store_true", help="list archived runs too")
    sub.add_argument("--starred", action="store_true", help="list starred runs alone")
    sub.add_argument("--tag", help="list runs of this tag alone")


def _runs(asked: argparse.Namespace) -> None:
    from pipeline import runs
    from pipeline.keeping.run_notes import Notes, all_notes

    said = all_notes(asked.cache)
    rows = []
    n_hidden = 0
    for one in runs.listed(asked.cache):
        notes = said.get(one.run.id, Notes())
        if notes.archived and not asked.archived:
            n_hidden += 1
        elif (notes.starred or not asked.starred) and (not asked.tag or asked.tag in notes.tags):
            rows.append((runs.show_listed(one) | _said(notes), one.measures))
    if asked.json:
        # Not by `emit`: the measures are JSON already, and to look at each value of thousands of
        # runs takes longer than reading them.
        texts = [f'{json.dumps(row)[:-1]}, "metrics": {measures}}}' for row, measures in rows]
        print(f"[{', '.join(texts)}]")
        return
    print("\n".join(_line(row) for row, _ in rows) or "No run yet; `train` makes one.")
    if n_hidden:
        print(f"{n_hidden:,} archived; --archived lists them too")
    if rows:
        from pipeline.keeping.retention import disk_use

        print("\n".join(disk_use(asked.cache).lines()))


def _said(notes: Notes) -> dict[str, Any]:
    return {
        "title": notes.title,
        "tags": list(notes.tags),
        "starred": notes.starred,
        "archived": notes.archived,
    }


def _line(row: dict[str, Any]) -> str:
    words = [_head(row), row["title"], ", ".join(row["tags"])]
    words += [word for word in ("starred", "archived") if row[word]]
    return "; ".join(word for word in words if word)


def add_run(sub: argparse.ArgumentParser) -> None:
    """Add the id of a run."""
    sub.add_argument("run_id", metavar="RUN", help="id of a run")


def _show(asked: argparse.Namespace) -> None:
    from pipeline import runs
    from pipeline.keeping.retention import weights_note
    from pipeline.keeping.run_notes import read_notes

    run = runs.load(asked.cache, asked.run_id)
    notes = read_notes(asked.cache, run.id)
    said = _said(notes) | {"note": notes.note}
    _emit_run(asked, runs.show(run) | said | {"weights": weights_note(run) or None})


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


VERBS = (
    Verb("train", "train a network on what the thresholds keep", _train_arguments, _train),
    Verb("runs", "list the runs, newest first", _runs_arguments, _runs),
    Verb("show", "show one run", add_run, _show),
    Verb("cancel", "stop a run", add_run, _cancel),
    Verb("resume", "go on with a stopped run from its last epoch", add_run, _resume),
    Verb("worker", "do the jobs of the queue, one after the other", _worker_arguments, _worker),
)
