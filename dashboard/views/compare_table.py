"""The table of runs: what is listed, which columns, and which rows are ticked."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import elements, loaders, state
from dashboard.fields import value_words
from dashboard.view import View
from dashboard.views.compare_names import origin, run_name, setting_of, with_unit
from pipeline.comparison import MEASURES, RunSummary
from pipeline.runs import Run
from pipeline.settings import AnalysisSettings, describe

ABOUT = {
    "auc_interval": "95 % interval",
    "state": "State",
    "protocol": "Protocol",
    "selected": "Variants",
    "best_epoch": "Best epoch",
    "epochs": "Epochs done",
    "n_test": "Test people",
    "created": "Asked for",
    "seconds": "Seconds",
    "cohort": "Cohort",
}
DEFAULT = ("auc_interval", "best_val_auc", "best_epoch", "selected", "protocol", "state", "created")
_FILTERS = {"state": "State", "preset": "Preset", "protocol": "Protocol"}
_TICKS = "compare_ticks"  # counts how often the table has begun anew
_ROWS_SHOWN = 10
_ROW_PIXELS = 35


def show(view: View, known: list[Run], chosen: Sequence[str]) -> tuple[str, ...] | None:
    """Draw the table and return the ids that are ticked, None when nothing can be ticked."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Find", key="compare.find", bind="query-params", placeholder="preset, id, setting",
            label_visibility="collapsed", icon=":material/search:", width=260,
        )  # fmt: skip
        listed = _filtered(view, known)
        columns = _columns()
    listed = [run for run in listed if _answers(run, text)]
    if not listed:
        elements.empty("No run answers to this. Loosen the filter, or list all cohorts in it.")
        return None
    rows, form = _rows(listed, columns)
    place = {run.id: row for row, run in enumerate(listed)}
    event = elements.table(
        rows,
        column_config=form,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [place[one] for one in chosen if one in place]}},
        height=min(len(listed), _ROWS_SHOWN) * _ROW_PIXELS + _ROW_PIXELS + 3,
        key=_key(listed),
        saved_as="runs",
    )
    _told(view, listed, known, chosen)
    ticked = [listed[row].id for row in event.selection.rows if row < len(listed)]
    # In the order in which they were chosen; what is not listed cannot have been unticked.
    kept = [one for one in chosen if one in ticked or one not in place]
    return (*kept, *(one for one in ticked if one not in kept))


def forget_ticks() -> None:
    """Let the table begin anew with what is chosen."""
    state.put(_TICKS, state.get(_TICKS, 0) + 1)


def _key(listed: list[Run]) -> str:
    """Return a name of the table that changes with its rows: ticks are kept by number of row."""
    ids = hashlib.sha256("".join(run.id for run in listed).encode()).hexdigest()[:12]
    return f"compare_table_{ids}_{state.get(_TICKS, 0)}"


def _told(view: View, listed: list[Run], known: list[Run], chosen: Sequence[str]) -> None:
    shown = {run.id for run in listed}
    parts = [f"{len(listed):,} of {len(known):,} runs."]
    hidden = sum(one not in shown for one in chosen)
    if hidden:
        parts.append(f"{hidden:,} of the compared ones are not listed.")
    parts.append("A figure is that of the epoch whose weights were kept, never of the last.")
    st.caption(" ".join(parts))


# ---- what is listed -------------------------------------------------------------------------


def _filtered(view: View, known: list[Run]) -> list[Run]:
    """Draw the filter and return the runs that pass."""
    with st.popover("Filter", icon=":material/filter_list:"):
        everywhere = st.toggle(
            "Runs of all cohorts", key="compare.everywhere", bind="query-params",
            help=f"Else those of {view.whole.name} alone.",
        )  # fmt: skip
        listed = [run for run in known if everywhere or run.cohort == view.whole.name]
        for name, label in _FILTERS.items():
            options = list(dict.fromkeys(_property(run, name) for run in listed))
            wanted = st.multiselect(
                label, options, key=f"compare.{name}", bind="query-params", placeholder="all"
            )
            if wanted:
                listed = [run for run in listed if _property(run, name) in wanted]
    return listed


