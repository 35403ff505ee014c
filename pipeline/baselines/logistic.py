"""Penalised logistic regression of genotypes or covariates, the penalty chosen on validation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from pipeline.baselines.additive import linear_scores
from pipeline.baselines.lasso import LinearFit, largest_penalty, lasso_path
from pipeline.baselines.result import Baseline
from pipeline.encoding import encode, fit_encoding
from pipeline.settings import EncodingSettings

# Penalties on the mean log loss. L1: shares of the smallest penalty that removes every variant.
L1_SHARES = np.geomspace(0.9, 0.05, 14)
L2_PENALTIES = np.geomspace(30, 0.03, 7)
COVARIATE_PENALTIES = np.geomspace(1, 1e-4, 5)

# A path ends after so many penalties in a row that are no better on the validation people.
_PATIENCE = 3


def logistic_regressions(
    parts: Sequence[NDArray[np.uint8]],
    y_fit: NDArray[np.bool_],
    y_validation: NDArray[np.bool_],
    names: Sequence[str],
    scaled_by: NDArray[np.uint8] | None = None,
) -> dict[str, Baseline]:
    """Return `logistic_l1` and `logistic_l2`, where `names` has them.

    `parts` are the codes of fit, validation and test people; `scaled_by` those of the people whose
    means and standard deviations impute and scale, by default the fit people.
    """
    encoding = fit_encoding(
        parts[0] if scaled_by is None else scaled_by,
        EncodingSettings(layout="1d", missing="mean", scaling="standard"),
    )
    x_fit, x_validation = (encode(encoding, part)[:, :, 0] for part in parts[:2])
    paths = {
        "logistic_l1": lambda: lasso_path(x_fit, y_fit, l1_penalties(x_fit, y_fit)),
        "logistic_l2": lambda: ridge_path(x_fit, y_fit, L2_PENALTIES),
    }
    fitted = {}
    for name, path in paths.items():
        if name in names:
            best = best_on_validation(path(), x_validation, y_validation)
            score = expit(linear_scores(encoding, parts[2], best.weights) + best.intercept)
            fitted[name] = _baseline(score, best, int(np.count_nonzero(best.weights)))
    return fitted


def covariate_regression(
    parts: Sequence[NDArray[np.floating]],
    y_fit: NDArray[np.bool_],
    y_validation: NDArray[np.bool_],
) -> Baseline:
    """Return the logistic regression of covariates alone, with a weak L2 penalty.

    `parts` are matrices (n_people, n_covariates) of fit, validation and test people, NaN where a
    value is missing: it becomes the mean of the fit people, and a column says that it was missing.
    """
    x_fit, x_validation, x_test = _standardised(parts)
    path = ridge_path(x_fit, y_fit, COVARIATE_PENALTIES)
    best = best_on_validation(path, x_validation, y_validation)
    return _baseline(expit(x_test @ best.weights + best.intercept), best, 0)


def l1_penalties(x_fit: NDArray[np.float32], y_fit: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return a path of penalties, from one that keeps next to nothing downwards."""
    # Without any association (one variant that does not vary) any penalty gives the same model.
    return L1_SHARES * (largest_penalty(x_fit, y_fit) or 1.0)


def best_on_validation(
    path: Iterable[LinearFit],
    x_validation: NDArray[np.floating],
    y_validation: NDArray[np.bool_],
) -> LinearFit:
    """Return the fit of lowest log loss on the validation people, the first of equals.

    The log loss and not the AUC chooses, because the accuracy at 0.5 needs calibrated scores. The
    path is followed until three fits in a row are no better.
    """
    from sklearn.metrics import log_loss  # here: a page that only names models starts sooner

    best, lowest, n_worse = None, np.inf, 0
    for fit in path:
        probability = expit(x_validation @ fit.weights + fit.intercept)
        loss = log_loss(y_validation, probability, labels=[0, 1])
        if best is None or loss < lowest:
            best, lowest, n_worse = fit, loss, 0
        else:
            n_worse += 1
            if n_worse == _PATIENCE:
                break
    if best is None:
        raise ValueError("a path of no penalty")
    return best


def _baseline(score: NDArray[np.floating], best: LinearFit, n_variants: int) -> Baseline:
    return Baseline(
        score.astype(np.float32),
        0.5,
        is_probability=True,
        n_variants=n_variants,
        penalty=best.penalty,
    )


def ridge_path(
    x: NDArray[np.floating], y: NDArray[np.bool_], penalties: Iterable[float]
) -> Iterator[LinearFit]:
    """Yield the L2 fit at each penalty, each started from the one before."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(solver="lbfgs", max_iter=1000, warm_start=True)
    for penalty in penalties:
        model.set_params(C=1 / (penalty * len(y))).fit(x, y)
        weights = model.coef_[0].astype(np.float32)
        yield LinearFit(float(penalty), weights, float(model.intercept_[0]))


def _standardised(parts: Sequence[NDArray[np.floating]]) -> list[NDArray[np.float64]]:
    """Return each part as (n_people, 2 n_covariates), imputed and scaled by the first."""
    first = np.asarray(parts[0], np.float64)
    n_known = np.count_nonzero(~np.isnan(first), axis=0)
    mean = np.nansum(first, axis=0) / np.maximum(n_known, 1)
    columns = []
    for part in parts:
        part = np.asarray(part, np.float64)
        is_missing = np.isnan(part)
        columns.append(np.hstack([np.where(is_missing, mean, part), is_missing]))
    centre, spread = columns[0].mean(axis=0), columns[0].std(axis=0)
    varies = spread > 1e-10 * np.abs(columns[0]).max(axis=0, initial=0)
    return [np.where(varies, (c - centre) / np.where(varies, spread, 1), 0) for c in columns]
