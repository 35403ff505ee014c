"""Published files of summary statistics: what is read, what is told, and where it is drawn."""

from __future__ import annotations

import gzip
import math

import numpy as np
import pandas as pd
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import Cancelled, EmptyResultError, InputError
from pipeline.published import build_note, joint_axis, n_off_axis, published_points
from pipeline.schema import CHROMOSOME_ORDER
from pipeline.sources import sumstats
from pipeline.sources.sumstats import (
    LARGEST_OF_ZERO,
    neg_log10_of_text,
    read_summary_file,
    sniff_summary_file,
)
from pipeline.summaries import GenomeAxis
from pipeline.summaries.genome import CHROMOSOME_GAP, thin
from tests.tools import shared_data

X, MT = CHROMOSOME_ORDER["X"], CHROMOSOME_ORDER["MT"]

# The first lines of what programs write, by their own column names.
PROGRAMS = {
    "GWAS-SSF": (
        "chromosome\tbase_pair_location\teffect_allele\tother_allele\todds_ratio\t"
        "standard_error\teffect_allele_frequency\tp_value\trsid\tneg_log_10_p_value",
        "1\t100\tA\tG\t1.5\t0.1\t0.2\t0.001\trs1\t3",
        {"chromosome": "chromosome", "position": "base_pair_location", "p_value": "p_value",
         "neg_log10_p": "neg_log_10_p_value", "effect_allele": "effect_allele",
         "other_allele": "other_allele", "odds_ratio": "odds_ratio",
         "standard_error": "standard_error", "frequency": "effect_allele_frequency",
         "rsid": "rsid"},
    ),
    "PLINK 1 --assoc": (
        " CHR         SNP         BP   A1      F_A      F_U   A2     CHISQ         P       OR ",
        "   1         rs1        100    A   0.3333   0.1111    G         1.5        0.001    1.5 ",
        {"chromosome": "CHR", "position": "BP", "p_value": "P", "effect_allele": "A1",
         "other_allele": "A2", "odds_ratio": "OR", "rsid": "SNP"},
    ),
    "PLINK 2 --glm": (
        "#CHROM\tPOS\tID\tREF\tALT\tA1\tTEST\tOBS_CT\tOR\tLOG(OR)_SE\tZ_STAT\tP\tERRCODE",
        "1\t100\trs1\tG\tA\tA\tADD\t100\t1.5\t0.1\t4\t0.001\t.",
        {"chromosome": "#CHROM", "position": "POS", "p_value": "P", "effect_allele": "A1",
         "other_allele": "REF", "odds_ratio": "OR", "standard_error": "LOG(OR)_SE", "rsid": "ID",
         "test": "TEST"},
    ),
    "SAIGE": (
        "CHR\tPOS\tMarkerID\tAllele1\tAllele2\tAC_Allele2\tAF_Allele2\tMissingRate\tBETA\tSE\t"
        "Tstat\tvar\tp.value",
        "1\t100\trs1\tG\tA\t40\t0.2\t0\t0.4\t0.1\t4\t1\t0.001",
        {"chromosome": "CHR", "position": "POS", "p_value": "p.value", "effect_allele": "Allele2",
         "other_allele": "Allele1", "beta": "BETA", "standard_error": "SE",
         "frequency": "AF_Allele2", "rsid": "MarkerID"},
    ),
    "REGENIE": (
        "CHROM GENPOS ID ALLELE0 ALLELE1 A1FREQ INFO N TEST BETA SE CHISQ LOG10P EXTRA",
        "1 100 rs1 G A 0.2 1 100 ADD 0.4 0.1 16 3 NA",
        {"chromosome": "CHROM", "position": "GENPOS", "neg_log10_p": "LOG10P",
         "effect_allele": "ALLELE1", "other_allele": "ALLELE0", "beta": "BETA",
         "standard_error": "SE", "frequency": "A1FREQ", "rsid": "ID", "test": "TEST"},
    ),
    "FinnGen": (
        "#chrom\tpos\tref\talt\trsids\tnearest_genes\tpval\tmlogp\tbeta\tsebeta\taf_alt",
        "1\t100\tG\tA\trs1\tFTO\t0.001\t3\t0.4\t0.1\t0.2",
        {"chromosome": "#chrom", "position": "pos", "p_value": "pval", "neg_log10_p": "mlogp",
         "effect_allele": "alt", "other_allele": "ref", "beta": "beta",
         "standard_error": "sebeta", "frequency": "af_alt", "rsid": "rsids",
         "gene": "nearest_genes"},
    ),
    "BOLT-LMM": (
        "SNP\tCHR\tBP\tGENPOS\tALLELE1\tALLELE0\tA1FREQ\tF_MISS\tBETA\tSE\tP_BOLT_LMM_INF",
        "rs1\t1\t100\t0.02\tA\tG\t0.2\t0\t0.4\t0.1\t0.001",
        {"chromosome": "CHR", "position": "BP", "p_value": "P_BOLT_LMM_INF",
         "effect_allele": "ALLELE1", "other_allele": "ALLELE0", "beta": "BETA",
         "standard_error": "SE", "frequency": "A1FREQ", "rsid": "SNP"},
    ),
    "METAL": (
        "MarkerName\tAllele1\tAllele2\tFreq1\tEffect\tStdErr\tP-value\tDirection",
        "chr1:100:G:A\ta\tg\t0.2\t0.4\t0.1\t0.001\t++",
        {"p_value": "P-value", "effect_allele": "Allele1", "other_allele": "Allele2",
         "beta": "Effect", "standard_error": "StdErr", "frequency": "Freq1",
         "rsid": "MarkerName"},
    ),
}  # fmt: skip


