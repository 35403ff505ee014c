"""Reading ahead in a thread: a source that releases the GIL is read while its items are used."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

_DEPTH = 24  # parcels that wait at most
_SWITCH_S = 0.0005  # a reader waits this long for the GIL after each item, 5 ms unless told


@contextmanager
def read_ahead(items: Iterator[T], parcel: int) -> Iterator[Iterator[T]]:
    """Give `items` in order, read from now on in a thread, `parcel` of them handed over at once.

    What reading raises is raised where the items are used. Leaving the block stops the thread.
    """
    ready: queue.Queue[tuple[list[T], BaseException | None] | None] = queue.Queue(_DEPTH)
    stopped = threading.Event()

    def hand_over(parcel_or_end: tuple[list[T], BaseException | None] | None) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                ready.put(parcel_or_end, timeout=0.1)
                return

    def read() -> None:
        while not stopped.is_set():
            taken: list[T] = []
            try:
                taken.extend(islice(items, parcel))
            except BaseException as error:  # noqa: BLE001 - raised again by whoever uses the items
                hand_over((taken, error))
                return
            if not taken:
                hand_over(None)
                return
            hand_over((taken, None))

    def given() -> Iterator[T]:
        while (found := ready.get()) is not None:
            taken, error = found
            yield from taken
            if error:
                raise error

    thread = threading.Thread(target=read, daemon=True)
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    thread.start()
    try:
        yield given()
    finally:
        stopped.set()
        thread.join()
        sys.setswitchinterval(usual)
