"""What was planted is what a trained network looked at; on noise it looked at nothing special.

Chance is the hypergeometric draw of causal genes among those whose variants entered.
"""

from __future__ import annotations

import pytest

from pipeline import runs
from pipeline.attribution import by_gene, over_folds
from pipeline.attribution.job import attribute
from tests.truth.known import enrichment, simulated, train

N_TOP = 12
WITHOUT_BASELINES = {"evaluation.baselines": False}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory):
    return simulated(tmp_path_factory.mktemp("looked"), people=2500, genes=500, seed=1)


def test_the_genes_it_looked_at_are_causal(planted):
    """By attribution and by what is lost without them."""
    run = train(planted.cache, WITHOUT_BASELINES)
    runs.update_state(run, "finished")
    made = attribute(planted.cache, run.id)
    genes = by_gene(over_folds(made.table, made.n_folds), made.occlusion)
    is_causal = genes["gene"].isin(planted.truth["gene"])
    found = enrichment(is_causal, genes["share"], N_TOP)
    assert found.p < 1e-3, found
    hidden = genes["auc_lost"].notna()
    lost = genes.loc[hidden, "auc_lost"]
    assert lost[is_causal[hidden]].mean() > lost[~is_causal[hidden]].mean() + 0.001
    assert made.completeness["n_beyond"] == 0
