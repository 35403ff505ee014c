"""What variants do to the proteins of coding transcripts, from the sequence of a reference.

Told are changes of the coding sequence within one exon, and the two bases of an intron beside an
exon (donor, acceptor). Each variant is taken alone, not with others of its haplotype.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.annotation.alleles import CHROMOSOME_STEP
from pipeline.annotation.codons import (
    BASE,
    MITOCHONDRIAL,
    STANDARD,
    TERMS,
    UNKNOWN,
    bases_of,
    change_of_stretch,
    changes_of_bases,
    complement,
    translate,
)
from pipeline.annotation.pieces import SPLICING, exons_of
from pipeline.annotation.terms import RANK, class_of
from pipeline.errors import InputError
from pipeline.schema import CHROMOSOME_ORDER
from pipeline.sources.fasta import Fasta
from pipeline.store import Writer

_SHORTEST_INTRON = 13  # what is shorter is a gap of an alignment, as for Ensembl
_MOST_BROKEN = 0.5  # of the transcripts, before the gene table is taken for another build's
_MT = CHROMOSOME_ORDER["MT"]


@dataclass(frozen=True)
class CodingSequences:
    """The coding sequences of transcripts, one after another, each from its first whole codon on.

    `bases` uint8 (n_bases,); `begins` and `length` int64 (n_transcripts,). The pieces, one an
    exon's coding part: `row` of the transcript, `start` and `end` (1-based, closed), and `offset`,
    the place of its 5' base in the sequence (negative before the first whole codon).
    """

    bases: np.ndarray
    begins: np.ndarray
    length: np.ndarray
    phase: np.ndarray
    row: np.ndarray
    start: np.ndarray
    end: np.ndarray
    offset: np.ndarray


def coding_sequences(transcripts: pd.DataFrame, fasta: Fasta) -> CodingSequences:
    """Return the coding sequences of coding transcripts.

    Raises `InputError` where a transcript lies past the end of its chromosome.
    """
    exons = exons_of(transcripts)
    row = exons["row"]
    start = np.maximum(exons["start"], transcripts["cds_start"].to_numpy(np.int64)[row])
    end = np.minimum(exons["end"], transcripts["cds_end"].to_numpy(np.int64)[row])
    codes = start <= end
    row, start, end = row[codes], start[codes], end[codes]
    minus = (transcripts["strand"] == "-").to_numpy()
    # From 5' to 3' of each transcript.
    order = np.lexsort((np.where(minus[row], -start, start), row))
    row, start, end = row[order], start[order], end[order]
    size = end - start + 1
    length = np.bincount(row, size, len(transcripts)).astype(np.int64)
    begins = np.cumsum(length) - length
    place = np.cumsum(size) - size
    bases = np.full(int(size.sum()), UNKNOWN, np.uint8)
    chrom = transcripts["chrom_order"].to_numpy()
    for chrom_order in np.unique(chrom):
        whole = fasta.bases(int(chrom_order))
        if not whole.size:
            continue
        here = np.flatnonzero(chrom[row] == chrom_order)
        if end[here].max(initial=0) > whole.size:
            raise InputError(
                f"Every transcript lies on its chromosome, but one of the gene table ends at "
                f"{end[here].max():,} and {fasta.name} has {whole.size:,} bases there; give both "
                "of one build."
            )
        n = size[here]
        step = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
        on_minus = np.repeat(minus[row[here]], n)
        genome = np.where(
            on_minus, np.repeat(end[here], n) - step, np.repeat(start[here], n) + step
        )
        found = BASE[whole[genome - 1]]
        bases[np.repeat(place[here], n) + step] = np.where(on_minus, complement(found), found)
    phase = transcripts["cds_phase"].to_numpy(np.int64)
    offset = place - begins[row] - phase[row]
    return CodingSequences(
        bases, begins + phase, np.maximum(length - phase, 0), phase, row, start, end, offset
    )


def write_coding(writer: Writer, transcripts: pd.DataFrame, fasta: Fasta) -> list[str]:
    """Add the consequences of variants that have none yet; return warnings.

    `transcripts` are coding; the temporary table `placed` has the variants.
    """
    if transcripts.empty:
        return ["A change of a protein is told from coding parts, but the gene table has none."]
    sequences = coding_sequences(transcripts, fasta)
    is_broken = _broken(sequences, transcripts)
    if is_broken.mean() > _MOST_BROKEN:
        raise InputError(
            f"A coding sequence has one stop codon, at its end, but {is_broken.sum():,} of "
            f"{len(is_broken):,} transcripts have one within by {fasta.name}; give the gene table "
            "of the same build."
        )
    writer.run(
        "CREATE TEMP TABLE open_variants AS SELECT * FROM placed "
        "ANTI JOIN (SELECT variant_index FROM consequences) c USING (variant_index)"
    )
    axis = transcripts["chrom_order"].to_numpy(np.int64) * CHROMOSOME_STEP
    told = pd.concat(
        [
            _changes(writer, transcripts, sequences, axis, is_broken),
            _splice_sites(writer, transcripts, axis),
        ]
    )
    told["gene"] = transcripts["gene"].to_numpy(object)[told["row"].to_numpy(np.int64)]
    told["severity"] = told["term"].map(RANK)
    told = told.sort_values(["variant_index", "gene", "severity"], kind="stable")
    told = told.drop_duplicates(["variant_index", "gene"])
    writer.insert(
        "consequences",
        pa.table(
            {
                "variant_index": pa.array(told["variant_index"].to_numpy(), pa.uint32()),
                "gene": pa.array(told["gene"].to_list(), pa.string()),
                "consequence": pa.array(told["term"].to_list(), pa.string()),
                "consequence_class": pa.array(told["term"].map(class_of).to_list(), pa.string()),
                "source": pa.array(["FASTA"] * len(told), pa.string()),
            }
        ),
    )
    if not is_broken.any():
        return []
    return [
        f"{is_broken.sum():,} of {len(is_broken):,} coding transcripts have more than one stop "
        f"codon within by {fasta.name}, and their changes are not told."
    ]


def _broken(sequences: CodingSequences, transcripts: pd.DataFrame) -> np.ndarray:
    """Return which transcripts have more than one stop codon before their last, bool (n,)."""
    n_codons = sequences.length // 3
    row = np.repeat(np.arange(len(n_codons)), n_codons)
    number = np.arange(len(row)) - np.repeat(np.cumsum(n_codons) - n_codons, n_codons)
    at = sequences.begins[row] + 3 * number
    codons = sequences.bases[at[:, None] + np.arange(3)]
    on_mt = (transcripts["chrom_order"] == _MT).to_numpy()[row]
    amino = np.where(on_mt, translate(codons, MITOCHONDRIAL), translate(codons, STANDARD))
    within = (amino == ord("*")) & (number < n_codons[row] - 1)
    # One may be a selenocysteine.
    return np.bincount(row[within], minlength=len(n_codons)) > 1


def _joined(writer: Writer, ranges: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the variants that touch ranges on the axis, one row a pair, as columns."""
    writer.run("CREATE OR REPLACE TEMP TABLE ranges (number UINTEGER, first BIGINT, last BIGINT)")
    writer.insert("ranges", pa.table({
        "number": pa.array(np.arange(len(ranges["first"])), pa.uint32()), **ranges,
    }))  # fmt: skip
    rows = writer.rows(
        "SELECT number, variant_index, pos, ref, alt FROM open_variants v "
        "JOIN ranges r ON v.last >= r.first AND v.first <= r.last ORDER BY variant_index, number"
    )
    columns = list(zip(*rows, strict=True)) if rows else [()] * 5
    return {
        "number": np.array(columns[0], np.int64),
        "variant_index": np.array(columns[1], np.int64),
        "pos": np.array(columns[2], np.int64),
        "ref": np.array(columns[3], object),
        "alt": np.array(columns[4], object),
    }


