"""All baselines on the same people and variants."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.baselines.additive import Positions, additive_scores
from pipeline.baselines.boosting import boosted_trees
from pipeline.baselines.logistic import covariate_regression, logistic_regressions
from pipeline.baselines.result import Baseline
from pipeline.progress import OnProgress, Progress, silent

BASELINES = (
    "majority",
    "additive",
    "additive_clumped",
    "logistic_l1",
    "logistic_l2",
    "boosting",
)
COVARIATES = "covariates"  # fitted beside them when there are any
PHASE = "fitting baselines"


def fit_baselines(
    x_fit: NDArray[np.uint8],
    y_fit: NDArray[np.bool_],
    x_validation: NDArray[np.uint8],
    y_validation: NDArray[np.bool_],
    x_test: NDArray[np.uint8],
    seed: int,
    names: Sequence[str] = BASELINES,
    *,
    positions: tuple[NDArray[np.integer], NDArray[np.integer]] | None = None,
    covariates: Sequence[NDArray[np.floating]] | None = None,
    on_progress: OnProgress = silent,
) -> dict[str, Baseline]:
    """Return the baselines asked for, by name, and `covariates` when there are any.

    `x_*` are genotype codes (n_people, n_variants), 3 = missing; `y_*` are True for cases. All is
    learned from the people of `x_fit`, and penalties, thresholds and the number of trees are
    chosen on the validation people. Missing calls become the mean of the fit people, whose mean
    and standard deviation also scale the variants of the regressions (as the network's standard
    encoding). `positions`, the order of the chromosome and the position of each variant, say what
    is near for clumping; without them all variants are. `covariates` are three matrices
    (n_people, n_covariates) of fit, validation and test people, NaN = missing. `on_progress` is
    called before each step and may stop the work.
    """
    y_fit, y_validation = np.asarray(y_fit, bool), np.asarray(y_validation, bool)
    parts = (x_fit, x_validation, x_test)
    fitted: dict[str, Baseline] = {}
    if "majority" in names:
        fitted["majority"] = _majority(y_fit, len(x_test))
    on_progress(Progress(PHASE, 0.0))
    if "additive" in names or "additive_clumped" in names:
        where = Positions(*positions) if positions else None
        fitted |= additive_scores(parts, y_fit, y_validation, names, where)
    on_progress(Progress(PHASE, 0.1))
    if "logistic_l1" in names or "logistic_l2" in names:
        fitted |= logistic_regressions(parts, y_fit, y_validation, names)
    on_progress(Progress(PHASE, 0.5))
    if "boosting" in names:
        fitted["boosting"] = boosted_trees(parts, y_fit, y_validation, seed)
    on_progress(Progress(PHASE, 1.0))
    if covariates is not None:
        fitted[COVARIATES] = covariate_regression(covariates, y_fit, y_validation)
    return fitted


def _majority(y_fit: NDArray[np.bool_], n_test: int) -> Baseline:
    share = np.float32(y_fit.mean())
    return Baseline(np.full(n_test, share, np.float32), 0.5, is_probability=True, n_variants=0)
