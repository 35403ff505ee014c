"""One training from a cohort to its metrics: plan, folds, files, figures.

Who is looked at by what is decided in `fold`; here it is put together for the run.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline import runs
from pipeline.cohort import Cohort
from pipeline.engine import LOCAL, engine_address
from pipeline.errors import Cancelled
from pipeline.evaluation import evaluate, prediction_error
from pipeline.evidence import Scored, Stratum, best_probability, evidence, find_strata
from pipeline.files import written_beside
from pipeline.fold import Fold, plan_folds
from pipeline.folds import opened, train_folds
from pipeline.keeping.peak_memory import forget_peak, peak_memory
from pipeline.progress import OnProgress, Progress
from pipeline.runs import Run
from pipeline.settings import AnalysisSettings
from pipeline.statistics import wilson


def run_training(cache: Path, payload: dict[str, Any], on_progress: OnProgress) -> dict[str, Any]:
    """Train the run `payload["run"]` and return its id and size.

    A run that was stopped, or whose worker was lost, goes on from its last epoch.

    Raises `Cancelled` within one batch when `on_progress` does, and after the metrics are written
    when `on_progress` raised `Enough`; `StaleArtifactError` when the cohort is another one by now.
    """
    run = runs.load(cache, payload["run"])
    runs.clear_progress(run)
    was_forgotten = forget_peak()
    with opened(run, on_progress) as (cohort, settings):
        plan = plan_folds(cohort, settings, run.relatives, run.genes)
        folds = list(train_folds(cohort, run, settings, plan, on_progress))
        on_progress(Progress("writing", 0.99))
        _write_selection(cohort, run, folds)
        strata = find_strata(cohort, plan.people)
    _write_predictions(run, folds, plan.people, plan.is_case)
    runs.write_metrics(run, _metrics(settings, folds, plan.is_case, strata))
    selected = round(float(np.mean([fold.n_selected for fold in folds])))
    epochs = sum(len(fold.trained.epochs) for fold in folds)
    memory = peak_memory(was_forgotten, len(folds) > 1 and engine_address() != LOCAL)
    runs.update_state(run, selected=selected, epochs=epochs, memory=memory)
    if any(fold.trained.was_ended for fold in folds):
        raise Cancelled  # with metrics, of the best epochs until then
    shutil.rmtree(run.checkpoints, ignore_errors=True)
    return {"run": run.id, "selected": selected, "epochs": epochs}


def _metrics(
    settings: AnalysisSettings, folds: list[Fold], is_case: np.ndarray, strata: Sequence[Stratum]
) -> dict[str, Any]:
    confidence = settings.evaluation.confidence
    n_repeats = settings.split.repeats if settings.split.folds else 1
    test = [
        evaluate(is_case[f.roles.test], f.probability[f.roles.test], f.threshold, confidence)
        for f in folds
    ]
    train = [
        evaluate(is_case[f.roles.train], f.probability[f.roles.train], f.threshold, confidence)
        for f in folds
    ]
    baselines = {
        name: _over_folds(
            [
                evaluate(
                    is_case[f.roles.test],
                    f.baselines[name].score,
                    f.baselines[name].threshold,
                    confidence,
                    f.baselines[name].is_probability,
                )
                for f in folds
            ],
            confidence,
            n_repeats,
        )
        for name in folds[0].baselines
    }
    first = folds[0]
    everyone = np.arange(len(is_case))
    published = settings.selection.protocol == "published"
    return {
        "protocol": settings.selection.protocol,
        "threshold": folds[0].threshold if len(folds) == 1 else None,
        "confidence": confidence,
        "test": _over_folds(test, confidence, n_repeats),
        # How much better on those who taught it: what is learned by heart.
        "train": {
            "accuracy": float(np.mean([one["accuracy"]["value"] for one in train])),
            "auc": float(np.mean([one["auc"]["value"] for one in train])),
        },
        "baselines": baselines,
        "prediction_error": prediction_error(
            is_case,
            first.probability,
            everyone if published else first.roles.test,
            first.roles.train,
            settings.evaluation.prediction_fraction,
            settings.training.seed,
            first.threshold,
            confidence,
        ),
        "notes": sorted({note for f in folds for note in f.notes}),
        "folds": [
            {
                "fold": f.number,
                "selected": f.n_selected,
                "weighted": f.n_weighted,
                "entered": len(f.variants),
                "ranked": f.n_ranked,
                "threshold": f.threshold,
                "epochs": len(f.trained.epochs),
                "best_epoch": f.trained.best_epoch,
                "n_train": len(f.roles.train),
                "n_watch": len(f.roles.watch),
                "test": measured,
            }
            for f, measured in zip(folds, test, strict=True)
        ],
        **_evidence(settings, folds, is_case, strata, baselines, n_repeats),
    }


def _over_folds(
    measured: Sequence[dict[str, Any]], confidence: float, n_repeats: int
) -> dict[str, Any]:
    """Return the metrics over folds: people pooled for accuracy, the mean of folds for AUC.

    Every person is a test person once in each repeat, so that the confusion matrices add up; with
    repeats they count every person so often. The intervals are as wide as those of one repeat:
    another look at the same people brings no new ones. That of the mean AUC takes the folds as
    independent, which they are not quite.
    """
    if len(measured) == 1:
        return measured[0]
    confusion = np.sum([m["confusion"] for m in measured], axis=0)
    n_right, n = int(np.trace(confusion)), int(confusion.sum())
    aucs = [m["auc"] for m in measured]
    auc: dict[str, float | None] = {"value": None, "low": None, "high": None}
    if all(a["value"] is not None and a["low"] is not None for a in aucs):
        mean = float(np.mean([a["value"] for a in aucs]))
        squares = np.sum([((a["high"] - a["low"]) / 2) ** 2 for a in aucs])
        half = float(np.sqrt(squares * n_repeats) / len(aucs))
        auc = {"value": mean, "low": max(0.0, mean - half), "high": min(1.0, mean + half)}
    losses = [m["loss"] for m in measured]
    return {
        "n": n // n_repeats,
        "accuracy": wilson(n_right / n_repeats, n / n_repeats, confidence).as_dict(),
        "auc": auc,
        "loss": None
        if None in losses
        else float(np.average(losses, weights=[m["n"] for m in measured])),
        "confusion": confusion.tolist(),
    }


def _evidence(
    settings: AnalysisSettings,
    folds: list[Fold],
    is_case: np.ndarray,
    strata: Sequence[Stratum],
    measured: dict[str, Any],
    n_repeats: int,
) -> dict[str, Any]:
    """Return what the scores tell; `measured` are the metrics of the baselines."""
    truth = [is_case[f.roles.test] for f in folds]
    network = [
        Scored(f.roles.test, y, f.probability[f.roles.test], f.threshold)
        for f, y in zip(folds, truth, strict=True)
    ]
    baselines = {
        name: [
            Scored(f.roles.test, y, b.score, b.threshold, b.is_probability)
            for f, y in zip(folds, truth, strict=True)
            for b in [f.baselines[name]]
        ]
        for name in measured
    }
    return evidence(
        network,
        baselines,
        [f.roles.train for f in folds],
        strata,
        best_baseline=best_probability(measured, baselines),
        confidence=settings.evaluation.confidence,
        seed=settings.training.seed,
        n_repeats=n_repeats,
    )


def _write_selection(cohort: Cohort, run: Run, folds: list[Fold]) -> None:
    parts = []
    for fold in folds:
        part = cohort.sites(fold.variants).drop(columns="chrom_order")
        part.insert(0, "fold", fold.number)
        part["neg_log10_p"] = fold.neg_log10_p
        parts.append(part)
    _write_parquet(pd.concat(parts, ignore_index=True), run.selection_path)


def _write_predictions(
    run: Run, folds: list[Fold], people: np.ndarray, is_case: np.ndarray
) -> None:
    """Write the score of every test person, by position in the cohort; this file stays private."""
    parts = [
        pd.DataFrame(
            {
                "fold": fold.number,
                "sample_index": people[fold.roles.test],
                "is_case": is_case[fold.roles.test],
                "probability": fold.probability[fold.roles.test],
            }
            | {name: b.score for name, b in fold.baselines.items()}
        )
        for fold in folds
    ]
    _write_parquet(pd.concat(parts, ignore_index=True), run.predictions_path)


def _write_parquet(frame: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(path) as beside:
        frame.to_parquet(beside, index=False)
