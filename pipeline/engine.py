"""Where parallel work runs: code is written against `concurrent.futures.Executor`.

At home this is a process pool. Its processes are forked from a clean server that has imported
the stage but runs none of our threads, so neither TensorFlow nor a page is copied or run again.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager


class InProcess(Executor):
    """Runs each call where it was submitted; for one worker, and for looking with a debugger."""

    def submit(self, fn, /, *args, **kwargs):
        future: Future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - a future carries whatever was raised
            future.set_exception(error)
        return future


def default_workers() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def executor(workers: int, preload: str) -> Iterator[Executor]:
    """Give an executor of that many processes; `preload` is the module that the work needs."""
    if workers <= 1:
        yield InProcess()
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([preload])
    pool = ProcessPoolExecutor(workers, mp_context=context)
    try:
        pool.submit(os.getpid)  # starts the processes now, while the caller still plans
        yield pool
    except BaseException:
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown(wait=True)
