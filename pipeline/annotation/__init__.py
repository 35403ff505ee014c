"""Which genes a variant lies in or near, where in them, and what it does to their protein.

pieces (exons, UTRs, … of transcripts) -> regions; recorded or coding -> consequences
"""

from __future__ import annotations

from pipeline.annotation.joining import WINDOW, Annotated, annotate, annotate_job

__all__ = ["WINDOW", "Annotated", "annotate", "annotate_job"]
