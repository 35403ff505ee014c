"""One training from a cohort to its metrics: split, select, encode, train, evaluate.

Under the honest protocol everything that learns sees the training people of its fold; validation
people decide when to stop; test people are touched once, at the end. The published protocol
selects and scales on all people and stops on the test people, as the paper's script does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve

from pipeline import runs
from pipeline.baselines import Baseline, fit_baselines
from pipeline.cohort import Cohort, open_cohort
from pipeline.encoding import fit_encoding
from pipeline.epochs import EpochRecord, Trained
from pipeline.errors import StaleArtifactError
from pipeline.evaluation import evaluate, prediction_error
from pipeline.people import require_both
from pipeline.progress import OnProgress, Progress
from pipeline.quality import filter_variants, without_label_rules
from pipeline.recount import fetch_genotypes, recount
from pipeline.runs import Run
from pipeline.samples import with_people
from pipeline.selection import Selection, refuse_leak, select
from pipeline.settings import AnalysisSettings
from pipeline.splits import Roles, Split, assign_roles, make_splits
from pipeline.statistics import wilson
from pipeline.structure import families

THRESHOLD = 0.5
_ROC_POINTS = 200


@dataclass(frozen=True, eq=False)
class _Fold:
    """One fold, trained: who was who, what entered, and how the test people were scored.

    Positions of `roles` are those among cases and controls; `probability` (n_people,) is NaN for
    whoever the network was not asked about.
    """

    number: int
    roles: Roles
    selection: Selection
    trained: Trained
    probability: np.ndarray
    baselines: dict[str, Baseline]


def run_training(cache: Path, payload: dict[str, Any], on_progress: OnProgress) -> dict[str, Any]:
    """Train the run `payload["run"]` and return its id and size.

    Raises `Cancelled` within one batch when `on_progress` does, `StaleArtifactError` when the
    cohort is another one by now.
    """
    run = runs.load(cache, payload["run"])
    settings = run.analysis()
    cohort = open_cohort(cache, run.cohort)
    if cohort.fingerprint != run.fingerprint:
        raise StaleArtifactError(
            f"A run belongs to the cohort it was asked for, but {run.cohort} was ingested anew "
            f"({run.fingerprint} is now {cohort.fingerprint}); train again."
        )
    runs.clear_progress(run)
    with ExitStack() as stores:
        stores.callback(cohort.store.close)
        cohort = with_people(cohort, settings.samples, on_progress)
        stores.callback(cohort.store.close)
        people, is_case = _cases_and_controls(cohort, settings)
        folds = list(_train_folds(cohort, run, settings, people, is_case, on_progress))
        on_progress(Progress("writing", 0.99))
        _write_selection(cohort, run, folds)
    _write_predictions(run, folds, people, is_case)
    runs.write_metrics(run, _metrics(settings, folds, is_case))
    selected = round(float(np.mean([len(fold.selection.variants) for fold in folds])))
    epochs = sum(len(fold.trained.epochs) for fold in folds)
    runs.update_state(run, selected=selected, epochs=epochs)
    return {"run": run.id, "selected": selected, "epochs": epochs}


def _cases_and_controls(
    cohort: Cohort, settings: AnalysisSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions in the cohort of cases and controls, and which are cases."""
    definition = cohort.define_cases(settings.people)
    require_both(definition, cohort.n_people)
    case = cohort.is_in(definition.case)
    people = np.flatnonzero(case | cohort.is_in(definition.control))
    return people, case[people]


def _train_folds(
    cohort: Cohort,
    run: Run,
    settings: AnalysisSettings,
    people: np.ndarray,
    is_case: np.ndarray,
    on_progress: OnProgress,
) -> Iterator[_Fold]:
    on_progress(Progress("choosing variants", 0.0))
    related = families(cohort)
    if run.relatives != (related.digest if related else ""):
        raise StaleArtifactError(
            "A run keeps relatives on one side of its split, but who is related was computed anew "
            "since it was asked for; train again."
        )
    splits = make_splits(is_case, settings.split, related.groups[people] if related else None)
    protocol = settings.selection.protocol
    roles = [assign_roles(split, protocol) for split in splits]
    filtered = filter_variants(cohort, without_label_rules(settings.quality), settings.people)
    looked_at = [people[role.fit] for role in roles]
    chosen = [np.isin(np.arange(len(cohort.samples)), positions) for positions in looked_at]
    counted = recount(cohort, filtered, chosen, on_progress)
    for split, role, counts, positions in zip(splits, roles, counted, looked_at, strict=True):
        selection = select(cohort, counts, positions, settings.selection, settings.quality)
        refuse_leak(selection, people[split.test], protocol)
        yield _train_fold(
            cohort, run, settings, people, is_case, split, role, selection, len(splits), on_progress
        )


