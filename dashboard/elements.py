"""Small parts that every page is made of: charts, method texts, empty states, numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import caption, state
from dashboard.charts.frame import unchecked
from dashboard.charts.saved import ENDINGS, file_name, saved, title_of
from dashboard.saved_tables import WRITTEN, shown_table
from dashboard.theme import DARK, LIGHT, Palette

# What Markdown would take for a sign of its own, in names that people gave.
ESCAPED = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_[]$~<>:#"})
_TEXT = Path(__file__).parent / "text"


def palette() -> Palette:
    """Return the colours of the mode that the browser is in."""
    return DARK if getattr(st.context.theme, "type", None) == "dark" else LIGHT


def chart(
    made: Any,
    key: str | None = None,
    *,
    saved_as: str = "",
    is_offered: bool = True,
    **options: Any,
) -> Any:
    """Draw a chart of `dashboard.charts` over the full width, in its own theme.

    One that has a key is offered as a file, which is called after its title or `saved_as`, unless
    it shows single people.
    """
    if key is not None and is_offered:
        # Drawn before the picture, over whose corner it stands; it takes no room of its own.
        words = "Save this picture"
        _offer(f"saved_picture_{key}", words, partial(_picture_files, made, key, saved_as))
    return st.altair_chart(unchecked(made), width="stretch", theme=None, key=key, **options)


def table(
    rows: Any,
    key: str | None = None,
    *,
    saved_as: str = "",
    full: Callable[[], pd.DataFrame] | None = None,
    **options: Any,
) -> Any:
    """Draw a table; a cell without a value stays blank.

    One that has a key or is `saved_as` something is offered as a file: what is shown, or what
    `full` returns where that is more. A table of single people has neither.
    """
    drawn = st.dataframe(rows, hide_index=True, placeholder="", key=key, **options)
    name = saved_as or key
    if name:
        whole = full or partial(shown_table, rows, **options)
        words = "Save this table"
        _offer(f"saved_table_{key or name}", words, partial(_table_files, whole, key or name, name))
    return drawn


@st.fragment
def _offer(key: str, words: str, files: Callable[[], None]) -> None:
    """Draw a quiet place for files; what is in it is made once somebody opens it, by itself."""
    offer = st.popover(
        words, icon=":material/download:", type="tertiary", key=key, on_change="rerun"
    )
    if offer.open:
        with offer:
            files()


def _picture_files(made: Any, key: str, saved_as: str) -> None:
    name = file_name(saved_as or title_of(made) or key, caption.run_now())
    for ending, mime in ENDINGS.items():
        st.download_button(
            f"{ending.upper()}, 300 dpi" if ending == "png" else ending.upper(),
            partial(saved, made, caption.now(), ending, palette()),
            file_name=f"{name}.{ending}", mime=mime, key=f"saved_{ending}_{key}",
            on_click="ignore", type="tertiary",
        )  # fmt: skip


def _table_files(rows: Callable[[], pd.DataFrame], key: str, name: str) -> None:
    named = file_name(name, caption.run_now())
    for ending, (mime, written) in WRITTEN.items():
        st.download_button(
            "CSV" if ending == "csv" else "Parquet",
            partial(_written, written, rows),
            file_name=f"{named}.{ending}", mime=mime, key=f"saved_{ending}_{key}",
            on_click="ignore", type="tertiary",
        )  # fmt: skip


def _written(written: Callable[[pd.DataFrame], bytes], rows: Callable[[], pd.DataFrame]) -> bytes:
    return written(rows())


def method(name: str) -> None:
    """Offer the page's method text behind a quiet button."""
    with st.popover("Method", icon=":material/menu_book:", type="tertiary"):
        st.markdown((_TEXT / f"{name}.md").read_text(encoding="utf-8"))


def choice_in_address(
    label: str, name: str, options: Sequence[str], titles: Mapping[str, str] | None = None
) -> str:
    """Return one of the options, the first one at first; the address always names it.

    Bound as other widgets are, the default would be left out of the address, and a link to it
    would show something else once there are more options.
    """
    asked = st.query_params.get(name) or state.get(f"{name}_chosen")
    chosen = asked if asked in options else options[0]
    name_in_address(name, chosen)
    # The widget is forgotten where it is not drawn, what was chosen is not.
    state.set_widgets({f"{name}_chosen": chosen, f"{name}_choice": chosen})
    st.selectbox(
        label, options, format_func=titles.get if titles else str, key=f"{name}_choice",
        on_change=_name_choice, args=(name,),
    )  # fmt: skip
    return chosen


def name_in_address(name: str, value: str) -> None:
    """Have the address name a value; where it does already, nothing is sent.

    What is sent is the whole address as this run knows it: sent by every run it would take back
    what somebody has moved in the meantime, and links would tell another threshold than the page.
    """
    if st.query_params.get(name) != value:
        st.query_params[name] = value


def turn_to(name: str, option: str) -> None:
    """Choose in place of the user what `choice_in_address` shows, before it is drawn."""
    st.query_params[name] = option
    state.put(f"{name}_chosen", option)


def _name_choice(name: str) -> None:
    st.query_params[name] = state.get(f"{name}_choice")


def empty(text: str) -> None:
    """Say why there is nothing to see and what to do next."""
    with st.container(border=True):
        st.markdown(f":material/info: {text}")


def problem(text: str) -> None:
    """Say what went wrong, where it happened."""
    st.error(text, icon=":material/error:")


def interval(measured: dict[str, float | None]) -> str:
    """Return a value with its limits: 0.714 (0.671 to 0.754)."""
    if measured["value"] is None:
        return "none"
    if measured["low"] is None or measured["high"] is None:
        return f"{measured['value']:.3f}"
    return f"{measured['value']:.3f} ({measured['low']:.3f} to {measured['high']:.3f})"


def duration(seconds: float | None) -> str:
    """Return seconds in words: 12 s, 3 min 05 s, 1 h 12 min."""
    if seconds is None:
        return ""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
