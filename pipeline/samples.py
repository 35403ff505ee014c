"""Quality of people, who is kept, and a cohort counted over those who are.

Figures of a person come from all variants as read (`schema.SAMPLES`). Leaving people out changes
every genotype count: they are counted again on the packed genotypes, once for each set of people.
Mean depth and genotype quality stay those of the whole diagnosis, as single depths are not kept,
and so does the first round on multi-allelic sites, as split rows do not tell a called site.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline import schema, store
from pipeline.cohort import Cohort, open_cohort
from pipeline.errors import EmptyResultError, NotFoundError, StaleArtifactError
from pipeline.genotypes import count_genotypes, people_mask
from pipeline.progress import Clock, OnProgress, silent
from pipeline.schema import GENOTYPE_ROWS, HOM_UNIT, SEXES
from pipeline.settings import SampleSettings
from pipeline.store import Store
from pipeline.structure import read_structure

MALE_ABOVE, FEMALE_BELOW = 0.8, 0.2  # F on X, as plink --check-sex
_SETS_KEPT = 6
_ROWS_AT_ONCE = 65_536
TITLES = {
    "min_call_rate": "Call rate",
    "min_mean_depth": "Mean depth",
    "min_ti_tv": "Transitions over transversions",
    "max_het_hom": "Heterozygous over homozygous alternate",
    "max_n_singleton": "Singletons",
    "max_inbreeding": "Inbreeding",
    "drop_sex_mismatch": "Sex mismatch",
    "drop_relatives": "Relatives",
}


@dataclass(frozen=True)
class KeptPeople:
    """Who is kept, bool (n_people,), and how many each rule alone would leave out."""

    kept: np.ndarray
    n_failing: dict[str, int]

    @property
    def n_out(self) -> int:
        """Return the number of people left out."""
        return int(np.count_nonzero(~self.kept))


def sample_quality(cohort: Cohort) -> pd.DataFrame:
    """Return the quality of each person, a row each in the order of the cohort.

    `call_rate`, `mean_depth`, `ti_tv`, `het_hom`, `n_singleton`, `inbreeding_f` (autosomes) and
    `x_f` with `implied_sex`: F = (observed - expected homozygotes) / (called - expected), expected
    under Hardy-Weinberg from the allele frequencies of all people (`plink2 --het`; on X as
    `plink --check-sex`, male above 0.8, female below 0.2). NaN, and `unknown`, where there is no
    figure. `is_sex_mismatch` where stated and implied sex are both known and differ.
    """
    samples = cohort.samples
    n_called, n_x = samples["n_called"].to_numpy(float), samples["n_x_called"].to_numpy(float)
    expected = samples["expected_hom"].to_numpy(float) / HOM_UNIT
    x_expected = samples["x_expected_hom"].to_numpy(float) / HOM_UNIT
    x_f = _ratio(n_x - samples["n_x_het"].to_numpy(float) - x_expected, n_x - x_expected)
    implied = np.select([x_f > MALE_ABOVE, x_f < FEMALE_BELOW], ["male", "female"], "unknown")
    stated = samples["sex"].to_numpy().astype(str)
    return pd.DataFrame(
        {
            "call_rate": _ratio(n_called, n_called + samples["n_missing"].to_numpy(float)),
            "mean_depth": _ratio(samples["depth_sum"], samples["depth_n"]),
            "ti_tv": _ratio(samples["n_transition"], samples["n_transversion"]),
            "het_hom": _ratio(samples["n_het"], samples["n_hom_alt"]),
            "n_singleton": samples["n_singleton"].to_numpy(float),
            "inbreeding_f": _ratio(
                samples["n_hom"].to_numpy(float) - expected, n_called - expected
            ),
            "x_f": x_f,
            "sex": stated,
            "implied_sex": implied,
            "is_sex_mismatch": (
                (implied != stated) & (implied != "unknown") & (stated != "unknown")
            ),
        }
    )


def _ratio(above: np.ndarray | pd.Series, below: np.ndarray | pd.Series) -> np.ndarray:
    above, below = np.asarray(above, float), np.asarray(below, float)
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 1e-6)


def keep_people(cohort: Cohort, settings: SampleSettings) -> KeptPeople:
    """Return who passes every threshold; a missing figure passes.

    Labels are not looked at, so that an honest run may use it before its split. Raises
    `NotFoundError` when relatives shall go and none were looked for.
    """
    found = sample_quality(cohort)
    fails = {
        "min_call_rate": _below(found["call_rate"], settings.min_call_rate),
        "min_mean_depth": _below(found["mean_depth"], settings.min_mean_depth),
        "min_ti_tv": _below(found["ti_tv"], settings.min_ti_tv),
        "max_het_hom": _above(found["het_hom"], settings.max_het_hom),
        "max_n_singleton": _above(found["n_singleton"], settings.max_n_singleton),
        "max_inbreeding": _above(found["inbreeding_f"].abs(), settings.max_inbreeding),
        "drop_sex_mismatch": found["is_sex_mismatch"].to_numpy() & settings.drop_sex_mismatch,
        "drop_relatives": _relatives(cohort, settings),
    }
    n_failing = {
        name: int(rows.sum())
        for name, rows in fails.items()
        if getattr(settings, name) is not None and getattr(settings, name) is not False
    }
    kept = ~np.any(list(fails.values()), axis=0)
    return KeptPeople(kept, n_failing)


def _relatives(cohort: Cohort, settings: SampleSettings) -> np.ndarray:
    out = np.zeros(len(cohort.samples), bool)
    if not settings.drop_relatives:
        return out
    structure = read_structure(cohort)
    if structure is None:
        raise NotFoundError(
            "samples.drop_relatives needs to know who is related, but the structure of "
            f"{cohort.name} was not computed; compute it (structure {cohort.name}) or switch "
            "that off."
        )
    out[structure.to_leave_out()] = True
    return out


def _below(values: pd.Series, cut: float | None) -> np.ndarray:
    return np.zeros(len(values), bool) if cut is None else (values < cut).to_numpy()


def _above(values: pd.Series, cut: float | None) -> np.ndarray:
    return np.zeros(len(values), bool) if cut is None else (values > cut).to_numpy()


def with_people(
    cohort: Cohort, settings: SampleSettings, on_progress: OnProgress = silent
) -> Cohort:
    """Return the cohort counted over the people that pass; itself where all do.

    The counts of a set of people are kept in a file beside the cohort's. The returned cohort has
    its own store, to be closed by the caller. Raises `EmptyResultError` when nobody passes.
    """
    if cohort.kept_people is not None or settings == SampleSettings():
        return cohort
    kept = keep_people(cohort, settings).kept
    if kept.all():
        return cohort
    path = _counted(cohort, kept, on_progress)
    return replace(cohort, store=Store(path, cohort.store.files), kept_people=kept)


@contextmanager
def opened(
    cache: Path,
    name: str,
    fingerprint: str,
    settings: SampleSettings,
    on_progress: OnProgress = silent,
) -> Iterator[Cohort]:
    """Give a cohort over the people that pass, as it was when something was asked of it.

    Raises `StaleArtifactError` when it was ingested anew since.
    """
    with ExitStack() as stores:
        cohort = open_cohort(cache, name)
        stores.callback(cohort.store.close)
        if cohort.fingerprint != fingerprint:
            raise StaleArtifactError(
                f"An answer belongs to the cohort that was asked, but {name} was ingested anew "
                f"({fingerprint} is now {cohort.fingerprint}); train or ask again."
            )
        counted = with_people(cohort, settings, on_progress)
        stores.callback(counted.store.close)
        yield counted


def count_people(
    cohort: Cohort, settings: SampleSettings, on_progress: OnProgress = silent
) -> None:
    """Count the people that pass, so that `with_people` finds them counted."""
    kept = keep_people(cohort, settings).kept
    if not kept.all():
        _counted(cohort, kept, on_progress)


def _counted(cohort: Cohort, kept: np.ndarray, on_progress: OnProgress) -> Path:
    """Return the file of the counts of these people, written when there is none."""
    if not kept.any():
        raise EmptyResultError(
            f"A cohort needs people, but these thresholds leave out all {len(kept):,}; "
            "loosen one of the thresholds on people."
        )
    folder = cohort.store.path.parent
    digest = hashlib.blake2b(np.packbits(kept).tobytes(), digest_size=6)
    digest.update(cohort.fingerprint.encode())
    path = folder / f"people-{digest.hexdigest()}.duckdb"
    if path.is_file():
        path.touch()
    else:
        _write_counts(path, cohort, kept, on_progress)
        _forget_oldest(folder, path)
    return path


def _write_counts(path: Path, cohort: Cohort, kept: np.ndarray, on_progress: OnProgress) -> None:
    """Write the tables of the cohort that depend on who is in it; all others are seen through."""
    groups = np.stack([kept & cohort.is_in((diagnosis,)) for diagnosis in cohort.diagnoses])
    sex = cohort.samples["sex"].to_numpy()
    sexed = (groups[:, None] & np.stack([sex == name for name in SEXES])[None]).reshape(
        -1, len(kept)
    )
    n_diagnoses = len(groups)
    certificate = {k: v for k, v in cohort.certificate.items() if k != "format_version"}
    with store.create(path, certificate, {"cohort": cohort.store.files["cohort"]}) as writer:
        for table in ("samples", "variants", "genotypes"):
            writer.run(f"CREATE VIEW {table} AS SELECT * FROM cohort.main.{table}")
        writer.run(schema.ddl("diagnoses", schema.DIAGNOSES))
        writer.insert(
            "diagnoses",
            pa.table(
                {
                    "diagnosis_index": range(n_diagnoses),
                    "diagnosis": cohort.diagnoses,
                    "n_people": groups.sum(1),
                }
            ),
        )
        names = [f"n_{row}_{d}" for d in range(n_diagnoses) for row in GENOTYPE_ROWS]
        writer.run(f"CREATE TEMP TABLE recounted ({', '.join(f'{n} UINTEGER' for n in names)})")
        for counts in _count_all(cohort, people_mask(groups), on_progress):
            columns = counts.reshape(len(counts), -1).T
            writer.insert("recounted", pa.table(dict(zip(names, columns, strict=True))))
        writer.run(schema.ddl("counts", schema.counts_columns(n_diagnoses)))
        chosen = ", ".join(
            f"{_recounted(column.name)} AS {column.name}"
            for column in schema.counts_columns(n_diagnoses)
        )
        writer.run(
            f"INSERT INTO counts SELECT {chosen} FROM cohort.main.variants v "
            "POSITIONAL JOIN cohort.main.counts c POSITIONAL JOIN recounted r"
        )
        writer.run(schema.ddl("sex_counts", schema.sex_counts_columns(n_diagnoses)))
        writer.insert("sex_counts", _sex_counts(cohort, sexed, n_diagnoses))


def _recounted(column: str) -> str:
    """Return the SQL of a column of `counts`: what the kept people's genotypes tell of it."""
    name, number = column.rsplit("_", 1)
    if name in {f"n_{row}" for row in GENOTYPE_ROWS}:
        return f"r.{column}"
    derived = {
        "site_n_called": f"r.n_hom_ref_{number} + r.n_het_{number} + r.n_hom_alt_{number}",
        "site_n_missing": f"r.n_missing_{number}",
        "site_n_nonref": f"r.n_het_{number} + 2 * r.n_hom_alt_{number}",
    }.get(name)
    if derived is None:
        return f"c.{column}"
    return f"CASE WHEN v.n_alts <= 1 THEN {derived} ELSE c.{column} END"


