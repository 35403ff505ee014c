"""Gene tables of every kind, and which variants they name."""

from __future__ import annotations

import gzip
import hashlib
import json

import numpy as np
import pandas as pd
import pysam
import pytest

from pipeline import files
from pipeline.annotation import WINDOW, annotate, annotate_job
from pipeline.association import genes_of
from pipeline.cohort import CURRENT, cohorts_dir, open_cohort
from pipeline.ingest import ingest
from pipeline.settings import IngestSettings
from pipeline.sources.genes import read_genes
from tests.small_cohorts import make_cohort, variants, vcf_text, write_phenotypes
from tests.tools import shared_data

GTF = "chr1\thavana\t{kind}\t101\t200\t.\t+\t.\t{names}\n"
FORMATS = {
    "GTF with genes": GTF.format(kind="gene", names='gene_id "ENSG1"; gene_name "BRCA2";')
    + 'chr1\thavana\texon\t1\t900\t.\t+\t.\tgene_id "ENSG1"; gene_name "BRCA2";\n',
    "GTF of transcripts": GTF.format(
        kind="transcript", names='gene_id "E"; transcript_id "T"; gene_name "BRCA2";'
    ),
    "GTF of exons": GTF.format(kind="exon", names='gene_id "BRCA2"; transcript_id "T";'),
    "GFF3": "##gff-version 3\n" + GTF.format(kind="gene", names="ID=gene-BRCA2;Name=BRCA2"),
    "BED": "track name=x\nchr1\t100\t200\tBRCA2\t0\t+\n",
    "BED of four": "1\t100\t200\tBRCA2\n",
    "refFlat": "BRCA2\tNM_1\tchr1\t+\t100\t200\t110\t190\t1\t100,\t200,\n",
    "refGene": "585\tNM_1\tchr1\t+\t100\t200\t110\t190\t1\t100,\t200,\t0\tBRCA2\tcmpl\tcmpl\t0,\n",
}


@pytest.mark.parametrize("kind", FORMATS)
def test_spans_are_1_based_and_closed(tmp_path, kind):
    path = tmp_path / "genes.txt.gz"
    path.write_bytes(gzip.compress(FORMATS[kind].encode()))
    (gene,) = read_genes(path).to_dict("records")
    assert (gene["gene"], gene["chrom"]) == ("BRCA2", "1")
    assert (gene["gene_start"], gene["gene_end"]) == (101, 200)


def test_transcripts_that_overlap_are_joined(tmp_path):
    path = tmp_path / "genes.bed"
    path.write_text("1\t0\t100\tA\n1\t50\t300\tA\n1\t60\t70\tA\n1\t500\t600\tA\n2\t0\t9\tA\n"
                    "1\t90\t95\tB\nchrUn_1\t0\t9\tC\n")  # fmt: skip
    found = read_genes(path)[["gene", "chrom", "gene_start", "gene_end"]]
    assert found.to_numpy().tolist() == [
        ["A", "1", 1, 300], ["B", "1", 91, 95], ["A", "1", 501, 600], ["A", "2", 1, 9],
    ]  # fmt: skip


def test_real_refflat():
    genes = read_genes(shared_data("annot/raremetal_refFlat_hg19.txt.gz"))
    assert 20_000 < len(genes) < 39_173
    (brca2,) = genes[genes["gene"] == "BRCA2"].to_dict("records")
    assert (brca2["gene_start"], brca2["gene_end"]) == (32_889_617, 32_973_809)


def test_a_gene_names_variants_up_to_1_kb_away(tmp_path):
    (tmp_path / "g.bed").write_text("chr1\t10000\t20000\tA\n1\t20500\t21000\tB\nX\t5\t9\tC\n")
    places = [
        (9_000, "A", "C", None), (9_001, "A", "C", "A"), (8_995, "A" * 7, "C", "A"),
        (15_000, "A", "C", "A"), (19_501, "A", "C", "A;B"), (19_500, "A", "C", "A"),
        (21_000, "A", "C", "A;B"), (21_001, "A", "C", "B"), (22_000, "A", "C", "B"),
        (22_001, "A", "C", None),
    ]  # fmt: skip
    places.sort()
    records = [["chr1", pos, ref, alt, "GT", "0/1", "0/0"] for pos, ref, alt, _ in places]
    text = vcf_text(records, ["a", "b"], contigs=("chr1",))
    cohort = make_cohort(tmp_path, text, {"a": "case", "b": "control"})
    assert not cohort.has_genes
    assert genes_of(cohort, variants(cohort).index.to_numpy()).isna().all()
    cohort.store.close()
    made = annotate(tmp_path / "cache", "small", tmp_path / "g.bed")
    assert (made.n_genes, made.n_variants, made.n_variants_with_gene) == (3, 10, 8)
    cohort = open_cohort(tmp_path / "cache", "small")
    found = genes_of(cohort, variants(cohort).index.to_numpy())
    assert [None if pd.isna(gene) else gene for gene in found] == [p[3] for p in places]
    distance = cohort.store.rows(
        "SELECT max(distance), min(distance) FROM annotation.variant_genes"
    )
    assert distance == [(WINDOW, 0)]


