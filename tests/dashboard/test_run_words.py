"""What the page of a run says of where it comes from, and of a file of weights."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from dashboard.views import compare_names
from dashboard.views import run as page


def a_run(preset: str = "", weights: str = "file", *, drop: bool = False) -> SimpleNamespace:
    encoding = {"weights": weights, "drop_unweighted": drop}
    return SimpleNamespace(preset=preset, settings={"encoding": encoding})


def folds(*counts: tuple[int | None, int]) -> dict:
    return {"folds": [{"weighted": weighted, "selected": of} for weighted, of in counts]}


@pytest.mark.parametrize(
    ("run", "metrics", "words"),
    [
        (a_run(), folds((212, 1264)), "212 of 1,264 chosen variants have a weight in the file; "
         "the others entered with weight 0."),
        (a_run(drop=True), folds((3, 9), (4, 8)), "Of each fold, 3 of 9, 4 of 8 chosen variants "
         "have a weight in the file; the others were left out."),
        (a_run(weights="none"), folds((None, 9)), ""),
        (a_run(), {"folds": [{"selected": 9}]}, ""),
    ],
)  # fmt: skip
def test_how_many_variants_have_a_weight_in_the_file(run, metrics, words):
    assert page._in_file(run, metrics) == words


@pytest.mark.parametrize(
    ("preset", "words"),
    [("final_2d", "The paper's final 2D network"), ("sweep 7b8058bd", "best of search 7b8058bd"),
     ("", "own settings")],
)  # fmt: skip
def test_where_a_run_comes_from(preset, words):
    assert compare_names.origin(a_run(preset)) == words
