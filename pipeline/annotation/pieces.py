"""Transcripts cut into the pieces that give a variant its region."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.annotation.alleles import CHROMOSOME_STEP

SPLICING = 2  # bases of the intron beside an exon
NEAR_GENE = 1_000  # up- and downstream reach less far than this, as in ANNOVAR

# Codes of pieces, the first of a rank before the second where both are told.
REGIONS = (
    "exonic", "splicing", "ncRNA_exonic", "ncRNA_splicing", "ncRNA_intronic", "UTR5", "UTR3",
    "intronic", "upstream", "downstream",
)  # fmt: skip
# Among pieces that a variant touches, those of the smallest rank count.
RANKS = (0, 0, 1, 1, 2, 3, 3, 4, 5, 5)


def exons_of(transcripts: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return one row an exon, in the order of transcripts: `row` of its transcript, start, end.

    `is_first` and `is_last` tell the exon's place in genomic order.
    """
    n_exons = transcripts["exon_starts"].map(len).to_numpy(np.int64)
    row = np.repeat(np.arange(len(transcripts)), n_exons)
    begins = np.cumsum(n_exons) - n_exons
    number = np.arange(len(row)) - begins[row]
    return {
        "row": row,
        "start": _flat(transcripts["exon_starts"]),
        "end": _flat(transcripts["exon_ends"]),
        "is_first": number == 0,
        "is_last": number == n_exons[row] - 1,
    }


def _flat(lists: pd.Series) -> np.ndarray:
    if not len(lists):
        return np.empty(0, np.int64)
    return np.concatenate([np.asarray(values, np.int64) for values in lists])


def counted_transcripts(transcripts: pd.DataFrame) -> pd.DataFrame:
    """Return the transcripts that give regions: of a gene that has a coding one, those alone.

    So does ANNOVAR.
    """
    is_coding = transcripts["cds_start"].notna()
    of_coding_gene = is_coding.groupby(transcripts["gene"]).transform("any")
    return transcripts[is_coding | ~of_coding_gene].reset_index(drop=True)


def cut(transcripts: pd.DataFrame) -> pd.DataFrame:
    """Return pieces: gene, code (of `REGIONS`), first and last on the axis of all chromosomes.

    Pieces of one gene and code do not overlap.
    """
    exons = exons_of(transcripts)
    row, start, end = exons["row"], exons["start"], exons["end"]
    gene = transcripts["gene"].to_numpy(object)
    plus = (transcripts["strand"] != "-").to_numpy()
    coding = transcripts["cds_start"].notna().to_numpy()
    cds_start = transcripts["cds_start"].fillna(0).to_numpy(np.int64)
    cds_end = transcripts["cds_end"].fillna(0).to_numpy(np.int64)
    tx_start = transcripts["tx_start"].to_numpy(np.int64)
    tx_end = transcripts["tx_end"].to_numpy(np.int64)
    axis = transcripts["chrom_order"].to_numpy(np.int64) * CHROMOSOME_STEP
    everyone = np.arange(len(transcripts))
    codes = {name: code for code, name in enumerate(REGIONS)}
    made: list[pd.DataFrame] = []

    def add(rows: np.ndarray, code: np.ndarray | int, first: np.ndarray, last: np.ndarray) -> None:
        stays = first <= last
        made.append(
            pd.DataFrame(
                {
                    "gene": gene[rows[stays]],
                    "code": np.broadcast_to(code, rows.shape)[stays].astype(np.uint8),
                    "first": (first + axis[rows])[stays],
                    "last": (last + axis[rows])[stays],
                }
            )
        )

    of_coding = coding[row]
    at = row[of_coding]
    first, last = start[of_coding], end[of_coding]
    add(at, codes["exonic"], np.maximum(first, cds_start[at]), np.minimum(last, cds_end[at]))
    left = np.where(plus, codes["UTR5"], codes["UTR3"])
    right = np.where(plus, codes["UTR3"], codes["UTR5"])
    add(at, left[at], first, np.minimum(last, cds_start[at] - 1))
    add(at, right[at], np.maximum(first, cds_end[at] + 1), last)
    add(row[~of_coding], codes["ncRNA_exonic"], start[~of_coding], end[~of_coding])
    splicing = np.where(coding, codes["splicing"], codes["ncRNA_splicing"])
    for inner, low, high in (
        (~exons["is_first"], start - SPLICING, start - 1),
        (~exons["is_last"], end + 1, end + SPLICING),
    ):
        add(row[inner], splicing[row[inner]], low[inner], high[inner])
    add(everyone, np.where(coding, codes["intronic"], codes["ncRNA_intronic"]), tx_start, tx_end)
    reach = NEAR_GENE - 1
    left = np.where(plus, codes["upstream"], codes["downstream"])
    right = np.where(plus, codes["downstream"], codes["upstream"])
    add(everyone, left, tx_start - reach, tx_start - 1)
    add(everyone, right, tx_end + 1, tx_end + reach)
    return _merged(pd.concat(made, ignore_index=True))


def _merged(pieces: pd.DataFrame) -> pd.DataFrame:
    """Join pieces of one gene and code that touch or overlap."""
    pieces["number"] = pd.factorize(pieces["gene"])[0]
    pieces = pieces.sort_values(["number", "code", "first"], kind="stable").reset_index(drop=True)
    key = pieces["number"].to_numpy() * len(REGIONS) + pieces["code"].to_numpy()
    reached = pieces["last"].groupby(key).cummax().to_numpy()
    is_new = np.ones(len(pieces), bool)
    is_new[1:] = (key[1:] != key[:-1]) | (pieces["first"].to_numpy()[1:] > reached[:-1] + 1)
    begins = np.flatnonzero(is_new)
    merged = pieces.loc[begins, ["gene", "code", "first"]].reset_index(drop=True)
    merged["last"] = np.maximum.reduceat(pieces["last"].to_numpy(), begins)
    return merged
