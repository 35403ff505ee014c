"""What a trained network says of the people of another cohort.

Their genotypes are read at the model's variants, alleles matched, and what is missing is imputed
as for any missing call. The folds of a run each have their own variants; a person's probability is
the mean of theirs. Results of single persons leave as the table of `Prediction.people` alone:
`summary` has counts, quantiles and metrics.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline import runs
from pipeline.alleles import FOUND
from pipeline.errors import InputError, NotFoundError, PipelineError, StaleArtifactError
from pipeline.evaluation import evaluate
from pipeline.files import written_beside
from pipeline.genotypes import GENOTYPE_MISSING
from pipeline.model_file import read_certificate, read_variants
from pipeline.other_cohort import OtherCohort, read_other_cohort
from pipeline.people import CaseDefinition, define_cases, require_both
from pipeline.progress import OnProgress, Progress, silent
from pipeline.settings import IngestSettings, PeopleSettings
from pipeline.sources.formats import people_table
from pipeline.sources.phenotypes import Person, read_phenotypes

LEAST_FOUND = 0.5  # of the model's variants; below, the score is mostly imputed
_MOST_MISSING = 0.1  # above, the share of missing variants is a warning
# Counts and quantiles of fewer people come close to telling what one of them has.
LEAST_PEOPLE = 20
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_PEOPLE_AT_ONCE = 2048
_VARIANT = ["chrom", "pos", "ref", "alt"]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says of some people.

    `people` has a row a person: sample_id, probability (of being a case), is_called_case, and
    share_called, the share of the model's variants with a genotype. `n_variants` counts the
    model's variants by how they were found (`alleles.KINDS`). `metrics` are those of
    `evaluation.evaluate`, None without phenotypes.
    """

    people: pd.DataFrame
    n_variants: dict[str, int]
    threshold: float
    n_models: int
    certificate: Mapping[str, Any]
    warnings: tuple[str, ...]
    metrics: dict[str, Any] | None = None

    @property
    def share_missing(self) -> float:
        """Return the share of the model's variants that were not found."""
        total = sum(self.n_variants.values())
        return 1 - sum(self.n_variants[kind] for kind in FOUND) / total

    def summary(self) -> dict[str, Any]:
        """Return what may be shown: nothing of a single person."""
        score = self.people["probability"].to_numpy()
        is_many = len(score) >= LEAST_PEOPLE
        return {
            "run": self.certificate["run"],
            "cohort": self.certificate["cohort"],
            "models": self.n_models,
            "people": len(score),
            "variants": {**self.n_variants, "share_missing": self.share_missing},
            "share_called": float(self.people["share_called"].mean()) if is_many else None,
            "threshold": self.threshold,
            "called_case": int(self.people["is_called_case"].sum()) if is_many else None,
            "score": {
                f"q{round(100 * q):02}": float(np.quantile(score, q)) if is_many else None
                for q in _QUANTILES
            },
            "metrics": self.metrics,
            "warnings": list(self.warnings),
        }


def model_paths(cache: Path, name: str) -> tuple[Path, ...]:
    """Return the model files of a run, one a fold, or the one `.keras` file that `name` is.

    Raises `NotFoundError` when there is no such run or it has no model yet.
    """
    if name.endswith(".keras"):
        return (Path(name),)
    run = runs.load(cache, name)
    found = sorted(run.folder.glob("model*.keras"), key=lambda path: (len(path.name), path.name))
    if not found or run.state != "finished":
        raise NotFoundError(
            f"A run predicts when it has finished, but {run.id} is {run.state}; wait for it, or "
            "train again."
        )
    return tuple(found)


def predict(
    models: Sequence[Path],
    genotypes: Sequence[Path],
    *,
    phenotypes: Path | None = None,
    people: PeopleSettings | None = None,
    confidence: float = 0.95,
    on_progress: OnProgress = silent,
) -> Prediction:
    """Return what the models of a run say of the people of `genotypes`.

    `models` are the folds of one run. With `phenotypes` (a table as ingest reads it) the score is
    measured on who is a case or a control there: by `people`, else by the words of the model's own
    cohort, else as in ingest. Raises `InputError` when fewer than half of the model's variants are
    found, or the files are of another build.
    """
    certificates = [read_certificate(path) for path in models]
    certificate = certificates[0]
    _refuse_mixture(certificates)
    tables = [read_variants(path) for path in models]
    variants = pd.concat(tables)[_VARIANT].drop_duplicates(ignore_index=True)
    known = read_phenotypes(phenotypes).people if phenotypes else {}
    told = {name: person.sex for name, person in known.items()} or _sexes(genotypes)
    settings = IngestSettings.model_validate(certificate["ingest"])
    other = read_other_cohort(genotypes, variants, settings, told, on_progress)
    _refuse_strangers(other, genotypes)
    threshold = float(np.mean([found["threshold"] for found in certificates]))
    on_progress(Progress("predicting", 0.0))
    probability = _probability(models, tables, variants, other)
    on_progress(Progress("predicting", 1.0))
    table = pd.DataFrame(
        {
            "sample_id": other.sample_ids,
            "probability": probability,
            "is_called_case": probability > threshold,
            "share_called": np.mean(other.codes != GENOTYPE_MISSING, axis=0),
        }
    )
    made = Prediction(
        table,
        other.matches.counts(),
        threshold,
        len(models),
        certificate,
        _warnings(certificate, other),
    )
    if not known:
        return made
    is_case, asked = _truth(other.sample_ids, known, people, certificate)
    if asked.sum() < LEAST_PEOPLE:
        return made
    metrics = evaluate(is_case[asked], probability[asked], threshold, confidence)
    return replace(made, metrics=metrics)


