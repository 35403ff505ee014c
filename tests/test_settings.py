"""Settings: strict, frozen, told in one sentence, described in full."""

from __future__ import annotations

import pydantic
import pytest

from pipeline.errors import SettingsError
from pipeline.settings import AnalysisSettings, describe, parse_value, with_changes


def test_changes_by_text_and_by_value():
    texts = ["quality.qual_above=off", "selection.top=50", "people.case=SCZ,BP",
             "quality.filter_pass=yes", "selection.protocol=published"]  # fmt: skip
    changed = with_changes(AnalysisSettings(), texts)
    assert changed.quality.qual_above is None
    assert changed.selection.top == 50
    assert changed.people.case == ("SCZ", "BP")
    assert changed.quality.filter_pass is True
    same = with_changes(AnalysisSettings(), {
        "quality.qual_above": None, "selection.top": 50, "people.case": ("SCZ", "BP"),
        "quality.filter_pass": True, "selection.protocol": "published",
    })  # fmt: skip
    assert same == changed
    assert same.digest() == changed.digest() != AnalysisSettings().digest()


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("quality.min_call_rate=1.1", "less than or equal to 1"),
        ("quality.min_call_rate=lots", "valid number"),
        ("quality=1", "no setting quality"),
        ("quality.none_such=1", "no setting quality.none_such"),
        ("selection.protocol=magic", "'honest' or 'published'"),
        ("selection.top=0", "greater than or equal to 1"),
        ("selection.max_p=0", "greater than 0"),
        ("nothing", "has no '='"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(text, word):
    with pytest.raises(SettingsError) as told:
        with_changes(AnalysisSettings(), [text])
    assert word in str(told.value)
    assert str(told.value).endswith(".")
    assert "\n" not in str(told.value)


def test_frozen():
    with pytest.raises(pydantic.ValidationError):
        AnalysisSettings().quality.qual_above = 3  # type: ignore[misc]


def test_words_of_switches():
    assert [parse_value(t) for t in ("off", "None", "yes", "FALSE", " 3 ")] == [
        None, None, True, False, "3",
    ]  # fmt: skip


def test_every_setting_is_described():
    rows = describe()
    names = [row["setting"] for row in rows]
    assert len(set(names)) == len(names) > 40
    for row in rows:
        assert row["label"], row
        assert row["help"].endswith("."), row["setting"]
    by_name = {row["setting"]: row for row in rows}
    assert by_name["quality.qual_above"]["paper"] == 30
    assert by_name["quality.min_call_rate"]["largest"] == 1
    assert by_name["selection.protocol"]["choices"] == ["honest", "published"]
    assert by_name["ingest.other_alleles"]["default"] == "missing"
