"""The audit names what was planted: a disease is green, ancestry, sex and batch are red.

One cohort carries everything that a model could learn without any disease: two populations that
mix, men who look heterozygous where a piece of Y is read as an autosome, and a batch in which most
of the heterozygotes of some variants could not be called. The labels alone differ between tests.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special
from sklearn.metrics import roc_auc_score

from pipeline.audit.confounders import Confounder, find_confounders, score_alone
from pipeline.audit.confounding import Confounding, confounding, strata_names, weigh
from pipeline.audit.light import (
    LEFT_GREEN,
    LEFT_RED,
    NOISY_AMBER,
    NOISY_RED,
    Weighed,
    judge,
    share_left,
)
from pipeline.audit.models import first_plan
from pipeline.audit.strata import Alike, added_beyond, among_alike, parts_of, within
from pipeline.cohort import Cohort, open_cohort
from pipeline.errors import Cancelled, EmptyResultError
from pipeline.ingest import ingest
from pipeline.progress import Progress
from pipeline.settings import AnalysisSettings, with_changes
from pipeline.settings.structure import StructureSettings
from pipeline.splits import Roles, assign_roles
from pipeline.statistics import Interval, auc_delong
from pipeline.structure import build_structure
from tests.small_cohorts import vcf_text, write_vcf

NAME = "planted"
N, N_VARIANTS = 1000, 600
ON_Y, IN_BATCH = slice(0, 15), slice(15, 60)  # variants with an artefact of men, of the batch
CAUSAL = slice(60, 110)
SETTINGS = with_changes(
    AnalysisSettings(),
    {
        "split.test_fraction": 0.4,
        "quality.min_mean_depth": None,
        "quality.min_call_rate": 0.5,
        "evaluation.covariates": ("age",),
    },
)


@dataclass(frozen=True, eq=False)
class Relabelled(Cohort):
    """A cohort whose people have other diagnoses than the ones they were ingested with."""

    is_case: np.ndarray | None = None

    @property
    def samples(self) -> pd.DataFrame:
        people = self.store.frame("SELECT * FROM samples ORDER BY sample_index")
        return people.assign(diagnosis=np.where(self.is_case, "case", "control"))


@dataclass(frozen=True)
class World:
    """A cache with and one without components, and what is true of its people, (n_people,)."""

    cache: Path
    bare: Path
    north: np.ndarray  # share of ancestors of the first population
    is_male: np.ndarray
    in_batch: np.ndarray
    disease: np.ndarray  # liability from causal variants, mean 0 and standard deviation 1

    def ask(self, is_case: np.ndarray, bare: bool = False, **changes) -> Confounding:
        """Return the answer for these labels."""
        cohort = open_cohort(self.bare if bare else self.cache, NAME)
        labelled = Relabelled(NAME, cohort.fingerprint, cohort.store, is_case=is_case)
        settings = with_changes(SETTINGS, {k.replace("__", "."): v for k, v in changes.items()})
        try:
            return confounding(labelled, settings)
        finally:
            cohort.store.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    rng = np.random.default_rng(5)
    north = rng.beta(0.7, 0.7, N)
    is_male, in_batch = rng.random(N) < 0.5, rng.random(N) < 0.5
    ancestral = rng.uniform(0.15, 0.85, N_VARIANTS)
    drift = ancestral * (1 / 0.06 - 1), (1 - ancestral) * (1 / 0.06 - 1)  # Fst 0.06
    frequency = np.clip(rng.beta(*drift, (2, N_VARIANTS)), 0.02, 0.98)
    of_person = north[:, None] * frequency[0] + (1 - north[:, None]) * frequency[1]
    truth = rng.binomial(2, of_person)
    liability = truth[:, CAUSAL] @ rng.normal(size=CAUSAL.stop - CAUSAL.start)
    line = np.polynomial.Polynomial.fit(north, liability, 1)  # no ancestry in it
    disease = (liability - line(north)) / np.std(liability - line(north))
    seen = truth.copy()
    on_y = is_male[:, None] & (rng.random((N, ON_Y.stop)) < 0.25)
    seen[:, ON_Y] = np.where(on_y, 1, seen[:, ON_Y])
    part = seen[:, IN_BATCH]
    lost = in_batch[:, None] & (part == 1) & (rng.random(part.shape) < 0.6)
    seen[:, IN_BATCH] = np.where(lost, 3, part)
    seen[:, IN_BATCH.stop :][rng.random((N, N_VARIANTS - IN_BATCH.stop)) < 0.005] = 3
    folder = tmp_path_factory.mktemp("planted")
    written = np.array(["0/0", "0/1", "1/1", "./."])[seen]
    people = [f"p{i}" for i in range(N)]
    records = [
        ("1" if v % 2 else "2", 1000 * (v + 1), "A", "G", "GT", *written[:, v])
        for v in range(N_VARIANTS)
    ]
    records.sort(key=lambda record: (record[0], record[1]))
    vcf = write_vcf(folder / "planted.vcf", vcf_text(records, people))
    table = pd.DataFrame(
        {
            "sample_id": people,
            "diagnosis": np.where(np.arange(N) % 2, "case", "control"),
            "sex": np.where(is_male, "male", "female"),
            "batch": np.where(in_batch, "summer", "winter"),
            "age": rng.integers(20, 70, N),
        }
    )
    table.to_csv(folder / "planted.tsv", sep="\t", index=False)
    for cache in ("cache", "bare"):
        ingest(folder / cache, NAME, [vcf], folder / "planted.tsv", workers=1)
    # A hundred variants tell strangers from relatives badly: nobody shall be taken for one.
    alone = StructureSettings(min_kinship=0.45, min_duplicate_kinship=0.45, components=5)
    build_structure(folder / "cache", NAME, alone)
    return World(folder / "cache", folder / "bare", north, is_male, in_batch, disease)


def drawn(odds: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(len(odds)) < special.expit(odds)


def auc_of(found: Confounding, kind: str) -> float:
    return next(w.auc.value for w in found.weights.weighed if w.confounder.kind == kind)


@pytest.mark.parametrize("seed", range(4))
def test_a_disease_without_confounding_is_green(world, seed):
    found = world.ask(drawn(4 * world.disease, seed))
    assert found.light.colour == "green", found.light.reason
    assert found.weights.audited.low > 0.55
    assert found.weights.added.low > 1
    assert all(w.difference.low > 0 for w in found.weights.weighed)


@pytest.mark.parametrize("strength", [2, 5])
def test_labels_that_follow_a_component_are_ancestry(world, strength):
    found = world.ask(drawn(strength * (world.north - 0.5) * 2))
    assert found.light.colour == "red"
    assert "ancestry" in found.light.reason
    assert "Principal components alone" in found.light.reason
    assert auc_of(found, "components") > found.weights.audited.value - 0.1
    assert found.lambda_gc > 1.2
    assert "principal component 1" in found.warning


def test_labels_that_follow_sex_are_sex(world):
    found = world.ask(drawn(np.where(world.is_male, 2.5, -2.5)))
    assert found.light.colour == "red"
    assert found.light.reason.startswith("Sex alone reaches")
    assert found.light.reason.endswith("What it learned is mostly sex.")
    assert found.weights.audited.low > 0.55, "the artefact of men was learned"


@pytest.mark.parametrize("seed", range(2))
def test_labels_that_follow_missing_calls_are_missing_calls(world, seed):
    found = world.ask(drawn(np.where(world.in_batch, 3.0, -3.0), seed))
    assert found.light.colour == "red"
    assert "missing" in found.light.reason or "sequenced" in found.light.reason
    assert auc_of(found, "missingness") > 0.8
    assert auc_of(found, "quality") > 0.7
    assert found.weights.audited.low > 0.55, "the artefact of the batch was learned"


def test_labels_that_follow_a_batch_that_was_written_down_name_it(world):
    changes = {"evaluation__covariates": ("batch",), "selection__max_p": 0.2}
    found = world.ask(drawn(np.where(world.in_batch, 4.0, -4.0)), **changes)
    assert found.light.colour == "red"
    assert "batch" in found.light.reason
    assert [s.label for s in found.weights.strata if s.label == "batch"]


def test_disease_and_ancestry_at_once_is_not_green(world):
    found = world.ask(drawn(3 * world.disease + 5 * (world.north - 0.5)))
    assert found.light.colour in ("amber", "red")
    left = next(w for w in found.weights.weighed if w.confounder.kind == "components")
    assert 0.1 < left.left < 0.95
    assert left.within.auc.low > 0.5, "the disease is still there among people of like ancestry"


@pytest.mark.parametrize("seed", range(4))
def test_labels_of_noise_have_nothing_to_explain(world, seed):
    found = world.ask(drawn(np.zeros(N), seed))
    assert found.light.colour == "grey"
    assert found.light.word == "Nothing to explain"
    assert found.weights.added.low < 1 < found.weights.added.high


def test_without_components_green_is_not_given(world):
    found = world.ask(drawn(4 * world.disease), bare=True)
    assert found.light.colour == "grey"
    assert "page Cohort" in found.light.advice[0]
    assert found.n_components == 0
    assert any("Ancestry was not looked at" in note for note in found.notes)
    # Sex is known all the same.
    found = world.ask(drawn(np.where(world.is_male, 2.5, -2.5)), bare=True)
    assert found.light.colour == "red"


def test_the_answer_is_sums_over_people_and_ready_for_json(world):
    found = world.ask(drawn(4 * world.disease))
    told = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    n_test = told["n_test"]
    assert n_test == round(0.4 * N) or abs(n_test - 0.4 * N) < 3
    text = json.dumps(told)
    assert "p17" not in text
    for way in told["strata"]:
        assert sum(s["n"] for s in way["strata"]) == n_test
        assert sum(s["n_case"] for s in way["strata"]) == told["n_test_case"]
    assert [way["label"] for way in told["strata"] if way["of_column"]] == ["age"]
    assert {way["label"] for way in told["strata"]} == {
        "Sex", "Thirds of component 1", "Thirds of component 2", "age",
    }  # fmt: skip
    assert [one["kind"] for one in told["confounders"]] == [
        "components", "sex", "covariate", "quality", "missingness", "together",
    ]  # fmt: skip
    again = world.ask(drawn(4 * world.disease)).as_dict()
    assert again == found.as_dict()


def test_labels_of_test_people_change_nothing_that_was_fitted(world):
    """Whoever is tested may be called case or control: scores of confounders stay the same."""
    is_case = drawn(4 * world.disease)
    cohort = open_cohort(world.cache, NAME)
    labelled = Relabelled(NAME, cohort.fingerprint, cohort.store, is_case=is_case)
    plan = first_plan(labelled, SETTINGS)
    roles = assign_roles(plan.splits[0], "honest")
    genotypes = np.random.default_rng(0).integers(0, 4, (N, 30)).astype(np.uint8)
    found = find_confounders(labelled, plan.people, genotypes).found
    other = plan.is_case.copy()
    other[roles.test] = ~other[roles.test]
    for one in found:
        same = [score_alone(one, labels, roles) for labels in (plan.is_case, other)]
        np.testing.assert_array_equal(*same)
        # Nor do the values of others scale what a person is told.
        moved = one.matrix.copy()
        moved[roles.test[1:]] = 1
        again = score_alone(replace(one, matrix=moved), plan.is_case, roles)
        assert again[roles.test[0]] == pytest.approx(same[0][roles.test[0]])
    ways = strata_names(labelled, plan, roles)
    assert {way.label for way in ways} == {
        "Sex",
        "Thirds of component 1",
        "Thirds of component 2",
        "batch",
        "age",
    }
    cohort.store.close()


def test_it_can_be_stopped_and_nothing_chosen_is_a_sentence(world):
    def stop(_: Progress) -> None:
        raise Cancelled

    cohort = open_cohort(world.cache, NAME)
    labelled = Relabelled(NAME, cohort.fingerprint, cohort.store, is_case=world.is_male)
    with pytest.raises(Cancelled):
        confounding(labelled, SETTINGS, on_progress=stop)
    strict = with_changes(SETTINGS, {"selection.max_p": 1e-300})
    with pytest.raises(EmptyResultError, match=r"selection\.max_p"):
        confounding(labelled, strict)
    cohort.store.close()


# The parts that need no cohort.


def test_one_stratum_is_delongs_auc():
    rng = np.random.default_rng(1)
    is_case = rng.random(300) < 0.4
    score = rng.normal(size=300).round(1) + is_case
    everybody = within("all", np.full(300, "x"), is_case, score)
    delong = auc_delong(is_case, score)
    alike = among_alike(is_case, score, np.full(300, 0.3), np.full(300, 0.3))
    for found in (everybody.pooled, everybody.strata[0].auc):
        assert [found.value, found.low, found.high] == pytest.approx(
            [delong.value, delong.low, delong.high]
        )
    assert alike.auc.value == pytest.approx(delong.value)
    assert [alike.auc.low, alike.auc.high] == pytest.approx([delong.low, delong.high], abs=3e-4)
    assert everybody.share_of_pairs == alike.share_of_pairs == 1


def test_pooled_counts_the_pairs_of_each_stratum():
    rng = np.random.default_rng(2)
    names = rng.choice(["a", "b", "c"], 400, p=[0.6, 0.3, 0.1])
    is_case = rng.random(400) < np.select([names == "a", names == "b"], [0.2, 0.6], 0.5)
    score = rng.normal(size=400) + 2 * (names == "b") + 0.5 * is_case
    found = within("way", names, is_case, score)
    wins = pairs = 0
    for name in "abc":
        case, control = (score[(names == name) & side] for side in (is_case, ~is_case))
        wins += (case[:, None] > control).sum()
        pairs += case.size * control.size
    assert found.n_pairs == pairs
    assert found.pooled.value == pytest.approx(wins / pairs)
    assert roc_auc_score(is_case, score) > found.pooled.value + 0.05


def test_limits_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(3)
    truth, n_held, n_alike, rounds = special.ndtr(0.6 / np.sqrt(2)), 0, 0, 400
    for _ in range(rounds):
        known = rng.uniform(-2, 2, 240)
        is_case = rng.random(240) < special.expit(known)
        score = rng.normal(size=240) + 0.6 * is_case
        names = parts_of(known, known, 4)
        pooled = within("way", names, is_case, score).pooled
        n_held += pooled.low <= truth <= pooled.high
        probability = special.expit(known)
        alike = among_alike(is_case, score, probability, probability).auc
        n_alike += alike.low <= truth <= alike.high
    assert 0.91 <= n_held / rounds <= 0.985
    assert 0.91 <= n_alike / rounds <= 0.985


def test_people_who_are_alike_share_what_is_known():
    """A score that is nothing but the known one is worth next to nothing among them."""
    rng = np.random.default_rng(4)
    known = rng.normal(size=2000)
    is_case = drawn(2 * known, 4)
    probability = special.expit(2 * known)
    found = among_alike(is_case, known, probability, probability)
    assert roc_auc_score(is_case, known) > 0.8
    # Alike is not the same: an eighth of what it was worth above 0.5 is left.
    assert share_left(roc_auc_score(is_case, known), found.auc.value) < 0.15
    # Nobody is alike where the classes are parted; then there is no AUC.
    parted = among_alike(is_case, known, np.where(is_case, 0.99, 0.01), np.array([0.01, 0.99]))
    assert np.isnan(parted.auc.value)
    assert parted.n_pairs == 0


def test_few_people_of_a_class_have_no_auc():
    is_case = np.array([True] * 4 + [False] * 30)
    found = within("way", np.full(34, "x"), is_case, np.arange(34.0))
    assert np.isnan(found.strata[0].auc.value)
    assert found.as_dict()["pooled"] == {"value": None, "low": None, "high": None}


def test_odds_ratio_beside_what_is_known_is_that_of_statsmodels():
    discrete = pytest.importorskip("statsmodels.discrete.discrete_model")
    rng = np.random.default_rng(6)
    known, score = special.expit(rng.normal(size=(2, 3000)))
    odds = special.logit(known) + 0.5 * special.logit(score)
    is_case = drawn(odds, 6)
    found = added_beyond(is_case, known, score)
    line, other = ((c - c.mean()) / c.std() for c in special.logit([known, score]))
    x = np.column_stack([np.ones(3000), line, line**2, line**3, other])
    fitted = discrete.Logit(is_case, x).fit(disp=0)
    expected = np.exp([fitted.params[-1], *fitted.conf_int()[-1]])
    # Firth's penalty is of the order 1 / n.
    assert [found.value, found.low, found.high] == pytest.approx(expected, rel=0.01)
    parted = added_beyond(is_case, known, np.where(is_case, 0.9, 0.1))
    assert np.isfinite([parted.value, parted.low, parted.high]).all()
    assert parted.low > 1
    assert added_beyond(is_case, known, np.full(3000, 0.5)) == Interval(1.0, 1.0, 1.0)


def test_equal_shares_and_what_is_unknown():
    values = np.array([1.0, 2, 3, 4, 5, 6, np.nan])
    assert parts_of(values, values, 3).tolist() == [
        "1 of 3", "1 of 3", "2 of 3", "2 of 3", "3 of 3", "3 of 3", "unknown",
    ]  # fmt: skip
    binary = np.array([0.2, 0.2, 0.2, 0.7])
    assert parts_of(binary, binary, 5).tolist() == ["1 of 2"] * 3 + ["2 of 2"]


def told(kind: str, alone: float, within_auc: float, audited: float = 0.75) -> Weighed:
    """Return a comparison of a big test set."""
    confounder = Confounder(kind, "The thing", "the thing", "alike", ("x",), np.zeros((1, 1)))
    around = Interval(within_auc, within_auc - 0.03, within_auc + 0.03)
    return Weighed(
        confounder,
        Interval(alone, alone - 0.03, alone + 0.03),
        {},
        Interval(0.0, 0.0, 0.0),
        Alike(around, 1000, 0.1),
        share_left(audited, within_auc),
    )


@pytest.mark.parametrize(
    ("weighed", "colour"),
    [
        ([told("sex", 0.54, 0.50)], "green"),  # too weak to count
        ([told("sex", 0.70, 0.74)], "green"),
        ([told("sex", 0.70, 0.5 + 0.25 * LEFT_GREEN - 0.01)], "amber"),
        ([told("sex", 0.70, 0.5 + 0.25 * LEFT_RED - 0.01)], "red"),
        ([told("sex", 0.90, np.nan)], "red"),
        ([told("covariate", 0.99, np.nan)], "amber"),  # may follow from the disease
        ([told("covariate", 0.80, np.nan)], "red"),
        ([told("components", NOISY_AMBER + 0.01, 0.74)], "amber"),
        ([told("components", NOISY_RED + 0.01, 0.74)], "red"),
        ([told("sex", 0.70, 0.65), told("quality", 0.70, 0.50)], "red"),
    ],
)
def test_the_rules(weighed, colour):
    light = judge(Interval(0.75, 0.72, 0.78), weighed, has_components=True)
    assert light.colour == colour
    assert light.reason.endswith(".")
    assert light.advice or colour == "green"
    assert judge(Interval(0.51, 0.48, 0.54), weighed, True).colour == "grey"


def test_lambda_alone_is_amber_and_no_components_is_grey():
    clean = [told("sex", 0.5, 0.75)]
    audited = Interval(0.75, 0.72, 0.78)
    assert judge(audited, clean, True, lambda_gc=1.6).colour == "amber"
    assert judge(audited, clean, False).colour == "grey"
    assert judge(audited, [], True).colour == "green"


def test_weighing_without_confounders_is_the_model_alone():
    roles = Roles(*[np.arange(40)] * 4)
    is_case = np.arange(40) % 2 == 0
    found = weigh(np.linspace(0.1, 0.9, 40), is_case, roles, ())
    assert found.weighed == ()
    assert np.isnan(found.added.value)
