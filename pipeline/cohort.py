"""Cohorts of a cache: opened, listed, removed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import files
from pipeline.errors import NotFoundError
from pipeline.people import CaseDefinition, define_cases
from pipeline.settings import PeopleSettings
from pipeline.store import Store

if TYPE_CHECKING:  # loaded by DuckDB when the first frame is asked for
    import pandas as pd

CURRENT = "current.json"


def cohorts_dir(cache: Path) -> Path:
    """Return the folder of all cohorts."""
    return cache / "cohorts"


@dataclass(frozen=True, eq=False)
class Cohort:
    """An opened cohort: its name, its files, and the people in it.

    `kept_people` bool (n_people,) says who counts, None where everybody does. `measures` is the
    memory of `pipeline.measures`.
    """

    name: str
    fingerprint: str
    store: Store
    kept_people: np.ndarray | None = None
    measures: dict[Any, Any] = field(init=False, default_factory=dict, repr=False)

    @property
    def cache(self) -> Path:
        """Return the cache that the cohort lies in."""
        return self.store.path.parents[2]

    @property
    def certificate(self) -> Mapping[str, Any]:
        """Return what made the cohort: sources, settings, build, versions."""
        return self.store.certificate

    @cached_property
    def samples(self) -> pd.DataFrame:
        """Return the people, in the order of every genotype BLOB (see `schema.SAMPLES`)."""
        return self.store.frame("SELECT * FROM samples ORDER BY sample_index")

    @cached_property
    def diagnoses(self) -> list[str]:
        """Return the diagnoses in the order of the numbered columns of `counts`."""
        rows = self.store.rows("SELECT diagnosis FROM diagnoses ORDER BY diagnosis_index")
        return [diagnosis for (diagnosis,) in rows]

    @cached_property
    def n_people(self) -> dict[str, int]:
        """Return the people of each diagnosis."""
        return dict(self.store.rows("SELECT diagnosis, n_people FROM diagnoses ORDER BY 1"))

    @cached_property
    def n_variants(self) -> int:
        """Return the number of split variants."""
        return self.store.rows("SELECT count(*) FROM variants")[0][0]

    @cached_property
    def n_without(self) -> tuple[int, int, int]:
        """Return the variants without QUAL, without FILTER, and neither SNP nor indel."""
        return self.store.rows(
            "SELECT count(*) FILTER (qual IS NULL), count(*) FILTER (filter IS NULL), "
            "count(*) FILTER (kind = 'other') FROM variants"
        )[0]

    @cached_property
    def haploid_variants(self) -> dict[str, np.ndarray]:
        """Return the indices of the variants on X outside the PAR (`x`) and on MT (`mt`)."""
        found = self.store.arrays(
            "SELECT variant_index, region = 'x' AS on_x FROM variants WHERE region IN ('x', 'mt')"
        )
        indices = found["variant_index"].astype(np.int64)
        return {"x": indices[found["on_x"]], "mt": indices[~found["on_x"]]}

    @property
    def has_genes(self) -> bool:
        """Say whether a gene table has been joined."""
        return bool(self.gene_table)

    @property
    def gene_table(self) -> str:
        """Return the name of the gene table that has been joined, "" for none."""
        joined = self.store.files.get("annotation")
        return joined.name if joined else ""

    def packed_genotypes(self, variants: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield indices (n,) and packed genotypes uint8 (n, packed_width) of variants, in pieces.

        `variants` are variant indices; pieces and their rows come in any order.
        """
        return self.store.blobs(
            "SELECT variant_index, genotypes FROM genotypes "
            "WHERE variant_index IN (SELECT wanted_index FROM wanted)",
            variants,
        )

    def sites(self, variants: np.ndarray) -> pd.DataFrame:
        """Return chrom, chrom_order, pos, rsid, ref, alt of variant indices, in their order."""
        found = self.store.frame_of(
            "SELECT variant_index, chrom, chrom_order, pos, rsid, ref, alt FROM variants "
            "WHERE variant_index IN (SELECT wanted_index FROM wanted)",
            variants,
        )
        return found.set_index("variant_index").loc[variants].reset_index()

    def define_cases(self, settings: PeopleSettings) -> CaseDefinition:
        """Return the role of each diagnosis; with nothing named, as named at ingest."""
        if settings == PeopleSettings():
            settings = PeopleSettings.model_validate(self.certificate["people"])
        return define_cases(self.n_people, settings)

    def is_in(self, diagnoses: tuple[str, ...]) -> np.ndarray:
        """Return which of the people that count have one of the diagnoses, bool (n_people,)."""
        found = self.samples["diagnosis"].isin(diagnoses).to_numpy()
        return found if self.kept_people is None else found & self.kept_people

    def diagnosis_numbers(self, diagnoses: tuple[str, ...]) -> list[int]:
        """Return the numbers of diagnoses in the columns of `counts`."""
        return [self.diagnoses.index(diagnosis) for diagnosis in diagnoses]

    def summary(self) -> dict[str, Any]:
        """Return what `cohorts --json` prints for one cohort."""
        return {
            "cohort": self.name,
            "fingerprint": self.fingerprint,
            "people": self.n_people,
            "variants": self.n_variants,
            "build": self.certificate["settings"]["build"],
        }


def open_cohort(cache: Path, name: str) -> Cohort:
    """Return the cohort of that name, opened read-only. Raises `NotFoundError`."""
    folder = cohorts_dir(cache) / files.safe_name(name)
    if not (folder / CURRENT).is_file():
        known = ", ".join(cohort_names(cache)) or "none"
        raise NotFoundError(
            f"There is no cohort {name} in this cache (there is {known}); ingest it first."
        )
    current = files.read_json(folder / CURRENT)
    attached = {"annotation": folder / current["annotation"]} if current.get("annotation") else {}
    return Cohort(name, current["fingerprint"], Store(folder / current["cohort"], attached))


def cohort_names(cache: Path) -> list[str]:
    """Return the names of the cohorts that are ready."""
    return sorted(path.parent.name for path in cohorts_dir(cache).glob(f"*/{CURRENT}"))


def delete_cohort(cache: Path, name: str) -> None:
    """Remove a cohort and its files; its runs stay."""
    folder = cohorts_dir(cache) / files.safe_name(name)
    if not folder.is_dir():
        raise NotFoundError(f"There is no cohort {name} in this cache; nothing was removed.")
    shutil.rmtree(folder)
