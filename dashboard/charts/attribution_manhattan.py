"""Where the network looked, under what the test of each variant says: two plots on one genome."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from dashboard.charts.chosen_mark import CLICKED, Marks
from dashboard.charts.frame import AnyChart, finish, haloed, pixels, tooltip, wide_or
from dashboard.charts.manhattan import WHERE, genome_x, megabase_axis
from dashboard.charts.peak_labels import peak_labels
from dashboard.theme import LIGHT, Palette

HEIGHT = 640
N_MARKED = 20  # variants of most attribution, marked in both halves
_GAP = 56  # pixels between the halves, where the title of the lower one stands
_TOP = 24  # room for the title of the upper one


def attribution_manhattan(
    points: pd.DataFrame,
    chromosomes: pd.DataFrame,
    *,
    peaks: pd.DataFrame | None = None,
    chromosome: str | None = None,
    height: int = HEIGHT,
    marked: pd.DataFrame | None = None,
    chosen: str = "",
    palette: Palette = LIGHT,
) -> AnyChart:
    """Return −log10 p above, the share of the attribution below, on one axis of the genome.

    `points` (at most some 3,000) has variant_index, x, chrom, parity, pos, variant_id, gene,
    neg_log10_p, share (0 to 1 of all), selected (share of folds) and n_binned. The 20 of most
    attribution are marked in both halves. `peaks` has x, share, label. A stretch that is dragged
    is in the selection `stretch`; what lies in it stays bright in both halves. A click names a
    variant in the selection `hit`. With `chromosome` the points are of that one, and x is their
    position. `marked` are the rows of the variant that is `chosen`, by its variant_id, and of the
    variants of the chosen gene, thinned out of `points` or not.
    """
    rows = _rows(points, palette)
    half = (height - _GAP - _TOP) / 2
    highest = max(1.0, float(rows.neg_log10_p.max()) if len(rows) else 1.0) * 1.06
    most = max(1e-6, float(rows.share.max()) if len(rows) else 0.0) * 1.2
    floors = {"p": _TOP + half, "share": float(height)}

    def place(value: float | pd.Series, which: str) -> float | pd.Series:
        return floors[which] - half * value / (highest if which == "p" else most)

    # Pixels from the top are the data of the axis: two scales of their own share it.
    y_scale = alt.Scale(domain=[0, height], range=[0, height], nice=False)
    ticks = [(float(place(v, "p")), f"{v:g}") for v in _ticks(highest)]
    ticks += [(float(place(v, "share")), f"{100 * v:.3g}%") for v in _ticks(most)]
    places, words = [at for at, _ in ticks], [text for _, text in ticks]
    y_axis = alt.Axis(
        title=None,
        values=places,
        labelExpr=f"{words}[indexof({places}, datum.value)]",
        labelOverlap=False,
    )
    right = pixels("width - 8")
    if chromosome is None:
        x_scale, x_axis = genome_x(chromosomes, right)
    else:
        length = float((chromosomes.end - chromosomes.start)[chromosomes.chrom == chromosome].sum())
        x_scale = alt.Scale(domain=[0.0, max([1.0, length, *rows.x])], range=[6, right], nice=False)
        x_axis = megabase_axis(chromosome)
    x = alt.X("x:Q", scale=x_scale, axis=x_axis)
    both = pd.concat(
        [
            rows.assign(y=place(rows.neg_log10_p, "p")),
            rows.assign(y=place(rows.share, "share")),
        ],
        ignore_index=True,
    ).sort_values("is_marked", kind="stable")
    stretch = alt.selection_interval(name="stretch", encodings=["x"])
    dots = (
        alt.Chart(both)
        .transform_calculate(where=WHERE)
        .mark_point(filled=True)
        .encode(
            x=x,
            y=alt.Y("y:Q", scale=y_scale, axis=y_axis),
            color=alt.Color("colour:N", scale=None),
            opacity=alt.condition(stretch, alt.value(1), alt.value(0.18)),
            shape=alt.condition("datum.is_marked", alt.value("diamond"), alt.value("circle")),
            size=alt.condition("datum.is_marked", alt.value(80), alt.value(16)),
            tooltip=tooltip(
                where=("Position", ""),
                gene=("Gene", ""),
                neg_log10_p=("−log10 p, training people", ".2f"),
                share=("Share of the attribution", ".2%"),
                selected=("Folds that chose it", ".0%"),
                n_binned=("Variants drawn as this point", ","),
            ),
        )
        .add_params(
            stretch,
            alt.selection_point(name="hit", fields=list(CLICKED), empty=False, toggle=False),
        )
    )
    floor = alt.Chart(pd.DataFrame({"y": list(floors.values())})).mark_rule(
        color=palette.muted, x=0, x2=pixels("width")
    )
    low, high = x_scale.to_dict()["domain"]
    on_x, on_y = {"scale": x_scale, "axis": x_axis}, {"scale": y_scale, "axis": y_axis}
    marks = None if marked is None else _marks(marked, chosen, place)
    layers: list[AnyChart] = [] if marks is None else marks.below(on_x, height, palette)
    layers += [floor.encode(y=alt.Y("y:Q", **on_y)), dots]
    if peaks is not None and len(peaks):
        layers += peak_labels(
            peaks.assign(neg_log10_p=place(peaks.share, "share")),
            x=lambda value: (value - low) / (high - low),
            y=lambda at: at,
            data_y=lambda at: at,
            x_scale=x_scale,
            y_scale=y_scale,
            x_axis=x_axis,
            y_axis=y_axis,
            low_high=(low, high),
            beside=8,
            top_bottom=(floors["p"] + _GAP - 14, floors["share"] - 8),
            palette=palette,
        )
    for title, at in (
        ("−log10 p of the test on training people", _TOP - 14),
        ("Share of the network's attribution", floors["p"] + _GAP / 2 - 2),
    ):
        layers += haloed(
            alt.Chart(pd.DataFrame({"label": [title]})),
            palette,
            text=alt.Text("label:N"),
            x=4,
            y=at,
            align="left",
            baseline="middle",
            fontWeight=600,
            fontSize=wide_or(15, 13),
        )
    if marks is not None:
        layers += marks.above(on_x, on_y, height, palette)
    n_variants = int(rows.n_binned.sum())
    of = "the genome" if chromosome is None else f"chromosome {chromosome}"
    n_marked = int(rows.is_marked.sum())
    named = f" The genes of most attribution are {', '.join(peaks.label)}." if _some(peaks) else ""
    made = finish(
        alt.layer(*layers),
        palette,
        title=f"What it looked at along {of}",
        subtitle=[
            f"{n_variants:,} variants entered",
            f"the {n_marked:,} of most attribution are marked in both",
            "drag across a stretch to list what lies in it",
        ],
        description=(
            f"Two Manhattan plots of {n_variants:,} variants along {of}: −log10 p above, the share "
            f"of the network's attribution below; the largest share is "
            f"{max([0.0, *rows.share]):.1%}.{named}"
        ),
        height=height,
        canvas=True,
    )
    return made if marks is None else marks.put_in(made, (low, high))


def _marks(marked: pd.DataFrame, chosen: str, place: Callable[[pd.Series, str], Any]) -> Marks:
    """Return the marks of both halves; the label stands in the upper one."""
    rows = marked.assign(neg_log10_p=marked.neg_log10_p.fillna(0.0))
    upper = rows.assign(y=place(rows.neg_log10_p, "p"), label=rows.variant_id)
    lower = rows.assign(y=place(rows.share, "share"), label="")
    both = pd.concat([upper, lower], ignore_index=True)
    is_chosen = both.variant_id == chosen
    return Marks(points=both[is_chosen], members=both[~is_chosen])


def _some(peaks: pd.DataFrame | None) -> bool:
    return peaks is not None and len(peaks) > 0


def _rows(points: pd.DataFrame, palette: Palette) -> pd.DataFrame:
    """Return the points as they are drawn, the marked ones last."""
    wanted = ["variant_index", "x", "chrom", "pos", "variant_id", "gene", "neg_log10_p", "share",
              "selected", "n_binned", "parity"]  # fmt: skip
    rows = points.assign(**({} if "variant_id" in points else {"variant_id": ""}))[wanted].copy()
    rows["neg_log10_p"] = rows.neg_log10_p.fillna(0.0)
    rank = rows.share.rank(method="first", ascending=False)
    rows["is_marked"] = (rank <= N_MARKED) & (rows.share > 0)
    slate = rows.parity.map({0: palette.chromosome, 1: palette.chromosome_other})
    rows["colour"] = slate.where(~rows.is_marked, palette.hit)
    narrow = dict.fromkeys(("x", "neg_log10_p", "share", "selected"), "float32")
    narrow |= dict.fromkeys(("chrom", "gene", "colour"), "category")
    return rows.drop(columns="parity").astype(narrow)


def _ticks(highest: float) -> list[float]:
    """Return three to five round values from 0 up to `highest`."""
    size = 10.0 ** np.floor(np.log10(highest))
    step = next(s * size for s in (0.1, 0.2, 0.25, 0.5, 1, 2, 5) if highest / (s * size) <= 5)
    return [round(i * step, 12) for i in range(int(highest / step + 1e-9) + 1)]
