"""Does order matter? The same network and variants in the order of the genome, genes, p, and none.

A convolution reads neighbours. Where it reads as well with the variants shuffled, it learned no
neighbourhood, whatever its accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.arrangement import arrange
from pipeline.audit.compared import Compared, Order, compare
from pipeline.audit.models import first_plan, model_of
from pipeline.audit.strata import finite
from pipeline.cohort import Cohort
from pipeline.fold import select_variants
from pipeline.gene_groups import variant_groups
from pipeline.progress import Clock, OnProgress, silent
from pipeline.recount import fetch_genotypes
from pipeline.selection import Selection
from pipeline.settings import AnalysisSettings, EncodingSettings, with_changes
from pipeline.splits import Roles
from pipeline.spread import opened, spread, where_is

ORDERS: tuple[Order, ...] = ("genomic", "gene", "p", "shuffled")
OnPart = Callable[[dict[str, Any]], None]

_IN_WORDS = {"genomic": "genomic order", "gene": "order by gene", "p": "order by p"}
# A difference of AUC that would have been worth finding: a wider interval cannot rule it out.
_WORTH = 0.05
_SEEDS = 2**31


@dataclass(frozen=True, eq=False)
class Trained:
    """A network that was shown one order: `score` (n_test,) of the test people.

    `seed` counts its trainings from 0; each has other weights to start from, and another shuffle.
    """

    order: Order
    seed: int
    score: NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Orders:
    """The networks trained so far: `n_seeds` in each order of `asked` when all are there.

    `notes` say which order was left out, and why; `is_case` (n_test,) are the test people of the
    first split.
    """

    asked: tuple[Order, ...]
    n_seeds: int
    trained: tuple[Trained, ...]
    is_case: NDArray[np.bool_]
    n_train: int
    n_variants: int
    notes: tuple[str, ...]
    confidence: float

    @property
    def is_complete(self) -> bool:
        return len(self.trained) == self.n_seeds * len(self.asked)

    @cached_property
    def compared(self) -> tuple[Compared, ...]:
        """Return each order that has a network; once all have theirs, against shuffled order."""
        orders = [one for one in self.asked if any(net.order == one for net in self.trained)]
        if not orders:
            return ()
        order_of = np.array([orders.index(net.order) for net in self.trained])
        scores = np.array([net.score for net in self.trained])
        found = compare(self.is_case, scores, order_of, orders, self.confidence)
        if self.is_complete:
            return found
        return tuple(Compared(one.order, one.n_seeds, one.auc) for one in found)

    def sentence(self) -> str:
        """Return the answer in one sentence, "" while networks are being trained."""
        if not self.asked:
            return (
                "A network of genes reads each variant at a place of its own, not beside its "
                "neighbours, so that there is no order to shuffle."
            )
        return _sentence(self) if self.is_complete else ""

    def as_dict(self) -> dict[str, Any]:
        """Return what the page draws and the command line prints; sums over people alone."""
        return {
            "asked": list(self.asked),
            "n_seeds": self.n_seeds,
            "n_fits": len(self.trained),
            "n_asked": self.n_seeds * len(self.asked),
            "orders": [_row(one) for one in self.compared],
            "n_test": len(self.is_case),
            "n_train": self.n_train,
            "n_variants": self.n_variants,
            "confidence": self.confidence,
            "notes": list(self.notes),
            "sentence": self.sentence(),
        }


def orders(
    cohort: Cohort,
    settings: AnalysisSettings,
    on_progress: OnProgress = silent,
    on_part: OnPart | None = None,
    n_seeds: int = 2,
) -> Orders:
    """Return what the network of the settings reaches in every order of its variants.

    Split and selection are the same for all, the selection is honest whatever the settings say, and
    training is that of the settings, from the same `n_seeds` seeds in each order: one training
    cannot tell an order from luck. `on_part` hears of the result so far after each network.
    Networks of genes have no order; the order by gene needs a gene table.

    Raises `EmptyResultError` when the thresholds let no variant in, `Cancelled` from `on_progress`.
    """
    settings = with_changes(settings, {"selection.protocol": "honest"})
    plan = first_plan(cohort, settings)
    split, roles = plan.splits[0], plan.roles[0]
    asked: tuple[Order, ...] = ()
    notes: tuple[str, ...] = ()
    selection = None
    if settings.network.family != "gene":
        (selection,) = select_variants(cohort, plan, settings, [0], on_progress)
        asked, notes = _orders_of(cohort, selection)

    def so_far(trained: Sequence[Trained]) -> Orders:
        return Orders(
            asked=asked,
            n_seeds=n_seeds,
            trained=tuple(sorted(trained, key=lambda one: (asked.index(one.order), one.seed))),
            is_case=plan.is_case[split.test],
            n_train=len(roles.train),
            n_variants=0 if selection is None else len(selection.variants),
            notes=notes,
            confidence=settings.evaluation.confidence,
        )

    clock = Clock("training in every order", on_progress)
    trained: list[Trained] = []
    fits = [(order, seed) for seed in range(n_seeds) for order in asked]

    def look() -> None:
        clock.report(len(trained) / len(fits), f"{len(trained)} of {len(fits)} networks")

    calls = [
        (where_is(cohort), _shown(settings, *fit), "network",
         plan.people, plan.is_case, roles, selection)
        for fit in fits
    ]  # fmt: skip
    scored = spread(cohort, scores_of_test, calls, look, trains=True) if calls else ()
    for number, score in scored:
        trained.append(Trained(*fits[number], score))
        look()
        if on_part:
            on_part(so_far(trained).as_dict())
    return so_far(trained)


def scores_of_test(
    where: tuple[Path, str, str],
    settings: AnalysisSettings,
    model: str,
    people: NDArray[np.intp],
    is_case: NDArray[np.bool_],
    roles: Roles,
    selection: Selection,
) -> NDArray[np.floating]:
    """Return the scores of the test people, (n_test,), of a model fitted in this process."""
    with opened(where, settings) as cohort:
        genotypes = fetch_genotypes(cohort, selection.variants, people)
        return model_of(cohort, settings, model)(genotypes, is_case, roles, selection)[roles.test]


def _orders_of(cohort: Cohort, selection: Selection) -> tuple[tuple[Order, ...], tuple[str, ...]]:
    """Return the orders that differ for these variants, and a sentence on one left out."""
    without: tuple[Order, ...] = ("genomic", "p", "shuffled")
    if not cohort.has_genes:
        return without, ("Order by gene is left out: no gene table has been joined.",)
    n_variants = len(selection.variants)
    by_gene = arrange(
        np.empty((0, n_variants), np.uint8), np.empty(0, bool), selection.neg_log10_p,
        variant_groups(cohort, selection.variants), EncodingSettings(order="gene"), seed=0,
    ).columns  # fmt: skip
    if np.array_equal(by_gene, np.arange(n_variants)):
        return without, (
            f"Order by gene is left out: it is genomic order, as genes of the {n_variants:,} "
            "variants do not overlap.",
        )
    return ORDERS, ()


def _shown(settings: AnalysisSettings, order: Order, seed: int) -> AnalysisSettings:
    """Return the settings of one training; who trains and what was selected is decided by now."""
    changes = {
        "encoding.order": order,
        "split.seed": (settings.split.seed + seed) % _SEEDS,  # the shuffle
        "training.seed": (settings.training.seed + seed) % _SEEDS,
    }
    return with_changes(settings, changes)


def _row(one: Compared) -> dict[str, Any]:
    row: dict[str, Any] = {"order": one.order, "n_seeds": one.n_seeds, "auc": finite(one.auc)}
    if one.difference is not None:
        row["difference"] = finite(one.difference)
        row["p"], row["p_holm"] = _known(one.p), _known(one.p_holm)
        row["verdict"] = one.verdict
    return row


def _sentence(found: Orders) -> str:
    by_order = {one.order: one for one in found.compared}
    auc = {order: one.auc for order, one in by_order.items()}
    gaps = {order: one.difference for order, one in by_order.items() if one.difference}
    gap = gaps["genomic"]
    beside = (
        f"{auc['shuffled'].value:.2f} against {auc['genomic'].value:.2f}, difference "
        f"{gap.value:+.2f}, {gap.low:+.2f} to {gap.high:+.2f}"
    )
    better = [order for order in gaps if by_order[order].verdict == "better"]
    if better:
        best = max(better, key=lambda order: gaps[order].value)
        learned = {
            "genomic": "the convolution learned from neighbours",
            "gene": "the convolution learned from neighbours within genes",
            "p": "the convolution gains from strong variants side by side, which says nothing of "
            "neighbours on the genome",
        }[best]
        return (
            f"{_IN_WORDS[best].capitalize()} is better than shuffled by {gaps[best].value:.2f} "
            f"({gaps[best].low:.2f} to {gaps[best].high:.2f}; {auc[best].value:.2f} against "
            f"{auc['shuffled'].value:.2f}): {learned}."
        )
    if not any(one.low > 0.5 for one in auc.values()):
        lowest, highest = (end(one.value for one in auc.values()) for end in (min, max))
        return (
            f"In no order does the network tell cases from controls ({lowest:.2f} to "
            f"{highest:.2f}), so that its order cannot matter."
        )
    if by_order["genomic"].verdict == "worse":
        return (
            f"In shuffled order the network is even better ({beside}): the convolution learned no "
            "neighbourhood."
        )
    if gap.high > _WORTH:
        return (
            f"In shuffled order the network is about as good ({beside}): no sign of a "
            f"neighbourhood, but {len(found.is_case):,} test people and {found.n_seeds} trainings "
            "an order could miss one."
        )
    return (
        f"In shuffled order the network is as good ({beside}): the convolution learned no "
        "neighbourhood."
    )


def _known(value: float) -> float | None:
    """Return the value, None for NaN, which JSON has no word for."""
    return float(value) if np.isfinite(value) else None
