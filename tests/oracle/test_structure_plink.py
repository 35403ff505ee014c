"""Pruning, components and kinship equal PLINK 2's on the same people and variants."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import cross_val_predict

from pipeline.cohort import Cohort
from pipeline.settings.structure import StructureSettings
from pipeline.structure import Structure, build_structure
from pipeline.structure.regions import LONG_RANGE_LD_MB
from tests.conftest import UWGAC
from tests.small_cohorts import run
from tests.test_structure import family_cohort
from tests.tools import shared_data

CONTINENT = {
    "YRI": "Africa", "LWK": "Africa", "CEU": "Europe", "GBR": "Europe", "CHB": "East Asia",
    "JPT": "East Asia", "GIH": "South Asia",
}  # fmt: skip
MIN_KINSHIP = 0.02  # well among strangers, so that many pairs are compared


class Case:
    """A cohort of ours, and the same VCF imported by PLINK with ids chrom_pos_ref_alt."""

    def __init__(self, folder: Path, cohort: Cohort, vcf: Path, **settings: object):
        self.folder, self.cohort = folder, cohort
        self.settings = StructureSettings(min_kinship=MIN_KINSHIP, **settings)
        self.prefix = folder / "all"
        run("plink2", "--vcf", vcf, "--autosome", "--snps-only", "just-acgt", "--max-alleles", "2",
            "--set-all-var-ids", "@_#_$r_$a", "--vcf-half-call", "missing",
            "--maf", self.settings.min_maf, "--geno", self.settings.max_missing,
            "--threads", "1", "--make-pgen", "--out", self.prefix)  # fmt: skip
        cache = cohort.store.path.parents[2]
        self.found: Structure = build_structure(cache, cohort.name, self.settings)
        rows = cohort.store.rows(
            "SELECT replace(chrom, 'chr', '') || '_' || pos || '_' || ref || '_' || alt "
            "FROM variants ORDER BY variant_index"
        )
        self.ids = np.array([name for (name,) in rows])[self.found.variants]
        self.people = cohort.samples["sample_id"].tolist()
        self.extract = folder / "ours.txt"
        self.extract.write_text("\n".join(self.ids) + "\n")

    def plink(self, *arguments: object, out: str) -> Path:
        """Run PLINK on our pruned variants; return the prefix of what it wrote."""
        target = self.folder / out
        run("plink2", "--pfile", self.prefix, "--extract", self.extract, "--threads", "1",
            *arguments, "--out", target)  # fmt: skip
        return target


@pytest.fixture(scope="module", params=["families", "uwgac"])
def case(request, tmp_path_factory) -> Case:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "families":
        cohort, _ = family_cohort(folder)
        return Case(folder, cohort, folder / "small.vcf", drop_long_range_ld=False, max_r2=0.1)
    cohort = request.getfixturevalue("uwgac_reference")
    return Case(folder, cohort, shared_data(UWGAC[0]))


def test_the_same_variants_stay__indep_pairwise(case):
    regions = case.folder / "regions.bed"
    lines = [
        f"{chrom} {first * 1e6:.0f} {last * 1e6:.0f} r\n" for chrom, first, last in
        (LONG_RANGE_LD_MB["hg19"] if case.settings.drop_long_range_ld else ())
    ]  # fmt: skip
    regions.write_text("".join(lines))
    drop = ("--exclude", "bed1", regions) if lines else ()
    target = case.folder / "pruned"
    run("plink2", "--pfile", case.prefix, *drop, "--threads", "1", "--indep-pairwise",
        case.settings.ld_window, "1", case.settings.max_r2, "--out", target)  # fmt: skip
    theirs = Path(f"{target}.prune.in").read_text().split()
    assert case.found.n_candidates > len(case.ids) + 50  # there was something to prune
    assert len(theirs) == len(case.ids)
    assert set(theirs) == set(case.ids)


def test_leading_components__pca(case):
    target = case.plink("--pca", "10", "meanimpute", out="pca")
    theirs = pd.read_csv(f"{target}.eigenvec", sep=r"\s+", dtype={"#IID": str, "IID": str})
    theirs = theirs.set_index(theirs.columns[0]).loc[case.people].to_numpy()
    values = np.loadtxt(f"{target}.eigenval")
    np.testing.assert_allclose(case.found.eigenvalues, values, rtol=1e-3)
    has_gap = (values[:-1] / values[1:] > 1.05) & (np.append(np.inf, values[:-2] / values[1:-1])
                                                   > 1.05)  # fmt: skip
    n_leading = int(np.argmin(has_gap)) if not has_gap.all() else len(has_gap)
    assert n_leading >= 2
    for k in range(n_leading):
        correlation = np.corrcoef(case.found.components[:, k], theirs[:, k])[0, 1]
        assert abs(correlation) > 0.999, (k, correlation)


def test_kinship__make_king_table(case):
    target = case.plink(
        "--make-king-table", "counts", "--king-table-filter", MIN_KINSHIP, out="king"
    )
    theirs = pd.read_csv(f"{target}.kin0", sep="\t", dtype={"#IID1": str, "IID2": str})
    index = {name: i for i, name in enumerate(case.people)}
    pairs = [
        tuple(sorted((index[a], index[b])))
        for a, b in zip(theirs["#IID1"], theirs["IID2"], strict=True)
    ]
    theirs.index = pd.MultiIndex.from_tuples(pairs)
    ours = case.found.relatives
    ours = pd.DataFrame(
        {"kinship": ours.kinship, "ibs0": ours.ibs0, "n_variants": ours.n_variants},
        index=pd.MultiIndex.from_arrays([ours.first, ours.second]),
    )
    assert len(ours) > 30
    assert set(ours.index) == set(theirs.index)
    theirs = theirs.loc[ours.index]
    np.testing.assert_array_equal(ours["n_variants"], theirs["NSNP"])
    np.testing.assert_allclose(ours["ibs0"] * ours["n_variants"], theirs["IBS0"], rtol=1e-9)
    np.testing.assert_allclose(ours["kinship"], theirs["KINSHIP"], atol=1e-5)


def test_nobody_left_is_related__king_cutoff(case):
    """PLINK finds no pair above the cut among the people whom we keep."""
    gone = set(case.found.to_leave_out(0.0884).tolist())
    keep = case.folder / "keep.txt"
    keep.write_text("\n".join(p for i, p in enumerate(case.people) if i not in gone) + "\n")
    target = case.plink(
        *("--keep", keep, "--make-king-table", "--king-table-filter", "0.0884"), out="left"
    )
    assert len(pd.read_csv(f"{target}.kin0", sep="\t")) == 0
    assert 0 < len(gone) < len(case.people) / 3


def test_components_separate_the_populations_of_1000_genomes(uwgac_reference):
    cache = uwgac_reference.store.path.parents[2]
    found = build_structure(cache, uwgac_reference.name)
    table = pd.read_csv(shared_data("uwgac-1kg/phenotypes.tsv"), sep="\t")
    population = table.set_index("sample_id")["population"].loc[
        uwgac_reference.samples["sample_id"]
    ]
    continent = population.map(CONTINENT)
    known = continent.notna().to_numpy()
    scores, labels = found.components[known, :4], continent[known].to_numpy()
    rules = LinearDiscriminantAnalysis()
    guessed = cross_val_predict(rules, scores, labels, cv=5)
    assert (guessed == labels).mean() > 0.99
    shuffled = np.random.default_rng(1).permutation(labels)
    assert (cross_val_predict(rules, scores, shuffled, cv=5) == shuffled).mean() < 0.5
    # The admixed lie between: Mexicans from Los Angeles nearer to neither Africa nor East Asia.
    first = pd.Series(found.components[:, 0]).groupby(population.to_numpy()).mean()
    low, high = sorted((first["YRI"], first["CEU"]))
    assert low < first["ASW"] < high
    assert low < first["ACB"] < high
