"""Where to look next, whom to give up, what mattered: the one door to Optuna.

Every question is answered from the trials told so far, with a seed of its own for each trial, so
that a sweep that was stopped goes on as if it had not been, and no Optuna object is ever kept.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState, create_trial

from pipeline.settings.sweep import Range, SweepSettings
from pipeline.sweep.stored import LEAST_FOR_IMPORTANCE, Trial

GUESSES = 10  # trials that are drawn at random before TPE begins, the base settings among them
REDRAWN = 30  # tries to find settings that were not tried before
BEFORE_PRUNING = 5  # trials that end before any is given up
EPOCHS_BEFORE_PRUNING = 2

optuna.logging.set_verbosity(optuna.logging.ERROR)


def propose(
    settings: SweepSettings,
    told: Sequence[Trial],
    running: Sequence[Mapping[str, Any]],
    number: int,
) -> dict[str, Any] | None:
    """Return the parameters of trial `number`, None when all there are seem to be tried.

    They hang on the trials told and running, the seed and the number alone.
    """
    ranges = settings.ranges()
    tried = [trial.parameters for trial in told] + [dict(parameters) for parameters in running]
    study = _study(settings, told)
    distributions = _distributions(ranges)
    for parameters in running:
        if _fits(ranges, parameters):
            study.add_trial(
                create_trial(
                    state=TrialState.RUNNING,
                    params=dict(parameters),
                    distributions=distributions,
                )
            )
    for redrawn in range(REDRAWN):
        state = np.random.SeedSequence([settings.seed, number, redrawn]).generate_state(1)
        study.sampler = _sampler(settings, int(state[0]))
        asked = study.ask(distributions)
        parameters = dict(asked.params)
        if parameters not in tried:
            return parameters
        study.tell(asked, state=TrialState.FAIL)
    return None


class Pruner:
    """Says whether a trial is hopeless, by the curves of those that came to their end.

    Reference: Golovin et al. 2017, KDD (the median stopping rule).
    """

    def __init__(self, settings: SweepSettings, told: Sequence[Trial]):
        self._study = optuna.create_study(
            direction="maximize",  # curves are of the AUC, whatever the trial is judged by
            pruner=optuna.pruners.MedianPruner(BEFORE_PRUNING, EPOCHS_BEFORE_PRUNING + 1),
        )
        for trial in told:
            if trial.state == "complete":
                self._study.add_trial(create_trial(value=0.0, intermediate_values=_curve(trial)))
        self._trial = self._study.ask()
        self._is_on = settings.prune

    def is_hopeless(self, epoch: int, auc: float) -> bool:
        """Return whether the best AUC so far lies below the median of others at this epoch."""
        if not self._is_on or not math.isfinite(auc):
            return False
        self._trial.report(auc, epoch)
        return self._trial.should_prune()


def importance(settings: SweepSettings, told: Sequence[Trial]) -> dict[str, float]:
    """Return how much of what single fields explain of the value is each one's, largest first.

    Shares of the variance over the trials; they add up to 1. Empty while fewer than eight trials
    ended, or all are worth the same.

    Reference: Hutter et al. 2014, ICML (functional ANOVA over a forest).
    """
    ended = [trial for trial in told if trial.state == "complete"]
    fit = [trial for trial in ended if _fits(settings.ranges(), trial.parameters)]
    if len(fit) < LEAST_FOR_IMPORTANCE or len({trial.value for trial in fit}) < 2:
        return {}
    evaluator = FanovaImportanceEvaluator(n_trees=32, seed=settings.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn and Optuna differ over their versions
        found = get_param_importances(_study(settings, fit), evaluator=evaluator)
    return {name: float(share) for name, share in found.items()}


def _curve(trial: Trial, sign: float = 1.0) -> dict[int, float]:
    """Return the AUC times `sign` by epoch, where there is one."""
    return {epoch: sign * auc for epoch, auc in enumerate(trial.curve, 1) if math.isfinite(auc)}


def _sampler(settings: SweepSettings, seed: int) -> optuna.samplers.BaseSampler:
    if settings.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(n_startup_trials=GUESSES, seed=seed)


def _study(settings: SweepSettings, told: Sequence[Trial]) -> optuna.Study:
    """Return a study in memory that was told of these trials, as far as they fit its ranges."""
    study = optuna.create_study(direction="maximize" if settings.metric == "auc" else "minimize")
    sign = 1.0 if settings.metric == "auc" else -1.0
    ranges = settings.ranges()
    distributions = _distributions(ranges)
    states = {
        "complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL
    }  # fmt: skip
    for trial in told:
        if not _fits(ranges, trial.parameters):
            continue  # the base settings may lie outside
        study.add_trial(
            create_trial(
                state=states[trial.state],
                value=trial.value if trial.state == "complete" else None,
                # By which TPE tells those that were given up late and high from the hopeless.
                intermediate_values=_curve(trial, sign) if trial.state == "pruned" else None,
                params=trial.parameters,
                distributions=distributions,
            )
        )
    return study


def _fits(ranges: Sequence[Range], parameters: Mapping[str, Any]) -> bool:
    return all(one.holds(parameters[one.name]) for one in ranges)


def _distributions(ranges: Sequence[Range]) -> dict[str, BaseDistribution]:
    made: dict[str, BaseDistribution] = {}
    for one in ranges:
        if one.kind == "choice":
            made[one.name] = CategoricalDistribution(one.choices)
        elif one.kind == "whole":
            made[one.name] = IntDistribution(int(one.low), int(one.high), log=one.log)
        else:
            made[one.name] = FloatDistribution(one.low, one.high, log=one.log)
    return made
