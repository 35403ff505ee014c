"""A table of input weights: how loud each variant speaks to the network.

A header line names the columns; they may be parted by tabs, commas, semicolons or blanks. One
column names the variant, by chromosome, position, REF and ALT (`1_12345_A_G`, with or without
`chr`, also parted by `:` or `-`) or by its ID; one holds its weight. Chromosome, position, REF and
ALT may also be four columns.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.schema import plain_chromosome
from pipeline.sources.phenotypes import named
from pipeline.sources.sumstats_header import NOT_THERE, broken

VARIANT_NAMES = (
    "variant", "variant_id", "variantid", "marker", "markername", "marker_name", "snp", "snp_id",
    "snpid", "rsid", "rs_id", "rs", "id", "name", "feature",
)  # fmt: skip
WEIGHT_NAMES = (
    "weight", "weights", "input_weight", "connection_weight", "connection_weights", "w", "value",
    "importance", "score", "effect_weight", "beta", "coefficient", "coef",
)  # fmt: skip
# Names of the four columns that together name a variant.
PLACE_NAMES = (
    ("chrom", "chr", "chromosome"), ("pos", "position", "bp"), ("ref", "reference", "ref_allele"),
    ("alt", "alternate", "alt_allele"),
)  # fmt: skip
_PLACE = r"^(?:chr)?(?P<chrom>.+)[_:-](?P<pos>[0-9]+)[_:-](?P<ref>[^_:-]+)[_:-](?P<alt>[^_:-]+)$"
_GZIP = b"\x1f\x8b"
_KEY = ["chrom", "pos", "ref", "alt"]


@dataclass(frozen=True, eq=False)
class WeightTable:
    """The weights of a file by place and alleles, or by ID where a row names no place.

    `by_place` has chrom (`1`..`22`, `X`, `Y`, `MT`, others as written), pos, ref, alt and weight;
    `by_id` has rsid and weight. A row without a weight is in neither and counts in `n_rows`.
    """

    name: str
    variant_column: str
    weight_column: str
    by_place: pd.DataFrame
    by_id: pd.DataFrame
    n_rows: int


@dataclass(frozen=True, eq=False)
class MatchedWeights:
    """The weight of each variant, shape (n_variants,), 0 where the file names it not.

    `n_matched` variants are named in the file, be their weight 0 or not.
    """

    weights: NDArray[np.float64]
    n_matched: int


def read_weights(path: Path) -> WeightTable:
    """Return the weights of a table, plain or gzipped.

    The variant column is found by name, or made of chrom, pos, ref and alt; else it is the first
    that is not numeric. The weight column is found by name, else it is the only numeric one. A
    missing weight is none; a sign is kept.

    Raises `InputError` when the file is absent or no table, a column cannot be found, a weight is
    no finite number, or a variant has two weights.
    """
    rows = _with_one_name(_read(path))
    header = list(rows.columns)
    variant = named(header, VARIANT_NAMES)
    weight = named([name for name in header if name != variant], WEIGHT_NAMES)
    numeric = [name for name in header if name != variant and _is_numeric(rows[name])]
    if weight is None:
        if len(numeric) != 1:
            raise InputError(
                f"A file of weights has a column named weight or a single numeric one, but "
                f"{path.name} has the columns {_listed(header)}, {len(numeric)} of them numeric; "
                "name the one that holds the weights weight."
            )
        weight = numeric[0]
    if variant is None:
        variant = next((name for name in header if name not in {weight, *numeric}), None)
    if variant is None:
        raise InputError(
            f"A file of weights has a column named variant, with chrom_pos_ref_alt or rsID, but "
            f"{path.name} has the columns {_listed(header)}; add it."
        )
    table = pd.DataFrame(
        {"name": rows[variant].str.strip(), "weight": _numbers(path, rows[weight])}
    )
    table = table[table.weight.notna() & ~table.name.str.lower().isin(NOT_THERE)]
    place = table.name.str.extract(_PLACE, flags=re.IGNORECASE)
    has_place = place.chrom.notna()
    by_place = _normal(place[has_place]).assign(weight=table.weight[has_place])
    by_id = table[~has_place].rename(columns={"name": "rsid"})
    return WeightTable(
        path.name,
        variant,
        weight,
        _without_repeats(path, by_place, _KEY),
        _without_repeats(path, by_id, ["rsid"]),
        len(rows),
    )


def weights_of(table: WeightTable, variants: pd.DataFrame) -> MatchedWeights:
    """Return the weight of each variant: by place and alleles, else by ID, else 0.

    `variants` has chrom, pos, ref, alt and rsid, as the store holds them. Alleles have to be the
    same, REF as REF: a weight belongs to the alternate allele.
    """
    ours = _normal(variants[_KEY].reset_index(drop=True))
    weight = ours.merge(table.by_place, on=_KEY, how="left").weight
    ids = pd.DataFrame({"rsid": variants.rsid.astype("str").to_numpy()})
    weight = weight.fillna(ids.merge(table.by_id, on="rsid", how="left").weight)
    return MatchedWeights(
        weight.fillna(0.0).to_numpy(np.float64, copy=True), int(weight.notna().sum())
    )


def _read(path: Path) -> pd.DataFrame:
    """Return all cells as text, by the names of the header."""
    try:
        with path.open("rb") as raw:
            is_gzip = raw.read(2) == _GZIP
        opened = gzip.open if is_gzip else open
        with opened(path, "rt", encoding="utf-8-sig") as handle:
            lines = [line for line in handle.read().splitlines() if line.strip()]
    except FileNotFoundError:
        raise InputError(
            f"Weights are read from a file, but there is none at {path}; check its path."
        ) from None
    except (UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise broken(path, error) from error
    n_comments = next((n for n, line in enumerate(lines) if not line.startswith("##")), 0)
    lines = lines[n_comments:]
    if len(lines) < 2:
        raise InputError(
            f"A file of weights has a header line and one variant a line, but {path.name} has "
            f"{len(lines)} lines; add them."
        )
    delimiter = next((mark for mark in "\t,;" if mark in lines[0]), None)
    try:
        cells = (
            [line.split() for line in lines]
            if delimiter is None
            else [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
        )
    except csv.Error as error:
        raise broken(path, error) from error
    header, *rows = cells
    header[0] = header[0].removeprefix("#")
    repeated = [name for name, n in Counter(header).items() if n > 1]
    if repeated:
        raise InputError(
            f"Every column of {path.name} needs a name of its own, but {repeated[0]!r} stands "
            "twice in its header; rename one."
        )
    ragged = next((n for n, row in enumerate(rows, start=2) if len(row) != len(header)), None)
    if ragged:
        raise InputError(
            f"Every row of {path.name} needs the {len(header)} columns of its header, but row "
            f"{ragged} has {len(rows[ragged - 2])}; mend that row."
        )
    return pd.DataFrame(rows, columns=header, dtype="str")


def _with_one_name(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with chrom, pos, ref and alt joined to one column, where there are these."""
    found = [named(list(rows.columns), names) for names in PLACE_NAMES]
    columns = [name for name in found if name is not None]
    if len(columns) < len(PLACE_NAMES) or VARIANT_NAMES[0] in rows:
        return rows
    joined = rows[columns].apply(lambda cells: cells.str.strip()).agg("_".join, axis=1)
    return rows.drop(columns=columns).assign(**{VARIANT_NAMES[0]: joined})


