"""Where variants lie on one axis, and the points of a Manhattan plot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.association import Association
from pipeline.cohort import Cohort
from pipeline.quality import Filtered
from pipeline.schema import plain_chromosome
from pipeline.summaries.variants import name_variants

_MOST_HITS = 3_000  # points drawn one by one, from the smallest p on
_COLUMNS, _ROWS = 500, 13  # the grid that stands for all others
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
    variants of smallest p (at most 3,000) stand each for itself and come first; of the others one
    stands for each cell of a grid. At most 9,500 are drawn.
    """
    tested = np.flatnonzero(~np.isnan(neg_log10_p))
    if len(tested) > _MOST_HITS:
        line = np.partition(neg_log10_p[tested], -_MOST_HITS)[-_MOST_HITS]
    else:
        line = -1.0
    alone = tested[neg_log10_p[tested] > line]
    binned = tested[neg_log10_p[tested] <= line]
    n_binned = np.ones(len(alone), np.int64)
    if len(binned):
        column = (x[binned] / x_end * _COLUMNS).astype(np.int64).clip(max=_COLUMNS - 1)
        row = (neg_log10_p[binned] / max(line, 1e-9) * _ROWS).astype(np.int64).clip(max=_ROWS - 1)
        cell = (column * _ROWS + row).astype(np.int16)  # 16 bits: NumPy sorts them by radix
        order = np.argsort(cell, kind="stable")
        last = np.flatnonzero(np.diff(cell[order], append=-1))
        alone = np.concatenate([alone, binned[order[last]]])
        n_binned = np.concatenate([n_binned, np.diff(last, prepend=-1)])
    return alone, n_binned


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
