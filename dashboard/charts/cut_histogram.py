"""A histogram of what a threshold cuts: small behind its slider, large on the page."""

from __future__ import annotations

from typing import Literal

import altair as alt
import pandas as pd

from dashboard.charts.frame import COUNT, SHORT_COUNT, AnyChart, finish, haloed, pixels, tooltip
from dashboard.theme import DASH_CUT, LIGHT, Palette

SMALL, LARGE = 90, 320  # pixels


def cut_histogram(
    bins: pd.DataFrame,
    cut: float | None,
    paper: float | None,
    label: str,
    unit: str = "",
    *,
    removes: Literal["below", "above"] = "below",
    counted: str = "Variants",
    root_scale: bool = False,
    small: bool = False,
    palette: Palette = LIGHT,
) -> AnyChart:
    """Return bars of counts with the cut drawn in; what it removes is lighter.

    `bins` has left, right, n, without gaps. A cut inside a bin colours it in two parts at the
    cut. None as `cut` means off, as `paper` that there is no value to show. `root_scale` makes
    rare values visible where one bin holds nearly all.
    """
    parts = _parts(bins, cut, removes, palette)
    known = [value for value in (cut, paper) if value is not None]
    low = min([float(bins.left.min()), *known]) if len(bins) else min([0.0, *known])
    high = max([float(bins.right.max()), *known]) if len(bins) else max([1.0, *known])
    named = f"{label}, {unit}" if unit else label
    top = 12 if small else 40 if known else 6  # room for the names of the values
    x_scale = alt.Scale(domain=[low, high], nice=False)
    y_scale = alt.Scale(
        type="sqrt" if root_scale else "linear", range=[pixels("height"), top], nice=False
    )
    tick_count = 3 if small else 8
    x_axis = alt.Axis(title=None if small else named, tickCount=tick_count)
    counts = f"{counted} (square-root scale)" if root_scale else counted
    y_axis = None if small else alt.Axis(title=counts, labelExpr=SHORT_COUNT, tickCount=5)
    x = alt.X("left:Q", scale=x_scale, axis=x_axis)
    bars = (
        alt.Chart(parts)
        .mark_rect(strokeWidth=0.6)
        .encode(
            x=x,
            x2=alt.X2("right:Q"),
            y=alt.Y("n:Q", scale=y_scale, axis=y_axis),
            y2=alt.Y2Datum(0),
            color=alt.Color("fill:N", scale=None),
            stroke=alt.Stroke("line:N", scale=None),
            tooltip=tooltip(
                bin=(named, ""), n=(f"{counted} in the bin", COUNT), fate=("This side is", "")
            ),
        )
    )
    layers = [bars]
    # The paper's value lies behind, its name above that of the cut: neither hides the other.
    for value, name, colour in ((paper, "paper", palette.published), (cut, "cut", palette.ink)):
        if value is None:
            continue
        is_cut = name == "cut"
        mark = alt.Chart(pd.DataFrame({"value": [value], "words": [f"{name} {value:,g}"]})).encode(
            x=alt.X("value:Q", scale=x_scale, axis=x_axis), tooltip=tooltip(words=(named, ""))
        )
        if small and not is_cut:
            layers.append(
                mark.mark_point(
                    shape="triangle-down", filled=True, opacity=1, size=70, y=5, color=colour
                )
            )
            continue
        layers.append(
            mark.mark_rule(
                strokeWidth=2 if is_cut else 1.2,
                strokeDash=DASH_CUT if is_cut else (1, 0),
                y=(10 if small else 20) if is_cut else 0,
                y2=pixels("height"),
                color=colour,
            )
        )
        if not small:
            on_right = (value - low) > 0.6 * (high - low)
            layers += haloed(
                mark,
                palette,
                text=alt.Text("words:N"),
                align="right" if on_right else "left",
                dx=-7 if on_right else 7,
                baseline="middle",
                y=27 if is_cut else 7,
                color=colour,
                fontWeight=600 if is_cut else 400,
            )
    sides = "no cut" if cut is None else f"cut at {cut:,g}, what lies {removes} is removed"
    return finish(
        alt.layer(*layers),
        palette,
        title="" if small else label,
        description=f"Histogram of {named}: {int(bins.n.sum()):,} {counted.lower()}; {sides}.",
        height=SMALL - 34 if small else LARGE,
        see_through=small,
    )


def _parts(bins: pd.DataFrame, cut: float | None, removes: str, palette: Palette) -> pd.DataFrame:
    """Return the bins, the one that holds the cut in two parts, each with its fate and colours."""
    parts = bins[["left", "right", "n"]].astype(float)
    parts["bin"] = [f"{a:,g} to {b:,g}" for a, b in zip(parts.left, parts.right, strict=True)]
    if cut is None:
        gone = pd.Series(False, index=parts.index)
    else:
        inside = (parts.left < cut) & (parts.right > cut)
        lower, upper = parts[inside].assign(right=cut), parts[inside].assign(left=cut)
        parts = pd.concat([parts[~inside], lower, upper], ignore_index=True)
        gone = parts.right <= cut if removes == "below" else parts.left >= cut
    parts["fate"] = gone.map({True: "removed", False: "kept"})
    parts["fill"] = gone.map({True: palette.removed, False: palette.bar})
    parts["line"] = gone.map({True: palette.chromosome_other, False: palette.bar})
    return parts
