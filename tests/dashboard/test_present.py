"""The page Present: a plan that is chosen, ordered, saved and shown, slide by slide."""

from __future__ import annotations

import json
import re

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.views import present_look
from dashboard.views.present_look import Words
from pipeline import runs
from pipeline.runs import Run
from pipeline.story import PARTS, story_of
from pipeline.story.saved import SavedStory, Slide, read_story, save_story
from tests.dashboard.test_pages import press, show, words  # noqa: F401 (show is a fixture)
from tests.test_checklist import make_run, write_cohort


@pytest.fixture
def run(tmp_path) -> Run:
    """A run that was measured, in a cache of its own."""
    return make_run(write_cohort(tmp_path))


@pytest.fixture
def opened(run, show):  # noqa: F811
    """Return a function that opens the page as a link does."""
    return lambda **link: show(run.cache, "present", **link)


def titles(app: AppTest) -> list[str]:
    """Return the slides of the plan, in order."""
    return [box.label.strip("*") for box in app.checkbox if box.key.startswith("present_on_")]


def param(app: AppTest, name: str) -> str | None:
    found = app.query_params.get(name)
    return found[0] if isinstance(found, list) and found else found or None


def button(app: AppTest, key: str):
    return next(one for one in app.button if one.key == key)


def click(app: AppTest, key: str) -> AppTest:
    button(app, key).click().run()
    assert not app.exception
    return app


def test_without_a_run_it_says_what_to_do(tmp_path, show):  # noqa: F811
    app = show(write_cohort(tmp_path), "present")
    assert "No run to present yet" in words(app)
    assert not [one for one in app.button if one.label == "Present"]


def test_the_plan_has_every_part_with_its_finding(opened, run):
    app = opened()
    assert titles(app) == ["Question", "Cohort", "Funnel", "Manhattan", "Network",
                           "Learning curves", "Confusion matrix", "Audit", "Caveats"]  # fmt: skip
    said = words(app)
    for part in story_of(run).parts:
        assert part.title.replace("−", "−") in said.replace("\\", ""), part.name
    assert param(app, "run") == run.id


def test_slides_are_chosen_ordered_and_annotated(opened):
    app = opened()
    app = click(app, "present_Up_audit")
    assert titles(app).index("Audit") == 6
    app.checkbox(key="present_on_network").uncheck().run()
    app.text_input(key="present_note_audit").set_value("Look *here*").run()
    assert not app.exception
    app = press(app, "Present")
    order = ["question", "cohort", "funnel", "manhattan", "curves", "audit", "confusion", "caveats"]
    assert param(app, "slides") == ",".join(order)
    assert param(app, "slide") == "1"


def test_a_link_shows_the_same_slide(opened, run):
    app = opened(run=run.id, slide="2", slides="audit,cohort,caveats")
    assert app.title[0].value.startswith("60 people take part")
    assert "run " + run.id[:8] in words(app)
    assert titles(app) == []


def test_keys_and_buttons_turn_the_slides(opened, run):
    app = opened(run=run.id, slide="1", slides="cohort,funnel,caveats")
    for key in ("slide_Right", "slide_PageDown", "slide_Left", "slide_Space", "slide_PageUp"):
        assert button(app, key).label
    assert button(app, "slide_Left").disabled
    app = click(app, "slide_Right")
    assert param(app, "slide") == "2"
    assert app.title[0].value.startswith("Of 300 sites read")
    app = click(app, "slide_End")
    assert param(app, "slide") == "3"
    assert button(app, "slide_Right").disabled
    assert button(app, "slide_Space").disabled
    app = click(app, "slide_leave")
    assert param(app, "slide") is None
    assert app.title[0].value == "The story for a room"


@pytest.mark.parametrize(
    ("asked", "shown"), [("99", "3"), ("0", "1"), ("-4", "1"), ("three", "1"), ("²", "1")]
)
def test_a_slide_that_is_not_there_is_the_nearest(opened, run, asked, shown):
    app = opened(run=run.id, slide=asked, slides="cohort,funnel,caveats")
    assert not app.error
    findings = {"1": "60 people", "3": "This is one cohort"}
    assert app.title[0].value.startswith(findings[shown])


@pytest.mark.parametrize("slides", ["nonsense", "", ",,", "cohort,cohort,private"])
def test_wrong_slides_fall_back(opened, run, slides):
    app = opened(run=run.id, slide="1", slides=slides)
    assert not app.error
    assert app.title[0].value


def test_a_story_is_saved_and_opened_by_its_link(opened, run):
    app = opened(run=run.id)
    app.text_input(key="present_note_cohort").set_value("$x$ <b>bold</b>").run()
    next(one for one in app.text_input if one.label == "Name").set_value("Meeting 1")
    app = press(app, "Save")
    assert not app.error
    saved = read_story(run.cache, "Meeting 1")
    assert saved.run == run.id
    assert [slide.part for slide in saved.slides] == list(PARTS)
    assert saved.slides[1].note == "$x$ <b>bold</b>"
    assert param(app, "story") == "Meeting 1"
    assert "story=Meeting%201" in app.code[0].value
    other = opened(story="Meeting 1", slide="2")
    assert "\\$x\\$ \\<b\\>bold\\</b\\>" in words(other), "what people write is no markup"
    app = press(app, "Present")
    assert param(app, "story") == "Meeting 1"
    assert param(app, "slides") is None


