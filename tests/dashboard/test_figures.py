"""The figures of a story: one a part, valid, with its numbers, in both palettes, no Streamlit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import altair as alt
import pytest
import vl_convert as vlc

from dashboard.figures import beside, figure, slide_figures
from dashboard.theme import DARK, LIGHT
from pipeline import runs
from pipeline.audit import LOGISTIC, NETWORK
from pipeline.audit.stored import question, write_answer
from pipeline.cohort import open_cohort
from pipeline.epochs import EpochRecord
from pipeline.story import PARTS, Story, n_above, story_of
from tests.test_checklist import make_run, write_cohort
from tests.test_story import summary

ROOT = Path(__file__).resolve().parents[2]
DRAWN = tuple(part for part in PARTS if part != "caveats")


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> Story:
    """The story of a run that was measured and audited."""
    cache = write_cohort(tmp_path_factory.mktemp("figures"))
    run = make_run(cache)
    for epoch in range(1, 10):
        runs.append_progress(run, EpochRecord(0, epoch, 0.7, 0.5, 0.6, 0.6, 0.6, 1e-3, 1.0))
    metrics = json.loads(run.metrics_path.read_text())
    metrics["baselines"]["logistic_l1"] = metrics["test"]
    runs.write_metrics(run, metrics)
    cohort = open_cohort(cache, "small")
    for model, auc in ((LOGISTIC, 0.95), (NETWORK, 0.85)):
        asked = question(cohort, run.analysis(), model)
        write_answer(cache, asked, "protocols", summary(auc), is_complete=True)
    cohort.store.close()
    return story_of(run)


def drawing(made: alt.TopLevelMixin) -> str:
    return vlc.vegalite_to_svg(made.properties(width=1100).to_dict())


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("name", DRAWN)
def test_every_part_but_the_last_has_a_figure(story, name, palette):
    made = figure(story.part(name), palette)
    spec = made.to_dict()
    assert spec["config"]["background"] == palette.background
    assert len(spec["description"]) > 20
    assert drawing(made).startswith("<svg")


def test_words_alone_have_none(story):
    assert figure(story.part("caveats")) is None
    assert slide_figures(story.part("caveats")) == ()


def test_a_part_that_cannot_be_told_has_none(tmp_path):
    run = make_run(write_cohort(tmp_path), split__seed=3)
    told = story_of(run)
    for name in ("audit", "curves"):
        assert figure(told.part(name)) is None
        assert slide_figures(told.part(name)) == ()


def test_figures_hold_the_numbers_of_their_part(story):
    assert "30" in drawing(figure(story.part("cohort")))
    assert "Bonferroni of 300 tests" in drawing(figure(story.part("manhattan")))
    matrix = drawing(figure(story.part("confusion")))
    assert "5 of 10 people are called right" in matrix
    assert "Logistic regression, L1" in drawing(beside(story.part("confusion")))
    assert beside(story.part("funnel")) is None


def test_the_funnel_leaves_out_what_is_off(story):
    drawn = drawing(figure(story.part("funnel")))
    assert "Mean depth" in drawn
    assert "Hardy-Weinberg" not in drawn
    assert "Hardy-Weinberg" in story.part("funnel").table.to_csv(), "the table has all steps"


def test_a_moved_threshold_counts_all_variants(story):
    part = story.part("manhattan")
    own = drawing(figure(part))
    moved = drawing(figure(part, line=0.4))
    assert f"{part.data['selection_line'][1]} variants above" in own
    assert f"{n_above(part, 0.4)} variants above" in moved
    assert n_above(part, 0.4) > part.data["selection_line"][1]


def test_a_slide_is_flat_and_sharp(story):
    (plot,) = slide_figures(story.part("manhattan"))
    assert plot.height < figure(story.part("manhattan")).height
    assert plot.to_dict()["usermeta"]["embedOptions"]["renderer"] == "svg"
    assert len(slide_figures(story.part("confusion"))) == 2


def test_two_audits_stand_side_by_side_on_one_axis(story):
    first, second = slide_figures(story.part("audit"))
    assert (first.title.text, second.title.text) == ("L2 logistic regression", "Network")
    assert domains(first) == domains(second) != []
    (low, high) = domains(first)[0]
    assert low < 0.5
    assert high >= 1.0  # 0.95 and its upper limit
    both = drawing(figure(story.part("audit")))
    assert "L2 logistic regression" in both
    assert "Network" in both


def domains(made: alt.TopLevelMixin) -> list[list[float]]:
    """Return the domains of the axes along x."""
    layers = made.to_dict()["layer"]
    along = [layer["encoding"].get("x", {}) for layer in layers if "encoding" in layer]
    return [x["scale"]["domain"] for x in along if "domain" in (x.get("scale") or {})]


def test_nothing_of_a_story_is_changed_by_drawing(story):
    before = {part.name: str(part.data) for part in story.parts}
    for part in story.parts:
        slide_figures(part, DARK)
        figure(part)
    assert {part.name: str(part.data) for part in story.parts} == before


def test_figures_are_drawn_without_streamlit():
    code = "import sys, dashboard.figures; print('streamlit' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
