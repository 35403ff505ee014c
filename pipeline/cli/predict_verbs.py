"""The verb that asks a trained network about the people of another cohort: predict."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pipeline.cli.options import add_people, existing_parent, people_settings
from pipeline.cli.output import Verb, emit, interval, reporter, warn


def _predict_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("run_id", metavar="RUN", help="id of a run, or its .keras file")
    sub.add_argument(
        "--vcf",
        required=True,
        nargs="+",
        type=Path,
        metavar="FILE",
        help="genotypes of the other people: .vcf .vcf.gz .bcf, .bed, .pgen or .h5; the files of a "
        "cohort in pieces together",
    )
    sub.add_argument(
        "--phenotypes",
        type=Path,
        metavar="TSV",
        help="their diagnoses, to measure the prediction; sexes are read too",
    )
    sub.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="tab-separated table of single people's scores, readable by you alone; nothing of a "
        "single person is printed",
    )
    sub.add_argument("--force", action="store_true", help="overwrite what is there")
    add_people(sub)


def _predict(asked: argparse.Namespace) -> None:
    from pipeline.predict import model_paths, predict, refuse_existing, write_people

    out = existing_parent(asked.out) if asked.out else None
    if out and not asked.force:
        refuse_existing(out)
    made = predict(
        model_paths(asked.cache, asked.run_id),
        asked.vcf,
        phenotypes=asked.phenotypes,
        people=people_settings(asked),
        on_progress=reporter(),
    )
    if out:
        write_people(made, out, force=asked.force)
    shown = made.summary() | {"out": str(out) if out else None}
    for text in made.warnings:
        warn(text)
    emit(asked, shown, lambda: _lines(shown))


def _lines(shown: dict[str, Any]) -> list[str]:
    found, score = shown["variants"], shown["score"]
    n = sum(n for kind, n in found.items() if kind != "share_missing")
    kinds = ", ".join(f"{found[kind]:,} {kind.replace('_', ' and ')}" for kind in found if
                      kind != "share_missing" and found[kind])  # fmt: skip
    lines = [
        f"run {shown['run']} of {shown['cohort']}: {shown['people']:,} people",
        f"{n:,} variants of the model: {kinds}",
    ]
    if shown["called_case"] is not None:
        lines.append(
            f"{shown['called_case']:,} above {shown['threshold']:.3g}; score "
            f"{score['q50']:.3f} (median), {score['q05']:.3f}-{score['q95']:.3f} (90 % of people)"
        )
    if shown["metrics"]:
        auc, accuracy = shown["metrics"]["auc"], shown["metrics"]["accuracy"]
        lines.append(
            f"of {shown['metrics']['n']:,} cases and controls: accuracy {interval(accuracy)}, "
            f"AUC {interval(auc)}"
        )
    if shown["out"]:
        lines.append(f"scores of single people: {shown['out']}")
    return lines


VERBS = (Verb("predict", "score the people of another cohort", _predict_arguments, _predict),)
