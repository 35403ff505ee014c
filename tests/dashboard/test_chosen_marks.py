"""What is chosen, as it is marked in each picture: where the point stands, thinned away or not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from dashboard import charts
from dashboard.charts.attribution_manhattan import attribution_manhattan
from dashboard.charts.attribution_rollup import gene_occlusion, gene_shares
from dashboard.charts.chosen_mark import Marks, point, span
from dashboard.charts.gene_manhattan import gene_manhattan
from dashboard.theme import DARK, LIGHT, Palette, contrast
from tests.dashboard import test_attribution_charts as attribution
from tests.dashboard import test_gene_charts as of_genes
from tests.dashboard.test_association_charts import (
    BAND,
    REGION,
    STRATA,
    chromosomes,
    genes,
    lines,
    of_region,
    points,
    ratios,
    seventh,
    svg_of,
    words_in,
)
from tests.dashboard.test_charts import chromosomes as two_chromosomes

NAME = "7_123_A_C"
Draw = Callable[[pd.DataFrame, Palette], Any]


def manhattan(marks: Marks, palette: Palette, **more: Any) -> Any:
    return charts.manhattan(points(), chromosomes(), lines(), marks=marks, palette=palette, **more)


def first(table: pd.DataFrame, x: str = "x", y: str = "neg_log10_p") -> tuple[float, float]:
    """Return where the highest point of a table stands: a hit, which a test finds by its colour."""
    row = table.loc[table[y].idxmax()]
    return float(row[x]), float(row[y])


# Each picture, and where one of its hits stands, in the data of the picture.
PICTURES: dict[str, tuple[Callable[[Marks, Palette], Any], tuple[float, float]]] = {
    "manhattan": (manhattan, first(points())),
    "folded": (
        lambda marks, p: charts.manhattan(
            points(top=90), chromosomes(), lines(), marks=marks, palette=p
        ),
        first(points(top=90)),
    ),
    "chromosome": (
        lambda marks, p: charts.manhattan(
            seventh(), chromosomes(), lines(), chromosome="7", marks=marks, palette=p
        ),
        first(seventh()),
    ),
    "region": (
        lambda marks, p: charts.region(
            of_region(), genes(), **REGION, lines=lines(), marks=marks, palette=p
        ),
        first(of_region().query("not is_lead"), "pos"),
    ),
    "volcano": (
        lambda marks, p: charts.volcano(ratios(), lines(), marks=marks, palette=p),
        first(ratios(), "log2_odds_ratio"),
    ),
    "qq": (
        lambda marks, p: charts.qq(STRATA, BAND, 1.0, marks=marks, palette=p),
        first(STRATA, "expected", "observed"),
    ),
    "genes": (
        lambda marks, p: gene_manhattan(
            of_genes.genes(), two_chromosomes(), of_genes.LINES, marks=marks, palette=p
        ),
        first(of_genes.genes()),
    ),
    "miami": (
        lambda marks, p: charts.miami(
            points(seed=1), points(seed=2), chromosomes(), upper_title="one", lower_title="other",
            lines=lines(), marks=marks, palette=p,
        ),
        first(points(seed=1)),
    ),
}  # fmt: skip


RING = 'stroke-width="2.6"'


def symbols(svg: str, having: str = "") -> list[tuple[float, float, str]]:
    """Return place and colour of each point of a drawing, or of those whose tag has a text."""
    found = []
    for tag in re.findall(r"<path [^>]*aria-roledescription=\"(?:point|circle)\"[^>]*>", svg):
        place = re.search(r'transform="translate\(([-\d.]+),([-\d.]+)\)"', tag)
        colour = re.search(r'(?:stroke|fill)="(#[0-9A-Fa-f]{6})"', tag)
        if place and colour and having in tag:
            found.append((float(place[1]), float(place[2]), colour[1].upper()))
    return found


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1300, 360])
def test_the_ring_stands_on_the_point_and_its_name_within_the_picture(
    name: str, palette: Palette, width: int
) -> None:
    draw, (x, y) = PICTURES[name]
    svg = svg_of(draw(Marks(points=point(x, y, NAME)), palette), width)
    assert float(re.search(r'width="([\d.]+)"', svg)[1]) == pytest.approx(width, abs=1)
    placed = symbols(svg)
    rings = [(a, b) for a, b, _ in symbols(svg, RING)]
    others = [(a, b) for a, b, colour in placed if colour not in (palette.lead, palette.background)]
    assert rings
    for a, b in rings:
        assert any(abs(a - c) < 0.6 and abs(b - d) < 0.6 for c, d in others)
    assert words_in(svg).count(NAME) == 2  # a halo, and the name
    (at, side) = re.search(
        rf'text-anchor="(\w+)" transform="translate\(([-\d.]+),[-\d.]+\)"[^>]*>{NAME}<', svg
    ).groups()[::-1]
    reach = float(at) + (7.6 * len(NAME) if side == "start" else -7.6 * len(NAME))
    assert -20 <= reach <= width + 20


@pytest.mark.parametrize("name", PICTURES)
def test_only_the_mark_is_new_when_another_is_chosen(name: str) -> None:
    """The browser keeps the drawing and its points: their part of the picture stays as it was."""
    draw, (x, y) = PICTURES[name]
    made = [
        draw(marks, LIGHT).to_dict()
        for marks in (Marks(), Marks(points=point(x, y, NAME)), Marks(points=point(x, y / 2, "b")))
    ]
    marked = [spec["datasets"].pop("chosen") for spec in made]
    assert [len(rows) for rows in marked] == [0, 1, 1]
    assert json.dumps(made[0]) == json.dumps(made[1]) == json.dumps(made[2])


def test_nothing_chosen_draws_no_ring() -> None:
    for draw, (x, y) in PICTURES.values():
        assert RING not in svg_of(draw(Marks(), LIGHT))
        assert RING in svg_of(draw(Marks(points=point(x, y, NAME)), LIGHT))


def test_a_point_that_is_thinned_away_is_drawn_and_one_elsewhere_is_not() -> None:
    away = Marks(points=point(1e9, 2.5, NAME))
    svg = svg_of(manhattan(away, LIGHT))
    assert LIGHT.lead in {colour for *_, colour in symbols(svg)}
    beyond = Marks(points=point(1e12, 2.5, NAME))
    assert NAME not in words_in(svg_of(manhattan(beyond, LIGHT)))
    assert manhattan(beyond, LIGHT).to_dict()["datasets"]["chosen"] == []


def test_a_gene_is_a_band_with_its_name_and_its_variants_squares() -> None:
    rows = points().head(3)
    members = rows.assign(y=rows.neg_log10_p, label=rows.variant_id, gene="GENE1")
    marks = Marks(members=members, gene=span(1e9, 1.001e9, "GENE1"), left_out=span(0, 5e6, "1:1–5"))
    spec = manhattan(marks, LIGHT).to_dict()
    assert [row["variant_id"] for row in spec["datasets"]["chosen_members"]] == list(
        rows.variant_id
    )
    svg = svg_of(manhattan(marks, LIGHT))
    assert words_in(svg).count("GENE1") == 2
    squares = [at for *at, colour in symbols(svg) if colour == LIGHT.lead]
    assert len(squares) == 3
    assert svg.count(f'fill="{LIGHT.removed}"') >= 1
    region = charts.region(
        of_region(), genes(), **REGION, marks=Marks(gene=span(43.1e6, 43.2e6, "BRCA1")),
        palette=LIGHT,
    )  # fmt: skip
    assert region.to_dict()["datasets"]["chosen_gene"][0]["x2"] == 43.2e6
    assert Marks(gene=span(1, 2, "BRCA1")).without_gene_name().gene["label"].tolist() == [""]


def test_long_alleles_are_shortened() -> None:
    marks = Marks(points=point(1e9, 3.0, "1_5_A_" + "C" * 200))
    (row,) = manhattan(marks, LIGHT).to_dict()["datasets"]["chosen"]
    assert len(row["label"]) == 26
    assert row["label"].endswith("…")
    assert len(row["variant_id"]) > 200


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_marks_can_be_read(palette: Palette) -> None:
    assert contrast(palette.lead, palette.background) >= 4.5


def marked_rows() -> pd.DataFrame:
    table = attribution.points().assign(variant_id=[f"1_{i}_A_C" for i in range(120)])
    return table


def test_a_variant_is_marked_in_both_halves_and_its_gene_beside_it() -> None:
    table = marked_rows()
    marked = table[table.variant_index.isin([7, 20, 21])]
    draw = lambda rows, name: attribution_manhattan(  # noqa: E731
        table, attribution.CHROMOSOMES, marked=rows, chosen=name
    )
    spec = draw(marked, "1_7_A_C").to_dict()
    rings, squares = (spec["datasets"][name] for name in ("chosen", "chosen_members"))
    assert [row["label"] for row in rings] == ["1_7_A_C", ""]
    assert len(squares) == 4
    rows = next(
        x.data for x in draw(marked, "1_7_A_C").layer
        if isinstance(x.data, pd.DataFrame) and "is_marked" in x.data
    )  # fmt: skip
    drawn = rows[rows.variant_index == 7].sort_values("y")
    assert sorted(row["y"] for row in rings) == pytest.approx(drawn.y.tolist(), abs=1e-3)
    nothing = draw(marked.head(0), "").to_dict()
    assert nothing["datasets"]["chosen"] == []
    for one in (spec, nothing):
        for name in ("chosen", "chosen_members"):
            one["datasets"].pop(name)
    assert json.dumps(spec) == json.dumps(nothing)


@pytest.mark.parametrize("draw", [gene_shares, gene_occlusion])
def test_the_row_of_a_gene_is_outlined(draw: Any) -> None:
    table = attribution.genes()
    gene = table.gene.iloc[4]
    spec = draw(table, chosen=gene).to_dict()
    assert spec["datasets"]["chosen_row"] == [{"low": 4.0, "high": 5.0, "gene": gene}]
    assert any(param["name"] == "gene" for param in spec["params"])
    assert draw(table, chosen="").to_dict()["datasets"]["chosen_row"] == []
    svg = svg_of(draw(table, chosen=gene), 360)
    assert f'stroke="{LIGHT.lead}"' in svg
    assert "NaN" not in svg
