"""The search itself: ask for settings, have them tried, be told, until time or trials are over.

Trials run where the engine says, processes of this machine or the workers of a Dask scheduler;
the one process that runs this loop writes everything down.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.engine import LOCAL, engine_address, executor
from pipeline.errors import EmptyResultError, PipelineError, SettingsError, StaleArtifactError
from pipeline.processes import FreshProcesses, default_workers, on_cores
from pipeline.progress import OnProgress, Progress, silent
from pipeline.settings import with_changes
from pipeline.settings.sweep import SweepSettings, from_parameter, to_parameter
from pipeline.submit import submit_training
from pipeline.sweep.people import set_aside
from pipeline.sweep.stored import Sweep, Trial, append_trial, read_sweep, update
from pipeline.sweep.trial import run_trial

POLL_S = 0.1
IMPORTANCE_EVERY = (10, 100)  # trials, up to a hundred and from then on

TryOut = Callable[..., dict[str, Any]]  # called as `run_trial`


def sweep_job(cache: Path, payload: dict[str, Any], on_progress: OnProgress) -> dict[str, Any]:
    """Run a sweep that was put in the queue."""
    sweep = read_sweep(cache, payload["sweep"])
    budget = {key: payload[key] for key in ("minutes", "trials", "parallel") if key in payload}
    asked = SweepSettings.model_validate(sweep.sweep | budget)
    sweep = run_sweep(cache, sweep, asked, on_progress)
    best = sweep.best
    return {
        "sweep": sweep.id,
        "trials": len(sweep.trials),
        "best": best.value if best else None,
        "run": sweep.run,
    }


def run_sweep(
    cache: Path,
    sweep: Sweep,
    asked: SweepSettings,
    on_progress: OnProgress = silent,
    *,
    try_out: TryOut = run_trial,
    clock: Callable[[], float] = time.monotonic,
) -> Sweep:
    """Return the sweep once its time or its trials are over and the best settings are queued.

    `asked` differs from what the sweep has at most in its budget. Trials that run when the time
    is over are stopped and leave nothing. `on_progress` may raise `Cancelled`: running trials then
    stop within one batch. Raises `EmptyResultError` when no trial came to its end.
    """
    on_progress(Progress("setting test people aside", 0.0))
    set_aside(cache, sweep)
    sweep = read_sweep(cache, sweep.id)
    begun = clock() - sweep.spent_s
    sweep = update(sweep, sweep=asked.model_dump(mode="json"), is_finished=False)
    with _pool(asked.parallel, sweep) as (pool, n_slots, n_cores), _at_work(sweep) as mark:
        if n_cores:
            try_out = partial(on_cores, n_cores, try_out)
        search = _Search(cache, sweep, asked, pool, n_slots, try_out, mark)
        while search.ask(asked.minutes * 60 - (clock() - begun)):
            on_progress(_progress(search.sweep, asked, clock() - begun))
            search.hear(clock() - begun)
        sweep = update(search.sweep, spent_s=clock() - begun)
    on_progress(Progress("weighing the settings", 1.0))
    return _end(cache, sweep, asked)


class _Search:
    """The trials that run and those that ended."""

    def __init__(
        self,
        cache: Path,
        sweep: Sweep,
        asked: SweepSettings,
        pool: Executor,
        n_slots: int,
        try_out: TryOut,
        mark: str,
    ):
        self.sweep = sweep
        self._cache, self._asked = cache, asked
        self._pool, self._n_slots = pool, n_slots
        self._try_out, self._mark = try_out, mark
        self._base = sweep.base
        self._running: dict[Future[dict[str, Any]], tuple[int, dict[str, Any]]] = {}
        self._is_exhausted = False

    def ask(self, seconds_left: float) -> bool:
        """Start trials where there is room and time; return whether any runs."""
        while self._may_start(seconds_left):
            number = self._next_number()
            parameters = self._parameters(number)
            if parameters is None:
                self._is_exhausted = True
                break
            changes = {name: from_parameter(value) for name, value in parameters.items()}
            try:
                settings = with_changes(self._base, changes)
            except SettingsError as problem:
                self._write(Trial(number, parameters, "failed", reason=str(problem)))
                continue
            future = self._pool.submit(
                self._try_out, self._cache, self.sweep.id, number, settings, seconds_left,
                self._mark,
            )  # fmt: skip
            self._running[future] = (number, parameters)
        return bool(self._running)

    def hear(self, spent_s: float) -> None:
        """Wait for a moment and write down the trials that have ended."""
        done, _ = wait(self._running, timeout=POLL_S, return_when=FIRST_COMPLETED)
        for future in done:
            number, parameters = self._running.pop(future)
            try:
                told = dict(future.result())
            except StaleArtifactError:
                raise  # of the cohort, not of these settings
            except PipelineError as problem:
                # Not the settings but the process or the machine: told here once, so that going
                # on does not try the same again, and then to the user.
                self._write(Trial(number, parameters, "failed", reason=str(problem)))
                raise
            if told["state"] != "stopped":
                self._write(Trial(number, parameters, **told))
        if done:
            self.sweep = update(self.sweep, spent_s=spent_s)

    def _may_start(self, seconds_left: float) -> bool:
        n_asked = len(self.sweep.trials) + len(self._running)
        return (
            seconds_left > 0
            and not self._is_exhausted
            and len(self._running) < self._n_slots
            and n_asked < self._asked.trials
        )

    def _next_number(self) -> int:
        taken = {trial.number for trial in self.sweep.trials}
        taken |= {number for number, _ in self._running.values()}
        return next(number for number in range(1, len(taken) + 2) if number not in taken)

    def _parameters(self, number: int) -> dict[str, Any] | None:
        """Return what a trial tries; the first one the base settings as they are."""
        if number == 1:
            stages = {one.name: one.name.partition(".") for one in self._asked.ranges()}
            return {
                name: to_parameter(getattr(getattr(self._base, stage), field))
                for name, (stage, _, field) in stages.items()
            }
        from pipeline.sweep.search import propose

        running = [parameters for _, parameters in self._running.values()]
        return propose(self._asked, self.sweep.trials, running, number)

    def _write(self, trial: Trial) -> None:
        append_trial(self.sweep, trial)
        trials = sorted([*self.sweep.trials, trial], key=lambda one: one.number)
        self.sweep = replace(self.sweep, trials=tuple(trials))
        is_due = len(trials) % IMPORTANCE_EVERY[len(trials) > 100] == 0
        # The first time as soon as enough have ended, however many were given up before.
        if is_due or (not self.sweep.importance and len(trials) < IMPORTANCE_EVERY[1]):
            self.sweep = _weighed(self.sweep, self._asked)


def _end(cache: Path, sweep: Sweep, asked: SweepSettings) -> Sweep:
    """Queue a training of the best settings and return the finished sweep."""
    best = sweep.best
    if best is None:
        first = next((f": {trial.reason}" for trial in sweep.trials if trial.reason), "")
        raise EmptyResultError(
            f"A sweep needs a trial that comes to its end, but none of {len(sweep.trials)} did in "
            f"{asked.minutes:g} minutes{first}; give it more minutes, fewer epochs or other fields."
        )
    changes = {name: from_parameter(value) for name, value in best.parameters.items()}
    settings = with_changes(sweep.base, changes)
    run = submit_training(cache, sweep.cohort, settings, f"sweep {sweep.id[:8]}")
    return update(_weighed(sweep, asked), run=run.id, is_finished=True, state="finished")


def _weighed(sweep: Sweep, asked: SweepSettings) -> Sweep:
    from pipeline.sweep.search import importance

    return replace(sweep, importance=importance(asked, sweep.trials) or None)


@contextmanager
def _pool(parallel: int, sweep: Sweep) -> Iterator[tuple[Executor, int, int]]:
    """Give what runs trials, how many at once, and the cores of each; 0 where nobody shares."""
    if engine_address() != LOCAL:
        with executor(None, "pipeline.sweep.trial", sweep.folder, trains=True) as (
            pool,
            n_slots,
        ):
            yield pool, n_slots, 0
        return
    n_slots, n_cores = shared_out(parallel, default_workers())
    if n_slots > 1:
        # None of them is this process, whose TensorFlow may have taken all cores by now.
        with FreshProcesses(n_slots) as processes:
            yield processes, n_slots, n_cores
        return
    # A thread, so that this one can report, and hear of a stop, while the trial runs.
    with ThreadPoolExecutor(1) as thread:
        yield thread, 1, 0


def shared_out(parallel: int, n_cores: int) -> tuple[int, int]:
    """Return how many trials run at once and the cores of each: together no more than there are.

    More trials than cores would only wait for each other, and hold memory while they do.
    """
    n_slots = max(1, min(parallel, n_cores))
    return n_slots, max(1, n_cores // n_slots)


@contextmanager
def _at_work(sweep: Sweep) -> Iterator[str]:
    """Give the name of a file that trials look for; once it has gone they stop, wherever they run.

    Every part of a sweep has its own, so that a trial left behind on a cluster stops too.
    """
    for left in sweep.folder.glob("at-work-*"):
        left.unlink(missing_ok=True)
    mark = f"at-work-{uuid.uuid4().hex[:12]}"
    path = sweep.folder / mark
    path.touch()
    try:
        yield mark
    finally:
        path.unlink(missing_ok=True)


def _progress(sweep: Sweep, asked: SweepSettings, spent_s: float) -> Progress:
    n = len(sweep.trials)
    budget_s = asked.minutes * 60
    left_s = max(0.0, budget_s - spent_s)
    if n:
        left_s = min(left_s, spent_s / n * (asked.trials - n))
    best = best_words(sweep, asked)
    return Progress(
        "trying settings",
        min(1.0, max(spent_s / budget_s, n / asked.trials)),
        left_s,
        f"{n} of at most {asked.trials} trials{best}",
    )


def best_words(sweep: Sweep, asked: SweepSettings) -> str:
    """Return the best value so far in words, nothing while there is none."""
    best = sweep.best
    if best is None:
        return ""
    return f", best {'AUC' if asked.metric == 'auc' else 'loss'} {best.value:.3f}"
