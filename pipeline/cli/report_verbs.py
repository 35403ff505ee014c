"""The verb that makes the report of a run: report."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.cli.options import existing_parent
from pipeline.cli.output import Verb, emit, reporter


def _report_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("run_id", metavar="RUN", help="id of a run")
    sub.add_argument(
        "--out", type=Path, required=True, metavar="FILE",
        help="where to write it; it ends in .html (one file, opens offline), .pdf, or .zip "
        "(figures and tables)",
    )  # fmt: skip
    sub.add_argument("--force", action="store_true", help="overwrite what is there")


def _report(asked: argparse.Namespace) -> None:
    from pipeline import runs
    from pipeline.errors import InputError
    from pipeline.report import ending_of, made_on, write_report

    ending = ending_of(asked.out)
    out = existing_parent(asked.out)
    if out.exists() and not asked.force:
        raise InputError(
            f"A report overwrites nothing unasked, but {out} exists; name another path, or add "
            "--force."
        )
    run = runs.load(asked.cache, asked.run_id)
    made = made_on()
    write_report(run, out, reporter(), made)
    size = out.stat().st_size
    found = {"run": run.id, "kind": ending, "file": out, "bytes": size, "made": made}
    emit(asked, found, lambda: [f"{out}: {size / 1e6:.1f} MB"])


VERBS = (
    Verb(
        "report",
        "write what a run came to as one HTML file, as a PDF, or as a ZIP of figures and tables",
        _report_arguments,
        _report,
    ),
)
