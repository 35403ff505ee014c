"""Genotype files and a phenotype table become a cohort.

Files are cut into tasks of about equal bytes (an unindexed VCF is one task).
Each task is streamed into a Parquet shard, in any number of processes; the shards are assembled
into one DuckDB file in genomic order. What comes out does not depend on the number of workers or
on the cutting. An aborted ingest leaves nothing; a killed one is taken up at its finished shards.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline import files, processes, schema, store
from pipeline.cohort import CURRENT, Cohort, cohorts_dir, open_cohort
from pipeline.engine import executor
from pipeline.errors import InputError, PipelineError
from pipeline.people import define_cases
from pipeline.progress import Clock, OnProgress, silent
from pipeline.settings import IngestSettings, PeopleSettings
from pipeline.shards import Shard, Task, run_task
from pipeline.sources.base import Source
from pipeline.sources.block import Cast
from pipeline.sources.formats import open_source
from pipeline.sources.phenotypes import Columns, Person, read_phenotypes

_TASK_BYTES = (8 << 20, 1 << 30)  # a task is not worth starting below, not worth losing above
_MOST_TASKS = 256
_MOST_DIAGNOSES = 64  # each has its own columns of counts
_WHOLE_BYTES = 1 << 29  # up to here one worker reads files whole: little is lost by a crash


@dataclass(frozen=True)
class Ingested:
    """The cohort made, and the people that one of the two sources lacks."""

    cohort: str
    fingerprint: str
    without_phenotype: tuple[str, ...]
    without_genotypes: tuple[str, ...]
    warnings: tuple[str, ...]
    unindexed: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class _Plan:
    sources: tuple[Source, ...]
    phenotypes: Path
    cast: Cast
    people: tuple[Person, ...]
    diagnoses: tuple[str, ...]
    tasks: tuple[Task, ...]
    n_records: dict[Path, int]
    unindexed: tuple[str, ...]
    without_phenotype: tuple[str, ...]
    without_genotypes: tuple[str, ...]


def ingest(
    cache: Path,
    name: str,
    paths: Sequence[Path],
    phenotypes: Path | None,
    settings: IngestSettings | None = None,
    *,
    people: PeopleSettings | None = None,
    columns: Columns | None = None,
    workers: int | None = None,
    engine: str | None = None,
    on_progress: OnProgress = silent,
) -> Ingested:
    """Make the cohort `name` from genotype files and a phenotype table.

    Without `phenotypes` the sample file of the first source is the table. `people` is kept as the
    cohort's case definition. `workers` is the number of processes, by default one a core; `engine`
    the address of a Dask scheduler, by default EXOLENS_ENGINE. Raises `InputError` for files that
    cannot be used, `EngineError` for a cluster that cannot, `Cancelled` when `on_progress` does;
    nothing is left behind.
    """
    started = time.monotonic()
    settings = settings or IngestSettings()
    people = people or PeopleSettings()
    files.safe_name(name)
    # Processes start while the plan is made.
    with executor(workers, "pipeline.coding", cache.resolve(), engine) as (pool, n_workers):
        plan = _plan(paths, phenotypes, columns, n_workers)
        warnings = _warnings(plan, people)
        staging = cohorts_dir(cache.resolve()) / ".staging" / _plan_digest(plan, settings)
        with _staged(staging):
            shards = _run_tasks(plan, settings, staging, pool, on_progress)
            _refuse_lost_records(plan, shards)
            if not sum(shard.n_variants for shard in shards):
                raise InputError(
                    "A cohort needs variants, but "
                    f"{', '.join(source.path.name for source in plan.sources)} has no record; "
                    "give a file that has."
                )
            fingerprint = _fingerprint(plan, settings, shards)
            certificate = _certificate(plan, settings, people, fingerprint, shards)
            target = cohorts_dir(cache) / name / f"cohort-{fingerprint}.duckdb"
            try:
                _assemble(target, certificate, plan, shards, on_progress)
            except BaseException:
                with suppress(OSError):  # not empty: the cohort of that name stays as it was
                    target.parent.rmdir()
                raise
            _make_current(target, fingerprint)
    return Ingested(
        name,
        fingerprint,
        plan.without_phenotype,
        plan.without_genotypes,
        warnings,
        plan.unindexed,
        time.monotonic() - started,
    )


def _plan(
    paths: Sequence[Path], phenotypes: Path | None, columns: Columns | None, workers: int
) -> _Plan:
    # A link keeps its name, and the index that lies beside it.
    paths = tuple(Path(path).absolute() for path in paths)
    _refuse_repeats(paths)
    found = read_phenotypes(phenotypes, columns) if phenotypes else None
    sources = tuple(open_source(path) for path in paths)
    if phenotypes is None or found is None:
        phenotypes = _people_table(sources)
        found = read_phenotypes(phenotypes, columns)
    samples = sources[0].sample_ids
    for source in sources[1:]:
        if set(source.sample_ids) != set(samples):
            raise InputError(
                f"Every file of a cohort has the same people, but {source.path.name} and "
                f"{sources[0].path.name} differ; give files of the same people."
            )
    members = tuple(found.people[s] for s in samples if s in found.people)
    if not members:
        raise InputError(
            f"The phenotypes name the people of the genotypes, but none of the {len(samples):,} "
            f"people of {paths[0].name} (as {samples[0]}) stands in column "
            f"{found.columns.sample} of {phenotypes.name}; check the names."
        )
    diagnoses = tuple(sorted({person.diagnosis for person in members}))
    if len(diagnoses) > _MOST_DIAGNOSES:
        raise InputError(
            f"A diagnosis is one of at most {_MOST_DIAGNOSES} words, but column "
            f"{found.columns.diagnosis} of {phenotypes.name} has {len(diagnoses):,} different "
            "ones; name another column with --diagnosis-column."
        )
    read = set(samples)
    cast = Cast(
        tuple(person.sample_id for person in members),
        np.array([diagnoses.index(person.diagnosis) for person in members], np.int64),
        np.array([schema.SEXES.index(person.sex) for person in members], np.int64),
        len(diagnoses),
    )
    tasks, n_records, unindexed = _tasks(sources, workers)
    return _Plan(
        sources,
        phenotypes.resolve(),
        cast,
        members,
        diagnoses,
        tasks,
        n_records,
        unindexed,
        tuple(s for s in samples if s not in found.people),
        tuple(s for s in found.people if s not in read),
    )


def _people_table(sources: tuple[Source, ...]) -> Path:
    """Return the sample file that stands in for a phenotype table."""
    for source in sources:
        if source.people_table:
            return source.people_table
    raise InputError(
        f"A cohort needs the diagnoses of its people, but {sources[0].path.name} names people "
        "alone; give a table of them with --phenotypes."
    )


def _refuse_repeats(paths: tuple[Path, ...]) -> None:
    if not paths:
        raise InputError(
            "A cohort is made from at least one genotype file, but none was given; name one."
        )
    places = [path.resolve() for path in paths]
    repeated = sorted({place.name for place in places if places.count(place) > 1})
    if repeated:
        raise InputError(
            f"Each file is given once, but {repeated[0]} was given twice; leave one out."
        )


def _tasks(
    sources: tuple[Source, ...], workers: int
) -> tuple[tuple[Task, ...], dict[Path, int], tuple[str, ...]]:
    """Return the tasks, the records that the index of a file counts, and what has no index.

    Small files with one worker are read whole: reading a VCF by region costs a seventh more.
    """
    size = sum(source.n_bytes for source in sources)
    n_bytes = int(np.clip(size // _MOST_TASKS, *_TASK_BYTES))
    is_whole = workers == 1 and size <= _WHOLE_BYTES
    tasks: list[Task] = []
    n_records: dict[Path, int] = {}
    unindexed = []
    for source in sources:
        found = source.parts(None if is_whole else n_bytes)
        if found.n_records is not None:
            n_records[source.path] = found.n_records
        if not found.is_indexed:
            unindexed.append(source.path.name)
        tasks += [Task(len(tasks) + i, source, part) for i, part in enumerate(found.parts)]
    return tuple(tasks), n_records, tuple(unindexed)


def _refuse_lost_records(plan: _Plan, shards: list[Shard]) -> None:
    """Raise when an indexed file gave other records than its index counts."""
    for path, expected in plan.n_records.items():
        found = sum(
            shard.n_records
            for task, shard in zip(plan.tasks, shards, strict=True)
            if task.source.path == path
        )
        if found != expected:
            raise InputError(
                f"The index of {path.name} counts {expected:,} records, but {found:,} could be "
                "read; the file is damaged or the index is of another file, so check it "
                "(bcftools view) and index it anew."
            )


def _warnings(plan: _Plan, people: PeopleSettings) -> tuple[str, ...]:
    n_people = _n_people(plan)
    try:
        definition = define_cases(n_people, people)
    except PipelineError as error:
        if people != PeopleSettings():
            raise
        return (str(error),)
    counts = definition.counts(n_people)
    lacking = [role for role in ("case", "control") if not counts[role]]
    return tuple(
        f"There is no {role} among the {len(plan.people):,} people; "
        "association and training need both."
        for role in lacking
    )


def _n_people(plan: _Plan) -> dict[str, int]:
    counts = np.bincount(plan.cast.diagnosis, minlength=len(plan.diagnoses))
    return dict(zip(plan.diagnoses, counts.tolist(), strict=True))


def _plan_digest(plan: _Plan, settings: IngestSettings) -> str:
    """Return what names the staging folder: the same work is taken up where it stopped."""
    facts = [
        schema.FORMAT_VERSION,
        settings.canonical(),
        [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in _source_files(plan)],
        [task.part for task in plan.tasks],
        plan.people,
    ]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _source_files(plan: _Plan) -> list[Path]:
    return [path for source in plan.sources for path in source.files]


@contextmanager
def _staged(staging: Path) -> Iterator[None]:
    """Hold the staging folder; it goes when the work ends or fails, and stays after a kill."""
    staging.mkdir(parents=True, exist_ok=True)
    lock = staging / "lock"
    holder = files.read_json(lock, optional=True)
    if holder and holder["host"] == os.uname().nodename and _is_alive(holder["pid"]):
        raise InputError(
            "One ingest of the same files runs at a time, but process "
            f"{holder['pid']} is at it; wait for it or stop it."
        )
    files.write_json(lock, {"pid": os.getpid(), "host": os.uname().nodename})
    try:
        yield
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        with suppress(OSError):  # others may be at work there
            staging.parent.rmdir()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid != os.getpid()


def _run_tasks(
    plan: _Plan,
    settings: IngestSettings,
    staging: Path,
    pool: Executor,
    on_progress: OnProgress,
) -> list[Shard]:
    clock = Clock("reading genotypes", on_progress)
    clock.report(0.0)
    n_tasks = len(plan.tasks)
    if n_tasks == 1 or isinstance(pool, processes.InProcess):
        return _run_here(plan, settings, staging, clock)
    shards: dict[int, Shard] = {}
    waiting = {
        pool.submit(run_task, task, plan.cast, settings, staging): task.number
        for task in plan.tasks
    }
    try:
        while waiting:
            finished, _ = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in finished:
                shards[waiting.pop(future)] = future.result()
            n_variants = sum(shard.n_variants for shard in shards.values())
            clock.report(len(shards) / n_tasks, clock.with_rate(n_variants, "variants"))
    except BaseException:
        pool.shutdown(cancel_futures=True)  # nobody writes any more when the folder goes
        raise
    return [shards[number] for number in sorted(shards)]


def _run_here(plan: _Plan, settings: IngestSettings, staging: Path, clock: Clock) -> list[Shard]:
    shards: list[Shard] = []
    read = 0

    def on_block(n_variants: int) -> None:
        nonlocal read
        read += n_variants
        task = plan.tasks[len(shards)]
        n_here = read - sum(shard.n_variants for shard in shards)
        share = task.source.share_read(task.part, n_here) if len(plan.tasks) < 8 else 0.0
        clock.report(
            (len(shards) + min(share, 0.99)) / len(plan.tasks), clock.with_rate(read, "variants")
        )

    for task in plan.tasks:
        shards.append(run_task(task, plan.cast, settings, staging, on_block))
    return shards


def _fingerprint(plan: _Plan, settings: IngestSettings, shards: list[Shard]) -> str:
    facts = [
        schema.FORMAT_VERSION,
        settings.canonical(),
        plan.people,
        sum(shard.n_variants for shard in shards),
        sum(shard.digest for shard in shards) % (1 << 128),
    ]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _certificate(
    plan: _Plan,
    settings: IngestSettings,
    people: PeopleSettings,
    fingerprint: str,
    shards: list[Shard],
) -> dict[str, Any]:
    # A header may declare a depth that no record has.
    depth_n = sum(int(shard.people()[:, -1].sum()) for shard in shards)
    libraries = {source.library for source in plan.sources}
    return {
        "kind": "cohort",
        "fingerprint": fingerprint,
        "settings": settings.model_dump(mode="json"),
        "people": people.model_dump(mode="json"),
        "sources": [
            {"name": path.name, "bytes": path.stat().st_size, "sha256": _sha256(path)}
            for path in dict.fromkeys((*_source_files(plan), plan.phenotypes))
        ],
        "has_depth": depth_n > 0,
        "has_gq": any(source.has_gq for source in plan.sources),
        "n_without_phenotype": len(plan.without_phenotype),
        "n_without_genotypes": len(plan.without_genotypes),
        "versions": {
            name: version(name) for name in sorted(libraries | {"duckdb", "numpy", "pyarrow"})
        },
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _assemble(
    target: Path,
    certificate: dict[str, Any],
    plan: _Plan,
    shards: list[Shard],
    on_progress: OnProgress,
) -> None:
    shards = sorted((s for s in shards if s.n_variants), key=lambda shard: shard.ends or ())
    ends = [key for shard in shards for key in (shard.ends or ())]
    in_order = all(shard.is_sorted for shard in shards) and ends == sorted(ends)
    clock = Clock("writing the cohort", on_progress)
    n_diagnoses = len(plan.diagnoses)
    count_names = ", ".join(column.name for column in schema.counts_columns(n_diagnoses))
    rows = [str(shard.rows) for shard in shards]
    with store.create(target, certificate) as writer:
        for table, columns in (
            ("samples", schema.SAMPLES),
            ("diagnoses", schema.DIAGNOSES),
            ("variants", schema.VARIANTS),
            ("counts", schema.counts_columns(n_diagnoses)),
            ("sex_counts", schema.sex_counts_columns(n_diagnoses)),
            ("genotypes", schema.GENOTYPES),
        ):
            writer.run(schema.ddl(table, columns))
        writer.insert("samples", _samples(plan, shards))
        writer.insert("diagnoses", _diagnoses(plan))
        # Where each row of each shard goes: the shards are in order of their first row.
        writer.run(
            "CREATE TEMP TABLE placement AS SELECT s.shard, file_row_number AS shard_row, "
            "(row_number() OVER (ORDER BY chrom_order, chrom, pos, s.shard, file_row_number) - 1)"
            "::UINTEGER AS variant_index "
            "FROM read_parquet($1, file_row_number = true, filename = true) r "
            "JOIN (SELECT unnest($1) AS filename, unnest(range(len($1))) AS shard) s "
            "USING (filename)",
            [rows],
        )
        fixed = ", ".join(c.name for c in schema.VARIANTS if c.name != "variant_index")
        for number, shard in enumerate(shards):
            clock.report(number / len(shards), f"{shard.n_variants:,} variants in this part")
            source = (
                "FROM read_parquet($1, file_row_number = true) r "
                "JOIN placement p ON p.shard = $2 AND p.shard_row = r.file_row_number"
            )
            if in_order:
                first = sum(s.n_variants for s in shards[:number])
                source = (
                    f"FROM (SELECT *, ({first} + file_row_number)::UINTEGER AS variant_index "
                    "FROM read_parquet($1, file_row_number = true)) r WHERE $2 >= 0"
                )
            parameters = [str(shard.rows), number]
            for table, names in (("variants", f"variant_index, {fixed}"), ("counts", count_names),
                                 ("genotypes", "variant_index, genotypes")):  # fmt: skip
                into = f"_{table}" if not in_order else table
                if not in_order:
                    extra = "variant_index, " if table == "counts" else ""
                    writer.run(
                        f"CREATE TEMP TABLE IF NOT EXISTS {into} AS "
                        f"SELECT {extra}{names} {source} LIMIT 0",
                        parameters,
                    )
                    names = f"{extra}{names}"
                writer.run(f"INSERT INTO {into} SELECT {names} {source}", parameters)
            writer.run(
                "INSERT INTO sex_counts SELECT p.variant_index, s.* EXCLUDE (shard_row) "
                "FROM read_parquet($1) s "
                "JOIN placement p ON p.shard = $2 AND p.shard_row = s.shard_row "
                "ORDER BY p.variant_index",
                [str(shard.sex_rows), number],
            )
        if not in_order:
            for table in ("variants", "counts", "genotypes"):
                drop = " EXCLUDE (variant_index)" if table == "counts" else ""
                writer.run(
                    f"INSERT INTO {table} SELECT *{drop} FROM _{table} ORDER BY variant_index"
                )
    clock.report(1.0)


def _samples(plan: _Plan, shards: list[Shard]) -> pa.Table:
    totals = np.sum([shard.people() for shard in shards], axis=0)
    people = plan.people
    columns: dict[str, Any] = {
        "sample_index": pa.array(range(len(people)), pa.uint32()),
        "sample_id": [p.sample_id for p in people],
        "family_id": pa.array([p.family_id for p in people], pa.string()),
        "diagnosis": [p.diagnosis for p in people],
        "sex": [p.sex for p in people],
        "covariates": pa.array(
            [list(p.covariates.items()) for p in people], pa.map_(pa.string(), pa.string())
        ),
    }
    for i, name in enumerate((*schema.PERSON_TOTALS, "depth_sum", "depth_n")):
        columns[name] = totals[:, i]
    return pa.table(columns)


def _diagnoses(plan: _Plan) -> pa.Table:
    n_people = _n_people(plan)
    return pa.table(
        {
            "diagnosis_index": range(len(n_people)),
            "diagnosis": list(n_people),
            "n_people": list(n_people.values()),
        }
    )


def _make_current(target: Path, fingerprint: str) -> None:
    """Point the cohort to its new file and remove the files of the one before."""
    files.write_json(
        target.parent / CURRENT,
        {"cohort": target.name, "fingerprint": fingerprint, "annotation": None},
    )
    for old in target.parent.glob("*.duckdb"):
        if old != target:
            old.unlink(missing_ok=True)
    for half in target.parent.glob(".cohort-*.duckdb.*.tmp*"):  # of a process that was killed
        pid = half.name.split(".duckdb.")[1].split(".")[0]
        if pid.isdigit() and not _is_alive(int(pid)):
            half.unlink(missing_ok=True)


def ingest_job(cache: Path, payload: dict[str, Any], on_progress: OnProgress) -> dict[str, Any]:
    """Run an ingest that was put in the queue; the payload holds the arguments as JSON."""
    made = ingest(
        cache,
        payload["name"],
        [Path(path) for path in payload["paths"]],
        Path(payload["phenotypes"]) if payload.get("phenotypes") else None,
        IngestSettings.model_validate(payload.get("settings", {})),
        people=PeopleSettings.model_validate(payload.get("people", {})),
        columns=Columns(**payload.get("columns", {})),
        workers=payload.get("workers"),
        on_progress=on_progress,
    )
    if payload.get("genes"):
        from pipeline.annotation import annotate  # pandas is not loaded for an ingest alone

        annotate(cache, payload["name"], Path(payload["genes"]), on_progress)
    return describe(cache, made)


def describe(cache: Path, made: Ingested) -> dict[str, Any]:
    """Return what `ingest --json` prints: the cohort as `cohorts` has it, and who was left out."""
    cohort: Cohort = open_cohort(cache, made.cohort)
    return cohort.summary() | {
        "n_without_phenotype": len(made.without_phenotype),
        "n_without_genotypes": len(made.without_genotypes),
        "warnings": list(made.warnings),
        "seconds": round(made.seconds, 2),
    }
