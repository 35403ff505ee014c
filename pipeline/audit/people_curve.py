"""Would more people help? The honest AUC over growing parts of the training people.

Test and validation people stay the same. Everything that learns sees the part alone: selection,
imputation, scaling, weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.audit.models import LOGISTIC, first_plan
from pipeline.audit.neighbours import scores_of_test
from pipeline.audit.people_trend import Extrapolated, bootstrap_aucs, extrapolate, mean_by_share
from pipeline.cohort import Cohort
from pipeline.errors import EmptyResultError
from pipeline.fold import Plan
from pipeline.progress import Clock, OnProgress, silent
from pipeline.recount import recount
from pipeline.selection import Selection, select
from pipeline.settings import AnalysisSettings, with_changes
from pipeline.splits import Positions, Roles
from pipeline.spread import spread, where_is
from pipeline.statistics import Interval
from pipeline.structure import families

SHARES = (0.2, 0.4, 0.6, 0.8, 1.0)
OnPart = Callable[[dict[str, Any]], None]
Verdict = Literal["helps", "unclear", "flat"]

_DRAWS = 3  # of the smaller shares; a network, which takes longer, has one
_WORTH = 0.01  # of AUC: less is no gain that anybody would pay for
_FEWEST = 10  # people of each class: with fewer a model has nothing to learn from
_MOST_BYTES = 512 << 20  # counts of all parts that are counted in one pass


@dataclass(frozen=True, eq=False)
class Fit:
    """A model that a part of the training people taught: `score` (n_test,) of the test people.

    `share` is the number of the share, `draw` that of the draw, both from 0.
    """

    share: int
    draw: int
    n_train: int
    n_selected: int
    score: NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class PeopleCurve:
    """What the model reaches with growing numbers of training people, as far as it is known.

    `shares` (n_sizes,) are those with enough people, the last is 1; `n_train` people of each. The
    `trend` is None until all of `n_asked` fits are there, and with a single share.
    """

    model: str
    shares: tuple[float, ...]
    n_train: tuple[int, ...]
    fits: tuple[Fit, ...]
    n_asked: int
    is_case: NDArray[np.bool_]
    seed: int
    confidence: float
    notes: tuple[str, ...]
    trend: Extrapolated | None

    @property
    def verdict(self) -> Verdict | None:
        """Say whether twice as many people are expected to give more; None until it is known.

        helps: beyond what is uncertain. unclear: perhaps. flat: nothing says so, or nothing has
        been learned yet.
        """
        if self.trend is None:
            return None
        if self.trend.gain.low > 0:
            return "helps"
        is_chance = all(point["low"] <= 0.5 for point in self.points())
        return "unclear" if self.trend.gain.value >= _WORTH and not is_chance else "flat"

    def points(self) -> list[dict[str, Any]]:
        """Return each share that has a fit: people, draws, mean AUC, its limits over test people.

        The limits are the quantiles of a bootstrap of the test people within each class.
        """
        if not self.fits:
            return []
        share_of = np.array([fit.share for fit in self.fits])
        scores = np.array([fit.score for fit in self.fits])
        rng = np.random.default_rng([self.seed, 2])
        everybody = bootstrap_aucs(self.is_case, scores, None, rng)
        drawn = bootstrap_aucs(self.is_case, scores, 500, rng)
        means = mean_by_share(np.vstack([everybody, drawn]), share_of, len(self.shares))
        tail = (1 - self.confidence) / 2
        rows = []
        for i in np.unique(share_of):
            low, high = np.quantile(means[1:, i], [tail, 1 - tail])
            own = [fit for fit in self.fits if fit.share == i]
            rows.append(
                {
                    "share": self.shares[i],
                    "n_train": self.n_train[i],
                    "n_draws": len(own),
                    "n_selected": float(np.mean([fit.n_selected for fit in own])),
                    "value": float(means[0, i]),
                    "low": float(min(low, means[0, i])),
                    "high": float(max(high, means[0, i])),
                    "draws": [float(auc) for auc in everybody[0][share_of == i]],
                }
            )
        return rows

    def sentence(self) -> str:
        """Return the answer in one sentence, "" until it is known."""
        if self.trend is None:
            return ""
        now, twice, gain = self.trend.now, self.trend.twice, self.trend.gain
        verdict = self.verdict
        if verdict == "flat":
            return (
                f"The curve is flat: from {self.n_train[0]:,} to {self.n_train[-1]:,} training "
                f"people there is no sign that more would help (with twice as many expect an AUC "
                f"of {_limits(twice)}; the trend now stands at {now.value:.2f})."
            )
        if verdict == "unclear":
            answer = f"more people may help, but {len(self.is_case):,} test people cannot tell"
        else:
            answer = "more people would help" + (" a little" if gain.high < _WORTH else "")
        return (
            f"With twice as many training people expect an AUC of {_limits(twice)}; the trend now "
            f"stands at {now.value:.2f}: {answer}."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return what the page draws and the command line prints; sums over people alone."""
        trend = self.trend
        return {
            "model": self.model,
            "n_test": len(self.is_case),
            "n_all": self.n_train[-1],
            "confidence": self.confidence,
            "n_fits": len(self.fits),
            "n_asked": self.n_asked,
            "points": self.points(),
            "trend": None
            if trend is None
            else {
                "words": trend.words,
                "n_train": [float(n) for n in trend.sizes],
                "value": [float(value) for value in trend.value],
                "low": [float(value) for value in trend.low],
                "high": [float(value) for value in trend.high],
                "now": trend.now.as_dict(),
                "twice": trend.twice.as_dict(),
                "gain": trend.gain.as_dict(),
            },
            "verdict": self.verdict,
            "notes": list(self.notes),
            "sentence": self.sentence(),
        }


