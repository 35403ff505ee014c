"""A published file of summary statistics, read in blocks: where each variant is, and its p.

Of each variant only chromosome, position and -log10 p stay in memory (9 bytes); names, alleles and
effects stay for the 3,000 of smallest p. A row that cannot be used is counted, with its reason.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from pipeline.errors import EmptyResultError, InputError
from pipeline.progress import Clock, OnProgress, silent
from pipeline.schema import OTHER_CHROMOSOME, chromosome_order
from pipeline.sources.sumstats_header import (
    BLANKS,
    NOT_THERE,
    ROLES,
    SYNONYMS,
    SummaryColumns,
    broken,
    sniff_summary_file,
)

__all__ = [
    "ROLES",
    "SYNONYMS",
    "Summary",
    "SummaryBuild",
    "SummaryColumns",
    "neg_log10_of_text",
    "read_summary_file",
    "sniff_summary_file",
]

SummaryBuild = Literal["unknown", "hg18", "hg19", "hg38"]
N_HITS = 3_000
# Where p is written as 0, it is below what its program could write: the smallest normal float.
LARGEST_OF_ZERO = float(-np.log10(np.finfo(np.float64).tiny))
_BLOCK_BYTES = 8 << 20
_MT_LENGTH = 16_569  # bases
_NUMBER = r"^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$"
_MARKER = r"^(?i:chr)?(?P<chrom>[0-9A-Za-z]{1,2})[:_-](?P<pos>[0-9]+)(?:[:_-].*)?$"
_TINY = 1e-300  # below, digits of a float are lost: its text is read
_NAMES = (
    "rsid", "gene", "effect_allele", "other_allele", "odds_ratio", "beta", "standard_error",
    "frequency",
)  # fmt: skip


@dataclass(frozen=True)
class Summary:
    """A published file: (n_variants,) chromosome order, position, -log10 p; and its top hits.

    `hits` has a row for each of the smallest p (at most 3,000), smallest first: `row` into the
    arrays, neg_log10_p, and rsid, gene, effect_allele, other_allele, odds_ratio, beta,
    standard_error, frequency as written, None where there is none. `n_unread` counts what was
    left out, by reason; `n_zero` the variants whose p is written as 0.
    """

    name: str
    build: SummaryBuild
    chrom_order: NDArray[np.uint8]
    pos: NDArray[np.uint32]
    neg_log10_p: NDArray[np.float32]
    hits: pd.DataFrame
    n_rows: int
    n_unread: dict[str, int]
    n_zero: int

    def __len__(self) -> int:
        return len(self.pos)

    def notes(self) -> list[str]:
        """Return what the reader of a plot has to know, one sentence each."""
        said = [
            f"{n:,} of {self.n_rows:,} rows of {self.name} are left out: {reason}."
            for reason, n in self.n_unread.items()
        ]
        if self.n_zero:
            said.append(
                f"{self.n_zero:,} variants have p = 0, which says only that it is below what was "
                f"written; they are drawn at −log10 p = {LARGEST_OF_ZERO:.0f}."
            )
        return said


def read_summary_file(
    path: Path,
    columns: SummaryColumns | None = None,
    *,
    build: SummaryBuild = "unknown",
    on_progress: OnProgress = silent,
) -> Summary:
    """Return the variants of a published file, read in blocks of 8 MB.

    `columns` come from `sniff_summary_file`, confirmed; without them the guess is taken. `build`
    is what the user says. Raises `InputError` when a needed column is missing or the file is
    broken, `EmptyResultError` when no row can be used.
    """
    columns = columns or sniff_summary_file(path)
    if columns.missing:
        raise InputError(
            f"Summary statistics need chromosome, position and p, but {path.name} shows no "
            f"{' and no '.join(columns.missing)} among {', '.join(columns.header)}; say which "
            "column it is."
        )
    gathered = _Gathered(columns)
    clock = Clock("reading summary statistics", on_progress)
    size = max(path.stat().st_size, 1)
    try:
        with path.open("rb") as raw:
            for batch in _batches(raw, columns, gathered.bad_rows):
                gathered.add(batch)
                clock.report(min(raw.tell() / size, 0.99), f"{gathered.n_kept:,} variants")
    except (pa.ArrowInvalid, OSError, EOFError, UnicodeDecodeError) as error:
        raise broken(path, error) from error
    clock.report(1.0)
    summary = gathered.summary(path.name, build)
    if not len(summary):
        told = "; ".join(f"{n:,} rows: {reason}" for reason, n in summary.n_unread.items())
        raise EmptyResultError(
            f"A plot needs variants with chromosome, position and p, but {path.name} has none "
            f"({told}); check which columns are read."
        )
    return summary


class _BadRows:
    """Counts rows whose cells are too few or too many; blocks are parsed by several threads."""

    def __init__(self) -> None:
        self.n = 0
        self._lock = threading.Lock()

    def __call__(self, _: csv.InvalidRow) -> str:
        with self._lock:
            self.n += 1
        return "skip"


class _Tabbed:
    """A stream whose runs of blanks are one tab each, and none at the ends of a line."""

    def __init__(self, stream: pa.NativeFile):
        self._stream = stream
        self._rest = b""
        self.closed = False

    def read(self, n: int = -1) -> bytes:
        """Return whole lines, some `n` bytes; nothing at the end of the file."""
        while True:
            more = self._stream.read(n if n > 0 else None)
            text = self._rest + more
            cut = text.rfind(b"\n") + 1 if more else len(text)
            if cut or not more:
                break
            self._rest = text
        self._rest = text[cut:]
        one = re.sub(rb"[ \t\r]+", b"\t", text[:cut])
        return re.sub(rb"(?m)^\t|\t$", b"", one)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


def _batches(
    raw: BinaryIO, columns: SummaryColumns, bad_rows: _BadRows
) -> Iterator[pa.RecordBatch]:
    """Yield the columns that have a role, as text, some ten thousand rows at a time."""
    stream = pa.PythonFile(raw, mode="r")
    if columns.is_gzip:
        stream = pa.CompressedInputStream(stream, "gzip")
    if columns.delimiter == BLANKS:
        stream = pa.PythonFile(_Tabbed(stream), mode="r")
    # Names may stand twice in a header: columns go by their place.
    names = [f"c{index}" for index in range(len(columns.header))]
    wanted = [names[columns.header.index(name)] for name in dict.fromkeys(columns.roles.values())]
    opened = csv.open_csv(
        stream,
        csv.ReadOptions(
            block_size=_BLOCK_BYTES,
            column_names=names,
            skip_rows=columns.n_before + 1,
            encoding=columns.encoding,
        ),
        csv.ParseOptions(
            delimiter="\t" if columns.delimiter == BLANKS else columns.delimiter,
            invalid_row_handler=bad_rows,
        ),
        csv.ConvertOptions(include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string())),
    )
    with opened:
        yield from opened


@dataclass
class _Gathered:
    """What has been read so far."""

    columns: SummaryColumns
    bad_rows: _BadRows = field(default_factory=_BadRows)
    n_kept: int = 0
    n_seen: int = 0
    n_zero: int = 0
    unread: Counter[str] = field(default_factory=Counter)
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)
    hits: pd.DataFrame | None = None
    test: str | None = None
    orders: dict[str, int] = field(default_factory=dict)

    def add(self, batch: pa.RecordBatch) -> None:
        self.n_seen += batch.num_rows
        if not batch.num_rows:
            return
        order, pos = self._places(batch)
        log_p, is_zero = self._log_p(batch)
        reasons = {
            "no chromosome of 1 to 22, X, Y, MT": order == OTHER_CHROMOSOME,
            "no position": ~((pos >= 1) & (pos < 2**32) & (pos == np.floor(pos))),
            "no p": np.isnan(log_p),
        }
        if "test" in self.columns.roles:
            tests = self._text(batch, "test")
            if self.test is None:
                self.test = tests[0].as_py()
            reasons = {
                f"of another test than {self.test}": ~_of(pc.equal(tests, self.test)),
                **reasons,
            }
        usable = np.ones(batch.num_rows, bool)
        for reason, is_hit in reasons.items():
            n = np.count_nonzero(usable & is_hit)
            if n:
                self.unread[reason] += int(n)
            usable &= ~is_hit
        rows = np.flatnonzero(usable)
        self.n_zero += int(np.count_nonzero(is_zero[rows]))
        self._keep_hits(batch, rows, log_p[rows])
        self.parts.append(
            (
                order[rows].astype(np.uint8),
                pos[rows].astype(np.uint32),
                log_p[rows].astype(np.float32),
            )
        )
        self.n_kept += len(rows)

    def summary(self, name: str, build: SummaryBuild) -> Summary:
        if self.bad_rows.n:
            self.unread["too few or too many cells"] += self.bad_rows.n
        hits = pd.DataFrame(columns=["row", "neg_log10_p", *_NAMES])
        if self.hits is not None:
            hits = self.hits.sort_values("neg_log10_p", ascending=False, kind="stable")
        return Summary(
            name,
            build,
            np.concatenate([part[0] for part in self.parts] or [np.empty(0, np.uint8)]),
            np.concatenate([part[1] for part in self.parts] or [np.empty(0, np.uint32)]),
            np.concatenate([part[2] for part in self.parts] or [np.empty(0, np.float32)]),
            hits=hits.reset_index(drop=True),
            n_rows=self.n_seen + self.bad_rows.n,
            n_unread=dict(self.unread),
            n_zero=self.n_zero,
        )

    def _text(self, batch: pa.RecordBatch, role: str) -> pa.StringArray:
        index = self.columns.header.index(self.columns.roles[role])
        return pc.utf8_trim_whitespace(batch.column(f"c{index}"))

    def _places(self, batch: pa.RecordBatch) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return chromosome order and position (NaN: none) of each row."""
        if self.columns.has_marker:
            found = pc.extract_regex(self._text(batch, "rsid"), _MARKER)
            chrom, written = pc.struct_field(found, "chrom"), pc.struct_field(found, "pos")
        else:
            chrom, written = (self._text(batch, role) for role in ("chromosome", "position"))
        pos = _numbers(written)
        coded = pc.dictionary_encode(pc.fill_null(chrom, ""))
        names = coded.dictionary.to_pylist()
        for name in names:
            if name not in self.orders:
                self.orders[name] = chromosome_order(name.lstrip("0"))
        order = np.array([self.orders[name] for name in names], np.int64)[
            coded.indices.to_numpy(zero_copy_only=False)
        ]
        # 25 is MT in GWAS-SSF and the pseudo-autosomal part of X in PLINK: the place decides.
        is_25 = np.array([name == "25" for name in names])[
            coded.indices.to_numpy(zero_copy_only=False)
        ]
        order[is_25 & (pos <= _MT_LENGTH)] = chromosome_order("MT")
        return order, pos

    def _log_p(self, batch: pa.RecordBatch) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return -log10 p of each row (NaN: none), and where p is written as 0."""
        if "neg_log10_p" in self.columns.roles:
            value = _numbers(self._text(batch, "neg_log10_p"))
            value[~(value >= 0)] = np.nan
            is_zero = np.isinf(value)
            value[is_zero] = LARGEST_OF_ZERO
            return value, is_zero
        text = self._text(batch, "p_value")
        p = _numbers(text)
        value = np.full(len(p), np.nan)
        fine = (p >= _TINY) & (p <= 1)
        value[fine] = np.abs(np.log10(p[fine]))  # of p = 1 it is 0, not -0
        tiny = np.flatnonzero((p >= 0) & (p < _TINY))
        value[tiny] = [neg_log10_of_text(written) for written in text.take(tiny).to_pylist()]
        is_zero = np.isinf(value)
        value[is_zero] = LARGEST_OF_ZERO
        return value, is_zero

    def _keep_hits(self, batch: pa.RecordBatch, rows: np.ndarray, log_p: np.ndarray) -> None:
        """Keep the names of those of a block that are among the smallest p so far."""
        best = np.arange(len(rows))
        if self.hits is not None and len(self.hits) >= N_HITS:
            best = np.flatnonzero(log_p > self.hits["neg_log10_p"].min())
        if len(best) > N_HITS:
            best = best[np.argpartition(log_p[best], -N_HITS)[-N_HITS:]]
        if not len(best):
            return
        best.sort()
        found = pd.DataFrame({"row": self.n_kept + best, "neg_log10_p": log_p[best]})
        taken = pa.array(rows[best])
        for name in _NAMES:
            written: list[str | None] = [None] * len(best)
            if name in self.columns.roles:
                cells = self._text(batch, name).take(taken).to_pylist()
                written = [None if cell.lower() in NOT_THERE else cell for cell in cells]
            found[name] = pd.Series(written, dtype="object")
        if self.hits is not None:
            found = pd.concat([self.hits, found], ignore_index=True)
        self.hits = found.nlargest(N_HITS, "neg_log10_p").reset_index(drop=True)


def _of(array: pa.BooleanArray) -> NDArray[np.bool_]:
    return array.to_numpy(zero_copy_only=False).astype(bool)


def _numbers(text: pa.StringArray) -> NDArray[np.float64]:
    """Return the numbers of a column of text, NaN where it is none."""
    is_number = pc.match_substring_regex(text, _NUMBER)
    numbers = pc.cast(pc.if_else(is_number, text, None), pa.float64())
    return np.array(numbers.to_numpy(zero_copy_only=False), np.float64)


def neg_log10_of_text(text: str) -> float:
    """Return -log10 of a p as it is written, be it smaller than any float: 4.5e-400 -> 399.35.

    Infinite for 0; NaN for what is no number of [0, 1].
    """
    try:
        p = Decimal(text.strip())
    except InvalidOperation:
        return float("nan")
    if not p.is_finite() or not 0 <= p <= 1:
        return float("nan")
    return float("inf") if p == 0 else float(abs(p.log10()))
