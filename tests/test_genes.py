"""Genes: carriers against brute force on unpacked genotypes, burdens against SciPy and truth."""

from __future__ import annotations

import json
import math
from contextlib import closing
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import statsmodels.api as sm
from scipy import stats

from pipeline import files, genes, schema, store
from pipeline.association import associate
from pipeline.cli import gene_verbs
from pipeline.cohort import CURRENT, Cohort, open_cohort
from pipeline.errors import EmptyResultError, NotFoundError
from pipeline.genes import (
    CLASSES,
    carriers_of_gene,
    fisher_burden,
    gene_lines,
    gene_points,
    gene_table,
    write_genes,
)
from pipeline.ingest import ingest
from pipeline.quality import filter_variants
from pipeline.settings import (
    AssociationSettings,
    GeneSettings,
    PeopleSettings,
    QualitySettings,
)
from pipeline.summaries import genome_axis
from tests.small_cohorts import codes, make_cohort, variants, vcf_text, write_vcf
from tests.truth.known import enrichment, simulated

KEEP_ALL = QualitySettings(
    qual_above=None, min_mean_depth=None, min_call_rate=None, drop_indels=False,
    drop_sex_chromosomes=False,
)  # fmt: skip
N_PEOPLE = 203
PLACES = [("1", 60), ("2", 30), ("X", 40), ("Y", 10), ("MT", 10)]
# Name, chromosome, first and last base; variants lie at 1000, 1010, 1020, … of each.
GENES = [
    ("A", "1", 1_000, 1_200), ("B", "1", 1_150, 1_300), ("EMPTY", "1", 5_000, 6_000),
    ("C", "1", 1_310, 1_590), ("C", "2", 1_000, 1_050), ("D", "2", 1_055, 1_300),
    ("XG", "X", 1_000, 1_400), ("YG", "Y", 1_000, 1_400), ("MG", "MT", 1_000, 1_400),
]  # fmt: skip


def random_calls(rng: np.random.Generator, chrom: str, sex: list[str]) -> list[str]:
    frequency = rng.choice([0.004, 0.01, 0.03, 0.3, 0.97, 0.995, 0.0])
    calls = []
    for who in sex:
        if rng.random() < 0.05:
            calls.append("./.")
        elif rng.random() < {"X": 0.9 * (who == "male"), "Y": 0.9, "MT": 0.95}.get(chrom, 0):
            calls.append("1" if rng.random() < frequency else "0")
        else:
            calls.append("/".join(str(int(rng.random() < frequency)) for _ in range(2)))
    return calls


def join_genes(cohort: Cohort, rows: list[tuple], consequences: list[tuple] | None) -> Cohort:
    """Join genes and consequences as declared; returns the cohort opened anew."""
    table = variants(cohort)
    pairs = set()
    for gene, chrom, first, last in rows:
        near = (
            (table["chrom"] == chrom) & (table["pos"] >= first - 25) & (table["pos"] <= last + 25)
        )
        for index, pos in zip(table["variant_index"][near], table["pos"][near], strict=True):
            pairs.add((index, gene, max(0, first - pos, pos - last)))
    cohort.store.close()
    folder = cohort.store.path.parent
    target = folder / f"annotation-{len(consequences or [])}.duckdb"
    with store.create(target, {"kind": "annotation"}) as writer:
        writer.run(schema.ddl("genes", schema.GENES))
        writer.run(schema.ddl("variant_genes", schema.VARIANT_GENES))
        order = schema.chromosome_order
        spans = [(g, c, order(c), first, last, "+") for g, c, first, last in rows]
        insert(writer, "genes", schema.GENES, spans)
        insert(writer, "variant_genes", schema.VARIANT_GENES, sorted(pairs))
        if consequences is not None:
            writer.run(schema.ddl("consequences", schema.CONSEQUENCES))
            insert(writer, "consequences", schema.CONSEQUENCES, consequences)
    current = files.read_json(folder / CURRENT)
    files.write_json(folder / CURRENT, current | {"annotation": target.name})
    return open_cohort(folder.parents[1], cohort.name)


