"""From a finished run to its attribution: every fold on its own test people, then the genes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline import runs
from pipeline.association import genes_of
from pipeline.attribution.integrated import (
    LEAST_PEOPLE,
    TOLERANCE,
    Attributed,
    attribute_people,
)
from pipeline.attribution.linear import logistic_weights
from pipeline.attribution.occlusion import occlude
from pipeline.attribution.rollup import by_gene, name_groups, over_folds
from pipeline.attribution.stored import (
    COLUMNS,
    VARIANT,
    Attribution,
    model_digests,
    read_attribution,
    write_attribution,
)
from pipeline.cohort import Cohort
from pipeline.errors import EmptyResultError, NotFoundError, StaleArtifactError
from pipeline.fold import Plan, plan_folds
from pipeline.folds import opened
from pipeline.model_file import read_certificate, read_variants
from pipeline.progress import OnProgress, Progress, silent
from pipeline.recount import fetch_genotypes
from pipeline.runs import Run
from pipeline.statistics import Interval
from pipeline.summaries import genome_axis

MOST_OCCLUDED = 60  # genes, those of most attribution
_GRADIENTS, _LOGISTIC, _GENES = "following gradients", "fitting regressions", "hiding genes"
_SHARE_GRADIENTS, _SHARE_FOLDS = 0.6, 0.75  # of all the time


@dataclass(frozen=True, eq=False)
class _Fold:
    """One fold as it was trained: its model, and its variants (variant indices) in their order."""

    number: int
    path: Path
    variants: NDArray[np.int64]
    neg_log10_p: NDArray[np.float64]


def attribute_job(cache: Path, payload: dict[str, Any], on_progress: OnProgress) -> dict[str, Any]:
    """Look at the run `payload["run"]`, and return its id and the number of its variants."""
    made = attribute(cache, payload["run"], on_progress)
    return {"run": payload["run"], "variants": int(made.table["variant_index"].nunique())}


def attribute(cache: Path, run_id: str, on_progress: OnProgress = silent) -> Attribution:
    """Return what the networks of a run looked at, computed where it is not on disk yet.

    Raises `NotFoundError` when the run has not finished or its models are gone,
    `StaleArtifactError` when cohort, relatives, genes or models are others by now,
    `EmptyResultError` with fewer than 20 test people, and what `on_progress` raises.
    """
    run = runs.load(cache, run_id)
    _require_finished(run)
    found = read_attribution(run)
    if found is not None:
        return found
    on_progress(Progress("opening the models", 0.0))
    with opened(run, on_progress) as (cohort, settings):
        plan = plan_folds(cohort, settings, run.relatives, run.genes)
        folds = _folds(run, len(plan.splits))
        digests = model_digests([fold.path for fold in folds])
        made = _attribution(cohort, plan, folds, settings.evaluation.confidence, on_progress)
    if model_digests([fold.path for fold in folds]) != digests:
        raise StaleArtifactError(
            f"Run {run.id} was trained anew while it was looked at; look again when it is done."
        )
    write_attribution(run, made, digests)
    return made


def _require_finished(run: Run) -> None:
    # One that somebody ended early has its best epochs measured, and its models kept.
    if run.state == "finished" or (run.state == "cancelled" and runs.read_metrics(run)):
        return
    raise NotFoundError(
        f"What a network looked at is known when its run has finished, but {run.id} is "
        f"{run.state}; wait for it, or train again."
    )


def _folds(run: Run, n_folds: int) -> list[_Fold]:
    """Return the folds of a run; models and variants have to be of one training."""
    if not run.selection_path.is_file():
        raise NotFoundError(f"Run {run.id} kept no list of its variants; train it again.")
    chosen = pd.read_parquet(run.selection_path)
    folds = []
    for number in range(n_folds):
        path = run.model_path(None if n_folds == 1 else number)
        if not path.is_file():
            raise NotFoundError(
                f"The network of each fold is needed, but {path.name} of run {run.id} is gone; "
                "train it again."
            )
        rows = chosen[chosen["fold"] == number].reset_index(drop=True)
        named = read_variants(path)[VARIANT].reset_index(drop=True)
        if read_certificate(path)["run"] != run.id or not _are_same(rows[VARIANT], named):
            raise StaleArtifactError(
                f"The model {path.name} names other variants than run {run.id} chose; train it "
                "again."
            )
        folds.append(
            _Fold(
                number,
                path,
                rows["variant_index"].to_numpy(np.int64),
                rows["neg_log10_p"].to_numpy(np.float64),
            )
        )
    return folds


def _are_same(first: pd.DataFrame, second: pd.DataFrame) -> bool:
    return len(first) == len(second) and bool((first.to_numpy() == second.to_numpy()).all())


def _attribution(
    cohort: Cohort, plan: Plan, folds: Sequence[_Fold], confidence: float, on_progress: OnProgress
) -> Attribution:
    from pipeline.attribution.gradients import forget_models

    n_folds = len(folds)
    union = np.unique(np.concatenate([fold.variants for fold in folds]))
    sites = cohort.sites(union)
    gene = name_groups(cohort, sites, genes_of(cohort, union).to_numpy())
    parts, attributed = [], []
    for i, fold in enumerate(folds):
        part, found = _look(cohort, plan, fold, _spread(on_progress, i, n_folds))
        parts.append(part)
        attributed.append(found)
        forget_models()
    rows = pd.concat(parts, ignore_index=True)
    place = np.searchsorted(union, rows["variant_index"])
    named = sites.iloc[place].reset_index(drop=True)
    table = pd.concat([rows, named[[*VARIANT, "rsid"]]], axis=1).assign(gene=gene[place])
    table = table[[*COLUMNS]]
    genes = by_gene(over_folds(table, n_folds))
    genes = genes[genes["share"] > 0]["gene"].head(MOST_OCCLUDED).tolist()
    occlusion = _occlusion(cohort, plan, folds, table, genes, confidence, on_progress)
    chromosomes = genome_axis(cohort).chromosomes
    on_progress(Progress("writing", 1.0))
    return Attribution(table, occlusion, chromosomes, _completeness(attributed), n_folds)


def _spread(on_progress: OnProgress, i: int, n_folds: int) -> Callable[[str, float], None]:
    """Return a report of what is done of fold `i`, as a share of all."""

    def report(phase: str, done: float) -> None:
        named = phase if n_folds == 1 else f"{phase}, {i + 1} of {n_folds} folds"
        on_progress(Progress(named, _SHARE_FOLDS * (i + done) / n_folds))

    return report


def _look(
    cohort: Cohort, plan: Plan, fold: _Fold, report: Callable[[str, float], None]
) -> tuple[pd.DataFrame, Attributed]:
    """Return attributions and regression weights of one fold, a row a variant."""
    from pipeline.attribution.gradients import open_network

    roles, split, is_case = plan.roles[fold.number], plan.splits[fold.number], plan.is_case
    _require_people(len(roles.test))
    report(_GRADIENTS, 0.0)
    network = open_network(_model(fold))
    codes = _codes(cohort, fold, plan.people)
    share = _SHARE_GRADIENTS / _SHARE_FOLDS
    found = attribute_people(
        network, network.mean_values(codes[roles.train]), codes[roles.test], is_case[roles.test],
        lambda done: report(_GRADIENTS, share * done),
    )  # fmt: skip
    report(_LOGISTIC, share)
    l1, l2 = logistic_weights(
        codes[split.train], is_case[split.train],
        codes[split.validation], is_case[split.validation],
    )  # fmt: skip
    linear = network.linear_by_variant
    part = pd.DataFrame(
        {
            "fold": fold.number,
            "variant_index": fold.variants,
            "neg_log10_p": fold.neg_log10_p,
            "mean_abs": found.mean_abs,
            "case_minus_control": found.case_minus_control,
            "linear_weight": np.nan if linear is None else linear,
            "l1_weight": l1,
            "l2_weight": l2,
        }
    )
    return part, found


def _require_people(n_people: int) -> None:
    if n_people < LEAST_PEOPLE:
        raise EmptyResultError(
            f"Attributions are sums over at least {LEAST_PEOPLE} test people, so that they tell of "
            f"no single one, but a fold has {n_people:,}; raise split.test_fraction or take fewer "
            "folds."
        )


def _model(fold: _Fold) -> Any:
    from pipeline.attribution.gradients import load_model

    model = load_model(fold.path)
    if model.input_shape[-1] != len(fold.variants):
        raise StaleArtifactError(
            f"A model reads as many variants as its file names, but {fold.path.name} reads "
            f"{model.input_shape[-1]:,} and names {len(fold.variants):,}; train the run again."
        )
    return model


def _codes(cohort: Cohort, fold: _Fold, people: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Return codes (n_people, n_variants) in the order of the network."""
    in_order = np.sort(fold.variants)
    codes = fetch_genotypes(cohort, in_order, people)
    return codes[:, np.searchsorted(in_order, fold.variants)]


