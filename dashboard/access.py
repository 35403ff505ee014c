"""Which folders of the server people may read data from."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.errors import InputError


def allowed_folders() -> list[Path]:
    """Return the folders named in EXOLENS_DATA (parted as PATH is), by default the home folder."""
    named = os.environ.get("EXOLENS_DATA", str(Path.home()))
    return [Path(part).expanduser().resolve() for part in named.split(os.pathsep) if part]


def allowed_folder(text: str) -> Path:
    """Return a folder that the user typed. Raises `InputError` outside the allowed ones."""
    folder = Path(text).expanduser().resolve()
    if not any(folder.is_relative_to(root) for root in allowed_folders()):
        names = ", ".join(str(root) for root in allowed_folders())
        raise InputError(
            f"Files are read from {names} alone, but {text} lies elsewhere; "
            "move them, or start Exolens with EXOLENS_DATA set to their folder."
        )
    if not folder.is_dir():
        raise InputError(f"Files are chosen from a folder, but {text} is none; check its path.")
    return folder


def files_in(folder: Path, suffixes: tuple[str, ...]) -> list[str]:
    """Return the names of a folder's files with one of these endings, in order."""
    return sorted(
        entry.name
        for entry in os.scandir(folder)
        if entry.name.endswith(suffixes) and entry.is_file()
    )


def folders_in(folder: Path) -> list[str]:
    """Return the names of the folders inside, in order; hidden ones are not offered."""
    try:
        return sorted(
            entry.name
            for entry in os.scandir(folder)
            if entry.is_dir() and not entry.name.startswith(".")
        )
    except PermissionError:
        return []


def folder_above(folder: Path) -> Path | None:
    """Return the folder above where people may go there too."""
    parent = folder.parent
    return parent if any(parent.is_relative_to(root) for root in allowed_folders()) else None
