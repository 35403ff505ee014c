"""A real server, a real browser, and one simulated cohort for all journeys of a session."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from pipeline import claims, jobs
from pipeline.association import associate
from pipeline.audit import LOGISTIC
from pipeline.audit.stored import question, submit_audit
from pipeline.cohort import cohort_names, open_cohort
from pipeline.presets import apply_preset
from pipeline.quality import filter_variants
from pipeline.runs import Run, list_runs
from pipeline.settings import AnalysisSettings, with_changes
from pipeline.submit import submit_job, submit_training
from pipeline.summaries import top_table
from tests.journeys.visitor import Server, Visitor
from tests.tools import require_tool

ROOT = Path(__file__).resolve().parents[2]
ARTEFACTS = ROOT / "test-artefacts"
CHROMIUM = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
PATIENCE_S = 300.0  # for a job, on a machine that does other things too


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The dashboard with an empty cache, as `streamlit run` starts it; ended with its workers."""
    folder = tmp_path_factory.mktemp("journeys")
    cache, data = folder / "cache", folder / "data"
    data.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXOLENS_CACHE", str(cache))
        patch.setenv("EXOLENS_DATA", str(data))
        patch.setenv("EXOLENS_WORKER_IDLE_S", "20")
        port = free_port()
        command = [sys.executable, "-m", "streamlit", "run", "dashboard/app.py",
                   "--server.headless", "true", "--server.port", str(port)]  # fmt: skip
        log = folder / "server.log"
        with log.open("wb") as out:
            process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
        try:
            wait_until_healthy(port, process, log)
            yield Server(f"http://localhost:{port}", cache, data, log)
        finally:
            process.terminate()
            process.wait(20)
            for worker in claims.live_workers(cache):
                os.kill(worker.pid, signal.SIGTERM)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_healthy(port: int, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=1):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the server did not answer: {log.read_text()}")


@pytest.fixture(scope="session")
def simulated(server: Server) -> Server:
    """The server once it has the simulated cohort; made here when no journey has made it."""
    if "simulated" not in cohort_names(server.cache):
        job = submit_job(server.cache, "simulate", {"name": "simulated"})
        ended = jobs.wait(server.cache, job, timeout=PATIENCE_S)
        assert ended.state == "finished", ended
    return server


@pytest.fixture(scope="session")
def best(simulated: Server) -> dict:
    """The variant of smallest p under the default thresholds: the highest point of the plot."""
    cohort = open_cohort(simulated.cache, "simulated")
    filtered = filter_variants(cohort, AnalysisSettings().quality)
    best = top_table(cohort, filtered, associate(cohort, filtered), 1).iloc[0].to_dict()
    cohort.store.close()
    return best


@pytest.fixture(scope="session")
def trained(simulated: Server) -> Server:
    """The server once a quick training of the cohort has finished."""
    if not any(run.state == "finished" for run in list_runs(simulated.cache)):
        run = submit_training(simulated.cache, "simulated", apply_preset("quick"), "quick")
        ended = jobs.wait(simulated.cache, run.id, timeout=PATIENCE_S)
        assert ended.state == "finished", ended
    return simulated


@pytest.fixture
def fresh_run(simulated: Server) -> Run:
    """A quick training that has just finished: nothing was asked of it, nothing changed in it."""
    seed = {"split.seed": 100 + len(list_runs(simulated.cache))}
    settings = apply_preset("quick", with_changes(AnalysisSettings(), seed))
    run = submit_training(simulated.cache, "simulated", settings, "quick")
    ended = jobs.wait(simulated.cache, run.id, timeout=PATIENCE_S)
    assert ended.state == "finished", ended
    return run


@pytest.fixture(scope="session")
def audited(trained: Server) -> Server:
    """The server once the training has been audited by a regression, and looked into."""
    run = next(run for run in list_runs(trained.cache) if run.state == "finished")
    cohort = open_cohort(trained.cache, "simulated")
    asked = question(cohort, run.analysis(), LOGISTIC)
    cohort.store.close()
    for job in (
        *(submit_audit(trained.cache, asked, part) for part in ("protocols", "leaks", "people")),
        jobs.submit(trained.cache, "attribute", {"run": run.id, "name": "simulated"},
                    f"attribute-{run.id}"),
    ):  # fmt: skip
        ended = jobs.wait(trained.cache, job, timeout=PATIENCE_S)
        assert ended.state == "finished", ended
    return trained


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = require_tool("chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM))
        yield launched
        launched.close()


@pytest.fixture
def visit(
    server: Server, browser: Browser, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Visitor]]:
    """Return a function that opens a page in a browser of its own, as another person would.

    At the end no page may have complained on its console or asked for anything elsewhere. When
    the test fails, what each of them saw lies in test-artefacts/.
    """
    visitors: list[Visitor] = []

    def open_page(path: str = "", *, is_live: bool = False, **context) -> Visitor:
        options = {"viewport": {"width": 1440, "height": 900}} | context
        visitor = Visitor(browser.new_context(**options), server.url)
        visitors.append(visitor)
        visitor.go(path, is_live)
        return visitor

    yield open_page
    report = getattr(request.node, "report_of_call", None)
    if report is None or report.failed:
        ARTEFACTS.mkdir(exist_ok=True)
        for number, visitor in enumerate(visitors, 1):
            name = re.sub(r"[^\w.-]+", "-", f"{request.node.name}-{number}")
            visitor.save(ARTEFACTS / name)
    for visitor in visitors:
        visitor.context.close()
    for visitor in visitors:
        assert visitor.complaints == []
        assert visitor.elsewhere == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    report = yield
    if report.when == "call":
        item.report_of_call = report
    return report
