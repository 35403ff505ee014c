"""Would noise have scored the same? One split and model, under honest and published selection.

The published order chooses variants on all people and splits afterwards, so that labels of test
people enter the model. Both orders are repeated with permuted labels, where nothing can be learned:
what is left above one half is the leak.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.baselines import fit_baselines
from pipeline.cohort import Cohort
from pipeline.errors import EmptyResultError
from pipeline.evaluation import evaluate
from pipeline.fold import Plan, fit_fold, plan_folds
from pipeline.progress import Clock, OnProgress, silent
from pipeline.recount import fetch_genotypes, recount
from pipeline.selection import Selection, select
from pipeline.settings import AnalysisSettings
from pipeline.splits import Roles, assign_roles
from pipeline.statistics import Interval, auc_difference
from pipeline.structure import families

Protocol = Literal["honest", "published"]
PROTOCOLS: tuple[Protocol, ...] = ("honest", "published")
LOGISTIC = "logistic_l2"
# Counts of all sets of people that are counted in one pass.
_MOST_BYTES = 512 << 20

# Codes (n_people, n_variants), who is a case, who is looked at by what, the variants: scores of the
# test people, high in cases, called a case above one half.
Model = Callable[[NDArray[np.uint8], NDArray[np.bool_], Roles, Selection], NDArray[np.floating]]


@dataclass(frozen=True, eq=False)
class Measured:
    """One model on the test people: what was chosen, and its metrics against the labels it had.

    `permutation` counts from 1; 0 are the true labels. `score` has shape (n_test,).
    """

    protocol: Protocol
    permutation: int
    n_selected: int
    score: NDArray[np.floating]
    metrics: dict[str, Any]

    @property
    def auc(self) -> float:
        return float(self.metrics["auc"]["value"])

    def as_dict(self) -> dict[str, Any]:
        """Return accuracy and AUC with their limits, and the variants chosen."""
        return {
            "accuracy": self.metrics["accuracy"],
            "auc": self.metrics["auc"],
            "n_selected": self.n_selected,
        }


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
        return next(m for m in self.measured if m.protocol == protocol and not m.permutation)

    def permuted(self, protocol: Protocol) -> list[Measured]:
        """Return the models of permuted labels under a protocol."""
        return [m for m in self.measured if m.protocol == protocol and m.permutation]

    def p(self, protocol: Protocol) -> float:
        """Return (1 + permutations at least as good) / (1 + permutations).

        References: Phipson and Smyth 2010, Stat Appl Genet Mol Biol 9:39.
        """
        others = [m.auc for m in self.permuted(protocol)]
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
    on_part: Callable[[Measured], None] | None = None,
) -> Audit:
    """Return what a model reaches on the test people of the first split under both orders.

    `model` is `logistic_l2`, penalty chosen on validation people, or any other name for the network
    that the settings describe, trained as the protocol says. Labels are permuted over all people
    before anything is chosen; the split stays. The true labels come first; `on_part` hears of each
    model as it is measured. Seeds are those of the settings.

    Raises `EmptyResultError` when the thresholds let no variant in.
    """
    related = families(cohort)
    plan = plan_folds(cohort, settings, related.digest if related else "", cohort.gene_table)
    fit = _logistic(plan, settings) if model == LOGISTIC else _network(cohort, settings)
    clock = Clock("auditing", on_progress)
    n_parts = len(PROTOCOLS) * (1 + n_permutations)
    measured: list[Measured] = []
    for part in _parts(cohort, plan, settings, fit, n_permutations, on_progress):
        measured.append(part)
        if on_part:
            on_part(part)
        clock.report(len(measured) / n_parts, f"{len(measured)} of {n_parts} models")
    test = plan.splits[0].test
    train = plan.is_case[plan.splits[0].train]
    in_majority = plan.is_case[test] == (train.mean() >= 0.5)
    honest, published = measured[:2]
    return Audit(
        model=model,
        n_test=len(test),
        majority=float(in_majority.mean()),
        measured=tuple(measured),
        optimism=auc_difference(
            plan.is_case[test], published.score, honest.score, settings.evaluation.confidence
        ),
    )


def _parts(
    cohort: Cohort,
    plan: Plan,
    settings: AnalysisSettings,
    fit: Model,
    n_permutations: int,
    on_progress: OnProgress,
) -> Iterator[Measured]:
    """Yield the models: true labels, then permuted ones, honest before published."""
    rng = np.random.default_rng(settings.split.seed)
    labels = [plan.is_case, *(rng.permutation(plan.is_case) for _ in range(n_permutations))]
    bytes_of_one = len(PROTOCOLS) * 2 * 16 * max(1, len(plan.filtered.kept))
    n_at_once = max(1, _MOST_BYTES // bytes_of_one)
    # The answer for the true labels does not wait for the others.
    cuts = [0, *range(1, len(labels), n_at_once), len(labels)]
    for first, end in pairwise(cuts):
        chosen = _selections(cohort, plan, settings, labels[first:end], on_progress)
        for number, (is_case, selections) in enumerate(
            zip(labels[first:end], chosen, strict=True), start=first
        ):
            for protocol, selection in zip(PROTOCOLS, selections, strict=True):
                yield _measure(cohort, plan, settings, fit, is_case, protocol, selection, number)


def _selections(
    cohort: Cohort,
    plan: Plan,
    settings: AnalysisSettings,
    labels: Sequence[NDArray[np.bool_]],
    on_progress: OnProgress,
) -> list[list[Selection | None]]:
    """Return what each protocol chooses on each set of labels, None where it is nothing."""
    n_cohort = len(cohort.samples)
    looked_at, taken_for_cases = [], []
    for is_case in labels:
        as_cases = np.zeros(n_cohort, bool)
        as_cases[plan.people[is_case]] = True
        for protocol in PROTOCOLS:
            fit = plan.people[assign_roles(plan.splits[0], protocol).fit]
            looked_at.append(fit)
            taken_for_cases.append(as_cases)
    masks = [np.isin(np.arange(n_cohort), positions) for positions in looked_at]
    counted = recount(cohort, plan.filtered, masks, on_progress, taken_for_cases)
    found: list[Selection | None] = []
    for counts, positions in zip(counted, looked_at, strict=True):
        try:
            found.append(select(cohort, counts, positions, settings.selection, settings.quality))
        except EmptyResultError:
            if not found and labels[0] is plan.is_case:
                raise  # the honest order has nothing to audit
            found.append(None)
    n = len(PROTOCOLS)
    return [found[i : i + n] for i in range(0, len(found), n)]


def _measure(
    cohort: Cohort,
    plan: Plan,
    settings: AnalysisSettings,
    fit: Model,
    is_case: NDArray[np.bool_],
    protocol: Protocol,
    selection: Selection | None,
    permutation: int,
) -> Measured:
    roles = assign_roles(plan.splits[0], protocol)
    if selection is None:  # noise of which nothing was chosen: everybody scores the same
        score: NDArray[np.floating] = np.full(len(roles.test), 0.5)
    else:
        genotypes = fetch_genotypes(cohort, selection.variants, plan.people)
        score = fit(genotypes, is_case, roles, selection)
    return Measured(
        protocol=protocol,
        permutation=permutation,
        n_selected=0 if selection is None else len(selection.variants),
        score=score,
        metrics=evaluate(is_case[roles.test], score, confidence=settings.evaluation.confidence),
    )


def _logistic(plan: Plan, settings: AnalysisSettings) -> Model:
    """Return L2 regression; under either protocol the test people choose no penalty."""
    split = plan.splits[0]

    def fit(
        genotypes: NDArray[np.uint8], is_case: NDArray[np.bool_], roles: Roles, _: Selection
    ) -> NDArray[np.floating]:
        fitted = fit_baselines(
            genotypes[split.train], is_case[split.train],
            genotypes[split.validation], is_case[split.validation],
            genotypes[roles.test], settings.training.seed, (LOGISTIC,),
        )  # fmt: skip
        return fitted[LOGISTIC].score

    return fit


def _network(cohort: Cohort, settings: AnalysisSettings) -> Model:
    """Return the network of the settings, whoever the roles say trains and stops it."""

    def fit(
        genotypes: NDArray[np.uint8], is_case: NDArray[np.bool_], roles: Roles, chosen: Selection
    ) -> NDArray[np.floating]:
        from pipeline.training import forget_models, predict_probability

        fitted = fit_fold(cohort, genotypes, is_case, roles, chosen, settings)
        entered = np.searchsorted(chosen.variants, fitted.variants)
        score = predict_probability(fitted.model, genotypes[np.ix_(roles.test, entered)])
        forget_models()
        return score

    return fit
