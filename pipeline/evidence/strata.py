"""In which groups people are measured apart: sex, principal components, covariates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.cohort import Cohort
from pipeline.covariates import SEX, available_covariates
from pipeline.errors import StaleArtifactError
from pipeline.evidence.scored import MIN_PEOPLE, Scored, plain
from pipeline.sources.phenotypes import NOT_THERE
from pipeline.statistics import Interval, auc_delong, wilson
from pipeline.structure import read_structure

N_COMPONENTS = 4
UNKNOWN = "not known"
OTHERS = "others together"
TOO_FEW = "too few"
THIRDS = ("lowest third", "middle third", "highest third")

_MOST_LEVELS = 5  # different numbers; with more they are cut into thirds


@dataclass(frozen=True, eq=False)
class Stratum:
    """What people are parted by: words (n_people,), or numbers that are cut into thirds.

    "" and NaN stand for not known. `tells_cuts` is False for numbers that mean nothing by
    themselves, such as a principal component.
    """

    name: str
    values: NDArray[Any]
    tells_cuts: bool = True

    @property
    def is_number(self) -> bool:
        """Return whether these are numbers."""
        return self.values.dtype.kind == "f"


def find_strata(cohort: Cohort, people: NDArray[np.intp]) -> list[Stratum]:
    """Return what is known of `people` (positions in the cohort), one for each way to part them.

    Sex as stated, the first four principal components if the structure of these very people is
    computed, and each column of the phenotypes. Numbers of at most five values stand as words.
    """
    sex = cohort.samples["sex"].to_numpy().astype(str)[people]
    found = [Stratum("Sex", np.where(sex == "unknown", "", sex))]
    try:
        structure = read_structure(cohort)
    except StaleArtifactError:
        structure = None
    if structure is not None:
        for number, column in enumerate(structure.components.T[:N_COMPONENTS], 1):
            values = column[people].astype(np.float64)
            found.append(Stratum(f"PC{number}", values, tells_cuts=False))
    covariates = cohort.samples["covariates"].to_numpy()[people]
    for name in available_covariates(cohort):
        if name != SEX:
            found.append(Stratum(name, _values([(one or {}).get(name) for one in covariates])))
    return found


def stratum_metrics(
    stratum: Stratum,
    network: Sequence[Scored],
    trained: Sequence[NDArray[np.intp]],
    confidence: float,
    n_repeats: int = 1,
) -> dict[str, object] | None:
    """Return what the calls are worth in each group of test people; None for a single group.

    `trained` are the training people of each fold, on whom numbers are cut into thirds. Keys: `by`,
    `groups` of `name`, `n`, `n_case`, `accuracy` {value, low, high} pooled over folds (Wilson),
    `auc`: the share of pairs of a case and a control of the same fold that are ranked rightly
    (DeLong; all None with one class). Groups under ten people are put together, and named "too few"
    without figures where they still are.
    """
    labels, names = _labels(stratum, network, trained)
    every = np.concatenate(labels)
    present, n = np.unique(every, return_counts=True)
    small = set(present[n < MIN_PEOPLE * n_repeats])
    n_small = sum(n[[label in small for label in present]])
    together = OTHERS if n_small >= MIN_PEOPLE * n_repeats else TOO_FEW
    labels = [
        np.array([together if label in small else label for label in fold], object)
        for fold in labels
    ]
    known = sorted(set(present) - {UNKNOWN, *names})
    order = dict.fromkeys([*(names or known), UNKNOWN, OTHERS, TOO_FEW])
    shown = [label for label in order if any((fold == label).any() for fold in labels)]
    if len(shown) < 2:
        return None
    groups = []
    for label in shown:
        members = [fold == label for fold in labels]
        name = names.get(label, label)
        if label == TOO_FEW:
            n_few = sum(int(m.sum()) for m in members) // n_repeats
            nothing = plain({"value": np.nan, "low": np.nan, "high": np.nan})
            groups.append(
                {"name": name, "n": n_few, "n_case": None, "accuracy": nothing, "auc": nothing}
            )
            continue
        groups.append({"name": name, **_measure(network, members, confidence, n_repeats)})
    return {"by": stratum.name, "groups": groups}


def _measure(
    network: Sequence[Scored],
    members: Sequence[NDArray[np.bool_]],
    confidence: float,
    n_repeats: int,
) -> dict[str, object]:
    n = sum(int(m.sum()) for m in members)
    n_case = sum(int(fold.is_case[m].sum()) for fold, m in zip(network, members, strict=True))
    n_right = sum(
        int((fold.called == fold.is_case)[m].sum())
        for fold, m in zip(network, members, strict=True)
    )
    auc = _auc_within_folds(network, members, confidence, n_repeats)
    return {
        "n": n // n_repeats,
        "n_case": n_case // n_repeats,
        "accuracy": plain(wilson(n_right / n_repeats, n / n_repeats, confidence)),
        "auc": plain(auc),
    }


def _auc_within_folds(
    network: Sequence[Scored],
    members: Sequence[NDArray[np.bool_]],
    confidence: float,
    n_repeats: int,
) -> Interval:
    """Return the share of pairs of one fold that are ranked rightly; folds' scores differ.

    Of several folds those count in which the group has two people of each class, without whom
    there is no variance.
    """
    pairs, areas = [], []
    fewest = 1 if len(network) == 1 else 2
    for fold, m in zip(network, members, strict=True):
        n_case = int(fold.is_case[m].sum())
        n_control = int(m.sum()) - n_case
        if min(n_case, n_control) >= fewest:
            pairs.append(n_case * n_control)
            areas.append(auc_delong(fold.is_case[m], fold.score[m], confidence))
    if not areas:
        return Interval(np.nan, np.nan, np.nan)
    if len(areas) == 1:
        return areas[0]
    weights = np.array(pairs) / sum(pairs)
    value = float(weights @ [one.value for one in areas])
    half = weights * [(one.high - one.low) / 2 for one in areas]
    margin = float(np.sqrt(np.sum(half**2) * n_repeats))
    return Interval(value, max(0.0, value - margin), min(1.0, value + margin))


def _labels(
    stratum: Stratum, network: Sequence[Scored], trained: Sequence[NDArray[np.intp]]
) -> tuple[list[NDArray[np.object_]], dict[str, str]]:
    """Return the group of each test person, a fold each, and the groups' names in order."""
    if not stratum.is_number:
        words = np.where(stratum.values == "", UNKNOWN, stratum.values).astype(object)
        return [words[fold.people] for fold in network], {}
    cuts = [_thirds(stratum.values[people]) for people in trained]
    labels = []
    for fold, cut in zip(network, cuts, strict=True):
        values = stratum.values[fold.people]
        third = np.array(THIRDS, object)[np.searchsorted(cut, values, side="left").clip(0, 2)]
        labels.append(np.where(np.isnan(values), UNKNOWN, third).astype(object))
    names = dict(zip(THIRDS, THIRDS, strict=True))
    if stratum.tells_cuts:
        low, high = (f"{value:.3g}" for value in np.mean(cuts, axis=0))
        names = dict(
            zip(THIRDS, (f"up to {low}", f"{low} to {high}", f"above {high}"), strict=True)
        )
    return labels, names


def _thirds(values: NDArray[np.floating]) -> NDArray[np.float64]:
    known = values[~np.isnan(values)]
    return np.quantile(known, [1 / 3, 2 / 3]) if known.size else np.array([np.inf, np.inf])


def _values(written: list[str | None]) -> NDArray[np.generic]:
    words = ["" if w is None or w.lower() in NOT_THERE else w for w in written]
    there = pd.Series([word or None for word in words], dtype=object).dropna()
    numbers = pd.to_numeric(there, errors="coerce")
    if numbers.isna().any() or not np.isfinite(numbers).all() or numbers.nunique() <= _MOST_LEVELS:
        return np.array(words, dtype=str)
    values = np.full(len(words), np.nan)
    values[there.index] = numbers
    return values
