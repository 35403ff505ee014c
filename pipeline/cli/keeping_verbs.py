"""Verbs about keeping runs: note, delete, trash, restore-run, train-again, disk, activity."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from pipeline.cli.output import Verb, emit, warn
from pipeline.cli.run_verbs import add_run


def _note_arguments(sub: argparse.ArgumentParser) -> None:
    add_run(sub)
    sub.add_argument("--title", help="a name for the run; '' takes it away")
    sub.add_argument("--text", metavar="MARKDOWN", help="the note; '' takes it away")
    sub.add_argument("--tag", nargs="+", default=[], help="add tags")
    sub.add_argument("--untag", nargs="+", default=[], metavar="TAG", help="take tags away")
    sub.add_argument("--star", action=argparse.BooleanOptionalAction, help="mark it; models stay")
    sub.add_argument(
        "--archive", action=argparse.BooleanOptionalAction, help="leave it out of lists"
    )


def _note(asked: argparse.Namespace) -> None:
    from pipeline.keeping.activity import login_name
    from pipeline.keeping.run_notes import read_notes, write_notes

    notes = read_notes(asked.cache, asked.run_id)
    given = {"title": asked.title, "note": asked.text, "starred": asked.star,
             "archived": asked.archive}  # fmt: skip
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if asked.tag or asked.untag:
        away = {tag.casefold() for tag in asked.untag}
        changes["tags"] = [t for t in (*notes.tags, *asked.tag) if t.casefold() not in away]
    if changes:
        written = write_notes(asked.cache, asked.run_id, changes, login_name(), notes)
        notes = written.notes
        if written.warning:
            warn(written.warning)
    shown = {"run": asked.run_id, **asdict(notes)}
    emit(asked, shown, lambda: _note_lines(shown))


def _note_lines(shown: dict[str, Any]) -> list[str]:
    marks = [word for word in ("starred", "archived") if shown[word]]
    words = [f"run {shown['run']}", shown["title"], ", ".join(shown["tags"]), *marks]
    by = f"{shown['when'][:16].replace('T', ' ')} UTC {shown['who']}".strip()
    lines = ["; ".join(word for word in words if word), shown["note"], by if shown["when"] else ""]
    return [line for line in lines if line]


def _delete(asked: argparse.Namespace) -> None:
    from pipeline.keeping.activity import login_name
    from pipeline.keeping.trash import delete

    gone = delete(asked.cache, asked.run_id, login_name())
    until = gone.until.isoformat(timespec="seconds")
    emit(
        asked,
        {"run": gone.run, "deleted": gone.when.isoformat(timespec="seconds"), "until": until},
        lambda: [
            f"run {gone.run} is in the trash; `restore-run` brings it back until {until[:10]}"
        ],
    )


def _restore(asked: argparse.Namespace) -> None:
    from pipeline import runs
    from pipeline.keeping.activity import login_name
    from pipeline.keeping.trash import restore

    run = restore(asked.cache, asked.run_id, login_name())
    emit(asked, runs.show(run), lambda: [f"run {run.id} of {run.cohort} is back: {run.state}"])


def _trash_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--empty", action="store_true", help="remove all of it for good, now")


def _trash(asked: argparse.Namespace) -> None:
    from datetime import UTC, datetime

    from pipeline.keeping.trash import empty_trash, in_trash

    removed = empty_trash(asked.cache, datetime.now(UTC) if asked.empty else None)
    rows = [
        {"run": one.run, "deleted": one.when.isoformat(timespec="seconds"),
         "until": one.until.isoformat(timespec="seconds")}
        for one in in_trash(asked.cache)
    ]  # fmt: skip
    lines = [f"run {one['run']} deleted {one['deleted'][:10]}, kept until {one['until'][:10]}"
             for one in rows]  # fmt: skip
    if removed:
        lines.append(f"{len(removed):,} removed for good")
    emit(asked, rows, lambda: lines or ["The trash is empty."])


def _train_again(asked: argparse.Namespace) -> None:
    from pipeline import runs
    from pipeline.keeping.activity import login_name
    from pipeline.keeping.retention import train_again

    run = train_again(asked.cache, asked.run_id, login_name())
    emit(asked, runs.show(run), lambda: [f"run {run.id} of {run.cohort}: {run.state}"])


def _nothing(_: argparse.ArgumentParser) -> None:
    """Add no argument."""


def _disk(asked: argparse.Namespace) -> None:
    from pipeline.keeping.retention import disk_use

    use = disk_use(asked.cache)
    emit(asked, use, use.lines)


def _activity_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--most", type=int, default=50, metavar="N", help="so many, 50 without it")


def _activity(asked: argparse.Namespace) -> None:
    from pipeline.keeping.activity import activity

    found = activity(asked.cache, max(0, asked.most))
    emit(
        asked,
        found,
        lambda: [
            " ".join(word for word in (
                one.when[:16].replace("T", " "), one.run, one.cohort, one.what,
                f"({one.detail})" if one.detail else "", f"by {one.who}" if one.who else "",
            ) if word)
            for one in found
        ] or ["Nothing has happened yet."],
    )  # fmt: skip


VERBS = (
    Verb("note", "say something of a run: title, note, tags, star", _note_arguments, _note),
    Verb("delete", "move a run to the trash, for 30 days", add_run, _delete),
    Verb("restore-run", "bring a deleted run back", add_run, _restore),
    Verb("trash", "list the deleted runs", _trash_arguments, _trash),
    Verb("train-again", "train an ended run once more, for its models", add_run, _train_again),
    Verb("disk", "say what the runs take on the disk", _nothing, _disk),
    Verb("activity", "say what happened to the runs, newest first", _activity_arguments, _activity),
)
