"""Genotypes of chosen people: counted or fetched from the packed BLOBs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.cohort import Cohort
from pipeline.files import forget_oldest, written_beside
from pipeline.genotypes import count_genotypes, people_mask, unpack_people
from pipeline.measures import SexCounts
from pipeline.progress import Clock, OnProgress, silent
from pipeline.quality import Filtered
from pipeline.schema import SEXES

_BYTES_KEPT = 2 << 30  # of counts kept for a cohort; a what-if comes back to the same people


def recount(
    cohort: Cohort,
    filtered: Filtered,
    people: Sequence[np.ndarray],
    on_progress: OnProgress = silent,
    labels: Sequence[np.ndarray] | None = None,
) -> list[Filtered]:
    """Return the kept variants with the counts of each set of people alone.

    Each of `people` is bool (n_people of the cohort,); who is neither case nor control does not
    count. All sets are counted in one pass over the BLOBs; counts are kept on disk for each set
    and set of variants. `labels`, bool (n_people of the cohort,) for each set, say who is taken for
    a case in place of the diagnoses; such counts are not kept.
    """
    case, control = (
        cohort.is_in(diagnoses)
        for diagnoses in (filtered.definition.case, filtered.definition.control)
    )
    sets = [
        chosen & (case | control) & side
        for chosen, is_case in zip(people, labels or [case] * len(people), strict=True)
        for side in (is_case, ~is_case)
    ]
    keep = labels is None
    counts = _counts(cohort, filtered.kept, sets, on_progress, "counting genotypes", keep)
    on_sex = filtered.sex_counts.rows
    by_sex = None
    if len(on_sex):
        sex = cohort.samples["sex"].to_numpy()
        sexed = [chosen & (sex == name) for chosen in sets for name in SEXES]
        by_sex = _counts(cohort, filtered.kept[on_sex], sexed, on_progress, "counting by sex", keep)
        by_sex = by_sex.reshape(len(on_sex), len(people), 2, len(SEXES), 4)
    recounted = []
    for i, chosen in enumerate(people):
        sex_counts = filtered.sex_counts
        if by_sex is not None:
            sex_counts = SexCounts(on_sex, by_sex[:, i, 0], by_sex[:, i, 1])
        recounted.append(
            replace(
                filtered,
                n_case=int(sets[2 * i].sum()),
                n_control=int(sets[2 * i + 1].sum()),
                n_excluded=int(len(chosen) - sets[2 * i].sum() - sets[2 * i + 1].sum()),
                case=np.ascontiguousarray(counts[:, 2 * i]),
                control=np.ascontiguousarray(counts[:, 2 * i + 1]),
                sex_counts=sex_counts,
            )
        )
    return recounted


def fetch_genotypes(cohort: Cohort, variants: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Return genotypes uint8 (n_chosen_people, n_variants), in the order of both arguments.

    `variants` are variant indices in increasing order, `people` positions in the cohort.
    """
    genotypes = np.empty((len(people), len(variants)), np.uint8)
    for indices, packed in cohort.packed_genotypes(variants):
        columns = np.searchsorted(variants, indices)
        genotypes[:, columns] = unpack_people(packed, people)
    return genotypes


def _counts(
    cohort: Cohort,
    variants: np.ndarray,
    sets: list[np.ndarray],
    on_progress: OnProgress,
    phase: str,
    keep: bool,
) -> np.ndarray:
    """Return int32 (n_variants, n_sets, 4), from disk where these sets were counted before.

    Without `keep` the disk is neither read nor written.
    """
    folder = cohort.store.path.parent / "counts"
    paths = [folder / f"{_key(cohort, variants, chosen)}.npy" for chosen in sets if keep]
    counts = np.empty((len(variants), len(sets), 4), np.int32)
    missing = [] if keep else list(range(len(sets)))
    for i, path in enumerate(paths):
        try:
            counts[:, i] = np.load(path)
        except (OSError, ValueError, EOFError):  # absent, or cut off by a full disk: count again
            missing.append(i)
    if not missing:
        return counts
    masks = people_mask(np.stack([sets[i] for i in missing]))
    clock = Clock(phase, on_progress)
    done = 0
    for indices, packed in cohort.packed_genotypes(variants):
        rows = np.searchsorted(variants, indices)
        counts[rows[:, None], missing] = count_genotypes(packed, masks)
        done += len(rows)
        clock.report(done / len(variants), f"{done:,} of {len(variants):,} variants")
    if not keep:
        return counts
    folder.mkdir(exist_ok=True)
    for i in missing:
        with written_beside(paths[i]) as beside, beside.open("wb") as handle:
            np.save(handle, counts[:, i])
    forget_oldest(folder, "*.npy", _BYTES_KEPT)
    return counts


def _key(cohort: Cohort, variants: np.ndarray, chosen: np.ndarray) -> str:
    digest = hashlib.blake2b(cohort.fingerprint.encode(), digest_size=12)
    digest.update(np.ascontiguousarray(variants, np.uint32).tobytes())
    digest.update(np.packbits(chosen).tobytes())
    return digest.hexdigest()
