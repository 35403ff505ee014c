"""From the genome to a region, from a test to another: what a geneticist does on two pages."""

from __future__ import annotations

import gzip
import re

import pytest

from pipeline.cohort import open_cohort
from pipeline.quality import filter_variants
from pipeline.settings import AnalysisSettings
from tests.journeys.conftest import PATIENCE_S
from tests.journeys.looks import assert_fit_to_show

pytestmark = pytest.mark.browser


def test_from_the_genome_to_the_region_of_a_gene_and_back(best, visit):
    person = visit("association?cohort=simulated")
    everything = person.see("Manhattan plot of")
    field = person.page.get_by_label("Go to")
    field.fill(best["gene"])
    field.press("Enter")
    region = person.until(lambda: region_of(person, best["gene"]), "the region of the gene")
    assert f"r² to {best['variant_id']}" in region
    assert re.search(rf"place={best['chrom']}%3A\d+-\d+", person.page.url)
    assert_fit_to_show(person, "light")
    link = person.page.url
    person.press(f"Chromosome {best['chrom']}")
    person.until(
        lambda: f"along chromosome {best['chrom']};" in person.chart("Manhattan"), "a chromosome"
    )
    _drag_over(person, person.canvas("Manhattan"))
    person.until(lambda: region_of(person, ""), "the region dragged over")
    person.settle()
    assert re.search(rf"place={best['chrom']}%3A\d+-\d+", person.page.url)
    person.press("Genome")
    person.until(lambda: person.chart("Manhattan plot of") == everything, "the whole genome")
    other = visit(link.removeprefix(person.url + "/"))
    other.until(lambda: any("coloured by r²" in text for text in other.charts()), "the same region")
    field = other.page.get_by_label("Go to")
    field.fill("NOSUCHGENE")
    field.press("Enter")
    other.until(lambda: "Nothing here is called NOSUCHGENE" in other.text(), "what is not found")
    assert person.errors() == other.errors() == []


def _drag_over(person, picture) -> None:
    """Drag over a little of the middle of a picture: less than a region shows at once."""
    picture.scroll_into_view_if_needed()
    person.settle()
    box = picture.bounding_box()
    x, y = box["x"] + 0.4 * box["width"], box["y"] + 0.3 * box["height"]
    mouse = person.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + 6, y, steps=4)
    mouse.move(x + 12, y, steps=4)
    mouse.up()


def region_of(person, gene: str) -> str:
    """Return what the picture of a region says that has this gene, "" while there is none."""
    pictures = (text for text in person.charts() if "coloured by r²" in text and gene in text)
    return next(pictures, "")


def test_a_variant_that_is_not_shown_is_explained(simulated, visit):
    cohort = open_cohort(simulated.cache, "simulated")
    filtered = filter_variants(cohort, AnalysisSettings().quality)
    removed = cohort.store.rows("SELECT chrom, pos FROM variants WHERE qual <= 30 LIMIT 1")[0]
    cohort.store.close()
    assert len(filtered.kept) < cohort_size(simulated)
    person = visit("association?cohort=simulated")
    person.see("Manhattan plot of")
    person.open_group("Why is my variant not shown?")
    field = person.page.get_by_label("rsID, position or gene")
    field.fill(f"{removed[0]}:{removed[1]}")
    field.press("Enter")
    person.settle()
    table = person.page.get_by_test_id("stExpander").filter(has_text="Why is my variant")
    table.get_by_test_id("stDataFrame").wait_for()
    assert person.errors() == []


def cohort_size(server) -> int:
    cohort = open_cohort(server.cache, "simulated")
    n = cohort.n_variants
    cohort.store.close()
    return n


def test_logistic_regression_is_computed_once_and_then_moves(simulated, visit):
    person = visit("association?cohort=simulated&association.test=Logistic")
    person.until(lambda: "variants wait for it" in person.text(), "the offer to compute")
    person.page.get_by_role("button", name="Compute", exact=True).click()
    person.see("Manhattan plot of", PATIENCE_S)
    person.settle()
    assert "Logistic regression of 2,718 people" in person.text()
    before = person.metric("Variants kept")
    slider = person.slider("Smallest call rate")
    slider.focus()
    slider.press("ArrowRight")
    person.until(lambda: person.metric("Variants kept") != before, "fewer variants at once")
    person.see("Manhattan plot of")
    assert person.errors() == []


def test_permutations_draw_their_line(simulated, visit):
    person = visit(
        "association?cohort=simulated&association.correction=Permutation"
        "&association.n_permutations=100"
    )
    person.page.get_by_role("button", name="Permute", exact=True).click()
    person.until(lambda: re.search(r"\d+ permutation\.", person.text()), "the count", PATIENCE_S)
    person.see("Manhattan plot of")
    assert person.errors() == []


def test_two_halves_another_test_and_a_published_file(simulated, visit):
    lines = ["chromosome\tbase_pair_location\tp_value\trsid"]
    lines += [f"{1 + i % 22}\t{1_000_000 + 1000 * i}\t{(i + 1) / 400:.4f}\trs{i}"
              for i in range(399)]  # fmt: skip
    lines.append("7\t50000000\t4.5e-48\trs8050136")
    with gzip.open(simulated.data / "published.tsv.gz", "wt") as handle:
        handle.write("\n".join(lines) + "\n")
    person = visit("association?cohort=simulated")
    person.see("Manhattan plot of")
    person.pick("Another test")
    assert "genotypic chi-squared, df 4" in person.see("Miami plot")
    assert_fit_to_show(person, "light")
    person.pick("A published file")
    person.choose("Published table", "published.tsv.gz")
    person.until(lambda: "published.tsv.gz" in person.chart("Miami plot"), "the published half")
    assert "400 variants" in person.chart("Miami plot")
    assert "build of published.tsv.gz is not known" in person.text()
    assert person.errors() == []


def test_genes_their_carriers_and_the_way_to_their_region(simulated, visit):
    person = visit("genes?cohort=simulated")
    every = person.see("Manhattan plot of the burden of")
    person.pick("Logistic")
    person.until(
        lambda: person.chart("Manhattan plot of the burden of") not in ("", every),
        "the burdens by logistic regression",
    )
    person.pick("Fisher")
    person.until(lambda: person.chart("Manhattan plot of the burden of") == every, "Fisher's")
    grid = person.page.get_by_test_id("stDataFrame").first
    grid.scroll_into_view_if_needed()
    box = grid.bounding_box()
    person.page.mouse.click(box["x"] + 20, box["y"] + 52)
    carriers = person.see("Carriers of ")
    gene = re.match(r"Carriers of (\w+)", carriers).group(1)
    person.press("Its region")
    person.until(lambda: region_of(person, gene), "the region of the gene")
    assert person.errors() == []
