"""Cohorts of the shared real data, ingested once for all tests."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.cohort import Cohort, open_cohort
from pipeline.ingest import ingest
from pipeline.settings import IngestSettings
from tests.small_cohorts import run, write_phenotypes
from tests.tools import shared_data

UWGAC = ("uwgac-1kg/1KG_phase3_subset_autosomes.vcf.gz", "uwgac-1kg/1KG_phase3_subset_chrX.vcf.gz")


@pytest.fixture(scope="module", autouse=True)
def light_heap() -> Iterator[None]:
    """What a module of tests leaves behind is not searched for garbage ever after.

    Keras collects garbage with every network that it forgets; after three thousand tests of one
    process each time took seconds.
    """
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def real_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache folder of the cohorts below."""
    return tmp_path_factory.mktemp("real")


@pytest.fixture(scope="session")
def uwgac_reference(real_cache: Path) -> Cohort:
    """1000 Genomes, autosomes and X, status as diagnosis; other alleles count as reference."""
    return _uwgac(real_cache, "reference")


@pytest.fixture(scope="session")
def uwgac_missing(real_cache: Path) -> Cohort:
    """As `uwgac_reference`, but a call with another allele is missing (the paper)."""
    return _uwgac(real_cache, "missing")


def _uwgac(cache: Path, other_alleles: str) -> Cohort:
    settings = IngestSettings(other_alleles=other_alleles)
    name = f"uwgac-{other_alleles}"
    files = [shared_data(file) for file in UWGAC]
    ingest(cache, name, files, shared_data("uwgac-1kg/phenotypes.tsv"), settings)
    return open_cohort(cache, name)


@pytest.fixture(scope="session")
def with_depth(real_cache: Path) -> Callable[..., Cohort]:
    """Return a function that gives a cohort of a real file with DP; every third is a case."""
    made: dict[str, Cohort] = {}

    def give(file: str, **settings) -> Cohort:
        name = f"{Path(file).name}-{'-'.join(f'{k}{v}' for k, v in settings.items())}"
        if name not in made:
            people = run("bcftools", "query", "-l", shared_data(file)).split()
            table = write_phenotypes(real_cache / f"{name}.tsv", thirds(people))
            chosen = {"other_alleles": "reference"} | settings
            ingest(real_cache, name, [shared_data(file)], table, IngestSettings(**chosen))
            made[name] = open_cohort(real_cache, name)
        return made[name]

    return give


def thirds(people: list[str]) -> dict[str, str]:
    """Return a diagnosis for each person: case, control, control, case, …"""
    return {s: "control" if i % 3 else "case" for i, s in enumerate(people)}