def _changes(
    writer: Writer,
    transcripts: pd.DataFrame,
    sequences: CodingSequences,
    axis: np.ndarray,
    is_broken: np.ndarray,
) -> pd.DataFrame:
    """Return variant_index, row and term of every variant in a coding part."""
    pairs = _joined(writer, {
        "first": axis[sequences.row] + sequences.start, "last": axis[sequences.row] + sequences.end,
    })  # fmt: skip
    usable = ~is_broken[sequences.row[pairs["number"]]] & _is_spelled(pairs)
    pairs = {name: values[usable] for name, values in pairs.items()}
    single = _lengths(pairs["ref"], pairs["alt"])
    parts = [
        _of_bases({name: values[single] for name, values in pairs.items()}, transcripts, sequences),
        _of_stretches(
            {name: values[~single] for name, values in pairs.items()}, transcripts, sequences
        ),
    ]
    return pd.concat(parts)


def _is_spelled(pairs: dict[str, np.ndarray]) -> np.ndarray:
    letters = set("ACGT")
    known: dict[str, bool] = {}
    for text in {*pairs["ref"].tolist(), *pairs["alt"].tolist()}:
        known[text] = set(text) <= letters
    return np.array(
        [known[r] and known[a] for r, a in zip(pairs["ref"], pairs["alt"], strict=True)], bool
    )


def _lengths(ref: np.ndarray, alt: np.ndarray) -> np.ndarray:
    return np.array([len(r) == 1 == len(a) for r, a in zip(ref, alt, strict=True)], bool)


