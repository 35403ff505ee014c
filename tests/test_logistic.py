"""Regression of the kept variants: what is computed, what is kept, who is in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline import logistic
from pipeline.cohort import Cohort, open_cohort
from pipeline.errors import Cancelled, EmptyResultError
from pipeline.ingest import ingest
from pipeline.logistic import n_missing, read_regression, regress, regress_job
from pipeline.progress import Progress
from pipeline.quality import filter_variants
from pipeline.samples import with_people
from pipeline.settings import (
    AnalysisSettings,
    AssociationSettings,
    PeopleSettings,
    QualitySettings,
    SampleSettings,
)
from pipeline.statistics.logistic import fit_logistic
from tests.small_cohorts import codes, vcf_text, write_vcf

N_PEOPLE = 240
CALLS = np.array(["0/0", "0/1", "1/1", "./."])
KEEP_ALL = QualitySettings(qual_above=None, filter_pass=False, drop_monomorphic=False,
                           min_mean_depth=None, min_call_rate=None, drop_sex_chromosomes=False,
                           drop_indels=False)  # fmt: skip
SETTINGS = AssociationSettings(test="logistic", covariates=("age", "score"))
CHROMOSOMES = {"1": 60, "X": 20, "Y": 4, "MT": 10}


def planted(seed: int = 1) -> tuple[list[tuple[str, int]], np.ndarray, dict[str, np.ndarray]]:
    """Return places, genotypes (n_variants, n_people) and columns of people.

    On 1 the last variants have few carriers, cases alone or controls alone; on X males have one
    copy but for an error in a hundred, and so has everybody on MT.
    """
    rng = np.random.default_rng(seed)
    age, score = rng.normal(40, 9, N_PEOPLE), rng.standard_normal(N_PEOPLE)
    is_male = rng.random(N_PEOPLE) < 0.5
    risk = 0.03 * (age - 40) + 0.4 * score + 0.5 * is_male
    is_case = rng.random(N_PEOPLE) < 1 / (1 + np.exp(-risk))
    places, rows = [], []
    for chrom, n in CHROMOSOMES.items():
        for v in range(n):
            frequency = 10 ** rng.uniform(-1.8, -0.3)
            row = rng.binomial(2, frequency, N_PEOPLE)
            haploid = {"1": np.zeros(N_PEOPLE, bool), "X": is_male}.get(chrom, ~(age < 0))
            once = 2 * rng.binomial(1, frequency, N_PEOPLE)
            row = np.where(haploid & (rng.random(N_PEOPLE) > 0.01), once, row)
            row[rng.random(N_PEOPLE) < 0.02] = 3
            if chrom == "1" and v >= n - 6:
                row[:] = 0
                row[np.flatnonzero(is_case == bool(v % 2))[: 1 + v % 4]] = 1
            # Outside the pseudo-autosomal regions of both builds.
            places.append((chrom, 5_000_000 + 1000 * v))
            rows.append(row)
    columns = {"age": age, "score": score, "is_male": is_male, "is_case": is_case}
    return places, np.array(rows, np.uint8), columns


def planted_cohort(folder: Path, name: str = "planted") -> Cohort:
    """Return the planted people ingested; the last two lack their age."""
    places, genotypes, columns = planted()
    samples = [f"s{i:03d}" for i in range(N_PEOPLE)]
    records = [
        (*place, "A", "C", "GT", *CALLS[row]) for place, row in zip(places, genotypes, strict=True)
    ]
    vcf = write_vcf(folder / f"{name}.vcf", vcf_text(records, samples))
    lines = ["sample_id\tdiagnosis\tsex\tage\tscore"]
    for i, sample in enumerate(samples):
        age = "NA" if i >= N_PEOPLE - 2 else f"{columns['age'][i]:.17g}"
        role = "case" if columns["is_case"][i] else "control"
        sex = "male" if columns["is_male"][i] else "female"
        lines.append(f"{sample}\t{role}\t{sex}\t{age}\t{columns['score'][i]:.17g}")
    (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n")
    ingest(folder / "cache", name, [vcf], folder / f"{name}.tsv", None, workers=1)
    return open_cohort(folder / "cache", name)


@pytest.fixture
def cohort(tmp_path) -> Cohort:
    return planted_cohort(tmp_path)


def stored(cohort: Cohort) -> list[Path]:
    return sorted((cohort.store.path.parent / "logistic").iterdir())


def chromosome(cohort: Cohort, filtered) -> np.ndarray:
    rows = cohort.store.rows("SELECT chrom FROM variants ORDER BY variant_index")
    return np.array([chrom for (chrom,) in rows])[filtered.kept]


def test_each_chromosome_by_its_rule(cohort):
    filtered = filter_variants(cohort, KEEP_ALL)
    found = regress(cohort, filtered, SETTINGS)
    _, _, columns = planted()
    genotypes = codes(cohort)[filtered.kept][:, :-2]
    chrom = chromosome(cohort, filtered)
    is_male, is_case = columns["is_male"][:-2], columns["is_case"][:-2]
    both = np.column_stack([columns["age"], columns["score"]])[:-2]
    genotypes[(genotypes == 1) & (chrom == "X")[:, None] & is_male] = 3
    on_mt = chrom == "MT"
    genotypes[on_mt] = np.array([0, 3, 1, 3], np.uint8)[genotypes[on_mt]]
    for name in ("1", "X", "MT"):
        here = chrom == name
        design = np.column_stack([both, is_male]) if name == "X" else both
        expected = fit_logistic(genotypes[here], is_case, design)
        np.testing.assert_allclose(np.log(found.odds_ratio[here]), expected.beta, atol=1e-7)
        np.testing.assert_allclose(found.standard_error[here], expected.standard_error, rtol=1e-5)
        np.testing.assert_allclose(found.statistic[here], expected.statistic**2, rtol=1e-4)
        np.testing.assert_allclose(found.neg_log10_p[here], expected.neg_log10_p, rtol=1e-4)
        np.testing.assert_array_equal(found.is_firth[here], expected.is_firth)
        np.testing.assert_array_equal(found.n_people[here], expected.n_people)
    assert np.isnan(found.neg_log10_p[chrom == "Y"]).all()
    assert not np.isnan(found.neg_log10_p[chrom != "Y"]).any()
    assert found.is_firth[chrom == "1"].sum() >= 6
    tested = chrom != "Y"
    assert (found.df[tested] == 1).all()
    half = 1.959964 * found.standard_error[tested]
    np.testing.assert_allclose(np.log(found.ci_high / found.odds_ratio)[tested], half, rtol=1e-5)
    np.testing.assert_allclose(np.log(found.odds_ratio / found.ci_low)[tested], half, rtol=1e-5)
    assert found.n_people_used == N_PEOPLE - 2
    assert found.notes == ("2 people lack a covariate and are left out of the regression.",)


def test_a_threshold_that_moves_asks_for_the_missing_alone(cohort):
    few = filter_variants(cohort, KEEP_ALL.model_copy(update={"min_mac": 40}))
    everything = filter_variants(cohort, KEEP_ALL)
    n_tested = len(everything.kept) - CHROMOSOMES["Y"]
    assert n_missing(cohort, everything, SETTINGS) == n_tested
    assert read_regression(cohort, few, SETTINGS) is None
    first = regress(cohort, few, SETTINGS)
    n_done = int((~np.isnan(first.df)).sum())
    assert 0 < n_done < n_tested
    assert n_missing(cohort, few, SETTINGS) == 0
    assert n_missing(cohort, everything, SETTINGS) == n_tested - n_done
    assert read_regression(cohort, everything, SETTINGS) is None
    said: list[Progress] = []
    whole = regress(cohort, everything, SETTINGS, said.append)
    assert said[-1].phase == "logistic regression"
    assert said[-1].detail.startswith(f"{n_tested - n_done} variants")
    again = read_regression(cohort, everything, SETTINGS)
    np.testing.assert_array_equal(again.neg_log10_p, whole.neg_log10_p)
    rows = np.searchsorted(everything.kept, few.kept)
    np.testing.assert_array_equal(whole.odds_ratio[rows], first.odds_ratio)
    assert len(stored(cohort)) == 1
    said.clear()
    regress(cohort, everything, SETTINGS, said.append)
    assert not said


def test_other_people_roles_or_covariates_are_another_file(cohort):
    filtered = filter_variants(cohort, KEEP_ALL)
    regress(cohort, filtered, SETTINGS)
    other = SETTINGS.model_copy(update={"covariates": ("age",)})
    assert n_missing(cohort, filtered, other) > 0
    swapped = filter_variants(
        cohort, KEEP_ALL, PeopleSettings(case=("control",), control=("case",))
    )
    assert n_missing(cohort, swapped, SETTINGS) > 0
    turned = regress(cohort, swapped, SETTINGS)
    straight = read_regression(cohort, filtered, SETTINGS)
    np.testing.assert_allclose(turned.odds_ratio, 1 / straight.odds_ratio, rtol=1e-5)
    fewer = with_people(cohort, SampleSettings(min_call_rate=0.97))
    assert not fewer.kept_people.all()
    assert n_missing(fewer, filter_variants(fewer, KEEP_ALL), SETTINGS) > 0
    found = regress(fewer, filter_variants(fewer, KEEP_ALL), SETTINGS)
    assert found.n_people_used == int(fewer.kept_people[:-2].sum())
    fewer.store.close()
    assert len(stored(cohort)) == 3


def test_a_stop_keeps_what_was_computed(cohort, monkeypatch):
    monkeypatch.setattr(logistic, "_AT_ONCE", 8)
    monkeypatch.setattr("pipeline.progress.Clock.report", lambda self, done, detail="": stop(done))

    def stop(done: float) -> None:
        if done > 0.3:
            raise Cancelled

    filtered = filter_variants(cohort, KEEP_ALL)
    before = n_missing(cohort, filtered, SETTINGS)
    with pytest.raises(Cancelled):
        regress(cohort, filtered, SETTINGS)
    assert 0 < n_missing(cohort, filtered, SETTINGS) < 0.75 * before


def test_what_another_process_wrote_meanwhile_stays(cohort, monkeypatch):
    """The other one regresses all but the first variants while this one regresses those."""
    everything = filter_variants(cohort, KEEP_ALL)
    common = filter_variants(cohort, KEEP_ALL.model_copy(update={"min_mac": 40}))
    computed = logistic._compute

    def with_another(*arguments) -> None:
        monkeypatch.setattr(logistic, "_compute", computed)
        regress(cohort, everything, SETTINGS)
        computed(*arguments)

    monkeypatch.setattr(logistic, "_compute", with_another)
    regress(cohort, common, SETTINGS)
    assert n_missing(cohort, everything, SETTINGS) == 0


def test_a_broken_file_is_computed_again(cohort):
    filtered = filter_variants(cohort, KEEP_ALL)
    whole = regress(cohort, filtered, SETTINGS)
    path = stored(cohort)[0]
    path.write_bytes(path.read_bytes()[:300])
    assert read_regression(cohort, filtered, SETTINGS) is None
    np.testing.assert_array_equal(
        regress(cohort, filtered, SETTINGS).neg_log10_p, whole.neg_log10_p
    )


def test_the_oldest_are_forgotten(cohort, monkeypatch):
    monkeypatch.setattr(logistic, "_BYTES_KEPT", 1)
    filtered = filter_variants(cohort, KEEP_ALL)
    regress(cohort, filtered, SETTINGS)
    regress(cohort, filtered, SETTINGS.model_copy(update={"covariates": ()}))
    assert len(stored(cohort)) == 1
    assert n_missing(cohort, filtered, SETTINGS) > 0


def test_no_case_with_the_covariate(tmp_path):
    cohort = planted_cohort(tmp_path)
    filtered = filter_variants(cohort, KEEP_ALL)
    emptied = [
        {} if diagnosis == "case" else person
        for diagnosis, person in zip(
            cohort.samples["diagnosis"], cohort.samples["covariates"], strict=True
        )
    ]
    cohort.samples["covariates"] = emptied
    with pytest.raises(EmptyResultError, match="0 cases and"):
        regress(cohort, filtered, SETTINGS)


def test_job(tmp_path):
    cohort = planted_cohort(tmp_path)
    analysis = AnalysisSettings(quality=KEEP_ALL, association=SETTINGS)
    payload = {"name": "planted", "settings": analysis.model_dump(mode="json")}
    said: list[Progress] = []
    done = regress_job(tmp_path / "cache", payload, said.append)
    filtered = filter_variants(cohort, KEEP_ALL)
    found = read_regression(cohort, filtered, SETTINGS)
    assert done["tested"] == np.count_nonzero(~np.isnan(found.neg_log10_p))
    assert done["firth"] == found.is_firth.sum()
    assert done["people"] == N_PEOPLE - 2
    assert said[-1].done == 1.0
