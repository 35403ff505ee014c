"""The dashboard's front door: `python -m streamlit run dashboard/app.py`.

Streamlit imports this file once, when the server starts, and runs it anew for each visit.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import streamlit as st
from streamlit.cli_util import open_browser
from streamlit.web.server.server_util import get_display_address, get_url

# `streamlit run` starts the path at this folder; the pipeline lies beside it.
ROOT = str(Path(__file__).resolve().parents[1])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)


def load() -> ModuleType:
    """Return the frame of all pages; the first call loads what they need."""
    is_first = "dashboard.frame" not in sys.modules
    if is_first:
        gc.disable()  # definitions by the hundred thousand come, and all of them stay
    try:
        from dashboard import frame
    finally:
        gc.enable()
    if is_first:
        gc.freeze()  # nor are they looked through later
    return frame


def give_memory_back() -> None:
    """Have arrays that are done with leave the process, where its C library is that of Linux.

    By default each thread keeps what it had, and every visit is a thread: twice the memory.
    """
    tuned = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if tuned is not None:
        m_mmap_threshold, m_arena_max = -3, -8  # malloc.h
        tuned(m_mmap_threshold, 1 << 20)
        tuned(m_arena_max, 2)


def make_ready() -> None:
    load()
    give_memory_back()  # not before: it slows down what loads


@asynccontextmanager
async def loading(_app: st.App) -> AsyncIterator[None]:
    """Load the pages while the first browser still fetches Streamlit's own files."""
    loop = asyncio.get_running_loop()
    loaded = loop.run_in_executor(None, make_ready)
    if not st.get_option("server.headless"):  # an app with a start of its own has to do it itself
        address = st.get_option("server.address") or "localhost"
        loop.call_soon(open_browser, get_url(get_display_address(address)))
    yield
    await loaded
    gc.unfreeze()  # what the pages hold can end


if __name__ == "__main__":
    load().show()
else:
    app = st.App(Path(__file__).resolve(), lifespan=loading)
