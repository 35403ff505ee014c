"""What people say of a run and whether it stays: title, star, notes, tags, archive, trash."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import elements, state
from pipeline.errors import PipelineError, StaleArtifactError
from pipeline.keeping.retention import read_removal, train_again, weights_note
from pipeline.keeping.run_notes import (
    MOST_NOTE,
    MOST_TITLE,
    Notes,
    all_notes,
    read_notes,
    shown_markdown,
    tags_of,
    write_notes,
)
from pipeline.keeping.trash import delete, in_trash, restore
from pipeline.runs import Run

FULL = "The disk refused to keep this ({}); free space or check the rights, then try again."


def show(run: Run) -> None:
    """Draw title, note and tags of a run, and what may be done to keep it or let it go."""
    try:
        notes = read_notes(run.cache, run.id)
    except StaleArtifactError as problem:
        elements.problem(str(problem))
        notes = Notes()
    _told()
    with st.container(horizontal=True, vertical_alignment="center", key="keeping"):
        st.markdown(_heading(notes))
        _star(run, notes)
        _edit(run, notes)
        _letting_go(run, notes)
    if notes.note:
        # No HTML: Streamlit shows it as text.
        st.markdown(shown_markdown(notes.note))
        st.caption(_by(notes))
    if gone := weights_note(run):
        st.caption(f":material/inventory_2: {gone}")
        if read_removal(run):
            st.button("Train again", icon=":material/model_training:", on_click=_train_again,
                      args=(run,), key=f"train_again_{run.id}")  # fmt: skip


def offer_restore(run: Run | str, cache: Any) -> bool:
    """Offer to bring a deleted run back; say whether it is in the trash."""
    run_id = run if isinstance(run, str) else run.id
    _told()
    found = next((one for one in in_trash(cache) if one.run == run_id), None)
    if found is None:
        return False
    elements.empty(
        f"This run was deleted on {found.when:%Y-%m-%d}; it can be brought back until "
        f"{found.until:%Y-%m-%d}."
    )
    st.button("Restore", icon=":material/restore_from_trash:", on_click=_restore,
              args=(cache, run_id), key=f"restore_{run_id}")  # fmt: skip
    return True


def who() -> str:
    """Return the name of whoever is signed in, "" where nobody has to be."""
    return str(st.user.get("name") or st.user.get("email") or "")


# ---- what is drawn --------------------------------------------------------------------------


def _heading(notes: Notes) -> str:
    title = (
        f"**{notes.title.translate(elements.ESCAPED)}**" if notes.title else ":gray[No title yet]"
    )
    tags = [f":gray-badge[{tag.translate(elements.ESCAPED)}]" for tag in notes.tags]
    archived = [":gray-badge[:material/inventory_2: archived]"] if notes.archived else []
    return " ".join([title, *tags, *archived])


def _by(notes: Notes) -> str:
    name = notes.who.translate(elements.ESCAPED) or "somebody"
    return f"Last changed by {name}, {notes.when[:16].replace('T', ' ')} UTC"


def _star(run: Run, notes: Notes) -> None:
    st.button(
        "Starred" if notes.starred else "Star",
        icon=":material/star:" if notes.starred else ":material/star_border:",
        type="tertiary",
        help="A star keeps the models of a run, whatever else has to make room.",
        on_click=_change,
        args=(run, notes, {"starred": not notes.starred}),
        key=f"star_{run.id}",
    )


def _edit(run: Run, notes: Notes) -> None:
    with (
        st.popover("Title, note, tags", icon=":material/edit_note:", type="tertiary"),
        # Of this version: what others wrote since is shown, not what the boxes held before.
        st.form(f"notes_{run.id}_{notes.version}", border=False),
    ):
        keys = {name: f"note_{name}_{run.id}_{notes.version}" for name in ("title", "note", "tags")}
        st.text_input("Title", notes.title, MOST_TITLE, key=keys["title"])
        st.text_area(
            "Note", notes.note, max_chars=MOST_NOTE, height=160, key=keys["note"],
            help="Markdown; HTML and pictures are not shown.",
        )  # fmt: skip
        known = dict.fromkeys([*notes.tags, *tags_of(all_notes(run.cache).values())])
        st.multiselect(
            "Tags", list(known), list(notes.tags), key=keys["tags"], accept_new_options=True
        )
        st.form_submit_button("Save", type="primary", on_click=_save, args=(run, notes, keys))


def _letting_go(run: Run, notes: Notes) -> None:
    with st.popover("Archive, delete", icon=":material/inventory_2:", type="tertiary"):
        st.button(
            "Take out of the archive" if notes.archived else "Archive",
            help="An archived run stays, but lists leave it out.",
            on_click=_change,
            args=(run, notes, {"archived": not notes.archived}),
            key=f"archive_{run.id}",
        )
        st.caption("A deleted run can be brought back for 30 days. Its title, note and tags stay.")
        st.button("Delete", icon=":material/delete:", on_click=_delete, args=(run,),
                  key=f"delete_{run.id}")  # fmt: skip


# ---- what buttons do ------------------------------------------------------------------------


def _told() -> None:
    """Say what the last button came to."""
    said = state.take("keeping_said")
    if said:
        kind, text = said
        (elements.problem if kind == "problem" else st.toast)(text)


def _say(kind: str, text: str) -> None:
    state.put("keeping_said", (kind, text))


def _save(run: Run, notes: Notes, keys: dict[str, str]) -> None:
    asked = {name: state.widget_value(key) for name, key in keys.items()}
    before = {"title": notes.title, "note": notes.note, "tags": list(notes.tags)}
    _change(run, notes, {name: value for name, value in asked.items() if value != before[name]})


def _change(run: Run, notes: Notes, changes: dict[str, Any]) -> None:
    try:
        written = write_notes(run.cache, run.id, changes, who(), notes)
    except PipelineError as problem:
        _say("problem", str(problem))
    except OSError as problem:
        _say("problem", FULL.format(problem.strerror))
    else:
        if written.warning:
            _say("toast", written.warning)


def _delete(run: Run) -> None:
    try:
        gone = delete(run.cache, run.id, who())
    except PipelineError as problem:
        _say("problem", str(problem))
    except OSError as problem:
        _say("problem", FULL.format(problem.strerror))
    else:
        _say("toast", f"Deleted; it can be brought back until {gone.until:%Y-%m-%d}.")


def _restore(cache: Any, run_id: str) -> None:
    try:
        restore(cache, run_id, who())
    except PipelineError as problem:
        _say("problem", str(problem))
    except OSError as problem:
        _say("problem", FULL.format(problem.strerror))


def _train_again(run: Run) -> None:
    try:
        again = train_again(run.cache, run.id, who())
    except PipelineError as problem:
        _say("problem", str(problem))
    except OSError as problem:
        _say("problem", FULL.format(problem.strerror))
    else:
        elements.turn_to("run", again.id)