def _train_fold(
    cohort: Cohort,
    run: Run,
    settings: AnalysisSettings,
    people: np.ndarray,
    is_case: np.ndarray,
    split: Split,
    roles: Roles,
    selection: Selection,
    n_folds: int,
    on_progress: OnProgress,
) -> _Fold:
    # TensorFlow is loaded here and not before: what only reads runs never waits for it.
    from pipeline.network import build_network
    from pipeline.training import (
        forget_models,
        predict_probability,
        save_model,
        train_network,
    )

    genotypes = fetch_genotypes(cohort, selection.variants, people)
    encoding = fit_encoding(genotypes[roles.fit], settings.encoding)
    model = build_network(encoding, settings.network, settings.training.seed)
    phase = "training" if n_folds == 1 else f"training fold {split.fold + 1} of {n_folds}"

    def on_epoch(record: EpochRecord) -> None:
        runs.append_progress(run, record)

    def on_batch(done: float) -> None:
        on_progress(Progress(phase, (split.fold + 0.95 * done) / n_folds))

    if split.fold == 0:
        runs.update_state(run, selected=len(selection.variants))
    trained = train_network(
        model,
        genotypes[roles.train],
        is_case[roles.train],
        genotypes[roles.watch],
        is_case[roles.watch],
        settings.training,
        on_epoch,
        on_batch,
        split.fold,
    )
    on_progress(Progress("fitting baselines", (split.fold + 0.96) / n_folds))
    baselines: dict[str, Baseline] = {}
    if settings.evaluation.baselines:
        # Baselines choose their penalty on validation people under either protocol: the test
        # people choose nothing for them.
        baselines = fit_baselines(
            genotypes[split.train],
            is_case[split.train],
            genotypes[split.validation],
            is_case[split.validation],
            genotypes[roles.test],
            settings.training.seed,
        )
    asked = np.arange(len(people)) if settings.selection.protocol == "published" else roles.test
    probability = np.full(len(people), np.nan)
    probability[asked] = predict_probability(model, genotypes[asked])
    save_model(model, run.model_path(None if n_folds == 1 else split.fold))
    forget_models()
    return _Fold(split.fold, roles, selection, trained, probability, baselines)


def _metrics(settings: AnalysisSettings, folds: list[_Fold], is_case: np.ndarray) -> dict[str, Any]:
    confidence = settings.evaluation.confidence
    test = [
        evaluate(is_case[f.roles.test], f.probability[f.roles.test], THRESHOLD, confidence)
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
        )
        for name in folds[0].baselines
    }
    first = folds[0]
    everyone = np.arange(len(is_case))
    published = settings.selection.protocol == "published"
    return {
        "protocol": settings.selection.protocol,
        "threshold": THRESHOLD,
        "confidence": confidence,
        "test": _over_folds(test, confidence),
        "baselines": baselines,
        "prediction_error": prediction_error(
            is_case,
            first.probability,
            everyone if published else first.roles.test,
            first.roles.train,
            settings.evaluation.prediction_fraction,
            settings.training.seed,
            THRESHOLD,
            confidence,
        ),
        "folds": [
            {
                "fold": f.number,
                "selected": len(f.selection.variants),
                "ranked": f.selection.n_ranked,
                "epochs": len(f.trained.epochs),
                "best_epoch": f.trained.best_epoch,
                "n_train": len(f.roles.train),
                "n_watch": len(f.roles.watch),
                "test": measured,
            }
            for f, measured in zip(folds, test, strict=True)
        ],
        "roc": _roc_curves(folds, is_case),
    }


def _over_folds(measured: list[dict[str, Any]], confidence: float) -> dict[str, Any]:
    """Return the metrics over folds: people pooled for accuracy, the mean of folds for AUC.

    Every person is a test person once, so that the confusion matrices add up. The interval of the
    mean AUC takes the folds as independent, which they are not quite.
    """
    if len(measured) == 1:
        return measured[0]
    confusion = np.sum([m["confusion"] for m in measured], axis=0)
    n_right, n = int(np.trace(confusion)), int(confusion.sum())
    aucs = [m["auc"] for m in measured]
    auc: dict[str, float | None] = {"value": None, "low": None, "high": None}
    if all(a["value"] is not None and a["low"] is not None for a in aucs):
        mean = float(np.mean([a["value"] for a in aucs]))
        half = float(np.sqrt(np.sum([((a["high"] - a["low"]) / 2) ** 2 for a in aucs])) / len(aucs))
        auc = {"value": mean, "low": max(0.0, mean - half), "high": min(1.0, mean + half)}
    losses = [m["loss"] for m in measured]
    return {
        "n": n,
        "accuracy": wilson(n_right, n, confidence).as_dict(),
        "auc": auc,
        "loss": None
        if None in losses
        else float(np.average(losses, weights=[m["n"] for m in measured])),
        "confusion": confusion.tolist(),
    }


def _roc_curves(folds: list[_Fold], is_case: np.ndarray) -> dict[str, dict[str, list[float]]]:
    """Return the ROC of network and baselines of the first fold, at most 200 points each."""
    fold = folds[0]
    truth = is_case[fold.roles.test]
    scores = {"network": fold.probability[fold.roles.test]}
    scores |= {name: b.score for name, b in fold.baselines.items() if name != "majority"}
    curves = {}
    for name, score in scores.items():
        fpr, tpr, _ = roc_curve(truth, score)
        shown = np.unique(np.linspace(0, len(fpr) - 1, _ROC_POINTS).round().astype(int))
        curves[name] = {"fpr": fpr[shown].tolist(), "tpr": tpr[shown].tolist()}
    return curves


def _write_selection(cohort: Cohort, run: Run, folds: list[_Fold]) -> None:
    variants = cohort.store.frame(
        "SELECT variant_index, chrom, pos, rsid, ref, alt FROM variants ORDER BY variant_index"
    )
    parts = []
    for fold in folds:
        part = variants.iloc[fold.selection.variants].copy()
        part.insert(0, "fold", fold.number)
        part["neg_log10_p"] = fold.selection.neg_log10_p
        parts.append(part)
    _write_parquet(pd.concat(parts, ignore_index=True), run.selection_path)


def _write_predictions(
    run: Run, folds: list[_Fold], people: np.ndarray, is_case: np.ndarray
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
    temporary = path.with_name(f".{path.name}.tmp")
    frame.to_parquet(temporary, index=False)
    temporary.replace(path)
