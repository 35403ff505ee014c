"""The curves of a run, growing while it trains; the same for everybody who watches."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import elements, loaders
from dashboard.charts.learning_curves import learning_curves
from pipeline import jobs
from pipeline.epochs import EpochRecord
from pipeline.errors import NotFoundError, PipelineError
from pipeline.runs import Run
from pipeline.settings import AnalysisSettings

ACTIVE = {"queued", "running"}
ENDED_EARLY = {"failed", "cancelled", "interrupted"}
STATES = {
    "queued": "waits in the queue",
    "running": "is training",
    "finished": "has finished",
    "failed": "failed",
    "cancelled": "was stopped",
    "interrupted": "was interrupted",
}
# What is kept of a run: the epoch that is best by this, as the training itself chooses.
KEPT = {
    "loss": lambda record: -record.val_loss,
    "accuracy": lambda record: record.val_accuracy,
    "auc": lambda record: record.val_auc,
    "last": lambda record: record.epoch,
}
# Pixels of the picture with its title, of one fold and of several: the room is there before it is.
HEIGHT, HEIGHT_OF_FOLDS = 623, 639


def curves(run_id: str, page: Any = None) -> None:
    """Draw the learning curves; while the run is active they follow it.

    `page` is that of runs, to link to where this is another one.
    """
    if loaders.run(run_id).state in ACTIVE:
        _following(run_id, page)
    else:
        _draw(loaders.run(run_id), page)


@st.fragment(run_every="0.5s")  # an epoch is seen within a second of its end
def _following(run_id: str, page: Any) -> None:
    run = loaders.run(run_id)
    if run.state not in ACTIVE:
        st.rerun()
    _draw(run, page)


def _draw(run: Run, page: Any) -> None:
    records = loaders.epochs(run)
    settings = run.analysis()
    if page or run.state != "finished":  # the page of runs has said more of a finished one
        _state(run, settings, records, page)
    if run.error:
        elements.problem(run.error)
    if run.state in {"failed", "interrupted"}:
        with st.expander("Last lines of the log"):
            st.code(loaders.log_tail(run) or "The log is empty.", language=None)
    if records:
        _picture(run, settings, records)
    elif run.state in ACTIVE:
        st.skeleton(height=HEIGHT if _n_folds(settings) == 1 else HEIGHT_OF_FOLDS)


def _state(run: Run, settings: AnalysisSettings, records: list[EpochRecord], page: Any) -> None:
    """Say how the run stands, with what can be done about it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        ended = run.state == "cancelled" and _has_result(run)
        how = "was ended early, and its best epoch is kept" if ended else STATES[run.state]
        st.markdown(f"Run `{run.id[:8]}` {how}.")
        _ways_on(run)
        if page:
            st.page_link(
                page, label="Open this run", icon=":material/monitoring:",
                query_params={"run": run.id},
            )  # fmt: skip
    st.caption(_result(run) if _has_result(run) else _so_far(settings, records))


def _has_result(run: Run) -> bool:
    """Say whether the test people have been asked: at the end, or when somebody ended it well."""
    return run.state in ("finished", "cancelled") and loaders.metrics(run) is not None


def _ways_on(run: Run) -> None:
    """Offer what can be done about a run: end it well, go on with it, or start it again."""
    if run.state in ACTIVE:
        if st.button(
            "Stop and keep best", icon=":material/stop_circle:", key=f"keep-best-{run.id}",
            disabled=not _may_end(run),
            help="While it trains: no more epochs, and the best one so far is measured and kept.",
        ):  # fmt: skip
            jobs.keep_best(loaders.cache(), run.id)
            st.toast("The training ends now, and its best epoch is kept.")
    elif run.state in ENDED_EARLY and st.button(
        "Go on from its last epoch" if run.checkpoints.is_dir() else "Start it again",
        icon=":material/replay:", key=f"resume-{run.id}",
    ):  # fmt: skip
        jobs.resume(loaders.cache(), run.id)
        jobs.ensure_worker(loaders.cache())
        st.rerun()


def _may_end(run: Run) -> bool:
    try:
        return jobs.job(loaders.cache(), run.id).may_end
    except NotFoundError:
        return False  # trained by the command line itself


def _so_far(settings: AnalysisSettings, records: list[EpochRecord]) -> str:
    """Return where a training is, in two lines: epoch and fold, the best so far."""
    if not records:
        return "No epoch yet.  \nThe curves begin with the first."
    last = records[-1]
    n_folds = _n_folds(settings)
    fold = f"Fold {last.fold + 1} of {n_folds}, epoch" if n_folds > 1 else "Epoch"
    most = _most_epochs(settings)
    of_most = f" of at most {most:,}" if most else ""
    best = _best(settings, [record for record in records if record.fold == last.fold])
    # Of watched people of one class there is no AUC.
    auc = "" if math.isnan(best.val_auc) else f", AUC {best.val_auc:.3f} of the watched people"
    # Two lines from the beginning, so that nothing below moves.
    return f"{fold} {last.epoch:,}{of_most}.  \nBest so far: epoch {best.epoch:,}{auc}."


def _result(run: Run) -> str:
    """Return what came out on the test people, beside the baseline to beat."""
    metrics = loaders.metrics(run)
    if not metrics:
        return ""
    test = metrics["test"]
    text = f"AUC of {test['n']:,} test people: {elements.interval(test['auc'])}"
    other = metrics["baselines"].get("logistic_l1")
    if other:
        text += f"  \nof L1 logistic regression: {elements.interval(other['auc'])}"
    return text


def _picture(run: Run, settings: AnalysisSettings, records: list[EpochRecord]) -> None:
    metrics = loaders.metrics(run) if _has_result(run) else None
    if metrics:
        best = {fold["fold"]: fold["best_epoch"] for fold in metrics["folds"]}
    else:
        by_fold: dict[int, list[EpochRecord]] = {}
        for record in records:
            by_fold.setdefault(record.fold, []).append(record)
        best = {fold: _best(settings, of_fold).epoch for fold, of_fold in by_fold.items()}
    made = learning_curves(
        pd.DataFrame([asdict(record) for record in records]), best, _majority(run, metrics),
        n_folds=_n_folds(settings),
        is_running=run.state in ACTIVE,
        most_epochs=_most_epochs(settings),
        palette=elements.palette(),
    )  # fmt: skip
    elements.chart(made, key=f"curves-{run.id}")


def _best(settings: AnalysisSettings, records: list[EpochRecord]) -> EpochRecord:
    """Return the epoch that would be kept if the training ended now, the first of equal ones."""
    keep = "auc" if settings.network.family == "gene" else settings.training.keep
    return max(records, key=KEPT[keep])


def _most_epochs(settings: AnalysisSettings) -> int | None:
    """Return how many epochs a fold can have; the gene family has a path before its epochs."""
    return None if settings.network.family == "gene" else settings.training.epochs


def _n_folds(settings: AnalysisSettings) -> int:
    split = settings.split
    return split.folds * split.repeats if split.folds else 1


def _majority(run: Run, metrics: dict | None) -> float | None:
    """Return the accuracy of always saying the larger class: of the test people, else of all."""
    if metrics and "majority" in metrics["baselines"]:
        return metrics["baselines"]["majority"]["accuracy"]["value"]
    try:
        cohort = loaders.cohort(run.cohort)
        definition = cohort.define_cases(run.analysis().people)
        counts = definition.counts(cohort.n_people)
    except (PipelineError, FileNotFoundError):  # the cohort has gone, the run is still there
        return None
    larger, smaller = sorted((counts["case"], counts["control"]), reverse=True)
    return larger / (larger + smaller) if larger else None
