"""A user's file of input weights, kept in the cache under its own hash.

A run is named by what determines it, so that the file is copied when a run is asked for: whoever
changes it later asks for another run.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.cohort import Cohort
from pipeline.errors import InputError
from pipeline.files import written_beside
from pipeline.settings import AnalysisSettings
from pipeline.sources.weights import read_weights, weights_of

_MOST_BYTES = 200 << 20


def keep_weights(cache: Path, settings: AnalysisSettings) -> AnalysisSettings:
    """Return the settings with the file of weights named by its kept copy.

    Raises `InputError` for a file that is absent, too large, or no table of weights.
    """
    if settings.encoding.weights != "file":
        return settings
    asked = settings.encoding.weights_file
    if (_folder(cache) / Path(asked).name).is_file():
        return _named(settings, Path(asked).name)
    path = Path(asked).expanduser()
    if not path.is_file():
        raise InputError(
            f"encoding.weights_file names a table of variants and weights, but there is no file "
            f"{asked}; correct the path."
        )
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(
            f"A file of weights may have {_MOST_BYTES >> 20} MB, but {asked} has "
            f"{path.stat().st_size >> 20}; leave out the variants of weight 0."
        )
    read_weights(path)  # told now, not when the run starts
    data = path.read_bytes()
    words = re.sub(r"[^A-Za-z0-9._-]", "_", path.name)[-40:]
    name = f"{hashlib.sha256(data).hexdigest()[:12]}-{words}"
    _folder(cache).mkdir(parents=True, exist_ok=True)
    with written_beside(_folder(cache) / name) as beside:
        beside.write_bytes(data)
    return _named(settings, name)


def kept_weights(
    cache: Path, cohort: Cohort, variants: NDArray[np.int64], settings: AnalysisSettings
) -> NDArray[np.float64] | None:
    """Return the weight of each variant index from the kept file, None when none was asked for."""
    if settings.encoding.weights != "file":
        return None
    table = read_weights(_folder(cache) / Path(settings.encoding.weights_file).name)
    return weights_of(table, cohort.sites(variants)).weights


def _named(settings: AnalysisSettings, name: str) -> AnalysisSettings:
    encoding = settings.encoding.model_copy(update={"weights_file": name})
    return settings.model_copy(update={"encoding": encoding})


def _folder(cache: Path) -> Path:
    return cache / "weights"
