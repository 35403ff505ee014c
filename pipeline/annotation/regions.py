"""The region of each variant, as ANNOVAR's `Func`, by range joins in DuckDB.

Precedence: exonic = splicing > ncRNA (exonic = splicing > intronic) > UTR5 = UTR3 > intronic >
upstream = downstream > intergenic; equals are joined by `;`. As in ANNOVAR a coding gene is told
by its coding transcripts alone, splicing is the two bases of an intron beside an exon, and up- and
downstream are less than 1,000 bases from a transcript. A deletion has every region that it
touches, also where it is long; an insertion that of the base before it.

References: Wang, Li and Hakonarson 2010, Nucleic Acids Research 38:e164.
"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from pipeline.annotation.alleles import CHROMOSOME_STEP
from pipeline.annotation.pieces import RANKS, REGIONS, counted_transcripts, cut
from pipeline.store import Writer

EXONIC = ("exonic", "splicing", "exonic;splicing", "ncRNA_exonic", "ncRNA_exonic;splicing")


def _label(codes: tuple[int, ...]) -> str:
    names = [REGIONS[code] for code in codes]
    return ";".join([names[0], *(name.removeprefix("ncRNA_") for name in names[1:])])


def write_regions(writer: Writer, transcripts: pd.DataFrame) -> None:
    """Fill `variant_regions` from transcripts; the temporary table `placed` has the variants."""
    counted = counted_transcripts(transcripts)
    pieces = cut(counted)
    genes = pd.DataFrame({"gene_name": sorted(pieces["gene"].unique())})
    numbers = pd.Series(genes.index, index=genes["gene_name"])
    pieces["gene_number"] = pieces["gene"].map(numbers)
    pieces["place"] = pieces["code"].map(dict(enumerate(RANKS)))
    writer.run("CREATE TEMP TABLE gene_names (gene_number UINTEGER, gene_name VARCHAR)")
    writer.insert("gene_names", pa.Table.from_pandas(
        genes.reset_index(names="gene_number"), preserve_index=False))  # fmt: skip
    writer.run("CREATE TEMP TABLE pieces (code UTINYINT, place UTINYINT, gene_number UINTEGER, "
               "first BIGINT, last BIGINT)")  # fmt: skip
    writer.insert("pieces", pa.Table.from_pandas(
        pieces[["code", "place", "gene_number", "first", "last"]], preserve_index=False,
    ))  # fmt: skip
    # One number a piece: of those touched, the smallest place counts.
    writer.run(
        "CREATE TEMP TABLE touched AS SELECT p.variant_index, s.place, s.code, s.gene_number "
        "FROM placed p JOIN pieces s ON p.last >= s.first AND p.first <= s.last"
    )
    writer.run(
        "CREATE TEMP TABLE counting AS SELECT variant_index, bit_or(1 << code::INTEGER) AS codes, "
        "min(gene_number) AS lowest, max(gene_number) AS highest FROM touched "
        "SEMI JOIN (SELECT variant_index, min(place) AS place FROM touched GROUP BY ALL) best "
        "USING (variant_index, place) GROUP BY variant_index"
    )
    # Few variants have more genes than one; only those need their names joined.
    writer.run(
        "CREATE TEMP TABLE many AS SELECT variant_index, "
        "string_agg(DISTINCT gene_name, ';' ORDER BY gene_name) AS names FROM touched "
        "JOIN gene_names USING (gene_number) "
        "SEMI JOIN (SELECT t.variant_index, min(t.place) AS place FROM touched t "
        "SEMI JOIN (SELECT variant_index FROM counting WHERE lowest < highest) c "
        "USING (variant_index) GROUP BY ALL) best USING (variant_index, place) "
        "GROUP BY variant_index"
    )
    labels = {
        sum(1 << code for code in codes): _label(codes)
        for rank in set(RANKS)
        for equal in [[code for code, of in enumerate(RANKS) if of == rank]]
        for codes in [*((code,) for code in equal), *([tuple(equal)] if len(equal) > 1 else [])]
    }
    writer.run("CREATE TEMP TABLE labels (codes INTEGER, label VARCHAR)")
    writer.insert("labels", pa.table({
        "codes": pa.array(labels, pa.int32()), "label": pa.array(labels.values(), pa.string()),
    }))  # fmt: skip
    writer.run(
        "CREATE TEMP TABLE found AS SELECT c.variant_index, label, "
        "coalesce(names, gene_name) AS names, NULL::VARCHAR AS detail "
        "FROM counting c JOIN labels USING (codes) JOIN gene_names g ON g.gene_number = c.lowest "
        "LEFT JOIN many m ON m.variant_index = c.variant_index"
    )
    _add_intergenic(writer, counted)
    writer.run("INSERT INTO variant_regions SELECT * FROM found ORDER BY variant_index")


def _add_intergenic(writer: Writer, counted: pd.DataFrame) -> None:
    """Name both neighbours, and how far they are, of every variant that has no region yet."""
    axis = counted["chrom_order"].astype("int64") * CHROMOSOME_STEP
    ends = pd.DataFrame({
        "gene": counted["gene"], "chrom_order": counted["chrom_order"],
        "first": axis + counted["tx_start"], "last": axis + counted["tx_end"],
    })  # fmt: skip
    writer.run("CREATE TEMP TABLE transcript_ends (gene VARCHAR, chrom_order UTINYINT, "
               "first BIGINT, last BIGINT)")  # fmt: skip
    writer.insert("transcript_ends", pa.Table.from_pandas(ends, preserve_index=False))
    writer.run(
        "INSERT INTO found "
        "WITH alone AS (SELECT variant_index, chrom_order, first, last FROM placed "
        "ANTI JOIN counting USING (variant_index)), "
        "below AS (SELECT chrom_order, last AS edge, min(gene) AS gene FROM transcript_ends "
        "GROUP BY ALL), "
        "above AS (SELECT chrom_order, first AS edge, min(gene) AS gene FROM transcript_ends "
        "GROUP BY ALL) "
        "SELECT v.variant_index, 'intergenic', '', "
        "coalesce(b.gene, 'NONE') || '(dist=' || coalesce((v.first - b.edge)::VARCHAR, 'NONE') "
        "|| ');' || coalesce(a.gene, 'NONE') || '(dist=' || "
        "coalesce((a.edge - v.last)::VARCHAR, 'NONE') || ')' "
        "FROM alone v "
        "ASOF LEFT JOIN below b ON v.chrom_order = b.chrom_order AND v.first > b.edge "
        "ASOF LEFT JOIN above a ON v.chrom_order = a.chrom_order AND v.last < a.edge"
    )
