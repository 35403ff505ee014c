"""Seconds an epoch of the paper's networks, ours against plain Keras, at the paper's size.

    python -m tests.benchmarks.network [--people 9532] [--variants 18970] [--steps 4] [--rounds 5]
        [--seconds 0] [--systems NAME ...] [--best]

`published_plain` is the published script's network and `final_2d_plain` the paper's 2D network, in
plain Keras layers, with Keras's Adam, `fit`, and a float32 channel; `published` and `final_2d` are
the presets as `train_network` runs them; the others leave out or add one measure. Each system is a
process of its own. They take turns, a few steps at a time, since a machine is never equally fast
for long; an epoch is extrapolated from the median turn, the watched people included. With
`--seconds` each then trains alone that long after its first batch, and the AUC of the watched
people is told. Ours starts a turn with its layers already drawn, as do all. With `--best` preset
`best` is trained to its end, picks by the first half of the watched people, and is measured, as all
are then, on the second half. Prints JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
WATCH_SHARE = 0.15 / 0.85  # of the training people
POOL_FIRST = {"network.norm_after_pool": True}
BFLOAT16 = {"training.precision": "bfloat16"}
FAST = POOL_FIRST | BFLOAT16
FUSED = ("norm", "adam", "dropout", "dense", "convolution", "penalty")


def _but(part: str) -> tuple[str, ...]:
    return tuple(name for name in FUSED if name != part)


# What each system changes: preset, settings, and which fused parts are put back to plain Keras.
SYSTEMS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]] | str] = {
    "published_plain": "published_script",
    "published": ("published_script", FAST, ()),
    "final_2d_plain": "final_2d",
    "final_2d": ("final_2d", FAST, ()),
    # One measure alone, on top of codes, our loop and Keras's layers:
    "loop_alone": ("final_2d", {}, FUSED),
    "norm_alone": ("final_2d", {}, _but("norm")),
    "adam_alone": ("final_2d", {}, _but("adam")),
    "dropout_alone": ("final_2d", {}, _but("dropout")),
    "dense_alone": ("final_2d", {}, _but("dense")),
    "pool_first_alone": ("final_2d", POOL_FIRST, FUSED),
    "bfloat16_alone": ("final_2d", BFLOAT16, FUSED),
    "published_convolution_alone": ("published_script", {}, _but("convolution")),
    "published_penalty_alone": ("published_script", {}, _but("penalty")),
    # One measure left out:
    "without_norm": ("final_2d", FAST, ("norm",)),
    "without_adam": ("final_2d", FAST, ("adam",)),
    "without_dropout": ("final_2d", FAST, ("dropout",)),
    "without_dense": ("final_2d", FAST, ("dense",)),
    "without_pool_first": ("final_2d", BFLOAT16, ()),
    "without_bfloat16": ("final_2d", POOL_FIRST, ()),
    "published_without_convolution": ("published_script", FAST, ("convolution",)),
    "published_without_penalty": ("published_script", FAST, ("penalty",)),
    "published_without_bfloat16": ("published_script", POOL_FIRST, ()),
    # Not the paper's batch:
    "batch_256": ("final_2d", FAST | {"training.batch_size": 256}, ()),
}
MAIN = ("published_plain", "published", "final_2d_plain", "final_2d")


class _Done(Exception):  # noqa: N818 - the measurement is over, nothing went wrong
    """Leaves a training from within."""


def write_cohort(folder: Path, n_people: int, n_variants: int) -> None:
    """Write codes (n_people + watched, n_variants) and labels: 2 % of the variants matter a bit."""
    rng = np.random.default_rng(1)
    n = n_people + round(n_people * WATCH_SHARE)
    frequency = rng.uniform(0.02, 0.5, n_variants).astype(np.float32)
    codes = np.empty((n, n_variants), np.uint8)
    for first in range(0, n, 256):
        drawn = rng.random((len(codes[first : first + 256]), n_variants), np.float32)
        codes[first : first + 256] = (drawn < frequency**2).astype(np.uint8) + (
            drawn < 1 - (1 - frequency) ** 2
        )
    causal = rng.choice(n_variants, max(1, n_variants // 50), replace=False)
    score = codes[:, causal] @ rng.normal(0, 1, len(causal))
    score += rng.normal(0, score.std(), n)
    np.save(folder / "codes.npy", codes)
    np.save(folder / "is_case.npy", score > np.median(score))


# --- the measured process --------------------------------------------------------------------


class _Gate:
    """Called after each batch: lets the asked number through, tells the time, waits to be asked.

    With `seconds` it asks nobody and ends the training that long after its first batch.
    """

    def __init__(self, seconds: float):
        self.n_batches = 0
        self._seconds = seconds
        self._n_left = 1
        self._start = time.perf_counter()

    def __call__(self, *_: object, **__: object) -> None:
        self.n_batches += 1
        if self._seconds:
            if self.n_batches == 1:
                self._start = time.perf_counter()
            if time.perf_counter() - self._start > self._seconds:
                raise _Done
            return
        self._n_left -= 1
        if not self._n_left:
            _tell(seconds=time.perf_counter() - self._start)
            asked = sys.stdin.readline().strip()
            if not asked:
                raise _Done
            self._n_left = int(asked)
            self._start = time.perf_counter()


def _tell(**values: float) -> None:
    print(json.dumps(values), flush=True)


def run_system(name: str, folder: Path, seconds: float) -> None:
    """Train one system under the gate; tell seconds, then the watched people and peak memory."""
    from pipeline.presets import apply_preset
    from pipeline.settings import with_changes

    codes, is_case = np.load(folder / "codes.npy"), np.load(folder / "is_case.npy")
    n_train = round(len(codes) / (1 + WATCH_SHARE))
    if name == "best":
        _tell(**_best(codes, is_case, n_train))
        return
    system = SYSTEMS[name]
    gate = _Gate(seconds)
    if isinstance(system, str):
        predict = _plain(apply_preset(system), codes, is_case, n_train, gate)
    else:
        preset, changes, put_back = system
        settings = with_changes(apply_preset(preset), changes)
        predict = _ours(settings, put_back, codes, is_case, n_train, gate)
    predict()
    start = time.perf_counter()
    probability = predict()
    watch_seconds = time.perf_counter() - start
    from sklearn.metrics import roc_auc_score

    half = (len(codes) - n_train) // 2
    _tell(
        watch_seconds=watch_seconds,
        auc=roc_auc_score(is_case[n_train + half :], probability[half:]),
        batches=gate.n_batches,
        peak_mb=_peak_mb(),
    )


def _best(codes, is_case, n_train: int) -> dict[str, float]:
    from sklearn.metrics import roc_auc_score

    from pipeline.presets import apply_preset
    from pipeline.training import predict_probability
    from pipeline.training.genes import train_gene_network

    settings = apply_preset("best")
    picks = slice(n_train, n_train + (len(codes) - n_train) // 2)
    genes = np.arange(codes.shape[1]) // 2  # as selection leaves them: two variants each
    start = time.perf_counter()
    model, _ = train_gene_network(
        codes[:n_train], is_case[:n_train], codes[picks], is_case[picks], genes,
        settings.network, settings.training,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    auc = roc_auc_score(is_case[picks.stop :], predict_probability(model, codes[picks.stop :]))
    return {"fit_s": seconds, "auc": auc, "peak_mb": _peak_mb()}


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _plain(settings, codes, is_case, n_train: int, gate: _Gate) -> Callable[[], np.ndarray]:
    """Train as one would who has read Keras's guide; return what scores the watched people."""
    import keras

    flat = settings.encoding.layout == "1d"
    side = 0 if flat else math.isqrt(codes.shape[1] - 1) + 1
    n_places = codes.shape[1] if flat else side * side
    x = np.zeros((len(codes), n_places), np.float32)
    mean, sd = codes[:n_train].mean(axis=0), codes[:n_train].std(axis=0)
    for row, person in zip(x, codes, strict=True):
        row[: codes.shape[1]] = (person - mean) / np.maximum(sd, 1e-6)
    del codes
    x = x.reshape((-1, n_places, 1) if flat else (-1, side, side, 1))
    model = _plain_network(x.shape[1:], settings.network)
    has_two_outputs = model.output_shape[-1] == 2
    model.compile(
        optimizer=keras.optimizers.Adam(settings.training.learning_rate),
        loss="sparse_categorical_crossentropy" if has_two_outputs else "binary_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,  # six times slower with it, where Keras would leave it off anyway
    )
    y = is_case.astype("int32" if has_two_outputs else "float32")
    watch = keras.callbacks.LambdaCallback(on_train_batch_end=gate)
    batch = settings.training.batch_size
    with contextlib.suppress(_Done):
        model.fit(
            x[:n_train], y[:n_train], batch_size=batch, epochs=1000, callbacks=[watch], verbose=0
        )
    return lambda: model.predict(x[n_train:], batch_size=batch, verbose=0)[:, -1]