def _count_all(cohort: Cohort, masks: np.ndarray, on_progress: OnProgress) -> Iterator[np.ndarray]:
    clock = Clock("counting the people kept", on_progress)
    n_variants = cohort.n_variants
    for start in range(0, n_variants, _ROWS_AT_ONCE):
        wanted = np.arange(start, min(start + _ROWS_AT_ONCE, n_variants))
        yield _count(cohort, wanted, masks)
        clock.report(min(1.0, (start + len(wanted)) / n_variants), f"{wanted[-1] + 1:,} variants")


def _count(cohort: Cohort, variants: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return uint32 (n_variants, n_sets, 4)."""
    counts = np.empty((len(variants), len(masks), len(GENOTYPE_ROWS)), np.uint32)
    for indices, packed in cohort.packed_genotypes(variants):
        counts[np.searchsorted(variants, indices)] = count_genotypes(packed, masks)
    return counts


def _sex_counts(cohort: Cohort, sexed: np.ndarray, n_diagnoses: int) -> pa.Table:
    names = [column.name for column in schema.sex_counts_columns(n_diagnoses)]
    rows = cohort.store.arrays("SELECT variant_index FROM sex_counts ORDER BY variant_index")
    variants = rows["variant_index"].astype(np.int64)
    counts = _count(cohort, variants, people_mask(sexed))
    columns = [variants, *counts.reshape(len(variants), len(names) - 1).T]
    return pa.table(dict(zip(names, columns, strict=True)))


def _forget_oldest(folder: Path, made: Path) -> None:
    found = []
    for path in folder.glob("people-*.duckdb"):
        with suppress(FileNotFoundError):  # another process forgets at the same time
            found.append((path.stat().st_mtime, path))
    for _, path in sorted(found, reverse=True)[_SETS_KEPT:]:
        if path != made:
            path.unlink(missing_ok=True)
