"""Gradient boosting of genotypes, which finds interactions and recessive effects by itself."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pipeline.baselines.result import Baseline
from pipeline.encoding import count_codes
from pipeline.genotypes import GENOTYPE_MISSING
from pipeline.statistics import genotypic

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

MOST_VARIANTS = 2000
MOST_TREES = 600


class Setting(NamedTuple):
    """A shape of trees: leaves of each, and how much of what each says is added."""

    leaves: int
    learning_rate: float


SETTINGS = (Setting(2, 0.2), Setting(4, 0.1))

_PATIENCE = 20  # trees without a lower loss on the validation people
_BINS = 4  # a genotype has three values; more bins only cost memory


def boosted_trees(
    parts: Sequence[NDArray[np.uint8]],
    y_fit: NDArray[np.bool_],
    y_validation: NDArray[np.bool_],
    seed: int,
) -> Baseline:
    """Return the boosted trees whose shape and number give the lowest validation log loss.

    `parts` are the codes of fit, validation and test people; a missing call goes the way of each
    split that lowers the loss of the fit people more. Of more than 2,000 variants the 2,000 of
    smallest genotypic p among the fit people enter.

    References: Friedman 2001, Ann Stat 29:1189; Ke et al. 2017 (histograms).
    """
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,  # here: a page that only names models starts sooner
    )

    entering = strongest_variants(parts[0], y_fit, MOST_VARIANTS)
    if not len(entering):
        share = np.full(len(parts[2]), y_fit.mean(), np.float32)
        return Baseline(share, 0.5, is_probability=True, n_variants=0, note="no variant varies")
    x_fit, x_validation, x_test = (_as_floats(part[:, entering]) for part in parts)
    tried = []
    # One thread: with two, scikit-learn's loops wait for each other ten times as long as they
    # work where something else runs on the machine.
    with threadpool_limits(1, user_api="openmp"):
        for setting in SETTINGS:
            model = HistGradientBoostingClassifier(
                max_leaf_nodes=setting.leaves,
                learning_rate=setting.learning_rate,
                max_iter=MOST_TREES,
                max_bins=_BINS,
                early_stopping=True,
                n_iter_no_change=_PATIENCE,
                scoring="loss",
                random_state=seed,
            )
            model.fit(x_fit, y_fit, X_val=x_validation, y_val=y_validation)
            losses = -model.validation_score_  # the first is that of no tree
            tried.append((float(losses.min()), int(losses.argmin()), setting, model))
        _, n_trees, setting, model = min(tried, key=lambda one: one[:2])
        score = _after(model, n_trees, x_test, y_fit)
    note = f"{n_trees} trees of {setting.leaves} leaves"
    if len(entering) == MOST_VARIANTS < parts[0].shape[1]:
        note += f" on the {len(entering):,} variants of smallest p among the people that train"
    return Baseline(score, 0.5, is_probability=True, n_variants=len(entering), note=note)


def strongest_variants(
    genotypes: NDArray[np.uint8], is_case: NDArray[np.bool_], n_most: int
) -> NDArray[np.intp]:
    """Return the columns of smallest genotypic p, at most `n_most`, in increasing order.

    A variant that does not vary among those called has no p and never enters.
    """
    case, control = (count_codes(genotypes[people])[:, :3] for people in (is_case, ~is_case))
    neg_log10_p = genotypic(case, control).neg_log10_p
    varying = np.flatnonzero(~np.isnan(neg_log10_p))
    strongest = np.argsort(-neg_log10_p[varying], kind="stable")[:n_most]
    return np.sort(varying[strongest])


def _as_floats(genotypes: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.where(genotypes == GENOTYPE_MISSING, np.float32(np.nan), genotypes.astype(np.float32))


def _after(
    model: HistGradientBoostingClassifier,
    n_trees: int,
    x: NDArray[np.float32],
    y_fit: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Return P(case) of the first `n_trees` trees; of none it is the share of cases."""
    if not n_trees:
        return np.full(len(x), y_fit.mean(), np.float32)
    (probability,) = islice(model.staged_predict_proba(x), n_trees - 1, n_trees)
    return probability[:, 1].astype(np.float32)
