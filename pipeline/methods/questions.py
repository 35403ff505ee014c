"""A question of a checklist with its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Answer = Literal["yes", "no", "not known", "for the authors"]
Severity = Literal["ok", "attention", "problem", "open"]


@dataclass(frozen=True)
class Question:
    """One question: where it stands, what was answered, and what tells so.

    `item` is `Leak 1` and so on, or the number of TRIPOD+AI. `severity` is that of the answer:
    `open` where only authors can answer.
    """

    item: str
    question: str
    answer: Answer
    evidence: str
    severity: Severity

    def as_dict(self) -> dict[str, Any]:
        """Return the question as `methods --json` prints it."""
        return {
            "item": self.item,
            "question": self.question,
            "answer": self.answer,
            "evidence": self.evidence,
            "severity": self.severity,
        }


def for_authors(item: str, question: str) -> Question:
    """Return a question that no software can answer, with room for those who can."""
    return Question(item, question, "for the authors", "", "open")
