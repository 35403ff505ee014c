"""The palette: readable, told apart by everybody, and the same in Streamlit's own configuration."""

from __future__ import annotations

import re
import tomllib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from dashboard.theme import DARK, LIGHT, Palette, contrast, mix, palette_of, text_on

ROOT = Path(__file__).resolve().parents[2]
BOTH = pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])

TEXT = (
    *("ink", "muted", "case", "control", "hit"),
    *("honest", "published", "reference", "training", "auc"),
)
GRAPHICS = (*TEXT, "excluded", "chromosome", "chromosome_other", "bar")

# Machado, Oliveira, Fernandes 2009, severity 1; they act on linear RGB.
SIGHT = {
    "full": np.eye(3),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
}


def lab(colour: str, sight: str) -> np.ndarray:
    """Return CIE L*a*b* (D65) of a colour as it is seen with this sight."""
    rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(SIGHT[sight] @ linear, 0, 1)
    to_xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    xyz = to_xyz @ linear / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(one: str, other: str, sight: str) -> float:
    return float(np.linalg.norm(lab(one, sight) - lab(other, sight)))


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.478, abs=0.001)


@BOTH
@pytest.mark.parametrize("role", TEXT)
def test_text_reads_on_the_page(palette: Palette, role: str) -> None:
    assert contrast(getattr(palette, role), palette.background) >= 4.5


@BOTH
@pytest.mark.parametrize("role", ["ink", "muted"])
def test_text_reads_on_cards(palette: Palette, role: str) -> None:
    assert contrast(getattr(palette, role), palette.surface) >= 4.5


@BOTH
@pytest.mark.parametrize("role", GRAPHICS)
def test_marks_stand_out_from_the_page(palette: Palette, role: str) -> None:
    assert contrast(getattr(palette, role), palette.background) >= 3


@BOTH
@pytest.mark.parametrize("role", ["case", "control", "excluded", "bar"])
@pytest.mark.parametrize("share", np.linspace(0, 1, 21))
def test_text_on_every_tint_reads(palette: Palette, role: str, share: float) -> None:
    fill = mix(palette.background, getattr(palette, role), share)
    assert contrast(text_on(fill, palette), fill) >= 4.5


@BOTH
@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize(
    "together",
    [
        ("case", "control", "excluded"),
        ("honest", "published"),
        ("training", "ink", "auc"),
        ("chromosome", "chromosome_other"),
        ("bar", "removed"),
    ],
)
def test_colours_of_one_picture_differ(
    palette: Palette, sight: str, together: tuple[str, ...]
) -> None:
    for one, other in combinations(together, 2):
        apart = distance(getattr(palette, one), getattr(palette, other), sight)
        assert apart >= 20, (one, other, apart)


@BOTH
def test_hits_differ_from_chromosomes(palette: Palette) -> None:
    # With protanopia the prescribed light hit nears the dark slate, so hits are also larger and
    # diamonds (test_charts); colour alone carries them for everybody else.
    for sight, least in (("full", 50), ("deuteranopia", 14)):
        for slate in (palette.chromosome, palette.chromosome_other):
            assert distance(palette.hit, slate, sight) >= least


def test_mix_ends_at_its_colours() -> None:
    assert mix("#123456", "#FFFFFF", 0) == "#123456"
    assert mix("#123456", "#FFFFFF", 1) == "#FFFFFF"
    assert mix("#000000", "#FFFFFF", 0.5) == "#808080"


def test_unknown_mode_is_light() -> None:
    assert palette_of(None) is LIGHT
    assert palette_of("dark") is DARK


@BOTH
def test_streamlit_wears_the_same_colours(palette: Palette) -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    theme = config["theme"][palette.mode]
    assert theme == {
        "primaryColor": palette.chromosome,
        "backgroundColor": palette.background,
        "secondaryBackgroundColor": palette.surface,
        "textColor": palette.ink,
        "linkColor": palette.control,
        "borderColor": palette.grid,
    }
    assert config["browser"]["gatherUsageStats"] is False
    assert config["server"]["address"] == "localhost"


def test_no_other_file_names_a_colour() -> None:
    named = re.compile(r"#[0-9A-Fa-f]{6}\b")
    files = [path for path in (ROOT / "dashboard").rglob("*.py") if path.name != "theme.py"]
    assert files
    for path in files:
        assert not named.search(path.read_text()), path
