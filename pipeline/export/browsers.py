"""The association as PheWeb and LocusZoom read it: bgzipped tables with a tabix index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import InputError
from pipeline.export.kept import MOST_VARIANTS, Kept
from pipeline.export.staging import Staging, bgzip_names
from pipeline.export.tested import p_text, tested_of
from pipeline.progress import OnProgress
from pipeline.simulate.bgzf import write_bgzf

if TYPE_CHECKING:  # loaded by DuckDB when the first frame is asked for
    import pandas as pd


def pheweb_names(out: Path) -> dict[str, Path]:
    """Return the table of PheWeb and its index."""
    return _table_names(out, "A PheWeb table")


def locuszoom_names(out: Path) -> dict[str, Path]:
    """Return the table of LocusZoom and its index."""
    return _table_names(out, "A LocusZoom table")


def _table_names(out: Path, what: str) -> dict[str, Path]:
    if not out.name.endswith(".tsv.gz"):
        raise InputError(
            f"{what} is bgzipped, so its name ends in .tsv.gz, but {out.name} was given; name "
            "it so."
        )
    return bgzip_names(out, "table")


def write_pheweb(kept: Kept, staging: Staging, on_progress: OnProgress) -> list[str]:
    """Write an association file of PheWeb: beta is the natural logarithm of the odds ratio.

    Cases and controls are those of the study in every row, as PheWeb demands.
    References: Gagliano Taliun et al. 2020, Nature Genetics 52:550-552.
    """
    tested = tested_of(kept, on_progress)
    table = tested.table
    n_case = int(kept.is_case.sum())
    columns = {
        "chrom": table["chromosome"],
        "pos": table["base_pair_location"],
        "ref": table["other_allele"],
        "alt": table["effect_allele"],
        "pval": p_text(table["neg_log_10_p_value"].to_numpy()),
        "af": _numbers(table["effect_allele_frequency"], "NA"),
        "case_af": _numbers(table["case_frequency"], "NA"),
        "control_af": _numbers(table["control_frequency"], "NA"),
        "beta": _numbers(np.log(table["odds_ratio"]), "NA"),
        "sebeta": _numbers(table["standard_error"], "NA"),
        "num_cases": [n_case] * len(table),
        "num_controls": [len(kept.people) - n_case] * len(table),
    }
    _write_indexed(columns, table, staging, line_skip=1)
    return list(tested.notes)


def write_locuszoom(kept: Kept, staging: Staging, on_progress: OnProgress) -> list[str]:
    """Write the table that LocusZoom and LocalZoom read by region, in the columns of zorp.

    `neg_log_pvalue` is -log10 p; beta is the natural logarithm of the odds ratio of ALT.
    References: Boughton et al. 2021, Bioinformatics 37:3017-3018.
    """
    tested = tested_of(kept, on_progress)
    table = tested.table
    columns = {
        "#chrom": table["chromosome"],
        "pos": table["base_pair_location"],
        "rsid": table["rsid"].fillna(".").replace("", "."),
        "ref": table["other_allele"],
        "alt": table["effect_allele"],
        "neg_log_pvalue": _numbers(table["neg_log_10_p_value"], "."),
        "beta": _numbers(np.log(table["odds_ratio"]), "."),
        "stderr_beta": _numbers(table["standard_error"], "."),
        "alt_allele_freq": _numbers(table["effect_allele_frequency"], "."),
    }
    _write_indexed(columns, table, staging)
    return list(tested.notes)


def _numbers(values: pd.Series, missing: str) -> list[str]:
    """Return numbers of ten digits, and `missing` where there is none."""
    return [missing if np.isnan(value) else f"{value:.10g}" for value in values.tolist()]


def _write_indexed(
    columns: dict[str, list | pd.Series], table: pd.DataFrame, staging: Staging, line_skip: int = 0
) -> None:
    write_bgzf(staging.path("table"), _lines(columns))
    last = int(table["base_pair_location"].max())
    staging.index("table", last, seq_col=0, start_col=1, end_col=1, line_skip=line_skip)


def _lines(columns: dict[str, list | pd.Series]) -> Iterator[bytes]:
    """Yield the header and then some thousand lines at a time."""
    yield ("\t".join(columns) + "\n").encode()
    cells = [list(map(str, values)) for values in columns.values()]
    for start in range(0, len(cells[0]), MOST_VARIANTS):
        part = [column[start : start + MOST_VARIANTS] for column in cells]
        yield "".join("\t".join(row) + "\n" for row in zip(*part, strict=True)).encode()
