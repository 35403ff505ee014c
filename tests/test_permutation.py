"""Permuted labels: each permutation as a cohort of its own, PLINK's max(T), null and planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from pipeline import permutation
from pipeline.association import associate
from pipeline.cohort import Cohort
from pipeline.errors import Cancelled, EmptyResultError, SettingsError
from pipeline.permutation import MaxT, max_t, permute_job, permute_labels, read_max_t
from pipeline.progress import Progress
from pipeline.quality import filter_variants
from pipeline.settings import AnalysisSettings, AssociationSettings, PeopleSettings, QualitySettings
from pipeline.statistics import TESTS
from tests.small_cohorts import codes, make_cohort, run, vcf_text

N_PEOPLE, N_VARIANTS = 160, 60
NAMES = [f"s{i}" for i in range(N_PEOPLE)]
KEEP_ALL = QualitySettings(
    qual_above=None, drop_monomorphic=False, drop_sex_chromosomes=False, min_call_rate=None
)
IS_CASE = np.arange(N_PEOPLE) % 5 < 2


def small_text(planted: bool, rng: np.random.Generator) -> str:
    """Return a VCF of correlated variants; the planted one is twice as frequent in cases."""
    blocks = rng.random((N_VARIANTS // 3, 2, N_PEOPLE))
    records = []
    for i in range(N_VARIANTS):
        frequency = np.full(N_PEOPLE, rng.uniform(0.03, 0.5))
        haplotypes = blocks[i // 3] + rng.normal(0, 0.1, (2, N_PEOPLE))
        if planted and i == 7:
            frequency = np.where(IS_CASE, 0.5, 0.12)
            haplotypes = rng.random((2, N_PEOPLE))
        first, second = (haplotypes < frequency).astype(int)
        calls = [f"{a}/{b}" for a, b in zip(first, second, strict=True)]
        for missing in rng.integers(0, N_PEOPLE, 3):
            calls[missing] = "./."
        records.append(["1", 1000 + i, "A", "C", "GT", *calls])
    return vcf_text(records, NAMES)


def diagnoses(is_case: np.ndarray) -> dict[str, str]:
    return dict(zip(NAMES, np.where(is_case, "case", "control"), strict=True))


@pytest.fixture(scope="module")
def null(tmp_path_factory) -> Cohort:
    folder = tmp_path_factory.mktemp("null")
    return make_cohort(folder, small_text(False, np.random.default_rng(1)), diagnoses(IS_CASE))


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> Cohort:
    folder = tmp_path_factory.mktemp("planted")
    return make_cohort(folder, small_text(True, np.random.default_rng(2)), diagnoses(IS_CASE))


def best_of(genotypes: np.ndarray, is_case: np.ndarray, test: str) -> float:
    """Return the largest -log10 p, counted person by person."""
    case, control = (
        np.stack([(genotypes[:, chosen] == g).sum(axis=1) for g in range(3)], axis=1)
        for chosen in (is_case, ~is_case)
    )
    return float(np.nanmax(TESTS[test](case, control).neg_log10_p))


@pytest.mark.parametrize("test", sorted(TESTS))
def test_each_permutation__counted_person_by_person(null, test, monkeypatch):
    monkeypatch.setattr(permutation, "_TABLES_AT_ONCE", 7 * N_VARIANTS)  # many blocks
    settings = AssociationSettings(test=test, n_permutations=100, permutation_seed=5)
    found = max_t(null, filter_variants(null, KEEP_ALL), settings)
    labels = permute_labels(IS_CASE, np.zeros(N_PEOPLE, int), 100, 5)
    genotypes = codes(null)
    expected = sorted(best_of(genotypes, is_case, test) for is_case in labels)
    np.testing.assert_allclose(found.largest, expected, rtol=1e-9)


@pytest.mark.parametrize("test", ["genotypic", "allelic", "trend", "dominant", "fisher"])
@pytest.mark.parametrize("small_expected", ["flag", "fisher", "hide"])
def test_each_permutation_is_associate_on_permuted_labels(odd, test, small_expected):
    """X, Y and MT: a cohort ingested with the permuted labels gives the same largest p."""
    cohort, permuted = odd
    for table in ("genotypes", "alleles") if test == "fisher" else ("genotypes",):
        settings = AssociationSettings(
            test=test, fisher_table=table, small_expected=small_expected, n_permutations=100
        )
        largest = max_t(cohort, filter_variants(cohort, KEEP_ALL), settings).largest
        for other in permuted:
            theirs = associate(other, filter_variants(other, KEEP_ALL), settings).neg_log10_p
            best = 0.0 if np.isnan(theirs).all() else np.nanmax(theirs)
            assert np.abs(largest - best).min() < 1e-9


@pytest.fixture(scope="module")
def odd(tmp_path_factory) -> tuple[Cohort, list[Cohort]]:
    """Variants off the autosomes, and the same with the labels of some permutations."""
    rng = np.random.default_rng(9)
    sex = rng.integers(0, 3, N_PEOPLE)  # male, female, unknown
    records = []
    for chrom in ("X", "Y", "MT"):
        for i in range(6):
            first, second = (rng.random((2, N_PEOPLE)) < 0.02 + 0.08 * i).astype(int)
            if chrom == "MT":
                calls = [str(a) for a in first]
            elif chrom == "X":
                calls = [str(a) if s == 0 and a != b else f"{a}/{b}"
                         for a, b, s in zip(first, second, sex, strict=True)]  # fmt: skip
            else:
                calls = [str(a) if s == 0 else "./."
                         for a, s in zip(first, sex, strict=True)]  # fmt: skip
            calls[rng.integers(0, N_PEOPLE)] = "./."
            records.append([chrom, 3_000_000 + 10 * i, "A", "C", "GT", *calls])
    text = vcf_text(records, NAMES)
    sexes = dict(zip(NAMES, np.array(["M", "F", ""])[sex], strict=True))
    folder = tmp_path_factory.mktemp("odd")
    labels = permute_labels(IS_CASE, sex, 100, AssociationSettings().permutation_seed)
    for people in (sex == 0, sex == 1, sex == 2):
        assert (labels[:, people].sum(axis=1) == IS_CASE[people].sum()).all()
    whole = make_cohort(folder, text, diagnoses(IS_CASE), sexes)
    permuted = [
        make_cohort(folder, text, diagnoses(labels[i]), sexes, name=f"permuted{i}")
        for i in (0, 41, 99)
    ]
    return whole, permuted


OF_PLINK = {
    "allelic": ("--assoc", "assoc.mperm"),
    "dominant": ("--model dom", "model.dom.mperm"),
    "recessive": ("--model rec", "model.rec.mperm"),
    "trend": ("--model trend-only", "model.trend.mperm"),
}


@pytest.mark.parametrize("test", list(OF_PLINK))
def test_p_adjusted__plink_mperm(planted, tmp_path, test):
    """EMP2 of 2,000 permutations each: within five of their standard errors."""
    vcf = planted.store.path.parents[3] / "small.vcf"
    pheno = tmp_path / "pheno"
    pheno.write_text("".join(f"{n} {n} {1 + c}\n" for n, c in zip(NAMES, IS_CASE, strict=True)))
    option, suffix = OF_PLINK[test]
    run("plink1.9", "--vcf", vcf, "--double-id", "--keep-allele-order", "--pheno", pheno,
        "--allow-no-sex", *option.split(), "mperm=2000", "--cell", "0", "--seed", "3",
        "--threads", "1", "--out", tmp_path / "p")  # fmt: skip
    theirs = pd.read_csv(tmp_path / f"p.{suffix}", sep=r"\s+")["EMP2"].to_numpy(float)
    filtered = filter_variants(planted, KEEP_ALL)
    settings = AssociationSettings(test=test, n_permutations=2000)
    observed = associate(planted, filtered, settings)
    ours = max_t(planted, filtered, settings).p_adjusted(observed.neg_log10_p)
    tested = ~np.isnan(ours)
    error = np.sqrt(2 * theirs * (1 - theirs) / 2000)
    wrong = np.abs(ours - theirs)[tested] > 5 * error[tested] + 0.002
    assert not wrong.any(), (ours[tested][wrong], theirs[tested][wrong])
    assert np.ptp(theirs) > 0.5


def test_best_of_null_labels__uniform(null):
    filtered = filter_variants(null, KEEP_ALL)
    found = max_t(null, filtered, AssociationSettings(test="trend", n_permutations=1000))
    genotypes = codes(null)
    rng = np.random.default_rng(12)
    best = [best_of(genotypes, rng.permutation(IS_CASE), "trend") for _ in range(400)]
    p = found.p_adjusted(np.array(best))
    assert scipy_stats.kstest(p, "uniform").pvalue > 0.001


def test_planted_variant_passes(planted):
    filtered = filter_variants(planted, KEEP_ALL)
    settings = AssociationSettings(test="allelic")
    observed = associate(planted, filtered, settings)
    found = max_t(planted, filtered, settings)
    passes = observed.neg_log10_p > observed.line("permutation", found)
    assert np.flatnonzero(passes).tolist() == [7]
    np.testing.assert_array_equal(passes, found.p_adjusted(observed.neg_log10_p) <= 0.05)
    # Variants are correlated: the line is below Bonferroni's.
    assert observed.line("raw") < found.line() < observed.bonferroni


def test_line_and_p_adjusted_agree_to_the_permutation():
    found = MaxT(np.sort(np.random.default_rng(3).exponential(1, 199).round(2)))  # with ties
    values = np.concatenate([found.largest, found.largest + 1e-6, [0.0, 9.0]])
    for alpha in (0.05, 0.01, 0.005):
        np.testing.assert_array_equal(values > found.line(alpha), found.p_adjusted(values) <= alpha)
    assert found.p_adjusted(np.array([9.0]))[0] == 1 / 200
    assert found.p_adjusted(np.array([0.0]))[0] == 1.0
    assert np.isnan(found.p_adjusted(np.array([np.nan]))[0])
    assert found.line(0.001) == np.inf


def test_kept_beside_the_cohort_under_all_that_it_depends_on(null):
    filtered = filter_variants(null, KEEP_ALL)
    settings = AssociationSettings(test="allelic", n_permutations=200, permutation_seed=77)
    assert read_max_t(null, filtered, settings) is None
    made = max_t(null, filtered, settings)
    np.testing.assert_array_equal(read_max_t(null, filtered, settings).largest, made.largest)
    assert read_max_t(null, filtered, settings.model_copy(update={"min_expected": 9.0})) is not None
    for change in (
        {"permutation_seed": 78}, {"n_permutations": 300}, {"test": "trend"},
        {"small_expected": "hide"},
    ):  # fmt: skip
        assert read_max_t(null, filtered, settings.model_copy(update=change)) is None, change
    fewer = filter_variants(null, KEEP_ALL.model_copy(update={"min_mac": 30}))
    assert read_max_t(null, fewer, settings) is None
    swapped = filter_variants(null, KEEP_ALL, PeopleSettings(case=("control",), control=("case",)))
    assert read_max_t(null, swapped, settings) is None
    for path in null.store.path.parent.glob("permutations-*.npy"):
        path.write_bytes(path.read_bytes()[:90])  # cut off
    np.testing.assert_array_equal(max_t(null, filtered, settings).largest, made.largest)
    assert not list(null.store.path.parent.glob("*.tmp"))


def test_job_reports_and_stops(planted):
    cache = planted.store.path.parents[2]
    chosen = AnalysisSettings(
        quality=KEEP_ALL, association=AssociationSettings(n_permutations=100, permutation_seed=4)
    )
    payload = {"name": "small", "settings": chosen.model_dump(mode="json")}
    heard: list[Progress] = []

    def stop(progress: Progress) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        permute_job(cache, payload, stop)
    done = permute_job(cache, payload, heard.append)
    assert done["permutations"] == 100
    assert done["variants"] == N_VARIANTS
    assert (heard[0].done, heard[-1].done) == (0.0, 1.0)
    assert (
        read_max_t(planted, filter_variants(planted, KEEP_ALL), chosen.association).line()
        == (done["line"])
    )


def test_what_cannot_be_permuted_is_a_sentence(null):
    filtered = filter_variants(null, KEEP_ALL)
    with pytest.raises(SettingsError, match="logistic"):
        max_t(null, filtered, AssociationSettings(test="logistic"))
    nothing = replace(filtered, kept=filtered.kept[:0])
    with pytest.raises(EmptyResultError, match="keep none"):
        max_t(null, nothing, AssociationSettings())