def _property(run: Run, name: str) -> str:
    if name == "preset":
        return origin(run)
    if name == "protocol":
        return run.settings.get("selection", {}).get("protocol", "unknown")
    return getattr(run, name)


def _answers(run: Run, text: str) -> bool:
    """Say whether a run has all these words: in its name, id, settings, seed or error."""
    if not text.strip():
        return True
    told = f"{run_name(run)} {run.id} {run.preset} {run.cohort} {run.state} {run.error or ''}"
    told += f" seed {run.seed} " + " ".join(_settings_text(run))
    return all(word in told.lower() for word in text.lower().split())


def _settings_text(run: Run) -> list[str]:
    """Return the settings as they can be looked for: `network.filters=32`."""
    return [
        f"{stage}.{field}={value}"
        for stage, group in run.settings.items()
        for field, value in group.items()
    ]


# ---- columns --------------------------------------------------------------------------------


@functools.cache
def _settings() -> dict[str, dict[str, Any]]:
    """Return the declarations of the settings that make a run, by `stage.field`."""
    return {
        row["setting"]: row
        for row in describe()
        if row["setting"].partition(".")[0] in AnalysisSettings.model_fields
    }


@functools.cache
def _labels() -> Mapping[str, str]:
    """Return the label of each column that can be chosen."""
    labels = dict(ABOUT) | {name: one.label for name, one in MEASURES.items() if name != "auc"}
    for name, row in _settings().items():
        stage = name.partition(".")[0]
        labels[name] = f"{with_unit(row['label'], row['unit'])} · {stage}"
    return labels


def _columns() -> list[str]:
    """Draw the choice of columns and return those chosen."""
    with st.popover("Columns", icon=":material/view_column:"):
        return st.multiselect(
            "Columns beside name, AUC and curve", list(_labels()), default=list(DEFAULT),
            format_func=_labels().get, key="compare.columns", bind="query-params",
            placeholder="none",
        )  # fmt: skip


def _rows(listed: list[Run], columns: list[str]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the cells and how they are written; the first three columns fill a telephone."""
    found = [loaders.run_summary(run) for run in listed]
    cells: dict[str, list[Any]] = {
        "Run": [run_name(run) for run in listed],
        "AUC": [one.value("auc") for one in found],
        "Loss curve": [list(one.val_loss) for one in found],
    }
    form: dict[str, Any] = {
        "Run": st.column_config.TextColumn(width=168),
        "AUC": st.column_config.NumberColumn(
            format="%.3f", width=66, help="Of the test people, network of the kept epoch."
        ),
        "Loss curve": st.column_config.LineChartColumn(
            width=92, help="Loss of validation people by epoch, a mean over folds."
        ),
    }
    for name in columns:
        label = _labels()[name].partition(" · ")[0]
        label = label if label not in cells else _labels()[name]
        cells[label] = [_cell(name, run, one) for run, one in zip(listed, found, strict=True)]
        written = _form(name)
        if written is not None:
            form[label] = written
    return pd.DataFrame(cells), form


def _cell(name: str, run: Run, found: RunSummary) -> Any:
    if name in MEASURES:
        return found.value(name)
    if name in _settings():
        value = setting_of(run, name, _settings()[name]["default"])
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        is_counted = isinstance(_settings()[name]["default"], int | float)
        return value if is_number and is_counted else value_words(value)
    if name == "auc_interval":
        limits = found.measured.get("auc")
        return "" if not limits or limits["low"] != limits["low"] else (
            f"{limits['low']:.3f} to {limits['high']:.3f}"
        )  # fmt: skip
    if name == "created":
        return datetime.fromisoformat(run.created)
    if name == "epochs":
        return run.epochs or found.n_epochs or None
    if name in ("protocol", "n_test", "best_epoch"):
        return getattr(found, name) or None
    return getattr(run, name)


def _form(name: str) -> Any:
    if name in MEASURES:
        measure = MEASURES[name]
        return st.column_config.NumberColumn(
            format="percent" if measure.is_share else "%.3f", help=measure.help
        )
    if name == "created":
        return st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm")
    if name in ("selected", "n_test", "epochs", "seconds"):
        return st.column_config.NumberColumn(format="localized")
    if name == "best_epoch":
        return st.column_config.NumberColumn(format="%.4g", help="A mean over folds.")
    return None
