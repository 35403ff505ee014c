"""How genotypes become the network's input."""

from __future__ import annotations

from typing import Literal

from pipeline.settings.base import Settings, setting


class EncodingSettings(Settings):
    """Layout, missing calls and scale; both learn from training people only when honest."""

    layout: Literal["1d", "2d", "3d"] = setting(
        "2d",
        "1d: a row of variants. 2d: the row folded into a square, padded with zeros. "
        "3d: the square with one plane for each genotype 0, 1, 2.",
        label="Layout",
        paper="2d",
    )
    missing: Literal["mean", "mode", "zero"] = setting(
        "mean",
        "What a missing call becomes: the mean or the most frequent genotype of the people that "
        "train, or 0. In the 3d layout a missing call is zero on every plane.",
        label="Missing calls",
    )
    scaling: Literal["none", "standard"] = setting(
        "standard",
        "none: genotypes as 0, 1, 2. standard: each variant minus its mean, over its standard "
        "deviation, of the people that train (1d and 2d only).",
        label="Scaling",
        paper="standard",
        assumed=True,
    )
