"""Families of what-if runs: who came from whom, whatever is deleted or asked for twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline import runs
from pipeline.lineage import Relative, family, note_parent, parent_of
from pipeline.runs import Run
from pipeline.settings import AnalysisSettings, with_changes


@pytest.fixture
def made(tmp_path: Path):
    """Return a function that creates a run of a seed, its folder and all."""

    def make(seed: int) -> Run:
        settings = with_changes(AnalysisSettings(), {"training.seed": seed})
        return runs.create(tmp_path, "c", "f" * 16, settings, "quick", "", "")

    return make


def drawn(found: list[Relative]) -> list[tuple[int, int]]:
    return [(one.run.settings["training"]["seed"], one.generation) for one in found]


def test_a_family_is_the_same_from_each_of_its_runs(made):
    first, second, third, other = (made(seed) for seed in range(4))
    note_parent(second, first)
    note_parent(third, second)
    note_parent(other, first)
    expected = [(0, 0), (1, 1), (2, 2), (3, 1)]
    for run in (first, second, third, other):
        assert drawn(family(run)) == expected
    assert family(third)[2].parent == second.id
    assert drawn(family(made(9))) == [(9, 0)]


def test_a_run_that_is_asked_for_twice_keeps_its_first_parent(made):
    first, second, child = (made(seed) for seed in range(3))
    note_parent(child, first)
    note_parent(child, second)
    assert parent_of(child) == first.id
    assert drawn(family(second)) == [(1, 0)]


def test_no_run_comes_from_itself(made):
    first, second, third = (made(seed) for seed in range(3))
    note_parent(first, first)
    note_parent(second, first)
    note_parent(third, second)
    note_parent(first, third)  # changed back to where it began
    assert parent_of(first) is None
    assert len(family(first)) == 3


def test_what_is_gone_or_damaged_ends_a_line(made):
    first, second, third = (made(seed) for seed in range(3))
    note_parent(second, first)
    note_parent(third, second)
    shutil.rmtree(second.folder)
    assert drawn(family(third)) == [(2, 0)]
    assert drawn(family(first)) == [(0, 0)]
    (third.folder / "parent.json").write_text('{"parent": "../../etc"}')
    assert parent_of(third) is None
    (third.folder / "parent.json").write_text("{")
    assert parent_of(third) is None
