"""What a person in front of the browser waits for, and what it costs, on 1.8 million variants.

    python -m tests.benchmarks.browser [--variants 1800000] [--visits 5] [--browsers 20]

Prints JSON. Beside Exolens, in the same minute, a bare Streamlit app with one picture shows what
the frame itself takes on this machine:
- from the start of the server's process to the first picture of the page Cohort, and the ratio to
  the bare app's;
- from a click in the navigation until the first picture of the page is drawn, and until it has
  come to rest with all of them;
- from the end of an epoch until the curves show it;
- the bytes that a browser receives for a view beyond the files of the frame;
- the memory of the server with so many browsers open on the page Association.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, WebSocket, sync_playwright

from pipeline import runs
from pipeline.cohort import open_cohort
from pipeline.epochs import EpochRecord
from pipeline.presets import apply_preset
from tests.benchmarks.counts_cohort import write_counts_cohort
from tests.benchmarks.serving import Serving, served
from tests.journeys.conftest import CHROMIUM, PATIENCE_S
from tests.journeys.visitor import Visitor

BARE = """
import altair as alt
import pandas as pd
import streamlit as st

def page(title):
    def show():
        st.title(title)
        st.altair_chart(alt.Chart(pd.DataFrame({"x": range(9)}), description=title)
                        .mark_point().encode(x="x"))
    return show

st.navigation([st.Page(page(t), title=t, url_path=t.lower()) for t in ("One", "Two")],
              position="top").run()
