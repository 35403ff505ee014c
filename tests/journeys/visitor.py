"""A person in front of the dashboard: what they do, what they can read, what their browser says."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Request
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

WAIT_S = 30.0
QUIET_S = 0.4

# Streamlit's own page asks for these two under the address of a page before it asks at the root.
KNOWN_404 = re.compile(r"^/\w+/_stcore/(health|host-config)$")


@dataclass(frozen=True)
class Server:
    """A running dashboard: its address, its cache, the folder it may read from, its log."""

    url: str
    cache: Path
    data: Path
    log: Path


class Visitor:
    """One page of a fresh browser; `complaints` and `elsewhere` gather what must not happen."""

    def __init__(self, context: BrowserContext, url: str):
        self.context = context
        self.url = url
        self.page = context.new_page()
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._ask)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        if "404" in message.text and KNOWN_404.match(urlsplit(message.location["url"]).path):
            return
        self.complaints.append(f"{message.text} ({message.location['url']})")

    def _ask(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.hostname != "localhost":
            self.elsewhere.append(request.url)

    # ---- going about ------------------------------------------------------------------------

    def go(self, path: str = "", is_live: bool = False) -> None:
        """Open an address of the dashboard and wait until it stands; a live page never does."""
        self.page.goto(f"{self.url}/{path}")
        if not is_live:
            self.settle()

    def turn_to(self, title: str) -> None:
        """Go to a page by the navigation."""
        self.page.get_by_test_id("stTopNavLink").filter(has_text=title).click()
        self.settle()

    def press(self, words: str) -> None:
        """Press a button."""
        self.page.get_by_role("button", name=words, exact=True).click()
        self.settle()

    def pick(self, option: str) -> None:
        """Pick one of the options that stand side by side."""
        main = self.page.get_by_test_id("stMain")
        main.get_by_test_id("stButtonGroup").get_by_text(option, exact=True).click()
        self.settle()

    def open_group(self, title: str) -> None:
        """Open a group of settings."""
        self.page.locator("summary").get_by_text(title, exact=True).click()
        self.settle()

    def choose(self, label: str, option: str) -> None:
        """Choose from a list by typing, as scrolling to it would close it again."""
        lists = self.page.get_by_test_id("stSelectbox").or_(
            self.page.get_by_test_id("stMultiSelect")
        )
        box = lists.filter(has=self.page.get_by_text(label, exact=True))
        field = box.locator("input").first
        offered = self.page.get_by_role("option", name=option, exact=True)

        def is_offered() -> bool:
            """Type it, again where the page was drawn anew in between and the list has closed."""
            field.focus()
            field.fill("")
            field.fill(option)
            try:
                offered.wait_for(timeout=5000)
            except PlaywrightTimeoutError:
                return False
            return True

        self.until(is_offered, f"{option} in the list {label}")
        field.press("Enter")
        field.press("Tab")
        self.settle()

    def settle(self) -> None:
        """Wait until the script has been at rest for a moment and every picture is drawn."""
        app = self.page.get_by_test_id("stApp")
        app.wait_for()
        undrawn = self.page.locator('[data-testid="stVegaLiteChart"]:not([aria-label])')
        since = None
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            if app.get_attribute("data-test-script-state") != "notRunning" or undrawn.count():
                since = None
            elif since is None:
                since = time.monotonic()
            elif time.monotonic() - since > QUIET_S:
                return
            self.page.wait_for_timeout(30)
        raise AssertionError(f"the page did not come to rest within {WAIT_S:.0f} s")

    def until(self, found: Callable[[], object], what: str, wait_s: float = WAIT_S) -> object:
        """Wait until something is found (is true) and return it."""
        end = time.monotonic() + wait_s
        while time.monotonic() < end:
            if result := found():
                return result
            self.page.wait_for_timeout(30)
        raise AssertionError(f"{what} did not come within {wait_s:.0f} s")

    # ---- reading ----------------------------------------------------------------------------

    def slider(self, label: str) -> Locator:
        return self.page.locator(f'input[type="range"][aria-label="{label}"]')

    def field(self, label: str) -> Locator:
        return self.page.locator(f'input[type="text"][aria-label="{label}"]')

    def metric(self, label: str) -> str:
        """Return a figure of the strip."""
        card = self.page.get_by_test_id("stMetric").filter(has_text=label)
        return card.get_by_test_id("stMetricValue").inner_text()

    def charts(self) -> list[str]:
        """Return what the pictures of the page say of themselves to those who cannot see them."""
        drawn = self.page.get_by_test_id("stMain").get_by_test_id("stVegaLiteChart")
        return [text or "" for text in drawn.evaluate_all("all => all.map(e => e.ariaLabel)")]

    def chart(self, start: str) -> str:
        """Return the description of the picture that starts like this, "" when there is none."""
        return next((text for text in self.charts() if text.startswith(start)), "")

    def see(self, start: str, wait_s: float = WAIT_S) -> str:
        """Wait for the picture whose description starts like this, and return the description."""
        return str(self.until(lambda: self.chart(start), f"the picture {start!r}", wait_s))

    def canvas(self, start: str) -> Locator:
        """Return the picture whose description starts like this."""
        return self.page.locator(f'[data-testid="stVegaLiteChart"][aria-label^="{start}"]')

    def text(self) -> str:
        """Return what can be read on the page."""
        return self.page.get_by_test_id("stApp").inner_text()

    def errors(self) -> list[str]:
        return self.page.get_by_test_id("stAlertContentError").all_inner_texts()

    def save(self, path: Path) -> None:
        """Keep what is seen, as a picture and as HTML."""
        self.page.screenshot(path=path.with_name(path.name + ".png"), full_page=True)
        path.with_name(path.name + ".html").write_text(self.page.content(), encoding="utf-8")
