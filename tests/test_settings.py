"""Settings: strict, frozen, told in one sentence, described in full."""

from __future__ import annotations

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SettingsError
from pipeline.runs import run_identity
from pipeline.settings import (
    AnalysisSettings,
    QualitySettings,
    describe,
    parse_value,
    with_changes,
)
from pipeline.settings.regions import Region, read_regions, write_regions


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
        ("quality.without_regions=HLA", "regions such as 6:28000000-34000000"),
        ("quality.without_regions=6:1-2 17", "regions such as 6:28000000-34000000"),
        ("quality.without_regions=6:1-23:4-5", "regions such as 6:28000000-34000000"),
        ("quality.without_regions=6:5-4", "from a smaller to a larger base"),
        ("quality.without_regions=6:0-4", "between 1 and 300,000,000"),
        ("quality.without_regions=6:1-300000001", "between 1 and 300,000,000"),
        (
            "quality.without_regions=" + ",".join(f"6:{9 * i}-{9 * i}" for i in range(1, 52)),
            "at most 50 regions",
        ),
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


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("6:28,000,000-34,000,000", "6:28000000-34000000"),
        ("chrX:1-5; chr6:1-2,m:3-4", "6:1-2, X:1-5, MT:3-4"),
        ("17:5-9 6:1-2,6:3-4", "6:1-4, 17:5-9"),
        ("6:1-100,17:200-300", "6:1-100, 17:200-300"),
        ("6:1–9", "6:1-9"),
        ("off", None),
        ("", None),
        (" , ", None),
    ],
)
def test_regions_are_written_one_way(text, written):
    settings = with_changes(AnalysisSettings(), [f"quality.without_regions={text}"])
    assert settings.quality.without_regions == written
    again = with_changes(AnalysisSettings(), {"quality.without_regions": written})
    assert again == settings
    assert AnalysisSettings.model_validate_json(settings.model_dump_json()) == settings


@given(
    st.lists(
        st.builds(
            lambda chrom, start, length: Region(chrom, start, start + length),
            st.sampled_from(["1", "6", "X", "KI270711.1"]), st.integers(1, 60), st.integers(0, 9),
        ),
        max_size=12,
    )
)  # fmt: skip
def test_regions_hold_the_same_bases_once(regions):
    read = read_regions(write_regions(regions))

    def bases(of):
        return [(r.chrom, pos) for r in of for pos in range(r.start, r.end + 1)]

    assert sorted(bases(read)) == sorted(set(bases(regions)))
    assert all(not a.meets(b) for a in read for b in read if a != b)


def test_regions_left_in_change_no_identity():
    """A run that was trained before the setting came is found again: its id is pinned here."""
    settings = with_changes(AnalysisSettings(), ["quality.without_regions=off"])
    assert run_identity("f" * 12, settings) == "17a36efaca6df9ec"
    assert "without_regions" not in settings.canonical()
    assert "without_regions" not in settings.model_dump_json()
    assert settings.model_dump()["quality"]["without_regions"] is None
    without = with_changes(settings, ["quality.without_regions=6:1-5"])
    assert run_identity("f" * 12, without) != run_identity("f" * 12, settings)
    before = settings.model_dump(mode="json")
    assert AnalysisSettings.model_validate(before) == settings
    assert QualitySettings.model_validate(before["quality"]).without_regions is None
