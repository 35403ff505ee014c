"""Every page in every state of the cache: sentences and figures, never an exception."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.runtime.state.query_params import QueryParams
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from dashboard.frame import PAGES
from pipeline import jobs, runs
from pipeline.claims import holder
from pipeline.cohort import open_cohort
from pipeline.quality import filter_variants
from pipeline.settings import AnalysisSettings, QualitySettings
from tests.small_cohorts import make_cohort, vcf_text

APP = str(Path(__file__).resolve().parents[2] / "dashboard" / "app.py")
EVERY_PAGE = pytest.mark.parametrize("page", PAGES)
N_PEOPLE = 40


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """A cache with one cohort of twenty cases, twenty controls and 300 variants."""
    return _cache(tmp_path_factory.mktemp("pages"), ["case", "control"])


def _cache(folder: Path, diagnoses: list[str], name: str = "small") -> Path:
    rng = np.random.default_rng(3)
    people = [f"P{i}" for i in range(N_PEOPLE)]
    words = np.array(["0/0:20:60", "0/1:22:70", "1/1:25:80", "./.:0:0"])
    calls = rng.choice(4, size=(300, N_PEOPLE), p=[0.6, 0.25, 0.1, 0.05])
    records = [
        (1 + i % 2, 1000 * (i + 1), "A", "G", "GT:DP:GQ", *words[row])
        for i, row in enumerate(calls)
    ]
    given = {person: diagnoses[i % len(diagnoses)] for i, person in enumerate(people)}
    cohort = make_cohort(folder, vcf_text(sorted(records), people), given, name=name)
    cohort.store.close()
    return folder / "cache"


@pytest.fixture
def show(monkeypatch):
    """Return a function that opens a page over a cache as a link does."""

    def open_page(cache: Path, page: str = "cohort", **link: str) -> AppTest:
        monkeypatch.setenv("EXOLENS_CACHE", str(cache))
        monkeypatch.setenv("EXOLENS_DATA", str(cache.parent))
        app = AppTest.from_file(APP, default_timeout=60)
        # `switch_page` knows files alone; our pages are functions, known by their address.
        app._page_hash = calc_hash(page) if page else ""
        for name, value in link.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception, [problem.value for problem in app.exception]
        return app

    return open_page


def words(app: AppTest) -> str:
    """Return all that is said on the page."""
    said = [*app.title, *app.header, *app.subheader, *app.markdown, *app.caption, *app.error]
    return "\n".join(element.value for element in said)


def figure(app: AppTest, label: str) -> str:
    return next(metric.value for metric in app.metric if metric.label == label)


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    app.run()
    assert not app.exception
    return app


@EVERY_PAGE
def test_an_empty_cache_shows_two_ways_in_under_every_address(page, show, tmp_path):
    app = show(tmp_path / "cache", page)
    assert "Try with a simulated cohort" in words(app)
    assert "Use your own files" in words(app)


def test_files_can_be_named_before_there_is_a_cohort(show, tmp_path):
    app = press(show(tmp_path / "cache", ""), "Choose files")
    assert "This folder has no VCF, BCF" in words(app)
    app.text_input(key="ingest_folder").set_value("/etc").run()
    assert "EXOLENS_DATA" in app.error[0].value


@EVERY_PAGE
def test_a_page_drawn_again_leaves_the_address_alone(page, show, small, monkeypatch):
    """What it would send is the address of a moment ago, without what was moved since."""
    app = show(small, page)
    app.run()  # the first run may name what it shows
    sent = []
    monkeypatch.setattr(
        QueryParams, "_send_query_param_msg", lambda params: sent.append(str(params))
    )
    app.run()
    assert not app.exception
    assert sent == []


@EVERY_PAGE
def test_every_page_draws(page, show, small):
    app = show(small, page)
    assert not app.error
    assert app.selectbox(key="cohort_choice").value == "small"
    titles = {
        "cohort": "small",
        "quality": "What did we throw away, and why?",
        "genes": "Which genes carry the signal?",
        "association": "Where is the signal?",
        "training": "What shall the network see, and how shall it learn?",
        "run": "Can we believe it?",
        "compare": "What changed, and did it matter?",
        "audit": "Would noise have scored the same?",
        "present": "The story for a room",
    }
    assert app.title[0].value == titles[page]


@pytest.mark.parametrize("page", ["quality", "association", "training"])
def test_the_strip_is_the_same_everywhere(page, show, small):
    app = show(small, page, **{"quality.min_call_rate": "0.98"})
    cohort = open_cohort(small, "small")
    kept = len(filter_variants(cohort, QualitySettings(min_call_rate=0.98)).kept)
    cohort.store.close()
    assert 0 < kept < 300
    assert figure(app, "Variants kept") == f"{kept:,}"
    assert figure(app, "People") == "20 / 20"


@pytest.mark.parametrize(
    ("page", "advice"),
    [
        ("quality", "keep no variant"),
        ("association", "oosen"),
        ("training", "oosen"),
        ("run", "No run yet"),
        ("cohort", "300 variants"),
    ],
)
def test_thresholds_that_keep_nothing(page, advice, show, small):
    app = show(small, page, **{"quality.min_mean_depth": "150"})
    assert advice in words(app)
    if page in ("quality", "association", "training"):
        assert figure(app, "Variants kept") == "0"


def test_no_run_yet_says_where_to_go(show, small):
    assert "Training" in words(show(small, "run"))


@pytest.fixture
def failed(small):
    """The id of a run whose training went wrong, as a worker leaves it; gone afterwards."""
    cohort = open_cohort(small, "small")
    run = runs.create(small, "small", cohort.fingerprint, AnalysisSettings(), "final_2d")
    cohort.store.close()
    jobs.submit(small, "train", {"run": run.id})
    attempt = jobs.take(small, holder())
    jobs.settle(small, attempt, "running")
    run.log_path.write_text("the last line of the log\n")
    jobs.finish(small, attempt, "failed", "The disk is full; free some space.")
    yield run.id
    shutil.rmtree(run.folder)
    shutil.rmtree(small / "jobs")


def test_a_failed_run_says_why_and_can_be_tried_again(failed, show, small):
    app = show(small, "run", run=failed)
    assert app.error[0].value == "The disk is full; free some space."
    assert "failed" in words(app)
    assert "the last line of the log" in app.code[0].value
    assert any(button.label == "Start it again" for button in app.button)


def test_a_run_that_is_not_there_is_told(failed, show, small):
    app = show(small, "run", run="0123456789abcdef")
    assert "0123456789abcdef" in app.error[0].value


def test_a_run_of_no_name_on_the_page_training(show, small):
    assert "../../etc" in show(small, "training", run="../../etc").error[0].value


@EVERY_PAGE
def test_one_class_is_told_in_a_sentence(page, show, tmp_path):
    app = show(_cache(tmp_path, ["case"]), page)
    if page in ("association", "training"):
        assert "needs cases and controls" in words(app)
    if page == "quality":
        assert figure(app, "People") == "40 / 0"


@EVERY_PAGE
def test_many_diagnoses_are_to_be_named(page, show, tmp_path):
    app = show(_cache(tmp_path, ["migraine", "asthma", "gout"]), page)
    assert "Cases and controls" in app.error[0].value
    app.multiselect(key="people.case").set_value(["gout"])
    app.multiselect(key="people.control").set_value(["asthma"])
    app.run()
    assert not app.exception
    assert not app.error


def test_a_diagnosis_on_both_sides_is_told(show, small):
    app = show(small, "quality")
    app.multiselect(key="people.control").set_value(["case", "control"]).run()
    assert not app.exception
    assert "is both" in app.error[0].value


def test_another_cohort_brings_its_own_diagnoses(show, tmp_path):
    cache = _cache(tmp_path, ["case", "control"], "first")
    _cache(tmp_path, ["SCZ", "BP", "unaffected", "unaffected"], "second")
    app = show(cache, "quality")
    for name, people in (("second", "10 / 20"), ("first", "20 / 20")):
        app.selectbox(key="cohort_choice").set_value(name).run()
        assert not app.exception
        assert not app.error
        assert figure(app, "People") == people


def test_a_selection_of_nothing_says_what_to_loosen(show, small):
    app = show(small, "training", **{"selection.max_p": "1e-10"})
    assert "raise the largest p" in words(app)


def test_a_cohort_is_deleted_only_when_asked_twice(show, tmp_path):
    cache = _cache(tmp_path, ["case", "control"])
    app = press(show(cache), "Delete this cohort")
    assert "runs stay" in app.warning[0].value
    assert (cache / "cohorts" / "small").is_dir()
    app = press(app, "Yes, delete it")
    assert "Try with a simulated cohort" in words(app)
    assert not (cache / "cohorts" / "small").exists()


def test_a_failed_ingest_says_why_until_it_is_read(show, small, monkeypatch):
    app = show(small, "quality")
    job_id = jobs.submit(small, "ingest", {"name": "torn"}, "ingest-torn")
    app.run()
    assert "**Reading the cohort** torn" in words(app)
    attempt = jobs.take(small, holder())
    jobs.finish(small, attempt, "failed", "The file torn.vcf.gz ends too early; copy it again.")
    assert not jobs.job(small, job_id).is_open
    app.run()
    app.run()
    assert app.error[0].value == "torn: The file torn.vcf.gz ends too early; copy it again."
    app = press(app, "Close")
    assert not app.error


def test_a_scheduler_that_does_not_answer_is_told_and_the_page_is_there(show, small, monkeypatch):
    monkeypatch.setenv("EXOLENS_ENGINE", "tcp://127.0.0.1:1")
    app = show(small, "cohort")
    assert app.title[0].value == "small"
    assert "none answered at tcp://127.0.0.1:1" in app.error[0].value
