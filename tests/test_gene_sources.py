"""Transcripts of gene tables of every kind."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.sources.genes import read_gene_table
from tests.tools import shared_data

# One gene of two exons, 101-200 and 301-400, coding 151-350, on the reverse strand.
ROW = "chr7\tx\t{}\t{}\t{}\t.\t-\t{}\t{}\n"
NAMES = 'gene_id "E1"; transcript_id "T1"; gene_name "G1";'


def gtf() -> str:
    lines = [ROW.format("gene", 101, 400, ".", 'gene_id "E1"; gene_name "G1";')]
    lines += [ROW.format("transcript", 101, 400, ".", NAMES)]
    lines += [ROW.format("exon", *span, ".", NAMES) for span in ((301, 400), (101, 200))]
    lines += [ROW.format("CDS", 301, 350, 1, NAMES), ROW.format("CDS", 154, 200, 0, NAMES)]
    lines += [ROW.format("stop_codon", 151, 153, 0, NAMES)]
    return "".join(lines)


def gff3(gene: str, transcript: str, names: str) -> str:
    lines = ["##gff-version 3\n", ROW.format("gene", 101, 400, ".", f"ID={gene};{names}")]
    lines += [ROW.format("mRNA", 101, 400, ".", f"ID={transcript};Parent={gene};Name=T1")]
    parent = f"Parent={transcript}"
    lines += [ROW.format("exon", *span, ".", parent) for span in ((101, 200), (301, 400))]
    lines += [ROW.format("CDS", 301, 350, 1, parent), ROW.format("CDS", 151, 200, 0, parent)]
    return "".join(lines) + "##FASTA\n>chr7\nACGT\n"


UCSC = "chr7\t-\t100\t400\t150\t350\t2\t100,300,\t200,400,"
FORMATS = {
    "GTF": gtf(),
    "Ensembl GFF3": gff3("gene:E1", "transcript:T1", "Name=G1"),
    "RefSeq GFF3": gff3("gene-G1", "rna-T1", "Name=LOC;gene=G1"),
    "refFlat": f"G1\tT1\t{UCSC}\n",
    "refGene": f"585\tT1\t{UCSC}\t0\tG1\tcmpl\tincmpl\t0,2,\n",
    "BED12": "chr7\t100\t400\tG1\t0\t-\t150\t350\t0\t2\t100,100,\t0,200,\n",
}


@pytest.mark.parametrize("kind", FORMATS)
def test_exons_and_coding_part(tmp_path, kind):
    path = tmp_path / "g.txt.gz"
    path.write_bytes(gzip.compress(FORMATS[kind].encode()))
    table = read_gene_table(path)
    assert table.has_exons
    (row,) = table.transcripts.to_dict("records")
    assert (row["gene"], row["chrom_order"], row["strand"]) == ("G1", 7, "-")
    assert row["transcript"] == ("G1" if kind == "BED12" else "T1")
    assert (row["tx_start"], row["tx_end"]) == (101, 400)
    assert (row["cds_start"], row["cds_end"]) == (151, 350)
    assert (list(row["exon_starts"]), list(row["exon_ends"])) == ([101, 301], [200, 400])
    assert row["cds_phase"] == (
        1 if kind in {"GTF", "Ensembl GFF3", "RefSeq GFF3", "refGene"} else 0
    )
    (gene,) = table.genes.to_dict("records")
    assert (gene["gene"], gene["gene_start"], gene["gene_end"]) == ("G1", 101, 400)


def test_spans_alone_have_no_exons(tmp_path):
    path = tmp_path / "g.bed"
    path.write_text("chr1\t100\t200\tA\t0\t+\n")
    table = read_gene_table(path)
    assert not table.has_exons
    (row,) = table.transcripts.to_dict("records")
    assert (list(row["exon_starts"]), list(row["exon_ends"])) == ([101], [200])
    assert row["cds_start"] is None or row["cds_start"] != row["cds_start"]


def test_a_gene_without_transcript_of_its_own(tmp_path):
    """RefSeq hangs the coding parts of mitochondria on the gene."""
    path = tmp_path / "g.gff3"
    path.write_text("NC_MT\tx\tregion\t1\t9\t.\t+\t.\tID=r\nMT\tx\tgene\t10\t30\t.\t+\t.\tID=g;gene=ND1\n"
                    "MT\tx\tCDS\t10\t30\t.\t+\t0\tID=c;Parent=g\n")  # fmt: skip
    (row,) = read_gene_table(path).transcripts.to_dict("records")
    assert (row["gene"], row["cds_start"], row["cds_end"]) == ("ND1", 10, 30)


def test_real_refflat():
    table = read_gene_table(shared_data("annot/raremetal_refFlat_hg19.txt.gz"))
    transcripts = table.transcripts
    assert transcripts["transcript_index"].tolist() == list(range(len(transcripts)))
    assert 36_000 < len(transcripts) <= 39_173
    (brca2,) = transcripts[transcripts["gene"] == "BRCA2"].to_dict("records")
    assert len(brca2["exon_starts"]) == 27
    size = np.minimum(brca2["exon_ends"], brca2["cds_end"]) - np.maximum(
        brca2["exon_starts"], brca2["cds_start"]
    )
    assert (size[size >= 0] + 1).sum() == 3 * 3419  # 3,418 amino acids and the stop codon


@pytest.mark.parametrize("text", ["", "# nothing\n", "a\tb\n", "chr1\t1\tx\tA\n"])
def test_what_is_no_gene_table(tmp_path, text):
    path = tmp_path / "g.txt"
    path.write_text(text)
    with pytest.raises(InputError):
        read_gene_table(path)
