"""One split and model, fitted in several ways: each lets other people look at the test people.

Every way is fitted on the true labels and on permuted ones, where nothing can be learned: what
stands above one half there is what the look was worth.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.audit import LOGISTIC
from pipeline.audit.models import Model, first_plan, model_of
from pipeline.cohort import Cohort
from pipeline.errors import EmptyResultError
from pipeline.evaluation import evaluate
from pipeline.fold import Plan
from pipeline.processes import default_workers
from pipeline.progress import Clock, OnProgress, silent
from pipeline.recount import fetch_genotypes, recount
from pipeline.selection import Selection, select
from pipeline.settings import AnalysisSettings
from pipeline.splits import Roles, Split, assign_roles
from pipeline.spread import opened, spread, where_is

# honest: nothing sees test people. chosen: they help to choose variants. scaled: they enter means
# and standard deviations. stopped: early stopping (of a regression: the penalty) watches them.
# published: all of these, and the validation people train, as in the paper's script; a regression
# has only its variants chosen that way, so that nothing but the order differs.
Protocol = Literal["honest", "published"]
Way = Protocol | Literal["chosen", "scaled", "stopped"]

PROTOCOLS: tuple[Protocol, ...] = ("honest", "published")

# Counts of all sets of people that are counted in one pass.
_MOST_BYTES = 512 << 20


@dataclass(frozen=True, eq=False)
class Measured:
    """One model on the test people: what was chosen, and its metrics against the labels it had.

    `permutation` counts from 1; 0 are the true labels. `score` has shape (n_test,). `is_wrong`
    bool (n_people,) says of all people, those who trained included, who is called wrongly.
    """

    way: Way
    permutation: int
    n_selected: int
    score: NDArray[np.floating]
    metrics: dict[str, Any]
    is_wrong: NDArray[np.bool_]

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


def fits(
    cohort: Cohort,
    settings: AnalysisSettings,
    model: str,
    ways: Sequence[Way],
    n_permutations: int,
    on_progress: OnProgress,
) -> Iterator[Measured]:
    """Yield the model fitted in each way: on the true labels first, then on permuted ones.

    Labels are permuted over all people before anything is chosen; the split stays. Permutations
    are fitted side by side and come as they end, each with all its ways in order.

    Raises `EmptyResultError` when the thresholds let no variant in.
    """
    clock = Clock("auditing", on_progress)
    n_models = len(ways) * (1 + n_permutations)
    n_done = 0

    def look() -> None:
        clock.report(n_done / n_models, f"{n_done} of {n_models} models")

    look()
    for one in _labelled(cohort, settings, model, ways, [0], on_progress):
        yield one
        n_done += 1
        look()
    pieces = _pieces(cohort, settings, model, ways, n_permutations)
    asked = [(where_is(cohort), settings, model, tuple(ways), piece) for piece in pieces]
    for _, measured in spread(cohort, _task, asked, look, trains=model != LOGISTIC):
        yield from measured
        n_done += len(measured)
        look()


def _pieces(
    cohort: Cohort, settings: AnalysisSettings, model: str, ways: Sequence[Way], n: int
) -> list[list[int]]:
    """Return the permutations, from 1, that one call fits: few passes over the genotypes."""
    if not n:
        return []
    n_kept = max(1, len(first_plan(cohort, settings).filtered.kept))
    at_most = max(1, _MOST_BYTES // (len(ways) * 2 * 16 * n_kept))
    # A network takes long enough for parts to be seen one by one.
    even = 1 if model != LOGISTIC else math.ceil(n / (2 * default_workers()))
    size = min(even, at_most)
    return [list(range(first, min(first + size, n + 1))) for first in range(1, n + 1, size)]


def _task(
    where: tuple[Path, str, str],
    settings: AnalysisSettings,
    model: str,
    ways: Sequence[Way],
    permutations: Sequence[int],
) -> list[Measured]:
    with opened(where, settings) as cohort:
        return list(_labelled(cohort, settings, model, ways, permutations, silent))


def _labelled(
    cohort: Cohort,
    settings: AnalysisSettings,
    model: str,
    ways: Sequence[Way],
    permutations: Sequence[int],
    on_progress: OnProgress,
) -> Iterator[Measured]:
    """Yield each way on each permutation of the labels; 0 are the true ones."""
    plan = first_plan(cohort, settings)
    labels = [_permuted(plan.is_case, settings, number) for number in permutations]
    looks = {one: roles_of(plan.splits[0], one, model) for one in ways}
    # Several ways choose alike; each set of people is counted once.
    sets = list({len(choosing): choosing for choosing, _ in looks.values()}.values())
    chosen = _selections(cohort, plan, settings, labels, sets, on_progress)
    fit = model_of(cohort, settings, model)
    for number, is_case, selections in zip(permutations, labels, chosen, strict=True):
        for way, (choosing, roles) in looks.items():
            selection = selections[[len(one) for one in sets].index(len(choosing))]
            yield _measure(cohort, plan, settings, fit, is_case, way, number, selection, roles)


def _measure(
    cohort: Cohort,
    plan: Plan,
    settings: AnalysisSettings,
    fit: Model,
    is_case: NDArray[np.bool_],
    way: Way,
    permutation: int,
    selection: Selection | None,
    roles: Roles,
) -> Measured:
    if selection is None:  # noise of which nothing was chosen: everybody scores the same
        score: NDArray[np.floating] = np.full(len(is_case), 0.5)
    else:
        genotypes = fetch_genotypes(cohort, selection.variants, plan.people)
        score = fit(genotypes, is_case, roles, selection)
    tested = score[roles.test]
    return Measured(
        way=way,
        permutation=permutation,
        n_selected=0 if selection is None else len(selection.variants),
        score=tested,
        metrics=evaluate(is_case[roles.test], tested, confidence=settings.evaluation.confidence),
        is_wrong=(score > 0.5) != is_case,
    )


def roles_of(split: Split, way: Way, model: str) -> tuple[NDArray[np.intp], Roles]:
    """Return who chooses the variants, and who is looked at by what, in this way."""
    honest, published = (assign_roles(split, which) for which in PROTOCOLS)
    everyone = published.fit
    if way == "chosen" or (way == "published" and model == LOGISTIC):
        return everyone, honest
    if way == "scaled":
        return honest.fit, Roles(everyone, honest.train, honest.watch, honest.test)
    if way == "stopped":
        return honest.fit, Roles(honest.fit, honest.train, honest.test, honest.test)
    return (honest.fit, honest) if way == "honest" else (everyone, published)


def _permuted(
    is_case: NDArray[np.bool_], settings: AnalysisSettings, number: int
) -> NDArray[np.bool_]:
    if number == 0:
        return is_case
    return np.random.default_rng([settings.split.seed, number]).permutation(is_case)


def _selections(
    cohort: Cohort,
    plan: Plan,
    settings: AnalysisSettings,
    labels: Sequence[NDArray[np.bool_]],
    choosers: Sequence[NDArray[np.intp]],
    on_progress: OnProgress,
) -> list[list[Selection | None]]:
    """Return what each set of choosers chooses on each set of labels, None where it is nothing."""
    n_cohort = len(cohort.samples)
    looked_at, taken_for_cases = [], []
    for is_case in labels:
        as_cases = np.zeros(n_cohort, bool)
        as_cases[plan.people[is_case]] = True
        for choosing in choosers:
            looked_at.append(plan.people[choosing])
            taken_for_cases.append(as_cases)
    masks = [np.isin(np.arange(n_cohort), positions) for positions in looked_at]
    counted = recount(cohort, plan.filtered, masks, on_progress, taken_for_cases)
    found: list[Selection | None] = []
    for counts, positions in zip(counted, looked_at, strict=True):
        try:
            found.append(select(cohort, counts, positions, settings.selection, settings.quality))
        except EmptyResultError:
            if not found and labels[0] is plan.is_case:
                raise  # on the true labels there is nothing to audit
            found.append(None)
    n = len(choosers)
    return [found[i : i + n] for i in range(0, len(found), n)]
