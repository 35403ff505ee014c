"""The tables, declared once: DDL, checks, tooltips and the data dictionary come from here.

Conventions: positions are 1-based; genotypes are 0, 1, 2 alternate alleles and 3 for missing; a
`NULL` means that the source does not say. `counts` and `sex_counts` have one set of columns for
each diagnosis (and sex), numbered as in `diagnoses`: `n_het_0` counts diagnosis 0.
"""

from __future__ import annotations

from dataclasses import dataclass

FORMAT_VERSION = 3

# Order of chromosomes on an axis; `chr1` = `1`, and what is not here comes last.
CHROMOSOME_ORDER = {str(n): n for n in range(1, 23)} | {"X": 23, "Y": 24, "MT": 25}
OTHER_CHROMOSOME = 99

# Where a male has one copy depends on the build (UCSC tables of the pseudo-autosomal regions).
PSEUDO_AUTOSOMAL = {
    "hg19": {
        "X": ((60_001, 2_699_520), (154_931_044, 155_260_560)),
        "Y": ((10_001, 2_649_520), (59_034_050, 59_363_566)),
    },
    "hg38": {
        "X": ((10_001, 2_781_479), (155_701_383, 156_030_895)),
        "Y": ((10_001, 2_781_479), (56_887_903, 57_217_415)),
    },
}

SEXES = ("male", "female", "unknown")
GENOTYPE_ROWS = ("hom_ref", "het", "hom_alt", "missing")


@dataclass(frozen=True)
class Column:
    """One column: its SQL type, what it holds (unit, range), how it is headed on a screen."""

    name: str
    sql: str
    doc: str
    title: str = ""
    nullable: bool = False


SAMPLES = (
    Column("sample_index", "UINTEGER", "Position of the person in every genotype BLOB."),
    Column("sample_id", "VARCHAR", "Name in the genotype source.", "Person"),
    Column("family_id", "VARCHAR", "Family, where the phenotypes name one.", "Family", True),
    Column(
        "diagnosis", "VARCHAR", "As written in the phenotypes; `unknown` if absent.", "Diagnosis"
    ),
    Column("sex", "VARCHAR", "`male`, `female` or `unknown`, as stated.", "Sex"),
    Column("covariates", "MAP(VARCHAR, VARCHAR)", "Every other column of the phenotypes."),
    Column("n_called", "UINTEGER", "Variants with a called genotype, autosomes.", "Called"),
    Column("n_missing", "UINTEGER", "Variants without one, autosomes.", "Missing"),
    Column("n_het", "UINTEGER", "Heterozygous SNP genotypes, autosomes.", "Heterozygous"),
    Column("n_hom_alt", "UINTEGER", "Homozygous alternate SNP genotypes, autosomes.", "Hom. alt."),
    Column("n_transition", "UINTEGER", "SNP genotypes with A<->G or C<->T.", "Transitions"),
    Column("n_transversion", "UINTEGER", "Other SNP genotypes.", "Transversions"),
    Column(
        "n_singleton",
        "UINTEGER",
        "Autosomal variants whose only alternate allele is here.",
        "Singletons",
    ),
    Column("depth_sum", "UBIGINT", "Sum of FORMAT/DP over sites.", "Depth, sum"),
    Column("depth_n", "UINTEGER", "Sites with a FORMAT/DP.", "Sites with depth"),
    Column("n_x_het", "UINTEGER", "Heterozygous calls on X outside the PAR.", "X heterozygous"),
    Column("n_x_called", "UINTEGER", "Called genotypes on X outside the PAR.", "X called"),
    Column("n_hom", "UINTEGER", "Homozygous genotypes, autosomes.", "Homozygous"),
    Column("expected_hom", "UBIGINT", "Expected homozygous autosomal calls, in 2^-30."),
    Column("x_expected_hom", "UBIGINT", "The same on X outside the PAR, a male's allele once."),
)

