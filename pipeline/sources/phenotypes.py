"""The phenotype table: who the people are.

A header line names the columns; they may be parted by tabs, commas, semicolons or blanks. The
sample, diagnosis, sex and family columns are found by name or given; all others are kept as
covariates. A diagnosis stays the text that was written; an empty one or NA becomes `unknown`.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import InputError

SAMPLE_NAMES = (
    "sample_id", "iid", "#iid", "id", "sample", "sampleid", "subject_id", "patient_id",
    "individual_id", "individual", "ind_id", "person", "person_id",
)  # fmt: skip
DIAGNOSIS_NAMES = (
    "diagnosis", "phenotype", "status", "pheno", "dx", "case_control", "affection",
    "affected", "label", "labels", "group", "disease",
)  # fmt: skip
SEX_NAMES = ("sex", "gender")
FAMILY_NAMES = ("fid", "#fid", "family_id", "family")

UNKNOWN = "unknown"
_NOT_THERE = {"", ".", "na", "nan", "n/a", "null", "none"}
_SEXES = {
    "m": "male",
    "male": "male",
    "1": "male",
    "f": "female",
    "female": "female",
    "2": "female",
}


@dataclass(frozen=True)
class Columns:
    """Names of columns given by the user; None means that they are found by name."""

    sample: str | None = None
    diagnosis: str | None = None
    sex: str | None = None


@dataclass(frozen=True)
class Person:
    """One row of the phenotype table."""

    sample_id: str
    diagnosis: str
    sex: str = UNKNOWN
    family_id: str | None = None
    covariates: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Phenotypes:
    """People by sample id, the columns that were used, and what each diagnosis counts."""

    people: dict[str, Person]
    columns: Columns

    @property
    def diagnoses(self) -> Counter[str]:
        return Counter(person.diagnosis for person in self.people.values())


def read_phenotypes(path: Path, columns: Columns | None = None) -> Phenotypes:
    """Return the people of a phenotype table.

    Raises `InputError` when the file is absent, has no header line, lacks a sample or diagnosis
    column, or names a person twice.
    """
    header, rows = _read_table(path)
    used = _find_columns(header, columns or Columns(), path)
    sample_column, diagnosis_column = str(used.sample), str(used.diagnosis)
    family = _named(header, FAMILY_NAMES)
    kept = [n for n in header if n not in {used.sample, used.diagnosis, used.sex, family}]
    people: dict[str, Person] = {}
    for row in rows:
        sample_id = row[sample_column]
        if sample_id in people:
            raise InputError(
                f"A person may stand once in the phenotype table, but {path.name} has "
                f"{sample_id} twice; leave one row."
            )
        sex = row[used.sex].lower() if used.sex else ""
        diagnosis = row[diagnosis_column]
        people[sample_id] = Person(
            sample_id=sample_id,
            diagnosis=UNKNOWN if diagnosis.lower() in _NOT_THERE else diagnosis,
            sex=_SEXES.get(sex, UNKNOWN),
            family_id=row[family] if family else None,
            covariates={name: row[name] for name in kept},
        )
    return Phenotypes(people, used)


def read_header_line(path: Path) -> list[str]:
    """Return the names of the columns of a phenotype table, for the user to map."""
    return _read_cells(path)[0]


def _read_table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    header, *rows = _read_cells(path)
    repeated = sorted(name for name, n in Counter(header).items() if n > 1)
    if repeated:
        raise InputError(
            f"Every column of {path.name} needs a name of its own, but {repeated[0]!r} stands "
            "twice in its header; rename one."
        )
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise InputError(
                f"Every row of {path.name} needs the {len(header)} columns of its header, but "
                f"row {number} has {len(row)}; mend that row."
            )
    return header, [dict(zip(header, row, strict=True)) for row in rows]


def _read_cells(path: Path) -> list[list[str]]:
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig", newline="") as handle:  # type: ignore[operator]
            lines = [line for line in handle.read().splitlines() if line.strip()]
    except FileNotFoundError:
        raise InputError(f"The phenotype table {path} does not exist; check its path.") from None
    except (UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"The phenotype table {path.name} is not readable text ({error}); "
            "save it as a tab-separated text file."
        ) from None
    while len(lines) > 1 and lines[0].startswith("##"):
        lines = lines[1:]
    if len(lines) < 2:
        raise InputError(
            f"A phenotype table needs a header line and one row a person, but {path.name} has "
            f"{len(lines)} lines; add them."
        )
    delimiter = next((d for d in "\t,;" if d in lines[0]), None)
    if delimiter is None:
        return [line.split() for line in lines]
    try:
        return [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
    except csv.Error as error:
        raise InputError(
            f"The cells of {path.name} cannot be told apart ({error}); "
            "save it as a tab-separated text file."
        ) from None


def _named(header: list[str], names: tuple[str, ...]) -> str | None:
    by_lower = {column.lower(): column for column in reversed(header)}
    return next((by_lower[name] for name in names if name in by_lower), None)


def _find_columns(header: list[str], given: Columns, path: Path) -> Columns:
    for role in ("sample", "diagnosis", "sex"):
        name = getattr(given, role)
        if name is not None and name not in header:
            raise InputError(
                f"{path.name} has no column {name!r} for the {role}; "
                f"its columns are {', '.join(header[:20])}."
            )
    sample = given.sample or _named(header, SAMPLE_NAMES)
    diagnosis = given.diagnosis or _named(header, DIAGNOSIS_NAMES)
    for role, found, known in (
        ("sample", sample, SAMPLE_NAMES),
        ("diagnosis", diagnosis, DIAGNOSIS_NAMES),
    ):
        if found is None:
            raise InputError(
                f"{path.name} needs a {role} column named like {', '.join(known[:4])}, but its "
                f"columns are {', '.join(header[:20])}; rename one or name it with "
                f"--{role}-column."
            )
    return Columns(sample, diagnosis, given.sex or _named(header, SEX_NAMES))