def _plain_network(shape, settings):
    import keras

    layers = keras.layers
    flat = len(shape) == 2
    penalty = {"kernel_regularizer": keras.regularizers.L1L2(settings.l1, settings.l2)}
    if not (settings.l1 or settings.l2):
        penalty = {}
    tensor = inputs = keras.Input(shape)
    for _ in range(settings.convolutions):
        tensor = (layers.Conv1D if flat else layers.Conv2D)(
            settings.filters, settings.kernel, padding="same", activation="relu", **penalty
        )(tensor)
        tensor = layers.BatchNormalization()(tensor)
        pool = layers.MaxPooling1D if flat else layers.MaxPooling2D
        tensor = pool(settings.pool, padding="same")(tensor)
        tensor = layers.Dropout(settings.dropout)(tensor)
    tensor = layers.Flatten()(tensor)
    for units in settings.dense:
        dense_penalty = penalty if settings.penalise_dense else {}
        tensor = layers.Dense(units, activation="relu", **dense_penalty)(tensor)
        tensor = layers.BatchNormalization()(tensor)
        tensor = layers.Dropout(settings.dropout)(tensor)
    n_outputs = 2 if settings.output == "softmax" else 1
    return keras.Model(inputs, layers.Dense(n_outputs, activation=settings.output)(tensor))


