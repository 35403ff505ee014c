"""The verb that asks whether noise would have scored the same: audit."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.cli.cohort_verbs import counted
from pipeline.cli.options import add_name, add_settings, analysis_settings
from pipeline.cli.output import Verb, emit, interval, reporter

_ALSO = ("leaks", "confounding", "order", "people")


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
        "--permutations", type=int, metavar="N",
        help="of the labels (default: 20, of a network 5)",
    )  # fmt: skip
    sub.add_argument(
        "--also", nargs="+", choices=_ALSO, default=[], metavar="PART",
        help="further questions: leaks (each look at the test people by itself), confounding "
        "(ancestry, batch, quality), order (of the variants; networks alone), people (would more "
        "help?)",
    )  # fmt: skip
    add_settings(sub)


def _audit(asked: argparse.Namespace) -> None:
    from pipeline.audit import LOGISTIC, NETWORK
    from pipeline.audit.job import PERMUTATIONS, answer
    from pipeline.errors import SettingsError
    from pipeline.kept_weights import keep_weights
    from pipeline.presets import apply_preset
    from pipeline.settings import AnalysisSettings

    model = NETWORK if asked.preset else LOGISTIC
    n = PERMUTATIONS["protocols"][model] if asked.permutations is None else asked.permutations
    if n < 0:
        raise SettingsError(
            f"An audit takes 0 permutations or more, but {n} were asked for; ask for more."
        )
    if "order" in asked.also and model == LOGISTIC:
        raise SettingsError(
            "Order matters to a network alone, but the audit is of L2 logistic regression; name a "
            "--preset."
        )
    base = apply_preset(asked.preset) if asked.preset else AnalysisSettings()
    settings = keep_weights(asked.cache, analysis_settings(asked, base))
    cohort = counted(asked, settings)
    found = answer(cohort, settings, model, "protocols", reporter(), n_permutations=n)
    found["model"] = asked.preset or LOGISTIC
    lines = _lines(found)
    for part in asked.also:
        found[part] = answer(cohort, settings, model, part, reporter())
        lines.append(found[part]["sentence"])
    emit(asked, found, lambda: lines)


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [found["sentence"]]
    lines += [
        f"{protocol:10} accuracy {interval(found[protocol]['accuracy'])}  "
        f"AUC {interval(found[protocol]['auc'])} {_p(found['p'][protocol])}"
        for protocol in ("honest", "published")
    ]
    return [*lines, f"{'majority':10} accuracy {found['majority']:.3f}"]


def _p(p: float | None) -> str:
    return "" if p is None else f" p {p:.3g}"


VERBS = (
    Verb(
        "audit",
        "ask whether noise, or a look at the test people, would have scored the same",
        _audit_arguments,
        _audit,
    ),
)
