"""The upper tail of the chi-squared distribution as -log10 p, in closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

LN_10 = np.log(10.0)


def chi_squared_neg_log10_p(
    statistic: NDArray[np.float64], df: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return -log10 p of chi-squared statistics with 1, 2 or 4 degrees of freedom, 0 or more.

    Both arrays have shape (n,). With z = sqrt(x), p is 2 Phi(-z) for df 1, exp(-x/2) for df 2 and
    exp(-x/2) (1 + x/2) for df 4, so that the logarithm is exact where p itself would underflow.
    NaN where the statistic or df is NaN, or df is another number.
    """
    neg_log10_p = np.full(np.shape(statistic), np.nan)
    for degrees, neg_ln_p in _NEG_LN_P.items():
        here = df == degrees
        neg_log10_p[here] = neg_ln_p(statistic[here]) / LN_10
    # Rounding may leave -1e-16 where p is 1; 0.0 + turns the -0.0 of an exact 1 into 0.
    return 0.0 + np.maximum(neg_log10_p, 0.0)


def _neg_ln_p_df1(statistic: NDArray[np.float64]) -> NDArray[np.float64]:
    return -special.log_ndtr(-np.sqrt(statistic)) - np.log(2.0)


def _neg_ln_p_df2(statistic: NDArray[np.float64]) -> NDArray[np.float64]:
    return statistic / 2


def _neg_ln_p_df4(statistic: NDArray[np.float64]) -> NDArray[np.float64]:
    return statistic / 2 - np.log1p(statistic / 2)


_NEG_LN_P = {1: _neg_ln_p_df1, 2: _neg_ln_p_df2, 4: _neg_ln_p_df4}
