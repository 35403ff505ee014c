"""True against false positives at every threshold."""

from __future__ import annotations

import pandas as pd

from dashboard.charts.frame import AnyChart
from dashboard.charts.model_curves import model_curves
from dashboard.theme import LIGHT, Palette


def roc(curves: pd.DataFrame, *, over_folds: bool = False, palette: Palette = LIGHT) -> AnyChart:
    """Return ROC curves with their AUCs, and the band of those that have one.

    `curves` has model, kind (honest, published, their permuted runs, baseline), fpr, tpr, auc (the
    words to show, such as "0.714 (0.671 to 0.754)") and, missing where there is no band, low and
    high; the points of each model in order.
    """
    table = curves.rename(columns={"auc": "words"})
    for limit in ("low", "high"):
        if limit not in table:
            table[limit] = float("nan")
    is_banded = table.low.notna().any()
    return model_curves(
        table,
        pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]}),
        x=("fpr", "Controls called case"),
        y=("tpr", "Cases called case"),
        measure="AUC",
        # Of an older run the steps themselves, of others their places on a grid.
        interpolate="linear" if is_banded else "step-after",
        title="ROC on the test people",
        subtitle=[
            "AUC; dashed: chance" + ("; mean of folds" if over_folds else ""),
            "Band: bootstrap over people" if is_banded else "",
        ],
        palette=palette,
    )
