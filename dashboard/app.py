"""The dashboard's front door: `python -m streamlit run dashboard/app.py`."""

from __future__ import annotations

import sys
from pathlib import Path

# `streamlit run` starts the path at this folder; the pipeline lies beside it.
ROOT = str(Path(__file__).resolve().parents[1])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

from dashboard import frame  # noqa: E402

frame.show()
