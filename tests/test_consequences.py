"""Consequences that other programs wrote, and how their alleles are found again."""

from __future__ import annotations

import pytest

from pipeline.annotation import annotate
from pipeline.annotation.alleles import trimmed
from pipeline.annotation.terms import LOF, MISSENSE, SEVERITY, SYNONYMOUS, class_of, most_severe
from pipeline.cohort import open_cohort
from pipeline.errors import InputError
from tests.small_cohorts import make_cohort, vcf_text, write_vcf

VEP = ('##INFO=<ID={},Number=.,Type=String,Description="Consequence annotations from Ensembl '
       'VEP. Format: {}">\n')  # fmt: skip
VEP_FIELDS = "Allele|Consequence|IMPACT|SYMBOL|Gene"
SNPEFF = ("##INFO=<ID=ANN,Number=.,Type=String,Description=\"Functional annotations: 'Allele | "
          "Annotation | Annotation_Impact | Gene_Name | Gene_ID | Feature_Type '\">\n")  # fmt: skip
BCSQ = ('##INFO=<ID=BCSQ,Number=.,Type=String,Description="Local consequence annotation from '
        "BCFtools/csq, see http://x for details. Format: Consequence|gene|transcript|biotype|"
        'strand|amino_acid_change|dna_change">\n')  # fmt: skip
ANNOVAR = "".join(
    f'##INFO=<ID={key}.refGene{{0}},Number=.,Type=String,Description="{key}">\n'
    for key in ("Func", "Gene", "ExonicFunc")
) + '##INFO=<ID=ALLELE_END,Number=0,Type=Flag,Description="x">\n'  # fmt: skip

