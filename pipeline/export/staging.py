"""Files that appear whole: written in a folder beside the target, then renamed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pysam

from pipeline.errors import InputError

_TBI_END = 1 << 29  # a .tbi cannot point beyond; a .csi can


@dataclass
class Staging:
    """Where files are written before they get their names, and which names they get."""

    folder: Path
    targets: dict[str, Path] = field(default_factory=dict)

    def path(self, role: str) -> Path:
        return self.folder / self.targets[role].name

    def drop(self, role: str) -> None:
        del self.targets[role]

    def index(self, role: str, last: int, **of_tabix: Any) -> None:
        """Index the bgzipped file of a role whose largest position is `last`.

        A .tbi where it can point so far, else a .csi; the role of the other kind is dropped.
        """
        kind, other = ("csi", "tbi") if last >= _TBI_END else ("tbi", "csi")
        pysam.tabix_index(str(self.path(role)), force=True, csi=kind == "csi", **of_tabix)
        self.drop(other)


def bgzip_names(out: Path, role: str) -> dict[str, Path]:
    """Return the targets of a bgzipped file and of either of its indices."""
    return {
        "tbi": out.with_name(f"{out.name}.tbi"),
        "csi": out.with_name(f"{out.name}.csi"),
        role: out,
    }


def refuse_existing(targets: dict[str, Path]) -> None:
    """Raise `InputError` when one of the targets is there already."""
    for path in targets.values():
        if path.exists():
            raise InputError(
                f"An export overwrites nothing unasked, but {path} exists; name another path, or "
                "add --force."
            )


@contextmanager
def staged(targets: dict[str, Path]) -> Iterator[Staging]:
    """Give a folder to write into; its files get their names when the block ends well."""
    beside = next(iter(targets.values())).parent
    is_new = not beside.exists()
    if is_new:
        beside.mkdir()  # of GenNet alone: what is above it has to be there
    staging = Staging(Path(tempfile.mkdtemp(prefix=".export-", suffix=".tmp", dir=beside)))
    staging.targets.update(targets)
    try:
        yield staging
        for role, path in staging.targets.items():
            staging.path(role).replace(path)
    finally:
        shutil.rmtree(staging.folder, ignore_errors=True)
        if is_new and not any(beside.iterdir()):
            beside.rmdir()
