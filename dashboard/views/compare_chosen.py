"""Runs over each other: curves, AUC in order, a setting against a figure, all that differs."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import elements, loaders
from dashboard.charts.metric_intervals import metric_intervals
from dashboard.charts.runs_overlay import MOST, runs_overlay
from dashboard.charts.runs_parallel import Axis, runs_parallel
from dashboard.charts.runs_scatter import runs_scatter
from dashboard.fields import value_words
from dashboard.views.compare_names import run_name, with_unit
from pipeline.comparison import MEASURES, Difference, differing_settings
from pipeline.runs import Run

AXES = 12  # settings drawn as axes below each other
_CURVES = {"val_loss": "Loss, validation", "val_auc": "AUC, validation"}


def show(compared: list[Run]) -> None:
    """Draw the chosen runs over each other, and what was set differently in them."""
    if len(compared) > MOST:
        st.caption(
            f"Curves are those of the first {MOST} runs ticked; the pictures below are of all."
        )
    _learning(compared[:MOST])
    _results(compared)
    differing = differing_settings(compared)
    if not differing:
        elements.empty("Nothing was set differently in these runs.")
        return
    _scatter(compared, differing)
    if len(compared) > 2:  # two lines say no more than the table of their settings
        _parallel(compared, differing)


def _learning(compared: list[Run]) -> None:
    """Draw loss and AUC of validation people by epoch, as means over the folds that run."""
    parts, best = [], []
    for run in compared:
        epochs = pd.DataFrame(vars(one) for one in loaders.epochs(run))
        if epochs.empty:
            continue
        mean = epochs.groupby("epoch", as_index=False)[list(_CURVES)].mean()
        found = loaders.run_summary(run)
        name, n_folds = run_name(run), epochs["fold"].nunique()
        parts.append(mean.assign(run=name, words=f"{n_folds} folds" if n_folds > 1 else ""))
        if math.isfinite(found.best_epoch) and n_folds == 1:
            best.append(mean[mean["epoch"] == found.best_epoch].assign(run=name))
    if not parts:
        elements.empty("None of these runs has begun to learn; come back once one has.")
        return
    table = pd.concat(parts, ignore_index=True)
    rings = pd.concat(best, ignore_index=True) if best else None
    with st.container(key="wrap_compare_learning"):
        places = st.columns(2)
    for place, (column, title) in zip(places, _CURVES.items(), strict=True):
        drawn = _line(table, column)
        if drawn.empty:
            continue
        made = runs_overlay(
            drawn, title=title, x_title="Epoch", y_title=title,
            subtitle="Ring: the kept epoch" if best else "",
            best=None if rings is None else _line(rings, column), palette=elements.palette(),
        )  # fmt: skip
        with place:
            elements.chart(made, key=f"compare_{column}")


def _line(table: pd.DataFrame, column: str) -> pd.DataFrame:
    return table.rename(columns={"epoch": "x", column: "y"}).dropna(subset="y")


def _results(compared: list[Run]) -> None:
    """Draw ROC curves, and the AUC of all runs with intervals, the highest first."""
    measured = {run.id: found for run in compared if (found := loaders.metrics(run))}
    curves, rows = [], []
    for run in compared:
        if run.id not in measured:
            continue
        metrics = measured[run.id]
        auc = metrics["test"]["auc"]
        if auc["value"] is None:
            continue
        rows.append({"model": run_name(run), "kind": metrics["protocol"], **auc})
        curve = metrics["roc"].get("network") if metrics.get("roc") else None
        if curve and len(curves) < MOST:
            points = pd.DataFrame({"x": curve["fpr"], "y": curve["tpr"]}).dropna()
            curves.append(points.assign(run=run_name(run), words=f"{auc['value']:.3f}"))
    if not rows:
        elements.empty("None of these runs has been measured on test people yet.")
        return
    with st.container(key="wrap_compare_results"):
        left, right = st.columns(2)
    ordered = pd.DataFrame(rows).sort_values("value", ascending=False, ignore_index=True)
    with left:
        if curves:
            made = runs_overlay(
                pd.concat(curves, ignore_index=True), title="ROC of test people",
                x_title="Controls called case", y_title="Cases called case",
                subtitle=["Upwards: cases called case", "Dashed grey: chance"], is_square=True,
                palette=elements.palette(),
            )  # fmt: skip
            elements.chart(made, key="compare_roc")
    with right:
        made = metric_intervals(ordered, metric="AUC", palette=elements.palette())
        elements.chart(made, key="compare_auc")
    if ordered["kind"].nunique() > 1:
        st.caption(
            "Green: honest protocol. Violet: published protocol, whose test people helped to "
            "choose variants; its figures are no evidence about new people."
        )


def _scatter(compared: list[Run], differing: tuple[Difference, ...]) -> None:
    st.subheader("A setting against a figure")
    labels = {one.setting: with_unit(one.label, one.unit) for one in differing}
    left, right = st.columns(2)
    with left:
        setting = st.selectbox(
            "Setting",
            list(labels),
            index=_first_number(differing),
            format_func=labels.get,
            key="compare.setting",
        )
    with right:
        measure = st.selectbox(
            "Figure", list(MEASURES), format_func=_measure_label, key="compare.measure"
        )
    chosen = next((one for one in differing if one.setting == setting), differing[0])
    points = _points(compared, chosen, measure)
    if points.empty:
        elements.empty("None of these runs has this figure; choose another.")
        return
    choices = None
    if not pd.api.types.is_numeric_dtype(points["x"]):
        choices = list(dict.fromkeys(points["x"]))
    made = runs_scatter(
        points, setting=labels[chosen.setting], measure=MEASURES[measure].label, choices=choices,
        form=".0%" if MEASURES[measure].is_share else ".2~f", palette=elements.palette(),
    )  # fmt: skip
    elements.chart(made, key="compare_scatter")


def _first_number(differing: tuple[Difference, ...]) -> int:
    """Return the place of the first setting that is a number, else of the first."""
    return next((i for i, one in enumerate(differing) if _are_numbers(one)), 0)


def _are_numbers(one: Difference) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in one.values)


def _measure_label(name: str) -> str:
    return MEASURES[name].label


def _points(compared: list[Run], chosen: Difference, measure: str) -> pd.DataFrame:
    """Return a row for each run that has the figure; x are words unless all are numbers."""
    is_number = _are_numbers(chosen)
    rows: list[dict[str, Any]] = []
    for run, value in zip(compared, chosen.values, strict=True):
        found = loaders.run_summary(run)
        limits = found.measured.get(measure)
        if limits is None or not math.isfinite(limits["value"]):
            continue
        told = {name: None if math.isnan(v) else v for name, v in limits.items()}
        rows.append(
            {
                "run": run_name(run), "kind": found.protocol, **limits,
                "x": value if is_number else value_words(value), "x_words": value_words(value),
                "words": elements.interval(told),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _parallel(compared: list[Run], differing: tuple[Difference, ...]) -> None:
    axes = [Axis(with_unit(one.label, one.unit), one.values) for one in differing[:AXES]]
    values = tuple(loaders.run_summary(run).value("auc") for run in compared)
    made = runs_parallel(
        [run_name(run) for run in compared], axes, Axis("AUC, test", values),
        palette=elements.palette(),
    )  # fmt: skip
    elements.chart(made, key="compare_parallel")
    if len(differing) > AXES:
        st.caption(f"The first {AXES} of {len(differing)} settings that differ.")
