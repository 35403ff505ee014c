"""The verb that asks what a trained network looked at: attribute."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.cli.output import Verb, emit, reporter

_SHOWN = 10  # genes printed for people; --json prints all


def _attribute_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("run_id", metavar="RUN", help="id of a run that has finished")


def _attribute(asked: argparse.Namespace) -> None:
    from pipeline import runs
    from pipeline.attribution import across_seeds
    from pipeline.attribution.job import attribute
    from pipeline.attribution.rollup import summary

    made = attribute(asked.cache, asked.run_id, reporter())
    run = runs.load(asked.cache, asked.run_id)
    shown = {"run": run.id, "cohort": run.cohort, **summary(made)}
    shown["stability"]["seeds"] = across_seeds(asked.cache, run, made)
    emit(asked, shown, lambda: _lines(shown))


def _lines(shown: dict[str, Any]) -> list[str]:
    complete = shown["completeness"]
    lines = [
        f"run {shown['run']} of {shown['cohort']}: {shown['variants']:,} variants, "
        f"{complete['n_people']:,} test people",
        f"attributions add up to the change of the logit within {complete['largest']:.2%} for "
        f"every person (median {complete['median']:.2%})",
    ]
    for gene in shown["genes"][:_SHOWN]:
        lost = gene["auc_lost"]
        hidden = f"  AUC lost when hidden {lost:+.3f}" if lost is not None and lost == lost else ""
        lines.append(
            f"{gene['gene']:24} {gene['share']:6.1%} of the attribution, "
            f"{gene['n_variants']:,} variants{hidden}"
        )
    folds = shown["stability"]["folds"]
    if folds.n_pairs:
        lines.append(f"rank correlation between folds {folds.mean:.2f} (mean of {folds.n_pairs})")
    seeds = shown["stability"]["seeds"]
    if seeds.n_pairs:
        lines.append(f"rank correlation between seeds {seeds.mean:.2f} (mean of {seeds.n_pairs})")
    return lines


VERBS = (
    Verb(
        "attribute",
        "tell which variants and genes a trained network looked at",
        _attribute_arguments,
        _attribute,
    ),
)
