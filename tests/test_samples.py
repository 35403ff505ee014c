"""People left out: every count is that of a cohort ingested without them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pipeline.analysis import analyse
from pipeline.cli import main
from pipeline.cohort import Cohort, open_cohort
from pipeline.errors import Cancelled, EmptyResultError
from pipeline.export import export
from pipeline.quality import filter_variants
from pipeline.recount import recount
from pipeline.samples import keep_people, sample_quality, with_people
from pipeline.settings import (
    AnalysisSettings,
    IngestSettings,
    PeopleSettings,
    QualitySettings,
    SampleSettings,
)
from pipeline.summaries import missingness_verdict, person_bins
from tests.small_cohorts import FORMATS, make_cohort, vcf_text

N = 60
PEOPLE = [f"p{i:02d}" for i in range(N)]
DIAGNOSES = {p: ("SCZ", "control", "BP")[i % 3] for i, p in enumerate(PEOPLE)}
SEX = {p: ("M", "F")[i // 3 % 2] for i, p in enumerate(PEOPLE)}
POOR = {p for i, p in enumerate(PEOPLE) if i % 7 == 0}  # called in three quarters only
EVERYTHING = QualitySettings(
    qual_above=None, drop_monomorphic=False, min_mean_depth=None, min_call_rate=None,
    drop_sex_chromosomes=False, drop_indels=False,
)  # fmt: skip


def records(seed: int = 0) -> list[list]:
    rng = np.random.default_rng(seed)
    made = []
    for chrom in ("1", "2", "X"):
        for i in range(200):
            alts = "C,T" if chrom == "2" and i % 9 == 0 else "C"
            p = rng.uniform(0.01, 0.4)
            calls = []
            for person in PEOPLE:
                a, b = (rng.random(2) < p) * rng.integers(1, 1 + len(alts.split(",")))
                is_missing = rng.random() < (0.25 if person in POOR else 0.01)
                one = chrom == "X" and SEX[person] == "M"
                call = (str(a) if one else f"{a}/{b}") if not is_missing else "./."
                calls.append(f"{call}:{rng.integers(5, 40)}")
            made.append([chrom, 3_000_000 + 1000 * i, "A", alts, "GT:DP", *calls])
    return made


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Cohort:
    folder = tmp_path_factory.mktemp("made")
    return make_cohort(folder, vcf_text(records(), PEOPLE), DIAGNOSES, SEX)


THRESHOLD = SampleSettings(min_call_rate=0.9)


@pytest.mark.parametrize("other_alleles", ["missing", "reference"])
def test_counts_are_those_of_a_cohort_without_them(tmp_path, other_alleles):
    settings = IngestSettings(other_alleles=other_alleles)
    text = vcf_text(records(), PEOPLE)
    whole = make_cohort(tmp_path, text, DIAGNOSES, SEX, settings)
    counted = with_people(whole, THRESHOLD)
    out = set(np.array(PEOPLE)[~counted.kept_people])
    assert out == POOR
    kept = {p: d for p, d in DIAGNOSES.items() if p not in out}
    alone = make_cohort(tmp_path, text, kept, SEX, settings, name="alone")

    assert counted.n_people == alone.n_people
    ours, theirs = (filter_variants(cohort, EVERYTHING) for cohort in (counted, alone))
    np.testing.assert_array_equal(ours.case, theirs.case)
    np.testing.assert_array_equal(ours.control, theirs.control)
    np.testing.assert_array_equal(ours.sex_counts.rows, theirs.sex_counts.rows)
    np.testing.assert_array_equal(ours.sex_counts.case, theirs.sex_counts.case)
    np.testing.assert_array_equal(ours.sex_counts.control, theirs.sex_counts.control)
    assert ours.n_case == theirs.n_case < filter_variants(whole, EVERYTHING).n_case
    assert ours.n_excluded == N - ours.n_case - ours.n_control

    # The funnel too, but for depth and the first round on multi-allelic sites.
    rules = QualitySettings(min_mean_depth=None, min_call_rate=0.97, qual_above=None)
    ours, theirs = (filter_variants(cohort, rules) for cohort in (counted, alone))
    is_biallelic = whole.store.arrays("SELECT n_alts FROM variants")["n_alts"] == 1
    np.testing.assert_array_equal(ours.removed_by[is_biallelic], theirs.removed_by[is_biallelic])
    unlike = filter_variants(whole, rules).removed_by[is_biallelic]
    assert (unlike != ours.removed_by[is_biallelic]).any()
    for cohort in (whole, counted, alone):
        cohort.store.close()


def test_nobody_left_out_comes_back(made, tmp_path):
    """Neither into the counts of any set of people, nor into a file that is written."""
    counted = with_people(made, THRESHOLD)
    filtered = filter_variants(counted, EVERYTHING)
    everybody = recount(counted, filtered, [np.ones(N, bool)])[0]
    np.testing.assert_array_equal(everybody.case, filtered.case)
    assert everybody.n_control == filtered.n_control
    made_of = export(
        made,
        tmp_path / "kept",
        "lists",
        AnalysisSettings(samples=THRESHOLD, quality=EVERYTHING),
    )
    listed = {
        line.split("\t")[1] for line in (tmp_path / "kept.keep.txt").read_text().split("\n")[1:-1]
    }
    assert made_of.people["case"] == filtered.n_case
    assert listed
    assert not listed & POOR
    counted.store.close()


def test_a_set_of_people_is_counted_once(made, monkeypatch):
    first = with_people(made, THRESHOLD)
    first.store.close()
    monkeypatch.setattr("pipeline.samples._count_all", None)
    again = with_people(made, SampleSettings(min_call_rate=0.91))  # the same people
    assert again.store.path == first.store.path
    assert again.certificate == made.certificate
    again.store.close()


def test_everybody_is_the_cohort_itself(made):
    assert with_people(made, SampleSettings()) is made
    assert with_people(made, SampleSettings(min_call_rate=0.01)) is made


def test_nobody_is_told(made):
    with pytest.raises(EmptyResultError, match="leave out all 60; loosen"):
        with_people(made, SampleSettings(min_mean_depth=200))


def test_a_stop_leaves_nothing(made):
    def stop(_) -> None:
        raise Cancelled

    settings = SampleSettings(max_n_singleton=0)
    before = sorted(made.store.path.parent.iterdir())
    with pytest.raises(Cancelled):
        with_people(made, settings, stop)
    assert sorted(made.store.path.parent.iterdir()) == before


def test_analysis_counts_them_out(made):
    settings = AnalysisSettings(samples=THRESHOLD, quality=EVERYTHING)
    found = analyse(made, settings)
    assert found.filtered.n_case + found.filtered.n_control < 40
    again = analyse(with_people(made, THRESHOLD), settings)
    np.testing.assert_array_equal(found.association.statistic, again.association.statistic)


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        (SampleSettings(min_call_rate=0.9), lambda q: q.call_rate >= 0.9),
        (SampleSettings(min_mean_depth=22), lambda q: q.mean_depth >= 22),
        (SampleSettings(max_n_singleton=0), lambda q: q.n_singleton <= 0),
        (SampleSettings(max_inbreeding=0.05), lambda q: q.inbreeding_f.abs() <= 0.05),
        (SampleSettings(max_het_hom=5), lambda q: ~(q.het_hom > 5)),
        (SampleSettings(min_ti_tv=0.1), lambda q: ~(q.ti_tv < 0.1)),
    ],
)
def test_thresholds(made, settings, rule):
    found = keep_people(made, settings)
    np.testing.assert_array_equal(found.kept, rule(sample_quality(made)))
    assert sum(found.n_failing.values()) == found.n_out


def test_a_wrong_sex_is_found(tmp_path):
    told = SEX | {"p00": "F", "p03": "M"}  # p00 is a man, p03 a woman
    cohort = make_cohort(tmp_path, vcf_text(records(), PEOPLE), DIAGNOSES, told)
    found = sample_quality(cohort)
    assert list(np.array(PEOPLE)[found["is_sex_mismatch"]]) == ["p00", "p03"]
    kept = keep_people(cohort, SampleSettings(drop_sex_mismatch=True))
    assert kept.n_out == 2
    cohort.store.close()


def test_without_depth_and_x_nobody_goes(tmp_path):
    rows = [[*r[:4], "GT", *(c.split(":")[0] for c in r[5:])] for r in records() if r[0] == "1"]
    cohort = make_cohort(tmp_path, vcf_text(rows, PEOPLE, formats=[FORMATS["GT"]]), DIAGNOSES, SEX)
    found = sample_quality(cohort)
    assert found["mean_depth"].isna().all()
    assert (found["implied_sex"] == "unknown").all()
    everything = SampleSettings(min_mean_depth=100, drop_sex_mismatch=True)
    assert keep_people(cohort, everything).kept.all()
    steps = {step.step: step for step in filter_variants(cohort, QualitySettings()).steps}
    assert steps["depth_1"].is_off
    assert steps["depth_1"].has_no_data
    assert steps["depth_1"].as_dict()["note"] == "not available: the source has no depth"
    assert not steps["call_rate_1"].is_off
    cohort.store.close()


def test_the_command_line_tells_counts_alone(tmp_path, made, capsys):
    cache = made.store.path.parents[2]
    assert open_cohort(cache, "small").fingerprint == made.fingerprint
    arguments = ["people", "small", "--cache", str(cache), "--set", "samples.min_call_rate=0.9"]
    assert main([*arguments, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["kept"] == N - len(POOR)
    assert said["failing"] == {"min_call_rate": len(POOR)}
    assert main(["quality", "small", "--cache", str(cache), "--json",
                 "--set", "samples.min_call_rate=0.9"]) == 0  # fmt: skip
    counted = json.loads(capsys.readouterr().out)["people"]
    assert counted["case"] + counted["control"] + counted["excluded"] == N
    assert counted["case"] < 20
    assert main(arguments) == 0
    assert not any(person in capsys.readouterr().out for person in PEOPLE)


def test_bins_of_people_hold_everybody(made):
    quality = sample_quality(made)
    for measure in ("call_rate", "mean_depth", "n_singleton", "inbreeding_f"):
        bins = person_bins(made, measure)
        assert bins["n"].sum() == quality[measure].notna().sum()
    sexes = made.samples["sex"].to_numpy()
    by = {sex: sexes == sex for sex in ("male", "female")}
    bins = person_bins(made, "x_f", by)
    totals = bins.groupby("group")["n"].sum()
    assert totals.to_dict() == {sex: int(chosen.sum()) for sex, chosen in by.items()}
    males = bins[bins["group"] == "male"]
    assert males.loc[males["left"] < 0.8 - 0.2, "n"].sum() == 0


def test_a_batch_is_told_and_its_absence_too(tmp_path, made):
    definition = made.define_cases(PeopleSettings())
    assert missingness_verdict(made, definition)[0] is False  # the poor ones are in all diagnoses
    batch = {p: ("SCZ" if p in POOR else "control") for p in PEOPLE}
    cohort = make_cohort(tmp_path, vcf_text(records(), PEOPLE), batch, SEX)
    differ, words = missingness_verdict(cohort, cohort.define_cases(PeopleSettings()))
    assert differ
    assert "as two batches do" in words
    cohort.store.close()
