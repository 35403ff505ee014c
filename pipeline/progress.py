"""Progress and stop, passed into every stage that takes time.

A stage calls `on_progress(Progress(...))`; the caller shows it, stores it, or raises `Cancelled`
from inside the call to stop the work. The default is silent, so stages never print.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One report: which phase, which share of it is done (0 to 1), seconds left where known.

    `may_end` says that the caller may raise `Enough` from here, to keep what has been reached.
    """

    phase: str
    done: float
    remaining_s: float | None = None
    detail: str = ""
    may_end: bool = False


OnProgress = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Report to nobody."""


class Clock:
    """Turns shares done into reports with the time left, at most a few times a second."""

    def __init__(self, phase: str, on_progress: OnProgress, every_s: float = 0.25):
        self.phase = phase
        self._on_progress = on_progress
        self._every_s = every_s
        self._start = time.monotonic()
        self._last = -1.0

    def with_rate(self, n: int, what: str) -> str:
        """Return `n` things in words, with how many a second since the start."""
        elapsed = time.monotonic() - self._start
        rate = f", {n / elapsed:,.0f} a second" if n and elapsed > 0.5 else ""
        return f"{n:,} {what}{rate}"

    def report(self, done: float, detail: str = "") -> None:
        """Report the share `done` of this phase (0 to 1); also where a stop takes effect."""
        now = time.monotonic()
        if done < 1 and now - self._last < self._every_s:
            return
        self._last = now
        elapsed = now - self._start
        remaining = elapsed * (1 - done) / done if done > 0.01 and elapsed > 0.5 else None
        self._on_progress(Progress(self.phase, min(1.0, done), remaining, detail))
