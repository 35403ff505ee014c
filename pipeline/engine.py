"""Which machines do parallel work: processes here, or the workers of a Dask scheduler.

An engine is `local`, or the address of a scheduler that runs already (`tcp://host:8786`). Work is
written against `concurrent.futures.Executor` and is the same on both; tasks find their files by
path, so that all machines of a cluster share the disk with the data and the cache.
"""

from __future__ import annotations

import importlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import processes
from pipeline.errors import EngineError

if TYPE_CHECKING:
    from distributed import Client

LOCAL = "local"
_CONNECT_S = 10
_GLANCE_S = 2
_POLL_S = 0.05
_RESULT_S = 60.0
_LOOK_FOR_WORKERS_S = 5.0
_GONE_S = 60.0  # a batch system starts a worker anew, but not at once
_LOST = (
    "A cluster needs workers until the work is done, but they, or their scheduler, have gone; "
    "start them (dask worker) and ask again."
)


@dataclass(frozen=True)
class ClusterWorker:
    """A worker of a cluster: bytes of memory in use and allowed (0: no limit), tasks at hand."""

    name: str
    host: str
    n_threads: int
    n_gpus: float
    n_tasks: int
    bytes_memory: int
    bytes_limit: int


@dataclass(frozen=True)
class Cluster:
    """A scheduler and its workers, as they say that they are; `page` is Dask's own."""

    address: str
    page: str
    workers: tuple[ClusterWorker, ...]


def engine_address(asked: str | None = None) -> str:
    """Return the engine asked for, else that of EXOLENS_ENGINE, else `local`."""
    return asked or os.environ.get("EXOLENS_ENGINE") or LOCAL


@contextmanager
def executor(
    workers: int | None,
    preload: str,
    folder: Path,
    engine: str | None = None,
    *,
    trains: bool = False,
) -> Iterator[tuple[Executor, int]]:
    """Give an executor and the number of tasks it runs at once.

    `workers` counts processes here, by default one a core; a cluster has what it has. `preload` is
    the module that the work needs, `folder` one that every machine has to see. Work that `trains`
    goes to the workers that name a GPU (`--resources GPU=1`), one task a GPU, where any does.
    Raises `EngineError` when a scheduler or its workers cannot be used.
    """
    address = engine_address(engine)
    if address == LOCAL:
        n_workers = workers or processes.default_workers()
        with processes.executor(n_workers, preload) as pool:
            yield pool, n_workers
        return
    folder.mkdir(parents=True, exist_ok=True)
    with _connected(address) as client:
        n_threads = _n_threads(client, address, preload, folder)
        n_gpus = int(sum(worker.n_gpus for worker in _workers(client))) if trains else 0
        yield OnCluster(client, {"GPU": 1.0} if n_gpus else None), n_gpus or n_threads


