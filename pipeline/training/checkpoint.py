"""Where a training stands, in one file, so that one that was stopped goes on from its last epoch.

The file holds the weights, the states of the random numbers, the optimiser's moments, the weights
of the best epoch, and the epochs so far. Learning rate, patience and the order of the people follow
from the epochs, so they are worked out anew. It is a ZIP of NumPy arrays without pickles.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pipeline.epochs import EpochRecord, restored
from pipeline.files import plain, written_beside

# A training spends at most this share of its time on keeping where it stands.
WRITING_SHARE = 0.05
_HEAD = "head"


@dataclass(frozen=True, eq=False)
class Kept:
    """What a checkpoint says: the epochs so far and the weights of the best one.

    `is_done` says that no epoch is left; else `variables` are those of the model, and `moments`
    those of its optimiser, after the last epoch.
    """

    epochs: tuple[EpochRecord, ...]
    best: list[NDArray]
    variables: list[NDArray]
    moments: list[NDArray]
    is_done: bool


class Checkpoint:
    """The file of one training; without a path nothing is read or written.

    `about` is what the training is of: a file that another training or another version of Keras
    wrote, or that is damaged, is as good as none.
    """

    def __init__(self, path: Path | None, about: Any):
        self._path = path
        known = {"about": plain(about), "keras": keras.__version__,
                 "backend": keras.backend.backend()}  # fmt: skip
        self._digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
        self._written = time.monotonic()
        self._cost = 0.0

    def read(self) -> Kept | None:
        """Return what was kept, None when there is nothing to go on from."""
        if self._path is None or not self._path.is_file():
            return None
        try:
            with np.load(self._path, allow_pickle=False) as arrays:
                head = json.loads(str(arrays[_HEAD]))
                if head["digest"] != self._digest:
                    return None
                parts = {
                    part: [arrays[f"{part}_{i}"] for i in range(n)]
                    for part, n in head["parts"].items()
                }
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        epochs = tuple(restored(stored) for stored in head["epochs"])
        return Kept(epochs, parts["best"], parts["variables"], parts["moments"], head["is_done"])

    def write(
        self, epochs: Sequence[EpochRecord], best: Sequence[NDArray], model: keras.Model
    ) -> None:
        """Keep where the training stands, unless that would cost it too much of its time."""
        if time.monotonic() - self._written < self._cost / WRITING_SHARE:
            return
        start = time.monotonic()
        self._place(epochs, best, state_variables(model), model.optimizer.variables, is_done=False)
        self._written = time.monotonic()
        self._cost = self._written - start

    def finish(self, epochs: Sequence[EpochRecord], best: Sequence[NDArray]) -> None:
        """Keep that no epoch is left, and the weights of the best one."""
        self._place(epochs, best, (), (), is_done=True)

    def _place(
        self,
        epochs: Sequence[EpochRecord],
        best: Sequence[NDArray],
        variables: Sequence[Any],
        moments: Sequence[Any],
        *,
        is_done: bool,
    ) -> None:
        if self._path is None:
            return
        parts = {"best": best, "variables": variables, "moments": moments}
        head = {
            "digest": self._digest, "is_done": is_done, "epochs": plain(list(epochs)),
            "parts": {part: len(arrays) for part, arrays in parts.items()},
        }  # fmt: skip
        try:
            self._path.parent.mkdir(exist_ok=True)
            with (
                written_beside(self._path) as beside,
                zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as archive,
            ):
                for name, array in _named(head, parts):
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, array, allow_pickle=False)
        except OSError as error:
            # A training that cannot be gone on with is better than none.
            print(f"The training goes on, but its checkpoint was not written: {error}",
                  file=sys.stderr)  # fmt: skip


def state_variables(model: keras.Model) -> list[keras.Variable]:
    """Return the weights and the states of random numbers; not the sums behind the metrics."""
    sums = {id(variable) for variable in model.metrics_variables}
    return [variable for variable in model.variables if id(variable) not in sums]


def _named(head: dict[str, Any], parts: dict[str, Sequence[Any]]) -> Iterator[tuple[str, NDArray]]:
    """Yield each array with its name, one copied at a time."""
    yield _HEAD, np.array(json.dumps(head))
    for part, arrays in parts.items():
        for number, array in enumerate(arrays):
            yield f"{part}_{number}", keras.ops.convert_to_numpy(array)
