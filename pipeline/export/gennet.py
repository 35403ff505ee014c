"""The kept set as GenNet reads it: genotype.h5, subjects.csv, and the variants by column."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.association import genes_of
from pipeline.export.kept import MOST_VARIANTS, Kept
from pipeline.export.staging import Staging
from pipeline.genotypes import GENOTYPE_MISSING
from pipeline.people import require_both
from pipeline.progress import OnProgress
from pipeline.splits import make_splits

_SETS = {"train": 1, "validation": 2, "test": 3}  # as GenNet numbers them


def gennet_names(out: Path) -> dict[str, Path]:
    return {
        "subjects": out / "subjects.csv",
        "snps": out / "snps.csv",
        "genotype": out / "genotype.h5",
    }


def write_gennet(kept: Kept, staging: Staging, on_progress: OnProgress) -> list[str]:
    """Write GenNet's folder: genotypes (people x variants), subjects, and the variants by column.

    GenNet's reader knows no missing genotype: its converter puts the rounded mean of the variant
    there. So do we, with the mean of the training people alone, and `snps.csv` counts them.
    References: van Hilten et al. 2021, Communications Biology 4:1094.
    """
    import h5py
    import pandas as pd

    require_both(kept.filtered.definition, kept.cohort.n_people)
    split_settings = kept.settings.split.model_copy(update={"folds": 0})
    split = make_splits(kept.is_case, split_settings)[0]
    n_people, n_variants = len(kept.people), len(kept.filtered.kept)
    in_set = np.empty(n_people, np.int64)
    for part, number in _SETS.items():
        in_set[getattr(split, part)] = number
    pd.DataFrame(
        {
            "patient_id": kept.samples["sample_id"],
            "labels": kept.is_case.astype(int),
            "genotype_row": np.arange(n_people),
            "set": in_set,
        }
    ).to_csv(staging.path("subjects"), index=False)
    n_imputed = np.empty(n_variants, np.int64)
    # A batch of people is read whole, a block of variants is written: a chunk serves both.
    chunks = (min(n_people, 16), min(n_variants, MOST_VARIANTS))
    done = 0
    with h5py.File(staging.path("genotype"), "w") as made:
        data = made.create_dataset(
            "data", (n_people, n_variants), np.int8, chunks=chunks, compression=1
        )
        pending: list[np.ndarray] = []
        for variants, codes in kept.blocks(kept.filtered.kept, on_progress):
            n_imputed[done : done + len(variants)] = _impute(codes, split.train)
            done += len(variants)
            pending.append(codes)
            if done % MOST_VARIANTS == 0 or done == n_variants:
                columns = np.concatenate(pending)
                data[:, done - len(columns) : done] = columns.T.astype(np.int8)
                pending = []
    _write_snps(kept, n_imputed, staging.path("snps"))
    total = int(n_imputed.sum())
    return [f"{total:,} missing genotypes hold the rounded mean of the training people"] * (
        total > 0
    )


def _impute(codes: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Fill what is missing in `codes` (n_variants, n_people) in place; returns how many, each.

    The value is the mean over the called people of `train`, rounded to a genotype, 0 without any.
    """
    is_missing = codes == GENOTYPE_MISSING
    seen = codes[:, train]
    is_called = seen != GENOTYPE_MISSING
    total = (seen * is_called).sum(1, dtype=np.int64)
    mean = np.rint(total / np.maximum(is_called.sum(1), 1)).astype(np.uint8)
    np.copyto(codes, mean[:, None], where=is_missing)
    return is_missing.sum(1)


def _write_snps(kept: Kept, n_imputed: np.ndarray, path: Path) -> None:
    variants = kept.filtered.kept
    genes = genes_of(kept.cohort, variants).to_numpy()
    names = ["variant_id", "rsid", "chrom", "pos", "ref", "alt"]
    with path.open("w", newline="") as out:
        for start in range(0, len(variants), MOST_VARIANTS):
            part = slice(start, start + MOST_VARIANTS)
            table = kept.table(variants[part])[names]
            table.insert(0, "column", np.arange(start, start + len(table)))
            table["gene"] = genes[part]
            table["n_imputed"] = n_imputed[part]
            table.to_csv(out, index=False, header=start == 0)
