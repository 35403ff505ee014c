"""A table as a file to keep: the columns that are shown, by the names they are shown with."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

# A spreadsheet takes text that begins so for a formula; behind an apostrophe it stays text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_DRAWN = {"line_chart", "bar_chart", "area_chart", "image"}


def shown_table(
    rows: Any,
    column_config: Mapping[str, Any] | None = None,
    column_order: Sequence[str] | None = None,
    **_others: Any,
) -> pd.DataFrame:
    """Return a table as `st.dataframe` shows it under these options: named, ordered, no pictures.

    Columns that are hidden or hold a small drawing are left out.
    """
    table = pd.DataFrame(rows)
    names = [name for name in column_order or table.columns if name in table]
    form = column_config or {}
    names = [name for name in names if name not in form or form[name] is not None]
    names = [name for name in names if _kind(form.get(name)) not in _DRAWN]
    return table[names].rename(columns={name: _label(form.get(name), name) for name in names})


def as_csv(table: pd.DataFrame) -> bytes:
    """Return the table as CSV that spreadsheets open: UTF-8 with its mark, text never a formula."""
    safe = table.rename(columns=lambda name: _as_text(str(name)))
    for place, kind in enumerate(safe.dtypes):
        if not pd.api.types.is_numeric_dtype(kind):
            safe.isetitem(place, safe.iloc[:, place].map(_as_text))
    return safe.to_csv(index=False, lineterminator="\r\n").encode("utf-8-sig")


def as_parquet(table: pd.DataFrame) -> bytes:
    """Return the table as Parquet; a column of things of several kinds is written as text."""
    written = table.rename(columns=str)
    for place, kind in enumerate(written.dtypes):
        column = written.iloc[:, place]
        if kind == object and pd.api.types.infer_dtype(column).startswith("mixed"):  # noqa: E721 - a dtype
            written.isetitem(place, column.map(str, na_action="ignore"))
    out = io.BytesIO()
    written.to_parquet(out, index=False)
    return out.getvalue()


WRITTEN: dict[str, tuple[str, Callable[[pd.DataFrame], bytes]]] = {
    "csv": ("text/csv", as_csv),
    "parquet": ("application/vnd.apache.parquet", as_parquet),
}


def _as_text(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _kind(form: Any) -> str:
    about = form.get("type_config") if isinstance(form, Mapping) else None
    return about.get("type", "") if isinstance(about, Mapping) else ""


def _label(form: Any, name: str) -> str:
    if isinstance(form, str):
        return form
    label = form.get("label") if isinstance(form, Mapping) else None
    return str(label or name)
