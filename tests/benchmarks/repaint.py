"""From the press of a key to the new picture, in a real browser, on 1.8 million variants.

    python -m tests.benchmarks.repaint [--variants 1800000] [--presses 10]

Prints JSON: seconds from an arrow key on a threshold until the strip, the Manhattan plot and all
else on the Association page have been drawn anew (median and worst), and the bytes that the browser
receives for one move.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import WebSocket, sync_playwright

from tests.benchmarks.counts_cohort import write_counts_cohort
from tests.benchmarks.serving import served
from tests.journeys.conftest import CHROMIUM
from tests.journeys.visitor import Visitor


def measure(n_variants: int, n_presses: int) -> dict:
    with tempfile.TemporaryDirectory() as name:
        cache = Path(name)
        write_counts_cohort(cache, "big", n_variants)
        with served(cache) as serving, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=list(CHROMIUM)
            )
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            person = Visitor(context, serving.url)
            received = [0]
            person.page.on("websocket", lambda socket: _count(socket, received))
            person.go("association?cohort=big")
            person.see("Manhattan plot of", 120)
            person.settle()
            moved = [_press(person, received) for _ in range(n_presses + 1)][1:]
            seconds = [s for s, _ in moved]
            return {
                "variants": n_variants,
                "presses": n_presses,
                "key press to repaint, seconds, median": round(statistics.median(seconds), 2),
                "worst": round(max(seconds), 2),
                "bytes received a move, median": statistics.median(b for _, b in moved),
            }


def _count(socket: WebSocket, received: list[int]) -> None:
    def add(payload: str | bytes) -> None:
        received[0] += len(payload)

    socket.on("framereceived", add)


# Watched from within, frame by frame: questions from outside would slow down what they measure.
WATCH = """() => {
  const kept = () => [...document.querySelectorAll('[data-testid="stMetric"]')]
    .find(one => one.textContent.includes('Variants kept'))
    ?.querySelector('[data-testid="stMetricValue"]').textContent;
  const picture = () => [...document.querySelectorAll('[data-testid="stVegaLiteChart"]')]
    .map(one => one.getAttribute('aria-label') ?? '')
    .find(words => words.startsWith('Manhattan plot of'));
  const app = document.querySelector('[data-testid="stApp"]');
  const before = [kept(), picture()];
  window.repainted = new Promise((resolve, reject) => {
    addEventListener('keydown', async () => {
      const start = performance.now();
      while (performance.now() - start < 60000) {
        await new Promise(requestAnimationFrame);
        const isNew = kept() && kept() !== before[0] && picture() && picture() !== before[1];
        if (isNew && app.getAttribute('data-test-script-state') === 'notRunning')
          return resolve((performance.now() - start) / 1000);
      }
      reject(new Error('nothing was drawn anew within a minute'));
    }, {once: true, capture: true});
  });
}"""


def _press(person: Visitor, received: list[int]) -> tuple[float, int]:
    """Return seconds until all that changes has been drawn, and the bytes that came."""
    before = received[0]
    slider = person.slider("Smallest mean depth")
    slider.focus()
    person.page.evaluate(WATCH)
    slider.press("ArrowRight")
    seconds = person.page.evaluate("window.repainted")
    person.settle()
    return seconds, received[0] - before


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variants", type=int, default=1_800_000)
    parser.add_argument("--presses", type=int, default=10)
    asked = parser.parse_args()
    print(json.dumps(measure(asked.variants, asked.presses), indent=1))