def regions(cache, name="small") -> pd.DataFrame:
    """Return gene_region, region_genes and region_detail by pos, ref, alt."""
    cohort = open_cohort(cache, name)
    frame = cohort.store.frame(
        "SELECT chrom_order, pos, ref, alt, gene_region, region_genes, region_detail "
        "FROM annotation.variant_regions JOIN variants USING (variant_index) ORDER BY variant_index"
    )
    n = cohort.store.rows("SELECT count(*) FROM variants")[0][0]
    cohort.store.close()
    assert len(frame) == n
    return frame


def flat(gene, strand, exons, cds=None, chrom="chr1") -> str:
    """Return a line of refFlat; positions given are 1-based and closed."""
    low, high = exons[0][0] - 1, exons[-1][1]
    first, last = (cds[0] - 1, cds[1]) if cds else (high, high)
    starts = "".join(f"{a - 1}," for a, _ in exons)
    ends = "".join(f"{b}," for _, b in exons)
    return (f"{gene}\tT{gene}{low}\t{chrom}\t{strand}\t{low}\t{high}\t{first}\t{last}\t"
            f"{len(exons)}\t{starts}\t{ends}\n")  # fmt: skip


def make(folder, lines, records):
    records = sorted(records)
    (folder / "g.txt").write_text("".join(lines))
    rows = [["chr1", *record, "GT", "0/1", "0/0"] for record in records]
    text = vcf_text(rows, ["a", "b"], contigs=("chr1",))
    make_cohort(folder, text, {"a": "case", "b": "control"}).store.close()
    return annotate(folder / "cache", "small", folder / "g.txt")


def test_regions_of_one_gene_by_hand(tmp_path):
    lines = [
        flat("A", "+", [(10_001, 10_100), (10_201, 10_300)], (10_051, 10_250)),
        flat("N", "-", [(15_001, 15_100), (15_201, 15_300)]),
    ]
    expected = {
        (9_001, "A", "C"): ("intergenic", "", "NONE(dist=NONE);A(dist=1000)"),
        (9_002, "A", "C"): ("upstream", "A", None),
        (10_001, "A", "C"): ("UTR5", "A", None),
        (10_050, "A", "C"): ("UTR5", "A", None),
        (10_051, "A", "C"): ("exonic", "A", None),
        (10_100, "A", "C"): ("exonic", "A", None),
        (10_101, "A", "C"): ("splicing", "A", None),
        (10_102, "A", "C"): ("splicing", "A", None),
        (10_103, "A", "C"): ("intronic", "A", None),
        (10_099, "ACT", "A"): ("exonic;splicing", "A", None),  # takes away 10,100 and 10,101
        (10_100, "A", "AC"): ("exonic", "A", None),
        (10_200, "A", "AC"): ("splicing", "A", None),
        (10_101, "ACT", "A"): ("splicing", "A", None),
        (10_102, "ACT", "A"): ("intronic", "A", None),
        (10_251, "A", "C"): ("UTR3", "A", None),
        (10_301, "A", "C"): ("downstream", "A", None),
        (11_299, "A", "C"): ("downstream", "A", None),
        (11_300, "A", "C"): ("intergenic", "", "A(dist=1000);N(dist=3701)"),
        (14_500, "A", "C"): ("downstream", "N", None),
        (15_050, "A", "C"): ("ncRNA_exonic", "N", None),
        (15_150, "A", "C"): ("ncRNA_intronic", "N", None),
        (15_199, "A", "C"): ("ncRNA_splicing", "N", None),
        (15_301, "A", "C"): ("upstream", "N", None),
        (16_300, "A", "C"): ("intergenic", "", "N(dist=1000);NONE(dist=NONE)"),
    }
    made = make(tmp_path, lines, expected)
    found = regions(tmp_path / "cache").set_index(["pos", "ref", "alt"])
    for key, row in expected.items():
        detail = found.loc[key, "region_detail"]
        told = (
            *found.loc[key, ["gene_region", "region_genes"]],
            None if pd.isna(detail) else detail,
        )
        assert told == row, key
    assert made.n_variants_with_region == len(expected)


