"""The verb that writes what a paper has to say of a run: methods."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.cli.options import existing_parent
from pipeline.cli.output import Verb, emit, reporter


def _methods_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("run_id", metavar="RUN", help="id of a run")
    sub.add_argument("--out", type=Path, metavar="FILE.md", help="write it into a Markdown file")
    sub.add_argument("--force", action="store_true", help="overwrite what is there")


def _methods(asked: argparse.Namespace) -> None:
    from pipeline import runs
    from pipeline.errors import InputError
    from pipeline.files import write_text
    from pipeline.methods.checklist import checklist, report_markdown
    from pipeline.methods.facts import gather
    from pipeline.methods.text import methods_text, require_metrics

    out = existing_parent(asked.out) if asked.out else None
    if out and out.exists() and not asked.force:
        raise InputError(
            f"A methods text overwrites nothing unasked, but {out} exists; name another path, or "
            "add --force."
        )
    run = runs.load(asked.cache, asked.run_id)
    metrics = require_metrics(run)
    facts = gather(run, metrics, reporter())
    methods, answered = methods_text(run, metrics, facts), checklist(run, metrics, facts)
    found = {
        "run": run.id,
        "cohort": run.cohort,
        "methods": methods.as_dict(),
        "checklist": answered.as_list(),
        "file": out,
    }
    markdown = report_markdown(run, methods, answered)
    if out:
        write_text(out, markdown)
    emit(asked, found, lambda: [str(out)] if out else [markdown.rstrip()])


VERBS = (
    Verb(
        "methods",
        "write the Methods section of a run and a checklist with its answers, leaks first",
        _methods_arguments,
        _methods,
    ),
)