def _of_bases(
    pairs: dict[str, np.ndarray], transcripts: pd.DataFrame, sequences: CodingSequences
) -> pd.DataFrame:
    """Return the changes of single bases."""
    piece = pairs["number"]
    row = sequences.row[piece]
    minus = (transcripts["strand"] == "-").to_numpy()[row]
    into = np.where(
        minus, sequences.end[piece] - pairs["pos"], pairs["pos"] - sequences.start[piece]
    )
    at = sequences.offset[piece] + into
    ref = bases_of("".join(pairs["ref"].tolist()))
    alt = bases_of("".join(pairs["alt"].tolist()))
    ref, alt = np.where(minus, complement(ref), ref), np.where(minus, complement(alt), alt)
    first = at // 3 * 3
    is_partial = at < 0
    is_incomplete = first + 3 > sequences.length[row]
    inside = ~is_partial & ~is_incomplete
    start = np.where(inside, sequences.begins[row] + first, 0)
    codons = sequences.bases[np.minimum(start[:, None] + np.arange(3), len(sequences.bases) - 1)]
    place = at - first
    agrees = codons[np.arange(len(at)), place] == ref
    is_start = (first == 0) & (sequences.phase[row] == 0)
    is_end = first + 3 == sequences.length[row]
    on_mt = (transcripts["chrom_order"] == _MT).to_numpy()[row]
    code = np.where(
        on_mt,
        changes_of_bases(codons, place, alt, is_start, is_end, MITOCHONDRIAL),
        changes_of_bases(codons, place, alt, is_start, is_end, STANDARD),
    )
    code = np.where(is_partial, TERMS.index("coding_sequence_variant"), code)
    code = np.where(is_incomplete, TERMS.index("incomplete_terminal_codon_variant"), code)
    stays = agrees | ~inside
    return pd.DataFrame(
        {
            "variant_index": pairs["variant_index"][stays],
            "row": row[stays],
            "term": np.array(TERMS, object)[code[stays]],
        }
    )


def _of_stretches(
    pairs: dict[str, np.ndarray], transcripts: pd.DataFrame, sequences: CodingSequences
) -> pd.DataFrame:
    """Return the changes of more than one base, one by one; they are few."""
    minus = (transcripts["strand"] == "-").to_numpy()
    chrom = transcripts["chrom_order"].to_numpy()
    exon_starts = [frozenset(starts) for starts in transcripts["exon_starts"]]
    exon_ends = [frozenset(ends) for ends in transcripts["exon_ends"]]
    told = []
    for piece, index, pos, ref, alt in zip(*pairs.values(), strict=True):
        row = sequences.row[piece]
        start, end = sequences.start[piece], sequences.end[piece]
        if not ref and pos > end:  # after the last base
            if end in exon_ends[row] and end != transcripts["tx_end"].iat[row]:
                told.append((index, row, "splice_region_variant"))
            continue
        low, high = pos, pos + len(ref) - 1
        if ref and (low < start or high > end):
            # Into an intron: told by its splice site. Else beyond the coding part.
            ends = []
            if low < start and start not in exon_starts[row]:
                ends.append("stop_lost" if minus[row] else "start_lost")
            if high > end and end not in exon_ends[row]:
                ends.append("start_lost" if minus[row] else "stop_lost")
            told += [(index, row, term) for term in ends]
            continue
        into = end - high if minus[row] else low - start
        if not ref and minus[row]:
            into = end - pos + 1
        at = int(sequences.offset[piece] + into)
        begins, length = sequences.begins[row], sequences.length[row]
        sequence = sequences.bases[begins : begins + length]
        before, after = bases_of(ref), bases_of(alt)
        if minus[row]:
            before, after = complement(before)[::-1], complement(after)[::-1]
        if at < 0:
            told.append((index, row, "coding_sequence_variant"))
        elif np.array_equal(sequence[at : at + len(ref)], before):
            table = MITOCHONDRIAL if chrom[row] == _MT else STANDARD
            told.append((index, row, change_of_stretch(sequence, at, len(ref), after, table)))
    return pd.DataFrame(told, columns=["variant_index", "row", "term"])


def _splice_sites(writer: Writer, transcripts: pd.DataFrame, axis: np.ndarray) -> pd.DataFrame:
    """Return the variants of the first and the last two bases of introns."""
    exons = exons_of(transcripts)
    follows = np.flatnonzero(~exons["is_first"])
    low, high = exons["end"][follows - 1] + 1, exons["start"][follows] - 1
    long = high - low + 1 >= _SHORTEST_INTRON
    row, low, high = exons["row"][follows][long], low[long], high[long]
    first = np.concatenate([low, high - SPLICING + 1])
    row = np.concatenate([row, row])
    is_left = np.arange(len(row)) < len(low)
    is_donor = is_left == (transcripts["strand"] != "-").to_numpy()[row]
    pairs = _joined(writer, {
        "first": axis[row] + first, "last": axis[row] + first + SPLICING - 1,
    })  # fmt: skip
    number = pairs["number"]
    # An insertion, placed after its base, splits the two bases or lies outside them.
    lies = np.array([bool(ref) for ref in pairs["ref"]], bool) | (pairs["pos"] - 1 == first[number])
    number = number[lies]
    return pd.DataFrame(
        {
            "variant_index": pairs["variant_index"][lies],
            "row": row[number],
            "term": np.where(
                is_donor[number], "splice_donor_variant", "splice_acceptor_variant"
            ).astype(object),
        }
    )
