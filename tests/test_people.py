"""Which diagnoses become cases and controls, named or found."""

from __future__ import annotations

import pytest

from pipeline.errors import EmptyResultError, SettingsError
from pipeline.people import define_cases, require_both
from pipeline.settings import PeopleSettings

FOUND = [  # diagnoses, cases, controls
    ("SCZ BP control", ["SCZ"], ["control"]),
    ("scz Bipolar CONTROL", ["scz"], ["CONTROL"]),
    ("case control", ["case"], ["control"]),
    ("case control other unknown", ["case"], ["control"]),
    ("affected unaffected", ["affected"], ["unaffected"]),
    ("SCZ control ADHD", ["SCZ"], ["control"]),
    ("1 2", ["2"], ["1"]),
    ("0 1 2 -9", ["2"], ["1"]),
    ("-9 1 2", ["2"], ["1"]),
    ("0 1", ["1"], ["0"]),
    ("0 1 unknown", ["1"], ["0"]),
    ("SCZ healthy_volunteer", ["SCZ"], ["healthy_volunteer"]),
    ("ADHD control", ["ADHD"], ["control"]),
    ("asthma copd", ["copd"], ["asthma"]),
    ("case", ["case"], []),
    ("control", [], ["control"]),
    ("0", [], ["0"]),
    ("unknown", [], []),
    ("BP control", [], ["control"]),
]


def people(text: str) -> dict[str, int]:
    return {word: 10 + i for i, word in enumerate(text.split())}


@pytest.mark.parametrize(("text", "case", "control"), FOUND)
def test_found_by_words_and_codes(text, case, control):
    found = define_cases(people(text), PeopleSettings())
    assert (list(found.case), list(found.control)) == (case, control)
    assert set(found.excluded) == set(text.split()) - {*case, *control}
    assert found.rule
    assert sum(found.counts(people(text)).values()) == sum(people(text).values())


def test_unclear_roles_are_an_error_that_names_them():
    with pytest.raises(SettingsError, match=r"asthma, copd, flu; name them with --case"):
        define_cases(people("asthma copd flu"), PeopleSettings())


@pytest.mark.parametrize(
    ("text", "named", "case", "control"),
    [
        ("SCZ BP control", {"case": ("BP",)}, ("BP",), ("control",)),
        ("SCZ BP control", {"case": ("SCZ", "BP")}, ("SCZ", "BP"), ("control",)),
        ("SCZ BP control", {"control": ("BP",)}, ("SCZ",), ("BP",)),
        ("a b", {"case": ("a",)}, ("a",), ("b",)),
        ("a b unknown", {"control": ("a",)}, ("b",), ("a",)),
        ("a b c", {"case": ("a",), "control": ("c",)}, ("a",), ("c",)),
        ("a b c", {"case": ("a",), "exclude": ("b",)}, ("a",), ("c",)),
        ("a b c", {"exclude": ("b",)}, ("c",), ("a",)),
        ("1 2 SCZ", {"case": ("1",), "control": ("2",)}, ("1",), ("2",)),
    ],
)
def test_named_by_the_user(text, named, case, control):
    found = define_cases(people(text), PeopleSettings(**named))
    assert (found.case, found.control) == (case, control)


def test_a_diagnosis_has_one_role_and_is_there():
    with pytest.raises(ValueError, match="stands twice"):
        PeopleSettings(case=("a",), control=("a",))
    with pytest.raises(SettingsError, match="'x' is none of a, b"):
        define_cases(people("a b"), PeopleSettings(case=("x",)))


@pytest.mark.parametrize(("text", "word"), [("case", "0 controls"), ("control", "0 cases")])
def test_both_are_required(text, word):
    definition = define_cases(people(text), PeopleSettings())
    with pytest.raises(EmptyResultError, match=word):
        require_both(definition, people(text))
