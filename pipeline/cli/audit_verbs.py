"""The verb that asks whether noise would have scored the same: audit."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pipeline.cli.cohort_verbs import counted
from pipeline.cli.options import add_name, add_settings, analysis_settings
from pipeline.cli.output import Verb, emit, interval, reporter

if TYPE_CHECKING:
    from pipeline.audit import Audit


def _audit_arguments(sub: argparse.ArgumentParser) -> None:
    add_name(sub)
    which = sub.add_mutually_exclusive_group()
    which.add_argument("--preset", help="audit this network")
    which.add_argument(
        "--model",
        choices=["logistic_l2"],
        help="audit L2 logistic regression, without a network (default)",
    )
    sub.add_argument(
        "--permutations", type=int, default=20, metavar="N", help="of the labels (default: 20)"
    )
    add_settings(sub)


def _audit(asked: argparse.Namespace) -> None:
    from pipeline.audit import LOGISTIC, audit
    from pipeline.errors import SettingsError
    from pipeline.presets import apply_preset
    from pipeline.settings import AnalysisSettings

    if asked.permutations < 0:
        raise SettingsError(
            f"An audit takes 0 permutations or more, but {asked.permutations} were asked for; "
            "ask for more."
        )
    base = apply_preset(asked.preset) if asked.preset else AnalysisSettings()
    settings = analysis_settings(asked, base)
    found = audit(
        counted(asked, settings),
        settings,
        asked.preset or LOGISTIC,
        asked.permutations,
        reporter(),
    )
    emit(asked, found.summary(), lambda: _lines(found))


def _lines(found: Audit) -> list[str]:
    lines = [found.sentence()]
    shown = found.summary()
    for protocol in ("honest", "published"):
        lines.append(
            f"{protocol:10} accuracy {interval(shown[protocol]['accuracy'])}  "
            f"AUC {interval(shown[protocol]['auc'])}  p {shown['p'][protocol]:.3g}"
        )
    lines.append(f"{'majority':10} accuracy {shown['majority']:.3f}")
    return lines


VERBS = (
    Verb(
        "audit",
        "ask whether noise, or a look at the test people, would have scored the same",
        _audit_arguments,
        _audit,
    ),
)
