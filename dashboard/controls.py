"""A settings class becomes widgets: from its types, bounds, units, help and the paper's values."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any

import streamlit as st
from pydantic import TypeAdapter, ValidationError
from streamlit.delta_generator import DeltaGenerator

from dashboard.fields import Field, fields_of, option_label, scale_of
from dashboard.state import set_widgets, switch_key, widget_key, widget_value
from pipeline.settings import Settings, explain

Histogram = Callable[[DeltaGenerator, Any], None]  # the place kept above a widget, its value


def settings_widgets(
    group: type[Settings],
    stage: str,
    values: Settings,
    *,
    only: Iterable[str] | None = None,
    histograms: Mapping[str, Histogram] | None = None,
    notes: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Draw one widget a field and return what differs from `values`, as `{"stage.field": value}`.

    A widget's value stands in the URL unless it equals that of `values`: give the same `values`
    (the defaults) wherever a link shall mean the same, and fill in presets with `fill_in`.
    `only` names the fields to draw, in that order. `histograms` fill the place above a widget,
    told the value that it holds, None for off. `notes` are put behind a label, in Markdown. Lists
    of words (diagnoses) are drawn by their page.
    """
    fields = fields_of(group)
    changes = {}
    for name in fields if only is None else only:
        field = fields[name]
        if field.kind == "words":
            continue
        base = getattr(values, name)
        if note := (notes or {}).get(name):
            field = replace(field, label=f"{field.label} {note}")
        value = _draw(group, field, stage, base, (histograms or {}).get(name))
        if value != base:
            changes[f"{stage}.{name}"] = value
    return changes


def held_values(group: type[Settings], stage: str, values: Settings) -> dict[str, Any]:
    """Return what the widget of each field holds, or will hold once drawn, by name of the field.

    A page asks before it draws, where one field decides about another. `values` are those that
    `settings_widgets` is given, and stand where the address says what cannot be.
    """
    held = {}
    for name, field in fields_of(group).items():
        base = getattr(values, name)
        if field.kind == "words":
            continue
        is_on = _held(switch_key(stage, name), base is not None) if field.has_switch else True
        if is_on in (False, "false"):
            held[name] = None
            continue
        given = _held(widget_key(stage, name), field.start if base is None else base)
        if field.kind == "numbers" and isinstance(given, str):
            given = _parts(given)
        if field.kind == "choice":  # the address has the words that are shown
            given = {option_label(option): option for option in field.choices}.get(given, given)
        try:
            held[name] = _rule(group, name).validate_python(given)
        except ValidationError:
            held[name] = base
    return held


def _held(key: str, otherwise: Any) -> Any:
    """Return what a widget holds, else what the address will put there, as text."""
    return widget_value(key, st.query_params.get(key, otherwise))


@functools.cache
def _rule(group: type[Settings], name: str) -> TypeAdapter[Any]:
    """Return what checks a field alone, whatever the others hold."""
    info = group.model_fields[name]
    # A field without bounds has no metadata, and Annotated wants some: its name says nothing new.
    return TypeAdapter(Annotated[info.annotation, name, *info.metadata])


def fill_in(stage: str, group: type[Settings], values: Mapping[str, Any]) -> None:
    """Set the widgets of these fields; for `on_click` of a button, or before they are drawn."""
    fields = fields_of(group)
    widgets: dict[str, Any] = {}
    for name, value in values.items():
        field = fields[name]
        if field.kind == "words":
            continue
        key = widget_key(stage, name)
        if field.has_switch:
            widgets[switch_key(stage, name)] = value is not None
        if field.kind == "text":
            widgets[key] = value or ""
        elif value is not None:
            widgets[key] = _as_text(value) if field.kind == "numbers" else _typed(field, value)
    set_widgets(widgets)


def paper_values(group: type[Settings]) -> dict[str, Any]:
    """Return the paper's value of each field that has one, stated or assumed."""
    return {name: field.paper for name, field in fields_of(group).items() if field.has_paper}


def default_values(group: type[Settings]) -> dict[str, Any]:
    """Return the default of each field."""
    return {name: field.default for name, field in fields_of(group).items()}


