"""Coding changes from a reference: bcftools csq and single codons as oracles."""

from __future__ import annotations

import itertools
import subprocess

import numpy as np
import pandas as pd
import pytest

from pipeline.annotation import annotate
from pipeline.annotation.codons import STANDARD, bases_of, change_of_stretch, translate
from pipeline.annotation.terms import most_severe
from pipeline.cohort import open_cohort
from pipeline.errors import InputError
from tests.small_cohorts import make_cohort, vcf_text
from tests.tools import require_tool

STOPS = ("TAA", "TAG", "TGA")
SENSE = ["".join(c) for c in itertools.product("ACGT", repeat=3) if "".join(c) not in STOPS]
LETTERS = str.maketrans("ACGT", "TGCA")


def made_genome(seed: int = 3) -> tuple[str, list[dict]]:
    """Return a contig of 6 kb and two genes of three exons, forward and reverse."""
    rng = np.random.default_rng(seed)
    bases = list(rng.choice(list("ACGT"), 6000))
    genes = []
    for name, strand, exons, cds in (
        ("FWD", "+", [(501, 700), (901, 1000), (1201, 1500)], (551, 1400)),
        ("REV", "-", [(3001, 3300), (3501, 3603), (3801, 4000)], (3101, 3950)),
    ):
        places = [p for a, b in exons for p in range(max(a, cds[0]), min(b, cds[1]) + 1)]
        # The coding part has to hold whole codons.
        n = len(places) // 3
        cut = len(places) - 3 * n
        if cut and strand == "+":
            places, cds = places[:-cut], (cds[0], cds[1] - cut)
        elif cut:
            places, cds = places[cut:], (cds[0] + cut, cds[1])
        text = "ATG" + "".join(rng.choice(SENSE, n - 2)) + "TAA"
        if strand == "-":
            text = text.translate(LETTERS)[::-1]
        for place, base in zip(places, text, strict=True):
            bases[place - 1] = base
        genes.append({"name": name, "strand": strand, "exons": exons, "cds": cds})
    return "".join(bases), genes


def gff3(genes: list[dict]) -> str:
    lines = ["##gff-version 3"]
    for gene in genes:
        name, strand, exons, (low, high) = gene.values()
        ends = (exons[0][0], exons[-1][1])

        def line(kind, a, b, phase, text, strand=strand):
            lines.append(f"1\tx\t{kind}\t{a}\t{b}\t.\t{strand}\t{phase}\t{text}")

        biotype = "biotype=protein_coding"
        line("gene", *ends, ".", f"ID=gene:G{name};Name={name};{biotype}")
        line("mRNA", *ends, ".", f"ID=transcript:T{name};Parent=gene:G{name};{biotype}")
        done = 0
        for a, b in exons if strand == "+" else exons[::-1]:
            line("exon", a, b, ".", f"Parent=transcript:T{name}")
            first, last = max(a, low), min(b, high)
            if first <= last:
                line("CDS", first, last, -done % 3, f"Parent=transcript:T{name}")
                done += last - first + 1
    return "\n".join(lines) + "\n"


def planted(genome: str, genes: list[dict], rng) -> list[tuple[int, str, str]]:
    """Return changes all over both genes: single bases, and indels inside coding exons."""
    found = set()
    for gene in genes:
        low, high = gene["cds"]
        start, end = gene["exons"][0][0], gene["exons"][-1][1]
        for pos in {*range(start, end, 2), *range(low, low + 9), *range(high - 8, high + 1)}:
            ref = genome[pos - 1]
            found.add((pos, ref, str(rng.choice([b for b in "ACGT" if b != ref]))))
        for a, b in gene["exons"]:
            a, b = max(a, low) + 12, min(b, high) - 12
            for pos in range(a, b, 11):
                n = int(rng.integers(1, 7))
                ref = genome[pos - 1 : pos + n]
                found.add((pos, ref, ref[0]))
                found.add((pos + 3, genome[pos + 2], genome[pos + 2] + "".join(
                    rng.choice(list("ACGT"), int(rng.integers(1, 7))))))  # fmt: skip
    return sorted(found)


