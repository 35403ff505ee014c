"""Saved stories: names that stay in their folder, files that are whole, nobody overwritten."""

from __future__ import annotations

import json
from dataclasses import replace
from threading import Barrier, Thread

import pytest

from pipeline.errors import InputError, NotFoundError, StaleArtifactError
from pipeline.story.saved import (
    MOST_NOTE,
    SavedStory,
    Slide,
    broken_stories,
    delete_story,
    list_stories,
    read_story,
    save_story,
    story_name,
)

RUN = "bb89154ed4490f56"
STORY = SavedStory(
    "Group meeting, May".replace(",", ""), RUN,
    (Slide("audit", "Look *here* first"), Slide("question"), Slide("manhattan", "é ∑")), True,
)  # fmt: skip


def test_what_is_saved_is_read_again(tmp_path):
    written = save_story(tmp_path, STORY, who="Ada")
    assert read_story(tmp_path, STORY.name) == written
    assert replace(written, who="", when="", version="") == STORY
    assert (written.who, bool(written.when), bool(written.version)) == ("Ada", True, True)
    save_story(tmp_path, replace(STORY, name="Another"))
    assert [one.name for one in list_stories(tmp_path)] == ["Another", STORY.name]
    delete_story(tmp_path, STORY.name)
    assert [one.name for one in list_stories(tmp_path)] == ["Another"]


BAD_NAMES = ["", " ", "../run", "a/b", "a\\b", ".hidden", "a.", "a ", "x" * 61, "a\nb", "naïve",
             "a\x00b", "..", "a:b", "<b>"]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_is_none_is_one_sentence(tmp_path, name):
    outside = tmp_path / "run.json"
    outside.write_text("{}")
    cache = tmp_path / "cache"
    for act in (
        lambda: story_name(name),
        lambda: save_story(cache, replace(STORY, name=name)),
        lambda: read_story(cache, name),
        lambda: delete_story(cache, name),
    ):
        with pytest.raises(InputError, match="A story's name is made of at most 60 letters"):
            act()
    assert outside.read_text() == "{}"
    assert not (cache / "stories").exists()


@pytest.mark.parametrize("name", ["a", "May 3, x".replace(",", ""), "A_b-c.d", "x" * 60, "7"])
def test_usual_names_are_taken(tmp_path, name):
    assert save_story(tmp_path, replace(STORY, name=name)).name == name
    assert read_story(tmp_path, name).name == name


def test_nobody_writes_over_what_he_had_not_read(tmp_path):
    mine = save_story(tmp_path, STORY, who="Ada")
    with pytest.raises(InputError, match="was saved by Ada") as told:
        save_story(tmp_path, replace(STORY, is_live=False))
    assert "choose another name" in str(told.value)
    again = save_story(tmp_path, replace(STORY, is_live=False), read=mine)
    assert not read_story(tmp_path, STORY.name).is_live
    with pytest.raises(InputError):
        save_story(tmp_path, STORY, read=mine)  # that was before the last one
    save_story(tmp_path, STORY, read=again)


def test_of_two_writers_at_once_one_is_told(tmp_path):
    start, told = Barrier(2), []

    def write(who: str) -> None:
        start.wait()
        try:
            save_story(tmp_path, STORY, who=who)
            told.append("saved")
        except InputError:
            told.append("refused")

    writers = [Thread(target=write, args=(who,)) for who in ("Ada", "Bo")]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert sorted(told) == ["refused", "saved"]
    assert read_story(tmp_path, STORY.name).who in ("Ada", "Bo")
    assert [path.name for path in (tmp_path / "stories").iterdir()] == [f"{STORY.name}.json"]


WRONG = [
    "{",
    "[]",
    "null",
    '{"format": 1}',
    json.dumps({"format": 2, "name": "broken"}),
]


@pytest.mark.parametrize("text", WRONG)
def test_a_broken_file_is_one_sentence_and_can_be_deleted(tmp_path, text):
    save_story(tmp_path, STORY)
    path = tmp_path / "stories" / "broken.json"
    path.write_text(text)
    with pytest.raises(StaleArtifactError, match="delete it") as told:
        read_story(tmp_path, "broken")
    assert str(told.value).count(". ") == 0
    assert [one.name for one in list_stories(tmp_path)] == [STORY.name]
    assert list(broken_stories(tmp_path)) == ["broken"]
    save_story(tmp_path, replace(STORY, name="broken"))  # nothing is lost
    assert not broken_stories(tmp_path)
    path.write_text(text)
    delete_story(tmp_path, "broken")
    assert not path.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"slides": [{"part": "private", "note": ""}]},
        {"slides": []},
        {"slides": [{"part": "audit", "note": ""}] * 2},
        {"slides": [{"part": "audit"}]},
        {"run": "../../etc"},
        {"name": "another"},
        {"slides": [{"part": "audit", "note": "x" * (MOST_NOTE + 1)}]},
    ],
)
def test_a_file_that_somebody_changed_is_broken(tmp_path, change):
    save_story(tmp_path, STORY)
    path = tmp_path / "stories" / f"{STORY.name}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(StaleArtifactError, match="cannot be read"):
        read_story(tmp_path, STORY.name)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"slides": ()}, "none was given"),
        ({"slides": (Slide("audit"), Slide("audit"))}, "at most once"),
        ({"slides": (Slide("scores"),)}, "scores was given"),
        ({"slides": (Slide("audit", "x" * (MOST_NOTE + 1)),)}, "shorten it"),
    ],
)
def test_what_cannot_be_shown_is_not_saved(tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        save_story(tmp_path, replace(STORY, **change))
    assert list_stories(tmp_path) == []


def test_a_story_that_is_not_there_names_those_that_are(tmp_path):
    save_story(tmp_path, STORY)
    with pytest.raises(NotFoundError, match=f"there is {STORY.name}"):
        read_story(tmp_path, "Nothing")
    with pytest.raises(NotFoundError, match="nothing was removed"):
        delete_story(tmp_path, "Nothing")
