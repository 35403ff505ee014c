"""Stories that people put together, kept under names: `cache/stories/<name>.json`.

A story names its run, and the slides in order with what somebody says of each; the numbers are
told anew from the run whenever it is shown. Files appear whole, and nobody writes over a story
that he had not read.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipeline import runs
from pipeline.claims import now
from pipeline.errors import InputError, NotFoundError, StaleArtifactError
from pipeline.files import read_json, write_json
from pipeline.keeping.activity import shown_name
from pipeline.keeping.locks import locked
from pipeline.story.part import PARTS

FORMAT_VERSION = 1
MOST_NOTE = 300  # characters that a room reads while somebody talks
MOST_NAME = 60
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,58}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Slide:
    """A part of the story, and what is said of it, "" for nothing."""

    part: str
    note: str = ""


@dataclass(frozen=True)
class SavedStory:
    """A story under a name: its run, its slides in order, whether the threshold can be moved.

    `version` names one writing, "" before the first.
    """

    name: str
    run: str
    slides: tuple[Slide, ...]
    is_live: bool = False
    who: str = ""
    when: str = ""
    version: str = ""


def story_name(text: str) -> str:
    """Return `text` when it may name a story, and so a file. Raises `InputError`."""
    if not _NAME.fullmatch(text):
        raise InputError(
            f"A story's name is made of at most {MOST_NAME} letters, digits, spaces, dots, dashes "
            "and underscores and starts and ends with a letter or digit, but "
            f"{text[: MOST_NAME + 20]!r} was given; choose another."
        )
    return text


def save_story(
    cache: Path, story: SavedStory, read: SavedStory | None = None, who: str = ""
) -> SavedStory:
    """Write a story and return it as it stands now.

    `read` is the story of that name that the writer had before, None for a new one. Raises
    `InputError` where somebody else has saved under this name, or a part of it cannot be kept.
    """
    path = _path(cache, story.name)
    _check(story)
    with locked(path.with_name(".stories.lock")):
        before = _there(path)
        if before is not None and (read is None or read.version != before.version):
            by = f" by {before.who}" if before.who else ""
            raise InputError(
                f"A name belongs to one story, but {story.name} was saved{by} "
                f"({before.when[:16].replace('T', ' ')} UTC) and not opened here since; open it "
                "first, or choose another name."
            )
        written = replace(story, who=shown_name(who), when=now(), version=uuid.uuid4().hex[:12])
        write_json(path, {"format": FORMAT_VERSION, **asdict(written)})
    return written


def read_story(cache: Path, name: str) -> SavedStory:
    """Return a story. Raises `NotFoundError`, or `StaleArtifactError` for a broken file."""
    path = _path(cache, name)
    try:
        return _story(path, read_json(path))
    except FileNotFoundError as error:
        known = ", ".join(sorted(one.name for one in list_stories(cache))) or "none"
        raise NotFoundError(
            f"There is no story {name} in this cache (there is {known}); save it first."
        ) from error


def list_stories(cache: Path) -> list[SavedStory]:
    """Return all stories that can be read, the newest first."""
    found = []
    for path in _files(cache):
        try:
            found.append(_story(path, read_json(path)))
        except (StaleArtifactError, FileNotFoundError):
            continue
    return sorted(found, key=lambda one: (one.when, one.name), reverse=True)


def broken_stories(cache: Path) -> dict[str, str]:
    """Return the stories that cannot be read by name, each with the sentence that says why."""
    found = {}
    for path in _files(cache):
        try:
            _story(path, read_json(path))
        except StaleArtifactError as error:
            found[path.stem] = str(error)
        except FileNotFoundError:  # deleted meanwhile
            continue
    return found


def delete_story(cache: Path, name: str) -> None:
    """Remove a story, also one that cannot be read. Raises `NotFoundError`."""
    try:
        _path(cache, name).unlink()
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no story {name} in this cache; nothing was removed.") from (
            error
        )


def _path(cache: Path, name: str) -> Path:
    return cache / "stories" / f"{story_name(name)}.json"


def _files(cache: Path) -> list[Path]:
    return [path for path in (cache / "stories").glob("*.json") if _NAME.fullmatch(path.stem)]


def _there(path: Path) -> SavedStory | None:
    """Return what a save would write over, None where nothing is lost."""
    try:
        return _story(path, read_json(path))
    except (FileNotFoundError, StaleArtifactError):
        return None


def _check(story: SavedStory) -> None:
    runs.run_folder(Path(), story.run)  # what cannot be an id is refused
    parts = [slide.part for slide in story.slides]
    if not parts or len(set(parts)) < len(parts) or not set(parts) <= set(PARTS):
        raise InputError(
            f"A story has each of {', '.join(PARTS)} at most once and at least one of them, but "
            f"{', '.join(parts) or 'none'} was given; choose its slides anew."
        )
    longest = max(len(slide.note) for slide in story.slides)
    if longest > MOST_NOTE:
        raise InputError(
            f"What is said of a slide has at most {MOST_NOTE} characters, but {longest:,} were "
            "given; shorten it."
        )


def _story(path: Path, stored: Any) -> SavedStory:
    """Return the story of a record. Raises `StaleArtifactError` when it lacks a part."""
    try:
        if stored["format"] != FORMAT_VERSION or stored["name"] != path.stem:
            raise ValueError("its format or its name")
        slides = tuple(Slide(str(one["part"]), str(one["note"])) for one in stored["slides"])
        story = SavedStory(
            name=stored["name"],
            run=str(stored["run"]),
            slides=slides,
            is_live=bool(stored["is_live"]),
            who=str(stored["who"]),
            when=str(stored["when"]),
            version=str(stored["version"]),
        )
        _check(story)
    except (KeyError, TypeError, ValueError, InputError, NotFoundError) as error:
        raise StaleArtifactError(
            f"The saved story {path.stem} cannot be read, as it lacks a part or has a wrong one; "
            "delete it and save it again."
        ) from error
    return story
