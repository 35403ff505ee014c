"""Where parallel work runs: code is written against `concurrent.futures.Executor`.

A process pool that never runs the caller's main script again.

`multiprocessing` re-imports `__main__` in a spawned child, which under Streamlit is the whole app,
and a fork after TensorFlow or threads may hang. Here a child is a fresh interpreter that only
imports what its tasks need. A child ends by itself when its parent is gone.
"""

from __future__ import annotations

import importlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from pipeline.errors import Cancelled, PipelineError

# What TensorFlow and numba ask for how many threads they may have; neither goes by OMP_NUM_THREADS.
_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "NUMBA_NUM_THREADS")
_ROOT = Path(__file__).resolve().parents[1]
_CHILD = "from pipeline.processes import serve; serve()"


class InProcess(Executor):
    """Runs each call where it was submitted; for one worker, and for looking with a debugger."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Return the finished future of `fn(*args, **kwargs)`."""
        future: Future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - a future carries whatever was raised
            future.set_exception(error)
        return future


def default_workers() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def on_cores(n_cores: int, function: Callable[..., Any], *asked: Any) -> Any:
    """Return `function(*asked)`, with this process on so many cores from its first call on.

    For a process that does nothing else: TensorFlow counts its threads once, when it starts.
    """
    if os.environ.get(_THREADS[0]) != str(n_cores):
        import numba

        os.environ.update(dict.fromkeys(_THREADS, str(n_cores)))
        numba.config.reload_config()  # type: ignore[no-untyped-call]
    return function(*asked)


@contextmanager
def executor(workers: int, preload: str) -> Iterator[Executor]:
    """Give an executor of that many processes, this one among them; long tasks call `stop_here`.

    `preload` is the module that the work needs; it is loaded while the caller still plans.
    """
    if workers <= 1:
        yield InProcess()
        return
    with FreshProcesses(workers, this_too=True) as pool:
        for _ in range(workers):
            pool.submit(_load, preload)
        yield pool


def _load(module: str) -> None:
    importlib.import_module(module)


class _Child:
    """One fresh interpreter that answers tasks in turn."""

    def __init__(self) -> None:
        path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
        # One thread a process: the processes already share the cores out.
        threads = dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"], "1")
        # -P: nothing of the working folder shadows a module.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | threads | {"PYTHONPATH": path},
        )
        self._tasks = cast(BinaryIO, self._process.stdin)
        self._answers = cast(BinaryIO, self._process.stdout)

    def answer(self, task: bytes) -> Any:
        """Return the result of a pickled task, or raise what it raised."""
        try:
            _send(self._tasks, task)
            failed, result = _receive(self._answers)
        except (EOFError, BrokenPipeError) as error:
            status = self._process.wait()
            raise PipelineError(
                f"A process at work ended by itself (status {status}), as when memory runs out; "
                "try again with fewer workers."
            ) from error
        if failed:
            raise result
        return result

    def kill(self) -> None:
        """End now, in the middle of a task if need be."""
        self._process.kill()

    def close(self) -> None:
        """End a child that has no task any more."""
        self._process.kill()  # it holds nothing, and to leave in good order takes it 0.3 s
        self._process.wait()
        with suppress(BrokenPipeError):
            self._tasks.close()
        self._answers.close()


class _Here:
    """This process as one of the workers: what it needs is loaded already."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def answer(self, task: bytes) -> Any:
        """Return the result of a pickled task; `stop_here` ends it from inside."""
        _stopped.event = self._stopped
        try:
            fn, args, kwargs = pickle.loads(task)
            return fn(*args, **kwargs)
        finally:
            _stopped.event = None

    def kill(self) -> None:
        """Have the task at hand end at its next `stop_here`."""
        self._stopped.set()

    def close(self) -> None:
        """Do nothing: this process goes on."""


_stopped = threading.local()


def stop_here() -> None:
    """End a task that runs in a thread of a process whose work was stopped, by `Cancelled`.

    Called now and then by tasks that take long; in a process of its own a task is killed instead.
    """
    event = getattr(_stopped, "event", None)
    if event is not None and event.is_set():
        raise Cancelled


class FreshProcesses(Executor):
    """An executor over fresh interpreters; functions and arguments must pickle.

    With `this_too` one of the workers is a thread of this process, for tasks that call
    `stop_here`. Leaving its `with` block by an exception ends the work at once.
    """

    def __init__(self, workers: int, *, this_too: bool = False):
        self._threads = ThreadPoolExecutor(workers)  # each waits for one worker's answer
        children: list[_Child | _Here] = [_Child() for _ in range(workers - this_too)]
        self._children = [*children, _Here()] if this_too else children
        self._idle: queue.SimpleQueue[_Child | _Here] = queue.SimpleQueue()
        for child in self._children:
            self._idle.put(child)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Return the future result of `fn(*args, **kwargs)` computed in a child."""
        return self._threads.submit(self._call, pickle.dumps((fn, args, kwargs)))

    def _call(self, task: bytes) -> Any:
        child = self._idle.get()
        try:
            return child.answer(task)
        finally:
            self._idle.put(child)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the children, after their tasks when `wait` and nothing is cancelled."""
        if cancel_futures or not wait:
            for child in self._children:
                child.kill()
        self._threads.shutdown(wait=True, cancel_futures=cancel_futures)
        for child in self._children:
            child.close()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.shutdown(cancel_futures=kind is not None)


def serve() -> None:
    """Answer tasks from stdin until it closes; the body of a child."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a stray print must not land among the answers
    while True:
        try:
            fn, args, kwargs = _receive(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = pickle.dumps((False, fn(*args, **kwargs)))
        except Exception as error:  # noqa: BLE001 - whatever went wrong is told to the parent
            error.add_note(f"in a worker process:\n{traceback.format_exc()}")
            answer = pickle.dumps((True, error))
        _send(answers, answer)


def _send(stream: BinaryIO, message: bytes) -> None:
    stream.write(len(message).to_bytes(8, "little") + message)
    stream.flush()


def _receive(stream: BinaryIO) -> Any:
    head = stream.read(8)
    size = int.from_bytes(head, "little")
    body = stream.read(size)
    if len(head) < 8 or len(body) < size:
        raise EOFError
    return pickle.loads(body)