# The site of two alternates is split by ingest; the deletion and the insertion are trimmed.
SITES = [
    (100, "A", "G"), (200, "C", "T,CA"), (300, "ATG", "A"), (400, "A", "ATT"), (500, "G", "C"),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    records = [["chr1", p, r, a, "GT", "0/1", "0/0"] for p, r, a in SITES]
    text = vcf_text(records, ["a", "b"], contigs=("chr1",))
    make_cohort(tmp_path, text, {"a": "case", "b": "control"}).store.close()
    (tmp_path / "g.bed").write_text("1\t0\t1000\tG1\n")
    return tmp_path


def annotated(folder, head: str, infos: dict[int, str], suffix: str = ".vcf"):
    """Return {(pos, alt, gene): (consequence, class)} and the source."""
    lines = ["##fileformat=VCFv4.2\n", head, "##contig=<ID=1>\n",
             "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"]  # fmt: skip
    lines += [f"1\t{p}\t.\t{r}\t{a}\t.\t.\t{infos.get(p, '.')}\n" for p, r, a in SITES]
    path = write_vcf(folder / f"said{suffix}", "".join(lines))
    return told(folder, path)


def told(folder, path):
    annotate(folder / "cache", "small", folder / "g.bed", consequences=path)
    cohort = open_cohort(folder / "cache", "small")
    rows = cohort.store.rows(
        "SELECT pos, alt, gene, consequence, consequence_class, source "
        "FROM annotation.consequences JOIN variants USING (variant_index)"
    )
    cohort.store.close()
    assert len({row[5] for row in rows}) == 1
    return {row[:3]: row[3:5] for row in rows}, rows[0][5]


EXPECTED = {
    (100, "G", "G1"): ("missense_variant", "missense"),
    (200, "T", "G1"): ("stop_gained", "lof"),
    (200, "CA", "G1"): ("frameshift_variant", "lof"),
    (300, "A", "G1"): ("frameshift_variant", "lof"),
    (400, "ATT", "G1"): ("synonymous_variant", "synonymous"),
}


@pytest.mark.parametrize("key", ["CSQ", "ANN", "vep"])
@pytest.mark.parametrize("suffix", [".vcf", ".vcf.gz", ".bcf"])
def test_vep(folder, key, suffix):
    said = annotated(folder, VEP.format(key, VEP_FIELDS), {
        100: f"{key}=G|intron_variant|M|G1|E1,G|missense_variant&splice_region_variant|M|G1|E1,"
             "G|upstream_gene_variant|L|G2|E2,G|regulatory_region_variant|M||",
        200: f"{key}=T|stop_gained|H|G1|E1,CA|frameshift_variant|H|G1|E1",
        300: f"{key}=-|frameshift_variant|H|G1|E1",
        400: f"{key}=TT|synonymous_variant|L|G1|E1",
        500: f"{key}=C|intergenic_variant|M||",
    }, suffix)  # fmt: skip
    assert said == (EXPECTED | {(100, "G", "G2"): ("upstream_gene_variant", "other")}, "CSQ")


def test_vep_alleles_of_a_site_that_shares_its_first_base(folder):
    """VEP takes the first base off all alleles of a site where all share it; a number is surer."""
    from pipeline.sources.consequences import _vep_alleles

    assert _vep_alleles("CA", ["C", "CAA", "CT"]) == {"-": "C", "AA": "CAA", "T": "CT", "A": "CAA"}
    assert _vep_alleles("C", ["T", "CA"])["CA"] == "CA"
    fields = VEP_FIELDS + "|ALLELE_NUM"
    said, _ = annotated(folder, VEP.format("CSQ", fields), {
        200: "CSQ=x|stop_gained|H|G1|E1|1,x|frameshift_variant|H|G1|E1|2"
    })  # fmt: skip
    assert said == {key: EXPECTED[key] for key in EXPECTED if key[0] == 200}


def test_snpeff(folder):
    said = annotated(folder, SNPEFF, {
        100: "ANN=G|missense_variant|M|G1|E1|t,G|intron_variant|M|G1|E1|t",
        200: "ANN=T|stop_gained|H|G1|E1|t,CA|frameshift_variant&splice_region_variant|H|G1|E1|t",
        300: "ANN=A|frameshift_variant|H|G1|E1|t", 400: "ANN=ATT|synonymous_variant|L|G1|E1|t",
    })  # fmt: skip
    assert said == (EXPECTED, "ANN")


def test_bcftools_csq(folder):
    said = annotated(folder, BCSQ, {
        100: "BCSQ=@500,intron|G1|T1|protein_coding",
        200: "BCSQ=*stop_gained|G1|T1|protein_coding|+|1A>1*|200C>T,"
             "frameshift|G1|T1|protein_coding|+|1A>1*|200C>CA",
        300: "BCSQ=frameshift|G1|T1|protein_coding|+|1A>1*|300ATG>A",
        400: "BCSQ=synonymous|G1|T1|protein_coding|+|1A|400A>ATT",
        500: "BCSQ=missense|G1|T1|protein_coding|+|1A>1B|100A>G+500G>C",
    })  # fmt: skip
    more = {(500, "C", "G1"): ("missense_variant", "missense")}
    assert said == (EXPECTED | more, "BCSQ")


@pytest.mark.parametrize("suffix", ["", "WithVer"])
def test_annovar_info(folder, suffix):
    def info(func, gene, exonic):
        tags = zip(("Func", "Gene", "ExonicFunc"), (func, gene, exonic), strict=True)
        return ";".join(f"{tag}.refGene{suffix}={value}" for tag, value in tags)

    two = (info("exonic", "G1", "stopgain") + ";ALLELE_END;"
           + info("exonic", "G1", "frameshift_insertion") + ";ALLELE_END")  # fmt: skip
    said = annotated(folder, ANNOVAR.format(suffix), {
        100: info("exonic\\x3bsplicing", "G1\\x3bG2", "nonsynonymous_SNV"), 200: two,
        300: info("exonic", "G1", "frameshift_deletion"),
        400: info("exonic", "G1", "synonymous_SNV"),
        500: info("intergenic", "G1\\x3bNONE", "."),
    })  # fmt: skip
    more = {(100, "G", "G2"): ("splice_site_variant", "lof")}
    assert said == (EXPECTED | more, "ANNOVAR")


def test_multianno_has_its_own_coordinates(folder):
    head = "Chr\tStart\tEnd\tRef\tAlt\tFunc.ensGene\tGene.ensGene\tGeneDetail\tExonicFunc.ensGene\n"
    rows = [
        "1\t100\t100\tA\tG\texonic\tG1\t.\tnonsynonymous SNV",
        "1\t200\t200\tC\tT\texonic\tG1\t.\tstopgain",
        "1\t200\t200\t-\tA\texonic\tG1\t.\tframeshift insertion",
        "1\t301\t302\tTG\t-\texonic\tG1\t.\tframeshift deletion",
        "1\t400\t400\t-\tTT\texonic\tG1\t.\tsynonymous SNV",
        "1\t500\t500\tG\tC\tintergenic\tNONE;G1\tdist=NONE;dist=5\t.",
    ]
    path = folder / "x.hg19_multianno.txt"
    path.write_text(head + "\n".join(rows) + "\n")
    assert told(folder, path) == (EXPECTED, "ANNOVAR")


def test_files_that_say_nothing(folder):
    with pytest.raises(InputError, match="declares none"):
        annotated(folder, "", {})
    (folder / "x.txt").write_text("a\tb\n")
    for name in ("x.txt", "absent.vcf"):
        with pytest.raises(InputError):
            annotate(folder / "cache", "small", folder / "g.bed", consequences=folder / name)


def test_another_cohort_is_told(folder):
    head = VEP.format("CSQ", VEP_FIELDS)
    path = write_vcf(
        folder / "other.vcf",
        "##fileformat=VCFv4.2\n" + head + "##contig=<ID=1>\n"
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        "1\t100\t.\tA\tG\t.\t.\tCSQ=G|stop_gained|H|G1|E1\n",
    )
    made = annotate(folder / "cache", "small", folder / "g.bed", consequences=path)
    assert any("1 of 6 variants" in warning for warning in made.warnings)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((5, "A", "G"), (5, "A", "G")), ((5, "AT", "A"), (6, "T", "")),
        ((5, "A", "AT"), (6, "", "T")), ((5, "CAT", "CGT"), (6, "A", "G")),
        ((5, "a", "at"), (6, "", "T")), ((5, "A", "<DEL>"), (5, "A", "<DEL>")),
    ],
)  # fmt: skip
def test_trimmed(given, expected):
    assert trimmed(*given) == expected


def test_terms():
    assert len(set(SEVERITY)) == len(SEVERITY)
    assert set(LOF + MISSENSE + SYNONYMOUS) <= set(SEVERITY)
    assert most_severe("intron_variant&splice_donor_variant", "CSQ") == "splice_donor_variant"
    assert most_severe("something_new&intron_variant", "CSQ") == "intron_variant"
    assert most_severe("stop_gained&inframe_insertion", "BCSQ") == "stop_gained"
    assert class_of("something_new") == "other"
