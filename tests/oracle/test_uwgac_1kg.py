"""The 1000 Genomes people, populations taken for diagnoses: a model can learn ancestry only."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from pipeline.audit.confounding import Confounding, confounding
from pipeline.audit.light import LAMBDA_AMBER
from pipeline.audit.models import first_plan
from pipeline.cohort import Cohort, open_cohort
from pipeline.ingest import ingest
from pipeline.settings import AnalysisSettings, IngestSettings, with_changes
from pipeline.structure import build_structure, read_structure
from tests.conftest import UWGAC
from tests.tools import shared_data

AFRICA, EUROPE = ("YRI", "LWK"), ("CEU", "GBR")
AFRICAN = (*AFRICA, "ASW", "ACB")
COINS = ("00", "01", "10", "11")
SETTINGS = with_changes(
    AnalysisSettings(),
    {
        "split.test_fraction": 0.3,
        "quality.min_mean_depth": None,  # the file has no depth
        "quality.qual_above": None,
        "evaluation.covariates": ("age", "study"),
    },
)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """1000 Genomes with the population and two thrown coins as the diagnosis: CEU-01."""
    folder = tmp_path_factory.mktemp("populations")
    table = pd.read_csv(shared_data("uwgac-1kg/phenotypes.tsv"), sep="\t")
    coins = np.random.default_rng(11).integers(0, 4, len(table))
    table["diagnosis"] = table["population"] + "-" + np.array(COINS)[coins]
    left = table.drop(columns=["population", "status"])
    left.to_csv(folder / "people.tsv", sep="\t", index=False)
    settings = IngestSettings(other_alleles="reference")
    files = [shared_data(file) for file in UWGAC]
    ingest(folder / "cache", "uwgac", files, folder / "people.tsv", settings)
    build_structure(folder / "cache", "uwgac")
    return open_cohort(folder / "cache", "uwgac")


def between(case: tuple[str, ...], control: tuple[str, ...]) -> AnalysisSettings:
    """Return settings whose cases and controls are populations."""
    roles = {
        "people.case": tuple(f"{name}-{coin}" for name in case for coin in COINS),
        "people.control": tuple(f"{name}-{coin}" for name in control for coin in COINS),
    }
    return with_changes(SETTINGS, roles)


def by_coins(cohort: Cohort, african: tuple[str, ...], others: tuple[str, ...]) -> AnalysisSettings:
    """Return settings whose cases are people with these coins; the two sides may differ."""
    case = [
        name
        for name in cohort.diagnoses
        if name[-2:] in (african if name[:-3] in AFRICAN else others)
    ]
    control = [name for name in cohort.diagnoses if name not in case]
    return with_changes(SETTINGS, {"people.case": tuple(case), "people.control": tuple(control)})


def alone(found: Confounding, kind: str):
    return next(w for w in found.weights.weighed if w.confounder.kind == kind)


@pytest.mark.parametrize(
    ("case", "control"),
    [
        (EUROPE, AFRICA),  # continents
        (("CHB",), ("JPT",)),  # neighbours
        (("YRI",), ("LWK",)),
        (("ASW", "ACB"), ("YRI",)),  # people who mix
    ],
    ids=["continents", "east_asia", "africa", "admixed"],
)
def test_populations_as_diagnoses_are_ancestry(people, case, control):
    found = confounding(people, between(case, control))
    assert found.weights.audited.value > 0.85, "the populations were told apart"
    assert found.light.colour == "red"
    assert found.light.reason.startswith("Principal components alone reach")
    assert "ancestry" in found.light.reason
    assert found.lambda_gc > 1.2
    assert "principal component" in found.warning


@pytest.fixture(scope="module")
def leaning(people: Cohort) -> Confounding:
    """Three quarters of those of African ancestry are cases, a quarter of all others."""
    return confounding(people, by_coins(people, COINS[1:], COINS[:1]))


def test_labels_that_lean_on_ancestry_are_ancestry(leaning):
    found = leaning
    assert found.light.colour == "red", found.light.reason
    components = alone(found, "components")
    assert found.weights.audited.low > 0.5
    assert components.within.auc.low < 0.5 < components.within.auc.high, "nothing else is there"
    assert components.difference.low < 0.05


@pytest.mark.parametrize("coins", [("00", "01"), ("00", "10"), ("00", "11")])
def test_random_halves_are_never_ancestry(people, coins):
    found = confounding(people, by_coins(people, coins, coins))
    assert found.light.colour != "red"
    assert found.light.word == "Nothing to explain"
    assert found.lambda_gc < LAMBDA_AMBER


def test_the_model_of_components_is_scikit_learns(people, leaning):
    """The same people, standardised by the training people; the penalty is next to none."""
    settings = by_coins(people, COINS[1:], COINS[:1])
    plan = first_plan(people, settings)
    split = plan.splits[0]
    scores = read_structure(people).components[plan.people]
    scaler = StandardScaler().fit(scores[split.train])
    model = LogisticRegression(C=1e3).fit(
        scaler.transform(scores[split.train]), plan.is_case[split.train]
    )
    probability = model.predict_proba(scaler.transform(scores[split.test]))[:, 1]
    expected = roc_auc_score(plan.is_case[split.test], probability)
    assert alone(leaning, "components").auc.value == pytest.approx(expected, abs=0.02)
    assert leaning.weights.n_test == len(split.test)


def test_without_components_ancestry_is_not_cleared(people, monkeypatch):
    monkeypatch.setattr("pipeline.audit.confounders.read_structure", lambda _: None)
    found = confounding(people, between(("CHB",), ("JPT",)))
    assert found.light.colour != "green"
    assert any("compute them on the page Cohort" in note for note in found.notes)
