"""How much memory this process has needed at most since a moment.

A worker does one run after the other. Where the system lets it (Linux), its high-water mark is set
back when a run begins; elsewhere the mark is that of all that the process did.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

_SET_BACK = "5"  # proc(5): "reset the peak resident set size to the process's current value"

Whose = Literal["run", "worker", "lead"]

WORDS: dict[Whose, str] = {
    "run": "of the worker during this run",
    "worker": "of the worker since it started, so perhaps of an earlier run",
    "lead": "of the worker that led the run; its folds ran on a cluster",
}


def forget_peak() -> bool:
    """Set the high-water mark back to what is in use now; False where the system does not."""
    try:
        Path("/proc/self/clear_refs").write_text(_SET_BACK)
    except OSError:
        return False
    return _high_water() is not None


def peak_memory(was_forgotten: bool, is_spread: bool = False) -> dict[str, Any] | None:
    """Return {peak_bytes, of}: the most this process held in memory, and during what.

    `was_forgotten` is what `forget_peak` said when the run began; `is_spread` when other machines
    did the folds. None where the system does not tell.
    """
    n_bytes = (_high_water() if was_forgotten else None) or _ever()
    if n_bytes is None:
        return None
    of: Whose = "lead" if is_spread else "run" if was_forgotten else "worker"
    return {"peak_bytes": n_bytes, "of": of}


def _high_water() -> int | None:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    kilobytes = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(kilobytes[0]) * 1024 if kilobytes else None


def _ever() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most) if sys.platform == "darwin" else int(most) * 1024
