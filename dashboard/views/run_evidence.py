"""The evidence of a run: calls at a threshold, curves, calibration, models beside it, groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import elements, state
from dashboard.charts.calibration import calibration
from dashboard.charts.confusion import confusion
from dashboard.charts.group_metrics import group_metrics
from dashboard.charts.metric_intervals import metric_intervals
from dashboard.charts.precision_recall import precision_recall
from dashboard.charts.roc import roc
from dashboard.charts.score_histogram import score_histogram
from pipeline.evidence import (
    DEFAULT_PREVALENCE,
    PREVALENCES,
    AtThreshold,
    at_threshold,
    own_threshold,
    threshold_choices,
)
from pipeline.story.words import MODELS

MOVED = (
    "You moved the threshold while looking at these very test people: what it gives here is no "
    "evidence about others."
)
STANDS = "Move the threshold to see what another would give."
# What a run says that was trained since it is measured; older ones have none of it.
_MEASURED = {
    "thresholds": "a threshold that moves",
    "precision_recall": "precision and recall",
    "calibration": "calibration",
    "histogram": "scores by class",
    "groups": "groups of people",
    "liability": "liability R²",
}
_METRICS = {"auc": "AUC", "accuracy": "Accuracy"}


def show(run_id: str, metrics: dict[str, Any]) -> None:
    """Draw what the test people say, from the calls to the groups."""
    _take_from_address(run_id, metrics)
    _calls(run_id, metrics)
    _learned_by_heart(metrics)
    lacking = [words for key, words in _MEASURED.items() if key not in metrics]
    if lacking:
        elements.empty(
            f"This run was measured before there was more to see: train again for "
            f"{', '.join(lacking[:-1])}{' and ' * (len(lacking) > 1)}{lacking[-1]}."
        )
    _curves(metrics)
    _beside_others(metrics)
    _fold_by_fold(metrics)
    _probabilities(metrics)
    _groups(metrics)


@st.fragment
def _calls(run_id: str, metrics: dict[str, Any]) -> None:
    """Draw the confusion matrix beside what moves it; only this moves with a slider."""
    with st.container(key="wrap_calls"):
        left, right = st.columns(2)
    with right:
        threshold = _threshold(run_id, metrics)
        prevalence = _prevalence(run_id)
        _tell_address(threshold=threshold, prevalence=prevalence)
        found = at_threshold(metrics, threshold, prevalence)
        elements.table(_call_rows(found, prevalence, metrics), key="calls", saved_as="calls")
    with left:
        made = confusion(
            found.confusion, at=_called_above(metrics, threshold), palette=elements.palette()
        )
        elements.chart(made, key="confusion")
        if threshold_choices(metrics):
            st.caption(STANDS if threshold is None else MOVED)


def _take_from_address(run_id: str, metrics: dict[str, Any]) -> None:
    """Move the sliders to where a link has them; what it says is of the first run it shows."""
    shown = state.swap("evidence_of", run_id)
    if shown != run_id:
        _tell_address(threshold=None, prevalence=DEFAULT_PREVALENCE)
    elif not state.get(f"evidence_seen_{run_id}"):
        for name, options in (
            ("threshold", threshold_choices(metrics)), ("prevalence", PREVALENCES)
        ):  # fmt: skip
            asked = st.query_params.get(name)
            chosen = next((one for one in options if f"{one:g}" == asked), None)
            if chosen is not None:
                state.put(f"{name}_chosen_{run_id}", chosen)
    state.put(f"evidence_seen_{run_id}", True)


def _tell_address(*, threshold: float | None, prevalence: float) -> None:
    """Have the address name what was moved, and nothing else."""
    moved = {
        "threshold": None if threshold is None else f"{threshold:g}",
        "prevalence": None if prevalence == DEFAULT_PREVALENCE else f"{prevalence:g}",
    }
    for name, value in moved.items():
        if value is None:
            st.query_params.pop(name, None)
        else:
            elements.name_in_address(name, value)


def _prevalence(run_id: str) -> float:
    """Return the share of ill people in the population that is thought of."""
    key, kept = f"prevalence_{run_id}", f"prevalence_chosen_{run_id}"
    chosen = state.get(kept) or DEFAULT_PREVALENCE
    state.set_widgets({key: chosen})
    st.select_slider(
        "Share of ill people in the population",
        PREVALENCES,
        format_func=_share,
        key=key,
        on_change=_move,
        args=(key, kept, DEFAULT_PREVALENCE),
        help="The predictive values and liability R² are those of a population in which so "
        "many are ill. Of schizophrenia it is near 1%.",
    )
    return chosen


def _threshold(run_id: str, metrics: dict[str, Any]) -> float | None:
    """Return the threshold that was moved to, None while each fold keeps its own."""
    choices = threshold_choices(metrics)
    if not choices:
        return None
    key, kept = f"threshold_{run_id}", f"threshold_chosen_{run_id}"
    own = own_threshold(metrics)
    moved = state.get(kept)
    # The widget is forgotten where it is not drawn, what it was moved to is not.
    start = moved if moved in choices else own if own is not None else 0.5
    state.set_widgets({key: start})
    st.select_slider(
        "Threshold: called a case above"
        + ("" if own is not None or moved in choices else " (each fold's own until you move it)"),
        choices,
        format_func=_number,
        key=key,
        on_change=_move,
        args=(key, kept, own),
    )
    threshold = moved if moved in choices else None
    back = "the run's own threshold" if own is not None else "each fold's own threshold"
    st.button(
        f"Back to {back}", icon=":material/undo:", type="tertiary", key=f"back_{run_id}",
        on_click=state.put, args=(kept, None), disabled=threshold is None,
    )  # fmt: skip
    return threshold


def _move(key: str, kept: str, own: float | None) -> None:
    value = state.get(key)
    state.put(kept, None if value == own else value)


def _called_above(metrics: dict[str, Any], threshold: float | None) -> str:
    own = own_threshold(metrics)
    if threshold is None and own is None:
        return "Called a case above each fold's own threshold"
    return f"Called a case above {own if threshold is None else threshold:.3f}"


def _call_rows(found: AtThreshold, prevalence: float, metrics: dict[str, Any]) -> pd.DataFrame:
    calls, ill = found.calls, _share(prevalence)
    level = f"{metrics.get('confidence', 0.95):.0%} limits"
    measured: list[tuple[str, Any, str]] = [
        ("Sensitivity", calls.sensitivity, "Cases that are called case"),
        ("Specificity", calls.specificity, "Controls that are called control"),
        ("Precision", calls.precision, "Cases among those called so"),
        ("F1", calls.f1, "Sensitivity and precision in one"),
        ("MCC", calls.mcc, "Matthews' correlation"),
        (f"PPV, {ill} ill", calls.ppv, "Ill people among those called so"),
        (f"NPV, {ill} ill", calls.npv, "Healthy people among those not called"),
    ]
    if found.liability_r2 is not None:
        words = "Variance of liability explained"
        measured.append((f"Liability R², {ill} ill", found.liability_r2, words))
    rows = []
    for name, value, words in measured:
        row = {"Measure": name, "Value": "", level: "", "Meaning": words}
        if isinstance(value, float):
            row["Value"] = _number(value)
        else:
            low, high = _percent(value.low), _percent(value.high)
            row["Value"] = _percent(value.value)
            row[level] = f"{low} to {high}" if low and high else ""
        rows.append(row)
    return pd.DataFrame(rows)


def _learned_by_heart(metrics: dict[str, Any]) -> None:
    error, train = metrics["prediction_error"], metrics["train"]
    drawn = "all people" if metrics["protocol"] == "published" else "the test people"
    trained = f", {error['n_trained']:,} of whom trained it" if error["n_trained"] else ""
    st.caption(
        f"On the people who taught it: right for {train['accuracy']:.0%}, AUC {train['auc']:.3f}. "
        f"What is beyond the test people's is learned by heart. Prediction error as the paper "
        f"defines it: {error['value']:.0%} of {error['n']:,} people drawn from {drawn}{trained}."
    )


def _curves(metrics: dict[str, Any]) -> None:
    colours = elements.palette()
    measured = {"network": metrics["test"], **metrics["baselines"]}
    folds = len(metrics["folds"]) > 1 and "precision_recall" in metrics
    with st.container(key="wrap_curves"):
        left, right = st.columns(2)
    if metrics["roc"]:
        areas = {name: elements.interval(values["auc"]) for name, values in measured.items()}
        rows = _curve_rows(metrics, metrics["roc"], areas).rename(columns={"words": "auc"})
        with left:
            elements.chart(roc(rows, over_folds=folds, palette=colours), key="roc")
    if metrics.get("precision_recall"):
        average = metrics["average_precision"]
        words = {name: elements.interval(value) for name, value in average.items()}
        rows = _curve_rows(metrics, metrics["precision_recall"], words)
        share = sum(metrics["test"]["confusion"][1]) / _n_called(metrics)
        with right:
            made = precision_recall(rows, share, over_folds=folds, palette=colours)
            elements.chart(made, key="precision_recall")


def _beside_others(metrics: dict[str, Any]) -> None:
    measured = {"network": metrics["test"], **metrics["baselines"]}
    _two_metrics("intervals", metrics, lambda metric: _interval_rows(measured, metric, metrics))


def _fold_by_fold(metrics: dict[str, Any]) -> None:
    """Draw the network on the test people of each fold; all together stand among the others."""
    folds = metrics["folds"]
    if len(folds) < 2:
        return
    st.subheader("Fold by fold")

    def rows_of(metric: str) -> pd.DataFrame:
        kind = _kind("network", metrics)
        return pd.DataFrame(
            {"model": f"Fold {fold['fold'] + 1}", **fold["test"][metric], "kind": kind}
            for fold in folds
            if fold["test"][metric]["value"] is not None
        )

    _two_metrics("folds", metrics, rows_of)


def _two_metrics(key: str, metrics: dict[str, Any], rows_of: Callable[[str], pd.DataFrame]) -> None:
    """Draw AUC and accuracy side by side."""
    majority = metrics["baselines"].get("majority", {}).get("accuracy", {}).get("value")
    with st.container(key=f"wrap_{key}"):
        places = st.columns(2)
    for place, metric, chance, chance_name in (
        (places[0], "auc", 0.5, "chance"),
        (places[1], "accuracy", majority, "always the larger class"),
    ):
        rows = rows_of(metric)
        if rows.empty:
            continue
        made = metric_intervals(
            rows, metric=_METRICS[metric], chance=chance, chance_name=chance_name,
            palette=elements.palette(),
        )  # fmt: skip
        with place:
            elements.chart(made, key=f"{key}_{metric}")


def _probabilities(metrics: dict[str, Any]) -> None:
    if "calibration" not in metrics:
        return
    with st.container(key="wrap_probabilities"):
        left, right = st.columns(2)
    parts = []
    for name, told in metrics["calibration"].items():
        part = pd.DataFrame(
            {column: told[column] for column in ("probability", "share", "low", "high", "n")}
        )
        part["model"] = MODELS[name]
        part["kind"] = _kind(name, metrics)
        part["words"] = f"Brier {told['brier']:.3f}, calibration error {told['ece']:.3f}"
        parts.append(part)
    bins = pd.concat(parts, ignore_index=True)
    with left:
        if bins.empty:
            elements.empty("Ten test people or more are needed to see whether probabilities hold.")
        else:
            elements.chart(calibration(bins, palette=elements.palette()), key="calibration")
    with right:
        thresholds = sorted({fold["threshold"] for fold in metrics["folds"]})
        made = score_histogram(metrics["histogram"], thresholds, palette=elements.palette())
        elements.chart(made, key="histogram")


def _groups(metrics: dict[str, Any]) -> None:
    told = metrics.get("groups")
    if told is None:
        return
    st.subheader("Is it right for everybody?")
    if not told:
        elements.empty(
            "These people differ in nothing that is known: bring sex or covariates in the table "
            "of phenotypes, or compute the structure of the cohort."
        )
        return
    metric = st.segmented_control(
        "Figure", list(_METRICS), default="auc", required=True, format_func=_METRICS.get,
        key="group_metric", label_visibility="collapsed",
    )  # fmt: skip
    rows = _group_rows(told, metric)
    if rows.empty:
        elements.empty("No group has cases and controls to tell apart.")
    else:
        overall = metrics["test"][metric]["value"]
        made = group_metrics(
            rows, metric=_METRICS[metric], overall=overall, kind=metrics["protocol"],
            palette=elements.palette(),
        )  # fmt: skip
        elements.chart(made, key="groups")
    silent = [
        f"{one['by']}, {group['name']} ({group['n']:,})"
        for one in told
        for group in one["groups"]
        if group[metric]["value"] is None
    ]
    if silent:
        st.caption(f"Nothing is told of: {'; '.join(silent)}. Too few people, or only one class.")


def _group_rows(told: list[dict[str, Any]], metric: str) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"by": one["by"], "name": group["name"], "n": group["n"], "n_case": group["n_case"]}
            | group[metric]
            for one in told
            for group in one["groups"]
            if group[metric]["value"] is not None
        ]
    )


def _interval_rows(
    measured: dict[str, dict[str, Any]], metric: str, metrics: dict[str, Any]
) -> pd.DataFrame:
    rows = [
        {"model": MODELS[name], **values[metric], "kind": _kind(name, metrics)}
        for name, values in measured.items()
        if name != "majority" and values[metric]["value"] is not None
    ]
    return pd.DataFrame(rows)


def _curve_rows(
    metrics: dict[str, Any], curves: dict[str, dict[str, Any]], words: dict[str, str]
) -> pd.DataFrame:
    parts = []
    for name, curve in curves.items():
        part = pd.DataFrame(curve)
        part["model"] = MODELS[name]
        part["kind"] = _kind(name, metrics)
        part["words"] = words[name]
        parts.append(part.reindex(columns=[*{*part.columns, "low", "high"}]))
    return pd.concat(parts, ignore_index=True)


def _kind(name: str, metrics: dict[str, Any]) -> str:
    return metrics["protocol"] if name == "network" else "baseline"


def _n_called(metrics: dict[str, Any]) -> int:
    return sum(map(sum, metrics["test"]["confusion"]))


def _share(value: float) -> str:
    return f"{100 * value:g}%"


def _percent(value: float) -> str:
    return "" if value != value else f"{value:.1%}"


def _number(value: float) -> str:
    return "" if value != value else f"{value:.3f}"
