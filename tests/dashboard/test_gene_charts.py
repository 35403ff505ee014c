"""Charts of genes: the burden along the genome, and carriers by consequence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dashboard.charts.gene_manhattan import carriers_by_class, gene_manhattan
from dashboard.theme import DARK, LIGHT, Palette
from tests.dashboard.test_charts import chromosomes, drawn_points, svg_of, words_in

LINES = pd.DataFrame({"label": ["exome-wide 2.2e-6", "Bonferroni, 200 genes"], "y": [5.66, 3.6]})


def genes(top: float = 9.0, n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    x = np.linspace(0, 200, n, endpoint=False)
    p = np.minimum(rng.exponential(0.4, n), 3)
    p[[20, 150]] = top, 4.5
    return pd.DataFrame(
        {
            "gene": [f"GENE{i}" for i in range(n)],
            "chrom": np.where(x < 100, "1", "X"),
            "gene_start": (x * 1e6).astype(int),
            "gene_end": (x * 1e6).astype(int) + 900,
            "x": x,
            "neg_log10_p": p,
            "parity": (x >= 100).astype(int),
            "n_case_carriers": 12,
            "n_control_carriers": 3,
            "n_qualifying": 7,
            "odds_ratio": np.where(np.arange(n) % 2, 2.5, np.nan),
            "n_binned": 1,
        }
    )


def carriers() -> pd.DataFrame:
    rows = [("qualifying", 60, 20), ("lof", 12, 1), ("missense", 50, 19), ("synonymous", 0, 0)]
    return pd.DataFrame(
        [
            (name, role, n, of)
            for name, case, control in rows
            for role, n, of in (("case", case, 1_000), ("control", control, 2_000))
        ],
        columns=["consequence_class", "role", "n_carriers", "n_people"],
    )


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1_300, 800, 360])
def test_genes_past_a_line_are_named_at_every_width(palette: Palette, width: int) -> None:
    chart = gene_manhattan(genes(), chromosomes(), LINES, test="Fisher's", palette=palette)
    words = words_in(svg_of(chart, width))
    assert {"GENE20", "GENE150", "exome-wide 2.2e-6", "Bonferroni, 200 genes"} <= set(words)
    said = " ".join(words)
    assert "200 genes tested, 2 with −log10 p ≥ 3.60" in said
    assert "Fisher's test of carriers" in said


def test_a_click_names_a_gene() -> None:
    spec = gene_manhattan(genes(), chromosomes(), LINES).to_dict()
    (param,) = spec["params"]
    assert (param["name"], param["select"]["fields"]) == ("gene", ["gene"])
    assert "GENE20" in spec["description"]
    assert "200 genes" in spec["description"]
    assert spec["usermeta"]["embedOptions"]["renderer"] == "canvas"


def test_hits_are_diamonds_in_their_colour_whatever_the_order_of_rows() -> None:
    shuffled = genes().sample(frac=1, random_state=1)
    _, rows = drawn_points(gene_manhattan(shuffled, chromosomes(), LINES))
    assert rows.neg_log10_p.is_monotonic_increasing
    assert set(rows[rows.is_hit].gene) == {"GENE20", "GENE150"}
    assert set(rows[rows.is_hit].colour) == {LIGHT.hit}
    others = rows[~rows.is_hit]
    of_chromosome = {"1": LIGHT.chromosome, "X": LIGHT.chromosome_other}
    assert (others.colour == others.chrom.map(of_chromosome)).all()


def test_a_tall_plot_is_folded_and_says_so() -> None:
    words = words_in(svg_of(gene_manhattan(genes(90), chromosomes(), LINES)))
    assert "axis folded above 20" in words
    assert "GENE20" in words


def test_no_gene_is_no_error() -> None:
    words = words_in(svg_of(gene_manhattan(genes().iloc[:0], chromosomes(), LINES)))
    assert {"1", "X", "Chromosome"} <= set(words)
    assert any("0 genes tested" in word for word in words)


def test_binned_genes_are_counted() -> None:
    many = genes().assign(n_binned=100)
    chart = gene_manhattan(many, chromosomes(), LINES)
    assert any("20,000 genes tested" in word for word in words_in(svg_of(chart)))


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("width", [700, 330])
def test_carriers_are_exact_in_words(palette: Palette, width: int) -> None:
    chart = carriers_by_class(carriers(), "SETD1A", max_maf=0.001, palette=palette)
    words = words_in(svg_of(chart, width))
    assert {"12 of 1,000", "1 of 2,000", "0 of 2,000", "loss of function"} <= set(words)
    assert "Carriers of SETD1A" in words
    assert "frequency up to 0.001" in " ".join(words)
    layers = (chart, *chart.layer)  # Altair lifts data that all layers share
    rows = next(layer.data for layer in layers if isinstance(layer.data, pd.DataFrame))
    lof = rows[(rows.consequence_class == "lof")].set_index("role").share
    assert lof.to_dict() == pytest.approx({"case": 0.012, "control": 0.0005})
    assert "loss of function 12 of 1,000 cases" in chart.to_dict()["description"]


def test_carriers_of_nobody_are_no_error() -> None:
    nobody = carriers().assign(n_carriers=0, n_people=0)
    assert "0 of 0" in words_in(svg_of(carriers_by_class(nobody, "A")))
