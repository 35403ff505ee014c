"""The command line: `python -m pipeline VERB`; one verb a stage."""

from __future__ import annotations

import sys

from pipeline.cli import main

if __name__ == "__main__":
    sys.exit(main())
