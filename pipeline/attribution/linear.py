"""Weights of penalised logistic regression, to compare attributions with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.baselines.lasso import lasso_path
from pipeline.baselines.logistic import (
    L2_PENALTIES,
    best_on_validation,
    l1_penalties,
    ridge_path,
)
from pipeline.encoding import encode, fit_encoding
from pipeline.settings import EncodingSettings


def logistic_weights(
    x_fit: NDArray[np.uint8],
    y_fit: NDArray[np.bool_],
    x_validation: NDArray[np.uint8],
    y_validation: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weights of L1 and of L2 logistic regression, both (n_variants,).

    In log odds a standard deviation of the variant among the people of `x_fit`; the penalties are
    those that validation people choose, as for the baselines of a run.
    """
    encoding = fit_encoding(
        x_fit, EncodingSettings(layout="1d", missing="mean", scaling="standard")
    )
    fit, watched = (encode(encoding, codes)[:, :, 0] for codes in (x_fit, x_validation))
    paths = (
        lasso_path(fit, y_fit, l1_penalties(fit, y_fit)),
        ridge_path(fit, y_fit, L2_PENALTIES),
    )
    l1, l2 = (best_on_validation(path, watched, y_validation).weights for path in paths)
    return l1.astype(np.float64), l2.astype(np.float64)
