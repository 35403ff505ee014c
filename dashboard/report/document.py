"""A report as a PDF: the same words, the figures as vectors, page numbers, the run in the footer.

Typst composes it with the fonts that it brings. What people wrote reaches it as data, never as
code.
"""

from __future__ import annotations

import json
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import typst

from dashboard.charts.saved import as_svg
from dashboard.printing import convert
from dashboard.report.content import Chapter, Report
from dashboard.report.page import cell
from dashboard.theme import LIGHT
from pipeline.files import plain
from pipeline.methods.checklist import MARKS
from pipeline.progress import OnProgress, Progress

_TEMPLATE = Path(__file__).with_name("document.typ")
MOST_ROWS = 60  # of a table in print; the ZIP has all


def document(report: Report, on_progress: OnProgress) -> bytes:
    """Return the report as a PDF that bears its date and nothing else of when it was made."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for number, figure in enumerate(report.figures):
            share = number / max(1, len(report.figures))
            on_progress(Progress("drawing figures", 0.6 + 0.3 * share, figure.title))
            (place / f"{figure.name}.pdf").write_bytes(convert(as_svg(figure.chart, ""), "pdf"))
        on_progress(Progress("composing", 0.9))
        (place / "data.json").write_text(json.dumps(plain(_data(report))), encoding="utf-8")
        (place / "document.typ").write_bytes(_TEMPLATE.read_bytes())
        return typst.compile(
            place / "document.typ", root=place, ignore_system_fonts=True, format="pdf",
            timestamp=0, package_path=place, package_cache_path=place,
        )  # fmt: skip


def _data(report: Report) -> dict[str, Any]:
    day = date.fromisoformat(report.made)
    return {
        "title": report.title,
        "headline": report.story.headline,
        "run": report.run.id,
        "made": {"year": day.year, "month": day.month, "day": day.day, "text": report.made},
        "colours": {"muted": LIGHT.muted, "ink": LIGHT.ink, "grid": LIGHT.grid},
        "chapters": [_chapter(one) for one in report.chapters],
        "methods": [list(one) for one in report.methods.paragraphs],
        "references": list(report.methods.references),
        "checklist": {
            "sentence": report.answered.sentence(),
            "parts": [
                ["Could something have leaked?", _questions(report.answered.leaks)],
                ["TRIPOD+AI", _questions(report.answered.tripod)],
            ],
        },
        "facts": list(report.facts.items()),
        "note": report.notes.note,
        "tags": " · ".join(report.notes.tags),
        "settings": [
            [stage, [[one.label, one.value, one.unit, one.paper] for one in settings]]
            for stage, settings in report.settings.items()
        ],
        "versions": [[name, said or "not there"] for name, said in report.run.versions.items()],
    }


def _chapter(chapter: Chapter) -> dict[str, Any]:
    table = None
    if chapter.table is not None and not chapter.is_told_later:
        rows = chapter.table.head(MOST_ROWS)
        table = {
            "names": [str(name) for name in rows.columns],
            "rows": [[cell(value) for value in row] for row in rows.itertuples(index=False)],
            "more": len(chapter.table) - len(rows),
        }
    return {
        "title": chapter.title,
        "sentences": list(chapter.sentences),
        "caption": chapter.caption,
        "figures": [{"file": f"{one.name}.pdf", "alt": one.description} for one in chapter.figures],
        "table": table,
    }


def _questions(questions: Any) -> list[list[str]]:
    return [
        [
            one.item,
            one.question,
            "" if one.severity == "open" else f"{one.answer.capitalize()}. {one.evidence}",
            MARKS[one.severity],
        ]
        for one in questions
    ]
