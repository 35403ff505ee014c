"""What a reviewer asks of a run, with the run's own answers: leaks first, then TRIPOD+AI.

Answers come from the roles that the protocol gives to people, from the run's settings, and from
counts. What only authors can know is left to them, and what cannot be known is said to be unknown.

References: Collins et al. 2024, BMJ 385:e078378 (TRIPOD+AI; the questions are in our own words).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.methods.facts import RunFacts
from pipeline.methods.leak_questions import leak_questions
from pipeline.methods.questions import Question, Severity
from pipeline.methods.references import REFERENCES
from pipeline.methods.text import MethodsText
from pipeline.methods.tripod import tripod_items
from pipeline.runs import Run

# Told apart by shape and word, not by colour alone.
MARKS: dict[Severity, str] = {
    "ok": "✓ fine",
    "attention": "▲ attention",
    "problem": "✗ problem",
    "open": "○ for the authors",
}


@dataclass(frozen=True)
class Checklist:
    """The questions of a run, answered: about leaks, and the items of TRIPOD+AI."""

    leaks: tuple[Question, ...]
    tripod: tuple[Question, ...]

    @property
    def questions(self) -> tuple[Question, ...]:
        """Return all of them, leaks first."""
        return self.leaks + self.tripod

    def count(self, severity: Severity) -> int:
        """Return how many answers are of a severity."""
        return sum(one.severity == severity for one in self.questions)

    def sentence(self) -> str:
        """Return how the leaks stand in one sentence."""
        problems = [one for one in self.leaks if one.severity == "problem"]
        doubts = [one for one in self.leaks if one.severity == "attention"]
        n_asked = f"{len(self.leaks)} questions about leaks"
        if problems:
            tells = "tells" if len(problems) == 1 else "tell"
            return (
                f"{len(problems)} of {n_asked} {tells} of one: this result is not evidence about "
                "new people."
            )
        if doubts:
            asks = "asks" if len(doubts) == 1 else "ask"
            return f"No leak is seen; {len(doubts)} of {n_asked} {asks} for attention."
        return f"None of {n_asked} tells of one."

    def as_list(self) -> list[dict[str, Any]]:
        """Return what `methods --json` prints of it."""
        return [one.as_dict() for one in self.questions]

    def markdown(self) -> str:
        """Return both parts as tables, with an empty line to fill where authors answer."""
        parts = []
        for title, questions in (("Leaks", self.leaks), ("TRIPOD+AI", self.tripod)):
            rows = [_row(one) for one in questions]
            head = "| Item | Question | Answer | Evidence | Mark |\n|---|---|---|---|---|"
            parts.append("\n".join([f"### {title}", "", head, *rows]))
        return "\n\n".join([self.sentence(), *parts, f"Items after {REFERENCES['tripod']}"])


def checklist(run: Run, metrics: dict[str, Any], facts: RunFacts) -> Checklist:
    """Return the checklist of a run that has metrics."""
    return Checklist(
        tuple(leak_questions(run, metrics, facts)), tuple(tripod_items(run, metrics, facts))
    )


def report_markdown(run: Run, methods: MethodsText, answered: Checklist) -> str:
    """Return methods text and checklist as one Markdown file."""
    return (
        f"# Run {run.id} of {run.cohort}\n\n## Methods\n\n{methods.markdown()}\n\n"
        f"## Checklist\n\n{answered.markdown()}\n"
    )


def _row(one: Question) -> str:
    told = one.evidence or "________________"
    cells = (one.item, one.question, one.answer, told, MARKS[one.severity])
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
