"""The phenotype table: who the people are.

A header line names the columns; they may be parted by tabs, commas, semicolons or blanks. The
sample, diagnosis, sex and family columns are found by name or given; all others are kept as
covariates. A diagnosis stays the text that was written; an empty one or NA becomes `unknown`.

PLINK's own sample files are read by their rules. A .fam has no header line; in a .fam and a .psam
a diagnosis of 1 is `control`, of 2 `case`, of 0 or -9 `unknown`, unless the column holds other
values too, which then stay as written.
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
    "diagnosis", "phenotype", "status", "pheno", "pheno1", "dx", "case_control", "affection",
    "affected", "label", "labels", "group", "disease",
)  # fmt: skip
SEX_NAMES = ("sex", "gender")
FAMILY_NAMES = ("fid", "#fid", "family_id", "family")
FAM_COLUMNS = ("FID", "IID", "PAT", "MAT", "SEX", "PHENO")

UNKNOWN = "unknown"
NOT_THERE = {"", ".", "na", "nan", "n/a", "null", "none"}
_PLINK_CODES = {"1": "control", "2": "case", "0": UNKNOWN, "-9": UNKNOWN}
_PLINK_COLUMNS = {"fid", "#fid", "iid", "#iid", "sid", "pat", "mat", "sex"}
_POINTERS = {"genotype_row"}  # GenNet's way to the genotypes, nothing about the person
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
    header, rows = read_table(path)
    used = _find_columns(header, rows, columns or Columns(), path)
    sample_column, diagnosis_column = str(used.sample), str(used.diagnosis)
    family = named(header, FAMILY_NAMES)
    coding = _coding(path, [row[diagnosis_column] for row in rows])
    spent = {used.sample, used.diagnosis, used.sex, family} | _POINTERS
    kept = [name for name in header if name not in spent and not _is_no_parent(path, name, rows)]
    people: dict[str, Person] = {}
    for row in rows:
        sample_id = row[sample_column]
        if sample_id in people:
            raise InputError(
                f"A person may stand once in the phenotype table, but {path.name} has "
                f"{sample_id} twice; leave one row."
            )
        sex = row[used.sex].lower() if used.sex else ""
        diagnosis = coding.get(row[diagnosis_column], row[diagnosis_column])
        people[sample_id] = Person(
            sample_id=sample_id,
            diagnosis=UNKNOWN if diagnosis.lower() in NOT_THERE else diagnosis,
            sex=_SEXES.get(sex, UNKNOWN),
            family_id=_family(path, row[family]) if family else None,
            covariates={name: row[name] for name in kept},
        )
    return Phenotypes(people, used)


def read_sample_ids(path: Path) -> tuple[str, ...]:
    """Return the people of a .fam or .psam in its order; no diagnosis is needed.

    Raises `InputError` as `read_phenotypes` does.
    """
    header, rows = read_table(path)
    sample = named(header, ("iid", "#iid"))
    if sample is None:
        raise InputError(
            f"A sample file of PLINK has a column IID, but {path.name} has "
            f"{', '.join(header[:20])}; write it anew with plink2."
        )
    sample_ids = tuple(row[sample] for row in rows)
    repeated = [name for name, n in Counter(sample_ids).items() if n > 1]
    if repeated:
        raise InputError(
            f"Every person of {path.name} needs an IID of their own, but {repeated[0]} stands "
            "twice; rename one (plink2 --update-ids)."
        )
    return sample_ids


def read_header_line(path: Path) -> list[str]:
    """Return the names of the columns of a phenotype table, for the user to map."""
    return _read_cells(path)[0]


def read_table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Return the names of the columns and the rows by them."""
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
    if lines and _is_plink(path) and not lines[0].startswith("#"):
        return _with_fam_columns([line.split() for line in lines], path)
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


def named(header: list[str], names: tuple[str, ...]) -> str | None:
    by_lower = {column.lower(): column for column in reversed(header)}
    return next((by_lower[name] for name in names if name in by_lower), None)


def _is_plink(path: Path) -> bool:
    return path.suffix.lower() in {".fam", ".psam"}


def _with_fam_columns(rows: list[list[str]], path: Path) -> list[list[str]]:
    n_columns = min(max(len(row) for row in rows), len(FAM_COLUMNS))
    if n_columns < 5:
        raise InputError(
            f"A sample file without a header has the columns {', '.join(FAM_COLUMNS)}, but "
            f"{path.name} has {n_columns}; write it anew with plink2."
        )
    return [list(FAM_COLUMNS[:n_columns]), *rows]


def _coding(path: Path, written: list[str]) -> dict[str, str]:
    """Return what the values of a diagnosis column mean, where they are not what is written."""
    if not _is_plink(path):
        return {}
    is_coded = all(_is_plink_code(text) for text in written)
    return _PLINK_CODES if is_coded else {"-9": UNKNOWN}


def _is_plink_code(text: str) -> bool:
    return text in _PLINK_CODES or text.lower() in NOT_THERE


def _is_no_parent(path: Path, name: str, rows: list[dict[str, str]]) -> bool:
    """Say whether a column is that of fathers or mothers, and nobody has one."""
    return (
        _is_plink(path)
        and name.lower() in {"pat", "mat"}
        and all(row[name] in {"0", "."} for row in rows)
    )


def _family(path: Path, written: str) -> str | None:
    return None if _is_plink(path) and written == "0" else written


def _plink_diagnosis(header: list[str], rows: list[dict[str, str]]) -> str | None:
    """Return the first phenotype of a .psam that is coded as case and control."""
    for name in header:
        values = {row[name] for row in rows}
        coded = all(_is_plink_code(value) for value in values) and values & {"1", "2"}
        if name.lower() not in _PLINK_COLUMNS and coded:
            return name
    return None


def _find_columns(
    header: list[str], rows: list[dict[str, str]], given: Columns, path: Path
) -> Columns:
    for role in ("sample", "diagnosis", "sex"):
        name = getattr(given, role)
        if name is not None and name not in header:
            raise InputError(
                f"{path.name} has no column {name!r} for the {role}; "
                f"its columns are {', '.join(header[:20])}."
            )
    sample = given.sample or named(header, SAMPLE_NAMES)
    diagnosis = given.diagnosis or named(header, DIAGNOSIS_NAMES)
    if diagnosis is None and _is_plink(path):
        diagnosis = _plink_diagnosis(header, rows)
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
    return Columns(sample, diagnosis, given.sex or named(header, SEX_NAMES))