def _is_missing(column: pd.Series) -> pd.Series:
    return column.str.lower().isin(NOT_THERE)


def _is_numeric(column: pd.Series) -> bool:
    """Say whether a column holds numbers and nothing else, missing values apart."""
    numbers = pd.to_numeric(column[~_is_missing(column)], errors="coerce")
    return len(numbers) > 0 and bool(numbers.notna().all())


def _numbers(path: Path, column: pd.Series) -> pd.Series:
    """Return the weights, NaN where one is missing."""
    numbers = pd.to_numeric(column.mask(_is_missing(column)), errors="coerce")
    is_bad = ~_is_missing(column) & ~np.isfinite(numbers)
    if is_bad.any():
        row = int(is_bad.to_numpy().argmax())
        raise InputError(
            f"A weight is a finite number, but row {row + 2} of {path.name} has "
            f"{column.iloc[row]!r} in the column {column.name}; mend it or leave it empty."
        )
    return numbers.astype(np.float64)


def _normal(places: pd.DataFrame) -> pd.DataFrame:
    """Return chromosomes without `chr`, positions as integers, alleles in capitals."""
    names = {name: plain_chromosome(name) for name in places.chrom.unique()}
    return pd.DataFrame(
        {
            "chrom": places.chrom.map(names).astype("str"),
            "pos": places.pos.astype(np.int64),
            "ref": places.ref.str.upper().astype("str"),
            "alt": places.alt.str.upper().astype("str"),
        }
    )


def _without_repeats(path: Path, table: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """Return one row a variant; the same weight twice is one."""
    once = table.drop_duplicates([*key, "weight"])
    repeated = once.duplicated(key)
    if repeated.any():
        which = "_".join(str(part) for part in once.loc[repeated, key].iloc[0])
        raise InputError(
            f"A variant has one weight, but {path.name} gives {which} two; leave one row."
        )
    return once.reset_index(drop=True)


def _listed(header: list[str]) -> str:
    return ", ".join(header[:20])
