"""Baselines against scikit-learn, SciPy and by hand; test people teach them nothing."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import chi2_contingency
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from statsmodels.stats.contingency_tables import Table2x2
from threadpoolctl import threadpool_limits

from pipeline.baselines import (
    BASELINES,
    L1_SHARES,
    L2_PENALTIES,
    LinearFit,
    Positions,
    best_on_validation,
    best_threshold,
    boosting,
    clump,
    fit_baselines,
    largest_penalty,
    lasso_path,
    log_odds_ratios,
    standard_errors,
)
from pipeline.errors import Cancelled
from pipeline.progress import Progress
from tests.test_ld import brute
from tests.test_training import cohort

REGRESSIONS = ("logistic_l1", "logistic_l2")


@pytest.fixture(scope="module")
def people():
    return (*cohort(500, 40), *cohort(200, 40, seed=1), *cohort(400, 40, seed=2))


def imputed(fit: np.ndarray, part: np.ndarray) -> np.ndarray:
    mean = np.nanmean(np.where(fit == 3, np.nan, fit), axis=0)
    return np.where(part == 3, mean, part)


def standardised(fit: np.ndarray, *parts: np.ndarray) -> list[np.ndarray]:
    scaler = StandardScaler().fit(np.where(fit == 3, np.nan, fit))
    return [scaler.transform(imputed(fit, part)) for part in parts]


def fit_one(people, name: str, **given):
    """Return one baseline of `people` (x and y of fit, validation and test people)."""
    return fit_baselines(*people[:5], 1, [name], **given)[name]


def test_a_planted_signal_is_found_by_all_but_the_majority(people):
    x_fit, y_fit, x_watch, y_watch, x_test, y_test = people
    fitted = fit_baselines(x_fit, y_fit, x_watch, y_watch, x_test, seed=1)
    assert tuple(fitted) == BASELINES
    for name in BASELINES[1:]:
        baseline = fitted[name]
        assert baseline.score.shape == (400,)
        assert baseline.score.dtype == np.float32
        assert roc_auc_score(y_test, baseline.score) > 0.85, name
        assert np.mean((baseline.score > baseline.threshold) == y_test) > 0.75, name
    assert fitted["logistic_l1"].n_variants < 40 == fitted["logistic_l2"].n_variants
    majority = fitted["majority"]
    assert np.all(majority.score == np.float32(y_fit.mean()))
    assert majority.threshold == 0.5


def test_noise_stays_noise(people):
    x_fit, _, x_watch, _, x_test, _ = people
    rng = np.random.default_rng(3)
    labels = [rng.random(len(x)) < 0.5 for x in (x_fit, x_watch, x_test)]
    covariates = [rng.standard_normal((len(x), 3)) for x in (x_fit, x_watch, x_test)]
    fitted = fit_baselines(
        x_fit, labels[0], x_watch, labels[1], x_test, seed=1, covariates=covariates
    )
    assert tuple(fitted) == (*BASELINES, "covariates")
    for name, baseline in fitted.items():
        # Standard error on 400 people: 0.029.
        assert abs(roc_auc_score(labels[2], baseline.score) - 0.5) < 0.1, name


def test_what_test_people_are_moves_no_model(people):
    """The first 50 test people keep their scores, to the last bit, whoever the others are."""
    x_fit, y_fit, x_watch, y_watch, x_test, _ = people
    rng = np.random.default_rng(4)
    others = x_test.copy()
    others[50:] = rng.integers(0, 4, others[50:].shape)
    columns = [rng.standard_normal((len(x), 2)) for x in (x_fit, x_watch, x_test)]
    columns[2][:25, 0] = np.nan
    other_columns = columns[2].copy()
    other_columns[50:] = 1e3 * rng.standard_normal((350, 2))
    place = (np.zeros(40, int), np.arange(40) * 10_000)
    fits = [
        fit_baselines(
            x_fit, y_fit, x_watch, y_watch, test, 1,
            positions=place, covariates=(columns[0], columns[1], last),
        )
        for test, last in ((x_test, columns[2]), (others, other_columns))
    ]  # fmt: skip
    for name, before in fits[0].items():
        after = fits[1][name]
        np.testing.assert_array_equal(before.score[:50], after.score[:50], err_msg=name)
        if name != "majority":
            assert not np.array_equal(before.score[50:], after.score[50:])
        facts = [(b.threshold, b.n_variants, b.penalty, b.note) for b in (before, after)]
        assert facts[0] == facts[1]


def test_a_stop_is_heard_before_the_next_step(people):
    heard = []

    def stop_at_half(progress: Progress) -> None:
        heard.append(progress.done)
        if progress.done >= 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        fit_baselines(*people[:5], 1, on_progress=stop_at_half)
    assert heard == [0.0, 0.1, 0.5]


def test_logistic_l2_is_that_of_scikit_learn(people):
    x_fit, y_fit, x_watch, y_watch, x_test, _ = people
    ours = fit_one(people, "logistic_l2")
    fit, watch, test = standardised(x_fit, x_fit, x_watch, x_test)
    losses, scores = [], []
    for penalty in L2_PENALTIES:
        model = LogisticRegression(C=1 / (penalty * len(y_fit)), max_iter=1000).fit(fit, y_fit)
        losses.append(log_loss(y_watch, model.predict_proba(watch)[:, 1]))
        scores.append(model.predict_proba(test)[:, 1])
    best = int(np.argmin(losses))
    assert ours.penalty == L2_PENALTIES[best]
    np.testing.assert_allclose(ours.score, scores[best], atol=2e-3)


def test_logistic_l1_solves_its_own_equation(people):
    """saga minimises the same function by another road."""
    x_fit, y_fit, x_watch, y_watch, x_test, _ = people
    ours = fit_one(people, "logistic_l1")
    fit, watch, test = standardised(x_fit, x_fit, x_watch, x_test)
    theirs = saga(fit, y_fit, ours.penalty)
    np.testing.assert_allclose(ours.score, theirs.predict_proba(test)[:, 1], atol=1e-3)
    assert ours.n_variants == np.count_nonzero(theirs.coef_)
    # No other penalty of the path has a lower log loss on the validation people.
    penalties = largest_penalty(fit.astype(np.float32), y_fit) * L1_SHARES
    losses = [
        log_loss(y_watch, saga(fit, y_fit, penalty).predict_proba(watch)[:, 1])
        for penalty in penalties
    ]
    assert ours.penalty == pytest.approx(penalties[np.argmin(losses)])


def saga(x: np.ndarray, y: np.ndarray, penalty: float) -> LogisticRegression:
    return LogisticRegression(
        C=1 / (penalty * len(y)), l1_ratio=1.0, solver="saga", max_iter=20_000, tol=1e-6
    ).fit(x, y)


def objective(x, y, penalty: float, weights, intercept: float) -> float:
    eta = x.astype(float) @ np.ravel(weights).astype(float) + float(np.ravel(intercept)[0])
    return np.mean(np.logaddexp(0, np.where(y, -eta, eta))) + penalty * np.abs(weights).sum()


@pytest.mark.parametrize(("n_people", "n_variants"), [(400, 60), (120, 700)])
def test_every_point_of_the_lasso_path_is_a_minimum(n_people, n_variants):
    """Also of variants in linkage, more of them than people, where weights are not unique."""
    codes, y = cohort(n_people, n_variants, seed=5)
    codes[:, 1::10] = codes[:, ::10]  # pairs in complete linkage
    (x,) = standardised(codes, codes)
    single = x.astype(np.float32)
    penalties = largest_penalty(single, y) * np.array([0.9, 0.4, 0.15])
    for fit in lasso_path(single, y, penalties):
        theirs = saga(x, y, fit.penalty)
        best = objective(x, y, fit.penalty, theirs.coef_, theirs.intercept_)
        assert objective(x, y, fit.penalty, fit.weights, fit.intercept) < best + 1e-5
        ours = expit(x @ fit.weights + fit.intercept)
        np.testing.assert_allclose(ours, theirs.predict_proba(x)[:, 1], atol=5e-3)


def test_no_variant_carries_a_weight_at_the_largest_penalty(people):
    (x,) = (part.astype(np.float32) for part in standardised(people[0], people[0]))
    largest = largest_penalty(x, people[1])
    none, some = lasso_path(x, people[1], [largest * 1.01, largest * 0.95])
    assert not none.weights.any()
    assert expit(none.intercept) == pytest.approx(people[1].mean(), abs=1e-6)
    assert np.count_nonzero(some.weights) >= 1


def test_the_path_ends_after_three_worse_fits_and_the_best_is_kept():
    y = np.array([True, False])
    x = np.array([[1.0], [-1.0]])
    asked = []

    def path():
        for penalty, weight in enumerate([0.1, 0.5, 0.2, 2.0, 1.0, 0.3, 0.2, 0.1, 9.0]):
            asked.append(penalty)
            yield LinearFit(penalty, np.array([weight], np.float32), 0.0)

    best = best_on_validation(path(), x, y)
    assert (best.penalty, asked) == (3, list(range(7)))


def test_additive_by_hand(people):
    x_fit, y_fit, x_watch, y_watch, x_test, _ = people
    ours = fit_one(people, "additive")
    weights = log_odds_ratios(x_fit, y_fit)
    np.testing.assert_allclose(ours.score, imputed(x_fit, x_test) @ weights, atol=1e-4)
    watched = imputed(x_fit, x_watch) @ weights
    best = max(np.mean((watched > cut) == y_watch) for cut in np.append(watched, -np.inf))
    assert np.mean((watched > ours.threshold) == y_watch) == best
    assert not ours.is_probability


def test_log_odds_ratios_equal_statsmodels():
    codes = np.array([[0, 0, 3], [1, 0, 0], [2, 0, 1], [0, 1, 2], [1, 0, 0], [3, 0, 0]], np.uint8)
    is_case = np.array([True, True, True, False, False, False])
    # Alternate and reference alleles of cases, of controls, plus a half in each cell.
    tables = [[[3, 3], [1, 3]], [[0, 6], [1, 5]], [[1, 3], [2, 4]]]
    tables = [Table2x2(np.array(cells) + 0.5) for cells in tables]
    np.testing.assert_allclose(log_odds_ratios(codes, is_case), [t.log_oddsratio for t in tables])
    np.testing.assert_allclose(
        standard_errors(codes, is_case), [t.log_oddsratio_se for t in tables]
    )


def linked(n_people: int, n_variants: int, rng: np.random.Generator) -> np.ndarray:
    """Return codes (n_people, n_variants) of chains of variants, each alike to the one before."""
    codes = rng.integers(0, 3, (n_people, n_variants)).astype(np.uint8)
    for variant in range(1, n_variants):
        stays = rng.random(n_people) < rng.choice([0.0, 0.4, 0.8, 1.0])
        codes[stays, variant] = codes[stays, variant - 1]
    codes[rng.random(codes.shape) < 0.05] = 3
    return codes


@given(seed=st.integers(0, 2**32 - 1), n_variants=st.integers(1, 14), is_placed=st.booleans())
@settings(max_examples=60, deadline=None)
def test_clumping_is_greedy_from_the_strongest(seed, n_variants, is_placed):
    rng = np.random.default_rng(seed)
    codes = linked(60, n_variants, rng)
    codes[:, rng.random(n_variants) < 0.1] = 1  # does not vary
    strength = rng.integers(0, 5, n_variants).astype(float)  # with ties
    chrom, pos = rng.integers(1, 3, n_variants), 200 * rng.integers(1, 11, n_variants)
    place = Positions(chrom, pos) if is_placed else None
    everyone = np.ones(60, bool)
    stays: list[int] = []
    for variant in sorted(range(n_variants), key=lambda v: (-strength[v], v)):
        r2 = brute(codes.T, variant, everyone)
        is_taken = False
        for other in stays:
            is_near = chrom[other] == chrom[variant] and abs(pos[other] - pos[variant]) <= 600
            is_taken |= bool((is_near or not is_placed) and r2[other] > 0.1)
        if not is_taken:
            stays.append(variant)
    ours = clump(codes, strength, place, window=600)
    assert np.flatnonzero(ours).tolist() == sorted(stays)


def test_clumping_counts_a_block_of_linked_variants_once():
    """Forty copies of noise that looks like something drown the sum, and clumping ends that."""
    sizes, rng = (600, 300, 2000), np.random.default_rng(8)
    codes = [rng.binomial(2, 0.3, (n, 12)).astype(np.uint8) for n in sizes]
    labels = [rng.random(n) < expit((x[:, :11] - 0.6).sum(axis=1)) for n, x in zip(sizes, codes)]  # noqa: B905 - equally long
    labels[0][codes[0][:, 11] == 2] = True
    codes = [np.hstack([x, np.repeat(x[:, 11:], 40, axis=1)]) for x in codes]
    place = (np.r_[np.arange(12), np.full(40, 11)], np.arange(52) * 1000)
    data = (codes[0], labels[0], codes[1], labels[1], codes[2])
    fitted = fit_baselines(*data, 1, ("additive", "additive_clumped"), positions=place)
    aucs = [roc_auc_score(labels[2], fitted[name].score) for name in fitted]
    assert fitted["additive_clumped"].n_variants == 12
    assert aucs[1] > aucs[0] + 0.1
    assert "500 kb" in fitted["additive_clumped"].note
    everywhere = fit_baselines(*data, 1, ("additive_clumped",))["additive_clumped"]
    np.testing.assert_array_equal(everywhere.score, fitted["additive_clumped"].score)


def test_boosting_is_that_of_scikit_learn_after_the_best_tree(people):
    x_fit, y_fit, x_watch, y_watch, x_test, _ = people
    ours = fit_one(people, "boosting")
    fit, watch, test = (np.where(x == 3, np.nan, x.astype(float)) for x in (x_fit, x_watch, x_test))
    n_trees, n_leaves = (int(word) for word in ours.note.split() if word.isdigit())
    tried = {}
    with threadpool_limits(1, user_api="openmp"):  # on a busy machine two wait for each other
        for leaves, rate in boosting.SETTINGS:
            model = HistGradientBoostingClassifier(
                max_leaf_nodes=leaves,
                learning_rate=rate,
                max_iter=n_trees + 20,
                early_stopping=False,
            ).fit(fit, y_fit)
            staged = model.staged_predict_proba(watch)
            tried[leaves] = model, [log_loss(y_watch, p[:, 1]) for p in staged]
        model, losses = tried[n_leaves]
        (expected,) = islice(model.staged_predict_proba(test), n_trees - 1, n_trees)
    assert n_trees == 1 + int(np.argmin(losses))
    assert min(losses) == min(min(losses) for _, losses in tried.values())
    np.testing.assert_allclose(ours.score, expected[:, 1], atol=1e-6)


def test_boosting_finds_a_risk_of_heterozygotes_that_no_sum_can():
    parts = []
    for seed, n in enumerate((800, 300, 1000)):
        rng = np.random.default_rng(seed)
        codes = rng.binomial(2, 0.5, (n, 20)).astype(np.uint8)
        parts += [codes, rng.random(n) < np.where(codes[:, 4] == 1, 0.85, 0.15)]
    l1, boosted = (fit_one(parts, name) for name in ("logistic_l1", "boosting"))
    assert abs(roc_auc_score(parts[5], l1.score) - 0.5) < 0.06
    assert roc_auc_score(parts[5], boosted.score) > 0.8


def test_boosting_is_offered_the_variants_of_smallest_p_among_the_fit_people(people, monkeypatch):
    x_fit, y_fit, *_ = people
    x_fit = x_fit.copy()
    x_fit[:, 3] = 0  # does not vary
    p = np.ones(40)
    for variant in set(range(40)) - {3}:
        table = [[np.sum(x_fit[y_fit == c, variant] == g) for g in range(3)] for c in (0, 1)]
        p[variant] = chi2_contingency(table).pvalue
    expected = np.sort(np.argsort(p, kind="stable")[:14])
    assert boosting.strongest_variants(x_fit, y_fit, 14).tolist() == expected.tolist()
    everything = boosting.strongest_variants(x_fit, y_fit, 40)
    assert everything.tolist() == [v for v in range(40) if v != 3]
    monkeypatch.setattr(boosting, "MOST_VARIANTS", 14)
    screened = fit_one((x_fit, *people[1:]), "boosting")
    assert screened.n_variants == 14
    assert screened.note.endswith("on the 14 variants of smallest p among the people that train")
    kept = [x[:, expected] if x.ndim == 2 else x for x in (x_fit, *people[1:])]
    np.testing.assert_array_equal(screened.score, fit_one(kept, "boosting").score)


def test_covariates_are_imputed_scaled_and_weighed_as_scikit_learn_does(people):
    x_fit, y_fit, x_watch, y_watch, x_test, y_test = people
    columns = []
    for labels, seed in ((y_fit, 5), (y_watch, 6), (y_test, 7)):
        rng = np.random.default_rng(seed)
        age = 50 + 10 * rng.standard_normal(len(labels)) + 8 * labels
        matrix = np.column_stack([age, rng.standard_normal(len(labels)), np.full(len(labels), 4)])
        matrix[rng.random(matrix.shape) < 0.1] = np.nan
        matrix[:, 2] = 4.0
        columns.append(matrix)
    columns[2][:5, 2] = np.nan  # missing only here: nothing was learned of that
    ours = fit_one(people, "covariates", covariates=columns)
    assert roc_auc_score(y_test, ours.score) > 0.65
    assert (ours.n_variants, ours.is_probability, ours.threshold) == (0, True, 0.5)
    theirs = make_pipeline(
        SimpleImputer(add_indicator=True),
        StandardScaler(),
        LogisticRegression(C=1 / (ours.penalty * len(y_fit)), max_iter=1000, tol=1e-6),
    ).fit(columns[0][:, :2], y_fit)
    np.testing.assert_allclose(ours.score, theirs.predict_proba(columns[2][:, :2])[:, 1], atol=2e-3)
    assert "covariates" not in fit_baselines(
        x_fit, y_fit, x_watch, y_watch, x_test, 1, ["majority"]
    )


@given(
    scores=st.lists(st.integers(-3, 3), min_size=1, max_size=12),
    labels=st.lists(st.booleans(), min_size=12, max_size=12),
)
@settings(max_examples=100, deadline=None)
def test_no_threshold_is_more_accurate(scores, labels):
    score = np.array(scores, dtype=float)
    is_case = np.array(labels[: score.size])
    threshold = best_threshold(score, is_case)
    best = max(np.mean((score > cut) == is_case) for cut in np.arange(-4.5, 5))
    assert np.mean((score > threshold) == is_case) == best


@pytest.mark.parametrize("constant", [0, 3])
def test_variants_that_do_not_vary_leave_the_share_of_cases(constant):
    codes = np.full((60, 2), constant, dtype=np.uint8)
    is_case = np.arange(60) % 3 == 0
    column = np.full((60, 1), np.nan if constant else 7.0)
    fitted = fit_baselines(
        codes, is_case, codes, is_case, codes, seed=1, covariates=[column, column, column]
    )
    for name in (*REGRESSIONS, "boosting", "covariates"):
        np.testing.assert_allclose(fitted[name].score, 1 / 3, atol=0.01)
    for name in ("additive", "additive_clumped"):
        assert np.ptp(fitted[name].score) == 0
