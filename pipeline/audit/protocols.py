"""Would noise have scored the same? One split and model, under honest and published selection.

The published order chooses variants on all people and splits afterwards, so that labels of test
people enter the model. Both orders are repeated with permuted labels, where nothing can be learned:
what is left above one half is the leak.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.audit import LOGISTIC
from pipeline.audit.fits import PROTOCOLS, Measured, Protocol, fits
from pipeline.audit.models import first_plan
from pipeline.cohort import Cohort
from pipeline.progress import OnProgress, silent
from pipeline.settings import AnalysisSettings
from pipeline.statistics import Interval, auc_difference


@dataclass(frozen=True, eq=False)
class Audit:
    """What the model reaches under both orders, and on permuted labels.

    `optimism` is the AUC of the published order minus that of the honest one on the same test
    people (paired DeLong). `majority` is the share of the test people that are of the larger class
    of the training people.
    """

    model: str
    n_test: int
    majority: float
    measured: tuple[Measured, ...]
    optimism: Interval

    def of(self, protocol: Protocol) -> Measured:
        """Return the model under a protocol, true labels."""
        return next(m for m in self.measured if m.way == protocol and not m.permutation)

    def permuted(self, protocol: Protocol) -> list[Measured]:
        """Return the models of permuted labels under a protocol."""
        return [m for m in self.measured if m.way == protocol and m.permutation]

    def p(self, protocol: Protocol) -> float | None:
        """Return (1 + permutations at least as good) / (1 + permutations), None without any.

        References: Phipson and Smyth 2010, Stat Appl Genet Mol Biol 9:39.
        """
        others = [m.auc for m in self.permuted(protocol)]
        if not others:
            return None
        return (1 + sum(auc >= self.of(protocol).auc for auc in others)) / (1 + len(others))

    def summary(self) -> dict[str, Any]:
        """Return what `audit --json` prints."""
        found: dict[str, Any] = {"model": self.model, "n_test": self.n_test}
        for protocol in PROTOCOLS:
            found[protocol] = self.of(protocol).as_dict()
        for protocol in PROTOCOLS:
            found[f"{protocol}_permuted"] = [m.as_dict() for m in self.permuted(protocol)]
        found["p"] = {protocol: self.p(protocol) for protocol in PROTOCOLS}
        found["optimism"] = {"metric": "auc"} | self.optimism.as_dict()
        found["majority"] = self.majority
        found["sentence"] = self.sentence()
        return found

    def sentence(self) -> str:
        """Return the answer in one sentence."""
        honest, published = (self.of(protocol).auc for protocol in PROTOCOLS)
        gap = self.optimism
        noise = [m.auc for m in self.permuted("published")]
        on_noise = (
            f"; on permuted labels that order still reaches {np.mean(noise):.2f}" if noise else ""
        )
        return (
            f"Chosen on training people alone the variants give an AUC of {honest:.2f} on "
            f"{self.n_test:,} people; chosen on all people, the test people's labels included, "
            f"{published:.2f}, which is {gap.value:+.2f} ({gap.low:+.2f} to {gap.high:+.2f}) of "
            f"optimism{on_noise}."
        )


def audit(
    cohort: Cohort,
    settings: AnalysisSettings,
    model: str = LOGISTIC,
    n_permutations: int = 20,
    on_progress: OnProgress = silent,
    on_part: Callable[[Audit], None] | None = None,
) -> Audit:
    """Return what a model reaches on the test people of the first split under both orders.

    `model` is `logistic_l2`, penalty chosen on validation people, or any other name for the network
    that the settings describe, trained as the protocol says. Labels are permuted over all people
    before anything is chosen; the split stays. The true labels come first; `on_part` hears of the
    audit so far, from then on. Seeds are those of the settings.

    Raises `EmptyResultError` when the thresholds let no variant in.
    """
    plan = first_plan(cohort, settings)
    test = plan.splits[0].test
    train = plan.is_case[plan.splits[0].train]
    majority = float((plan.is_case[test] == (train.mean() >= 0.5)).mean())
    measured: list[Measured] = []

    def so_far() -> Audit:
        honest, published = measured[:2]
        return Audit(
            model=model,
            n_test=len(test),
            majority=majority,
            measured=tuple(sorted(measured, key=lambda one: one.permutation)),
            optimism=auc_difference(
                plan.is_case[test], published.score, honest.score, settings.evaluation.confidence
            ),
        )

    for one in fits(cohort, settings, model, PROTOCOLS, n_permutations, on_progress):
        measured.append(one)
        if on_part and one.way == PROTOCOLS[-1]:
            on_part(so_far())
    return so_far()
