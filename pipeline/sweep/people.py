"""Who trains, stops and judges the trials of a sweep; test people are set aside before.

people ── split ──> test people                      (the run of the best settings, once)
               ──> validation people                 judge: the value of every trial
               ──> training people ── split again ──> watch: early stopping, pruning
                                                  ──> fit: selection, scaling, weights
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.cohort import Cohort, open_cohort
from pipeline.errors import SettingsError, StaleArtifactError
from pipeline.people import require_both
from pipeline.samples import keep_people
from pipeline.settings import AnalysisSettings, SplitSettings
from pipeline.splits import make_splits
from pipeline.structure import families
from pipeline.sweep.stored import Sweep

Positions = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class TrialPeople:
    """Positions in the cohort, sorted, of those whom a trial may look at; nobody twice."""

    fit: Positions
    watch: Positions
    judge: Positions

    @property
    def everyone(self) -> Positions:
        """All of them, sorted; whoever is not among them is nothing to a trial."""
        return np.sort(np.concatenate([self.fit, self.watch, self.judge]))


def refuse_unfit(settings: AnalysisSettings) -> None:
    """Raise `SettingsError` where a sweep could not keep its test people apart."""
    if settings.split.folds:
        raise SettingsError(
            "A sweep sets one group of test people aside, but with split.folds at "
            f"{settings.split.folds} everybody is a test person once; set split.folds to 0."
        )
    if settings.selection.protocol != "honest":
        raise SettingsError(
            "A sweep never sees the test people, but selection.protocol is "
            f"{settings.selection.protocol}, which lets them choose; set it to honest."
        )


def trial_people(
    people: Positions,
    is_case: NDArray[np.bool_],
    settings: SplitSettings,
    groups: NDArray[np.integer] | None,
) -> TrialPeople:
    """Return who does what in every trial.

    `people` are the positions in the cohort of cases and controls, `is_case` and `groups`
    (relatives) have their length. Test and validation people are those of the run that the best
    settings will have; watch people are a `validation_fraction` of its training people.
    """
    outer = make_splits(is_case, settings, groups)[0]
    inner_settings = settings.model_copy(update={"test_fraction": settings.validation_fraction})
    train = outer.train
    inner = make_splits(is_case[train], inner_settings, None if groups is None else groups[train])
    watch = train[inner[0].test]
    return TrialPeople(
        people[np.setdiff1d(train, watch)], people[watch], people[outer.validation]
    )  # fmt: skip


def choose_people(cohort: Cohort, settings: AnalysisSettings) -> TrialPeople:
    """Return who does what in the trials of a cohort.

    Raises `EmptyResultError` when a class or a part would be empty.
    """
    definition = cohort.define_cases(settings.people)
    kept = keep_people(cohort, settings.samples).kept
    n_kept = {name: int((cohort.is_in((name,)) & kept).sum()) for name in cohort.diagnoses}
    require_both(definition, n_kept)
    case = cohort.is_in(definition.case)
    people = np.flatnonzero((case | cohort.is_in(definition.control)) & kept)
    related = families(cohort)
    groups = related.groups[people] if related else None
    return trial_people(people, case[people], settings.split, groups)


def set_aside(cache: Path, sweep: Sweep) -> None:
    """Set the test people aside: write who takes part in the trials, once for all of them.

    Raises `StaleArtifactError` when the cohort, its relatives or genes are others by now.
    """
    cohort = open_cohort(cache, sweep.cohort)
    try:
        related = families(cohort)
        genes = cohort.gene_table if sweep.genes else ""
        known = (cohort.fingerprint, related.digest if related else "", genes)
        if known != (sweep.fingerprint, sweep.relatives, sweep.genes):
            raise StaleArtifactError(
                f"A sweep belongs to the cohort it was asked for, but {sweep.cohort} was ingested "
                "anew, or its relatives or genes were; ask for the sweep again."
            )
        if not sweep.people_path.exists():
            write_people(sweep.people_path, choose_people(cohort, sweep.base))
    finally:
        cohort.store.close()


def write_people(path: Path, people: TrialPeople) -> None:
    """Write the positions; the folder is nobody else's to read."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    temporary = path.with_suffix(".tmp.npz")
    np.savez(temporary, fit=people.fit, watch=people.watch, judge=people.judge)
    temporary.replace(path)


def read_people(path: Path) -> TrialPeople:
    """Return the positions that `write_people` wrote."""
    with np.load(path) as stored:
        return TrialPeople(stored["fit"], stored["watch"], stored["judge"])