def test_a_change_makes_the_plan_unsaved(opened, run):
    save_story(run.cache, SavedStory("Mine", run.id, (Slide("cohort"), Slide("audit"))))
    app = opened(story="Mine")
    assert titles(app)[:2] == ["Cohort", "Audit"]
    assert param(app, "story") == "Mine"
    assert param(app, "run") == run.id
    app = click(app, "present_Down_cohort")
    assert param(app, "story") is None
    app = press(app, "Save")  # the name is still there, and so is what was read
    assert not app.error
    assert [slide.part for slide in read_story(run.cache, "Mine").slides] == ["audit", "cohort"]


def test_nobody_is_overwritten(opened, run):
    app = opened()
    save_story(run.cache, SavedStory("Taken", run.id, (Slide("audit"),)), who="Bo")
    next(one for one in app.text_input if one.label == "Name").set_value("Taken")
    app = press(app, "Save")
    assert "was saved by Bo" in app.error[0].value
    assert len(read_story(run.cache, "Taken").slides) == 1


def test_a_bad_name_is_told_where_it_was_given(opened):
    app = opened()
    next(one for one in app.text_input if one.label == "Name").set_value("../run")
    app = press(app, "Save")
    assert "A story's name is made of" in app.error[0].value


def test_stories_are_opened_and_deleted(opened, run):
    save_story(run.cache, SavedStory("Mine", run.id, (Slide("audit"),)))
    broken = run.cache / "stories" / "Torn.json"
    broken.write_text("{")
    app = opened()
    assert "should be JSON" in app.error[0].value
    app = click(app, "present_open_Mine")
    assert param(app, "story") == "Mine"
    app = click(app, "present_delete_it_Mine")
    app = click(app, "present_delete_it_Torn")
    assert not list((run.cache / "stories").glob("*.json"))
    assert param(app, "story") is None
    assert not app.error


def test_a_story_that_is_not_there_is_told(opened):
    app = opened(story="Nothing", slide="2")
    assert "There is no story Nothing" in app.error[0].value
    assert app.title[0].value == "The story for a room"


def test_a_story_whose_run_has_gone_is_told(opened, run):
    save_story(run.cache, SavedStory("Old", "0123456789abcdef", (Slide("audit"),)))
    app = opened(story="Old", slide="1")
    assert "0123456789abcdef" in app.error[0].value
    app = press(app, "Back to the plan")
    assert "is not there or not measured yet" in words(app)


def test_another_run_is_another_story(opened, run):
    other = make_run(run.cache, split__seed=3)
    save_story(run.cache, SavedStory("Mine", run.id, (Slide("audit"),)))
    app = opened(story="Mine")
    app.selectbox(key="run_choice").set_value(other.id).run()
    assert not app.exception
    assert param(app, "run") == other.id
    assert param(app, "story") is None


def test_the_threshold_moves_only_where_it_was_asked_for(opened, run):
    app = opened(run=run.id, slide="1", slides="manhattan")
    assert not [one for one in app.slider if one.label.startswith("Threshold of")]
    app = opened(run=run.id, slide="1", slides="manhattan", live="1")
    slider = next(one for one in app.slider if one.label.startswith("Threshold of"))
    assert slider.value == 1.3
    slider.set_value(2.0).run()
    log_p = story_of(run).part("manhattan").data["all_neg_log10_p"]
    moved = next(one for one in app.slider if one.label.startswith("Threshold of"))
    assert f"{int((log_p > 2.0).sum())} of 300 tested variants lie above 2.0" in moved.label


def test_live_is_a_switch_of_the_plan(opened, run):
    app = opened(run=run.id)
    app.toggle(key="present_live").set_value(True).run()
    app = press(app, "Present")
    assert param(app, "live") == "1"


def test_without_its_cohort_slides_say_so(opened, run):
    record = json.loads((run.folder / "run.json").read_text())
    (run.folder / "run.json").write_text(json.dumps(record | {"fingerprint": "0" * 16}))
    assert runs.load(run.cache, run.id).fingerprint == "0" * 16
    app = opened(run=run.id, slide="1", slides="manhattan")
    assert "cannot be drawn again" in app.title[0].value
    assert "ingested anew" in words(app)


def test_a_drawing_is_as_large_as_the_screen_has_room(monkeypatch):
    made: list[str] = []
    monkeypatch.setattr("streamlit.html", made.append)
    few, many = Words("Short", "", "", "x"), Words("Long " * 40, "y" * 200, "z" * 250, "x" * 300)
    present_look.enlarge(400, 880, few)
    present_look.enlarge(400, 880, many)
    present_look.enlarge(800, 880, few)
    largest = [step_at(css, 1920, 1080) for css in made]
    assert largest[0] > largest[1]
    assert largest[0] > largest[2]
    assert largest[0] * 400 < 1080 - few.units * 10.8
    assert step_at(made[0], 1440, 900) < largest[0] < step_at(made[0], 3840, 2160)
    assert step_at(made[0], 390, 844) is None, "a telephone shows it as a page does"


def step_at(css: str, width: int, height: int) -> float | None:
    """Return the last step whose rule holds on a screen, as a browser would."""
    rules = re.findall(
        r"\(min-width: (\d+)px\)(?: and \(min-height: (\d+)px\))? \{ [^{]+\{ --zoom: ([\d.]+)", css
    )
    fits = [float(z) for w, h, z in rules if width >= int(w) and height >= int(h or 0)]
    return fits[-1] if fits else None
