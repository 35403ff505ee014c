"""Order and weights of the variants: by hand, against scikit-learn, and on planted truth."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from pipeline import arrangement
from pipeline.arrangement import LOUDEST, NOISE_Z, Arrangement, arrange, l1_weights
from pipeline.encoding import fit_encoding
from pipeline.errors import EmptyResultError, SettingsError
from pipeline.settings import EncodingSettings

N_VARIANTS = 40
CAUSAL = np.array([3, 11, 28])
EFFECT = np.array([1.2, -1.0, 0.8])


def cohort(n_people: int = 500, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return codes without a missing call, and labels by three causal variants."""
    rng = np.random.default_rng(seed)
    codes = rng.binomial(2, 0.3, (n_people, N_VARIANTS)).astype(np.uint8)
    score = (codes[:, CAUSAL] - 0.6) @ EFFECT
    return codes, rng.random(n_people) < 1 / (1 + np.exp(-score))


CODES, IS_CASE = cohort()
LOG_P = np.random.default_rng(1).exponential(size=N_VARIANTS)
GENES = np.random.default_rng(2).integers(-1, 9, N_VARIANTS)


def arranged(
    codes=CODES, is_case=IS_CASE, log_p=LOG_P, genes=GENES, seed=1, file_weights=None, **options
) -> Arrangement:
    wanted = EncodingSettings(**({"weights_file": "w.tsv"} | options))
    return arrange(codes, is_case, log_p, genes, wanted, seed, file_weights)


def few(n_variants: int) -> dict[str, np.ndarray]:
    return {
        "codes": CODES[:, :n_variants],
        "log_p": LOG_P[:n_variants],
        "genes": GENES[:n_variants],
    }


def test_the_genome_is_the_default_order_and_nothing_is_weighed():
    found = arranged()
    assert found.columns.tolist() == list(range(N_VARIANTS))
    assert found.columns.dtype == np.intp
    assert found.weights is None
    assert found.note == ""


def test_genes_follow_their_first_variants():
    genes = np.array([7, 2, 7, -1, 2, -1, 0, 7])
    found = arranged(**few(8) | {"genes": genes}, order="gene")
    # Gene 7 from variant 0, gene 2 from 1, the two without a gene where they are, gene 0 from 6.
    assert found.columns.tolist() == [0, 2, 7, 1, 4, 3, 5, 6]


@given(genes=st.lists(st.integers(-2, 5), min_size=1, max_size=40))
@settings(max_examples=50, deadline=None)
def test_an_order_by_gene_keeps_genes_together_and_the_genome_within(genes):
    n = len(genes)
    found = arranged(**few(n) | {"genes": np.array(genes)}, order="gene").columns.tolist()
    assert sorted(found) == list(range(n))
    for gene in {gene for gene in genes if gene >= 0}:
        places = [place for place, variant in enumerate(found) if genes[variant] == gene]
        assert places == list(range(places[0], places[0] + len(places)))
        assert [found[place] for place in places] == sorted(found[place] for place in places)
    firsts = [v for v in found if genes[v] < 0 or genes.index(genes[v]) == v]
    assert firsts == sorted(firsts)


def test_the_smallest_p_comes_first_and_no_p_last():
    log_p = np.array([1.0, np.nan, 3.0, 1.0, 0.0])
    found = arranged(**few(5) | {"log_p": log_p}, order="p")
    assert found.columns.tolist() == [2, 0, 3, 4, 1]


