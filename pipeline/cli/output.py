"""How the command line talks: results on stdout, progress and warnings on stderr."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.files import plain
from pipeline.people import CaseDefinition
from pipeline.progress import OnProgress, Progress


@dataclass(frozen=True)
class Verb:
    """A verb: its name, its help, its arguments and what it does."""

    name: str
    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], None]


def emit(asked: argparse.Namespace, value: Any, lines: Callable[[], list[str]]) -> None:
    """Print one JSON value under --json, else lines for people."""
    if asked.json:
        print(json.dumps(plain(value), allow_nan=False))
    else:
        print("\n".join(lines()))


def warn(text: str) -> None:
    """Print a warning on stderr."""
    print(text, file=sys.stderr)


def warn_of_guess(definition: CaseDefinition) -> None:
    """Say which diagnoses were taken as cases when nothing but their order told so."""
    if definition.is_guess:
        warn(
            f"Taken as cases: {', '.join(definition.case)}; as controls: "
            f"{', '.join(definition.control)}, by their order alone. Name them with --case and "
            "--control."
        )


def interval(found: dict[str, float | None]) -> str:
    """Return a value and its limits in words, "none" where there is no value."""
    if found["value"] is None:
        return "none"
    low, high = found["low"], found["high"]
    limits = f" ({low:.3f}-{high:.3f})" if low is not None and high is not None else ""
    return f"{found['value']:.3f}{limits}"


def reporter() -> OnProgress:
    """Return a reporter: one moving line on a terminal, a line a phase elsewhere."""
    last_phase = ""

    def on_terminal(progress: Progress) -> None:
        left = f", {progress.remaining_s:,.0f} s left" if progress.remaining_s else ""
        detail = f" ({progress.detail})" if progress.detail else ""
        text = f"{progress.phase}: {progress.done:4.0%}{left}{detail}"
        end = "\n" if progress.done >= 1 else ""
        print(f"\r{text:<79}", end=end, file=sys.stderr, flush=True)

    def in_a_log(progress: Progress) -> None:
        nonlocal last_phase
        if progress.phase and progress.phase != last_phase:
            print(progress.phase, file=sys.stderr, flush=True)
            last_phase = progress.phase

    return on_terminal if sys.stderr.isatty() else in_a_log
