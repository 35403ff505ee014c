"""Alleles without the bases that both share, so that two ways of writing a variant compare."""

from __future__ import annotations

from typing import Any

from pipeline.store import Writer

# One axis for all chromosomes, so that a join is on ranges alone.
CHROMOSOME_STEP = 10_000_000_000

PLACED = (
    "CREATE TEMP TABLE placed (variant_index UINTEGER, chrom_order UTINYINT, pos BIGINT, "
    "ref VARCHAR, alt VARCHAR, first BIGINT, last BIGINT)"
)


def trimmed(pos: int, ref: str, alt: str) -> tuple[int, str, str]:
    """Return position, reference and alternate without shared bases, those at the start first.

    An insertion has the position of the base after it and an empty reference. Symbolic alleles
    stay as they are.
    """
    ref, alt = ref.upper(), alt.upper()
    if not ref.isalpha() or not alt.isalpha():
        return pos, ref, alt
    shared, most = 0, min(len(ref), len(alt))
    while shared < most and ref[shared] == alt[shared]:
        shared += 1
    ref, alt = ref[shared:], alt[shared:]
    while ref and alt and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    return pos + shared, ref, alt


def place_variants(writer: Writer) -> None:
    """Make the temporary table `placed`: every variant of `cohort`, alleles trimmed.

    `first` and `last` are the reference bases it changes, on the axis of all chromosomes; an
    insertion has the base before it for both, as in ANNOVAR.
    """
    import pyarrow as pa

    writer.run(PLACED)
    writer.run(
        "INSERT INTO placed SELECT variant_index, chrom_order, pos, upper(ref), upper(alt), "
        f"chrom_order * {CHROMOSOME_STEP}::BIGINT + pos, "
        f"chrom_order * {CHROMOSOME_STEP}::BIGINT + pos "
        "FROM cohort.variants WHERE length(ref) = 1 AND length(alt) = 1"
    )
    longer = writer.rows(
        "SELECT variant_index, chrom_order, pos, ref, alt FROM cohort.variants "
        "WHERE NOT (length(ref) = 1 AND length(alt) = 1)"
    )
    rows: list[tuple[Any, ...]] = []
    for index, order, pos, ref, alt in longer:
        at, before, after = trimmed(pos, ref, alt)
        axis = order * CHROMOSOME_STEP + at
        first = axis if before else axis - 1
        rows.append((index, order, at, before, after, first, first + max(len(before), 1) - 1))
    columns = list(zip(*rows, strict=True)) or [()] * 7
    kinds = (pa.uint32(), pa.uint8(), pa.int64(), pa.string(), pa.string(), pa.int64(), pa.int64())
    names = ("variant_index", "chrom_order", "pos", "ref", "alt", "first", "last")
    writer.insert(
        "placed",
        pa.table({n: pa.array(c, k) for n, c, k in zip(names, columns, kinds, strict=True)}),
    )
