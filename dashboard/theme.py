"""Every colour of the project, once, each with its meaning; light and dark steps of the same roles.

Nothing else names a colour, but `.streamlit/config.toml`, which a test holds to these values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Mode = Literal["light", "dark"]

# Streamlit serves the first itself; the others stand in where no browser draws.
FONT = '"Source Sans", "Source Sans 3", "Liberation Sans", Arial, sans-serif'

# Groups that mean nothing on other pages (populations, batches): Okabe and Ito 2008, told apart
# with any sight; charts give each a shape of its own too.
CATEGORIES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")

DASH_REFERENCE = (4, 3)  # majority, chance, identity: what would happen without a model
DASH_TRAINING = (6, 2)  # curves of the people that the network learns from
DASH_CUT = (7, 3)  # a threshold that can be moved


@dataclass(frozen=True)
class Palette:
    """Colours by role, as #RRGGBB; the same role means the same thing on every page."""

    mode: Mode
    background: str
    surface: str  # sidebar, cards, widgets
    ink: str  # text
    muted: str  # second text: axis labels, notes; still readable
    grid: str  # decoration only, carries no meaning
    case: str
    control: str
    excluded: str
    hit: str  # variants past a line of interest
    chromosome: str  # odd chromosomes
    chromosome_other: str  # even chromosomes
    bar: str  # kept variants, counts without a group
    removed: str  # fill of what a cut takes away; outlined with `chromosome_other`
    honest: str
    published: str
    reference: str  # majority, chance and identity lines, always dashed
    training: str  # curves of training people, dashed; those of validation people are `ink`
    auc: str  # curves of an AUC beside those of an accuracy
    on_dark: str  # text on a dark fill
    on_light: str  # text on a light fill
    ld: tuple[str, ...]  # r² to a lead variant in five steps, from 0 on: LocusZoom's order
    lead: str  # the lead variant of a region
    strata: tuple[str, ...]  # four strata of allele frequency, the rarest first


LIGHT = Palette(
    mode="light",
    background="#FFFFFF",
    surface="#F4F6F8",
    ink="#17212B",
    muted="#52606D",
    grid="#E4E8EC",
    case="#C2410C",
    control="#1F5FA8",
    excluded="#8A8F98",
    hit="#BE185D",
    chromosome="#334E68",
    chromosome_other="#728BA3",
    bar="#334E68",
    removed="#D6DFE7",
    honest="#0F766E",
    published="#9333EA",
    reference="#6B7280",
    training="#A16207",
    auc="#50749A",
    on_dark="#FFFFFF",
    on_light="#000000",
    ld=("#2F5D94", "#56B4E9", "#009E73", "#E69F00", "#C8321E"),
    lead="#7B2CBF",
    strata=("#B45309", "#0F8A80", "#8E44C7", "#334E68"),
)

DARK = Palette(
    mode="dark",
    background="#11161C",
    surface="#1A2129",
    ink="#EEF2F6",
    muted="#A9B4C0",
    grid="#2A333D",
    case="#FB8A5C",
    control="#6CA8EC",
    excluded="#8D95A0",
    hit="#FC7EB2",
    chromosome="#A9C0D6",
    chromosome_other="#5B7590",
    bar="#86A0BA",
    removed="#2C3947",
    honest="#2CC5B3",
    published="#BD8BFA",
    reference="#98A2AE",
    training="#D9A521",
    auc="#8DB0D3",
    on_dark="#FFFFFF",
    on_light="#000000",
    ld=("#4C7BC0", "#7CCBF5", "#1FB588", "#F2B632", "#F2553A"),
    lead="#D6A8FF",
    strata=("#F0A040", "#14A394", "#B98AF5", "#DCE6F0"),
)


def palette_of(mode: str | None) -> Palette:
    """Return the palette of a mode; light where the browser has not told its mode yet."""
    return DARK if mode == "dark" else LIGHT


def luminance(colour: str) -> float:
    """Return the relative luminance (0 to 1) of a #RRGGBB colour, as WCAG 2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the WCAG 2 contrast ratio of two colours, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def text_on(fill: str, palette: Palette) -> str:
    """Return the text colour of the palette that reads best on `fill`."""
    return max((palette.on_dark, palette.on_light), key=lambda text: contrast(text, fill))


def mix(colour: str, other: str, share: float) -> str:
    """Return `colour` with the share (0 to 1) of `other` mixed in, opaque."""
    pairs = [(int(colour[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * share):02X}" for a, b in pairs)


def vega_config(palette: Palette) -> dict[str, Any]:
    """Return the Vega-Lite configuration that every chart carries."""
    label = {"labelFont": FONT, "labelColor": palette.muted, "labelFontSize": 13}
    title = {
        "titleFont": FONT,
        "titleColor": palette.ink,
        "titleFontSize": 13,
        "titleFontWeight": "normal",
    }
    return {
        "font": FONT,
        "background": palette.background,
        "padding": {"left": 4, "right": 10, "top": 6, "bottom": 6},
        "view": {"stroke": None},
        "title": {
            "font": FONT,
            "color": palette.ink,
            "fontSize": 17,
            "fontWeight": 600,
            "subtitleFont": FONT,
            "subtitleColor": palette.muted,
            "subtitleFontSize": 14,
            "subtitlePadding": 5,
            "anchor": "start",
            "frame": "bounds",
            "offset": 14,
        },
        "axis": label
        | title
        | {
            "gridColor": palette.grid,
            "domainColor": palette.muted,
            "tickColor": palette.muted,
            "labelPadding": 5,
            "titlePadding": 10,
            "labelOverlap": True,
            "labelLimit": 260,
            "tickSize": 4,
        },
        "axisY": {"domain": False, "ticks": False},
        "axisX": {"grid": False},
        "legend": label | title | {"symbolSize": 110, "orient": "top", "titleLimit": 0},
        "text": {"font": FONT, "fontSize": 14, "color": palette.ink},
        "mark": {"tooltip": None},
        "rule": {"color": palette.muted},
    }
