"""What a network has to beat, on the same variants and people.

majority: everyone is of the larger class. additive: alternate alleles weighed by their log odds
ratio, one variant at a time. logistic_l1, logistic_l2: penalised logistic regression, the penalty
chosen on the validation people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from pipeline.encoding import count_codes, encode, fit_encoding
from pipeline.settings import EncodingSettings

BASELINES = ("majority", "additive", "logistic_l1", "logistic_l2")

# Penalties on the mean log loss. L1: shares of the smallest penalty that removes every variant.
L1_SHARES = np.geomspace(0.9, 0.1, 7)
L2_PENALTIES = np.geomspace(30, 0.03, 7)


@dataclass(frozen=True, eq=False)
class Baseline:
    """A fitted baseline's scores of the test people, shape (n_test,), float32.

    A person is called a case when the score is above `threshold`. The score is P(case) and the
    threshold 0.5, except for `additive`, where it is a sum of log odds that only ranks people and
    whose threshold is the most accurate one on the validation people. `penalty` is the chosen
    penalty on the mean log loss; `n_variants` says how many variants carry a weight.
    """

    score: NDArray[np.float32]
    threshold: float
    is_probability: bool
    n_variants: int
    penalty: float | None = None


def fit_baselines(
    x_fit: NDArray[np.uint8],
    y_fit: NDArray[np.bool_],
    x_validation: NDArray[np.uint8],
    y_validation: NDArray[np.bool_],
    x_test: NDArray[np.uint8],
    seed: int,
    names: Sequence[str] = BASELINES,
) -> dict[str, Baseline]:
    """Return the baselines asked for, by name.

    `x_*` are genotype codes (n_people, n_variants), 3 = missing; `y_*` are True for cases.
    Missing calls become the mean of the people of `x_fit`, whose mean and standard deviation
    also scale the variants of the regressions (as the network's standard encoding).
    """
    y_fit, y_validation = np.asarray(y_fit, bool), np.asarray(y_validation, bool)
    parts = (x_fit, x_validation, x_test)
    fitted = {}
    if "majority" in names:
        fitted["majority"] = _majority(y_fit, len(x_test))
    if "additive" in names:
        x = _encoded(parts, "none")
        fitted["additive"] = _additive(x_fit, y_fit, x[1], y_validation, x[2])
    if "logistic_l1" in names or "logistic_l2" in names:
        x = _encoded(parts, "standard")
        for name in ("logistic_l1", "logistic_l2"):
            if name in names:
                fitted[name] = _logistic(name, x, y_fit, y_validation, seed)
    return fitted


def log_odds_ratios(
    genotypes: NDArray[np.uint8], is_case: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the allelic log odds ratio of each variant, shape (n_variants,), missing left out.

    Half an allele is added to each of the four cells, so that none is empty.

    References: Haldane 1956; Anscombe 1956.
    """
    cells = []
    for people in (is_case, ~is_case):
        hom_ref, het, hom_alt, _ = count_codes(genotypes[people]).T
        cells += [het + 2 * hom_alt + 0.5, het + 2 * hom_ref + 0.5]
    case_alt, case_ref, control_alt, control_ref = cells
    return np.log(case_alt * control_ref / (case_ref * control_alt))


def best_threshold(score: NDArray[np.floating], is_case: NDArray[np.bool_]) -> float:
    """Return the threshold of highest accuracy, where a score above it makes a case.

    Thresholds lie midway between neighbouring scores, or one beyond the smallest and the largest;
    among equally good ones the one in the middle of the list is taken.
    """
    distinct, which = np.unique(score, return_inverse=True)
    n_case = np.bincount(which, weights=is_case)
    n_control = np.bincount(which, weights=~is_case)
    # With the threshold below distinct[i]: controls under it and cases from it on are right.
    n_right = np.append(0, n_control.cumsum()) + np.append(n_case[::-1].cumsum()[::-1], 0)
    middles = (distinct[1:] + distinct[:-1]) / 2
    thresholds = np.concatenate([[distinct[0] - 1], middles, [distinct[-1] + 1]])
    best = np.flatnonzero(n_right == n_right.max())
    return float(thresholds[best[len(best) // 2]])


def _encoded(
    parts: Sequence[NDArray[np.uint8]], scaling: Literal["none", "standard"]
) -> list[NDArray[np.float32]]:
    """Return each part as (n_people, n_variants), imputed and scaled by the first."""
    settings = EncodingSettings(layout="1d", missing="mean", scaling=scaling)
    encoding = fit_encoding(parts[0], settings)
    return [encode(encoding, part)[:, :, 0] for part in parts]


def _majority(y_fit: NDArray[np.bool_], n_test: int) -> Baseline:
    share = np.float32(y_fit.mean())
    return Baseline(np.full(n_test, share, np.float32), 0.5, is_probability=True, n_variants=0)


def _additive(
    x_fit: NDArray[np.uint8],
    y_fit: NDArray[np.bool_],
    dosage_validation: NDArray[np.float32],
    y_validation: NDArray[np.bool_],
    dosage_test: NDArray[np.float32],
) -> Baseline:
    weights = log_odds_ratios(x_fit, y_fit).astype(np.float32)
    threshold = best_threshold(dosage_validation @ weights, y_validation)
    score = dosage_test @ weights
    return Baseline(score, threshold, is_probability=False, n_variants=len(weights))


def _logistic(
    name: str,
    x: Sequence[NDArray[np.float32]],
    y_fit: NDArray[np.bool_],
    y_validation: NDArray[np.bool_],
    seed: int,
) -> Baseline:
    """Return the regression whose penalty gives the lowest log loss on the validation people.

    The log loss and not the AUC chooses, because the accuracy at 0.5 needs calibrated scores.
    """
    x_fit, x_validation, x_test = x
    penalties = _l1_penalties(x_fit, y_fit) if name == "logistic_l1" else L2_PENALTIES
    fits: list[tuple[float, float, LogisticRegression]] = []
    for penalty in penalties:
        model = _regression(name, penalty * len(y_fit), seed).fit(x_fit, y_fit)
        loss = log_loss(y_validation, model.predict_proba(x_validation)[:, 1], labels=[0, 1])
        fits.append((loss, float(penalty), model))
    _, penalty, model = min(fits, key=lambda fit: fit[0])
    score = model.predict_proba(x_test)[:, 1].astype(np.float32)
    n_variants = int(np.count_nonzero(model.coef_))
    return Baseline(score, 0.5, is_probability=True, n_variants=n_variants, penalty=penalty)


def _l1_penalties(x_fit: NDArray[np.float32], y_fit: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return a path of penalties, from one that keeps next to nothing downwards."""
    gradient = x_fit.T @ (y_fit - y_fit.mean()).astype(np.float32) / len(y_fit)
    largest = float(np.abs(gradient).max(initial=0))
    # Without any association (one variant that does not vary) any penalty gives the same model.
    return L1_SHARES * (largest or 1.0)


def _regression(name: str, total_penalty: float, seed: int) -> LogisticRegression:
    if name == "logistic_l2":
        return LogisticRegression(C=1 / total_penalty, solver="lbfgs", max_iter=1000)
    # liblinear also shrinks the intercept; a larger constant feature makes that negligible.
    return LogisticRegression(
        C=1 / total_penalty,
        l1_ratio=1.0,
        solver="liblinear",
        intercept_scaling=10.0,
        max_iter=1000,
        random_state=seed,
    )
