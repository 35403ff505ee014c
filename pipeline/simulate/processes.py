"""A process pool that never runs the caller's main script again.

`multiprocessing` re-imports `__main__` in a spawned child, which under Streamlit is the whole app,
and a fork after TensorFlow or threads may hang. Here a child is a fresh interpreter that only
imports what its tasks need. A child ends by itself when its parent is gone.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

_ROOT = Path(__file__).resolve().parents[2]
_CHILD = "from pipeline.simulate.processes import serve; serve()"


class FreshProcesses(Executor):
    """An executor over `workers` fresh interpreters; functions and arguments must pickle.

    Leaving its `with` block by an exception kills the children at once.
    """

    def __init__(self, workers: int):
        self._threads = ThreadPoolExecutor(workers)  # each waits for one child's answer
        self._children = [_start() for _ in range(workers)]
        self._idle: queue.SimpleQueue[subprocess.Popen] = queue.SimpleQueue()
        for child in self._children:
            self._idle.put(child)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Return the future result of `fn(*args, **kwargs)` computed in a child."""
        return self._threads.submit(self._call, pickle.dumps((fn, args, kwargs)))

    def _call(self, task: bytes) -> Any:
        child = self._idle.get()
        try:
            child.stdin.write(len(task).to_bytes(8, "little") + task)
            child.stdin.flush()
            failed, result = _receive(child.stdout)
        except (EOFError, BrokenPipeError) as error:
            raise RuntimeError(f"a worker process ended with status {child.wait()}") from error
        finally:
            self._idle.put(child)
        if failed:
            raise result
        return result

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the children, after their tasks when `wait` and nothing is cancelled."""
        if cancel_futures or not wait:
            for child in self._children:
                child.kill()
        self._threads.shutdown(wait=True, cancel_futures=cancel_futures)
        for child in self._children:
            with suppress(BrokenPipeError):  # a killed child reads no more
                child.stdin.close()
            child.wait()
            child.stdout.close()

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
        answers.write(len(answer).to_bytes(8, "little") + answer)
        answers.flush()


def _start() -> subprocess.Popen:
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    # One thread a process: the processes already share the cores out.
    threads = dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"], "1")
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | threads | {"PYTHONPATH": path},
    )


def _receive(stream: BinaryIO) -> Any:
    head = stream.read(8)
    size = int.from_bytes(head, "little")
    body = stream.read(size)
    if len(head) < 8 or len(body) < size:
        raise EOFError
    return pickle.loads(body)
