"""The verb about the paper: reproduce."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cli.options import add_name, add_settings, people_settings
from pipeline.cli.output import Verb, emit, reporter, warn
from pipeline.progress import OnProgress, Progress

if TYPE_CHECKING:
    from pipeline.reproduce import Estimate, Planned, Reproduced
    from pipeline.runs import Run


def _arguments(sub: argparse.ArgumentParser) -> None:
    add_name(sub)
    sub.add_argument(
        "--table", required=True, choices=("1", "2", "stages"), help="which figures of the paper"
    )
    sub.add_argument("--quick", action="store_true", help="at most 3 epochs, and say so")
    sub.add_argument(
        "--protocol",
        default="both",
        choices=("honest", "published", "both"),
        help="on whom variants are chosen; both stand beside each other (default)",
    )
    add_settings(sub)


def _reproduce(asked: argparse.Namespace) -> None:
    from pipeline.cohort import open_cohort
    from pipeline.errors import PipelineError
    from pipeline.reproduce import (
        CAVEATS,
        PROTOCOLS,
        cancel,
        estimate,
        plan,
        results,
        submit,
    )
    from pipeline.settings import AnalysisSettings

    planned = plan(
        asked.table,
        AnalysisSettings(people=people_settings(asked)),
        protocols=PROTOCOLS if asked.protocol == "both" else (asked.protocol,),
        quick=asked.quick,
        changes=[text for texts in asked.set for text in texts],
    )
    cohort = open_cohort(asked.cache, asked.name)
    try:
        expected = estimate(asked.cache, cohort, planned)
    finally:
        cohort.store.close()
    warn(_time_told(len(planned), expected))
    made = submit(asked.cache, asked.name, planned)
    try:
        _wait(asked.cache, planned, made)
    except KeyboardInterrupt:
        cancel(asked.cache, made)
        raise
    rows = results(planned, made)
    shortened = any(row.shortened_from for row in rows)
    value = {
        "cohort": asked.name,
        "table": asked.table,
        "quick": asked.quick,
        "estimate": expected,
        "rows": rows,
        "notes": [*_quick_note(rows), *CAVEATS] if shortened else list(CAVEATS),
    }
    emit(asked, value, lambda: _lines(asked.name, rows, value["notes"]))
    unfinished = [row for row in rows if row.state != "finished"]
    if unfinished:
        first = unfinished[0]
        raise PipelineError(
            f"{len(unfinished)} of {len(rows)} runs did not finish; the first is {first.run} "
            f"({first.label}, {first.protocol}), {first.state}: {first.error or 'its worker ended'}"
        )


def _time_told(n_planned: int, expected: Estimate) -> str:
    if not expected.n_to_train:
        return f"{n_planned} runs, nothing to train: {expected.basis}."
    return (
        f"{n_planned} runs, {expected.n_to_train} to train: {_words(expected.seconds)} without "
        f"early stopping, by {expected.basis}."
    )


def _words(seconds: float) -> str:
    """Return seconds as a rough time: 40 s, 12 min, 3.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _wait(cache: Path, planned: tuple[Planned, ...], made: list[Run]) -> None:
    """Return once all runs have ended, with one report over all of them."""
    from pipeline import jobs

    told = reporter()
    for number, (one, run) in enumerate(zip(planned, made, strict=True)):
        name = f"{number + 1} of {len(made)}, {one.preset} {one.protocol}"
        jobs.ensure_worker(cache)
        jobs.wait(cache, run.id, _part(told, name, number, len(made)))
        told(Progress(name, (number + 1) / len(made)))


def _part(told: OnProgress, name: str, number: int, n: int) -> OnProgress:
    """Return a reporter that tells of one run as a part of all."""

    def report(progress: Progress) -> None:
        detail = ", ".join(text for text in (progress.phase, progress.detail) if text)
        told(Progress(name, (number + progress.done) / n, None, detail))

    return report


def _quick_note(rows: tuple[Reproduced, ...]) -> list[str]:
    epochs = sorted({row.shortened_from for row in rows if row.shortened_from})
    listed = " or ".join(str(n) for n in epochs)
    return [
        f"Quick: at most 3 epochs where the preset has {listed}, so no figure of ours is that of "
        "the preset."
    ]


def _lines(name: str, rows: tuple[Reproduced, ...], notes: list[str]) -> list[str]:
    table = rows[0].table
    what = "the stages" if table == "stages" else f"Table {table}"
    head = ("row", "network", "by", "train", "test", "AUC", "majority", "wrong calls", "epochs")
    cells: list[tuple[str, ...]] = [head]
    last = ""
    for row in rows:
        if row.label != last:
            cells.append(_paper_cells(row))
            last = row.label
        cells.append(_our_cells(row))
    n_shown = [i for i in range(len(head)) if any(line[i] for line in cells[1:])]
    width = {i: max(len(line[i]) for line in cells) for i in n_shown}
    lines = ["  ".join(line[i].ljust(width[i]) for i in n_shown).rstrip() for line in cells]
    return [f"{what} of the paper, on {name}", *lines, "", *notes]


def _paper_cells(row: Reproduced) -> tuple[str, ...]:
    wrong = _printed(row.paper_prediction_error)
    test = _printed(row.paper_test_accuracy)
    if test and row.paper_accuracy_of == "not stated":
        test = f"{test} (on whom is not stated)"
    train = _printed(row.paper_train_accuracy)
    return (row.label, row.setup, "paper", train, test, "", "", wrong, "")


def _our_cells(row: Reproduced) -> tuple[str, ...]:
    if row.accuracy is None:
        return ("", "", row.protocol, "", row.state, "", "", "", "")
    folds = f"{row.epochs} in {row.n_folds} folds" if row.n_folds > 1 else str(row.epochs)
    if row.same_as:
        folds += f", the run of {row.same_as}"
    return (
        "",
        "",
        row.protocol,
        _number(row.train_accuracy),
        _interval(row.accuracy),
        _interval(row.auc),
        _number(row.majority),
        _interval(row.prediction_error) if row.table == "stages" else "",
        folds,
    )


def _printed(share: float | None) -> str:
    """Return a figure of the paper with the digits that it prints."""
    return "" if share is None else f"{share:g}"


def _number(share: float | None) -> str:
    return "" if share is None else f"{share:.3f}"


def _interval(measured: dict[str, Any] | None) -> str:
    if measured is None or measured["value"] is None:
        return "none"
    low, high = measured["low"], measured["high"]
    limits = f" ({low:.3f}-{high:.3f})" if low is not None and high is not None else ""
    return f"{measured['value']:.3f}{limits}"


VERBS = (
    Verb(
        "reproduce",
        "train the rows of the paper's tables, or its stages, and print its figures beside ours",
        _arguments,
        _reproduce,
    ),
)
