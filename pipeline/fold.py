"""One fold from its people to a scored model: choose, arrange, encode, train, compare.

Under the honest protocol everything that learns sees the training people of the fold; validation
people decide when to stop and where to cut; test people are touched once, at the end. The
published protocol selects and scales on all people and stops on the test people, as the paper's
script does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.arrangement import arrange
from pipeline.baseline_cache import cached_baselines
from pipeline.baselines import Baseline, fit_baselines
from pipeline.cohort import Cohort
from pipeline.covariates import covariates
from pipeline.encoding import fit_encoding
from pipeline.epochs import OnBatch, OnEpoch, Trained, ignore
from pipeline.errors import StaleArtifactError
from pipeline.evaluation import choose_threshold, draw_prediction_people
from pipeline.gene_groups import variant_groups
from pipeline.kept_weights import kept_weights
from pipeline.model_file import model_certificate, model_variants, seal_model
from pipeline.people import require_both
from pipeline.progress import OnProgress, Progress
from pipeline.quality import Filtered, filter_variants, without_label_rules
from pipeline.recount import fetch_genotypes, recount
from pipeline.runs import Run
from pipeline.selection import Selection, refuse_leak, select
from pipeline.settings import AnalysisSettings, AssociationSettings
from pipeline.splits import Roles, Split, assign_roles, make_splits
from pipeline.statistics import auc_delong
from pipeline.structure import families


@dataclass(frozen=True, eq=False)
class Plan:
    """Who trains in which fold, and what they could be shown.

    `people` are the positions in the cohort of cases and controls, `is_case` which are cases;
    splits and roles are positions among them. `filtered` are the variants that pass the
    thresholds which read no label.
    """

    people: NDArray[np.intp]
    is_case: NDArray[np.bool_]
    splits: list[Split]
    roles: list[Roles]
    filtered: Filtered


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained network: it takes the codes of `variants` (variant indices), in that order."""

    model: Any  # a Keras model: its type would load TensorFlow for those who only read
    variants: NDArray[np.int64]
    trained: Trained
    note: str


@dataclass(frozen=True, eq=False)
class Fold:
    """One fold, trained: what entered and how people were scored.

    `variants` are those that the network takes, in its order, with their -log10 p.
    `n_weighted` of the selected have a weight other than 0 in the file that was given, None
    without a file. `probability` (n_people,) is that of being a case; who is called one is above
    `threshold`.
    """

    number: int
    roles: Roles
    variants: NDArray[np.int64]
    neg_log10_p: NDArray[np.float64]
    n_selected: int
    n_weighted: int | None
    n_ranked: int
    trained: Trained
    probability: NDArray[np.float64]
    threshold: float
    baselines: dict[str, Baseline]
    notes: tuple[str, ...]


def plan_folds(
    cohort: Cohort, settings: AnalysisSettings, relatives: str = "", genes: str = ""
) -> Plan:
    """Return who trains in which fold.

    `relatives` and `genes` are what was known when it was asked for. Raises `StaleArtifactError`
    when that has changed.
    """
    if settings.goes_by_genes and genes != cohort.gene_table:
        raise StaleArtifactError(
            "This network goes by genes, but another gene table was joined since it was asked "
            "for; train again."
        )
    definition = cohort.define_cases(settings.people)
    require_both(definition, cohort.n_people)
    case = cohort.is_in(definition.case)
    people = np.flatnonzero(case | cohort.is_in(definition.control))
    related = families(cohort)
    if relatives != (related.digest if related else ""):
        raise StaleArtifactError(
            "A run keeps relatives on one side of its split, but who is related was computed anew "
            "since it was asked for; train again."
        )
    groups = related.groups[people] if related else None
    splits = make_splits(case[people], settings.split, groups)
    roles = [assign_roles(split, settings.selection.protocol) for split in splits]
    filtered = filter_variants(cohort, without_label_rules(settings.quality), settings.people)
    return Plan(people, case[people], splits, roles, filtered)