def _ours(
    settings, put_back: tuple[str, ...], codes, is_case, n_train: int, gate: _Gate
) -> Callable[[], np.ndarray]:
    """Train as a run does; `put_back` names what is plain Keras for this once."""
    import keras

    from pipeline.encoding import fit_encoding
    from pipeline.network import build
    from pipeline.training import optimizers, precision, predict_probability, train_network

    plain = {
        "norm": (build, "BatchNorm", keras.layers.BatchNormalization),
        "dropout": (build, "Dropout", keras.layers.Dropout),
        "dense": (build, "Dense", keras.layers.Dense),
        "convolution": (build, "Conv1D", keras.layers.Conv1D),
        "penalty": (build, "L1L2", keras.regularizers.L1L2),
        "adam": (optimizers, "Adam", keras.optimizers.Adam),
    }
    for part in put_back:
        module, name, own = plain[part]
        if not hasattr(module, name):
            raise AttributeError(f"{module.__name__} has no {name}: nothing would be measured")
        setattr(module, name, own)
    encoding = fit_encoding(codes[:n_train], settings.encoding)
    with precision(settings.training):
        model = build.build_network(encoding, settings.network, seed=1)
    training = settings.training.model_copy(update={"epochs": 1000, "patience": 0})
    people = (codes[:n_train], is_case[:n_train], codes[n_train:], is_case[n_train:])
    with contextlib.suppress(_Done):
        train_network(model, *people, training, on_batch=gate)
    return lambda: predict_probability(model, codes[n_train:])


