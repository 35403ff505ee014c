"""The figures of a story: what `pipeline.story` tells, drawn by the charts of the pages.

No Streamlit here: the report is drawn by a process of its own.
"""

from __future__ import annotations

from dashboard.figures.drawn import beside, figure
from dashboard.figures.slides import slide_figures

__all__ = ["beside", "figure", "slide_figures"]
