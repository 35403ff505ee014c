"""The one door to the session's state: the names of widgets, and setting them from code.

A widget that carries a setting is called `stage.field`, and so is its parameter in the URL
(`?quality.min_call_rate=0.95`); the switch of a setting that can be off is `stage.field.on`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import streamlit as st


def widget_key(stage: str, field: str) -> str:
    """Return the name of the widget of a setting, in the session and in the URL."""
    return f"{stage}.{field}"


def switch_key(stage: str, field: str) -> str:
    """Return the name of the switch that turns a setting off."""
    return f"{widget_key(stage, field)}.on"


def widget_value(key: str, default: Any = None) -> Any:
    """Return what a widget holds, or the default before it is first drawn."""
    return st.session_state.get(key, default)


def set_widgets(values: Mapping[str, Any]) -> None:
    """Set widgets by name; only from a callback, or before they are drawn in this run."""
    for key, value in values.items():
        st.session_state[key] = value


def reset_widgets(keys: Iterable[str]) -> None:
    """Forget what widgets hold, so that they show their defaults; same rule as `set_widgets`."""
    for key in keys:
        st.session_state.pop(key, None)


def get(name: str, default: Any = None) -> Any:
    """Return something that a page remembers for this session."""
    return st.session_state.get(name, default)


def put(name: str, value: Any) -> None:
    """Remember something for this session; a widget's name only before it is drawn."""
    st.session_state[name] = value


def is_new(name: str, value: Any) -> bool:
    """Remember `value` and return whether it is something else than before, and not None."""
    before = st.session_state.get(name)
    st.session_state[name] = value
    return value is not None and value != before


def take(name: str) -> Any:
    """Return what was remembered, None for nothing, and forget it."""
    return st.session_state.pop(name, None)


def swap(name: str, value: Any) -> Any:
    """Remember `value` and return what was remembered before, `value` itself the first time."""
    before = st.session_state.get(name, value)
    st.session_state[name] = value
    return before
