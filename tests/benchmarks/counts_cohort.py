"""A cohort of synthetic counts at the size of the Swedish study, without genotypes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline import files, schema, store
from pipeline.cohort import CURRENT, cohorts_dir
from pipeline.settings import IngestSettings, PeopleSettings

PEOPLE = {"BP": 1166, "SCZ": 4969, "control": 6245}


def write_counts_cohort(cache: Path, name: str, n_variants: int, seed: int = 1) -> None:
    """Make the cohort `name`: the paper's people, variants over 1-22 and X, half singletons."""
    rng = np.random.default_rng(seed)
    order = np.sort(rng.integers(1, 24, n_variants)).astype(np.uint8)
    pos = np.empty(n_variants, np.uint32)
    for chrom in range(1, 24):
        here = order == chrom
        pos[here] = np.sort(rng.integers(1, 240_000_000, here.sum()))
    names = np.array(["", *map(str, range(1, 23)), "X"])
    frequency = np.where(
        rng.random(n_variants) < 0.5, 4e-5, 10 ** rng.uniform(-4, -0.3, n_variants)
    )
    target = cohorts_dir(cache) / name / "cohort-synthetic.duckdb"
    variants = pa.table(
        {
            "variant_index": pa.array(np.arange(n_variants), pa.uint32()),
            "chrom": names[order],
            "chrom_order": order,
            "pos": pos,
            "rsid": pa.nulls(n_variants, pa.string()),
            "ref": np.full(n_variants, "A"),
            "alt": np.where(rng.random(n_variants) < 0.06, "AT", "G"),
            "qual": rng.gamma(2.0, 300.0, n_variants).astype(np.float32),
            "filter": np.where(rng.random(n_variants) < 0.97, "PASS", "VQSRTrancheSNP99.00to99.90"),
            "kind": np.where(rng.random(n_variants) < 0.06, "indel", "snp"),
            "region": np.where(order == 23, "x", "autosome"),
            "alt_number": pa.array(np.ones(n_variants), pa.uint16()),
            "n_alts": pa.array(np.ones(n_variants), pa.uint16()),
        }
    )
    counts = {}
    mean_depth = rng.gamma(9.0, 4.0, n_variants)
    missing_rate = np.where(rng.random(n_variants) < 0.1, rng.uniform(0, 0.4, n_variants), 0.01)
    for d, n in enumerate(PEOPLE.values()):
        n_missing = rng.binomial(n, missing_rate)
        called = n - n_missing
        n_hom_alt = rng.binomial(called, frequency**2)
        n_het = rng.binomial(called - n_hom_alt, 2 * frequency * (1 - frequency))
        for column, values in {
            "n_hom_ref": called - n_hom_alt - n_het, "n_het": n_het, "n_hom_alt": n_hom_alt,
            "n_missing": n_missing, "depth_sum": (mean_depth * n).astype(np.int64),
            "depth_n": np.full(n_variants, n), "gq_sum": np.full(n_variants, 60 * n),
            "gq_n": np.full(n_variants, n), "site_n_called": called, "site_n_missing": n_missing,
            "site_n_nonref": n_het + 2 * n_hom_alt,
        }.items():  # fmt: skip
            counts[f"{column}_{d}"] = pa.array(values, pa.uint32())
    certificate = {
        "kind": "cohort",
        "fingerprint": "synthetic",
        "settings": IngestSettings().model_dump(mode="json"),
        "people": PeopleSettings().model_dump(mode="json"),
        "sources": [],
        "has_depth": True,
        "has_gq": True,
        "n_without_phenotype": 0,
        "n_without_genotypes": 0,
        "made": "2026-01-01T00:00:00",
    }
    with store.create(target, certificate) as writer:
        for table, columns in (
            ("samples", schema.SAMPLES),
            ("diagnoses", schema.DIAGNOSES),
            ("variants", schema.VARIANTS),
            ("counts", schema.counts_columns(len(PEOPLE))),
            ("sex_counts", schema.sex_counts_columns(len(PEOPLE))),
            ("genotypes", schema.GENOTYPES),
        ):
            writer.run(schema.ddl(table, columns))
        writer.insert(
            "diagnoses",
            pa.table(
                {
                    "diagnosis_index": range(len(PEOPLE)),
                    "diagnosis": list(PEOPLE),
                    "n_people": list(PEOPLE.values()),
                }
            ),
        )
        writer.insert("variants", variants)
        writer.insert("counts", pa.table(counts))
        on_x = np.flatnonzero(order == 23)
        writer.insert("sex_counts", _sex_counts(counts, on_x))
    files.write_json(
        target.parent / CURRENT,
        {"cohort": target.name, "fingerprint": "synthetic", "annotation": None},
    )


def _sex_counts(counts: dict[str, pa.Array], on_x: np.ndarray) -> pa.Table:
    """Return the counts on X with everybody female: enough for the work to be real."""
    columns = {"variant_index": pa.array(on_x, pa.uint32())}
    for d in range(len(PEOPLE)):
        for sex in schema.SEXES:
            for row in schema.GENOTYPE_ROWS:
                whole = counts[f"n_{row}_{d}"].to_numpy()[on_x]
                values = whole if sex == "female" else np.zeros_like(whole)
                columns[f"n_{row}_{d}_{sex}"] = pa.array(values, pa.uint32())
    return pa.table(columns)
