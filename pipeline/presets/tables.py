"""Tables 1 and 2 of the paper, one preset a row; what a row states comes from `paper_tables`."""

from __future__ import annotations

from typing import Any

from pipeline.paper_tables import TABLE_1, TABLE_2, TableRow
from pipeline.presets.preset import ASSUMED_FOLDS, Preset, paper_preset

_OTHER_SEED = 2

# Rows that repeat a configuration, or are called a reference of one, get another seed.
_REPEATS = {
    ("2D", 5): "Repeats the configuration of row 3, so it gets another seed.",
    ("3D", 2): "Repeats the configuration of row 1, so it gets another seed.",
    ("3D", 4): (
        "Called the reference of row 2, whose batch is 64 where this row has 32; it gets the seed "
        "of row 2."
    ),
}
_OF_FOLDS = {
    ("2D", 6): "Row 3 in cross-validation.",
    ("3D", 5): "Called row 2 in cross-validation, but the table gives it other filters.",
}
# What is assumed in one table makes these rows of the other.
_AGAIN = {
    1: "With that it is the very run of Table 1, 2D 3, whose accuracy the paper prints otherwise.",
    4: "With that it is the network of Table 1, 3D 4, with another seed.",
}


def _table_1(row: TableRow) -> Preset:
    place = (row.dimension, row.id)
    changes: dict[str, Any] = {
        "network__filters": row.filters,
        "training__batch_size": row.batch_size,
        "network__dense": (500, 100),
    }
    said = ["Dense layers of 500 and 100 are assumed."]
    guessed = ["network.dense"]
    if place in _REPEATS:
        said.append(_REPEATS[place])
        changes |= {"training__seed": _OTHER_SEED, "split__seed": _OTHER_SEED}
        guessed += ["training.seed", "split.seed"]
    if row.is_k_fold:
        said += [_OF_FOLDS[place], f"K = {ASSUMED_FOLDS} is assumed."]
        changes["split__folds"] = ASSUMED_FOLDS
        guessed.append("split.folds")
    return _made(row, said, guessed, ("network.filters",), changes)


def _table_2(row: TableRow) -> Preset:
    changes = {
        "network__filters": 64,
        "training__batch_size": 32,
        "network__dense": (row.n1, row.n2),
    }
    said = ["Filters (64) and batch (32) are assumed."]
    if row.id in _AGAIN:
        said.append(_AGAIN[row.id])
    return _made(row, said, ["network.filters", "training.batch_size"], (), changes)


def _made(
    row: TableRow,
    said: list[str],
    guessed: list[str],
    stated: tuple[str, ...],
    changes: dict[str, Any],
) -> Preset:
    return paper_preset(
        row.preset,
        f"Table {row.table}, {row.label}: {row.setup}",
        " ".join([f"“{row.observation}”: {row.test_accuracy} % in the paper.", *said]),
        "table 1" if row.table == "1" else "table 2",
        stated=stated,
        guessed=guessed,
        encoding__layout=row.dimension.lower(),
        **changes,
    )


TABLES = (*(_table_1(row) for row in TABLE_1), *(_table_2(row) for row in TABLE_2))
