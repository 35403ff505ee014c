"""The verb of this folder: the kept set written in one of the formats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.cohort import Cohort
from pipeline.errors import EmptyResultError, SettingsError
from pipeline.export.browsers import (
    locuszoom_names,
    pheweb_names,
    write_locuszoom,
    write_pheweb,
)
from pipeline.export.gennet import gennet_names, write_gennet
from pipeline.export.kept import Kept
from pipeline.export.lists import list_names, write_lists
from pipeline.export.plink import plink_names, write_plink
from pipeline.export.ssf import ssf_names, write_ssf
from pipeline.export.staging import Staging, refuse_existing, staged
from pipeline.export.vcf import vcf_names, write_vcf
from pipeline.progress import OnProgress, silent
from pipeline.quality import filter_variants
from pipeline.samples import with_people
from pipeline.settings import AnalysisSettings

Names = Callable[[Path], dict[str, Path]]
Write = Callable[[Kept, Staging, OnProgress], list[str]]
FORMATS: dict[str, tuple[Names, Write]] = {
    "vcf": (vcf_names, write_vcf),
    "plink": (plink_names, write_plink),
    "gennet": (gennet_names, write_gennet),
    "ssf": (ssf_names, write_ssf),
    "pheweb": (pheweb_names, write_pheweb),
    "locuszoom": (locuszoom_names, write_locuszoom),
    "lists": (list_names, write_lists),
}


@dataclass(frozen=True)
class Exported:
    """The files written, what is in them, and what their reader has to know."""

    format: str
    files: tuple[Path, ...]
    variants: int
    people: dict[str, int]
    notes: tuple[str, ...]


def export(
    cohort: Cohort,
    out: Path,
    what: str,
    settings: AnalysisSettings | None = None,
    *,
    force: bool = False,
    on_progress: OnProgress = silent,
) -> Exported:
    """Write the kept variants of cases and controls; returns what was written.

    `what` is one of `FORMATS`. `out` is a file ending in .vcf.gz (vcf), .tsv (ssf) or .tsv.gz
    (pheweb, locuszoom), a prefix (plink, lists), or a folder (gennet). Raises `InputError` for a
    path that cannot be used or, without `force`, exists; `EmptyResultError` when nothing is kept.
    """
    if what not in FORMATS:
        raise SettingsError(
            f"A format is one of {', '.join(FORMATS)}, but {what!r} was given; choose one of them."
        )
    settings = settings or AnalysisSettings()
    names, write = FORMATS[what]
    targets = names(out)
    if not force:
        refuse_existing(targets)
    cohort = with_people(cohort, settings.samples, on_progress)
    filtered = filter_variants(cohort, settings.quality, settings.people)
    if not len(filtered.kept):
        raise EmptyResultError(
            "An export holds the variants that are kept, but these thresholds keep none of "
            f"{cohort.n_variants:,}; loosen the one that removes most."
        )
    case = cohort.is_in(filtered.definition.case)
    people = np.flatnonzero(case | cohort.is_in(filtered.definition.control))
    kept = Kept(cohort, filtered, settings, people, case[people])
    with staged(targets) as staging:
        notes = write(kept, staging, on_progress)
    n_case = int(kept.is_case.sum())
    return Exported(
        what,
        tuple(staging.targets.values()),
        len(filtered.kept),
        {"case": n_case, "control": len(people) - n_case},
        tuple(notes),
    )
