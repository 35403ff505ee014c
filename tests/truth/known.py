"""Cohorts whose truth is known, runs on them, and what chance alone would give."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from pipeline import runs
from pipeline.annotation import annotate
from pipeline.association import associate, effect_allele_frequency, genes_of
from pipeline.cohort import Cohort, open_cohort
from pipeline.experiment import run_training
from pipeline.ingest import ingest
from pipeline.presets import apply_preset
from pipeline.progress import silent
from pipeline.quality import filter_variants
from pipeline.runs import Run
from pipeline.settings import AssociationSettings, QualitySettings, with_changes
from pipeline.simulate import SimulationSettings, simulate

NAME = "known"
ALLELE = ["chrom", "pos", "ref", "alt"]


@dataclass(frozen=True)
class Known:
    """A simulated cohort in a cache of its own, and the alleles that were planted in it."""

    cache: Path
    truth: pd.DataFrame

    @contextmanager
    def opened(self) -> Iterator[Cohort]:
        """Give the cohort, opened for the length of the block."""
        cohort = open_cohort(self.cache, NAME)
        with closing(cohort.store):
            yield cohort


@dataclass(frozen=True)
class Enrichment:
    """Causal ones among the strongest, and the chance of as many or more (hypergeometric)."""

    n: int
    n_causal: int
    n_top: int
    n_found: int
    p: float


def simulated(folder: Path, **settings: Any) -> Known:
    """Return a cohort simulated, ingested into `folder`, its genes joined; no VCF stays behind."""
    made = simulate(folder / "files", SimulationSettings(**settings), workers=2)
    cache = folder / "cache"
    ingest(cache, NAME, [made.vcf], made.phenotypes)
    annotate(cache, NAME, made.genes)
    truth = pd.read_csv(made.truth, sep="\t", dtype={"chrom": str})
    shutil.rmtree(folder / "files")
    return Known(cache, truth)


def association_frame(
    known: Known, test: str = "genotypic", quality: QualitySettings | None = None
) -> pd.DataFrame:
    """Return the variants tested on all people.

    Columns: maf, gene, neg_log10_p, is_causal, gene_is_causal.
    """
    with known.opened() as cohort:
        filtered = filter_variants(cohort, quality or QualitySettings())
        found = associate(cohort, filtered, AssociationSettings(test=test))
        frequency = effect_allele_frequency(filtered)
        gene = genes_of(cohort, filtered.kept).to_numpy()
        variants = cohort.store.frame(
            "SELECT chrom, pos, ref, alt FROM variants ORDER BY variant_index"
        ).iloc[filtered.kept]
    planted = pd.MultiIndex.from_frame(known.truth[ALLELE])
    frame = pd.DataFrame(
        {
            "maf": np.minimum(frequency, 1 - frequency),
            "gene": gene,
            "neg_log10_p": found.neg_log10_p,
            "is_causal": pd.MultiIndex.from_frame(variants).isin(planted),
            "gene_is_causal": pd.Series(gene).isin(known.truth["gene"]).to_numpy(),
        }
    )
    return frame.dropna(subset=["neg_log10_p", "gene"])


def best_of_genes(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the row of smallest p of each gene."""
    return frame.sort_values("neg_log10_p", ascending=False, kind="stable").drop_duplicates("gene")


def enrichment(is_causal: pd.Series, neg_log10_p: pd.Series, n_top: int) -> Enrichment:
    """Return how many of the `n_top` smallest p are causal, against drawing them blindly."""
    order = np.argsort(-neg_log10_p.to_numpy(), kind="stable")[:n_top]
    n_causal = int(is_causal.sum())
    n_found = int(is_causal.to_numpy()[order].sum())
    p = float(stats.hypergeom.sf(n_found - 1, len(is_causal), n_causal, n_top))
    return Enrichment(len(is_causal), n_causal, n_top, n_found, p)


def train(cache: Path, changes: Mapping[str, Any], name: str = NAME) -> Run:
    """Return a run of preset `quick`, done in this process by what the worker calls."""
    cohort = open_cohort(cache, name)
    cohort.store.close()
    settings = with_changes(apply_preset("quick"), changes)
    run = runs.create(cache, name, cohort.fingerprint, settings)
    run_training(cache, {"run": run.id}, silent)
    return runs.load(cache, run.id)


def auc_null_error(n_case: int, n_control: int) -> float:
    """Return the standard error of an AUC when nothing is to be found.

    References: Mann & Whitney 1947, Annals of Mathematical Statistics 18:50-60.
    """
    return float(np.sqrt((n_case + n_control + 1) / (12 * n_case * n_control)))
