"""Files that appear whole, where the cache lies, and which names may become a path."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import math
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import InputError, StaleArtifactError

if TYPE_CHECKING:
    import pandas as pd

PROJECT_ROOT = Path(__file__).resolve().parents[1]
# What a disk answers that is full, has a limit or may only be read.
REFUSALS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
)
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def cache_dir(explicit: Path | str | None = None) -> Path:
    """Return the cache folder: the one given, else EXOLENS_CACHE, else `cache/` of the project.

    The path is absolute, since workers run in another working folder.
    """
    chosen = explicit or os.environ.get("EXOLENS_CACHE") or PROJECT_ROOT / "cache"
    return Path(chosen).expanduser().resolve()


def safe_name(text: str) -> str:
    """Return `text` when it may name a cohort, and so a folder.

    Raises `InputError` for anything that could lead out of the cache.
    """
    if not _SAFE_NAME.fullmatch(text):
        raise InputError(
            "A name is made of at most 64 letters, digits, dots, dashes and underscores and "
            f"starts with a letter or digit, but {text[:80]!r} was given; choose another."
        )
    return text


def plain(value: Any) -> Any:
    """Return `value` as JSON holds it.

    Tuples become lists, NumPy values Python's, dataclasses and settings objects. NaN and the
    infinities become null, since JSON has no word for them and other readers refuse Python's.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(mode="json"))
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    raise TypeError(f"JSON cannot hold a {type(value).__name__}")


def refusal(problem: OSError) -> str:
    """Return the sentence for a disk or a file that refused."""
    # Libraries wrap the words of the system into more than a sentence.
    why = os.strerror(problem.errno) if problem.errno in REFUSALS else problem.strerror
    return (
        f"The disk or a file refused: {why} ({problem.filename or 'a temporary file'}); free space "
        "or check the rights, then try again."
    )


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a file so that a reader sees the old text or the new one, never a part.

    `durable` also waits for the disk, so that the text outlives a power cut.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        written_beside(path, durable=durable) as beside,
        beside.open("w", encoding="utf-8", newline="\n") as stream,
    ):
        stream.write(text)
        if durable:
            stream.flush()
            os.fsync(stream.fileno())


@contextlib.contextmanager
def written_beside(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Give the name of a file to write, which becomes `path` in one step at the end.

    When writing fails nothing is left of it, and an `OSError` names `path`. `durable` waits until
    the new name is on the disk. The folder has to be there.
    """
    beside = _beside(path)
    try:
        yield beside
        beside.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):  # the first error is the one to hear of
            beside.unlink(missing_ok=True)
        # A write to a full disk names no file, and nobody knows the name beside.
        if isinstance(error, OSError) and error.errno and error.filename in (None, str(beside)):
            error.filename = str(path)
        raise
    if durable:
        _sync_folder(path.parent)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table tab-separated, whole or not at all; what is not there is `#NA`."""
    with written_beside(path) as beside:
        table.to_csv(beside, sep="\t", index=False, na_rep="#NA", float_format="%.10g")


def forget_oldest(folder: Path, pattern: str, bytes_kept: int, made: Path | None = None) -> None:
    """Delete the oldest of these files until the rest take at most so many bytes; `made` stays."""
    found = []
    for path in folder.glob(pattern):
        with contextlib.suppress(FileNotFoundError):  # another process forgets at the same time
            found.append((path.stat().st_mtime, path.stat().st_size, path))
    n_bytes = 0
    for _, size, path in sorted(found, reverse=True):
        n_bytes += size
        if n_bytes > bytes_kept and path != made:
            path.unlink(missing_ok=True)


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:
    """Write one JSON value, whole (see `write_text` and `plain`)."""
    text = json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n", durable=durable)


def read_json(path: Path, *, optional: bool = False) -> Any:
    """Return the JSON value of a file; None when it is `optional` and not there.

    Raises `StaleArtifactError` for a broken file, `FileNotFoundError` for a missing one.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        if optional:
            return None
        raise
    except ValueError as error:
        raise StaleArtifactError(
            f"The file {path} should be JSON, but it is broken ({error}); delete it and make it "
            "again."
        ) from error


def append_json_line(path: Path, value: Any) -> None:
    """Append one JSON value as a line and flush it.

    A last line that a killed writer left half written is cut off first, so that lines keep their
    numbers. One writer at a time.
    """
    line = json.dumps(plain(value), ensure_ascii=False, allow_nan=False).encode() + b"\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as stream:
        end = stream.tell()
        if end:
            stream.seek(end - 1)
            if stream.read(1) != b"\n":
                stream.seek(0)
                stream.truncate(stream.read().rfind(b"\n") + 1)
        stream.write(line)
        stream.flush()


def place_folder(path: Path, contents: Mapping[str, Any], *, durable: bool = True) -> bool:
    """Create the folder `path` with these JSON files in one step; False when it is there already.

    Of several processes that place the same folder exactly one gets True: a rename onto a folder
    that is not empty fails on every file system, shared ones included. `contents` maps relative
    paths to values and is never empty.
    """
    beside = _beside(path)
    try:
        for name, value in contents.items():
            write_json(beside / name, value, durable=durable)
        try:
            beside.rename(path)
        except OSError:
            if path.is_dir():
                return False
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    if durable:
        _sync_folder(path.parent)
    return True


def _beside(path: Path) -> Path:
    """Return a name in the same folder that nobody else uses and that listings skip."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")


def _sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk (only POSIX can open a folder)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
