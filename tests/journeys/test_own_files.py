"""A study of one's own: folder, files, columns, errors in words, and a stop that leaves nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.cohort import cohort_names, cohorts_dir, open_cohort
from pipeline.settings.simulation import SimulationSettings
from pipeline.simulate import simulate
from tests.journeys.conftest import PATIENCE_S
from tests.journeys.visitor import Server, Visitor

pytestmark = pytest.mark.browser

N_PEOPLE, N_SITES = 2_000, 30_000  # long enough to be stopped


@pytest.fixture(scope="module")
def study(simulated: Server) -> Path:
    """A folder with a small study: columns that nobody could guess, and a file that is no VCF."""
    folder = simulated.data / "study"
    made = simulate(folder, SimulationSettings(people=200, genes=23))
    text = Path(made.phenotypes).read_text()
    renamed = text.replace("sample_id", "participant", 1).replace("diagnosis", "finding", 1)
    assert renamed != text
    Path(made.phenotypes).write_text(renamed)
    (folder / "letter.vcf").write_text("Dear colleague, the VCF will follow.\n")
    return folder


def _open_form(visit, folder: Path) -> Visitor:
    person = visit()
    _type_folder(person, str(folder))
    return person


def _type_folder(person: Visitor, folder: str) -> None:
    box = person.field("Folder on this machine")
    box.fill(folder)
    box.press("Enter")
    person.settle()


def _name(person: Visitor, name: str) -> None:
    box = person.field("Name of the cohort")
    box.fill(name)
    box.press("Enter")
    person.settle()


def test_files_become_a_cohort(study, simulated, visit):
    person = _open_form(visit, study)
    person.choose("Genotypes", "cohort.vcf.gz")
    person.choose("Phenotypes", "phenotypes.tsv")
    person.choose("Genes (may be left out)", "genes.gtf.gz")
    person.choose("Column with the sample", "participant")
    person.choose("Column with the diagnosis", "finding")
    assert re.search(r"200 people: \d+ \w+, \d+ \w+", person.text())
    _name(person, "own")
    person.page.get_by_role("button", name="Read the cohort").click()
    title = person.page.get_by_role("heading", level=1)
    person.until(lambda: title.inner_text() == "own", "the page of the new cohort", PATIENCE_S)
    person.settle()
    cohort = open_cohort(simulated.cache, "own")
    assert f"200 people and {cohort.n_variants:,} variants" in person.text()
    assert cohort.has_genes
    cohort.store.close()
    assert "cohort=own" in person.page.url
    person.turn_to("Association")
    person.see("Manhattan")


def test_a_file_that_is_no_vcf_is_told(study, simulated, visit):
    person = _open_form(visit, study)
    person.choose("Genotypes", "letter.vcf")
    person.choose("Phenotypes", "phenotypes.tsv")
    person.choose("Column with the sample", "participant")
    person.choose("Column with the diagnosis", "finding")
    person.page.get_by_role("button", name="Read the cohort").click()
    told = person.until(person.errors, "the sentence", PATIENCE_S)
    assert "letter.vcf" in told[0]
    assert "Traceback" not in person.text()
    assert "letter" not in cohort_names(simulated.cache)
    person.press("Close")
    assert person.errors() == []


def test_other_folders_are_refused(study, visit):
    person = _open_form(visit, study)
    for folder in ("/etc", f"{study}/../../..", "/nowhere"):
        _type_folder(person, folder)
        assert "EXOLENS_DATA" in person.errors()[0]
        assert person.page.get_by_text("Genotypes", exact=True).count() == 0
        _type_folder(person, str(study))
        assert person.errors() == []


def test_a_stopped_ingest_leaves_nothing(study, simulated, visit):
    _write_long_vcf(study / "long.vcf", study / "long.tsv")
    before = _everything(simulated)
    person = _open_form(visit, study)
    person.choose("Genotypes", "long.vcf")
    person.choose("Phenotypes", "long.tsv")
    person.page.get_by_role("button", name="Read the cohort").click()
    person.until(lambda: "reading genotypes" in person.text(), "the reading", PATIENCE_S)
    person.page.get_by_role("button", name="Stop", exact=True).click()
    person.until(lambda: "Reading the cohort" not in person.text(), "the end", PATIENCE_S)
    assert "long" not in cohort_names(simulated.cache)
    assert _everything(simulated) == before
    assert person.errors() == []


def _everything(server: Server) -> list[Path]:
    return sorted(cohorts_dir(server.cache).rglob("*"))


def _write_long_vcf(vcf: Path, table: Path) -> None:
    people = [f"P{i}" for i in range(N_PEOPLE)]
    head = ["##fileformat=VCFv4.2", "##contig=<ID=1>",
            '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
            "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT",
                       *people])]  # fmt: skip
    calls = "\t".join("0/1" if i % 3 else "0/0" for i in range(N_PEOPLE))
    with vcf.open("w") as out:
        out.write("\n".join(head) + "\n")
        out.writelines(f"1\t{pos}\t.\tA\tG\t100\tPASS\t.\tGT\t{calls}\n"
                       for pos in range(1, N_SITES + 1))  # fmt: skip
    rows = [f"{name}\t{'case' if i % 2 else 'control'}" for i, name in enumerate(people)]
    table.write_text("\n".join(["sample_id\tdiagnosis", *rows]) + "\n")
