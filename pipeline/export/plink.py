"""The kept set as PLINK 1 files: .bed, .bim, .fam, with ALT as A1."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.errors import InputError
from pipeline.export.kept import Kept
from pipeline.export.staging import Staging
from pipeline.genotypes import pack
from pipeline.progress import OnProgress
from pipeline.schema import CHROMOSOME_ORDER, plain_chromosome

# Four codes of ours in a byte (0, 1, 2 alternates, 3 missing; low bits first) as .bed has them
# with A1 = ALT: 11, 10, 00, 01.
_BED_CODES = np.array([0b11, 0b10, 0b00, 0b01], np.uint8)
_BED_MAGIC = bytes([0x6C, 0x1B, 0x01])
_BED_BYTES = np.bitwise_or.reduce(
    [
        _BED_CODES[(np.arange(256, dtype=np.uint8) >> shift) & 3] << np.uint8(shift)
        for shift in (0, 2, 4, 6)
    ]
).astype(np.uint8)


def plink_names(out: Path) -> dict[str, Path]:
    return {role: out.with_name(f"{out.name}.{role}") for role in ("bim", "fam", "bed")}


def write_plink(kept: Kept, staging: Staging, on_progress: OnProgress) -> list[str]:
    _write_fam(kept, staging.path("fam"))
    variants, is_par_of_x = _plink_order(kept)
    # The last byte of a row may hold fewer than four people; the rest of it is zero.
    n_people = len(kept.people)
    n_bytes = -(-n_people // 4)
    in_last = np.uint8(0xFF >> (2 * (4 * n_bytes - n_people)))
    extra: set[str] = set()
    with staging.path("bed").open("wb") as bed, staging.path("bim").open("w") as bim:
        bed.write(_BED_MAGIC)
        for block, codes in kept.blocks(variants, on_progress):
            rows = _BED_BYTES[pack(codes)[:, :n_bytes]]
            rows[:, -1] &= in_last
            bed.write(rows.tobytes())
            table = kept.table(block)
            chrom = np.where(np.isin(block, is_par_of_x), "XY", table["chrom"])
            alt = table["alt"].replace(".", "0")  # PLINK's word for an allele that is not there
            bim.writelines(
                f"{c}\t{i}\t0\t{p}\t{a}\t{r}\n"
                for c, i, p, a, r in zip(
                    chrom, table["variant_id"], table["pos"], alt, table["ref"], strict=True
                )
            )
            extra |= {c for c in table["chrom"].unique() if _is_extra(c)}
    notes = []
    if len(is_par_of_x):
        notes.append(
            f"{len(is_par_of_x):,} variants of the pseudo-autosomal regions stand after X as "
            "chromosome XY, as PLINK has it"
        )
    if extra:
        notes.append(
            f"PLINK reads the chromosomes {', '.join(sorted(extra)[:5])} with --allow-extra-chr"
        )
    return notes


def _is_extra(chrom: str) -> bool:
    return plain_chromosome(chrom) not in CHROMOSOME_ORDER


def _plink_order(kept: Kept) -> tuple[np.ndarray, np.ndarray]:
    """Return the kept variants with the PAR of X after X, and which these are.

    PLINK takes males on X as haploid everywhere, and each chromosome has to stand in one piece.
    """
    on_x = kept.cohort.store.arrays(
        "SELECT variant_index, region = 'par' AS in_par FROM variants "
        "WHERE chrom_order = 23 ORDER BY variant_index"
    )
    variants = kept.filtered.kept
    x = on_x["variant_index"].astype(np.int64)
    par = np.intersect1d(variants, x[on_x["in_par"]])
    if not len(par):
        return variants, par
    place = variants.astype(np.float64)
    place[np.isin(variants, par)] = x[-1] + 0.5
    return variants[np.argsort(place, kind="stable")], par


def _write_fam(kept: Kept, path: Path) -> None:
    sex = kept.samples["sex"].map({"male": 1, "female": 2}).fillna(0).astype(int)
    with path.open("w") as fam:
        fam.writelines(
            f"{fid}\t{iid}\t0\t0\t{s}\t{2 if is_case else 1}\n"
            for (fid, iid), s, is_case in zip(plink_people(kept), sex, kept.is_case, strict=True)
        )


def plink_people(kept: Kept) -> list[tuple[str, str]]:
    """Return FID and IID of each person; FID is 0 where no family is known."""
    families = kept.samples["family_id"].fillna("0")
    people = list(zip(families, kept.samples["sample_id"], strict=True))
    for names in people:
        for name in names:
            if not name or len(name.split()) != 1 or name != name.strip():
                raise InputError(
                    f"PLINK parts its columns at blanks, but a person or family is called "
                    f"{name!r}; rename it (bcftools reheader), or export as vcf."
                )
    return people
