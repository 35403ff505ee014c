"""The form of the Training page: presets, marks, fields that come and go, a file of weights."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from dashboard.fields import MATTERS, fields_of, scale_of, unmet
from dashboard.views import training, training_form
from pipeline import jobs, runs
from pipeline.claims import holder
from pipeline.cohort import open_cohort
from pipeline.epochs import EpochRecord
from pipeline.errors import PipelineError
from pipeline.presets import PRESETS, apply_preset
from pipeline.settings import AnalysisSettings, with_changes
from tests.small_cohorts import make_cohort, vcf_text

APP = str(Path(__file__).resolve().parents[2] / "dashboard" / "app.py")
KINDS = (
    "slider", "select_slider", "number_input", "toggle", "selectbox", "text_input",
    "button_group", "multiselect",
)  # fmt: skip
FORM = ("split", "encoding", "network", "training", "evaluation")


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """A cache with one cohort of twenty cases, twenty controls and 300 variants."""
    folder = tmp_path_factory.mktemp("training")
    rng = np.random.default_rng(3)
    people = [f"P{i}" for i in range(40)]
    calls = np.array(["0/0:20:60", "0/1:22:70", "1/1:25:80"])[rng.choice(3, size=(300, 40))]
    records = sorted((1 + i % 2, 1000 * (i + 1), "A", "G", "GT:DP:GQ", *row)
                     for i, row in enumerate(calls.tolist()))  # fmt: skip
    given = {person: ("case", "control")[i % 2] for i, person in enumerate(people)}
    make_cohort(folder, vcf_text(records, people), given).store.close()
    return folder / "cache"


@pytest.fixture
def asked(monkeypatch) -> list[AnalysisSettings]:
    """What trainings were asked for, newest last; none is queued."""
    given: list[AnalysisSettings] = []

    def submit(
        cache: Path, cohort: str, settings: AnalysisSettings, preset: str, parent: object
    ) -> None:
        given.append(settings)
        raise PipelineError("Not in this test.")

    monkeypatch.setattr(training, "submit_training", submit)
    return given


@pytest.fixture
def show(cache, monkeypatch):
    """Return a function that opens the page as a link does."""

    def open_page(**link: str) -> AppTest:
        monkeypatch.setenv("EXOLENS_CACHE", str(cache))
        monkeypatch.setenv("EXOLENS_DATA", str(cache.parent))
        app = AppTest.from_file(APP, default_timeout=60)
        app._page_hash = calc_hash("training")
        for name, value in link.items():
            app.query_params[name] = value
        return checked(app.run())

    return open_page


def checked(app: AppTest) -> AppTest:
    assert not app.exception, [problem.value for problem in app.exception]
    return app


def find(app: AppTest, key: str):
    for kind in KINDS:
        for element in getattr(app, kind):
            if element.key == key:
                return element
    return None


def turn(app: AppTest, key: str, value: object) -> AppTest:
    find(app, key).set_value(value)
    return checked(app.run())


def choose(app: AppTest, preset: str) -> AppTest:
    is_near = PRESETS[preset].group in training_form.NEAR
    return turn(app, "preset_near" if is_near else "preset_far", preset)


def captions(app: AppTest) -> str:
    return "\n".join(element.value for element in app.caption)


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    return checked(app.run())


# ---- which fields matter --------------------------------------------------------------------


def names_of_settings() -> dict[str, object]:
    return {
        f"{stage}.{name}": field
        for stage, info in AnalysisSettings.model_fields.items()
        for name, field in fields_of(info.annotation).items()
    }


def test_the_rule_names_only_settings_that_exist() -> None:
    known = names_of_settings()
    for name, conditions in MATTERS.items():
        assert name in known
        for condition in conditions:
            assert set(condition.settings) <= set(known), name
            assert name not in condition.settings


def test_every_condition_can_be_met_and_missed() -> None:
    known = names_of_settings()

    def possible(name: str) -> list:
        field = known[name]
        if field.kind == "switch":
            return [True, False]
        return list(field.choices) or [scale_of(field).low, scale_of(field).high]

    for name, conditions in MATTERS.items():
        for condition in conditions:
            *others, last = condition.settings
            rest = [possible(other)[0] for other in others]
            answers = {condition.holds(*rest, value) for value in possible(last)}
            rest = [possible(other)[-1] for other in others]
            answers |= {condition.holds(*rest, value) for value in possible(last)}
            assert answers == {True, False}, (name, condition.words)


def test_the_first_condition_that_fails_is_told() -> None:
    values = {f"{stage}.{name}": value
              for stage, group in AnalysisSettings().model_dump().items()
              for name, value in group.items()}  # fmt: skip
    assert unmet("training.momentum", values).words == "SGD"
    assert unmet("training.momentum", values | {"training.optimizer": "sgd"}) is None
    assert unmet("training.epochs", values) is None
    values |= {"network.dropout": 0.0, "network.dropout_kind": "blocks"}
    assert unmet("network.block_size", values).words == "dropout"


def test_a_field_that_does_not_matter_is_hidden_and_keeps_its_value(show) -> None:
    app = show()
    assert find(app, "training.momentum") is None
    assert "Momentum" in captions(app)
    app = turn(app, "training.optimizer", "sgd")
    app = turn(app, "training.momentum", 0.5)
    app = turn(app, "training.optimizer", "adamw")
    assert find(app, "training.momentum") is None
    assert find(app, "training.weight_decay") is not None
    app = turn(app, "training.optimizer", "sgd")
    assert find(app, "training.momentum").value == 0.5


def test_a_preset_reaches_hidden_fields_too(show) -> None:
    app = turn(show(), "training.optimizer", "sgd")
    app = turn(app, "training.momentum", 0.5)
    app = choose(app, "published_script")
    assert find(app, "training.momentum") is None
    app = turn(app, "training.optimizer", "sgd")
    assert find(app, "training.momentum").value == 0.0


@pytest.mark.parametrize(
    ("link", "shown", "hidden"),
    [
        ({"encoding.layout": "3D"}, "encoding.plane_values", "encoding.scaling"),
        ({"encoding.layout": "1D"}, "encoding.missing", "encoding.row_width.on"),
        ({"split.folds": "4"}, "split.repeats", "split.test_fraction"),
        ({"network.dropout_kind": "blocks"}, "network.block_size", "network.gene_members"),
        ({"network.family": "gene"}, "network.gene_members", "network.kernel"),
        ({"network.dropout": "0.0"}, "network.dropout", "network.dropout_kind"),
        ({"training.schedule": "constant"}, "training.plateau_patience", "training.decay_rate"),
        ({"training.plateau_factor": "1.0"}, "training.decay_rate", "training.plateau_patience"),
    ],
)
def test_a_link_asks_for_what_matters_at_once(link, shown, hidden, show) -> None:
    app = show(**link)
    assert find(app, shown) is not None
    assert find(app, hidden) is None


def test_what_is_hidden_makes_no_other_run(show, asked) -> None:
    app = turn(show(), "network.dropout_kind", "blocks")
    app = turn(app, "network.block_size", 7)
    app = press(turn(app, "network.dropout_kind", "units"), "Train")
    assert asked[-1] == apply_preset("final_2d")


# ---- presets --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["quick", "final_2d_weighted", "published_script", "table1_3d_5", "stage_3_1"]
)
def test_a_preset_in_a_link_trains_as_the_command_line_does(name, show, asked) -> None:
    app = press(show(preset=name), "Train")
    assert asked[-1] == apply_preset(name)
    assert "As in the preset." in captions(app)


def test_a_preset_fills_the_form_in_and_goes_as_it_came(show, asked) -> None:
    app = choose(show(), "figure2")
    assert app.query_params["preset"] == "figure2"
    assert find(app, "selection.protocol").value == "published"
    assert find(app, "training.patience").value == 0
    app = choose(app, "table1_2d_6")
    assert find(app, "preset_near").value in (None, [])
    assert find(app, "selection.protocol").value == "honest"
    assert find(app, "split.folds").value == 5
    app = choose(app, "quick")
    assert find(app, "preset_far").value is None
    assert find(app, "split.folds").value == 0
    assert find(app, "encoding.scaling").value == "none"
    press(app, "Train")
    assert asked[-1] == apply_preset("quick")


def test_every_preset_can_be_picked(show) -> None:
    app = show()
    assert set(find(app, "preset_far").options) == {
        preset.title for preset in PRESETS.values() if preset.group not in training_form.NEAR
    }
    near = [preset.title for preset in PRESETS.values() if preset.group in training_form.NEAR]
    assert sorted(find(app, "preset_near").options) == sorted(near)


def test_notes_speak_of_labels_and_titles(show) -> None:
    for name in ("figure2", "stage_3_6"):
        told = captions(show(preset=name))
        assert "final_2d" not in told
        assert "network." not in told
    assert "kind of dropout, attention" in told


@pytest.mark.parametrize("name", PRESETS)
def test_every_note_reads_without_names_of_the_command_line(name) -> None:
    told = training_form._in_words(PRESETS[name].note)
    known = {*PRESETS, *names_of_settings()}
    assert not [word for word in re.findall(r"[a-z0-9_.]+", told) if "_" in word and word in known]
    assert not re.search(r"\b[a-z]+_[a-z0-9_]+|\b[a-z]{3,}\.[a-z_]+", told)
    assert told[0].isupper() or not told[0].isalpha()
    assert "“The" not in told
    assert told.endswith(".")


def test_a_preset_is_known_by_what_it_sets() -> None:
    for name in ("quick", "best", "published_script"):
        assert training_form.preset_of(apply_preset(name)) == name
    changed = with_changes(apply_preset("quick"), {"network.filters": 5})
    assert training_form.preset_of(changed) == ""


def test_changes_are_marked_at_the_field_and_listed(show, asked) -> None:
    app = turn(show(preset="quick"), "training.epochs", 20)
    assert "preset: 16" in find(app, "training.epochs").label
    assert "paper: 50" in find(app, "training.epochs").label
    assert "preset" not in find(app, "training.batch_size").label
    assert "Changed against the preset: epochs." in captions(app)
    assert any("Learning" in group.label and "1 changed" in group.label for group in app.expander)
    press(app, "Train")
    assert asked[-1] == with_changes(apply_preset("quick"), {"training.epochs": 20})
    app = press(app, "Back to the preset")
    assert find(app, "training.epochs").value == 16
    assert "As in the preset." in captions(app)


def test_a_link_with_changes_is_marked_at_once(show) -> None:
    app = show(
        **{"training.epochs": "20", "network.dense": "500, 100", "training.optimizer": "SGD"}
    )
    assert "preset: 50" in find(app, "training.epochs").label
    assert "preset: 1,000" in find(app, "network.dense").label
    assert "preset: Adam" in find(app, "training.optimizer").label
    assert "epochs" in captions(app)


def test_a_protocol_that_is_not_the_presets_is_listed(show) -> None:
    app = turn(choose(show(), "figure2"), "selection.protocol", "honest")
    assert "Changed against the preset: protocol." in captions(app)


def test_going_back_leaves_the_thresholds_alone(show) -> None:
    app = turn(show(), "quality.min_call_rate", 0.95)
    app = press(turn(app, "training.epochs", 20), "Back to the preset")
    assert find(app, "quality.min_call_rate").value == 0.95


# ---- a file of weights ----------------------------------------------------------------------


def train_button(app: AppTest):
    return next(button for button in app.button if button.label == "Train")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "none is named"),
        ("nowhere.tsv", "nowhere.tsv is no file"),
        ("/etc/passwd", "EXOLENS_DATA"),
        ("../outside.tsv", "EXOLENS_DATA"),
    ],
)
def test_a_bad_file_of_weights_is_told_in_a_sentence(text, sentence, show) -> None:
    app = turn(show(), "encoding.weights", "file")
    if text:
        app = turn(app, "encoding.weights_file", text)
    (problem,) = app.error
    assert sentence in problem.value
    assert problem.value.endswith(".")
    assert train_button(app).disabled


def test_a_link_out_of_the_allowed_folders_is_refused(cache, show) -> None:
    link = cache.parent / "link.tsv"
    link.unlink(missing_ok=True)
    link.symlink_to("/etc/passwd")
    app = show(**{"encoding.weights": "file", "encoding.weights_file": "link.tsv"})
    assert "EXOLENS_DATA" in app.error[0].value


def test_a_file_of_weights_is_taken_by_its_whole_path(cache, show, asked) -> None:
    (cache.parent / "mine.tsv").write_text("variant\tweight\n1_1000_A_G\t2\n")
    app = turn(show(), "encoding.weights", "file")
    app = press(app, "mine.tsv")  # offered below the field
    assert not app.error
    press(app, "Train")
    assert asked[-1].encoding.weights_file == str((cache.parent / "mine.tsv").resolve())
    app = turn(app, "encoding.weights", "none")
    assert not app.error
    app = press(turn(app, "encoding.weights", "file"), "Train")
    assert asked[-1].encoding.weights_file.endswith("mine.tsv")


# ---- what trains ----------------------------------------------------------------------------


def test_a_network_far_larger_than_its_people_is_warned_of(show) -> None:
    assert "learn its people by heart" in captions(show())
    few = {"network.dense": "", "network.filters": "1", "network.convolutions": "1",
           "network.pool": "8", "selection.top.on": "true", "selection.top": "10"}  # fmt: skip
    small = show(**few)
    assert "learn its people by heart" not in captions(small)


def test_the_published_protocol_is_warned_of(show) -> None:
    assert "labels of the test people leak" not in captions(show())
    assert "labels of the test people leak" in captions(show(preset="figure2", **{
        "selection.protocol": "published"}))  # fmt: skip


def test_people_of_a_fold_are_counted(show) -> None:
    assert "29 people train, 5 people decide" in captions(show())
    assert "27 people train, 5 people decide" in captions(show(**{"split.folds": "5"}))
    told = captions(show(**{"selection.protocol": "published"}))
    assert "34 people train, 6 test people decide" in told


@pytest.fixture
def stopped(cache):
    """The id of a run of two folds that was stopped in its second."""
    settings = with_changes(apply_preset("quick"), {"split.folds": 2})
    cohort = open_cohort(cache, "small")
    run = runs.create(cache, "small", cohort.fingerprint, settings, "quick")
    cohort.store.close()
    jobs.submit(cache, "train", {"run": run.id})
    attempt = jobs.take(cache, holder())
    jobs.settle(cache, attempt, "running")
    for fold, losses in ((0, (0.7, 0.6, 0.65)), (1, (0.7, 0.69))):
        for epoch, loss in enumerate(losses, start=1):
            record = EpochRecord(fold, epoch, 0.7, 0.6, loss, 0.55, 0.75, 0.01, 1.0)
            runs.append_progress(run, record)
    jobs.finish(cache, attempt, "cancelled")
    return run.id


def test_a_stopped_run_says_how_far_it_was_and_can_go_again(stopped, show) -> None:
    app = show(run=stopped)
    told = "\n".join(element.value for element in [*app.markdown, *app.caption])
    assert "was stopped" in told
    assert "Fold 2 of 2, epoch 2 of at most 16." in told
    assert "Best so far: epoch 2, AUC 0.750" in told
    assert any(button.label == "Start it again" for button in app.button)
    assert not any(button.label == "Stop and keep best" for button in app.button)
