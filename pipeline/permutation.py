"""How large the best of all tests gets by chance: max-T over permuted labels.

    labels permuted within each sex ──> masks ──> counts of cases (controls: what is left)
        ──> the test of every kept variant ──> the largest -log10 p of each permutation

Tests of one association can differ in their degrees of freedom, so that tests are compared by p:
this is the minP form of max-T. References: Westfall and Young 1993, Resampling-Based Multiple
Testing, Wiley; p by Phipson and Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cohort import Cohort, open_cohort
from pipeline.engine import LOCAL, engine_address
from pipeline.errors import EmptyResultError, SettingsError
from pipeline.files import written_beside
from pipeline.genotypes import count_genotypes, people_mask
from pipeline.measures import SexCounts
from pipeline.people import require_both
from pipeline.progress import Clock, OnProgress, silent
from pipeline.quality import Filtered, filter_variants
from pipeline.region_tests import RegionCounts, region_counts, run_test
from pipeline.samples import with_people
from pipeline.schema import SEXES
from pipeline.settings import AnalysisSettings, AssociationSettings
from pipeline.spread import opened, spread, where_is

_TABLES_AT_ONCE = 1 << 20  # variants x permutations: about 150 MB of counts and results
_STRETCHES = 64  # of variants, on a cluster: a lost worker loses little
_TIE = 1 + 1e-9  # tables of the same probability may differ by rounding
_ALPHA = 0.05


@dataclass(frozen=True)
class MaxT:
    """The largest -log10 p of each permutation, float64 (n_permutations,), in increasing order."""

    largest: np.ndarray

    def p_adjusted(self, neg_log10_p: np.ndarray) -> np.ndarray:
        """Return the family-wise p of tests: permutations that reach it + 1, over all + 1.

        NaN stays NaN.
        """
        n = len(self.largest)
        n_below = np.searchsorted(self.largest * _TIE, neg_log10_p, side="left")
        return np.where(np.isnan(neg_log10_p), np.nan, (1 + n - n_below) / (1 + n))

    def line(self, alpha: float = _ALPHA) -> float:
        """Return the -log10 p above which `p_adjusted` is `alpha` or less.

        Infinite when there are too few permutations for such a p.
        """
        n = len(self.largest)
        n_may_reach = math.floor(alpha * (n + 1) * (1 + 1e-12)) - 1
        return float(self.largest[n - 1 - n_may_reach] * _TIE) if n_may_reach >= 0 else math.inf


def max_t(
    cohort: Cohort,
    filtered: Filtered,
    settings: AssociationSettings,
    on_progress: OnProgress = silent,
    asked: AnalysisSettings | None = None,
) -> MaxT:
    """Return the permutations of these variants, people and this test; kept beside the cohort.

    Labels are permuted over cases and controls within each stated sex. Whatever `associate` does
    with small expected counts is done in each permutation. With `asked`, the settings that made
    `filtered`, the work is shared out on a cluster where there is one. Raises `EmptyResultError` as
    `associate`, and `SettingsError` for logistic regression.
    """
    known = read_max_t(cohort, filtered, settings)
    if known is not None:
        return known
    require_both(filtered.definition, cohort.n_people)
    if not len(filtered.kept):
        raise EmptyResultError(
            "Permutations need variants, but these thresholds keep none of "
            f"{cohort.n_variants:,}; loosen the one that removes most."
        )
    if asked is not None and engine_address() != LOCAL:
        largest = _largest_on_cluster(cohort, len(filtered.kept), asked, on_progress)
    else:
        largest = _largest(cohort, filtered, settings, on_progress)
    largest.sort()
    path = _path(cohort, filtered, settings)
    with written_beside(path) as beside, beside.open("wb") as handle:
        np.save(handle, largest)
    return MaxT(largest)


def read_max_t(cohort: Cohort, filtered: Filtered, settings: AssociationSettings) -> MaxT | None:
    """Return the permutations when they have been made, else None. Raises as `max_t`."""
    if settings.test == "logistic":
        raise SettingsError(
            "Permutations count genotypes, but association.test is logistic, which fits a model to "
            "each; choose a test of counts, or another correction."
        )
    try:
        return MaxT(np.load(_path(cohort, filtered, settings)))
    except (OSError, ValueError, EOFError):  # absent, or cut off by a full disk: permute again
        return None


def permute_job(cache: Path, payload: dict[str, Any], on_progress: OnProgress) -> dict[str, Any]:
    """Run permutations that were put in the queue: `name` and `settings` (of an analysis)."""
    settings = AnalysisSettings.model_validate(payload.get("settings", {}))
    cohort = open_cohort(cache, payload["name"])
    try:
        counted = with_people(cohort, settings.samples, on_progress)
        try:
            filtered = filter_variants(counted, settings.quality, settings.people)
            found = max_t(counted, filtered, settings.association, on_progress, settings)
        finally:
            if counted is not cohort:
                counted.store.close()
    finally:
        cohort.store.close()
    return {
        "cohort": payload["name"],
        "test": settings.association.test,
        "variants": len(filtered.kept),
        "permutations": len(found.largest),
        "line": found.line(),
    }


def permute_labels(
    is_case: np.ndarray, strata: np.ndarray, n_permutations: int, seed: int
) -> np.ndarray:
    """Return sets of cases, bool (n_permutations, n_people), drawn within strata.

    `strata` int (n_people,) are the groups; who has a negative one is neither case nor control
    and never drawn. Each set has as many cases in each stratum as `is_case` (n_people,).
    """
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(strata == stratum) for stratum in range(strata.max(initial=-1) + 1)]
    permuted = np.zeros((n_permutations, len(is_case)), bool)
    for people in members:
        n_cases = int(np.count_nonzero(is_case[people]))
        for labels in permuted:
            labels[rng.permutation(people)[:n_cases]] = True
    return permuted


def _largest(
    cohort: Cohort,
    filtered: Filtered,
    settings: AssociationSettings,
    on_progress: OnProgress,
    rows: slice = slice(None),
) -> np.ndarray:
    """Return the largest -log10 p of each permutation, (n_permutations,); 0 without a test.

    `rows` are those of the kept variants that are looked at.
    """
    n = settings.n_permutations
    is_case, strata = _labels(cohort, filtered)
    labels = permute_labels(is_case, strata, n, settings.permutation_seed)
    masks = people_mask(labels)
    del labels
    male = people_mask((cohort.samples["sex"] == "male").to_numpy()[None])
    largest = np.zeros(n)
    clock = Clock("permuting labels", on_progress)
    n_done, n_all = 0, len(filtered.kept[rows]) * n
    clock.report(0.0)
    for indices, packed in cohort.packed_genotypes(filtered.kept[rows]):
        totals = region_counts(cohort, filtered, np.searchsorted(filtered.kept, indices))
        at_once = max(1, _TABLES_AT_ONCE // len(indices))
        for start in range(0, n, at_once):
            block = slice(start, min(start + at_once, n))
            counts = _permuted_counts(packed, totals, masks[block], male)
            above = np.tile(largest[block], len(indices))
            neg_log10_p = run_test(counts, settings, above).neg_log10_p.reshape(len(indices), -1)
            largest[block] = np.fmax(largest[block], np.fmax.reduce(neg_log10_p, axis=0))
            n_done += neg_log10_p.size
            clock.report(n_done / n_all, clock.with_rate(n_done, "tests"))
    return largest


def _largest_on_cluster(
    cohort: Cohort, n_kept: int, asked: AnalysisSettings, on_progress: OnProgress
) -> np.ndarray:
    """Return what `_largest` does: each call has a stretch of the kept variants."""
    clock = Clock("permuting labels on the cluster", on_progress)
    size = max(1, math.ceil(n_kept / _STRETCHES))
    calls = [
        (where_is(cohort), asked, start, min(start + size, n_kept))
        for start in range(0, n_kept, size)
    ]
    largest = np.zeros(asked.association.n_permutations)
    n_done = 0

    def look() -> None:
        clock.report(n_done / len(calls), f"{n_done} of {len(calls)} stretches")

    for _, found in spread(cohort, _stretch, calls, look):
        largest = np.fmax(largest, found)
        n_done += 1
    return largest


def _stretch(
    where: tuple[Path, str, str], asked: AnalysisSettings, start: int, end: int
) -> np.ndarray:
    """Return the largest -log10 p of each permutation over some of the kept variants."""
    with opened(where, asked) as cohort:
        filtered = filter_variants(cohort, asked.quality, asked.people)
        return _largest(cohort, filtered, asked.association, silent, slice(start, end))


def _labels(cohort: Cohort, filtered: Filtered) -> tuple[np.ndarray, np.ndarray]:
    """Return who is a case, bool (n_people,), and the sex of cases and controls, -1 of others."""
    is_case = cohort.is_in(filtered.definition.case)
    is_either = is_case | cohort.is_in(filtered.definition.control)
    sex = cohort.samples["sex"].map({name: i for i, name in enumerate(SEXES)}).to_numpy(np.int64)
    return is_case, np.where(is_either, sex, -1)


def _permuted_counts(
    packed: np.ndarray, totals: RegionCounts, masks: np.ndarray, male: np.ndarray
) -> RegionCounts:
    """Return the counts of each variant in each permutation, a row each, variants slowest.

    `totals` counts the variants of `packed` over cases and controls, however these are labelled.
    """
    n_sets = len(masks)

    def each(rows: np.ndarray) -> np.ndarray:
        return (rows[:, None] * n_sets + np.arange(n_sets)).ravel()

    case = count_genotypes(packed, masks)[..., :3].reshape(-1, 3)
    control = np.repeat(totals.case + totals.control, n_sets, axis=0) - case
    rows = totals.sex.rows
    by_sex = np.zeros((len(rows) * n_sets, 3, 4), np.int32)
    if len(rows):
        everybody = count_genotypes(packed[rows], masks).reshape(-1, 4)
        by_sex[:, 0] = count_genotypes(packed[rows], masks & male).reshape(-1, 4)
        by_sex[:, 1] = everybody - by_sex[:, 0]  # who is not male counts with the females
    in_all = totals.sex.case + totals.sex.control
    in_all = np.stack([in_all[:, 0], in_all[:, 1] + in_all[:, 2], 0 * in_all[:, 2]], axis=1)
    sex = SexCounts(each(rows), by_sex, np.repeat(in_all, n_sets, axis=0) - by_sex)
    return RegionCounts(
        case, control, sex, np.repeat(totals.is_x, n_sets), each(totals.mt_rows)
    )  # fmt: skip


def _path(cohort: Cohort, filtered: Filtered, settings: AssociationSettings) -> Path:
    """Return the file of the permutations; its name says all that they depend on."""
    is_case, strata = _labels(cohort, filtered)
    told = [cohort.fingerprint, settings.test, settings.n_permutations, settings.permutation_seed]
    if settings.test == "fisher":
        told.append(settings.fisher_table)
    elif settings.small_expected != "flag":
        told += [settings.small_expected, settings.min_expected]
    digest = hashlib.blake2b(repr(told).encode(), digest_size=12)
    for array in (filtered.kept.astype(np.uint32), is_case, strata.astype(np.int8)):
        digest.update(np.ascontiguousarray(array).tobytes())
    return cohort.store.path.parent / f"permutations-{digest.hexdigest()}.npy"
