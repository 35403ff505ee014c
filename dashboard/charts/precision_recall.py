"""How many of those called cases are cases, at every share of the cases that is found."""

from __future__ import annotations

import pandas as pd

from dashboard.charts.frame import AnyChart
from dashboard.charts.model_curves import model_curves
from dashboard.theme import LIGHT, Palette


def precision_recall(
    curves: pd.DataFrame, share: float, *, over_folds: bool = False, palette: Palette = LIGHT
) -> AnyChart:
    """Return precision-recall curves, and the band of those that have one.

    `curves` has model, kind, recall, precision, words (the average precision), low and high as in
    `roc`; `share` of the test people are cases, the precision of a guess.
    """
    return model_curves(
        curves,
        pd.DataFrame({"x": [0.0, 1.0], "y": [share, share]}),
        x=("recall", "Cases called case"),
        y=("precision", "Cases among those called"),
        measure="average precision",
        interpolate="step-before",
        title="Precision and recall",
        subtitle=[
            f"Average precision; dashed: chance, {share:.0%}"
            + ("; mean of folds" if over_folds else ""),
            "Band: bootstrap over people",
        ],
        palette=palette,
    )