RANKED = [("exonic", "splicing"), ("ncRNA_exonic", "ncRNA_splicing"), ("ncRNA_intronic",),
          ("UTR5", "UTR3"), ("intronic",), ("upstream", "downstream")]  # fmt: skip


def labels_of_base(pos, gene, strand, exons, cds):
    """Return what one transcript makes of one base."""
    low, high = exons[0][0], exons[-1][1]
    if not low <= pos <= high:
        if min(abs(pos - low), abs(pos - high)) >= 1000:
            return set()
        return {"upstream" if (pos < low) == (strand == "+") else "downstream"}
    for a, b in exons:
        if a <= pos <= b:
            if not cds:
                return {"ncRNA_exonic"}
            if cds[0] <= pos <= cds[1]:
                return {"exonic"}
            return {"UTR5" if (pos < cds[0]) == (strand == "+") else "UTR3"}
    beside = any(0 < pos - b <= 2 or 0 < a - pos <= 2 for a, b in exons)
    prefix = "" if cds else "ncRNA_"
    return {prefix + "splicing"} if beside else {prefix + "intronic"}


@pytest.mark.parametrize("seed", [1, 2])
def test_regions_are_those_of_a_slow_reading(tmp_path, seed):
    """Random transcripts that overlap, each base of each variant looked at by itself."""
    rng = np.random.default_rng(seed)
    transcripts = []
    for number in range(14):
        edges = np.cumsum(rng.integers(4, 90, 2 * int(rng.integers(1, 5)))) + rng.integers(
            2000, 6000
        )
        exons = [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
        inside = sorted(int(p) for a, b in exons for p in rng.integers(a, b + 1, 2))
        cds = (inside[0], inside[-1]) if rng.random() < 0.6 else None
        gene = f"G{number % 9}"
        transcripts.append((gene, str(rng.choice(["+", "-"])), exons, cds))
    coding = {gene for gene, _, _, cds in transcripts if cds}
    counted = [t for t in transcripts if t[3] or t[0] not in coding]
    records = set()
    for pos in range(900, 7600, 5):
        n = int(rng.integers(0, 9))
        ref = "A" + "C" * n if rng.random() < 0.3 else "A"
        records.add((pos, ref, "A" if len(ref) > 1 else str(rng.choice(["G", "AT"]))))
    make(tmp_path, [flat(*t) for t in transcripts], records)
    n_joined = 0
    for row in regions(tmp_path / "cache").itertuples():
        span = range(row.pos + 1, row.pos + len(row.ref)) if len(row.ref) > 1 else [row.pos]
        hit = {(label, t[0]) for t in counted for p in span for label in labels_of_base(p, *t)}
        near = {h for h in hit if h[0] in RANKED[-1]}
        expected = ("intergenic", "")
        for equal in RANKED:
            genes = {gene for label, gene in (hit - near if hit != near else hit) if label in equal}
            names = [label for label in equal if label in {h[0] for h in hit}]
            if genes:
                names = [names[0], *(name.removeprefix("ncRNA_") for name in names[1:])]
                expected = (";".join(names), ";".join(sorted(genes)))
                n_joined += len(genes) > 1 or len(names) > 1
                break
        assert (row.gene_region, row.region_genes) == expected, row
        if row.gene_region == "intergenic":
            ends = [(span[0] - t[2][-1][1], t[0]) for t in counted if t[2][-1][1] < span[0]]
            begins = [(t[2][0][0] - span[-1], t[0]) for t in counted if t[2][0][0] > span[-1]]
            sides = [min(side, default=("NONE", "NONE")) for side in (ends, begins)]
            assert row.region_detail == ";".join(f"{g}(dist={d})" for d, g in sides)
    assert n_joined > 20


def test_a_table_of_spans_tells_no_region(tmp_path):
    made = make(tmp_path, ["1\t9999\t20000\tA\n"], [(10_500, "A", "C")])
    assert made.n_variants_with_region == 0
    assert "spans of genes alone" in made.warnings[0]
    cohort = open_cohort(tmp_path / "cache", "small")
    tables = ("genes", "transcripts", "variant_genes", "variant_regions", "consequences")
    n_rows = [cohort.store.rows(f"SELECT count(*) FROM annotation.{t}")[0][0] for t in tables]
    cohort.store.close()
    assert n_rows == [1, 1, 1, 0, 0]


def test_the_file_is_of_its_sources(tmp_path):
    """Another gene table, consequences or genome is another file; the same gives the same."""
    lines = [flat("A", "+", [(11, 40)], (11, 40))]
    make(tmp_path, lines, [(20, "A", "C")])
    folder = cohorts_dir(tmp_path / "cache") / "small"
    (tmp_path / "r.fa").write_text(">1\n" + "A" * 60 + "\n")
    (tmp_path / "m.txt").write_text("Chr\tStart\tEnd\tRef\tAlt\tFunc.x\tGene.x\n"
                                    "1\t20\t20\tA\tC\texonic\tA\n")  # fmt: skip
    payload = {"name": "small", "genes": str(tmp_path / "g.txt")}
    names = []
    for more in ({}, {"fasta": "r.fa"}, {"consequences": "m.txt"},
                 {"fasta": "r.fa", "consequences": "m.txt"}, {}):  # fmt: skip
        paths = {kind: str(tmp_path / name) for kind, name in more.items()}
        said = annotate_job(tmp_path / "cache", payload | paths, lambda _: None)
        assert said["n_variants_with_consequence"] == bool(more)
        names.append(files.read_json(folder / CURRENT)["annotation"])
        assert [p.name for p in folder.glob("annotation-*")] == [names[-1]]
    assert names[0] == names[4]
    assert len(set(names)) == 4
    annotate_job(tmp_path / "cache", payload | {"fasta": str(tmp_path / "r.fa")}, lambda _: None)
    cohort = open_cohort(tmp_path / "cache", "small")
    certificate = json.loads(
        cohort.store.rows("SELECT certificate FROM annotation.certificate")[0][0]
    )
    cohort.store.close()
    content = hashlib.sha256((tmp_path / "r.fa").read_bytes()).hexdigest()
    assert certificate["fasta"] == {"name": "r.fa", "sha256": content}
    assert certificate["source"]["name"] == "g.txt"


def ingest_all(cache, name, vcf):
    with pysam.VariantFile(str(vcf)) as opened:
        people = dict.fromkeys(opened.header.samples, "control")
    people[next(iter(people))] = "case"
    cache.mkdir(exist_ok=True)
    phenotypes = write_phenotypes(cache / f"{name}.tsv", people)
    ingest(cache, name, [vcf], phenotypes, IngestSettings(other_alleles="reference"), workers=1)


def test_real_cohorts(tmp_path):
    """An exome of an older build has almost no exonic variant, which is told."""
    genes = shared_data("annot/raremetal_refFlat_hg19.txt.gz")
    cache = tmp_path / "cache"
    ingest_all(cache, "ceu", shared_data("ceu-exon/CEU_Exon.vcf.gz"))
    made = annotate(cache, "ceu", genes)
    assert regions(cache, "ceu")["gene_region"].str.contains("exonic").mean() < 0.05
    assert any("of their build" in warning for warning in made.warnings)
    vcf = shared_data("uwgac-1kg/1KG_phase3_subset_autosomes.vcf.gz")
    ingest_all(cache, "u", vcf)
    made = annotate(cache, "u", genes)
    found = regions(cache, "u")
    assert made.n_variants_with_region == len(found)
    with gzip.open(genes, "rt") as handle:
        table = [line.rstrip("\n").split("\t") for line in handle]
    coding = {t[0] for t in table if t[6] != t[7]}
    table = [t for t in table if t[6] != t[7] or t[0] not in coding]
    sampled = found.sample(300, random_state=1)
    for row in sampled.itertuples():
        near = [t for t in table if t[2] == f"chr{row.chrom_order}"
                and int(t[4]) - 999 < row.pos < int(t[5]) + 1000]  # fmt: skip
        if row.gene_region == "intergenic":
            assert not near
            continue
        assert set(row.region_genes.split(";")) <= {t[0] for t in near}
        inside = [t for t in near if int(t[4]) < row.pos <= int(t[5])]
        assert bool(inside) != ("stream" in row.gene_region) or len(row.ref) > 1