def write(path, *lines, mode="text"):
    """Write lines: as text, gzipped, or in BGZF blocks."""
    text = "\n".join(lines) + "\n"
    if mode == "text":
        path.write_text(text)
    elif mode == "gzip":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        with pysam.BGZFile(str(path), "wb") as out:
            out.write(text.encode())
    return path


@pytest.mark.parametrize("program", PROGRAMS)
def test_sniff__knows_the_columns_of(program, tmp_path):
    header, row, roles = PROGRAMS[program]
    path = write(tmp_path / "a.tsv", header, row)
    columns = sniff_summary_file(path)
    assert columns.roles == roles
    assert columns.missing == ()
    assert columns.preview == (tuple(row.split()),)
    assert columns.question().endswith("is that right?")
    summary = read_summary_file(path)
    assert (summary.chrom_order.tolist(), summary.pos.tolist()) == ([1], [100])
    assert summary.neg_log10_p[0] == pytest.approx(3)
    hit = summary.hits.iloc[0]
    assert (hit["effect_allele"].upper(), hit["other_allele"].upper()) == ("A", "G")


@pytest.mark.parametrize("mode", ["text", "gzip", "bgzip"])
@pytest.mark.parametrize("delimiter", ["\t", ",", ";", "  "])
def test_read__is_pandas_however_it_is_written(tmp_path, monkeypatch, mode, delimiter):
    """The same arrays as pandas, over several blocks."""
    monkeypatch.setattr(sumstats, "_BLOCK_BYTES", 4096)
    rng = np.random.default_rng(1)
    n = 2000
    table = pd.DataFrame(
        {
            "chrom": rng.choice(["1", "chr2", "X", "22", "MT"], n),
            "pos": rng.integers(1, 240_000_000, n),
            "p": 10.0 ** -rng.exponential(3, n),
            "rsid": [f"rs{i}" for i in range(n)],
        }
    )
    lines = [delimiter.join(map(str, row)) for row in table.itertuples(index=False)]
    path = write(tmp_path / "a.txt", delimiter.join(table.columns), *lines, mode=mode)
    summary = read_summary_file(path)
    assert summary.n_rows == len(summary) == n
    assert summary.n_unread == {}
    orders = table["chrom"].str.removeprefix("chr").map(CHROMOSOME_ORDER)
    assert summary.chrom_order.tolist() == orders.tolist()
    assert summary.pos.tolist() == table["pos"].tolist()
    np.testing.assert_allclose(summary.neg_log10_p, -np.log10(table["p"]), rtol=1e-6)
    order = np.argsort(table["p"].to_numpy(), kind="stable")
    assert summary.hits["rsid"].tolist() == table["rsid"].iloc[order].tolist()
    assert (summary.chrom_order.dtype, summary.pos.dtype) == (np.uint8, np.uint32)


