"""What tests lean on: outside programs and the shared real data, or a stated reason to skip."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def _missing(reason: str) -> None:
    """Skip with the reason; in CI everything has to be there, so fail for it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def require_tool(name: str) -> str:
    """Return the path of an outside program such as plink1.9, or skip (fail in CI)."""
    path = shutil.which(name)
    if path is None:
        _missing(f"{name} is not installed (Debian package of the same name)")
    return str(path)


def shared_data(relative: str) -> Path:
    """Return the path of a file of the shared real data, or skip (fail in CI)."""
    path = SHARED_DATA / relative
    if not path.exists():
        _missing(f"the shared data folder lacks {relative}")
    return path
