"""What people say of a run: title, note, tags, star, archived; kept beside the runs.

    cache/notes/<run id>.json    title, note (Markdown), tags, starred, archived, who, when, version

It is of the run's id and not in its folder, so that it outlives a training that is done again and
a deletion. The last writer wins, field by field; whoever writes on top of something that he had
not read is told whose it was.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from pipeline import runs
from pipeline.claims import now
from pipeline.errors import InputError, NotFoundError, StaleArtifactError
from pipeline.files import read_json, write_json
from pipeline.keeping.activity import shown_name, try_to_note
from pipeline.keeping.locks import locked

MOST_TITLE = 120
MOST_NOTE = 20_000
MOST_TAG = 40
MOST_TAGS = 20
_TAG = re.compile(r"[\w][\w .+:/-]*")


@dataclass(frozen=True)
class Notes:
    """What is said of a run; `version` names one writing, "" before the first."""

    title: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    starred: bool = False
    archived: bool = False
    who: str = ""
    when: str = ""
    version: str = ""

    @property
    def is_kept(self) -> bool:
        """Whether somebody cares for the run: its models stay."""
        return self.starred or bool(self.title)


CHANGEABLE = ("title", "note", "tags", "starred", "archived")
_NOTHING = Notes()


@dataclass(frozen=True)
class Written:
    """What stands now, and what was there that the writer had not read (None: nothing)."""

    notes: Notes
    meanwhile: Notes | None = None

    @property
    def warning(self) -> str:
        """The sentence for whoever wrote on top of others, "" for all else."""
        if self.meanwhile is None:
            return ""
        who = self.meanwhile.who or "somebody"
        when = self.meanwhile.when[:16].replace("T", " ")
        return f"Changed meanwhile by {who} ({when} UTC); what you changed stands now."


def read_notes(cache: Path, run_id: str) -> Notes:
    """Return what is said of a run.

    Raises `NotFoundError` for what cannot be an id, `StaleArtifactError` for a broken file.
    """
    return _read(_path(cache, run_id))


def all_notes(cache: Path) -> dict[str, Notes]:
    """Return what is said of each run that something is said of; broken files are left out."""
    found = {}
    try:
        entries = list(os.scandir(cache / "notes"))
    except FileNotFoundError:
        return {}
    for entry in entries:
        run_id, _, ending = entry.name.partition(".")
        if ending != "json":
            continue
        try:
            found[run_id] = read_notes(cache, run_id)
        except (NotFoundError, StaleArtifactError):
            continue
    return found


def write_notes(
    cache: Path,
    run_id: str,
    changes: Mapping[str, Any],
    who: str = "",
    read: Notes | None = None,
) -> Written:
    """Change what is said of a run; `read` is what the writer saw before, None when nothing.

    `changes` holds the new values of some of `CHANGEABLE`. Raises `InputError` for a text that is
    too long, `NotFoundError` when there is no such run.
    """
    path = _path(cache, run_id)
    checked = _checked(changes)
    if not runs.run_folder(cache, run_id).is_dir():
        raise NotFoundError(
            f"There is no run {run_id} in this cache; `python -m pipeline runs` lists them."
        )
    with locked(path.with_name(".notes.lock")):
        try:
            before = _read(path)
        except StaleArtifactError:
            before = _NOTHING  # broken: nothing to lose
        after = replace(before, **checked)
        changed = [name for name in checked if getattr(before, name) != getattr(after, name)]
        is_unread = read is not None and before.version != read.version
        meanwhile = before if is_unread and before.version else None
        if not changed:
            return Written(before, meanwhile)
        after = replace(after, who=shown_name(who), when=now(), version=uuid.uuid4().hex[:12])
        write_json(path, asdict(after))
    try_to_note(cache, "noted", run_id, who, ", ".join(changed))
    return Written(after, meanwhile)


def tags_of(found: Iterable[Notes]) -> list[str]:
    """Return all tags in use, the most frequent first."""
    counts: dict[str, int] = {}
    for notes in found:
        for tag in notes.tags:
            counts[tag] = counts.get(tag, 0) + 1
    return sorted(counts, key=lambda tag: (-counts[tag], tag))


def shown_markdown(note: str) -> str:
    """Return a note as a page may show it: a picture would tell its server who reads here."""
    return note.replace("![", "!\\[")


def _path(cache: Path, run_id: str) -> Path:
    return cache / "notes" / f"{runs.run_folder(cache, run_id).name}.json"


def _read(path: Path) -> Notes:
    told = read_json(path, optional=True)
    if told is None:
        return _NOTHING
    try:
        if not isinstance(told["starred"], bool) or not isinstance(told["archived"], bool):
            raise TypeError("starred and archived are true or false")
        told = {name: told[name] for name in (field.name for field in fields(Notes))}
        known = _checked({name: told[name] for name in CHANGEABLE})
        return Notes(**{**told, **known})
    except (KeyError, TypeError, AttributeError, InputError) as error:
        raise StaleArtifactError(
            f"The notes {path} cannot be read ({error}); write them again, or delete the file."
        ) from error


def _checked(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as they are kept. Raises `InputError`."""
    unknown = set(changes) - set(CHANGEABLE)
    if unknown:
        raise ValueError(f"notes of a run have no {sorted(unknown)}")
    kept = dict(changes)
    if "title" in kept:
        kept["title"] = " ".join(kept["title"].split())
        _no_longer("A title", kept["title"], MOST_TITLE)
    if "note" in kept:
        kept["note"] = kept["note"].replace("\r\n", "\n").replace("\x00", "").strip()
        _no_longer("A note", kept["note"], MOST_NOTE)
    if "tags" in kept:
        kept["tags"] = _checked_tags(kept["tags"])
    return kept


def _checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    known: dict[str, str] = {}
    for tag in tags:
        text = " ".join(tag.split())
        if text:
            known.setdefault(text.casefold(), text)
    for text in known.values():
        _no_longer("A tag", text, MOST_TAG)
        if not _TAG.fullmatch(text):
            raise InputError(
                "A tag starts with a letter or digit and has letters, digits, spaces and "
                f"_ . + : / -, but {text!r} was given; choose another."
            )
    if len(known) > MOST_TAGS:
        raise InputError(
            f"A run has at most {MOST_TAGS} tags, but {len(known)} were given; leave some out."
        )
    return tuple(known.values())


def _no_longer(what: str, text: str, most: int) -> None:
    if len(text) > most:
        raise InputError(
            f"{what} has at most {most:,} characters, but {len(text):,} were given; shorten it."
        )
