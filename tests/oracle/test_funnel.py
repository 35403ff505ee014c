"""The funnel equals bcftools, vcftools and PLINK step by step, with one diagnosis left out."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.cohort import Cohort, open_cohort
from pipeline.ingest import ingest
from pipeline.quality import STEPS, Filtered, filter_variants
from pipeline.settings import IngestSettings, PeopleSettings, QualitySettings
from tests.conftest import UWGAC
from tests.oracle.test_plink_statistics import import_vcf, plink, read_table, uwgac_people
from tests.small_cohorts import run, variants
from tests.tools import shared_data

PEOPLE = PeopleSettings(case=("SCZ",), control=("control",), exclude=("BP",))


def chain(source: Path, *filters: tuple[str, ...]) -> list[int]:
    """Return the records left after each `bcftools view` option list, one applied to the other."""
    left = []
    for number, options in enumerate(filters):
        made = source.with_name(f"step{number}.bcf")
        run("bcftools", *options, source, "-Ob", "-o", made)
        left.append(int(run("bcftools", "view", "-H", made).count("\n")))
        source = made
    return left


def retag(source: Path, name: str) -> Path:
    """Return the file with AC, AN, F_MISSING counted anew."""
    made = source.with_name(f"{name}.bcf")
    run("bcftools", "+fill-tags", source, "-Ob", "-o", made, "--", "-t", "AC,AN,F_MISSING")
    return made


def left(filtered: Filtered) -> dict[str, int]:
    return {step.step: step.variants for step in filtered.steps}


@pytest.fixture(scope="module")
def depths(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cohort, Path]:
    """hail/sample2 with three diagnoses, and the same without BP, its chromosome declared."""
    folder = tmp_path_factory.mktemp("depths")
    source = shared_data("hail/sample2.vcf")
    people = run("bcftools", "query", "-l", source).split()
    diagnosis = {s: ("SCZ", "BP", "control", "control")[i % 4] for i, s in enumerate(people)}
    table = folder / "phenotypes.tsv"
    table.write_text("IID dx\n" + "".join(f"{s} {d}\n" for s, d in diagnosis.items()))
    settings = IngestSettings(other_alleles="reference")
    ingest(folder / "cache", "three", [source], table, settings, workers=1)
    declared = folder / "declared.vcf"
    declared.write_text(source.read_text().replace("#CHROM", "##contig=<ID=22>\n#CHROM", 1))
    keep = ",".join(s for s, d in diagnosis.items() if d != "BP")
    kept = folder / "kept.bcf"
    run("bcftools", "view", "-s", keep, declared, "-Ob", "-o", kept)
    return open_cohort(folder / "cache", "three"), kept


def mean_depth(vcf: Path) -> np.ndarray:
    text = run("bcftools", "query", "-f", "[%DP ]\n", vcf)
    rows = [[float(x) for x in line.split() if x != "."] for line in text.splitlines()]
    return np.array([np.mean(row) if row else np.nan for row in rows])


def test_every_step__bcftools_chain(depths):
    """Each step against a bcftools expression on the people who are left."""
    cohort, kept = depths
    limits = QualitySettings(min_mean_depth=3.0, min_call_rate=0.9, qual_above=200.0)
    filtered = filter_variants(cohort, limits, PEOPLE)
    ours = left(filtered)
    assert (filtered.n_case, filtered.n_control, filtered.n_excluded) == (25, 50, 25)
    site = retag(kept, "site")
    text = run("bcftools", "query", "-f", "%QUAL\t%F_MISSING\t%AN\t[%GT ]\n", site)
    table = pd.read_csv(io.StringIO(text), sep="\t", names=["qual", "missing", "an", "gt"])
    table["depth"] = mean_depth(site)
    has_alt = table["gt"].str.contains(r"[1-9]", regex=True)
    expected = [len(table)]
    keep = table["qual"] > 200
    expected.append(keep.sum())
    for rule in (has_alt, ~(table["depth"] < 3), ~(1 - table["missing"] < 0.9)):
        keep = keep & rule
        expected.append(keep.sum())
    names = ["input", "qual", "ac_1", "depth_1", "call_rate_1"]
    assert [ours[name] for name in names] == expected
    assert len(set(expected)) == 5  # every step removes something
    # The second round, on the sites that are left, split by bcftools.
    lines = run("bcftools", "view", site).splitlines(keepends=True)
    head = [line for line in lines if line.startswith("#")]
    body = [line for line in lines if not line.startswith("#")]
    chosen = site.with_name("first.vcf")
    chosen.write_text("".join(head + [line for line, k in zip(body, keep, strict=True) if k]))
    split = site.with_name("split.bcf")
    run("bcftools", "norm", "-m-", chosen, "-Ob", "-o", split)
    split = retag(split, "split-tagged")
    counted = chain(
        split,
        ("view",),
        ("view", "-i", "AC>0"),
        ("view", "-i", "F_MISSING<=0.1"),
        ("view", "-v", "snps"),
    )
    assert counted == [ours[name] for name in ("split", "ac_2", "call_rate_2", "indels")]
    assert ours["depth_2"] == ours["ac_2"]
    assert ours["sex_chromosomes"] == ours["call_rate_2"]
    assert counted[0] > expected[-1]
    assert counted[0] > counted[1] > counted[3]


def test_left_out_people_leave_every_count(depths):
    cohort, _ = depths
    with_bp = filter_variants(cohort, QualitySettings(), PeopleSettings(case=("SCZ", "BP")))
    without = filter_variants(cohort, QualitySettings(), PEOPLE)
    assert left(with_bp) != left(without)
    swapped = PeopleSettings(case=("control",), control=("SCZ",), exclude=("BP",))
    assert left(filter_variants(cohort, QualitySettings(), swapped)) == left(without)


@pytest.mark.parametrize("limit", [20.0, 45.5])
def test_mean_gq__tally(depths, limit):
    cohort, kept = depths
    off = QualitySettings(
        qual_above=None, min_mean_depth=None, min_call_rate=None, drop_monomorphic=False,
        drop_indels=False, drop_sex_chromosomes=False, min_mean_gq=limit,
    )  # fmt: skip
    split = kept.with_name("gq.bcf")
    run("bcftools", "norm", "-m-", kept, "-Ob", "-o", split)
    text = run("bcftools", "query", "-f", "[%GQ ]\n", split)
    rows = [[float(x) for x in line.split() if x != "."] for line in text.splitlines()]
    expected = sum(not row or np.mean(row) >= limit for row in rows)
    found = left(filter_variants(cohort, off, PEOPLE))
    assert found["gq"] == expected < found["mac"]


OFF = QualitySettings(qual_above=None, drop_indels=False, drop_sex_chromosomes=False)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cohort, pd.DataFrame]:
    """1000 Genomes with diagnoses by population: YRI and LWK are left out."""
    folder = tmp_path_factory.mktemp("three")
    people = pd.read_csv(shared_data("uwgac-1kg/phenotypes.tsv"), sep="\t")
    african = people["population"].isin(["YRI", "LWK", "ASW"])
    european = people["population"].isin(["CEU", "GBR", "TSI", "FIN", "IBS"])
    people["diagnosis"] = np.where(african, "BP", np.where(european, "SCZ", "control"))
    people[["sample_id", "diagnosis", "sex"]].to_csv(folder / "p.tsv", sep="\t", index=False)
    files = [shared_data(file) for file in UWGAC]
    settings = IngestSettings(other_alleles="reference")
    ingest(folder / "cache", "three", files, folder / "p.tsv", settings)
    return open_cohort(folder / "cache", "three"), people


def imported(three, tmp_path, file: str, *options: str):
    _, people = three
    run("bcftools", "norm", "-m-", shared_data(file), "-Oz", "-o", tmp_path / "split.vcf.gz")
    fam = uwgac_people()
    fam["status"] = people["diagnosis"].map({"SCZ": 2, "control": 1, "BP": -9}).to_numpy()
    return import_vcf(tmp_path / "split.vcf.gz", fam, tmp_path / "p", *options)


def kept_keys(cohort: Cohort, filtered: Filtered, regions: set[str]) -> set[tuple]:
    table = variants(cohort).iloc[filtered.kept]
    table = table[table["region"].isin(regions)]
    return set(zip(table["pos"], table["ref"], table["alt"], strict=True))


def plink_keys(prefix: Path) -> set[tuple]:
    bim = pd.read_csv(f"{prefix}.bim", sep=r"\s+", header=None, dtype=str)
    return set(zip(bim[3].astype(int), bim[5], bim[4], strict=True))


@pytest.mark.parametrize(("file", "regions"), [(UWGAC[0], {"autosome"}), (UWGAC[1], {"x"})])
def test_mac_and_hwe__plink(three, tmp_path, file, regions):
    """MAC over cases and controls, HWE over controls; on X males have one copy and no HWE."""
    cohort, _ = three
    whole = imported(three, tmp_path, file, "--split-x", "b37", "no-fail")
    phenotyped = tmp_path / "phenotyped"
    plink("--bfile", whole.prefix, "--prune", "--make-bed", "--out", phenotyped)
    mac = filter_variants(cohort, OFF.model_copy(update={"min_mac": 5}), PEOPLE)
    chroms = ("--not-chr", "25") if regions == {"x"} else ()
    plink("--bfile", phenotyped, *chroms, "--mac", "5", "--make-bed", "--out", tmp_path / "mac")
    expected = plink_keys(tmp_path / "mac")
    assert kept_keys(cohort, mac, regions) == expected
    hwe = filter_variants(cohort, OFF.model_copy(update={"max_hwe_log10": 4.0}), PEOPLE)
    hardy = tmp_path / "hardy"
    plink("--bfile", phenotyped, *chroms, "--hardy", "--make-bed", "--out", hardy)
    table = read_table(Path(f"{hardy}.hwe"))
    fails = table[table["TEST"] == "UNAFF"]["P"].to_numpy(float) < 1e-4
    assert 0 < fails.sum() < len(fails)
    bim = pd.read_csv(f"{hardy}.bim", sep=r"\s+", header=None, dtype=str)
    keys = zip(bim[3].astype(int), bim[5], bim[4], strict=True)
    failed = {key for key, fail in zip(keys, fails, strict=True) if fail}
    before = kept_keys(cohort, filter_variants(cohort, OFF, PEOPLE), regions)
    assert before - kept_keys(cohort, hwe, regions) == failed


def test_steps_that_are_off_or_lack_data_say_so(uwgac_reference):
    filtered = filter_variants(uwgac_reference, QualitySettings(min_mean_gq=10))
    steps = {step.step: step for step in filtered.steps}
    assert [step.step for step in filtered.steps] == list(STEPS)
    assert steps["filter"].note == steps["mac"].note == "off"
    assert "not available" in steps["depth_1"].note
    assert "not available" in steps["gq"].note
    assert steps["gq"].removed == steps["depth_1"].removed == 0
    assert steps["hwe"].is_off
    shown = filtered.as_dict()
    assert shown["variants"] == shown["steps"][-1]["variants"] == len(filtered.kept)
