"""The verb about sweeps: ask for one, see its trials and the best."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.cli.options import add_name, add_settings, analysis_settings
from pipeline.cli.output import Verb, emit, reporter
from pipeline.settings.sweep import SweepSettings

_FLAGS = ("minutes", "trials", "sampler", "metric", "parallel", "seed")


def _sweep_arguments(sub: argparse.ArgumentParser) -> None:
    add_name(sub)
    sub.add_argument("--preset", default="quick", help="the settings that trials change")
    sub.add_argument(
        "--field",
        action="extend",
        nargs="+",
        default=[],
        metavar="STAGE.FIELD",
        help="a setting that is tried, or with its range: stage.field=low..high, "
        "stage.field=one|other",
    )
    for name in _FLAGS:
        info: Any = SweepSettings.model_fields[name]
        sub.add_argument(f"--{name}", metavar=name.upper(), help=_help(info))
    sub.add_argument("--no-prune", action="store_true", help="let hopeless trials come to an end")
    sub.add_argument("--wait", action="store_true", help="return when the sweep has ended")
    add_settings(sub)


def _help(info: Any) -> str:
    return f"{info.description} (default {info.default})".replace("%", "%%")


def _sweep(asked: argparse.Namespace) -> None:
    from pipeline import jobs
    from pipeline.errors import PipelineError
    from pipeline.presets import apply_preset
    from pipeline.sweep import read_sweep, show, submit_sweep
    from pipeline.sweep.stored import job_id

    settings = analysis_settings(asked, apply_preset(asked.preset))
    sweep_id = submit_sweep(asked.cache, asked.name, settings, _sweep_settings(asked))
    sweep = read_sweep(asked.cache, sweep_id)
    if asked.wait and sweep.state != "finished":
        try:
            jobs.wait(asked.cache, job_id(sweep_id), reporter())
        except KeyboardInterrupt:
            jobs.cancel(asked.cache, job_id(sweep_id))
            raise
        sweep = read_sweep(asked.cache, sweep_id)
        if sweep.state in {"failed", "interrupted"}:
            reason = sweep.error or "its worker ended; ask for it again and it goes on."
            raise PipelineError(f"Sweep {sweep.id} {sweep.state}: {reason}")
    shown = show(sweep)
    emit(asked, shown, lambda: _lines(shown))


def _sweep_settings(asked: argparse.Namespace) -> SweepSettings:
    from pydantic import ValidationError

    from pipeline.settings.base import explain

    given: dict[str, Any] = {name: getattr(asked, name) for name in _FLAGS}
    given = {name: value for name, value in given.items() if value is not None}
    if asked.field:
        given["fields"] = asked.field
    if asked.no_prune:
        given["prune"] = False
    try:
        return SweepSettings.model_validate(given)
    except ValidationError as error:
        raise explain(error, "sweep") from error


def _lines(shown: dict[str, Any]) -> list[str]:
    metric = {"auc": "AUC", "loss": "loss"}[shown["settings"]["metric"]]
    trials = shown["trials"]
    n_pruned = sum(trial["state"] == "pruned" for trial in trials)
    n_failed = sum(trial["state"] == "failed" for trial in trials)
    lines = [
        f"sweep {shown['sweep']} of {shown['cohort']}: {shown['state']}, {len(trials)} trials "
        f"({n_pruned} given up, {n_failed} failed) in {shown['seconds']:,.0f} s"
    ]
    if shown["error"]:
        lines.append(shown["error"])
    best = shown["best"]
    if best:
        lines.append(f"best: trial {best['number']}, {metric} {best['value']:.3f} of validation")
        lines += [f"  {name} = {_word(value)}" for name, value in best["parameters"].items()]
    for name, share in (shown["importance"] or {}).items():
        lines.append(f"{share:4.0%} of what single settings explain: {name}")
    if shown["run"]:
        lines.append(f"run {shown['run']} trains the best settings and meets the test people")
    return lines


def _word(value: Any) -> str:
    if value is None or value == "":
        return "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


VERBS = (Verb("sweep", "search for good settings, test people apart", _sweep_arguments, _sweep),)
