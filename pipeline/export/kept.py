"""What an export is made of: the kept variants of cases and controls, read in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pipeline.cohort import Cohort
from pipeline.genotypes import unpack
from pipeline.progress import Clock, OnProgress
from pipeline.quality import Filtered
from pipeline.schema import plain_chromosome
from pipeline.settings import AnalysisSettings

if TYPE_CHECKING:  # loaded by DuckDB when the first frame is asked for
    import pandas as pd

BLOCK_GENOTYPES = 1 << 23  # unpacked together: 8 MB, and four times that as text
MOST_VARIANTS = 4096


@dataclass(frozen=True)
class Kept:
    """What is exported: kept variants of chosen people.

    `people` (n_people,) are positions in the cohort; `is_case` (n_people,) are their roles.
    """

    cohort: Cohort
    filtered: Filtered
    settings: AnalysisSettings
    people: np.ndarray
    is_case: np.ndarray

    @cached_property
    def samples(self) -> pd.DataFrame:
        """Return the people that are exported, in order (see `schema.SAMPLES`)."""
        return self.cohort.samples.iloc[self.people].reset_index(drop=True)

    def table(self, variants: np.ndarray) -> pd.DataFrame:
        """Return those variants in the order given, with `variant_id` chrom_pos_ref_alt."""
        table = self.cohort.store.frame_of(
            "SELECT variant_index, chrom, pos, rsid, ref, alt, qual, filter, region FROM variants "
            "WHERE variant_index IN (SELECT wanted_index FROM wanted)",
            variants,
        )
        table = table.set_index("variant_index").loc[variants].reset_index()
        plain = {chrom: plain_chromosome(chrom) for chrom in table["chrom"].unique()}
        table["variant_id"] = (
            table["chrom"].map(plain) + "_" + table["pos"].astype(str)
            + "_" + table["ref"] + "_" + table["alt"]
        )  # fmt: skip
        return table

    def blocks(
        self, variants: np.ndarray, on_progress: OnProgress
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield variants and their genotypes uint8 (n_variants, n_people), in the order given."""
        n_all = len(self.cohort.samples)
        n_together = int(np.clip(BLOCK_GENOTYPES // n_all, 1, MOST_VARIANTS))
        clock = Clock("writing genotypes", on_progress)
        clock.report(0.0)
        done = 0
        for start in range(0, len(variants), MOST_VARIANTS):
            wanted = variants[start : start + MOST_VARIANTS]
            packed = self._packed(wanted)
            for first in range(0, len(wanted), n_together):
                part = slice(first, first + n_together)
                codes = unpack(packed[part], n_all)
                if len(self.people) < n_all:
                    codes = codes[:, self.people]
                yield wanted[part], codes
                done += len(codes)
                clock.report(done / len(variants), f"{done:,} of {len(variants):,} variants")

    def _packed(self, variants: np.ndarray) -> np.ndarray:
        """Return the packed genotypes of a few thousand variants, in their order."""
        pieces = list(self.cohort.packed_genotypes(variants))
        found = np.concatenate([indices for indices, _ in pieces])
        in_order = np.argsort(found)
        rank = np.searchsorted(found[in_order], variants)
        return np.concatenate([packed for _, packed in pieces])[in_order[rank]]
