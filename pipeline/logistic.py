"""Logistic regression of the kept variants, computed once for each and kept beside the cohort.

The regression of a variant depends on the people, their roles and the covariates, but on no
threshold: those computed so far are on disk for all variants of the cohort, so that a threshold
that moves asks for the missing ones alone.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cohort import Cohort, open_cohort
from pipeline.covariates import covariates, independent_columns
from pipeline.errors import EmptyResultError
from pipeline.files import forget_oldest, written_beside
from pipeline.genotypes import GENOTYPE_MISSING, unpack
from pipeline.people import require_both
from pipeline.progress import Clock, OnProgress, silent
from pipeline.quality import Filtered, filter_variants
from pipeline.samples import with_people
from pipeline.settings import AnalysisSettings, AssociationSettings
from pipeline.statistics.logistic import NullModel, fit_variants, null_model, wald_neg_log10_p

Z_95 = 1.959963984540054  # 97.5 % quantile of the standard normal
PHASE = "logistic regression"

_METHOD = 1  # to be raised when the same people come to give other numbers
_BYTES_KEPT = 2 << 30  # of regressions kept for a cohort
_AT_ONCE = 1024  # variants unpacked together
_FETCHED = 8192  # variants read from the store together
_SAVE_EVERY = 16  # fetches
_UNKNOWN, _FITTED, _FIRTH = 0, 1, 2
_STORED = np.dtype(
    [("beta", "<f8"), ("standard_error", "<f8"), ("n_people", "<i4"), ("state", "u1")]
)


@dataclass(frozen=True)
class Regression:
    """The additive regression of each kept variant, (n_kept,) each; NaN where there is none.

    `statistic` is Wald's chi-squared (the square of PLINK's z) with `df` 1. `odds_ratio` is that
    of one alternate allele, of the two of a male on X; `standard_error` that of its logarithm,
    `ci_low` and `ci_high` bound 95 %. `n_people` have a genotype, of `n_people_used`.
    """

    statistic: np.ndarray
    df: np.ndarray
    neg_log10_p: np.ndarray
    odds_ratio: np.ndarray
    standard_error: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    is_firth: np.ndarray
    n_people: np.ndarray
    n_people_used: int
    notes: tuple[str, ...]


def regress(
    cohort: Cohort,
    filtered: Filtered,
    settings: AssociationSettings,
    on_progress: OnProgress = silent,
) -> Regression:
    """Return the regression of every kept variant; computes those that are not on disk.

    On X outside the pseudo-autosomal regions males count 0 or 2 with sex as a covariate, on the
    mitochondrion everybody counts 0 or 1; who has one copy and is heterozygous is missing. On Y
    there is no test. Raises `EmptyResultError` without cases or controls, and what `covariates`
    raises. What was computed before a stop is kept.
    """
    model = _model(cohort, filtered, settings)
    known = _load(model.path, cohort.n_variants)
    missing = _missing(cohort, filtered, known)
    if len(missing):
        known = np.array(known)  # not the mapped file
        try:
            _compute(cohort, model, missing, known, on_progress)
        finally:
            _save(model.path, known)
    return _regression(model, filtered, known)


def n_missing(cohort: Cohort, filtered: Filtered, settings: AssociationSettings) -> int:
    """Return how many of the kept variants `regress` would have to compute."""
    model = _model(cohort, filtered, settings)
    return len(_missing(cohort, filtered, _load(model.path, cohort.n_variants)))


def read_regression(
    cohort: Cohort, filtered: Filtered, settings: AssociationSettings
) -> Regression | None:
    """Return the regression of every kept variant from disk, or None when one is missing."""
    model = _model(cohort, filtered, settings)
    known = _load(model.path, cohort.n_variants)
    if len(_missing(cohort, filtered, known)):
        return None
    with suppress(FileNotFoundError):
        model.path.touch()  # the oldest are forgotten
    return _regression(model, filtered, known)


def regress_job(cache: Path, payload: dict[str, Any], on_progress: OnProgress) -> dict[str, Any]:
    """Run a regression that was put in the queue."""
    settings = AnalysisSettings.model_validate(payload.get("settings", {}))
    cohort = open_cohort(cache, payload["name"])
    try:
        counted = with_people(cohort, settings.samples, on_progress)
        try:
            filtered = filter_variants(counted, settings.quality, settings.people)
            found = regress(counted, filtered, settings.association, on_progress)
        finally:
            if counted is not cohort:
                counted.store.close()
    finally:
        cohort.store.close()
    return {
        "cohort": payload["name"],
        "variants": len(filtered.kept),
        "tested": int(np.count_nonzero(~np.isnan(found.neg_log10_p))),
        "firth": int(np.count_nonzero(found.is_firth)),
        "people": found.n_people_used,
        "notes": list(found.notes),
    }


@dataclass(frozen=True, eq=False)
class _Model:
    """Who is in the regression (positions in the cohort), their roles, sex and covariates."""

    n_everybody: int
    people: np.ndarray
    is_case: np.ndarray
    is_male: np.ndarray
    matrix: np.ndarray
    notes: tuple[str, ...]
    path: Path

    @cached_property
    def null(self) -> NullModel:
        """Return the null model of all variants that are not on X."""
        return null_model(self.is_case, self.matrix)

    @cached_property
    def null_x(self) -> NullModel:
        """Return the null model on X, with sex; who is not known to be male counts as female."""
        return null_model(self.is_case, np.column_stack([self.matrix, self.is_male]))


def _model(cohort: Cohort, filtered: Filtered, settings: AssociationSettings) -> _Model:
    require_both(filtered.definition, cohort.n_people)
    found = covariates(cohort, settings)
    is_case = cohort.is_in(filtered.definition.case)
    used = (is_case | cohort.is_in(filtered.definition.control)) & found.is_complete
    people = np.flatnonzero(used)
    roles = is_case[people]
    if not 0 < roles.sum() < len(roles):
        raise EmptyResultError(
            "A regression needs cases and controls that have every covariate, but there are "
            f"{int(roles.sum()):,} cases and {int((~roles).sum()):,} controls; take out the "
            "covariate that most of them lack."
        )
    stays, left_out = independent_columns(found.matrix[people], found.names)
    matrix = np.ascontiguousarray(found.matrix[people][:, stays])
    is_male = cohort.samples["sex"].to_numpy().astype(str)[people] == "male"
    digest = hashlib.blake2b(f"{cohort.fingerprint}{_METHOD}".encode(), digest_size=12)
    for part in (used, is_case & used):
        digest.update(np.packbits(part).tobytes())
    digest.update(matrix.tobytes())
    path = cohort.store.path.parent / "logistic" / f"{digest.hexdigest()}.npy"
    notes = (*found.notes, *left_out)
    return _Model(len(used), people, roles, is_male, matrix, notes, path)


def _missing(cohort: Cohort, filtered: Filtered, known: np.ndarray) -> np.ndarray:
    """Return the kept variants that have a test but no result yet, in increasing order."""
    unknown = known["state"][filtered.kept] == _UNKNOWN
    unknown[_rows_on_y(cohort, filtered)] = False
    return filtered.kept[unknown]


def _rows_on_y(cohort: Cohort, filtered: Filtered) -> np.ndarray:
    rows = filtered.sex_counts.rows
    return rows[~np.isin(filtered.kept[rows], cohort.haploid_variants["x"])]


def _compute(
    cohort: Cohort, model: _Model, missing: np.ndarray, known: np.ndarray, on_progress: OnProgress
) -> None:
    """Fill `known` for the variants that are missing, saving now and then."""
    clock = Clock(PHASE, on_progress)
    clock.report(0.0, f"{len(missing):,} variants")
    done = 0
    for n_fetched, start in enumerate(range(0, len(missing), _FETCHED), 1):
        wanted = missing[start : start + _FETCHED]
        for indices, packed in cohort.packed_genotypes(wanted):
            for first in range(0, len(indices), _AT_ONCE):
                piece = slice(first, first + _AT_ONCE)
                _fit(cohort, model, indices[piece].astype(np.int64), packed[piece], known)
                done += len(indices[piece])
                clock.report(done / len(missing), clock.with_rate(done, "variants"))
        if n_fetched % _SAVE_EVERY == 0:
            _save(model.path, known)


def _fit(
    cohort: Cohort, model: _Model, variants: np.ndarray, packed: np.ndarray, known: np.ndarray
) -> None:
    genotypes = unpack(packed, model.n_everybody)[:, model.people]
    on_x = np.isin(variants, cohort.haploid_variants["x"])
    on_mt = np.isin(variants, cohort.haploid_variants["mt"])
    if on_x.any():
        genotypes[(genotypes == 1) & on_x[:, None] & model.is_male] = GENOTYPE_MISSING
    if on_mt.any():
        # One copy, as PLINK: the heterozygote is an error, and two alternate alleles are one.
        of_codes = np.array([0, GENOTYPE_MISSING, 1, GENOTYPE_MISSING], np.uint8)
        genotypes[on_mt] = of_codes[genotypes[on_mt]]
    for rows, is_x in ((~on_x, False), (on_x, True)):
        if not rows.any():
            continue
        chosen = genotypes if rows.all() else genotypes[rows]
        fit = fit_variants(chosen, model.null_x if is_x else model.null)
        made = np.empty(len(chosen), _STORED)
        for name in ("beta", "standard_error", "n_people"):
            made[name] = getattr(fit, name)
        made["state"] = np.where(fit.is_firth, _FIRTH, _FITTED)
        known[variants[rows]] = made


def _regression(model: _Model, filtered: Filtered, known: np.ndarray) -> Regression:
    found = known[filtered.kept]
    is_known = found["state"] != _UNKNOWN
    beta = np.where(is_known, found["beta"], np.nan)
    error = np.where(is_known, found["standard_error"], np.nan)
    z = beta / error
    with np.errstate(over="ignore"):  # an odds ratio beyond all numbers is infinite
        low, ratio, high = (np.exp(beta + side * Z_95 * error) for side in (-1, 0, 1))
    return Regression(
        statistic=z**2,
        df=np.where(np.isnan(z), np.nan, 1.0),
        neg_log10_p=wald_neg_log10_p(z),
        odds_ratio=ratio,
        standard_error=error,
        ci_low=low,
        ci_high=high,
        is_firth=found["state"] == _FIRTH,
        n_people=found["n_people"].astype(np.int32),
        n_people_used=len(model.people),
        notes=model.notes,
    )


def _load(path: Path, n_variants: int) -> np.ndarray:
    """Return what is known of all variants of the cohort, mapped; nothing without a file."""
    try:
        known = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):  # absent, or cut off by a full disk
        return np.zeros(n_variants, _STORED)
    is_ours = known.dtype == _STORED and known.shape == (n_variants,)
    return known if is_ours else np.zeros(n_variants, _STORED)


def _save(path: Path, known: np.ndarray) -> None:
    """Write what is known, and what another process came to know meanwhile, whole or not at all."""
    theirs = _load(path, len(known))
    new = np.flatnonzero((known["state"] == _UNKNOWN) & (theirs["state"] != _UNKNOWN))
    known[new] = theirs[new]
    path.parent.mkdir(exist_ok=True)
    with written_beside(path) as beside, beside.open("wb") as handle:
        np.save(handle, known)
    forget_oldest(path.parent, "*.npy", _BYTES_KEPT, path)
