"""What can still be told of a run beside its own files: its people, its funnel, its relatives.

The split of a run is drawn again from its seed, so that counts are those of the people it had. A
cohort that is gone, or was ingested anew, leaves only what the run itself holds.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline import runs
from pipeline.cohort import Cohort, open_cohort
from pipeline.errors import EmptyResultError, NotFoundError, SettingsError, StaleArtifactError
from pipeline.progress import OnProgress, silent
from pipeline.quality import Step, filter_variants, without_label_rules
from pipeline.runs import Run
from pipeline.samples import keep_people, with_people
from pipeline.settings import AnalysisSettings
from pipeline.splits import assign_roles, make_splits
from pipeline.structure import Structure, families, read_structure

Known = Literal["apart", "none", "across", "not looked for", "another grouping"]


@dataclass(frozen=True)
class Part:
    """Cases and controls of a part of the split."""

    n_case: int
    n_control: int

    @property
    def n(self) -> int:
        return self.n_case + self.n_control


@dataclass(frozen=True)
class FoldPeople:
    """One fold of the split: its parts, test people that chose variants, pairs pulled apart.

    `n_test_looked_at` of the test people are among those that variants were chosen on.
    `n_pairs_across` pairs of relatives have one of them among the test people and the other among
    training or validation people, None where nobody looked for relatives.
    """

    train: Part
    validation: Part
    test: Part
    n_test_looked_at: int
    n_pairs_across: int | None


@dataclass(frozen=True)
class CohortFacts:
    """What the cohort of a run says.

    `n_people` counts everybody by diagnosis; `n_case` and `n_control` those that took part,
    `n_failed` cases and controls that a threshold on people left out. `steps` is the funnel of the
    rules that read no label. `folds` is empty where the split cannot be drawn again.
    """

    n_people: dict[str, int]
    n_case: int
    n_control: int
    n_failed: int
    n_variants: int
    steps: tuple[Step, ...]
    has_depth: bool
    has_gq: bool
    build: str
    relatives: Known
    min_kinship: float | None
    n_pairs: int
    folds: tuple[FoldPeople, ...]


@dataclass(frozen=True)
class OtherRuns:
    """Other runs in the cache that were measured on people of this cohort.

    `n_same` have the same test people, `n_same_before` of them were asked for earlier; `differing`
    are the settings (stage.field) in which they differ. `n_other_split` split the same cohort in
    another way.
    """

    n_same: int
    n_same_before: int
    n_other_split: int
    differing: tuple[str, ...]


@dataclass(frozen=True)
class SearchFacts:
    """A search for the best settings that ended in this run."""

    n_trials: int
    is_same_split: bool


@dataclass(frozen=True)
class RunFacts:
    """All of it; `lacking` says why there is nothing of the cohort."""

    cohort: CohortFacts | None
    lacking: str
    others: OtherRuns
    search: SearchFacts | None


def gather(run: Run, metrics: dict[str, Any], on_progress: OnProgress = silent) -> RunFacts:
    """Return what can be told of a run whose metrics are there.

    `on_progress` hears of people that are counted again, where a threshold on people leaves some
    out and their counts are no longer kept.
    """
    found, lacking = None, ""
    try:
        found = cohort_facts(run, metrics, on_progress)
    except (NotFoundError, StaleArtifactError, EmptyResultError, SettingsError) as problem:
        lacking = str(problem)
    return RunFacts(found, lacking, other_runs(run), _search(run))


def cohort_facts(
    run: Run, metrics: dict[str, Any], on_progress: OnProgress = silent
) -> CohortFacts:
    """Return what the cohort of a run says.

    Raises `NotFoundError` or `StaleArtifactError` when the cohort, or the structure that people
    were left out by, is not there as it was.
    """
    settings = run.analysis()
    with ExitStack() as stores:
        whole = open_cohort(run.cache, run.cohort)
        stores.callback(whole.store.close)
        if whole.fingerprint != run.fingerprint:
            raise StaleArtifactError(
                f"The cohort {run.cohort} was ingested anew since this run, so that its people and "
                "variants cannot be told from it; train again."
            )
        kept = keep_people(whole, settings.samples).kept
        cohort = with_people(whole, settings.samples, on_progress)
        stores.callback(cohort.store.close)
        definition = whole.define_cases(settings.people)
        case, control = whole.is_in(definition.case), whole.is_in(definition.control)
        filtered = filter_variants(cohort, without_label_rules(settings.quality), settings.people)
        structure = read_structure(whole)
        relatives = _relatives(run, whole)
        people = np.flatnonzero((case | control) & kept)
        folds: tuple[FoldPeople, ...] = ()
        n_across: list[int | None] = []
        if relatives != "another grouping":
            folds = _folds(settings, people, case[people], structure, bool(run.relatives))
            if not _is_split_of(folds, metrics):
                folds = ()
            n_across = [fold.n_pairs_across for fold in folds]
        if relatives == "apart" and any(n_across):
            relatives = "across"
        elif relatives == "across" and folds and not any(n_across):
            relatives = "apart"
        diagnosis = whole.samples["diagnosis"].value_counts().sort_index()
        return CohortFacts(
            n_people={str(name): int(n) for name, n in diagnosis.items()},
            n_case=int(np.count_nonzero(case & kept)),
            n_control=int(np.count_nonzero(control & kept)),
            n_failed=int(np.count_nonzero((case | control) & ~kept)),
            n_variants=whole.n_variants,
            steps=filtered.steps,
            has_depth=bool(whole.certificate["has_depth"]),
            has_gq=bool(whole.certificate["has_gq"]),
            build=str(whole.certificate["settings"]["build"]),
            relatives=relatives,
            min_kinship=structure.settings.min_kinship if structure else None,
            n_pairs=_n_pairs(structure, people),
            folds=folds,
        )


def other_runs(run: Run) -> OtherRuns:
    """Return which runs of this cache looked at people of the same cohort; small reads only."""
    n_same = n_before = n_other = 0
    differing: set[str] = set()
    for other in runs.list_runs(run.cache):
        is_of_cohort = other.id != run.id and other.fingerprint == run.fingerprint
        if not is_of_cohort or not other.metrics_path.is_file():
            continue
        if _test_people(other) != _test_people(run):
            n_other += 1
            continue
        n_same += 1
        n_before += other.created < run.created
        differing |= _differing(run.settings, other.settings)
    return OtherRuns(n_same, n_before, n_other, tuple(sorted(differing)))


def _test_people(run: Run) -> tuple[Any, ...]:
    """Return all that decides who the test people of a run are, beside the cohort."""
    split = run.settings["split"]
    drawn = ("folds", "repeats") if split["folds"] else ("test_fraction",)
    shares = tuple(split[name] for name in drawn)
    people = tuple(sorted(run.settings["people"][role]) for role in ("case", "control"))
    return (people, run.settings["samples"], split["seed"], bool(split["folds"]), shares,
            run.relatives)  # fmt: skip


def _differing(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    """Return the settings in which two runs differ; the test of the Manhattan plot is no matter."""
    return {
        f"{stage}.{field}"
        for stage, fields in one.items()
        if stage != "association"
        for field, value in fields.items()
        if other.get(stage, {}).get(field) != value
    }


def _search(run: Run) -> SearchFacts | None:
    """Return the search whose best settings this run trains, None where there is none."""
    from pipeline.sweep.stored import list_sweeps

    if not run.preset.startswith("sweep "):
        return None
    for sweep in list_sweeps(run.cache):
        if sweep.run == run.id:
            mine, its = run.analysis(), sweep.base
            is_same = (mine.split, mine.samples, run.relatives, run.fingerprint) == (
                its.split, its.samples, sweep.relatives, sweep.fingerprint,
            )  # fmt: skip
            return SearchFacts(len(sweep.trials), is_same)
    return None


def _relatives(run: Run, whole: Cohort) -> Known:
    """Return what is known of relatives, before pairs are counted."""
    if read_structure(whole) is None:
        return "another grouping" if run.relatives else "not looked for"
    related = families(whole)
    now = related.digest if related else ""
    if run.relatives == now:
        return "apart" if now else "none"
    return "another grouping" if run.relatives else "across"


def _folds(
    settings: AnalysisSettings,
    people: NDArray[np.intp],
    is_case: NDArray[np.bool_],
    structure: Structure | None,
    keeps_together: bool,
) -> tuple[FoldPeople, ...]:
    """Return the parts of each fold, drawn again as `fold.plan_folds` draws them."""
    groups = structure.groups[people] if structure and keeps_together else None

    def part(positions: NDArray[np.intp]) -> Part:
        n_case = int(is_case[positions].sum())
        return Part(n_case, len(positions) - n_case)

    found = []
    for split in make_splits(is_case, settings.split, groups):
        roles = assign_roles(split, settings.selection.protocol)
        tested, taught = people[split.test], people[np.r_[split.train, split.validation]]
        found.append(
            FoldPeople(
                part(split.train),
                part(split.validation),
                part(split.test),
                len(np.intersect1d(roles.fit, split.test)),
                _n_across(structure, tested, taught),
            )
        )
    return tuple(found)


def _n_across(
    structure: Structure | None, tested: NDArray[np.intp], taught: NDArray[np.intp]
) -> int | None:
    if structure is None:
        return None
    first, second = structure.relatives.first, structure.relatives.second
    is_across = (np.isin(first, tested) & np.isin(second, taught)) | (
        np.isin(second, tested) & np.isin(first, taught)
    )
    return int(np.count_nonzero(is_across))


def _n_pairs(structure: Structure | None, people: NDArray[np.intp]) -> int:
    if structure is None:
        return 0
    both = np.isin(structure.relatives.first, people) & np.isin(structure.relatives.second, people)
    return int(np.count_nonzero(both))


def _is_split_of(folds: tuple[FoldPeople, ...], metrics: dict[str, Any]) -> bool:
    """Say whether parts drawn now are as large as those that the run had."""
    return len(folds) == len(metrics["folds"]) and all(
        (fold.test.n_control, fold.test.n_case)
        == tuple(sum(row) for row in measured["test"]["confusion"])
        for fold, measured in zip(folds, metrics["folds"], strict=True)
    )