def _occlusion(
    cohort: Cohort,
    plan: Plan,
    folds: Sequence[_Fold],
    table: pd.DataFrame,
    genes: Sequence[str],
    confidence: float,
    on_progress: OnProgress,
) -> pd.DataFrame:
    """Return what hiding each gene costs: the mean over the folds that have a variant of it."""
    from pipeline.attribution.gradients import forget_models, open_network

    found: dict[str, list[tuple[float, Interval]]] = {gene: [] for gene in genes}
    for i, fold in enumerate(folds):

        def report(done: float, i: int = i) -> None:
            share = (1 - _SHARE_FOLDS) * (i + done) / len(folds)
            on_progress(Progress(_GENES, _SHARE_FOLDS + share))

        report(0.0)
        of_fold = table.loc[table["fold"] == fold.number, "gene"].to_numpy()
        sets = {gene: np.flatnonzero(of_fold == gene) for gene in genes}
        sets = {gene: columns for gene, columns in sets.items() if len(columns)}
        roles = plan.roles[fold.number]
        network = open_network(_model(fold))
        codes = _codes(cohort, fold, plan.people[np.concatenate([roles.train, roles.test])])
        train, test = codes[: len(roles.train)], codes[len(roles.train) :]
        hidden = occlude(
            network, network.mean_values(train), test, plan.is_case[roles.test],
            list(sets.values()), report, confidence,
        )  # fmt: skip
        for gene, one in zip(sets, hidden, strict=True):
            found[gene].append((one.mean_change, one.auc_lost))
        forget_models()
    return pd.DataFrame(
        [_mean_of_folds(gene, of_folds) for gene, of_folds in found.items()],
        columns=["gene", "n_folds", "mean_change", "auc_lost", "low", "high"],
    )


def _mean_of_folds(gene: str, of_folds: Sequence[tuple[float, Interval]]) -> dict[str, Any]:
    """Return the means; the interval takes folds as independent, which they are not quite."""
    lost = np.array([interval.value for _, interval in of_folds])
    half = np.array([(interval.high - interval.low) / 2 for _, interval in of_folds])
    wide = float(np.sqrt(np.sum(half**2))) / len(half)
    mean = float(lost.mean())
    return {
        "gene": gene,
        "n_folds": len(of_folds),
        "mean_change": float(np.mean([change for change, _ in of_folds])),
        "auc_lost": mean,
        "low": mean - wide,
        "high": mean + wide,
    }


def _completeness(attributed: Sequence[Attributed]) -> dict[str, Any]:
    error = np.concatenate([one.error for one in attributed])
    return {
        "tolerance": TOLERANCE,
        "largest": float(error.max()),
        "median": float(np.median(error)),
        "n_people": len(error),
        "n_beyond": int(np.sum(error > TOLERANCE)),
        "most_steps": int(max(one.n_steps.max() for one in attributed)),
    }
