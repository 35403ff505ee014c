"""A published file beside the cohort: the lower half of a Miami plot on one genome axis.

Both halves lie on `joint_axis`, which is as long as either side needs: hand it to
`summaries.manhattan_points` for the cohort and to `published_points` for the file.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.schema import CHROMOSOME_ORDER, OTHER_CHROMOSOME
from pipeline.sources.sumstats import Summary
from pipeline.summaries.genome import CHROMOSOME_GAP, GenomeAxis, thin

_NAME_OF = {order: chrom for chrom, order in CHROMOSOME_ORDER.items()}
_COLUMNS = [
    "variant_index", "x", "neg_log10_p", "parity", "n_binned", "chrom", "pos", "rsid",
    "variant_id", "gene",
]  # fmt: skip


def joint_axis(axis: GenomeAxis, summary: Summary) -> GenomeAxis:
    """Return the cohort's axis with room for every variant of a published file.

    Each chromosome is as long as the farther of both; a chromosome that only the file has gets its
    place in the order. Variants of the cohort keep their index.
    """
    mine = axis.chromosomes
    known = mine["chrom"].map(CHROMOSOME_ORDER).fillna(OTHER_CHROMOSOME).astype(int).to_numpy()
    length = dict(zip(known.tolist(), (mine["end"] - mine["start"]).tolist(), strict=True))
    names = _NAME_OF | dict(zip(known.tolist(), mine["chrom"].tolist(), strict=True))
    farthest = np.zeros(OTHER_CHROMOSOME + 1)
    np.maximum.at(farthest, summary.chrom_order, summary.pos)
    for order in np.flatnonzero(farthest).tolist():
        length[order] = max(length.get(order, 0.0), float(farthest[order]))
    orders = np.array(sorted(length))
    lengths = np.array([length[order] for order in orders.tolist()])
    start = np.concatenate([[0.0], np.cumsum(lengths + CHROMOSOME_GAP)[:-1]])
    chromosomes = pd.DataFrame(
        {
            "chrom": [names[order] for order in orders.tolist()],
            "start": start,
            "middle": start + lengths / 2,
            "end": start + lengths,
        }
    )
    old = mine["start"].to_numpy(np.float64)
    which = np.searchsorted(old, axis.x, side="left") - 1  # positions begin at 1, past the start
    now = np.searchsorted(orders, known)
    return GenomeAxis(
        axis.x - old[which] + start[now[which]], (now[which] % 2).astype(np.uint8), chromosomes
    )


def published_points(summary: Summary, chromosomes: pd.DataFrame) -> pd.DataFrame:
    """Return the points of a published file on a genome axis, thinned as the cohort's are.

    `chromosomes` are those of a `GenomeAxis`. Columns as of `manhattan_points`, variant_index
    -1; rsid, alleles in variant_id, and gene are known of the 3,000 smallest p. A variant
    beyond the axis is left out: `joint_axis` leaves none there, `n_off_axis` counts them.
    """
    place, x = _places(summary, chromosomes)
    on_axis = np.flatnonzero(place >= 0)
    if not len(on_axis):
        return pd.DataFrame(columns=_COLUMNS)
    drawn, n_binned = thin(
        x[on_axis], summary.neg_log10_p[on_axis], float(chromosomes["end"].iloc[-1])
    )
    rows = on_axis[drawn]
    points = pd.DataFrame(
        {
            "row": rows,
            "variant_index": -1,
            "x": x[rows],
            "neg_log10_p": summary.neg_log10_p[rows].astype(np.float64),
            "parity": (place[rows] % 2).astype(np.uint8),
            "n_binned": n_binned,
            "chrom": chromosomes["chrom"].to_numpy()[place[rows]],
            "pos": summary.pos[rows].astype(np.int64),
        }
    )
    named = summary.hits[["row", "rsid", "other_allele", "effect_allele", "gene"]]
    points = points.merge(named.astype({"row": np.int64}), on="row", how="left")
    for name in ("rsid", "gene", "other_allele", "effect_allele"):
        cells = points[name].astype(object)
        points[name] = cells.where(cells.notna(), None)
    points["variant_id"] = [
        f"{chrom}_{pos}_{other}_{effect}" if other and effect else f"{chrom}_{pos}"
        for chrom, pos, other, effect in zip(
            points["chrom"],
            points["pos"],
            points["other_allele"],
            points["effect_allele"],
            strict=True,
        )
    ]
    return points[_COLUMNS]


def n_off_axis(summary: Summary, chromosomes: pd.DataFrame) -> int:
    """Return how many variants of a published file lie beyond an axis."""
    return int(np.count_nonzero(_places(summary, chromosomes)[0] < 0))


def _places(
    summary: Summary, chromosomes: pd.DataFrame
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the place of each variant's chromosome on the axis (-1: beyond it), and its x."""
    place_of = np.full(OTHER_CHROMOSOME + 1, -1)
    for at, chrom in enumerate(chromosomes["chrom"]):
        if chrom in CHROMOSOME_ORDER:
            place_of[CHROMOSOME_ORDER[chrom]] = at
    place = place_of[summary.chrom_order]
    x = chromosomes["start"].to_numpy(np.float64)[place] + summary.pos
    beyond = x > chromosomes["end"].to_numpy(np.float64)[place]
    return np.where(beyond, -1, place), x


def build_note(summary: Summary, build: str) -> str | None:
    """Return the sentence to show where the build of the file is not the cohort's, else None."""
    if summary.build == build:
        return None
    if summary.build == "unknown":
        return (
            f"The build of {summary.name} is not known and the cohort's is {build}: compare "
            "peaks by chromosome and gene, not by position."
        )
    return (
        f"{summary.name} has positions of {summary.build}, the cohort of {build}; they are drawn "
        "as written, so peaks match by chromosome and gene, not by position."
    )
