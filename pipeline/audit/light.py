"""The traffic light: whether what a model learned is ancestry, sex, batch or quality, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pipeline.audit.confounders import COMPONENTS, COVARIATE, QUALITY, TOGETHER, Confounder
from pipeline.audit.strata import Alike, finite
from pipeline.statistics import Interval

Colour = Literal["green", "amber", "red", "grey"]

# The rules, each with its reason. `left` is the share of what a model has above 0.5 that it still
# has among people alike in a confounder: (AUC among them - 0.5) / (AUC - 0.5).
LEAST_AUC = (
    0.55  # below, a confounder explains less than the intervals of a usual test set are wide
)
LEFT_RED = 0.4  # alike is not the same: of what a confounder gives, an eighth is left among them
LEFT_GREEN = 0.75  # what a confounder that the model does not use takes away by chance
# Components are a noisy view of ancestry: a model of many variants may see more of it than they do,
# and strata of them leave what they miss.
NOISY_RED, NOISY_AMBER = 0.8, 0.65
# Inflation of all p, which disease of very many genes gives too: 1.47 in 82,315 people (Ripke et
# al. 2014, Nature 511:421-427). Fewer have no such reason, and yet this alone is never red.
LAMBDA_AMBER = 1.5
LIKE_MODEL = 0.1  # where nobody is alike: a model this near the confounder's AUC may be it

_ADVICE = {
    COMPONENTS: "Compare cases and controls of one ancestry: leave people far out on the "
    "components out of the phenotype table, or match the others, and ingest again.",
    "sex": "Leave the sex chromosomes out on the page Quality, or bring as many men among the "
    "cases as among the controls.",
    QUALITY: "Leave people of low call rate or depth out (thresholds on people), and ask whether "
    "cases and controls were sequenced and called together.",
    "missingness": "Raise the smallest call rate of a variant, or set the threshold of "
    "differential missingness, on the page Quality.",
    COVARIATE: "Leave out the groups that hold hardly any cases, or hardly any controls; if the "
    "column is a consequence of the disease, name the others in evaluation.covariates.",
    TOGETHER: "Leave out people who are far from the rest, and compare groups that were "
    "recruited, sequenced and called together.",
}
_COMPUTE = "Compute the components on the page Cohort, then ask again."


@dataclass(frozen=True)
class Light:
    """The colour, a word for it, the reason in one or two sentences, what to do next."""

    colour: Colour
    word: str
    reason: str
    advice: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the light ready for JSON."""
        return {
            "colour": self.colour,
            "word": self.word,
            "reason": self.reason,
            "advice": list(self.advice),
        }


