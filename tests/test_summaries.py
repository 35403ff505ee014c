"""What pictures show against brute force, and what is told of single variants."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipeline import files, schema, store
from pipeline.association import associate, effect_allele_frequency, odds_ratios
from pipeline.cohort import CURRENT, Cohort, cohorts_dir, open_cohort
from pipeline.quality import filter_variants
from pipeline.settings import AssociationSettings, QualitySettings
from pipeline.statistics import TESTS, hwe_exact
from pipeline.summaries import (
    chromosome_points,
    find_variants,
    gene_place,
    gene_variants,
    genome_axis,
    links,
    manhattan_points,
    marked_variant,
    nearest_gene,
    peaks,
    qq_place,
    qq_points,
    region_genes,
    region_points,
    variant_card,
    volcano_points,
)
from tests.small_cohorts import codes, make_cohort, vcf_text

KEEP_ALL = QualitySettings(
    qual_above=None, filter_pass=False, drop_monomorphic=False, drop_sex_chromosomes=False,
    min_mean_depth=None, min_call_rate=None,
)  # fmt: skip
SAMPLES = [f"s{i}" for i in range(60)]
PEOPLE = {s: ("case", "control", "control", "other")[i % 4] for i, s in enumerate(SAMPLES)}
SEX = {s: "M" if i % 2 else "F" for i, s in enumerate(SAMPLES)}
IS_MALE = np.array([SEX[s] == "M" for s in SAMPLES])
GT = np.array(["0/0", "0/1", "1/1", "./."])
HAPLOID = np.array(["0", "1", "1", "."])


def calls(seed: int, frequency: float, haploid: bool = False) -> list[str]:
    rng = np.random.default_rng(seed)
    genotypes = rng.binomial(2, frequency, len(SAMPLES))
    genotypes[rng.random(len(SAMPLES)) < 0.04] = 3
    shown = GT[genotypes]
    if haploid:
        shown = np.where(IS_MALE, HAPLOID[genotypes], shown)
    return [f"{gt}:{3 + (seed + i) % 7}" for i, gt in enumerate(shown)]


RECORDS = [
    *(
        [
            chrom, 1_000 * (i + 1), f"rs{100 * int(chrom) + i}", "A", "C", "100",
            "low" if i == 3 else "PASS", ".", "GT:DP", *calls(1_000 * int(chrom) + i, 0.3),
        ]
        for chrom in ("1", "2") for i in range(30)
    ),
    ["2", 40_000, ".", "A", "C", "100", "PASS", ".", "GT:DP", *["0/0:5"] * 60],
    ["2", 41_000, ".", "A", "C,G", "100", "PASS", ".", "GT:DP", *["0/1:5", "0/2:6", "0/0:7"] * 20],
    ["X", 3_000_000, "rs9", "A", "C", "100", "PASS", ".", "GT:DP", *calls(9, 0.4, haploid=True)],
    ["Y", 3_000_000, ".", "A", "C", "100", "PASS", ".", "GT:DP",
     *["0:4" if IS_MALE[i] else ".:1" for i in range(60)]],
    ["MT", 500, ".", "A", "C", "100", "PASS", ".", "GT:DP", *["0/0:9", "1/1:9", "0/0:9"] * 20],
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("summaries")


@pytest.fixture(scope="module")
def plain(folder) -> Cohort:
    return make_cohort(folder, vcf_text(RECORDS, SAMPLES), PEOPLE, SEX)


@pytest.fixture(scope="module")
def annotated(plain, folder) -> Cohort:
    """The cohort with every table of an annotation, filled by hand."""
    target = cohorts_dir(folder / "cache") / "small" / "annotation-made.duckdb"
    rows = {
        "genes": [
            ("AAA", "1", 1, 900, 12_000, "+"),
            ("BBB", "1", 1, 11_000, 16_000, "-"),
            ("BARE", "1", 1, 25_000, 26_000, None),
            ("NKX2-1", "2", 2, 900, 3_500, "+"),
        ],
        "transcripts": [
            (0, "AAA", "t1", 1, "+", 900, 12_000, None, None, [900, 5_000], [1_500, 6_000]),
            (1, "AAA", "t2", 1, "+", 900, 9_000, None, None, [1_200, 8_000], [2_000, 9_000]),
            (2, "BBB", "t3", 1, "-", 11_000, 16_000, None, None, [11_000], [16_000]),
            (3, "AAA", "far", 2, "+", 900, 9_000, None, None, [900], [901]),
        ],
        "variant_genes": [(0, "AAA", 0), (11, "AAA", 0), (11, "BBB", 0), (30, "NKX2-1", 0)],
        "variant_regions": [(0, "exonic", "AAA", None)],
        "consequences": [
            (0, "AAA", "synonymous_variant", "synonymous", "CSQ"),
            (0, "BBB", "stop_gained", "lof", "CSQ"),
            (11, "AAA", "missense_variant", "missense", "CSQ"),
        ],
    }
    with store.create(target, {"kind": "annotation", "fingerprint": "x"}) as writer:
        for table, content in rows.items():
            columns = getattr(schema, table.upper())
            writer.run(schema.ddl(table, columns))
            named = [dict(zip((c.name for c in columns), row, strict=True)) for row in content]
            writer.insert(table, pa.Table.from_pylist(named))
    where = cohorts_dir(folder / "cache") / "small" / CURRENT
    before = files.read_json(where)
    files.write_json(where, before | {"annotation": target.name})
    return open_cohort(folder / "cache", "small")


def analysed(cohort: Cohort, test: str = "allelic", **thresholds):
    filtered = filter_variants(cohort, KEEP_ALL.model_copy(update=thresholds))
    return filtered, associate(cohort, filtered, AssociationSettings(test=test))


def test_points_of_one_chromosome_are_those_of_the_genome(plain):
    filtered, found = analysed(plain)
    whole = manhattan_points(plain, genome_axis(plain), filtered, found)
    one = chromosome_points(plain, filtered, found, 2)
    theirs = whole[whole.chrom == "2"].sort_values("variant_index")
    ours = one.sort_values("variant_index")
    assert set(whole.columns) <= set(one.columns)
    for column in ("variant_index", "neg_log10_p", "pos", "variant_id", "n_binned"):
        assert ours[column].tolist() == theirs[column].tolist()
    assert ours.x.tolist() == ours.pos.tolist()
    assert chromosome_points(plain, filtered, found, 21).empty


def test_region_has_its_variants_and_their_linkage_with_the_lead(annotated):
    filtered, found = analysed(annotated)
    region = region_points(annotated, filtered, found, 1, 2_000, 20_000)
    expected = [
        v
        for v in range(1, 20)
        if not np.isnan(found.neg_log10_p[np.searchsorted(filtered.kept, v)])
    ]
    assert region.variant_index.tolist() == expected
    lead = int(region.variant_index[region.is_lead].item())
    assert region.neg_log10_p[region.is_lead].item() == region.neg_log10_p.max()
    genotypes = codes(annotated)
    people = annotated.is_in(("case", "control"))
    for row in region.itertuples():
        one, other = genotypes[row.variant_index], genotypes[lead]
        both = people & (one < 3) & (other < 3)
        assert row.r2 == pytest.approx(
            np.corrcoef(one[both].astype(float), other[both].astype(float))[0, 1] ** 2
        )
    given = region_points(annotated, filtered, found, 1, 0, 20_000, lead=2)
    assert given.variant_index[given.is_lead].tolist() == [2]
    classes = given.set_index("variant_index").consequence_class
    assert classes[0] == "lof"  # the more severe of its two
    assert classes[11] == "missense"
    assert classes.drop([0, 11]).isna().all()
    assert region_points(annotated, filtered, found, 7, 1, 10**6).empty


def test_genes_of_a_region_join_the_exons_of_their_transcripts(annotated, plain):
    genes = region_genes(annotated, 1, 1_000, 27_000).set_index("gene")
    assert genes.index.tolist() == ["AAA", "BBB", "BARE"]
    assert genes.exon_starts["AAA"] == [900, 5_000, 8_000]
    assert genes.exon_ends["AAA"] == [2_000, 6_000, 9_000]
    assert genes.exon_starts["BARE"] == []
    assert genes.track["AAA"] != genes.track["BBB"]  # they overlap
    assert region_genes(annotated, 1, 17_000, 20_000).empty
    assert region_genes(plain, 1, 1, 10**6).empty


def test_tracks_never_hold_two_genes_in_one_place(annotated):
    genes = region_genes(annotated, 1, 1, 30_000)
    for _, of_track in genes.groupby("track"):
        spans = of_track.sort_values("start")
        assert (spans.start.to_numpy()[1:] > spans.end.to_numpy()[:-1]).all()


def test_peaks_are_apart_and_named_by_gene_rsid_or_position():
    points = pd.DataFrame(
        {
            "x": [1.0, 2, 3, 4, 5],
            "neg_log10_p": [9.0, 11.0, 8.0, 10.0, 4.0],
            "chrom": ["1", "1", "1", "2", "2"],
            "pos": [100_000, 300_000, 900_000, 300_000, 9_000_000],
            "gene": [None, "A;B;C", None, None, "Z"],
            "rsid": ["rs1", "rs2", None, "rs4", "rs5"],
        }
    )
    found = peaks(points, 5.0)
    assert found.label.tolist() == ["A, B …", "rs4", "1:900,000"]
    assert found.neg_log10_p.tolist() == [11, 10, 8]
    assert peaks(points, 5.0, window=100_000).label.tolist() == [
        "A, B …",
        "rs4",
        "rs1",
        "1:900,000",
    ]
    assert peaks(points, 5.0, n=1).x.tolist() == [2.0]
    assert peaks(points, 50.0).empty


def test_qq_of_strata_holds_each_variant_once(plain):
    filtered, found = analysed(plain)
    frequency = effect_allele_frequency(filtered)
    made, band = qq_points(found, frequency)
    whole, same = qq_points(found)
    pd.testing.assert_frame_equal(band, same)
    pd.testing.assert_frame_equal(made, qq_points(found, 1 - frequency)[0])  # of either allele
    assert len(made) == len(whole) == found.n_tested
    minor = np.minimum(frequency, 1 - frequency)
    for name, low, high in (("1 to 5%", 0.01, 0.05), ("5% and more", 0.05, 1)):
        inside = (minor >= low) & (minor < high) & ~np.isnan(found.neg_log10_p)
        rows = made[made.stratum == name]
        assert len(rows) == inside.sum()
        np.testing.assert_allclose(rows.observed, np.sort(found.neg_log10_p[inside])[::-1])
        if len(rows):
            n = len(rows)
            np.testing.assert_allclose(rows.expected, -np.log10((np.arange(n) + 0.5) / n))
            assert (rows.n == n).all()
    nothing = qq_points(replace(found, neg_log10_p=found.neg_log10_p * np.nan), frequency)
    assert all(table.empty for table in nothing)


def test_volcano_has_every_variant_with_an_odds_ratio(plain):
    filtered, found = analysed(plain)
    made = volcano_points(plain, filtered, found).set_index("variant_index")
    ratio = odds_ratios(plain, filtered).odds_ratio
    shown = ~np.isnan(found.neg_log10_p) & ~np.isnan(ratio)
    assert made.n_binned.sum() == shown.sum()
    for variant, row in made.iterrows():
        at = np.searchsorted(filtered.kept, variant)
        assert row.log2_odds_ratio == pytest.approx(np.log2(ratio[at]))
        assert row.neg_log10_p == found.neg_log10_p[at]


def index_of(cohort: Cohort, chrom: str, pos: int) -> int:
    rows = cohort.store.rows(
        "SELECT variant_index FROM variants WHERE chrom = $1 AND pos = $2", [chrom, pos]
    )
    return rows[0][0]


def test_card_counts_depth_and_every_test_as_the_whole_analysis(annotated):
    filtered, found = analysed(annotated)
    wholes = {
        name: associate(annotated, filtered, AssociationSettings(test=name))
        for name in TESTS
        if name != "logistic"
    }
    for chrom, pos in (("1", 1_000), ("X", 3_000_000), ("Y", 3_000_000), ("MT", 500)):
        variant = index_of(annotated, chrom, pos)
        row = int(np.searchsorted(filtered.kept, variant))
        card = variant_card(annotated, filtered, found, variant)
        assert card["tests"].keys() == wholes.keys()
        for name, whole in wholes.items():
            assert card["tests"][name] == pytest.approx(whole.neg_log10_p[row], nan_ok=True), name
        assert card["odds_ratio"] == pytest.approx(
            odds_ratios(annotated, filtered).odds_ratio[row], nan_ok=True
        )
        depths = next(
            [int(call.split(":")[1]) for call in record[9:]]
            for record in RECORDS
            if (record[0], record[1]) == (chrom, pos)
        )
        for role in ("case", "control"):
            of_role = annotated.is_in((role,))
            assert card[f"{role}_mean_depth"] == pytest.approx(np.array(depths)[of_role].mean())


def test_card_knows_who_has_one_copy(annotated):
    filtered, found = analysed(annotated)
    variant = index_of(annotated, "X", 3_000_000)
    card = variant_card(annotated, filtered, found, variant)
    genotypes = codes(annotated)[variant]
    female = annotated.is_in(("control",)) & ~IS_MALE
    counts = [np.array([np.sum(genotypes[female] == g)]) for g in (0, 1, 2)]
    assert card["hwe_neg_log10_p"] == pytest.approx(float(hwe_exact(*counts)[0]))
    case = annotated.is_in(("case",)) & (genotypes < 3)
    alt = genotypes[case & ~IS_MALE].sum() + (genotypes[case & IS_MALE] == 2).sum()
    called = 2 * (case & ~IS_MALE).sum() + (case & IS_MALE).sum()
    assert card["case_alt_frequency"] == pytest.approx(alt / called)
    for chrom, pos in (("Y", 3_000_000), ("MT", 500)):
        other = variant_card(annotated, filtered, found, index_of(annotated, chrom, pos))
        assert np.isnan(other["hwe_neg_log10_p"])
    mt = variant_card(annotated, filtered, found, index_of(annotated, "MT", 500))
    of_case = codes(annotated)[index_of(annotated, "MT", 500)][annotated.is_in(("case",))]
    assert mt["case_alt_frequency"] == pytest.approx((of_case == 2).mean())


def test_card_tells_region_and_consequences_or_that_none_was_read(annotated, plain):
    filtered, found = analysed(annotated)
    card = variant_card(annotated, filtered, found, 0)
    assert (card["gene_region"], card["region_genes"]) == ("exonic", "AAA")
    assert [row["consequence_class"] for row in card["consequences"]] == ["lof", "synonymous"]
    bare = variant_card(plain, *analysed(plain), 0)
    assert bare["gene_region"] is None
    assert bare["consequences"] == []
    removed = variant_card(plain, *analysed(plain, filter_pass=True), 3)
    assert removed["removed_by"] == "filter"
    assert not np.isnan(removed["case_mean_depth"])


def test_links_are_those_of_the_build():
    card = {"chrom": "1", "pos": 1_000, "ref": "A", "alt": "CT", "rsid": "rs12"}
    old, new = dict(links(card, "hg19")), dict(links(card, "hg38"))
    assert old["gnomAD"].endswith("/variant/1-1000-A-CT?dataset=gnomad_r2_1")
    assert new["gnomAD"].endswith("/variant/1-1000-A-CT?dataset=gnomad_r4")
    assert old["dbSNP"] == "https://www.ncbi.nlm.nih.gov/snp/rs12"
    assert old["Ensembl"].startswith("https://grch37.ensembl.org/")
    assert new["Ensembl"].startswith("https://www.ensembl.org/")
    assert "r=1%3A950-1051" in new["Ensembl"]
    assert "db=hg19" in old["UCSC"]
    assert "position=chr1%3A950-1051" in old["UCSC"]


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"alt": "<DEL>"}, {"gnomAD"}),
        ({"ref": "A&x=1"}, {"gnomAD"}),
        ({"rsid": None}, {"dbSNP"}),
        ({"rsid": "rs1;rs2/../x"}, {"dbSNP"}),
        ({"chrom": "GL000191.1?x#"}, {"gnomAD", "Ensembl", "UCSC"}),
        ({"chrom": "MT"}, {"gnomAD"}),
    ],
)
def test_links_are_left_out_where_a_site_would_not_know(change, missing):
    card = {"chrom": "1", "pos": 1_000, "ref": "A", "alt": "C", "rsid": "rs12"} | change
    assert {name for name, _ in links(card, "hg19")} == {
        "gnomAD", "dbSNP", "Ensembl", "UCSC",
    } - missing  # fmt: skip


def test_a_search_finds_by_place_alleles_rsid_and_gene(annotated):
    filtered, _ = analysed(annotated)

    def ids(text: str) -> list[str]:
        return find_variants(annotated, filtered, text)["variant_id"].tolist()

    assert ids("chr2:41,000") == ["2_41000_A_C", "2_41000_A_G"]
    assert ids(" 2_41000_a_g ") == ["2_41000_A_G"]
    assert ids("2-41000-A-T") == []
    assert ids("RS105") == ["1_6000_A_C"]
    assert ids("aaa") == ["1_1000_A_C", "1_12000_A_C"]
    assert ids("NKX2-1") == ["2_1000_A_C"]
    assert ids("M:500") == ["MT_500_A_C"]
    assert ids("nothing") == ids("") == ids("1:99999999999") == []


def test_a_search_says_why_a_variant_is_not_shown(annotated):
    filtered, found = analysed(annotated, filter_pass=True)
    drawn = np.array([0])

    def reason(text: str, association=found) -> str:
        (words,) = find_variants(
            annotated, filtered, text, found=association, drawn=drawn
        )["reason"]  # fmt: skip
        return words

    assert reason("1:4000") == "removed by “FILTER is PASS”"
    assert reason("1:1000") == f"in the plot, −log10 p {found.neg_log10_p[0]:.2f}"
    assert reason("1:2000").startswith("tested, −log10 p")
    assert "thinned out of the plot" in reason("1:2000")
    assert reason("2:40000") == "kept, not tested: everybody called has the same genotype"
    assert reason("Y:3000000") == "kept, not tested: no test is defined on Y"
    assert reason("1:1000", None) == "kept"
    hidden = replace(
        found,
        neg_log10_p=np.full_like(found.neg_log10_p, np.nan),
        is_doubtful=np.ones_like(found.is_doubtful),
    )
    assert "expected count is small" in reason("1:1000", hidden)


def test_a_chosen_variant_stands_where_the_pictures_draw_it(plain):
    filtered, found = analysed(plain)
    drawn = manhattan_points(plain, genome_axis(plain), filtered, found)
    volcano = volcano_points(plain, filtered, found).set_index("variant_id")
    assert len(drawn) == found.n_tested > 20
    for row in drawn.itertuples():
        marked = marked_variant(plain, filtered, found, row.variant_id)
        assert (marked.variant_index, marked.chrom, marked.pos) == (
            row.variant_index, row.chrom, row.pos,
        )  # fmt: skip
        assert marked.neg_log10_p == pytest.approx(row.neg_log10_p)
        if row.variant_id in volcano.index:
            ratio = volcano.log2_odds_ratio[row.variant_id]
            assert marked.log2_odds_ratio == pytest.approx(ratio)
        else:
            assert np.isnan(marked.log2_odds_ratio)
        assert marked.is_drawn
        assert marked.removed_by is None


def test_a_chosen_variant_that_is_not_drawn_says_why(plain):
    filtered, found = analysed(plain, filter_pass=True)
    marked = marked_variant(plain, filtered, found, "1_4000_A_C")
    assert (marked.removed_by, marked.is_drawn) == ("filter", False)
    assert marked_variant(plain, filtered, None, "1_1000_A_C").removed_by is None
    kept, tested = analysed(plain)
    untested = marked_variant(plain, kept, tested, "2_40000_A_C")
    assert (untested.removed_by, untested.is_drawn) == (None, False)
    same = marked_variant(plain, kept, tested, "chr1_1000_a_c")
    assert same == marked_variant(plain, kept, tested, "1_1000_A_C")
    for text in ("", "1_1000_A_G", "3_1000_A_C", "AGRN", "1_x_A_C", "1_1000_A", "'; --_1_A_C",
                 "1_99999999999_A_C"):  # fmt: skip
        assert marked_variant(plain, kept, tested, text) is None


def test_place_in_the_qq_plot_is_that_of_its_point(plain):
    filtered, found = analysed(plain)
    frequency = effect_allele_frequency(filtered)
    points, _ = qq_points(found, frequency, filtered.kept)
    points = points[points.variant_index >= 0]
    assert len(points) == found.n_tested
    assert points.variant_index.is_unique
    for row in points.itertuples():
        at = int(np.searchsorted(filtered.kept, row.variant_index))
        expected, observed, stratum = qq_place(found, frequency, at)
        assert observed == pytest.approx(row.observed)
        assert stratum == row.stratum
        # Of equal p the first place is told.
        ties = points[(points.observed == row.observed) & (points.stratum == row.stratum)]
        assert expected == pytest.approx(ties.expected.max())
    untested = int(np.flatnonzero(np.isnan(found.neg_log10_p))[0])
    assert qq_place(found, frequency, untested) is None


def test_the_100_of_smallest_p_of_a_stratum_say_who_they_are():
    rng = np.random.default_rng(5)
    log_p = rng.exponential(0.4, 3_000)
    found = SimpleNamespace(neg_log10_p=log_p)
    variants = np.arange(3_000) * 7
    points, _ = qq_points(found, np.full(3_000, 0.2), variants)
    alone = points[points.variant_index >= 0]
    assert alone.variant_index.tolist() == variants[np.argsort(-log_p)[:100]].tolist()
    assert len(points) > 200


def test_a_gene_is_found_with_its_variants(annotated):
    filtered, found = analysed(annotated)
    place = gene_place(annotated, "BBB")
    assert (place.chrom, place.start, place.end) == ("1", 11_000, 16_000)
    assert gene_place(annotated, "bbb") is gene_place(annotated, "NONE") is None
    rows = gene_variants(annotated, filtered, found, "AAA")
    assert set(rows.variant_index) == {0, 11}
    assert rows.neg_log10_p.is_monotonic_decreasing
    by_index = dict(zip(filtered.kept, found.neg_log10_p, strict=True))
    assert [by_index[i] for i in rows.variant_index] == rows.neg_log10_p.tolist()
    assert len(gene_variants(annotated, filtered, found, "AAA", n=1)) == 1
    assert gene_variants(annotated, filtered, found, "NONE").empty
    named = annotated.sites(np.array([11])).iloc[0]
    assert nearest_gene(annotated, f"1_{named.pos}_{named.ref}_{named.alt}") == "AAA"
    assert nearest_gene(annotated, "1_2000_A_C") == nearest_gene(annotated, "nothing") == ""


def test_without_genes_a_gene_is_nowhere(tmp_path):
    cohort = make_cohort(tmp_path, vcf_text(RECORDS[:20], SAMPLES), PEOPLE)
    filtered, found = analysed(cohort)
    assert gene_place(cohort, "AAA") is None
    assert gene_variants(cohort, filtered, found, "AAA").empty
    assert nearest_gene(cohort, "1_1000_A_C") == ""