def protein(genome: str, gene: dict, change: tuple[int, str, str] | None = None) -> str:
    """Return the whole protein, by splicing text and not by arithmetic."""
    bases = dict(enumerate(genome, 1))
    if change:
        pos, ref, alt = change
        for place in range(pos, pos + len(ref)):
            bases[place] = ""
        bases[pos] = alt
    low, high = gene["cds"]
    text = "".join(bases[p] for a, b in gene["exons"] for p in range(max(a, low), min(b, high) + 1))
    if gene["strand"] == "-":
        text = text.translate(LETTERS)[::-1]
    codes = {"".join(c): chr(STANDARD[i])
             for i, c in enumerate(itertools.product("TCAG", repeat=3))}  # fmt: skip
    return "".join(codes[text[i : i + 3]] for i in range(0, len(text) - 2, 3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coding")
    genome, genes = made_genome()
    (folder / "g.gff3").write_text(gff3(genes))
    lines = [genome[i : i + 60] for i in range(0, len(genome), 60)]
    (folder / "ref.fa").write_text(">chr1 made\n" + "\n".join(lines) + "\n")
    (folder / "csq.fa").write_text(">1\n" + "\n".join(lines) + "\n")
    rows = planted(genome, genes, np.random.default_rng(5))
    records = [["1", pos, ref, alt, "GT", "0/1", "0/0"] for pos, ref, alt in rows]
    text = vcf_text(records, ["a", "b"], contigs=("1",))
    make_cohort(folder, text, {"a": "case", "b": "control"}).store.close()
    return folder


def consequences(folder) -> pd.DataFrame:
    cohort = open_cohort(folder / "cache", "small")
    frame = cohort.store.frame(
        "SELECT pos, ref, alt, gene, consequence, consequence_class, source "
        "FROM annotation.consequences JOIN variants USING (variant_index)"
    )
    cohort.store.close()
    return frame.set_index(["pos", "ref", "alt", "gene"]).sort_index()


def csq(folder, mode: str = "--local-csq") -> str:
    done = subprocess.run(
        [require_tool("bcftools"), "csq", mode, "-f", folder / "csq.fa", "-g", folder / "g.gff3",
         folder / "small.vcf"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_coding_changes_are_those_of_bcftools_csq(folder):
    made = annotate(folder / "cache", "small", folder / "g.gff3", fasta=folder / "ref.fa")
    ours = consequences(folder)
    assert set(ours["source"]) == {"FASTA"}
    theirs = {}
    for line in csq(folder).splitlines():
        if line.startswith("#"):
            continue
        _, pos, _, ref, alt, _, _, info, *_ = line.split("\t")
        for entry in info.removeprefix("BCSQ=").split(","):
            if entry.startswith(".") or "|" not in entry:
                continue
            terms, gene, *_ = entry.split("|")
            theirs[int(pos), ref, alt, gene] = most_severe(terms, "BCSQ")
    coding = {k: v for k, v in theirs.items()
              if not v.startswith(("intron", "5_", "3_", "splice_region"))}  # fmt: skip
    assert len(coding) > 600
    differing = {
        k: (v, ours["consequence"].get(k, None))
        for k, v in coding.items()
        if ours["consequence"].get(k, None) != v
    }
    # csq 1.16 sees a stop codon in the deletion of a whole codon; the whole protein has none.
    genome, genes = made_genome()
    for (pos, ref, alt, gene), (said, found) in differing.items():
        assert (said, found) == ("stop_gained", "inframe_deletion")
        changed = protein(genome, genes[gene == "REV"], (pos, ref, alt))
        assert changed.index("*") == len(changed) - 1
    assert len(differing) <= 2
    assert set(ours.index) - set(theirs) == set()
    assert set(ours["consequence"]) >= {
        "synonymous_variant", "missense_variant", "stop_gained", "stop_lost", "start_lost",
        "frameshift_variant", "inframe_insertion", "inframe_deletion", "splice_donor_variant",
        "splice_acceptor_variant",
    }  # fmt: skip
    assert (
        made.n_variants_with_consequence
        == ours.reset_index().groupby(["pos", "ref", "alt"]).ngroups
    )


def test_single_bases_and_stops_change_the_whole_protein_as_told(folder):
    """Each term of one base, against the protein of the spliced text with and without it."""
    annotate(folder / "cache", "small", folder / "g.gff3", fasta=folder / "ref.fa")
    genome, genes = made_genome()
    n_seen = 0
    for (pos, ref, alt, name), row in consequences(folder).iterrows():
        gene = genes[name == "REV"]
        inside = any(max(a, gene["cds"][0]) <= pos <= min(b, gene["cds"][1])
                     for a, b in gene["exons"])  # fmt: skip
        if len(ref) != 1 or len(alt) != 1 or not inside:
            continue
        before, after = protein(genome, gene), protein(genome, gene, (pos, ref, alt))
        expected = "missense_variant"
        if before == after:
            expected = "synonymous_variant" if before else ""
            stop = (gene["cds"][1] - 2, gene["cds"][1]) if gene["strand"] == "+" else (
                gene["cds"][0], gene["cds"][0] + 2)  # fmt: skip
            if stop[0] <= pos <= stop[1]:
                expected = "stop_retained_variant"
        elif after[0] != "M":
            expected = "start_lost"
        elif after[-1] != "*":
            expected = "stop_lost"
        elif after.index("*") < len(after) - 1:
            expected = "stop_gained"
        assert row["consequence"] == expected, (pos, ref, alt)
        n_seen += 1
    assert n_seen > 300


@pytest.mark.parametrize(
    ("start", "n_ref", "alternate", "expected"),
    [
        (3, 1, "", "frameshift_variant"), (4, 0, "AC", "frameshift_variant"),
        (3, 3, "", "inframe_deletion"), (4, 3, "", "inframe_deletion"),
        (3, 0, "GCA", "inframe_insertion"), (3, 0, "TAA", "stop_gained"),
        (0, 3, "", "start_lost"), (0, 3, "CCC", "start_lost"),
        (9, 3, "", "stop_lost"), (9, 3, "TAG", "stop_retained_variant"),
        (3, 2, "CA", "missense_variant"), (3, 6, "GCAAAG", "synonymous_variant"),
        (3, 3, "TGA", "stop_gained"), (4, 0, "GGG", "inframe_insertion"),
    ],
)  # fmt: skip
def test_stretches(start, n_ref, alternate, expected):
    sequence = bases_of("ATGGCTAAATAA")
    assert translate(sequence.reshape(-1, 3), STANDARD).tobytes() == b"MAK*"
    assert change_of_stretch(sequence, start, n_ref, bases_of(alternate), STANDARD) == expected


def one_gene(folder, chrom: str, text: str, records: list[tuple[int, str, str]]) -> pd.DataFrame:
    """Return consequences of changes of a contig that is one forward coding exon."""
    folder.mkdir(exist_ok=True)
    (folder / "ref.fa").write_text(f">{chrom}\n{text}\n")
    n = len(text)
    (folder / "g.txt").write_text(f"G\tT\t{chrom}\t+\t0\t{n}\t0\t{n}\t1\t0,\t{n},\n")
    rows = [[chrom, *record, "GT", "0/1", "0/0"] for record in sorted(records)]
    cohort = make_cohort(folder, vcf_text(rows, ["a", "b"], contigs=(chrom,)),
                         {"a": "case", "b": "control"})  # fmt: skip
    cohort.store.close()
    annotate(folder / "cache", "small", folder / "g.txt", fasta=folder / "ref.fa")
    return consequences(folder)


def test_mitochondria_have_their_own_code(tmp_path):
    text = "ATGTGACCCATACCCTAA"  # TGA is tryptophan and ATA methionine there
    said = one_gene(tmp_path / "mt", "MT", text, [(6, "A", "G"), (12, "A", "G")])
    assert said["consequence"].tolist() == ["synonymous_variant"] * 2
    said = one_gene(tmp_path / "one", "1", text, [(6, "A", "G"), (12, "A", "G")])
    assert said["consequence"].tolist() == ["missense_variant"] * 2


def test_another_build_is_told(folder, tmp_path):
    genome, _ = made_genome()
    shifted = tmp_path / "shifted.fa"
    shifted.write_text(">1\n" + "A" + genome + "\n")
    with pytest.raises(InputError, match="REF is the base of the reference"):
        annotate(folder / "cache", "small", folder / "g.gff3", fasta=shifted)
    short = tmp_path / "short.fa"
    short.write_text(">1\n" + genome[:3000] + "\n")
    with pytest.raises(InputError, match="past the end"):
        annotate(folder / "cache", "small", folder / "g.gff3", fasta=short)
    other = tmp_path / "other.fa"
    other.write_text(">2\n" + genome + "\n")
    made = annotate(folder / "cache", "small", folder / "g.gff3", fasta=other)
    assert any("chromosomes that other.fa lacks" in warning for warning in made.warnings)


def test_genomes_that_cannot_be_read(folder, tmp_path):
    import gzip

    import pysam

    plain = (folder / "ref.fa").read_bytes()
    (tmp_path / "g.fa.gz").write_bytes(gzip.compress(plain))
    (tmp_path / "no.fa").write_text("1\tnot a genome\n")
    (tmp_path / "ragged.fa").write_text(">1\nACGT\nACGTACGT\nAC\nACGTA\n")
    for name in ("g.fa.gz", "no.fa", "ragged.fa", "absent.fa"):
        with pytest.raises(InputError, match=r"FASTA|absent") as told:
            annotate(folder / "cache", "small", folder / "g.gff3", fasta=tmp_path / name)
        assert "\n" not in str(told.value)
    pysam.tabix_compress(str(folder / "ref.fa"), str(tmp_path / "ok.fa.gz"))
    made = annotate(folder / "cache", "small", folder / "g.gff3", fasta=tmp_path / "ok.fa.gz")
    assert made.n_variants_with_consequence > 600
    # No index is left beside the genome.
    assert not list(tmp_path.glob("*.fai")) + list(tmp_path.glob("*.gzi"))
