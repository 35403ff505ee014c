"""Sections 3.1 to 3.6 of the paper: how its network came to be, one preset a stage.

A stage is the one before it with what its section changes. What the text brings in later is
absent before: dropout (3.3), early stopping (3.4), planes and K-fold (3.5), batch normalisation
and changing learning rates (3.6).
"""

from __future__ import annotations

from typing import Any

from pipeline.paper_tables import STAGES as ROWS
from pipeline.presets.final import FINAL_2D
from pipeline.presets.preset import ASSUMED_FOLDS, Preset, paper_preset

_TITLES = {row.section: (row.preset, row.title) for row in ROWS}
_FIRST: dict[str, Any] = {
    "split__test_fraction": 0.01,
    "split__folds": 0,
    "network__filters": 128,
    "network__dense": (100,),
    "network__dropout": 0.0,
    "network__batch_norm": False,
    "training__epochs": 15,
    "training__schedule": "constant",
    "training__plateau_factor": 1.0,
    "training__patience": 0,
    "training__keep": "last",
}
_SECOND = _FIRST | {
    "split__test_fraction": 0.15,
    "network__filters": 64,
    "network__dense": (500,),
    "training__epochs": 20,
}
_THIRD = _SECOND | {
    "network__dense": (500, 100),
    "network__dropout": 0.5,
    "training__epochs": 100,
}
_FOURTH = _THIRD | {
    "network__dense": (500,),
    "training__patience": 5,
    "training__keep": "accuracy",
}
_FIFTH = _FOURTH | {"encoding__layout": "3d", "split__folds": ASSUMED_FOLDS}
_SIXTH = {
    **{name.replace(".", "__"): value for name, value in FINAL_2D.changes.items()},
    "split__test_fraction": 0.15,
    "split__folds": 0,
}


def _stage(
    section: str,
    note: str,
    changes: dict[str, Any],
    guessed: tuple[str, ...] = (),
    stated: tuple[str, ...] = ("split.folds",),
) -> Preset:
    name, title = _TITLES[section]
    return paper_preset(
        name,
        f"Stage {section}: {title}",
        note,
        "stages",
        stated=stated,
        guessed=("training.batch_size", *guessed),
        **changes,
    )


STAGES = (
    _stage(
        "3.1",
        "1 % of the people to test on, one dense layer of 100, 15 epochs. No dropout and no early "
        "stopping: these come later. Filters (128) and Adam at a constant rate are assumed.",
        _FIRST,
        guessed=("training.optimizer", "network.batch_norm"),
    ),
    _stage(
        "3.2",
        "15 % to test on, smaller layers (64 filters are assumed), a dense layer of 500, 20 "
        "epochs. Adam is assumed.",
        _SECOND,
        guessed=("training.optimizer", "network.batch_norm"),
    ),
    _stage(
        "3.3",
        "100 epochs, a second dense layer (100 is assumed), dropout (0.5 is assumed) after pooling "
        "and dense layers. Adam is assumed.",
        _THIRD,
        guessed=("training.optimizer", "network.batch_norm", "network.dense", "network.dropout"),
    ),
    _stage(
        "3.4",
        "One dense layer again, Adam, and early stopping that keeps the most accurate epoch "
        "(patience 5 is assumed).",
        _FOURTH,
        guessed=("network.batch_norm", "network.dropout"),
        stated=("split.folds", "training.keep"),
    ),
    _stage(
        "3.5",
        "3D, a plane for each genotype, and K-fold cross-validation "
        f"(K = {ASSUMED_FOLDS} is assumed).",
        _FIFTH,
        guessed=("network.batch_norm", "network.dropout"),
        stated=("training.keep",),
    ),
    _stage(
        "3.6",
        "The final network, as final_2d: batch normalisation, dropout 0.5, a schedule and a "
        "reduction of the learning rate, one dense layer of 1,000, fewer filters (32 is assumed). "
        "What the section tried in vain: network.dropout_kind, network.attention.",
        _SIXTH,
    ),
)