def select_variants(
    cohort: Cohort,
    plan: Plan,
    settings: AnalysisSettings,
    numbers: Sequence[int],
    on_progress: OnProgress,
) -> list[Selection]:
    """Return the variants that enter in these folds, counted in one pass over the genotypes."""
    looked_at = [plan.people[plan.roles[number].fit] for number in numbers]
    chosen = [np.isin(np.arange(len(cohort.samples)), positions) for positions in looked_at]
    counted = recount(cohort, plan.filtered, chosen, on_progress)
    selections = []
    for number, counts, positions in zip(numbers, counted, looked_at, strict=True):
        selection = select(cohort, counts, positions, settings.selection, settings.quality)
        tested = plan.people[plan.splits[number].test]
        refuse_leak(selection, tested, settings.selection.protocol)
        selections.append(selection)
    return selections


def fit_fold(
    cohort: Cohort,
    genotypes: NDArray[np.uint8],
    is_case: NDArray[np.bool_],
    roles: Roles,
    selection: Selection,
    settings: AnalysisSettings,
    on_epoch: OnEpoch = ignore,
    on_batch: OnBatch = ignore,
    number: int = 0,
    file_weights: NDArray[np.float64] | None = None,
    checkpoint: Path | None = None,
) -> Fitted:
    """Return the network that these people teach.

    `genotypes` (n_people, n_selected) are the codes of the selected variants, 3 = missing. Rows
    that only the role `test` names are never read. `file_weights` (n_selected,) are those of
    `encoding.weights_file`. A training that was stopped goes on from its `checkpoint`; that of a
    network of genes takes seconds, and begins again.
    """
    # TensorFlow is loaded here and not before: what only reads runs never waits for it.
    from pipeline.network import build_network
    from pipeline.training import precision, train_network

    groups = variant_groups(cohort, selection.variants)
    y_train, y_watch = is_case[roles.train], is_case[roles.watch]
    if settings.network.family == "gene":
        from pipeline.training.genes import train_gene_network

        model, trained = train_gene_network(
            genotypes[roles.train], y_train, genotypes[roles.watch], y_watch, groups,
            settings.network, settings.training, on_epoch, on_batch, number,
        )  # fmt: skip
        return Fitted(model, selection.variants, trained, "")
    fit = genotypes[roles.fit]
    arranged = arrange(
        fit, is_case[roles.fit], selection.neg_log10_p, groups, settings.encoding,
        settings.split.seed, file_weights,
    )  # fmt: skip
    columns = arranged.columns
    encoding = fit_encoding(fit[:, columns], settings.encoding, arranged.weights)
    with precision(settings.training):
        model = build_network(encoding, settings.network, settings.training.seed)
        trained = train_network(
            model,
            genotypes[np.ix_(roles.train, columns)],
            y_train,
            genotypes[np.ix_(roles.watch, columns)],
            y_watch,
            settings.training,
            on_epoch,
            on_batch,
            number,
            _drawn(genotypes, columns, is_case, settings),
            checkpoint,
        )
    return Fitted(model, selection.variants[columns], trained, arranged.note)


def _drawn(
    genotypes: NDArray[np.uint8],
    columns: NDArray[np.intp],
    is_case: NDArray[np.bool_],
    settings: AnalysisSettings,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]] | None:
    """Return the people of the paper's prediction error; nobody under the honest protocol."""
    if settings.selection.protocol != "published":
        return None
    evaluation = settings.evaluation
    everyone = np.arange(len(is_case))
    people = draw_prediction_people(
        everyone, evaluation.prediction_fraction, settings.training.seed
    )
    return genotypes[np.ix_(people, columns)], is_case[people]


