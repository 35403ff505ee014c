"""The network as a row of blocks; where they lack room, as a list."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from dashboard.charts.frame import COUNT, AnyChart, finish, pixels, tooltip
from dashboard.theme import LIGHT, Palette, mix

ROW = 30  # pixels a layer in the list
SLOT = 98  # pixels that the words under a block need; with less, the layers become a list
DRAWING = 230  # pixels of the drawing, words apart


def network_drawing(layers: Sequence[Mapping[str, Any]], *, palette: Palette = LIGHT) -> AnyChart:
    """Return a block a layer, from the input to the output.

    A layer has name, kind (input, convolution, pool, norm, dropout, flatten, dense, output),
    shape (without the batch: map sizes, then channels) and n_parameters. A block is as high as it
    has channels or units, as wide as its map, both on a logarithmic scale.
    """
    rows = _rows(layers, palette)
    n = len(rows)
    height = max(DRAWING + 78, ROW * n)
    wide = f"width > {SLOT * n}"
    slot = f"(width / {n})"
    rows["height"] = rows.tall * DRAWING
    base = (
        alt.Chart(rows)
        .transform_calculate(
            middle=f"{slot} * (datum.place + 0.5)",
            half=f"max(3, datum.broad * ({slot} - 14) / 2)",
            axis=str(DRAWING / 2),
        )
        .transform_calculate(
            left=f"{wide} ? datum.middle - datum.half : 118",
            right=f"{wide} ? datum.middle + datum.half : 118 + max(4, datum.tall * (width - 278))",
            top=f"{wide} ? datum.axis - datum.height / 2 : datum.place * {ROW} + 6",
            bottom=f"{wide} ? datum.axis + datum.height / 2 : datum.place * {ROW} + {ROW - 6}",
            name_x=f"{wide} ? datum.middle : 0",
            name_y=f"{wide} ? {DRAWING + 16} : datum.place * {ROW} + {ROW / 2}",
            shape_x=f"{wide} ? datum.middle : width - 62",
            shape_y=f"{wide} ? {DRAWING + 38} : datum.place * {ROW} + {ROW / 2}",
            count_x=f"{wide} ? datum.middle : width",
            count_y=f"{wide} ? {DRAWING + 60} : datum.place * {ROW} + {ROW / 2}",
        )
    )
    tips = tooltip(
        name=("Layer", ""),
        kind=("Kind", ""),
        shape=("Shape", ""),
        n_parameters=("Parameters", COUNT),
    )
    blocks = base.mark_rect(strokeWidth=1.5, cornerRadius=2).encode(
        x=_at("left"),
        x2=alt.X2("right:Q"),
        y=_down("top"),
        y2=alt.Y2("bottom:Q"),
        fill=alt.Fill("fill:N", scale=None),
        stroke=alt.Stroke("line:N", scale=None),
        tooltip=tips,
    )
    # The line that data run along, from each block to the next; a list has no use for it.
    line = (
        base.transform_filter(f"datum.place < {n - 1}")
        .transform_calculate(
            next=f"{wide} ? datum.middle + {slot} : 0", here=f"{wide} ? datum.middle : 0"
        )
        .mark_rule(strokeWidth=1.5, color=palette.chromosome_other, y=DRAWING / 2)
        .encode(x=_at("here"), x2=alt.X2("next:Q"))
    )
    side = {"name": "left", "shape": "right", "count": "right"}
    words = {
        part: base.mark_text(
            baseline="middle",
            align=pixels(f"{wide} ? 'center' : '{side[part]}'"),
            color=palette.ink if part == "name" else palette.muted,
            fontWeight=600 if part == "name" else 400,
            fontSize=13,
        ).encode(x=_at(f"{part}_x"), y=_down(f"{part}_y"))
        for part in side
    }
    total = int(rows.n_parameters.sum())
    return finish(
        alt.layer(
            line,
            blocks,
            words["name"].encode(text=alt.Text("name:N")),
            words["shape"].encode(text=alt.Text("shape:N")),
            words["count"].encode(text=alt.Text("count:N")),
        ),
        palette,
        title="The network",
        subtitle=f"{total:,} parameters; size: channels or units",
        description="; ".join(
            f"{row.name}, shape {row.shape}, {row.n_parameters:,} parameters"
            for row in rows.itertuples(index=False)
        )
        + ".",
        height=height,
    )


def _at(column: str) -> alt.X:
    return alt.X(f"{column}:Q", scale=None, axis=None)


def _down(column: str) -> alt.Y:
    return alt.Y(f"{column}:Q", scale=None, axis=None)


def _rows(layers: Sequence[Mapping[str, Any]], palette: Palette) -> pd.DataFrame:
    learns = {"convolution": 0.35, "dense": 0.0, "output": 0.0}
    rows = []
    for place, layer in enumerate(layers):
        *sizes, units = layer["shape"] or (1,)
        spatial = math.prod(sizes) ** (1 / len(sizes)) if sizes else 1
        colour = palette.bar if layer["kind"] in learns else palette.removed
        n_parameters = int(layer["n_parameters"])
        rows.append(
            {
                "place": place,
                "name": layer["name"],
                "kind": layer["kind"],
                "shape": " × ".join(f"{size:,}" for size in layer["shape"]),
                "n_parameters": n_parameters,
                "count": short_count(n_parameters) if n_parameters else "",
                "tall": math.log2(units + 1),
                "broad": math.log2(spatial + 1),
                "fill": mix(colour, palette.background, learns.get(layer["kind"], 0.0)),
                "line": palette.bar if layer["kind"] in learns else palette.chromosome_other,
            }
        )
    table = pd.DataFrame(rows)
    table["tall"] = (table.tall / table.tall.max()).clip(lower=0.04)
    table["broad"] = (table.broad / table.broad.max()).clip(lower=0.08)
    return table


def short_count(n: int) -> str:
    """Return a number in few characters: 812, 18.5k, 74.1M."""
    for size, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if n >= size:
            return f"{n / size:.3g}{letter}"
    return str(n)
