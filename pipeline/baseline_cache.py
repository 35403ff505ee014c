"""Baselines that were fitted before: their scores of the test people, by what determines them.

    cache/baselines/<sha256 of the key>.npz

A run of another network on the same split and variants has the same baselines. Scores of single
people are private, as a run's predictions are.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.baselines import Baseline
from pipeline.files import plain, written_beside

FORMAT_VERSION = 1  # raise it when a file or what a baseline computes changes
MOST_BYTES = 200_000_000

_DIGEST_BYTES = 32  # of all before them, at the end, where readers of zip files look past them
_STALE_S = 3600.0  # a half-written file this old has lost its writer


def cached_baselines(
    cache: Path, key: Mapping[str, Any] | str, fit: Callable[[], dict[str, Baseline]]
) -> dict[str, Baseline]:
    """Return the baselines of `key`, fitted when they are not on disk or cannot be read.

    `key` names all that determines them: the cohort's fingerprint, the people and their labels,
    the split, the variants, the seed, and what is fitted. The version of scikit-learn and the
    format are added to it. Files used longest ago go when all take more than 200 MB. A folder
    that cannot be written loses nothing but time.
    """
    name = _digest(key)
    path = cache / "baselines" / f"{name}.npz"
    found = _read(path, name)
    if found is not None:
        with contextlib.suppress(OSError):
            os.utime(path)  # the next to go is the one used longest ago
        return found
    fitted = fit()
    with contextlib.suppress(OSError):
        _write(path, name, fitted)
        _trim(path.parent)
    return fitted


def _digest(key: Mapping[str, Any] | str) -> str:
    """Return 64 hexadecimal digits; the order of a mapping's keys does not matter."""
    what = {"format": FORMAT_VERSION, "scikit-learn": version("scikit-learn"), "key": plain(key)}
    text = json.dumps(what, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _write(path: Path, name: str, fitted: Mapping[str, Baseline]) -> None:
    """Write the file whole, readable by its owner alone."""
    about = {
        "name": name,
        "baselines": {
            baseline: {
                "threshold": float(found.threshold),
                "is_probability": bool(found.is_probability),
                "n_variants": int(found.n_variants),
                "penalty": None if found.penalty is None else float(found.penalty),
                "note": found.note,
            }
            for baseline, found in fitted.items()
        },
    }
    arrays: dict[str, Any] = {"about": np.array(json.dumps(about, allow_nan=False))}
    arrays |= {f"score_{i}": found.score for i, found in enumerate(fitted.values())}
    whole = io.BytesIO()
    np.savez(whole, **arrays)
    content = whole.getvalue()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with written_beside(path) as beside:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content + hashlib.sha256(content).digest())
            stream.flush()
            os.fsync(stream.fileno())


def _read(path: Path, name: str) -> dict[str, Baseline] | None:
    """Return what the file holds; None when there is none, or it is torn or not ours."""
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    content, digest = stored[:-_DIGEST_BYTES], stored[-_DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        about = json.loads(str(arrays["about"]))
        if about["name"] != name:
            return None
        return {
            baseline: Baseline(score=arrays[f"score_{i}"], **facts)
            for i, (baseline, facts) in enumerate(about["baselines"].items())
        }


def _trim(folder: Path) -> None:
    """Remove what was used longest ago beyond the limit, and what dead writers left."""
    files = []
    for entry in os.scandir(folder):
        with contextlib.suppress(FileNotFoundError):  # another process trims too
            about = entry.stat()
            if entry.name.endswith(".npz"):
                files.append((about.st_mtime_ns, entry.name, about.st_size))
            elif entry.name.endswith(".tmp") and time.time() - about.st_mtime > _STALE_S:
                Path(entry.path).unlink()
    total = 0
    for _, name, size in sorted(files, reverse=True):
        total += size
        if total > MOST_BYTES:
            (folder / name).unlink(missing_ok=True)
