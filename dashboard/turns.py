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


@contextmanager
def taken() -> Iterator[None]:
    """Wait until one of the few places is free, or long enough, and hold it."""
    has_place = _places.acquire(timeout=PATIENCE_S)
    try:
        yield
    finally:
        if has_place:
            _places.release()
