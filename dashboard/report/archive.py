"""A report as a ZIP: every figure as SVG, PDF and PNG, every table as CSV and Parquet."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import date

from dashboard.charts.saved import as_svg
from dashboard.printing import Ending, convert
from dashboard.report.content import Report
from dashboard.saved_tables import WRITTEN
from pipeline.files import plain
from pipeline.methods.checklist import report_markdown
from pipeline.progress import OnProgress, Progress

_KINDS: tuple[Ending, ...] = ("svg", "pdf", "png")


def archive(report: Report, on_progress: OnProgress) -> bytes:
    """Return the ZIP; its files bear the date of the report, so that it is the same each time."""
    files: dict[str, bytes] = {"README.txt": _readme(report).encode()}
    for number, figure in enumerate(report.figures, 1):
        share = (number - 1) / len(report.figures)
        on_progress(Progress("drawing figures", 0.6 + 0.4 * share, figure.title))
        svg = as_svg(figure.chart, figure.caption)
        for kind in _KINDS:
            files[f"figures/{number:02}-{figure.name}.{kind}"] = convert(svg, kind)
    tables = [one for one in report.chapters if one.table is not None]
    for number, chapter in enumerate(tables, 1):
        for kind, (_, written) in WRITTEN.items():
            files[f"tables/{number:02}-{chapter.name}.{kind}"] = written(chapter.table)
    markdown = report_markdown(report.run, report.methods, report.answered)
    files["methods.md"] = markdown.encode()
    files["run.json"] = (json.dumps(plain(_run(report)), indent=1) + "\n").encode()
    return _zipped(files, report.made)


def _run(report: Report) -> dict[str, object]:
    run = report.run
    return {
        "run": run.id,
        "cohort": run.cohort,
        "fingerprint": run.fingerprint,
        "preset": run.preset,
        "seed": run.seed,
        "state": run.state,
        "created": run.created,
        "finished": run.finished,
        "selected": run.selected,
        "epochs": run.epochs,
        "settings": run.settings,
        "versions": run.versions,
        "headline": report.story.headline,
        "title": report.notes.title,
        "note": report.notes.note,
        "tags": list(report.notes.tags),
    }


def _readme(report: Report) -> str:
    lines = [report.title, "", report.story.headline, "", f"Made by Exolens on {report.made}.", ""]
    lines += ["run.json     settings, versions and notes of the run",
              "methods.md   Methods section and checklist", ""]  # fmt: skip
    for number, figure in enumerate(report.figures, 1):
        lines += [f"figures/{number:02}-{figure.name}", f"  {figure.title}. {figure.description}",
                  *(f"  {line}" for line in figure.caption.splitlines())]  # fmt: skip
    tables = [one for one in report.chapters if one.table is not None]
    for number, chapter in enumerate(tables, 1):
        lines += [
            f"tables/{number:02}-{chapter.name}",
            f"  {chapter.title}",
            f"  {chapter.caption}",
        ]
    lines += [
        "",
        "Figures and tables hold counts and sums over people, nothing of a single person.",
    ]
    return "\n".join(lines) + "\n"


def _zipped(files: dict[str, bytes], made: str) -> bytes:
    day = date.fromisoformat(made)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, contents in files.items():
            # A ZIP knows no year before 1980.
            entry = zipfile.ZipInfo(name, (max(day.year, 1980), day.month, day.day, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, contents)
    return out.getvalue()
