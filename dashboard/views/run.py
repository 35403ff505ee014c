"""Run: can we believe it?"""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import elements, loaders
from dashboard.charts.confusion import confusion
from dashboard.charts.metric_intervals import metric_intervals
from dashboard.charts.roc import roc
from dashboard.view import View
from dashboard.views import live
from pipeline.errors import NotFoundError
from pipeline.presets import PRESETS
from pipeline.runs import Run

MODELS = {
    "network": "Network",
    "logistic_l1": "Logistic regression, L1",
    "logistic_l2": "Logistic regression, L2",
    "boosting": "Gradient boosting",
    "additive": "Additive score",
    "additive_clumped": "Additive score, clumped",
    "covariates": "Covariates alone",
    "majority": "Always the larger class",
}
_SHOWN = 500  # runs offered in the list


def show(view: View) -> None:
    """Draw the page."""
    known = loaders.all_runs()[:_SHOWN]
    if not known:
        st.title("Can we believe it?")
        elements.empty("No run yet. Choose a network on the page Training and train it.")
        st.page_link(view.pages["training"], label="Training", icon=":material/model_training:")
        return
    try:
        run = _choose({run.id: run for run in known})
    except NotFoundError as problem:
        elements.problem(str(problem))
        st.page_link(view.pages["run"], label="The newest run", icon=":material/monitoring:")
        return
    metrics = loaders.metrics(run)
    if run.state not in ("finished", "cancelled") or not metrics:
        st.title("Can we believe it?")
        live.curves(run.id)
        return
    st.header(_sentence(metrics))
    if metrics["protocol"] == "published":
        st.warning(
            "Published protocol: the labels of these test people helped to choose the variants "
            "and to stop the training. This is not evidence about new people.",
            icon=":material/warning:",
        )
    if run.state == "cancelled":
        st.info(
            "Somebody ended this training early; measured are the best weights until then.",
            icon=":material/stop_circle:",
        )
    for note in [_in_file(run, metrics), *metrics["notes"]]:
        if note:
            st.caption(note)
    _evidence(metrics)
    elements.method("run")
    live.curves(run.id)
    _made_of(run, metrics)


def _choose(by_id: dict[str, Run]) -> Run:
    """Return the run that the address names, else the newest, and let another be chosen."""
    asked = st.query_params.get("run")
    if asked and asked not in by_id:
        by_id |= {asked: loaders.run(asked)}
    titles = {one: _title(run) for one, run in by_id.items()}
    return loaders.run(elements.choice_in_address("Run", "run", list(by_id), titles))


def _title(run: Run) -> str:
    when = run.created[:16].replace("T", " ")
    return f"{run.cohort} · {_origin(run)} · {when} · {run.state} · {run.id[:8]}"


def _origin(run: Run) -> str:
    """Return where the settings of a run come from: a preset, a search, or the user."""
    if run.preset in PRESETS:
        return PRESETS[run.preset].title
    return (run.preset or "own settings").replace("sweep ", "best of search ")


def _in_file(run: Run, metrics: dict[str, Any]) -> str:
    """Return how many of the chosen variants have a weight in the file, "" without a file."""
    counts = [(fold.get("weighted"), fold["selected"]) for fold in metrics["folds"]]
    if run.settings["encoding"]["weights"] != "file" or any(n is None for n, _ in counts):
        return ""
    shares = [f"{n:,} of {of:,}" for n, of in counts]
    n_variants = shares[0] if len(shares) == 1 else f"Of each fold, {', '.join(shares)}"
    dropped = run.settings["encoding"]["drop_unweighted"]
    others = "the others were left out" if dropped else "the others entered with weight 0"
    return f"{n_variants} chosen variants have a weight in the file; {others}."


