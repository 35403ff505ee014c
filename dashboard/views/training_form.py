"""The form of a training: presets above, then every setting in four groups.

A preset fills the form in; what differs from it is marked at the field and listed. Fields that do
not matter under the other choices are not asked, keep what they hold, and enter a run as the
preset has them, so that they never make two runs of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import access, controls, elements, loaders, state
from dashboard.fields import Field, fields_of, paper_words, unmet, value_words
from dashboard.view import View
from pipeline.errors import InputError
from pipeline.presets import PRESETS
from pipeline.settings import AnalysisSettings, Settings, with_changes

GROUPS = (
    ("Input", ("split", "encoding")),
    ("Network", ("network",)),
    ("Learning", ("training",)),
    ("Evidence", ("evaluation",)),
)
FIRST = "final_2d"
NEAR = ("ours", "final")  # groups of presets that stand side by side; the others are in a list
COVARIATES = "evaluation.covariates"
WEIGHTS_FILE = "encoding.weights_file"
TABLES = (".tsv", ".csv", ".txt", ".tsv.gz", ".csv.gz", ".txt.gz")
MOST_FILES = 40

_DEFAULTS = AnalysisSettings()
_CLASSES: dict[str, type[Settings]] = {
    stage: type(getattr(_DEFAULTS, stage)) for stage in AnalysisSettings.model_fields
}
_STAGES = tuple(stage for _, stages in GROUPS for stage in stages)
_FIELDS: dict[str, Field] = {
    f"{stage}.{name}": field
    for stage, group in _CLASSES.items()
    for name, field in fields_of(group).items()
}


@dataclass(frozen=True)
class Form:
    """What the form says; `problem` is what has to be mended before a training, "" for nothing."""

    preset: str
    settings: AnalysisSettings
    problem: str = ""


def ask(view: View) -> Form:
    """Draw the form and return what it says."""
    preset = _preset()
    base = _preset_values(preset)
    held = _held()
    asked = {name for name in held if unmet(name, held) is None}
    changed = [name for name in held if name in asked and held[name] != base[name]]
    _against_preset(preset, [*_changed_elsewhere(view, preset), *changed])
    changes: dict[str, Any] = {name: base[name] for name in held}
    problem = ""
    for title, stages in GROUPS:
        n = sum(name.startswith(tuple(f"{stage}." for stage in stages)) for name in changed)
        with st.expander(f"{title} :gray[· {n} changed]" if n else title, key=f"group_{title}"):
            for stage in stages:
                drawn, told = _stage(stage, asked, _notes(stage, base, changed))
                changes |= drawn
                problem = problem or told
            if "evaluation" in stages:
                changes |= _covariates(view)
            _not_asked(stages, held)
    if problem:
        # The rest of the page goes on without the weights, and nothing can be trained.
        changes |= {"encoding.weights": "none", WEIGHTS_FILE: ""}
    return Form(preset, with_changes(view.settings, changes), problem)


def adopt(preset: str, settings: AnalysisSettings) -> None:
    """Fill the form in from settings, such as a run's; before it is drawn.

    The file of weights stays as it is: settings that were asked for name the copy that was kept.
    """
    _choose(preset if preset in PRESETS else FIRST)
    values = {
        f"{stage}.{field}": getattr(getattr(settings, stage), field)
        for stage in _STAGES
        for field in _CLASSES[stage].model_fields
    }
    del values[WEIGHTS_FILE]
    _fill_in(values)


def preset_of(settings: AnalysisSettings) -> str:
    """Return the preset that has set these settings, "" where they are like none."""
    held = settings.model_dump()
    for name, preset in PRESETS.items():
        parts = ((key.partition("."), value) for key, value in preset.changes.items())
        if all(held[stage][field] == value for (stage, _, field), value in parts):
            return name
    return ""


def weights_problem(text: str) -> str:
    """Return why a file of weights cannot be read, "" where it can."""
    if not text:
        return "Weights from a file need one, but none is named; give its path."
    path = weights_path(text)
    try:
        access.allowed_folder(str(path.parent))
    except InputError as problem:
        return str(problem)
    if not path.is_file():
        return f"The file of weights has to be there, but {text} is no file; check its path."
    return ""


def weights_path(text: str) -> Path:
    """Return the file that was named, from the first allowed folder on where it is not absolute."""
    return (access.allowed_folders()[0] / Path(text).expanduser()).resolve()


# ---- presets --------------------------------------------------------------------------------


def _preset() -> str:
    """Draw the presets and return the chosen one, which stands in the address."""
    asked = st.query_params.get("preset") or state.get("preset_chosen")
    chosen = asked if asked in PRESETS else FIRST
    if state.get("preset_chosen") is None and not _names_fields(st.query_params):
        # A link that names a preset and no field means the preset.
        _fill_in({
            name: value for name, value in PRESETS[chosen].changes.items()
            if name.startswith(tuple(f"{stage}." for stage in _STAGES))
        })  # fmt: skip
    _choose(chosen)
    near = [name for group in NEAR for name, preset in PRESETS.items() if preset.group == group]
    far = [name for name in PRESETS if name not in near]
    # Both widgets are one choice: only one of them may hold it.
    state.set_widgets({
        "preset_near": chosen if chosen in near else None,
        "preset_far": chosen if chosen in far else None,
    })  # fmt: skip
    st.pills(
        "Preset", near, format_func=_preset_title, key="preset_near", wrap=True,
        on_change=_turn_to, args=("preset_near",),
    )  # fmt: skip
    st.selectbox(
        "Tables and stages of the paper", far, index=None, format_func=_preset_title,
        key="preset_far", placeholder="One of Table 1, Table 2, or stages 3.1 to 3.6",
        on_change=_turn_to, args=("preset_far",), label_visibility="collapsed",
    )  # fmt: skip
    st.caption(_in_words(PRESETS[chosen].note))
    return chosen


def _preset_title(name: str) -> str:
    return PRESETS[name].title


def _names_fields(names: Iterable[str]) -> bool:
    return any(name.partition(".")[0] in _STAGES for name in names)


def _choose(preset: str) -> None:
    state.put("preset_chosen", preset)
    elements.name_in_address("preset", preset)


def _turn_to(widget: str) -> None:
    """Fill the form in from the preset just picked."""
    picked = state.get(widget)
    if picked is None:  # the chosen one was picked again, and stays
        return
    before = PRESETS[state.get("preset_chosen")].changes
    _choose(picked)
    # What only the preset before was about (a split, a protocol) goes with it.
    _fill_in({name: _FIELDS[name].default for name in before} | dict(PRESETS[picked].changes))


def _fill_in(values: Mapping[str, Any]) -> None:
    by_stage: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        stage, _, field = name.partition(".")
        by_stage.setdefault(stage, {})[field] = value
    for stage, fields in by_stage.items():
        controls.fill_in(stage, _CLASSES[stage], fields)


def _preset_values(preset: str) -> dict[str, Any]:
    """Return every field of the form as the preset has it, the default where it says nothing."""
    of_form = {
        name: field.default
        for name, field in _FIELDS.items()
        if name.partition(".")[0] in _STAGES and field.kind != "words"
    }
    return of_form | dict(PRESETS[preset].changes)


def _in_words(note: str) -> str:
    """Return a note with titles and labels in place of the names that the command line knows."""
    names = {name: _as_words(preset.title) for name, preset in PRESETS.items()}
    names |= {name: field.label.lower() for name, field in _FIELDS.items()}
    words = re.sub(r"\b[a-z0-9]+(?:[_.][a-z0-9]+)+\b", lambda found: names.get(found[0], found[0]),
                   note)  # fmt: skip
    return words[:1].upper() + words[1:]


def _as_words(title: str) -> str:
    """Return a title within a sentence: what begins with an article needs no quotation marks."""
    return f"the {title[4:]}" if title.startswith("The ") else f"“{title}”"


def _changed_elsewhere(view: View, preset: str) -> list[str]:
    """Return what the preset sets outside this form (the protocol) and is otherwise now."""
    return [
        name
        for name, value in PRESETS[preset].changes.items()
        if (parts := name.partition("."))[0] not in _STAGES
        and getattr(getattr(view.settings, parts[0]), parts[2]) != value
    ]


def _against_preset(preset: str, changed: list[str]) -> None:
    """Name the fields that differ from the preset, and offer the way back."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if not changed:
            st.caption("As in the preset.")
            return
        labels = ", ".join(_FIELDS[name].label.lower() for name in changed)
        st.caption(f"Changed against the preset: {labels}.")
        st.button(
            "Back to the preset", icon=":material/undo:", type="tertiary", width="content",
            on_click=_fill_in, args=(_preset_values(preset),),
        )  # fmt: skip


