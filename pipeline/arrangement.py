"""Which of the selected variants enter the network, in which order, and how loud each speaks.

Order and weights are learned from the people that train and from nobody else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding import encode, fit_encoding
from pipeline.errors import EmptyResultError, SettingsError
from pipeline.settings import EncodingSettings

# The penalty of the L1 regression, in standard errors of an unassociated variant's gradient.
# Nothing is tuned, because these people cannot tell: the variants were selected for being
# associated among them, so that even noise predicts those whom cross-validation leaves out. On
# simulated cohorts (2,400 people, p < 0.05 of 24,000 variants, two a row, fresh test people) the
# AUC of the regression is, at 2.5 / by the smallest BIC / at the best of all penalties:
# 20 causal variants .850 / .848 / .850, 60: .825 / .802 / .826, 600: .630 / .516 / .638, two hits
# in a gene .719 / .711 / .724. Five-fold cross-validation took the weakest penalty on offer each
# time.
NOISE_Z = 2.5

_TOLERANCE = 1.01  # liblinear ends when slopes are this near to the penalty
_STEP = 512  # variants that join a fit at once; bounds its memory

# The loudest variant of the logistic regression is 3 standard deviations loud for each of its own,
# so that what it says is not lost among the hundreds that are near zero.
LOUDEST = 3.0


@dataclass(frozen=True, eq=False)
class Arrangement:
    """The selected variants as they enter.

    `columns` are positions among the selected variants, shape (n_entering,), in the order in which
    they enter; `weights`, float32 of the same shape, is what `fit_encoding` multiplies them by,
    None where nothing is multiplied. `note` is a sentence for the reader where the weights could
    not be used as asked, else empty.
    """

    columns: NDArray[np.intp]
    weights: NDArray[np.float32] | None
    note: str = ""


def arrange(
    genotypes: NDArray[np.integer],
    is_case: NDArray[np.bool_],
    neg_log10_p: NDArray[np.floating],
    genes: NDArray[np.integer] | None,
    settings: EncodingSettings,
    seed: int,
    file_weights: NDArray[np.floating] | None = None,
) -> Arrangement:
    """Return which selected variants enter in which order, and their weights.

    `genotypes` are codes (n_people, n_variants), 3 = missing, and `is_case` labels of the people
    that train, alone; `neg_log10_p` (n_variants,) is theirs too, NaN where there is no p. The
    variants come in genomic order. `genes` (n_variants,) numbers the gene of each, below 0 where
    it has none; only the order by gene reads it. `file_weights` (n_variants,) are those of the
    user's file.

    By gene, genes follow each other as their first variants do and a variant without a gene
    stands alone; by p, the smallest comes first (ties: genomic order, no p last); `seed` shuffles.
    Weights are -log10 p over the largest, or those of `l1_weights`, or the file's, as they are.
    When all are 0 (nothing is associated, or the file names none of these variants) every variant
    enters unweighted, and `note` says so.

    Raises `EmptyResultError` when no variant was selected or the regression lacks a class,
    `SettingsError` when an order by gene has no genes.
    """
    n_variants = genotypes.shape[1]
    if not n_variants:
        raise EmptyResultError(
            "A network needs at least one variant, but the selection kept none; raise "
            "selection.max_p or loosen the quality thresholds."
        )
    columns = _order(n_variants, neg_log10_p, genes, settings.order, seed)
    weights = _weights(genotypes, is_case, neg_log10_p, settings, seed, file_weights)
    if weights is None:
        return Arrangement(columns, None)
    if not weights.any():
        return Arrangement(columns, None, _unweighted(n_variants, settings))
    if settings.drop_unweighted:
        columns = columns[weights[columns] != 0]
    return Arrangement(columns, weights[columns].astype(np.float32))


def l1_weights(
    genotypes: NDArray[np.integer], is_case: NDArray[np.bool_], seed: int
) -> NDArray[np.float64]:
    """Return sign(w) 3 sqrt(|w| / max |w|) of an L1 logistic regression, shape (n_variants,).

    `genotypes` are codes (n_people, n_variants); a missing call is the mean, and each variant is
    standardised. The penalty on the mean log loss is `NOISE_Z` sqrt(s (1 - s) / n_people), where s
    is the share of cases: a variant that is alone enters when its score test has |z| above
    `NOISE_Z`. All weights are 0 when no variant does.

    Raises `EmptyResultError` when the people are all cases or all controls.

    References: Bickel, Ritov and Tsybakov 2009, Annals of Statistics 37:1705 (penalties of the
    size of the noise); Tibshirani 1996.
    """
    from sklearn.linear_model import (
        LogisticRegression,  # here: a page that only names models starts sooner
    )

    is_case = np.asarray(is_case, bool)
    if is_case.all() or not is_case.any():
        raise EmptyResultError(
            "Input weights of a logistic regression need cases and controls that train, but these "
            f"{len(is_case):,} people are all {'cases' if is_case.any() else 'controls'}; choose "
            "other encoding.weights or another case definition."
        )
    settings = EncodingSettings(layout="1d", missing="mean", scaling="standard")
    x = encode(fit_encoding(genotypes, settings), genotypes)[:, :, 0]
    n_people, n_variants = x.shape
    share = is_case.mean()
    penalty = NOISE_Z * np.sqrt(share * (1 - share) / n_people)
    model = LogisticRegression(
        C=1 / (penalty * n_people),
        l1_ratio=1.0,
        solver="liblinear",
        # liblinear also shrinks the intercept; a larger constant feature makes that negligible.
        intercept_scaling=10.0,
        max_iter=1000,
        random_state=seed,
    )
    # Most weights are 0: only variants whose gradient exceeds the penalty are fitted, the
    # steepest first, until no other's does. The solution is that of all variants at once.
    weights = np.zeros(n_variants)
    is_fitted = np.zeros(n_variants, bool)
    probability = np.full(n_people, share)
    while True:
        slope = np.abs(x.T @ (is_case - probability).astype(np.float32)) / n_people
        steep = np.flatnonzero((slope > _TOLERANCE * penalty) & ~is_fitted)
        if not len(steep):
            break
        is_fitted[steep[np.argsort(-slope[steep], kind="stable")[:_STEP]]] = True
        fitted = np.flatnonzero(is_fitted)
        model.fit(x[:, fitted], is_case)
        weights[fitted] = model.coef_[0]
        probability = model.predict_proba(x[:, fitted])[:, 1]
    size = np.abs(weights)
    return np.sign(weights) * np.sqrt(size / (size.max() or 1.0)) * LOUDEST


def _order(
    n_variants: int,
    neg_log10_p: NDArray[np.floating],
    genes: NDArray[np.integer] | None,
    order: str,
    seed: int,
) -> NDArray[np.intp]:
    genomic = np.arange(n_variants)
    if order == "genomic":
        return genomic
    if order == "shuffled":
        return np.random.default_rng(seed).permutation(genomic)
    if order == "p":
        return np.argsort(-neg_log10_p, kind="stable")  # NaN comes last
    if genes is None:
        raise SettingsError(
            "An order by gene needs a gene table, but there is none for these variants; add one, "
            "or choose another encoding.order."
        )
    _, first, gene = np.unique(genes, return_index=True, return_inverse=True)
    begins = np.where(genes >= 0, first[gene], genomic)
    return np.argsort(begins, kind="stable")


def _weights(
    genotypes: NDArray[np.integer],
    is_case: NDArray[np.bool_],
    neg_log10_p: NDArray[np.floating],
    settings: EncodingSettings,
    seed: int,
    file_weights: NDArray[np.floating] | None,
) -> NDArray[np.floating] | None:
    """Return the weight of each selected variant, in genomic order."""
    if settings.weights == "none":
        return None
    if settings.weights == "log_p":
        largest = np.nanmax(neg_log10_p, initial=0.0)
        return np.nan_to_num(neg_log10_p) / (largest or 1.0)
    if settings.weights == "logistic_l1":
        return l1_weights(genotypes, is_case, seed)
    if file_weights is None:
        raise ValueError("weights come from a file, but none were given")
    return file_weights


def _unweighted(n_variants: int, settings: EncodingSettings) -> str:
    reason = {
        "log_p": "every p is 1",
        "logistic_l1": "the logistic regression found none worth a weight",
        "file": "the file gives none of them a weight",
    }[settings.weights]
    return f"All {n_variants:,} variants enter unweighted, because {reason}."
