"""The report of a run: one file that asks for nothing, always the same, and of no single person."""

from __future__ import annotations

import io
import json
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline import runs
from pipeline.cli import main
from pipeline.epochs import EpochRecord
from pipeline.errors import Cancelled, InputError, NotComputedError, SettingsError
from pipeline.keeping.run_notes import write_notes
from pipeline.progress import Progress
from pipeline.report import ENDINGS, made_on, report_job, report_path, write_report
from pipeline.runs import Run
from pipeline.settings import AnalysisSettings, with_changes
from tests.small_cohorts import make_cohort, vcf_text
from tests.test_checklist import make_run

PEOPLE = [f"SECRETPERSON{i:03}" for i in range(60)]
SCORES = [0.123456789 + i / 1000 for i in range(60)]
NOTE = '</script><script>alert(1)</script>\n#panic("typst") $x$ *bold* =cmd @ref <label>'
MADE = "2026-11-23"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of people whose names are secret, with a note that would be code anywhere."""
    folder = tmp_path_factory.mktemp("report")
    rng = np.random.default_rng(2)
    calls = rng.choice(3, size=(300, len(PEOPLE)), p=[0.49, 0.42, 0.09])
    words = np.array(["0/0:20:60", "0/1:22:70", "1/1:25:80"])
    records = [
        (1 + i % 2, 1000 * (i + 1), "A", "G", "GT:DP:GQ", *words[row])
        for i, row in enumerate(calls)
    ]
    given = {one: ("SCZ", "control")[i % 2] for i, one in enumerate(PEOPLE)}
    make_cohort(folder, vcf_text(sorted(records), PEOPLE), given).store.close()
    made = make_run(folder / "cache")
    for epoch in range(1, 5):
        runs.append_progress(made, EpochRecord(
            fold=0, epoch=epoch, loss=0.7 / epoch, accuracy=0.6, val_loss=0.69, val_accuracy=0.58,
            val_auc=0.6, learning_rate=1e-4, seconds=1.0,
        ))  # fmt: skip
    private = made.folder / "private"
    private.mkdir(exist_ok=True)
    pd.DataFrame({"sample": PEOPLE, "score": SCORES}).to_parquet(private / "predictions.parquet")
    write_notes(made.cache, made.id, {"title": "A <b>bold</b> run", "note": NOTE}, "")
    return runs.load(made.cache, made.id)


@pytest.fixture(scope="module")
def made(run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The report of each kind."""
    folder = tmp_path_factory.mktemp("made")
    told: list[Progress] = []
    found = {
        ending: write_report(run, folder / f"r.{ending}", told.append, MADE).read_bytes()
        for ending in ENDINGS
    }
    assert len({one.phase for one in told}) >= 3
    return found


class _Page(HTMLParser):
    """Gathers what a page names: ids, links, what it loads, its scripts."""

    def __init__(self, text: str):
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.scripts: list[dict] = []
        self.metas: dict[str, str] = {}
        self.lang = self.charts = None
        self.alternatives: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        found = dict(attributes)
        self.ids += [found["id"]] if "id" in found else []
        self.loads += [found[name] for name in ("src", "srcset", "data", "poster") if name in found]
        if tag == "a":
            self.links.append(found["href"])
        if tag == "html":
            self.lang = found["lang"]
        if tag == "link":
            self.loads.append(found["href"])
        if tag == "script":
            self.scripts.append(found)
        if tag == "meta" and "http-equiv" in found:
            self.metas[found["http-equiv"]] = found["content"]
        if "data-chart" in found:
            self.alternatives.append(found["aria-label"])