# --- the parent ------------------------------------------------------------------------------


class _Child:
    """One system in a process of its own."""

    def __init__(self, name: str, folder: Path, seconds: float = 0):
        command = [sys.executable, "-m", "tests.benchmarks.network", "--child", name]
        self._process = subprocess.Popen(
            [*command, "--folder", str(folder), "--seconds", str(seconds)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def hear(self) -> dict[str, float]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args} ended without a word")
        return json.loads(line)

    def ask(self, n_batches: int | str) -> dict[str, float]:
        assert self._process.stdin
        self._process.stdin.write(f"{n_batches}\n")
        self._process.stdin.flush()
        return self.hear()

    def end(self) -> dict[str, float]:
        """Let it stop training, and return the last that it tells."""
        try:
            return self.ask("")
        finally:
            self.reap()

    def reap(self) -> None:
        self._process.communicate()


def measure(
    folder: Path, names: list[str], n_people: int, n_steps: int, n_rounds: int, seconds: float
) -> dict[str, Any]:
    children = {}
    result: dict[str, Any] = {}
    for name in names:
        children[name] = _Child(name, folder)
        first = children[name].hear()["seconds"]
        result[name] = {"first_batch_s": round(first, 2)}
        children[name].ask(1)  # the first step after the graph is drawn still sets up its memory
    turns: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(n_rounds):
        for name, child in children.items():
            turns[name].append(child.ask(n_steps)["seconds"] / n_steps)
    for name, child in children.items():
        ended = child.end()
        system = SYSTEMS[name]
        batch = 32 if isinstance(system, str) else system[1].get("training.batch_size", 32)
        step = float(np.median(turns[name]))
        n_batches = math.ceil(n_people / batch)
        result[name] |= {
            "step_ms": round(1000 * step, 1),
            "fastest_step_ms": round(1000 * min(turns[name]), 1),
            "watch_s": round(ended["watch_seconds"], 2),
            "epoch_s": round(n_batches * step + ended["watch_seconds"], 1),
            "fastest_epoch_s": round(n_batches * min(turns[name]) + ended["watch_seconds"], 1),
            "peak_mb": round(ended["peak_mb"]),
        }
    for name in names:
        peer = f"{'published' if name.startswith('published') else 'final_2d'}_plain"
        for kind in ("epoch_s", "fastest_epoch_s"):
            if peer in result:
                ratio = result[name][kind] / result[peer][kind]
                result[name][kind.replace("_s", "_ratio")] = round(ratio, 3)
    if seconds:
        for name in names:
            child = _Child(name, folder, seconds)
            ended = child.hear()
            child.reap()
            result[name][f"auc_after_{seconds:g}_s"] = round(ended["auc"], 3)
            result[name][f"batches_in_{seconds:g}_s"] = int(ended["batches"])
    return result


def measure_best(folder: Path) -> dict[str, float]:
    """Return seconds, AUC and peak memory of a whole fit."""
    child = _Child("best", folder)
    try:
        return {name: round(value, 3) for name, value in child.hear().items()}
    finally:
        child.reap()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=9_532, help="training people")
    parser.add_argument("--variants", type=int, default=18_970)
    parser.add_argument("--steps", type=int, default=4, help="batches in a turn")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each system")
    parser.add_argument("--seconds", type=float, default=0, help="training time for the AUC")
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(MAIN))
    parser.add_argument("--best", action="store_true", help="train preset best as well")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        run_system(asked.child, asked.folder, asked.seconds)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_cohort(folder, asked.people, asked.variants)
        found = measure(
            folder, asked.systems, asked.people, asked.steps, asked.rounds, asked.seconds
        )
        if asked.best:
            found["best"] = measure_best(folder)
    print(json.dumps({"people": asked.people, "variants": asked.variants} | found, indent=1))


if __name__ == "__main__":
    main()