def write_people(prediction: Prediction, path: Path, *, force: bool = False) -> None:
    """Write the table of single persons, tab-separated, readable by its owner alone.

    Raises `InputError` when the file is there and `force` is not given.
    """
    if not force:
        refuse_existing(path)
    with written_beside(path) as beside:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            prediction.people.to_csv(stream, sep="\t", index=False, float_format="%.6g")


def refuse_existing(path: Path) -> None:
    """Raise `InputError` when there is such a file."""
    if path.exists():
        raise InputError(
            f"A prediction overwrites nothing unasked, but {path} exists; name another path, or "
            "add --force."
        )


def _refuse_mixture(certificates: Sequence[Mapping[str, Any]]) -> None:
    if len({found["run"] for found in certificates}) > 1:
        raise InputError(
            "Models that predict together are the folds of one run, but those of "
            f"{len({found['run'] for found in certificates})} runs were given; ask one at a time."
        )


def _refuse_strangers(other: OtherCohort, genotypes: Sequence[Path]) -> None:
    n_found, n = int(other.matches.is_found.sum()), len(other.matches.row)
    if n_found < LEAST_FOUND * n:
        names = ", ".join(Path(path).name for path in genotypes[:3])
        raise InputError(
            f"A model needs at least {LEAST_FOUND:.0%} of its variants to predict, but {n_found:,} "
            f"of {n:,} stand in {names}; give genotypes of the same build that cover them."
        )


def _sexes(genotypes: Sequence[Path]) -> dict[str, str]:
    """Return the sexes that a sample file beside the genotypes tells, none where there is none."""
    beside = people_table(Path(genotypes[0])) if genotypes else None
    if beside is None:
        return {}
    try:
        return {name: person.sex for name, person in read_phenotypes(beside).people.items()}
    except PipelineError:  # without a diagnosis it is no phenotype table; nobody asked for one
        return {}


def _probability(
    models: Sequence[Path],
    tables: Sequence[pd.DataFrame],
    variants: pd.DataFrame,
    other: OtherCohort,
) -> NDArray[np.float64]:
    """Return the mean of the models' P(case), (n_people,); `variants` are those of all models."""
    # TensorFlow is loaded here and not before: what cannot be predicted is told at once.
    from pipeline.training import forget_models, load_model, predict_probability

    place = pd.MultiIndex.from_frame(variants)
    n_people = len(other.sample_ids)
    total = np.zeros(n_people)
    for path, table in zip(models, tables, strict=True):
        rows = place.get_indexer(pd.MultiIndex.from_frame(table[_VARIANT]))
        model = load_model(path)
        if model.input_shape[-1] != len(rows):
            raise StaleArtifactError(
                f"A model reads as many variants as its file names, but {path.name} reads "
                f"{model.input_shape[-1]:,} and names {len(rows):,}; copy it again."
            )
        for start in range(0, n_people, _PEOPLE_AT_ONCE):
            here = slice(start, start + _PEOPLE_AT_ONCE)
            codes = np.ascontiguousarray(other.codes[rows, here].T)
            total[here] += predict_probability(model, codes)
        del model
        forget_models()
    return total / len(models)


def _warnings(certificate: Mapping[str, Any], other: OtherCohort) -> tuple[str, ...]:
    counts, n = other.matches.counts(), len(other.matches.row)
    told = [
        f"The share of cases among the {certificate['n_train']:,} people it was trained on was "
        f"{certificate['n_train_case'] / certificate['n_train']:.0%}; where cases are rarer the "
        "probabilities are too high, so that they rank people and are no risks."
    ]
    n_lacking = counts["ambiguous"] + counts["missing"]
    if n_lacking > _MOST_MISSING * n:
        told.append(
            f"{n_lacking:,} of {n:,} variants of the model were not found and are imputed from "
            "its training people; sites that a file leaves out because nobody there differs from "
            "the reference count as not found too."
        )
    if counts["ambiguous"]:
        told.append(
            f"{counts['ambiguous']:,} A/T and C/G variants could be on either strand and were "
            "left out."
        )
    if len(other.sample_ids) < LEAST_PEOPLE:
        told.append(
            f"Summaries of fewer than {LEAST_PEOPLE} people would tell of single ones and are left "
            "out; their scores can be written to a file."
        )
    if certificate["protocol"] == "published":
        told.append(
            "The model was trained under the published protocol, whose own figures of merit are "
            "too good; what it is worth shows on other people alone."
        )
    return tuple(told)


def _truth(
    sample_ids: tuple[str, ...],
    known: Mapping[str, Person],
    people: PeopleSettings | None,
    certificate: Mapping[str, Any],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return who is a case and who is a case or a control, both (n_people,)."""
    diagnosis = np.array([known[name].diagnosis if name in known else "" for name in sample_ids])
    found, n = np.unique(diagnosis[diagnosis != ""], return_counts=True)
    n_people = dict(zip(found.tolist(), n.tolist(), strict=True))
    definition = _define(n_people, people, certificate)
    require_both(definition, n_people)
    is_case = np.isin(diagnosis, definition.case)
    return is_case, is_case | np.isin(diagnosis, definition.control)


def _define(
    n_people: Mapping[str, int], people: PeopleSettings | None, certificate: Mapping[str, Any]
) -> CaseDefinition:
    if people is None or people == PeopleSettings():
        case = tuple(word for word in certificate["case"] if word in n_people)
        control = tuple(word for word in certificate["control"] if word in n_people)
        people = PeopleSettings(case=case, control=control) if case and control else None
    return define_cases(n_people, people or PeopleSettings())
