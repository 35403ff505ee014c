"""Pictures and tables as files: valid, on white, with their caption; text is never a formula."""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typst
import vl_convert
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from streamlit.column_config import LineChartColumn, NumberColumn, TextColumn

from dashboard import charts, printing
from dashboard.caption import threshold_words
from dashboard.charts.saved import as_svg, file_name, in_light, saved, title_of
from dashboard.saved_tables import as_csv, as_parquet, shown_table
from dashboard.theme import CATEGORIES, DARK, LIGHT
from pipeline.settings import AnalysisSettings, with_changes
from tests.dashboard.test_charts import CHARTS, words_in

CAPTION = (
    "Run 257873bf251ef441 of cohort simulated; 199 variants entered; 180 cases, 227 controls.\n"
    "Sites: site quality above 30 Phred, smallest call rate 0.9 & no more than <that>."
)


def confusion() -> Any:
    return charts.confusion([[195, 57], [73, 125]], palette=LIGHT)


def squeezed(svg: str) -> str:
    return re.sub(r"\s+", " ", " ".join(words_in(svg)))


def test_a_png_has_300_dots_an_inch_and_more_room_for_its_caption() -> None:
    with_words = Image.open(io.BytesIO(saved(confusion(), CAPTION, "png")))
    without = Image.open(io.BytesIO(saved(confusion(), "", "png")))
    assert with_words.format == "PNG"
    assert with_words.info["dpi"] == pytest.approx((300, 300), abs=0.5)
    assert with_words.width == round(printing.WIDTH / 96 * 300)
    assert with_words.height > without.height + 100
    assert with_words.convert("RGB").getpixel((1, with_words.height - 2)) == (255, 255, 255)
    below = np.asarray(with_words.convert("L"))[without.height :]
    assert below.min() < 120, "the caption is written"


def test_an_svg_has_title_thresholds_counts_and_run() -> None:
    svg = saved(confusion(), CAPTION, "svg").decode()
    words = squeezed(svg)
    for expected in ("True against predicted", "257873bf251ef441", "199 variants entered",
                     "site quality above 30 Phred", "&amp; no more than &lt;that&gt;"):  # fmt: skip
        assert expected in words
    assert svg.count("<svg") == svg.count("</svg>") == 1
    assert "http" not in svg.replace("http://www.w3.org/", "")


def test_a_pdf_is_a_vector_of_one_page() -> None:
    pdf = saved(confusion(), CAPTION, "pdf")
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")
    assert pdf.count(b"/MediaBox") == 1
    width, height = (
        float(side)
        for side in re.search(rb"/MediaBox \[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", pdf).groups()
    )
    assert width == pytest.approx(printing.WIDTH, abs=1)
    assert height < width
    assert saved(confusion(), CAPTION, "pdf") == pdf, "nothing in it but the picture"


def test_a_pdf_stays_readable_and_the_same_however_it_was_numbered() -> None:
    spec = as_svg(CHARTS["curves_100"](LIGHT), CAPTION)
    made = [printing.in_order(vl_convert.svg_to_pdf(spec)) for _ in range(4)]
    assert len(set(made)) == 1
    assert printing.in_order(made[0]) == made[0]
    # Another program reads it: a page of it becomes a picture that is not blank.
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.pdf").write_bytes(made[0])
        (Path(folder) / "a.typ").write_text('#image("a.pdf", width: 100%)')
        drawn = Image.open(io.BytesIO(typst.compile(Path(folder) / "a.typ", format="png", ppi=40)))
    assert np.asarray(drawn.convert("L")).std() > 5


def test_a_long_caption_is_wrapped_and_not_cut() -> None:
    long = " ".join(f"word{n}" for n in range(200))
    svg = as_svg(confusion(), long)
    assert all(f"word{n}" in svg for n in range(200))
    lines = re.findall(r'font-size="12px">([^<]+)<', svg)
    assert max(map(len, lines)) <= 155
    height = float(re.search(r'height="([\d.]+)"', svg)[1])
    last = max(float(y) for y in re.findall(r'y="([\d.]+)" fill="#52606D" font-family', svg))
    assert last < height