"""
PARTS = ("start", "pages", "live", "memory")
PAGES = ("Quality", "Association", "Genes", "Training", "Compare", "Audit", "Cohort")
CURVES = "Curves over"
DRAWN = '[data-testid="stVegaLiteChart"][aria-label]'
# Watched from within, frame by frame: questions from outside would slow down what they measure.
CHANGE = """async name => {
  const pictures = '[data-testid="stMain"] [data-testid="stVegaLiteChart"][aria-label] ' +
    ':is(svg, canvas)';
  const undrawn = '[data-testid="stVegaLiteChart"]:not([aria-label])';
  const app = document.querySelector('[data-testid="stApp"]');
  const link = [...document.querySelectorAll('[data-testid="stTopNavLink"]')]
    .find(one => one.textContent.includes(name));
  const title = document.title, before = new Set(document.querySelectorAll(pictures));
  const start = performance.now(), found = {};
  link.click();
  while (performance.now() - start < 60000) {
    await new Promise(requestAnimationFrame);
    if (document.title === title) continue;
    const seconds = (performance.now() - start) / 1000;
    const isNew = [...document.querySelectorAll(pictures)].some(one => !before.has(one));
    if (isNew && !('first picture' in found)) found['first picture'] = seconds;
    const isAtRest = app.getAttribute('data-test-script-state') === 'notRunning';
    if (isAtRest && !document.querySelector(undrawn))
      return {'first picture': seconds, ...found, 'at rest': seconds};
  }
  throw new Error('the page did not come within a minute');
}"""
VIEW = {"viewport": {"width": 1440, "height": 900}}


def measure(n_variants: int, n_visits: int, n_browsers: int, parts: Sequence[str]) -> dict:
    found: dict = {"variants": n_variants}
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        cache = Path(name)
        write_counts_cohort(cache, "big", n_variants)
        bare = cache / "bare.py"
        bare.write_text(BARE)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(CHROMIUM)
        )
        if "start" in parts:
            starts = _starts(browser, cache, bare, n_visits)
            found["first picture after a cold start, seconds, median"] = _medians(starts)
            found["ratio of cold starts"] = _ratio(starts)
        if "pages" in parts:
            with served(cache, bare) as serving:
                found["page change, bare app, seconds, median"] = _page_changes(
                    browser, serving.url, ("Two", "One"), n_visits
                )
            with served(cache) as serving:
                found["page change, seconds, median"] = _page_changes(
                    browser, serving.url, PAGES, n_visits
                )
                found["bytes received a view"] = _bytes(browser, serving.url)
        if "live" in parts:
            with served(cache) as serving:
                found["live curve after an epoch, seconds"] = _live(browser, serving.url, cache)
        if "memory" in parts:
            with served(cache) as serving:
                found |= _memory(browser, serving, n_browsers)
    return found


def _starts(browser: Browser, cache: Path, bare: Path, n_visits: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {"exolens": [], "bare": []}
    for _ in range(n_visits):
        for app, script in (("exolens", None), ("bare", bare)):
            found[app].append(_first_paint(browser, cache, script))
    return found


def _medians(seconds: dict[str, list[float]]) -> dict[str, float]:
    return {name: round(statistics.median(values), 2) for name, values in seconds.items()}


def _ratio(starts: dict[str, list[float]]) -> float:
    middle = {name: statistics.median(values) for name, values in starts.items()}
    return round(middle["exolens"] / middle["bare"], 2)


def _first_paint(browser: Browser, cache: Path, script: Path | None) -> float:
    """Return seconds from the start of the process to the first picture of its first page."""
    with served(cache, script) as serving:
        context = browser.new_context(**VIEW)
        person = Visitor(context, serving.url)
        person.go(is_live=True)
        drawn = person.page.get_by_test_id("stMain").locator(DRAWN)
        drawn.first.wait_for(timeout=60_000)
        seconds = time.perf_counter() - serving.started
        context.close()
    return seconds


def _page_changes(
    browser: Browser, url: str, pages: tuple[str, ...], n_visits: int
) -> dict[str, dict[str, float]]:
    """Return median seconds of a change to each page, but for the first visit of each."""
    context = browser.new_context(**VIEW)
    person = Visitor(context, url)
    person.go()
    found: dict[str, list[dict[str, float]]] = {page: [] for page in pages}
    for visit in range(n_visits + 1):
        for page in pages:
            seconds = person.page.evaluate(CHANGE, page)
            person.settle()
            if visit:
                found[page].append(seconds)
    context.close()
    return {
        page: {
            what: round(statistics.median(one[what] for one in seconds), 2)
            for what in ("first picture", "at rest")
        }
        for page, seconds in found.items()
    }


def _bytes(browser: Browser, url: str) -> dict[str, int]:
    """Return what the server sends for each page to a browser that has the frame already."""
    found = {}
    for page in PAGES:
        context = browser.new_context(**VIEW)
        person = Visitor(context, url)
        received = [0]
        person.page.on("websocket", lambda socket, received=received: _count(socket, received))
        person.go("" if page == "Cohort" else page.lower())
        found[page] = received[0]
        context.close()
    return found


def _count(socket: WebSocket, received: list[int]) -> None:
    def add(payload: str | bytes) -> None:
        received[0] += len(payload)

    socket.on("framereceived", add)


def _live(browser: Browser, url: str, cache: Path, n_epochs: int = 12) -> dict[str, float]:
    """Return how long after an epoch its curves have been drawn: the median and the worst."""
    cohort = open_cohort(cache, "big")
    run = runs.create(cache, "big", cohort.fingerprint, apply_preset("quick"), "quick", "", "")
    cohort.store.close()
    runs.update_state(run, "running")
    _append_epoch(run, 1)
    context = browser.new_context(**VIEW)
    person = Visitor(context, url)
    person.go(f"run?run={run.id}", is_live=True)
    seen = person.see(CURVES)
    waited = []
    for epoch in range(2, n_epochs + 2):
        person.page.wait_for_timeout(1500 + 137 * epoch)  # at any moment between two looks
        start = time.perf_counter()
        _append_epoch(run, epoch)
        while person.chart(CURVES) == seen:
            time.sleep(0.005)
        waited.append(time.perf_counter() - start)
        seen = person.chart(CURVES)
    context.close()
    runs.update_state(run, "cancelled")
    return {"median": round(statistics.median(waited), 2), "worst": round(max(waited), 2)}


def _append_epoch(run: runs.Run, epoch: int) -> None:
    loss = 0.7 - 0.01 * epoch
    runs.append_progress(
        run, EpochRecord(0, epoch, loss, 0.6, loss, 0.6 + 0.01 * epoch, 0.6, 1e-3, 1.0)
    )


def _memory(browser: Browser, serving: Serving, n_browsers: int) -> dict[str, float]:
    """Return the server's memory with so many browsers open, and with one of them at work."""
    people = []
    for _ in range(n_browsers):
        person = Visitor(browser.new_context(**VIEW), serving.url)
        person.page.set_default_timeout(PATIENCE_S * 1000)
        person.go("association", is_live=True)
        person.see("Manhattan plot of", PATIENCE_S)
        people.append(person)
    for person in people:  # each sees another thing
        slider = person.slider("Smallest mean depth")
        slider.focus()
        for _ in range(1 + people.index(person)):
            slider.press("ArrowRight")
        person.see("Manhattan plot of", PATIENCE_S)
    now, peak = (_status(serving.pid, name) for name in ("VmRSS", "VmHWM"))
    return {"browsers": n_browsers, "server, MB": now, "server at most, MB": peak}


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) // 1000


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variants", type=int, default=1_800_000)
    parser.add_argument("--visits", type=int, default=5)
    parser.add_argument("--browsers", type=int, default=20)
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS)
    asked = parser.parse_args()
    os.environ.setdefault("EXOLENS_DATA", tempfile.gettempdir())
    print(json.dumps(measure(asked.variants, asked.visits, asked.browsers, asked.parts), indent=1))