def insert(writer: store.Writer, table: str, columns: tuple, rows: list[tuple]) -> None:
    if rows:
        names = [column.name for column in columns]
        values = [list(column) for column in zip(*rows, strict=True)]
        writer.insert(table, pa.table(dict(zip(names, values, strict=True))))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A cohort of every region and frequency, with genes and consequences."""
    rng = np.random.default_rng(5)
    ids = [f"p{i}" for i in range(N_PEOPLE)]
    sex = ["male" if rng.random() < 0.5 else "female" for _ in ids]
    records = [
        [chrom, 1_000 + 10 * i, "A", "C", "GT", *random_calls(rng, chrom, sex)]
        for chrom, n in PLACES
        for i in range(n)
    ]
    diagnosis = dict(zip(ids, rng.choice(["SCZ", "BP", "control"], N_PEOPLE), strict=True))
    folder = tmp_path_factory.mktemp("genes")
    cohort = make_cohort(
        folder, vcf_text(records, ids), diagnosis, dict(zip(ids, sex, strict=True))
    )
    cohort = join_genes(cohort, GENES, None)
    inside = cohort.store.rows(
        "SELECT variant_index, gene FROM annotation.variant_genes WHERE distance = 0 ORDER BY ALL"
    )
    consequences = [
        (index, gene, "said", str(rng.choice(CLASSES)), "CSQ")
        for index, gene in inside
        if rng.random() < 0.8
    ]
    consequences.append((0, "UNKNOWN", "said", "lof", "CSQ"))
    cohort = join_genes(cohort, GENES, consequences)
    with closing(cohort.store):
        yield cohort, consequences


@pytest.fixture(scope="module")
def cohort(made):
    return made[0]


def table_of(cohort: Cohort, quality: QualitySettings = KEEP_ALL, **changes):
    filtered = filter_variants(cohort, quality, PeopleSettings())
    found = associate(cohort, filtered, AssociationSettings())
    return filtered, found, gene_table(cohort, filtered, found, GeneSettings(**changes))


def brute_force(cohort, filtered, pairs, max_maf) -> dict[str, np.ndarray]:
    """Return who carries each gene, bool (n_people,), one genotype at a time in plain NumPy."""
    genotypes = codes(cohort)
    table = variants(cohort)
    male = (cohort.samples["sex"] == "male").to_numpy()
    counted = cohort.is_in(filtered.definition.case + filtered.definition.control)
    carriers: dict[str, np.ndarray] = {}
    for index, gene in pairs:
        carries = carriers.setdefault(gene, np.zeros(len(male), bool))
        region = table["region"][index]
        one_copy = {"x": male, "y": male, "mt": np.ones_like(male)}.get(region, male & False)
        called = genotypes[index].astype(float)
        called[called == 3] = np.nan
        called[one_copy & (called == 1)] = np.nan
        copies = np.where(one_copy, 1, 2)
        alleles = called * copies / 2
        here = counted & ~np.isnan(alleles)
        if not here.any():
            continue
        if region == "mt":  # a heterozygote there counts in the frequency, as for the table
            raw = genotypes[index][counted & (genotypes[index] != 3)]
            frequency = raw.mean() / 2
        else:
            frequency = alleles[here].sum() / copies[here].sum()
        maf = min(frequency, 1 - frequency)
        if not 0 < maf <= max_maf:
            continue
        with np.errstate(invalid="ignore"):
            carries |= alleles > 0 if frequency <= 0.5 else alleles < copies
    return carriers


def inside(cohort) -> list[tuple[int, str]]:
    return cohort.store.rows(
        "SELECT variant_index, gene FROM annotation.variant_genes WHERE distance = 0"
    )


@pytest.mark.parametrize("max_maf", [0.005, 0.02, 0.5])
@pytest.mark.parametrize("classes", ["any", "lof", "lof_missense", "synonymous"])
@pytest.mark.parametrize("at_once", [None, 1])
def test_carriers_are_those_of_brute_force(made, monkeypatch, classes, max_maf, at_once):
    """Also where the genes are counted one by one, as in a cohort that fills the memory."""
    cohort, consequences = made
    if at_once:
        monkeypatch.setattr(genes, "_BYTES_OF_CARRIERS", at_once)
    filtered, _, found = table_of(cohort, classes=classes, max_maf=max_maf)
    table = found.table.set_index("gene")
    kept = set(filtered.kept.tolist())
    pairs = [pair for pair in inside(cohort) if pair[0] in kept]
    class_of = {(index, gene): name for index, gene, _, name, _ in consequences}
    groups = {name: [p for p in pairs if class_of.get(p) == name] for name in CLASSES}
    wanted = {"any": pairs, "lof_missense": groups["lof"] + groups["missense"]} | groups
    groups["carriers"] = wanted[classes]
    for name, chosen in groups.items():
        carriers = brute_force(cohort, filtered, chosen, max_maf)
        for role in ("case", "control"):
            people = cohort.is_in(getattr(filtered.definition, role))
            expected = {
                g: int((carriers.get(g, people & False) & people).sum()) for g in table.index
            }
            assert table[f"n_{role}_{name}"].to_dict() == expected, (name, role)
    assert max_maf < 0.01 or found.table["n_case_carriers"].sum() > 0


def test_one_row_a_gene_in_genomic_order(cohort):
    filtered, tests, found = table_of(cohort)
    table = found.table
    assert table["gene"].tolist() == ["A", "B", "C", "D", "XG", "YG", "MG"]
    c = table[table["gene"] == "C"].iloc[0]
    assert (c["chrom"], c["gene_start"], c["gene_end"]) == ("1", 1_310, 1_590)
    pairs = pd.DataFrame(inside(cohort), columns=["variant_index", "gene"])
    place = pd.Series(np.arange(len(filtered.kept)), filtered.kept)
    pairs = pairs[pairs["variant_index"].isin(filtered.kept)]
    pairs["p"] = tests.neg_log10_p[place[pairs["variant_index"]]]
    for row in table.itertuples():
        of_gene = pairs[pairs["gene"] == row.gene].sort_values("variant_index")
        assert row.n_variants == len(of_gene)
        assert row.n_tested == of_gene["p"].notna().sum()
        if not row.n_tested:
            assert math.isnan(row.neg_log10_p_smallest)
            assert row.best_variant_index is pd.NA
            continue
        assert row.neg_log10_p_smallest == of_gene["p"].max()
        assert row.best_variant_index == of_gene.loc[of_gene["p"].idxmax(), "variant_index"]


def test_burden_is_fisher_of_scipy(cohort):
    _, _, found = table_of(cohort, max_maf=0.05)
    assert found.n_tested >= 4
    for row in found.table.itertuples():
        a, c = row.n_case_carriers, row.n_control_carriers
        b, d = found.n_case - a, found.n_control - c
        if row.chrom == "Y" or a + c == 0 or b + d == 0:
            assert math.isnan(row.burden_neg_log10_p)
            continue
        p = stats.fisher_exact([[a, b], [c, d]]).pvalue
        assert 10**-row.burden_neg_log10_p == pytest.approx(p, rel=1e-9)
        if min(a, b, c, d) == 0:
            assert math.isnan(row.burden_odds_ratio)
            continue
        assert row.burden_odds_ratio == pytest.approx(a * d / (b * c))
        assert np.log(row.burden_ci_high / row.burden_odds_ratio) == pytest.approx(
            1.959964 * np.sqrt(1 / a + 1 / b + 1 / c + 1 / d), rel=1e-6
        )
    assert any("on Y" in note for note in found.notes)


def test_nobody_and_everybody_have_no_p():
    case, control = np.array([0, 5, 5, 2]), np.array([0, 7, 0, 3])
    found = fisher_burden(case, control, 5, 7)
    assert np.isnan(found["burden_neg_log10_p"]).tolist() == [True, True, False, False]
    assert np.isnan(found["burden_odds_ratio"]).tolist() == [True, True, True, False]


def test_swapping_case_and_control_turns_the_odds_ratio_over(cohort):
    settings = [PeopleSettings(case=("SCZ",), control=("control",)),
                PeopleSettings(case=("control",), control=("SCZ",))]  # fmt: skip
    tables = []
    for people in settings:
        filtered = filter_variants(cohort, KEEP_ALL, people)
        found = associate(cohort, filtered)
        tables.append(gene_table(cohort, filtered, found, GeneSettings(max_maf=0.05)).table)
    one, other = tables
    np.testing.assert_array_equal(one["n_case_carriers"], other["n_control_carriers"])
    np.testing.assert_allclose(one["burden_neg_log10_p"], other["burden_neg_log10_p"], atol=1e-12)
    np.testing.assert_allclose(one["burden_odds_ratio"], 1 / other["burden_odds_ratio"])
    np.testing.assert_allclose(one["burden_ci_low"], 1 / other["burden_ci_high"])


def test_consequences_of_unknown_genes_are_told(cohort):
    _, _, found = table_of(cohort)
    assert found.has_consequences
    assert any("1 of" in note and "name a gene" in note for note in found.notes)


@pytest.fixture
def bare(tmp_path):
    """Two people, two variants; no genes yet."""
    records = [
        ["1", 1_000, "A", "C", "GT", "0/1", "0/0"],
        ["1", 2_000, "A", "C", "GT", "0/0", "0/1"],
    ]
    return make_cohort(tmp_path, vcf_text(records, "ab"), {"a": "case", "b": "control"})


def test_without_a_gene_table_it_says_annotate(bare):
    with pytest.raises(NotFoundError, match="annotate"):
        table_of(bare)


def test_without_a_variant_in_a_gene_it_says_so(bare):
    cohort = join_genes(bare, [("FAR", "1", 5_000, 6_000)], None)
    with pytest.raises(EmptyResultError, match="inside genes"):
        table_of(cohort)


@pytest.mark.parametrize("consequences", [None, []])
def test_without_consequences_classes_are_missing(bare, consequences, tmp_path):
    cohort = join_genes(bare, [("A", "1", 900, 1_100)], consequences)
    _, _, found = table_of(cohort, max_maf=0.5)
    assert not found.has_consequences
    by_class = found.table[[f"n_{r}_{c}" for r in ("case", "control") for c in CLASSES]]
    assert by_class.isna().to_numpy().all()
    assert (found.table["n_case_carriers"][0], found.table["n_control_carriers"][0]) == (1, 0)
    with pytest.raises(NotFoundError, match="need consequences"):
        table_of(cohort, classes="lof")
    write_genes(found.table, tmp_path / "genes.tsv")
    (row,) = pd.read_csv(
        tmp_path / "genes.tsv", sep="\t", dtype=str, keep_default_na=False
    ).to_dict("records")
    assert row["n_case_lof"] == row["burden_odds_ratio"] == "#NA"
    assert (row["gene"], row["best_variant_index"]) == ("A", "0")
    assert not list(tmp_path.glob(".genes*"))


def test_a_gene_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        write_genes(pd.DataFrame({"gene": ["A"]}), tmp_path / "nowhere" / "x.tsv")
    assert not list(tmp_path.iterdir())


def test_points_stand_on_the_axis_of_the_variants(cohort):
    _, _, found = table_of(cohort, max_maf=0.05)
    axis = genome_axis(cohort)
    points = gene_points(found, axis.chromosomes)
    assert points["n_binned"].sum() == found.n_tested
    spans = axis.chromosomes.set_index("chrom")
    for row in points.itertuples():
        assert spans.loc[row.chrom, "start"] < row.x <= spans.loc[row.chrom, "end"]
        assert row.parity == list(spans.index).index(row.chrom) % 2


def test_many_genes_are_thinned_and_still_counted():
    rng = np.random.default_rng(0)
    n = 20_000
    start = np.sort(rng.integers(1, 200_000_000, n))
    table = pd.DataFrame(
        {"gene": [f"G{i}" for i in range(n)], "chrom": "1", "chrom_order": 1, "gene_start": start,
         "gene_end": start + 9, "burden_neg_log10_p": -np.log10(rng.uniform(size=n)),
         "burden_odds_ratio": 1.0, "n_case_carriers": 3, "n_control_carriers": 2,
         "n_qualifying": 4}
    )  # fmt: skip
    table.loc[0, "burden_neg_log10_p"] = np.nan
    found = genes.GeneTable(table, 10, 10, True, ())
    chromosomes = pd.DataFrame({"chrom": ["1"], "start": [0.0], "middle": [1e8], "end": [2e8]})
    points = gene_points(found, chromosomes)
    assert len(points) < 6_000
    assert points["n_binned"].sum() == n - 1 == found.n_tested
    top = table.nlargest(1_000, "burden_neg_log10_p")["gene"]
    assert set(top) <= set(points.loc[points["n_binned"] == 1, "gene"])
    assert found.bonferroni == pytest.approx(np.log10((n - 1) / 0.05))


def test_lines_of_a_plot(cohort):
    _, _, found = table_of(cohort)
    lines = gene_lines(found)
    assert lines["y"].tolist() == pytest.approx([5.657577, np.log10(found.n_tested / 0.05)])
    nothing = replace(found, table=found.table.iloc[:0])
    assert len(gene_lines(nothing)) == 1


def test_carriers_of_one_gene(cohort):
    _, _, found = table_of(cohort, max_maf=0.05)
    row = found.table.set_index("gene").loc["A"]
    shown = carriers_of_gene(found, "A").set_index(["consequence_class", "role"])
    assert shown.loc[("qualifying", "case"), "n_carriers"] == row["n_case_carriers"]
    assert shown.loc[("missense", "control"), "n_carriers"] == row["n_control_missense"]
    assert set(shown["n_people"]) == {found.n_case, found.n_control}
    bare = replace(found, has_consequences=False)
    assert len(carriers_of_gene(bare, "A")) == 2
    with pytest.raises(NotFoundError, match="NOWHERE"):
        carriers_of_gene(found, "NOWHERE")


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    return simulated(tmp_path_factory.mktemp("planted"), people=2_000, genes=150, seed=3)


def relabelled(cohort: Cohort, diagnosis: np.ndarray) -> Cohort:
    """Return the cohort with other diagnoses."""
    other = replace(cohort)
    other.__dict__["samples"] = cohort.samples.assign(diagnosis=diagnosis)  # the cached property
    return other


def test_planted_burdens_come_first(planted):
    """Of people who carry one of ten genes, four in five become cases; all ten are found."""
    rng = np.random.default_rng(7)
    with planted.opened() as cohort:
        filtered = filter_variants(cohort, QualitySettings())
        tests = associate(cohort, filtered)
        kept = set(filtered.kept.tolist())
        pairs = [pair for pair in inside(cohort) if pair[0] in kept]
        carriers = brute_force(cohort, filtered, pairs, 0.01)
        share = pd.Series({gene: carries.mean() for gene, carries in carriers.items()})
        chosen = share[(share > 0.02) & (share < 0.06)].index[::3][:10]
        assert len(chosen) == 10
        carries = np.any([carriers[gene] for gene in chosen], axis=0)
        is_case = rng.random(len(carries)) < np.where(carries, 0.8, 0.35)
        diagnosis = cohort.samples["diagnosis"].to_numpy(object)
        case, control = filtered.definition.case[0], filtered.definition.control[0]
        counted = cohort.is_in((case, control))
        diagnosis[counted] = np.where(is_case[counted], case, control)
        other = relabelled(cohort, diagnosis)
        found = gene_table(other, filtered, tests, GeneSettings(max_maf=0.01))
    top = found.table.nlargest(10, "burden_neg_log10_p")
    assert set(top["gene"]) == set(chosen)
    assert (top["burden_ci_low"] > 1.5).all()
    assert found.significant()["bonferroni"] >= 10
    assert found.lambda_gc > 0.5


def test_planted_variants_give_genes_their_smallest_p(planted):
    with planted.opened() as cohort:
        filtered = filter_variants(cohort, QualitySettings(min_mac=50))
        table = gene_table(cohort, filtered, associate(cohort, filtered)).table
        is_causal = table["gene"].isin(planted.truth["gene"])
    found = enrichment(is_causal, table["neg_log10_p_smallest"].fillna(0), 7)
    assert found.n_causal >= 7
    assert found.p < 1e-3, found


def test_labels_at_random_give_uniform_p(planted):
    """Exact p is at least uniform: no share of genes is below a level more often than by chance."""
    rng = np.random.default_rng(1)
    below = []
    with planted.opened() as cohort:
        filtered = filter_variants(cohort, QualitySettings())
        tests = associate(cohort, filtered)
        diagnosis = cohort.samples["diagnosis"].to_numpy()
        for _ in range(8):
            of_null = relabelled(cohort, rng.permutation(diagnosis))
            found = gene_table(of_null, filtered, tests, GeneSettings(max_maf=0.05))
            p = 10 ** -found.table["burden_neg_log10_p"].dropna().to_numpy()
            below.append(p)
    p = np.concatenate(below)
    assert p.size > 800
    for level in (0.01, 0.05, 0.2, 0.5):
        bound = level * p.size + 4 * np.sqrt(level * (1 - level) * p.size)
        assert (p <= level).sum() <= bound, level
    assert (p <= 0.5).mean() > 0.3


def verb(planted, capsys, *arguments: str) -> dict:
    import argparse

    parser = argparse.ArgumentParser()
    gene_verbs.VERBS[0].arguments(parser)
    asked = parser.parse_args(["known", *arguments])
    asked.cache, asked.json = planted.cache, True
    gene_verbs.VERBS[0].run(asked)
    return json.loads(capsys.readouterr().out)


def test_the_verb_tells_what_the_file_holds(planted, capsys, tmp_path):
    out = tmp_path / "genes.tsv"
    said = verb(planted, capsys, "--out", str(out), "--set", "genes.max_maf=0.05")
    table = pd.read_csv(out, sep="\t", na_values="#NA", keep_default_na=False)
    assert len(table) == said["genes"]
    p = table["burden_neg_log10_p"]
    assert said["tested"] == p.notna().sum()
    assert said["significant"] == (p > -np.log10(2.2e-6)).sum()
    assert said["bonferroni"] == (p > -np.log10(0.05 / said["tested"])).sum()
    assert said["out"] == str(out)
    rarer = verb(planted, capsys, "--set", "genes.max_maf=0.001")
    assert rarer["out"] is None
    assert rarer["significant"] <= said["significant"]


@pytest.fixture(scope="module")
def with_age(tmp_path_factory):
    """People with an age that a few lack; a gene that everybody, and one that nobody, carries."""
    rng = np.random.default_rng(2)
    n = 400
    ids = [f"p{i}" for i in range(n)]
    records = []
    for i in range(30):
        calls = ["0/1" if rng.random() < 0.02 else "0/0" for _ in ids]
        records.append(["1", 1_000 + 10 * i, "A", "C", "GT", *calls])
    records.append(["1", 2_000, "A", "C", "GT", *["0/1"] * n])
    folder = tmp_path_factory.mktemp("age")
    vcf = write_vcf(folder / "age.vcf", vcf_text(records, ids))
    lines = ["sample_id\tdiagnosis\tage"]
    for i, name in enumerate(ids):
        age = "NA" if i % 50 == 0 else f"{rng.normal(50, 10):.1f}"
        lines.append(f"{name}\t{rng.choice(['case', 'control'])}\t{age}")
    (folder / "age.tsv").write_text("\n".join(lines) + "\n")
    ingest(folder / "cache", "age", [vcf], folder / "age.tsv", workers=1)
    rows = [("A", "1", 1_000, 1_095), ("B", "1", 1_100, 1_195), ("C", "1", 1_200, 1_295),
            ("ALL", "1", 2_000, 2_000)]  # fmt: skip
    cohort = join_genes(open_cohort(folder / "cache", "age"), rows, None)
    with closing(cohort.store):
        yield cohort


@pytest.mark.parametrize("at_once", [2_048, 1])
def test_logistic_burden_is_that_of_statsmodels(with_age, monkeypatch, at_once):
    monkeypatch.setattr(genes, "_GENES_AT_ONCE", at_once)
    filtered = filter_variants(with_age, KEEP_ALL)
    tests = associate(with_age, filtered)
    settings = AssociationSettings(covariates=("age",))
    asked = GeneSettings(test="logistic", max_maf=0.5)
    found = gene_table(with_age, filtered, tests, asked, settings)
    carriers = brute_force(with_age, filtered, inside(with_age), 0.5)
    age = pd.to_numeric(
        pd.Series([person["age"] for person in with_age.samples["covariates"]]), errors="coerce"
    ).to_numpy()
    there = ~np.isnan(age)
    is_case = (with_age.samples["diagnosis"] == "case").to_numpy()[there]
    for row in found.table.itertuples():
        if row.gene == "ALL":
            assert math.isnan(row.burden_neg_log10_p)
            continue
        design = sm.add_constant(np.column_stack([carriers[row.gene], age])[there].astype(float))
        theirs = sm.Logit(is_case, design).fit(disp=0)
        assert 10**-row.burden_neg_log10_p == pytest.approx(theirs.pvalues[1], rel=1e-5)
        assert np.log(row.burden_odds_ratio) == pytest.approx(theirs.params[1], rel=1e-5)
        low, high = theirs.conf_int()[1]
        assert np.log([row.burden_ci_low, row.burden_ci_high]) == pytest.approx([low, high])
    assert any("lack a covariate" in note for note in found.notes)
    assert found.n_tested == 3
