"""Widgets out of settings classes: bounds, links, the paper's values, wrong input."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.controls import default_values, paper_values
from dashboard.fields import Field, fields_of, scale_of
from dashboard.state import switch_key, widget_key
from pipeline.settings import (
    AnalysisSettings,
    IngestSettings,
    QualitySettings,
    SelectionSettings,
    with_changes,
)

STAGES = {"ingest": IngestSettings} | {
    stage: info.annotation for stage, info in AnalysisSettings.model_fields.items()
}
FIELDS = [
    pytest.param(stage, field, id=f"{stage}.{field.name}")
    for stage, group in STAGES.items()
    for field in fields_of(group).values()
]
NUMBERS = [case for case in FIELDS if case.values[1].kind in ("whole", "fraction")]


def page(stage: str) -> None:
    import streamlit as st

    from dashboard.controls import preset_buttons, settings_widgets
    from pipeline.settings import AnalysisSettings, IngestSettings

    group = IngestSettings if stage == "ingest" else AnalysisSettings.model_fields[stage].annotation
    preset_buttons(stage, group)
    st.json(settings_widgets(group, stage, group()))


def open_page(stage: str, **query: str) -> AppTest:
    app = AppTest.from_function(page, kwargs={"stage": stage})
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app


def changes(app: AppTest) -> dict:
    assert not app.exception
    import json

    return json.loads(app.json[0].value)


def widget(app: AppTest, key: str):
    kinds = ("slider", "select_slider", "number_input", "toggle", "selectbox", "text_input")
    for kind in (*kinds, "segmented_control", "button_group"):
        for element in getattr(app, kind, []):
            if element.key == key:
                return element
    raise KeyError(key)


@pytest.mark.parametrize("stage", STAGES)
def test_every_class_draws_and_changes_nothing(stage: str) -> None:
    assert changes(open_page(stage)) == {}


@pytest.mark.parametrize(("stage", "field"), NUMBERS)
def test_ends_are_the_bounds_of_the_setting(stage: str, field: Field) -> None:
    info = STAGES[stage].model_fields[field.name]
    limits = {
        rule: getattr(item, rule)
        for item in info.metadata
        for rule in ("ge", "gt", "le", "lt")
        if getattr(item, rule, None) is not None
    }
    scale = scale_of(field)
    if "ge" in limits:
        assert scale.low == limits["ge"]
    else:
        assert limits["gt"] < scale.low <= limits["gt"] + (field.step or 1e-9)
    if "le" in limits:
        assert scale.high == limits["le"]
    else:
        assert limits["lt"] - field.step <= scale.high < limits["lt"]
    assert all(field.allows(option) for option in (scale.low, scale.high, *scale.options))


@pytest.mark.parametrize(("stage", "field"), NUMBERS)
def test_the_drawn_widget_has_these_ends(stage: str, field: Field) -> None:
    app = open_page(stage)
    drawn, scale = widget(app, widget_key(stage, field.name)), scale_of(field)
    if scale.kind == "graded":
        assert (drawn.options[0], drawn.options[-1]) == (str(scale.low), str(scale.high))
    else:
        assert (drawn.min, drawn.max) == (scale.low, scale.high)


@pytest.mark.parametrize(("stage", "field"), FIELDS)
def test_default_and_paper_value_can_be_shown(stage: str, field: Field) -> None:
    known = [field.default] + ([field.paper] if field.has_paper else [])
    for value in known:
        if value is None:
            assert field.can_be_off
        elif field.kind in ("whole", "fraction"):
            assert field.allows(value)
            scale = scale_of(field)
            assert scale.kind != "graded" or value in scale.options
        elif field.kind == "choice":
            assert value in field.choices


@pytest.mark.parametrize(("stage", "field"), FIELDS)
def test_help_tells_what_the_paper_says(stage: str, field: Field) -> None:
    assert "Paper: " in field.help
    assert ("not stated" in field.help) == (not field.has_paper)


def test_a_moved_slider_comes_back_as_a_change() -> None:
    app = open_page("quality")
    widget(app, "quality.min_call_rate").set_value(0.95).run()
    assert changes(app) == {"quality.min_call_rate": 0.95}


def test_a_switch_turns_a_threshold_off_and_on() -> None:
    app = open_page("quality")
    switch = switch_key("quality", "min_call_rate")
    widget(app, switch).set_value(False).run()
    assert changes(app) == {"quality.min_call_rate": None}
    assert widget(app, "quality.min_call_rate").disabled
    widget(app, switch).set_value(True).run()
    assert changes(app) == {}


def test_a_link_shows_the_same_view() -> None:
    link = {
        "quality.min_call_rate": "0.95",
        "quality.filter_pass": "true",
        "quality.min_mean_depth.on": "false",
        "quality.qual_above": "50.0",
    }
    assert changes(open_page("quality", **link)) == {
        "quality.min_call_rate": 0.95,
        "quality.filter_pass": True,
        "quality.min_mean_depth": None,
        "quality.qual_above": 50.0,
    }
    link = {"selection.max_p": "1e-05", "selection.protocol": "published"}
    assert changes(open_page("selection", **link)) == {
        "selection.max_p": 1e-05,
        "selection.protocol": "published",
    }


@pytest.mark.parametrize(
    ("stage", "name", "text"),
    [
        ("quality", "quality.min_call_rate", "7"),
        ("quality", "quality.min_call_rate", "many"),
        ("quality", "quality.filter_pass", "perhaps"),
        ("quality", "quality.qual_above", "-3"),
        ("selection", "selection.max_p", "0"),
        ("selection", "selection.protocol", "secret"),
        ("selection", "selection.test", "secret"),
        ("training", "training.seed", "-1"),
        ("network", "network.dense", "0, x"),
    ],
)
def test_a_bad_link_falls_back_to_the_default(stage: str, name: str, text: str) -> None:
    assert changes(open_page(stage, **{name: text})) == {}


def test_dense_layers_are_read_and_a_wrong_text_is_told() -> None:
    app = open_page("network")
    dense = widget(app, "network.dense")
    dense.set_value("500, 100").run()
    assert changes(app) == {"network.dense": [500, 100]}
    widget(app, "network.dense").set_value("500, many").run()
    assert changes(app) == {}
    assert "1000 stays in force" in app.error[0].value


def press(app: AppTest, words: str) -> AppTest:
    next(button for button in app.button if button.label == words).click()
    return app.run()


@pytest.mark.parametrize("stage", STAGES)
def test_papers_values_and_reset(stage: str) -> None:
    group = STAGES[stage]
    app = press(open_page(stage), "Paper's values") if paper_values(group) else open_page(stage)
    words = {name for name, field in fields_of(group).items() if field.kind == "words"}
    wanted = {
        f"{stage}.{name}": list(value) if isinstance(value, tuple) else value
        for name, value in paper_values(group).items()
        if name not in words and value != group.model_fields[name].default
    }
    assert changes(app) == wanted
    assert changes(press(app, "Reset")) == {}


@pytest.mark.parametrize("stage", STAGES)
def test_values_of_buttons_are_valid_settings(stage: str) -> None:
    group = STAGES[stage]
    assert group(**default_values(group)) == group()
    group(**paper_values(group))


def test_what_comes_back_is_what_with_changes_takes() -> None:
    app = open_page("quality")
    widget(app, "quality.min_mac").set_value(5).run()
    settings = with_changes(AnalysisSettings(), changes(app))
    assert settings.quality == QualitySettings(min_mac=5)


def test_regions_are_typed_told_when_wrong_and_taken_back_by_both_buttons() -> None:
    name = "quality.without_regions"
    app = open_page("quality", **{name: "chr6:28,000,000-34,000,000"})
    assert changes(app) == {name: "6:28000000-34000000"}
    widget(app, name).set_value("the HLA").run()
    assert changes(app) == {}
    assert "regions such as 6:28000000-34000000" in app.error[0].value
    assert app.error[0].value.endswith("It stays off.")
    for button in ("Reset", "Paper's values"):
        widget(app, name).set_value("6:1-9").run()
        assert changes(app) == {name: "6:1-9"}
        assert changes(press(app, button)) == {}
        assert widget(app, name).value == ""


def test_only_some_fields_and_a_histogram_that_follows() -> None:
    def few() -> None:
        import streamlit as st
        from streamlit.delta_generator import DeltaGenerator

        from dashboard.controls import settings_widgets
        from pipeline.settings import QualitySettings

        def histogram(place: DeltaGenerator, value: object) -> None:
            st.session_state["seen"] = value
            place.text("behind")

        settings_widgets(
            QualitySettings,
            "quality",
            QualitySettings(),
            only=["min_mean_depth"],
            histograms={"min_mean_depth": histogram},
        )

    app = AppTest.from_function(few).run()
    assert not app.exception
    assert [slider.key for slider in app.slider] == ["quality.min_mean_depth"]
    assert [text.value for text in app.text] == ["behind"]
    widget(app, "quality.min_mean_depth").set_value(12.5).run()
    assert app.session_state["seen"] == 12.5
    widget(app, "quality.min_mean_depth.on").set_value(False).run()
    assert app.session_state["seen"] is None


def test_a_setting_that_is_off_starts_at_a_value_within_bounds() -> None:
    for group in STAGES.values():
        for field in fields_of(group).values():
            if field.has_switch:
                assert field.allows(field.start), field.name
    assert fields_of(SelectionSettings)["top"].start == 18_970


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ({"training.optimizer": "AdamW", "training.epochs": "20"}, ("adamw", 20)),
        ({"training.optimizer": "secret", "training.epochs": "-3"}, ("adam", 50)),
        ({}, ("adam", 50)),
    ],
)
def test_what_widgets_will_hold_is_known_before_they_are_drawn(link, expected) -> None:
    def early() -> None:
        import streamlit as st

        from dashboard.controls import held_values, settings_widgets
        from pipeline.settings import TrainingSettings

        defaults = TrainingSettings()
        held = held_values(TrainingSettings, "training", defaults)
        drawn = settings_widgets(TrainingSettings, "training", defaults)
        changed = {name.partition(".")[2]: value for name, value in drawn.items()}
        assert held == defaults.model_dump() | changed
        st.json({"optimizer": held["optimizer"], "epochs": held["epochs"]})

    app = AppTest.from_function(early)
    for key, value in link.items():
        app.query_params[key] = value
    app.run()
    assert tuple(changes(app).values()) == expected


def test_choices_are_told_in_the_words_of_the_field() -> None:
    app = open_page("encoding")
    assert widget(app, "encoding.weights").options == [
        "None", "−log10 p", "L1 logistic regression", "File",
    ]  # fmt: skip
    assert "Paper: 2D." in fields_of(STAGES["encoding"])["layout"].help
