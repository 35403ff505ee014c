"""`associate --out` equals PLINK 1.9 for every variant that PLINK tests, X included."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline.annotation import annotate
from pipeline.cli import main
from tests.conftest import UWGAC
from tests.oracle.test_plink_statistics import (
    PLINK_TEST,
    assert_as_printed,
    import_vcf,
    plink,
    read_table,
    uwgac_people,
)
from tests.small_cohorts import run
from tests.tools import shared_data

COLUMNS = (
    "chromosome base_pair_location variant_id rsid effect_allele other_allele odds_ratio ci_lower "
    "ci_upper standard_error effect_allele_frequency p_value neg_log_10_p_value statistic df n "
    "n_case_hom_ref n_case_het n_case_hom_alt n_control_hom_ref n_control_het n_control_hom_alt "
    "gene"
).split()
COUNTS = [c for c in COLUMNS if c.startswith("n_c")]
KEEP_ALL = (
    "quality.qual_above=off", "quality.drop_sex_chromosomes=no", "quality.drop_indels=no",
)  # fmt: skip


@pytest.fixture(scope="module")
def written(uwgac_reference, real_cache, tmp_path_factory) -> dict[str, tuple[pd.DataFrame, dict]]:
    """The table and the JSON of each test, by way of the command line, with genes."""
    folder = tmp_path_factory.mktemp("written")
    uwgac_reference.store.close()
    annotate(real_cache, uwgac_reference.name, shared_data("annot/genes-v36-hg19.bed"))
    found = {}
    for test in ("genotypic", "genotypic_df4", "allelic", "trend"):
        out = folder / f"{test}.tsv"
        said = folder / f"{test}.json"
        arguments = ["associate", uwgac_reference.name, "--cache", str(real_cache), "--json"]
        arguments += ["--test", test, "--out", str(out), "--set", *KEEP_ALL]
        with pytest.MonkeyPatch.context() as patch, said.open("w") as stdout:
            patch.setattr("sys.stdout", stdout)
            assert main(arguments) == 0
        table = pd.read_csv(
            out, sep="\t", na_values="#NA", keep_default_na=False, dtype={"chromosome": str}
        )
        found[test] = table, json.loads(said.read_text())
    return found
