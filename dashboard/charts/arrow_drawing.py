"""The arrow: how files become a verdict on a network, stage by stage."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.charts.frame import AnyChart, finish, wide_or
from dashboard.theme import LIGHT, Palette

STAGES = (
    ("Files", "VCF or BCF", "and phenotypes"),
    ("Cohort", "samples, variants,", "counts, genotypes"),
    ("Quality", "thresholds,", "funnel"),
    ("Association", "tests, Manhattan,", "Q–Q"),
    ("Split", "training, validation,", "test people"),
    ("Selection", "variants ranked on", "training people"),
    ("Network", "encoded genotypes,", "learning curves"),
    ("Evaluation", "test people, once;", "baselines beside"),
)
LEARNS = ("Selection", "Network")  # what sees training people alone
HEIGHT = 340  # pixels: two rows of four stages, or four rows of two on a telephone
COLUMNS = "(width > 640 ? 4 : 2)"
ARROW = 30  # pixels between two stages, where the arrow stands
CELL = f"((width + {ARROW}) / {COLUMNS})"
ROW = f"({HEIGHT + ARROW} * {COLUMNS} / 8)"


def arrow_drawing(*, palette: Palette = LIGHT) -> AnyChart:
    """Return the eight stages, winding down the page, with arrows between them.

    What learns from training people alone wears the colour of the honest protocol.
    """
    rows = pd.DataFrame(STAGES, columns=["stage", "first", "second"])
    rows["place"] = rows.index
    rows["line"] = [
        palette.honest if stage in LEARNS else palette.chromosome_other for stage in rows.stage
    ]
    base = (
        alt.Chart(rows)
        .transform_calculate(row=f"floor(datum.place / {COLUMNS})")
        .transform_calculate(along=f"datum.place - datum.row * {COLUMNS}")
        .transform_calculate(
            # Every second row runs from right to left, so that each stage neighbours the next.
            column=f"datum.row % 2 == 0 ? datum.along : {COLUMNS} - 1 - datum.along",
            turns=f"datum.along == {COLUMNS} - 1",
        )
        .transform_calculate(
            left=f"datum.column * {CELL}",
            right=f"(datum.column + 1) * {CELL} - {ARROW}",
            top=f"datum.row * {ROW}",
            bottom=f"(datum.row + 1) * {ROW} - {ARROW}",
        )
        .transform_calculate(
            x="(datum.left + datum.right) / 2",
            y="(datum.top + datum.bottom) / 2",
            heading="datum.turns ? 180 : datum.row % 2 == 0 ? 90 : 270",
            arrow_x=f"datum.turns ? (datum.left + datum.right) / 2"
            f" : (datum.column + (datum.row % 2 == 0 ? 1 : 0)) * {CELL}"
            f" - {ARROW / 2}",
            arrow_y=f"datum.turns ? (datum.row + 1) * {ROW} - {ARROW / 2}"
            " : (datum.top + datum.bottom) / 2",
        )
    )
    boxes = base.mark_rect(fill=palette.surface, strokeWidth=2, cornerRadius=8).encode(
        x=_at("left"),
        x2=alt.X2("right:Q"),
        y=_down("top"),
        y2=alt.Y2("bottom:Q"),
        stroke=alt.Stroke("line:N", scale=None),
    )
    arrows = (
        base.transform_filter(f"datum.place < {len(rows) - 1}")
        .mark_point(
            shape="triangle-up", filled=True, size=170, opacity=1, color=palette.chromosome_other
        )
        .encode(x=_at("arrow_x"), y=_down("arrow_y"), angle=alt.Angle("heading:Q", scale=None))
    )
    words = [
        base.mark_text(
            align="center",
            baseline="middle",
            dy=wide_or(*shift),
            fontSize=wide_or(*size),
            fontWeight=weight,
            color=palette.ink if part == "stage" else palette.muted,
        ).encode(x=_at("x"), y=_down("y"), text=f"{part}:N")
        for part, shift, size, weight in (
            ("stage", (-26, -14), (20, 14), 600),
            ("first", (6, 3), (16, 11.5), 400),
            ("second", (29, 17), (16, 11.5), 400),
        )
    ]
    return finish(
        alt.layer(boxes, arrows, *words),
        palette,
        title="From files to a verdict",
        subtitle="Green: learns from training people alone",
        description="Eight stages in order: "
        + "; ".join(f"{stage}: {first} {second}" for stage, first, second in STAGES)
        + ".",
        height=HEIGHT,
    )


def _at(column: str) -> alt.X:
    return alt.X(f"{column}:Q", scale=None, axis=None)


def _down(column: str) -> alt.Y:
    return alt.Y(f"{column}:Q", scale=None, axis=None)
