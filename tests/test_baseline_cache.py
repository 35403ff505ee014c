"""Fitted baselines are found again, by all that determines them, and never by halves."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline import baseline_cache
from pipeline.baseline_cache import cached_baselines
from pipeline.baselines import Baseline

ROOT = Path(__file__).resolve().parents[1]
KEY = {
    "cohort": "3fa2",
    "labels": np.array([True, False, True]),
    "test": np.arange(3),
    "variants": np.array([4, 9]),
    "seed": 1,
    "names": ("majority", "additive"),
}


class Fit:
    """Baselines of `n_test` people that count how often they were fitted."""

    def __init__(self, n_test: int = 5, value: float = 0.25):
        self.n_calls = 0
        self.n_test, self.value = n_test, value

    def __call__(self) -> dict[str, Baseline]:
        self.n_calls += 1
        score = np.random.default_rng(1).standard_normal(self.n_test).astype(np.float32)
        half = np.full(self.n_test, self.value, np.float32)
        return {
            "majority": Baseline(half, 0.5, is_probability=True, n_variants=0),
            "additive": Baseline(score, np.float64(-1 / 3), False, np.int64(7), np.pi, "r² ≤ 0.1"),
        }


def same(one: dict[str, Baseline], other: dict[str, Baseline]) -> bool:
    """Return whether all is equal, bit for bit, in the same order."""

    def facts(baselines):
        return [
            (name, b.score.dtype, b.score.tobytes(), b.threshold, b.is_probability, b.n_variants)
            for name, b in baselines.items()
        ] + [(b.penalty, b.note) for b in baselines.values()]

    return facts(one) == facts(other)


def only_file(cache: Path) -> Path:
    (path,) = (cache / "baselines").iterdir()
    return path


def test_the_second_run_fits_nothing_and_gets_the_same(tmp_path):
    fit = Fit()
    first = cached_baselines(tmp_path, KEY, fit)
    second = cached_baselines(tmp_path, dict(reversed(KEY.items())), fit)
    assert fit.n_calls == 1
    assert same(first, second)
    assert same(first, fit())


def test_scores_of_single_people_are_private(tmp_path):
    before = os.umask(0)
    try:
        cached_baselines(tmp_path, KEY, Fit())
    finally:
        os.umask(before)
    path = only_file(tmp_path)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "change",
    [
        {"cohort": "91bc"},
        {"labels": np.array([False, False, True])},
        {"test": np.arange(1, 4)},
        {"variants": np.array([4, 8])},
        {"seed": 2},
        {"names": ("majority",)},
        {"covariates": ("sex",)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_part_of_the_key_counts(tmp_path, change):
    cached_baselines(tmp_path, KEY, Fit())
    other = Fit(value=0.75)
    found = cached_baselines(tmp_path, KEY | change, other)
    assert other.n_calls == 1
    assert found["majority"].score[0] == 0.75
    assert len(list((tmp_path / "baselines").iterdir())) == 2


@pytest.mark.parametrize("what", ["FORMAT_VERSION", "version of scikit-learn"])
def test_what_another_program_fitted_is_not_used(tmp_path, monkeypatch, what):
    cached_baselines(tmp_path, KEY, Fit())
    if what == "FORMAT_VERSION":
        monkeypatch.setattr(baseline_cache, what, baseline_cache.FORMAT_VERSION + 1)
    else:
        monkeypatch.setattr(baseline_cache, "version", lambda _: "0.1")
    again = Fit()
    cached_baselines(tmp_path, KEY, again)
    assert again.n_calls == 1


def test_the_file_is_one_that_numpy_reads(tmp_path):
    found = cached_baselines(tmp_path, KEY, Fit())
    with np.load(only_file(tmp_path), allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["score_1"], found["additive"].score)


def test_a_key_may_be_a_string(tmp_path):
    cached_baselines(tmp_path, "one", Fit())
    again, other = Fit(), Fit()
    cached_baselines(tmp_path, "one", again)
    cached_baselines(tmp_path, "two", other)
    assert (again.n_calls, other.n_calls) == (0, 1)


def test_a_torn_or_foreign_file_is_fitted_and_written_again(tmp_path):
    first = cached_baselines(tmp_path, KEY, Fit())
    path = only_file(tmp_path)
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    broken = [b"", b"not ours", b"\x80\x04K\x01.", whole[: len(whole) // 2], whole[100:]]
    broken += [whole[:n] for n in range(0, len(whole), 97)]
    for _ in range(300):
        flipped = bytearray(whole)
        for place in rng.integers(0, len(whole), rng.integers(1, 4)):
            flipped[place] ^= 1 << rng.integers(0, 8)
        broken.append(bytes(flipped))
    for content in broken:
        path.write_bytes(content)
        again = Fit()
        assert same(cached_baselines(tmp_path, KEY, again), first)
        assert again.n_calls == (content != whole)
    path.write_bytes(whole[:-1])
    cached_baselines(tmp_path, KEY, Fit())
    mended = Fit()
    cached_baselines(tmp_path, KEY, mended)
    assert mended.n_calls == 0


def test_a_file_under_another_name_is_not_believed(tmp_path):
    cached_baselines(tmp_path, "one", Fit(value=0.25))
    path = only_file(tmp_path)
    cached_baselines(tmp_path, "two", Fit(value=0.75))
    (other,) = (p for p in path.parent.iterdir() if p != path)
    path.replace(other)
    again = Fit(value=0.75)
    assert cached_baselines(tmp_path, "two", again)["majority"].score[0] == 0.75
    assert again.n_calls == 1


def test_those_used_longest_ago_go_first(tmp_path, monkeypatch):
    for number in range(4):
        cached_baselines(tmp_path, str(number), Fit(n_test=1000))
    paths = sorted((tmp_path / "baselines").iterdir(), key=lambda p: p.stat().st_mtime_ns)
    for age, path in enumerate(reversed(paths)):
        os.utime(path, (time.time() - 1000 * (age + 1),) * 2)
    size = paths[0].stat().st_size
    monkeypatch.setattr(baseline_cache, "MOST_BYTES", int(3.5 * size))
    cached_baselines(tmp_path, "0", Fit())  # used now, hence the newest
    cached_baselines(tmp_path, "new", Fit(n_test=1000))
    kept = {p for p in (tmp_path / "baselines").iterdir()}
    assert len(kept) == 3
    assert {paths[0], paths[3]} < kept
    assert sum(p.stat().st_size for p in kept) <= baseline_cache.MOST_BYTES


def test_what_a_killed_writer_left_is_swept_up(tmp_path):
    cached_baselines(tmp_path, KEY, Fit())
    left, fresh = (tmp_path / "baselines" / f".{name}.npz.tmp" for name in ("left", "fresh"))
    for path in (left, fresh):
        path.write_bytes(b"half")
    os.utime(left, (time.time() - 7200,) * 2)
    cached_baselines(tmp_path, "other", Fit())
    assert fresh.exists()
    assert not left.exists()


def test_a_folder_that_cannot_be_written_costs_time_alone(tmp_path):
    (tmp_path / "baselines").write_text("a file is in the way")
    fit = Fit()
    for _ in range(2):
        assert same(cached_baselines(tmp_path, KEY, fit), Fit()())
    assert fit.n_calls == 2


def test_what_goes_wrong_while_fitting_is_heard_and_nothing_stays(tmp_path):
    def fit():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cached_baselines(tmp_path, KEY, fit)
    assert not (tmp_path / "baselines").exists()


PROCESS = """
import sys, time
from pathlib import Path
from pipeline.baseline_cache import cached_baselines
from tests.test_baseline_cache import Fit, same

cache, ready = Path(sys.argv[1]), Path(sys.argv[2])
ready.touch()
while len(list(ready.parent.glob("ready-*"))) < 2:
    time.sleep(0.005)
for number in range(40):
    assert same(cached_baselines(cache, str(number % 10), Fit(2000)), Fit(2000)()), number
"""


def test_two_processes_at_once(tmp_path):
    both = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(tmp_path / "cache"), str(tmp_path / f"ready-{i}")],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(2)
    ]
    for process in both:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    files = list((tmp_path / "cache" / "baselines").iterdir())
    assert len(files) == 10
    assert all(path.suffix == ".npz" for path in files)