def preset_buttons(stage: str, group: type[Settings], *, only: Iterable[str] | None = None) -> None:
    """Draw the buttons "Paper's values" and "Reset" for these fields."""
    names = set(fields_of(group) if only is None else only)
    left, right = st.columns(2)
    for place, words, values in (
        (left, "Paper's values", paper_values(group)),
        (right, "Reset", default_values(group)),
    ):
        chosen = {name: value for name, value in values.items() if name in names}
        place.button(
            words,
            key=f"{stage}.{words.lower()}",
            on_click=fill_in,
            args=(stage, group, chosen),
            disabled=not chosen,
            width="stretch",
        )


def _draw(
    group: type[Settings], field: Field, stage: str, base: Any, histogram: Histogram | None
) -> Any:
    """Draw the widget of one field and return its value; None is off."""
    if not field.has_switch:
        place = _place_behind(stage, field) if histogram else None
        value = _plain(group, field, stage, base)
    else:
        is_on = st.toggle(
            field.label,
            value=base is not None,
            key=switch_key(stage, field.name),
            help=field.help,
            bind="query-params",
        )
        place = _place_behind(stage, field) if histogram else None
        held = _number(
            field,
            field.start if base is None else base,
            {
                "key": widget_key(stage, field.name),
                "bind": "query-params",
                "label_visibility": "collapsed",
                "disabled": not is_on,
            },
        )
        value = held if is_on else None
    if place is not None and histogram is not None:
        histogram(place, value)  # only now is the cut known
    return value


def _place_behind(stage: str, field: Field) -> DeltaGenerator:
    """Keep a place above a slider, as high as its histogram: nothing moves when that comes."""
    return st.container(key=f"behind_{stage}_{field.name}")


def _plain(group: type[Settings], field: Field, stage: str, base: Any) -> Any:
    key = widget_key(stage, field.name)
    common: dict[str, Any] = {"key": key, "help": field.help, "bind": "query-params"}
    if field.kind == "switch":
        return st.toggle(field.label, value=base, **common)
    if field.kind == "choice":
        return _choice(field, base, common)
    if field.kind == "numbers":
        return _numbers(group, field, base, common)
    if field.kind == "text":
        return _text(group, field, base, common)
    return _number(field, base, common)


def _choice(field: Field, base: Any, common: dict[str, Any]) -> Any:
    options = list(field.choices)
    given = st.query_params.get(common["key"])
    if given in options and widget_value(common["key"], None) is None:
        set_widgets({common["key"]: given})  # the command line's word; links have those shown
    if len(options) <= 3:
        return st.segmented_control(
            field.label, options, default=base, required=True, width="stretch",
            format_func=option_label, **common,
        )  # fmt: skip
    return st.selectbox(
        field.label, options, index=options.index(base), format_func=option_label, **common
    )


def _number(field: Field, base: Any, common: dict[str, Any]) -> Any:
    scale = scale_of(field)
    if scale.kind == "even":
        return st.slider(
            field.label, scale.low, scale.high, value=base, step=scale.step,
            format="localized" if field.kind == "whole" else None, **common,
        )  # fmt: skip
    if scale.kind == "typed":
        return st.number_input(
            field.label, scale.low, scale.high, value=base, step=scale.step, **common
        )
    held = widget_value(common["key"], base)
    options = scale.options_with(base, held if field.allows(held) else base)
    return st.select_slider(field.label, options, value=base, **common)


def _numbers(group: type[Settings], field: Field, base: Any, common: dict[str, Any]) -> Any:
    """Draw a text of whole numbers; a wrong one is told beside it, and `base` stays in force."""
    text = st.text_input(field.label, value=_as_text(base), **common)
    try:
        return getattr(group.model_validate({field.name: _parts(text)}), field.name)
    except ValidationError as error:
        st.error(f"{explain(error)} {_as_text(base)} stays in force.")
        return base


def _text(group: type[Settings], field: Field, base: Any, common: dict[str, Any]) -> Any:
    """Draw a text, None where it is empty and may be off; a wrong one leaves `base` in force."""
    text = st.text_input(field.label, value=base or "", **common).strip()
    try:
        return _rule(group, field.name).validate_python(text)
    except ValidationError as error:
        stays = f"{base} stays in force" if base else "It stays off"
        st.error(f"{explain(error, field.label)} {stays}.")
        return base


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _as_text(values: Iterable[int]) -> str:
    return ", ".join(str(value) for value in values)


def _typed(field: Field, value: Any) -> Any:
    """Return a number in the type that its widget holds."""
    return float(value) if field.kind == "fraction" else value
