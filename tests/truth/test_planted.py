"""What was planted is found: causal variants and genes come out first, and people are told apart.

Chance is the hypergeometric draw. Causal genes are drawn at random from all genes, so that at the
level of genes it is exact; causal variants come several to a gene, in linkage with each other.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline import runs
from pipeline.settings import QualitySettings
from tests.truth.known import (
    ALLELE,
    Known,
    association_frame,
    best_of_genes,
    enrichment,
    simulated,
    train,
)

BY_CHANCE = 1e-6
# 2,500 people can not tell what fewer than 50 copies of an allele do.
COMMON_ENOUGH = QualitySettings(min_mac=50)
N_TOP = 20


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Known:
    return simulated(tmp_path_factory.mktemp("planted"), people=2500, genes=500, seed=1)


def test_the_truth_names_variants_of_the_cohort(planted):
    """Without this, enrichment could be lost or won by the join alone."""
    with planted.opened() as cohort:
        named = cohort.store.frame("SELECT chrom, pos, ref, alt FROM variants")
    missing = planted.truth.merge(named, how="left", indicator=True)
    assert (missing["_merge"] == "both").all()


@pytest.mark.parametrize("test", ["genotypic", "allelic", "trend"])
def test_causal_variants_come_first(planted, test):
    common = association_frame(planted, test, COMMON_ENOUGH)
    found = enrichment(common["is_causal"], common["neg_log10_p"], N_TOP)
    assert found.n_causal >= N_TOP
    assert found.p < BY_CHANCE, found


@pytest.mark.parametrize("test", ["genotypic", "allelic", "trend"])
def test_causal_genes_come_first(planted, test):
    genes = best_of_genes(association_frame(planted, test, COMMON_ENOUGH))
    found = enrichment(genes["gene_is_causal"], genes["neg_log10_p"], N_TOP)
    assert found.n_causal >= N_TOP
    assert found.p < BY_CHANCE, found


def test_an_honest_run_tells_people_apart(planted):
    metrics = runs.read_metrics(train(planted.cache, {}))
    assert metrics["protocol"] == "honest"
    for name in ("logistic_l1", "logistic_l2", "additive"):
        assert metrics["baselines"][name]["auc"]["low"] > 0.5, name
    assert metrics["test"]["auc"]["low"] > 0.5
    assert metrics["baselines"]["logistic_l1"]["auc"]["value"] > 0.65


def test_an_honest_selection_holds_causal_variants(planted):
    """Training people alone find them as well: of the few that enter, many are planted."""
    changes = {
        "quality.min_mac": COMMON_ENOUGH.min_mac,
        "selection.top": N_TOP,
        "training.epochs": 1,
    }
    run = train(planted.cache, changes)
    entered = pd.read_parquet(run.selection_path)
    n_found = len(entered.merge(planted.truth[ALLELE]))
    kept = association_frame(planted, quality=COMMON_ENOUGH)
    p = stats.hypergeom.sf(n_found - 1, len(kept), kept["is_causal"].sum(), N_TOP)
    assert p < BY_CHANCE, n_found


@pytest.mark.slow
def test_five_cohorts_of_the_default_size(tmp_path):
    aucs = []
    for seed in range(1, 6):
        known = simulated(tmp_path / str(seed), seed=seed)
        common = association_frame(known, quality=COMMON_ENOUGH)
        found = enrichment(common["is_causal"], common["neg_log10_p"], N_TOP)
        assert found.p < BY_CHANCE, (seed, found)
        metrics = runs.read_metrics(train(known.cache, {"training.epochs": 1}))
        aucs.append(metrics["baselines"]["logistic_l1"]["auc"]["value"])
    assert np.mean(aucs) >= 0.70, aucs
