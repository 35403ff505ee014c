"""Choosing a folder of the server, below those that it may read from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import access, state


def choose(purpose: str) -> Path:
    """Draw a field for a folder with ways up and down, and return the folder.

    `purpose` keeps the fields of several forms apart. Raises `InputError` for a folder elsewhere.
    """
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    typed = left.text_input(
        "Folder on this machine",
        value=str(access.allowed_folders()[0]),
        key=f"{purpose}_folder",
        help="Files are read where they lie; nothing is uploaded.",
    )
    folder = access.allowed_folder(typed)
    _others(right, folder, purpose)
    return folder


def _others(place: Any, folder: Path, purpose: str) -> None:
    """Offer the folders inside and the one above."""
    above = access.folder_above(folder)
    targets = {"Up": str(above)} if above else {}
    targets |= {name: str(folder / name) for name in access.folders_in(folder)}
    with place.popover("Other folders", icon=":material/folder:", disabled=not targets,
                       width="stretch", key=f"{purpose}_folders"):  # fmt: skip
        for name, target in targets.items():
            st.button(
                name,
                icon=":material/arrow_upward:" if name == "Up" else ":material/folder:",
                key=f"{purpose}_go_{target}",
                type="tertiary",
                on_click=state.set_widgets,
                args=({f"{purpose}_folder": target},),
            )