def test_read__counts_what_it_leaves_out(tmp_path):
    path = write(
        tmp_path / "a.tsv",
        "## a comment", "CHR\tBP\tP\tSNP",
        "1\t100\t0.5\trs1",
        "GL000192.1\t100\t0.5\trs2",
        "2\tNA\t0.5\trs3", "2\t-5\t0.5\trs4", "2\t1.5\t0.5\trs5",
        "3\t100\tNA\trs6", "3\t100\t1.5\trs7", "3\t100\t<1e-9\trs8", "3\t100\t-1\trs9",
        "4\t100\t0.5", "4\t100\t0.5\trs10\tmore",
        "", "chrX\t1e6\t1\trs11",
    )  # fmt: skip
    with pytest.raises(InputError, match="shows no position"):  # row 3 of the preview is -5
        read_summary_file(path)
    columns = sniff_summary_file(path).with_roles({"position": "BP", "p_value": "P"})
    summary = read_summary_file(path, columns)
    assert summary.n_unread == {
        "no chromosome of 1 to 22, X, Y, MT": 1,
        "no position": 3,
        "no p": 4,
        "too few or too many cells": 2,
    }
    assert summary.n_rows == 12 == len(summary) + sum(summary.n_unread.values())
    assert summary.chrom_order.tolist() == [1, X]
    assert summary.pos.tolist() == [100, 1_000_000]
    assert summary.neg_log10_p[1] == 0
    assert "3 of 12 rows of a.tsv are left out: no position." in summary.notes()


def test_read__keeps_minus_log10_p_below_what_a_float_holds(tmp_path):
    p = ["4.5e-400", "1E-310", "0", "2e-12345", "0.00", "1e-299", "1"]
    lines = [f"1\t{i + 1}\t{text}" for i, text in enumerate(p)]
    summary = read_summary_file(write(tmp_path / "a.tsv", "CHR\tBP\tP", *lines))
    wanted = [400 - math.log10(4.5), 310, LARGEST_OF_ZERO, 12345 - math.log10(2),
              LARGEST_OF_ZERO, 299, 0]  # fmt: skip
    np.testing.assert_allclose(summary.neg_log10_p, wanted, rtol=1e-6)
    assert summary.n_zero == 2
    assert "2 variants have p = 0" in summary.notes()[0]
    assert summary.hits["row"].tolist()[:2] == [3, 0]


@given(st.floats(1, 9.99), st.integers(1, 5000))
def test_neg_log10_of_text(mantissa, power):
    found = neg_log10_of_text(f"{mantissa}e-{power}")
    assert found == pytest.approx(power - math.log10(mantissa), abs=1e-9)


def test_read__25_is_mt_where_it_can_be(tmp_path):
    """25 is MT in GWAS-SSF, the pseudo-autosomal part of X in PLINK, where 26 is MT."""
    path = write(
        tmp_path / "a.tsv", "CHR\tBP\tP", "23\t9\t.1", "24\t9\t.1", "25\t300\t.1",
        "25\t2000000\t.1", "26\t300\t.1", "01\t9\t.1",
    )  # fmt: skip
    assert read_summary_file(path).chrom_order.tolist() == [X, X + 1, MT, X, MT, 1]


def test_read__rows_of_covariates_are_left_out(tmp_path):
    rows = [f"1\t{pos}\t{test}\t0.5" for pos in (1, 2) for test in ("ADD", "AGE", "SEX")]
    summary = read_summary_file(write(tmp_path / "a.tsv", "CHR\tBP\tTEST\tP", *rows))
    assert summary.pos.tolist() == [1, 2]
    assert summary.n_unread == {"of another test than ADD": 4}


def test_read__keeps_the_names_of_the_smallest_p_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(sumstats, "_BLOCK_BYTES", 2048)
    monkeypatch.setattr(sumstats, "N_HITS", 10)
    p = np.random.default_rng(2).permutation(np.arange(1, 1001)) / 1001
    lines = [f"1\t{i + 1}\t{value}\trs{i}\tG{i}" for i, value in enumerate(p)]
    summary = read_summary_file(write(tmp_path / "a.tsv", "chr\tpos\tp\tsnp\tgene", *lines))
    best = np.argsort(p)[:10]
    assert summary.hits["row"].tolist() == best.tolist()
    assert summary.hits["rsid"].tolist() == [f"rs{i}" for i in best]
    assert summary.hits["gene"].tolist() == [f"G{i}" for i in best]