def people_curve(
    cohort: Cohort,
    settings: AnalysisSettings,
    model: str = LOGISTIC,
    on_progress: OnProgress = silent,
    on_part: OnPart | None = None,
    n_draws: int | None = None,
) -> PeopleCurve:
    """Return the honest AUC at 20 to 100 % of the training people, and at twice as many.

    `model` is `logistic_l2`, or any other name for the network of the settings. The smaller parts
    are drawn `n_draws` times (by default three times, once for a network), each within the next
    larger one, stratified, relatives whole; part and draw come from the split seed. `on_part` hears
    of the result so far after each fit.

    Raises `EmptyResultError` when the thresholds let no variant in, `Cancelled` from `on_progress`.
    """
    settings = with_changes(settings, {"selection.protocol": "honest"})
    plan = first_plan(cohort, settings)
    split = plan.splits[0]
    related = families(cohort)
    groups = related.groups[plan.people[split.train]] if related else None
    is_case = plan.is_case[split.train]
    shares, notes = _shares_with_enough(is_case)
    n_draws = n_draws or (_DRAWS if model == LOGISTIC else 1)
    parts = _parts(is_case, groups, shares, n_draws, settings.split.seed)
    taught = [split.train[part] for _, _, part in parts]
    chosen = _selections(cohort, plan, settings, taught, on_progress)
    sizes = [
        round(np.mean([len(part) for share, _, part in parts if share == i]))
        for i in range(len(shares))
    ]

    def so_far(fits: Sequence[Fit]) -> PeopleCurve:
        return _curve(fits, len(parts), plan, settings, model, shares, sizes, notes)

    clock = Clock("growing the training people", on_progress)
    fits: list[Fit] = []

    def look() -> None:
        clock.report(len(fits) / len(parts), f"{len(fits)} of {len(parts)} models")

    def hear(number: int, score: NDArray[np.floating]) -> None:
        share, draw, part = parts[number]
        selection = chosen[number]
        n_selected = 0 if selection is None else len(selection.variants)
        fits.append(Fit(share, draw, len(part), n_selected, score))
        look()
        if on_part:
            on_part(so_far(fits).as_dict())

    where, calls, numbers = where_is(cohort), [], []
    for number, (people, selection) in enumerate(zip(taught, chosen, strict=True)):
        if selection is None:  # so few people that nothing was chosen: everybody scores the same
            hear(number, np.full(len(split.test), 0.5))
            continue
        roles = Roles(people, people, split.validation, split.test)
        calls.append((where, settings, model, plan.people, plan.is_case, roles, selection))
        numbers.append(number)
    for call, score in spread(cohort, scores_of_test, calls, look, trains=model != LOGISTIC):
        hear(numbers[call], score)
    return so_far(fits)


