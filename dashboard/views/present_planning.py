"""The plan of a story: its slides chosen, ordered, annotated; saved under a name."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import streamlit as st

from dashboard import elements, loaders, state
from dashboard.view import View
from dashboard.views import present_plan, run_keeping
from pipeline.errors import PipelineError
from pipeline.runs import Run
from pipeline.story import Story
from pipeline.story.saved import (
    MOST_NAME,
    MOST_NOTE,
    SavedStory,
    broken_stories,
    delete_story,
    list_stories,
    save_story,
)

# The icons say it; the words stay for those who hear the page.
_ARROWS = """<style>:is([class*="st-key-present_Up_"], [class*="st-key-present_Down_"]) button p {
    position: absolute; width: 1px; height: 1px; overflow: hidden; white-space: nowrap; }</style>"""


def show(view: View, run: Run) -> None:
    """Draw the plan for a run, and the stories that are saved."""
    present_plan.for_run(run.id)
    story = loaders.story(run)
    st.markdown(f"**{story.headline.translate(elements.ESCAPED)}**")
    if story.cohort.lacking:
        st.caption(f":material/info: {story.cohort.lacking.translate(elements.ESCAPED)}")
    n_slides = len(present_plan.chosen())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Present", type="primary", icon=":material/co_present:", disabled=not n_slides,
            on_click=present_plan.begin,
        )  # fmt: skip
        st.caption(
            "Arrow keys, space and the keys of a presenter turn the slides, Esc leaves. F11 hides "
            "the browser."
        )
    with st.container(key="wrap_present"):
        left, right = st.columns([3, 2], gap="large")
    with left:
        _slides(view, story)
    with right:
        _save(run)
        _saved()
    elements.method("present")


def _slides(view: View, story: Story) -> None:
    st.html(_ARROWS)
    plan = present_plan.current()
    last = len(plan["slides"]) - 1
    st.subheader("Slides")
    for place, slide in enumerate(plan["slides"]):
        name = slide["part"]
        part = story.part(name)
        with st.container(border=True, gap="xsmall", key=f"present_row_{name}"):
            with st.container(horizontal=True, vertical_alignment="center"):
                on, note = f"present_on_{name}", f"present_note_{name}"
                state.set_widgets({on: slide["is_on"], note: slide["note"]})
                st.checkbox(
                    f"**{present_plan.WORDS[name]}**", key=on, width="stretch",
                    on_change=_switch, args=(name, on),
                )  # fmt: skip
                for words, icon, by in (
                    ("Up", ":material/arrow_upward:", -1),
                    ("Down", ":material/arrow_downward:", 1),
                ):
                    st.button(
                        f"{words}: {present_plan.WORDS[name]}", icon=icon, type="tertiary",
                        key=f"present_{words}_{name}", disabled=place == (0 if by < 0 else last),
                        on_click=present_plan.move, args=(name, by),
                    )  # fmt: skip
            st.caption(part.title.translate(elements.ESCAPED))
            if not slide["is_on"]:
                continue
            st.text_input(
                f"Said of it: {present_plan.WORDS[name]}",
                key=note,
                max_chars=MOST_NOTE,
                placeholder="A line of yours below the picture",
                label_visibility="collapsed",
                on_change=_annotate,
                args=(name, note),
            )
            if name == "manhattan" and part.data:
                state.set_widgets({"present_live": plan["is_live"]})
                st.toggle(
                    "A threshold that moves, with how many variants lie above it",
                    key="present_live", on_change=_set_live,
                )  # fmt: skip
            if name == "audit" and not part.data and not story.cohort.lacking:
                st.page_link(
                    view.pages["audit"], label="Audit this run", icon=":material/policy:",
                    query_params={"audited": story.run.id, "cohort": story.run.cohort},
                )  # fmt: skip


def _switch(name: str, key: str) -> None:
    present_plan.change(name, is_on=bool(state.get(key)))


def _annotate(name: str, key: str) -> None:
    present_plan.change(name, note=(state.get(key) or "").strip())


def _set_live() -> None:
    present_plan.set_live(bool(state.get("present_live")))


# ---- saved stories --------------------------------------------------------------------------


def _save(run: Run) -> None:
    plan = present_plan.current()
    st.subheader("Save")
    with st.form("present_save", border=True):
        name = st.text_input(
            "Name", value=plan["name"], max_chars=MOST_NAME, placeholder="Group meeting May",
            help="The link to a saved story shows the same slides, and what you say of them.",
        )  # fmt: skip
        if st.form_submit_button("Save", icon=":material/save:"):
            _write(name.strip(), run)
    plan = present_plan.current()
    if plan["is_saved"]:
        st.caption(f"The link to {plan['name'].translate(elements.ESCAPED)}:")
        st.code(link_to(plan["name"]), language=None, wrap_lines=True)
    elif any(note for _, note in present_plan.chosen()):
        st.caption("What you say of slides travels with a link once it is saved.")


def _write(name: str, run: Run) -> None:
    try:
        written = save_story(
            loaders.cache(), present_plan.as_story(name, run), present_plan.last_read(name),
            run_keeping.who(),
        )  # fmt: skip
    except PipelineError as problem:
        elements.problem(str(problem))
        return
    except OSError as problem:
        elements.problem(run_keeping.FULL.format(problem.strerror))
        return
    present_plan.saved_as(written)
    st.toast(f"Saved as {name.translate(elements.ESCAPED)}.")


def link_to(name: str) -> str:
    """Return the address of a saved story."""
    here = urlsplit(st.context.url or "")
    return f"{here.scheme}://{here.netloc}{here.path}?story={quote(name)}"


def _saved() -> None:
    known, broken = list_stories(loaders.cache()), broken_stories(loaders.cache())
    if not known and not broken:
        return
    st.subheader("Saved stories")
    for story in known:
        with st.container(border=True, gap="small"):
            by = f", {story.who}" if story.who else ""
            st.markdown(f"**{story.name.translate(elements.ESCAPED)}**")
            st.caption(
                f"{len(story.slides)} slides of run {story.run[:8]}, "
                f"{story.when[:16].replace('T', ' ')} UTC{by.translate(elements.ESCAPED)}"
            )
            with st.container(horizontal=True):
                st.button(
                    "Open", key=f"present_open_{story.name}", icon=":material/folder_open:",
                    on_click=_open, args=(story,),
                )  # fmt: skip
                _delete(story.name)
    for name, why in broken.items():
        with st.container(border=True, gap="small"):
            elements.problem(why)
            _delete(name)


def _open(story: SavedStory) -> None:
    present_plan.open_saved(story)


def _delete(name: str) -> None:
    with st.popover("Delete", icon=":material/delete:", key=f"present_delete_{name}"):
        st.markdown(f"Delete {name.translate(elements.ESCAPED)}? Its run stays.")
        st.button(
            "Delete it", key=f"present_delete_it_{name}", type="primary",
            on_click=_forget, args=(name,),
        )  # fmt: skip


def _forget(name: str) -> None:
    try:
        delete_story(loaders.cache(), name)
    except PipelineError as problem:
        st.toast(str(problem).translate(elements.ESCAPED))
    except OSError as problem:
        st.toast(run_keeping.FULL.format(problem.strerror))
        return
    present_plan.forget(name)
