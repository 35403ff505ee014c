"""The association as GWAS-SSF v1: a table in the columns of the standard, and its meta file."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.association import write_association
from pipeline.errors import EmptyResultError, InputError
from pipeline.export.kept import Kept
from pipeline.export.staging import Staging
from pipeline.export.tested import METHODS, Tested, p_text, tested_of
from pipeline.progress import OnProgress

if TYPE_CHECKING:  # loaded by DuckDB when the first frame is asked for
    import pandas as pd

FIRST_COLUMNS = (
    "chromosome", "base_pair_location", "effect_allele", "other_allele", "odds_ratio",
    "standard_error", "effect_allele_frequency", "p_value",
)  # fmt: skip
_BASES = "[ACGT]+"
_ASSEMBLIES = {"hg19": "GRCh37", "hg38": "GRCh38"}


def ssf_names(out: Path) -> dict[str, Path]:
    """Return the table and its meta file."""
    if not out.name.endswith(".tsv"):
        raise InputError(
            f"A GWAS-SSF file is a table whose name ends in .tsv, but {out.name} was given; "
            "name it so."
        )
    return {"meta": out.with_name(f"{out.name}-meta.yaml"), "table": out}


def write_ssf(kept: Kept, staging: Staging, on_progress: OnProgress) -> list[str]:
    """Write what GWAS-SSF can hold; the effect allele is ALT.

    None of its first eight columns may be empty, and alleles are spelled in A, C, G, T.
    References: Hayhurst et al. 2022, A community driven GWAS summary statistics standard;
    GWAS-SSF v1.1.0, tables 1 and 2.
    """
    tested = tested_of(kept, on_progress)
    table, notes = _of_the_standard(tested.table)
    others = [
        name for name in table.columns
        if name not in {*FIRST_COLUMNS, "number", "case_frequency", "control_frequency"}
    ]  # fmt: skip
    write_association(table[[*FIRST_COLUMNS, *others]], staging.path("table"))
    _write_meta(kept, tested, staging)
    return [*tested.notes, *notes]


def _of_the_standard(tested: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows that the standard can hold, in its words, and what is left out."""
    is_spelled = tested["effect_allele"].str.fullmatch(_BASES) & tested[
        "other_allele"
    ].str.fullmatch(_BASES)
    has_effect = tested["odds_ratio"].notna() & tested["standard_error"].notna()
    reasons = {
        "with an allele that is not of A, C, G, T": ~is_spelled,
        "without an odds ratio (nobody has one of the alleles in a group)": (
            is_spelled & ~has_effect
        ),
    }
    notes = [
        f"{int(hit.sum()):,} variants {reason} are left out"
        for reason, hit in reasons.items()
        if hit.any()
    ]
    table = tested[is_spelled & has_effect].reset_index(drop=True)
    if not len(table):
        raise EmptyResultError(
            "GWAS-SSF holds variants with an odds ratio and alleles of A, C, G, T, but none of the "
            f"{len(tested):,} tested ones is such; loosen the thresholds."
        )
    number = table["number"].astype(str)
    table["chromosome"] = table["number"]
    table["variant_id"] = (
        number + "_" + table["base_pair_location"].astype(str) + "_" + table["other_allele"]
        + "_" + table["effect_allele"]
    )  # fmt: skip
    table["rsid"] = table["rsid"].where(table["rsid"].str.fullmatch("rs[0-9]+").eq(True))
    table["ref_allele"] = "OA"
    table["p_value"] = p_text(table["neg_log_10_p_value"].to_numpy())
    return table, notes


def _write_meta(kept: Kept, tested: Tested, staging: Staging) -> None:
    with staging.path("table").open("rb") as handle:
        digest = hashlib.file_digest(handle, "md5").hexdigest()
    n_case = int(kept.is_case.sum())
    definition = kept.filtered.definition
    trait = f"{' or '.join(definition.case)} against {' or '.join(definition.control)}"
    method = METHODS[tested.test]
    # A JSON string is a YAML string, whatever stands in it.
    lines = [
        "# The GWAS Catalog also wants genotyping_technology and, of each sample,",
        "# sample_ancestry_category: add what is known before it is submitted.",
        f"date_metadata_last_modified: {datetime.now(UTC).date().isoformat()}",
        "trait_description:",
        f"  - {json.dumps(trait, ensure_ascii=False)}",
        f"genome_assembly: {_ASSEMBLIES[kept.cohort.certificate['settings']['build']]}",
        "coordinate_system: 1-based",
        f"data_file_name: {json.dumps(staging.targets['table'].name, ensure_ascii=False)}",
        "file_type: GWAS-SSF v1.0",
        f"data_file_md5sum: {digest}",
        "is_harmonised: false",
        "is_sorted: true",
        f"analysis_software: {json.dumps(f'Exolens, {method}')}",
        *_listed("adjusted_covariates", tested.adjusted),
        "samples:",
        f"  - sample_size: {len(kept.people)}",
        "    case_control_study: true",
        f"    case_count: {n_case}",
        f"    control_count: {len(kept.people) - n_case}",
    ]
    staging.path("meta").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _listed(name: str, values: tuple[str, ...]) -> list[str]:
    if not values:
        return [f"{name}: []"]
    return [f"{name}:", *(f"  - {json.dumps(value, ensure_ascii=False)}" for value in values)]
