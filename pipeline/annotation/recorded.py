"""Consequences that another program wrote, matched to the variants of a cohort."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from pipeline.annotation.alleles import trimmed
from pipeline.annotation.terms import RANK, UNRANKED, class_of, most_severe
from pipeline.schema import OTHER_CHROMOSOME, chromosome_order
from pipeline.sources.consequences import Said, read_consequences
from pipeline.store import Writer

_PARCEL = 200_000  # rows handed over at once
_LEAST_MATCHED = 0.5
_SAID = (
    "CREATE TEMP TABLE said (chrom_order UTINYINT, pos BIGINT, ref VARCHAR, alt VARCHAR, "
    "gene VARCHAR, consequence VARCHAR, severity USMALLINT)"
)
_COLUMNS = {
    "chrom_order": pa.uint8(), "pos": pa.int64(), "ref": pa.string(), "alt": pa.string(),
    "gene": pa.string(), "consequence": pa.string(), "severity": pa.uint16(),
}  # fmt: skip


def write_recorded(writer: Writer, path: Path) -> list[str]:
    """Fill `consequences` from a file, one row a variant and gene; return warnings.

    Alleles are matched without the bases that both share, so that a site that was split here or
    there is found all the same. The temporary table `placed` has the variants.
    """
    source, rows = read_consequences(path)
    writer.run(_SAID)
    orders: dict[str, int] = {}
    terms: dict[str, str] = {}
    parcel: list[tuple] = []
    for row in rows:
        order = orders.get(row.chrom)
        if order is None:
            order = orders[row.chrom] = chromosome_order(row.chrom)
        if order == OTHER_CHROMOSOME:
            continue
        term = terms.get(row.terms)
        if term is None:
            term = terms[row.terms] = most_severe(row.terms, source)
        parcel.append((order, *_key(row), row.gene, term, RANK.get(term, UNRANKED)))
        if len(parcel) == _PARCEL:
            _hand_over(writer, parcel)
            parcel = []
    _hand_over(writer, parcel)
    writer.run("CREATE TEMP TABLE classes (consequence VARCHAR, consequence_class VARCHAR)")
    known = sorted(set(terms.values()))
    writer.insert("classes", pa.table({
        "consequence": pa.array(known, pa.string()),
        "consequence_class": pa.array([class_of(term) for term in known], pa.string()),
    }))  # fmt: skip
    writer.run(
        "CREATE TEMP TABLE recorded AS SELECT variant_index, gene, "
        "substr(min(lpad(severity::VARCHAR, 3, '0') || consequence), 4) AS consequence FROM said "
        "JOIN placed USING (chrom_order, pos, ref, alt) GROUP BY variant_index, gene"
    )
    writer.run(
        "INSERT INTO consequences SELECT variant_index, gene, consequence, consequence_class, ? "
        "FROM recorded JOIN classes USING (consequence) ORDER BY variant_index, gene",
        [source],
    )
    n_found = writer.rows("SELECT count(DISTINCT variant_index) FROM recorded")[0][0]
    n_variants = writer.rows("SELECT count(*) FROM placed")[0][0]
    if n_found >= _LEAST_MATCHED * n_variants:
        return []
    return [
        f"Consequences are looked up by position and alleles, but {path.name} has them for "
        f"{n_found:,} of {n_variants:,} variants; check that it is of this cohort and build."
    ]


def _key(row: Said) -> tuple[int, str, str]:
    if len(row.ref) == len(row.alt) == 1 and row.ref != "-" and row.alt != "-":
        return row.pos, row.ref.upper(), row.alt.upper()
    if "-" in (row.ref, row.alt):
        return row.pos, row.ref.strip("-").upper(), row.alt.strip("-").upper()
    return trimmed(row.pos, row.ref, row.alt)


def _hand_over(writer: Writer, parcel: list[tuple]) -> None:
    values = zip(*parcel, strict=True) if parcel else ([] for _ in _COLUMNS)
    writer.insert(
        "said",
        pa.table({
            name: pa.array(column, kind)
            for (name, kind), column in zip(_COLUMNS.items(), values, strict=True)
        }),
    )  # fmt: skip
