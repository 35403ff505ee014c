"""Who is served next where many look at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

# At 1.8 million variants a page holds some 100 MB while it is made. Twenty made at once would hold
# 2 GB and be ready no sooner: Python works on one at a time.
AT_ONCE = 2
PATIENCE_S = 10.0  # after which a page is made beside those that take long, such as a first count

alone = threading.Lock()  # for what takes most of that memory, within a page

_places = threading.BoundedSemaphore(AT_ONCE)
_mine = threading.local()  # `has_place`: whether this thread holds one


@contextmanager
def taken() -> Iterator[None]:
    """Wait until one of the few places is free, or long enough, and hold it."""
    _mine.has_place = _places.acquire(timeout=PATIENCE_S)
    try:
        yield
    finally:
        _give_back()


@contextmanager
def lent() -> Iterator[None]:
    """Let others have the place of this page during work that takes long."""
    if not _give_back():
        yield
        return
    try:
        yield
    finally:
        _mine.has_place = _places.acquire(timeout=PATIENCE_S)


def _give_back() -> bool:
    """Give up the place of this thread, and say whether it had one."""
    had = getattr(_mine, "has_place", False)
    _mine.has_place = False
    if had:
        _places.release()
    return had
