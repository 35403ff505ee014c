"""Many tests at once: inflation, Bonferroni, false discovery rate; all on -log10 p."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pipeline.statistics.chi_squared import LN_10

MEDIAN_CHI_SQUARED_1 = float(special.ndtri(0.75) ** 2)  # 0.4549…


def genomic_lambda(neg_log10_p: NDArray[np.float64], use: NDArray[np.bool_]) -> float:
    """Return the genomic inflation: median chi-squared(1) quantile of p over its expectation.

    Both arrays have shape (n_variants,); `use` says which variants count, and NaN among them is
    left out. Whatever the df of the test, p is turned into the chi-squared of 1 df that has it.
    NaN when nothing is used.

    References: Devlin and Roeder 1999, Biometrics 55:997-1004.
    """
    used = neg_log10_p[use & ~np.isnan(neg_log10_p)]
    if not used.size:
        return float("nan")
    # The quantile is monotone, so only the middle one or two values need it.
    middle = [(used.size - 1) // 2, used.size // 2]
    neg_ln_p = np.partition(used, middle)[middle] * LN_10
    chi_squared = special.ndtri_exp(-neg_ln_p - np.log(2.0)) ** 2
    return float(chi_squared.mean() / MEDIAN_CHI_SQUARED_1)


def bonferroni_neg_log10(n_tests: int, alpha: float) -> float:
    """Return the -log10 p that a test must exceed among `n_tests`; NaN without tests."""
    return float(np.log10(n_tests) - np.log10(alpha)) if n_tests else float("nan")


def benjamini_hochberg(neg_log10_p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return -log10 q, 0 or more, of each test: false discovery rate. NaN stays NaN, uncounted.

    References: Benjamini and Hochberg 1995, JRSS B 57:289-300.
    """
    tested = np.flatnonzero(~np.isnan(neg_log10_p))
    order = tested[np.argsort(-neg_log10_p[tested])]  # smallest p first
    ranks = np.arange(1, order.size + 1)
    # q of rank i is the smallest p_j n / j over j >= i: the largest -log10, from the end.
    candidates = neg_log10_p[order] - np.log10(order.size / ranks)
    neg_log10_q = np.full(neg_log10_p.shape, np.nan)
    neg_log10_q[order] = np.maximum(np.maximum.accumulate(candidates[::-1])[::-1], 0.0)
    return neg_log10_q