VARIANTS = (
    Column("variant_index", "UINTEGER", "Row in genomic order; 0-based."),
    Column("chrom", "VARCHAR", "Chromosome as written in the source.", "Chromosome"),
    Column("chrom_order", "UTINYINT", "1-22, X 23, Y 24, MT 25, others 99."),
    Column("pos", "UINTEGER", "1-based position of the first base of REF.", "Position"),
    Column("rsid", "VARCHAR", "The ID column.", "rsID", True),
    Column("ref", "VARCHAR", "Reference allele.", "Reference"),
    Column("alt", "VARCHAR", "Alternate allele; `.` where the site has none.", "Alternate"),
    Column("qual", "FLOAT", "QUAL, Phred.", "Site quality", True),
    Column("filter", "VARCHAR", "FILTER: PASS, or the names that failed.", "Filter", True),
    Column("kind", "VARCHAR", "`snp`, `indel` or `other` (MNP, symbolic, `*`).", "Kind"),
    Column("region", "VARCHAR", "`autosome`, `par`, `x`, `y`, `mt` or `other`.", "Region"),
    Column("alt_number", "USMALLINT", "Which alternate of its site, from 1."),
    Column("n_alts", "USMALLINT", "Alternates of its site; 0 where ALT is `.`."),
)

DIAGNOSES = (
    Column("diagnosis_index", "UINTEGER", "Number in the column names of `counts`."),
    Column("diagnosis", "VARCHAR", "As written in the phenotypes.", "Diagnosis"),
    Column("n_people", "UINTEGER", "People of that diagnosis.", "People"),
)

GENOTYPES = (
    Column("variant_index", "UINTEGER", "Row of `variants`."),
    Column("genotypes", "BLOB USING COMPRESSION zstd", "2 bits a person: 0, 1, 2, 3 = missing."),
)

GENES = (
    Column("gene", "VARCHAR", "Gene symbol.", "Gene"),
    Column("chrom", "VARCHAR", "Chromosome as written in the gene table.", "Chromosome"),
    Column("chrom_order", "UTINYINT", "As in `variants`."),
    Column("gene_start", "UINTEGER", "First base, 1-based.", "Start"),
    Column("gene_end", "UINTEGER", "Last base, 1-based.", "End"),
    Column("strand", "VARCHAR", "+ or -.", "Strand", True),
)

TRANSCRIPTS = (
    Column("transcript_index", "UINTEGER", "Row in genomic order; 0-based."),
    Column("gene", "VARCHAR", "Gene symbol.", "Gene"),
    Column("transcript", "VARCHAR", "Name of the transcript.", "Transcript"),
    Column("chrom_order", "UTINYINT", "As in `variants`."),
    Column("strand", "VARCHAR", "+ or -.", "Strand", True),
    Column("tx_start", "UINTEGER", "First base, 1-based.", "Start"),
    Column("tx_end", "UINTEGER", "Last base, 1-based.", "End"),
    Column("cds_start", "UINTEGER", "First coding base, 1-based.", nullable=True),
    Column("cds_end", "UINTEGER", "Last coding base, 1-based.", nullable=True),
    Column("exon_starts", "UINTEGER[]", "First base of each exon, 1-based, in genomic order."),
    Column("exon_ends", "UINTEGER[]", "Last base of each exon, 1-based, in genomic order."),
)

VARIANT_GENES = (
    Column("variant_index", "UINTEGER", "Row of `variants`."),
    Column("gene", "VARCHAR", "A gene that contains the variant, or lies within 1 kb.", "Gene"),
    Column("distance", "UINTEGER", "Bases to the gene; 0 inside.", "Distance"),
)

VARIANT_REGIONS = (
    Column("variant_index", "UINTEGER", "Row of `variants`; one row a variant."),
    Column("gene_region", "VARCHAR", "Where it lies, as ANNOVAR's Func: `exonic`, …", "Region"),
    Column("region_genes", "VARCHAR", "The genes that give the region, joined by `;`.", "Genes"),
    Column("region_detail", "VARCHAR", "Intergenic: both neighbours and distances.", "", True),
)

CONSEQUENCES = (
    Column("variant_index", "UINTEGER", "Row of `variants`."),
    Column("gene", "VARCHAR", "Gene symbol as in `genes` where known; the source's else.", "Gene"),
    Column("consequence", "VARCHAR", "The most severe Sequence Ontology term.", "Consequence"),
    Column("consequence_class", "VARCHAR", "`lof`, `missense`, `synonymous` or `other`.", "Class"),
    Column("source", "VARCHAR", "`CSQ`, `ANN`, `BCSQ`, `ANNOVAR`, or `FASTA`.", "Source"),
)

CERTIFICATE = (Column("certificate", "VARCHAR", "JSON: what made this file."),)

