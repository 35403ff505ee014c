"""Many pages asked for at once are made a few at a time, and none waits for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest

from dashboard import turns


def test_few_are_made_at_once() -> None:
    lock, now, most = threading.Lock(), 0, 0

    def page(_: int) -> None:
        nonlocal now, most
        with turns.taken():
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.02)
            with lock:
                now -= 1

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(page, range(12)))
    assert most == turns.AT_ONCE


def test_a_page_that_fails_leaves_its_place() -> None:
    for _ in range(turns.AT_ONCE + 1):
        with pytest.raises(ZeroDivisionError), turns.taken():
            raise ZeroDivisionError
    test_few_are_made_at_once()


@contextmanager
def slow_pages(
    during: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Iterator[list[bool]]:
    """Give the list of pages that are done, while as many as have a place are at slow work."""
    end, inside, done = threading.Event(), threading.Semaphore(0), []

    def slow(_: int) -> None:
        with turns.taken():
            with during():
                inside.release()
                end.wait(20)
            done.append(True)

    with ThreadPoolExecutor(turns.AT_ONCE) as pool:
        slow_ones = pool.map(slow, range(turns.AT_ONCE))
        for _ in range(turns.AT_ONCE):
            assert inside.acquire(timeout=30)
        yield done
        end.set()
        list(slow_ones)


def test_nobody_waits_for_long_behind_slow_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    with slow_pages() as done, monkeypatch.context() as hurried:
        hurried.setattr(turns, "PATIENCE_S", 0.05)
        with turns.taken():
            was_let_in = not done
    assert was_let_in
    test_few_are_made_at_once()  # and the places are as many as before


def test_long_work_lends_its_place() -> None:
    with slow_pages(turns.lent) as done:
        start = time.monotonic()
        test_few_are_made_at_once()  # all places are there for others
        waited = time.monotonic() - start
        assert not done
    assert waited < turns.PATIENCE_S
    assert len(done) == turns.AT_ONCE
    with turns.lent():  # where no place is held there is none to lend
        test_few_are_made_at_once()
