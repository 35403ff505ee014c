"""Two runs on the same test people: the difference of their AUC, and whose call changed.

People are matched here, by the private predictions of both runs; what leaves is an area, an
interval, and counts of five people or more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline import runs
from pipeline.errors import EmptyResultError, InputError, NotComputedError, StaleArtifactError
from pipeline.runs import Run
from pipeline.statistics import Interval, auc_delong, auc_difference

MIN_COMMON = 50  # of cases and of controls, where two runs tested different people
MIN_COUNT = 5  # people; a smaller count is not told

_COLUMNS = ["fold", "sample_index", "is_case", "probability"]


@dataclass(frozen=True)
class PairedAuc:
    """The AUC of two runs on people that both tested, and the second's minus the first's.

    Means over `n_folds` (pairs of a fold of either run). `warning` is a sentence where the runs
    did not test the same people, "" where they did.
    """

    first: Interval
    second: Interval
    difference: Interval
    n_case: int
    n_control: int
    n_folds: int
    confidence: float
    warning: str = ""


@dataclass(frozen=True)
class ChangedClass:
    """How many people both runs, one, or none called rightly, by their true class.

    `case` and `control` have right_in_both, right_in_first, right_in_second, wrong_in_both; None
    for a class in which one of these is below five: the others would give it away, together with
    the confusion matrices of the runs.
    """

    case: dict[str, int] | None
    control: dict[str, int] | None
    warning: str = ""


def paired_auc(first: Run, second: Run) -> PairedAuc:
    """Return the AUC of the second run minus that of the first, on the same test people.

    DeLong's paired interval in each fold, then the mean of folds; the interval takes folds as
    independent and is as wide with repeats as without. Where the folds of the runs are not the
    same, people are compared within each pair of folds that tested them, weighed by people, and
    only when both runs tested 50 cases and 50 controls or more.

    Raises `NotComputedError` for a run without predictions, `InputError` for one whose predictions
    may not be read, `StaleArtifactError` for broken ones, `EmptyResultError` where too few people
    were tested in both.

    References: DeLong et al. 1988, Biometrics 44:837-845.
    """
    both, warning = _matched(first, second)
    confidence = float(second.settings.get("evaluation", {}).get("confidence", 0.95))
    parts, sizes = [], []
    for _, cell in both.groupby(["fold_first", "fold_second"], sort=True):
        is_case = cell["is_case"].to_numpy(bool)
        if is_case.all() or not is_case.any():
            continue
        scores = [cell[f"probability_{one}"].to_numpy() for one in ("first", "second")]
        parts.append(
            (
                auc_delong(is_case, scores[0], confidence),
                auc_delong(is_case, scores[1], confidence),
                # Their order: the second minus the first.
                auc_difference(is_case, scores[1], scores[0], confidence),
            )
        )
        sizes.append(len(cell))
    if not parts:
        raise EmptyResultError(
            "AUCs are compared on cases and controls, but no fold of these runs has tested both "
            "kinds; use fewer folds."
        )
    # The mean of folds, as runs have it; pieces of folds are of many sizes and count by theirs.
    weights = np.array(sizes, float) if warning else np.ones(len(sizes))
    people = both.drop_duplicates("sample_index")
    n_repeats = len(both) / len(people)
    share = weights / weights.sum()

    def mean(place: int, lowest: float) -> Interval:
        return _mean([part[place] for part in parts], share, n_repeats, lowest)

    n_case = int(people["is_case"].sum())
    return PairedAuc(
        first=mean(0, 0.0),
        second=mean(1, 0.0),
        difference=mean(2, -1.0),
        n_case=n_case,
        n_control=len(people) - n_case,
        n_folds=len(parts),
        confidence=confidence,
        warning=warning,
    )


def changed_class(first: Run, second: Run) -> ChangedClass:
    """Return how many people are called rightly by both runs, by one, by none, by true class.

    A person is called a case above the threshold of the fold; with repeats the first test of each
    person counts. Raises as `paired_auc` does.
    """
    both, warning = _matched(first, second)
    right = []
    for name, run in (("first", first), ("second", second)):
        above = _thresholds(run, both[f"fold_{name}"].to_numpy())
        right.append((both[f"probability_{name}"].to_numpy() > above) == both["is_case"].to_numpy())
    once = ~both["sample_index"].duplicated().to_numpy()
    is_case = both["is_case"].to_numpy(bool)
    return ChangedClass(
        _counts(right[0][once & is_case], right[1][once & is_case]),
        _counts(right[0][once & ~is_case], right[1][once & ~is_case]),
        warning,
    )


def _matched(first: Run, second: Run) -> tuple[pd.DataFrame, str]:
    """Return the tests of people by both runs, a row for each pair of folds, and a warning.

    Columns: sample_index, is_case, and fold_ and probability_ of first and second.
    """
    one, other = _predictions(first), _predictions(second)
    if first.fingerprint != second.fingerprint:
        raise EmptyResultError(
            "People are compared within one cohort, but these runs are of two, or their cohort was "
            "ingested anew between them; train one of them again."
        )
    same = _tested(one) == _tested(other)
    both = one.merge(other, on=["sample_index", "is_case"], suffixes=("_first", "_second"))
    if same:
        both = both[both["fold_first"] == both["fold_second"]]
        return both.sort_values(["fold_first", "sample_index"], ignore_index=True), ""
    people = both.drop_duplicates("sample_index")
    n_case = int(people["is_case"].sum())
    n_control = len(people) - n_case
    if min(n_case, n_control) < MIN_COMMON:
        raise EmptyResultError(
            f"These runs tested different people, of whom fewer than {MIN_COMMON} cases or "
            f"{MIN_COMMON} controls were tested in both; train both with the same split to compare "
            "them."
        )
    warning = (
        "These runs did not test the same people in the same folds: compared are the "
        f"{n_case:,} cases and {n_control:,} controls that both tested, so that the figures differ "
        "from those of the runs."
    )
    both = both.sort_values(["fold_first", "fold_second", "sample_index"], ignore_index=True)
    return both, warning


def _tested(predictions: pd.DataFrame) -> set[tuple]:
    columns = (predictions[name].to_numpy() for name in ("fold", "sample_index", "is_case"))
    return set(zip(*(column.tolist() for column in columns), strict=True))


def _predictions(run: Run) -> pd.DataFrame:
    name = f"run {run.id[:8]}"
    if run.state not in ("finished", "cancelled"):
        raise NotComputedError(
            f"People are compared of runs that have ended, but {name} is {run.state}; let it "
            "finish or train it again."
        )
    try:
        return pd.read_parquet(run.predictions_path, columns=_COLUMNS)
    except FileNotFoundError:
        raise NotComputedError(
            f"People are compared by the private predictions of both runs, but {name} has none "
            "here; train it again."
        ) from None
    except PermissionError:
        raise InputError(
            f"The private predictions of {name} belong to whoever trained it, and you may not read "
            "them; ask that person to compare the runs."
        ) from None
    except (OSError, ValueError) as error:
        raise StaleArtifactError(
            f"The private predictions of {name} cannot be read ({type(error).__name__}); train it "
            "again."
        ) from error


def _thresholds(run: Run, folds: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the threshold of the fold of each row."""
    metrics = runs.read_metrics(run) or {}
    of_fold = {fold["fold"]: fold.get("threshold", 0.5) for fold in metrics.get("folds", ())}
    return np.array([of_fold.get(fold, 0.5) for fold in folds.tolist()], np.float64)


def _counts(in_first: NDArray[np.bool_], in_second: NDArray[np.bool_]) -> dict[str, int] | None:
    counts = {
        "right_in_both": int((in_first & in_second).sum()),
        "right_in_first": int((in_first & ~in_second).sum()),
        "right_in_second": int((~in_first & in_second).sum()),
        "wrong_in_both": int((~in_first & ~in_second).sum()),
    }
    return None if min(counts.values()) < MIN_COUNT else counts


def _mean(
    found: list[Interval], weights: NDArray[np.float64], n_repeats: float, lowest: float
) -> Interval:
    """Return the mean of independent intervals; limits stay between `lowest` and 1."""
    if len(found) == 1:
        return found[0]
    value = float(np.dot(weights, [one.value for one in found]))
    half = np.array([(one.high - one.low) / 2 for one in found])
    margin = float(np.sqrt(n_repeats * np.square(weights * half).sum()))
    low, high = np.clip([value - margin, value + margin], lowest, 1.0)
    return Interval(value, float(low), float(high))