def _sentence(metrics: dict[str, Any]) -> str:
    """Return the first line: the numbers that answer the question of the page."""
    test = metrics["test"]
    seen = "it had never seen" if metrics["protocol"] == "honest" else "set aside"
    accuracy = test["accuracy"]
    limits = f"95% interval {100 * accuracy['low']:.0f} to {100 * accuracy['high']:.0f}"
    parts = [
        f"On {test['n']:,} people {seen}, the network is right for {accuracy['value']:.0%} "
        f"({limits})"
    ]
    baselines = metrics["baselines"]
    if "logistic_l1" in baselines:
        parts.append(f"logistic regression for {baselines['logistic_l1']['accuracy']['value']:.0%}")
    if "majority" in baselines:
        larger = _larger_class(test["confusion"])
        parts.append(f"always saying {larger} for {baselines['majority']['accuracy']['value']:.0%}")
    return ", ".join(parts) + "."


def _larger_class(table: list[list[int]]) -> str:
    return "control" if sum(table[0]) >= sum(table[1]) else "case"


def _evidence(metrics: dict[str, Any]) -> None:
    colours = elements.palette()
    measured = {"network": metrics["test"], **metrics["baselines"]}
    with st.container(key="wrap_evidence"):
        left, right = st.columns(2)
    with left:
        elements.chart(confusion(metrics["test"]["confusion"], palette=colours), key="confusion")
        error = metrics["prediction_error"]
        drawn = "all people" if metrics["protocol"] == "published" else "the test people"
        trained = f", {error['n_trained']:,} of whom trained it" if error["n_trained"] else ""
        train = metrics["train"]
        st.caption(
            f"On the people who taught it: right for {train['accuracy']:.0%}, "
            f"AUC {train['auc']:.3f}. What is beyond the test people's is learned by heart."
        )
        st.caption(
            f"Prediction error as the paper defines it: {error['value']:.0%} of {error['n']:,} "
            f"people drawn from {drawn}{trained}."
        )
    with right:
        elements.chart(roc(_roc_rows(metrics, measured), palette=colours), key="roc")
    with st.container(key="wrap_intervals"):
        left, right = st.columns(2)
    majority = metrics["baselines"].get("majority", {}).get("accuracy", {}).get("value")
    for place, metric, words, chance, chance_name in (
        (left, "auc", "AUC", 0.5, "chance"),
        (right, "accuracy", "Accuracy", majority, "always the larger class"),
    ):
        rows = _interval_rows(measured, metric, metrics["protocol"])
        made = metric_intervals(
            rows, metric=words, chance=chance, chance_name=chance_name, palette=colours
        )
        with place:
            elements.chart(made, key=f"intervals_{metric}")


def _interval_rows(measured: dict[str, dict[str, Any]], metric: str, protocol: str) -> pd.DataFrame:
    rows = [
        {
            "model": MODELS[name],
            **values[metric],
            "kind": protocol if name == "network" else "baseline",
        }
        for name, values in measured.items()
        if name != "majority" and values[metric]["value"] is not None
    ]
    return pd.DataFrame(rows)


def _roc_rows(metrics: dict[str, Any], measured: dict[str, dict[str, Any]]) -> pd.DataFrame:
    parts = []
    for name, curve in metrics["roc"].items():
        part = pd.DataFrame(curve)
        part["model"] = MODELS[name]
        part["kind"] = metrics["protocol"] if name == "network" else "baseline"
        part["auc"] = elements.interval(measured[name]["auc"])
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _made_of(run: Run, metrics: dict[str, Any]) -> None:
    with st.expander("Everything that made this run"):
        st.markdown(
            f"Run `{run.id}` of cohort **{run.cohort}** (`{run.fingerprint}`), "
            f"{metrics['protocol']} protocol, {run.selected or 0:,} variants, {run.epochs} epochs, "
            f"{elements.duration(run.seconds)} on {run.host}."
        )
        folds = pd.DataFrame(
            [
                {
                    "Fold": fold["fold"] + 1,
                    "Variants": fold["selected"],
                    "Of tested": fold["ranked"],
                    "Training people": fold["n_train"],
                    "Watched people": fold["n_watch"],
                    "Epochs": fold["epochs"],
                    "Best epoch": fold["best_epoch"],
                    "Test AUC": fold["test"]["auc"]["value"],
                }
                for fold in metrics["folds"]
            ]
        )
        elements.table(folds)
        st.json({"settings": run.settings, "versions": run.versions}, expanded=1)