class OnCluster(Executor):
    """Runs calls on Dask workers; what a lost worker had begun is run again on another.

    Dask's own executor waits for ever on a result whose way here broke once (distributed 2026.7,
    `cfexecutor._cascade_future` ends without telling its future). Here one thread looks at what has
    ended and asks for a result again until it comes, or until no worker is left.
    """

    def __init__(self, client: Client, resources: dict[str, float] | None = None):
        self._client = client
        self._resources = resources
        self._open: dict[Any, Future] = {}
        self._lock = threading.Lock()
        self._collector: threading.Thread | None = None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Return the future result of `fn(*args, **kwargs)`."""
        task = self._client.submit(
            partial(fn, **kwargs), *args, pure=False, resources=self._resources
        )
        future: Future = Future()
        with self._lock:
            self._open[task] = future
            if self._collector is None:
                self._collector = threading.Thread(target=self._collect, daemon=True)
                self._collector.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for what was submitted; with `cancel_futures` drop it, though what runs runs on."""
        with self._lock:
            dropped = dict(self._open) if cancel_futures else {}
            for task in dropped:
                del self._open[task]
            collector = self._collector
        if dropped:
            self._client.cancel(list(dropped))
        for future in dropped.values():
            future.cancel()
            future.set_running_or_notify_cancel()  # wakes who waits
        if wait and collector is not None:
            collector.join()

    def _collect(self) -> None:
        """Hand over results until none is open."""
        seen_at = asked_at = time.monotonic()
        while True:
            with self._lock:
                tasks = list(self._open)
                if not tasks:
                    self._collector = None
                    return
            for task in tasks:
                if task.status != "pending":
                    self._hand_over(task)
            moment = time.monotonic()
            if moment - asked_at > _LOOK_FOR_WORKERS_S:
                asked_at = moment
                if self._has_workers():
                    seen_at = moment
                elif moment - seen_at > _GONE_S:
                    self._give_up()
            time.sleep(_POLL_S)

    def _hand_over(self, task: Any) -> None:
        """Give the result or the error of a task that has ended; next time, if it got lost."""
        error: BaseException | None = None
        result = None
        if task.status == "error":
            error = task.exception()
        elif task.status == "cancelled":
            error = EngineError(_LOST)
        else:
            try:
                result = task.result(timeout=_RESULT_S)
            except Exception as problem:  # noqa: BLE001 - the task's own, or that of the way here
                if task.status != "error":
                    return
                error = problem
        with self._lock:
            future = self._open.pop(task, None)
        if future is None:
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def _has_workers(self) -> bool:
        try:
            return bool(self._client.nthreads())
        except OSError:  # TimeoutError is one
            return False

    def _give_up(self) -> None:
        with self._lock:
            left, self._open = self._open, {}
        for future in left.values():
            future.set_exception(EngineError(_LOST))


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


class Watched:
    """A cluster that is looked at now and then over one connection."""

    def __init__(self, address: str):
        self._address = address
        self._client: Client | None = None

    def look(self) -> Cluster:
        """Return the cluster as it is now; raises `EngineError` where no scheduler answers."""
        if self._client is None or self._client.status != "running":
            try:
                self._client = connect(self._address, _GLANCE_S)
            except (OSError, ValueError) as error:
                raise EngineError(_unanswered(self._address)) from error
        return cluster_of(self._client)


def cluster_of(client: Client) -> Cluster:
    """Return the scheduler and the workers that a client of it knows."""
    address = client.scheduler_info()["address"]
    return Cluster(address, client.dashboard_link, _workers(client))


def _workers(client: Client) -> tuple[ClusterWorker, ...]:
    told = client.scheduler_info(n_workers=-1)["workers"]
    return tuple(
        ClusterWorker(
            name=str(one.get("name", address)),
            host=one.get("host", ""),
            n_threads=one.get("nthreads", 0),
            n_gpus=float(one.get("resources", {}).get("GPU", 0)),
            n_tasks=int(sum(one.get("metrics", {}).get("task_counts", {}).values())),
            bytes_memory=int(one.get("metrics", {}).get("memory", 0)),
            bytes_limit=int(one.get("memory_limit") or 0),
        )
        for address, one in told.items()
    )


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    # Dask tells of lost workers at length; what matters reaches the user as one sentence.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = connect(address, _CONNECT_S)
    except (OSError, ValueError) as error:
        raise EngineError(_unanswered(address)) from error
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


def _unanswered(address: str) -> str:
    return (
        f"EXOLENS_ENGINE is 'local' or the address of a Dask scheduler, but none answered at "
        f"{address}; start it (dask scheduler) or correct the address."
    )


def _cannot_import(worker: str, error: Exception) -> str:
    return (
        f"Every worker loads Exolens, but at {worker} that failed ({error}); start workers in the "
        "folder of Exolens, with its Python."
    )


def _load(module: str, folder: str) -> bool:
    importlib.import_module(module)
    return Path(folder).is_dir()
