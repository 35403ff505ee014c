"""What is chosen, marked in a picture: a ring around a variant, a band where a gene lies.

The rows of a mark are data sets of their own, called by fixed names: when another variant is
chosen, neither the drawing nor the points below change, and the browser moves the ring alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import altair as alt
import pandas as pd

from dashboard.charts.frame import AnyChart, haloed, pixels, tooltip
from dashboard.theme import Palette

CLICKED = ("variant_id", "gene")  # what a click on a variant tells
RING = 330  # square pixels; the largest point, the lead of a region, lies within it
_LETTERS = 26  # of a label; alleles may be long
_BESIDE = 14  # pixels from a point to its label
_AT = 0.42  # of a drawing's height: where the name of a gene crosses the fewest points

_POINTS = ("x", "y", "label", "variant_id", "gene")
_SPANS = ("x", "x2", "label")


def _none(*columns: str) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=object) for name in columns})


@dataclass(frozen=True)
class Marks:
    """What a picture marks, each empty by default.

    `points` (x, y, label, variant_id, gene) get a ring and their label; `members` (the same, of
    the variants of a gene) a small square; `gene` (x, x2, label) a thin band with its name;
    `left_out` (x, x2, label) a grey band where variants are left out.
    """

    points: pd.DataFrame = field(default_factory=lambda: _none(*_POINTS))
    members: pd.DataFrame = field(default_factory=lambda: _none(*_POINTS))
    gene: pd.DataFrame = field(default_factory=lambda: _none(*_SPANS))
    left_out: pd.DataFrame = field(default_factory=lambda: _none(*_SPANS))

    def below(self, x: dict[str, Any], height: float, palette: Palette) -> list[AnyChart]:
        """Return the layers under the points; `x` has scale and axis, `height` is in pixels."""
        grey = _named("left_out").mark_rect(
            color=palette.removed, opacity=0.55, stroke=palette.removed, strokeWidth=2
        )
        band = _named("chosen_gene").mark_rect(
            color=palette.lead, opacity=0.2, stroke=palette.lead, strokeWidth=2
        )
        return [
            mark.encode(
                x=alt.X("x:Q", **x), x2=alt.X2("x2:Q"), y=alt.YValue(0), y2=alt.Y2Value(height),
                tooltip=tooltip(label=(words, "")),
            )
            for mark, words in ((grey, "Left out"), (band, "Gene"))
        ]  # fmt: skip

    def above(
        self, x: dict[str, Any], y: dict[str, Any], height: float, palette: Palette
    ) -> list[AnyChart]:
        """Return the layers over the points: squares, the name of the gene, rings, labels.

        What has a tooltip answers clicks in the selection of the points; rings have none, so that
        clicks reach what is below.
        """
        place = {"x": alt.X("x:Q", **x), "y": alt.Y("y:Q", **y)}
        squares = (
            _named("chosen_members")
            .mark_point(shape="square", filled=False, size=46, strokeWidth=1.6, opacity=1,
                        color=palette.lead)
            .encode(**place, tooltip=tooltip(variant_id=("Variant", ""), gene=("Gene", "")))
        )  # fmt: skip
        in_band = _named("chosen_gene").encode(x=alt.X("x:Q", **x), y=alt.YValue(_AT * height))
        style = {"baseline": "middle", "fontWeight": 600, "color": palette.lead}
        beside = {"align": pixels("datum.side"), "dx": pixels("datum.dx")}
        return [
            squares,
            *haloed(in_band, palette, text=alt.Text("label:N"), fontStyle="italic", fontSize=13,
                    **style, **beside),
            *rings(place, palette),
            *haloed(_named("chosen").encode(**place), palette, text=alt.Text("label:N"),
                    fontSize=13, **style, **beside),
        ]  # fmt: skip

    def without_gene_name(self) -> Marks:
        """Return the marks for a picture that names the gene elsewhere."""
        return replace(self, gene=self.gene.assign(label=""))

    def put_in(self, made: AnyChart, low_high: tuple[float, float]) -> AnyChart:
        """Return the finished picture with the rows of its marks; `low_high` are its ends in x."""
        made.datasets = {
            "chosen": _rows(self.points, low_high),
            "chosen_members": _rows(self.members, low_high),
            "chosen_gene": _rows(self.gene, low_high),
            "left_out": _rows(self.left_out, low_high),
        }
        return made


def rings(place: dict[str, Any], palette: Palette) -> list[AnyChart]:
    """Return a ring with a rim of the background, and a dot where the point may be thinned away."""
    ring = _named("chosen").encode(**place)
    open_ring = {"shape": "circle", "filled": False, "size": RING, "opacity": 1}
    return [
        ring.mark_point(**open_ring, strokeWidth=6, color=palette.background),
        ring.mark_point(**open_ring, strokeWidth=2.6, color=palette.lead),
        ring.mark_point(filled=True, size=22, opacity=1, color=palette.lead),
    ]


def point(x: float, y: float, label: str, gene: str = "") -> pd.DataFrame:
    """Return the row of one chosen variant or gene."""
    return pd.DataFrame([(x, y, label, label, gene)], columns=_POINTS)


def span(x: float, x2: float, label: str) -> pd.DataFrame:
    """Return the row of one band."""
    return pd.DataFrame([(x, x2, label)], columns=_SPANS)


def row_outline(scale: alt.Scale, palette: Palette) -> alt.Chart:
    """Return the outline of a chosen row of bars, from the data set `chosen_row` (low, high)."""
    y = alt.Y("low:Q", axis=None, scale=scale)
    return (
        _named("chosen_row")
        .mark_rect(fillOpacity=0.1, fill=palette.lead, stroke=palette.lead, strokeWidth=2)
        .encode(x=alt.XValue(-3), x2=alt.X2Value(pixels("width + 3")), y=y,
                y2=alt.Y2("high:Q"))
    )  # fmt: skip


def _named(name: str) -> alt.Chart:
    return alt.Chart(alt.NamedData(name=name))


def _rows(rows: pd.DataFrame, low_high: tuple[float, float]) -> list[dict[str, Any]]:
    """Return rows with the side of the point that has more room for a label; none outside."""
    low, high = low_high
    kept = rows[(rows["x"] <= high) & (rows.get("x2", rows["x"]) >= low)]
    made = []
    wanted = [name for name in (*_POINTS, "x2") if name in kept]
    for row in kept[wanted].to_dict("records"):
        is_left = (row["x"] - low) / max(high - low, 1e-9) > 0.5
        label = str(row["label"])
        row["label"] = label if len(label) <= _LETTERS else f"{label[: _LETTERS - 1]}…"
        row |= {"side": "right" if is_left else "left", "dx": -_BESIDE if is_left else _BESIDE}
        row["x"] = max(low, row["x"])
        if "x2" in row:
            row["x2"] = min(high, row["x2"])
        made.append(row)
    return made
