"""The kept set as a bgzipped VCF of GT, with its index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import InputError
from pipeline.export.kept import Kept
from pipeline.export.staging import Staging, bgzip_names
from pipeline.progress import OnProgress
from pipeline.simulate.bgzf import write_bgzf

if TYPE_CHECKING:  # loaded by DuckDB when the first frame is asked for
    import pandas as pd

# A cell of a VCF by genotype code. Who has one copy and yet is heterozygous keeps both alleles:
# an error of the source is not hidden. NUL pads a short cell and is taken out of the line.
_TWO_COPIES = np.array([b"\t0/0", b"\t0/1", b"\t1/1", b"\t./."])
_ONE_COPY = np.array([b"\t0", b"\t0/1", b"\t1", b"\t."], _TWO_COPIES.dtype)

_FIXED_HEAD = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT"


def vcf_names(out: Path) -> dict[str, Path]:
    if not out.name.endswith(".vcf.gz"):
        raise InputError(
            f"A VCF is exported bgzipped, so its name ends in .vcf.gz, but {out.name} was given; "
            "name it so."
        )
    return bgzip_names(out, "vcf")


def write_vcf(kept: Kept, staging: Staging, on_progress: OnProgress) -> list[str]:
    write_bgzf(staging.path("vcf"), _vcf_lines(kept, on_progress))
    last = kept.cohort.store.rows("SELECT max(pos) FROM variants")[0][0]
    staging.index("vcf", last, preset="vcf")
    return []


def _vcf_lines(kept: Kept, on_progress: OnProgress) -> Iterator[bytes]:
    yield _vcf_header(kept)
    male = np.flatnonzero(kept.samples["sex"] == "male")
    everyone = np.arange(len(kept.people))
    one_copy = {"x": male, "y": male, "mt": everyone}
    for variants, codes in kept.blocks(kept.filtered.kept, on_progress):
        table = kept.table(variants)
        cells = _TWO_COPIES[codes]
        fixed = _fixed_fields(table)
        lines = []
        for row, region in enumerate(table["region"]):
            if region in one_copy:
                haploid = one_copy[region]
                cells[row, haploid] = _ONE_COPY[codes[row, haploid]]
                calls = cells[row].tobytes().translate(None, b"\0")
            else:
                calls = cells[row].tobytes()
            lines += [fixed[row], calls, b"\n"]
        yield b"".join(lines)


def _fixed_fields(table: pd.DataFrame) -> list[bytes]:
    """Return CHROM to FORMAT of each variant."""
    qual = [
        "." if np.isnan(value) else np.format_float_positional(np.float32(value), trim="-")
        for value in table["qual"]
    ]
    rsid, failed = (table[name].fillna(".").replace("", ".") for name in ("rsid", "filter"))
    columns = (table["chrom"], table["pos"], rsid, table["ref"], table["alt"], qual, failed)
    return ["\t".join([*map(str, row), ".", "GT"]).encode() for row in zip(*columns, strict=True)]


def _vcf_header(kept: Kept) -> bytes:
    store = kept.cohort.store
    contigs = store.rows("SELECT chrom FROM variants GROUP BY chrom ORDER BY min(variant_index)")
    written = store.rows("SELECT DISTINCT filter FROM variants WHERE filter IS NOT NULL")
    filters = sorted({name for (names,) in written for name in names.split(";")} - {"PASS", ""})
    lines = [
        "##fileformat=VCFv4.2",
        f"##source=Exolens, cohort {kept.cohort.name} {kept.cohort.fingerprint}",
        '##FILTER=<ID=PASS,Description="All filters passed">',
        *(f'##FILTER=<ID={name},Description="As in the source">' for name in filters),
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        *(f"##contig=<ID={contig}>" for (contig,) in contigs),
        _FIXED_HEAD + "".join(f"\t{name}" for name in kept.samples["sample_id"]),
    ]
    return ("\n".join(lines) + "\n").encode()