def nested_parts(
    is_case: NDArray[np.bool_],
    groups: NDArray[np.integer] | None,
    shares: Sequence[float],
    rng: np.random.Generator,
) -> list[Positions]:
    """Return sorted positions of a part of the people for each share, each within the next.

    `is_case` and `groups` have shape (n_people,), `shares` rise; people of one group (relatives)
    enter together. Families enter at random, people alone then fill each class to its share.
    """
    is_case = np.asarray(is_case, bool)
    groups = np.arange(is_case.size) if groups is None else np.asarray(groups)
    _, group_of, n_in_group = np.unique(groups, return_inverse=True, return_counts=True)
    order = rng.permutation(n_in_group.size)
    related = order[n_in_group[order] > 1]
    enters = np.full(n_in_group.size, np.inf)  # the number of families before each
    enters[related] = np.arange(related.size)
    n_families = np.round(np.asarray(shares) * related.size)
    is_in = enters[group_of] < n_families[:, None]  # (n_shares, n_people)
    for label in (False, True):
        of_class = is_case == label
        alone = rng.permutation(np.flatnonzero(of_class & (n_in_group[group_of] == 1)))
        wanted = np.floor(np.asarray(shares) * of_class.sum() + 0.5)
        # Never fewer than at a smaller share, though a large family may fill the class.
        n_alone = np.maximum.accumulate(np.maximum(0, wanted - (is_in & of_class).sum(axis=1)))
        is_in[:, alone] |= np.arange(alone.size) < n_alone[:, None]
    return [np.flatnonzero(row) for row in is_in]


def _shares_with_enough(is_case: NDArray[np.bool_]) -> tuple[tuple[float, ...], tuple[str, ...]]:
    n_smaller = min(int(is_case.sum()), int((~is_case).sum()))
    shares = tuple(share for share in SHARES if share == 1 or share * n_smaller >= _FEWEST)
    if len(shares) == len(SHARES):
        return shares, ()
    left_out = ", ".join(f"{share:.0%}" for share in SHARES if share not in shares)
    note = f"Left out for fewer than {_FEWEST} cases or controls: {left_out} of the people."
    return shares, (note,)


def _parts(
    is_case: NDArray[np.bool_],
    groups: NDArray[np.integer] | None,
    shares: Sequence[float],
    n_draws: int,
    seed: int,
) -> list[tuple[int, int, Positions]]:
    """Return number of share, number of draw and people of each fit, all people first."""
    last = len(shares) - 1
    parts: list[tuple[int, int, Positions]] = [(last, 0, np.arange(is_case.size))]
    for draw in range(n_draws if last else 0):
        rng = np.random.default_rng([seed, draw])
        nested = nested_parts(is_case, groups, shares, rng)
        parts += [(share, draw, nested[share]) for share in range(last)]
    return parts


def _selections(
    cohort: Cohort,
    plan: Plan,
    settings: AnalysisSettings,
    parts: Sequence[Positions],
    on_progress: OnProgress,
) -> list[Selection | None]:
    """Return what each part of the people chooses, None where it is nothing.

    The first part are all training people: that they choose nothing is an error.
    """
    n_cohort = len(cohort.samples)
    as_cases = np.zeros(n_cohort, bool)
    as_cases[plan.people[plan.is_case]] = True
    n_at_once = max(1, _MOST_BYTES // (2 * 16 * max(1, len(plan.filtered.kept))))
    found: list[Selection | None] = []
    for first in range(0, len(parts), n_at_once):
        looked_at = [plan.people[part] for part in parts[first : first + n_at_once]]
        masks = [np.isin(np.arange(n_cohort), people) for people in looked_at]
        # The labels are the people's own; given, they keep the counts of random parts off the disk.
        labels = [as_cases] * len(masks)
        counted = recount(cohort, plan.filtered, masks, on_progress, labels)
        for counts, people in zip(counted, looked_at, strict=True):
            try:
                chosen = select(cohort, counts, people, settings.selection, settings.quality)
            except EmptyResultError:
                if not found:
                    raise
                found.append(None)
            else:
                found.append(chosen)
    return found


def _curve(
    fits: Sequence[Fit],
    n_asked: int,
    plan: Plan,
    settings: AnalysisSettings,
    model: str,
    shares: tuple[float, ...],
    sizes: Sequence[int],
    notes: tuple[str, ...],
) -> PeopleCurve:
    ranked = sorted(fits, key=lambda fit: (fit.share, fit.draw))
    is_case = plan.is_case[plan.splits[0].test]
    confidence = settings.evaluation.confidence
    trend = None
    if len(fits) == n_asked and len(shares) > 1:
        trend = extrapolate(
            is_case,
            np.array([fit.score for fit in ranked]),
            np.array([fit.share for fit in ranked]),
            np.array(shares),
            np.array(sizes, np.float64),
            settings.split.seed,
            confidence,
        )
    return PeopleCurve(
        model=model,
        shares=shares,
        n_train=tuple(sizes),
        fits=tuple(ranked),
        n_asked=n_asked,
        is_case=is_case,
        seed=settings.split.seed,
        confidence=confidence,
        notes=notes,
        trend=trend,
    )


def _limits(interval: Interval) -> str:
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"
