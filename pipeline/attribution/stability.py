"""Would another fold, or another seed, have looked at the same variants?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline import runs
from pipeline.attribution.stored import Attribution, read_attribution
from pipeline.runs import Run


@dataclass(frozen=True)
class Stability:
    """How alike attributions are: the mean rank correlation over pairs of networks.

    `lowest` and `highest` are those of single pairs, `n_common` the mean number of variants that
    both networks of a pair took, `n_waiting` how many other runs are not looked at yet. NaN
    without a pair.
    """

    mean: float
    lowest: float
    highest: float
    n_pairs: int
    n_common: float
    n_waiting: int = 0


def rank_correlation(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Return Spearman's rank correlation, ties sharing their rank; NaN where one is constant."""
    if len(first) < 3 or not np.ptp(first) or not np.ptp(second):
        return float("nan")
    from scipy.stats import rankdata  # here: it takes half a second of a start

    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])


def across_folds(table: pd.DataFrame) -> Stability:
    """Return how alike the folds of a run are, in the variants that both of a pair chose."""
    by_fold = [part.set_index("variant_index")["mean_abs"] for _, part in table.groupby("fold")]
    return _over(combinations(by_fold, 2))


def across_seeds(cache: Path, run: Run, made: Attribution) -> Stability:
    """Return how alike the run is to others whose settings differ in `training.seed` alone.

    Fold by fold, over the finished runs of the same cohort that have been looked at.
    """
    own = _but_seed(run)
    pairs, n_waiting = [], 0
    for other in runs.list_runs(cache):
        if other.id == run.id or other.state != "finished" or not other.settings:
            continue
        if _but_seed(other) != own:
            continue
        found = read_attribution(other)
        if found is None:
            n_waiting += 1
            continue
        for fold in sorted(set(made.table["fold"]) & set(found.table["fold"])):
            pairs.append(tuple(_of_fold(one.table, fold) for one in (made, found)))
    return _over(iter(pairs), n_waiting)


def _of_fold(table: pd.DataFrame, fold: int) -> pd.Series:
    return table[table["fold"] == fold].set_index("variant_index")["mean_abs"]


def _but_seed(run: Run) -> tuple[Any, ...]:
    settings = {name: value for name, value in run.settings.items() if name != "association"}
    training = {k: v for k, v in settings["training"].items() if k != "seed"}
    return run.cohort, run.fingerprint, run.relatives, run.genes, settings | {"training": training}


def _over(pairs: Iterator[tuple[pd.Series, ...]], n_waiting: int = 0) -> Stability:
    found, n_common = [], []
    for first, second in pairs:
        common = first.index.intersection(second.index)
        value = rank_correlation(first.loc[common].to_numpy(), second.loc[common].to_numpy())
        if np.isfinite(value):
            found.append(value)
            n_common.append(len(common))
    if not found:
        return Stability(float("nan"), float("nan"), float("nan"), 0, 0.0, n_waiting)
    return Stability(
        float(np.mean(found)), min(found), max(found), len(found), float(np.mean(n_common)),
        n_waiting,
    )  # fmt: skip
