"""What a run's metrics tell beyond accuracy and AUC: sums over test people, ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pipeline.evaluation import EPSILON
from pipeline.evidence import curves
from pipeline.evidence.scored import MIN_PEOPLE, Scored, plain, rounded
from pipeline.evidence.strata import Stratum, stratum_metrics
from pipeline.evidence.threshold import round_thresholds, threshold_table
from pipeline.statistics import calibration, mean_correlation, score_correlation

MAJORITY = "majority"
_MOST_BINS = 40  # of the histogram of scores


def evidence(
    network: Sequence[Scored],
    baselines: Mapping[str, Sequence[Scored]],
    trained: Sequence[NDArray[np.intp]],
    strata: Sequence[Stratum],
    *,
    best_baseline: str | None,
    confidence: float,
    seed: int,
    n_repeats: int = 1,
) -> dict[str, Any]:
    """Return what the scores of test people say, a `Scored` for each fold; no score is in it.

    `trained` are the training people of each fold. Keys: `thresholds` (see `threshold_table`),
    `roc` and `precision_recall` by model with limits `low` and `high` of the network's curve,
    `average_precision` {value, low, high} by model, `calibration` of the network and of
    `best_baseline`, `histogram` of the network's scores by class, `groups` (see
    `stratum_metrics`), `liability` (see `statistics.Correlation`) of the network's log odds,
    `bootstrap` {n, seed}.

    Over folds curves, average precision and correlation are means of folds; calibration, histogram
    and the accuracy of groups pool the people of all folds.
    """
    logit = [
        special.logit(np.asarray(f.score, np.float64).clip(EPSILON, 1 - EPSILON)) for f in network
    ]
    correlation = mean_correlation(
        [score_correlation(f.is_case, odds) for f, odds in zip(network, logit, strict=True)],
        n_repeats,
    )
    told = {"network": network}
    if best_baseline:
        told[best_baseline] = baselines[best_baseline]
    parted = [stratum_metrics(one, network, trained, confidence, n_repeats) for one in strata]
    return {
        "thresholds": threshold_table(network),
        **_curves(network, baselines, confidence, seed),
        "calibration": {
            name: _calibration(folds, confidence, n_repeats) for name, folds in told.items()
        },
        "histogram": _histogram(network),
        "groups": [one for one in parted if one],
        "liability": {
            "r": float(correlation.r) if np.isfinite(correlation.r) else None,
            "n": correlation.n,
            "share": correlation.share if np.isfinite(correlation.share) else None,
        },
    }


def best_probability(
    measured: Mapping[str, Mapping[str, Any]], baselines: Mapping[str, Sequence[Scored]]
) -> str | None:
    """Return the baseline of highest AUC among those whose scores are probabilities, or None."""
    aucs = {
        name: measured[name]["auc"]["value"]
        for name, folds in baselines.items()
        if name != MAJORITY and all(fold.is_probability for fold in folds)
    }
    there = {name: auc for name, auc in aucs.items() if auc is not None}
    return max(there, key=there.__getitem__, default=None)


def _curves(
    network: Sequence[Scored],
    baselines: Mapping[str, Sequence[Scored]],
    confidence: float,
    seed: int,
) -> dict[str, Any]:
    models = {"network": network} | {
        name: folds for name, folds in baselines.items() if name != MAJORITY
    }
    roc: dict[str, Any] = {}
    precision_recall: dict[str, Any] = {}
    average: dict[str, Any] = {}
    weights = curves.person_weights(network, curves.N_RESAMPLES, seed)
    for name, folds in models.items():
        found = curves.mean_curves(folds)
        if found is None:
            continue
        roc[name] = {"fpr": rounded(curves.FALSE_POSITIVE_RATE), "tpr": rounded(found.tpr[0])}
        precision_recall[name] = {
            "recall": rounded(curves.RECALL), "precision": rounded(found.precision[0])
        }  # fmt: skip
        drawn = curves.mean_curves(folds, weights) if name == "network" else None
        areas = drawn.average_precision if drawn else curves.mean_average_precision(folds, weights)
        area = float(found.average_precision[0])
        average[name] = plain(curves.logit_interval(area, areas, confidence))
        if drawn:
            for curve, resampled in ((roc, drawn.tpr), (precision_recall, drawn.precision)):
                low, high = curves.band(resampled, confidence)
                curve[name] |= {"low": rounded(low), "high": rounded(high)}
    return {
        "roc": roc,
        "precision_recall": precision_recall,
        "average_precision": average,
        "bootstrap": {"n": curves.N_RESAMPLES, "seed": seed},
    }


def _calibration(folds: Sequence[Scored], confidence: float, n_repeats: int) -> dict[str, Any]:
    is_case = np.concatenate([fold.is_case for fold in folds])
    score = np.concatenate([np.asarray(fold.score, np.float64) for fold in folds])
    # Twenty people a bin at first, so that few are joined; of under ten no mean is told.
    n_bins = int(np.clip(is_case.size // n_repeats // (2 * MIN_PEOPLE), 1, 10))
    found = calibration(is_case, score, n_bins, confidence, MIN_PEOPLE, n_repeats)
    bins = ("probability", "share", "low", "high")
    if is_case.size < MIN_PEOPLE * n_repeats:
        of_bins: dict[str, Any] = {name: [] for name in (*bins, "n")}
    else:
        of_bins = {name: rounded(getattr(found, name)) for name in bins} | {"n": found.n.tolist()}
    return of_bins | {"brier": found.brier, "ece": found.ece}


def _histogram(network: Sequence[Scored]) -> dict[str, Any]:
    """Return the counts of cases and controls between round numbers, pooled over folds."""
    score = np.concatenate([np.asarray(fold.score, np.float64) for fold in network])
    is_case = np.concatenate([fold.is_case for fold in network])
    edges = round_thresholds(score, [], most=_MOST_BINS)
    if edges.size < 2:
        edges = np.array([edges[0] - 0.5, edges[0] + 0.5])
    case, control = (np.histogram(score[members], edges)[0] for members in (is_case, ~is_case))
    return {
        "left": rounded(edges[:-1]),
        "right": rounded(edges[1:]),
        "case": case.tolist(),
        "control": control.tolist(),
    }
