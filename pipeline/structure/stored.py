"""The structure of a cohort, computed once for its settings and kept beside it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline import files, schema, store
from pipeline.cohort import CURRENT, Cohort, cohorts_dir, open_cohort
from pipeline.errors import EmptyResultError, StaleArtifactError
from pipeline.genotypes import packed_width
from pipeline.progress import Clock, OnProgress, Progress, silent
from pipeline.settings.structure import StructureSettings
from pipeline.structure.components import principal_components
from pipeline.structure.kinship import (
    Relatives,
    find_relatives,
    people_to_leave_out,
    relative_groups,
)
from pipeline.structure.prune import candidate_variants, prune_variants

MIN_VARIANTS = 100  # with fewer, the kinship of strangers strays into that of relatives

_METHOD = 1  # to be raised when the same settings come to give other numbers
_FETCHED = 8192  # variants read from the store together

RELATIVES = (
    schema.Column("first_index", "UINTEGER", "A person: row of `samples`.", "Person"),
    schema.Column("second_index", "UINTEGER", "A relative of the person.", "Relative"),
    schema.Column("kinship", "DOUBLE", "KING-robust kinship; 0.5 for one person twice.", "Kinship"),
    schema.Column("ibs0", "DOUBLE", "Share of variants with opposite homozygotes.", "IBS0"),
    schema.Column("n_variants", "UINTEGER", "Variants called in both.", "Variants"),
)
PRUNED_VARIANTS = (schema.Column("variant_index", "UINTEGER", "Row of `variants`."),)


def components_columns(n_components: int) -> tuple[schema.Column, ...]:
    """Return the columns of `components` for that many components."""
    return (
        schema.Column("sample_index", "UINTEGER", "Row of `samples`."),
        *(
            schema.Column(f"pc{i}", "DOUBLE", f"Principal component {i}; unit length.", f"PC {i}")
            for i in range(1, n_components + 1)
        ),
    )


@dataclass(frozen=True, eq=False)
class Structure:
    """Components and relatives of all people of a cohort, in the order of `samples`.

    People who are left out of an analysis have theirs all the same, and had a part in the others'.
    `components` is (n_people, k) of unit length, `eigenvalues` and `variance_share` are (k,),
    `variants` the indices of the pruned variants, `call_rate` (n_people,) that of the autosomes,
    NaN where nothing was asked.
    """

    cohort: str
    fingerprint: str
    settings: StructureSettings
    n_candidates: int
    variants: NDArray[np.int64]
    components: NDArray[np.float64]
    eigenvalues: NDArray[np.float64]
    variance_share: NDArray[np.float64]
    relatives: Relatives
    call_rate: NDArray[np.float64]

    @property
    def n_people(self) -> int:
        """Return the number of people."""
        return len(self.components)

    @property
    def duplicates(self) -> Relatives:
        """Return the pairs that are one person twice, or identical twins."""
        return self.relatives.above(self.settings.min_duplicate_kinship)

    @property
    def groups(self) -> NDArray[np.int64]:
        """Return the group of each person, (n_people,), for `splits.make_splits`."""
        return relative_groups(self.relatives, self.n_people)

    def to_leave_out(self, min_kinship: float | None = None) -> NDArray[np.int64]:
        """Return the sample indices whose leaving keeps one of each pair of this kinship."""
        cut = self.settings.min_kinship if min_kinship is None else min_kinship
        return people_to_leave_out(self.relatives.above(cut), self.call_rate)


def build_structure(
    cache: Path,
    name: str,
    settings: StructureSettings | None = None,
    on_progress: OnProgress = silent,
) -> Structure:
    """Compute the structure of a cohort, or find it computed, and make it the one in force.

    All people and both tasks use the same pruned variants. Raises `EmptyResultError` for too few
    people or variants, `NotFoundError` for an unknown cohort.
    """
    settings = settings or StructureSettings()
    cohort = open_cohort(cache, name)
    try:
        folder = cohorts_dir(cache) / name
        identity = f"{cohort.fingerprint}{settings.canonical()}{_METHOD}"
        fingerprint = hashlib.sha256(identity.encode()).hexdigest()[:16]
        target = folder / f"structure-{fingerprint}.duckdb"
        if not _is_readable(cohort, target):
            _compute(cohort, settings, fingerprint, target, on_progress)
        _make_current(folder, cohort, target)
        on_progress(Progress("comparing people", 1.0))
        return _read(cohort, target)
    finally:
        cohort.store.close()


def read_structure(cohort: Cohort) -> Structure | None:
    """Return the structure in force, or None when none was computed for this cohort.

    Raises `StaleArtifactError` when it belongs to another ingest than the one that is open.
    """
    folder = cohort.store.files["cohort"].parent
    current = files.read_json(folder / CURRENT, optional=True) or {}
    if not current.get("structure") or not (folder / current["structure"]).is_file():
        return None
    return _read(cohort, folder / current["structure"])


@dataclass(frozen=True, eq=False)
class Families:
    """The group of relatives of each person, (n_people,), and a digest that names the grouping."""

    groups: NDArray[np.int64]
    digest: str


def families(cohort: Cohort) -> Families | None:
    """Return who is related to whom, or None while nobody is known to be."""
    structure = read_structure(cohort)
    if structure is None or not len(structure.relatives.first):
        return None
    groups = structure.groups
    return Families(groups, hashlib.sha256(groups.astype("<i8").tobytes()).hexdigest()[:16])


def structure_job(cache: Path, payload: dict[str, Any], on_progress: OnProgress) -> dict[str, Any]:
    """Run a structure that was put in the queue."""
    settings = StructureSettings.model_validate(payload.get("settings", {}))
    return summary(build_structure(cache, payload["name"], settings, on_progress))


def summary(structure: Structure) -> dict[str, Any]:
    """Return what `structure --json` prints, people by sample index."""
    relatives = structure.relatives
    group_sizes = np.bincount(structure.groups)
    return {
        "cohort": structure.cohort,
        "fingerprint": structure.fingerprint,
        "people": structure.n_people,
        "candidates": structure.n_candidates,
        "variants": len(structure.variants),
        "eigenvalues": structure.eigenvalues,
        "variance_share": structure.variance_share,
        "relatives": len(relatives.first),
        "duplicates": len(structure.duplicates.first),
        "groups": int((group_sizes > 1).sum()),
        "to_leave_out": len(structure.to_leave_out()),
    }


def _compute(
    cohort: Cohort,
    settings: StructureSettings,
    fingerprint: str,
    target: Path,
    on_progress: OnProgress,
) -> None:
    n_people = len(_call_rate(cohort.store))
    if n_people <= settings.components:
        raise EmptyResultError(
            f"Structure needs more people than components, but the cohort has {n_people} people "
            f"and structure.components is {settings.components}; lower it or bring more people."
        )
    on_progress(Progress("choosing variants", 0.0))
    candidates = candidate_variants(cohort, settings)
    stays = prune_variants(
        candidates, lambda rows: _packed(cohort, rows, n_people), n_people, settings, on_progress
    )
    variants = candidates.variant_index[stays]
    if len(variants) < MIN_VARIANTS:
        raise EmptyResultError(
            f"Structure needs at least {MIN_VARIANTS} common autosomal SNPs that are not "
            f"correlated, but {len(variants):,} of {len(stays):,} common ones were left; lower "
            "structure.min_maf, or raise structure.max_missing or structure.max_r2."
        )
    packed = _packed(cohort, variants, n_people, on_progress)
    components = principal_components(
        packed, n_people, settings.components, settings.seed, on_progress
    )
    relatives = find_relatives(packed, n_people, settings.min_kinship, on_progress)
    certificate = {
        "kind": "structure",
        "fingerprint": fingerprint,
        "cohort": cohort.fingerprint,
        "settings": settings.model_dump(mode="json"),
        "n_candidates": len(stays),
        "eigenvalues": components.eigenvalues.tolist(),
        "variance_share": components.variance_share.tolist(),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    scores = {f"pc{i}": column for i, column in enumerate(components.scores.T, 1)}
    with store.create(target, certificate) as writer:
        writer.run(schema.ddl("components", components_columns(settings.components)))
        writer.run(schema.ddl("relatives", RELATIVES))
        writer.run(schema.ddl("pruned_variants", PRUNED_VARIANTS))
        writer.insert("components", pa.table({"sample_index": np.arange(n_people), **scores}))
        writer.insert(
            "relatives",
            pa.table(
                {
                    "first_index": relatives.first,
                    "second_index": relatives.second,
                    "kinship": relatives.kinship,
                    "ibs0": relatives.ibs0,
                    "n_variants": relatives.n_variants,
                }
            ),
        )
        writer.insert("pruned_variants", pa.table({"variant_index": variants}))


def _packed(
    cohort: Cohort,
    variants: NDArray[np.integer],
    n_people: int,
    on_progress: OnProgress = silent,
) -> NDArray[np.uint8]:
    """Return the packed rows of variants given in increasing order."""
    packed = np.empty((len(variants), packed_width(n_people)), np.uint8)
    clock = Clock("reading genotypes", on_progress)
    for start in range(0, len(variants), _FETCHED):
        wanted = variants[start : start + _FETCHED]
        for indices, rows in cohort.packed_genotypes(wanted):
            packed[start + np.searchsorted(wanted, indices)] = rows
        clock.report((start + len(wanted)) / len(variants))
    return packed


def _call_rate(cohort: store.Store) -> NDArray[np.float64]:
    counts = cohort.arrays("SELECT n_called, n_missing FROM samples ORDER BY sample_index")
    n_called = counts["n_called"].astype(np.float64)
    n_asked = n_called + counts["n_missing"]
    return np.divide(n_called, n_asked, out=np.full(len(n_called), np.nan), where=n_asked > 0)


def _is_readable(cohort: Cohort, target: Path) -> bool:
    if not target.is_file():
        return False
    try:
        _read(cohort, target)
    except StaleArtifactError:
        return False
    return True


def _make_current(folder: Path, cohort: Cohort, target: Path) -> None:
    current = files.read_json(folder / CURRENT)
    if current["fingerprint"] != cohort.fingerprint:
        target.unlink(missing_ok=True)
        raise StaleArtifactError(
            f"The structure of {cohort.name} was computed while the cohort was ingested anew; "
            "compute it again."
        )
    before = current.get("structure")
    files.write_json(folder / CURRENT, current | {"structure": target.name})
    if before and before != target.name:
        (folder / before).unlink(missing_ok=True)


def _read(cohort: Cohort, path: Path) -> Structure:
    opened = store.Store(cohort.store.files["cohort"], {"structure": path})
    try:
        certificate = json.loads(opened.rows("SELECT certificate FROM structure.certificate")[0][0])
        made_of = (certificate["format_version"], certificate["cohort"])
        if made_of != (schema.FORMAT_VERSION, cohort.fingerprint):
            raise StaleArtifactError(
                f"The structure {path.name} was made of another ingest of {cohort.name}, or by "
                "another version of Exolens; compute it again."
            )
        variants = opened.arrays("SELECT * FROM structure.pruned_variants ORDER BY variant_index")
        scores = opened.arrays("SELECT * FROM structure.components ORDER BY sample_index")
        pairs = opened.arrays(
            "SELECT * FROM structure.relatives ORDER BY first_index, second_index"
        )
        call_rate = _call_rate(opened)
    finally:
        opened.close()
    settings = StructureSettings.model_validate(certificate["settings"])
    return Structure(
        cohort=cohort.name,
        fingerprint=certificate["fingerprint"],
        settings=settings,
        n_candidates=certificate["n_candidates"],
        variants=variants["variant_index"].astype(np.int64),
        components=np.stack([scores[f"pc{i + 1}"] for i in range(settings.components)], axis=1),
        eigenvalues=np.array(certificate["eigenvalues"]),
        variance_share=np.array(certificate["variance_share"]),
        relatives=Relatives(
            pairs["first_index"].astype(np.int64),
            pairs["second_index"].astype(np.int64),
            pairs["kinship"],
            pairs["ibs0"],
            pairs["n_variants"].astype(np.int64),
        ),
        call_rate=call_rate,
    )
