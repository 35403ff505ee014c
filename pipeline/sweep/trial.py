"""One trial, in one process: select, scale, train, stop early, and be judged.

Nothing here knows who the test people are: the file of the sweep's people does not name them.
Keras is loaded when a trial runs and not before.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cohort import Cohort, open_cohort
from pipeline.epochs import EpochRecord
from pipeline.errors import Cancelled, PipelineError, StaleArtifactError
from pipeline.evaluation import cross_entropy
from pipeline.fold import fit_fold
from pipeline.kept_weights import kept_weights
from pipeline.quality import filter_variants, without_label_rules
from pipeline.recount import fetch_genotypes, recount
from pipeline.samples import with_people
from pipeline.selection import refuse_leak, select
from pipeline.settings import AnalysisSettings
from pipeline.splits import Roles
from pipeline.statistics import auc_delong
from pipeline.sweep.people import TrialPeople, read_people
from pipeline.sweep.stored import Sweep, read_sweep

LOOK_EVERY_S = 0.2

# Keras keeps seeds and names for a whole process, and a Dask worker may have several threads.
_ONE_AT_A_TIME = threading.Lock()


class _Hopeless(Cancelled):
    """The trial is below the median of the others."""


class _Watch:
    """Listens to a training: keeps the curve, gives up, stops when time is over or when asked."""

    def __init__(self, is_hopeless: Callable[[int, float], bool], until: float, mark: Path | None):
        self.curve: list[float] = []
        self._is_hopeless = is_hopeless
        self._until = until
        self._mark = mark
        self._looked = -math.inf

    def on_batch(self, _: float = 0.0) -> None:
        """Raise `Cancelled` when the time is over or the sweep no longer at work."""
        moment = time.monotonic()
        if moment > self._until:
            raise Cancelled
        if self._mark is not None and moment - self._looked > LOOK_EVERY_S:
            self._looked = moment
            if not self._mark.exists():
                raise Cancelled

    def on_epoch(self, record: EpochRecord) -> None:
        """Raise `_Hopeless` when others were better at this epoch."""
        self.curve.append(record.val_auc)
        if self._is_hopeless(len(self.curve), record.val_auc):
            raise _Hopeless


def run_trial(
    cache: Path,
    sweep_id: str,
    number: int,
    settings: AnalysisSettings,
    seconds_left: float = math.inf,
    mark: str = "",
) -> dict[str, Any]:
    """Return what came of these settings: the fields of `Trial` but number and parameters.

    `state` is also "stopped": the time was over, or the file `mark` of the sweep has gone; such a
    trial leaves nothing. A problem of the settings makes it "failed", with its sentence. Raises
    `StaleArtifactError` when the cohort is another one by now.
    """
    # The time in the queue of this process counts: the budget is that of the clock.
    start = time.monotonic()
    with _ONE_AT_A_TIME:
        sweep = read_sweep(cache, sweep_id)
        watch = _Watch(
            _pruner(sweep), start + seconds_left, sweep.folder / mark if mark else None
        )  # fmt: skip
        result: dict[str, Any] = {"state": "complete"}
        try:
            result |= _judged(cache, sweep, settings, watch)
        except _Hopeless:
            result = {"state": "pruned", "reason": _why_pruned(watch.curve)}
        except Cancelled:
            result = {"state": "stopped"}
        except StaleArtifactError:
            raise
        except PipelineError as problem:
            result = {"state": "failed", "reason": str(problem)}
        return result | {
            "epochs": len(watch.curve),
            "curve": tuple(watch.curve),
            "seconds": time.monotonic() - start,
        }


def _pruner(sweep: Sweep) -> Callable[[int, float], bool]:
    if not sweep.asked.prune:
        return lambda epoch, auc: False
    from pipeline.sweep.search import Pruner

    return Pruner(sweep.asked, sweep.trials).is_hopeless


def _why_pruned(curve: list[float]) -> str:
    return (
        f"Given up at epoch {len(curve)}: its best AUC, {max(curve):.3f}, was below the median of "
        "earlier trials there."
    )


def _judged(cache: Path, sweep: Sweep, settings: AnalysisSettings, watch: _Watch) -> dict[str, Any]:
    """Return the value by the sweep's metric, and how many variants entered."""
    people = read_people(sweep.people_path)
    with ExitStack() as stores:
        whole = open_cohort(cache, sweep.cohort)
        stores.callback(whole.store.close)
        genes = whole.gene_table if sweep.genes else ""
        if (whole.fingerprint, genes) != (sweep.fingerprint, sweep.genes):
            raise StaleArtifactError(
                f"A sweep belongs to the cohort it was asked for, but {sweep.cohort} was ingested "
                "anew or other genes were joined; ask for the sweep again."
            )
        cohort = with_people(whole, settings.samples)
        if cohort is not whole:
            stores.callback(cohort.store.close)
        probability, is_case, n_selected = _fit(cache, cohort, settings, people, watch)
    if sweep.asked.metric == "auc":
        value = auc_delong(is_case, probability).value
    else:
        value = cross_entropy(is_case, probability)
    return {"value": float(value), "selected": n_selected}


def _fit(
    cache: Path, cohort: Cohort, settings: AnalysisSettings, people: TrialPeople, watch: _Watch
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return P(case) of the people that judge, which of them are cases, and the variants chosen.

    All that learns sees `people.fit`; `people.watch` stops it.
    """
    from pipeline.training import forget_models, predict_probability

    everyone = people.everyone
    position = np.arange(len(cohort.samples))
    watch.on_batch()
    filtered = filter_variants(cohort, without_label_rules(settings.quality), settings.people)
    (counted,) = recount(cohort, filtered, [np.isin(position, people.fit)])
    selection = select(cohort, counted, people.fit, settings.selection, settings.quality)
    refuse_leak(selection, np.setdiff1d(position, everyone), "honest")
    watch.on_batch()
    genotypes = fetch_genotypes(cohort, selection.variants, everyone)
    is_case = cohort.is_in(filtered.definition.case)[everyone]
    fit, stop, judge = (
        np.searchsorted(everyone, part) for part in (people.fit, people.watch, people.judge)
    )
    try:
        fitted = fit_fold(
            cohort, genotypes, is_case, Roles(fit, fit, stop, judge), selection, settings,
            watch.on_epoch, watch.on_batch,
            file_weights=kept_weights(cache, cohort, selection.variants, settings),
        )  # fmt: skip
        entered = np.searchsorted(selection.variants, fitted.variants)
        probability = predict_probability(fitted.model, genotypes[np.ix_(judge, entered)])
    finally:
        forget_models()
    return probability, is_case[judge], len(selection.variants)
