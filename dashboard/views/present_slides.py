"""The slides on a full screen: arrow keys turn them, the address says which one it is."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import elements, loaders, state
from dashboard.charts.frame import AnyChart
from dashboard.figures import slide_figures
from dashboard.views import present_look, present_plan
from dashboard.views.present_look import Words
from pipeline.runs import Run
from pipeline.story import Part, n_above

_MOST_SAID = 270  # characters of sentences below a drawing
# Pixels that one drawing wants, or two, or a layer of the network; and the most of them.
_WIDE, _WIDE_TWO, _BLOCK, _MOST_WIDE = 880, 960, 112, 1600
# Pixels of a drawing's title, of a line of its subtitle, of an axis with its title.
_TITLE, _SUBTITLE, _AXIS = 44, 19, 52
_WITHOUT_AXIS = ("question", "cohort", "network")
_MOST_LISTED = 8


def show(run: Run) -> None:
    """Draw the slide that the address names, over the whole screen."""
    present_look.full_screen(elements.palette())
    _slide(run.id)


@st.fragment
def _slide(run_id: str) -> None:
    """Draw one slide; only this is drawn anew when it turns."""
    slides = present_plan.chosen()
    number = _number(len(slides))
    name, note = slides[number - 1]
    story = loaders.story(loaders.run(run_id))
    part = story.part(name)
    drawn = slide_figures(part, elements.palette(), line=_line(part))
    listed = () if drawn else part.sentences[:_MOST_LISTED]
    said = _said(part) if drawn else ""
    words = Words(part.title, note, said, part.caption)
    with st.container(key="slide"):
        st.title(part.title.translate(elements.ESCAPED), anchor=False)
        if not drawn:
            present_look.list_size(listed, words)
            with st.container(key="slide_list"):
                st.markdown("\n".join(f"- {one.translate(elements.ESCAPED)}" for one in listed))
        else:
            _picture(part, drawn, words)
        if note:
            with st.container(key="slide_note"):
                st.markdown(note.translate(elements.ESCAPED))
        if said:
            with st.container(key="slide_said"):
                st.markdown(said.translate(elements.ESCAPED))
        with st.container(key="slide_caption"):
            st.caption(part.caption.translate(elements.ESCAPED))
    _bar(number, len(slides))


def _number(n_slides: int) -> int:
    """Return which slide the address names, counted from 1; the nearest there is."""
    asked = st.query_params.get("slide", "1")
    return min(n_slides, max(1, int(asked))) if asked.isdecimal() else 1


def _said(part: Part) -> str:
    """Return as many sentences as a room reads, at least one."""
    said = ""
    for sentence in part.sentences:
        if said and len(said) + len(sentence) > _MOST_SAID:
            break
        said = f"{said} {sentence}".strip()
    return said


def _picture(part: Part, charts: Sequence[AnyChart], words: Words) -> None:
    high = max(map(_height, charts)) + (0 if part.name in _WITHOUT_AXIS else _AXIS)
    is_live = part.name == "manhattan" and present_plan.current()["is_live"]
    present_look.enlarge(high, _width(part, len(charts)), words, beside=8.0 if is_live else 0.0)
    with st.container(key="slide_chart"):
        if len(charts) == 1:
            elements.chart(charts[0])
        else:
            with st.container(key="wrap_slide"):
                places = st.columns(len(charts), gap="large")
            for place, one in zip(places, charts, strict=True):
                with place:
                    elements.chart(one)
    if is_live:
        with st.container(key="slide_line"):
            _threshold(part)


def _width(part: Part, n_charts: int) -> float:
    """Return how many pixels the charts of a slide want for their names."""
    if part.name == "network":  # blocks in a row where they have room, else a list
        return min(_MOST_WIDE, max(_WIDE, _BLOCK * len(part.data["layers"])))
    return _WIDE if n_charts == 1 else _WIDE_TWO


def _height(made: AnyChart) -> float:
    """Return how many pixels a drawing takes with its title, without an axis."""
    return made.height + _TITLE + _SUBTITLE * len(made.title.subtitle)


def _line(part: Part) -> float | None:
    """Return where the threshold was moved to, None while it is the run's own."""
    is_live = part.name == "manhattan" and part.data and present_plan.current()["is_live"]
    return float(_start(part)) if is_live else None


def _start(part: Part) -> float:
    kept = state.get("present_line")
    if kept is not None:
        return kept
    own = part.data["selection_line"]
    return round(own[0], 1) if own else 5.0


def _threshold(part: Part) -> None:
    line = _start(part)
    highest = max(8.0, float(part.data["all_neg_log10_p"][-1:].max(initial=0.0)) + 0.5)
    state.set_widgets({"present_line_slider": line})
    n_tested = len(part.data["all_neg_log10_p"])
    st.slider(
        f"Threshold of −log10 p: {n_above(part, line):,} of {n_tested:,} tested variants lie above "
        f"{line:.1f} (p below {10**-line:.2g})",
        0.0, round(highest, 1), step=0.1, format="%.1f", key="present_line_slider",
        on_change=_move,
    )  # fmt: skip


def _move() -> None:
    state.put("present_line", float(state.get("present_line_slider")))


# ---- turning --------------------------------------------------------------------------------


def _bar(number: int, n_slides: int) -> None:
    """Draw where we are, and what turns the slides; each key has a button of its own."""
    with st.container(key="slide_bar", horizontal=True, vertical_alignment="center"):
        _button("Back", ":material/chevron_left:", "Left", number - 1, number == 1)
        _button("Next", ":material/chevron_right:", "Right", number + 1, number == n_slides)
        dots = "".join(
            f'<i class="{"now" if n == number else "past" if n < number else "next"}"></i>'
            for n in range(1, n_slides + 1)
        )
        st.html(
            f'<div class="slide-dots" role="img" aria-label="Slide {number} of {n_slides}">{dots}'
            f"<span>{number} of {n_slides}</span></div>"
        )
        if st.button("Leave", icon=":material/close:", shortcut="Esc", type="tertiary",
                     key="slide_leave", on_click=present_plan.leave):  # fmt: skip
            st.rerun()
    with st.container(key="slide_keys"):
        for key, to in (("PageUp", number - 1), ("PageDown", number + 1), ("Space", number + 1),
                        ("Home", 1), ("End", n_slides)):  # fmt: skip
            _button(key, None, key, to, not 1 <= to <= n_slides)


def _button(words: str, icon: str | None, key: str, to: int, disabled: bool) -> None:
    st.button(
        words, icon=icon, shortcut=key, type="tertiary", key=f"slide_{key}", disabled=disabled,
        on_click=_turn, args=(to,),
    )  # fmt: skip


def _turn(to: int) -> None:
    st.query_params["slide"] = str(to)
