"""What a network has to beat, on the same variants and people.

majority: everyone is of the larger class. additive: alternate alleles weighed by their log odds
ratio, one variant at a time. additive_clumped: the same without variants that a stronger one near
them stands for. logistic_l1, logistic_l2: penalised logistic regression. boosting: gradient
boosted trees. covariates: logistic regression without any genotype.

Everything is learned from the fit people and chosen on the validation people.
"""

from __future__ import annotations

from pipeline.baselines.additive import (
    Positions,
    best_threshold,
    clump,
    log_odds_ratios,
    standard_errors,
)
from pipeline.baselines.fit import BASELINES, COVARIATES, fit_baselines
from pipeline.baselines.lasso import LinearFit, largest_penalty, lasso_path
from pipeline.baselines.logistic import L1_SHARES, L2_PENALTIES, best_on_validation
from pipeline.baselines.result import Baseline

__all__ = [
    "BASELINES",
    "COVARIATES",
    "L1_SHARES",
    "L2_PENALTIES",
    "Baseline",
    "LinearFit",
    "Positions",
    "best_on_validation",
    "best_threshold",
    "clump",
    "fit_baselines",
    "largest_penalty",
    "lasso_path",
    "log_odds_ratios",
    "standard_errors",
]
