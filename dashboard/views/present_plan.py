"""What is to be presented: which slides, in which order, what is said of each.

Of this session until it is saved; a link carries a saved story by its name, or the slides alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import streamlit as st

from dashboard import elements, loaders, state
from pipeline.runs import Run
from pipeline.story import PARTS
from pipeline.story.saved import SavedStory, Slide, read_story

WORDS = {
    "question": "Question",
    "cohort": "Cohort",
    "funnel": "Funnel",
    "manhattan": "Manhattan",
    "network": "Network",
    "curves": "Learning curves",
    "confusion": "Confusion matrix",
    "audit": "Audit",
    "caveats": "Caveats",
}
_NAME = "present_plan"


def take_from_address() -> None:
    """Make the plan what a link says, the first time that this session sees it.

    Raises `PipelineError` for a story that is not there or cannot be read.
    """
    asked = (st.query_params.get("story", ""), st.query_params.get("slides", ""))
    if state.get("present_link") == asked or not any(asked):
        return
    state.put("present_link", asked)
    story, slides = asked
    if story:
        open_saved(read_story(loaders.cache(), story))
        return
    state.put(_NAME, _plan([(part, "") for part in slides.split(",")],
                           is_live=st.query_params.get("live") == "1"))  # fmt: skip


def open_saved(story: SavedStory) -> None:
    """Make the plan that of a saved story, and its run the one that is shown."""
    slides = [(slide.part, slide.note) for slide in story.slides]
    state.put(
        _NAME,
        _plan(slides, is_live=story.is_live) | _saved(story),
    )
    st.query_params["story"] = story.name
    st.query_params.pop("slides", None)
    state.put("present_link", (story.name, ""))
    elements.turn_to("run", story.run)


def current() -> dict[str, Any]:
    """Return the plan: `slides` of part, is_on, note; `is_live`; what it was last saved as.

    `name`, `version` and `run` are those of the saved story, "" before; `is_saved` says that
    nothing has changed since.
    """
    return state.get(_NAME) or _plan([(part, "") for part in PARTS], is_live=False)


def chosen() -> list[tuple[str, str]]:
    """Return the slides that are shown, in order: part and what is said of it."""
    return [(one["part"], one["note"]) for one in current()["slides"] if one["is_on"]]


def change(part: str, **values: Any) -> None:
    """Change a slide of the plan."""
    plan = current()
    slides = [one | values if one["part"] == part else one for one in plan["slides"]]
    _changed(plan | {"slides": slides})


def move(part: str, by: int) -> None:
    """Move a slide of the plan up (-1) or down (1)."""
    plan = current()
    slides = list(plan["slides"])
    place = next(i for i, one in enumerate(slides) if one["part"] == part)
    slides.insert(min(len(slides) - 1, max(0, place + by)), slides.pop(place))
    _changed(plan | {"slides": slides})


def set_live(is_live: bool) -> None:
    """Say whether the threshold of the Manhattan slide can be moved."""
    _changed(current() | {"is_live": is_live})


def saved_as(story: SavedStory) -> None:
    """Remember under which name the plan was saved, and have the address say so."""
    state.put(_NAME, current() | _saved(story))
    state.put("present_link", (story.name, ""))
    st.query_params["story"] = story.name
    st.query_params.pop("slides", None)


def as_story(name: str, run: Run) -> SavedStory:
    """Return the plan as a story to save."""
    slides = tuple(Slide(part, note) for part, note in chosen())
    return SavedStory(name, run.id, slides, bool(current()["is_live"]))


def last_read(name: str) -> SavedStory | None:
    """Return the story of this name as this session knows it, None where it does not."""
    plan = current()
    if plan["name"] != name:
        return None
    return SavedStory(name, "", (), version=plan["version"])


def for_run(run_id: str) -> None:
    """Hold the plan to a run: with another one than it was saved with, it is no longer saved."""
    plan = current()
    if plan["is_saved"] and plan["run"] != run_id:
        _changed(plan)


def begin(number: int = 1) -> None:
    """Turn to a slide: the address says all that another browser needs."""
    plan = current()
    st.query_params["slide"] = str(number)
    if plan["is_saved"]:
        st.query_params["story"] = plan["name"]
        return
    slides = ",".join(part for part, _ in chosen())
    st.query_params["slides"] = slides
    if plan["is_live"]:
        st.query_params["live"] = "1"
    state.put("present_link", ("", slides))


def leave() -> None:
    """Turn back to the plan."""
    for name in ("slide", "slides", "live"):
        st.query_params.pop(name, None)


def _plan(slides: Iterable[tuple[str, str]], *, is_live: bool) -> dict[str, Any]:
    """Return a plan of these slides; those that are not among them stand at its end, off."""
    known = {part: note for part, note in slides if part in PARTS}
    if not known:
        known = dict.fromkeys(PARTS, "")
    rows = [{"part": part, "is_on": True, "note": note} for part, note in known.items()]
    rows += [{"part": p, "is_on": False, "note": ""} for p in PARTS if p not in known]
    return {
        "slides": rows,
        "is_live": is_live,
        "name": "",
        "version": "",
        "run": "",
        "is_saved": False,
    }


def _saved(story: SavedStory) -> dict[str, Any]:
    return {
        "name": story.name,
        "version": story.version,
        "run": story.run,
        "is_saved": True,
    }


def _changed(plan: dict[str, Any]) -> None:
    """Keep a plan that is no longer the saved one; its name is remembered, to save it again."""
    state.put(_NAME, plan | {"is_saved": False})
    state.put("present_link", ("", ""))
    st.query_params.pop("story", None)


def forget(name: str) -> None:
    """Keep the plan, and no longer take it for the story of this name, which is gone."""
    plan = current()
    if plan["name"] == name:
        _changed(plan | {"name": "", "version": ""})