# Counted for each diagnosis, over the people of that diagnosis.
COUNT_DOCS = {
    "n_hom_ref": "people without this alternate",
    "n_het": "people with one",
    "n_hom_alt": "people with two, or hemizygous with one",
    "n_missing": "people without a called genotype at this split row",
    "depth_sum": "sum of FORMAT/DP over people who have one, called or not",
    "depth_n": "people with a FORMAT/DP",
    "gq_sum": "sum of FORMAT/GQ over people who have one",
    "gq_n": "people with a FORMAT/GQ",
    "site_n_called": "people called at the site before the split",
    "site_n_missing": "people not called at the site before the split",
    "site_n_nonref": "non-reference alleles at the site before the split",
}


def counts_columns(n_diagnoses: int) -> tuple[Column, ...]:
    """Return the columns of `counts` for that many diagnoses; rows stand as in `variants`."""
    return tuple(
        # A sum over 12,000 people may pass 2^32.
        Column(
            f"{name}_{d}",
            "UBIGINT" if name.endswith("_sum") else "UINTEGER",
            f"Diagnosis {d}: {doc}.",
        )
        for d in range(n_diagnoses)
        for name, doc in COUNT_DOCS.items()
    )


def sex_counts_columns(n_diagnoses: int) -> tuple[Column, ...]:
    """Return the columns of `sex_counts`: genotype counts by diagnosis and sex, on X and Y."""
    return (
        Column("variant_index", "UINTEGER", "Row of `variants`."),
        *(
            Column(f"n_{row}_{d}_{sex}", "UINTEGER", f"Diagnosis {d}, {sex}: {row}.")
            for d in range(n_diagnoses)
            for sex in SEXES
            for row in GENOTYPE_ROWS
        ),
    )


def ddl(table: str, columns: tuple[Column, ...]) -> str:
    """Return the CREATE TABLE statement of a declared table."""
    body = ", ".join(f'"{c.name}" {c.sql}' for c in columns)
    return f'CREATE TABLE "{table}" ({body})'


def chromosome_order(chrom: str) -> int:
    """Return the sort order of a chromosome however it is written (`chr1` = `1`, `M` = `MT`)."""
    name = plain_chromosome(chrom)
    return CHROMOSOME_ORDER.get(name, OTHER_CHROMOSOME)


def plain_chromosome(chrom: str) -> str:
    """Return `1`..`22`, `X`, `Y`, `MT` for any spelling of them, else the name without `chr`."""
    name = chrom[3:] if chrom[:3].lower() == "chr" else chrom
    upper = name.upper()
    numbered = {"23": "X", "24": "Y", "25": "XY", "26": "MT", "M": "MT"}
    upper = numbered.get(upper, upper)
    if upper == "XY":  # PLINK's name of the pseudo-autosomal part of X
        return "X"
    return upper if upper in CHROMOSOME_ORDER else name


def region_of(chrom: str, pos: int, build: str) -> str:
    """Return which copies people have at a position: `autosome par x y mt other`."""
    name = plain_chromosome(chrom)
    if name in {"X", "Y"}:
        if chrom.upper().removeprefix("CHR") in {"XY", "25"}:
            return "par"
        spans = PSEUDO_AUTOSOMAL[build][name]
        return "par" if any(start <= pos <= end for start, end in spans) else name.lower()
    if name == "MT":
        return "mt"
    return "autosome" if name in CHROMOSOME_ORDER else "other"


def kind_of(ref: str, alt: str) -> str:
    """Return `snp`, `indel` or `other`, after shared bases at both ends are left out (htslib)."""
    if len(ref) == 1 and len(alt) == 1:
        return "snp" if alt in "ACGTNacgtn" and ref != alt else "other"
    if not alt or alt[0] in "<*." or "[" in alt or "]" in alt:
        return "other"
    start = 0
    while start < min(len(ref), len(alt)) and ref[start].upper() == alt[start].upper():
        start += 1
    ref, alt = ref[start:], alt[start:]
    while ref and alt and ref[-1].upper() == alt[-1].upper():
        ref, alt = ref[:-1], alt[:-1]
    if len(ref) != len(alt):
        return "indel"
    return "snp" if len(ref) == 1 else "other"


# What ingest counts of each person, one column each.
PERSON_TOTALS = (
    "n_called", "n_missing", "n_het", "n_hom_alt", "n_transition", "n_transversion",
    "n_singleton", "n_x_het", "n_x_called", "n_hom", "expected_hom", "x_expected_hom",
)  # fmt: skip
HOM_UNIT = 1 << 30  # `expected_hom` is stored as a whole number of these parts
