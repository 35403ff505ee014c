"""The learning rate from epoch to epoch: a schedule times what plateaus took away."""

from __future__ import annotations

import math

from pipeline.settings import TrainingSettings

# A smaller gain than this is a plateau; Keras' ReduceLROnPlateau has the same default.
MIN_GAIN = 1e-4


class LearningRate:
    """The learning rate of the next epoch, after each epoch told the watched loss.

    For `warmup_epochs` W epochs the rate rises in equal steps, first / (W + 1) to begin with; then
    the schedule starts. It multiplies the first rate by `decay_rate` to the power of steps done /
    `decay_steps` (exponential), of whole such stairs (staircase), or leads down half a cosine to
    `min_learning_rate` in the last of `epochs` (cosine; Loshchilov and Hutter 2017, no restarts).
    An epoch keeps the rate that its first step has.

    `plateau_patience` epochs without a watched loss lower by 0.0001 multiply the rate by
    `plateau_factor`, though never to below `min_learning_rate`; the count then starts anew. Keras
    cannot combine a schedule object with ReduceLROnPlateau (TypeError at the first plateau), hence
    one rule that does both.
    """

    def __init__(self, settings: TrainingSettings, steps_per_epoch: int):
        self._settings = settings
        self._steps_per_epoch = steps_per_epoch
        self._n_epochs = 0
        self._n_reductions = 0
        self._best = math.inf
        self._n_without_gain = 0

    @property
    def value(self) -> float:
        """The learning rate of the next epoch."""
        settings = self._settings
        rate = self._scheduled()
        if not self._n_reductions:
            return rate
        # The floor holds the plateaus back, not the schedule.
        reduced = rate * settings.plateau_factor**self._n_reductions
        return max(reduced, min(rate, settings.min_learning_rate))

    def _scheduled(self) -> float:
        settings = self._settings
        first, n_warm = settings.learning_rate, settings.warmup_epochs
        n_epochs = self._n_epochs - n_warm
        if n_epochs < 0:
            return first * (self._n_epochs + 1) / (n_warm + 1)
        n_steps = n_epochs * self._steps_per_epoch
        match settings.schedule:
            case "exponential":
                return first * settings.decay_rate ** (n_steps / settings.decay_steps)
            case "staircase":
                return first * settings.decay_rate ** (n_steps // settings.decay_steps)
            case "cosine":
                floor = min(first, settings.min_learning_rate)
                # One epoch after the warm-up is the first and the last: it gets the first rate.
                done = min(1.0, n_epochs / max(1, settings.epochs - n_warm - 1))
                return floor + (first - floor) * (1 + math.cos(math.pi * done)) / 2
            case _:
                return first

    def observe(self, watched_loss: float) -> None:
        """Take note of an epoch's watched loss."""
        self._n_epochs += 1
        if watched_loss < self._best - MIN_GAIN:
            self._best = watched_loss
            self._n_without_gain = 0
            return
        self._n_without_gain += 1
        if self._n_without_gain >= self._settings.plateau_patience:
            self._n_reductions += 1
            self._n_without_gain = 0
