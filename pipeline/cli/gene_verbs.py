"""The verb about genes: carriers and burden tests."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path

from pipeline.cli.options import add_name, add_settings, analysis_settings, existing_parent
from pipeline.cli.output import Verb, emit, reporter, warn, warn_of_guess
from pipeline.settings import AnalysisSettings, GeneSettings

_SHOWN = 20  # genes printed for people; --out has them all


class _Asked(AnalysisSettings):
    """What --set reaches here: genes do not belong to the settings of a run."""

    genes: GeneSettings = GeneSettings()


def _genes_arguments(sub: argparse.ArgumentParser) -> None:
    add_name(sub)
    sub.add_argument("--out", type=Path, metavar="FILE", help="one row a gene, TSV")
    add_settings(sub)


def _genes(asked: argparse.Namespace) -> None:
    from pipeline.association import associate
    from pipeline.cohort import open_cohort
    from pipeline.genes import gene_table, write_genes
    from pipeline.quality import filter_variants
    from pipeline.samples import with_people

    settings = analysis_settings(asked, _Asked())
    assert isinstance(settings, _Asked)
    out = existing_parent(asked.out) if asked.out else None
    cohort = open_cohort(asked.cache, asked.name)
    with closing(cohort.store):
        counted = with_people(cohort, settings.samples, reporter())
        with closing(counted.store):
            filtered = filter_variants(counted, settings.quality, settings.people)
            warn_of_guess(filtered.definition)
            tested = associate(counted, filtered, settings.association)
            found = gene_table(
                counted, filtered, tested, settings.genes, settings.association, reporter()
            )
    for note in found.notes:
        warn(note)
    if out:
        write_genes(found.table, out)
    significant = found.significant()
    value = {
        "genes": len(found.table),
        "tested": found.n_tested,
        "test": settings.genes.test,
        "lambda": found.lambda_gc,
        "significant": significant["exome_wide"],
        "bonferroni": significant["bonferroni"],
        "people": {"case": found.n_case, "control": found.n_control},
        "out": str(out) if out else None,
    }

    def lines() -> list[str]:
        tested_genes = found.table[found.table["burden_neg_log10_p"].notna()]
        top = tested_genes.nlargest(_SHOWN, "burden_neg_log10_p")
        return [
            f"{settings.genes.test}: {found.n_tested:,} of {len(found.table):,} genes tested, "
            f"lambda {found.lambda_gc:.3f}",
            f"{significant['exome_wide']:,} significant (2.2e-6)",
            f"{significant['bonferroni']:,} significant (bonferroni)",
            *(
                f"{gene.gene}  p {10.0**-gene.burden_neg_log10_p:.2e}  "
                f"odds ratio {gene.burden_odds_ratio:.2f}  "
                f"carriers {gene.n_case_carriers:,} of {found.n_case:,} cases, "
                f"{gene.n_control_carriers:,} of {found.n_control:,} controls  "
                f"{gene.n_qualifying:,} variants"
                for gene in top.itertuples()
            ),
        ]

    emit(asked, value, lines)


VERBS = (Verb("genes", "who carries what in each gene, and its burden", _genes_arguments, _genes),)
