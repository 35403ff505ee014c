"""A chart as a file to keep: on white, at a fixed width, with its caption."""

from __future__ import annotations

import json
import re
from typing import Any

from dashboard import printing
from dashboard.charts.frame import AnyChart
from dashboard.printing import PRINTED_FONT, WIDTH, Ending
from dashboard.theme import CATEGORIES, DARK, FONT, LIGHT, Palette, mix, text_on

ENDINGS: dict[Ending, str] = {
    "png": "image/png",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
}
_COLOUR = re.compile(r'"#[0-9A-Fa-f]{6}"')


def saved(chart: AnyChart, caption: str, ending: Ending, palette: Palette = LIGHT) -> bytes:
    """Return the chart as a file; `palette` is the one that it was drawn with."""
    about = {"caption": caption, "ground": LIGHT.background, "ink": LIGHT.muted}
    return printing.printed({"spec": printed_spec(chart, palette), "ending": ending, **about})


def as_svg(chart: AnyChart, caption: str) -> str:
    """Return a chart of the light palette as SVG, drawn by this very process."""
    return printing.svg(printed_spec(chart), caption, ground=LIGHT.background, ink=LIGHT.muted)


def title_of(chart: AnyChart) -> str:
    """Return the chart's title, "" where it has none."""
    title = getattr(chart, "title", None)
    text = getattr(title, "text", title)
    return text if isinstance(text, str) else ""


def file_name(title: str, run: str = "") -> str:
    """Return what a file is called without its ending: words of its title, and the run's id."""
    words = "-".join(re.findall(r"[a-z0-9]+", title.lower()))[:60].strip("-")
    return "-".join(part for part in (words or "picture", run[:8]) if part)


def printed_spec(chart: AnyChart, palette: Palette = LIGHT) -> dict[str, Any]:
    """Return a chart as Vega-Lite of the light palette and of the width of a page."""
    spec = chart.to_dict(validate=False)
    if palette.mode != LIGHT.mode:
        spec = in_light(spec, palette)
    # Not what the browser happens to have: what is measured is what is drawn.
    spec = json.loads(json.dumps(spec).replace(json.dumps(FONT), json.dumps(PRINTED_FONT)))
    spec["config"]["background"] = LIGHT.background  # also of one that was see-through
    return spec | {"width": WIDTH}


def screen_spec(chart: AnyChart) -> dict[str, Any]:
    """Return a chart of the light palette as Vega-Lite that is as wide as what holds it."""
    return printed_spec(chart) | {"width": "container"}


def in_light(spec: dict[str, Any], palette: Palette = DARK) -> dict[str, Any]:
    """Return what the light palette would have drawn, from what another one has.

    A colour is one of the roles, or one of them mixed with the ground; words stand on their `fill`
    in the colour that reads best on it.
    """
    known: dict[str, str] = {}

    def light(found: re.Match[str]) -> str:
        colour = found[0].strip('"').upper()
        if colour not in known:
            known[colour] = light_of(colour, palette)
        return f'"{known[colour]}"'

    changed = json.loads(_COLOUR.sub(light, json.dumps(spec)))
    for rows in changed.get("datasets", {}).values():
        for row in rows:
            if "fill" in row and str(row.get("word")).startswith("#"):
                row["word"] = text_on(row["fill"], LIGHT)
    return changed


def light_of(colour: str, palette: Palette = DARK) -> str:
    """Return the light palette's colour of the same role and the same share of the ground."""
    roles = _roles(palette)
    if colour in roles:
        return _role_colours(LIGHT)[roles[colour]]
    if colour in CATEGORIES:
        return colour
    # What lies between a role and the ground is that role, paler.
    best, share, distance = "", 0.0, 3.0
    ground, wanted = _channels(palette.background), _channels(colour)
    for role, name in roles.items():
        way = [b - a for a, b in zip(_channels(role), ground, strict=True)]
        length = sum(step * step for step in way)
        if not length:
            continue
        along = sum(
            (w - a) * step for w, a, step in zip(wanted, _channels(role), way, strict=True)
        ) / length  # fmt: skip
        if not 0 <= along <= 1:
            continue
        off = max(
            abs(a + step * along - w)
            for a, step, w in zip(_channels(role), way, wanted, strict=True)
        )
        if off < distance:
            best, share, distance = name, along, off
    return mix(_role_colours(LIGHT)[best], LIGHT.background, share) if best else colour


def _roles(palette: Palette) -> dict[str, str]:
    """Return roles by colour; where two share one, the first has it."""
    return {colour: role for role, colour in reversed(_role_colours(palette).items())}


def _role_colours(palette: Palette) -> dict[str, str]:
    found: dict[str, str] = {}
    for role, value in vars(palette).items():
        if role == "mode":
            continue
        for number, colour in enumerate(value if isinstance(value, tuple) else (value,)):
            found[f"{role}{number}" if isinstance(value, tuple) else role] = colour
    return found


def _channels(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
