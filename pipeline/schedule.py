"""The learning rate from epoch to epoch: a staircase times what plateaus took away."""

from __future__ import annotations

import math

from pipeline.settings import TrainingSettings

# A smaller gain than this is a plateau; Keras' ReduceLROnPlateau has the same default.
MIN_GAIN = 1e-4


class LearningRate:
    """The learning rate of the next epoch, after each epoch told the watched loss.

    The staircase multiplies the first rate by `decay_rate` once for each `decay_steps` steps done
    before the epoch. `plateau_patience` epochs without a watched loss lower by 0.0001 multiply it
    by `plateau_factor`, though never to below `min_learning_rate`; the count then starts anew.
    Keras cannot combine a schedule object with ReduceLROnPlateau (TypeError at the first
    plateau), hence one rule that does both.
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
        rate = settings.learning_rate
        if settings.schedule == "staircase":
            n_steps = self._n_epochs * self._steps_per_epoch
            rate *= settings.decay_rate ** (n_steps // settings.decay_steps)
        if not self._n_reductions:
            return rate
        # The floor holds the plateaus back, not the staircase.
        reduced = rate * settings.plateau_factor**self._n_reductions
        return max(reduced, min(rate, settings.min_learning_rate))

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