@dataclass(frozen=True, eq=False)
class Weighed:
    """A confounder's own model on the test people, and the audited one beside it.

    `difference` is the AUC of the audited model minus this one's (paired DeLong). `within` is the
    audited model among people to whom this one gives a like probability; `left` the share of what
    it has above 0.5 that is left there, None where it has nothing or nobody is alike.
    """

    confounder: Confounder
    auc: Interval
    accuracy: dict[str, float | None]
    difference: Interval
    within: Alike
    left: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison ready for JSON, without any person."""
        return {
            "kind": self.confounder.kind,
            "label": self.confounder.label,
            "like": self.confounder.like,
            "columns": list(self.confounder.columns),
            "auc": finite(self.auc),
            "accuracy": self.accuracy,
            "difference": finite(self.difference),
            "within": self.within.as_dict(),
            "left": self.left,
        }


def share_left(audited: float, within: float) -> float | None:
    """Return the share of an AUC above 0.5 that is left within strata; None without either."""
    if not (audited > 0.5 and np.isfinite(within)):
        return None
    return float((within - 0.5) / (audited - 0.5))


def judge(
    audited: Interval,
    weighed: Sequence[Weighed],
    has_components: bool,
    lambda_gc: float = 1.0,
) -> Light:
    """Return the light of a model from its AUC and what each confounder takes of it.

    A confounder counts when its own AUC is surely above 0.5 and at least 0.55. Red: 0.4 or less is
    left among people alike in it, or three quarters at most and not surely more than 0.5; or nobody
    is alike and the model comes near the confounder; or components alone reach 0.8. Amber: three
    quarters at most are left, or what is left may be 0.5; components reach 0.65; lambda is 1.5 or
    more. Grey: the model has learned nothing, or ancestry is not known.
    """
    counts = [w for w in weighed if w.auc.low > 0.5 and w.auc.value >= LEAST_AUC]
    if not audited.low > 0.5:
        clear = [w for w in counts if w.auc.low >= LEAST_AUC]  # one of several is above by chance
        strongest = _culprit(clear) if clear else None
        also = f" {_alone(strongest)} would: {_auc(strongest.auc.value)}." if strongest else ""
        return Light(
            "grey",
            "Nothing to explain",
            f"On people it had not seen the model is no better than chance "
            f"({_limits(audited)}), so there is nothing to explain.{also}",
            ("More people, or other thresholds, before asking what a model has learned.",),
        )
    found: list[tuple[Colour, Weighed]] = [(_colour(audited, one), one) for one in counts]
    words: tuple[tuple[Colour, str], ...] = (("red", "Confounded"), ("amber", "In doubt"))
    for colour, word in words:
        worst = [one for its, one in found if its == colour]
        if worst:
            one = _culprit(worst)
            reason = _reason(audited, one, colour == "red")
            return Light(colour, word, reason, (_ADVICE[one.confounder.kind],))
    if lambda_gc >= LAMBDA_AMBER:
        return Light(
            "amber",
            "In doubt",
            f"Nothing that was looked at explains the model's AUC of {audited.value:.2f}, but p "
            f"are too small over the whole genome (lambda {lambda_gc:.2f}), as ancestry or batch "
            "that nobody wrote down makes them.",
            (_ADVICE[TOGETHER] if has_components else _COMPUTE,),
        )
    if not has_components:
        return Light(
            "grey",
            "Cannot be known",
            f"Nothing that was looked at explains the model's AUC of {audited.value:.2f}, but "
            "ancestry cannot be known without principal components.",
            (_COMPUTE,),
        )
    return Light("green", "Not explained away", _clean(audited, weighed, counts))


def _colour(audited: Interval, one: Weighed) -> Colour:
    within = one.within.auc
    if one.left is None:
        near = audited.value >= one.auc.value - LIKE_MODEL
        # A column of the phenotypes may follow from the disease, such as the age at its onset.
        by_column = one.confounder.kind in (COVARIATE, TOGETHER)
        return "amber" if by_column and not near else "red"
    is_noisy = one.confounder.kind == COMPONENTS
    if one.left <= LEFT_RED or (one.left <= LEFT_GREEN and not within.low > 0.5):
        return "red"
    if is_noisy and one.auc.value >= NOISY_RED:
        return "red"
    is_clear = one.left > LEFT_GREEN and within.low > 0.5
    return "green" if is_clear and not (is_noisy and one.auc.value >= NOISY_AMBER) else "amber"


def _culprit(worst: list[Weighed]) -> Weighed:
    """Return the one to name: the strongest alone, of near equals the first; not all together."""
    single = [one for one in worst if one.confounder.kind != TOGETHER] or worst
    best = max(one.auc.value for one in single)
    return next(one for one in single if one.auc.value > best - 0.02)


def _reason(audited: Interval, one: Weighed, is_red: bool) -> str:
    words = one.confounder
    plural = "reach" if words.kind in (COMPONENTS, TOGETHER) else "reaches"
    alone = f"{_alone(one)} {plural} {_auc(one.auc.value)}, the model {audited.value:.2f}"
    if one.left is None:
        told = (
            f"What it learned may be {words.meaning} and nothing else."
            if is_red
            else f"If {words.meaning} is a consequence of the disease, leave it out of this check."
        )
        return f"{alone}; too few cases and controls are {words.like} to tell them apart. {told}"
    rest = f"among people {words.like} it has {_limits(one.within.auc)}"
    is_clear = one.left > LEFT_GREEN and one.within.auc.low > 0.5
    if is_clear:  # components, whose strata do not hold all of ancestry
        close = "Cases and controls differ so much in it that" if is_red else "But they differ, and"
        return f"{alone}; {rest}. {close} ancestry finer than the components may be all it learned."
    if is_red:
        return f"{alone}; {rest}. What it learned is mostly {words.meaning}."
    if one.left > LEFT_GREEN:
        return f"{alone}; {rest}, too few people to say that anything is left."
    return f"{alone}; {rest}. Part of what it learned is {words.meaning}."


def _clean(audited: Interval, weighed: Sequence[Weighed], counts: list[Weighed]) -> str:
    model = f"The model has an AUC of {_limits(audited)}"
    if not counts:
        best = max(weighed, key=lambda w: w.auc.value, default=None)
        if best is None:
            return f"{model}."
        return (
            f"{model}; the strongest of what is not disease, {_small(_alone(best))}, "
            f"{_has(best)} {_limits(best.auc)}."
        )
    best = max(counts, key=lambda w: w.auc.value)
    return (
        f"{model}. {_alone(best)} {_has(best)} {best.auc.value:.2f}, but among people "
        f"{best.confounder.like} the model still has {_limits(best.within.auc)}."
    )


def _alone(one: Weighed) -> str:
    words = one.confounder
    return words.label if words.kind == TOGETHER else f"{words.label} alone"


def _has(one: Weighed) -> str:
    return "have" if one.confounder.kind in (COMPONENTS, TOGETHER) else "has"


def _small(words: str) -> str:
    return words[0].lower() + words[1:]


def _auc(value: float) -> str:
    return f"an AUC of {value:.2f}"


def _limits(interval: Interval) -> str:
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"
