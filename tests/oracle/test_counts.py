"""Counts of the real data equal those of bcftools, vcftools and PLINK, row by row."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.cohort import Cohort
from pipeline.quality import STEPS, filter_variants
from pipeline.schema import SEXES
from pipeline.settings import QualitySettings
from tests.conftest import UWGAC, thirds
from tests.oracle.test_plink_statistics import import_vcf, plink, uwgac_people
from tests.small_cohorts import counts, run, variants
from tests.tools import require_tool, shared_data

WITH_DEPTH = ("ceu-exon/CEU_Exon.vcf.gz", "hail/sample.vcf.gz", "hail/sample2.vcf")
ROW = ["chrom", "pos", "ref", "alt"]
GENOTYPES = ("n_hom_ref", "n_het", "n_hom_alt", "n_missing")


def declared(file: str, folder: Path) -> Path:
    """Return a real file whose chromosomes are declared, without which bcftools writes nothing."""
    path = shared_data(file)
    if not file.startswith("hail/"):
        return path
    opened = gzip.open if file.endswith(".gz") else open
    with opened(path, "rt") as handle:
        text = handle.read()
    contigs = sorted({line.split("\t", 1)[0] for line in text.splitlines() if line[0] != "#"})
    lines = "".join(f"##contig=<ID={contig}>\n" for contig in contigs)
    written = folder / f"declared-{path.name.removesuffix('.gz')}"
    written.write_text(text.replace("#CHROM", f"{lines}#CHROM", 1))
    return written


def filled_tags(vcf: Path, groups: dict[str, str], folder: Path, *filters: str) -> pd.DataFrame:
    """Return hom-ref, het, hom-alt and missing of each group, as bcftools counts after `norm -m-`.

    `filters` is a bcftools plugin with its options, run before.
    """
    table = folder / "groups.txt"
    table.write_text("".join(f"{s}\t{g}\n" for s, g in groups.items()))
    names = sorted(set(groups.values()))
    if filters:
        plugin, *options = filters
        run("bcftools", plugin, vcf, "-Ou", "-o", folder / "before.bcf", "--", *options)
        vcf = folder / "before.bcf"
    run("bcftools", "norm", "-m-", vcf, "-Ou", "-o", folder / "split.bcf")
    run("bcftools", "+fill-tags", folder / "split.bcf", "-Ou", "-o", folder / "tags.bcf",
        "--", "-S", table, "-t", "AC,AN,AF,NS,F_MISSING,AC_Het,AC_Hom")  # fmt: skip
    tags = [f"{tag}_{g}" for g in names for tag in ("NS", "AC_Het", "AC_Hom", "AC", "AN", "AF")]
    fields = ["CHROM", "POS", "REF", "ALT", "AC", "AN", "F_MISSING", *tags]
    text = run("bcftools", "query", "-f", "\t".join(f"%{f}" for f in fields) + "\n",
               folder / "tags.bcf")  # fmt: skip
    found = pd.read_csv(
        io.StringIO(text), sep="\t", names=[*ROW, *fields[4:]], dtype={"chrom": str}
    )
    n_people = pd.Series(groups).value_counts()
    for d, group in enumerate(names):
        found[f"n_het_{d}"] = found[f"AC_Het_{group}"]
        found[f"n_hom_alt_{d}"] = found[f"AC_Hom_{group}"] // 2
        carriers = found[f"n_het_{d}"] + found[f"n_hom_alt_{d}"]
        found[f"n_hom_ref_{d}"] = found[f"NS_{group}"] - carriers
        found[f"n_missing_{d}"] = n_people[group] - found[f"NS_{group}"]
    return found


def assert_same_counts(cohort: Cohort, expected: pd.DataFrame, where: np.ndarray) -> None:
    """The rows `where` of a cohort have the counts of `expected`, whatever its order."""
    ours = counts(cohort)
    table = variants(cohort)[ROW]
    for name in GENOTYPES:
        for d in range(len(cohort.diagnoses)):
            table[f"{name}_{d}"] = ours[name][:, d]
    table = table[where].sort_values(ROW).reset_index(drop=True)
    expected = expected[table.columns].sort_values(ROW).reset_index(drop=True)
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)


def status() -> dict[str, str]:
    people = pd.read_csv(shared_data("uwgac-1kg/phenotypes.tsv"), sep="\t", dtype=str)
    return dict(zip(people["sample_id"], people["status"], strict=True))


def test_reference__norm_and_fill_tags(uwgac_reference, tmp_path):
    found = filled_tags(shared_data(UWGAC[0]), status(), tmp_path)
    autosomes = (variants(uwgac_reference)["region"] == "autosome").to_numpy()
    assert autosomes.sum() == len(found) == 25_161
    assert_same_counts(uwgac_reference, found, autosomes)
    # The derived figures of the brief: AC, AN, F_MISSING over everybody.
    ours = {name: value[autosomes].sum(1) for name, value in counts(uwgac_reference).items()}
    table = variants(uwgac_reference)[autosomes][ROW].assign(
        AC=ours["n_het"] + 2 * ours["n_hom_alt"],
        AN=2 * (ours["n_hom_ref"] + ours["n_het"] + ours["n_hom_alt"]),
        F_MISSING=ours["n_missing"] / 1126,
    )
    expected = found[table.columns].sort_values(ROW).reset_index(drop=True)
    table = table.sort_values(ROW).reset_index(drop=True)
    pd.testing.assert_frame_equal(table, expected, check_dtype=False, atol=1e-6)


@pytest.fixture(scope="module")
def printed() -> tuple[dict[str, int], np.ndarray, np.ndarray]:
    """Place of each site, and the alleles uint8 (n_sites, n_people) of the unsplit text."""
    vcf = shared_data(UWGAC[0])
    text = run("bcftools", "query", "-f", "[%GT\t]\n", vcf).encode()
    calls = np.frombuffer(text, np.uint8).reshape(-1, 1126 * 4 + 1)[:, :-1].reshape(-1, 1126, 4)
    assert set(np.unique(calls[:, :, 1]).tolist()) <= {ord("|"), ord("/")}  # all diploid
    first, second = (calls[:, :, i] - np.uint8(ord("0")) for i in (0, 2))
    assert max(first.max(), second.max()) < 9  # no missing call, one digit an allele
    sites = run("bcftools", "query", "-f", "%CHROM:%POS:%REF\n", vcf).split()
    place = {key: i for i, key in enumerate(sites)}
    assert len(place) == len(calls)
    return place, first, second


@pytest.mark.parametrize("rule", ["missing", "reference"])
def test_either_rule__tally_of_the_unsplit_text(rule, request, printed):
    """An independent tally of the printed GT, under both rules."""
    cohort = request.getfixturevalue(f"uwgac_{rule}")
    place, a, b = printed
    groups = cohort.samples["diagnosis"].to_numpy()
    table = variants(cohort)
    autosomes = (table["region"] == "autosome").to_numpy()
    table = table[autosomes]
    keys = table["chrom"] + ":" + table["pos"].astype(str) + ":" + table["ref"]
    site = keys.map(place).to_numpy()
    k = table["alt_number"].to_numpy(np.uint8)[:, None]
    ours = counts(cohort)
    for d, group in enumerate(cohort.diagnoses):
        first, second = a[:, groups == group][site], b[:, groups == group][site]
        n_alt = (first == k).view(np.uint8) + (second == k)
        if rule == "missing":
            n_alt[((first != 0) & (first != k)) | ((second != 0) & (second != k))] = 3
        for code, name in enumerate(GENOTYPES):
            expected = np.count_nonzero(n_alt == code, axis=1)
            np.testing.assert_array_equal(ours[name][autosomes, d], expected)
        nonref = np.count_nonzero(first, axis=1) + np.count_nonzero(second, axis=1)
        np.testing.assert_array_equal(ours["site_n_nonref"][autosomes, d], nonref)
        np.testing.assert_array_equal(ours["site_n_called"][autosomes, d], sum(groups == group))
        np.testing.assert_array_equal(ours["site_n_missing"][autosomes, d], 0)


@pytest.mark.parametrize("rule", ["missing", "reference"])
def test_x__plink_freqx_by_sex_and_status(rule, request, tmp_path):
    cohort = request.getfixturevalue(f"uwgac_{rule}")
    vcf = shared_data(UWGAC[1])
    if rule == "reference":  # PLINK takes the commonest alternate and calls the others missing
        run("bcftools", "norm", "-m-", vcf, "-Oz", "-o", tmp_path / "x.vcf.gz")
        vcf = tmp_path / "x.vcf.gz"
    prefix = import_vcf(vcf, uwgac_people(), tmp_path / "x", "--split-x", "b37", "no-fail").prefix
    bim = read_bim(prefix)
    sex_counts = cohort.store.frame("SELECT * FROM sex_counts")
    table = variants(cohort)
    ours = table[table["region"].isin(["x", "par"])]
    row = {tuple(key): i for i, key in zip(ours.index, ours[ROW[1:]].to_numpy(), strict=True)}
    at = np.array([row[key] for key in zip(bim["pos"], bim["ref"], bim["alt"], strict=True)])
    np.testing.assert_array_equal((table.loc[at, "region"] == "par"), bim["chrom"] == 25)
    assert len(at) > 1000
    on_x = (bim["chrom"] == 23).to_numpy()
    by_index = sex_counts.set_index("variant_index").loc[at[on_x]]
    for d, who in enumerate(("controls", "cases")):
        for sex in ("male", "female"):
            keep = (f"--filter-{who}", f"--filter-{sex}s")
            plink("--bfile", prefix, *keep, "--freqx", "--out", tmp_path / "f")
            theirs = pd.read_csv(tmp_path / "f.frqx", sep="\t")[on_x]
            mine = by_index[[f"{name}_{d}_{sex}" for name in GENOTYPES]].to_numpy()
            if sex == "male":
                expected = theirs[["C(HAP A2)", "C(HET)", "C(HAP A1)", "C(MISSING)"]]
            else:
                expected = theirs[["C(HOM A2)", "C(HET)", "C(HOM A1)", "C(MISSING)"]]
            np.testing.assert_array_equal(mine, expected.to_numpy())
        plink("--bfile", prefix, f"--filter-{who}", "--freqx", "--out", tmp_path / "f")
        theirs = pd.read_csv(tmp_path / "f.frqx", sep="\t")
        both = theirs[["C(HOM A2)", "C(HET)", "C(HOM A1)", "C(MISSING)"]].to_numpy()
        both[:, 0] += theirs["C(HAP A2)"]
        both[:, 2] += theirs["C(HAP A1)"]
        everybody = np.stack([counts(cohort)[name][at, d] for name in GENOTYPES], axis=1)
        np.testing.assert_array_equal(everybody, both)


def read_bim(prefix: Path) -> pd.DataFrame:
    names = ["chrom", "id", "cm", "pos", "alt", "ref"]
    return pd.read_csv(f"{prefix}.bim", sep=r"\s+", names=names, dtype={"alt": str, "ref": str})


@pytest.mark.parametrize("file", WITH_DEPTH)
def test_mean_depth__vcftools(file, with_depth, tmp_path):
    cohort = with_depth(file)
    theirs = vcftools(file, tmp_path, "ldepth.mean", "--site-mean-depth")
    first = (variants(cohort)["alt_number"] == 1).to_numpy()
    ours = {name: value[first].sum(1) for name, value in counts(cohort).items()}
    np.testing.assert_array_equal(variants(cohort)["pos"][first], theirs["POS"])
    mean = ours["depth_sum"] / ours["depth_n"]
    np.testing.assert_allclose(mean, theirs["MEAN_DEPTH"], rtol=1e-5)


def vcftools(file: str, folder: Path, suffix: str, *options: str) -> pd.DataFrame:
    kind = "--gzvcf" if file.endswith(".gz") else "--vcf"
    run("vcftools", kind, shared_data(file), *options, "--out", folder / "v")
    return pd.read_csv(folder / f"v.{suffix}", sep="\t")


@pytest.mark.parametrize("file", WITH_DEPTH)
def test_first_round__vcftools_site_list(file, with_depth, tmp_path):
    """`--non-ref-ac` asks it of every alternate of a site, `-any` of the site, as we do.

    `--min-meanDP` divides by everybody, `--site-mean-depth` by those who have a depth, as we do;
    the two agree where nobody lacks one.
    """
    options = ["--non-ref-ac-any", "1", "--max-missing", "0.9"]
    mean = vcftools(file, tmp_path, "ldepth.mean", *options, "--site-mean-depth")
    expected = mean["POS"][mean["MEAN_DEPTH"] >= 8].to_numpy()
    cohort = with_depth(file)
    settings = QualitySettings(qual_above=None, drop_sex_chromosomes=False, drop_indels=False)
    filtered = filter_variants(cohort, settings)
    steps = {step.step: step for step in filtered.steps}
    assert steps["split"].variants + steps["split"].removed == len(expected)
    table = variants(cohort)
    kept = filtered.removed_by > STEPS.index("split")
    first_round = kept & (table["alt_number"] == 1)
    np.testing.assert_array_equal(table["pos"][first_round], expected)
    assert 0 < len(expected) < (table["alt_number"] == 1).sum()
    options += ["--min-meanDP", "8", "--kept-sites"]
    theirs = vcftools(file, tmp_path, "kept.sites", *options)["POS"]
    assert set(theirs) <= set(expected)
    if file != "hail/sample2.vcf":
        np.testing.assert_array_equal(theirs, expected)


@pytest.mark.parametrize("file", WITH_DEPTH[1:])
def test_mean_gq__tally_of_bcftools_query(file, with_depth):
    cohort = with_depth(file)
    text = run("bcftools", "query", "-f", "[%GQ ]\n", shared_data(file))
    rows = [[float(x) for x in line.split() if x != "."] for line in text.splitlines()]
    first = (variants(cohort)["alt_number"] == 1).to_numpy()
    ours = {name: value[first].sum(1) for name, value in counts(cohort).items()}
    np.testing.assert_array_equal(ours["gq_sum"], [sum(row) for row in rows])
    np.testing.assert_array_equal(ours["gq_n"], [len(row) for row in rows])


@pytest.mark.parametrize(
    ("settings", "mask"),
    [
        ({"min_genotype_depth": 10}, "FMT/DP<10"),
        ({"min_genotype_gq": 20}, "FMT/GQ<20"),
        ({"min_genotype_depth": 4, "min_genotype_gq": 15}, "FMT/DP<4 | FMT/GQ<15"),
    ],
)
def test_genotype_masks__bcftools_setgt(settings, mask, with_depth, tmp_path):
    file = "hail/sample2.vcf"
    cohort = with_depth(file, **settings)
    groups = thirds(run("bcftools", "query", "-l", shared_data(file)).split())
    plugin = ("+setGT", "-t", "q", "-n", ".", "-i", mask)
    vcf = declared(file, tmp_path)
    found = filled_tags(vcf, groups, tmp_path, *plugin)
    unmasked = filled_tags(vcf, groups, tmp_path)
    assert found["n_missing_0"].sum() > unmasked["n_missing_0"].sum()
    assert_same_counts(cohort, found, np.ones(len(found), bool))


def per_sample_counts(vcf: Path) -> pd.DataFrame:
    """Return the PSC table of `bcftools stats`; its singletons are alleles in one person."""
    text = run("bcftools", "stats", "-s", "-", vcf)
    rows = [line.split("\t") for line in text.splitlines() if line.startswith("PSC")]
    names = ["psc", "id", "sample_id", "hom_ref", "hom_alt", "het", "ts", "tv", "indels", "depth",
             "singletons", "hap_ref", "hap_alt", "missing"]  # fmt: skip
    return pd.DataFrame(rows, columns=names)


@pytest.mark.parametrize("file", [*WITH_DEPTH, UWGAC[0]])
def test_people__bcftools_stats_and_plink2_missing(file, request, with_depth, tmp_path):
    is_uwgac = file == UWGAC[0]
    cohort = request.getfixturevalue("uwgac_reference") if is_uwgac else with_depth(file)
    split = tmp_path / "split.vcf.gz"
    run("bcftools", "norm", "-m-", declared(file, tmp_path), "-Oz", "-o", split)
    theirs = per_sample_counts(split)
    run("bcftools", "+fill-tags", split, "-Ou", "-o", tmp_path / "ac.bcf", "--", "-t", "AC")
    once = tmp_path / "once.bcf"
    run("bcftools", "view", "-i", "AC=1", tmp_path / "ac.bcf", "-Ou", "-o", once)
    theirs["singletons"] = per_sample_counts(once)["singletons"]
    ours = cohort.samples
    np.testing.assert_array_equal(ours["sample_id"], theirs["sample_id"])
    for mine, name in (
        ("n_hom_alt", "hom_alt"),
        ("n_het", "het"),
        ("n_transition", "ts"),
        ("n_transversion", "tv"),
        ("n_singleton", "singletons"),
        ("n_missing", "missing"),
    ):
        np.testing.assert_array_equal(ours[mine], theirs[name].astype(int), err_msg=mine)
    if not is_uwgac:
        text = run("bcftools", "query", "-f", "[%DP ]\n", shared_data(file))
        depth = [[int(x) if x != "." else -1 for x in line.split()] for line in text.splitlines()]
        depth = np.array(depth)
        np.testing.assert_array_equal(ours["depth_sum"], np.where(depth >= 0, depth, 0).sum(0))
        np.testing.assert_array_equal(ours["depth_n"], (depth >= 0).sum(0))
    run("plink2", "--vcf", split, "--double-id", "--allow-extra-chr", "--missing",
        "sample-only", "--threads", "1", "--out", tmp_path / "m")  # fmt: skip
    smiss = pd.read_csv(tmp_path / "m.smiss", sep="\t")
    np.testing.assert_array_equal(ours["n_missing"], smiss["MISSING_CT"])
    np.testing.assert_array_equal(ours["n_called"] + ours["n_missing"], smiss["OBS_CT"])


def test_people_on_x__plink_recode(uwgac_reference, tmp_path):
    """Heterozygous and called genotypes on X outside the pseudo-autosomal regions."""
    require_tool("plink1.9")
    run("bcftools", "norm", "-m-", shared_data(UWGAC[1]), "-Oz", "-o", tmp_path / "x.vcf.gz")
    whole = import_vcf(
        tmp_path / "x.vcf.gz", uwgac_people(), tmp_path / "x", "--split-x", "b37", "no-fail"
    )
    on_x = whole.genotypes[whole.chrom == 23]
    samples = uwgac_reference.samples
    np.testing.assert_array_equal(samples["sample_id"], whole.fam["id"])
    np.testing.assert_array_equal(samples["n_x_het"], (on_x == 1).sum(0))
    np.testing.assert_array_equal(samples["n_x_called"], (on_x != 3).sum(0))
    assert set(samples["sex"]) == set(SEXES[:2])
