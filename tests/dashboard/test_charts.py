"""Charts as they are drawn: what each shows, on a wide screen and on a telephone, in both modes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pytest
import vl_convert as vlc
from hypothesis import given
from hypothesis import strategies as st

from dashboard import charts
from dashboard.charts.frame import spread
from dashboard.charts.learning_curves import _mean_while_all_run
from dashboard.charts.network_drawing import short_count
from dashboard.theme import DARK, LIGHT, Palette


def steps() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "step": ["input", "qual", "split", "mac"],
            "title": ["Read", "Site quality above 30", "Split sites", "Minor allele count"],
            "variants": [20_000, 18_500, 18_700, 18_700],
            "removed": [0, 1_500, -200, 0],
            "note": ["", "", None, "off"],
            "is_off": [False, False, False, True],
            "has_no_data": [False, False, False, False],
        }
    )


def bins() -> pd.DataFrame:
    return pd.DataFrame({"left": [0.0, 5, 10], "right": [5.0, 10, 15], "n": [1_000, 2_000, 3_000]})


def chromosomes() -> pd.DataFrame:
    return pd.DataFrame(
        {"chrom": ["1", "X"], "start": [0, 100], "middle": [50, 150], "end": [100, 200]}
    )


def points(top: float = 9.0) -> pd.DataFrame:
    n = 200
    rng = np.random.default_rng(3)
    x = np.linspace(0, 200, n, endpoint=False)
    p = rng.exponential(0.4, n)
    p[[20, 150]] = top, 6.0
    return pd.DataFrame(
        {
            "variant_index": np.arange(n),
            "x": x,
            "neg_log10_p": p,
            "chrom": np.where(x < 100, "1", "X"),
            "parity": (x >= 100).astype(int),
            "pos": (x * 1e6).astype(int),
            "variant_id": [f"v{i}" for i in range(n)],
            "gene": None,
            "n_binned": 10,
        }
    )


def lines() -> pd.DataFrame:
    return pd.DataFrame({"label": ["5e-8 genome-wide", "1e-5 suggestive"], "y": [7.3, 5.0]})


def epochs(n: int, folds: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(n)
    rows = [
        {"fold": fold, "epoch": epoch, "loss": 0.7 / epoch, "accuracy": 0.6, "seconds": 1.0}
        | {"val_loss": rng.uniform(0.5, 0.7), "val_accuracy": 0.58, "val_auc": np.nan}
        | {"learning_rate": 1e-4 * 0.9 ** (epoch // 10)}
        for fold in range(folds)
        for epoch in range(1, n + 1 - fold)
    ]
    return pd.DataFrame(rows)


def genotypes(n_case: tuple[int, ...] = (90, 9, 1, 0)) -> pd.DataFrame:
    kinds = ["hom_ref", "het", "hom_alt", "missing"] * 2
    counts = [*n_case, 1_195, 4, 0, 1]
    return pd.DataFrame({"group": ["case"] * 4 + ["control"] * 4, "genotype": kinds, "n": counts})


def people() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "diagnosis": ["SCZ", "SCZ", "BP", "control"],
            "role": ["case", "case", "excluded", "control"],
            "sex": ["male", "female", "unknown", "female"],
            "n": [1_200, 800, 3, 2_500],
        }
    )


LAYERS = [
    {"name": "Input", "kind": "input", "shape": (32, 32, 1), "n_parameters": 0},
    {"name": "Conv 1", "kind": "convolution", "shape": (32, 32, 16), "n_parameters": 160},
    {"name": "Flatten", "kind": "flatten", "shape": (16_384,), "n_parameters": 0},
    {"name": "Output", "kind": "output", "shape": (2,), "n_parameters": 32_770},
]
METRICS = pd.DataFrame(
    {
        "model": ["Network", "Network, labels permuted", "L1 logistic"],
        "value": [0.71, 0.5, 0.73],
        "low": [0.67, 0.45, np.nan],
        "high": [0.75, 0.55, np.nan],
        "kind": ["honest", "honest_permuted", "baseline"],
    }
)
CURVES = pd.DataFrame(
    {
        "model": ["Network"] * 3 + ["L1 logistic"] * 3,
        "kind": ["honest"] * 3 + ["baseline"] * 3,
        "fpr": [0, 0.3, 1] * 2,
        "tpr": [0, 0.7, 1, 0, 0.6, 1],
        "auc": ["0.70 (0.66–0.74)"] * 3 + ["0.65 (0.61–0.69)"] * 3,
    }
)
QQ = pd.DataFrame({"expected": [0.1, 1, 2], "observed": [0.1, 1.1, 4.0]})
BAND = pd.DataFrame({"expected": [0.1, 1, 2], "lower": [0.05, 0.8, 1.2], "upper": [0.2, 1.3, 3.2]})

CHARTS: dict[str, Callable[[Palette], Any]] = {
    "funnel": lambda p: charts.funnel(steps(), palette=p),
    "funnel_log": lambda p: charts.funnel(steps(), log=True, palette=p),
    "cut": lambda p: charts.cut_histogram(bins(), 8, 6, "Mean depth", "reads", palette=p),
    "cut_small": lambda p: charts.cut_histogram(bins(), None, 6, "Mean", small=True, palette=p),
    "manhattan": lambda p: charts.manhattan(
        points(), chromosomes(), lines(), selection_line=(1.3, 1_204), palette=p
    ),
    "manhattan_folded": lambda p: charts.manhattan(points(90), chromosomes(), lines(), palette=p),
    "qq": lambda p: charts.qq(QQ, BAND, 1.0432, "a note", palette=p),
    "p": lambda p: charts.p_histogram(bins() / [15, 15, 1], palette=p),
    "genotypes": lambda p: charts.genotype_mosaic(genotypes(), palette=p),
    "curves_1": lambda p: charts.learning_curves(epochs(1), 1, 0.56, palette=p),
    "curves_100": lambda p: charts.learning_curves(epochs(100), 40, 0.56, palette=p),
    "curves_folds": lambda p: charts.learning_curves(epochs(9, 3), {0: 2, 1: 3, 2: 4}, palette=p),
    "confusion": lambda p: charts.confusion([[195, 57], [73, 125]], palette=p),
    "confusion_empty": lambda p: charts.confusion([[0, 0], [73, 125]], palette=p),
    "roc": lambda p: charts.roc(CURVES, palette=p),
    "metrics": lambda p: charts.metric_intervals(METRICS, palette=p),
    "people": lambda p: charts.people_mosaic(people(), palette=p),
    "groups": lambda p: charts.group_histogram(
        pd.concat([bins().assign(group=g) for g in ("cases", "controls")]),
        {"cases": p.case, "controls": p.control, "nobody": p.excluded},
        {"low": 4, "high": 12},
        title="Call rate",
        axis="Call rate",
        palette=p,
    ),
    "scatter": lambda p: charts.people_scatter(
        pd.DataFrame({"x": [0.1, 0.2, -0.1], "y": [0.0, 0.3, 0.2], "group": ["a", "a", "b"]}),
        {"a": p.case, "b": p.control},
        ("PC 1", "PC 2"),
        coloured_by="Population",
        palette=p,
    ),
    "chromosomes": lambda p: charts.variants_by_chromosome(
        pd.DataFrame({"chrom": ["1", "1", "X"], "kind": ["snp", "indel", "snp"], "n": [5, 1, 2]}),
        palette=p,
    ),
    "network": lambda p: charts.network_drawing(LAYERS, palette=p),
    "arrow": lambda p: charts.arrow_drawing(palette=p),
}


def svg_of(chart: Any, width: int = 1000) -> str:
    return vlc.vegalite_to_svg(chart.properties(width=width).to_dict())


def words_in(svg: str) -> list[str]:
    return re.findall(r">([^<>]+)<", svg)


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1300, 360])
def test_draws_within_its_width_and_truncates_nothing(
    name: str, palette: Palette, width: int
) -> None:
    svg = svg_of(CHARTS[name](palette), width)
    drawn = float(re.search(r'width="([\d.]+)"', svg)[1])
    assert drawn == pytest.approx(width, abs=1)
    assert "…" not in svg
    assert "NaN" not in svg
    assert "undefined" not in svg


@pytest.mark.parametrize("name", CHARTS)
def test_says_what_it_shows_and_takes_its_width_from_the_page(name: str) -> None:
    spec = CHARTS[name](LIGHT).to_dict()
    assert len(spec["description"]) > 20
    assert spec["width"] == "container"
    assert name == "cut_small" or spec["title"]["text"]
    assert spec["usermeta"]["embedOptions"]["renderer"] in ("svg", "canvas")


@pytest.mark.parametrize("name", CHARTS)
def test_wears_only_the_colours_of_its_palette(name: str) -> None:
    used = set(re.findall(r"#[0-9A-F]{6}\b", json.dumps(CHARTS[name](DARK).to_dict())))
    only_light = set(vars(LIGHT).values()) - set(vars(DARK).values())
    assert not used & only_light


def test_funnel_tells_what_left_and_where_the_paper_stands() -> None:
    words = words_in(svg_of(charts.funnel(steps(), log=True)))
    for expected in ("20,000", "18,500", "−1,500", "+200", "off"):
        assert expected in words
    assert any("1,811,204 and 18,970" in word for word in words)
    assert not any("1,811,204" in word for word in words_in(svg_of(charts.funnel(steps()))))


def test_a_bin_that_holds_the_cut_is_parted() -> None:
    chart = charts.cut_histogram(bins(), 8, None, "Mean depth", "reads")
    parts = chart.layer[0].data
    assert parts.groupby("fate").apply(lambda g: (g.left.min(), g.right.max())).to_dict() == {
        "kept": (8, 15),
        "removed": (0, 8),
    }
    above = charts.cut_histogram(bins(), 8, None, "p", removes="above").layer[0].data
    assert above[above.fate == "removed"].left.min() == 8
    assert set(charts.cut_histogram(bins(), None, 8, "x").layer[0].data.fate) == {"kept"}


def test_manhattan_returns_a_click_under_its_name() -> None:
    spec = CHARTS["manhattan"](LIGHT).to_dict()
    (param,) = spec["params"]
    assert param["name"] == "hit"
    assert param["select"]["fields"] == ["variant_id", "gene"]
    assert spec["usermeta"]["embedOptions"]["renderer"] == "canvas"


def drawn_points(chart: Any) -> tuple[int, pd.DataFrame]:
    """Return where what can be clicked is among the layers of a Manhattan plot, and its table."""
    return next((i, x.data) for i, x in enumerate(chart.layer) if "gene" in x.data.columns)


def test_names_of_lines_lie_under_the_points() -> None:
    chart = CHARTS["manhattan"](LIGHT)
    place, _ = drawn_points(chart)
    names = [i for i, layer in enumerate(chart.layer) if "label" in layer.data.columns]
    assert max(names) < place - 1  # those that stand for many lie between


def test_hits_are_diamonds_drawn_last() -> None:
    chart = CHARTS["manhattan"](LIGHT)
    place, rows = drawn_points(chart)
    diamonds = rows[rows["shape"] == "diamond"]
    assert diamonds.variant_index.tolist() == [150, 20]
    assert set(diamonds.colour) == {LIGHT.hit}
    assert rows.neg_log10_p.is_monotonic_increasing
    assert chart.to_dict()["layer"][place]["encoding"]["shape"]["scale"] is None


def test_a_variant_that_stands_for_itself_can_be_clicked_and_one_for_many_not() -> None:
    one_alone = points().assign(n_binned=[1] + [10] * 199)
    chart = charts.manhattan(one_alone, chromosomes(), lines())
    place, rows = drawn_points(chart)
    assert sorted(rows.variant_index) == [0, 20, 150]
    many = chart.layer[place - 1].data
    assert len(many) == 197
    assert "variant_index" not in many.columns


def test_manhattan_names_its_lines_and_says_when_it_is_folded() -> None:
    words = words_in(svg_of(CHARTS["manhattan"](LIGHT)))
    assert "5e-8 genome-wide" in words
    assert "1,204 variants above" in words
    assert not any("folded" in word for word in words)
    assert "axis folded above 20" in words_in(svg_of(CHARTS["manhattan_folded"](LIGHT)))


def test_folded_points_stay_inside_and_in_order() -> None:
    chart = CHARTS["manhattan_folded"](LIGHT)
    place, _ = drawn_points(chart)
    scale = chart.to_dict()["layer"][place]["encoding"]["y"]["scale"]
    assert scale["domain"][-1] > 90
    assert np.all(np.diff(scale["domain"]) > 0)
    assert np.all(np.diff(scale["range"]) < 0)


def test_thousands_of_points_are_no_error() -> None:
    many = pd.concat([points()] * 50, ignore_index=True)
    assert len(charts.manhattan(many, chromosomes(), lines()).to_dict()["datasets"]) >= 1


def test_an_empty_manhattan_still_has_its_axes() -> None:
    words = words_in(svg_of(charts.manhattan(points().iloc[:0], chromosomes(), lines())))
    assert {"1", "X", "Chromosome"} <= set(words)


def test_genotypes_are_exact_in_words_and_seen_when_rare() -> None:
    chart = charts.genotype_mosaic(genotypes())
    words = words_in(svg_of(chart))
    assert {"1,195", "90.00%", "0.33%", "Controls, 1,200 people"} <= set(words)
    cells = chart.layer[0].data
    drawn = (cells.right - cells.left).where(cells.n > 0)
    assert drawn.min() > 0.005
    assert cells.groupby("group").right.max().to_dict() == pytest.approx({"case": 1, "control": 1})


def test_genotypes_of_nobody_are_no_error() -> None:
    assert "0 people" in svg_of(charts.genotype_mosaic(genotypes((0, 0, 0, 0))))


@pytest.mark.parametrize("n", [1, 2, 11, 100])
def test_learning_curves_name_each_line_and_mark_the_best(n: int) -> None:
    words = words_in(svg_of(charts.learning_curves(epochs(n), n, 0.557)))
    for expected in ("training", "validation", "majority", "Loss", f"best epoch {n}", "Epoch"):
        assert expected in words


def test_mean_of_folds_ends_where_the_first_fold_does() -> None:
    ran = epochs(9, 3)  # folds of 9, 8 and 7 epochs
    assert any("3 folds" in word for word in words_in(svg_of(charts.learning_curves(ran))))
    middle = _mean_while_all_run(ran)
    assert list(middle.epoch) == list(range(1, 8))
    assert middle.val_loss[3] == pytest.approx(ran[ran.epoch == 4].val_loss.mean())


def axis_end(chart: Any) -> float:
    """Return where the axis of epochs ends."""
    found = re.search(r'"domain": \[1, (\d+)\]', json.dumps(chart.to_dict()))
    return int(found.group(1))


def test_the_axis_leaves_room_while_epochs_come_and_none_afterwards() -> None:
    ends = [axis_end(charts.learning_curves(epochs(n), is_running=True, most_epochs=30))
            for n in (1, 5, 6, 12, 21, 30)]  # fmt: skip
    assert ends == [5, 5, 10, 20, 30, 30]
    assert axis_end(charts.learning_curves(epochs(12))) == 12
    assert axis_end(charts.learning_curves(epochs(12), is_running=True)) == 20


def test_numbers_beside_the_axes_take_the_same_room_whatever_they_are() -> None:
    for n in (1, 30):
        spec = json.dumps(charts.learning_curves(epochs(n)).to_dict())
        assert set(re.findall(r'"minExtent": (\d+)', spec)) == {"38"}


def bands(chart: Any) -> list[pd.DataFrame]:
    return [
        layer.data
        for panel in chart.layer
        for layer in getattr(panel, "layer", [])
        if layer.mark != alt.Undefined and getattr(layer.mark, "type", "") == "area"
    ]


def test_folds_make_a_band_from_the_lowest_to_the_highest() -> None:
    ran = epochs(9, 3)  # folds of 9, 8 and 7 epochs
    (loss, *_) = bands(charts.learning_curves(ran))
    assert list(loss.epoch) == list(range(1, 9))  # the ninth epoch is of one fold alone
    third = ran[ran.epoch == 3].val_loss
    assert loss.set_index("epoch").loc[3, ["low", "high"]].tolist() == [third.min(), third.max()]
    assert bands(charts.learning_curves(epochs(9))) == []


def test_a_fold_that_trains_moves_neither_the_mean_nor_the_band_of_those_that_ended() -> None:
    ran = epochs(9, 3)
    begun = ran[(ran.fold < 2) | (ran.epoch == 1)]
    options = {"n_folds": 5, "is_running": True}
    before = bands(charts.learning_curves(epochs(9, 2), **options))[0]
    assert len(before) == 0  # the first fold alone has ended
    now = bands(charts.learning_curves(begun, **options))[0]
    assert list(now.epoch) == list(range(1, 9))
    text = charts.learning_curves(begun, **options).to_dict()["description"]
    ended = _mean_while_all_run(ran[ran.fold < 2])
    assert f"AUC {ended.val_auc.iloc[-1]:.3f}" in text
    assert f"{ended.val_loss.iloc[-1]:.3f} in validation" in text


def test_words_above_the_curves_are_there_before_the_second_fold() -> None:
    first = charts.learning_curves(epochs(3), n_folds=5, is_running=True)
    later = charts.learning_curves(epochs(9, 3), n_folds=5, is_running=True)
    assert first.to_dict()["title"] == later.to_dict()["title"]
    assert len(first.to_dict()["title"]["subtitle"]) == 2


def test_the_only_fold_may_be_told_by_its_number() -> None:
    words = words_in(svg_of(charts.learning_curves(epochs(12), {0: 4})))
    assert "best epoch 4" in words


def test_confusion_percents_are_of_the_true_class() -> None:
    words = words_in(svg_of(charts.confusion([[195, 57], [73, 125]])))
    assert {"195", "57", "73", "125", "77.4% of controls", "63.1% of cases"} <= set(words)
    assert "63.1%" in words_in(svg_of(charts.confusion([[195, 57], [73, 125]]), 360))


def test_confusion_puts_true_in_rows_and_predicted_in_columns() -> None:
    svg = svg_of(charts.confusion([[1_001, 1_002], [1_003, 1_004]]))
    place = {
        int(n.replace(",", "")): (float(x), float(y))
        for x, y, n in re.findall(r'translate\(([\d.]+),([\d.]+)\)"[^>]*>(1,00\d)</text>', svg)
    }
    assert place[1001][0] < place[1002][0]  # a control called case stands right
    assert place[1001][1] < place[1003][1]  # a case called control stands below


def test_permuted_runs_are_hollow() -> None:
    chart = charts.metric_intervals(METRICS)
    rows = next(layer.data for layer in chart.layer if "fill" in layer.data.columns)
    assert list(rows.fill) == [LIGHT.honest, LIGHT.background, LIGHT.chromosome]
    words = words_in(svg_of(chart))
    assert "0.710 (0.670–0.750)" in words
    assert "0.730" in words  # no interval, no brackets


def test_network_is_a_drawing_where_there_is_room_else_a_list() -> None:
    chart = charts.network_drawing(LAYERS)
    for width in (1300, 360):
        assert {"Conv 1", "32 × 32 × 16", "16,384", "32.8k"} <= set(words_in(svg_of(chart, width)))


@pytest.mark.parametrize(
    ("n", "words"), [(0, "0"), (812, "812"), (18_970, "19k"), (74_100_000, "74.1M")]
)
def test_short_counts(n: int, words: str) -> None:
    assert short_count(n) == words


@given(
    st.lists(st.floats(0, 400), min_size=1, max_size=12),
    st.floats(1, 30),
)
def test_labels_keep_their_distance_and_order(places: list[float], gap: float) -> None:
    moved = spread(places, gap, 0, 400)
    assert all(-1e-6 <= place <= 400 + 1e-6 for place in moved)
    ordered = sorted(moved)
    room = min(gap, 400 / max(1, len(places) - 1))
    assert all(b - a >= room - 1e-6 for a, b in pairwise(ordered))
    assert list(np.argsort(places, kind="stable")) == list(np.argsort(moved, kind="stable"))


def test_labels_with_room_stay_where_they_are() -> None:
    assert spread([10.0, 50.0, 300.0], 17, 0, 400) == [10.0, 50.0, 300.0]
