"""One writer at a time among the processes of all machines that see a cache, for an instant."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import PipelineError

STALE_S = 10.0  # what is done under a lock takes milliseconds; whoever held it so long was killed
PATIENCE_S = 15.0
_LOOK_S = 0.01


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock `path`, a file that only one process can make, also on a shared disk.

    A lock that a killed process left is taken over after ten seconds. Raises `PipelineError` when
    it stays taken.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + PATIENCE_S
    while not _made(path):
        if _age_s(path) > STALE_S:
            path.unlink(missing_ok=True)
        elif time.monotonic() > end:
            raise PipelineError(
                f"Others have been writing for {PATIENCE_S:.0f} seconds ({path.name} in "
                f"{path.parent.name} is theirs); try again, or delete that file."
            )
        else:
            time.sleep(_LOOK_S)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _made(path: Path) -> bool:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    return True


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