# ---- fields ---------------------------------------------------------------------------------


def _held() -> dict[str, Any]:
    """Return what every field of the form holds, by `stage.field`."""
    return {
        f"{stage}.{name}": value
        for stage in _STAGES
        for name, value in controls.held_values(
            _CLASSES[stage], stage, getattr(_DEFAULTS, stage)
        ).items()
    }


def _notes(stage: str, base: Mapping[str, Any], changed: list[str]) -> dict[str, str]:
    """Return what stands behind a label: the paper's value, and the preset's where it differs."""
    notes = {}
    for name, field in fields_of(_CLASSES[stage]).items():
        full = f"{stage}.{name}"
        parts = []
        if field.has_paper:
            words = paper_words(field.paper, field.is_assumed)
            parts.append(f":gray[{words[0].lower()}{words[1:]}]")
        if full in changed:
            parts.append(f":primary[:material/edit: preset: {value_words(base[full])}]")
        notes[name] = " ".join(parts)
    return notes


def _stage(stage: str, asked: set[str], notes: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """Draw the fields of a stage that matter; return what each holds, and what has to be mended."""
    group, defaults = _CLASSES[stage], getattr(_DEFAULTS, stage)
    names = [name for name in group.model_fields if f"{stage}.{name}" in asked]

    def draw(some: list[str]) -> dict[str, Any]:
        shown = {f"{stage}.{name}": getattr(defaults, name) for name in some}
        return shown | controls.settings_widgets(group, stage, defaults, only=some, notes=notes)

    if WEIGHTS_FILE not in asked or stage != "encoding":
        return draw(names), ""
    place = names.index("weights_file") + 1
    drawn = draw(names[:place])
    problem = weights_problem(drawn[WEIGHTS_FILE])
    if problem:
        elements.problem(problem)
    else:
        drawn[WEIGHTS_FILE] = str(weights_path(drawn[WEIGHTS_FILE]))
    _files_of_weights()
    return drawn | draw(names[place:]), problem


def _files_of_weights() -> None:
    """Offer the tables of a folder, and the folders around it."""
    try:
        folder = access.allowed_folder(
            state.get("weights_folder") or str(access.allowed_folders()[0])
        )
        files = access.files_in(folder, TABLES)
    except (InputError, PermissionError) as problem:
        elements.problem(str(problem))
        return
    above = access.folder_above(folder)
    with st.popover("Choose a file", icon=":material/folder_open:", width="stretch"):
        st.caption(f"Tables in {folder}" if files else f"No table in {folder}")
        ways = {"Up": above} if above else {}
        ways |= {name: folder / name for name in access.folders_in(folder)}
        for name, target in ways.items():
            icon = ":material/arrow_upward:" if target == above else ":material/folder:"
            st.button(name, icon=icon, key=f"weights_go_{target}", type="tertiary",
                      on_click=state.put, args=("weights_folder", str(target)))  # fmt: skip
        for name in files[:MOST_FILES]:
            st.button(name, icon=":material/table:", key=f"weights_take_{folder / name}",
                      type="tertiary", on_click=state.set_widgets,
                      args=({WEIGHTS_FILE: str(folder / name)},))  # fmt: skip
        if len(files) > MOST_FILES:
            st.caption(f"and {len(files) - MOST_FILES:,} more; type their path")


def _covariates(view: View) -> dict[str, Any]:
    """Draw the covariates that have a model of their own among the evidence."""
    options = loaders.available_covariates(view.whole)
    if not options:
        return {}
    held = state.get(COVARIATES)
    if held and not set(held) <= set(options):  # of another cohort
        state.set_widgets({COVARIATES: [name for name in held if name in options]})
    picked = st.multiselect(
        _FIELDS[COVARIATES].label, options, key=COVARIATES, bind="query-params",
        help=_FIELDS[COVARIATES].help,
    )  # fmt: skip
    return {COVARIATES: tuple(picked)} if picked else {}


def _not_asked(stages: tuple[str, ...], held: Mapping[str, Any]) -> None:
    """Name the fields that do not matter now, by what they wait for."""
    waiting: dict[str, list[str]] = {}
    for name in held:
        condition = unmet(name, held) if name.partition(".")[0] in stages else None
        if condition:
            waiting.setdefault(condition.words, []).append(_FIELDS[name].label)
    if waiting:
        words = "; ".join(f"{', '.join(names)} (with {why})" for why, names in waiting.items())
        st.caption(f"Not asked now: {words}.")
