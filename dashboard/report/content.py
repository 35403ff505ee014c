"""What a report of a run holds, whatever it is written as: the story, methods, settings, notes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dashboard.charts.frame import AnyChart
from dashboard.charts.saved import title_of
from dashboard.fields import value_words
from dashboard.figures import beside, figure
from pipeline.errors import StaleArtifactError
from pipeline.keeping.run_notes import Notes, read_notes
from pipeline.methods.checklist import Checklist, checklist
from pipeline.methods.facts import gather as gather_facts
from pipeline.methods.text import MethodsText, methods_text, require_metrics
from pipeline.progress import OnProgress, Progress
from pipeline.runs import Run
from pipeline.settings import describe
from pipeline.story import Story, story_of

STAGES = {
    "people": "Cases and controls",
    "samples": "Thresholds on people",
    "quality": "Quality of variants",
    "association": "Association",
    "genes": "Genes",
    "selection": "Selection of variants",
    "split": "Split of people",
    "encoding": "Encoding",
    "network": "Network",
    "training": "Training",
    "evaluation": "Evaluation",
}


@dataclass(frozen=True, eq=False)
class Figure:
    """A chart on white with what it says to those who cannot see it; `name` is unique."""

    name: str
    title: str
    chart: AnyChart
    description: str
    caption: str


@dataclass(frozen=True, eq=False)
class Chapter:
    """A part of the story with what is drawn of it; `table` has plain column names.

    `is_told_later` says that the table stands in the checklist, where it is longer.
    """

    name: str
    title: str
    sentences: tuple[str, ...]
    caption: str
    figures: tuple[Figure, ...]
    table: pd.DataFrame | None
    is_told_later: bool


@dataclass(frozen=True)
class Setting:
    """A setting of the run as people read it; `is_default` where nobody has moved it."""

    name: str
    label: str
    value: str
    unit: str
    paper: str
    is_default: bool


@dataclass(frozen=True, eq=False)
class Report:
    """All that a report of a run says; `made` is its date."""

    run: Run
    made: str
    story: Story
    chapters: tuple[Chapter, ...]
    methods: MethodsText
    answered: Checklist
    notes: Notes
    settings: dict[str, tuple[Setting, ...]]

    @property
    def title(self) -> str:
        return f"{self.story.name}, run {self.run.id[:8]} of {self.run.cohort}"

    @property
    def figures(self) -> tuple[Figure, ...]:
        return tuple(one for chapter in self.chapters for one in chapter.figures)

    @property
    def facts(self) -> dict[str, str]:
        """Return what made the run beside its settings, in words."""
        run = self.run
        return {
            "Run": run.id,
            "Cohort": f"{run.cohort} ({run.fingerprint})",
            "Preset": run.preset or "own settings",
            "Seed": str(run.seed),
            "Variants entered": f"{run.selected or 0:,}",
            "Epochs": f"{run.epochs or 0:,}",
            "Finished": (run.finished or "")[:16].replace("T", " ") + " UTC",
            "State": run.state,
        }


def gather(run: Run, made: str, on_progress: OnProgress) -> Report:
    """Return what a report of a run says, its charts in light colours; raises as `story_of`."""
    metrics = require_metrics(run)
    story = story_of(run, on_progress)
    facts = gather_facts(run, metrics)
    notes = Notes()
    with suppress(StaleArtifactError):  # broken notes cost the notes, not the report
        notes = read_notes(run.cache, run.id)
    on_progress(Progress("drawing", 0.6))
    return Report(
        run=run,
        made=made,
        story=story,
        chapters=tuple(_chapter(part) for part in story.parts),
        methods=methods_text(run, metrics, facts),
        answered=checklist(run, metrics, facts),
        notes=notes,
        settings=_settings(run),
    )


def _chapter(part: Any) -> Chapter:
    drawn = {part.name: figure(part), f"{part.name}-beside": beside(part)}
    figures = tuple(
        Figure(
            name=name,
            title=title_of(chart) or part.title,
            chart=chart,
            description=str(chart.to_dict(validate=False).get("description", "")),
            caption=f"{part.title.rstrip('.')}.\n{part.caption}",
        )
        for name, chart in drawn.items()
        if chart is not None
    )
    return Chapter(
        name=part.name,
        title=part.title,
        sentences=part.sentences,
        caption=part.caption,
        figures=figures,
        table=part.table,
        is_told_later=part.name == "caveats",
    )


def _settings(run: Run) -> dict[str, tuple[Setting, ...]]:
    """Return the settings of a run by stage, in the order in which they are declared."""
    declared = {row["setting"]: row for row in describe()}
    found: dict[str, tuple[Setting, ...]] = {}
    for stage, group in run.settings.items():
        rows = []
        for field, value in group.items():
            row = declared.get(f"{stage}.{field}")
            if row is None:  # of an earlier version
                rows.append(Setting(f"{stage}.{field}", field, value_words(value), "", "", False))
                continue
            default = row["default"]
            default = list(default) if isinstance(default, tuple) else default
            paper = "" if row["paper"] is None else value_words(row["paper"])
            rows.append(
                Setting(
                    f"{stage}.{field}", row["label"], value_words(value), row["unit"] or "",
                    paper, value == default,
                )
            )  # fmt: skip
        found[STAGES.get(stage, stage.capitalize())] = tuple(rows)
    return found
