"""Histograms of the quality of sites, and variants by chromosome."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.cohort import Cohort
from pipeline.people import CaseDefinition
from pipeline.schema import plain_chromosome

# What a histogram can show, as SQL over cases and controls, with what is counted.
_MEASURES = {
    "qual": ("qual", "Sites"),
    "mean_depth": ("({depth_sum}) / nullif({depth_n}, 0)", "Sites"),
    "call_rate": ("({site_n_called}) / ({site_n_called} + {site_n_missing})", "Sites"),
    "mean_gq": ("({gq_sum}) / nullif({gq_n}, 0)", "Sites"),
}
_MOST_QUAL = 2_000.0  # the tail beyond is one bin: the cut is made far below


def quality_bins(
    cohort: Cohort, definition: CaseDefinition, measure: str, n_bins: int = 60
) -> pd.DataFrame:
    """Return a histogram over sites of `qual`, `mean_depth`, `call_rate` or `mean_gq`.

    Columns left, right, n; empty when the source does not have the figure. QUAL above 2,000 falls
    into the last bin.
    """
    sql, _ = _MEASURES[measure]
    numbers = cohort.diagnosis_numbers(definition.case + definition.control)
    sums = {
        name: " + ".join(f"{name}_{d}" for d in numbers)
        for name in ("depth_sum", "depth_n", "site_n_called", "site_n_missing", "gq_sum", "gq_n")
    }
    value = sql.format(**sums)
    low, high = cohort.store.rows(
        f"SELECT min(value), max(value) FROM (SELECT {value} AS value "
        "FROM variants POSITIONAL JOIN counts WHERE alt_number = 1)"
    )[0]
    if low is None:
        return pd.DataFrame(columns=["left", "right", "n"])
    low, high = _range(measure, low, high)
    width = (high - low) / n_bins
    found = cohort.store.frame(
        "SELECT least(greatest(floor((value - $1) / $2), 0), $3)::INTEGER AS bin, "
        f"count(*) AS n FROM (SELECT {value} AS value "
        "FROM variants POSITIONAL JOIN counts WHERE alt_number = 1) "
        "WHERE value IS NOT NULL GROUP BY bin",
        [low, width, n_bins - 1],
    ).set_index("bin")["n"]
    left = low + width * np.arange(n_bins)
    n = found.reindex(range(n_bins), fill_value=0).to_numpy()
    return pd.DataFrame({"left": left, "right": left + width, "n": n})


def _range(measure: str, low: float, high: float) -> tuple[float, float]:
    """Return the ends of a histogram: those of the slider's world, not of one outlier."""
    if measure == "call_rate":
        return min(0.8, float(low)), 1.0
    if measure == "qual":
        high = min(float(high), _MOST_QUAL)
    return 0.0, max(float(high), 1.0)


def chromosome_table(cohort: Cohort) -> pd.DataFrame:
    """Return variants by chromosome (in the order of the axis) and kind."""
    found = cohort.store.frame(
        "SELECT chrom_order, first(chrom) AS chrom, kind, count(*) AS n "
        "FROM variants GROUP BY chrom_order, kind ORDER BY chrom_order, kind"
    )
    found["chrom"] = [plain_chromosome(chrom) for chrom in found["chrom"]]
    return found.drop(columns="chrom_order")