def test_html_is_one_file_that_asks_for_nothing(made):
    text = made["html"].decode()
    page = _Page(text)
    assert len(made["html"]) < 5_000_000
    assert page.loads == []
    assert page.lang == "en"
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert len(page.links) >= 10
    policy = page.metas["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'sha256-" in policy
    assert "'unsafe-inline'" not in policy.split("style-src")[0]
    assert len(page.alternatives) >= 5
    assert all(len(words) > 20 for words in page.alternatives)


def test_html_says_what_the_run_says(made, run):
    text = made["html"].decode()
    for expected in (run.id, "On 10 people it had never seen", "Bonferroni", "Checklist",
                     "Smallest call rate", "TRIPOD+AI", f"Made by Exolens on {MADE}",
                     "Everything that made this run"):  # fmt: skip
        assert expected in text
    for version in run.versions.values():
        assert version is None or version in text


def test_what_people_wrote_is_no_code(made):
    text = made["html"].decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<script>alert(1)" not in text
    assert "A &lt;b&gt;bold&lt;/b&gt; run" in text
    assert len([one for one in _Page(text).scripts if "type" not in one]) == 2


def test_pdf_is_whole(made):
    assert made["pdf"].startswith(b"%PDF-")
    assert made["pdf"].rstrip().endswith(b"%%EOF")
    assert len(made["pdf"]) < 5_000_000


def test_zip_has_every_figure_and_table_of_each_kind(made):
    with zipfile.ZipFile(io.BytesIO(made["zip"])) as packed:
        assert packed.testzip() is None
        names = packed.namelist()
        figures = {Path(name).stem for name in names if name.startswith("figures/")}
        tables = {Path(name).stem for name in names if name.startswith("tables/")}
        assert len(figures) >= 5
        assert len(tables) >= 4
        assert {f"figures/{one}.{kind}" for one in figures for kind in ("svg", "pdf", "png")} | {
            f"tables/{one}.{kind}" for one in tables for kind in ("csv", "parquet")
        } | {"README.txt", "methods.md", "run.json"} == set(names)
        assert {entry.date_time for entry in packed.infolist()} == {(2026, 11, 23, 0, 0, 0)}
        for one in figures:
            svg = packed.read(f"figures/{one}.svg").decode()
            assert "run " in svg, "the caption names the run"
            picture = Image.open(io.BytesIO(packed.read(f"figures/{one}.png")))
            assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.5)
        for one in tables:
            written = pd.read_csv(io.BytesIO(packed.read(f"tables/{one}.csv")))
            kept = pd.read_parquet(io.BytesIO(packed.read(f"tables/{one}.parquet")))
            assert written.shape == kept.shape
        about = json.loads(packed.read("run.json"))
        assert about["settings"]["quality"]["min_call_rate"] == 0.9
        assert about["versions"]["python"]


def test_nothing_of_a_single_person_is_in_it(made):
    contents = {"html": made["html"], "pdf": made["pdf"]}
    with zipfile.ZipFile(io.BytesIO(made["zip"])) as packed:
        contents |= {name: packed.read(name) for name in packed.namelist()}
    scores = re.compile("|".join(re.escape(f"{score:.6f}") for score in SCORES).encode())
    for name, content in contents.items():
        assert b"SECRETPERSON" not in content, name
        assert not scores.search(content), name


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_run_and_date_give_the_same_bytes(ending, made, run, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795392000")  # 2026-11-23
    assert write_report(run, tmp_path / f"again.{ending}").read_bytes() == made[ending]


def test_the_date_is_all_that_changes(made, run, tmp_path):
    other = write_report(run, tmp_path / "r.html", made="2027-01-02").read_bytes()
    assert other != made["html"]
    assert other.replace(b"2027-01-02", MADE.encode()) == made["html"]


def test_the_date_is_that_of_the_build_where_one_is_named(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert made_on() == "1970-01-02"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(SettingsError, match="SOURCE_DATE_EPOCH is a number of seconds"):
        made_on()


def test_the_verb_writes_it_and_says_how_large_it_is(run, tmp_path, capfd):
    out = tmp_path / "r.html"
    command = ["report", run.id, "--cache", str(run.cache), "--out", str(out), "--json"]
    assert main(command) == 0
    said = json.loads(capfd.readouterr().out)
    assert said["bytes"] == out.stat().st_size
    assert (said["run"], said["kind"], said["file"]) == (run.id, "html", str(out))
    assert main(command) == 1
    assert "add --force" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("out", "words"),
    [("r.docx", "ends in .html, .pdf or .zip"), ("no/such/r.html", "make it first"),
     ("folder.html", "could not be written")],
)  # fmt: skip
def test_what_cannot_be_written_is_told_in_a_sentence(out, words, run, tmp_path, capfd):
    (tmp_path / "folder.html").mkdir()
    command = ["report", run.id, "--cache", str(run.cache), "--out", str(tmp_path / out), "--force"]
    assert main(command) == 1
    said = capfd.readouterr()
    assert words in said.err.splitlines()[-1]
    assert "Traceback" not in said.err


def test_a_run_that_is_not_measured_has_no_report(run, tmp_path, capfd):
    settings = with_changes(AnalysisSettings(), {"split.seed": 77})
    waiting = runs.create(run.cache, "small", run.fingerprint, settings)
    with pytest.raises(NotComputedError):
        write_report(waiting, tmp_path / "r.html")
    command = ["report", waiting.id, "--cache", str(run.cache), "--out", str(tmp_path / "r.html")]
    assert main(command) == 1
    assert len(capfd.readouterr().err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_stop_leaves_nothing(run, tmp_path):
    def stop(progress: Progress) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        write_report(run, tmp_path / "r.html", stop)
    assert list(tmp_path.iterdir()) == []


def test_a_job_leaves_it_beside_the_run(run):
    told = report_job(run.cache, {"run": run.id, "ending": "html"}, lambda progress: None)
    assert report_path(run, "html").stat().st_size == told["bytes"]


def test_another_ending_is_refused_before_any_work(run, tmp_path):
    with pytest.raises(InputError, match=r"but r\.txt was named"):
        write_report(run, tmp_path / "r.txt")
