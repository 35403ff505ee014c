"""What a score is worth on people who taught nothing: accuracy, AUC, loss, confusion matrix."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import EmptyResultError
from pipeline.statistics import auc_delong, wilson

# A probability of exactly 0 for a person who is a case would make the mean loss infinite.
EPSILON = 1e-7


def evaluate(
    is_case: NDArray[np.bool_],
    probability: NDArray[np.floating],
    threshold: float = 0.5,
    confidence: float = 0.95,
    is_probability: bool = True,
) -> dict[str, Any]:
    """Return the metrics of a score that is high in cases, ready for JSON.

    Both arrays have shape (n_people,); a person is called a case when the score is above
    `threshold`. Keys: `n`; `accuracy` {value, low, high} (Wilson); `auc` {value, low, high}
    (DeLong; None where it cannot be had); `loss`, the mean cross-entropy in nats with
    probabilities cut at 1e-7, None when the score is no probability; `confusion`
    [[tn, fp], [fn, tp]], rows the truth.

    Raises `EmptyResultError` without people, ValueError for a score that is NaN.
    """
    is_case = np.asarray(is_case, dtype=bool)
    score = np.asarray(probability, dtype=np.float64)
    if not is_case.size:
        raise EmptyResultError(
            "A model is measured on test people, but there are none; raise split.test_fraction."
        )
    called = score > threshold
    confusion = np.zeros((2, 2), dtype=int)
    np.add.at(confusion, (is_case.astype(int), called.astype(int)), 1)
    n_right = int(np.trace(confusion))
    return {
        "n": int(is_case.size),
        "accuracy": _finite(wilson(n_right, is_case.size, confidence).as_dict()),
        "auc": _finite(auc_delong(is_case, score, confidence).as_dict()),
        "loss": cross_entropy(is_case, score) if is_probability else None,
        "confusion": confusion.tolist(),
    }


def choose_threshold(
    rule: Literal["half", "accuracy", "youden"],
    probability: NDArray[np.floating],
    is_case: NDArray[np.bool_],
) -> float:
    """Return the probability above which a person is called a case.

    half: 0.5. accuracy, youden: that of the highest accuracy, or of the highest sensitivity +
    specificity, among the people given, (n_people,), never those that are tested. A threshold lies
    midway between two neighbouring scores, or beyond the outermost; among equally good ones the
    one in the middle of the list is taken.

    References: Youden 1950, Cancer 3:32-35.
    """
    if rule == "half":
        return 0.5
    is_case = np.asarray(is_case, bool)
    distinct, which = np.unique(probability, return_inverse=True)
    n_case = np.bincount(which, weights=is_case, minlength=distinct.size)
    n_control = np.bincount(which, weights=~is_case, minlength=distinct.size)
    # With the threshold below distinct[i]: controls under it and cases from it on are right.
    controls_right = np.append(0, n_control.cumsum())
    cases_right = np.append(n_case[::-1].cumsum()[::-1], 0)
    if rule == "accuracy":
        gained = controls_right + cases_right
    else:
        gained = controls_right / max(1, n_control.sum()) + cases_right / max(1, n_case.sum())
    middles = (distinct[1:] + distinct[:-1]) / 2
    thresholds = np.concatenate([[distinct[0] - 1], middles, [distinct[-1] + 1]])
    best = np.flatnonzero(gained >= gained.max() - 1e-12)
    return float(thresholds[best[len(best) // 2]])


def cross_entropy(is_case: NDArray[np.bool_], probability: NDArray[np.floating]) -> float:
    """Return the mean cross-entropy of P(case) in nats, probabilities cut at 1e-7 as Keras does."""
    probability = np.asarray(probability, dtype=np.float64)
    of_truth = np.where(is_case, probability, 1 - probability)
    return float(-np.log(of_truth.clip(EPSILON, 1 - EPSILON)).mean())


def draw_prediction_people(
    candidates: NDArray[np.intp], fraction: float, seed: int
) -> NDArray[np.intp]:
    """Return the sorted positions of the people drawn for the paper's prediction error.

    A share `fraction` of `candidates` (at least one), without replacement.
    """
    rng = np.random.default_rng(seed)
    n_drawn = min(candidates.size, max(1, round(fraction * candidates.size)))
    return np.sort(rng.choice(candidates, size=n_drawn, replace=False))


def prediction_error(
    is_case: NDArray[np.bool_],
    probability: NDArray[np.floating],
    candidates: NDArray[np.intp],
    trained: NDArray[np.intp],
    fraction: float,
    seed: int,
    threshold: float = 0.5,
    confidence: float = 0.95,
) -> dict[str, Any]:
    """Return the paper's prediction error: the share of wrong calls among a few people drawn.

    `is_case` and `probability` have shape (n_people,); `candidates` and `trained` are positions in
    them. Candidates are all people under the published protocol, so that most of those drawn have
    trained the network; the test people under the honest one. Keys: `value`, `low`, `high`
    (Wilson), `n` people drawn, `n_wrong`, `n_trained` of them that the network was trained on.
    Probabilities of people who are not candidates are never looked at.

    References: Henriques et al. 2025, section 3.3 and the published script.
    """
    drawn = draw_prediction_people(candidates, fraction, seed)
    wrong = (np.asarray(probability)[drawn] > threshold) != np.asarray(is_case, bool)[drawn]
    n_wrong = int(wrong.sum())
    return {
        **wilson(n_wrong, drawn.size, confidence).as_dict(),
        "n": int(drawn.size),
        "n_wrong": n_wrong,
        "n_trained": int(np.isin(drawn, trained).sum()),
    }


def _finite(interval: dict[str, float]) -> dict[str, float | None]:
    """Return the interval with None for NaN, which JSON has no word for."""
    return {name: float(value) if np.isfinite(value) else None for name, value in interval.items()}
