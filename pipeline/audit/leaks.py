"""Which look at the test people is worth how much: one at a time, then all that the script has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.audit import LOGISTIC
from pipeline.audit.fits import Measured, Way, fits
from pipeline.audit.models import first_plan
from pipeline.cohort import Cohort
from pipeline.evaluation import draw_prediction_people
from pipeline.progress import OnProgress, silent
from pipeline.settings import AnalysisSettings
from pipeline.statistics import Interval, auc_difference, mean_interval, wilson

_WORDS: dict[Way, str] = {
    "chosen": "choosing variants on all people",
    "scaled": "scaling on all people",
    "stopped": "stopping on test people",
}
_LOOKS: tuple[Way, ...] = ("chosen", "scaled", "stopped", "published")


def looks_of(model: str) -> tuple[Way, ...]:
    """Return the ways that look at test people; `published` is `chosen` for a regression."""
    return _LOOKS[:-1] if model == LOGISTIC else _LOOKS


@dataclass(frozen=True)
class Leak:
    """What one look at the test people adds to the AUC, against the honest fit of the same labels.

    `gain` is that on the true labels (paired DeLong); `gain_on_noise` the mean over the
    permutations with a t interval over them, None with fewer than two. `auc` and `auc_on_noise`
    are those reached.
    """

    way: Way
    auc: float
    gain: Interval
    auc_on_noise: float | None
    gain_on_noise: Interval | None

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        on_noise = self.gain_on_noise
        return {
            "way": self.way,
            "auc": self.auc,
            "gain": self.gain.as_dict(),
            "auc_on_noise": self.auc_on_noise,
            "gain_on_noise": None if on_noise is None else on_noise.as_dict(),
        }


@dataclass(frozen=True)
class PredictionSet:
    """The paper's prediction error of the honest model, beside that of the test people.

    `drawn` is the share of wrong calls among a few people drawn from all, `n_trained` of whom
    trained the model; `everybody` that among all people, which any such draw is about; `test` that
    among the test people. Wilson limits.
    """

    n_drawn: int
    n_trained: int
    everybody: float
    drawn: Interval
    test: Interval

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "n_drawn": self.n_drawn,
            "n_trained": self.n_trained,
            "everybody": self.everybody,
            "drawn": self.drawn.as_dict(),
            "test": self.test.as_dict(),
        }


@dataclass(frozen=True)
class Leaks:
    """All looks of a model, strongest claim last."""

    model: str
    n_test: int
    n_permutations: int
    honest_auc: float
    leaks: tuple[Leak, ...]
    prediction: PredictionSet

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "model": self.model,
            "n_test": self.n_test,
            "n_permutations": self.n_permutations,
            "honest_auc": self.honest_auc,
            "leaks": [leak.as_dict() for leak in self.leaks],
            "prediction": self.prediction.as_dict(),
            "sentence": self.sentence(),
        }

    def sentence(self) -> str:
        """Return which look is worth most, in one sentence."""
        single = [leak for leak in self.leaks if leak.way != "published"]
        most = max(single, key=lambda leak: leak.gain.value)
        others = ", ".join(
            f"{_WORDS[leak.way]} {leak.gain.value:+.3f}" for leak in single if leak is not most
        )
        return (
            f"Of the looks at the test people the largest gain is by {_WORDS[most.way]}, "
            f"{most.gain.value:+.3f} in AUC ({most.gain.low:+.3f} to {most.gain.high:+.3f}); "
            f"{others}."
        )


def leaks(
    cohort: Cohort,
    settings: AnalysisSettings,
    model: str = LOGISTIC,
    n_permutations: int = 5,
    on_progress: OnProgress = silent,
    on_part: Callable[[dict[str, Any]], None] | None = None,
) -> Leaks:
    """Return what each look at the test people of the first split adds, on true and mere noise.

    `on_part` hears of what is known so far, from the true labels on.

    Raises `EmptyResultError` when the thresholds let no variant in.
    """
    plan = first_plan(cohort, settings)
    split = plan.splits[0]
    confidence = settings.evaluation.confidence
    looks = looks_of(model)
    measured: dict[tuple[Way, int], Measured] = {}

    def so_far() -> Leaks:
        honest = measured["honest", 0]
        done = [n for n in range(1, n_permutations + 1) if (looks[-1], n) in measured]
        found = []
        for way in looks:
            one = measured[way, 0]
            gains = [measured[way, n].auc - measured["honest", n].auc for n in done]
            found.append(
                Leak(
                    way=way,
                    auc=one.auc,
                    gain=auc_difference(
                        plan.is_case[split.test], one.score, honest.score, confidence
                    ),
                    auc_on_noise=_mean([measured[way, n].auc for n in done]),
                    gain_on_noise=mean_interval(gains, confidence) if len(gains) > 1 else None,
                )
            )
        return Leaks(
            model, len(split.test), len(done), honest.auc, tuple(found),
            _prediction(honest, len(plan.people), split.train, settings),
        )  # fmt: skip

    for one in fits(cohort, settings, model, ("honest", *looks), n_permutations, on_progress):
        measured[one.way, one.permutation] = one
        if on_part and one.way == looks[-1]:
            on_part(so_far().as_dict())
    return so_far()


def _prediction(
    honest: Measured, n_people: int, train: np.ndarray, settings: AnalysisSettings
) -> PredictionSet:
    evaluation = settings.evaluation
    drawn = draw_prediction_people(
        np.arange(n_people), evaluation.prediction_fraction, settings.training.seed
    )
    (tn, fp), (fn, tp) = honest.metrics["confusion"]
    return PredictionSet(
        n_drawn=len(drawn),
        n_trained=int(np.isin(drawn, train).sum()),
        everybody=float(honest.is_wrong.mean()),
        drawn=wilson(int(honest.is_wrong[drawn].sum()), len(drawn), evaluation.confidence),
        test=wilson(fp + fn, tn + fp + fn + tp, evaluation.confidence),
    )


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None
