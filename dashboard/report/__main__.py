"""`python -m dashboard.report RUN --cache DIR --out FILE --made DATE`: what `pipeline.report` runs.

Progress goes to stdout, a marked JSON value a line; a problem that the user can mend is one
sentence on stderr and exit status 3.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from dashboard.report.archive import archive
from dashboard.report.content import gather
from dashboard.report.document import document
from dashboard.report.page import page
from pipeline import runs
from pipeline.errors import PipelineError
from pipeline.files import written_beside
from pipeline.progress import Progress
from pipeline.report import MENDABLE, PROGRESS, ending_of

_WRITTEN = {"html": page, "pdf": document, "zip": archive}


def main() -> int:
    """Write the report and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dashboard.report")
    parser.add_argument("run_id")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--made", required=True)
    asked = parser.parse_args()
    try:
        written = _WRITTEN[ending_of(asked.out)]
        report = gather(runs.load(asked.cache, asked.run_id), asked.made, _tell)
        contents = written(report, _tell)
        with written_beside(asked.out) as beside:
            beside.write_bytes(contents)
    except PipelineError as problem:
        print(problem, file=sys.stderr)
        return MENDABLE
    except OSError as problem:
        if problem.strerror is None:
            raise
        where = problem.filename or "a temporary file"  # `written_beside` names its own
        print(
            f"The report could not be written ({problem.strerror}: {where}); free space or "
            "check the rights, then try again.",
            file=sys.stderr,
        )
        return MENDABLE
    return 0


def _tell(progress: Progress) -> None:
    told = {"phase": progress.phase, "done": progress.done, "detail": progress.detail}
    print(f"{PROGRESS.decode()}{json.dumps(told)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
