"""The names of the kept people and variants, as plink2 --keep and --extract read them."""

from __future__ import annotations

from pathlib import Path

from pipeline.export.kept import MOST_VARIANTS, Kept
from pipeline.export.plink import plink_people
from pipeline.export.staging import Staging
from pipeline.progress import Clock, OnProgress


def list_names(out: Path) -> dict[str, Path]:
    return {role: out.with_name(f"{out.name}.{role}.txt") for role in ("keep", "extract")}


def write_lists(kept: Kept, staging: Staging, on_progress: OnProgress) -> list[str]:
    with staging.path("keep").open("w") as keep:
        keep.writelines(f"{fid}\t{iid}\n" for fid, iid in plink_people(kept))
    clock = Clock("writing the list", on_progress)
    variants = kept.filtered.kept
    with staging.path("extract").open("w") as extract:
        for start in range(0, len(variants), MOST_VARIANTS):
            part = variants[start : start + MOST_VARIANTS]
            extract.writelines(f"{name}\n" for name in kept.table(part)["variant_id"])
            clock.report(min(1.0, (start + MOST_VARIANTS) / len(variants)))
    return [
        "Variants are named chrom_pos_ref_alt, one alternate each; give the source these names "
        "with plink2 --set-all-var-ids '@_#_$r_$a' (after bcftools norm -m- where it has more)"
    ]
