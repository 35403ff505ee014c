"""A report as one HTML file that asks for nothing: scripts, styles and data are in it."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dashboard.charts.saved import screen_spec
from dashboard.report.content import Report
from dashboard.theme import LIGHT
from pipeline.errors import PipelineError
from pipeline.methods.checklist import MARKS
from pipeline.progress import OnProgress, Progress
from pipeline.report import ReportError

_FOLDER = Path(__file__).parent
MOST_BYTES = 5_000_000


def page(report: Report, on_progress: OnProgress) -> bytes:
    """Return the report as HTML, below 5 MB; raises `ReportError` for more."""
    on_progress(Progress("writing the page", 0.8))
    environment = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    libraries, start = vega(), (_FOLDER / "page.js").read_text(encoding="utf-8")
    written = environment.get_template("page.html.j2").render(
        report=report,
        specs={one.name: _inert(screen_spec(one.chart)) for one in report.figures},
        colours=vars(LIGHT),
        marks=MARKS,
        style=(_FOLDER / "page.css").read_text(encoding="utf-8"),
        libraries=libraries,
        start=start,
        policy=_policy(libraries, start),
        cell=cell,
    )
    contents = written.encode()
    if len(contents) > MOST_BYTES:
        raise ReportError(
            f"A report is at most {MOST_BYTES / 1e6:.0f} MB, but this one has "
            f"{len(contents) / 1e6:.1f} MB; make it a PDF or a ZIP."
        )
    return contents


@cache
def vega() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script that holds no end of a script."""
    bundle = vl_convert.javascript_bundle()
    if "</script" in bundle.lower() or "<!--" in bundle:
        raise PipelineError("The drawing library cannot stand in a page as it is; report this.")
    return bundle


def _policy(*scripts: str) -> str:
    """Return the content security policy: these very scripts, and nothing from anywhere."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'"
        for one in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _inert(spec: dict[str, Any]) -> str:
    """Return a chart as JSON that cannot end the script that holds it."""
    text = json.dumps(spec, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def cell(value: Any) -> str:
    """Return a cell of a table as people read it."""
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        return f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
