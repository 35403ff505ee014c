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


def n_discoveries(neg_log10_p: NDArray[np.float64], alpha: float) -> int:
    """Return how many tests Benjamini-Hochberg accepts at a false discovery rate below `alpha`.

    They are those of smallest p. NaN is no test. A test above `alpha` is never accepted, so that
    only those below it are sorted.

    References: Benjamini and Hochberg 1995, JRSS B 57:289-300.
    """
    n_tests = int(np.count_nonzero(~np.isnan(neg_log10_p)))
    smallest = np.sort(neg_log10_p[neg_log10_p > -np.log10(alpha)])[::-1]
    ranks = np.arange(1, smallest.size + 1)
    accepted = np.flatnonzero(smallest - np.log10(n_tests / ranks) > -np.log10(alpha))
    return int(accepted[-1]) + 1 if accepted.size else 0
