"""The verb that holds runs beside each other: compare."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from pipeline.cli.output import Verb, emit, interval

if TYPE_CHECKING:
    from pipeline.comparison import Pair

_SHOWN = 10  # genes printed for people; --json prints all


def _compare_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("first", metavar="RUN", help="id of a run")
    sub.add_argument("others", metavar="RUN", nargs="+", help="ids of the runs to hold beside it")


def _compare(asked: argparse.Namespace) -> None:
    from pipeline import runs
    from pipeline.comparison import compare_pair, differing_settings, summarise
    from pipeline.errors import SettingsError

    ids = [asked.first, *asked.others]
    if len(set(ids)) < len(ids):
        raise SettingsError("Runs are compared with other runs, but one was named twice; name two.")
    chosen = [runs.load(asked.cache, one) for one in ids]
    pair = compare_pair(*chosen) if len(chosen) == 2 else None
    rows = []
    for run in chosen:
        found = summarise(run)
        rows.append(
            {
                "run": run.id, "cohort": run.cohort, "state": run.state, "preset": run.preset,
                "protocol": found.protocol, "selected": run.selected, "n_test": found.n_test,
                "best_epoch": found.best_epoch, "metrics": found.measured,
            }
        )  # fmt: skip
    differing = differing_settings(chosen)
    shown = {"runs": rows, "settings": differing, "pair": pair.as_dict() if pair else None}

    def lines() -> list[str]:
        return [
            *(_run_line(row) for row in rows),
            *(_setting_line(one) for one in differing),
            *([] if differing else ["nothing was set differently"]),
            *(_pair_lines(pair) if pair else []),
        ]

    emit(asked, shown, lines)


def _run_line(row: dict[str, Any]) -> str:
    auc = row["metrics"].get("auc")
    words = f"AUC {_interval(auc)} of {row['n_test']:,} test people" if auc else "not measured"
    return f"run {row['run']} of {row['cohort']}: {row['state']}, {words}"


def _setting_line(one: Any) -> str:
    values = " | ".join(_value(value) for value in one.values)
    unit = f" ({one.unit})" if one.unit else ""
    return f"{one.label}{unit} [{one.setting}]: {values}"


def _value(value: Any) -> str:
    if value is None:
        return "off"
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def _pair_lines(pair: Pair) -> list[str]:
    lines = []
    if pair.variants is not None:
        found = pair.variants
        lines.append(
            f"variants: {found.n_shared:,} in both, {found.n_gained:,} gained, "
            f"{found.n_lost:,} lost"
        )
        if found.genes is not None:
            lines.append(
                f"genes: {found.n_genes_shared:,} in both, {found.n_genes_gained:,} gained, "
                f"{found.n_genes_lost:,} lost"
            )
            for row in found.genes.head(_SHOWN).itertuples():
                if row.n_gained or row.n_lost:
                    lines.append(f"  {row.gene}: {row.n_gained} gained, {row.n_lost} lost")
        else:
            lines.append(found.note)
    if pair.auc is not None:
        auc = pair.auc
        lines.append(
            f"AUC, second minus first: {auc.difference.value:+.3f} ({auc.difference.low:+.3f} to "
            f"{auc.difference.high:+.3f}) on {auc.n_case:,} cases and {auc.n_control:,} controls"
        )
        lines += [auc.warning] if auc.warning else []
    if pair.classes is not None:
        for name in ("case", "control"):
            counts = getattr(pair.classes, name)
            told = (
                ", ".join(f"{words.replace('_', ' ')} {n:,}" for words, n in counts.items())
                if counts
                else "not told, a count is below 5"
            )
            lines.append(f"{name}s: {told}")
    return [*lines, *pair.problems]


def _interval(found: dict[str, float]) -> str:
    return interval({name: None if value != value else value for name, value in found.items()})


VERBS = (
    Verb(
        "compare",
        "hold runs beside each other: settings, variants and genes, AUC on the same people",
        _compare_arguments,
        _compare,
    ),
)
