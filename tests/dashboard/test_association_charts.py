"""Charts of the association: peaks that are named, regions, strata, two halves, odds ratios."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import vl_convert as vlc
from hypothesis import given
from hypothesis import strategies as st

from dashboard import charts
from dashboard.charts.peak_labels import place_labels
from dashboard.theme import DARK, LIGHT, Palette
from tests.dashboard.test_theme import SIGHT, distance

LENGTHS = [249, 243, 198, 191, 181, 171, 159, 146, 141, 136, 135, 134, 115, 107, 103, 90, 81, 78,
           59, 63, 48, 51, 155]  # fmt: skip


def chromosomes() -> pd.DataFrame:
    length = np.array(LENGTHS) * 1e6
    start = np.concatenate([[0], np.cumsum(length + 5e6)[:-1]])
    names = [*map(str, range(1, 23)), "X"]
    return pd.DataFrame(
        {"chrom": names, "start": start, "middle": start + length / 2, "end": start + length}
    )


def points(n: int = 9_500, seed: int = 1, top: float = 14.0) -> pd.DataFrame:
    """Return points of a study with twelve loci."""
    rng = np.random.default_rng(seed)
    table = chromosomes()
    which = np.sort(rng.choice(len(table), n, p=np.array(LENGTHS) / sum(LENGTHS)))
    pos = (rng.random(n) * np.array(LENGTHS)[which] * 1e6).astype(int) + 1
    log_p = rng.exponential(0.6, n)
    for i, row in enumerate(rng.choice(n, 12, replace=False)):
        near = (which == which[row]) & (np.abs(pos - pos[row]) < 3e6)
        log_p[near] += rng.random(near.sum()) * (top - i)
    gene = np.where(rng.random(n) < 0.7, np.char.add("GENE", (pos // 4_000_000).astype(str)), None)
    return pd.DataFrame(
        {
            "variant_index": np.arange(n),
            "x": table["start"].to_numpy()[which] + pos,
            "neg_log10_p": log_p,
            "chrom": table["chrom"].to_numpy()[which],
            "parity": which % 2,
            "pos": pos,
            "rsid": [f"rs{i}" for i in range(n)],
            "ref": "A",
            "alt": "C",
            "variant_id": [
                f"{c}_{p}_A_C" for c, p in zip(table["chrom"].to_numpy()[which], pos, strict=True)
            ],
            "gene": gene,
            "n_binned": rng.integers(1, 400, n),
        }
    )


def top_peaks(table: pd.DataFrame) -> pd.DataFrame:
    top = table.sort_values("neg_log10_p", ascending=False)
    top = top.drop_duplicates("chrom").head(12)
    return pd.DataFrame({"x": top.x, "neg_log10_p": top.neg_log10_p, "label": top.gene.fillna("p")})


def lines() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "label": ["5e-8 genome-wide", "1e-5 suggestive", "Bonferroni of 1,800,000 tests"],
            "y": [7.3, 5.0, 7.56],
        }
    )


def of_region(n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    pos = np.sort(rng.integers(43_000_000, 43_400_000, n))
    r2 = np.clip(np.exp(-(((pos - 43_170_000) / 60_000) ** 2)) * rng.random(n) ** 0.5, 0, 1)
    log_p = r2 * 11 + rng.exponential(0.4, n)
    r2[::17] = np.nan
    table = pd.DataFrame(
        {
            "variant_index": np.arange(n),
            "chrom": "17",
            "pos": pos,
            "variant_id": [f"17_{p}_A_C" for p in pos],
            "gene": None,
            "neg_log10_p": log_p,
            "consequence_class": rng.choice(["lof", "missense", "synonymous", None], n,
                                            p=[0.03, 0.2, 0.2, 0.57]),
            "r2": r2,
        }
    )  # fmt: skip
    table["is_lead"] = table.neg_log10_p == table.neg_log10_p.max()
    return table


def genes() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "gene": ["LONGGENE1", "BRCA1", "NBR2", "AB", "NOEXONS"],
            "strand": ["+", "-", "+", None, "-"],
            "start": [42_950_000, 43_196_312, 43_277_500, 43_330_000, 43_340_000],
            "end": [43_150_000, 43_277_500, 43_305_000, 43_333_000, 43_380_000],
            "exon_starts": [[42_950_000, 43_050_000], [43_196_312, 43_240_000], [43_277_500],
                            [43_330_000], []],
            "exon_ends": [[42_960_000, 43_054_000], [43_197_000, 43_241_000], [43_279_000],
                          [43_333_000], []],
            "track": [0, 0, 1, 0, 1],
        }
    )  # fmt: skip


REGION: dict[str, Any] = {"chrom": "17", "start": 43_000_000, "end": 43_400_000}
STRATA = pd.DataFrame(
    {
        "expected": [1.0, 2, 1, 2, 1, 2],
        "observed": [1.1, 2.1, 0.9, 3, 1, 4],
        "stratum": ["0.1 to 1%"] * 2 + ["1 to 5%"] * 2 + ["5% and more"] * 2,
        "rank": [1, 1, 2, 2, 3, 3],
        "n": [12_000] * 2 + [900] * 2 + [80] * 2,
    }
)
BAND = pd.DataFrame({"expected": [0.1, 1, 2], "lower": [0.05, 0.8, 1.2], "upper": [0.2, 1.3, 3.2]})


def ratios() -> pd.DataFrame:
    table = points(4_000)
    rng = np.random.default_rng(8)
    sign = rng.choice([-1, 1], len(table))
    return table.assign(log2_odds_ratio=sign * rng.random(len(table)) * table.neg_log10_p / 5)


def seventh() -> pd.DataFrame:
    table = points()
    table = table[table.chrom == "7"]
    return table.assign(x=table.pos.astype(float), parity=0)


def two_halves(palette: Palette, **more: Any) -> Any:
    upper, lower = points(seed=1), points(seed=2, top=60)
    return charts.miami(
        upper,
        lower,
        chromosomes(),
        upper_title="Genotypic test",
        lower_title="A published study",
        lines=lines(),
        upper_peaks=top_peaks(upper),
        lower_peaks=top_peaks(lower),
        palette=palette,
        **more,
    )


CHARTS: dict[str, Callable[[Palette], Any]] = {
    "manhattan": lambda p: charts.manhattan(
        points(), chromosomes(), lines(), peaks=top_peaks(points()), palette=p
    ),
    "manhattan_folded": lambda p: charts.manhattan(
        points(top=90), chromosomes(), lines(), peaks=top_peaks(points(top=90)), palette=p,
        selection_line=(2.0, 1_200),
    ),
    "chromosome": lambda p: charts.manhattan(
        seventh(), chromosomes(), lines(), chromosome="7", peaks=top_peaks(seventh()), brush=True,
        palette=p,
    ),
    "region": lambda p: charts.region(
        of_region(), genes(), **REGION, lead="rs17", lines=lines(), palette=p
    ),
    "region_empty": lambda p: charts.region(
        of_region().iloc[:0], genes().iloc[:0], **REGION, palette=p
    ),
    "qq_strata": lambda p: charts.qq(STRATA, BAND, 1.04, palette=p),
    "miami": two_halves,
    "volcano": lambda p: charts.volcano(ratios(), lines(), n_tested=10**7, palette=p),
    "volcano_empty": lambda p: charts.volcano(ratios().iloc[:0], palette=p),
}  # fmt: skip


def svg_of(chart: Any, width: int = 1000) -> str:
    return vlc.vegalite_to_svg(chart.properties(width=width).to_dict())


def words_in(svg: str) -> list[str]:
    return re.findall(r">([^<>]+)<", svg)


def boxes_of(svg: str, names: set[str]) -> list[tuple[float, float, float, float]]:
    """Return the boxes of some words of a drawing, as wide as the words need."""
    found = re.findall(r'translate\(([-\d.]+),([-\d.]+)\)"[^>]*?>([^<>]+)</text>', svg)
    places = {(float(x), float(y), word) for x, y, word in found if word in names}
    return [(x - 3.6 * len(w), y - 6, x + 3.6 * len(w), y + 6) for x, y, w in places]


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1300, 360])
def test_draws_within_its_width_and_truncates_nothing(
    name: str, palette: Palette, width: int
) -> None:
    svg = svg_of(CHARTS[name](palette), width)
    assert float(re.search(r'width="([\d.]+)"', svg)[1]) == pytest.approx(width, abs=1)
    for wrong in ("…", "NaN", "undefined"):
        assert wrong not in svg


@pytest.mark.parametrize("name", CHARTS)
def test_says_what_it_shows_in_the_colours_of_its_palette(name: str) -> None:
    spec = CHARTS[name](DARK).to_dict()
    assert len(spec["description"]) > 20
    assert spec["width"] == "container"
    assert spec["title"]["text"]
    used = set(re.findall(r"#[0-9A-F]{6}\b", json.dumps(spec)))

    def every(palette: Palette) -> set[str]:
        return {c for v in vars(palette).values() for c in (v if isinstance(v, tuple) else [v])}

    assert not used & (every(LIGHT) - every(DARK))


@pytest.mark.parametrize("name", ["manhattan", "manhattan_folded", "miami", "volcano"])
@pytest.mark.parametrize(("width", "least", "most"), [(1400, 6, 24), (900, 4, 16), (360, 2, 8)])
def test_names_of_peaks_do_not_overlap(name: str, width: int, least: int, most: int) -> None:
    names = {f"GENE{i}" for i in range(100)}
    boxes = boxes_of(svg_of(CHARTS[name](LIGHT), width), names)
    assert least <= len(boxes) <= most
    assert all(a[0] >= 0 and a[2] <= width for a in boxes)
    for a, b in combinations(boxes, 2):
        assert not (a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3])


@given(
    st.lists(st.tuples(st.floats(0, 600), st.floats(0, 400)), min_size=1, max_size=12),
    st.booleans(),
)
def test_placed_names_stay_inside_and_apart(places: list[tuple[float, float]], below: bool) -> None:
    labels = [f"GENE{i}" for i in range(len(places))]
    placed = place_labels(places, labels, 600, 0, 400, below=below)
    boxes = [(x - 23, y - 8.5, x + 23, y + 8.5) for x, y, _ in (p for p in placed if p is not None)]
    for a in boxes:
        assert a[0] >= 0
        assert a[2] <= 600
        assert a[1] >= 0
        assert a[3] <= 400
    for a, b in combinations(boxes, 2):
        assert not (a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3])


def test_a_name_with_room_stands_by_its_peak_and_one_without_is_led_to() -> None:
    (first, second) = place_labels([(300, 200), (303, 200)], ["A", "B"], 600, 0, 400)
    assert first is not None
    assert second is not None
    assert first[0] == 300
    assert first[1] < 200
    assert second[2]
    alone = place_labels([(300, 200)], ["A"], 600, 0, 400)[0]
    assert alone is not None
    assert not alone[2]
    below = place_labels([(300, 200)], ["A"], 600, 0, 400, below=True)[0]
    assert below is not None
    assert below[1] > 200


def test_one_chromosome_is_measured_in_megabases() -> None:
    chart = CHARTS["chromosome"](LIGHT)
    words = words_in(svg_of(chart))
    assert "Position on chromosome 7 (Mb)" in words
    assert {"20", "140"} <= set(words)
    assert "Association along chromosome 7" in words
    names = {param["name"] for param in chart.to_dict()["params"]}
    assert names == {"hit", "span"}


def test_a_manhattan_is_sent_in_less_than_700_kb() -> None:
    chart = CHARTS["manhattan"](LIGHT)
    tables = {id(x.data): x.data for x in chart.layer}
    assert sum(map(arrow_bytes, tables.values())) < 700_000
    assert sum(map(len, tables.values())) > 7_000


def arrow_bytes(rows: pd.DataFrame) -> int:
    """Return the bytes that Streamlit sends for a table."""
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pandas(rows, preserve_index=False)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().size


def layer_with(chart: Any, column: str) -> pd.DataFrame:
    return next(
        x.data for x in chart.layer
        if isinstance(x.data, pd.DataFrame) and column in x.data.columns
    )  # fmt: skip


def test_region_tells_linkage_by_step_and_the_lead_by_shape() -> None:
    rows = layer_with(CHARTS["region"](LIGHT), "step")
    lead = rows[rows.is_lead]
    assert lead["step"].tolist() == ["lead"]
    assert lead["shape"].tolist() == ["diamond"]
    assert rows.is_lead.iloc[-1]
    given = of_region().set_index("variant_index")["r2"]
    for row in rows[~rows.is_lead].itertuples():
        r2 = given[row.variant_index]
        bounds = {"0–0.2": 0, "0.2–0.4": 0.2, "0.4–0.6": 0.4, "0.6–0.8": 0.6, "0.8–1": 0.8}
        if np.isnan(r2):
            assert row.step == "not known"
        else:
            assert bounds[row.step] <= r2 <= bounds[row.step] + 0.2
    assert (rows.loc[rows.consequence == "loss of function", "shape"] != "circle").all()


def test_region_draws_exons_and_names_and_says_what_is_not_there() -> None:
    chart = CHARTS["region"](LIGHT)
    words = words_in(svg_of(chart, 1300))
    assert {"LONGGENE1 →", "← BRCA1", "NBR2 →", "AB", "← NOEXONS"} <= set(words)
    assert any("No recombination map" in word for word in words)
    assert any("r² to rs17" in word for word in words)
    boxes = next(
        x.data for x in chart.layer
        if isinstance(x.data, pd.DataFrame) and {"first", "where"} <= {*x.data.columns}
        and "middle" not in x.data.columns
    )  # fmt: skip
    assert boxes.groupby("gene").size().to_dict() == {
        "AB": 1, "BRCA1": 2, "LONGGENE1": 1, "NBR2": 1, "NOEXONS": 1,
    }  # fmt: skip
    assert "No gene is known here" in words_in(svg_of(CHARTS["region_empty"](LIGHT)))


def test_strata_are_named_with_their_counts_and_keep_their_colours() -> None:
    chart = CHARTS["qq_strata"](LIGHT)
    words = words_in(svg_of(chart))
    assert {"0.1 to 1% (12,000)", "1 to 5% (900)", "5% and more (80)"} <= set(words)
    spec = json.dumps(chart.to_dict())
    assert LIGHT.strata[1] in spec
    assert LIGHT.strata[0] not in spec


def test_miami_mirrors_the_lower_half_and_folds_each_by_itself() -> None:
    chart = two_halves(LIGHT)
    rows = layer_with(chart, "half")
    assert (rows[rows.half == "upper"].y >= 0).all()
    assert (rows[rows.half == "lower"].y <= 0).all()
    assert rows.y.abs().equals(rows.neg_log10_p)
    spec = next(
        x for x in chart.to_dict()["layer"] if "y" in x.get("encoding", {})
    )["encoding"]["y"]["scale"]  # fmt: skip
    assert np.all(np.diff(spec["domain"]) > 0)
    assert np.all(np.diff(spec["range"]) < 0)
    assert len(spec["domain"]) == 4  # the lower half alone is folded
    assert -20 in spec["domain"]
    words = words_in(svg_of(chart))
    assert {"Genotypic test", "A published study"} <= set(words)
    assert any("folded above 20" in word for word in words)
    (param,) = chart.to_dict()["params"]
    assert param["select"]["fields"] == ["variant_id", "gene", "half"]


def test_volcano_counts_both_sides_and_what_has_no_place() -> None:
    table = ratios()
    chart = charts.volcano(table, lines(), n_tested=int(table.n_binned.sum()) + 12_345)
    words = " ".join(words_in(svg_of(chart)))
    hits = table[table.neg_log10_p >= 5]
    up, down = (hits.log2_odds_ratio > 0).sum(), (hits.log2_odds_ratio < 0).sum()
    assert f"{up:,} raise the odds" in words.replace("  ", " ")
    assert f"{down:,} lower them" in words
    assert "12,345 without an odds ratio" in words


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("sight", SIGHT)
def test_steps_and_strata_are_told_apart(palette: Palette, sight: str) -> None:
    for colours in (palette.ld, palette.strata):
        for one, other in combinations(colours, 2):
            assert distance(one, other, sight) >= 20
