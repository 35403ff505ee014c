"""Where variants lie on one axis, and the points of a Manhattan plot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numba import njit

from pipeline.association import Association
from pipeline.cohort import Cohort
from pipeline.quality import Filtered
from pipeline.schema import plain_chromosome
from pipeline.summaries.variants import name_variants

_MOST_HITS = 3_000  # points drawn one by one, from the smallest p on
_COLUMNS, _ROWS = 350, 12  # the grid that stands for all others
CHROMOSOME_GAP = 5_000_000  # bases between two chromosomes on the axis


@dataclass(frozen=True)
class GenomeAxis:
    """Where every variant lies on one axis: x float64 (n_variants,), and the chromosomes."""

    x: np.ndarray
    parity: np.ndarray
    chromosomes: pd.DataFrame


def genome_axis(cohort: Cohort) -> GenomeAxis:
    """Return the cumulative coordinate of every variant; `chromosomes` has start, middle, end."""
    found = cohort.store.arrays("SELECT chrom_order, pos FROM variants ORDER BY variant_index")
    spans = cohort.store.frame(
        "SELECT chrom_order, first(chrom) AS chrom, max(pos) AS length "
        "FROM variants GROUP BY chrom_order ORDER BY chrom_order"
    )
    length = spans["length"].to_numpy(np.float64)
    start = np.concatenate([[0.0], np.cumsum(length + CHROMOSOME_GAP)[:-1]])
    which = np.searchsorted(spans["chrom_order"].to_numpy(), found["chrom_order"])
    chromosomes = pd.DataFrame(
        {
            "chrom": [plain_chromosome(chrom) for chrom in spans["chrom"]],
            "start": start,
            "middle": start + length / 2,
            "end": start + length,
        }
    )
    return GenomeAxis(start[which] + found["pos"], (which % 2).astype(np.uint8), chromosomes)


def thin(x: np.ndarray, neg_log10_p: np.ndarray, x_end: float) -> tuple[np.ndarray, np.ndarray]:
    """Return which variants are drawn, int64 (n_drawn,), and how many each stands for.

    `x` is in (0, x_end], `neg_log10_p` NaN where there is no test; both (n_variants,). The
    variants of smallest p (at most 3,000) stand each for itself and come first; of the others the
    one of smallest p stands for each cell of a grid. At most 7,200 are drawn.
    """
    known = neg_log10_p[~np.isnan(neg_log10_p)]
    line = -1.0  # below all: with so few each stands for itself
    if len(known) > _MOST_HITS:
        line = float(np.partition(known, -_MOST_HITS)[-_MOST_HITS])
    alone = np.flatnonzero(neg_log10_p > line)
    best = np.full(_COLUMNS * _ROWS, -1)
    n_in_cell = np.zeros(_COLUMNS * _ROWS, np.int64)
    # One type each, so that one compiled kernel serves all.
    _fill_cells(
        np.asarray(x, np.float64), np.asarray(neg_log10_p, np.float64), line, float(x_end),
        best, n_in_cell,
    )  # fmt: skip
    used = best >= 0
    n_binned = np.concatenate([np.ones(len(alone), np.int64), n_in_cell[used]])
    return np.concatenate([alone, best[used]]), n_binned


@njit(nogil=True, cache=True)
def _fill_cells(x, neg_log10_p, line, x_end, best, n_in_cell):
    """Find the variant of smallest p in each cell of the grid, and count those there."""
    for i in range(len(x)):
        log_p = neg_log10_p[i]
        if not log_p <= line:  # stands for itself, or has no test
            continue
        column = min(int(x[i] / x_end * _COLUMNS), _COLUMNS - 1)
        row = min(int(log_p / max(line, 1e-9) * _ROWS), _ROWS - 1)
        cell = column * _ROWS + row
        n_in_cell[cell] += 1
        if best[cell] < 0 or log_p > neg_log10_p[best[cell]]:
            best[cell] = i


def manhattan_points(
    cohort: Cohort, axis: GenomeAxis, filtered: Filtered, found: Association
) -> pd.DataFrame:
    """Return the points of a Manhattan plot, at most 10,000.

    The variants of smallest p (at most 3,000) stand each for itself; of the others one stands for
    each cell of a grid, with `n_binned` variants. Columns: variant_index,
    x, neg_log10_p, parity, n_binned, chrom, pos, variant_id, gene.
    """
    rows, n_binned = thin(axis.x[filtered.kept], found.neg_log10_p, axis.x[-1])
    variants = filtered.kept[rows]
    points = pd.DataFrame(
        {
            "variant_index": variants,
            "x": axis.x[variants],
            "neg_log10_p": found.neg_log10_p[rows],
            "parity": axis.parity[variants],
            "n_binned": n_binned,
        }
    )
    return points.merge(name_variants(cohort, variants), on="variant_index", how="left")
