"""The only door to DuckDB.

A file is written once under a temporary name and renamed; from then on it is only ever opened
read-only, because DuckDB shuts every other process out of a file that one process may write.
Readers get arrays and tables; values reach SQL as parameters, never as text.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa

from pipeline.errors import StaleArtifactError
from pipeline.schema import CERTIFICATE, FORMAT_VERSION, ddl

if TYPE_CHECKING:  # loaded by DuckDB when the first frame is asked for
    import pandas as pd

# Small row groups keep the BLOBs of one group, and so the memory of writer and reader, small.
_ROW_GROUP_SIZE = 16_384
_MEMORY_LIMIT = "2GB"


class Writer:
    """A database file in the making."""

    def __init__(self, connection: duckdb.DuckDBPyConnection):
        self._connection = connection

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run one statement."""
        self._connection.execute(sql, list(parameters))

    def insert(self, table: str, rows: pa.Table) -> None:
        """Append rows whose columns are named as in the table."""
        self._connection.register("_rows", rows)
        self._connection.execute(f'INSERT INTO "{table}" BY NAME SELECT * FROM _rows')
        self._connection.unregister("_rows")

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple]:
        """Return the rows of a query."""
        return self._connection.execute(sql, list(parameters)).fetchall()


@contextmanager
def create(
    path: Path, certificate: dict[str, Any], reading: dict[str, Path] | None = None
) -> Iterator[Writer]:
    """Give a writer; the file stands at `path` when the block ends well, or not at all.

    The files of `reading` can be read in SQL under their names; views of them stay views.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    _remove(temporary)
    connection = duckdb.connect()
    try:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"SET memory_limit = '{_MEMORY_LIMIT}'")
        connection.execute("SET temp_directory = ?", [str(path.parent / ".spill")])
        quoted = str(temporary).replace("'", "''")
        connection.execute(f"ATTACH '{quoted}' AS made (ROW_GROUP_SIZE {_ROW_GROUP_SIZE})")
        for kind, file in (reading or {}).items():
            _attach(connection, kind, file)
        connection.execute("USE made")
        writer = Writer(connection)
        yield writer
        writer.run(ddl("certificate", CERTIFICATE))
        sealed = {"format_version": FORMAT_VERSION, **certificate}
        writer.run("INSERT INTO certificate VALUES (?)", [json.dumps(sealed, sort_keys=True)])
        connection.execute("CHECKPOINT made")
        connection.close()
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        connection.close()
        _remove(temporary)


def _attach(connection: duckdb.DuckDBPyConnection, kind: str, file: Path) -> None:
    quoted = str(file).replace("'", "''")
    try:
        connection.execute(f"ATTACH '{quoted}' AS \"{kind}\" (READ_ONLY)")
    except duckdb.IOException as error:
        raise StaleArtifactError(
            f"The {kind} file {file.name} cannot be opened ({str(error).splitlines()[0]}); "
            "ingest the cohort again."
        ) from None


def _remove(temporary: Path) -> None:
    for path in (temporary, temporary.with_name(temporary.name + ".wal")):
        path.unlink(missing_ok=True)


class Store:
    """A cohort's file, read-only, with others of its folder attached under their kind's name.

    Where `attached` has the `cohort`, `path` is that of a set of its people, whose tables stand
    before those of the cohort.
    """

    def __init__(self, path: Path, attached: dict[str, Path] | None = None):
        self.path = path
        self._main = "people" if attached and "cohort" in attached else "cohort"
        self.files = {**(attached or {}), self._main: path}
        # Not `connect(path)`: all who connect to a path in a process share one database with one
        # set of attached files, so a cohort could not be opened twice, nor with other genes.
        self._connection = duckdb.connect()
        for kind, file in self.files.items():
            _attach(self._connection, kind, file)
        self._connection.execute("SET enable_progress_bar = false")
        self._connection.execute(f"SET memory_limit = '{_MEMORY_LIMIT}'")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")
        self.certificate: dict[str, Any] = json.loads(
            self.rows("SELECT certificate FROM certificate")[0][0]
        )
        if self.certificate["format_version"] != FORMAT_VERSION:
            raise StaleArtifactError(
                f"Cohort files of format {FORMAT_VERSION} can be read, but {path.name} has format "
                f"{self.certificate['format_version']}; ingest the cohort again."
            )

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a connection of its own for one query of one thread."""
        cursor = self._connection.cursor()
        cursor.execute(f'USE "{self._main}"')
        return cursor

    def _run(self, sql: str, parameters: Sequence[Any]) -> duckdb.DuckDBPyConnection:
        return self._cursor().execute(sql, list(parameters))

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple]:
        """Return the rows of a query as tuples."""
        return self._run(sql, parameters).fetchall()

    def frame(self, sql: str, parameters: Sequence[Any] = ()) -> pd.DataFrame:
        """Return a query as a DataFrame."""
        return self._run(sql, parameters).df()

    def frame_of(self, sql: str, rows: np.ndarray) -> pd.DataFrame:
        """Return a query as a DataFrame; `rows` is known to it as `wanted(wanted_index)`."""
        with self._wanted(rows) as cursor:
            return cursor.execute(sql).df()

    def arrays(self, sql: str, parameters: Sequence[Any] = ()) -> dict[str, np.ndarray]:
        """Return a query as one NumPy array a column; NULL in a number is NaN."""
        fetched = self._run(sql, parameters).fetchnumpy()
        return {
            name: _filled(values) if isinstance(values, np.ma.MaskedArray) else values
            for name, values in fetched.items()
        }

    def blobs(self, sql: str, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the two columns of a query, an index and a BLOB, in pieces.

        `rows` is known to the SQL as the table `wanted(wanted_index)`. A piece is the indices
        (n,) and the BLOBs uint8 (n, n_bytes); every BLOB has to be as long as the others.
        """
        with self._wanted(rows) as cursor:
            for batch in cursor.sql(sql).to_arrow_reader(4096):
                column = batch.column(1)
                if len(column) == 0:
                    continue
                _, offsets, data = column.buffers()
                width = 8 if pa.types.is_large_binary(column.type) else 4
                starts = np.frombuffer(offsets, f"<i{width}")[
                    column.offset : column.offset + len(column) + 1
                ]
                values = np.frombuffer(data, np.uint8)[starts[0] : starts[-1]]
                yield batch.column(0).to_numpy(), values.reshape(len(column), -1)

    @contextmanager
    def _wanted(self, rows: np.ndarray) -> Iterator[duckdb.DuckDBPyConnection]:
        cursor = self._cursor()
        try:
            cursor.register("wanted", pa.table({"wanted_index": pa.array(rows, pa.uint32())}))
            yield cursor
        finally:
            cursor.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _filled(values: np.ma.MaskedArray) -> np.ndarray:
    if values.dtype.kind in "iu":
        return np.ma.filled(values.astype(np.float64), np.nan)
    return values.filled(np.nan if values.dtype.kind == "f" else None)
