"""The stages for notebooks, by the names of the command line; tables come as DataFrames.

    from pipeline import notebook as exolens

    exolens.ingest("study", ["study.vcf.gz"], "phenotypes.tsv")
    exolens.quality("study", "quality.min_call_rate=0.95")
    run = exolens.train("study", "best")

Settings are given as on the command line, `"stage.field=value"`. A cohort is named; its cache is
EXOLENS_CACHE, else `cache/`, as everywhere. What a user can mend is raised as a `PipelineError`
that says so in one sentence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import jobs, runs
from pipeline.cohort import Cohort, cohort_names, open_cohort
from pipeline.errors import NotFoundError, PipelineError
from pipeline.files import cache_dir
from pipeline.presets import apply_preset
from pipeline.progress import OnProgress, silent
from pipeline.runs import Run
from pipeline.samples import with_people
from pipeline.settings import AnalysisSettings, with_changes

PathLike = Path | str


@dataclass(frozen=True, eq=False)
class RunTables:
    """A run as DataFrames.

    `epochs` has a row an epoch (fold, epoch, losses, accuracies, AUC, learning rate, seconds);
    `metrics` one a model (`network` first) with the test people's figures and limits; `folds` one a
    fold; `selection` one a variant that entered, by fold; `attribution` one a variant and fold,
    None before anybody asked what the network looked at. `predictions`, a row a test person, are
    read when they are asked for alone: they are of single people.
    """

    run: Run
    epochs: pd.DataFrame
    metrics: pd.DataFrame
    folds: pd.DataFrame
    selection: pd.DataFrame
    attribution: pd.DataFrame | None
    predictions: pd.DataFrame | None


def simulate(
    folder: PathLike, on_progress: OnProgress = silent, **settings: Any
) -> dict[str, Path]:
    """Write a simulated exome and return its files: `vcf`, `phenotypes`, `genes`, `truth`.

    `settings` are fields of `SimulationSettings`: people, genes, seed, null, architecture.
    """
    from pipeline.simulate import SimulationSettings
    from pipeline.simulate import simulate as write

    made = write(Path(folder), SimulationSettings(**settings), on_progress)
    return {name: getattr(made, name) for name in ("vcf", "phenotypes", "genes", "truth")}


def ingest(
    name: str,
    files: Sequence[PathLike],
    phenotypes: PathLike,
    genes: PathLike | None = None,
    on_progress: OnProgress = silent,
    **options: Any,
) -> dict[str, Any]:
    """Make a cohort from genotypes and phenotypes, with genes where a table is given.

    `options` are those of `pipeline.ingest.ingest`. Returns what `cohorts` says of it.
    """
    from pipeline.annotation import annotate as join
    from pipeline.ingest import ingest as make

    paths = [Path(path) for path in files]
    make(cache_dir(), name, paths, Path(phenotypes), on_progress=on_progress, **options)
    if genes is not None:
        join(cache_dir(), name, Path(genes), on_progress)
    with _opened(name) as cohort:
        return cohort.summary()


def annotate(name: str, genes: PathLike, on_progress: OnProgress = silent, **options: Any) -> Any:
    """Join a gene table, and consequences where they are given, to a cohort."""
    from pipeline.annotation import annotate as join

    return join(cache_dir(), name, Path(genes), on_progress, **options)


def cohorts() -> pd.DataFrame:
    """Return the cohorts, a row each."""
    found = []
    for name in cohort_names(cache_dir()):
        with _opened(name) as cohort:
            found.append(cohort.summary())
    return pd.DataFrame(found)


def quality(name: str, *changes: str) -> pd.DataFrame:
    """Return what each threshold leaves and removes, a row a step."""
    from pipeline.quality import filter_variants

    settings = _settings(changes)
    with _opened(name, settings) as cohort:
        filtered = filter_variants(cohort, settings.quality, settings.people)
    columns = ["step", "title", "variants", "removed", "note"]
    return pd.DataFrame([vars(step) for step in filtered.steps])[columns]


def associate(name: str, *changes: str, on_progress: OnProgress = silent) -> pd.DataFrame:
    """Return a row for each kept variant, tested or not, in the columns of `associate --out`."""
    from pipeline.association import associate as test
    from pipeline.association import association_table
    from pipeline.logistic import regress
    from pipeline.quality import filter_variants

    settings = _settings(changes)
    how = settings.association
    with _opened(name, settings) as cohort:
        filtered = filter_variants(cohort, settings.quality, settings.people)
        regression = regress(cohort, filtered, how, on_progress) if how.test == "logistic" else None
        return association_table(cohort, filtered, test(cohort, filtered, how, regression))


def train(
    name: str,
    preset: str = "final_2d",
    *changes: str,
    wait: bool = True,
    on_progress: OnProgress = silent,
) -> Run:
    """Return the run of a preset with changes; the same as before is opened, not trained again.

    Raises `PipelineError` when it was waited for and failed.
    """
    from pipeline.submit import submit_training

    run = submit_training(cache_dir(), name, _settings(changes, apply_preset(preset)), preset)
    if wait:
        jobs.wait(cache_dir(), run.id, on_progress)
        run = runs.load(cache_dir(), run.id)
        if run.state in {"failed", "interrupted"}:
            raise PipelineError(f"Run {run.id} {run.state}: {run.error or 'its worker ended'}")
    return run


def audit(
    name: str,
    preset: str | None = None,
    *changes: str,
    part: str = "protocols",
    on_progress: OnProgress = silent,
) -> dict[str, Any]:
    """Return one part of the audit of a preset, or of L2 regression: what `audit --json` prints.

    `part` is protocols, leaks, confounding, order or people.
    """
    from pipeline.audit import LOGISTIC, NETWORK
    from pipeline.audit.job import answer

    settings = _settings(changes, apply_preset(preset) if preset else None)
    with _opened(name, settings) as cohort:
        model = NETWORK if preset else LOGISTIC
        return answer(cohort, settings, model, part, on_progress)


def attribute(run_id: str, on_progress: OnProgress = silent) -> pd.DataFrame:
    """Return which variants a trained network used, over folds, those of most attribution first."""
    from pipeline.attribution import over_folds
    from pipeline.attribution.job import attribute as look

    made = look(cache_dir(), run_id, on_progress)
    return over_folds(made.table, made.n_folds)


def load_run(run_id: str, *, predictions: bool = False) -> RunTables:
    """Return a run as DataFrames. Raises `NotFoundError` for an unknown one, or one unfinished."""
    from pipeline.attribution import read_attribution

    run = runs.load(cache_dir(), run_id)
    told = runs.read_metrics(run)
    if told is None:
        raise NotFoundError(
            f"A run has tables once it has been measured, but {run_id} is {run.state}; wait for it."
        )
    attribution = read_attribution(run)
    return RunTables(
        run=run,
        epochs=pd.DataFrame([vars(record) for record in runs.read_progress(run)]),
        metrics=pd.DataFrame(
            {
                model: _flat(measured)
                for model, measured in {"network": told["test"], **told["baselines"]}.items()
            }
        ).T,
        folds=pd.DataFrame([_flat(fold) for fold in told["folds"]]),
        selection=pd.read_parquet(run.selection_path),
        attribution=None if attribution is None else attribution.table,
        predictions=pd.read_parquet(run.predictions_path) if predictions else None,
    )


def _flat(measured: dict[str, Any]) -> dict[str, Any]:
    """Return figures by name: accuracy, accuracy_low, accuracy_high and so on."""
    row: dict[str, Any] = {}
    for name, value in measured.items():
        if name == "test":
            row |= _flat(value)
        elif isinstance(value, dict) and "value" in value:
            row |= {name: value["value"]} | {
                f"{name}_{end}": value[end] for end in ("low", "high") if end in value
            }
        elif name == "confusion":
            (row["tn"], row["fp"]), (row["fn"], row["tp"]) = value
        else:
            row[name] = value
    return row


def _settings(changes: Sequence[str], base: AnalysisSettings | None = None) -> AnalysisSettings:
    return with_changes(base or AnalysisSettings(), changes)


@contextmanager
def _opened(name: str, settings: AnalysisSettings | None = None) -> Iterator[Cohort]:
    whole = open_cohort(cache_dir(), name)
    with closing(whole.store):
        cohort = with_people(whole, (settings or AnalysisSettings()).samples)
        with closing(cohort.store):
            yield cohort
