"""The command line: what is asked, done by a stage, printed for people or as one JSON value.

Exit status: 0 done; 1 a problem that the user can mend, in one sentence on stderr; 2 wrong usage;
130 stopped by the user.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.cli import (
    attribution_verbs,
    audit_verbs,
    cohort_verbs,
    compare_verbs,
    export_verbs,
    gene_verbs,
    keeping_verbs,
    methods_verbs,
    predict_verbs,
    report_verbs,
    reproduce_verbs,
    run_verbs,
    structure_verbs,
    sweep_verbs,
)
from pipeline.errors import Cancelled, PipelineError
from pipeline.files import cache_dir, refusal
from pipeline.jobs import asked_by
from pipeline.keeping.activity import login_name

_VERBS = (
    *cohort_verbs.VERBS, *structure_verbs.VERBS, *gene_verbs.VERBS, *export_verbs.VERBS,
    *run_verbs.VERBS, *reproduce_verbs.VERBS, *sweep_verbs.VERBS, *predict_verbs.VERBS,
    *audit_verbs.VERBS, *attribution_verbs.VERBS, *methods_verbs.VERBS,
    *compare_verbs.VERBS, *report_verbs.VERBS, *keeping_verbs.VERBS,
)  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs."""
    made = argparse.ArgumentParser(
        prog="python -m pipeline",
        description="Exolens: from a VCF and a phenotype table to a network that can be trusted.",
    )
    verbs = made.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in _VERBS:
        sub = verbs.add_parser(verb.name, help=verb.help, description=verb.help)
        sub.add_argument(
            "--cache", type=Path, help="folder of cohorts and runs (default: EXOLENS_CACHE, cache/)"
        )
        sub.add_argument("--json", action="store_true", help="print one JSON value on stdout")
        verb.arguments(sub)
        sub.set_defaults(run=verb.run)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments ask and return the exit status."""
    # What TensorFlow says of the machine is nothing that the user asked for.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    asked = parser().parse_args(arguments)
    asked.cache = cache_dir(asked.cache)
    asked_by(login_name())
    try:
        asked.run(asked)
    except PipelineError as problem:
        print(problem, file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read our output has seen enough, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as problem:
        if problem.errno is None or (problem.filename is None and problem.strerror is None):
            raise
        print(refusal(problem), file=sys.stderr)
        return 1
    except (Cancelled, KeyboardInterrupt):
        print("Stopped; nothing was left behind.", file=sys.stderr)
        return 130
    return 0
