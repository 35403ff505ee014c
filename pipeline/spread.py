"""Calls on one cohort side by side: on the cores of this machine, or the workers of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, wait
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pipeline import samples
from pipeline.cohort import Cohort
from pipeline.engine import LOCAL, engine_address, executor
from pipeline.processes import FreshProcesses, InProcess, default_workers, on_cores
from pipeline.settings import AnalysisSettings

_LOOK_S = 0.2  # how often a stop is asked after while others work


def spread(
    cohort: Cohort,
    function: Callable[..., Any],
    asked: Sequence[tuple[Any, ...]],
    look: Callable[[], None],
    *,
    trains: bool = False,
) -> Iterator[tuple[int, Any]]:
    """Yield the number of each call and `function(*asked[number])`, as they come to their end.

    Calls that train a network (`trains`) go to GPUs where a cluster has some. `look` is called
    while waiting and may raise `Cancelled`; calls that run are ended then.
    Functions, arguments and results must pickle; a call finds its cohort by `opened`.
    """
    with _pool(cohort, len(asked), trains) as (pool, call):
        waiting = {pool.submit(call, function, *one): i for i, one in enumerate(asked)}
        try:
            while waiting:
                look()
                done, _ = wait(waiting, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
                for future in done:
                    yield waiting.pop(future), future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def opened(
    where: tuple[Path, str, str], settings: AnalysisSettings
) -> AbstractContextManager[Cohort]:
    """Return the cohort of `where_is`, to be entered, over the people that the settings keep.

    Raises `StaleArtifactError` when it is another one by now.
    """
    return samples.opened(*where, settings.samples)


def where_is(cohort: Cohort) -> tuple[Path, str, str]:
    """Return what a call on another machine finds the cohort by: cache, name, fingerprint."""
    return cohort.cache, cohort.name, cohort.fingerprint


@contextmanager
def _pool(
    cohort: Cohort, n_calls: int, trains: bool
) -> Iterator[tuple[Executor, Callable[..., Any]]]:
    if engine_address() != LOCAL:
        with executor(None, __name__, cohort.store.path.parent, trains=trains) as (pool, _):
            yield pool, _plain
        return
    n_cores = default_workers()
    n_processes = min(n_calls, n_cores)
    if n_processes <= 1:
        with InProcess() as here:
            yield here, _plain
        return
    # None of them is this process, whose TensorFlow may have taken all cores by now.
    with FreshProcesses(n_processes) as processes:
        yield processes, partial(on_cores, n_cores // n_processes)


def _plain(function: Callable[..., Any], *asked: Any) -> Any:
    return function(*asked)
