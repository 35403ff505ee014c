"""Which machines do parallel work: processes here, or the workers of a Dask scheduler.

An engine is `local`, or the address of a scheduler that runs already (`tcp://host:8786`). Work is
written against `concurrent.futures.Executor` and is the same on both; tasks find their files by
path, so that all machines of a cluster share the disk with the data and the cache.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import processes
from pipeline.errors import EngineError

if TYPE_CHECKING:
    from distributed import Client

LOCAL = "local"
_CONNECT_S = 10
_IMPORT_S = 120  # a worker's first import, from a busy shared disk


def engine_address(asked: str | None = None) -> str:
    """Return the engine asked for, else that of EXOLENS_ENGINE, else `local`."""
    return asked or os.environ.get("EXOLENS_ENGINE") or LOCAL


@contextmanager
def executor(
    workers: int | None, preload: str, folder: Path, engine: str | None = None
) -> Iterator[tuple[Executor, int]]:
    """Give an executor and the number of tasks it runs at once.

    `workers` counts processes here, by default one a core; a cluster has what it has. `preload` is
    the module that the work needs, `folder` one that every machine has to see. Raises
    `EngineError` when a scheduler or its workers cannot be used.
    """
    address = engine_address(engine)
    if address == LOCAL:
        n_workers = workers or processes.default_workers()
        with processes.executor(n_workers, preload) as pool:
            yield pool, n_workers
        return
    folder.mkdir(parents=True, exist_ok=True)
    with _connected(address) as client:
        yield OnCluster(client), _n_threads(client, address, preload, folder)


class OnCluster(Executor):
    """Runs calls on Dask workers; what a lost worker had begun is run again on another."""

    def __init__(self, client: Client):
        self._tasks = client.get_executor(pure=False)
        self._futures: list[Future] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Return the future result of `fn(*args, **kwargs)`."""
        future = self._tasks.submit(fn, *args, **kwargs)
        self._futures.append(future)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; with `cancel_futures` drop those that have not begun."""
        if cancel_futures:
            for future in self._futures:
                future.cancel()
        self._tasks.shutdown(wait=wait)


def connect(address: str, timeout_s: float) -> Client:
    """Return a client of the scheduler at `address`; it is the caller's to close.

    Raises OSError when none answers in time, ValueError for what is no address.
    """
    from distributed import Client

    try:
        return Client(address, timeout=timeout_s, set_as_default=False)
    except AssertionError:
        # Dask gives the thread of its event loop ten seconds to begin and fails with a bare
        # assertion when the machine was busier than that; a second try finds it less so.
        return Client(address, timeout=timeout_s, set_as_default=False)


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    # Dask tells of lost workers at length; what matters reaches the user as one sentence.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = connect(address, _CONNECT_S)
    except (OSError, ValueError) as error:
        raise EngineError(
            f"EXOLENS_ENGINE is 'local' or the address of a Dask scheduler, but none answered at "
            f"{address}; start it (dask scheduler) or correct the address."
        ) from error
    try:
        yield client
    finally:
        client.close()


def _n_threads(client: Client, address: str, preload: str, folder: Path) -> int:
    """Return how many tasks the workers run at once, after each has shown that it can."""
    n_threads = sum(client.nthreads().values())
    if not n_threads:
        raise EngineError(
            f"A scheduler needs workers, but that at {address} has none; start some "
            "(dask worker) in the folder of Exolens."
        )
    try:
        seen = client.run(_load, preload, str(folder), on_error="return")
    except Exception as error:
        raise EngineError(_cannot_import(address, error)) from error
    for worker, found in seen.items():
        if isinstance(found, Exception):
            raise EngineError(_cannot_import(worker, found)) from found
        if not found:
            raise EngineError(
                f"Every worker sees the cache, but {worker} has no folder {folder}; put the cache "
                "on a disk that all machines share."
            )
    return n_threads


def _cannot_import(worker: str, error: Exception) -> str:
    return (
        f"Every worker loads Exolens, but at {worker} that failed ({error}); start workers in the "
        "folder of Exolens, with its Python."
    )


def _load(module: str, folder: str) -> bool:
    importlib.import_module(module)
    return Path(folder).is_dir()
