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
NAMES = 118  # pixels of the names in the list
LETTER = 6.7  # pixels a letter of a name, where names are long
DRAWING = 230  # pixels of the drawing, words apart
LINE = 17  # pixels a line of small words

# A network of more layers is drawn by what computes: the layers that only tend its output are
# named in small words below it.
MOST = 24
TENDS = {
    "batch_norm": "batch norm",
    "max_pool": "max pool",
    "channel_attention": "channel attention",
    "spatial_attention": "spatial attention",
    "dropout": "dropout",
    "channel_dropout": "channel dropout",
    "block_dropout": "DropBlock",
}
KINDS = {
    "channel_attention": "Attention over channels (squeeze and excitation)",
    "spatial_attention": "Attention over places (CBAM)",
    "channel_dropout": "Dropout of whole channels (spatial dropout)",
    "block_dropout": "Dropout of blocks (DropBlock)",
}


def network_drawing(layers: Sequence[Mapping[str, Any]], *, palette: Palette = LIGHT) -> AnyChart:
    """Return a block a layer, from the input to the output.

    A layer has name, kind (those of `pipeline.outline`), shape (without the batch: map sizes, then
    channels) and n_parameters. A block is as high as it has channels or units, as wide as its map,
    both on a logarithmic scale. In a network of more than `MOST` layers, pooling, normalisation,
    attention and dropout share the block of the layer that they follow.
    """
    if len(layers) > MOST:
        layers = _folded(layers)
    rows = _rows(layers, palette)
    n = len(rows)
    longest = LETTER * rows.name.str.len().max()
    names = max(NAMES, longest + 8)
    n_lines = int(rows.n_then.max())
    row = ROW + (LINE if n_lines else 0)
    foot = DRAWING + 78
    height = max(foot + LINE * n_lines, row * n)
    wide = f"width > {max(SLOT, longest + 6) * n}"
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
            left=f"{wide} ? datum.middle - datum.half : {names}",
            right=f"{wide} ? datum.middle + datum.half "
            f": {names} + max(4, datum.tall * (width - {names + 160}))",
            top=f"{wide} ? datum.axis - datum.height / 2 : datum.place * {row} + 6",
            bottom=f"{wide} ? datum.axis + datum.height / 2 : datum.place * {row} + {ROW - 6}",
            name_x=f"{wide} ? datum.middle : 0",
            name_y=f"{wide} ? {DRAWING + 16} : datum.place * {row} + {ROW / 2}",
            shape_x=f"{wide} ? datum.middle : width - 62",
            shape_y=f"{wide} ? {DRAWING + 38} : datum.place * {row} + {ROW / 2}",
            count_x=f"{wide} ? datum.middle : width",
            count_y=f"{wide} ? {DRAWING + 60} : datum.place * {row} + {ROW / 2}",
            then_x=f"{wide} ? datum.middle : 0",
            then_y=f"{wide} ? {foot} : datum.place * {row} + {ROW + 3}",
            then_text=f"{wide} ? datum.then_lines : datum.then",
        )
    )
    tips = tooltip(
        name=("Layer", ""),
        kind=("Kind", ""),
        shape=("Shape", ""),
        n_parameters=("Parameters", COUNT),
    )
    if n_lines:
        tips.append(alt.Tooltip("then:N", title="Then"))
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
    small = base.mark_text(
        baseline="middle",
        align=pixels(f"{wide} ? 'center' : 'left'"),
        color=palette.muted,
        fontSize=12,
        lineBreak="\n",
        lineHeight=LINE,
    ).encode(x=_at("then_x"), y=_down("then_y"), text=alt.Text("then_text:N"))
    total = int(rows.n_parameters.sum())
    return finish(
        alt.layer(
            line,
            blocks,
            words["name"].encode(text=alt.Text("name:N")),
            words["shape"].encode(text=alt.Text("shape:N")),
            words["count"].encode(text=alt.Text("count:N")),
            *([small] if n_lines else []),
        ),
        palette,
        title="The network",
        subtitle=f"{total:,} parameters; size: channels or units",
        description="; ".join(
            f"{layer.name}, shape {layer.shape}, {layer.n_parameters:,} parameters"
            + (f", then {layer.then.lower()}" if layer.then else "")
            for layer in rows.itertuples(index=False)
        )
        + ".",
        height=height,
    )


def _at(column: str) -> alt.X:
    return alt.X(f"{column}:Q", scale=None, axis=None)


def _down(column: str) -> alt.Y:
    return alt.Y(f"{column}:Q", scale=None, axis=None)


def _folded(layers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the layers that compute, each with what tends it: shape after it, all parameters."""
    folded: list[dict[str, Any]] = []
    for layer in layers:
        if layer["kind"] not in TENDS or not folded:
            folded.append({**layer, "then": []})
            continue
        last = folded[-1]
        last["then"].append(TENDS[layer["kind"]])
        last["shape"] = layer["shape"]
        last["n_parameters"] += layer["n_parameters"]
    return folded


def _rows(layers: Sequence[Mapping[str, Any]], palette: Palette) -> pd.DataFrame:
    learns = {
        "convolution": 0.35,
        "channel_attention": 0.6,
        "spatial_attention": 0.6,
        "dense": 0.0,
        "output": 0.0,
    }
    rows = []
    for place, layer in enumerate(layers):
        *sizes, units = layer["shape"] or (1,)
        spatial = math.prod(sizes) ** (1 / len(sizes)) if sizes else 1
        colour = palette.bar if layer["kind"] in learns else palette.removed
        n_parameters = int(layer["n_parameters"])
        then = layer.get("then", [])
        rows.append(
            {
                "place": place,
                "name": layer["name"],
                "kind": KINDS.get(layer["kind"], layer["kind"].replace("_", " ").capitalize()),
                "shape": " × ".join(f"{size:,}" for size in layer["shape"]),
                "n_parameters": n_parameters,
                "count": short_count(n_parameters) if n_parameters else "",
                "then": _sentence(", ".join(then)),
                "then_lines": "\n".join(map(_sentence, then)),
                "n_then": len(then),
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


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def layer_name(name: str) -> str:
    """Return a layer's name as people read it: `max_pool_1` is Max pool 1."""
    return name.replace("dense_batch_norm", "dense norm").replace("_", " ").capitalize()


def short_count(n: int) -> str:
    """Return a number in few characters: 812, 18.5k, 74.1M."""
    for size, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if n >= size:
            return f"{n / size:.3g}{letter}"
    return str(n)
