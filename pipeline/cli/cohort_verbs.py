"""Verbs about cohorts: simulate, ingest, annotate, cohorts, settings, quality, associate."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cli.options import (
    add_name,
    add_people,
    add_settings,
    analysis_settings,
    existing_parent,
    people_settings,
)
from pipeline.cli.output import Verb, emit, reporter, warn, warn_of_guess
from pipeline.settings import AnalysisSettings, IngestSettings, describe

if TYPE_CHECKING:
    from pipeline.cohort import Cohort


def _simulate_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("directory", metavar="DIR", type=Path, help="folder to write the files into")
    sub.add_argument("--people", type=int, help="number of people")
    sub.add_argument("--genes", type=int, help="number of genes")
    sub.add_argument("--seed", type=int, help="same seed, same bytes")
    sub.add_argument("--null", action="store_true", help="shuffle the diagnoses")
    sub.add_argument("--architecture", help="additive, recessive, compound or epistatic")
    sub.add_argument("--workers", type=int, default=2, help="number of processes")


def _simulate(asked: argparse.Namespace) -> None:
    from pydantic import ValidationError

    from pipeline.settings.base import explain
    from pipeline.settings.simulation import SimulationSettings
    from pipeline.simulate import simulate

    given = {
        name: getattr(asked, name)
        for name in ("people", "genes", "seed", "architecture")
        if getattr(asked, name) is not None
    }
    try:
        settings = SimulationSettings(**given, null=asked.null)
    except ValidationError as error:
        raise explain(error, "simulation") from None
    made = simulate(asked.directory, settings, reporter(), asked.workers)
    emit(
        asked,
        made,
        lambda: [
            f"{sum(made.n_people.values()):,} people, {made.n_variants:,} variants "
            f"in {asked.directory} ({made.seconds:.0f} s)"
        ],
    )


def _ingest_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        type=Path,
        help=".vcf .vcf.gz .bcf, .bed or .pgen of PLINK, genotype.h5 of GenNet",
    )
    sub.add_argument(
        "--phenotypes",
        type=Path,
        metavar="TABLE",
        help="TSV, CSV, .fam, .psam (default: that beside the genotypes of PLINK or GenNet)",
    )
    sub.add_argument("--name", required=True, help="name of the cohort")
    sub.add_argument("--genes", type=Path, help="gene table: GTF, GFF3, BED, refFlat, refGene")
    sub.add_argument("--build", choices=("hg19", "hg38"), default="hg19")
    sub.add_argument("--workers", type=int, help="number of processes (default: cores)")
    sub.add_argument(
        "--engine", metavar="ADDRESS", help="Dask scheduler (default: EXOLENS_ENGINE, this machine)"
    )
    sub.add_argument("--other-alleles", choices=("missing", "reference"), default="missing")
    sub.add_argument("--min-genotype-depth", type=int, help="calls read fewer times are missing")
    sub.add_argument("--min-genotype-gq", type=int, help="calls of lower quality are missing")
    for role in ("sample", "diagnosis", "sex"):
        sub.add_argument(f"--{role}-column", help=f"column of the phenotypes with the {role}")
    add_people(sub)


def _ingest(asked: argparse.Namespace) -> None:
    from pydantic import ValidationError

    from pipeline.ingest import describe as describe_ingest
    from pipeline.ingest import ingest
    from pipeline.settings.base import explain
    from pipeline.sources.phenotypes import Columns

    try:
        settings = IngestSettings(
            build=asked.build,
            other_alleles=asked.other_alleles,
            min_genotype_depth=asked.min_genotype_depth,
            min_genotype_gq=asked.min_genotype_gq,
        )
    except ValidationError as error:
        raise explain(error, "ingest") from None
    if asked.genes:
        from pipeline.annotation import annotate
        from pipeline.sources.genes import read_genes

        read_genes(asked.genes)  # a bad table is told before the long part
    made = ingest(
        asked.cache,
        asked.name,
        asked.files,
        asked.phenotypes,
        settings,
        people=people_settings(asked),
        columns=Columns(asked.sample_column, asked.diagnosis_column, asked.sex_column),
        workers=asked.workers,
        engine=asked.engine,
        on_progress=reporter(),
    )
    for names, what in (
        (made.without_phenotype, "have genotypes but no phenotype and are left out"),
        (made.without_genotypes, "have a phenotype but no genotypes and are left out"),
    ):
        if names:
            shown = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
            warn(f"{len(names):,} people {what}: {shown}")
    for name in made.unindexed:
        warn(f"{name} has no index, so one process read it; index it (tabix) to use more.")
    for warning in made.warnings:
        warn(warning)
    if asked.genes:
        for warning in annotate(asked.cache, asked.name, asked.genes).warnings:
            warn(warning)
    summary = describe_ingest(asked.cache, made)
    emit(asked, summary, lambda: [_cohort_line(summary)])


def _annotate_arguments(sub: argparse.ArgumentParser) -> None:
    add_name(sub)
    sub.add_argument("--genes", required=True, type=Path, metavar="FILE")
    sub.add_argument(
        "--consequences",
        type=Path,
        metavar="FILE",
        help="VCF of VEP, SnpEff, bcftools csq or ANNOVAR, or a multianno.txt",
    )
    sub.add_argument(
        "--fasta",
        type=Path,
        metavar="FILE",
        help="reference genome: tells coding changes of what --consequences lacks",
    )


def _annotate(asked: argparse.Namespace) -> None:
    from pipeline.annotation import annotate

    made = annotate(
        asked.cache,
        asked.name,
        asked.genes,
        reporter(),
        consequences=asked.consequences,
        fasta=asked.fasta,
    )
    for warning in made.warnings:
        warn(warning)
    emit(
        asked,
        made,
        lambda: [
            f"{made.n_genes:,} genes; {made.n_variants_with_gene:,} of {made.n_variants:,} "
            "variants lie in or within 1 kb of one",
            f"{made.n_variants_with_region:,} variants have a region, "
            f"{made.n_variants_with_consequence:,} a consequence",
        ],
    )


def _cohorts(asked: argparse.Namespace) -> None:
    from pipeline.cohort import cohort_names, open_cohort

    found = [open_cohort(asked.cache, name).summary() for name in cohort_names(asked.cache)]
    emit(
        asked,
        found,
        lambda: [_cohort_line(c) for c in found] or ["No cohort yet; `ingest` makes one."],
    )


def _cohort_line(summary: dict[str, Any]) -> str:
    people = ", ".join(f"{n:,} {diagnosis}" for diagnosis, n in summary["people"].items())
    return (
        f"{summary['cohort']}: {summary['variants']:,} variants, {people}, {summary['build']}, "
        f"{summary['fingerprint']}"
    )


def _settings(asked: argparse.Namespace) -> None:
    rows = describe()
    emit(
        asked,
        rows,
        lambda: [f"{row['setting']} = {row['default']}  ({row['help']})" for row in rows],
    )


def counted(asked: argparse.Namespace, settings: AnalysisSettings) -> Cohort:
    """Return the cohort asked for, counted over the people kept."""
    from pipeline.cohort import open_cohort
    from pipeline.samples import with_people

    return with_people(open_cohort(asked.cache, asked.name), settings.samples, reporter())


def _people(asked: argparse.Namespace) -> None:
    from pipeline.cohort import open_cohort
    from pipeline.samples import TITLES, keep_people, sample_quality

    settings = analysis_settings(asked)
    cohort = open_cohort(asked.cache, asked.name)
    found = keep_people(cohort, settings.samples)
    quality = sample_quality(cohort)
    n_mismatch = int(quality["is_sex_mismatch"].sum())
    value = {
        "people": len(found.kept),
        "kept": int(found.kept.sum()),
        "failing": found.n_failing,
        "sex_mismatch": n_mismatch,
    }
    if asked.out:
        table = quality.assign(is_kept=found.kept)
        table.insert(0, "sample_id", cohort.samples["sample_id"].to_numpy())
        table.to_csv(existing_parent(asked.out), sep="\t", index=False, na_rep="NA")
    emit(
        asked,
        value,
        lambda: [
            f"{value['kept']:,} of {value['people']:,} people kept; {n_mismatch:,} whose X implies "
            "another sex than stated",
            *(f"{TITLES[rule]}: {n:,} fail" for rule, n in found.n_failing.items()),
        ],
    )


def _people_arguments(sub: argparse.ArgumentParser) -> None:
    add_name(sub)
    sub.add_argument(
        "--out", type=Path, metavar="FILE", help="one row a person, TSV; it names single people"
    )
    add_settings(sub)


def _quality_arguments(sub: argparse.ArgumentParser) -> None:
    add_name(sub)
    add_settings(sub)


def _quality(asked: argparse.Namespace) -> None:
    from pipeline.quality import filter_variants

    settings = analysis_settings(asked)
    cohort = counted(asked, settings)
    filtered = filter_variants(cohort, settings.quality, settings.people)
    warn_of_guess(filtered.definition)
    value = filtered.as_dict() | {
        "definition": {
            "case": filtered.definition.case,
            "control": filtered.definition.control,
            "excluded": filtered.definition.excluded,
            "rule": filtered.definition.rule,
        }
    }
    emit(
        asked,
        value,
        lambda: [
            f"{s.title:32}{s.variants:>12,}{_removed(s.removed):>12}  {s.note}"
            for s in filtered.steps
        ]
        + [f"{filtered.n_case:,} cases, {filtered.n_control:,} controls, "
           f"{filtered.n_excluded:,} left out ({filtered.definition.rule})"],
    )  # fmt: skip


def _removed(n: int) -> str:
    return f"{-n:+,}" if n else ""


def _associate_arguments(sub: argparse.ArgumentParser) -> None:
    add_name(sub)
    sub.add_argument(
        "--test",
        help="genotypic, genotypic_df4, allelic, trend, dominant, recessive, fisher or logistic",
    )
    sub.add_argument(
        "--covariates", nargs="+", metavar="COLUMN", help="what logistic regression adjusts for"
    )
    sub.add_argument("--components", help="first principal components that it adjusts for")
    sub.add_argument("--permutations", metavar="N", help="permute the labels that often (max-T)")
    sub.add_argument("--out", type=Path, metavar="FILE", help="one row a kept variant, TSV")
    add_settings(sub)


def _associate(asked: argparse.Namespace) -> None:
    from pipeline.association import associate, association_table, write_association
    from pipeline.covariates import structure_warning
    from pipeline.logistic import regress
    from pipeline.permutation import max_t
    from pipeline.quality import filter_variants

    _set_association(asked)
    settings = analysis_settings(asked)
    how = settings.association
    out = existing_parent(asked.out) if asked.out else None
    cohort = counted(asked, settings)
    filtered = filter_variants(cohort, settings.quality, settings.people)
    warn_of_guess(filtered.definition)
    regression = regress(cohort, filtered, how, reporter()) if how.test == "logistic" else None
    found = associate(cohort, filtered, how, regression)
    if regression:
        for note in regression.notes:
            warn(note)
    doubt = structure_warning(cohort, filtered.definition, found.lambda_gc, how, found.n_of_lambda)
    if doubt:
        warn(doubt)
    permuted = None
    if how.correction == "permutation":
        permuted = max_t(cohort, filtered, how, reporter(), settings)
    if out:
        write_association(association_table(cohort, filtered, found), out)
    value = {
        "test": found.test,
        "tested": found.n_tested,
        "lambda": found.lambda_gc,
        "significant": found.significant(),
        "out": str(out) if out else None,
        "doubtful": int(found.is_doubtful.sum()),
    }
    if permuted:
        line = found.line("permutation", permuted)
        value["permutation"] = {
            "permutations": len(permuted.largest),
            "neg_log_10_p_line": line,
            "significant": int((found.neg_log10_p > line).sum()),
        }
    emit(
        asked,
        value,
        lambda: [
            f"{found.test}: {found.n_tested:,} of {len(filtered.kept):,} variants tested, "
            f"lambda {found.lambda_gc:.3f}",
            *(f"{n:,} significant ({how})" for how, n in found.significant().items()),
            f"{value['doubtful']:,} have an expected count below "
            f"{settings.association.min_expected:g}",
        ],
    )


def _set_association(asked: argparse.Namespace) -> None:
    """Turn the options that are short for settings of the association into these."""
    given = {
        "test": asked.test,
        "covariates": ",".join(asked.covariates) if asked.covariates else None,
        "n_components": asked.components,
        "n_permutations": asked.permutations,
        "correction": "permutation" if asked.permutations else None,
    }
    asked.set.append([f"association.{name}={value}" for name, value in given.items() if value])


def _nothing(_: argparse.ArgumentParser) -> None:
    """Add no argument."""


VERBS = (
    Verb("simulate", "write a simulated case-control exome", _simulate_arguments, _simulate),
    Verb("ingest", "make a cohort from genotypes and phenotypes", _ingest_arguments, _ingest),
    Verb("annotate", "join a gene table to a cohort", _annotate_arguments, _annotate),
    Verb("cohorts", "list the cohorts", _nothing, _cohorts),
    Verb("settings", "list every setting with bounds and the paper's value", _nothing, _settings),
    Verb("people", "who is kept, and what single people look like", _people_arguments, _people),
    Verb("quality", "show what each threshold removes", _quality_arguments, _quality),
    Verb("associate", "test each kept variant", _associate_arguments, _associate),
)