def test_what_fails_is_told_in_a_sentence() -> None:
    asked = {"spec": {"mark": "no such mark"}, "caption": "", "ground": "", "ink": "",
             "ending": "svg"}  # fmt: skip
    with pytest.raises(printing.PrintingError, match="could not be drawn"):
        printing.printed(asked)


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_of_the_dark_mode_is_printed_as_that_of_the_light(name: str) -> None:
    text, colours = _parted(in_light(CHARTS[name](DARK).to_dict()))
    expected_text, expected = _parted(CHARTS[name](LIGHT).to_dict())
    assert text == expected_text
    for colour, wanted in zip(colours, expected, strict=True):
        apart = [abs(int(colour[i : i + 2], 16) - int(wanted[i : i + 2], 16)) for i in (1, 3, 5)]
        assert max(apart) <= 6, f"{colour} in place of {wanted}"


def _parted(spec: dict[str, Any]) -> tuple[str, list[str]]:
    """Return a chart without its colours and the names of its tables, and the colours."""
    text = json.dumps(spec)
    for number, name in enumerate(spec.get("datasets", {})):
        text = text.replace(name, f"table-{number}")
    text = re.sub("view_[0-9a-f]+", "view", text)  # named after what is in it, colours and all
    return re.sub("#[0-9A-F]{6}", "#", text), re.findall("#[0-9A-F]{6}", text)


def test_groups_that_mean_nothing_elsewhere_keep_their_colours() -> None:
    spec = {"datasets": {}, "range": list(CATEGORIES)}
    assert in_light(spec) == spec


def test_a_file_is_called_after_its_title() -> None:
    assert title_of(confusion()) == "True against predicted"
    assert file_name("True against predicted", "257873bf251ef441") == (
        "true-against-predicted-257873bf"
    )
    assert file_name("−log10 p ≥ 5 / ../../etc") == "log10-p-5-etc"
    assert file_name("≥") == "picture"


def test_thresholds_are_named_with_their_units_and_only_where_they_ask_for_something() -> None:
    words = threshold_words(AnalysisSettings())
    assert "smallest mean depth 8 reads" in words
    assert "Hardy" not in words
    moved = {"quality.max_hwe_log10": 6.0, "quality.min_mean_depth": None, "selection.top": 500,
             "samples.min_call_rate": 0.97}  # fmt: skip
    words = threshold_words(with_changes(AnalysisSettings(), moved))
    assert "Hardy" in words
    assert "depth" not in words
    assert "500" in words
    assert "smallest call rate of a person 0.97" in words.split("Sites")[0]


# ---- tables ---------------------------------------------------------------------------------

FORM = {
    "p": NumberColumn("p-value", format="%.2e"),
    "gene": "Gene",
    "hidden": None,
    "spark": LineChartColumn("Curve"),
    "n": TextColumn(width=80),
}


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "gene": ["=HYPERLINK(1)", "AGRN"],
            "p": [-1.5, 3e-62],
            "hidden": [1, 2],
            "spark": [[1, 2], [3, 4]],
            "n": [7, None],
        }
    )


def test_a_file_has_the_columns_that_are_shown_by_their_names() -> None:
    assert list(shown_table(table(), FORM)) == ["Gene", "p-value", "n"]
    assert list(shown_table(table(), FORM, ["p", "gene"])) == ["p-value", "Gene"]
    assert list(shown_table(table()[["gene"]], height=3, on_select="rerun")) == ["gene"]


def test_csv_opens_in_a_spreadsheet_and_no_text_is_a_formula() -> None:
    written = as_csv(shown_table(table(), FORM))
    assert written.startswith(b"\xef\xbb\xbf")
    read = pd.read_csv(io.BytesIO(written))
    assert read["Gene"].tolist() == ["'=HYPERLINK(1)", "AGRN"]
    assert read["p-value"].tolist() == [-1.5, 3e-62], "numbers stay numbers"
    assert np.isnan(read["n"][1])


@given(st.lists(st.text(), min_size=1, max_size=8))
def test_no_text_of_any_kind_begins_a_formula(cells: list[str]) -> None:
    text = as_csv(pd.DataFrame({"=a": cells})).decode("utf-8-sig")
    for (cell,) in (row for row in csv.reader(io.StringIO(text, newline="")) if row):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_parquet_is_the_whole_table_as_it_was() -> None:
    long = pd.DataFrame({"Variant": [f"1_{n}_A_G" for n in range(5_000)], "p": np.arange(5_000.0)})
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(as_parquet(long))), long)


def test_parquet_writes_things_of_several_kinds_as_text() -> None:
    mixed = pd.DataFrame({"Value": [1, "half", None]})
    read = pd.read_parquet(io.BytesIO(as_parquet(mixed)))
    assert read["Value"].tolist()[:2] == ["1", "half"]
    assert read["Value"].isna()[2]
