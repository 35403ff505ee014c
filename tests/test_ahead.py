"""Reading ahead: order, errors where items are used, and a thread that stops."""

from __future__ import annotations

import sys
import threading
from itertools import count

import pytest

from pipeline.ahead import read_ahead


@pytest.mark.parametrize("parcel", [1, 7, 1000])
def test_items_come_in_order(parcel):
    with read_ahead(iter(range(500)), parcel) as items:
        assert list(items) == list(range(500))


def test_an_error_comes_after_the_items_before_it():
    def breaks_off():
        yield from range(5)
        raise OSError("the disk")

    with read_ahead(breaks_off(), 3) as items:
        assert [next(items) for _ in range(5)] == list(range(5))
        with pytest.raises(OSError, match="the disk"):
            next(items)


def test_leaving_stops_a_reader_that_would_never_end():
    before, interval = threading.active_count(), sys.getswitchinterval()
    with read_ahead(count(), 10) as items:
        assert next(items) == 0
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    assert sys.getswitchinterval() == interval


def test_no_more_is_read_than_can_wait():
    read = []

    def source():
        for item in count():
            read.append(item)
            yield item

    with read_ahead(source(), 2) as items:
        next(items)
        threading.Event().wait(0.3)
    assert len(read) < 100
