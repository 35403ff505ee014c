"""The verb that writes the kept set for other programs: export."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.cli.options import add_name, add_settings, analysis_settings, existing_parent
from pipeline.cli.output import Verb, emit, reporter, warn, warn_of_guess

# export.FORMATS, not loaded for --help
_FORMATS = ("vcf", "plink", "gennet", "ssf", "pheweb", "locuszoom", "lists")


def _export_arguments(sub: argparse.ArgumentParser) -> None:
    add_name(sub)
    sub.add_argument(
        "--format",
        required=True,
        choices=_FORMATS,
        help="VCF; PLINK 1; GenNet; the association as GWAS-SSF, for PheWeb or for LocusZoom; "
        "lists for plink2 --keep and --extract",
    )
    sub.add_argument(
        "--out",
        required=True,
        type=Path,
        metavar="PATH",
        help="vcf: .vcf.gz, ssf: .tsv, pheweb and locuszoom: .tsv.gz, gennet: a folder, plink and "
        "lists: a prefix; "
        "single people's genotypes go there",
    )
    sub.add_argument("--force", action="store_true", help="overwrite what is there")
    add_settings(sub)


def _export(asked: argparse.Namespace) -> None:
    from pipeline.cohort import open_cohort
    from pipeline.export import export

    settings = analysis_settings(asked)
    out = existing_parent(asked.out)
    cohort = open_cohort(asked.cache, asked.name)
    warn_of_guess(cohort.define_cases(settings.people))
    made = export(cohort, out, asked.format, settings, force=asked.force, on_progress=reporter())
    for note in made.notes:
        warn(f"{note}.")
    emit(
        asked,
        made,
        lambda: [
            f"{made.variants:,} variants of {made.people['case']:,} cases and "
            f"{made.people['control']:,} controls",
            *(str(path) for path in made.files),
        ],
    )


VERBS = (Verb("export", "write the kept set for other programs", _export_arguments, _export),)