def train_fold(
    cohort: Cohort,
    run: Run,
    settings: AnalysisSettings,
    plan: Plan,
    number: int,
    selection: Selection,
    on_epoch: OnEpoch,
    on_progress: OnProgress,
) -> Fold:
    """Return one trained fold; its model is written into the run. `on_progress` hears 0 to 1."""
    from pipeline.training import forget_models, predict_probability, save_model

    roles, is_case = plan.roles[number], plan.is_case
    genotypes = fetch_genotypes(cohort, selection.variants, plan.people)

    # The network of genes picks among all that it tried: in the middle there is nothing to keep.
    may_end = settings.network.family == "convolutional"

    def on_batch(done: float) -> None:
        on_progress(Progress("training", 0.95 * done, may_end=may_end))

    given = kept_weights(run.cache, cohort, selection.variants, settings)
    fitted = fit_fold(
        cohort, genotypes, is_case, roles, selection, settings, on_epoch, on_batch, number, given,
        run.checkpoint_path(number),
    )  # fmt: skip
    entered = np.searchsorted(selection.variants, fitted.variants)  # their columns
    probability = predict_probability(fitted.model, genotypes[:, entered]).astype(np.float64)
    threshold = choose_threshold(
        settings.evaluation.threshold, probability[roles.watch], is_case[roles.watch]
    )
    path = run.model_path(None if len(plan.splits) == 1 else number)
    save_model(fitted.model, path)
    forget_models()
    neg_log10_p = selection.neg_log10_p[entered]
    auc = auc_delong(is_case[roles.test], probability[roles.test], settings.evaluation.confidence)
    certificate = model_certificate(
        run, cohort, fold=None if len(plan.splits) == 1 else number,
        is_case_train=is_case[roles.train], threshold=threshold, auc=auc.as_dict(),
    )  # fmt: skip
    trained_on = genotypes[np.ix_(roles.train, entered)]
    table = model_variants(cohort, fitted.variants, trained_on, neg_log10_p=neg_log10_p)
    seal_model(path, certificate, table)

    def beside(progress: Progress) -> None:
        on_progress(Progress(progress.phase, 0.95 + 0.05 * progress.done, detail=progress.detail))

    baselines = _baselines(cohort, run, settings, plan, number, selection, genotypes, beside)
    return Fold(
        number=number,
        roles=roles,
        variants=fitted.variants,
        neg_log10_p=neg_log10_p,
        n_selected=len(selection.variants),
        n_weighted=None if given is None else int(np.count_nonzero(given)),
        n_ranked=selection.n_ranked,
        trained=fitted.trained,
        probability=probability,
        threshold=threshold,
        baselines=baselines,
        notes=(fitted.note,) if fitted.note else (),
    )


def _baselines(
    cohort: Cohort,
    run: Run,
    settings: AnalysisSettings,
    plan: Plan,
    number: int,
    selection: Selection,
    genotypes: NDArray[np.uint8],
    on_progress: OnProgress,
) -> dict[str, Baseline]:
    """Return what the network has to beat, from disk when this split has been fitted before.

    The penalty is chosen on validation people under either protocol: the test people choose
    nothing for a baseline.
    """
    if not settings.evaluation.baselines:
        return {}
    split, tested = plan.splits[number], plan.roles[number].test
    key = {
        "cohort": run.fingerprint,
        "relatives": run.relatives,
        "settings": settings.model_dump(
            mode="json", include={"people", "samples", "quality", "split", "selection"}
        ),
        "covariates": settings.evaluation.covariates,
        "seed": settings.training.seed,
        "fold": number,
        "labels": plan.is_case,
        "variants": selection.variants,
    }

    def fit() -> dict[str, Baseline]:
        where = cohort.sites(selection.variants)
        return fit_baselines(
            genotypes[split.train],
            plan.is_case[split.train],
            genotypes[split.validation],
            plan.is_case[split.validation],
            genotypes[tested],
            settings.training.seed,
            positions=(where["chrom_order"].to_numpy(), where["pos"].to_numpy()),
            covariates=_covariates(cohort, settings, plan, (split.train, split.validation, tested)),
            on_progress=on_progress,
        )

    return cached_baselines(run.cache, key, fit)


def _covariates(
    cohort: Cohort,
    settings: AnalysisSettings,
    plan: Plan,
    parts: Sequence[NDArray[np.intp]],
) -> tuple[NDArray[np.float64], ...] | None:
    if not settings.evaluation.covariates:
        return None
    found = covariates(
        cohort, AssociationSettings(test="logistic", covariates=settings.evaluation.covariates)
    )
    return tuple(found.matrix[plan.people[part]] for part in parts)
