"""Files of input weights: every way to name a variant, columns found, bad files in one sentence."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.sources.weights import read_weights, weights_of

VARIANTS = pd.DataFrame(
    {
        "variant_index": [3, 5, 8, 9, 12],
        "chrom": ["chr1", "chr1", "chr2", "chrX", "chr2"],
        "pos": np.array([100, 100, 5, 77, 9], np.uint32),
        "rsid": ["rs1", "rs2", None, "rs4", "rs5"],
        "ref": ["A", "A", "AT", "G", "C"],
        "alt": ["C", "G", "A", "T", "T"],
    },
    index=[10, 11, 12, 13, 14],  # a selection keeps the numbers of its rows
)


def written(folder: Path, text: str, name: str = "weights.tsv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def matched(path: Path) -> tuple[list[float], int]:
    found = weights_of(read_weights(path), VARIANTS)
    return found.weights.tolist(), found.n_matched


@pytest.mark.parametrize("sep", ["\t", ",", ";", "  "])
@pytest.mark.parametrize("mark", ["_", ":", "-"])
@pytest.mark.parametrize("prefix", ["", "chr", "CHR"])
def test_every_way_to_write_a_place(tmp_path, sep, mark, prefix):
    rows = [
        ("variant", "weight"),
        (prefix + mark.join(("1", "100", "A", "G")), "-2.5"),
        (prefix + mark.join(("23", "77", "g", "t")), "1e-3"),
        (prefix + mark.join(("2", "5", "AT", "A")), "4"),
        (prefix + mark.join(("9", "9", "A", "G")), "7"),
    ]
    path = written(tmp_path, "\n".join(sep.join(row) for row in rows) + "\n")
    assert matched(path) == ([0, -2.5, 4, 0.001, 0], 3)


@pytest.mark.parametrize("header", ["chrom pos ref alt beta", "#CHR POSITION REF ALT weight"])
def test_a_place_may_be_four_columns(tmp_path, header):
    path = written(tmp_path, f"{header}\nchr1 100 A G -2.5\n23 77 g t 1e-3\n9 9 A G 7\n")
    assert matched(path) == ([0, -2.5, 0, 0.001, 0], 2)


def test_ids_and_places_may_stand_in_one_file_and_the_place_wins(tmp_path):
    path = written(tmp_path, "snp weight\nrs1 3\nrs5 0\n1_100_A_C 9\nrs999 4\nrs4 NA\n. 8\n")
    assert matched(path) == ([9, 0, 0, 0, 0], 2)  # rs5 is named, with weight 0


def test_alleles_have_to_be_the_same(tmp_path):
    path = written(tmp_path, "variant weight\n1_100_C_A 1\n2_5_AT_T 1\nX_77_G_T 1\n")
    assert matched(path) == ([0, 0, 0, 1, 0], 1)


def test_a_scaffold_may_have_marks_in_its_name(tmp_path):
    table = read_weights(written(tmp_path, "variant weight\nHLA-A_x_1:5:A:T 1\n"))
    assert table.by_place.to_dict("records") == [
        {"chrom": "HLA-A_x_1", "pos": 5, "ref": "A", "alt": "T", "weight": 1.0}
    ]


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("SNP\tchr\tconnection_weights", ("SNP", "connection_weights")),
        ("#ID\tp\tWeight", ("ID", "Weight")),
        ("site\tcall\tloading", ("site", "loading")),  # the first text, the only number
        ("loading\tsite\tcall", ("site", "loading")),
        ("rsid\tbeta\tweight", ("rsid", "weight")),
    ],
)
def test_columns_are_found_by_name_or_by_what_they_hold(tmp_path, header, columns):
    texts = {"SNP", "#ID", "site", "rsid"}
    row = []
    for name in header.split("\t"):
        text = "rs2" if name in texts else "PASS" if name == "call" else "1.5"
        row.append(text)
    table = read_weights(written(tmp_path, f"{header}\n" + "\t".join(row) + "\n"))
    assert (table.variant_column, table.weight_column) == columns
    assert weights_of(table, VARIANTS).weights.tolist() == [0, 1.5, 0, 0, 0]


def test_comments_blank_lines_a_byte_order_mark_and_gzip(tmp_path):
    text = "\ufeff##made by hand\n\nvariant,weight\n\n1_100_A_C,2\n"
    plain = tmp_path / "w.csv"
    plain.write_text(text, encoding="utf-8")
    packed = tmp_path / "w.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    assert matched(plain) == matched(packed) == ([2, 0, 0, 0, 0], 1)


def test_the_same_row_twice_is_one(tmp_path):
    path = written(tmp_path, "variant weight\n1_100_A_C 2\nchr1:100:a:c 2.0\nrs2 1\nrs2 1\n")
    assert matched(path) == ([2, 1, 0, 0, 0], 2)
    assert read_weights(path).n_rows == 4


def test_variants_of_the_same_id_have_the_same_weight_and_keep_their_number(tmp_path):
    twins = pd.concat([VARIANTS, VARIANTS.assign(alt="*")])
    table = read_weights(written(tmp_path, "id weight\nrs4 3\n"))
    assert weights_of(table, twins).weights.tolist() == [0, 0, 0, 3, 0] * 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has 0 lines; add them"),
        ("variant weight\n", "has 1 lines; add them"),
        ("variant weight\n1_1_A_C loud\n", "row 2 of weights.tsv has 'loud' in the column weight"),
        ("variant weight\n1_1_A_C 1\n1_2_A_C inf\n", "row 3 of weights.tsv has 'inf'"),
        ("variant weight\nrs1 1\nrs1 2\n", "gives rs1 two; leave one row"),
        ("variant weight\n1_1_A_C 1\nchr1:1:A:C 2\n", "gives 1_1_A_C two"),
        ("variant weight\nrs1 1 2\n", "row 2 has 3; mend that row"),
        ("variant weight\nrs1\n", "row 2 has 1; mend that row"),
        ("variant weight weight\nrs1 1 1\n", "'weight' stands twice"),
        ("variant p se\nrs1 1 2\n", "variant, p, se, 2 of them numeric; name the one"),
        ("variant name\nrs1 x\n", "0 of them numeric"),
        ("weight size\n1 2\n", "columns weight, size; add it"),
    ],
)
def test_a_bad_file_is_a_sentence(tmp_path, text, sentence):
    with pytest.raises(InputError) as problem:
        read_weights(written(tmp_path, text))
    assert sentence in str(problem.value)
    assert str(problem.value).count(". ") == 0


def test_no_file_and_no_text_are_sentences(tmp_path):
    with pytest.raises(InputError, match="there is none at"):
        read_weights(tmp_path / "none.tsv")
    with pytest.raises(InputError, match="cannot be"):
        read_weights(tmp_path)  # a folder
    for content in (b"\xff\xfe\x00variant", gzip.compress(b"variant weight\nrs1 1\n" * 99)[:40]):
        (tmp_path / "w").write_bytes(content)
        with pytest.raises(InputError, match=r"but w cannot be \("):
            read_weights(tmp_path / "w")


@given(
    weights=st.dictionaries(
        st.tuples(
            st.sampled_from(["1", "7", "X", "MT"]),
            st.integers(1, 3),
            st.sampled_from(["A", "CT"]),
            st.sampled_from(["G", "TTT"]),
        ),
        st.floats(-1e6, 1e6),
        min_size=1,
    ),
    prefix=st.sampled_from(["", "chr"]),
)
@settings(max_examples=30, deadline=None)
def test_what_is_written_is_read(tmp_path_factory, weights, prefix):
    lines = ["variant\tweight"]
    lines += [f"{'_'.join(map(str, key))}\t{value!r}" for key, value in weights.items()]
    path = written(tmp_path_factory.mktemp("w"), "\n".join(lines))
    chrom, pos, ref, alt = zip(*weights, strict=True)
    variants = pd.DataFrame(
        {"chrom": [prefix + name for name in chrom], "pos": pos, "ref": ref, "alt": alt}
    ).assign(rsid=None)
    found = weights_of(read_weights(path), variants)
    assert found.weights.tolist() == list(weights.values())
    assert found.n_matched == len(weights)
