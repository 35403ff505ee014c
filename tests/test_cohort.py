"""Cohorts opened, listed and removed."""

from __future__ import annotations

import pytest

from pipeline.cohort import cohort_names, delete_cohort, open_cohort
from pipeline.errors import InputError, NotFoundError
from tests.small_cohorts import make_cohort, vcf_text

NAMES = ("a", "b", "c", "d")
TEXT = vcf_text([["1", 5, "A", "C", "GT", "0/1", "0/0", "1/1", "./."]], NAMES)
DIAGNOSES = dict(zip(NAMES, ("SCZ", "control", "SCZ", "BP"), strict=True))


def test_a_cohort_is_opened_by_two_at_once(tmp_path):
    first = make_cohort(tmp_path, TEXT, DIAGNOSES)
    second = open_cohort(tmp_path / "cache", "small")
    assert first.n_people == second.n_people == {"BP": 1, "SCZ": 2, "control": 1}
    first.store.close()
    assert second.n_variants == 1


def test_cohorts_are_listed_and_removed(tmp_path):
    make_cohort(tmp_path, TEXT, DIAGNOSES).store.close()
    cache = tmp_path / "cache"
    assert cohort_names(cache) == ["small"]
    delete_cohort(cache, "small")
    assert cohort_names(cache) == []
    with pytest.raises(NotFoundError, match="no cohort small"):
        open_cohort(cache, "small")
    with pytest.raises(InputError, match="name"):
        open_cohort(cache, "../small")
