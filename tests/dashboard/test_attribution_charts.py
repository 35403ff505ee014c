"""What a network looked at, as it is drawn: within its width, named, in both modes."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from dashboard.charts.attribution_manhattan import HEIGHT, N_MARKED, attribution_manhattan
from dashboard.charts.attribution_rollup import chromosome_shares, gene_occlusion, gene_shares
from dashboard.theme import DARK, LIGHT, Palette
from dashboard.views import run_attribution as page
from pipeline.attribution import Stability
from tests.dashboard.test_charts import svg_of, words_in

CHROMOSOMES = pd.DataFrame(
    {"chrom": ["1", "X"], "start": [0.0, 105.0], "middle": [50.0, 155.0], "end": [100.0, 205.0]}
)


def points(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    x = np.linspace(1, 204, n)
    return pd.DataFrame(
        {
            "variant_index": np.arange(n),
            "x": x,
            "chrom": np.where(x < 101, "1", "X"),
            "parity": (x >= 101).astype(int),
            "pos": x.astype(int),
            "gene": [f"GENE{i}" for i in range(n)],
            "neg_log10_p": np.where(np.arange(n) == 7, np.nan, rng.exponential(2, n)),
            "share": rng.dirichlet(np.full(n, 0.2)),
            "selected": 1.0,
            "n_binned": 1,
        }
    )


def genes(n: int = 20) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    lost = rng.normal(0.005, 0.01, n)
    lost[-1] = np.nan
    lost[-2] = -1e-5
    return pd.DataFrame(
        {
            "gene": ["A-GENE-OF-A-VERY-LONG-NAME", *(f"GENE{i:04}" for i in range(n - 1))],
            "share": np.sort(rng.dirichlet(np.full(n, 0.5)))[::-1] * 0.8,
            "n_variants": 3,
            "mean_abs": 0.1,
            "mean_change": 0.1,
            "auc_lost": lost,
            "low": lost - 0.01,
            "high": lost + 0.01,
        }
    )


def chromosomes() -> pd.DataFrame:
    names = [*map(str, range(1, 23)), "X"]
    return pd.DataFrame(
        {"chrom": names, "n_variants": 9, "share": 1 / 23, "share_of_variants": 1 / 23}
    )


def peaks() -> pd.DataFrame:
    first = points().nlargest(5, "share")
    return pd.DataFrame({"label": first.gene, "x": first.x, "share": first.share})


CASES = {
    "manhattan": lambda palette: attribution_manhattan(
        points(), CHROMOSOMES, peaks=peaks(), palette=palette
    ),
    "chromosome": lambda palette: attribution_manhattan(
        points().query("chrom == '1'"), CHROMOSOMES, chromosome="1", palette=palette
    ),
    "one_variant": lambda palette: attribution_manhattan(
        points().head(1).assign(share=0.0), CHROMOSOMES, palette=palette
    ),
    "shares": lambda palette: gene_shares(genes(), palette=palette),
    "occlusion": lambda palette: gene_occlusion(genes(), palette=palette),
    "none_hidden": lambda palette: gene_occlusion(
        genes(3).assign(auc_lost=np.nan, low=np.nan, high=np.nan), palette=palette
    ),
    "chromosomes": lambda palette: chromosome_shares(chromosomes(), palette=palette),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1300, 360])
def test_draws_within_its_width(name: str, palette: Palette, width: int) -> None:
    svg = svg_of(CASES[name](palette), width)
    assert float(re.search(r'width="([\d.]+)"', svg)[1]) == pytest.approx(width, abs=1)
    for wrong in ("…", "NaN", "undefined"):
        assert wrong not in svg


def rows_of(chart) -> pd.DataFrame:
    """Return the largest table that a chart is drawn from."""
    tables = chart.to_dict()["datasets"].values()
    return pd.DataFrame(max(tables, key=len))


def test_each_variant_is_drawn_in_both_halves_on_one_axis():
    shown = points()
    rows = rows_of(attribution_manhattan(shown, CHROMOSOMES))
    assert len(rows) == 2 * len(shown)
    by = rows.groupby("variant_index")
    assert (by["x"].nunique() == 1).all()
    assert (by["is_marked"].nunique() == 1).all()
    assert rows["is_marked"].sum() == 2 * N_MARKED
    upper, lower = by["y"].min(), by["y"].max()
    assert upper.max() < lower.min()
    assert lower.max() <= HEIGHT
    share = shown.set_index("variant_index")["share"]
    assert (lower.loc[share.sort_values().index].diff().dropna() <= 1e-3).all()  # higher is more
    assert (upper.loc[[7]] == upper.max()).all()  # without a p it stands on the floor


def test_what_a_chart_says():
    spec = json.dumps(gene_occlusion(genes()).to_dict(), ensure_ascii=False)
    assert "0.000" in spec
    assert "−0.000" not in spec
    words = words_in(svg_of(CASES["shares"](LIGHT), 1300))
    assert "80% of all together" in " ".join(words)


def test_the_words_of_the_page():
    table = pd.DataFrame({"gene": ["A", "B", "C"], "share": [0.4, 0.35, 0.25]})
    assert page._sentence(table).startswith("**2 of 3 genes make half of the attribution.**")
    complete = {"tolerance": 0.01, "largest": 0.02, "median": 0.0, "n_people": 2245,
                "n_beyond": 3, "most_steps": 729}  # fmt: skip
    told = page._complete(complete)
    assert "2,245 test people" in told
    assert "less than 0.01% in the middle" in told
    assert "for 3 of them more than 1%" in told
    nothing = Stability(np.nan, np.nan, np.nan, 0, 0.0)
    assert "another seed" in page._of_seeds(nothing)
    some = Stability(0.81, 0.8, 0.82, 2, 400.0, n_waiting=1)
    assert page._of_seeds(some) == (
        "With another seed the attributions have a rank correlation of 0.81 (0.80 to 0.82). "
        "1 more run of another seed can be looked into."
    )
    variants = pd.DataFrame({"selected": [1.0, 0.5]})
    assert page._of_folds(some, variants).startswith("1 of 2 variants were chosen in every fold")
