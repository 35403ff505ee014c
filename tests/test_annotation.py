"""Gene tables of every kind, and which variants they name."""

from __future__ import annotations

import gzip

import pandas as pd
import pytest

from pipeline.annotation import WINDOW, annotate
from pipeline.association import genes_of
from pipeline.cohort import open_cohort
from pipeline.sources.genes import read_genes
from tests.small_cohorts import make_cohort, variants, vcf_text
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