def test_the_seed_shuffles():
    one, again, other = (arranged(order="shuffled", seed=seed).columns for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert sorted(one) == list(range(N_VARIANTS))
    assert one.tolist() != other.tolist() != list(range(N_VARIANTS))


def test_an_order_by_gene_needs_genes():
    with pytest.raises(SettingsError, match=r"another encoding\.order"):
        arranged(genes=None, order="gene")
    assert arranged(genes=None, order="p").columns.size == N_VARIANTS


def test_weights_by_p_are_shares_of_the_largest():
    log_p = np.array([1.0, np.nan, 4.0, 0.0])
    found = arranged(**few(4) | {"log_p": log_p}, weights="log_p")
    np.testing.assert_array_equal(found.weights, np.float32([0.25, 0, 1, 0]))
    assert found.weights.dtype == np.float32
    dropped = arranged(**few(4) | {"log_p": log_p}, weights="log_p", drop_unweighted=True)
    assert dropped.columns.tolist() == [0, 2]
    np.testing.assert_array_equal(dropped.weights, np.float32([0.25, 1]))


def test_a_file_is_taken_as_it_is():
    file_weights = np.array([0.0, -7.0, 1e-3, 0.0])
    kept = arranged(**few(4), weights="file", file_weights=file_weights)
    np.testing.assert_array_equal(kept.weights, file_weights.astype(np.float32))
    with pytest.raises(ValueError, match="none were given"):
        arranged(weights="file")


@given(seed=st.integers(0, 99), order=st.sampled_from(["genomic", "gene", "p", "shuffled"]))
@settings(max_examples=40, deadline=None)
def test_weights_go_with_their_variants_through_order_and_dropping(seed, order):
    rng = np.random.default_rng(seed)
    file_weights = rng.normal(size=N_VARIANTS) * (rng.random(N_VARIANTS) < 0.5)
    for drop_unweighted in (False, True):
        found = arranged(
            order=order,
            weights="file",
            file_weights=file_weights,
            drop_unweighted=drop_unweighted,
            seed=seed,
        )
        np.testing.assert_array_equal(found.weights, file_weights[found.columns].astype("float32"))
        entering = np.flatnonzero(file_weights) if drop_unweighted else np.arange(N_VARIANTS)
        assert sorted(found.columns) == entering.tolist()
        plain = arranged(order=order, seed=seed).columns
        assert found.columns.tolist() == [c for c in plain if c in set(entering.tolist())]
        encoding = fit_encoding(CODES[:, found.columns], EncodingSettings(), found.weights)
        assert encoding.n_variants == len(entering)


def test_where_all_weights_are_zero_every_variant_enters_and_it_is_said():
    constant = np.ones((100, 5), np.uint8)
    for options, reason in (
        ({"weights": "log_p", "log_p": np.array([0, np.nan, 0, 0, 0])}, "every p is 1"),
        ({"weights": "logistic_l1", "codes": constant, "is_case": IS_CASE[:100]}, "found none"),
        ({"weights": "file", "file_weights": np.zeros(5)}, "gives none of them"),
    ):
        for drop_unweighted in (False, True):
            found = arranged(**few(5) | options, drop_unweighted=drop_unweighted)
            assert found.columns.tolist() == [0, 1, 2, 3, 4]
            assert found.weights is None
            assert found.note.startswith("All 5 variants enter unweighted, because ")
            assert reason in found.note


def test_no_variant_and_one_class_are_sentences():
    with pytest.raises(EmptyResultError, match="selection kept none"):
        arranged(**few(0))
    for is_case in (np.ones(500, bool), np.zeros(500, bool)):
        with pytest.raises(EmptyResultError, match="500 people are all c"):
            arranged(is_case=is_case, weights="logistic_l1")


@pytest.mark.parametrize("step", [1, 7, 512])
def test_the_regression_is_that_of_all_variants_at_once(step, monkeypatch):
    """scikit-learn's own solver on everything; and the conditions of a minimum by hand."""
    monkeypatch.setattr(arrangement, "_STEP", step)
    found = l1_weights(CODES, IS_CASE, seed=1)
    x = StandardScaler().fit_transform(CODES)
    share = IS_CASE.mean()
    penalty = NOISE_Z * np.sqrt(share * (1 - share) / len(x))
    saga = LogisticRegression(
        C=1 / (penalty * len(x)), l1_ratio=1.0, solver="saga", tol=1e-7, max_iter=10_000
    ).fit(x, IS_CASE)
    w = saga.coef_[0]
    expected = np.sign(w) * np.sqrt(np.abs(w) / np.abs(w).max()) * LOUDEST
    np.testing.assert_allclose(found, expected, atol=0.1)
    assert np.count_nonzero(found) >= 3
    # Undo the root to have w up to a factor, and look for the factor that the slopes fit.
    slope = x.T @ (IS_CASE - saga.predict_proba(x)[:, 1]) / len(x)
    assert np.all(np.abs(slope[found == 0]) < 1.05 * penalty)
    np.testing.assert_allclose(slope[found != 0], np.sign(found[found != 0]) * penalty, rtol=0.05)


def test_planted_variants_are_loudest_with_the_sign_of_their_effect():
    codes, is_case = cohort(2000, seed=3)
    codes[np.random.default_rng(0).random(codes.shape) < 0.05] = 3  # the mean, nothing worse
    found = l1_weights(codes, is_case, seed=1)
    assert set(np.argsort(-np.abs(found))[:3]) == set(CAUSAL)
    np.testing.assert_array_equal(np.sign(found[CAUSAL]), np.sign(EFFECT))
    assert np.abs(found).max() == pytest.approx(LOUDEST)
    assert np.count_nonzero(found) < N_VARIANTS / 2


def test_a_variant_that_is_alone_enters_from_the_stated_z_on():
    """One variant, balanced labels: z of the score test is set by how many carriers are cases."""
    n = 4000
    is_case = np.arange(n) % 2 == 0
    for z, enters in ((NOISE_Z * 0.97, False), (NOISE_Z * 1.03, True)):
        # Half of the people carry; sum of (x - mean)(y - 1/2) over its standard deviation.
        n_excess = round(z * np.sqrt(n) / 4)  # carriers that are cases, above a quarter of all
        codes = np.zeros((n, 1), np.uint8)
        codes[np.flatnonzero(is_case)[: n // 4 + n_excess]] = 1
        codes[np.flatnonzero(~is_case)[: n // 4 - n_excess]] = 1
        x = StandardScaler().fit_transform(codes)[:, 0]
        assert (x @ (is_case - 0.5)) / np.sqrt(n / 4) == pytest.approx(z, rel=0.02)
        assert bool(l1_weights(codes, is_case, seed=1)[0]) is enters


def test_noise_is_mostly_silent_and_labels_matter():
    rng = np.random.default_rng(4)
    shuffled = rng.permutation(IS_CASE)
    noise = l1_weights(CODES, shuffled, seed=1)
    assert np.count_nonzero(noise) <= 4  # 40 variants, P(|z| > 2.5) = 0.012
    assert not np.array_equal(noise, l1_weights(CODES, IS_CASE, seed=1))
    turned = l1_weights(CODES, ~IS_CASE, seed=1)
    np.testing.assert_allclose(turned, -l1_weights(CODES, IS_CASE, seed=1), atol=1e-6)


def test_it_is_quick():
    """Under 2 s of the processor (not of the clock) at 2,400 people x 1,200 variants."""
    rng = np.random.default_rng(5)
    codes = rng.binomial(2, 0.2, (2400, 1200)).astype(np.uint8)
    score = (codes[:, ::20] - 0.4) @ rng.normal(size=60)
    start = time.process_time()
    found = l1_weights(codes, score > np.median(score), seed=1)
    assert time.process_time() - start < 2
    assert np.count_nonzero(found) > 20
