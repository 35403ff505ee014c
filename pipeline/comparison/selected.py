"""Which variants and genes entered one run and not the other."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.cohort import Cohort, open_cohort
from pipeline.errors import NotComputedError, NotFoundError, StaleArtifactError
from pipeline.runs import Run

_KEY = ["chrom", "pos", "ref", "alt"]


@dataclass(frozen=True, eq=False)
class GainedLost:
    """Variants that entered in any fold of two runs, and their genes.

    `n_gained` entered the second run alone, `n_lost` the first alone. `genes` has gene,
    n_first, n_second, n_shared, n_gained, n_lost, most changes first; a variant of several genes
    counts in each. It is None, with a sentence in `note`, where genes are not known. A gene is
    gained when no variant of it entered the first run.
    """

    n_first: int
    n_second: int
    n_shared: int
    genes: pd.DataFrame | None
    n_genes_gained: int = 0
    n_genes_lost: int = 0
    n_genes_shared: int = 0
    note: str = ""

    @property
    def n_gained(self) -> int:
        return self.n_second - self.n_shared

    @property
    def n_lost(self) -> int:
        return self.n_first - self.n_shared


def gained_and_lost(first: Run, second: Run) -> GainedLost:
    """Return which variants and genes the second run gained and lost against the first.

    Variants are the same when chromosome, position, reference and alternate are, so that runs of
    two cohorts can be held beside each other. Raises `NotComputedError` while a run has not chosen
    its variants.
    """
    one, other = _entered(first), _entered(second)
    joined = one.merge(other, on=_KEY, how="outer", suffixes=("_first", "_second"), indicator="of")
    shared = int((joined["of"] == "both").sum())
    named = (len(one), len(other), shared)
    try:
        genes = _by_gene(joined, first, second)
    except (NotFoundError, StaleArtifactError) as problem:
        return GainedLost(*named, None, note=str(problem))
    if genes is None:
        note = "Genes are not compared: this cohort has no gene table; join one on the page Genes."
        return GainedLost(*named, None, note=note)
    in_first, in_second = genes["n_first"] > 0, genes["n_second"] > 0
    return GainedLost(
        *named,
        genes,
        n_genes_gained=int((in_second & ~in_first).sum()),
        n_genes_lost=int((in_first & ~in_second).sum()),
        n_genes_shared=int((in_first & in_second).sum()),
    )


def _entered(run: Run) -> pd.DataFrame:
    """Return variant_index and place of each variant that entered in any fold."""
    try:
        found = pd.read_parquet(run.selection_path, columns=["variant_index", *_KEY])
    except FileNotFoundError:
        raise NotComputedError(
            f"Variants are compared of runs that have ended, but run {run.id[:8]} has not written "
            "which it chose; let it finish or train it again."
        ) from None
    except (OSError, ValueError) as error:
        raise StaleArtifactError(
            f"The list of variants of run {run.id[:8]} cannot be read "
            f"({type(error).__name__}); train it again."
        ) from error
    return found.drop_duplicates(_KEY)


def _by_gene(joined: pd.DataFrame, first: Run, second: Run) -> pd.DataFrame | None:
    """Return the counts of each gene; None where the cohort of either has no gene table."""
    if first.fingerprint == second.fingerprint:
        index = joined["variant_index_first"].fillna(joined["variant_index_second"])
        of_first = of_second = _genes_of(first, index)
    else:
        of_first = _genes_of(first, joined["variant_index_first"])
        of_second = _genes_of(second, joined["variant_index_second"])
    if of_first is None or of_second is None:
        return None
    state = joined["of"].astype(str).to_numpy()
    is_first, is_second = state != "right_only", state != "left_only"
    counts = [
        _counted(of_first, is_first, "n_first"),
        _counted(of_second, is_second, "n_second"),
        _counted(of_first, is_first & is_second, "n_shared"),
        _counted(of_second, is_second & ~is_first, "n_gained"),
        _counted(of_first, is_first & ~is_second, "n_lost"),
    ]
    table = pd.concat(counts, axis=1).fillna(0).astype(int).rename_axis("gene").reset_index()
    changed = table["n_gained"] + table["n_lost"]
    order = np.lexsort((table["gene"].to_numpy(str), -table["n_second"], -changed))
    return table.iloc[order].reset_index(drop=True)


def _genes_of(run: Run, variant_index: pd.Series) -> pd.DataFrame | None:
    """Return row and gene of each variant that has one; rows are those of `variant_index`."""
    cohort = open_cohort(run.cache, run.cohort)
    with closing(cohort.store):
        if cohort.fingerprint != run.fingerprint:
            raise StaleArtifactError(
                f"Genes are not compared: cohort {run.cohort} was ingested anew since run "
                f"{run.id[:8]}; train it again."
            )
        return _held(cohort, variant_index)


def _held(cohort: Cohort, variant_index: pd.Series) -> pd.DataFrame | None:
    if not cohort.has_genes:
        return None
    rows = variant_index.reset_index(drop=True).dropna().astype(np.int64)
    held = cohort.store.frame_of(
        "SELECT variant_index, gene FROM annotation.variant_genes "
        "WHERE variant_index IN (SELECT wanted_index FROM wanted)",
        np.unique(rows.to_numpy()),
    ).drop_duplicates()
    placed = rows.rename("variant_index").rename_axis("row").reset_index()
    return placed.merge(held, on="variant_index")[["row", "gene"]]


def _counted(held: pd.DataFrame, counts: np.ndarray, name: str) -> pd.Series:
    return held.loc[counts[held["row"].to_numpy()], "gene"].value_counts().rename(name)
