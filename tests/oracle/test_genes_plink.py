"""Carriers and burdens of genes equal what PLINK 1.9 gives for the same stretches.

PLINK cuts out each gene, keeps the rare variants, and counts the minor allele that it finds itself;
the burden is its Fisher test of a pseudo-variant that a carrier has one copy of.
"""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pandas as pd
import pytest

from pipeline.annotation import annotate
from pipeline.association import associate
from pipeline.cohort import open_cohort
from pipeline.genes import gene_table
from pipeline.ingest import ingest
from pipeline.quality import filter_variants
from pipeline.settings import GeneSettings, IngestSettings, QualitySettings
from tests.conftest import UWGAC
from tests.oracle.test_plink_statistics import import_vcf, plink, uwgac_people
from tests.small_cohorts import run
from tests.tools import shared_data

KEEP_ALL = QualitySettings(qual_above=None, min_mean_depth=None, min_call_rate=None,
                           drop_indels=False, drop_sex_chromosomes=False)  # fmt: skip
MAX_MAF = 0.05


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    cache = tmp_path_factory.mktemp("genes")
    table = shared_data("uwgac-1kg/phenotypes.tsv")
    settings = IngestSettings(other_alleles="reference")
    ingest(cache, "u", [shared_data(file) for file in UWGAC], table, settings)
    annotate(cache, "u", shared_data("annot/genes-v36-hg19.bed"))
    cohort = open_cohort(cache, "u")
    with closing(cohort.store):
        filtered = filter_variants(cohort, KEEP_ALL)
        return gene_table(cohort, filtered, associate(cohort, filtered),
                          GeneSettings(max_maf=MAX_MAF))  # fmt: skip


@pytest.fixture(scope="module", params=UWGAC, ids=["autosomes", "x"])
def theirs(request, ours, tmp_path_factory) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Our genes of one file, and PLINK's carriers (cases, controls) and p of each."""
    folder = tmp_path_factory.mktemp("plink")
    run("bcftools", "norm", "-m-", shared_data(request.param), "-Oz", "-o", folder / "s.vcf.gz")
    is_x = "chrX" in request.param
    options = ("--split-x", "b37", "no-fail") if is_x else ()
    prefix = import_vcf(folder / "s.vcf.gz", uwgac_people(), folder / "p", *options).prefix
    genes = ours.table[(ours.table["chrom"] == "X") == is_x]
    genes = genes[genes["n_qualifying"] > 0].nlargest(12, "n_qualifying")
    assert len(genes) >= 5
    bim = pd.read_csv(f"{prefix}.bim", sep=r"\s+", header=None, dtype={0: str})
    bim[1] = [f"v{i}" for i in range(len(bim))]  # the split rows of a site share a name
    bim.to_csv(f"{prefix}.bim", sep="\t", header=False, index=False)
    run("plink1.9", "--bfile", prefix, "--freq", "--nonfounders", "--out", folder / "freq")
    maf = pd.read_csv(folder / "freq.frq", sep=r"\s+")["MAF"].to_numpy()
    chrom = bim[0].replace({"23": "X", "25": "X"})
    carriers = {}
    for row in genes.itertuples():
        ends = bim[3] + bim[5].str.len() - 1  # a deletion lies in a gene with any of its bases
        inside = (chrom == row.chrom) & (bim[3] <= row.gene_end) & (ends >= row.gene_start)
        chosen = bim[1][inside & (maf > 0) & (maf <= MAX_MAF)]
        assert len(chosen) == row.n_qualifying, row.gene
        (folder / "ids").write_text("\n".join(chosen) + "\n")
        run("plink1.9", "--bfile", prefix, "--extract", folder / "ids", "--recode", "A",
            "--out", folder / "one")  # fmt: skip
        raw = pd.read_csv(folder / "one.raw", sep=r"\s+", na_values="NA")
        carriers[row.gene] = (raw.iloc[:, 6:] > 0).any(axis=1)
    rows = []
    ids = raw[["FID", "IID", "PAT", "MAT", "SEX", "PHENOTYPE"]]
    calls = pd.DataFrame(
        {(gene, copy): np.where(has, "C" if copy else "A", "A")
         for gene, has in carriers.items() for copy in (0, 1)}
    )  # fmt: skip
    pd.concat([ids, calls], axis=1).to_csv(folder / "g.ped", sep=" ", header=False, index=False)
    pd.DataFrame({"c": 1, "id": list(carriers), "cm": 0, "p": range(1, len(carriers) + 1)}).to_csv(
        folder / "g.map", sep=" ", header=False, index=False
    )
    plink("--file", folder / "g", "--model", "fisher", "--cell", 0, "--out", folder / "g")
    model = pd.read_csv(folder / "g.model", sep=r"\s+")
    # Nobody has two copies, so that Fisher's test of genotypes is that of carriers.
    for gene, has in carriers.items():
        test = model[(model["SNP"] == gene) & (model["TEST"] == "GENO")].iloc[0]
        n_all = [sum(map(int, test[role].split("/"))) for role in ("AFF", "UNAFF")]
        is_case = raw["PHENOTYPE"] == 2
        rows.append((gene, int((has & is_case).sum()), int((has & ~is_case).sum()), test["P"],
                     *n_all))  # fmt: skip
    columns = ["gene", "n_case", "n_control", "p", "n_all_case", "n_all_control"]
    return genes.set_index("gene"), pd.DataFrame(rows, columns=columns).set_index("gene")


def test_carriers(theirs):
    ours, plink_table = theirs
    np.testing.assert_array_equal(ours["n_case_carriers"], plink_table["n_case"])
    np.testing.assert_array_equal(ours["n_control_carriers"], plink_table["n_control"])


def test_burden(ours, theirs):
    table, plink_table = theirs
    assert (plink_table["n_all_case"] == ours.n_case).all()
    assert (plink_table["n_all_control"] == ours.n_control).all()
    np.testing.assert_allclose(10 ** -table["burden_neg_log10_p"], plink_table["p"], rtol=1e-3)