def test_with_roles__the_user_overrides(tmp_path):
    path = write(tmp_path / "a.tsv", "where\tat\tp\tother_p", "1\t5\t0.1\t0.01")
    columns = sniff_summary_file(path)
    assert columns.missing == ("chromosome", "position")
    with pytest.raises(InputError, match=r"shows no chromosome and no position among where, at"):
        read_summary_file(path, columns)
    chosen = columns.with_roles({"chromosome": "where", "position": "at", "p_value": "other_p"})
    assert read_summary_file(path, chosen).neg_log10_p[0] == pytest.approx(2)
    assert columns.with_roles({"p_value": None}).missing[-1].startswith("p value")
    with pytest.raises(InputError, match="'no' was given; choose one of where, at"):
        columns.with_roles({"position": "no"})
    with pytest.raises(InputError, match="'place' was given"):
        columns.with_roles({"place": "at"})


def test_sniff__refuses_in_one_sentence(tmp_path):
    with pytest.raises(InputError, match="there is none at"):
        sniff_summary_file(tmp_path / "no.tsv")
    for name, content, told in (
        ("empty", b"", "is empty"),
        ("binary", b"\0\1\2" * 50, "is not text"),
        ("bare", b"1\t100\t0.5\n2\t100\t0.5\n", "begins with '1"),
        ("head", b"CHR\tBP\tP\n", "no line after it"),
        ("cut", gzip.compress(b"CHR\tBP\tP\n1\t5\t.1\n" * 500)[:40], "cannot be"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(InputError, match=told) as raised:
            sniff_summary_file(path)
        assert str(raised.value).endswith(".")


def test_read__a_file_cut_off_is_told(tmp_path):
    rng = np.random.default_rng(1)
    rows = b"".join(b"1\t%d\t%f\n" % (i + 1, rng.random()) for i in range(60_000))
    path = tmp_path / "cut.tsv.gz"
    path.write_bytes(gzip.compress(b"CHR\tBP\tP\n" + rows)[:-20_000])
    with pytest.raises(InputError, match="is read to its end"):
        read_summary_file(path)


def test_read__nothing_usable_and_stopped(tmp_path):
    path = write(tmp_path / "a.tsv", "CHR\tBP\tP", "1\t5\tNA", "1\t6\tNA")
    with pytest.raises(EmptyResultError, match="2 rows: no p"):
        read_summary_file(path)

    def stop(_):
        raise Cancelled

    with pytest.raises(Cancelled):
        read_summary_file(write(tmp_path / "b.tsv", "CHR\tBP\tP", "1\t5\t.1"), on_progress=stop)


def test_real__finngen_crohn():
    path = shared_data("topr/CD_FINNGEN.tsv.gz")
    columns = sniff_summary_file(path)
    assert columns.roles == {
        "chromosome": "CHROM", "position": "POS", "p_value": "P", "effect_allele": "ALT",
        "other_allele": "REF", "beta": "BETA", "frequency": "AF", "rsid": "ID",
    }  # fmt: skip
    assert len(columns.preview) == 20
    summary = read_summary_file(path, columns, build="hg38")
    table = pd.read_csv(path, sep="\t")
    assert len(summary) == len(table) == 32_303
    assert summary.n_unread == {}
    np.testing.assert_allclose(summary.neg_log10_p, -np.log10(table["P"]), rtol=1e-6)
    top = summary.hits.iloc[0]
    assert top["rsid"] == "rs748670681"
    assert top["neg_log10_p"] == pytest.approx(-math.log10(4.46786e-48))
    assert len(summary.hits) == 3000


def test_real__gap_mhtdata_on_an_axis():
    """`_freq_`, `start` and `end` are no roles; FTO is on top, at its place on 16."""
    path = shared_data("gap/mhtdata.tsv.gz")
    columns = sniff_summary_file(path)
    assert columns.roles == {
        "chromosome": "chr", "position": "pos", "p_value": "p", "rsid": "rsn", "gene": "gene",
    }  # fmt: skip
    summary = read_summary_file(path, columns, build="hg18")
    assert (len(summary), summary.n_unread) == (159_312, {})
    joint = joint_axis(toy_axis(), summary)
    points = published_points(summary, joint.chromosomes)
    assert 3000 < len(points) <= 10_000
    assert points["n_binned"].sum() == len(summary)
    assert n_off_axis(summary, joint.chromosomes) == 0
    top = points.loc[points["neg_log10_p"].idxmax()]
    assert (top["rsid"], top["gene"], top["chrom"], top["pos"], top["variant_id"]) == (
        "rs8050136", "FTO", "16", 52_373_776, "16_52373776",
    )  # fmt: skip
    assert top["neg_log10_p"] == pytest.approx(-math.log10(3.879e-17), rel=1e-6)
    of_16 = joint.chromosomes.set_index("chrom").loc["16"]
    assert top["x"] == of_16["start"] + top["pos"]
    within = points.merge(joint.chromosomes, on="chrom")
    assert ((within["x"] > within["start"]) & (within["x"] <= within["end"])).all()
    assert "hg18" in build_note(summary, "hg19")
    assert build_note(summary, "hg18") is None


def toy_axis() -> GenomeAxis:
    """Return the axis of three variants: 1:10, 2:20, X:30, as `genome_axis` makes it."""
    length = np.array([10.0, 20.0, 30.0])
    start = np.concatenate([[0.0], np.cumsum(length + CHROMOSOME_GAP)[:-1]])
    chromosomes = pd.DataFrame(
        {"chrom": ["1", "2", "X"], "start": start, "middle": start + length / 2,
         "end": start + length}
    )  # fmt: skip
    return GenomeAxis(start + length, np.array([0, 1, 0], np.uint8), chromosomes)


def summary_of(tmp_path, *rows):
    header = "chrom\tpos\tref\talt\tp"
    return read_summary_file(write(tmp_path / "a.tsv", header, *rows))


def test_joint_axis__has_room_for_both(tmp_path):
    summary = summary_of(tmp_path, "1\t5\tA\tC\t.1", "2\t500\tA\tC\t.01", "3\t7\tA\tC\t.2")
    axis = toy_axis()
    joint = joint_axis(axis, summary)
    assert joint.chromosomes["chrom"].tolist() == ["1", "2", "3", "X"]
    length = joint.chromosomes["end"] - joint.chromosomes["start"]
    assert length.tolist() == [10, 500, 7, 30]
    start = joint.chromosomes.set_index("chrom")["start"]
    assert joint.x.tolist() == [start["1"] + 10, start["2"] + 20, start["X"] + 30]
    assert joint.parity.tolist() == [0, 1, 1]
    points = published_points(summary, joint.chromosomes).sort_values("x")
    assert points["x"].tolist() == [start["1"] + 5, start["2"] + 500, start["3"] + 7]
    assert points["variant_id"].tolist() == ["1_5_A_C", "2_500_A_C", "3_7_A_C"]
    assert points["parity"].tolist() == [0, 1, 0]
    assert points.columns.tolist() == [
        "variant_index", "x", "neg_log10_p", "parity", "n_binned", "chrom", "pos", "rsid",
        "variant_id", "gene",
    ]  # fmt: skip
    # On the cohort's own axis 2:500 and chromosome 3 have no place.
    assert n_off_axis(summary, axis.chromosomes) == 2
    assert published_points(summary, axis.chromosomes)["pos"].tolist() == [5]


def test_joint_axis__of_nothing_new_is_the_axis(tmp_path):
    axis = toy_axis()
    joint = joint_axis(axis, summary_of(tmp_path, "X\t3\tA\tC\t.1"))
    assert joint.x.tolist() == axis.x.tolist()
    assert joint.parity.tolist() == axis.parity.tolist()
    pd.testing.assert_frame_equal(joint.chromosomes, axis.chromosomes)


def test_published_points__off_the_axis_altogether(tmp_path):
    summary = summary_of(tmp_path, "Y\t3\tA\tC\t.1")
    assert published_points(summary, toy_axis().chromosomes).empty
    assert "not known" in build_note(summary, "hg19")


@settings(deadline=None)  # the kernel is compiled at the first call
@given(st.integers(0, 2**32 - 1), st.integers(1, 20_000))
def test_thin__each_variant_stands_somewhere_and_the_best_for_itself(seed, n):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 3e9, n)
    log_p = rng.exponential(1, n)
    log_p[rng.random(n) < 0.1] = np.nan
    rows, n_binned = thin(x, log_p, 3e9)
    assert n_binned.sum() == np.count_nonzero(~np.isnan(log_p))
    assert len(rows) <= 7_200
    assert len(np.unique(rows)) == len(rows)
    best = np.argsort(-np.nan_to_num(log_p, nan=-1))[: min(2_999, int(n_binned.sum()))]
    if n_binned.sum() > 3_000:
        assert set(best) <= set(rows[n_binned == 1])
    # The outline is that of all: nothing hides a smaller p beside it.
    column = (x / 3e9 * 350).astype(int)
    everywhere, drawn = (
        pd.Series(log_p[chosen]).groupby(column[chosen]).max()
        for chosen in (np.flatnonzero(~np.isnan(log_p)), rows)
    )
    pd.testing.assert_series_equal(everywhere, drawn)
